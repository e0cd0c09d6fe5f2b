"""Compiles transitions into programs: names to values in order, conditions to functions. No I/O.

A frame knows where the names of one place in the rules come from; the sources it gives are Python over the list `v`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from . import definitions as d
from . import programs as p
from .cells import cell_source, joined
from .errors import CharterFault, Place
from .expression_python import FUNCTIONS as RUNTIME
from .expression_python import ArithmeticProblem, Constants, compile_function
from .expressions import Path, parse, parse_template
from .frames import Frame, PostingFrame
from .library import Library
from .model import SCALES, TEXT
from .money import EXACT, unit
from .scopes import posting_names, transition_names
from .tables import columns_of

SLOT = re.compile(r"\bv\[(\d+)\]")
Op = TypeVar("Op", bound=p.Operation)


class Units(dict[str, Decimal]):
    """The smallest amount of each currency; asking for another is a problem of the data, said as one."""

    def __missing__(self, currency: str) -> Decimal:
        known = ", ".join(sorted(self)) or "none"
        raise ArithmeticProblem(f"The currency {currency!r} is not declared; declared are: {known}.")


def to_unit(amount: Decimal | int | None, smallest: Decimal) -> Decimal | None:
    """Round half up to a currency's smallest amount."""
    return None if amount is None else Decimal(amount).quantize(smallest, ROUND_HALF_UP, EXACT)


def to_scale(value: Decimal | int | None, smallest: Decimal) -> Decimal | None:
    """Round half up to the places that are kept, only where there are more; a whole number written out is one, too."""
    if value is None or not isinstance(value, Decimal):
        return None if value is None else Decimal(value)
    if value.as_tuple().exponent >= smallest.as_tuple().exponent:  # type: ignore[operator]
        return value
    return value.quantize(smallest, ROUND_HALF_UP, EXACT)


@dataclass
class Now:
    """The sources of the record's fields as the steps so far leave them.

    `settled` are those that rest on nothing that a step created or fired. From the first that does, all that is set is
    set late: in the order of the steps.
    """

    settled: dict[str, str]
    fields: dict[str, str]
    sets_late: bool = False


class Compiler:
    """Makes one program; see `compile_transition`."""

    def __init__(self, library: Library, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> None:
        self.library, self.record, self.workflow, self.transition = library, record, workflow, transition
        self.columns = columns_of(library, record)
        self.index = {name: i for i, (name, _) in enumerate(self.columns)}
        self.constants = Constants()
        units = Units({name: unit(places) for name, places in library.manifest.currencies.items()})
        self.runtime: dict[str, object] = {"_units": units, "_to_unit": to_unit, "_to_scale": to_scale, "_str": str}
        self.operations: list[p.Operation] = []
        self.memo: dict[tuple[Any, ...], p.Operation] = {}
        self.guard = ""
        self.guard_stage = 0
        self.late = False
        # Of the steps so far: how many create or fire, and the last stage that the present one needs something of.
        self.done = self.reached = 0
        self.read: set[int] = set()
        self.taken = library.taken(record, transition)
        # The sources of what records known by an `as` name are made with.
        self.made: dict[str, dict[str, str]] = {}

    # --- operations ---

    def add(
        self, kind: type[Op], key: tuple[Any, ...], sources: list[str], place: Place, stage: int = 0, **more: Any
    ) -> Op:
        """The operation for this key, made once; needed from now on under the present guard, and not before `stage`."""
        key = (*key, stage)
        found = self.memo.get((*key, False)) or (self.memo.get((*key, True)) if self.late else None)
        if found is None:
            stage = max([stage, *map(self.stage_of, sources)])
            found = kind(p.FIRST + len(self.operations), sources, place, late=self.late, stage=stage, **more)
            self.operations.append(found)
            self.memo[(*key, self.late)] = found
        self.widen(found)
        assert isinstance(found, kind)
        return found

    def widen(self, operation: p.Operation) -> None:
        """Note that an operation, and what it rests on, is needed under the present guard.

        A guard that is known only after the operation is none for it.
        """
        self.reached = max(self.reached, operation.stage)
        if operation.always or self.guard in operation.guards:
            return
        if self.guard and self.guard_stage <= operation.stage:
            operation.guards.append(self.guard)
        else:
            operation.always = True
        for source in operation.sources:
            self.need(source)

    def need(self, source: str) -> None:
        for operation in self.operations_in(source):
            self.widen(operation)

    def operations_in(self, source: str) -> Iterator[p.Operation]:
        for index in SLOT.findall(source):
            if int(index) >= p.FIRST:
                yield self.operations[int(index) - p.FIRST]

    def stage_of(self, source: str) -> int:
        """The stage from which on all that a source rests on is known."""
        return max((o.stage for o in self.operations_in(source)), default=0)

    def stage_along(self, source: str, stage: int) -> int:
        """When to read the record that a source gives: what a step creates is there only after that."""
        made = [o for o in self.operations_in(source) if isinstance(o, p.Alias)]
        return stage if made and source == f"v[{made[0].index}]" else 0

    @contextmanager
    def under(self, guard: str, late: bool = False) -> Iterator[None]:
        """Compile what is needed only where `guard` holds."""
        before = self.guard, self.guard_stage, self.late
        if guard:
            self.guard = f"({self.guard}) and ({guard})" if self.guard else guard
            self.guard_stage = max(self.guard_stage, self.stage_of(guard))
        self.late = late or self.late
        yield
        self.guard, self.guard_stage, self.late = before

    def function(self, source: str, *arguments: str) -> Callable[..., Any]:
        return compile_function(source, arguments or ("v",), {**self.constants.names, **self.runtime})

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
        effects = [e for step in transition.steps for e in self.step(base, step, now, requirements)]
        now.fields |= states
        return self.finished(base, when, selecting, entitlements, requirements, now, effects)

    def states(self) -> dict[str, str]:
        """The states that the event leads to, by field: its own, and where it creates those of other workflows."""
        states = self.library.states_of(self.record)
        target = {n: repr(self.transition.target) for n, w in states.items() if w.name == self.workflow.name}
        others = {n: repr(w.start) for n, w in states.items() if n not in target and w.start}
        ends = self.transition.deletes or not self.transition.target
        return {**({} if ends else target), **(others if self.transition.creates else {})}

    def row(self, fields: Mapping[str, str]) -> Callable[[p.Values], list[Any]]:
        # What is set is needed already, under the condition of its step.
        return self.function(
            "[" + ", ".join(fields.get(n, f"v[0][{i}]") for i, (n, _) in enumerate(self.columns)) + "]"
        )

    def finished(
        self, base: Frame, when: str, selecting: int, entitlements: tuple[p.Entitlement, ...],
        requirements: list[tuple[str, p.Requirement]], now: Now, effects: list[p.Effect],
    ) -> p.Program:  # fmt: skip
        stream = "'main'"
        if self.record.stream:
            stream = f"({base.own_key(self.record.stream)} or 'main')"
        self.need(stream)
        people = self.people(base)
        state = next(n for n, w in self.library.states_of(self.record).items() if w.name == self.workflow.name)
        at_once = " and ".join(f"({s})" for s, r in requirements if not r.stage)
        program = p.Program(
            self.record, self.workflow, self.transition, self.columns, self.index[state], self.taken, self.operations,
            selecting, self.function(when) if when else None, entitlements, tuple(r for _, r in requirements),
            self.function(at_once or "True"), tuple(sorted(self.index[n] for n in now.fields)),
            self.row(now.settled), self.row(now.fields), tuple(effects),
            self.function(stream), tuple(sorted(self.read)), people,
        )  # fmt: skip
        self.segment(program)
        return program

    def segment(self, program: p.Program) -> None:
        """Put operations into runs: computations side by side become one loop."""
        run: list[p.Operation] = []
        for operation in sorted(self.in_order(), key=lambda o: (o.stage, o.late)):
            if operation.guards and not operation.always:
                operation.guard = self.function(" or ".join(f"({g})" for g in operation.guards))
            boundary = run and (
                (operation.stage, operation.late) != (run[-1].stage, run[-1].late)
                or run[-1].index - p.FIRST == program.selecting - 1
            )
            if isinstance(operation, (p.Let, p.Alias)) and not boundary:
                run.append(operation)
                continue
            self.close_run(program, run)
            if isinstance(operation, (p.Let, p.Alias)):
                run = [operation]
                continue
            run = []
            operation.key = self.function("(" + "".join(f"{s}, " for s in operation.sources) + ")")
            if isinstance(operation, p.Find):
                operation.predicate = self.function(operation.predicate_source, "v", "c")
                operation.equal_values = [self.function(s) for _, s in operation.equal]
            program.segments.append(p.Segment(operation, None, operation.index, operation.late, stage=operation.stage))
        self.close_run(program, run)

    def in_order(self) -> list[p.Operation]:
        """The operations so that each comes after what it, or the condition under which it is needed, rests on."""
        ordered: dict[int, p.Operation] = {}

        def place(operation: p.Operation) -> None:
            if operation.index in ordered:
                return
            for source in [*operation.sources, *([] if operation.always else operation.guards)]:
                for index in map(int, SLOT.findall(source)):
                    if index >= p.FIRST and index != operation.index:
                        place(self.operations[index - p.FIRST])
            ordered[operation.index] = operation

        for operation in self.operations:
            place(operation)
        return list(ordered.values())

    def close_run(self, program: p.Program, run: list[p.Operation]) -> None:
        if not run:
            return
        lines = ["def compute(vs, next_id):", "    for v in vs:"]
        for operation in run:
            source = f"next_id({operation.record!r})" if isinstance(operation, p.Alias) else operation.sources[0]
            if operation.guards and not operation.always:
                source = f"({source}) if {' or '.join(f'({g})' for g in operation.guards)} else None"
            lines.append(f"        v[{operation.index}] = {source}")
        space: dict[str, Any] = {"__builtins__": {}, **RUNTIME, **self.constants.names, **self.runtime}
        exec(compile("\n".join(lines), f"<{program.rule}>", "exec"), space)
        aliases = tuple(o.index for o in run if isinstance(o, p.Alias))
        program.segments.append(p.Segment(None, space["compute"], run[-1].index, run[0].late, aliases, run[0].stage))

    # --- the parts of a transition ---

    def cell_sources(self, frame: Frame, cells: tuple[d.Cell, ...]) -> list[str]:
        found = []
        for cell in cells:
            type_ = frame.names.type_of(cell.path) or TEXT
            loaded = frame.key_text(cell.path) if type_.kind == "ref" and cell.values else frame.load(cell.path)
            found.append(cell_source(cell, loaded, type_, self.constants.constant))
        return found

    def entitlement(self, frame: Frame, who: d.Who) -> p.Entitlement:
        if who.field:
            holder = self.function(frame.load(who.field))
            return p.Entitlement(None, holder, None, f"the {'.'.join(who.field)}", who.place)
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

    def requirement(
        self, frame: Frame, r: d.Requirement, guard: str = "", warning: bool = False
    ) -> tuple[str, p.Requirement]:
        source = frame.source(r.that)
        source = f"not ({guard}) or {source}" if guard else source
        name = r.name or r.that.text
        # What is only a warning does not stop the quick test of all; it is asked one by one.
        return source, self.checked(frame, name, source, r.refusal, r.place, warning)

    def checked(
        self, frame: Frame, name: str, source: str, text: d.Text, place: Place, warning: bool = False
    ) -> p.Requirement:
        self.need(source)
        slots = tuple(i for i in map(int, SLOT.findall(source)) if i >= p.FIRST)
        told = self.message(frame, text)
        return p.Requirement(name, self.function(source), told, place, warning, slots, self.stage_of(source))

    def message(self, frame: Frame, text: d.Text) -> Callable[[p.Values], str]:
        """A function that says a message; what only messages need is read only when one is said."""
        with self.under("", late=True):
            parts = [repr(part) if isinstance(part, str) else frame.said(part) for part in parse_template(text.text)]
            source = " + ".join(parts) or "''"
            self.need(source)
        return self.function(source)

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

    # --- steps ---

    def step(
        self, base: Frame, step: d.Step, now: Now, requirements: list[tuple[str, p.Requirement]]
    ) -> Iterator[p.Effect]:
        self.reached = 0
        frame = base.seeing(now.fields, self.done)
        guard = joined(self.cell_sources(frame, step.cells))
        self.need(guard)
        with self.under(guard):
            effects = list(self.effects(frame, step, guard, now, requirements))
        yield from (replace(effect, stage=self.reached) for effect in effects)
        self.done += sum(effect.kind in ("create", "fire") for effect in effects)

    def effects(
        self, frame: Frame, step: d.Step, guard: str, now: Now, requirements: list[tuple[str, p.Requirement]]
    ) -> Iterator[p.Effect]:
        when = self.function(guard) if guard else None
        if step.verb == "set":
            yield from self.set_fields(frame, step, guard, now)
        elif step.verb == "create":
            yield self.created(frame, step, when)
        elif step.verb == "fire":
            yield self.fired(frame, step, when)
        elif step.verb == "post":
            yield self.posted(frame, step, when, requirements, guard)
        elif step.verb == "reverse":
            yield self.reversing(frame, step, when)

    def set_fields(self, frame: Frame, step: d.Step, guard: str, now: Now) -> Iterator[p.Effect]:
        """Fields are set before anything is created or fired, but for what rests on that; and what is set after it."""
        worked_out = {}
        for name, text in step.values.items():
            source = self.fitted(frame, text, self.record.fields[name])
            operation = self.add(p.Let, ("set", name, step.place), [source], step.place, name=f"set {name}")
            before = now.fields.get(name, f"v[0][{self.index[name]}]")
            slot = f"v[{operation.index}]"
            worked_out[name] = f"({slot} if {guard} else {before})" if guard else slot
        now.fields |= worked_out
        if not self.reached and not now.sets_late:
            now.settled |= worked_out
            return
        now.sets_late = True
        row = self.function("(" + "".join(f"{s}, " for s in worked_out.values()) + ")")
        yield p.Effect("set", None, step.place, columns=tuple(self.index[n] for n in worked_out), row=row)

    def fitted(self, frame: Frame, text: d.Text, field: d.Field) -> str:
        """The source of a value for a field: money rounded to its currency, numbers to the places that are kept."""
        source = frame.source(text)
        node = parse(text.text)
        type_ = frame.names.type_of(node.parts) if isinstance(node, Path) else None
        is_let = isinstance(node, Path) and node.parts[0] in frame.names.lets
        if type_ is not None and type_.kind == field.type.kind and not (is_let and type_.kind in ("number", "price")):
            return source
        if field.type.kind == "money":
            return f"_to_unit({source}, _units[{frame.currency(field.name)}])"
        if SCALES.get(field.type.kind):
            return f"_to_scale({source}, {self.constants.constant(unit(SCALES[field.type.kind]))})"
        return source

    def handed(
        self, frame: Frame, texts: Mapping[str, d.Text], fields: Mapping[str, d.Field], more: Mapping[str, str]
    ) -> dict[str, str]:
        """The sources of the values handed to another event."""
        sources = dict(more)
        for name, text in texts.items():
            field = fields.get(name)
            sources[name] = (
                self.fitted(frame, text, field) if field and field.type.kind != "ref" else frame.source(text)
            )
        return sources

    def values(self, sources: Mapping[str, str]) -> Any:
        """A function from v to the values handed over."""
        source = "{" + ", ".join(f"{n!r}: {s}" for n, s in sources.items()) + "}"
        self.need(source)
        return self.function(source)

    def created(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target = self.wanted_record(step.target)
        event = step.event or self.library.creation_event(target) or ""
        fields = self.library.creation_fields(target, event)
        copied = self.copied(frame, step, fields) if step.copied else {}
        handed = self.handed(frame, step.values, fields, copied)
        values = self.values(handed)
        ids, place = None, None
        if step.alias:
            self.made[step.alias] = handed
            alias = self.add(p.Alias, ("alias", step.alias), [], step.place, record=target.name)
            ids, place = self.function(f"v[{alias.index}]"), alias.index
        return p.Effect("create", when, step.place, target.name, event, values, ids, alias=place)

    def copied(self, frame: Frame, step: d.Step, fields: Mapping[str, d.Field]) -> dict[str, str]:
        """The values of the record copied, for all that the creation takes and the step does not say itself."""
        assert step.copied is not None
        made = self.made.get(step.copied[0]) if len(step.copied) == 1 else None
        found = {}
        for name, field in fields.items():
            if name in step.values:
                continue
            # What this very event creates is not there to be read yet; it is known by what it is made with.
            source = made.get(name) if made is not None else self.copied_source(frame, step.copied, name)
            if source is not None:
                negative = f"(None if {source} is None else -({source}))"
                found[name] = negative if step.mirrored and field.mirrored else source
        return found

    def copied_source(self, frame: Frame, copied: p.Path, name: str) -> str | None:
        path = (name,) if copied == ("this",) else (*copied, name)
        return None if frame.names.type_of(path) is None else frame.load((*copied, name))

    def fired(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target, ids = self.targets(frame, step)
        fields: dict[str, d.Field] = {}
        for _, t in self.library.transitions(target, step.target):
            fields |= self.library.taken(target, t)
        self.need(ids)
        values = self.values(self.handed(frame, step.values, fields, {}))
        return p.Effect("fire", when, step.place, target.name, step.target, values, self.function(ids))

    def targets(self, frame: Frame, step: d.Step) -> tuple[d.Record, str]:
        """The record type that a `fire` reaches and the source of the ids, always something to go through."""
        if step.records_of:
            target = self.wanted_record(step.records_of)
            where = step.records_where or d.Text("true", step.place)
            find = d.Find(f"{step.target} records", step.records_of, where, None, False, True, None, step.place)
            return target, f"v[{frame.find(find, many=True).index}][0]"
        path = step.copied or ("this",)
        if path == ("this",):
            return self.record, "(v[0][0],)"
        type_ = frame.names.type_of(path)
        if type_ and type_.kind == "list" and type_.item:
            children = frame.inner(path, "c")
            return self.wanted_record(type_.item.of), f"[{children.load(('id',))} for c in {frame.list_source(path)}]"
        source = frame.load(path)
        return self.wanted_record(type_.of if type_ else ""), f"(() if {source} is None else ({source},))"

    def reversing(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        operation = self.add(p.Reversible, ("reverse", step.target), ["v[0][0]"], step.place, record=self.record.name,
                             event=step.target)  # fmt: skip
        on = frame.source(step.date) if step.date else "None"
        self.need(on)
        return p.Effect("reverse", when, step.place, ids=self.function(f"(v[{operation.index}][0], {on})"))

    def wanted_record(self, name: str) -> d.Record:
        record = self.library.record(name)
        if record is None:
            raise CharterFault(f"{self.workflow.name}: there is no record type `{name}`.")
        return record

    # --- postings ---

    def posted(
        self, frame: Frame, step: d.Step, when: Any, requirements: list[tuple[str, p.Requirement]], guard: str
    ) -> p.Effect:
        posting = self.library.posting(self.posting_name(step))
        ledger = self.library.manifest.ledger
        if posting is None or ledger is None:
            raise CharterFault(f"{self.workflow.name}: there is no posting `{self.posting_name(step)}`.")
        inner = PostingFrame(self, posting_names(self.library, self.record, posting), frame.current, {})
        inner.answers_see, inner.stage = frame.current, frame.stage
        inner.told_currency = inner.source(posting.currency)
        head = f"({inner.source(posting.company)}, {inner.source(posting.date)}, {inner.told_currency})"
        lines = ["def entries(v):", "    out = []"]
        guards = []
        for row in posting.rows:
            row_guard = joined(self.cell_sources(inner, row.cells))
            self.need(row_guard)
            guards.append(row_guard or "True")
            with self.under(row_guard):
                lines += self.entry_lines(inner, posting, row, ledger, row_guard)
                requirements += [
                    self.requirement(inner, r, joined([g for g in (guard, row_guard) if g])) for r in row.requirements
                ]
        if posting.refusal:
            any_row = " or ".join(f"({g})" for g in guards) or "False"
            source = f"not ({guard}) or ({any_row})" if guard else any_row
            requirements.append(
                (source, self.checked(inner, f"{posting.name} has a row", source, posting.refusal, posting.place))
            )
        self.need(head)
        space: dict[str, Any] = {"__builtins__": {}, **RUNTIME, **self.constants.names, **self.runtime}
        exec(compile("\n".join([*lines, "    return out"]), f"<{posting.name}>", "exec"), space)
        code = p.VoucherCode(posting.name, posting.series, self.function(head), space["entries"])
        return p.Effect("post", when, step.place, voucher=code)

    def posting_name(self, step: d.Step) -> str:
        return step.target

    def entry_lines(
        self, frame: Frame, posting: d.Posting, row: d.PostingRow, ledger: d.Ledger, guard: str
    ) -> Iterator[str]:
        yield f"    if {guard or 'True'}:"
        for entry in row.entries:
            texts = {**posting.dimensions, **row.dimensions, **entry.dimensions}
            dimensions = [frame.source(texts[n]) if n in texts else "None" for n in ledger.dimensions]
            key = d.Text(f"'{entry.key}'", entry.place)
            use = d.Use(f"account of {entry.key}", ledger.account, (), {"account_key": key}, entry.place)
            operation, decision = frame.decided(use)
            account = next(i for i, f in enumerate(decision.outputs.values()) if f.type.kind == "ref")
            amount = frame.source(entry.amount)
            line = [
                f"v[{operation.index}][{account}]",
                repr(entry.key),
                repr(f"{posting.name}/{row.name}"),
                "a",
                *dimensions,
            ]
            self.need(", ".join([amount, *line]))
            yield f"        a = {amount if entry.side == 'debit' else f'-({amount})'}"
            yield f"        if a: out.append(({', '.join(line)}))"


def compile_transition(library: Library, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> p.Program:
    """Compile one transition of a checked pack."""
    return Compiler(library, record, workflow, transition).program()
