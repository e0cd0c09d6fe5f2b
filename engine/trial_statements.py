"""Holds statements, drawn up where a rule test ends, against the figures that it expects of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from .batch import Rules
from .elements import Element, Text
from .errors import CharterFault
from .facts import plain
from .processes import takes_of
from .statement_definitions import statement_of
from .statement_reports import Block, Cell, Report
from .statements import report
from .store import Session
from .trial_differences import DIFFERS, Difference

TOTALS = ""  # what the line of totals goes by among the others

Figures = Mapping[tuple[str, str], Cell]


def statement_failures(session: Session, rules: Rules, e: Element, differences: list[Difference]) -> Iterator[str]:
    """What is otherwise in one statement; figures that are numbers go to `differences`, too."""
    name = e.word("statement")
    statement = statement_of(rules.library, name)
    if statement is None:
        yield f"{e.place}: there is no statement `{name}`."
        return
    try:
        asked = takes_of(statement.takes, {n: t.text for n, t in e.texts("with").items()}, name)
        drawn = report(session, rules, statement, asked)
    except CharterFault as fault:
        yield f"{e.place}: {fault}"
        return
    yield from (f"{e.place}: {said}" for said in drawn.checks)
    block = table_of(drawn, e.word("table"))
    if block is None:
        yield f"{e.place}: {name} has no table `{e.word('table')}`; it has: {', '.join(b.key for b in drawn.blocks)}."
        return
    found = figures(drawn, block)
    lines = [(line, inner) for line, inner in e.pairs("lines")]
    for line, inner in [*lines, *([(TOTALS, e.at("totals"))] if e.has("totals") else [])]:
        yield from line_failures(name, found, line, inner, differences)


def table_of(drawn: Report, key: str) -> Block | None:
    """The table of that key; where none is named the only one."""
    if not key and len(drawn.blocks) == 1:
        return drawn.blocks[0]
    return next((block for block in drawn.blocks if block.key == key), None)


def figures(drawn: Report, block: Block) -> Figures:
    """The values of a table by line and figure, whichever of them the rows are."""
    found: dict[tuple[str, str], Cell] = {}
    for row in (*block.rows, *([block.totals] if block.totals else [])):
        for column, value in zip(drawn.columns, row.values, strict=True):
            key = TOTALS if row is block.totals else row.key
            found |= {(key, column.name): value, (column.name, key): value}
    return found


def line_failures(name: str, found: Figures, line: str, e: Element, differences: list[Difference]) -> Iterator[str]:
    called = f"{name}, {f'line {line}' if line else 'totals'}"
    if e.value == "none":
        if any(key == line for key, _ in found):
            yield f"{e.place}: {called} is shown, expected none."
        return
    for figure, text in figures_of(e):
        if (line, figure) not in found:
            yield f"{text.place}: {called} is not shown, or has no {figure}."
            continue
        value, wanted = found[line, figure], number(text.text)
        if wanted is None and str(plain(value)) != text.text and not (value is None and text.text == "none"):
            yield f"{text.place}: {called}: {figure} is {plain(value)}, expected {text.text}."
        elif wanted is not None and value != wanted:
            yield f"{text.place}: {called}: {figure} is {plain(value)}, expected {text.text}."
            if isinstance(value, Decimal | int):
                about = f"{called}: {figure}"
                differences.append(Difference(about, DIFFERS, wanted, Decimal(value), f"statement {name}", ""))


def figures_of(e: Element) -> Iterator[tuple[str, Text]]:
    for name in e.value if isinstance(e.value, dict) else ():
        yield name, e.must(name)


def number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
