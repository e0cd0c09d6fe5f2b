"""Compiles transitions into programs: names to values in order, conditions to functions. No I/O.

A frame knows where the names of one place in the rules come from; the sources it gives are Python over the list `v`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import definitions as d
from . import programs as p
from .cells import joined
from .compiler_conditions import Conditions
from .compiler_limits import Limits
from .compiler_steps import Now, Steps
from .frames import Frame
from .library import Library
from .scopes import transition_names
from .tables import columns_of


class Compiler(Conditions):
    """Makes one program; see `compile_transition`."""

    def __init__(self, library: Library, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> None:
        super().__init__(library, transition.place, columns_of(library, record))
        self.record, self.workflow, self.transition = record, workflow, transition
        self.taken = library.taken(record, transition)

    # --- the whole ---

    def program(self) -> p.Program:
        transition, record = self.transition, self.record
        names = transition_names(self.library, record, transition)
        taken = {n: f"v[1][{i}]" for i, n in enumerate(self.taken)}
        current = {n: s for n, s in taken.items() if n in record.fields} if not transition.creates else {}
        base = Frame(self, names, {}, taken)
        base.answers_see = current
        when = joined(self.cell_sources(base, transition.cells))
        self.need(when)
        selecting = len(self.operations)
        entitlements = tuple(self.entitlement(base, who) for who in transition.who)
        for find in transition.finds:
            # What must be there is looked for even where nothing else asks for it.
            if not find.none_allowed:
                base.find(find)
        requirements = [*self.fitting(base), *(self.requirement(base, r) for r in transition.requirements)]
        requirements += [self.requirement(base, r, warning=True) for r in transition.warnings]
        states = self.states()
        now = Now({**current, **states}, dict(current))
        steps = Steps(self, base, now, requirements)
        effects = [e for step in transition.steps for e in steps.step(step)]
        now.fields |= states
        limits = [Limits(steps, limit) for limit in self.library.limits_at(record.name, transition.event)]
        effects += [e for limit in limits for e in limit.effects()]
        program = self.finished(base, when, selecting, entitlements, requirements, now, effects)
        program.conditions = tuple(steps.conditions)
        program.claims = tuple(limit.claimed for limit in limits)
        return program

    def states(self) -> dict[str, str]:
        """The states that the event leads to, by field: its own, and where it creates those of other workflows."""
        states = self.library.states_of(self.record)
        target = {n: repr(self.transition.target) for n in states if n == self.workflow.field}
        others = {n: repr(w.start_of(self.transition.event)) for n, w in states.items() if n not in target and w.start}
        ends = self.transition.deletes or not self.transition.target
        return {**({} if ends else target), **(others if self.transition.creates else {})}

    def row(self, fields: Mapping[str, str]) -> Callable[[p.Values], list[Any]]:
        # What is set is needed already, under the condition of its step.
        values = [fields.get(n, f"v[0][{i}]") for i, (n, _) in enumerate(self.columns)]
        return self.function(f"[{', '.join(values)}]")

    def finished(
        self, base: Frame, when: str, selecting: int, entitlements: tuple[p.Entitlement, ...],
        requirements: list[tuple[str, p.Requirement]], now: Now, effects: list[p.Effect],
    ) -> p.Program:  # fmt: skip
        stream = "'main'"
        if self.record.stream:
            stream = f"({base.own_key(self.record.stream)} or 'main')"
        self.need(stream)
        people = self.people(base)
        state = self.workflow.field
        at_once = " and ".join(f"({s})" for s, r in requirements if not r.stage)
        program = p.Program(
            self.record, self.workflow, self.transition, self.columns, self.index[state], self.taken, self.operations,
            selecting, self.function(when) if when else None, entitlements, tuple(r for _, r in requirements),
            self.function(at_once or "True"), tuple(sorted(self.index[n] for n in now.fields)),
            self.row(now.settled), self.row(now.fields), tuple(effects),
            self.function(stream), tuple(sorted(self.read)), people,
        )  # fmt: skip
        program.segments += self.segments(program.rule, selecting)
        return program

    # --- the parts of a transition ---

    def entitlement(self, frame: Frame, who: d.Who) -> p.Entitlement:
        if who.field:
            holder = self.function(frame.load(who.field))
            said = " of the ".join(reversed([name for name in who.field if name != "this"]))
            return p.Entitlement(None, holder, None, f"the {said}", who.place)
        held_for = self.role_holder(frame, who)
        if who.decision:
            return self.decided_entitlement(frame, who, held_for)
        held_of = self.library.manifest.roles.get(who.role or "")
        said = f"{who.role} of the {who.of[-1] if who.of else ''}" if held_of and held_of.of else str(who.role)
        return p.Entitlement(who.role, held_for if held_of and held_of.of else None, None, said, who.place)

    def role_holder(self, frame: Frame, who: d.Who) -> Callable[[p.Values], Any] | None:
        if not who.of:
            return None
        type_ = frame.names.type_of(who.of)
        key = frame.key_text(who.of)
        self.need(key)
        return self.function(f"{(type_.of if type_ else '') + '/'!r} + _str({key})")

    def decided_entitlement(self, frame: Frame, who: d.Who, holder: Callable[[p.Values], Any] | None) -> p.Entitlement:
        use = d.Use(str(who.decision), str(who.decision), (), {}, who.place)
        operation, decision = frame.decided(use)
        outputs = list(decision.outputs)
        role = outputs.index("role")
        tests = [f"r[{outputs.index(n)}] == {frame.source(t)}" for n, t in who.where.items()]
        rows = f"v[{operation.index}][0]" if decision.hit == "collect" else f"[v[{operation.index}]]"
        roles = self.function(f"[r[{role}] for r in {rows} if {' and '.join(tests) or 'True'}]")
        return p.Entitlement(None, holder, roles, f"whom {who.decision} names", who.place)

    def fitting(self, frame: Frame) -> list[tuple[str, p.Requirement]]:
        """What is given as money must be payable: no more places than its currency has."""
        found = []
        for name, field in self.taken.items():
            if field.type.kind != "money":
                continue
            given, currency = frame.load((name,)), frame.currency(name)
            source = f"{given} is None or {given} == _to_unit({given}, _units[{currency}])"
            text = d.Text(f"{{{name}}} has more places than its currency.", field.place)
            found.append((source, self.checked(frame, f"{name} fits its currency", source, text, field.place)))
        return found

    def people(self, base: Frame) -> tuple[p.Apart, ...]:
        """The rules by which whoever fires this event must be somebody else.

        An event that a rule names twice is fired by somebody else each time.
        """
        event = self.transition.event
        return tuple(
            p.Apart(tuple(self.function(base.load(f)) for f in rule.fields),
                    tuple(".".join(f) for f in rule.fields),
                    tuple(e for e in dict.fromkeys(rule.events) if e != event or rule.events.count(e) > 1),
                    rule.since, rule.place)
            for rule in self.workflow.people if event in rule.events
        )  # fmt: skip


def compile_transition(library: Library, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> p.Program:
    """Compile one transition of a checked pack."""
    return Compiler(library, record, workflow, transition).program()
