"""Completes records that are there for a new pack: defaults of fields that it needs, where its new workflows start.

Putting the pack in force does this, and its row in the log says with what: so what a record is still follows from the
log alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row, TableClause, func, inspect, literal, or_, select

from . import definitions as d
from .errors import IntegrityBroken, Place
from .facts import plain, written
from .frozen import frozen
from .library import Library
from .log_texts import UNREADABLE, named, reads_of
from .model import SCALES, TEXT, Type
from .money import to_kept
from .programs import default_of
from .store import Session
from .tables import LOG, Declared, columns_of

RECORD, EVENT, FIELD = "pack_version", "put_in_force", "completed"


@frozen
class Lack:
    """A field that may not be empty and is, in so many rows; `value` is what it gets, None where nothing says it."""

    record: str
    field: str
    type: Type
    value: Any
    rows: int
    place: Place
    is_state: bool

    @property
    def said(self) -> str:
        return f"{self.record}.{self.field} becomes {plain(self.value)} where it is empty: {self.counted}"

    @property
    def kept(self) -> Any:
        return to_kept(self.value, self.type.kind) if self.type.kind in SCALES else self.value

    @property
    def counted(self) -> str:
        return f"{self.rows:,} row{'' if self.rows == 1 else 's'}"

    @property
    def refusal(self) -> str:
        what = "keeps a state, and nothing says in which it starts" if self.is_state else "is needed and has no default"
        wanted = (
            "leave the field of the state its name" if self.is_state else "give it a `default`, or `optional: true`"
        )
        return f"{self.place}: {self.record}.{self.field} {what}; it is empty in {self.counted}: {wanted}."


@frozen
class Completion:
    """What records that are there lack: what fills it, and what is said where nothing does."""

    lacks: tuple[Lack, ...] = ()

    @property
    def filled(self) -> list[Lack]:
        return [each for each in self.lacks if each.value is not None]

    @property
    def refusals(self) -> list[str]:
        return [each.refusal for each in self.lacks if each.value is None]

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(each.said for each in self.lacks)

    @property
    def text(self) -> str | None:
        """The same as the log keeps it: by record type and field, as JSON; None where there is nothing."""
        found: dict[str, dict[str, Any]] = {}
        for each in self.lacks:
            found.setdefault(each.record, {})[each.field] = plain(each.value)
        return written(found) if found else None

    def apply(self, session: Session, metadata: Declared) -> None:
        """Write the values, one statement for each record type."""
        for name in sorted({each.record for each in self.lacks}):
            table = metadata.tables[name]
            given = {table.c[each.field]: each.kept for each in self.lacks if each.record == name}
            values = {column: func.coalesce(column, value) for column, value in given.items()}
            empty = or_(*(column.is_(None) for column in given))
            session.connection.execute(table.update().where(empty).values(values))


# --- what is lacking -------------------------------------------------------------------------------------------------


def complete(session: Session, metadata: Declared, before: Library | None, after: Library) -> Completion:
    """What the records that are there lack under `after` and had no need of under `before`, the pack in force."""
    there = set(inspect(session.connection).get_table_names())
    return Completion(
        tuple(
            each
            for record in after.records()
            if record.name in there
            for each in lacking(session, metadata.tables[record.name], after, record, needed_of(before, record.name))
        )
    )


def needed_of(library: Library | None, name: str) -> set[str]:
    """The fields and states that no record of the type is without."""
    record = library.record(name) if library else None
    if library is None or record is None:
        return set()
    return {*library.states_of(record), *(n for n, f in record.fields.items() if not f.type.optional)}


def lacking(
    session: Session, table: TableClause, library: Library, record: d.Record, needed_before: set[str]
) -> Iterator[Lack]:
    wanted = needed_of(library, record.name) - needed_before
    names = [name for name, _ in columns_of(library, record) if name in wanted]
    for name, rows in zip(names, rows_without(session, table, names), strict=True):
        if rows:
            yield lack(library, record, name, rows)


def rows_without(session: Session, table: TableClause, names: list[str]) -> list[int]:
    """In how many rows each of the columns is empty, counted in one go; one that is still to be made is in all."""
    if not names:
        return []
    there = {c["name"] for c in inspect(session.connection).get_columns(table.name)}
    counts = [func.count(table.c[n]) if n in there else literal(0) for n in names]
    ((total, *filled),) = session.rows(select(func.count(), *counts).select_from(table))
    return [total - count for count in filled]


def lack(library: Library, record: d.Record, name: str, rows: int) -> Lack:
    if flow := library.states_of(record).get(name):
        return Lack(record.name, name, TEXT, flow.start, rows, flow.place, True)
    field = record.fields[name]
    return Lack(record.name, name, field.type, given_by(field), rows, field.place, False)


def given_by(field: d.Field) -> Any:
    """The default of a field; of a reference there is none, for the record of that key need not be there."""
    return None if field.type.kind == "ref" else default_of(field)


# --- what the log says of it -----------------------------------------------------------------------------------------


Given = Mapping[str, Mapping[str, Any]]


def completions(session: Session, metadata: Declared) -> list[tuple[Row[Any], Given]]:
    """The rows of the log that completed records, in order, each with the values by record type and field.

    Raises IntegrityBroken as `completion_of`.
    """
    return [(row, given) for row in packs_put_in_force(session, metadata) if (given := completion_of(row))]


def packs_put_in_force(session: Session, metadata: Declared) -> list[Row[Any]]:
    """The rows of the log by which packs came into force, in order."""
    log = metadata.tables[LOG]
    return session.rows(select(log).where(log.c.record == RECORD, log.c.event == EVENT).order_by(log.c.id))


def completion_of(row: Row[Any]) -> Given:
    """What such a row completed, mostly nothing; raises IntegrityBroken where that cannot be read."""
    text = reads_of(row)["given"].get(FIELD)
    try:
        given = json.loads(text) if text else {}
        return {record: dict(values) for record, values in given.items()}
    except UNREADABLE:
        raise IntegrityBroken(f"{named(row)}: what it completed is not what was written") from None


def completed(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A record's values after it was completed: only what was empty gets something."""
    return {**given, **{name: value for name, value in values.items() if value is not None}}
