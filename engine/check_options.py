"""Proves that postings pass no option over: what its rows tell apart by choices, they tell apart for every choice.

A posting where no row matches writes nothing, which is to be said on purpose: by a row without entries, or for all of
them by `otherwise`. Every row that matches is written, so that two which write the same entry are looked at, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from .check_balance import BalanceRow, Question, added, addends, written_out
from .check_constants import Region, witness
from .check_findings import Findings, mark, mark_key
from .check_proofs import TOO_MANY
from .check_tables import Column, prove, said_of
from .check_tables import Path as Asked
from .definitions import Element
from .errors import WARNING
from .expressions import Node, Path, parse, paths

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


def _options(row: BalanceRow) -> dict[Asked, tuple[Region, Column]]:
    """What a row asks of values that are told apart by name; what it works out itself no other row can ask."""
    found: dict[Asked, tuple[Region, Column]] = {}
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


# --- the same entry twice ---

# The list that it is written for, side, account key, what its amount comes to, what it says of dimensions and account.
Entry: TypeAlias = tuple[str, str, str, frozenset[tuple[str, int]], frozenset[tuple[str, str, object]]]


def check_twice(f: Findings, rows: Sequence[BalanceRow | None]) -> None:
    """Warn where two rows that may match together write an entry of one side, account key and amount."""
    writers: dict[Entry, list[BalanceRow]] = {}
    for row in [row for row in rows if row is not None]:
        for entry in _entries(row):
            for other in writers.setdefault(entry, []):
                _report_twice(f, other, row, entry)
            writers[entry].append(row)


def _entries(row: BalanceRow) -> dict[Entry, str]:
    """What tells the entries of a row from those of others, each with its amount as it stands."""
    found: dict[Entry, str] = {}
    index = int(row.e.path[-1])
    for e in row.e.items("entries"):
        side, amount = "debit" if e.has("debit") else "credit", e.word("amount")
        terms = [(name, sign) for node, sign in addends(parse(amount)) for name in _named(node)]
        comes_to = written_out(row.e, index, row.names, added(terms))
        found[row.over, side, e.word(side), frozenset(comes_to.items()), frozenset(_said(row, e))] = amount
    return found


def _named(node: Node) -> Iterator[str]:
    if isinstance(node, Path):
        yield ".".join(node.parts)


def _said(row: BalanceRow, entry: Element) -> Iterator[tuple[str, str, object]]:
    """Dimensions and inputs of the account as an entry or its row gives them; what uses names of the row is its own."""
    for word in ("dimensions", "account_by"):
        for name, inner in {**dict(row.e.pairs(word)), **dict(entry.pairs(word))}.items():
            node = parse(str(inner.value))
            is_own = any(row.question(path.parts)[1][-1].startswith("of row ") for path in paths(node))
            yield word, name, (node, row.e.path) if is_own else node


def _report_twice(f: Findings, one: BalanceRow, other: BalanceRow, entry: Entry) -> None:
    mine, its = ({row.question(path)[1]: cell for path, cell in row.regions.items()} for row in (one, other))
    found = witness(mine, its)
    if found is None:
        return
    side, key, amount = entry[1], entry[2], _entries(other)[entry]
    names = [f"`{row.e.word('name', f'row {int(row.e.path[-1]) + 1}')}`" for row in (one, other)]
    said = f"rows {' and '.join(names)} both {side} `{key}` with {amount}{' when ' + found if found else ''}"
    where = mark(other.e.at("name")) if other.e.has("name") else mark(other.e)
    f.say("R509", said, where, "every row that matches is written; tell them apart by `when`", WARNING)
