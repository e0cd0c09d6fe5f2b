"""A statement drawn up, as plain values: its tables as texts, and all of it as data."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from .facts import plain
from .model import Type
from .money import EXACT, shown

Cell: TypeAlias = "Decimal | int | str | None"
VERSION = 1  # of what `as_data` gives


@dataclass(frozen=True, slots=True)
class Column:
    """A column of values. It has no type where every row has its own; `show` may say `percent`."""

    name: str
    title: str
    type: Type | None
    show: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line: `key` as addresses name it, the cells of its label, a value for each column.

    It has a type, and perhaps something to `show`, where the columns have none.
    """

    key: str
    label: tuple[str, ...]
    values: tuple[Cell, ...]
    type: Type | None = None
    show: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One table; key and heading are empty where there is only one. `places` are the digits its money is shown with."""

    key: str
    heading: str
    currency: str | None
    places: int
    rows: tuple[Row, ...]
    totals: Row | None


@dataclass(frozen=True, slots=True)
class Report:
    """A statement drawn up.

    `given` are names and texts of what it was asked with, `labels` the headings of the cells of a row's label,
    `per` the heading of the blocks (empty where there is one), `checks` the failed checks in words.
    """

    name: str
    title: str
    doc: str
    given: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    per: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    checks: tuple[str, ...]


# --- as text ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column of texts; numbers stand to the right."""

    title: str
    right: bool


def as_table(drawn: Report, block: Block | None = None) -> tuple[tuple[Heading, ...], list[tuple[str, ...]]]:
    """Headings and rows of plain texts: one block alone, or all, the block's heading in the first column."""
    first = [Heading(drawn.per, False)] if drawn.per and block is None else []
    labels = [Heading(label, False) for label in drawn.labels]
    columns = [Heading(c.title, c.type is None or c.type.is_numeric) for c in drawn.columns]
    rows: list[tuple[str, ...]] = []
    for each in drawn.blocks if block is None else (block,):
        start = (each.heading,) * len(first)
        rows += [(*start, *_texts(drawn, each, row)) for row in each.rows]
        if each.totals is not None:
            rows.append((*start, *_texts(drawn, each, each.totals)))
    return (*first, *labels, *columns), rows


def _texts(drawn: Report, block: Block, row: Row) -> tuple[str, ...]:
    label = (*row.label, *[""] * (len(drawn.labels) - len(row.label)))
    kinds = [(row.type, row.show) if c.type is None else (c.type, c.show) for c in drawn.columns]
    return (*label, *(_text(v, t, show, block.places) for v, (t, show) in zip(row.values, kinds, strict=True)))


def _text(value: Cell, type_: Type | None, show: str | None, places: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if show == "percent":
        return f"{shown(EXACT.multiply(Decimal(value), 100), 1)} %"
    return shown(value, places if type_ is not None and type_.kind == "money" else None)


# --- as data ---------------------------------------------------------------------------------------------------------


def as_data(drawn: Report) -> dict[str, Any]:
    """A report as JSON can hold it, version 1; amounts and other decimals are exact texts, counts are numbers.

    {"version": 1, "statement", "title", "doc", "given": {name: text},
     "columns": [{"name", "title", "type", "show"}],
     "blocks": [{"key", "heading", "currency", "rows": [{"key", "label": [text], "values": {column: value}}],
                 "totals": a row or null}],
     "checks": [text]}; type, show, currency and values may be null.
    """
    return {
        "version": VERSION, "statement": drawn.name, "title": drawn.title, "doc": drawn.doc, "given": dict(drawn.given),
        "columns": [_column_data(c) for c in drawn.columns],
        "blocks": [_block_data(drawn, b) for b in drawn.blocks], "checks": list(drawn.checks),
    }  # fmt: skip


def _column_data(column: Column) -> dict[str, Any]:
    kind = None if column.type is None else column.type.kind
    return {"name": column.name, "title": column.title, "type": kind, "show": column.show}


def _block_data(drawn: Report, block: Block) -> dict[str, Any]:
    rows = [_row_data(drawn, r) for r in block.rows]
    totals = None if block.totals is None else _row_data(drawn, block.totals)
    return {"key": block.key, "heading": block.heading, "currency": block.currency, "rows": rows, "totals": totals}


def _row_data(drawn: Report, row: Row) -> dict[str, Any]:
    values = {c.name: plain(v) for c, v in zip(drawn.columns, row.values, strict=True)}
    data = {"key": row.key, "label": list(row.label), "values": values}
    return data if row.type is None else data | {"type": row.type.kind, "show": row.show}
