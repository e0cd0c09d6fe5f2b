"""Writes a statement as a workbook that spreadsheets open: amounts as numbers in their currency, dates as dates."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .errors import UsageFault
from .model import Type
from .statement_reports import Block, Cell, Report, Row

# A spreadsheet keeps no more; what has more is written as text, so that no digit is lost.
MOST_DIGITS = 15
WIDEST, NARROWEST = 48, 10


def as_workbook(drawn: Report, made_at: str) -> bytes:
    """A report as xlsx; `made_at` is the moment that the workbook is dated with."""
    try:
        import xlsxwriter
    except ImportError:
        raise UsageFault("Workbooks need their writer: pip install 'charter[xlsx]'.") from None
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"title": drawn.title, "comments": drawn.doc, "created": datetime.fromisoformat(made_at)})
    _Sheet(book, drawn).write()
    book.close()
    return out.getvalue()


class _Sheet:
    """The one sheet of a workbook: what was asked, then the tables, one beneath the other."""

    def __init__(self, book: Any, drawn: Report) -> None:
        self.book, self.drawn = book, drawn
        self.sheet = book.add_worksheet(drawn.title[:31].translate(str.maketrans("[]:*?/\\", "       ")))
        self.formats: dict[tuple[str, bool], Any] = {}
        self.line = 0
        self.widths: dict[int, int] = {}

    def write(self) -> None:
        self.texts(self.drawn.title, bold=True)
        for name, text in self.drawn.given:
            self.texts(name, text)
        for block in self.drawn.blocks:
            self.line += 1
            self.table(block)
        for said in self.drawn.checks:
            self.texts(f"check failed: {said}")
        for column, width in self.widths.items():
            self.sheet.set_column(column, column, min(max(width + 2, NARROWEST), WIDEST))

    def texts(self, *texts: str, bold: bool = False) -> None:
        for column, text in enumerate(texts):
            self.sheet.write_string(self.line, column, text, self.format("", bold))
        self.line += 1

    def table(self, block: Block) -> None:
        heading = " ".join(filter(None, (self.drawn.per, block.heading)))
        if heading or block.currency:
            self.texts(*filter(None, (heading, block.currency)), bold=True)
        for column, title in enumerate((*self.drawn.labels, *(c.title for c in self.drawn.columns))):
            self.cell(column, title, "", bold=True)
        self.line += 1
        for row in block.rows:
            self.row(block, row)
        if block.totals is not None:
            self.row(block, block.totals, bold=True)

    def row(self, block: Block, row: Row, bold: bool = False) -> None:
        for column, text in enumerate(row.label):
            self.cell(column, text, "", bold)
        for column, (told, value) in enumerate(
            zip(self.drawn.columns, row.values, strict=True), len(self.drawn.labels)
        ):
            type_, show = (row.type, row.show) if told.type is None else (told.type, told.show)
            self.cell(column, _typed(value, type_), _form(type_, show, block), bold)
        self.line += 1

    def cell(self, column: int, value: Cell | date, form: str, bold: bool) -> None:
        if value is None:
            return
        as_ = self.format(form, bold)
        if isinstance(value, date):
            self.sheet.write_datetime(self.line, column, value, as_)
        elif isinstance(value, str):
            self.sheet.write_string(self.line, column, value, as_)
        elif len(Decimal(value).normalize().as_tuple().digits) > MOST_DIGITS:
            self.sheet.write_string(self.line, column, f"{Decimal(value):f}", as_)
        else:
            self.sheet.write_number(self.line, column, value, as_)
        self.widths[column] = max(self.widths.get(column, 0), len(str(value)))

    def format(self, form: str, bold: bool) -> Any:
        if (form, bold) not in self.formats:
            wanted: Mapping[str, Any] = {"bold": bold} | ({"num_format": form} if form else {})
            self.formats[form, bold] = self.book.add_format(wanted)
        return self.formats[form, bold]


def _typed(value: Cell, type_: Type | None) -> Cell | date:
    """Reports tell dates as texts."""
    return date.fromisoformat(value) if isinstance(value, str) and type_ is not None and type_.kind == "date" else value


def _form(type_: Type | None, show: str | None, block: Block) -> str:
    """How a spreadsheet shows values of a type."""
    kind = "" if type_ is None else type_.kind
    if show == "percent":
        return "0.0%"
    if kind == "money":
        places = f".{'0' * block.places}" if block.places else ""
        return f"#,##0{places}" + (f' "{block.currency}"' if block.currency else "")
    return {"date": "yyyy-mm-dd", "whole": "#,##0", "number": "#,##0.######", "price": "#,##0.00####"}.get(kind, "")
