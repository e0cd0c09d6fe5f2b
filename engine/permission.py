"""Who may fire an event, and who must be somebody else. Reads the log for those who fired others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import select

from . import definitions as d
from . import programs as p
from .firings import Actor, Delegator, Firing, in_tree_order
from .gathering import Gatherer
from .queries import parts
from .tables import LOG

DELEGATION = "delegation"
# By record: (event, actor, login, for whom) of what was fired on it before.
Earlier: TypeAlias = "Mapping[int, Sequence[tuple[str, str, str, str | None]]]"


class Permission:
    """Asks for one actor. `called` says how people call a record; with `one_login` only actors are told apart."""

    def __init__(
        self, gatherer: Gatherer, actor: Actor, one_login: bool, called: Callable[[d.Record, Sequence[Any]], str]
    ) -> None:
        self.gatherer, self.actor, self.one_login, self.called = gatherer, actor, one_login, called
        self.library, self.session = gatherer.library, gatherer.session

    def entitle(self, program: p.Program, firing: Firing) -> None:
        actor = self.actor
        if actor.unbound:
            firing.right = "set up"
            return
        for e in program.entitlements:
            right = self.right_of(e, firing)
            if right:
                firing.right = right
                return
        for right, delegator in self.delegated(program, firing):
            firing.right, firing.acting_for = right, delegator
            return
        who = (
            " or ".join(self.needed(e, firing) for e in program.entitlements)
            or "nobody directly: another event fires it"
        )
        asked = f"`{program.transition.event}` {self.called(program.record, firing.v[p.OWN])}"
        said = f"{actor.number} may not {asked}; it is for {who}."
        place = program.entitlements[0].place if program.entitlements else program.transition.place
        firing.refuse(said, place, program.transition.event)

    def right_of(self, e: p.Entitlement, firing: Firing) -> str:
        """By what right of their own the actor may, empty if not."""
        return self.right_by(e, self.asked(e, firing))

    def delegated(self, program: p.Program, firing: Firing) -> Iterator[tuple[str, Delegator]]:
        """The rights by which the actor may in the place of others."""
        for delegator in self.delegators(program.record):
            for e in program.entitlements:
                if right := self.right_by(e, self.asked(e, firing), delegator):
                    yield right, delegator

    def delegators(self, record: d.Record) -> Sequence[Delegator]:
        """In whose place the actor may act on records of a type. Nobody passes on what was delegated to them."""
        return () if record.name == DELEGATION else self.actor.acts_for

    def asked(self, e: p.Entitlement, firing: Firing) -> tuple[tuple[str | None, Any], ...]:
        """What must be held, one of it: (role, record/key or None); (None, the actor's id) where a field names one."""
        holder = e.holder(firing.v) if e.holder else None
        if e.roles is None and e.role is None:
            return ((None, holder),)
        roles = [e.role] if e.role else e.roles(firing.v) if e.roles else []
        return tuple((role, holder if self.is_held_for(role) else None) for role in roles if role)

    def right_by(
        self, e: p.Entitlement, asked: Sequence[tuple[str | None, Any]], delegator: Delegator | None = None
    ) -> str:
        """By what right the actor may, or the delegator in whose place; empty if not."""
        grants = delegator.grants if delegator else self.actor.grants
        for role, held_for in asked:
            if role is None:
                named = self.actor.id if delegator is None else delegator.id if delegator.where_named else None
                return e.said if held_for is not None and held_for == named else ""
            if (role, held_for) in grants:
                return f"{role} of {held_for}" if held_for else role
            # A grant that names no record holds everywhere.
            if (role, None) in grants:
                return role
        return ""

    def needed(self, e: p.Entitlement, firing: Firing) -> str:
        said = [f"{role} of {held_for}" if held_for else role for role, held_for in self.asked(e, firing) if role]
        return " or ".join(said) or e.said

    def is_held_for(self, role: str | None) -> bool:
        declared = self.library.manifest.roles.get(role or "")
        return declared is not None and declared.of is not None

    def keep_apart(self, program: p.Program, firings: list[Firing]) -> None:
        """Refuse those whose actor, or whoever the actor acts for, must be somebody else."""
        if self.actor.unbound or not firings:
            return
        earlier = [self.earlier(rule, firings) for rule in program.people]
        for firing in firings:
            barring = self.barring(program, firing, earlier, firing.acting_for)
            if barring and not self.acts_for_another(program, firing, earlier):
                for rule, said in barring:
                    firing.refuse(said, rule.place, "people")

    def acts_for_another(self, program: p.Program, firing: Firing, earlier: Sequence[Earlier]) -> bool:
        """Where it is done in the place of another, let it be of one whom no rule keeps from it."""
        if firing.acting_for is None or firing.parent is not None:
            return False
        for right, delegator in self.delegated(program, firing):
            if not self.barring(program, firing, earlier, delegator):
                firing.right, firing.acting_for = right, delegator
                return True
        return False

    def barring(
        self, program: p.Program, firing: Firing, earlier: Sequence[Earlier], delegator: Delegator | None
    ) -> list[tuple[p.Apart, str]]:
        """The rules that keep the actor from it, in their words; `earlier` is what `earlier` finds for each rule."""
        rules = zip(program.people, earlier, strict=True)
        return [(rule, said) for rule, found in rules if (said := self.same_person(rule, firing, found, delegator))]

    def same_person(self, rule: p.Apart, firing: Firing, earlier: Earlier, delegator: Delegator | None) -> str:
        """Why it must be somebody else than the actor and whoever the actor acts for; empty if nothing says so."""
        for person in (self.actor, delegator) if delegator else (self.actor,):
            if same := self.same_as(person, rule, firing, earlier):
                who = "" if person is self.actor else f" for {person.number}, who is"
                asked = f"`{firing.program.transition.event}` {self.called(firing.record, firing.v[p.OWN])}"
                return f"{self.actor.number} may not {asked}{who or ':'} the same person as {', '.join(same)}."
        return ""

    def same_as(self, person: Actor | Delegator, rule: p.Apart, firing: Firing, earlier: Earlier) -> list[str]:
        """What a rule says of people that this person is or did, or had done in their place."""
        same = [f for f, holder in zip(rule.fields, rule.holders, strict=True) if holder(firing.v) == person.id]
        same += [f"`{event}`" for event, number, login, acting_for in earlier.get(firing.id, ())
                 if person.number in (number, acting_for)
                 or (login and login == person.login and not self.one_login)]  # fmt: skip
        return same

    def earlier(self, rule: p.Apart, firings: list[Firing]) -> dict[int, list[tuple[str, str, str, str | None]]]:
        """Who fired the other events on these records, since the last time an event of `since` was fired."""
        if not rule.events:
            return {}
        log = self.gatherer.metadata.tables[LOG]
        events = [*rule.events, *rule.since]
        found: dict[int, list[tuple[str, str, str, str | None]]] = defaultdict(list)
        statement = select(log.c.record_id, log.c.event, log.c.actor, log.c.login, log.c.acting_for).where(
            log.c.record == firings[0].record.name, log.c.event.in_(events)
        )
        for part in parts([f.id for f in firings]):
            for id_, event, actor, login, acting_for in self.session.rows(
                statement.where(log.c.record_id.in_(part)).order_by(log.c.id)
            ):
                if event in rule.since:
                    found[id_].clear()
                if event in rule.events:
                    found[id_].append((event, actor, login, acting_for))
        self.add_present(rule, firings, found)
        return found

    def add_present(
        self, rule: p.Apart, firings: list[Firing], found: dict[int, list[tuple[str, str, str, str | None]]]
    ) -> None:
        """The same for what the work itself has fired on these records so far; the log does not hold it yet."""
        record = firings[0].record.name
        for first in {id(r): r.firing for f in firings if (r := f.root).firing}.values():
            for firing in in_tree_order(first) if first else ():
                event = firing.program.transition.event
                if firing.record.name == record and event in rule.since:
                    found[firing.id].clear()
                if firing.record.name == record and event in rule.events:
                    acting_for = firing.acting_for.number if firing.acting_for else None
                    found[firing.id].append((event, self.actor.number, self.actor.login, acting_for))
