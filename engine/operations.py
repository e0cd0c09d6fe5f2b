"""The values that a program works out: each made once, needed under conditions, put into an order. No I/O.

Sources are Python over the list `v` of a firing; what they call at run time is kept here by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar

from . import programs as p
from .errors import ArithmeticProblem, Place
from .expression_python import FUNCTIONS as RUNTIME
from .expression_python import Constants, compile_function
from .library import Library
from .money import EXACT, unit

SLOT = re.compile(r"\bv\[(\d+)\]")
Op = TypeVar("Op", bound=p.Operation)


class Units(dict[str, Decimal]):
    """The smallest amount of each currency; asking for another is a problem of the data, said as one."""

    def __missing__(self, currency: str) -> Decimal:
        known = ", ".join(sorted(self)) or "none"
        raise ArithmeticProblem(f"The currency {currency!r} is not declared; declared are: {known}.")


def to_unit(amount: Decimal | int | None, smallest: Decimal) -> Decimal | None:
    """Round half up to a currency's smallest amount."""
    if amount is None:
        return None
    return (amount if isinstance(amount, Decimal) else Decimal(amount)).quantize(smallest, None, EXACT)


def to_scale(value: Decimal | int | None, smallest: Decimal) -> Decimal | None:
    """Round half up to the places that are kept, only where there are more; a whole number written out is one, too."""
    if value is None or not isinstance(value, Decimal):
        return None if value is None else Decimal(value)
    if value.as_tuple().exponent >= smallest.as_tuple().exponent:  # type: ignore[operator]
        return value
    return value.quantize(smallest, ROUND_HALF_UP, EXACT)


class Operations:
    """The operations of one program. `reached` is the last stage that something was needed of since it was set to 0."""

    def __init__(self, library: Library) -> None:
        self.constants = Constants()
        units = Units({name: unit(places) for name, places in library.manifest.currencies.items()})
        self.runtime: dict[str, object] = {"_units": units, "_to_unit": to_unit, "_to_scale": to_scale, "_str": str}
        self.operations: list[p.Operation] = []
        self.memo: dict[tuple[Any, ...], p.Operation] = {}
        self.guard = ""
        self.guard_stage = 0
        self.late = False
        self.reached = 0

    # --- what is needed ---

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

    def executed(self, lines: list[str], title: str) -> dict[str, Any]:
        """What a function of several lines leaves, by name; `title` stands for it in what went wrong."""
        space: dict[str, Any] = {"__builtins__": {}, **RUNTIME, **self.constants.names, **self.runtime}
        exec(compile("\n".join(lines), f"<{title}>", "exec"), space)
        return space

    # --- in order ---

    def segments(self, rule: str, selecting: int) -> list[p.Segment]:
        """The operations in runs: computations side by side become one loop. The first `selecting` end with one."""
        found: list[p.Segment] = []
        run: list[p.Operation] = []
        for operation in sorted(self.in_order(), key=lambda o: (o.stage, o.late)):
            if operation.guards and not operation.always:
                operation.guard = self.function(guard_of(operation))
            boundary = run and (
                (operation.stage, operation.late) != (run[-1].stage, run[-1].late)
                or run[-1].index - p.FIRST == selecting - 1
            )
            if isinstance(operation, (p.Let, p.Alias)) and not boundary:
                run.append(operation)
                continue
            found += self.closed(rule, run)
            if isinstance(operation, (p.Let, p.Alias)):
                run = [operation]
                continue
            run = []
            key = "(" + "".join(f"{s}, " for s in operation.sources) + ")"
            needed = "" if operation.guard is None else " if " + guard_of(operation)
            operation.key = self.function(key)
            operation.asked = self.function(f"[(f, {key}) for f in fs for v in (f.v,){needed}]", "fs")
            if isinstance(operation, p.Find):
                operation.predicate = self.function(operation.predicate_source, "v", "c")
                operation.equal_values = [self.function(s) for _, s in operation.equal]
            found.append(p.Segment(operation, None, operation.index, operation.late, stage=operation.stage))
        return [*found, *self.closed(rule, run)]

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

    def closed(self, rule: str, run: list[p.Operation]) -> Iterator[p.Segment]:
        if not run:
            return
        lines = ["def compute(vs, next_id):", "    for v in vs:"]
        for operation in run:
            source = operation.sources[0] if not isinstance(operation, p.Alias) else numbered(operation)
            if operation.guards and not operation.always:
                source = f"({source}) if {guard_of(operation)} else None"
            lines.append(f"        v[{operation.index}] = {source}")
        space = self.executed(lines, rule)
        yield p.Segment(None, space["compute"], run[-1].index, run[0].late, run[0].stage)


def numbered(alias: p.Alias) -> str:
    """The source of the number of a record to be created."""
    return f"next_id({alias.record!r}, {alias.index})"


def guard_of(operation: p.Operation) -> str:
    """The source of whether an operation is needed."""
    return " or ".join(f"({g})" for g in operation.guards)
