"""Declares the tables: one for each record type, and the engine's own. `store` queries them, `migration` applies.

Amounts are scaled integers everywhere, dates are dates, moments are ISO text in UTC; so both databases hold the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    Text,
    UniqueConstraint,
)

from . import definitions as d
from .library import Library
from .model import NUMERIC, SCALES, Type

LOG, REFUSAL, FACT = "charter_log", "charter_refusal", "charter_fact"
VOUCHER, ENTRY = "charter_voucher", "charter_entry"
HEAD, SERIES, COUNTER = "charter_head", "charter_series", "charter_counter"
PACK, STORE = "charter_pack", "charter_store"

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
    own_tables(metadata)
    for record in library.records():
        record_table(metadata, library, record)
    if library.manifest.ledger:
        ledger_tables(metadata, library, library.manifest.ledger)
    return metadata


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
    table = Table(record.name, metadata, *columns)
    if record.key:
        _key_index(table, record)
    for name in library.states_of(record):
        Index(f"by_{record.name}_{name}", table.c[name])
    for name in sorted(_parents(library, record)):
        Index(f"by_{record.name}_{name}", table.c[name])
    return table


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


def own_tables(metadata: MetaData) -> None:
    """The log, the refusals, the facts that rules read, heads and counters, the packs that were ever in force."""

    def text(name: str, **options: Any) -> Column[Any]:
        return Column(name, Text(), nullable=options.pop("nullable", False), **options)

    def number(name: str, **options: Any) -> Column[Any]:
        return Column(name, BigInteger(), nullable=options.pop("nullable", False), autoincrement=False, **options)

    log = Table(
        LOG, metadata,
        number("id", primary_key=True), text("stream"), number("number"), text("at"), text("actor"), text("login"),
        text("right"), text("record"), number("record_id"), text("event"), text("rule"), text("pack"),
        text("from_state", nullable=True), text("to_state", nullable=True), number("cause", nullable=True),
        text("source", nullable=True), text("reads"), text("basis"), text("changes"), text("vouchers"),
        text("acting_for", nullable=True), text("hash"),
        UniqueConstraint("stream", "number", name="number_in_stream"),
    )  # fmt: skip
    Index("by_record", log.c.record, log.c.record_id)
    Table(
        REFUSAL, metadata,
        number("id", primary_key=True), text("at"), text("actor"), text("login"), text("record"),
        number("record_id", nullable=True), text("event"), text("pack"), text("source", nullable=True), text("reasons"),
    )  # fmt: skip
    Table(FACT, metadata, text("stream", primary_key=True), text("hash", primary_key=True), text("content"))
    Table(HEAD, metadata, text("stream", primary_key=True), number("number"), text("hash"))
    Table(SERIES, metadata, text("series", primary_key=True), number("company", primary_key=True), number("number"))
    Table(COUNTER, metadata, text("name", primary_key=True), number("next"))
    Table(PACK, metadata, text("hash", primary_key=True), text("name"), text("version"), text("at"), text("actor"),
          text("login"), text("compiled"))  # fmt: skip
    Table(STORE, metadata, text("name", primary_key=True), text("value"))


def ledger_tables(metadata: MetaData, library: Library, ledger: d.Ledger) -> None:
    """Vouchers and entries; a dimension is a column."""
    entry_type = library.record("entry")
    assert entry_type is not None
    company = Type("ref", of=ledger.company)
    Table(
        VOUCHER, metadata,
        Column("id", BigInteger(), primary_key=True, autoincrement=False),
        Column("log", BigInteger(), _foreign(LOG), nullable=False, index=True),
        Column("company", BigInteger(), *_reference(company), nullable=False),
        *(Column(n, Text(), nullable=False) for n in ("series", "number", "posting", "currency", "posted_at")),
        Column("date", Date(), nullable=False),
        Column("reverses", BigInteger(), nullable=True),
        UniqueConstraint("company", "series", "number", name="number_in_series"),
    )  # fmt: skip
    account = entry_type.fields["account"].type
    dimensions = [Column(n, column_type(f.type), *_reference(f.type)) for n, f in ledger.dimensions.items()]
    entries = Table(
        ENTRY, metadata,
        Column("id", BigInteger(), primary_key=True, autoincrement=False),
        Column("voucher", BigInteger(), _foreign(VOUCHER), nullable=False, index=True),
        Column("line", Integer(), nullable=False),
        Column("account", column_type(account), *_reference(account), nullable=False),
        *(Column(n, Text(), nullable=False) for n in ("account_key", "row")),
        Column("amount", BigInteger(), CheckConstraint("amount <> 0", name="no_zero_entry"), nullable=False),
        Column("company", BigInteger(), *_reference(company), nullable=False),
        Column("date", Date(), nullable=False),
        Column("currency", Text(), nullable=False),
        *dimensions,
    )  # fmt: skip
    Index("by_account_and_date", entries.c.account, entries.c.date)


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
