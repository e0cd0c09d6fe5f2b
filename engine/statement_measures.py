"""What the measures of a statement are, by table and line: one query for a measure and its period."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, case, extract

from . import definitions as d
from .errors import InvalidInput
from .expressions import Path, parse
from .model import Parts, Type
from .money import from_kept
from .queries import Joined, among, too_large
from .statement_definitions import Asked, Figure, Periods, Statement, telling_apart
from .statement_expressions import amount_of, in_sql, parsed
from .statement_formulas import Formulas
from .statement_given import Given
from .statement_lines import Selection, first_day, last_day, number_of, refuse_backwards

Cells: TypeAlias = "dict[tuple[int | None, int | None], Decimal | int]"
BEFORE = -1  # stands for everything before the first month or week


@dataclass(frozen=True, slots=True)
class Binding:
    """The names of a measure's `by` that tell tables and lines apart, and those that are given once for all."""

    block: str | None
    line: str | None
    fixed: Mapping[str, Any]


@dataclass
class Measures:
    """What the measures of a statement are, by table and line; notes the currencies that come up in each table."""

    statement: Statement
    given: Given
    selection: Selection
    formulas: Formulas
    currencies: dict[int | None, set[str]] = field(default_factory=lambda: defaultdict(set))

    @cached_property
    def cells(self) -> dict[Asked, Cells]:
        """What each measure is, by table and line; everything that is asked of the database is asked here."""
        found: dict[Asked, Cells] = {}
        for figure in self.statement.figures:
            if figure.measure and figure.asked not in found:
                found[figure.asked] = self.measure(figure)
        return found

    def measure(self, figure: Figure) -> Cells:
        """One measure over one period, by table and line, in one query."""
        measure = self.given.library.measure(figure.measure or "")
        assert measure is not None
        joined = Joined(self.given.library, self.given.rules.metadata, self.given.record(measure.of))
        binding = self.binding(figure, measure)
        groups, conditions = self.bound_columns(joined, measure, binding)
        conditions += self.days(figure, joined, measure)
        if figure.days.kind.endswith("_column"):
            groups["period_"] = self.number(joined, measure, figure.days.kind)
        type_ = self.formulas.types[figure.name]
        if path := self.currency_path(measure, type_):
            groups["currency_"] = joined.column(path)[0]
        amount = amount_of(joined, measure).label("amount_")
        if measure.where:
            conditions.append(in_sql(parsed(measure.where), joined, measure.where))
        statement = joined.selecting(*(c.label(n) for n, c in groups.items()), amount)
        # By label, since a database does not see that two expressions with the same values given are the same.
        try:
            rows = self.given.session.sums(statement.where(*conditions).group_by(*groups))
        except OverflowError:
            raise InvalidInput(too_large(measure, type_)) from None
        cells = self.added([dict(zip((*groups, "amount_"), row, strict=True)) for row in rows], type_)
        return self.balances(cells, type_) if figure.days.kind == "at_column" else cells

    def added(self, rows: Iterable[Mapping[str, Any]], type_: Type) -> Cells:
        """The answers of the database by table and line, the currencies noted."""
        kept: dict[tuple[int | None, int | None], int] = defaultdict(int)
        for row in rows:
            period = row.get("period_")
            block, line = row.get("block_"), row.get("line_") if period is None else self.line_of(period)
            counted = [line] if self.selection.above is None or line is None else self.selection.above[line]
            for each in counted:
                kept[(block, each)] += row["amount_"]
            if row.get("currency_") is not None and counted:
                self.currencies[block].add(str(row["currency_"]))
        return {key: from_kept(value, type_.kind) for key, value in kept.items()}

    def balances(self, moved: Cells, type_: Type) -> Cells:
        """Movements added up from line to line, on what was there before the first."""
        found: Cells = {}
        for block in self.selection.blocks.lines:
            balance = moved.get((block.id, BEFORE), from_kept(0, type_.kind))
            for line in self.selection.lines.lines:
                balance += moved.get((block.id, line.id), 0)
                found[(block.id, line.id)] = balance
        return found

    def bound_columns(
        self, joined: Joined, measure: d.Measure, binding: Binding
    ) -> tuple[dict[str, ColumnElement[Any]], list[ColumnElement[bool]]]:
        """The columns that tell tables and lines apart, and the conditions on these and on what is given."""
        groups: dict[str, ColumnElement[Any]] = {}
        conditions: list[ColumnElement[bool]] = []
        for name, by, lines in (
            ("block_", binding.block, self.selection.blocks),
            ("line_", binding.line, self.selection.lines),
        ):
            if by is not None:
                column = groups[name] = joined.column(measure.by[by])[0]
                # What lies under a line counts for it, whether it has a line of its own or not.
                chosen = None if name == "line_" and self.selection.above is not None else lines.chosen
                conditions.append(column.is_not(None) if chosen is None else column.in_(chosen))
        for by, value in binding.fixed.items():
            column, type_ = joined.column(measure.by[by])
            conditions.append(among(column, type_, [value]))
        return groups, conditions

    def days(self, figure: Figure, joined: Joined, measure: d.Measure) -> list[ColumnElement[bool]]:
        """The conditions on the date; a date that is none bounds nothing."""
        kind = figure.days.kind
        if kind == "all":
            return []
        column = self.date(joined, measure)
        if kind.endswith("_column"):
            first, last = self.period
            return [column.between(first, last)] if kind == "over_column" else [column <= last]
        days = [self.given.day(path) for path in figure.days.paths]
        if kind == "over":
            refuse_backwards(*days)
            return [*_compared(operator.ge, column, days[0]), *_compared(operator.le, column, days[1])]
        return _compared(operator.lt if kind == "before" else operator.le, column, days[0])

    @cached_property
    def period(self) -> tuple[date, date]:
        """The first day of the first month or week and the last of the last."""
        numbers = [n for line in self.selection.lines.lines if (n := line.id) is not None]
        return first_day(self.unit, numbers[0]), last_day(self.unit, numbers[-1])

    @property
    def unit(self) -> str:
        each = self.statement.each
        return each.unit if isinstance(each, Periods) else ""

    def date(self, joined: Joined, measure: d.Measure) -> ColumnElement[Any]:
        if measure.dated_by is None:
            raise InvalidInput(f"{measure.place}: The measure `{measure.name}` has no date: say `dated_by`.")
        return joined.column(d.dotted(measure.dated_by))[0]

    def number(self, joined: Joined, measure: d.Measure, kind: str) -> ColumnElement[Any]:
        """The number of the month, in a balance one for all that was before; of weeks, which databases count
        otherwise, the day."""
        day = self.date(joined, measure)
        if self.unit == "week":
            return day
        number: ColumnElement[Any] = extract("year", day) * 12 + extract("month", day) - 1
        return number if kind == "over_column" else case((day < self.period[0], BEFORE), else_=number)

    def line_of(self, period: Any) -> int:
        """The line that a group of the database belongs to."""
        if not isinstance(period, date):
            return int(period)
        return BEFORE if period < self.period[0] else number_of(self.unit, period)

    def currency_path(self, measure: d.Measure, type_: Type) -> Parts | None:
        """Where the currency of a measure's money stands, from its record; None where it sums no money."""
        if type_.kind != "money" or measure.sum is None:
            return None
        node = parsed(measure.sum)
        path = node.parts if isinstance(node, Path) else ("",)
        before = self.given.library.along(Type("ref", of=measure.of), path[:-1]) if path[:-1] else None
        record = self.given.record(before.of if before else measure.of)
        own = record.fields.get(path[-1])
        declared = (own.currency if own else None) or record.currency
        return (*path[:-1], *declared) if declared else None

    # --- binding ---

    def binding(self, figure: Figure, measure: d.Measure) -> Binding:
        start = Type("ref", of=measure.of)
        types = {n: self.given.library.along(start, path) or Type("unknown") for n, path in measure.by.items()}
        bound = {by: self.bound(value) for by, value in figure.bound}
        used: list[str] = list(bound)
        for lines in (self.selection.lines, self.selection.blocks):
            used.append(self.by_of(figure, lines.of, types, used) if lines.of else "")
        fixed = [n for n in types if n not in used and self.given.ids.get(n) is not None]
        for name in fixed:
            self.refuse_other_type(figure, name, types[name])
        line, block = used[len(bound) :]
        given = {n: self.given.at((n,)) for n in fixed}
        return Binding(block or None, line or None, given | bound)

    def bound(self, text: str) -> Any:
        """A value that a figure names: what the statement takes, or a constant."""
        node = parse(text)
        return self.given.at(node.parts) if isinstance(node, Path) else getattr(node, "value", None)

    def by_of(self, figure: Figure, record: str, types: Mapping[str, Type], used: Sequence[str]) -> str:
        """The `by` that tells the records apart; where a pack was not checked there may be none, or several."""
        fitting = telling_apart(types, record, self.given.fields, used)
        if len(fitting) == 1:
            return fitting[0]
        said = f"is by {', '.join(types) or 'nothing'}" if not fitting else f"could be by {' or '.join(fitting)}"
        raise InvalidInput(
            f"{figure.place}: The measure `{figure.measure}` {said}, so it cannot be told for each {record}; "
            f"name one of its `by` {record}."
        )

    def refuse_other_type(self, figure: Figure, name: str, type_: Type) -> None:
        given = self.given.fields[name].type
        kinds = {given.kind, type_.kind}
        if (given.kind, given.of) != (type_.kind, type_.of) and kinds != {"text", "choice"}:
            raise InvalidInput(
                f"{figure.place}: `{name}` of the measure `{figure.measure}` is {type_.given()}, "
                f"what the statement takes by that name is {given.given()}."
            )


def _compared(
    sign: Callable[[Any, Any], Any], column: ColumnElement[Any], day: date | None
) -> list[ColumnElement[bool]]:
    """A bound on a date; none bounds nothing."""
    return [] if day is None else [sign(column, day)]
