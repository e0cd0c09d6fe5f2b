"""Says what may be done with a record next and by whom, and why an event is not possible. Writes nothing.

Who may is found by asking the engine about every actor, so that it cannot differ from what is enforced.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import localcontext
from typing import Any

from sqlalchemy import select

from . import definitions as d
from . import programs as p
from .application import Charter
from .batch import Rules
from .compiler import compile_transition
from .execution import Work
from .explanation_data import Change, Refusal
from .explanation_keys import Keys, find_record
from .explanation_lines import deeper, moment, shown_value, told
from .explanation_past import Past
from .explanation_rules import at
from .explanations import refusals_of
from .facts import Facts
from .firings import Actor, Firing, Reason, Request, Root, in_tree_order
from .gathering import Gatherer
from .journal import changes
from .model import Type
from .money import EXACT, shown
from .store import Session
from .tables import columns_of

# --- what is said ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taken:
    """A value that an event takes from whoever fires it."""

    name: str
    type: str
    needed: bool
    doc: str


@dataclass(frozen=True, slots=True)
class Right:
    """One way of being allowed, in words, and the actors who have it today and are not kept from it."""

    said: str
    actors: tuple[str, ...]


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


@dataclass(frozen=True, slots=True)
class Against:
    """A reason that stands against an event, in the rule's words."""

    rule: str
    says: str
    place: str


@dataclass(frozen=True, slots=True)
class PlannedVoucher:
    """A voucher that would be written: its entries are (side, account, amount)."""

    posting: str
    date: str
    currency: str
    entries: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event would bring about for one record."""

    record: str
    event: str
    from_state: str | None
    to_state: str | None
    changes: tuple[Change, ...]
    vouchers: tuple[PlannedVoucher, ...]


@dataclass(frozen=True, slots=True)
class WhyNot:
    """What stands against an event; where nothing does, what would come of it: the event itself first."""

    record: str
    event: str
    actor: str
    reasons: tuple[Against, ...]
    outcomes: tuple[Outcome, ...]
    instead: tuple[NextStep, ...]
    refused_before: tuple[Refusal, ...]

    @property
    def is_possible(self) -> bool:
        return not self.reasons


# --- what is asked ---------------------------------------------------------------------------------------------------


def next_steps(charter: Charter, record: str, id_: int, actor: Actor | None = None) -> list[NextStep]:
    """The events that the states of a record allow, by name, with who may fire them."""
    rules = charter.rules
    return charter.store.within(lambda session: list(Next(charter, session, rules, actor).steps(record, id_)))


def why_not(
    charter: Charter, record: str, key: str, event: str, actor: Actor, values: Mapping[str, Any] | None = None,
    acknowledged: frozenset[str] = frozenset(),
) -> WhyNot:  # fmt: skip
    """Try an event without writing anything, and say every reason against it or what would come of it.

    `values` are what the event takes, typed as a Request wants them; `acknowledged` are the names of warnings.
    """
    rules = charter.rules
    id_ = charter.store.within(lambda session: find_record(session, rules, record, key))
    request = Request(record, event, id_, values or {}, "why-not", acknowledged)
    root = charter.batch(actor, plan=True).chunk([request])[0]

    def said(session: Session) -> WhyNot:
        keys = planned_keys(Past(session, rules), root)
        outcomes = keys.settled(lambda: tuple(outcomes_of(rules, keys, root)))
        called = keys.settled(lambda: keys.called(record, id_))
        instead = tuple(Next(charter, session, rules, actor).steps(record, id_))
        before = tuple(refusals_of(session, rules, record, id_))
        reasons = (*map(against, root.reasons), *not_entitled(instead, event, actor, values or {}))
        return WhyNot(called, event, actor.number, reasons, outcomes, instead, before)

    return charter.store.within(said)


def against(reason: Reason) -> Against:
    return Against(reason.rule, reason.message, at(reason.place))


def not_entitled(steps: Sequence[NextStep], event: str, actor: Actor, values: Mapping[str, Any]) -> Iterator[Against]:
    """That the actor may not, where the event was not even tried because something that it needs was not given."""
    for step in steps:
        untried = any(t.needed and t.name not in values for t in step.takes)
        if step.event == event and untried and step.may is False:
            who = " or ".join(f"{r.said} ({', '.join(r.actors) or 'nobody'})" for r in step.who)
            said = f"{actor.number} may not `{event}` it; it is for {who or 'nobody directly'}."
            yield Against(event, " ".join((said, *step.kept_from)) if step.kept_from else said, step.place)


# --- what is possible next -------------------------------------------------------------------------------------------


class Next:
    """Asks which events are possible, and for whom, within one transaction; `actor` is who looks, if anybody does."""

    def __init__(self, charter: Charter, session: Session, rules: Rules, actor: Actor | None) -> None:
        self.session, self.rules, self.library, self.actor = session, rules, rules.library, actor
        self.clock, self.one_login = charter.clock, charter.is_demonstration
        self.gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), rules.decided)
        self.actors = self.active_actors()

    def active_actors(self) -> list[Actor]:
        """Everybody who may act today, with the roles held."""
        actors, grants = self.rules.metadata.tables["actor"], self.rules.metadata.tables["role_grant"]
        today = self.clock.today
        held = select(grants.c.actor, grants.c.role, grants.c.held_for).where(
            grants.c.state == "held", grants.c["from"] <= today, (grants.c.until.is_(None)) | (grants.c.until >= today)
        )
        roles: dict[int, set[tuple[str, str | None]]] = defaultdict(set)
        for id_, role, held_for in self.session.rows(held):
            roles[id_].add((role, held_for))
        active = select(actors.c.id, actors.c.number, actors.c.login).where(actors.c.state == "active")
        return [
            Actor(id_, number, login or "", frozenset(roles[id_]))
            for id_, number, login in self.session.rows(active.order_by(actors.c.number))
        ]

    def steps(self, name: str, id_: int) -> Iterator[NextStep]:
        record = self.library.record(name)
        row = self.gatherer.rows(record, [id_]).get(id_) if record else None
        if record is None or row is None:
            return
        place = {n: i for i, (n, _) in enumerate(columns_of(self.library, record))}
        found = [
            self.step(record, workflow, t, row)
            for workflow in self.library.workflows_of(record)
            for t in workflow.transitions
            if row[place[workflow.field]] in t.sources
        ]
        yield from sorted((s for s in found if s is not None), key=lambda s: (s.event, s.rule))

    def step(self, record: d.Record, workflow: d.Workflow, t: d.Transition, row: list[Any]) -> NextStep | None:
        """The step that a transition offers, None where its conditions do not hold."""
        asking = Asking(self, record, workflow, t, row)
        if not asking.applies:
            return None
        taken = self.library.taken(record, t)
        takes = tuple(Taken(n, str(f.type.given()), asking.is_needed(n), f.doc) for n, f in taken.items())
        rights, kept_from = asking.rights()
        may = None if self.actor is None else asking.may(self.actor)
        leads_to = "" if t.deletes else t.target
        fired_by = tuple(fired_by_events(self.rules, record, t.event))
        return NextStep(t.event, f"{workflow.name}/{t.name}", at(t.place), t.doc, leads_to, takes, rights, may,
                        kept_from, fired_by)  # fmt: skip


class Asking:
    """One transition asked who may fire it on a record; nothing of it is worked out but what that rests on."""

    def __init__(self, next_: Next, record: d.Record, workflow: d.Workflow, t: d.Transition, row: list[Any]) -> None:
        only_asking = replace(t, requirements=(), warnings=(), steps=())
        self.program = compile_transition(next_.library, record, workflow, only_asking)
        self.next, self.row = next_, row
        clock = next_.clock
        self.work = Work(next_.rules.programs, next_.gatherer, UNKNOWN, clock.today, clock.now, next_.one_login)
        self.firing = self.begun(record, t)
        self.is_known = self.computed()

    def begun(self, record: d.Record, t: d.Transition) -> Firing:
        place = {n: i for i, (n, _) in enumerate(self.program.columns)}
        given = tuple(self.row[place[n]] if n in place else None for n in self.program.taken)
        v: list[Any] = [None] * self.program.width
        v[p.OWN], v[p.GIVEN], v[p.SETTING] = self.row, given, self.work.setting
        request = Request(record.name, t.event, self.row[0])
        return Firing(Root(request), None, self.program, self.row[0], v)

    def computed(self) -> bool:
        """Read and work out; False where that rests on something that only whoever fires it will give."""
        missing = [i for i, v in enumerate(self.firing.v[p.GIVEN]) if v is None]
        sources = [s for op in self.program.operations for s in op.sources]
        if any(f"v[{p.GIVEN}][{i}]" in s for i in missing for s in sources):
            return False
        with localcontext(EXACT):
            self.work.compute(self.program, [self.firing])
        return not self.firing.pending

    @property
    def applies(self) -> bool:
        return not self.is_known or self.program.when is None or self.program.when(self.firing.v)

    def is_needed(self, name: str) -> bool:
        """Whether it must be given: what the record has already need not."""
        field = self.program.taken[name]
        given = dict(zip(self.program.taken, self.firing.v[p.GIVEN], strict=True))
        return field.needed and given[name] is None

    def rights(self) -> tuple[tuple[Right, ...], tuple[str, ...]]:
        """(the ways of being allowed with who has them, what keeps some of these from it)."""
        if not self.is_known:
            return tuple(Right(e.said, ()) for e in self.program.entitlements), ()
        rights, kept_from = [], {}
        for e in self.program.entitlements:
            entitled = [a for a in self.next.actors if self.acting(a).permission.right_of(e, self.firing)]
            barred = {a.number: said for a in entitled if (said := self.barred(a))}
            kept_from.update(barred)
            actors = tuple(a.number for a in entitled if a.number not in barred)
            rights.append(Right(self.work.permission.needed(e, self.firing), actors))
        return tuple(rights), tuple(kept_from.values())

    def may(self, actor: Actor) -> bool:
        if not self.is_known:
            return False
        permission = self.acting(actor).permission
        entitled = actor.unbound or any(permission.right_of(e, self.firing) for e in self.program.entitlements)
        return entitled and not self.barred(actor)

    def acting(self, actor: Actor) -> Work:
        self.work.actor = self.work.permission.actor = actor
        return self.work

    def barred(self, actor: Actor) -> str:
        """Why an actor may not, because the people must be different; empty where nothing keeps it."""
        work = self.acting(actor)
        for rule in self.program.people:
            work.permission.keep_apart(rule, [self.firing])
        said = " ".join(message(self.firing.v) for message, *_ in self.firing.pending if message)
        self.firing.pending.clear()
        return said


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
    aliases = {s.alias: s.target for s in t.steps if s.alias}
    start = Type("ref", of=other.name)
    if path[0] in aliases:
        start, path = Type("ref", of=aliases[path[0]]), path[1:]
    elif path[0] == "this":
        path = path[1:]
    found = rules.library.along(start, tuple(path)) if path else start
    inner = found.item if found and found.item else found
    return inner is not None and inner.of == record.name


# --- what would come of it -------------------------------------------------------------------------------------------


def planned_keys(past: Past, root: Root) -> Keys:
    """Names for records, those that exist only in the plan included."""
    keys = Keys(past)
    for firing in in_tree_order(root.firing) if root.firing else ():
        if firing.program.transition.creates:
            keys.called_by[(firing.record.name, firing.id)] = ("(new)", "")
    return keys


def outcomes_of(rules: Rules, keys: Keys, root: Root) -> Iterator[Outcome]:
    for firing in in_tree_order(root.firing) if root.firing and not root.reasons else ():
        to = None if firing.row is None else firing.row[firing.program.state_index]
        yield Outcome(
            keys.called(firing.record.name, firing.id), firing.program.transition.event, firing.from_state, to,
            tuple(planned_changes(keys, firing)), tuple(planned_vouchers(rules, keys, firing)),
        )  # fmt: skip


def planned_changes(keys: Keys, firing: Firing) -> Iterator[Change]:
    types = dict(firing.program.columns)
    for name, change in json.loads(changes(firing)).items():
        before, after = (None, change) if firing.program.transition.creates else change
        yield Change(name, keys.said(types[name], before), keys.said(types[name], after))


def planned_vouchers(rules: Rules, keys: Keys, firing: Firing) -> Iterator[PlannedVoucher]:
    declared = rules.library.record("entry")
    of = declared.fields["account"].type.of if declared else ""
    for voucher in firing.vouchers:
        places = rules.library.manifest.currencies.get(voucher.currency)
        entries = tuple(
            ("debit" if amount >= 0 else "credit", keys.titled(of, account), shown(abs(amount), places))
            for account, _, _, amount, *_ in voucher.entries
        )
        yield PlannedVoucher(voucher.posting, voucher.date.isoformat(), voucher.currency, entries)


# --- lines for people ------------------------------------------------------------------------------------------------


def why_not_lines(answer: WhyNot) -> Iterator[str]:
    """The answer to why not, to be read from top to bottom."""
    asked = f"{answer.actor} cannot `{answer.event}` {answer.record}"
    if answer.reasons:
        yield f"{asked}:"
        yield from (f"  {r.says}{told(r.place)}" for r in answer.reasons)
    else:
        yield f"Nothing stands against it: {answer.actor} may `{answer.event}` {answer.record}. It would do this:"
        for outcome in answer.outcomes:
            yield from deeper(_outcome_lines(outcome))
    if answer.reasons:
        yield from ("", "Possible now")
        yield from deeper(next_step_lines(answer.instead))
    if answer.refused_before:
        yield from ("", "Refused before")
    for refusal in answer.refused_before:
        yield f"  {moment(refusal.at)}  {refusal.event} by {refusal.actor} (login {refusal.login})"
        yield from (f"    {says}{told(place)}" for _, says, place in refusal.reasons)


def next_step_lines(steps: Sequence[NextStep]) -> Iterator[str]:
    """What is possible, an event a paragraph."""
    if not steps:
        yield "nothing"
    for step in steps:
        mine = "" if step.may is None else ", you may" if step.may else ", you may not"
        yield f"{step.event} -> {step.leads_to or 'nothing'}{mine}{told(step.place)}"
        needed = [f"{t.name} ({t.type})" for t in step.takes if t.needed]
        if needed:
            yield f"  needs {', '.join(needed)}"
        yield from (f"  {right.said}: {', '.join(right.actors) or 'nobody'}" for right in step.who)
        yield from (f"  {said}" for said in step.kept_from)
        if step.fired_by:
            yield f"  {'also ' if step.who else ''}comes with {', '.join(step.fired_by)}"
        elif not step.who:
            yield "  nobody may fire it"


def _outcome_lines(outcome: Outcome) -> Iterator[str]:
    states = f"{outcome.from_state or 'nothing'} -> {outcome.to_state or 'nothing'}"
    yield f"{outcome.event} of {outcome.record}: {states}"
    for change in outcome.changes:
        before = f"{shown_value(change.before)} -> " if change.before is not None else ""
        yield f"  {change.field}: {before}{shown_value(change.after)}"
    for voucher in outcome.vouchers:
        yield f"  voucher of {voucher.posting}, dated {voucher.date}, in {voucher.currency}"
        yield from (f"    {side} {amount} to account {account}" for side, account, amount in voucher.entries)
