"""The command that draws statements up: `report`, as tables, data, workbooks and pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .commands import Call, unknown
from .commands_events import takes_given
from .errors import DONE, UsageFault
from .output import Column, Sheet
from .statement_definitions import Statement, statement_of
from .statement_reports import Report, as_data, as_table
from .statements import report


@dataclass(frozen=True, slots=True)
class Cells:
    """A line of a report."""

    cells: Sequence[str]

    def rows(self) -> Iterator[Sequence[str]]:
        yield self.cells

    def data(self) -> dict[str, Any]:
        return {}


def print_report(call: Call, name: str, given: Sequence[str]) -> int:
    """Draw a statement up and print it; a check of it that does not hold is said."""
    rules = call.charter.rules
    statement = statement_of(rules.library, name)
    if statement is None:
        raise unknown("statement", name, [doc.name for doc in rules.library.pack.all("statement")])
    values = takes_given(statement.takes, given, name)
    with call.store.reading() as session:
        drawn = report(session, rules, statement, values)
    if call.form == "xlsx":
        print_workbook(call, drawn)
    elif call.form == "svg":
        print_picture(statement, drawn)
    elif call.shape == "json":
        print(json.dumps(as_data(drawn), ensure_ascii=False, indent=1))
    elif call.shape == "table":
        print(f"{drawn.title}: {', '.join(f'{n} {text}' for n, text in drawn.given)}")
        for block in drawn.blocks:
            print(f"\n{drawn.per} {block.heading}".rstrip())
            print_cells(call, *as_table(drawn, block))
    else:
        print_cells(call, *as_table(drawn))
    if not any(block.rows for block in drawn.blocks):
        call.say(f"{drawn.title}: nothing to show for {', '.join(f'{n} {text}' for n, text in drawn.given)}.")
    for said in drawn.checks:
        call.say(f"check failed: {said}")
    return DONE


def print_workbook(call: Call, drawn: Report) -> None:
    """A workbook is no text, so it goes to a file or another program."""
    if call.is_terminal:
        raise UsageFault("A workbook is not for a terminal: add `> NAME.xlsx`.")
    from .workbooks import as_workbook

    sys.stdout.buffer.write(as_workbook(drawn, call.now))


def print_picture(statement: Statement, drawn: Report) -> None:
    if statement.picture is None:
        said = f"The statement `{statement.name}` says nothing of a picture"
        raise UsageFault(f"{said}: name figures in its `picture`, as bars or lines.")
    from .pictures import drawn_as_svg

    sys.stdout.write(drawn_as_svg(drawn, statement.picture, statement.figures_as == "rows"))


def print_cells(call: Call, headings: Sequence[Any], rows: Sequence[Sequence[str]]) -> None:
    sheet = Sheet(call.shape, [Column(h.title, h.right) for h in headings], sys.stdout, call.width)
    for row in rows:
        sheet.add(Cells(row))
    sheet.end()
