"""Fetches what programs need for a whole batch at once: one statement for each kind of reading, however many firings.

Queries see the store as it was before the piece of work; references, children and the records themselves also show what
the work has made so far (`Pending`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any

from sqlalchemy import select

from . import definitions as d
from . import programs as p
from .answers import Answers
from .cells import constant
from .dates import WorkingDays
from .errors import NOWHERE, InvalidInput, Place
from .expression_sql import sql_expression
from .expressions import parse
from .facts import Facts
from .kept_totals import totals
from .library import Library
from .model import Parts, Type
from .money import from_kept
from .queries import Joined, among, measured, parts, too_large, types_of
from .scopes import measure_type
from .store import Session, decoder
from .tables import ENTRY, LOG, VOUCHER, Declared, columns_of


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

    def stored(self, record: str, paths: tuple[Parts, ...], by: str, values: Iterable[int]) -> Iterable[list[Any]]:
        """The values at paths of stored records that have one of these in the field `by`."""
        sought = list(values)
        if not sought:
            return ()
        made, key = self.metadata.joined, ("stored", self.session.is_sqlite, record, paths, by)
        if key not in made:
            joined = self.joined(record, (paths, by))
            column, types = joined.column((by,))[0], types_of(self.library, joined.record, paths)
            made[key] = self.session.seeking(joined.select(paths), column), self.session.decoder(types)
        sql, decode = made[key]
        return map(decode, self.session.sought(sql, sought))

    def values(self, record: str, paths: tuple[Parts, ...], ids: Iterable[int]) -> dict[int, tuple[Any, ...]]:
        """The values at paths of records, each followed by the hash of the fact."""
        known = self.along[(record, paths)]
        add, created = self.facts.add, self.pending.created
        for id_, found in self.seen(record, paths, [i for i in ids if i not in known or (record, i) in created]):
            known[id_] = (*found, add({"record": record, "id": id_, "values": found}))
        return known

    def seen(self, record: str, paths: tuple[Parts, ...], ids: Iterable[int]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Each record with the values at paths: as stored, but as it is by now where the work itself creates it."""
        pending, before, stored, here = self.pending.rows[record], self.pending.before, [], {}
        for id_ in ids:
            row = pending[id_][0] if (record, id_) in self.pending.created else before.get((record, id_), ())
            if row:
                here[id_] = row
            elif row is not None:
                stored.append(id_)
        yield from zip(here, self.rows_values(record, [*here.values()], paths), strict=True)
        for row in self.stored(record, (("id",), *paths), "id", stored):
            yield row[0], tuple(row[1:])

    def row_values(self, record: str, row: Sequence[Any], paths: Sequence[Parts]) -> tuple[Any, ...]:
        """The values at paths of a record that is not written yet."""
        return self.rows_values(record, [row], paths)[0]

    def rows_values(self, record: str, rows: Sequence[Sequence[Any]], paths: Sequence[Parts]) -> list[tuple[Any, ...]]:
        """The same of many records; what one of their references leads to is read together."""
        if not rows or not paths:
            return [() for _ in rows]
        found = self.library.record(record)
        assert found is not None
        columns = columns_of(self.library, found)
        values: dict[Parts, Iterable[Any]] = {}
        for index, (name, type_) in enumerate(columns):
            asked = tuple(dict.fromkeys(path[1:] for path in paths if path[0] == name))
            own = values[(name,)] = [row[index] for row in rows] if asked else ()
            if beyond := tuple(path for path in asked if path):
                reached = dict(self.seen(type_.of, beyond, {i for i in own if i is not None}))
                nothing = (None,) * len(beyond)
                along = zip(*(reached.get(i, nothing) for i in own), strict=True)
                values |= zip([(name, *path) for path in beyond], along, strict=True)
        return list(zip(*(values[path] for path in paths), strict=True))

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
        elif isinstance(operation, p.Closed):
            self.read_closed(operation, asked)
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
        found, empty = self.asked_totals(measure, {key for _, key in asked})
        answers = {}
        for key in {key for _, key in asked}:
            value = found.get(key, empty)
            fact = self.facts.add({"measure": measure.name, "of": key, "value": value})
            answers[key] = (value, fact)
        for firing, key in asked:
            firing.v[operation.index] = answers[key]

    def asked_totals(
        self, measure: d.Measure, keys: set[tuple[Any, ...]]
    ) -> tuple[dict[tuple[Any, ...], Any], Any]:  # fmt: skip
        """A measure for these values, and what it is where there is nothing: as it is kept, or summed now."""
        if not measure.kept or len(next(iter(keys))) < len(measure.by):
            return self.totals(measure, keys)
        kind = measure_type(self.library, measure, self.joined(measure.of, "kept").record).kind
        return totals(self.session, self.metadata, measure, kind, keys), from_kept(0, kind)

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

    # --- calendars ---

    def read_closed(self, operation: p.Closed, asked: list[tuple[Any, Any]]) -> None:
        calendar = self.library.calendar(operation.calendar)
        assert calendar is not None
        rows = self.closed_days(calendar, {key for _, key in asked})
        answers = {}
        for key in {key for _, key in asked}:
            days = {day for day, *by in rows if all(b is None or b == k for b, k in zip(by, key, strict=True))}
            fact = self.facts.add({"calendar": calendar.name, "of": key, "closed": sorted(days)})
            answers[key] = (WorkingDays(calendar.week, frozenset(days)), fact)
        for firing, key in asked:
            firing.v[operation.index] = answers[key]

    def closed_days(self, calendar: d.Calendar, keys: set[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The closed days for any of these keys, each with what it is kept apart by; none is for all of them."""
        joined = self.joined(calendar.of, ("calendar", calendar.name))
        paths = ((calendar.day,), *calendar.by.values())
        statement = joined.select(paths)
        for position, path in enumerate(calendar.by.values()):
            column, type_ = joined.column(path)
            statement = statement.where(among(column, type_, {None, *(key[position] for key in keys)}))
        if calendar.where:
            statement = statement.where(sql_expression(parse(calendar.where.text), joined))
        decode = decoder(types_of(self.library, joined.record, paths))
        return [tuple(decode(row)) for row in self.session.rows(statement)]

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
