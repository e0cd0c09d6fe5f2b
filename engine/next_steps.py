"""Says what may be done with records next and by whom. Writes nothing.

Who may is found by asking the engine about every actor, so that it cannot differ from what is enforced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import localcontext
from typing import Any, TypeAlias

from . import definitions as d
from . import programs as p
from .actors import active_actors
from .application import Charter
from .batch import Rules
from .compiler import compile_transition
from .execution import Work
from .explanation_lines import told
from .explanation_rules import at
from .facts import Facts
from .firings import Actor, Delegator, Firing, Request, Root
from .gathering import Gatherer
from .model import Type
from .money import EXACT
from .permission import Earlier, Permission
from .scopes import element_names, transition_names
from .store import Session
from .tables import columns_of

# An actor, and in whose place if not their own.
Acting: TypeAlias = "tuple[Actor, Delegator | None]"

# --- what is said ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A value that an event takes from whoever fires it."""

    name: str
    type: str
    needed: bool
    doc: str


@dataclass(frozen=True, slots=True)
class Delegate:
    """An actor who may in the place of another."""

    actor: str
    acting_for: str


@dataclass(frozen=True, slots=True)
class Right:
    """One way of being allowed, in words, and the actors who have it today and are not kept from it."""

    said: str
    actors: tuple[str, ...]
    delegates: tuple[Delegate, ...] = ()

    @property
    def people(self) -> list[str]:
        """All who have it, in words."""
        return [*self.actors, *(f"{d.actor} for {d.acting_for}" for d in self.delegates)]


@dataclass(frozen=True, slots=True)
class NextStep:
    """An event that the record's state allows. `may` is whether the present actor may fire it, None where nobody asks.

    `fired_by` are the events that bring it about; where `who` is empty they are the only way. `kept_from` says who has
    the right and yet may not, because the rules want different people.
    """

    event: str
    rule: str
    place: str
    doc: str
    leads_to: str
    takes: tuple[Taken, ...]
    who: tuple[Right, ...]
    may: bool | None
    kept_from: tuple[str, ...]
    fired_by: tuple[str, ...]

    @property
    def actors(self) -> list[str]:
        """All who may, whatever their right, by name."""
        delegates = {d.actor for right in self.who for d in right.delegates}
        return sorted({number for right in self.who for number in right.actors} | delegates)


# --- what is possible next -------------------------------------------------------------------------------------------


def next_steps(charter: Charter, record: str, id_: int, actor: Actor | None = None) -> list[NextStep]:
    """The events that the states of a record allow, by name, with who may fire them."""
    rules = charter.rules
    return charter.store.within(lambda session: Next(charter, session, rules, actor).steps(record, [id_]).get(id_, []))


class Next:
    """Asks which events are possible, and for whom, within one transaction; `actor` is who looks, if anybody does."""

    def __init__(
        self, charter: Charter, session: Session, rules: Rules, actor: Actor | None, gatherer: Gatherer | None = None
    ) -> None:
        self.session, self.rules, self.library, self.actor = session, rules, rules.library, actor
        self.clock, self.one_login = charter.clock, charter.is_demonstration
        self.gatherer = gatherer or Gatherer(rules.library, rules.metadata, session, Facts(), rules.decided)
        self.actors = active_actors(session, rules.metadata, self.clock.today)
        self.known: dict[int, Asking] = {}

    def steps(self, name: str, ids: Sequence[int]) -> dict[int, list[NextStep]]:
        """The steps by record; the store is asked once for all of them."""
        record = self.library.record(name)
        found: dict[int, list[NextStep]] = defaultdict(list)
        workflows = self.library.workflows_of(record) if record else ()
        if record is None or not workflows:
            return found
        rows = self.gatherer.rows(record, ids)
        place = {n: i for i, (n, _) in enumerate(columns_of(self.library, record))}
        for workflow in workflows:
            for t in workflow.transitions:
                fitting = [row for row in rows.values() if row[place[workflow.field]] in t.sources]
                for id_, step in self.asking(record, workflow, t).steps(fitting) if fitting else ():
                    found[id_].append(step)
        for steps in found.values():
            steps.sort(key=lambda s: (s.event, s.rule))
        return found

    def open_to(
        self, actor: Actor, record: d.Record, ways: Sequence[tuple[d.Workflow, d.Transition]], ids: Sequence[int]
    ) -> dict[int, Delegator | None]:
        """The records on which the actor may fire one of the transitions, and in whose place if not their own."""
        rows = list(self.gatherer.rows(record, ids).values())
        found: dict[int, Delegator | None] = {}
        for workflow, transition in ways:
            left = [row for row in rows if row[0] not in found]
            found.update(self.asking(record, workflow, transition).open_to(actor, left))
        # What was read for some is not needed for the next.
        self.gatherer.noted.clear()
        self.gatherer.along.clear()
        return found

    def asking(self, record: d.Record, workflow: d.Workflow, t: d.Transition) -> Asking:
        if id(t) not in self.known:
            self.known[id(t)] = Asking(self, record, workflow, t)
        return self.known[id(t)]


class Asking:
    """One transition asked who may fire it on records; nothing of it is worked out but what that rests on."""

    def __init__(self, next_: Next, record: d.Record, workflow: d.Workflow, t: d.Transition) -> None:
        # What must be found is looked for only where something else asks for it.
        finds = tuple(replace(find, none_allowed=True) for find in t.finds)
        only_asking = replace(t, requirements=(), warnings=(), steps=(), finds=finds)
        self.program = compile_transition(next_.library, record, workflow, only_asking)
        self.next, self.record, self.workflow, self.transition = next_, record, workflow, t
        clock = next_.clock
        self.work = Work(next_.rules.programs, next_.gatherer, UNKNOWN, clock.today, clock.now, next_.one_login)
        self.fired_by = tuple(fired_by_events(next_.rules, record, t.event))
        self.place = {n: i for i, (n, _) in enumerate(self.program.columns)}
        sources = [s for op in self.program.operations for s in op.sources]
        # What whoever fires it gives, and the decision about who may rests on.
        self.given = [i for i in range(len(self.program.taken)) if any(f"v[{p.GIVEN}][{i}]" in s for s in sources)]
        self.entitled: dict[tuple[int, Any], list[Acting]] = {}

    def looked_into(self, rows: Sequence[list[Any]]) -> tuple[list[Firing], list[Firing]]:
        """The firings of all these rows, and those of them of which something can be said."""
        firings = [self.begun(row) for row in rows]
        return firings, self.known_of(firings)

    def known_of(self, firings: Sequence[Firing]) -> list[Firing]:
        # Where it rests on something that only whoever fires it will give, nothing can be said of it before.
        asked = [f for f in firings if all(f.v[p.GIVEN][i] is not None for i in self.given)]
        with localcontext(EXACT):
            self.work.evaluation.compute(self.program, asked)
        return [f for f in asked if not f.pending]

    def open_to(self, actor: Actor, rows: Sequence[list[Any]]) -> Iterator[tuple[int, Delegator | None]]:
        """(id, in whose place) for each of these rows on which the actor may fire it."""
        permission = self.acting(actor)
        _, known = self.looked_into(rows)
        fitting = [f for f in known if self.program.when is None or self.program.when(f.v)]
        asked = [(f, ways) for f in fitting if (ways := self.ways(permission, f))]
        earlier = [permission.earlier(rule, [f for f, _ in asked]) for rule in self.program.people] if asked else []
        for firing, ways in asked:
            for delegator in ways:
                if not permission.barring(self.program, firing, earlier, delegator):
                    yield firing.id, delegator
                    break

    def ways(self, permission: Permission, firing: Firing) -> list[Delegator | None]:
        """In whose place the actor has the right: None for the actor's own, which comes first."""
        if permission.actor.unbound or any(permission.right_of(e, firing) for e in self.program.entitlements):
            return [None]
        return [delegator for _, delegator in permission.delegated(self.program, firing)]

    def steps(self, rows: Sequence[list[Any]]) -> Iterator[tuple[int, NextStep]]:
        """(id, step) for each of these rows that the transition's conditions do not rule out."""
        firings, known = self.looked_into(rows)
        earlier = [self.work.permission.earlier(rule, known) if known else {} for rule in self.program.people]
        are_known = {f.id for f in known}
        for firing in firings:
            if firing.id not in are_known:
                yield firing.id, self.step(firing, self.rights_in_words(), {}, False)
            elif self.program.when is None or self.program.when(firing.v):
                rights, kept_from = self.rights(firing, earlier)
                yield firing.id, self.step(firing, rights, kept_from, self.may(firing, earlier))

    def without_people(self, asked: Sequence[tuple[Root, list[Any]]]) -> Iterator[tuple[Root, str]]:
        """(root, who is lacking) for each of these rows, as its root has left it, on which nobody may fire it."""
        known = self.known_of([self.begun(row, root) for root, row in asked])
        fitting = [f for f in known if self.program.when is None or self.program.when(f.v)]
        # What the roots have done so far was done by nobody.
        permission = self.acting(UNKNOWN)
        earlier = [permission.earlier(rule, fitting) for rule in self.program.people] if fitting else []
        for firing in fitting:
            rights, kept_from = self.rights(firing, earlier)
            if rights and not any(right.people for right in rights):
                who = " or ".join(dict.fromkeys(right.said for right in rights))
                but = (
                    f"but not for {', '.join(kept_from)}: somebody else must do it"
                    if kept_from
                    else "and there is nobody"
                )
                yield firing.root, f"`{self.transition.event}` is for {who}, {but}."

    def begun(self, row: list[Any], root: Root | None = None) -> Firing:
        given = tuple(row[self.place[n]] if n in self.place else None for n in self.program.taken)
        v: list[Any] = [None] * self.program.width
        v[p.OWN], v[p.GIVEN], v[p.SETTING] = row, given, self.work.setting
        root = root or Root(Request(self.record.name, self.transition.event, row[0]))
        return Firing(root, None, self.program, row[0], v)

    def step(self, firing: Firing, rights: tuple[Right, ...], kept_from: Mapping[str, str], may: bool) -> NextStep:
        t = self.transition
        return NextStep(
            t.event, f"{self.workflow.name}/{t.name}", at(t.place), t.doc, "" if t.deletes else t.target,
            tuple(self.takes(firing)), rights, None if self.next.actor is None else may, tuple(kept_from.values()),
            self.fired_by,
        )  # fmt: skip

    def takes(self, firing: Firing) -> Iterator[Taken]:
        """What it takes; what the record has already need not be given."""
        for (name, field), there in zip(self.program.taken.items(), firing.v[p.GIVEN], strict=True):
            yield Taken(name, str(field.type.given()), field.needed and there is None, field.doc)

    # --- who ---

    def rights_in_words(self) -> tuple[Right, ...]:
        return tuple(Right(e.said, ()) for e in self.program.entitlements)

    def rights(self, firing: Firing, earlier: Sequence[Earlier]) -> tuple[tuple[Right, ...], dict[str, str]]:
        """(the ways of being allowed with who has them, what keeps some of these from it)."""
        rights, kept_from = [], {}
        for i, e in enumerate(self.program.entitlements):
            actors, delegates = [], []
            for actor, delegator in self.entitled_to(i, self.work.permission.asked(e, firing)):
                if said := self.barred(actor, firing, earlier, delegator):
                    kept_from[actor.number] = said
                elif delegator:
                    delegates.append(Delegate(actor.number, delegator.number))
                else:
                    actors.append(actor.number)
            needed = self.work.permission.needed(e, firing)
            rights.append(Right(needed, tuple(actors), tuple(delegates)))
        return tuple(rights), kept_from

    def entitled_to(self, index: int, asked: Sequence[tuple[str | None, Any]]) -> list[Acting]:
        """Who has what is asked, and in whose place; it is asked of every actor, but once for all that ask the same."""
        key = (index, tuple(asked))
        if key not in self.entitled:
            e = self.program.entitlements[index]
            self.entitled[key] = [
                (actor, who)
                for actor in self.next.actors
                for who in (None, *self.acting(actor).delegators(self.record))
                if self.work.permission.right_by(e, asked, who)
            ]
        return self.entitled[key]

    def may(self, firing: Firing, earlier: Sequence[Earlier]) -> bool:
        actor = self.next.actor
        if actor is None:
            return False
        return any(not self.barred(actor, firing, earlier, who) for who in self.ways(self.acting(actor), firing))

    def acting(self, actor: Actor) -> Permission:
        self.work.permission.actor = actor
        return self.work.permission

    def barred(self, actor: Actor, firing: Firing, earlier: Sequence[Earlier], delegator: Delegator | None) -> str:
        """Why an actor may not, because the people must be different; empty where nothing keeps it."""
        return " ".join(said for _, said in self.acting(actor).barring(self.program, firing, earlier, delegator))


UNKNOWN = Actor(None, "", "", frozenset())


def fired_by_events(rules: Rules, record: d.Record, event: str) -> Iterator[str]:
    """The events whose steps fire this one, as `RECORD EVENT`."""
    library = rules.library
    found = set()
    for other in library.records():
        for workflow in library.workflows_of(other):
            for t in workflow.transitions:
                if any(reaches(rules, other, t, s, record, event) for s in t.steps):
                    found.add(f"{other.name} {t.event}")
    yield from sorted(found)


def reaches(rules: Rules, other: d.Record, t: d.Transition, step: d.Step, record: d.Record, event: str) -> bool:
    """Whether a step of another record's transition fires the event on records of this type."""
    if step.verb != "fire" or step.target != event:
        return False
    if step.records_of:
        return step.records_of == record.name
    path = step.copied or ("this",)
    if step.for_each:
        inside = element_names(transition_names(rules.library, other, t), step.for_each)
        leads = inside.type_of(path) if inside else None
        return leads is not None and (leads.item or leads).of == record.name
    aliases = {s.alias: s.target for s in t.steps if s.alias}
    start = Type("ref", of=other.name)
    if path[0] in aliases:
        start, path = Type("ref", of=aliases[path[0]]), path[1:]
    elif path[0] == "this":
        path = path[1:]
    found = rules.library.along(start, tuple(path)) if path else start
    inner = found.item if found and found.item else found
    return inner is not None and inner.of == record.name


# --- lines for people ------------------------------------------------------------------------------------------------


def next_step_lines(steps: Sequence[NextStep]) -> Iterator[str]:
    """What is possible, an event a paragraph; then, a line each, what comes with other events alone."""
    by_hand = [step for step in steps if step.who or not step.fired_by]
    if not by_hand:
        yield "nothing by hand" if steps else "nothing"
    for step in by_hand:
        mine = "" if step.may is None else ", you may" if step.may else ", you may not"
        yield f"{_led(step)}{mine}{told(step.place)}"
        needed = [f"{t.name} ({t.type})" for t in step.takes if t.needed]
        if needed:
            yield f"  needs {', '.join(needed)}"
        yield from (f"  {right.said}: {', '.join(right.people) or 'nobody'}" for right in step.who)
        yield from (f"  {said}" for said in step.kept_from)
        if step.fired_by:
            yield f"  also comes with {', '.join(step.fired_by)}"
        elif not step.who:
            yield "  nobody may fire it"
    if len(by_hand) < len(steps):
        yield "Only with other events:"
        yield from (f"  {_led(step)}: {', '.join(step.fired_by)}" for step in steps if step not in by_hand)


def _led(step: NextStep) -> str:
    return f"{step.event} -> {step.leads_to or 'nothing'}"
