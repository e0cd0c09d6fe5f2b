"""Draws up declared statements: measures and formulas in lines and columns, one query for a measure and its period.

It reads, reckons and lays out; what is printed or written to a file is the caller's. Amounts are exact Decimals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from functools import cached_property
from typing import Any

from .batch import Rules
from .errors import InvalidInput
from .expression_python import as_text
from .model import SCALES, Type
from .money import EXACT, from_kept, rounded
from .notation import Value
from .statement_definitions import Asked, Figure, Statement, in_words
from .statement_formulas import Formulas
from .statement_given import Given
from .statement_layout import Drawn, Layout, is_empty
from .statement_lines import Line, Selection
from .statement_measures import Cells, Measures
from .statement_reports import Cell, Report
from .store import Session


def report(session: Session, rules: Rules, statement: Statement, values: Mapping[str, Value]) -> Report:
    """Draw up a statement; `values` are what it takes, records by their keys.

    A measure's `by` is bound by name to the record of `each`, to that of `for_each` and to what is taken and given;
    where only the name differs, to the one `by` that refers to such a record and is not taken by its name. The rest is
    summed. The number of queries does not depend on the number of lines.

    Raises UsageFault for a record that is not there, InvalidInput where money of several currencies would be added,
    where a measure cannot be told apart by line, or where a formula cannot be reckoned.
    """
    with localcontext(EXACT):
        given = Given(session, rules, statement.takes, values)
        return _Drawing(statement, given).report()


@dataclass
class _Drawing:
    """One statement being drawn up within one transaction."""

    statement: Statement
    given: Given

    @cached_property
    def selection(self) -> Selection:
        return Selection(self.statement, self.given)

    @cached_property
    def formulas(self) -> Formulas:
        return Formulas(self.statement, self.given)

    @cached_property
    def measures(self) -> Measures:
        return Measures(self.statement, self.given, self.selection, self.formulas)

    def report(self) -> Report:
        s = self.statement
        drawn = [self.drawn(block) for block in self.selection.blocks.lines]
        checks = tuple(words for each in drawn for words in self.failed_check(each))
        if s.for_each and s.each.left_out:
            drawn = [each for each in drawn if not all(is_empty(s, values) for values in each.values)]
        layout = Layout(s, self.given, self.formulas.types, self.selection.lines.lines)
        columns, labels, blocks = layout.of(drawn)
        per = (s.for_each.title or in_words(s.for_each.of)) if s.for_each else ""
        return Report(s.name, s.title, s.doc, self.given.texts, labels, per, columns, blocks, checks)

    # --- values ---

    def drawn(self, block: Line) -> Drawn:
        """The values of one table, and its totals."""
        cells = self.measures.cells
        currency = self.currency(block)
        values = [self.line_values(block, line, cells, currency) for line in self.selection.lines.lines]
        wanted = self.statement.totals or self.statement.check
        return Drawn(block, currency, values, self.totals(values, block, currency) if wanted else {})

    def currency(self, block: Line) -> str | None:
        """The one currency of a table's money; raises InvalidInput where there are several."""
        found = sorted(self.measures.currencies[block.id])
        if len(found) > 1:
            where = f"{self.statement.title}{' of ' + block.heading if block.heading else ''}"
            raise InvalidInput(
                f"{where} would add money in {' and '.join(found)}; a statement adds one currency only: "
                "narrow down what it is about."
            )
        return found[0] if found else self.given.currency

    def line_values(
        self, block: Line, line: Line, cells: Mapping[Asked, Cells], currency: str | None
    ) -> dict[str, Cell]:
        values: dict[str, Cell] = {}
        for figure in self.statement.figures:
            if figure.measure:
                by_line = not self.statement.by_period or figure.days.kind.endswith("_column")
                key = (block.id, line.id if by_line else None)
                nothing = from_kept(0, self.formulas.types[figure.name].kind)
                values[figure.name] = cells[figure.asked].get(key, nothing)
            elif figure.field and line.id is not None:
                values[figure.name] = self.selection.fields[line.id][figure.name]
        what = " ".join(filter(None, (block.heading, line.heading)))
        return self.with_formulas(values, self.formulas.in_turn, currency, what)

    def with_formulas(
        self, values: dict[str, Cell], wanted: Iterable[str], currency: str | None, what: str
    ) -> dict[str, Cell]:
        figures = {f.name: f for f in self.statement.figures}
        for name in wanted:
            place = (figures[name].formula or self.statement).place
            value = self.formulas.reckoned(
                self.formulas.by_name[name], place, values, f"{figures[name].title} of {what}"
            )
            values[name] = _as_named(value, self.formulas.types[name], self.given.places(currency))
        return {n: as_text(v) if isinstance(v := values[n], date) else v for n in figures}

    # --- totals ---

    @cached_property
    def total_ways(self) -> dict[str, str]:
        """How each figure is totalled; what needs a figure without total has none."""
        ways = {f.name: self.total_way(f) for f in self.statement.figures}
        for name in self.formulas.in_turn:
            if ways[name] == "formula" and any(ways[read] == "none" for read in self.formulas.by_name[name].reads):
                ways[name] = "none"
        return ways

    def total_way(self, figure: Figure) -> str:
        if figure.total and (figure.formula or figure.total != "formula"):
            return figure.total
        if figure.formula:
            return "formula"
        if figure.field:
            return "none"
        # In a row of months or weeks what is no movement of one is a balance, or the same in all of them.
        return "last" if self.statement.by_period and figure.days.kind != "over_column" else "sum"

    def totals(self, values: Sequence[Mapping[str, Cell]], block: Line, currency: str | None) -> dict[str, Cell]:
        """The totals of a table over all its lines, also those left out; what counts in another line counts once."""
        ways = self.total_ways
        found: dict[str, Cell] = {}
        fields = {f.name for f in self.statement.figures if f.field}
        topmost = [self.selection.is_topmost(line) for line in self.selection.lines.lines]
        for name, way in ways.items():
            column = [v[name] for v, is_topmost in zip(values, topmost, strict=True) if is_topmost or name in fields]
            found[name] = _total(column, way, self.formulas.types[name])
        reckoned = [name for name in self.formulas.in_turn if ways[name] == "formula"]
        what = f"the total{' of ' + block.heading if block.heading else ''}"
        return self.with_formulas(found, reckoned, currency, what)

    def failed_check(self, drawn: Drawn) -> Iterator[str]:
        """What does not hold, in words, with the totals that it is about."""
        check = self.statement.check
        if check is None:
            return
        formula = self.formulas.compiled(check)
        if none := [n for n in formula.reads if self.total_ways[n] == "none"]:
            raise InvalidInput(f"{check.place}: The check is about {', '.join(none)}, which has no total.")
        heading = f" of {drawn.block.heading}" if drawn.block.heading else ""
        if not self.formulas.reckoned(formula, check.place, drawn.totals, f"The check{heading}"):
            totals = ", ".join(f"{n} is {as_text(drawn.totals[n])}" for n in formula.reads)
            yield f"{check.place}: The check{heading} does not hold: {check.text}. In total {totals}."


def _total(column: Sequence[Cell], way: str, type_: Type) -> Cell:
    """The sum of what is given, or the last; of no lines nothing."""
    if way in ("none", "formula") or not type_.is_numeric:
        return None
    nothing = from_kept(0, type_.kind)
    if way == "last":
        return column[-1] if column else nothing
    return sum((v for v in column if v is not None and not isinstance(v, str)), start=nothing)


def _as_named(value: Any, type_: Type, places: int | None) -> Cell:
    """A formula's value as it stands in the statement: money in whole units of its currency, other decimals as kept."""
    if value is None or not type_.is_numeric:
        return None if value is None else as_text(value)
    if type_.kind == "whole":
        return int(value)
    amount = Decimal(value)
    if type_.kind == "money" and places is not None:
        return rounded(amount, places)
    kept = SCALES[type_.kind]
    return rounded(amount, kept) if -int(amount.as_tuple().exponent) > kept else amount
