"""The formulas of a statement: figures made of other figures, and the check of its totals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import DecimalException
from functools import cached_property
from typing import Any

from . import definitions as d
from .errors import ArithmeticProblem, InvalidInput, Place
from .expression_python import Code, Constants, compile_function, python_source
from .expression_scopes import FUNCTIONS
from .expressions import Call, paths
from .expressions import Value as Constant
from .library import Library
from .model import Parts, Type
from .scopes import NO_RECORD, Names, measure_type
from .statement_definitions import Records, Statement
from .statement_expressions import parsed
from .statement_given import Given
from .statement_reports import Cell
from .type_relations import UNKNOWN


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled expression and the figures that it reads."""

    function: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass
class Formulas:
    """The formulas of a statement: the figures of a line and what was taken stand in them by name."""

    statement: Statement
    given: Given

    @cached_property
    def names(self) -> Names:
        """The scope of formulas: the figures and what is taken."""
        lets = {f.name: f.formula for f in self.statement.figures if f.formula}
        measures = {f.name: m for f in self.statement.figures if (m := self.given.library.measure(f.measure or ""))}
        types = {n: measure_type(self.given.library, m, self.given.record(m.of)) for n, m in measures.items()}
        types |= field_types(self.given.library, self.statement)
        return Names(self.given.library, NO_RECORD, taken=self.statement.takes, lets=lets, further=types)

    @cached_property
    def types(self) -> dict[str, Type]:
        """The type of each figure."""
        names = self.names
        return {f.name: names.let_type(f.name) if f.formula else names.further[f.name] for f in self.statement.figures}

    @cached_property
    def by_name(self) -> dict[str, Formula]:
        return {f.name: self.compiled(f.formula) for f in self.statement.figures if f.formula}

    def compiled(self, text: d.Text) -> Formula:
        node = parsed(text)
        code = _FigureCode(self.given, self.names, text.place)
        function = compile_function(python_source(node, code), ("v",), code.constants.names)
        figures = {f.name for f in self.statement.figures}
        reads = [p.parts[0] for p in paths(node) if p.parts[0] in figures - set(self.given.fields)]
        return Formula(function, tuple(dict.fromkeys(reads)))

    @cached_property
    def in_turn(self) -> list[str]:
        """The formulas, each after those that it reads."""
        found: list[str] = []

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise InvalidInput(f"{self.statement.place}: These figures need each other: {', '.join(above)}.")
            if name in self.by_name and name not in found:
                for inner in self.by_name[name].reads:
                    visit(inner, (*above, name))
                found.append(name)

        for name in self.by_name:
            visit(name, ())
        return found

    def reckoned(self, formula: Formula, place: Place, values: Mapping[str, Cell], what: str) -> Any:
        try:
            return formula.function(values)
        except (ArithmeticProblem, DecimalException) as wrong:
            raise InvalidInput(f"{place}: {what}: {str(wrong) or 'cannot be reckoned'}") from None


def field_types(library: Library, statement: Statement) -> dict[str, Type]:
    """The types of the figures that are fields of the line's record."""
    each = statement.each
    start = Type("ref", of=each.of) if isinstance(each, Records) else UNKNOWN
    return {f.name: library.along(start, f.field) or UNKNOWN for f in statement.figures if f.field}


@dataclass(frozen=True)
class _FigureCode:
    """Reads figures from the dictionary `v`; what was taken is put in as it is."""

    given: Given
    names: Names
    place: Place
    constants: Constants = field(default_factory=Constants)

    def load(self, path: Parts) -> str:
        if path[0] in self.given.fields:
            return self.constant(self.given.at(path))
        if self.names.type_of(path) is None or path[0] not in {*self.names.lets, *self.names.further}:
            raise InvalidInput(f"{self.place}: A formula of a statement does not know `{'.'.join(path)}`.")
        return f"v[{path[0]!r}]"

    def constant(self, value: Constant) -> str:
        return self.constants.constant(value)

    def call(self, node: Call) -> str | None:
        if node.name not in FUNCTIONS:
            raise InvalidInput(f"{self.place}: Name the measure `{node.name}` in a figure of its own.")
        return None

    def inner(self, path: Parts, variable: str) -> Code:
        raise InvalidInput(f"{self.place}: `{'.'.join(path)}` is a list; a statement reads single values.")

    def list_source(self, path: Parts) -> str:
        raise InvalidInput(f"{self.place}: `{'.'.join(path)}` is a list; a statement reads single values.")

    def type_of(self, path: Parts) -> Type | None:
        return self.names.type_of(path)
