"""Declares the tables: one for each record type, and the engine's own. `store` queries them, `migration` applies.

Amounts are scaled integers everywhere, dates are dates, moments are ISO text in UTC; so both databases hold the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    TableClause,
    Text,
    UniqueConstraint,
    column,
    table,
)
from sqlalchemy.schema import SchemaItem

from . import definitions as d
from .library import Library
from .model import NUMERIC, SCALES, Type

LOG, REFUSAL, FACT = "charter_log", "charter_refusal", "charter_fact"
VOUCHER, ENTRY = "charter_voucher", "charter_entry"
HEAD, SERIES, COUNTER = "charter_head", "charter_series", "charter_counter"
PACK, STORE = "charter_pack", "charter_store"
KEPT = "charter_kept"

# Nothing ever changes or leaves these; the database itself refuses it.
APPEND_ONLY = (LOG, REFUSAL, FACT, VOUCHER, ENTRY, PACK)


def column_type(type_: Type) -> Any:
    """The column type that keeps a value of a type."""
    if type_.kind in NUMERIC or type_.kind == "ref":
        return BigInteger()
    return {"date": Date, "yes_or_no": Boolean}.get(type_.kind, Text)()


def declare(library: Library) -> MetaData:
    """All tables of a store for the library's pack."""
    metadata = MetaData()
    for name in OWN:
        Table(name, metadata, *OWN[name]())
    for record in library.records():
        record_table(metadata, library, record)
    if library.manifest.ledger:
        for name in (VOUCHER, ENTRY):
            Table(name, metadata, *ledger_columns(library, library.manifest.ledger, name))
    return metadata


class Declared:
    """The tables of a store for a library's pack, as statements name them; `whole` as a store is made of them.

    `joined` is a place for what is made once of several of them.
    """

    def __init__(self, library: Library) -> None:
        self.tables: Mapping[str, TableClause] = _Tables(library)
        self.library = library
        self.joined: dict[Any, Any] = {}

    @cached_property
    def whole(self) -> MetaData:
        return declare(self.library)


class _Tables(Mapping[str, TableClause]):
    """By name, each made when it is first asked for: a short command needs few of them, and of these no index or key.

    Columns with their types are much less than a whole table.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._made: dict[str, TableClause] = {}

    def __getitem__(self, name: str) -> TableClause:
        if name not in self._made:
            self._made[name] = self._table(name)
        return self._made[name]

    def _table(self, name: str) -> TableClause:
        ledger = self._library.manifest.ledger
        if name in OWN:
            return _named(name, OWN[name]())
        if ledger and name in (VOUCHER, ENTRY):
            return _named(name, ledger_columns(self._library, ledger, name))
        record = self._library.record(name) if table_name(name) == name else None
        if record is None:
            raise KeyError(name)
        return table(name, *(column(n, column_type(t)) for n, t in columns_of(self._library, record)))

    def __iter__(self) -> Iterator[str]:
        yield from OWN
        yield from (record.name for record in self._library.records())
        yield from (VOUCHER, ENTRY) if self._library.manifest.ledger else ()

    def __len__(self) -> int:
        return len(list(iter(self)))


def _named(name: str, items: Iterable[SchemaItem]) -> TableClause:
    return table(name, *(column(item.name, item.type) for item in items if isinstance(item, Column)))


def columns_of(library: Library, record: d.Record) -> list[tuple[str, Type]]:
    """The columns of a record's table, in order: id, its state fields, its fields."""
    found: list[tuple[str, Type]] = [("id", Type("whole"))]
    found += [(name, Type("choice", choices=tuple(w.states))) for name, w in library.states_of(record).items()]
    return found + [(name, f.type) for name, f in record.fields.items()]


def changed_types(before: Library, after: Library) -> Iterator[str]:
    """The fields whose values another pack would keep otherwise, in words; a record's values are never converted."""
    for record in after.records():
        old = before.record(record.name)
        for name, f in record.fields.items() if old else ():
            was = old.fields.get(name) if old else None
            if was is not None and _kept(was.type) != _kept(f.type):
                yield (
                    f"{record.name}.{name} is kept as {was.type.given()} and would become {f.type.given()}: a field "
                    "does not change its type; give the new one another name."
                )


def _kept(type_: Type) -> tuple[str, int, str]:
    """What tells kept values apart: the sort of column, the places, the record type referred to."""
    return column_type(type_).__class__.__name__, SCALES.get(type_.kind, 0), type_.of


def table_name(record: str) -> str:
    """The table of a record type; the ledger's own are readable as records too."""
    return {"entry": ENTRY, "voucher": VOUCHER}.get(record, record)


def record_table(metadata: MetaData, library: Library, record: d.Record) -> Table:
    firm = {"id", *library.states_of(record), *record.key}
    columns = [
        Column(name, column_type(type_), *_reference(type_), nullable=name not in firm, primary_key=name == "id",
               autoincrement=False)
        for name, type_ in columns_of(library, record)
    ]  # fmt: skip
    made = Table(record.name, metadata, *columns)
    if record.key:
        _key_index(made, record)
    for name in library.states_of(record):
        Index(f"by_{record.name}_{name}", made.c[name])
    for name in sorted(_parents(library, record)):
        Index(f"by_{record.name}_{name}", made.c[name])
    return made


def _reference(type_: Type) -> tuple[Any, ...]:
    return (_foreign(table_name(type_.of)),) if type_.kind == "ref" else ()


def _foreign(table: str) -> ForeignKey:
    # Deferred, so that records which refer to each other are written in one go, in any order.
    return ForeignKey(f"{table}.id", deferrable=True, initially="DEFERRED")


def _key_index(table: Table, record: d.Record) -> None:
    columns = [table.c[name] for name in record.key]
    where: dict[str, Any] = {}
    if record.key_except:
        living = table.c.state.not_in(record.key_except)
        where = {"sqlite_where": living, "postgresql_where": living}
    Index(f"key_of_{record.name}", *columns, unique=True, **where)


def _parents(library: Library, record: d.Record) -> set[str]:
    """The fields by which this record is somebody's child and that no key index serves already."""
    by = {c.by for parent in library.records() for c in parent.children.values() if c.of == record.name}
    return {name for name in by if record.key[:1] != (name,)}


def _text(name: str, **options: Any) -> Column[Any]:
    return Column(name, Text(), nullable=options.pop("nullable", False), **options)


def _number(name: str, **options: Any) -> Column[Any]:
    return Column(name, BigInteger(), nullable=options.pop("nullable", False), autoincrement=False, **options)


# What the log, the refusals, the facts, heads, counters and kept totals, and packs that were ever in force are made of.
OWN: Mapping[str, Callable[[], Iterable[SchemaItem]]] = {
    LOG: lambda: (
        _number("id", primary_key=True), _text("stream"), _number("number"), _text("at"), _text("actor"),
        _text("login"), _text("right"), _text("record"), _number("record_id"), _text("event"), _text("rule"),
        _text("pack"), _text("from_state", nullable=True), _text("to_state", nullable=True),
        _number("cause", nullable=True), _text("source", nullable=True), _text("reads"), _text("basis"),
        _text("changes"), _text("vouchers"), _text("acting_for", nullable=True), _text("hash"),
        UniqueConstraint("stream", "number", name="number_in_stream"), Index("by_record", "record", "record_id"),
    ),
    REFUSAL: lambda: (
        _number("id", primary_key=True), _text("at"), _text("actor"), _text("login"), _text("record"),
        _number("record_id", nullable=True), _text("event"), _text("pack"), _text("source", nullable=True),
        _text("reasons"),
    ),
    FACT: lambda: (_text("stream", primary_key=True), _text("hash", primary_key=True), _text("content")),
    HEAD: lambda: (_text("stream", primary_key=True), _number("number"), _text("hash")),
    SERIES: lambda: (_text("series", primary_key=True), _number("company", primary_key=True), _number("number")),
    COUNTER: lambda: (_text("name", primary_key=True), _number("next")),
    KEPT: lambda: (_text("measure", primary_key=True), _text("of", primary_key=True), _number("total")),
    PACK: lambda: (
        _text("hash", primary_key=True), _text("name"), _text("version"), _text("at"), _text("actor"), _text("login"),
        _text("compiled"),
    ),
    STORE: lambda: (_text("name", primary_key=True), _text("value")),
}  # fmt: skip


def ledger_columns(library: Library, ledger: d.Ledger, name: str) -> list[SchemaItem]:
    """What vouchers, or their entries, are made of; a dimension is a column."""
    return _voucher_columns(ledger) if name == VOUCHER else _entry_columns(library, ledger)


def _voucher_columns(ledger: d.Ledger) -> list[SchemaItem]:
    return [
        _number("id", primary_key=True),
        Column("log", BigInteger(), _foreign(LOG), nullable=False, index=True),
        Column("company", BigInteger(), *_reference(Type("ref", of=ledger.company)), nullable=False),
        *map(_text, ("series", "number", "posting", "currency", "posted_at")),
        Column("date", Date(), nullable=False),
        _number("reverses", nullable=True),
        UniqueConstraint("company", "series", "number", name="number_in_series"),
    ]


def _entry_columns(library: Library, ledger: d.Ledger) -> list[SchemaItem]:
    entry = library.record("entry")
    assert entry is not None
    account = entry.fields["account"].type
    return [
        _number("id", primary_key=True),
        Column("voucher", BigInteger(), _foreign(VOUCHER), nullable=False, index=True),
        Column("line", Integer(), nullable=False),
        Column("account", column_type(account), *_reference(account), nullable=False),
        _text("account_key"),
        _text("row"),
        Column("amount", BigInteger(), CheckConstraint("amount <> 0", name="no_zero_entry"), nullable=False),
        Column("company", BigInteger(), *_reference(Type("ref", of=ledger.company)), nullable=False),
        Column("date", Date(), nullable=False),
        _text("currency"),
        *(Column(n, column_type(f.type), *_reference(f.type)) for n, f in ledger.dimensions.items()),
        Index("by_account_and_date", "account", "date"),
    ]


def protections(dialect: str) -> Callable[[str], list[str]]:
    """The statements that make the database refuse to change or delete rows of an append-only table."""
    return _sqlite_protection if dialect == "sqlite" else _postgresql_protection


def _sqlite_protection(table: str) -> list[str]:
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("UPDATE", "DELETE")
    ]


# What the function of PostgreSQL's triggers does, and when they run: before UPDATE, DELETE and TRUNCATE, once each.
REFUSES = " BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END "
BEFORE_ANY_CHANGE = 2 | 8 | 16 | 32


def _postgresql_protection(table: str) -> list[str]:
    return [
        f"CREATE OR REPLACE FUNCTION charter_append_only() RETURNS trigger LANGUAGE plpgsql AS $${REFUSES}$$",
        f"CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION charter_append_only()",
        f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM PUBLIC",
    ]
