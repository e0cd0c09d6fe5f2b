"""Lays the values of a statement out in rows and columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .model import Type
from .statement_definitions import Periods, Statement, in_words
from .statement_given import Given
from .statement_lines import Line, title_path
from .statement_reports import Block, Cell, Column, Row

USUAL_PLACES = 2
LaidOut: TypeAlias = "tuple[tuple[Column, ...], tuple[str, ...], tuple[Block, ...]]"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The values of one table: by line, then by the name of the figure."""

    block: Line
    currency: str | None
    values: list[dict[str, Cell]]
    totals: dict[str, Cell]


@dataclass(frozen=True, slots=True)
class Layout:
    """Lays the values of a statement's tables out in rows and columns."""

    statement: Statement
    given: Given
    types: Mapping[str, Type]
    lines: tuple[Line, ...]

    def of(self, drawn: Sequence[Drawn]) -> LaidOut:
        """(the columns, the headings of a row's label, a block for each table)."""
        return self.as_columns(drawn) if self.statement.figures_as == "columns" else self.as_rows(drawn)

    def as_columns(self, drawn: Sequence[Drawn]) -> LaidOut:
        """A row for each line, a column for each figure."""
        s = self.statement
        columns = tuple(Column(f.name, f.title, self.types[f.name], f.show) for f in s.figures)
        blocks = []
        for each in drawn:
            lines = zip(self.lines, each.values, strict=True)
            rows = [_figures_row(line, v) for line, v in lines if not (s.each.left_out and is_empty(s, v))]
            totals = _figures_row(Line(None, "", ("Total",)), each.totals) if s.totals else None
            blocks.append(self.block(each, rows, totals))
        return columns, self.line_labels(), tuple(blocks)

    def as_rows(self, drawn: Sequence[Drawn]) -> LaidOut:
        """A row for each figure, a column for each line that holds something in any table, and one for the totals."""
        s = self.statement
        shown_lines = [
            (index, line) for index, line in enumerate(self.lines)
            if not s.each.left_out or any(not is_empty(s, each.values[index]) for each in drawn)
        ]  # fmt: skip
        columns = [Column(line.key, line.heading, None) for _, line in shown_lines]
        if s.totals:
            columns.append(Column("total", "Total", None))
        indexes = [index for index, _ in shown_lines]
        blocks = [self.block(each, self.line_rows(each, indexes), None) for each in drawn]
        return tuple(columns), ("",), tuple(blocks)

    def line_rows(self, drawn: Drawn, indexes: Sequence[int]) -> list[Row]:
        s = self.statement
        rows = []
        for f in s.figures:
            values = [drawn.values[index][f.name] for index in indexes]
            total = [drawn.totals[f.name]] if s.totals else []
            rows.append(Row(f.name, (f.title,), (*values, *total), self.types[f.name], f.show))
        return rows

    def block(self, drawn: Drawn, rows: Iterable[Row], totals: Row | None) -> Block:
        places = self.given.places(drawn.currency)
        return Block(drawn.block.key, drawn.block.heading, drawn.currency, USUAL_PLACES if places is None else places,
                     tuple(rows), totals)  # fmt: skip

    def line_labels(self) -> tuple[str, ...]:
        """The headings of a label: what people call a record, and what describes it."""
        each = self.statement.each
        if isinstance(each, Periods):
            return (each.title or each.unit.capitalize(),)
        title = title_path(self.given.record(each.of))
        return (each.title or in_words(each.of), *(in_words(name) for name in title or ()))


def _figures_row(line: Line, values: Mapping[str, Cell]) -> Row:
    return Row(line.key, line.label, tuple(values.values()))


def is_empty(statement: Statement, values: Mapping[str, Cell]) -> bool:
    """Whether all figures of a line are zero or none, but for what is only a field of its record."""
    figures = (values[f.name] for f in statement.figures if not f.field)
    return all(v is None or (not isinstance(v, str) and v == 0) for v in figures)
