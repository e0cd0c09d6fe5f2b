"""What waits for an actor: records in states that wait for an event which the actor may fire; since when, how much.

It reads only. Statements go by record type, state and ten thousand records, never by record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import and_, exists, false, func, not_, or_, select, true

from . import definitions as d
from .application import Charter
from .batch import Rules
from .cells import cell_source
from .errors import InvalidInput
from .expression_python import Constants, compile_function
from .firings import Actor, Delegator
from .model import Parts, Type
from .money import from_kept
from .next_steps import Next
from .queries import Joined, parts
from .store import Session
from .tables import LOG

NO_DAY = "9999-12-31"

# A transition with the workflow that it stands in.
Way: TypeAlias = "tuple[d.Workflow, d.Transition]"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that waits: the moment since when, None if no event brought it there; the money it is about."""

    id: int
    since: str | None
    days: int
    amount: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Records of one type that wait in one state for an event, or for one of several, the oldest first.

    `acting_for` is in whose place the actor may fire it, None where it is the actor's own work; `late_after` the days
    after which what waits is late.
    """

    acting_for: str | None
    record: d.Record
    state: str
    events: tuple[str, ...]
    late_after: int | None
    items: tuple[Waiting, ...]

    def is_late(self, item: Waiting) -> bool:
        return self.late_after is not None and item.days > self.late_after

    @property
    def late(self) -> int:
        """How many are late."""
        return sum(map(self.is_late, self.items))

    @property
    def amounts(self) -> dict[str, Decimal]:
        """What they come to, by currency."""
        totals: dict[str, Decimal] = defaultdict(Decimal)
        for item in self.items:
            if item.amount is not None and item.currency is not None:
                totals[item.currency] += item.amount
        return dict(sorted(totals.items()))

    @property
    def order(self) -> tuple[Any, ...]:
        """Own work first; what has late records before what has none; the oldest first."""
        return self.acting_for or "", not self.late, self.items[0].since or "", self.record.name, self.state


def waiting_for(charter: Charter, session: Session, actor: Actor) -> list[Group]:
    """All that waits for an actor, in the order in which it should be looked at."""
    found = _Search(charter, session, charter.rules, actor).groups()
    return sorted(found, key=lambda group: group.order)


class _Search:
    def __init__(self, charter: Charter, session: Session, rules: Rules, actor: Actor) -> None:
        self.session, self.rules, self.library, self.actor = session, rules, rules.library, actor
        self.today = charter.clock.today
        self.next = Next(charter, session, rules, actor)

    def groups(self) -> Iterator[Group]:
        for record in self.library.records():
            for workflow in self.library.workflows_of(record):
                for state in workflow.states.values():
                    if state.waits_for:
                        yield from self.of_state(record, workflow, state)

    def sharing(self, record: d.Record, workflow: d.Workflow) -> list[d.Workflow]:
        """A workflow with those by which its records live besides: the first one, or those that share its state."""
        every = [w for w in self.library.workflows_of(record) if w.field == workflow.field]
        return [w for w in every if not (w.cells and workflow.cells) or w.name == workflow.name]

    def of_state(self, record: d.Record, workflow: d.Workflow, state: d.State) -> Iterator[Group]:
        flows = self.sharing(record, workflow)
        here = [(w, t) for w in flows for t in w.transitions if state.name in t.sources and t.who]
        by_event = [ways for event in state.waits_for if (ways := [way for way in here if way[1].event == event])]
        arriving = sorted({t.event for w in flows for t in w.transitions if t.target == state.name})
        by: dict[str | None, list[Waiting]] = defaultdict(list)
        for may in self.open_to(record, workflow, state, by_event):
            ids = list(may)
            since, amounts = self.since(record, arriving, state, ids), self.amounts(record, ids)
            for id_, delegator in may.items():
                acting_for = delegator.number if delegator else None
                by[acting_for].append(self.waiting(id_, since.get(id_), amounts.get(id_, (None, None))))
        late_after = self.late_after(state)
        for acting_for, items in by.items():
            items.sort(key=lambda item: (item.since or "", item.id))
            yield Group(acting_for, record, state.name, state.waits_for, late_after, tuple(items))

    def waiting(self, id_: int, since: str | None, amount: tuple[Decimal | None, str | None]) -> Waiting:
        days = (self.today - date.fromisoformat(since[:10])).days if since else 0
        return Waiting(id_, since, days, *amount)

    def late_after(self, state: d.State) -> int | None:
        parameter = self.library.parameters.get(state.late_parameter or "")
        if parameter is None:
            return state.late_days
        on = self.today.isoformat()
        rows = [value for since, until, value in parameter.rows if (since or "") <= on <= (until or NO_DAY)]
        return int(rows[0]) if rows else None

    # --- who may ---

    def open_to(
        self, record: d.Record, workflow: d.Workflow, state: d.State, by_event: Sequence[Sequence[Way]]
    ) -> Iterator[Mapping[int, Delegator | None]]:
        """The records on which the actor may fire one of the events, and in whose place if not their own.

        The engine is asked wherever the database cannot be sure.
        """
        joined = Joined(self.library, self.rules.metadata, record)
        every = [way for ways in by_event for way in ways]
        sure = or_(false(), *(self.is_sure_of_all(joined, ways) for ways in by_event))
        possible = or_(
            false(), *(and_(self.lives_by(joined, w), self.may_have(joined, t, who)) for w, t in every for who in t.who)
        )
        yield from (dict.fromkeys(part) for part in parts(self.waiting_where(joined, workflow, state, sure)))
        # What is unknown is not true: an empty reference says nothing about who may by another way.
        for part in parts(self.waiting_where(joined, workflow, state, and_(possible, sure.is_not(true())))):
            yield self.next.open_to(self.actor, record, every, part)

    def waiting_where(self, joined: Joined, workflow: d.Workflow, state: d.State, condition: Any) -> list[int]:
        stands = joined.column((workflow.field,))[0] == state.name
        statement = joined.select([("id",)]).where(stands, self.lives_by(joined, workflow), condition)
        return [row[0] for row in self.session.rows(statement.order_by(joined.base.c.id))]

    def lives_by(self, joined: Joined, workflow: d.Workflow) -> Any:
        """Whether records live by a workflow: its cells ask for choices, each of which is asked here."""
        return and_(true(), *(self.fits(joined, cell) for cell in workflow.cells))

    def fits(self, joined: Joined, cell: d.Cell) -> Any:
        column, type_ = joined.column(cell.path)
        constants = Constants()
        source = cell_source(cell, "v", type_, constants.constant)
        holds = compile_function(source, ("v",), constants.names)
        fitting = column.in_([value for value in type_.choices or (True, False) if holds(value)])
        return or_(column.is_(None), fitting) if holds(None) else fitting

    def is_sure_of_all(self, joined: Joined, ways: Sequence[Way]) -> Any:
        """Whether the actor may whichever of these transitions of one event is the one that applies."""
        sure = []
        for workflow, transition in ways:
            mine = self.is_sure(joined, workflow, transition)
            sure.append(or_(not_(self.lives_by(joined, workflow)), mine) if workflow.cells else mine)
        return and_(or_(false(), *(self.lives_by(joined, w) for w, _ in ways)), *sure)

    def is_sure(self, joined: Joined, workflow: d.Workflow, transition: d.Transition) -> Any:
        """Whether the actor has an own right, and left no trace in record and log that a rule about people may mean."""
        rights = [
            right for who in transition.who if (right := self.right(joined, transition, who, [self.actor])) is not None
        ]
        rules = [rule for rule in workflow.people if transition.event in rule.events]
        fields = [self.path_of(joined.record, transition, f) for rule in rules for f in rule.fields]
        if any(path is None for path in fields):
            return false()
        traces = [joined.column(path)[0].is_not_distinct_from(self.actor.id) for path in fields if path]
        if events := sorted({event for rule in rules for event in rule.events}):
            traces.append(self.done_by_actor(joined, events))
        return and_(or_(false(), *rights), not_(or_(false(), *traces)))

    def done_by_actor(self, joined: Joined, events: Sequence[str]) -> Any:
        """Whether the actor fired such an event, or somebody in the actor's place or of the same login."""
        log, who = self.rules.metadata.tables[LOG], self.actor
        same = or_(log.c.actor == who.number, log.c.acting_for == who.number)
        if not self.next.one_login:
            same = or_(same, log.c.login == who.login)
        of_record = (log.c.record == joined.record.name) & (log.c.record_id == joined.base.c.id)
        return exists().where(of_record, log.c.event.in_(events), same)

    def right(
        self, joined: Joined, transition: d.Transition, who: d.Who, people: Sequence[Actor | Delegator]
    ) -> Any | None:
        """Whether one of these people has a right, as a condition; None where only the engine can say."""
        if who.decision:
            return None
        if who.field:
            named = [p.id for p in people if not isinstance(p, Delegator) or p.where_named]
            path = self.path_of(joined.record, transition, who.field)
            return None if path is None else joined.column(path)[0].in_(named)
        held = {held_for for person in people for role, held_for in person.grants if role == who.role}
        if None in held:
            return true()
        declared = self.library.manifest.roles.get(who.role or "")
        if not held or declared is None or declared.of is None or who.of is None:
            return false()
        path = self.path_of(joined.record, transition, who.of)
        return None if path is None else joined.column(path)[0].in_(self.ids_held(held))

    def may_have(self, joined: Joined, transition: d.Transition, who: d.Who) -> Any:
        """Whether the actor, or somebody the actor acts for, may have a right: true where only the engine can say."""
        roles = self.roles_named_by(who.decision) if who.decision else ()
        if roles is None:
            return true()
        ways = [replace(who, decision=None, role=role) for role in roles] if who.decision else [who]
        found = [self.right(joined, transition, way, [self.actor, *self.actor.acts_for]) for way in ways]
        return or_(false(), *(true() if condition is None else condition for condition in found))

    def path_of(self, record: d.Record, transition: d.Transition, path: Parts) -> Parts | None:
        """A path over stored fields; None where it begins with a name that the event gives its meaning."""
        path = path[1:] if path[0] == "this" else path
        given = {*transition.lets, *(f.name for f in transition.finds), *self.library.taken(record, transition)}
        own = path and path[0] not in given and self.library.along(Type("ref", of=record.name), path) is not None
        return path if own else None

    def roles_named_by(self, decision: str | None) -> list[str] | None:
        """The roles that a decision can name; None where its rows are records and may name any."""
        found = self.library.decision(decision or "")
        if found is None or found.rows_of:
            return None
        answers = [*(row.then for row in found.rows), *([found.otherwise] if found.otherwise else [])]
        return [answer["role"].text for answer in answers if "role" in answer]

    def ids_held(self, held: Iterable[str | None]) -> list[int]:
        """The numbers of the records that roles are held for, written as record/key."""
        by_record: dict[str, list[str]] = defaultdict(list)
        for text in held:
            name, _, key = (text or "").partition("/")
            by_record[name].append(key)
        known = [n for n in by_record if self.library.record(n)]
        return [i for name in known for i in self.next.gatherer.ids_of(name, by_record[name]).values()]

    # --- since when, over how much ---

    def since(self, record: d.Record, arriving: Sequence[str], state: d.State, ids: Sequence[int]) -> Mapping[int, str]:
        """When each came into the state, or the event that is waited for was last fired without leaving it."""
        log = self.rules.metadata.tables[LOG]
        statement = (
            select(log.c.record_id, func.max(log.c.at))
            .where(log.c.record == record.name, log.c.to_state == state.name, log.c.event.in_(arriving),
                   log.c.from_state.is_distinct_from(state.name) | log.c.event.in_(state.waits_for))
            .group_by(log.c.record_id)
        )  # fmt: skip
        rows = (row for part in parts(ids) for row in self.session.rows(statement.where(log.c.record_id.in_(part))))
        return dict(rows)

    def amounts(self, record: d.Record, ids: Sequence[int]) -> dict[int, tuple[Decimal | None, str | None]]:
        """The money that records are about, with its currency; that of children where these share one."""
        child = record.children.get(record.amount[0]) if record.amount else None
        of = self.library.record(child.of) if child else record
        currency = self.library.currency_path(of, record.amount[-1]) if of and record.amount else None
        if of is None or record.amount is None or currency is None:
            return {}
        joined = Joined(self.library, self.rules.metadata, of)
        parent = joined.column((child.by if child else "id",))[0]
        amount, code = joined.column(record.amount[-1:])[0], joined.column(currency)[0]
        statement = joined.selecting(parent, func.min(code), func.max(code), func.sum(amount)).group_by(parent)
        found: dict[int, tuple[Decimal | None, str | None]] = {}
        for part in parts(ids):
            for id_, first, last, total in self.sums(record, statement.where(parent.in_(part))):
                found[id_] = (Decimal(from_kept(total, "money")), first) if first == last else (None, None)
        return found

    def sums(self, record: d.Record, statement: Any) -> list[list[Any]]:
        try:
            return self.session.sums(statement)
        except OverflowError:
            raise InvalidInput(f"{record.place}: the `amount` of a {record.name} is beyond what can be kept.") from None
