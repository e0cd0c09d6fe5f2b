"""The rows that a pack brings: those that a store lacks, and records that are otherwise than theirs. It only reads."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from shlex import quote
from typing import Any

from . import definitions as d
from .batch import Rules
from .errors import NOWHERE, Place
from .facts import Facts
from .firings import Request
from .frozen import frozen
from .gathering import Gatherer
from .library import Library, in_reference_order
from .model import Parts
from .notation import Value, as_text, convert
from .store import Session
from .tables import Declared

# --- what a pack brings ---


@frozen
class Row:
    """A row that a pack brings: what it gives to the fields of its record type, and where it and each value stand."""

    record: d.Record
    values: Mapping[str, Value]
    place: Place
    places: Mapping[str, Place]

    @property
    def key(self) -> str:
        return "/".join(str(self.values.get(n)) for n in self.record.key)


def rows_of(library: Library) -> Iterator[list[Row]]:
    """The rows that a pack brings, a list for each record type, the referred ones first."""
    documents = list(library.pack.all("master"))
    of = {doc.name: str(doc.body.get("of") or doc.name) for doc in documents}
    for name in in_reference_order(library, of.values()):
        if record := library.record(name):
            yield [row for doc in documents if of[doc.name] == name for row in rows_in(library, record, doc)]


def rows_in(library: Library, record: d.Record, document: Any) -> Iterator[Row]:
    fields = library.creation_fields(record)
    for index, row in enumerate(document.body.get("rows") or []):
        values = {n: convert(str(v), fields[n]) for n, v in row.items() if n in fields and v is not None}
        places = {n: document.place(("rows", index, n)) for n in values}
        yield Row(record, values, document.place(("rows", index)), places)


def missing_rows(rules: Rules, session: Session) -> Iterator[list[Request]]:
    """What creates the rows that the store does not hold yet, record type by record type."""
    library = rules.library
    for rows in rows_of(library):
        gatherer = Gatherer(library, rules.metadata, session, Facts(), {})
        there = ids_there(gatherer, rows)
        yield [
            Request(row.record.name, library.creation_event(row.record) or "", None, row.values, str(row.place))
            for row in rows
            if row.key not in there
        ]


def ids_there(gatherer: Gatherer, rows: Collection[Row]) -> Mapping[str, int]:
    """The numbers of the records that hold these rows, by key."""
    records = {row.record.name: row.record for row in rows if row.record.key}
    return {k: i for name in records for k, i in gatherer.ids_of(name, {row.key for row in rows}).items()}


# --- what is otherwise ---


@frozen
class Otherwise:
    """A record that is otherwise than its row: by field what the record has and what the row says, as texts.

    `events` are those that take these fields and are possible. Where no row is left `place` is NOWHERE.
    """

    record: str
    id: int
    key: str
    fields: Mapping[str, tuple[str, str]]
    events: tuple[str, ...]
    place: Place

    @property
    def says(self) -> str:
        """In words, with what changes it."""
        if self.place == NOWHERE:
            return f"{self.record} {self.key} stays, and the pack has no row for it any more."
        differs = [f"{n} is {was or 'empty'}, in the pack {now or 'empty'}" for n, (was, now) in self.fields.items()]
        return f"{self.record} {self.key} stays as it is: {'; '.join(differs)}. {self.to_do}"

    @property
    def to_do(self) -> str:
        """What makes the record what the row says."""
        if not self.events:
            return "No event that is possible changes that."
        given = " ".join(f"--set {quote(f'{n}={now}')}" for n, (_, now) in self.fields.items())
        return f"To change it: charter fire {self.record} {self.events[0]} {quote(self.key)} {given}"


def otherwise(session: Session, before: Library, after: Library | None = None) -> list[Otherwise]:
    """The records that are otherwise than the rows of the pack in force, `before`.

    With `after`, a pack that takes its place, those that are otherwise than what that one says anew.
    """
    metadata = Declared(before)
    gatherer = Gatherer(before, metadata, session, Facts(), {})
    old = {(row.record.name, row.key): row for rows in rows_of(before) for row in rows}
    new = {(row.record.name, row.key): row for rows in rows_of(after or before) for row in rows}
    found = [*compared(gatherer, old if after else {}, new), *gone(gatherer, old, new)]
    return sorted(found, key=lambda o: (o.record, o.key))


def compared(gatherer: Gatherer, old: Mapping[Any, Row], new: Mapping[Any, Row]) -> Iterator[Otherwise]:
    for name in dict.fromkeys(record for record, _ in new):
        known = gatherer.library.record(name)
        rows = [
            row for (record, key), row in new.items() if record == name and says_otherwise(old.get((record, key)), row)
        ]
        if known is None or not rows or known.key != rows[0].record.key:
            continue
        there = ids_there(gatherer, rows)
        stored = texts_of(gatherer, known, there.values())
        for row in [row for row in rows if row.key in there]:
            has = stored[there[row.key]]
            if fields := differing(row, old.get((name, row.key)), has):
                events = events_taking(gatherer.library, known, has, fields)
                place = row.places.get(next(iter(fields)), row.place)
                yield Otherwise(name, there[row.key], row.key, fields, events, place)


def differing(row: Row, old: Row | None, has: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """By field what the record has and what the row says, where these are not the same."""
    wanted = wanted_of(row, old)
    fields = {n: (has.get(n, default_text(row.record, n)), text) for n, text in wanted.items()}
    return {n: pair for n, pair in fields.items() if pair[0] != pair[1]}


def says_otherwise(old: Row | None, new: Row) -> bool:
    return old is None or old.values != new.values


def gone(gatherer: Gatherer, old: Mapping[Any, Row], new: Mapping[Any, Row]) -> Iterator[Otherwise]:
    left = [row for key, row in old.items() if key not in new]
    for name in dict.fromkeys(row.record.name for row in left):
        for key, id_ in ids_there(gatherer, [row for row in left if row.record.name == name]).items():
            yield Otherwise(name, id_, key, {}, (), NOWHERE)


def wanted_of(row: Row, old: Row | None) -> dict[str, str]:
    """What the row gives to fields, as texts; what it gave before and no more has the default now."""
    names = dict.fromkeys((*row.values, *(old.values if old else ())))
    fields = row.record.fields
    return {n: as_text(row.values[n]) if n in row.values else default_text(row.record, n) for n in names if n in fields}


def default_text(record: d.Record, name: str) -> str:
    field = record.fields[name]
    return as_text(convert(field.default, field)) if field.default is not None else ""


def texts_of(gatherer: Gatherer, record: d.Record, ids: Iterable[int]) -> dict[int, dict[str, str]]:
    """The fields and states of records as texts, references by their keys."""
    library = gatherer.library
    paths: dict[str, list[Parts]] = {n: [(n,)] for n in (*library.states_of(record), *record.fields)}
    for name, field in record.fields.items():
        target = library.record(field.type.of) if field.type.kind == "ref" else None
        paths[name] = [(name, *path) for path in library.key_paths(target)] if target else paths[name]
    every = tuple(path for of in paths.values() for path in of)
    found = {}
    for id_, values in gatherer.values(record.name, every, ids).items():
        left = iter(values)
        texts = {n: [as_text(next(left)) for _ in of] for n, of in paths.items()}
        found[id_] = {n: "/".join(of) if any(of) else "" for n, of in texts.items()}
    return found


def events_taking(
    library: Library, record: d.Record, has: Mapping[str, str], fields: Mapping[str, Any]
) -> tuple[str, ...]:
    """The events that a record's states allow somebody to fire and that take all of these fields."""
    possible = [
        t.event
        for flow in library.workflows_of(record)
        for t in flow.transitions
        if t.who and not t.creates and has.get(flow.field) in t.sources
        and fields.keys() <= library.taken(record, t).keys()
    ]  # fmt: skip
    return tuple(dict.fromkeys(possible))
