"""Gathers what must be given so that an event of the log comes out again: events before it, with all that they read.

It goes from record to record by what the log kept: values given, facts read, who acted. Reads only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row, select

from . import programs as p
from .errors import UsageFault
from .explanation_past import Past, Then
from .grants import GRANT
from .log_texts import changes_of, reads_of
from .masters import rows_of
from .model import Parts, Type
from .permission import DELEGATION
from .queries import Joined, parts
from .scopes import Names, part_names
from .tables import ENTRY, LOG, VOUCHER, table_name
from .trial_lookups import Lookups
from .workflow_definitions import NOTHING

Numbered: TypeAlias = "tuple[str, int]"  # a record type and the number of one of its records

MOST_EVENTS = 500
TODAY, ACTOR = f"v[{p.SETTING}][0]", f"v[{p.SETTING}][2]"


@dataclass(frozen=True, slots=True)
class Happened:
    """What somebody did, or a process: its row of the log first, then those of all that it brought about."""

    rows: tuple[Row[Any], ...]

    @property
    def row(self) -> Row[Any]:
        return self.rows[0]


class Scene:
    """What was done before an event and has to do with it, but for what the pack itself puts into a store."""

    def __init__(self, past: Past, row: Row[Any]) -> None:
        self.past, self.lookups = past, Lookups(past)
        causes = past.causes(row)
        self.happened = self.trees([causes[-1] if causes else row])[0]
        self.until = self.happened.row.id
        self.masters = masters(past.then(self.happened.row))
        if self.is_there(self.happened.row):
            raise UsageFault("The pack itself put it into the store, so there is no event that a rule test could show.")
        actors = past.tables["actor"]
        self.actors = {row.number: row.id for row in past.session.rows(select(actors.c.id, actors.c.number))}

    def before(self) -> list[Happened]:
        """The events that must have been, in their order; raises UsageFault where they are too many for an example."""
        found: dict[int, Happened] = {}
        needed: dict[Numbered, int] = {}
        fresh = [self.happened]
        while fresh:
            self.past.load([row for happened in fresh for row in happened.rows])
            further = self.needed_by(fresh, needed)
            needed |= further
            roots = {row.id: row for row in self.roots_of(further) if row.id not in found and not self.is_there(row)}
            if len(found) + len(roots) > MOST_EVENTS:
                raise UsageFault(
                    f"More than {MOST_EVENTS} events had to do with it, too many for the scene of a rule test. "
                    "Ask for an event that rests on less."
                )
            fresh = self.trees([*roots.values()])
            found |= {happened.row.id: happened for happened in fresh}
        return [found[id_] for id_ in sorted(found)]

    def needed_by(self, fresh: Sequence[Happened], known: Mapping[Numbered, int]) -> dict[Numbered, int]:
        """The records that events rest on, each as it was before that row of the log, where that is not known yet."""
        found: dict[Numbered, int] = {}
        behind: dict[tuple[str, Parts], dict[int, int]] = defaultdict(dict)
        self.look_up(fresh)
        for happened in fresh:
            until = happened.row.id
            for record, id_ in (
                *(each for row in happened.rows for each in self.named_by(row)),
                *self.acting(happened),
            ):
                found[record, id_] = max(until, found.get((record, id_), 0))
            for row in happened.rows:
                for record, id_, path in self.paths_read(row):
                    behind[record, path][id_] = max(until, behind[record, path].get(id_, 0))
        for (record, path), ids in behind.items():
            for reached, id_ in self.along(record, path, ids):
                found[reached] = max(ids[id_], found.get(reached, 0))
        return {each: until for each, until in found.items() if until > known.get(each, 0)}

    def is_there(self, row: Row[Any]) -> bool:
        """Whether a store with the pack holds the record from the beginning."""
        if row.record == "pack_version":
            return True
        if row.from_state != NOTHING or row.record not in self.masters:
            return False
        given, then = reads_of(row)["given"], self.past.then(row)
        key = tuple(self.key_of(then.type_of(name), given.get(name)) for name in then.record.key)
        return "/".join(key) in self.masters[row.record]

    def key_of(self, type_: Type, value: Any) -> str:
        if type_.kind != "ref" or value is None:
            return str(value)
        first = self.past.of_record(type_.of, value)[0]
        given, then = reads_of(first)["given"], self.past.then(first)
        return "/".join(self.key_of(then.type_of(name), given.get(name)) for name in then.record.key)

    # --- events ---

    def roots_of(self, needed: Mapping[Numbered, int]) -> Iterator[Row[Any]]:
        """What people did to these records before."""
        rows = [*self.rows_of(needed)]
        self.past.load_causes(rows)
        for row in rows:
            causes = self.past.causes(row)
            yield causes[-1] if causes else row

    def rows_of(self, needed: Mapping[Numbered, int]) -> Iterator[Row[Any]]:
        log, by_type = self.past.tables[LOG], defaultdict(list)
        for record, id_ in needed:
            by_type[record].append(id_)
        for record, ids in sorted(by_type.items()):
            for part in parts(ids):
                posted = self.written_in(record, part)
                of = (
                    log.c.id.in_(posted) if posted is not None else (log.c.record == record) & log.c.record_id.in_(part)
                )
                rows = self.past.known(self.past.session.rows(select(log).where(of).order_by(log.c.id)))
                yield from (r for r in rows if posted is not None or r.id < needed[record, r.record_id])

    def written_in(self, record: str, ids: Iterable[int]) -> list[int] | None:
        """The rows of the log that wrote vouchers or entries; None of other records."""
        voucher, entry = (self.past.tables.get(table) for table in (VOUCHER, ENTRY))
        if table_name(record) not in (VOUCHER, ENTRY) or voucher is None or entry is None:
            return None
        vouchers = select(entry.c.voucher).where(entry.c.id.in_(ids)) if table_name(record) == ENTRY else ids
        found = self.past.session.rows(select(voucher.c.log).where(voucher.c.id.in_(vouchers)))
        return sorted({log for (log,) in found if log < self.until})

    def trees(self, roots: Sequence[Row[Any]]) -> list[Happened]:
        """Events with all that they brought about."""
        log = self.past.tables[LOG]
        tree = {root.id: [root] for root in roots}
        root_of = {root.id: root.id for root in roots}
        waiting = [root.id for root in roots]
        while waiting:
            caused = [
                row for part in parts(waiting)
                for row in self.past.session.rows(select(log).where(log.c.cause.in_(part)).order_by(log.c.id))
            ]  # fmt: skip
            for row in self.past.known(caused):
                root_of[row.id] = root_of[row.cause]
                tree[root_of[row.id]].append(row)
            waiting = [row.id for row in caused]
        return [Happened((rows[0], *sorted(rows[1:], key=lambda r: int(r.id)))) for rows in tree.values()]

    # --- what an event names ---

    def named_by(self, row: Row[Any]) -> Iterator[Numbered]:
        """The records that one row of the log speaks of, or rests on."""
        then = self.past.then(row)
        if row.from_state != NOTHING:
            yield row.record, row.record_id
        taken = then.library.taken(then.record, then.transition)
        given = ((taken[n].type, v) for n, v in reads_of(row)["given"].items() if n in taken)
        changed = ((then.type_of(n), v if row.from_state == NOTHING else v[1]) for n, v in changes_of(row).items())
        for type_, value in (*given, *changed):
            if type_.kind == "ref" and isinstance(value, int):
                yield type_.of, value
        for operation, fact in self.past.facts_of(row, then.program):
            yield from self.read(then, operation, fact)

    def paths_read(self, row: Row[Any]) -> Iterator[tuple[str, int, Parts]]:
        """From which records a rule went on along references, and by which paths."""
        for operation, fact in self.past.facts_of(row, self.past.then(row).program):
            for record, id_ in self.read(self.past.then(row), operation, fact):
                paths = operation.paths if isinstance(operation, p.Reading) and operation.record == record else []
                yield from ((record, id_, path[:end]) for path in paths for end in range(1, len(path)))

    def along(self, record: str, path: Parts, ids: Iterable[int]) -> Iterator[tuple[Numbered, int]]:
        """The records at the end of a path, with those that it begins at."""
        library, declared = self.past.rules.library, self.past.rules.library.record(record)
        if declared is None:
            return
        joined = Joined(library, self.past.rules.metadata, declared)
        of = joined.column(path)[1].of
        for part in parts(ids):
            statement = joined.select([("id",), path]).where(joined.base.c.id.in_(part))
            yield from (((of, end), id_) for id_, end in self.past.session.rows(statement) if end is not None)

    def read(self, then: Then, operation: p.Operation, fact: Mapping[str, Any]) -> Iterator[Numbered]:
        """The records that a fact rests on."""
        if isinstance(operation, p.Reference):
            yield fact["record"], fact["id"]
        elif isinstance(operation, p.Children):
            found = self.lookups.referring(operation.record, operation.by, fact["of"])
            yield from ((operation.record, id_) for id_ in found)
        elif isinstance(operation, p.Find):
            ids = fact["found"] if operation.many else [fact["values"][operation.paths.index(("id",))]]
            yield from ((operation.record, id_) for id_ in ids if id_ is not None)
        elif isinstance(operation, p.Decided):
            yield from hits(operation, fact)
        elif isinstance(operation, p.Measured):
            yield from self.measured(then, operation, fact)
        elif isinstance(operation, p.Closed):
            yield from self.closed(then, operation, fact)
        elif isinstance(operation, p.Shared) and operation.share_out:
            of = then.library.record(operation.share_out.of)
            names = part_names(then.library, operation.share_out, Names(then.library, of)) if of else None
            shares = (share for group in fact["groups"] for share in group["shares"])
            yield from ((names.this.of, share[0]) for share in shares if names)
        elif isinstance(operation, p.Reversible):
            yield from (("voucher", id_) for id_ in fact["vouchers"])

    def measured(self, then: Then, operation: p.Measured, fact: Mapping[str, Any]) -> Iterator[Numbered]:
        """The records that a measure was taken of."""
        measure = then.library.measure(operation.measure)
        if measure is not None:
            ids = self.lookups.measured(then.library, measure, fact["of"])
            yield from ((measure.of, id_) for id_ in ids)

    def closed(self, then: Then, operation: p.Closed, fact: Mapping[str, Any]) -> Iterator[Numbered]:
        """The records whose days a calendar found closed."""
        calendar = then.library.calendar(operation.calendar)
        if calendar is not None:
            ids = self.lookups.closed(then.library, calendar, fact["of"], fact["closed"])
            yield from ((calendar.of, id_) for id_ in ids)

    def look_up(self, fresh: Sequence[Happened]) -> None:
        """Learn at once what events rest on that the store has to be asked for."""
        referred: dict[tuple[str, str], list[int]] = defaultdict(list)
        measured: dict[tuple[str, str], tuple[Then, list[Any]]] = {}
        for row in (row for happened in fresh for row in happened.rows):
            then = self.past.then(row)
            for operation, fact in self.past.facts_of(row, then.program):
                if isinstance(operation, p.Children):
                    referred[operation.record, operation.by].append(fact["of"])
                elif isinstance(operation, p.Measured):
                    measured.setdefault((row.pack, operation.measure), (then, []))[1].append(fact["of"])
        for (record, by), values in referred.items():
            self.lookups.learn_referring(record, by, values)
        for (_, name), (then, asked) in measured.items():
            if (measure := then.library.measure(name)) is not None:
                self.lookups.learn_measured(then.library, measure, asked)
        self.lookups.learn_grants(self.actors[n] for happened in fresh for n in self.actors_of(happened))

    # --- who acted ---

    def acting(self, happened: Happened) -> Iterator[Numbered]:
        """Who did it, with the grants and delegations by which they could, where a test has to say who."""
        row = happened.row
        if not self.needs_actor(happened):
            return
        role, _, held_for = row.right.partition(" of ")
        for number in self.actors_of(happened):
            yield "actor", self.actors[number]
            yield from ((GRANT, id_) for id_ in self.lookups.grants(self.actors[number], role, held_for))
        if row.acting_for:
            found = self.lookups.referring(DELEGATION, "actor", self.actors[row.actor])
            yield from ((DELEGATION, id_) for id_ in found)

    def actors_of(self, happened: Happened) -> list[str]:
        """Who did it, and for whom, where a test has to say so."""
        row = happened.row
        return [name for name in (row.actor, row.acting_for) if name] if self.needs_actor(happened) else []

    def needs_actor(self, happened: Happened) -> bool:
        """Whether it matters who did it: for the event itself, and where people must differ or a rule asks who acts."""
        if happened.row.right == "set up":
            return False
        return happened is self.happened or any(self.asks(row, ACTOR) or self.has_people(row) for row in happened.rows)

    def needs_day(self, happened: Happened) -> bool:
        """Whether it matters on which day it was done."""
        return self.needs_actor(happened) or any(self.asks(row, TODAY) for row in happened.rows)

    def has_people(self, row: Row[Any]) -> bool:
        then = self.past.then(row)
        return any(workflow.people for workflow in then.library.workflows_of(then.record))

    def asks(self, row: Row[Any], setting: str) -> bool:
        """Whether the rule of a row uses the day, or who acts."""
        return any(setting in source for source in sources(self.past.then(row).program.operations))


def sources(operations: Iterable[p.Operation]) -> Iterator[str]:
    for operation in operations:
        yield from operation.sources
        yield from sources(operation.operations if isinstance(operation, p.Each) else ())


def hits(operation: p.Decided, fact: Mapping[str, Any]) -> Iterator[Numbered]:
    """The records that a decision chose among, where its rows are records."""
    decision = operation.table.decision if operation.table else None
    if decision is None or not decision.rows_of:
        return
    for said in (*fact["rows"], *(candidate["row"] for candidate in fact.get("candidates", ()))):
        record, _, number = said.rpartition(" ")
        if record == decision.rows_of:
            yield record, int(number)


def masters(then: Then) -> dict[str, set[str]]:
    """By record type the keys of the rows that a pack puts into every store."""
    found: dict[str, set[str]] = defaultdict(set)
    for row in (row for rows in rows_of(then.library) for row in rows):
        found[row.record.name].add(row.key)
    return found
