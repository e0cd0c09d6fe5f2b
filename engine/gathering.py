"""Fetches what programs need for a whole batch at once: one statement for each kind of reading, however many firings.

Queries see the store as it was before the piece of work; references, children and the records themselves also show what
the work has made so far (`Pending`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import bindparam, select

from . import definitions as d
from . import programs as p
from .answers import Answers
from .cells import constant
from .errors import NOWHERE, InvalidInput, Place
from .expression_sql import sql_expression
from .expressions import parse
from .facts import Facts
from .library import Library
from .model import Parts, Type
from .queries import Joined, among, measured, parts, too_large, types_of
from .scopes import measure_type
from .store import Session, decoder
from .tables import ENTRY, LOG, VOUCHER, Declared, columns_of

# By this name values are given to a statement that is made once.
AMONG = "among_given"


@dataclass
class Pending:
    """Records that a piece of work has created, changed or deleted (row None) and not yet written, with their root."""

    rows: dict[str, dict[int, tuple[list[Any] | None, Any]]] = field(default_factory=lambda: defaultdict(dict))
    created: set[tuple[str, int]] = field(default_factory=set)
    before: dict[tuple[str, int], list[Any]] = field(default_factory=dict)


class Gatherer:
    """Reads for one piece of work within one transaction."""

    def __init__(
        self, library: Library, metadata: Declared, session: Session, facts: Facts, decided: dict[Any, Any]
    ) -> None:
        self.library, self.metadata, self.session, self.facts = library, metadata, session, facts
        self.pending = Pending()
        # What was read and for whom, so that it can be held against what others of the work write.
        self.noted: list[tuple[p.Operation, list[tuple[Any, Any]]]] = []
        self.along: dict[tuple[str, tuple[Parts, ...]], dict[int, tuple[Any, ...]]] = defaultdict(dict)
        self.children: dict[tuple[str, str, tuple[Parts, ...]], dict[int, list[list[Any]]]] = defaultdict(dict)
        self.answers = Answers(self, decided)
        self.keys: dict[tuple[str, str], int | None] = {}

    def let_go(self) -> None:
        """Forget all that was read and made."""
        self.pending = Pending()
        self.facts = Facts()
        self.answers.decided_now.clear()
        for known in (self.noted, self.along, self.children, self.keys):
            known.clear()

    def place_of(self, record: str) -> Place:
        """Where a record type is declared."""
        found = self.library.record(record)
        return found.place if found else NOWHERE

    def joined(self, record: str, asked: Hashable = None) -> Joined:
        """A record's table, to be joined with others; made once for all who ask it the same, as `asked` says."""
        made = self.metadata.joined
        if asked is None or (record, asked) not in made:
            found = self.library.record(record)
            assert found is not None
            made[record, asked] = Joined(self.library, self.metadata, found)
        return made[record, asked]  # type: ignore[no-any-return]

    # --- records themselves ---

    def rows(self, record: d.Record, ids: Sequence[int]) -> dict[int, list[Any]]:
        """The rows of records by id, as the piece of work has left them; deleted and unknown ones are not there."""
        pending = self.pending.rows[record.name]
        missing = [i for i in dict.fromkeys(ids) if i not in pending]
        found = {i: row for i in ids if i in pending and (row := pending[i][0]) is not None}
        paths = tuple([(name,) for name, _ in columns_of(self.library, record)])
        found.update((row[0], row) for row in self.stored(record.name, paths, "id", missing))
        return found

    def stored(self, record: str, paths: tuple[Parts, ...], by: str, values: Iterable[int]) -> Iterator[list[Any]]:
        """The values at paths of stored records that have one of these in the field `by`."""
        statement, decode = self.reading(record, paths, by)
        for part in parts(values):
            yield from map(decode, self.session.rows(statement, {AMONG: part}))

    def reading(self, record: str, paths: tuple[Parts, ...], by: str) -> tuple[Any, Callable[[Iterable[Any]], Any]]:
        """What reads values at paths of the records that have in the field `by` what is given as AMONG; made once."""
        made, key = self.metadata.joined, ("reading", record, paths, by)
        if key not in made:
            joined = self.joined(record, (paths, by))
            among_given = joined.column((by,))[0].in_(bindparam(AMONG, expanding=True))
            decode = decoder(types_of(self.library, joined.record, paths))
            made[key] = joined.select(paths).where(among_given), decode
        return made[key]  # type: ignore[no-any-return]

    def values(self, record: str, paths: tuple[Parts, ...], ids: Iterable[int]) -> dict[int, tuple[Any, ...]]:
        """The values at paths of records, each followed by the hash of the fact."""
        known = self.along[(record, paths)]
        wanted = set(ids)
        pending = self.pending.rows[record]
        # A record that the work itself creates is seen as it is by now.
        fresh = {i: pending[i][0] for i in wanted if i in pending and (record, i) in self.pending.created}
        made = {i: row for i, row in fresh.items() if row is not None}
        for id_, found in zip(made, self.rows_values(record, [*made.values()], paths), strict=True):
            known[id_] = self.fact_of(record, id_, found)
        stored = [i for i in wanted if i not in known and i not in fresh]
        for row in self.stored(record, (("id",), *paths), "id", stored):
            known[row[0]] = self.fact_of(record, row[0], tuple(row[1:]))
        return known

    def fact_of(self, record: str, id_: int, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*values, self.facts.add({"record": record, "id": id_, "values": values}))

    def row_values(self, record: str, row: Sequence[Any], paths: Sequence[Parts]) -> tuple[Any, ...]:
        """The values at paths of a record that is not written yet."""
        return self.rows_values(record, [row], paths)[0]

    def rows_values(self, record: str, rows: Sequence[Sequence[Any]], paths: Sequence[Parts]) -> list[tuple[Any, ...]]:
        """The same of many records; what their references lead to is read together."""
        found = self.library.record(record)
        assert found is not None
        columns = columns_of(self.library, found)
        place = {name: i for i, (name, _) in enumerate(columns)}
        values = []
        for path in paths:
            index = place[path[0]]
            own = [row[index] for row in rows]
            if len(path) > 1:
                behind = self.values(columns[index][1].of, (path[1:],), {v for v in own if v is not None})
                own = [None if v is None else behind.get(v, (None,))[0] for v in own]
            values.append(own)
        return list(zip(*values, strict=True)) if values else [() for _ in rows]

    # --- readings of programs ---

    def read(self, operation: p.Operation, firings: Sequence[Any]) -> None:
        """Fill one reading for every firing that needs it."""
        assert operation.asked is not None
        asked = operation.asked(firings)
        if not asked:
            return
        self.noted.append((operation, asked))
        if isinstance(operation, p.Reference):
            self.read_references(operation, asked)
        elif isinstance(operation, p.Children):
            self.read_children(operation, asked)
        elif isinstance(operation, p.Find):
            self.read_finds(operation, asked)
        elif isinstance(operation, p.Measured):
            self.read_measures(operation, asked)
        elif isinstance(operation, p.Decided):
            self.answers.read(operation, asked)
        elif isinstance(operation, p.Reversible):
            self.read_reversible(operation, asked)

    def read_references(self, operation: p.Reference, asked: list[tuple[Any, Any]]) -> None:
        paths = tuple(operation.paths)
        nothing = (*(None for _ in paths), None)
        found = self.values(operation.record, paths, {k[0] for _, k in asked if k[0] is not None})
        index = operation.index
        for firing, key in asked:
            firing.v[index] = nothing if key[0] is None else found.get(key[0], nothing)

    def read_children(self, operation: p.Children, asked: list[tuple[Any, Any]]) -> None:
        paths, order = tuple(operation.paths), operation.order
        reading: tuple[Parts, ...] = (("id",), (operation.by,), *paths, *order)
        stored = self.stored_children(operation, reading, {k[0] for _, k in asked if k[0] is not None})
        made = self.made_children(operation.record, reading)
        known: dict[tuple[Any, int], tuple[Any, ...]] = {}
        for firing, (parent, *_) in asked:
            own = made.get(id(firing.root), {})
            # What others of the work do is not seen, so that it may yet be refused.
            key = (parent, id(firing.root) if own else 0)
            if key not in known:
                rows = [r for r in stored.get(parent, ()) if r[0] not in own]
                rows += [r for r in own.values() if r is not None and r[1] == parent]
                in_order(rows, range(2 + len(paths), len(reading)))
                found = tuple(tuple(r[2 : 2 + len(paths)]) for r in rows)
                known[key] = (found, self.facts.add({"children": operation.record, "of": parent, "values": found}))
            firing.v[operation.index] = known[key]

    def stored_children(
        self, operation: p.Children, reading: tuple[Parts, ...], parents: Iterable[int]
    ) -> dict[int, list[list[Any]]]:
        """The children's values as they are stored, by parent; read once, however many transitions ask for them."""
        known = self.children[operation.record, operation.by, reading]
        missing = [parent for parent in parents if parent not in known]
        known.update((parent, []) for parent in missing)
        for row in self.stored(operation.record, reading, operation.by, missing):
            known[row[1]].append(row)
        return known

    def made_children(self, record: str, reading: tuple[Parts, ...]) -> dict[int, dict[int, list[Any] | None]]:
        """The same of those that the work has made, by root and id; None where they are deleted."""
        found: dict[int, dict[int, list[Any] | None]] = defaultdict(dict)
        pending = self.pending.rows[record]
        values = iter(self.rows_values(record, [row for row, _ in pending.values() if row is not None], reading))
        for id_, (row, root) in pending.items():
            found[id(root)][id_] = None if row is None else list(next(values))
        return found

    # --- looking for records ---

    def read_finds(self, operation: p.Find, asked: list[tuple[Any, Any]]) -> None:
        examples = {key: firing for firing, key in asked}
        candidates = self.candidates(operation, list(examples.values()))
        answers = {}
        predicate = operation.predicate
        assert predicate is not None
        for key, firing in examples.items():
            v = firing.v
            near = candidates.get(tuple(value(v) for value in operation.equal_values), [])
            in_turn = reversed(near) if operation.last and not operation.many else near
            rows = (row for row in in_turn if predicate(v, row))
            # Where one is looked for, those after the first are not asked.
            answers[key] = self.found(operation, list(rows) if operation.many else list(islice(rows, 1)))
        for firing, key in asked:
            firing.v[operation.index] = answers[key]
            if not operation.none_allowed and answers[key][0] is None:
                firing.unanswered |= {operation.index}
                firing.refuse_by(operation.refusal, operation.place, operation.name)

    def candidates(self, operation: p.Find, firings: Sequence[Any]) -> dict[tuple[Any, ...], list[list[Any]]]:
        """What the database finds by the plain equalities, by their values."""
        places = [operation.position(path) for path, _ in operation.equal]
        joined = self.joined(operation.record, tuple(operation.paths))
        statement = joined.select(operation.paths)
        for (path, _), value in zip(operation.equal, operation.equal_values, strict=True):
            column, type_ = joined.column(path)
            statement = statement.where(among(column, type_, {value(f.v) for f in firings}))
        decode = decoder(types_of(self.library, joined.record, operation.paths))
        rows = [decode(row) for row in self.session.rows(statement)]
        order = [operation.position(path) for path in ((operation.by,) if operation.by else operation.in_order)]
        in_order(rows, [*order, 0])
        found: dict[tuple[Any, ...], list[list[Any]]] = defaultdict(list)
        for row in rows:
            found[tuple(row[i] for i in places)].append(row)
        return found

    def found(self, operation: p.Find, rows: list[list[Any]]) -> tuple[Any, ...]:
        content: dict[str, Any] = {"find": operation.name, "of": operation.record}
        if operation.many:
            ids = tuple(r[0] for r in rows)
            return ids, self.facts.add(content | {"found": ids})
        row: list[Any] = rows[0] if rows else [None] * len(operation.paths)
        return (*row, self.facts.add(content | {"values": row}))

    # --- measures ---

    def read_measures(self, operation: p.Measured, asked: list[tuple[Any, Any]]) -> None:
        measure = self.library.measure(operation.measure)
        assert measure is not None
        totals, empty = self.totals(measure, {key for _, key in asked})
        answers = {}
        for key in {key for _, key in asked}:
            value = totals.get(key, empty)
            fact = self.facts.add({"measure": measure.name, "of": key, "value": value})
            answers[key] = (value, fact)
        for firing, key in asked:
            firing.v[operation.index] = answers[key]

    def totals(self, measure: d.Measure, keys: set[tuple[Any, ...]]) -> tuple[dict[tuple[Any, ...], Any], Any]:
        """A measure by the first of its `by`, for these values; and what it is where there is nothing.

        Raises InvalidInput where it is beyond what can be kept.
        """
        width = len(next(iter(keys)))
        joined = self.joined(measure.of, ("measure", measure.name, width))
        by = [joined.column(path) for path in list(measure.by.values())[:width]]
        type_ = measure_type(self.library, measure, joined.record)
        amount = measured(joined, measure)
        condition = sql_expression(parse(measure.where.text), joined) if measure.where else None
        statement = joined.selecting(*(c for c, _ in by), amount).group_by(*(c for c, _ in by))
        for position, (column, column_type) in enumerate(by):
            statement = statement.where(among(column, column_type, {k[position] for k in keys}))
        if condition is not None:
            statement = statement.where(condition)
        decode = decoder([*(t for _, t in by), type_])
        try:
            rows = [decode(row) for row in self.session.sums(statement)]
        except OverflowError:
            raise InvalidInput(too_large(measure, type_)) from None
        return {tuple(r[:-1]): r[-1] for r in rows}, decode([None] * len(by) + [0])[-1]

    # --- reversals ---

    def read_reversible(self, operation: p.Reversible, asked: list[tuple[Any, Any]]) -> None:
        vouchers = self.reversible(operation.record, operation.event, {key[0] for _, key in asked})
        for firing, key in asked:
            found = tuple(vouchers.get(key[0], ()))
            fact = self.facts.add({"vouchers_of": operation.event, "of": key[0], "vouchers": [v[0] for v in found]})
            firing.v[operation.index] = (found, fact)

    def reversible(self, record: str, event: str, ids: set[int]) -> dict[int, list[tuple[Any, ...]]]:
        """By record: (voucher, series, company, date, currency, posting, entries) of the latest firing not reversed."""
        log, voucher = self.metadata.tables[LOG], self.metadata.tables[VOUCHER]
        mirror = voucher.alias()
        statement = (
            select(log.c.record_id, log.c.id, voucher.c.id, voucher.c.series, voucher.c.company, voucher.c.date,
                   voucher.c.currency, voucher.c.posting)
            .join_from(log, voucher, voucher.c.log == log.c.id)
            .outerjoin(mirror, mirror.c.reverses == voucher.c.id)
            .where(log.c.record == record, log.c.event == event, voucher.c.reverses.is_(None), mirror.c.id.is_(None))
            .order_by(log.c.id.desc(), voucher.c.id)
        )  # fmt: skip
        latest: dict[int, tuple[int, list[Any]]] = {}
        for part in parts(ids):
            for row in self.session.rows(statement.where(log.c.record_id.in_(part))):
                log_id, found = latest.setdefault(row[0], (row[1], []))
                if log_id == row[1]:
                    found.append(row[2:])
        entries = self.entries_of([v[0] for _, found in latest.values() for v in found])
        return {i: [(*v, tuple(entries.get(v[0], ()))) for v in found] for i, (_, found) in latest.items()}

    def entries_of(self, vouchers: Sequence[int]) -> dict[int, list[tuple[Any, ...]]]:
        """By voucher: (account, account key, row, amount, dimension...) of its entries in order."""
        entry = self.metadata.tables[ENTRY]
        ledger = self.library.manifest.ledger
        dimensions = [entry.c[n] for n in ledger.dimensions] if ledger else []
        columns = [entry.c.voucher, entry.c.account, entry.c.account_key, entry.c.row, entry.c.amount, *dimensions]
        decode = decoder([Type("whole")] * 4 + [Type("money")] + [Type("whole")] * len(dimensions))
        found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for part in parts(vouchers):
            statement = select(*columns).where(entry.c.voucher.in_(part)).order_by(entry.c.voucher, entry.c.line)
            for row in self.session.rows(statement):
                found[row[0]].append(tuple(decode(row)[1:]))
        return found

    # --- keys ---

    def id_of(self, record: str, key: str) -> int | None:
        return self.ids_of(record, [key]).get(key)

    def ids_of(self, record: str, keys: Iterable[str]) -> dict[str, int]:
        """The ids of records by what people call them; unknown keys are not there."""
        wanted = [k for k in dict.fromkeys(keys) if self.keys.get((record, k)) is None]
        if wanted:
            for key, id_ in self.look_up(record, wanted).items():
                self.keys[(record, key)] = id_
        return {k: i for k in keys if (i := self.keys.get((record, k))) is not None}

    def look_up(self, record: str, keys: Sequence[str]) -> dict[str, int]:
        joined = self.joined(record, "keys")
        paths = self.library.key_paths(joined.record)
        types = types_of(self.library, joined.record, paths)
        asked = {}
        for key in keys:
            values = typed_key(key, types)
            if values is not None:
                asked[values] = key
        if not asked:
            return {}
        found = {}
        decode = decoder([Type("whole"), *types])
        for part in parts(list(asked)):
            statement = joined.select([("id",), *paths])
            for position, (path, type_) in enumerate(zip(paths, types, strict=True)):
                statement = statement.where(among(joined.column(path)[0], type_, {values[position] for values in part}))
            if joined.record.key_except:
                statement = statement.where(joined.column(("state",))[0].not_in(joined.record.key_except))
            for row in self.session.rows(statement):
                values = tuple(decode(row)[1:])
                if values in asked:
                    found[asked[values]] = row[0]
        return found


def in_order(rows: list[list[Any]], places: Sequence[int]) -> None:
    """Sort rows by the values at some places, none before all others."""
    if places:
        try:
            rows[:] = sorted(rows, key=itemgetter(*places))
        except TypeError:
            # None is not compared with anything.
            rows.sort(key=lambda r: tuple([(r[i] is not None, r[i]) for i in places]))


def typed_key(key: str, types: Sequence[Type]) -> tuple[Any, ...] | None:
    """The values of a key's parts; None where they cannot be such values."""
    texts = key.split("/") if len(types) > 1 else [key]
    if len(texts) != len(types):
        return None
    values: list[Any] = []
    for text, type_ in zip(texts, types, strict=True):
        try:
            values.append(constant(text, type_) if type_.kind != "choice" else text)
        except ValueError:
            return None
    return tuple(values)
