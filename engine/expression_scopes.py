"""What names and functions mean where an expression stands; of names, that is answered by whoever checks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from .frozen import frozen
from .model import CALENDAR, DATE, NUMBER, TEXT, WHOLE, YES_OR_NO, Parts, Type


@frozen
class Signature:
    """A function's argument types and its result; an argument takes none only where its type is optional.

    `least` is how many must be given where some may be left out from the right; None means all.
    """

    arguments: tuple[Type, ...]
    result: Type
    least: int | None = None


class Scope(Protocol):
    """What names mean where an expression stands.

    `type_of` answers for a whole path, None where it is not known. Whether a path may be none because a reference on
    its way may be is seen to here, so it may answer for the last part alone.
    """

    def type_of(self, path: Parts) -> Type | None: ...

    def names(self, path: Parts) -> list[str]:
        """What may follow that path; what may stand first for the empty path."""

    def inner(self, path: Parts) -> Scope:
        """The scope of one element of the list at that path; `this` is seen to here."""

    @property
    def reads_lists(self) -> bool:
        """Whether what stands here can follow a list; of each element of a list nothing can."""

    def function(self, name: str) -> Signature | None:
        """A function beyond the fixed ones."""


@frozen
class View:
    """A scope together with what is known there, and the scope around it, which `this` names."""

    scope: Scope
    given: frozenset[Parts] = frozenset()
    outer: View | None = None
    depth: int = 0

    def knowing(self, more: frozenset[Parts]) -> View:
        return replace(self, given=self.given | more) if more else self

    def type_of(self, path: Parts) -> Type | None:
        around = self.outer if path[0] == "this" else None
        found = around.type_of(path[1:] or path) if around else self.scope.type_of(path)
        if found is None:
            return None
        if path in self.given:
            return found.given()
        before = self.type_of(path[:-1]) if len(path) > 1 else None
        return found.or_none() if before is not None and before.optional else found

    def levels_out(self, path: Parts) -> int:
        """How many leading `this` of a longer path name the scopes around."""
        return 1 + self.outer.levels_out(path[1:]) if self.outer and path[0] == "this" and len(path) > 1 else 0

    def names(self, path: Parts) -> list[str]:
        if self.outer and path and path[0] == "this":
            return self.outer.names(path[1:])
        return self.scope.names(path)

    def inside(self, path: Parts) -> View:
        return View(self.element(path), outer=self, depth=self.depth + 1)

    def reads(self, path: Parts) -> bool:
        """Whether the list at that path can be followed from here."""
        if path[0] == "this":
            return self.outer.reads(path[1:]) if self.outer else True
        return self.scope.reads_lists

    def element(self, path: Parts) -> Scope:
        if self.outer and path[0] == "this":
            return self.outer.element(path[1:])
        return self.scope.inner(path)


def split_list(path: Parts, type_of: Callable[[Parts], Type | None]) -> tuple[Parts, Parts] | None:
    """Part a path at its first list: `lines.hours` into `lines` and `hours`; None where there is no list on it."""
    for length in range(1, len(path) + 1):
        found = type_of(path[:length])
        if found is not None and found.kind == "list":
            return path[:length], path[length:]
    return None


# --- functions -------------------------------------------------------------------------------------------------------

AGGREGATES = frozenset({"sum", "min", "max", "count", "any", "all"})
# The functions whose arguments and result are always of the same type.
FIXED = {
    "length": Signature((TEXT,), WHOLE),
    "whole": Signature((NUMBER,), WHOLE),
    "year": Signature((DATE,), WHOLE),
    "month": Signature((DATE,), WHOLE),
    "week_start": Signature((DATE, DATE), DATE),
    "month_start": Signature((DATE,), DATE),
    "month_end": Signature((DATE,), DATE),
    "quarter_start": Signature((DATE,), DATE),
    "add_days": Signature((DATE, WHOLE), DATE),
    "add_months": Signature((DATE, WHOLE), DATE),
    "days_between": Signature((DATE, DATE), WHOLE),
    "is_workday": Signature((DATE, CALENDAR), YES_OR_NO),
    "workday": Signature((DATE, CALENDAR, Type("choice", choices=("next", "previous"))), DATE),
    "add_workdays": Signature((DATE, WHOLE, CALENDAR), DATE),
    "workdays_between": Signature((DATE, DATE, CALENDAR), WHOLE),
}
COUNTS = {"abs": 1, "round": 2, "default": 2, "text": 1}
FUNCTIONS = frozenset({*AGGREGATES, *FIXED, *COUNTS})
