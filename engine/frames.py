"""Where the names of one place in the rules come from: a transition, its steps, a posting, another record, a list.

A frame gives, for the source generator, the Python source of every name; what must be fetched or worked out for it
becomes an operation of the compiler. Frames read definitions, no store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from . import definitions as d
from . import programs as p
from .cells import constant
from .decisions import build_table
from .errors import ArithmeticProblem, CharterFault, Place
from .expression_python import Code, python_source
from .expression_types import check
from .expressions import Binary, Call, Node, Path, Value, chain, parse, walk
from .library import Library
from .model import TEXT, Parts, Type
from .scopes import Inner, Names, answer_types, formula_names

if TYPE_CHECKING:
    from .compiler_conditions import Conditions


class Frame:
    """Where the names of one place in the rules come from. Satisfies `Code` for the source generator.

    `current` gives, for fields that were set or taken meanwhile, the source of the new value; `taken` the sources of
    what the caller gave. `answers_see` is `current` as decisions of this place see it. `stage` is how many of the
    events that the steps create or fire have come about here: children and created records are seen as these left them.
    """

    def __init__(
        self, compiler: Conditions, names: Names, current: Mapping[str, str], taken: Mapping[str, str]
    ) -> None:
        self.compiler, self.names, self.current, self.taken = compiler, names, current, taken
        self.answers_see: Mapping[str, str] = current
        self.stage = 0
        self.slots: dict[str, str] = {}
        self.frames: dict[str, Frame] = {}
        self.open: set[str] = set()
        self.told_currency: str | None = None

    @property
    def library(self) -> Library:
        return self.compiler.library

    def seeing(self, current: Mapping[str, str], stage: int) -> Frame:
        """The same names where earlier steps did something; names worked out once stay as they are."""
        after = Step(self, dict(current))
        after.answers_see, after.stage = dict(current), stage
        return after

    @property
    def own_id(self) -> str:
        """The source of the number of the record that the names are of."""
        return "v[0][0]"

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
            alias = self.compiler.add(p.Alias, ("alias", name), [], self.compiler.place, record=names.aliases[name])
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
        stage = self.compiler.stage_along(source, self.stage)
        operation = self.compiler.add(
            p.Reference, ("ref", source, type_.of), [source], self.place, stage, record=type_.of
        )
        return f"v[{operation.index}][{operation.position(tuple(rest))}]"

    @property
    def place(self) -> Place:
        return self.compiler.place

    def let(self, name: str) -> str:
        if name not in self.slots:
            if name in self.open:
                raise CharterFault(f"The name `{name}` is worked out from itself.")
            self.open.add(name)
            text = self.names.lets[name]
            with self.compiler.under(""):
                source = self.let_source(name, text)
            # The frame itself stands in the key: its id may be given again once it is gone.
            slot = self.compiler.add(p.Let, ("let", self, name), [source], text.place, name=name)
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
        """The source of the date that decides here: the record's own, or the day of the event where it has none yet."""
        by = self.names.record.dated_by
        if by is None:
            return "v[2][0]"
        # A record that is being created may get its date only from a step.
        return f"({self.own((by,), self.answers_see)} or v[2][0])"

    # --- answers, look-ups, lists ---

    def record_frame(self) -> Frame:
        """The record's own names, as a decision about it sees them."""
        key = "record"
        if key not in self.frames:
            self.frames[key] = self.bare()
        return self.frames[key]

    def bare(self) -> Frame:
        frame = Frame(self.compiler, Names(self.library, self.names.record), self.answers_see, {})
        frame.stage = self.stage
        return frame

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
        if self.library.share_out(use.decision):
            return f"v[{self.shared(use).index}][0]"
        if self.library.formulas(use.decision):
            return self.formulas(use).load(rest)
        asked = self.library.decision(use.decision)
        if asked is not None and asked.keep:
            return self.kept_answer(use, asked)
        operation, decision = self.decided(use)
        if not rest:
            return f"v[{operation.index}][0]" if decision.hit == "collect" else f"v[{operation.index}]"
        place = list(decision.outputs).index(rest[0])
        return self.along(
            f"v[{operation.index}][{place}]", list(decision.outputs.values())[place].type, tuple(rest[1:])
        )

    def kept_answer(self, use: d.Use, decision: d.Decision) -> str:
        """The most permissive of the answers that a decision gives for each element of a list."""
        # They are compiled over frames, of which this is one.
        from .compiler_elements import most_permissive

        key = f"kept {use.name}"
        if key not in self.slots:
            self.slots[key] = most_permissive(self, use, decision)
        self.compiler.need(self.slots[key])
        return self.slots[key]

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

    def shared(self, use: d.Use) -> p.Shared:
        """The operation that shares an amount out."""
        # It is compiled over frames, of which this is one.
        from .compiler_shares import shared_out

        share_out = self.library.share_out(use.decision)
        assert share_out is not None
        return shared_out(self, use, share_out)

    def decided(
        self, use: d.Use, handed: Mapping[str, tuple[Frame, d.Text]] | None = None
    ) -> tuple[p.Decided, d.Decision]:
        """The operation that asks a decision; `handed` are inputs that are read elsewhere than here."""
        decision = self.library.decision(use.decision)
        if decision is None:
            raise CharterFault(f"There is no decision `{use.decision}`.")
        about = self.about(use.of)
        in_place = decision.rows_of is None
        given = {**{n: (self, t) for n, t in use.inputs.items()}, **(handed or {})}
        sources, types = [], []
        for name, text in decision.inputs.items():
            frame, asked = given.get(name, (about, text))
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
            operation.refusal = self.decision_refusal(decision, about, given)
        return operation, decision

    def is_dated(self, decision: d.Decision) -> bool:
        """Does the day make a difference: has any row a first or a last one?"""
        rows = self.library.record(decision.rows_of) if decision.rows_of else None
        return bool(rows and {"from", "until"} & rows.fields.keys()) or any(r.since or r.until for r in decision.rows)

    def decision_refusal(
        self, decision: d.Decision, about: Frame, given: Mapping[str, tuple[Frame, d.Text]]
    ) -> Callable[[p.Values], str]:
        text = decision.refusal or d.Text(f"The decision {decision.name} has no row for this.", decision.place)
        named = InputsFrame(about, decision, given)
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
        known = compiler.memo.get((*key, 0, False)) or compiler.memo.get((*key, 0, True))
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
        operation = compiler.add(
            p.Find, key, sorted(looked.outside), find.place, record=find.of, name=find.name, many=many, by=by,
            last=find.last, none_allowed=find.none_allowed,
        )  # fmt: skip
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
        calendar, measure = self.library.calendar(node.name), self.library.measure(node.name)
        if calendar is None and measure is None:
            return None
        sources = [python_source(a, self) for a in node.arguments]
        if calendar is not None:
            key = ("closed", node.name, *sources)
            closed = self.compiler.add(p.Closed, key, sources, self.place, calendar=node.name)
            return f"v[{closed.index}][0]"
        operation = self.compiler.add(
            p.Measured, ("measure", node.name, *sources), sources, self.place, measure=node.name
        )
        return f"v[{operation.index}][0]"

    def list_source(self, path: Parts) -> str:
        if path[0] in self.names.uses:
            return self.answer(self.names.uses[path[0]], ())
        return f"v[{self.children(path).index}][0]"

    def inner(self, path: Parts, variable: str) -> Code:
        if path[0] in self.names.uses:
            answers = answer_types(self.library, self.names.uses[path[0]].decision)
            return Answered(self, list(answers or ()), variable)
        child = self.children(path)
        record = self.compiler.wanted_record(child.record)
        looked = Looked(self, Names(self.library, record), variable)
        looked.paths = child.paths
        return looked

    def children(self, path: Parts) -> p.Children:
        name = path[-1]
        prefix = tuple(x for x in path[:-1] if x != "this")
        parent = self.load(prefix) if prefix else self.own_id
        owner = self.names.type_of(prefix) if prefix else None
        record = self.compiler.wanted_record(owner.of) if owner else self.names.record
        child = record.children[name]
        target = self.compiler.wanted_record(child.of)
        order = (*((k,) for k in target.key if k != child.by), ("id",))
        key = ("children", parent, child.of, child.by)
        stage = self.stage if parent == self.own_id else self.compiler.stage_along(parent, self.stage)
        return self.compiler.add(
            p.Children, key, [parent], self.place, stage, record=child.of, by=child.by, order=order
        )


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

    def list_source(self, path: Parts) -> str:
        return self.base.list_source(path) if path[0] in self.names.uses else super().list_source(path)

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
        self.answers_see, self.stage = about.answers_see, about.stage

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

    def __init__(self, about: Frame, decision: d.Decision, given: Mapping[str, tuple[Frame, d.Text]]) -> None:
        super().__init__(about.compiler, about.names, about.current, {})
        self.about_frame, self.decision, self.given = about, decision, given

    def said(self, node: Node) -> str:
        if isinstance(node, Path) and node.parts[0] in self.decision.inputs and len(node.parts) == 1:
            frame, text = self.given.get(node.parts[0], (self.about_frame, self.decision.inputs[node.parts[0]]))
            return frame.said(parse(text.text))
        return self.about_frame.said(node)


class Looked(Frame):
    """Records looked through, in `variable`: bare names are theirs; what is not theirs comes from who asks."""

    def __init__(self, outer: Frame, names: Names, variable: str) -> None:
        super().__init__(outer.compiler, names, {}, {})
        self.outer, self.variable = outer, variable
        self.paths: list[Parts] = [("id",)]
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

    def equalities(self, node: Node) -> Iterator[tuple[Parts, str]]:
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
