"""Compiles what is worked out for each element of a list: a record's children, or the answers of a decision. No I/O.

The sources made here are Python over the list `v` of an element: v[0] is its row, v[1] the values around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from . import definitions as d
from . import programs as p
from .compiler_conditions import Conditions
from .errors import CharterFault, Place
from .expression_python import Code
from .expressions import Node
from .frames import Answered, Frame, Looked
from .model import Parts
from .scopes import ElementNames, Names, answer_types, element_names

KEPT = re.compile(r"v(\[\d+\])+")


class Elements(Conditions):
    """The operations of the elements of one list; `frame` has their names, `around` the names around in their words."""

    def __init__(
        self, outer: Frame, names: ElementNames, rows: str, of: str, place: Place, children: p.Children | None = None
    ) -> None:
        compiler = outer.compiler
        super().__init__(compiler.library, place)
        # What sources call by name is one for the whole program.
        self.constants, self.runtime = compiler.constants, compiler.runtime
        self.outer, self.names, self.rows, self.of, self.children = outer, names, rows, of, children
        self.seen: set[str] = set()
        self.frame = ElementFrame(self, names)
        self.around = Around(self)

    @classmethod
    def of_list(
        cls, outer: Frame, path: Parts, place: Place, lets: Mapping[str, d.Text] | None = None,
        uses: Iterable[d.Use] = (),
    ) -> Elements:  # fmt: skip
        """Over the children of a record, or what is answered as a list."""
        names = element_names(outer.names, path, lets, uses)
        if names is None:
            raise CharterFault(f"{place}: `{'.'.join(path)}` is no list to go over.")
        rows = outer.list_source(path)
        return cls(
            outer, names, rows, ".".join(path), place, None if path[0] in outer.names.uses else outer.children(path)
        )

    @classmethod
    def of_found(cls, outer: Frame, find: d.Find, order: tuple[Parts, ...], names: ElementNames) -> Elements:
        """Over records that are looked for, in an order."""
        operation = outer.find(find, many=True)
        operation.in_order = order
        for path in order:
            operation.position(path)
        return cls(outer, names, f"v[{operation.index}][0]", find.of, find.place)

    def outside(self, source: str) -> str:
        """The source of a value around the list, as an element has it."""
        if "v[" not in source:
            return source
        if not KEPT.fullmatch(source):
            source = f"v[{self.outer.compiler.add(p.Let, ('outside', source), [source], self.place).index}]"
        self.outer.compiler.need(source)
        self.seen.add(source)
        return f"v[1]{source.removeprefix('v')}"

    @property
    def record(self) -> str:
        """The record type of the elements; empty where they are answers."""
        return self.children.record if self.children is not None else ""

    @property
    def number(self) -> str:
        """The source of an element's number, as it is seen from outside, where it is a record."""
        return f"e[0][{self.children.position(('id',))}]" if self.children is not None else "None"

    def own(self, path: Parts) -> str:
        """The source of what an element has itself, or what is behind its references."""
        if self.children is not None:
            return f"v[0][{self.children.position(path)}]"
        if not self.names.further:
            # The row is the number of the record.
            return "v[0]" if path == ("id",) else self.frame.along("v[0]", self.names.this, path)
        output, type_ = next((i, t) for i, (n, t) in enumerate(self.names.further.items()) if n == path[0])
        return self.frame.along(f"v[0][{output}]", type_, path[1:])

    def kept(self, name: str, source: str) -> int:
        """The place among an element's values where a source's value is kept."""
        self.need(source)
        return self.add(p.Let, (name, source), [source], self.place, name=name).index

    def finished(self) -> p.Each:
        """All of it as one operation of the program around."""
        # Children of an element are seen as the steps before left them.
        stage = self.outer.stage if any(isinstance(o, p.Children) for o in self.operations) else 0
        each = self.outer.compiler.add(
            p.Each, ("each", self), [self.rows, *sorted(self.seen)], self.place, stage, of=self.of
        )
        each.operations, each.segments = self.operations, list(self.segments(each.of, 0))
        return each


def most_permissive(outer: Frame, use: d.Use, decision: d.Decision) -> str:
    """The source of what a decision answers for the elements of a list: of the choices the first, if there is any."""
    if decision.for_each is None or decision.keep is None:
        raise CharterFault(f"{decision.place}: it is not said which answer is kept.")
    elements = Elements.of_list(outer, decision.for_each, use.place)
    handed = {name: (elements.around, text) for name, text in use.inputs.items()}
    operation, _ = elements.frame.decided(d.Use(use.name, use.decision, (), {}, use.place), handed)
    place = list(decision.outputs).index(decision.keep)
    answer = elements.kept(decision.keep, f"v[{operation.index}][{place}]")
    each, choices = elements.finished(), decision.outputs[decision.keep].type.choices
    outer.compiler.runtime["_first_of"] = first_of
    source = f"_first_of({choices!r}, [_e[{answer}] for _e in v[{each.index}][0]])"
    name = f"{use.name}.{decision.keep}"
    return f"v[{outer.compiler.add(p.Let, ('kept', outer, use.name), [source], use.place, name=name).index}]"


def first_of(choices: Sequence[str], answers: Sequence[str | None]) -> str | None:
    """The answer that comes first among the choices; none where nothing was answered."""
    return next((choice for choice in choices if choice in answers), None)


class ElementFrame(Frame):
    """The names of an element; what it does not have comes from around the list."""

    def __init__(self, elements: Elements, names: Names) -> None:
        super().__init__(elements, names, {}, {})
        self.elements = elements

    def load(self, path: Parts) -> str:
        if path[0] == "this":
            return self.elements.outside(self.elements.outer.load(path[1:] or path))
        if isinstance(self.names, ElementNames) and self.names.is_outside(path[0]):
            return self.elements.outside(self.elements.outer.load(path))
        return super().load(path)

    @property
    def own_id(self) -> str:
        return self.elements.own(("id",))

    def own(self, path: Parts, current: Mapping[str, str]) -> str:
        return self.elements.own(tuple(path))

    def bare(self) -> Frame:
        return ElementFrame(self.elements, Names(self.library, self.names.record, further=self.names.further))

    def date(self) -> str:
        """The day that decides for the element; where it has none of its own, the one that decides around it."""
        return super().date() if self.names.record.dated_by else self.elements.outside(self.elements.outer.date())

    def currency(self, field: str | None) -> str:
        if self.told_currency is None and self.names.record.currency is None:
            return self.elements.outside(self.elements.outer.currency(None))
        return super().currency(field)

    # --- lists ---

    def around(self, path: Parts) -> Parts | None:
        """The path of a list around the one gone over; None where it is one of the element's own."""
        if path[0] == "this":
            return path[1:]
        return path if isinstance(self.names, ElementNames) and self.names.is_outside(path[0]) else None

    def list_source(self, path: Parts) -> str:
        around = self.around(path)
        if around is None:
            return super().list_source(path)
        return self.elements.outside(self.elements.outer.list_source(around))

    def inner(self, path: Parts, variable: str) -> Code:
        around, outer = self.around(path), self.elements.outer
        if around is None:
            return super().inner(path, variable)
        if around[0] in outer.names.uses:
            answers = answer_types(self.library, outer.names.uses[around[0]].decision)
            return Answered(self, list(answers or ()), variable)
        child = outer.children(around)
        looked = Looked(self, Names(self.library, self.compiler.wanted_record(child.record)), variable)
        looked.paths = child.paths
        return looked


class Around(Frame):
    """The names around a list, as its elements read them."""

    def __init__(self, elements: Elements) -> None:
        super().__init__(elements, elements.outer.names, {}, {})
        self.elements = elements

    def source(self, text: d.Text) -> str:
        return self.elements.outside(self.elements.outer.source(text))

    def key_of(self, text: d.Text) -> str:
        return self.elements.outside(self.elements.outer.key_of(text))

    def said(self, node: Node) -> str:
        return self.elements.outside(self.elements.outer.said(node))
