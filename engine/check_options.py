"""Proves that postings pass no option over: what its rows tell apart by choices, they tell apart for every choice.

A posting where no row matches writes nothing, which is to be said on purpose: by a row without entries, or for all of
them by `otherwise`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .check_balance import BalanceRow, Question
from .check_constants import Region
from .check_findings import Findings, mark_key
from .check_proofs import TOO_MANY
from .check_tables import Column, Path, prove, said_of
from .definitions import Element

_ASKED = ("choice", "yes_or_no", "text", "ref")  # of amounts and days none is an option
_HINT = "add a row (without entries it writes nothing), or say `otherwise: nothing`"


def check_options(f: Findings, e: Element, rows: Sequence[BalanceRow | None]) -> None:
    """Rows that tell the same choices apart handle every combination of them together."""
    whole = [row for row in rows if row is not None]
    if e.has("otherwise") or len(whole) < len(rows):
        return
    for group in _groups(whole):
        columns = {path: column for row in group for path, (_, column) in _options(row).items()}
        proof = prove([{path: region for path, (region, _) in _options(row).items()} for row in group], columns)
        if not proof.whole:
            f.not_proved("that rows of this posting handle every option", TOO_MANY, mark_key(e.at("rows")))
        for gap in proof.gaps if proof.whole else ():
            over = f" for each of `{group[0].over}`" if group[0].over else ""
            said = f"no row says what is posted{over} when {said_of(gap, columns)}"
            f.say("R507", said, mark_key(e.at("rows")), _HINT)


def _options(row: BalanceRow) -> dict[Path, tuple[Region, Column]]:
    """What a row asks of values that are told apart by name; what it works out itself no other row can ask."""
    found: dict[Path, tuple[Region, Column]] = {}
    for path, region in row.regions.items():
        asked = row.question(path)[1]
        type_ = row.names.type_of(path)
        if type_ is not None and type_.kind in _ASKED and not asked[-1].startswith("of row "):
            found[asked] = (region, Column(type_))
    return found


def _choices(row: BalanceRow) -> set[Question]:
    return {(row.over, path) for path, (_, column) in _options(row).items() if column.type.kind == "choice"}


def _groups(rows: Sequence[BalanceRow]) -> Iterator[list[BalanceRow]]:
    """The rows that ask the same choices, or are tied to each other by others that do."""
    left = [row for row in rows if _choices(row)]
    while left:
        group = [left.pop(0)]
        asked = _choices(group[0])
        while near := [row for row in left if asked & _choices(row)]:
            group += near
            asked |= {question for row in near for question in _choices(row)}
            left = [row for row in left if row not in near]
        yield group
