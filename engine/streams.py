"""Keeps pieces of work that run side by side apart, where the database lets them run so: by the streams they touch.

A transaction sees the store as of one moment. What it read in a stream is still so as long as the head of the stream
has not moved since, and its lock on the head keeps that so until it ends. Where a head has moved, the database says so
and the work is done again. So whoever overlooks what another one writes ends before that one, and all come out as one
after the other. Workers on different streams move no head that the other one reads, and neither wait nor repeat.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import definitions as d
from . import programs as p
from .firings import Firing, Root, in_tree_order
from .gathering import Gatherer
from .model import Parts, Type
from .queries import parts
from .tables import ENTRY, columns_of

MAIN = "main"
Noted = Sequence[tuple[p.Operation, list[tuple[Any, Any]]]]


class Streams:
    """The streams that the standing roots of a piece of work read and write; `noted` are their readings."""

    def __init__(self, gatherer: Gatherer, roots: Sequence[Root], noted: Noted) -> None:
        self.gatherer, self.library, self.noted = gatherer, gatherer.library, noted
        self.roots = [r for r in roots if r.stands and r.firing is not None]
        self.known: dict[str, dict[int, str]] = defaultdict(dict)
        self.logged = {r.firing.program.stream(r.firing.v) for r in self.roots if r.firing is not None}

    def hold(self) -> None:
        """Lock the heads of all streams that the work rests on; raises the driver's error where one has moved."""
        if not self.roots:
            return
        referred = self.referred()
        # What is written, or refers, in other streams than the one it is logged in moves their heads, too.
        moved = self.written() | (referred - {MAIN})
        read = self.read(self.logged | moved)
        self.gatherer.session.hold(self.logged, moved - self.logged, None if read is None else read | referred)

    # --- written ---

    def written(self) -> set[str]:
        """The streams of all records that change, which need not be the one in which the change is logged."""
        return {s for record, rows in self.changed() for s in self.streams_in(record, rows)}

    def changed(self) -> Iterator[tuple[d.Record, list[list[Any]]]]:
        """By record type the rows of what is written, as they were and as they are."""
        pending = self.gatherer.pending
        for name, rows in pending.rows.items():
            record = self.library.record(name)
            versions = [
                version
                for id_, (row, root) in rows.items()
                if root.stands
                for version in (pending.before.get((name, id_)), row)
                if version is not None
            ]
            if record is not None and versions:
                yield record, versions

    def streams_in(self, record: d.Record, rows: Iterable[Sequence[Any]]) -> set[str]:
        """What the rows say is their stream."""
        if not record.stream:
            return {MAIN}
        place, through = self.first_step(record, record.stream)
        ids = {row[place] for row in rows}
        found = set(self.called_at(through, record.stream[1:], ids).values())
        return found | {MAIN} if None in ids else found

    def first_step(self, record: d.Record, path: Parts) -> tuple[int, d.Record]:
        """Where in a row the reference stands with which a path begins, and the record type that it leads to."""
        names = [n for n, _ in columns_of(self.library, record)]
        through = self.library.record(record.fields[path[0]].type.of)
        assert through is not None
        return names.index(path[0]), through

    # --- read ---

    def read(self, written: set[str]) -> set[str] | None:
        """The streams that were read; None for all of them, where it cannot be told which."""
        found = self.untouched()
        for operation, asked in self.noted:
            mine = [(f, key) for f, key in asked if f.root.stands]
            of = self.read_by(operation, mine, written) if mine else set()
            if of is None:
                return None
            found |= of
        return found

    def read_by(self, operation: p.Operation, asked: list[tuple[Any, Any]], written: set[str]) -> set[str] | None:
        if isinstance(operation, p.Reference):
            return self.streams_of(operation.record, {key[0] for _, key in asked})
        if isinstance(operation, p.Children):
            return self.met(operation.record, {(operation.by,): {key[0] for _, key in asked}}, written)
        if isinstance(operation, p.Find):
            equal = {
                path: {value(f.v) for f, _ in asked}
                for (path, _), value in zip(operation.equal, operation.equal_values, strict=True)
            }
            return self.met(operation.record, equal, written)
        if isinstance(operation, p.Measured):
            measure = self.library.measure(operation.measure)
            assert measure is not None
            by = enumerate(list(measure.by.values())[: len(asked[0][1])])
            return self.met(measure.of, {path: {key[i] for _, key in asked} for i, path in by}, written)
        if isinstance(operation, p.Closed):
            return self.closed(operation, asked, written)
        if isinstance(operation, p.Decided):
            return self.rows_asked(operation, asked, written)
        return set()

    def closed(self, operation: p.Closed, asked: list[tuple[Any, Any]], written: set[str]) -> set[str] | None:
        calendar = self.library.calendar(operation.calendar)
        assert calendar is not None
        start = Type("ref", of=calendar.of)
        # A day that leaves it empty is closed for all of them.
        needed = [(i, path) for i, path in enumerate(calendar.by.values())
                  if (type_ := self.library.along(start, path)) and not type_.optional]  # fmt: skip
        return self.met(calendar.of, {path: {key[i] for _, key in asked} for i, path in needed}, written)

    def rows_asked(self, operation: p.Decided, asked: list[tuple[Any, Any]], written: set[str]) -> set[str] | None:
        table = operation.table
        rows = self.library.record(table.decision.rows_of) if table and table.decision.rows_of else None
        if table is None or rows is None:
            return set()
        # A row that leaves an input empty is for all of them.
        needed = [i for i, n in enumerate(table.inputs) if n in rows.fields and not rows.fields[n].type.optional]
        return self.met(rows.name, {(table.inputs[i],): {key[i] for _, key in asked} for i in needed}, written)

    def met(self, record: str, equal: dict[Parts, set[Any]], written: set[str]) -> set[str] | None:
        """The streams in which records may appear, or change, that meet conditions; None where it may be any.

        Whoever writes a record moves the heads of the streams of what it refers to, `main` excepted. So where such a
        stream is one whose head this work moves, too, the two meet there.
        """
        declared = self.library.record(record)
        if record == ENTRY:
            return self.entries_met(equal, written)
        if declared is None or not declared.stream:
            return {MAIN}
        for path, values in equal.items():
            if declared.stream[: len(path)] == path and (of := self.reached(declared, path, values)) is not None:
                return of
        meet = any(self.streams_of(name, ids) <= written - {MAIN} for name, ids in self.direct(declared, equal))
        return set() if meet else None

    def reached(self, record: d.Record, path: Parts, values: set[Any]) -> set[str] | None:
        """The streams of records whose stream goes through a reference with one of these values."""
        assert record.stream is not None
        type_ = self.library.along(Type("ref", of=record.name), path)
        through = self.library.record(type_.of) if type_ and type_.kind == "ref" else None
        if through is None:
            return None
        return set(self.called_at(through, record.stream[len(path) :], values).values())

    def direct(self, record: d.Record, equal: dict[Parts, set[Any]]) -> Iterator[tuple[str, set[Any]]]:
        """The references of the record itself among conditions, with their values."""
        for path, values in equal.items():
            type_ = self.library.member(record, path[0])
            if len(path) == 1 and type_ and type_.kind == "ref" and None not in values:
                yield type_.of, values

    def entries_met(self, equal: dict[Parts, set[Any]], written: set[str]) -> set[str] | None:
        """Entries have no stream of their own; whoever writes them holds those of their dimensions and company."""
        ledger = self.library.manifest.ledger
        for path, values in equal.items():
            if ledger is None or len(path) != 1 or None in values:
                continue
            if path[0] == "company":
                of = self.books_of(values)
            elif path[0] in ledger.dimensions:
                of = self.streams_of(ledger.dimensions[path[0]].type.of, values)
            else:
                continue
            if of <= written - {MAIN}:
                return set()
        return None

    def untouched(self) -> set[str]:
        """The streams of records on which something was fired that changed nothing of them."""
        pending, wanted = self.gatherer.pending.rows, defaultdict(set)
        for firing in self.firings():
            if firing.id not in pending.get(firing.record.name, {}):
                wanted[firing.record.name].add(firing.id)
        return {s for name, ids in wanted.items() for s in self.streams_of(name, ids)}

    # --- referred to ---

    def referred(self) -> set[str]:
        """The streams of all that written records and entries refer to, as they were and as they are."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for record, rows in self.changed():
            for index, (_, type_) in enumerate(columns_of(self.library, record)):
                if type_.kind == "ref":
                    wanted[type_.of] |= {row[index] for row in rows}
        ledger = self.library.manifest.ledger
        companies: set[int] = set()
        dimensions = [f.type for f in ledger.dimensions.values()] if ledger else []
        for voucher in (v for firing in self.firings() for v in firing.vouchers):
            companies.add(voucher.company)
            for index, type_ in enumerate(dimensions, 4):
                if type_.kind == "ref":
                    wanted[type_.of] |= {entry[index] for entry in voucher.entries}
        return {s for name, ids in wanted.items() for s in self.streams_of(name, ids)} | self.books_of(companies)

    def firings(self) -> Iterator[Firing]:
        return (f for root in self.roots if root.firing for f in in_tree_order(root.firing))

    def books_of(self, companies: set[Any]) -> set[str]:
        """The streams that are called by companies."""
        ledger = self.library.manifest.ledger
        company = self.library.record(ledger.company) if ledger else None
        return set(self.called_at(company, (), companies).values()) if company and companies else set()

    def streams_of(self, name: str, ids: Iterable[int | None]) -> set[str]:
        """The streams of records by their ids."""
        record = self.library.record(name)
        if record is None or not record.stream:
            return {MAIN}
        known = self.known[name]
        missing = {i for i in ids if i is not None and i not in known}
        if missing:
            known |= self.called_at(record, record.stream, missing)
        return {known[i] for i in ids if i in known}

    def called_at(self, record: d.Record, path: Parts, ids: Iterable[int | None]) -> dict[int, str]:
        """What the streams are called that a path leads to from records, by their ids."""
        wanted = {i for i in ids if i is not None}
        made = {i: row for i in wanted if (row := self.made(record.name, i)) is not None}
        found = self.called_of_made(record, path, made) if made else {}
        end = self.library.along(Type("ref", of=record.name), path)
        keyed = self.library.record(end.of) if end else None
        assert keyed is not None
        paths = [(*path, *key) for key in self.library.key_paths(keyed)]
        joined = self.gatherer.joined(record.name, ("stream", path))
        statement = joined.select([("id",), *paths])
        for part in parts(wanted - made.keys()):
            for row in self.gatherer.session.rows(statement.where(joined.base.c.id.in_(part))):
                found[row[0]] = called(row[1:])
        return found

    def made(self, name: str, id_: int) -> Sequence[Any] | None:
        """The row of a record that the work itself creates."""
        if (name, id_) not in self.gatherer.pending.created:
            return None
        return self.gatherer.pending.rows[name][id_][0]

    def called_of_made(self, record: d.Record, path: Parts, rows: Mapping[int, Sequence[Any]]) -> dict[int, str]:
        if not path:
            keys = self.library.key_paths(record)
            return {i: called(self.gatherer.row_values(record.name, row, keys)) for i, row in rows.items()}
        place, through = self.first_step(record, path)
        beyond = self.called_at(through, path[1:], {row[place] for row in rows.values()})
        return {i: beyond.get(row[place], MAIN) for i, row in rows.items()}


def called(values: Sequence[Any]) -> str:
    """The name of a stream, made of the parts of a key."""
    return MAIN if values[0] is None else "/".join(map(str, values))
