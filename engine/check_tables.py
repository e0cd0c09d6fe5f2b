"""Proves over all combinations of values which rows of a table answer: what none answers, which rows never do. Pure.

Values are tried by classes: each choice, what lies between two bounds, empty, any text that no row names. More than a
bound of work for one table is not done; then nothing is proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from .check_constants import Region, shown
from .model import DATE, SCALES, Type

Path: TypeAlias = tuple[str, ...]
Row: TypeAlias = Mapping[Path, Region]
Case: TypeAlias = Mapping[Path, Sequence[Any]]

MOST_TRIED = 20_000  # rows looked at, over all combinations of one table
MOST_TOLD = 3  # gaps of one table

DAY: Path = ()  # the column of the days on which dated rows hold


class _Special:
    """A value that is none of those a rule can write."""

    def __init__(self, said: str) -> None:
        self.said = said


EMPTY, OTHER = _Special("empty"), _Special("any other")


@dataclass(frozen=True, slots=True)
class Column:
    """What a column may hold: values of a type; where `known` is given, no text but these."""

    type: Type
    known: tuple[str, ...] = ()


@dataclass(slots=True)
class Proof:
    """What was found: cases without a row, and rows that answer in some case.

    It is not `whole` where the bound was met before everything was tried.
    """

    gaps: list[Case] = field(default_factory=list)
    reached: set[int] = field(default_factory=set)
    whole: bool = True


def prove(
    rows: Sequence[Row],
    columns: Mapping[Path, Column],
    in_order: bool = False,
    gaps: int = MOST_TOLD,
) -> Proof:
    """Try all combinations of values of the columns, until so many `gaps` are found.

    `in_order` says that the first row that holds answers; then it is also found out which rows are reached.
    """
    search = _Search(rows, columns, in_order, gaps)
    search.visit(list(range(len(rows))), {})
    search.proof.whole = search.left >= 0
    return search.proof


@dataclass
class _Search:
    rows: Sequence[Row]
    columns: Mapping[Path, Column]
    in_order: bool
    gaps: int
    left: int = MOST_TRIED
    proof: Proof = field(default_factory=Proof)

    def visit(self, live: list[int], case: dict[Path, Sequence[Any]]) -> None:
        """Look at a case and the rows that still may hold in it."""
        self.left -= len(live) + 1
        if self.left < 0:
            return
        open_columns = [[path for path in self.rows[index] if path not in case] for index in live]
        if self._is_settled(live, open_columns, case):
            return
        path = _most_frequent(open_columns)
        for values, rows in self._branches(path, live):
            self.visit(rows, {**case, path: values})

    def _is_settled(self, live: list[int], open_columns: list[list[Path]], case: Case) -> bool:
        """Whether there is nothing more to find out below a case."""
        wants_gaps = len(self.proof.gaps) < self.gaps
        if not live:
            self.proof.gaps += [dict(case)] if wants_gaps else []
            return True
        is_covered = not wants_gaps or any(not paths for paths in open_columns)
        if not self.in_order:
            return is_covered
        if not open_columns[0]:
            self.proof.reached.add(live[0])
            return True
        return is_covered and self.proof.reached.issuperset(live)

    def _branches(self, path: Path, live: list[int]) -> Iterable[tuple[list[Any], list[int]]]:
        """The classes of values of a column with the rows that hold for them; classes of the same rows are one."""
        asked = [(index, region) for index in live if (region := self.rows[index].get(path)) is not None]
        values = _classes(self.columns[path], [region for _, region in asked])
        held: dict[Any, list[int]] = {value: [] for value in values}
        for index, region in asked:
            for value in region.values if region.values is not None else [v for v in values if _admits(region, v)]:
                if value in held:
                    held[value].append(index)
        everywhere = [index for index in live if path not in self.rows[index]]
        merged: dict[tuple[int, ...], list[Any]] = {}
        for value, indexes in held.items():
            merged.setdefault(tuple(indexes), []).append(value)
        for holding, same in merged.items():
            yield same, sorted({*everywhere, *holding})


def _most_frequent(open_columns: list[list[Path]]) -> Path:
    counts: dict[Path, int] = {}
    for paths in open_columns:
        for path in paths:
            counts[path] = counts.get(path, 0) + 1
    return max(counts, key=lambda path: counts[path])


def _admits(region: Region, value: Any) -> bool:
    if value is EMPTY or region.empty:
        return value is EMPTY and region.empty
    if value is OTHER:
        return region.values is None
    return region.holds(value)


# --- classes of values -----------------------------------------------------------------------------------------------


def _classes(column: Column, regions: Sequence[Region]) -> list[Any]:
    """A value of every class that the regions tell apart."""
    type_ = column.type
    empty = [EMPTY] if type_.optional else []
    if type_.kind == "choice":
        return [*range(len(type_.choices)), *empty]
    if type_.kind == "yes_or_no":
        return [True, False, *empty]
    if column.known:
        return [*column.known, *empty]
    named = {value for region in regions for value in region.values or ()}
    bounds = {edge for region in regions for edge in (region.low, region.high) if edge is not None}
    edges: list[Any] = sorted(named | bounds)
    if not edges or (not bounds and isinstance(edges[0], str)):
        return [*edges, OTHER, *empty]
    return [*(_texts_around(edges) if isinstance(edges[0], str) else _around(type_, edges)), *empty]


def _texts_around(edges: list[str]) -> Iterable[str]:
    yield ""
    for edge in edges:
        yield from (edge, f"{edge} ")


def _around(type_: Type, edges: list[Any]) -> Iterable[Any]:
    """The edges, and what lies below, between and above them."""
    step = Decimal(1).scaleb(-SCALES[type_.kind]) if type_.kind in SCALES else 1
    yield edges[0] - 1
    for edge, following in zip(edges, [*edges[1:], None], strict=True):
        yield edge
        if following is None:
            yield edge + 1
        elif following - edge > step:
            yield edge + (1 if following - edge > 1 else step)


# --- days ------------------------------------------------------------------------------------------------------------


def days(since: str | None, until: str | None) -> Region | None:
    """The days of a dated row as a region; None where it holds always."""
    if not since and not until:
        return None
    low, high = (date.fromisoformat(day).toordinal() if day else None for day in (since, until))
    return Region(DATE, None, low, False, high, False)


def are_days(since: str | None, until: str | None) -> bool:
    """Whether these are days, the last one not before the first."""
    try:
        on = days(since, until)
    except ValueError:
        return False
    return on is None or on.low is None or on.high is None or bool(on.low <= on.high)


def days_between(last: str | None, first: str | None) -> str:
    """The days after the last one of a row and before the first one of the next, in words; empty without any."""
    if not last or not first:
        return ""
    low, high = date.fromisoformat(last).toordinal() + 1, date.fromisoformat(first).toordinal() - 1
    if low > high:
        return ""
    left = [date.fromordinal(day).isoformat() for day in (low, high)]
    return f"on {left[0]}" if low == high else f"from {left[0]} to {left[1]}"


def outside(rows: Iterable[Row]) -> list[Row]:
    """Rows for the days before the first and after the last on which any row holds: then nothing is expected."""
    dated = [row.get(DAY) for row in rows]
    lows: list[Any] = [region.low if region else None for region in dated]
    highs: list[Any] = [region.high if region else None for region in dated]
    before = [] if None in lows or not dated else [Region(DATE, None, None, False, min(lows), True)]
    after = [] if None in highs or not dated else [Region(DATE, None, max(highs), True, None, False)]
    return [{DAY: region} for region in (*before, *after)]


# --- words -----------------------------------------------------------------------------------------------------------


def in_case(case: Case, columns: Mapping[Path, Column]) -> str:
    """The same to end a sentence: ` when amount = empty on 2026-01-01`."""
    said = said_of(case, columns)
    return f" when {said}" if said and not said.startswith(" ") else said


def said_of(case: Case, columns: Mapping[Path, Column]) -> str:
    """A case in words, such as `method = fixed_price, amount = empty on 2026-01-01`; empty where nothing is asked."""
    told = [f"{'.'.join(path)} = {_values(columns[path].type, values)}" for path, values in case.items() if path]
    day = f" on {_values(DATE, case[DAY])}" if DAY in case else ""
    return ", ".join(told) + day


def _values(type_: Type, values: Sequence[Any]) -> str:
    """Of several values of a number or a day one, of other types a few."""
    told = [value.said if isinstance(value, _Special) else shown(type_, value) for value in values]
    if type_.kind not in ("choice", "yes_or_no", "text", "ref"):
        return told[0]
    return " or ".join(told if len(told) <= MOST_TOLD else [*told[:MOST_TOLD], "others"])
