"""Which names stand in an expression, and their types: one answer for the checker and for the compiler. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from . import definitions as d
from .errors import NOWHERE
from .expression_scopes import Scope, Signature
from .expression_types import check
from .expressions import Binary, Call, ExpressionError, Node, parse
from .library import Library
from .model import CALENDAR, DATE, MONEY, NONE, NUMBER, WHOLE, Parts, Type
from .type_relations import UNKNOWN

GROUP = Type("group")
# What expressions stand over that see the fields of no record.
NO_RECORD = d.Record("", "", (), (), None, None, None, None, (), {}, {}, NOWHERE)


@dataclass
class Names:
    """The names of a transition, posting, formulas or decision over one record type; satisfies `Scope`.

    `taken` hides fields; `this.NAME` is always the field. `further` are names whose types are simply known.
    """

    library: Library
    record: d.Record
    taken: Mapping[str, d.Field] = field(default_factory=dict)
    lets: Mapping[str, d.Text] = field(default_factory=dict)
    finds: Mapping[str, d.Find] = field(default_factory=dict)
    uses: Mapping[str, d.Use] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    further: Mapping[str, Type] = field(default_factory=dict)
    reads_lists: bool = True
    _inferred: dict[str, Type] = field(default_factory=dict)

    def type_of(self, path: Parts) -> Type | None:
        head, rest = path[0], path[1:]
        if head == "this":
            return self.library.along(self.this, rest) if rest else self.this
        if head == "parameter":
            parameter = self.library.parameters.get(rest[0]) if len(rest) == 1 else None
            return parameter.field.type if parameter else None
        if head in self.uses:
            return self._answer(self.uses[head], rest)
        start = self._named(head)
        if start is None:
            return self.library.along(self.this, path)
        return self.library.along(start, rest) if rest else start

    @property
    def this(self) -> Type:
        return Type("ref", of=self.record.name)

    def _named(self, name: str) -> Type | None:
        if name in self.taken:
            return self.taken[name].type
        if name in self.lets:
            return self.let_type(name)
        if name in self.finds:
            found = Type("ref", of=self.finds[name].of)
            return found.or_none() if self.finds[name].none_allowed else found
        if name in self.aliases:
            return Type("ref", of=self.aliases[name])
        if name in self.further:
            return self.further[name]
        return {"today": DATE, "actor": Type("ref", of="actor")}.get(name)

    def let_type(self, name: str) -> Type:
        """The type of a `let`, found out from its expression; unknown where that has errors or runs in a circle."""
        if name not in self._inferred:
            self._inferred[name] = UNKNOWN
            try:
                type_, errors = check(parse(self.lets[name].text), self)
            except ExpressionError:
                return UNKNOWN
            self._inferred[name] = UNKNOWN if errors else type_
        return self._inferred[name]

    def _answer(self, use: d.Use, rest: Parts) -> Type | None:
        answers = answer_types(self.library, use.decision)
        collected = answers_list(self.library, use.decision)
        if answers is None:
            return UNKNOWN
        if not rest:
            return Type("list", item=GROUP) if collected else GROUP
        start = answers.get(rest[0])
        found = self.library.along(start, rest[1:]) if start and rest[1:] else start
        return Type("list", item=found) if found and collected else found

    def names(self, path: Parts) -> list[str]:
        if not path:
            own = [
                *self.taken,
                *self.lets,
                *self.finds,
                *self.uses,
                *self.aliases,
                *self.further,
                "today",
                "actor",
                "this",
            ]
            return own + self.library.members(self.record)
        if path == ("parameter",):
            return list(self.library.parameters)
        if len(path) == 1 and path[0] in self.uses:
            return list(answer_types(self.library, self.uses[path[0]].decision) or ())
        here = self.type_of(path)
        inner = here.item if here and here.kind == "list" else here
        record = self.library.record(inner.of) if inner and inner.kind == "ref" else None
        return self.library.members(record) if record else []

    def inner(self, path: Parts) -> Scope:
        type_ = self.type_of(path)
        item = type_.item if type_ else None
        if item and item.kind == "ref" and (record := self.library.record(item.of)):
            return Inner(Names(self.library, record), self)
        answers = answer_types(self.library, self.uses[path[0]].decision) if path[0] in self.uses else {}
        return Inner(Names(self.library, NO_RECORD, further=answers or {}), self)

    def function(self, name: str) -> Signature | None:
        calendar = self.library.calendar(name)
        if calendar is not None:
            return Signature(_by_types(self.library, calendar.of, calendar.by), CALENDAR)
        measure = self.library.measure(name)
        of = self.library.record(measure.of) if measure else None
        if measure is None or of is None:
            return None
        arguments = _by_types(self.library, measure.of, measure.by)
        # What is left out from the right is summed over.
        return Signature(arguments, measure_type(self.library, measure, of), least=min(1, len(arguments)))


@dataclass
class Inner:
    """The scope of a list's elements, or of records looked through: bare names are theirs, `this` asks."""

    element: Names
    outer: Names
    shared: Mapping[str, Any] = field(default_factory=dict)
    # The lists of one record are read along with it; those of each of many would need to be read one by one.
    reads_lists: bool = False

    def type_of(self, path: Parts) -> Type | None:
        if path[0] in ("this", "parameter", "today", "actor"):
            return self.outer.type_of(path)
        found = self.element.type_of(path)
        if found is None and path[0] not in self.library_members():
            return self.outer.type_of(path) if self._is_named_outside(path[0]) else None
        return found

    def library_members(self) -> list[str]:
        return self.element.library.members(self.element.record)

    def _is_named_outside(self, name: str) -> bool:
        o = self.outer
        return any(name in names for names in (o.taken, o.lets, o.finds, o.uses, o.further))

    def names(self, path: Parts) -> list[str]:
        if path[:1] == ("this",):
            return self.outer.names(path)
        o = self.outer
        outside = [] if path else [*o.taken, *o.lets, *o.finds, *o.uses, *o.further]
        return self.element.names(path) + outside

    def inner(self, path: Parts) -> Scope:
        return self.element.inner(path)

    def function(self, name: str) -> Signature | None:
        return None


@dataclass
class ElementNames(Names):
    """The names of one element of a list that a rule goes over, with names of its own.

    What the element has comes first, then what is worked out around it; `this.NAME` is what NAME means around it.
    """

    outer: Names = field(default_factory=lambda: Names(None, NO_RECORD))  # type: ignore[arg-type]

    def type_of(self, path: Parts) -> Type | None:
        if path[0] == "this":
            return self.outer.type_of(path[1:] or path)
        found = super().type_of(path)
        return self.outer.type_of(path) if found is None and self.is_outside(path[0]) else found

    def is_outside(self, name: str) -> bool:
        """Is it worked out around the list, and no name of the element?"""
        own = (self.lets, self.uses, self.further, self.library.members(self.record))
        o = self.outer
        around = (o.taken, o.lets, o.finds, o.uses, o.aliases, o.further)
        return not any(name in names for names in own) and any(name in names for names in around)

    def names(self, path: Parts) -> list[str]:
        if path[:1] == ("this",):
            return self.outer.names(path[1:])
        o = self.outer
        outside = [] if path else [*o.taken, *o.lets, *o.finds, *o.uses, *o.aliases, *o.further]
        return super().names(path) + outside

    def inner(self, path: Parts) -> Scope:
        if path[0] == "this":
            return self.outer.inner(path[1:])
        return self.outer.inner(path) if self.is_outside(path[0]) else super().inner(path)


def element_names(
    outer: Names, path: Parts, lets: Mapping[str, d.Text] | None = None, uses: Iterable[d.Use] = ()
) -> ElementNames | None:
    """The scope of one element of the list at a path; None where there is no list of records or of answers."""
    library, found = outer.library, outer.type_of(path)
    item = found.item if found and found.kind == "list" else None
    named = {u.name: u for u in uses}
    if item and item.kind == "ref" and (record := library.record(item.of)):
        return ElementNames(library, record, lets=lets or {}, uses=named, outer=outer)
    if item == GROUP and path[0] in outer.uses:
        answers = answer_types(library, outer.uses[path[0]].decision) or {}
        return ElementNames(library, NO_RECORD, lets=lets or {}, uses=named, further=answers, outer=outer)
    return None


def _by_types(library: Library, of: str, by: Mapping[str, Parts]) -> tuple[Type, ...]:
    """The types of what records are kept apart by, in order."""
    start = Type("ref", of=of)
    return tuple((library.along(start, path) or NUMBER).given() for path in by.values())


def measure_type(library: Library, measure: d.Measure, of: d.Record) -> Type:
    """What a measure gives: a whole number when it counts, else the type of what it sums."""
    if measure.sum is None:
        return WHOLE
    type_, errors = check(parse(measure.sum.text), Names(library, of))
    return MONEY if errors else type_.given()


def answers_list(library: Library, name: str) -> bool:
    """Whether what is asked answers a list: what it collects, or shares."""
    decision = library.decision(name)
    return decision.hit == "collect" if decision is not None else library.share_out(name) is not None


def part_names(library: Library, share_out: d.ShareOut, outer: Names) -> ElementNames | None:
    """The scope of one of the parts; None where there is no such list or record type."""
    if share_out.path:
        found = element_names(outer, share_out.path)
        return found if found and found.record is not NO_RECORD else None
    record = library.record(share_out.parts_of or "")
    return ElementNames(library, record, outer=outer) if record else None


def answer_types(library: Library, name: str) -> dict[str, Type] | None:
    """The names that a decision or formulas answer, with their types; None where neither exists."""
    decision = library.decision(name)
    if decision is not None and decision.keep:
        return {n: f.type.or_none() for n, f in decision.outputs.items() if n == decision.keep}
    if decision is not None:
        return {n: f.type for n, f in decision.outputs.items()}
    share_out = library.share_out(name)
    if share_out is not None:
        return _shared_types(library, share_out)
    formulas = library.formulas(name)
    record = library.record(formulas.of) if formulas else None
    if formulas is None or record is None:
        return None
    names = formula_names(library, formulas, record)
    return {n: names.let_type(n) or NONE for n in names.lets}


def _shared_types(library: Library, share_out: d.ShareOut) -> dict[str, Type]:
    """The record that a share goes to, none for what nobody takes; the share; and what those before it come to."""
    record = library.record(share_out.of) or NO_RECORD
    names = Names(library, record)
    parts = part_names(library, share_out, names)
    part = Type("ref", of=parts.record.name) if parts else UNKNOWN
    try:
        amount, errors = check(parse(share_out.amount.text), names)
    except ExpressionError:
        return {"part": part, "share": UNKNOWN, "before": UNKNOWN}
    share = UNKNOWN if errors else amount.given()
    part = part.or_none() if share_out.left_over == "without_part" else part
    return {"part": part, "share": share, "before": share}


def formula_names(library: Library, formulas: d.Formulas, record: d.Record) -> Names:
    """The scope of formulas; alternatives have the type of the first."""
    alternatives: dict[str, d.Text] = {}
    for steps in formulas.choices.values():
        alternatives = {**steps, **alternatives}
    lets = {**alternatives, **formulas.steps}
    return Names(library, record, lets=lets, uses={u.name: u for u in formulas.uses})


def transition_names(library: Library, record: d.Record, transition: d.Transition) -> Names:
    """The scope of a transition."""
    return Names(
        library,
        record,
        taken=library.taken(record, transition),
        lets=transition.lets,
        finds={f.name: f for f in transition.finds},
        uses={u.name: u for u in transition.uses},
        aliases={s.alias: s.target for s in transition.steps if s.alias},
    )


def limit_names(library: Library, record: d.Record, limit: d.Limit) -> Names:
    """The scope of a limit: its own names over the record's fields, and the line, which is there where it is asked."""
    uses = {u.name: u for u in limit.uses}
    try:
        line, errors = check(parse(limit.line.text), Names(library, record, lets=limit.lets, uses=uses))
    except ExpressionError:
        line, errors = UNKNOWN, []
    return Names(library, record, lets=limit.named, uses=uses, further={"line": UNKNOWN if errors else line.given()})


def limited_by(limit: d.Limit) -> tuple[Node, Call] | None:
    """What the total may come to, and the measure that is kept of it; None where the room does not say both."""
    try:
        node = parse(limit.room.text)
    except ExpressionError:
        return None
    if isinstance(node, Binary) and node.operator == "-" and isinstance(node.right, Call):
        return node.left, node.right
    return None


def level_type(limit: d.Limit, names: Names) -> Type:
    """The type of the level, with the choices that there are."""
    try:
        type_, errors = check(parse(limit.level.text), names)
    except ExpressionError:
        return UNKNOWN
    return UNKNOWN if errors else type_


def told_names(library: Library, names: Names, measure: d.Measure) -> Names:
    """The same for what is said, where the total is known by the name of its measure, and the room with it."""
    of = library.record(measure.of)
    type_ = measure_type(library, measure, of) if of else UNKNOWN
    return replace(names, further={**names.further, measure.name: type_, "room": type_})


def posting_names(library: Library, record: d.Record, posting: d.Posting) -> Names:
    """The scope of a posting: its own names over the record's fields."""
    return Names(library, record, lets=posting.lets, uses={u.name: u for u in posting.uses})
