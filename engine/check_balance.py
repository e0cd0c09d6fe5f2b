"""Proves that postings balance, over rounded names: each row by itself, or rows together where some go over lists.

What is posted for each element of a list is weighed against a sum over that list. Rows that do not balance by
themselves are gone through in every case that their cells tell apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from .check_constants import Region, Regions, Sample, is_met, samples
from .check_findings import Findings, mark
from .definitions import Element
from .expression_scopes import split_list
from .expressions import Binary, Call, ExpressionError, Node, Path, Unary, parse
from .scopes import ElementNames, Names

MOST_CASES = 5000
Terms = Mapping[str, int]
Question = tuple[str, tuple[str, ...]]  # the list whose elements are asked, or nothing; and what they are asked
Case = Mapping[Question, Sample]


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """What a row adds to the debits, written out; `over` is the list whose elements it is written for."""

    e: Element
    over: str
    names: Names
    regions: Regions
    alone: Terms
    terms: Terms

    def question(self, path: tuple[str, ...]) -> Question:
        """What a cell asks: something of an element, or something around."""
        if isinstance(self.names, ElementNames) and path[0] != "this" and not self.names.is_outside(path[0]):
            # What a row works out itself is no other row's.
            own = path[0] in self.names.lets or path[0] in self.names.uses
            return self.over, (*path, f"of row {self.e.path[-1]}") if own else path
        return "", path[1:] if path[0] == "this" else path

    def applies(self, case: Case) -> bool:
        return all(is_met(region, case[self.question(path)][0]) for path, region in self.regions.items())


def balance_row(e: Element, index: int, names: Names, regions: Regions, terms: list[tuple[str, int]]) -> BalanceRow:
    """Debits less credits of a row, as they stand and written out."""
    alone = added(terms)
    over = e.word("for_each") if isinstance(names, ElementNames) else ""
    return BalanceRow(e, over, names, regions, alone, written_out(e, index, names, alone))


def written_out(e: Element, index: int, names: Names, terms: Terms) -> Terms:
    """A sum of names of a row by what they come to, in words that mean the same in every row."""
    written = added(_written_out(terms, names))
    if not isinstance(names, ElementNames):
        return written
    over, row = e.word("for_each"), e.word("name", f"row {index + 1}")
    return {_of_element(name, names, over, row): count for name, count in written.items()}


def _of_element(name: str, names: ElementNames, over: str, row: str) -> str:
    """A name of an element in the words of who goes over the list; what only this row works out is only its own."""
    head = name.partition(".")[0]
    if head in names.lets or head in names.uses:
        return f"{name} of `{row}`"
    return f"{name} for each" if head == "this" or names.is_outside(head) else f"sum({over}.{name})"


def check_balance(f: Findings, rows: Sequence[BalanceRow | None]) -> None:
    """Rows balance each by itself; where some go over lists, what is left balances together."""
    uneven = [row for row in rows if row is not None and row.alone and row.terms]
    if not any(row is None or row.over for row in rows):
        for row in uneven:
            said = f"this row does not balance: debits - credits = {_shown(row.alone)}"
            f.say("R501", said, mark(row.e.at("name")) if row.e.has("name") else mark(row.e))
    elif uneven and None not in rows:
        said = _difference(uneven)
        if said:
            first = uneven[0].e
            f.say("R501", said, mark(first.at("name")) if first.has("name") else mark(first), _TOGETHER)


_TOGETHER = "what is posted once must be what is posted for each: a `let` made of `sum(LIST.FIELD)`"


# --- together, case by case ---


def _difference(rows: Sequence[BalanceRow]) -> str:
    """What is said of the first case in which rows do not balance together; nothing where they always do."""
    lists = list(dict.fromkeys(row.over for row in rows if row.over))
    options = {over: _options(rows, over) for over in ("", *lists)}
    counts = {over: prod(map(len, found.values())) for over, found in options.items()}
    if counts[""] * (1 + sum(counts[over] for over in lists)) > MOST_CASES:
        return f"these rows have more than {MOST_CASES} cases, in which their balance is not proved"
    by_list = {over: [dict(zip(found, each, strict=True)) for each in product(*found.values())]
               for over, found in options.items()}  # fmt: skip
    for around in by_list[""]:
        once = added(pair for row in rows if not row.over and row.applies(around) for pair in row.terms.items())
        rest = {name: n for name, n in once.items() if not any(name.startswith(f"sum({over}.") for over in lists)}
        if rest:
            return f"these rows do not balance{_when(around)}: debits - credits = {_shown(rest)}"
        for over in lists:
            summed = [(name, n) for name, n in once.items() if name.startswith(f"sum({over}.")]
            for case in by_list[over]:
                here = {**around, **case}
                each = [pair for row in rows if row.over == over and row.applies(here) for pair in row.terms.items()]
                if left := added([*summed, *each]):
                    said = f"these rows do not balance for each of `{over}`"
                    return f"{said}{_when(here)}: debits - credits = {_shown(left)}"
    return ""


def _options(rows: Sequence[BalanceRow], over: str) -> dict[Question, list[Sample]]:
    """What the cells of the rows tell apart about the elements of a list, or about what is around."""
    asked: dict[Question, list[Region]] = {}
    empty: set[Question] = set()
    for row in rows:
        for path, region in row.regions.items():
            question, type_ = row.question(path), row.names.type_of(path)
            if question[0] == over:
                asked.setdefault(question, []).append(region)
                empty |= {question} if type_ is None or type_.optional else set()
    return {q: [*samples(regions), *([(None, "empty")] if q in empty else [])] for q, regions in asked.items()}


def _when(case: Case) -> str:
    said = ", ".join(f"{'.'.join(question[1])} = {words}" for question, (_, words) in case.items())
    return f" when {said}" if said else ""


# --- sums of names ---


def addends(node: Node, sign: int = 1) -> Iterator[tuple[Node, int]]:
    """The operands that are added and subtracted, with their signs."""
    match node:
        case Binary(operator="+" | "-"):
            yield from addends(node.left, sign)
            yield from addends(node.right, sign if node.operator == "+" else -sign)
        case Unary(operator="-"):
            yield from addends(node.operand, -sign)
        case _:
            yield node, sign


def added(terms: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How often each name counts; what cancels out is left out."""
    total: dict[str, int] = {}
    for name, sign in terms:
        total[name] = total.get(name, 0) + sign
    return {name: count for name, count in total.items() if count}


def _written_out(terms: Terms, names: Names, seen: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """The same sum with each `let` written out that only adds and subtracts rounded money: nothing is rounded anew."""
    found: list[tuple[str, int]] = []
    for name, count in terms.items():
        parts = _addends(names.lets[name].text, names) if name in names.lets and name not in seen else None
        if parts is None:
            found.append((name, count))
        else:
            inner = added([(part, sign * count) for part, sign in parts])
            found += _written_out(inner, names, seen | {name})
    return found


def _addends(text: str, names: Names) -> list[tuple[str, int]] | None:
    try:
        parts = list(addends(parse(text)))
    except ExpressionError:
        return None
    found: list[tuple[str, int]] = []
    for node, sign in parts:
        named = _named(node, names)
        if named is None:
            return None
        found += [(name, sign * count) for name, count in named]
    return found


def _named(node: Node, names: Names) -> list[tuple[str, int]] | None:
    """Rounded money that an operand is made of: a name, or a sum over a list of rounded money; None for all else."""
    if isinstance(node, Path):
        return [(".".join(node.parts), 1)] if _is_money(node.parts, names) else None
    if not isinstance(node, Call) or node.name != "sum" or not isinstance(node.arguments[0], Path):
        return None
    split = split_list(node.arguments[0].parts, names.type_of)
    if split is None:
        return None
    over, field = split
    asked = list(addends(node.arguments[1])) if len(node.arguments) == 2 else []
    paths = [(part.parts, sign) for part, sign in asked if isinstance(part, Path)] if asked else [(field, 1)]
    is_sound = len(paths) == max(1, len(asked)) and all(_is_money((*over, *path), names) for path, _ in paths)
    return [(f"sum({'.'.join((*over, *path))})", sign) for path, sign in paths] if is_sound else None


def _is_money(path: tuple[str, ...], names: Names) -> bool:
    found = names.type_of(path)
    inner = found.item if found and found.kind == "list" else found
    return inner is not None and inner.kind == "money"


def _shown(difference: Terms) -> str:
    """A sum of names as it is written, what is added first."""
    in_order = sorted(difference.items(), key=lambda term: term[1] < 0)
    words = [
        f"{'-' if count < 0 else '+'} {'' if abs(count) == 1 else f'{abs(count)} * '}{name}" for name, count in in_order
    ]
    said = " ".join(words)
    return said[2:] if said.startswith("+ ") else "-" + said[2:]
