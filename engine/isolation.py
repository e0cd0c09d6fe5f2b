"""Keeps a chunk the same as its requests one after the other: who read what an earlier one wrote goes again, later.

Within a piece of work all read before any writes. So at its end the reads of each root are held against the writes of
the roots before it; a root that should have seen one of them is deferred and performed again once they are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from . import definitions as d
from . import programs as p
from .firings import Firing, Root, in_tree_order
from .gathering import Gatherer
from .kept_totals import moved
from .model import Parts

Key = tuple[Any, ...]


class Isolation:
    """Holds the reads that a gatherer noted against what the roots would write."""

    def __init__(self, gatherer: Gatherer, roots: Sequence[Root]) -> None:
        self.gatherer = gatherer
        self.place = {id(root): i for i, root in enumerate(roots)}
        self.roots = roots
        self.changed: dict[str, dict[Key, set[int]]] = {}
        self.of_record: dict[str, list[tuple[int, list[Any]]]] = {}
        self.known: dict[tuple[str, tuple[Parts, ...]], dict[Key, set[int]]] = {}

    def defer(self) -> None:
        """Mark every root that must go again; earlier roots come first, and only what stands counts as written."""
        if len(self.roots) < 2:
            return
        readers = [r for operation, asked in self.gatherer.noted for r in self.readers(operation, asked)]
        blocked: dict[int, set[int]] = defaultdict(set)
        for reader, writer in readers:
            if writer < reader:
                blocked[reader].add(writer)
        for index in sorted(blocked):
            if any(self.roots[writer].stands for writer in blocked[index]):
                self.roots[index].deferred = True

    def readers(self, operation: p.Operation, asked: Sequence[tuple[Firing, Key]]) -> Iterator[tuple[int, int]]:
        """Pairs (place of the root that read, place of a root that writes what it read)."""
        if isinstance(operation, p.Measured):
            yield from self.measured(operation, asked)
        elif isinstance(operation, p.Closed):
            yield from self.closed(operation, asked)
        elif isinstance(operation, p.Find):
            yield from self.found(operation, asked)
        elif isinstance(operation, p.Children):
            yield from self.matching(asked, self.written(operation.record, ((operation.by,),)))
        elif isinstance(operation, p.Reference):
            yield from self.matching(asked, self.changing(operation.record))

    def measured(self, operation: p.Measured, asked: Sequence[tuple[Firing, Key]]) -> Iterator[tuple[int, int]]:
        measure = self.gatherer.library.measure(operation.measure)
        assert measure is not None
        width = len(asked[0][1])
        by = tuple(measure.by.values())[:width]
        if measure.kept:
            written = self.moving(measure, width)
        else:
            written = writers_of(self.entries(by)) if measure.of == "entry" else self.written(measure.of, by)
        yield from self.matching(asked, written)

    def closed(self, operation: p.Closed, asked: Sequence[tuple[Firing, Key]]) -> Iterator[tuple[int, int]]:
        """Days are closed seldom, and perhaps for all, so whoever writes any is one to wait for."""
        calendar = self.gatherer.library.calendar(operation.calendar)
        writers = {place for place, _ in self.versions(calendar.of if calendar else "")}
        yield from self.matching(((firing, ()) for firing, _ in asked), {(): writers} if writers else {})

    def found(self, operation: p.Find, asked: Sequence[tuple[Firing, Key]]) -> Iterator[tuple[int, int]]:
        """A look-up is missed when a written record meets its condition, as it was or as it is."""
        if not self.gatherer.pending.rows.get(operation.record):
            return
        readers: dict[Key, list[Firing]] = defaultdict(list)
        for firing, _ in asked:
            readers[tuple([value(firing.v) for value in operation.equal_values])].append(firing)
        predicate, places = operation.predicate, [operation.position(path) for path, _ in operation.equal]
        assert predicate is not None
        for writer, row in self.near(operation, readers):
            for firing in readers.get(tuple([row[i] for i in places]), ()):
                reader = self.place[id(firing.root)]
                if writer < reader and predicate(firing.v, row):
                    yield reader, writer

    def near(self, operation: p.Find, readers: Mapping[Key, Sequence[Firing]]) -> Iterator[tuple[int, Key]]:
        """(place of the root, values) of written records in which a later root may have looked for what is equal."""
        versions = self.versions(operation.record)
        # Of most roots nobody later asks; that is seen in the record itself, before its references are followed.
        for index, (path, _) in sorted(enumerate(operation.equal), key=lambda e: len(e[1][0])):
            last: dict[Any, int] = {}
            for key, firings in readers.items():
                last[key[index]] = max(last.get(key[index], -1), *(self.place[id(f.root)] for f in firings))
            values = self.gatherer.rows_values(operation.record, [row for _, row in versions], [path])
            versions = [v for v, (value,) in zip(versions, values, strict=True) if last.get(value, -1) > v[0]]
        rows = self.gatherer.rows_values(operation.record, [row for _, row in versions], operation.paths)
        yield from ((place, row) for (place, _), row in zip(versions, rows, strict=True))

    def matching(
        self, asked: Iterable[tuple[Firing, Key]], writers: Mapping[Key, set[int]]
    ) -> Iterator[tuple[int, int]]:
        for firing, key in asked if writers else ():
            if found := writers.get(key):
                reader = self.place[id(firing.root)]
                yield from ((reader, writer) for writer in found - {reader})

    # --- what is written ---

    def changing(self, record: str) -> Mapping[Key, set[int]]:
        """The places of the roots that write stored records of a type, by the keys under which these are read."""
        if record not in self.changed:
            pending = self.gatherer.pending
            rows = pending.rows.get(record, {}).items()
            old = ((self.place[id(root)], (id_,)) for id_, (_, root) in rows if (record, id_) not in pending.created)
            self.changed[record] = writers_of(old)
        return self.changed[record]

    def written(self, record: str, paths: tuple[Parts, ...]) -> dict[Key, set[int]]:
        """The places of the roots that write records of a type, by the values at paths, before and after."""
        if (record, paths) not in self.known:
            versions = self.versions(record)
            values = self.gatherer.rows_values(record, [row for _, row in versions], paths)
            pairs = ((place, key) for (place, _), key in zip(versions, values, strict=True))
            self.known[record, paths] = writers_of(pairs)
        return self.known[record, paths]

    def moving(self, measure: d.Measure, width: int) -> dict[Key, set[int]]:
        """The places of the roots that move a kept total, by the first of its keys."""
        made = moved(self.gatherer.library, self.gatherer.metadata, self.gatherer.pending)
        return writers_of((self.place[id(root)], key[:width]) for root, m, key, _ in made if m.measure == measure)

    def versions(self, record: str) -> list[tuple[int, list[Any]]]:
        """The written rows of a record type, as they were and as they are, each with the place of its root."""
        pending = self.gatherer.pending
        if record not in self.of_record:
            self.of_record[record] = [
                (self.place[id(root)], version)
                for id_, (row, root) in pending.rows.get(record, {}).items()
                for version in (pending.before.get((record, id_)), row)
                if version is not None
            ]
        return self.of_record[record]

    def entries(self, by: Sequence[Parts]) -> Iterator[tuple[int, Key]]:
        """The same for entries of the ledger, as far as they can be told apart without being written."""
        ledger = self.gatherer.library.manifest.ledger
        dimensions = enumerate(ledger.dimensions if ledger else ())
        names = {"account": 0, "account_key": 1, **{n: 4 + i for i, n in dimensions}}
        for root in self.roots:
            for firing in in_tree_order(root.firing) if root.firing else ():
                for voucher in firing.vouchers:
                    head = {"company": voucher.company, "date": voucher.date, "currency": voucher.currency}
                    for e in voucher.entries:
                        key = tuple(head[n] if n in head else e[names[n]] for (n, *_) in by if n in head or n in names)
                        yield self.place[id(root)], key


def writers_of(written: Iterable[tuple[int, Key]]) -> dict[Key, set[int]]:
    """The places of roots by what they write."""
    found: dict[Key, set[int]] = {}
    for place, key in written:
        found.setdefault(key, set()).add(place)
    return found
