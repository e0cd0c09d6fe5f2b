"""What a value written out in a rule stands for, and the regions of values that cells describe. Pure.

Values compare in the order of their type: dates as days, choices by their place in the list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from .definitions import Cell
from .model import SCALES, Type

Value: TypeAlias = "str | int | Decimal | bool"
Regions: TypeAlias = "Mapping[tuple[str, ...], Region]"
Sample: TypeAlias = "tuple[Any, str]"  # a value, and how it is written

_PLAIN = re.compile(r"-?[0-9]{1,15}(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FORMS = {
    "number": "a number such as 12 or 0.5, with at most six digits behind the point",
    "price": "a price such as 12 or 0.5, with at most six digits behind the point",
    "money": "an amount such as 12 or 0.50, with at most four digits behind the point",
    "whole": "a whole number",
    "date": "a day such as 2026-01-31",
    "time": "a moment such as 2026-01-31T12:00:00",
    "yes_or_no": "`true` or `false`",
}


def constant(type_: Type, text: str) -> Value | None:
    """The value of a type that a text stands for; None where it stands for none."""
    match type_.kind:
        case "number" | "price" | "money" | "whole":
            return _number(text, SCALES[type_.kind])
        case "date":
            return _day(text)
        case "time":
            return text if _is_moment(text) else None
        case "yes_or_no":
            return {"true": True, "false": False}.get(text)
        case "choice":
            return type_.choices.index(text) if text in type_.choices else None
        case "text" | "ref":
            return text
    return None


def wanted_form(type_: Type) -> str:
    """How a constant of the type is written."""
    if type_.kind == "choice":
        return f"one of {', '.join(type_.choices)}"
    return _FORMS.get(type_.kind, f"a {type_.kind}")


def _number(text: str, places: int) -> Decimal | None:
    if not _PLAIN.fullmatch(text) or len(text.partition(".")[2].rstrip("0")) > places:
        return None
    return Decimal(text)


def _day(text: str) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Region:
    """The values that a cell lets through: some values, or a range; or none itself."""

    type: Type
    values: frozenset[Value] | None = None
    low: Any = None
    low_open: bool = False
    high: Any = None
    high_open: bool = False
    empty: bool = False

    def holds(self, value: Any) -> bool:
        if self.values is not None:
            return value in self.values
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        return above and (self.high is None or value < self.high or (value == self.high and not self.high_open))


def region(cell: Cell, type_: Type) -> Region | None:
    """The region of a cell; None where a constant of it is not of the type."""
    if cell.empty is not None:
        return Region(type_, empty=cell.empty)
    values = [constant(type_, text) for text in cell.values]
    bounds = {name: constant(type_, text) for name, text in cell.bounds}
    if None in values or None in bounds.values():
        return None
    if values:
        return Region(type_, frozenset(v for v in values if v is not None))
    low, high = bounds.get("above", bounds.get("at_least")), bounds.get("below", bounds.get("at_most"))
    return Region(type_, None, low, "above" in bounds, high, "below" in bounds)


def is_met(one: Region, value: Any) -> bool:
    """Whether a value, or none, is let through."""
    return one.empty if value is None else not one.empty and one.holds(value)


def samples(regions: Sequence[Region]) -> list[Sample]:
    """Values for all that these regions of one type tell apart: every other value is like one of these."""
    type_ = regions[0].type
    if type_.kind == "choice":
        return [(place, name) for place, name in enumerate(type_.choices)]
    if type_.kind == "yes_or_no":
        return [(True, "true"), (False, "false")]
    bounds = {edge for r in regions for edge in (r.low, r.high, *(r.values or ())) if edge is not None}
    if type_.kind in _TEXTS:
        return [*((text, text) for text in sorted(bounds)), (_OTHER, "anything else")]
    edges = sorted(bounds) or [_START.get(type_.kind, 0)]
    step = 1 if isinstance(edges[0], int) else Decimal("0.000001")
    near = dict.fromkeys(value for edge in edges for value in (edge, edge + step, edge - step))
    return [(value, shown(type_, value)) for value in near]


def is_void(one: Region) -> bool:
    """Whether no value at all is in the region, such as above 5 and below 3."""
    return not one.empty and one.values is None and _within(_candidates(one, one), one, one) is None and _is_exact(one)


def common(one: Region, other: Region) -> str | None:
    """A value that is in both regions, as text; None where there is provably none."""
    if one.empty or other.empty:
        return "empty" if one.empty and other.empty else None
    listed = one.values if one.values is not None else other.values
    if listed is not None:
        return _within(sorted(listed, key=lambda v: (str(type(v)), v)), one, other)
    found = _within(_candidates(one, other), one, other)
    return found if found is not None or _is_exact(one) else "some value"


def covers(one: Region, other: Region) -> bool:
    """Whether every value of the other region is in this one, as far as can be told."""
    if one.empty or other.empty:
        return one.empty and other.empty
    if other.values is not None:
        return all(one.holds(value) for value in other.values)
    if one.values is not None:
        return False
    return _reaches(one.low, one.low_open, other.low, other.low_open, lambda a, b: a < b) and _reaches(
        one.high, one.high_open, other.high, other.high_open, lambda a, b: a > b
    )


def _reaches(mine: Any, mine_open: bool, its: Any, its_open: bool, further: Callable[[Any, Any], bool]) -> bool:
    if mine is None:
        return True
    return its is not None and (further(mine, its) or (mine == its and (its_open or not mine_open)))


def _within(values: list[Any], one: Region, other: Region) -> str | None:
    found = next((value for value in values if one.holds(value) and other.holds(value)), None)
    return None if found is None else shown(one.type, found)


def _is_exact(one: Region) -> bool:
    """Whether trying the candidates proves that nothing is between two bounds."""
    return one.type.kind not in _TEXTS


def _candidates(one: Region, other: Region) -> list[Any]:
    """Values of which one is in the intersection of two ranges if any is."""
    edges = [edge for edge in (one.low, other.low, one.high, other.high) if edge is not None]
    if not edges:
        return [_START[one.type.kind]] if one.type.kind in _START else [] if one.type.kind in _TEXTS else [1]
    if isinstance(edges[0], str | bool):
        return edges
    near = [value for edge in edges for value in (edge, edge + 1, edge - 1)]
    if one.type.kind in ("number", "money", "price"):
        near += [(a + b) / 2 for a in edges for b in edges]
    if one.type.kind == "choice":
        near = [value for value in near if 0 <= value < len(one.type.choices)]
    return near


_TEXTS = ("text", "time", "ref")
_OTHER = "\uffff"  # a text that no rule has
_START: dict[str, Any] = {"choice": 0, "yes_or_no": True, "date": date(2026, 1, 1).toordinal()}


def shown(type_: Type, value: Any) -> str:
    """A value as it is written in a rule."""
    if type_.kind == "date":
        return date.fromordinal(value).isoformat()
    if type_.kind == "choice":
        return type_.choices[int(value)]
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def witness(one: Regions, other: Regions, is_same: Callable[[tuple[str, ...]], bool] = lambda _: True) -> str | None:
    """Values for which both sets of cells hold, as text; None where they provably never hold together.

    `is_same` says whether a name means the same in both; of names that do not, nothing is proved.
    """
    told: list[str] = []
    for path in dict.fromkeys((*one, *other)):
        mine, its = one.get(path), other.get(path)
        if mine is not None and its is not None and is_same(path):
            value = common(mine, its)
            if value is None:
                return None
        else:
            first = mine or its
            assert first is not None
            value = common(first, first) or "given"
        told.append(f"{'.'.join(path)} = {value}")
    return ", ".join(told)


def all_covered(one: Regions, other: Regions) -> bool:
    """Whether the first set of cells holds wherever the second does, as far as can be told."""
    return all(path in other and covers(mine, other[path]) for path, mine in one.items())
