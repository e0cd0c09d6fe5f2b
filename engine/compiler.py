"""Compiles transitions into programs: names to values in order, conditions to functions. It reads definitions, no store.

A frame knows where the names of one place in the rules come from; the sources it gives are Python over the list `v`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from . import definitions as d
from . import programs as p
from .cells import cell_source, constant, joined
from .decisions import build_table
from .errors import CharterFault, Place
from .expression_python import FUNCTIONS as RUNTIME
from .expression_python import ArithmeticProblem, Code, Constants, compile_function, python_source
from .expression_types import Parts, check
from .expressions import Binary, Call, Node, Path, Value, chain, parse, parse_template, walk
from .library import Library
from .model import SCALES, TEXT, Type
from .money import EXACT, unit
from .scopes import Inner, Names, answer_types, formula_names, posting_names, transition_names
from .tables import columns_of

SLOT = re.compile(r"\bv\[(\d+)\]")
Op = TypeVar("Op", bound=p.Operation)
NO_SOURCE = ""


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
        self.late = False
        self.read: set[int] = set()
        self.taken = library.taken(record, transition)

    # --- operations ---

    def add(self, kind: type[Op], key: tuple[Any, ...], sources: list[str], place: Place, **more: Any) -> Op:
        """The operation for this key, made once; needed from now on under the present guard."""
        found = self.memo.get((*key, False)) or (self.memo.get((*key, True)) if self.late else None)
        if found is None:
            found = kind(p.FIRST + len(self.operations), sources, place, late=self.late, **more)
            self.operations.append(found)
            self.memo[(*key, self.late)] = found
        self.widen(found)
        assert isinstance(found, kind)
        return found

    def widen(self, operation: p.Operation) -> None:
        """Note that an operation, and what it rests on, is needed under the present guard."""
        if operation.always or self.guard in operation.guards:
            return
        if self.guard:
            operation.guards.append(self.guard)
        else:
            operation.always = True
        for source in operation.sources:
            self.need(source)

    def need(self, source: str) -> None:
        for index in SLOT.findall(source):
            if int(index) >= p.FIRST:
                self.widen(self.operations[int(index) - p.FIRST])

    @contextmanager
    def under(self, guard: str, late: bool = False) -> Iterator[None]:
        """Compile what is needed only where `guard` holds."""
        before, was_late = self.guard, self.late
        self.guard = f"({before}) and ({guard})" if before and guard else guard or before
        self.late = late or was_late
        yield
        self.guard, self.late = before, was_late

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
        selecting = len(self.operations)
        entitlements = tuple(self.entitlement(base, who) for who in transition.who)
        requirements = [*self.fitting(base), *(self.requirement(base, r) for r in transition.requirements)]
        requirements += [self.requirement(base, r, warning=True) for r in transition.warnings]
        current = dict(current)
        effects = [e for step in transition.steps for e in self.step(base, step, current, requirements)]
        states = self.library.states_of(record)
        state = next(name for name, w in states.items() if w.name == self.workflow.name)
        if not transition.deletes and transition.target:
            current[state] = repr(transition.target)
        if transition.creates:
            current |= {n: repr(w.start) for n, w in states.items() if n != state and w.start}
        return self.finished(base, names, when, selecting, entitlements, requirements, current, effects, state)

    def finished(
        self, base: Frame, names: Names, when: str, selecting: int, entitlements: tuple[p.Entitlement, ...],
        requirements: list[tuple[str, p.Requirement]], current: Mapping[str, str], effects: list[p.Effect], state: str,
    ) -> p.Program:  # fmt: skip
        row = ", ".join(current.get(name, f"v[0][{i}]") for i, (name, _) in enumerate(self.columns))
        stream = "'main'"
        if self.record.stream:
            stream = f"({base.own_key(self.record.stream)} or 'main')"
        self.need(stream)
        self.need(row)
        people = self.people(base)
        program = p.Program(
            self.record, self.workflow, self.transition, self.columns, self.index[state], self.taken, self.operations,
            selecting, self.function(when) if when else None, entitlements, tuple(r for _, r in requirements),
            self.function(" and ".join(f"({s})" for s, _ in requirements) or "True"),
            tuple(sorted(self.index[n] for n in current)), self.function(f"[{row}]"), tuple(effects),
            self.function(stream), tuple(sorted(self.read)), people,
        )  # fmt: skip
        self.segment(program)
        return program

    def segment(self, program: p.Program) -> None:
        """Put operations into runs: computations side by side become one loop."""
        run: list[p.Operation] = []
        ordered = self.in_order()
        for operation in [*(o for o in ordered if not o.late), *(o for o in ordered if o.late)]:
            if operation.guards and not operation.always:
                operation.guard = self.function(" or ".join(f"({g})" for g in operation.guards))
            boundary = run and (operation.late != run[-1].late or run[-1].index - p.FIRST == program.selecting - 1)
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
            program.segments.append(p.Segment(operation, None, operation.index, operation.late))
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
        program.segments.append(p.Segment(None, space["compute"], run[-1].index, run[0].late, aliases))

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
        return p.Requirement(name, self.function(source), self.message(frame, text), place, warning)

    def message(self, frame: Frame, text: d.Text) -> Callable[[p.Values], str]:
        """A function that says a message; what only messages need is read only when one is said."""
        with self.under("", late=True):
            parts = [repr(part) if isinstance(part, str) else frame.said(part) for part in parse_template(text.text)]
            source = " + ".join(parts) or "''"
            self.need(source)
        return self.function(source)

    def people(self, base: Frame) -> tuple[p.Apart, ...]:
        """The rules by which whoever fires this event must be somebody else."""
        event = self.transition.event
        return tuple(
            p.Apart(tuple(self.function(base.load(f)) for f in rule.fields),
                    tuple(".".join(f) for f in rule.fields),
                    tuple(e for e in rule.events if e != event), rule.since, rule.place)
            for rule in self.workflow.people if event in rule.events
        )  # fmt: skip

    # --- steps ---

    def step(
        self, base: Frame, step: d.Step, current: dict[str, str], requirements: list[tuple[str, p.Requirement]]
    ) -> Iterator[p.Effect]:
        frame = base.seeing(current)
        guard = joined(self.cell_sources(frame, step.cells))
        self.need(guard)
        with self.under(guard):
            if step.verb == "set":
                self.set_fields(frame, step, guard, current)
                return
            when = self.function(guard) if guard else None
            if step.verb == "create":
                yield self.created(frame, step, when)
            elif step.verb == "fire":
                yield self.fired(frame, step, when)
            elif step.verb == "post":
                yield self.posted(frame, step, when, requirements, guard)
            elif step.verb == "reverse":
                yield self.reversing(frame, step, when)

    def set_fields(self, frame: Frame, step: d.Step, guard: str, current: dict[str, str]) -> None:
        worked_out = {}
        for name, text in step.values.items():
            source = self.fitted(frame, text, self.record.fields[name])
            operation = self.add(p.Let, ("set", name, step.place), [source], step.place, name=f"set {name}")
            before = current.get(name, f"v[0][{self.index[name]}]")
            slot = f"v[{operation.index}]"
            worked_out[name] = f"({slot} if {guard} else {before})" if guard else slot
        current |= worked_out

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

    def values(
        self, frame: Frame, texts: Mapping[str, d.Text], fields: Mapping[str, d.Field], more: dict[str, str]
    ) -> Any:
        """A function from v to the values handed to another event."""
        sources = dict(more)
        for name, text in texts.items():
            field = fields.get(name)
            sources[name] = (
                self.fitted(frame, text, field) if field and field.type.kind != "ref" else frame.source(text)
            )
        source = "{" + ", ".join(f"{n!r}: {s}" for n, s in sources.items()) + "}"
        self.need(source)
        return self.function(source)

    def created(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target = self.wanted_record(step.target)
        event = step.event or self.library.creation_event(target) or ""
        fields = self.library.creation_fields(target, event)
        copied = self.copied(frame, step, fields) if step.copied else {}
        values = self.values(frame, step.values, fields, copied)
        ids, place = None, None
        if step.alias:
            alias = self.add(p.Alias, ("alias", step.alias), [], step.place, record=target.name)
            ids, place = self.function(f"v[{alias.index}]"), alias.index
        return p.Effect("create", when, step.place, target.name, event, values, ids, alias=place)

    def copied(self, frame: Frame, step: d.Step, fields: Mapping[str, d.Field]) -> dict[str, str]:
        assert step.copied is not None
        found = {}
        for name, field in fields.items():
            path = step.copied if step.copied != ("this",) else ()
            if name in step.values or frame.names.type_of((*path, name)) is None:
                continue
            source = frame.load((*step.copied, name))
            found[name] = f"(None if {source} is None else -{source})" if step.mirrored and field.mirrored else source
        return found

    def fired(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target, ids = self.targets(frame, step)
        fields: dict[str, d.Field] = {}
        for _, t in self.library.transitions(target, step.target):
            fields |= self.library.taken(target, t)
        self.need(ids)
        values = self.values(frame, step.values, fields, {})
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
        inner.answers_see = frame.current
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


class Frame:
    """Where the names of one place in the rules come from. Satisfies `Code` for the source generator.

    `current` gives, for fields that were set or taken meanwhile, the source of the new value; `taken` the sources of what
    the caller gave. `answers_see` is `current` as decisions of this place see it.
    """

    def __init__(self, compiler: Compiler, names: Names, current: Mapping[str, str], taken: Mapping[str, str]) -> None:
        self.compiler, self.names, self.current, self.taken = compiler, names, current, taken
        self.answers_see: Mapping[str, str] = current
        self.slots: dict[str, str] = {}
        self.frames: dict[str, Frame] = {}
        self.open: set[str] = set()
        self.told_currency: str | None = None

    @property
    def library(self) -> Library:
        return self.compiler.library

    def seeing(self, current: Mapping[str, str]) -> Frame:
        """The same names where earlier steps set fields; names worked out once stay as they are."""
        after = Step(self, dict(current))
        after.answers_see = dict(current)
        return after

    # --- sources ---

    def source(self, text: d.Text) -> str:
        source = python_source(parse(text.text), self)
        self.compiler.need(source)
        return source

    def load(self, path: Parts) -> str:
        head, rest = path[0], tuple(path[1:])
        if head == "this":
            return self.own(rest or ("id",), {})
        if head in self.names.uses:
            return self.answer(self.names.uses[head], rest)
        if head == "parameter":
            return self.parameter(rest[0])
        if (named := self.named(head)) is not None:
            source, type_ = named
            if head in self.names.finds:
                return self.found(head, rest)
            return self.along(source, type_, rest)
        return self.own(tuple(path), self.current)

    def named(self, name: str) -> tuple[str, Type] | None:
        names = self.names
        type_ = names.type_of((name,))
        if name in self.taken:
            return self.taken[name], type_ or TEXT
        if name in names.lets:
            return self.let(name), type_ or TEXT
        if name in names.finds:
            return self.found(name, ()), type_ or TEXT
        if name in names.aliases:
            alias = self.compiler.add(
                p.Alias, ("alias", name), [], self.compiler.transition.place, record=names.aliases[name]
            )
            return f"v[{alias.index}]", type_ or TEXT
        if name == "today":
            return "v[2][0]", type_ or TEXT
        if name == "actor":
            return "v[2][2]", type_ or TEXT
        return None

    def own(self, path: Parts, current: Mapping[str, str]) -> str:
        """The source of a path that starts at a field of the record itself."""
        head, rest = path[0], tuple(path[1:])
        index = self.compiler.index[head]
        if head in current:
            source = current[head]
            self.compiler.need(source)
        else:
            source = f"v[0][{index}]"
            self.compiler.read.add(index)
        return self.along(source, self.compiler.columns[index][1], rest)

    def along(self, source: str, type_: Type, rest: Parts) -> str:
        """Follow a reference; the values along it are read together."""
        if not rest:
            return source
        operation = self.compiler.add(p.Reference, ("ref", source, type_.of), [source], self.place, record=type_.of)
        return f"v[{operation.index}][{operation.position(tuple(rest))}]"

    @property
    def place(self) -> Place:
        return self.compiler.transition.place

    def let(self, name: str) -> str:
        if name not in self.slots:
            if name in self.open:
                raise CharterFault(f"The name `{name}` is worked out from itself.")
            self.open.add(name)
            text = self.names.lets[name]
            with self.compiler.under(""):
                source = self.let_source(name, text)
            slot = self.compiler.add(p.Let, ("let", id(self), name), [source], text.place, name=name)
            self.slots[name] = f"v[{slot.index}]"
            self.open.discard(name)
        self.compiler.need(self.slots[name])
        return self.slots[name]

    def let_source(self, name: str, text: d.Text) -> str:
        node = parse(text.text)
        source = python_source(node, self)
        type_ = self.names.let_type(name)
        if type_ is None or type_.kind != "money" or self.is_rounded(node):
            return source
        return f"_to_unit({source}, _units[{self.currency(None)}])"

    def is_rounded(self, node: Node) -> bool:
        """A name of rounded money needs no rounding again; neither do sums of such names."""
        if isinstance(node, Binary) and node.operator in ("+", "-"):
            return all(self.is_rounded(n) for n in (node.left, node.right))
        return isinstance(node, Path)

    def currency(self, field: str | None) -> str:
        """The source of the currency that money here is in."""
        if self.told_currency is not None:
            return self.told_currency
        record = self.names.record
        declared = record.fields[field].currency if field in record.fields and field else None
        path = declared or record.currency
        if path is None:
            raise CharterFault(f"The record type `{record.name}` has money and does not say its `currency`.")
        return self.record_frame().load(path)

    def parameter(self, name: str) -> str:
        parameter = self.library.parameters[name]
        rows = [(_day(a), _day(b), constant(value, parameter.field.type)) for a, b, value in parameter.rows]
        bound = f"_parameter_{name}"
        self.compiler.runtime[bound] = _dated(name, rows)
        on = self.record_frame().date()
        slot = self.compiler.add(
            p.Let, ("parameter", name, on), [f"{bound}({on})"], parameter.place, name=f"parameter.{name}"
        )
        return f"v[{slot.index}]"

    def date(self) -> str:
        """The source of the date that decides here."""
        by = self.names.record.dated_by
        if by is None:
            return "v[2][0]"
        source = self.own((by,), self.answers_see)
        return f"({source} or v[2][0])" if self.names.record.fields[by].type.optional else source

    # --- answers, look-ups, lists ---

    def record_frame(self) -> Frame:
        """The record's own names, as a decision about it sees them."""
        key = "record"
        if key not in self.frames:
            self.frames[key] = self.bare()
        return self.frames[key]

    def bare(self) -> Frame:
        return Frame(self.compiler, Names(self.library, self.names.record), self.answers_see, {})

    def about(self, path: Parts) -> Frame:
        """The frame of the record at the end of a path."""
        if not path:
            return self.record_frame()
        type_ = self.names.type_of(path)
        record = self.compiler.wanted_record(type_.of if type_ else "")
        key = ".".join(path)
        if key not in self.frames:
            self.frames[key] = Referred(self, Names(self.library, record), self.load(path))
        return self.frames[key]

    def answer(self, use: d.Use, rest: Parts) -> str:
        if self.library.formulas(use.decision):
            return self.formulas(use).load(rest)
        operation, decision = self.decided(use)
        if not rest:
            return f"v[{operation.index}][0]" if decision.hit == "collect" else f"v[{operation.index}]"
        place = list(decision.outputs).index(rest[0])
        return self.along(
            f"v[{operation.index}][{place}]", list(decision.outputs.values())[place].type, tuple(rest[1:])
        )

    def formulas(self, use: d.Use) -> Frame:
        key = f"formulas {use.name}"
        if key not in self.frames:
            formulas = self.library.formulas(use.decision)
            assert formulas is not None
            about = self.about(use.of)
            names = formula_names(self.library, formulas, about.names.record)
            given = {n: self.source(t) for n, t in use.inputs.items()}
            self.frames[key] = FormulaFrame(about, names, formulas, given)
        return self.frames[key]

    def decided(self, use: d.Use) -> tuple[p.Decided, d.Decision]:
        decision = self.library.decision(use.decision)
        if decision is None:
            raise CharterFault(f"There is no decision `{use.decision}`.")
        about = self.about(use.of)
        in_place = decision.rows_of is None
        sources, types = [], []
        for name, text in decision.inputs.items():
            frame, asked = (self, use.inputs[name]) if name in use.inputs else (about, text)
            type_, _ = check(parse(asked.text), frame.names)
            by_key = in_place and type_.kind == "ref"
            sources.append(frame.key_of(asked) if by_key else frame.source(asked))
            types.append(type_)
        on = (
            "None"
            if not self.is_dated(decision)
            else about.source(decision.dated_by)
            if decision.dated_by
            else about.date()
        )
        outputs = [f.type for f in decision.outputs.values()]
        key = ("decided", decision.name, *sources, on)
        operation = self.compiler.add(p.Decided, key, [*sources, on], use.place)
        if operation.table is None:
            operation.table = build_table(decision, types, outputs)
            operation.refusal = self.decision_refusal(use, decision, about)
        return operation, decision

    def is_dated(self, decision: d.Decision) -> bool:
        """Does the day make a difference: has any row a first or a last one?"""
        rows = self.library.record(decision.rows_of) if decision.rows_of else None
        return bool(rows and {"from", "until"} & rows.fields.keys()) or any(r.since or r.until for r in decision.rows)

    def decision_refusal(self, use: d.Use, decision: d.Decision, about: Frame) -> Callable[[p.Values], str]:
        text = decision.refusal or d.Text(f"The decision {decision.name} has no row for this.", decision.place)
        named = InputsFrame(self, about, use, decision)
        return self.compiler.message(named, text)

    def key_of(self, text: d.Text) -> str:
        node = parse(text.text)
        return self.key_text(node.parts) if isinstance(node, Path) else self.source(text)

    def key_text(self, path: Parts) -> str:
        """The source of the key by which people call the record at the end of a path."""
        type_ = self.names.type_of(path)
        record = self.library.record(type_.of) if type_ else None
        return self._joined_key(self.load(path), type_ or TEXT, record)

    def own_key(self, path: Parts) -> str:
        type_ = self.library.along(Type("ref", of=self.names.record.name), tuple(path)) or TEXT
        return self._joined_key(self.own(path, {}), type_, self.library.record(type_.of))

    def _joined_key(self, source: str, type_: Type, record: d.Record | None) -> str:
        paths = self.library.key_paths(record) if record else []
        parts = [f"_str({self.along(source, type_, path)})" for path in paths]
        if not parts:
            return source
        key = " + '/' + ".join(parts)
        return f"(None if {source} is None else {key})"

    def said(self, node: Node) -> str:
        """The source of a value in a message; a record is called by its key."""
        if isinstance(node, Path):
            type_ = self.names.type_of(node.parts)
            if type_ and type_.kind == "ref":
                return f"_text({self.key_text(node.parts)})"
        return f"_text({python_source(node, self)})"

    def found(self, name: str, rest: Parts) -> str:
        operation = self.find(self.names.finds[name])
        return f"v[{operation.index}][{operation.position(tuple(rest) or ('id',))}]"

    def find(self, find: d.Find, many: bool = False) -> p.Find:
        key = ("find", find.name, find.place)
        compiler = self.compiler
        known = compiler.memo.get((*key, False)) or compiler.memo.get((*key, True))
        if known is not None:
            compiler.widen(known)
            assert isinstance(known, p.Find)
            return known
        target = compiler.wanted_record(find.of)
        looked = Looked(self, Names(self.library, target), "c")
        node = parse(find.where.text)
        predicate = python_source(node, looked)
        equal = list(looked.equalities(node))
        by = (find.by,) if find.by else None
        operation = compiler.add(p.Find, key, sorted(looked.outside), find.place, record=find.of, name=find.name, many=many,
                                 by=by, last=find.last, none_allowed=find.none_allowed)  # fmt: skip
        operation.paths = looked.paths
        operation.predicate_source, operation.equal = predicate, equal
        operation.position(by or ("id",))
        if not many:
            text = find.refusal or d.Text(f"Found no {find.of} for {find.name}.", find.place)
            operation.refusal = compiler.message(self, text)
        return operation

    # --- what the source generator asks ---

    def constant(self, value: Value) -> str:
        return self.compiler.constants.constant(value)

    def type_of(self, path: Parts) -> Type | None:
        return self.names.type_of(path)

    def call(self, node: Call) -> str | None:
        measure = self.library.measure(node.name)
        if measure is None:
            return None
        sources = [python_source(a, self) for a in node.arguments]
        operation = self.compiler.add(
            p.Measured, ("measure", node.name, *sources), sources, self.place, measure=node.name
        )
        return f"v[{operation.index}][0]"

    def list_source(self, path: Parts) -> str:
        if path[0] in self.names.uses:
            operation, _ = self.decided(self.names.uses[path[0]])
            return f"v[{operation.index}][0]"
        return f"v[{self.children(path).index}][0]"

    def inner(self, path: Parts, variable: str) -> Code:
        if path[0] in self.names.uses:
            decision = self.library.decision(self.names.uses[path[0]].decision)
            return Answered(self, list(decision.outputs) if decision else [], variable)
        child = self.children(path)
        record = self.compiler.wanted_record(child.record)
        looked = Looked(self, Names(self.library, record), variable)
        looked.paths = child.paths
        return looked

    def children(self, path: Parts) -> p.Children:
        name = path[-1]
        prefix = tuple(x for x in path[:-1] if x != "this")
        parent = self.load(prefix) if prefix else "v[0][0]"
        owner = self.names.type_of(prefix) if prefix else None
        record = self.compiler.wanted_record(owner.of) if owner else self.names.record
        child = record.children[name]
        target = self.compiler.wanted_record(child.of)
        order = tuple((k,) for k in target.key if k != child.by) + (("id",),)
        return self.compiler.add(p.Children, ("children", parent, child.of, child.by), [parent], self.place, record=child.of,
                                 by=child.by, order=order)  # fmt: skip


class Step(Frame):
    """A transition's names as a later step sees them: fields as set meanwhile, names as worked out once."""

    def __init__(self, base: Frame, current: Mapping[str, str]) -> None:
        super().__init__(base.compiler, base.names, current, base.taken)
        self.base = base

    def let(self, name: str) -> str:
        return self.base.let(name)

    def found(self, name: str, rest: Parts) -> str:
        return self.base.found(name, rest)

    def answer(self, use: d.Use, rest: Parts) -> str:
        return self.base.answer(use, rest)

    def load(self, path: Parts) -> str:
        # A field that an event takes and a step then sets has its new value.
        if path[0] in self.taken and path[0] in self.current and self.current[path[0]] != self.taken[path[0]]:
            return self.own(tuple(path), self.current)
        return super().load(path)


class PostingFrame(Frame):
    """A posting's names over the record as the steps before it left it."""


class Referred(Frame):
    """The names of another record, reached along a reference whose id `root` gives."""

    def __init__(self, outer: Frame, names: Names, root: str) -> None:
        super().__init__(outer.compiler, names, {}, {})
        self.root = root

    def own(self, path: Parts, current: Mapping[str, str]) -> str:
        if tuple(path) == ("id",):
            return self.root
        return self.along(self.root, Type("ref", of=self.names.record.name), tuple(path))

    def bare(self) -> Frame:
        return Referred(self, Names(self.library, self.names.record), self.root)


class FormulaFrame(Frame):
    """The names of formulas; a name with alternatives is worked out by the one chosen."""

    def __init__(self, about: Frame, names: Names, formulas: d.Formulas, given: Mapping[str, str]) -> None:
        super().__init__(about.compiler, names, about.current, given)
        self.about_frame, self.declared = about, formulas
        self.answers_see = about.answers_see

    def own(self, path: Parts, current: Mapping[str, str]) -> str:
        return self.about_frame.own(path, self.about_frame.current)

    def bare(self) -> Frame:
        return self.about_frame.record_frame()

    def let_source(self, name: str, text: d.Text) -> str:
        if name in self.declared.steps or not self.declared.chosen_by:
            return super().let_source(name, text)
        chosen = self.load(d.dotted(self.declared.chosen_by))
        source = "None"
        for choice, steps in self.declared.choices.items():
            if name in steps:
                source = f"({super().let_source(name, steps[name])} if {chosen} == {choice!r} else {source})"
        return source


class InputsFrame(Frame):
    """The inputs of a decision as names, for its refusal."""

    def __init__(self, asker: Frame, about: Frame, use: d.Use, decision: d.Decision) -> None:
        super().__init__(asker.compiler, about.names, about.current, {})
        self.asker, self.about_frame, self.use, self.decision = asker, about, use, decision

    def _input(self, name: str) -> tuple[Frame, d.Text]:
        if name in self.use.inputs:
            return self.asker, self.use.inputs[name]
        return self.about_frame, self.decision.inputs[name]

    def said(self, node: Node) -> str:
        if isinstance(node, Path) and node.parts[0] in self.decision.inputs and len(node.parts) == 1:
            frame, text = self._input(node.parts[0])
            return frame.said(parse(text.text))
        return self.about_frame.said(node)


class Looked(Frame):
    """Records looked through, in `variable`: bare names are theirs; what is not theirs comes from who asks."""

    def __init__(self, outer: Frame, names: Names, variable: str) -> None:
        super().__init__(outer.compiler, names, {}, {})
        self.outer, self.variable = outer, variable
        self.paths: list[p.Path] = [("id",)]
        self.outside: set[str] = set()
        self.scope = Inner(names, outer.names)

    def is_outside(self, path: Parts) -> bool:
        return path[0] in ("this", "parameter", "today", "actor") or (
            self.names.type_of(path) is None and self.scope.type_of(path) is not None
        )

    def load(self, path: Parts) -> str:
        if self.is_outside(path):
            # `this` is the record that asks: within its own names it is written without the word.
            inside = tuple(path[1:]) if path[0] == "this" and len(path) > 1 else tuple(path)
            source = self.outer.load(inside)
            self.outside.add(source)
            return source
        if tuple(path) not in self.paths:
            self.paths.append(tuple(path))
        return f"{self.variable}[{self.paths.index(tuple(path))}]"

    def type_of(self, path: Parts) -> Type | None:
        return self.scope.type_of(path)

    def call(self, node: Call) -> str | None:
        return None

    def equalities(self, node: Node) -> Iterator[tuple[p.Path, str]]:
        """The `field == value` conditions that every hit must meet and the database can ask."""
        conditions = chain(node) if isinstance(node, Binary) and node.operator == "and" else [node]
        for condition in conditions:
            if not isinstance(condition, Binary) or condition.operator != "==":
                continue
            for field, other in ((condition.left, condition.right), (condition.right, condition.left)):
                if isinstance(field, Path) and not self.is_outside(field.parts) and self._is_fixed(other):
                    yield tuple(field.parts), python_source(other, self)
                    break

    def _is_fixed(self, node: Node) -> bool:
        return all(self.is_outside(x.parts) for x in walk(node) if isinstance(x, Path)) and not any(
            isinstance(x, Call) for x in walk(node)
        )


class Answered(Frame):
    """The rows that a collecting decision answered, one in `variable`."""

    def __init__(self, outer: Frame, outputs: list[str], variable: str) -> None:
        super().__init__(outer.compiler, outer.names, {}, {})
        self.outer, self.outputs, self.variable = outer, outputs, variable

    def load(self, path: Parts) -> str:
        if path[0] in self.outputs:
            return f"{self.variable}[{self.outputs.index(path[0])}]"
        return self.outer.load(path[1:] if path[0] == "this" else path)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _dated(name: str, rows: list[tuple[date | None, date | None, Any]]) -> Callable[[date], Any]:
    def value(on: date) -> Any:
        for since, until, found in rows:
            if (since is None or since <= on) and (until is None or on <= until):
                return found
        raise ArithmeticProblem(f"The parameter {name} has no value on {on}.")

    return value


def compile_transition(library: Library, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> p.Program:
    """Compile one transition of a checked pack."""
    return Compiler(library, record, workflow, transition).program()


__all__ = ["Compiler", "answer_types", "compile_transition"]
