"""Creates the records of some rows with all that they name, in levels: each needs only what lies below it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .batch import Batch, resolve
from .facts import Facts
from .firings import Firing, Request
from .gathering import Gatherer, typed_key
from .import_matches import Matches
from .import_results import Done, Known
from .import_shapes import Identity, Shape, Shapes, Wanted
from .mappings import MappedRow
from .model import Type
from .notation import KeyText
from .queries import types_of
from .store import Session


class Chunk:
    """Some rows of a file with what they name, created in levels: each level needs only what lies below it."""

    def __init__(self, batch: Batch, shapes: Shapes, session: Session, known: Known, rows: Sequence[MappedRow]) -> None:
        self.batch, self.shapes, self.session, self.known, self.rows = batch, shapes, session, known, rows
        self.gatherer = Gatherer(shapes.library, batch.rules.metadata, session, Facts(), {})
        self.matches = Matches(self.gatherer, shapes, known.met)
        self.done = Done()
        self.wanted: list[Wanted] = []
        self.created: list[Firing] = []  # of the rows, not of what they name
        self._identities: dict[tuple[str, str], Identity | None] = {}
        self._key_types: dict[str, list[Type]] = {}

    def perform(self) -> list[Wanted]:
        """Create what is missing; gives what was refused."""
        self.wanted = self.in_order()
        levels: dict[int, list[Wanted]] = defaultdict(list)
        for wanted in self.wanted:
            levels[wanted.level].append(wanted)
        for level in sorted(levels):
            self.settle(levels[level])
        for wanted in self.wanted:
            self.count(wanted)
        self.done.totals.add(self.gatherer, self.created, self.shapes.row.fields)
        return [w for w in self.wanted if w.outcome == "refused"]

    def count(self, wanted: Wanted) -> None:
        done = self.done
        if wanted.outcome == "created":
            done.created[wanted.shape.record.name] += 1
            done.created_rows += wanted.is_row
        if wanted.outcome == "there":
            done.skipped += wanted.is_row
        if wanted.outcome != "refused" and wanted.identity and not wanted.is_row:
            done.there.add(wanted.identity)
        if wanted.outcome != "refused" and not wanted.shape.has_key:
            done.met[self.matches.content_text(wanted)] += 1

    def created_in_vain(self) -> bool:
        """Was something created for a row that was then refused?"""
        refused = {id(w.row) for w in self.wanted if w.is_row and w.outcome == "refused"}
        return any(w.outcome == "created" and not w.is_row and id(w.row) in refused for w in self.wanted)

    # --- what comes before what ---

    def in_order(self) -> list[Wanted]:
        """All that the rows are and name, each after what it needs, with its level."""
        named, rows = self.named()
        listed = sorted([*named, *rows], key=lambda w: self.shapes.order[w.shape.record.name])
        placed: dict[Identity, Wanted] = {}
        for wanted in listed:
            self.place(wanted, placed)
        return listed

    def named(self) -> tuple[list[Wanted], list[Wanted]]:
        """(the records beside the rows that may be missing, the rows)."""
        named: dict[Identity, Wanted] = {}
        rows: list[Wanted] = []
        earlier: set[Identity | None] = set()
        for row in self.rows:
            for record, values in row.creates:
                shape = self.shapes.of(record)
                identity = self.identity(shape, values) or (record, tuple(values.items()))
                if not any(identity in known for known in (named, earlier, self.known.there, self.known.refused)):
                    named[identity] = self.want(shape, values, row, is_row=False)
            rows.append(self.want(self.shapes.row, row.values, row, is_row=True))
            earlier.add(rows[-1].identity)
        return list(named.values()), rows

    def want(self, shape: Shape, values: Mapping[str, Any], row: MappedRow, is_row: bool) -> Wanted:
        source = f"{row.file}:{row.line}"
        request = Request(shape.record.name, shape.event, None, values, source, self.shapes.acknowledged)
        return Wanted(shape, request, row, is_row, self.identity(shape, values), values)

    def identity(self, shape: Shape, values: Mapping[str, Any]) -> Identity | None:
        """The typed key of a record that is not there yet; None where it cannot be referred to."""
        if not shape.has_key:
            return None
        found: list[Any] = []
        for name, value in zip(shape.record.key, shape.key(values), strict=True):
            inner = self.referred(shape.targets[name], value) if isinstance(value, KeyText) else ("", (value,))
            if inner is None:
                return None
            found += inner[1]
        return shape.record.name, tuple(found)

    def referred(self, target: str, key: str) -> Identity | None:
        """What a reference means; None where it cannot be the key of such a record."""
        if (target, key) not in self._identities:
            if target not in self._key_types:
                record = self.shapes.library.record(target)
                assert record is not None
                self._key_types[target] = types_of(self.shapes.library, record, self.shapes.library.key_paths(record))
            values = typed_key(str(key), self._key_types[target])
            self._identities[target, key] = None if values is None else (target, values)
        return self._identities[target, key]

    def place(self, wanted: Wanted, placed: dict[Identity, Wanted]) -> None:
        """Find what a record needs among those placed before it."""
        for name, identity in self.needed(wanted):
            if identity in self.known.refused:
                wanted.blocked += self.known.refused[identity]
                wanted.reasons += [(name, r) for r in self.known.refused[identity]]
            elif (need := placed.get(identity)) and need is not wanted:
                wanted.needs.setdefault(need, name)
        wanted.level = 1 + max((n.level for n in wanted.needs), default=-1)
        if wanted.identity:
            first = placed.setdefault(wanted.identity, wanted)
            if first is not wanted:
                # The file says it again: that is looked at when the first one is there.
                wanted.level = max(wanted.level, first.level + 1)

    def needed(self, wanted: Wanted) -> Iterator[tuple[str, Identity]]:
        """What it refers to; a row also needs all that it names."""
        for name, target in wanted.shape.targets.items():
            value = wanted.given.get(name)
            if isinstance(value, KeyText) and (identity := self.referred(target, value)):
                yield name, identity
        for record, values in wanted.row.creates if wanted.is_row else ():
            if self.shapes.order[record] < self.shapes.order[wanted.shape.record.name] and (
                identity := self.identity(self.shapes.of(record), values)
            ):
                yield "", identity

    # --- one level ---

    def settle(self, level: list[Wanted]) -> None:
        for wanted in level:
            self.pass_on(wanted)
        self.resolve([w for w in level if not w.outcome])
        by_shape: dict[Shape, list[Wanted]] = defaultdict(list)
        for wanted in level:
            if not wanted.outcome:
                by_shape[wanted.shape].append(wanted)
        for shape, group in by_shape.items():
            if shape.has_key:
                self.matches.find_by_key(shape, group)
            else:
                self.matches.find_by_content(shape, group)
        self.create([w for w in level if not w.outcome])

    def pass_on(self, wanted: Wanted) -> None:
        """Refuse what needs something that was refused."""
        for need, name in wanted.needs.items():
            if need.outcome == "refused":
                wanted.blocked += need.passed_on()
                wanted.reasons += [(name, r) for r in need.passed_on()]
        if wanted.reasons:
            wanted.blocked = list(dict.fromkeys(wanted.blocked))
            wanted.refuse(())

    def resolve(self, level: list[Wanted]) -> None:
        found = resolve(self.gatherer, [w.request for w in level])
        for wanted, (request, reasons) in zip(level, found, strict=True):
            wanted.request = request
            if reasons:
                wanted.refuse((r.rule, r) for r in reasons)

    def create(self, level: list[Wanted]) -> None:
        if not level:
            return
        roots = self.batch.piece(self.session, [w.request for w in level])
        self.done.tally.add(roots)
        for wanted, root in zip(level, roots, strict=True):
            wanted.outcome = "created"
            if root.firing and not root.reasons and wanted.is_row:
                self.created.append(root.firing)
            if root.reasons:
                read = self.shapes.read_alone if wanted.is_row else {}
                wanted.refuse(((read.get(r.place, ""), r) for r in root.reasons), is_logged=True)
