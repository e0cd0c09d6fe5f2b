"""What conditions of a transition come to where only some values are told: the rest is not asked, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from . import definitions as d
from .cells import cell_source, constant
from .errors import ArithmeticProblem
from .expression_python import Code, Constants, compile_function, python_source
from .expression_types import check
from .expressions import Call, ExpressionError, Value, parse, paths
from .library import Library
from .model import Parts, Type
from .scopes import Names, transition_names

Given = Mapping[str, Any]


class NotTold(Exception):
    """A value that nobody has told, or that cannot be reckoned from what was."""


@dataclass(eq=False)
class Told:
    """A transition's conditions over told values: fields by name, its states, `today`."""

    library: Library
    record: d.Record
    transition: d.Transition
    names: Names = field(init=False)
    reckonings: dict[str, Callable[[Sequence[Any]], Any]] = field(default_factory=dict)
    cells: dict[d.Cell, Callable[[Any], bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = transition_names(self.library, self.record, self.transition)

    def against(self, given: Given) -> list[d.Cell]:
        """The cells of `when` that do not hold; one whose value is not told is not among them."""
        return [cell for cell in self.transition.cells if self.fails(cell, self.names, given)]

    def may(self, role: str | None, given: Given) -> bool:
        """Whether a role may; True also where that cannot be told."""
        if role is None or not self.transition.who:
            return True
        try:
            return role in self.roles(given)
        except NotTold:
            return True

    def roles(self, given: Given) -> set[str]:
        """All roles that may; raises NotTold where somebody may for another reason than a role."""
        found: set[str] = set()
        for who in self.transition.who:
            decision = self.library.decision(who.decision) if who.decision else None
            if who.role:
                found.add(who.role)
            elif decision is not None and not decision.rows_of and not who.of:
                found |= self.decided(decision, who, given)
            else:
                raise NotTold
        return found

    def decided(self, decision: d.Decision, who: d.Who, given: Given) -> set[str]:
        """The roles of the rows that may hold."""
        own = Names(self.library, self.record)
        inputs = {name: text for name, text in decision.inputs.items() if name not in decision.input_types}
        values = {}
        for name, text in inputs.items():
            try:
                values[name] = self.reckoned(text, own, given)
            except NotTold:
                continue
        types = {name: check(parse(text.text), own)[0] for name, text in inputs.items()}
        asked = Names(self.library, self.record, further=types)
        day = self.day(decision, given)
        rows = [r for r in decision.rows if _holds_on(r.since, r.until, day)]
        rows = [r for r in rows if not any(self.fails(cell, asked, values) for cell in r.cells)]
        rows = [r for r in rows if all(self.answers(r, name, text, given) for name, text in who.where.items())]
        return {row.then["role"].text for row in rows if "role" in row.then}

    def answers(self, row: d.Row, output: str, text: d.Text, given: Given) -> bool:
        """Whether the row's output is what is asked of it, or may be."""
        try:
            return output not in row.then or row.then[output].text == str(self.reckoned(text, self.names, given))
        except NotTold:
            return True

    def day(self, decision: d.Decision, given: Given) -> date | None:
        """The day on which a row must hold; None where it is not told."""
        if decision.dated_by:
            try:
                return _as_day(self.reckoned(decision.dated_by, Names(self.library, self.record), given))
            except NotTold:
                return None
        return _as_day(given.get(self.record.dated_by or "today"))

    # --- values ---

    def fails(self, cell: d.Cell, names: Names, given: Given) -> bool:
        """Whether a cell is told not to hold."""
        if cell not in self.cells:
            constants = Constants()
            source = cell_source(cell, "x", names.type_of(cell.path) or Type("text"), constants.constant)
            self.cells[cell] = compile_function(source, ["x"], constants.names)
        try:
            return not self.cells[cell](self.value(cell.path, names, given))
        except NotTold:
            return False

    def value(self, path: Parts, names: Names, given: Given) -> Any:
        if ".".join(path) in given:
            return given[".".join(path)]
        if path[0] == "this" and path[1:]:
            return self.value(path[1:], Names(self.library, self.record), given)
        if path[0] == "parameter":
            return self.parameter(path, given)
        if len(path) == 1 and path[0] in names.lets and path[0] not in names.taken:
            return self.reckoned(names.lets[path[0]], names, given)
        raise NotTold

    def parameter(self, path: Parts, given: Given) -> Any:
        parameter, day = self.library.parameters.get(path[-1]), _as_day(given.get(self.record.dated_by or "today"))
        if parameter is not None and day is not None:
            for since, until, text in parameter.rows:
                if _holds_on(since, until, day):
                    return constant(text, parameter.field.type)
        raise NotTold

    def reckoned(self, text: d.Text, names: Names, given: Given) -> Any:
        """The value of an expression; raises NotTold where one that it needs is not told."""
        try:
            node = parse(text.text)
            wanted = list(dict.fromkeys(p.parts for p in paths(node)))
            values = [self.value(path, names, given) for path in wanted]
            if text.text not in self.reckonings:
                constants = Constants()
                source = python_source(node, _Listed(wanted, names, constants))
                self.reckonings[text.text] = compile_function(source, ["v"], constants.names)
            return self.reckonings[text.text](values)
        except (ArithmeticProblem, ExpressionError):
            raise NotTold from None


@dataclass(frozen=True, slots=True)
class _Listed:
    """Reads the paths of an expression from a list of their values; nothing else is told."""

    wanted: Sequence[Parts]
    names: Names
    constants: Constants

    def load(self, path: Parts) -> str:
        return f"v[{list(self.wanted).index(path)}]"

    def constant(self, value: Value) -> str:
        return self.constants.constant(value)

    def call(self, node: Call) -> str | None:
        if self.names.library.measure(node.name) or self.names.library.calendar(node.name):
            raise NotTold
        return None

    def inner(self, path: Parts, variable: str) -> Code:
        raise NotTold

    def list_source(self, path: Parts) -> str:
        raise NotTold

    def type_of(self, path: Parts) -> Type | None:
        return self.names.type_of(path)


def _as_day(value: object) -> date | None:
    return value if isinstance(value, date) else None


def _holds_on(since: str | None, until: str | None, day: date | None) -> bool:
    """Whether what has these days holds on a day; on one that is not told it may."""
    return day is None or (since or "") <= day.isoformat() <= (until or "9999-12-31")
