"""Finds which records are there already: by their key, or by all that the file says of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import select, tuple_

from . import definitions as d
from .batch import pieces
from .facts import plain, written
from .firings import Reason
from .gathering import Gatherer
from .import_shapes import Shape, Shapes, Wanted
from .log_texts import changes_of, reads_of
from .model import SCALES
from .money import to_kept
from .notation import as_text
from .queries import among, parts
from .source import printable
from .store import decoder
from .tables import LOG

VALUES_AT_ONCE = 30_000  # in one statement; SQLite takes 32,766


class Matches:
    """Finds the records that are there already: by key, or by all that the file says of them."""

    def __init__(self, gatherer: Gatherer, shapes: Shapes, met: Counter[str]) -> None:
        self.gatherer, self.shapes, self.met_before = gatherer, shapes, met
        self.session, self.metadata = gatherer.session, gatherer.metadata
        self._met: Counter[str] = Counter()

    def find_by_key(self, shape: Shape, group: list[Wanted]) -> None:
        ids = self.ids_of(shape, {shape.key(w.request.values) for w in group})
        there = [(w, ids[key]) for w in group if (key := shape.key(w.request.values)) in ids]
        for wanted, _ in there:
            wanted.outcome = "there"
        self.compare(shape, [(w, id_) for w, id_ in there if w.is_row])

    def ids_of(self, shape: Shape, keys: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
        """The records that have these keys, references among them being numbers."""
        record = shape.record
        table = self.metadata.tables[record.name]
        columns = [table.c[n] for n in record.key]
        types = [record.fields[n].type for n in record.key]
        statement = select(table.c.id, *columns)
        if record.key_except:
            statement = statement.where(table.c.state.not_in(record.key_except))
        decode, found = decoder(types), {}
        for part in pieces(keys, VALUES_AT_ONCE // len(columns)):
            kept = [
                tuple(to_kept(v, t.kind) if SCALES.get(t.kind) else v for v, t in zip(k, types, strict=True))
                for k in part
            ]
            for id_, *values in self.session.rows(statement.where(tuple_(*columns).in_(kept))):
                found[tuple(decode(values))] = id_
        return {key: id_ for key, id_ in found.items() if key in keys}

    def compare(self, shape: Shape, there: list[tuple[Wanted, int]]) -> None:
        """Refuse the rows whose record was created with other values."""
        created_with = self.created_with(shape, [id_ for _, id_ in there])
        different = []
        for wanted, id_ in there:
            before, now = created_with.get(id_, {}), self.content(wanted)
            names = [n for n in now if before.get(n) != now[n]]
            if names:
                different.append((wanted, before, names))
        called = self.keys_of(
            (shape.targets[n], b[n]) for _, b, names in different for n in names if n in shape.targets and n in b
        )
        for wanted, before, names in different:
            said = [
                f"{n} {_shown(called.get((shape.targets.get(n, ''), before.get(n)), before.get(n)))}, "
                f"not {_shown(as_text(self.full(wanted)[n]) or None)}"
                for n in names
            ]
            message = f"There is already a {wanted.called} with {'; '.join(said)}."
            wanted.refuse([(names[0], Reason("key", message, shape.record.place))])

    def full(self, wanted: Wanted) -> dict[str, Any]:
        """What the file says of a record: its values, and the defaults of columns that are empty."""
        given, defaults = wanted.given, wanted.shape.defaults
        there = wanted.row.raw if self.shapes.mapping.by_name else self.shapes.mapped
        return {
            n: given[n] if n in given else defaults[n]
            for n in wanted.shape.fields
            if n in given or (n in defaults and n in there)
        }

    def content(self, wanted: Wanted) -> dict[str, Any]:
        """The same as the log holds it: references as numbers, amounts and dates as texts."""
        return {n: plain(wanted.request.values.get(n, v)) for n, v in self.full(wanted).items()}

    def content_text(self, wanted: Wanted) -> str:
        return written(sorted(self.content(wanted).items()))

    def created_with(self, shape: Shape, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What records were created with, as the log holds it, by id."""
        log = self.metadata.tables[LOG]
        columns = (log.c.id, log.c.stream, log.c.number, log.c.record_id, log.c.from_state, log.c.reads, log.c.changes)
        creations = select(*columns).where(log.c.record == shape.record.name, log.c.from_state == d.NOTHING)
        found = {}
        for part in parts(ids):
            for row in self.session.rows(creations.where(log.c.record_id.in_(part))):
                # Another event may have created it: what that did not take, the rules have set.
                found[row.record_id] = {**changes_of(row), **reads_of(row)["given"]}
        return found

    def find_by_content(self, shape: Shape, group: list[Wanted]) -> None:
        """The third row of one content is the third record that was created with it."""
        created_with = self.created_with(shape, self.candidates(shape, group)).values()
        names: dict[tuple[str, ...], Counter[str]] = {}
        for wanted in group:
            content = self.content(wanted)
            asked = tuple(sorted(content))
            if asked not in names:
                names[asked] = Counter(written([[n, c.get(n)] for n in asked]) for c in created_with)
            text = self.content_text(wanted)
            self._met[text] += 1
            if names[asked][text] >= self.met_before[text] + self._met[text]:
                wanted.outcome = "there"

    def candidates(self, shape: Shape, group: list[Wanted]) -> list[int]:
        """The records that may have been created with what the rows say, by the fields that nothing changes."""
        table = self.metadata.tables[shape.record.name]
        statement = select(table.c.id)
        rows = [{**self.full(w), **w.request.values} for w in group]
        for name in shape.lasting:
            if all(name in row for row in rows):
                type_ = shape.record.fields[name].type
                statement = statement.where(among(table.c[name], type_, {row[name] for row in rows}))
        return [id_ for (id_,) in self.session.rows(statement)]

    def keys_of(self, references: Iterable[tuple[str, Any]]) -> dict[tuple[str, Any], str]:
        """What records are called, by type and number."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for target, id_ in references:
            if id_ is not None:
                wanted[target].add(id_)
        found: dict[tuple[str, Any], str] = {}
        for target, ids in wanted.items():
            record = self.shapes.library.record(target)
            assert record is not None
            values = self.gatherer.values(target, tuple(self.shapes.library.key_paths(record)), ids)
            found |= {(target, i): "/".join(as_text(v) for v in values[i][:-1]) for i in ids if i in values}
        return found


def _shown(value: Any) -> str:
    return "none" if value is None else printable(str(plain(value)).lower() if isinstance(value, bool) else str(value))
