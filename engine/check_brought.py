"""Checks the rows of decisions that are records: those that the pack brings, as if they stood in the decision."""

from __future__ import annotations

from collections.abc import Sequence

from . import definitions as d
from .check_constants import region
from .check_findings import Findings
from .check_proofs import Row, report_days_left_out, report_overlaps
from .check_records import check_dates
from .check_rows import check_key_sets
from .definitions import Element
from .scopes import Names


def check_brought(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    """No two rows of a `master` answer at once, each can be found, and none leaves a day out to the next."""
    rows = [_as_row(f, inner, row, answering) for inner, row in brought(f, decision) or ()]
    if decision.hit not in ("unique", "most_specific") or not all(row.is_whole for row in rows):
        return
    report_days_left_out(f, rows, decision)
    if decision.hit == "unique":
        report_overlaps(f, e, rows, "both answer")
    else:
        check_key_sets(f, e, rows)


def brought(f: Findings, decision: d.Decision) -> Sequence[tuple[Element, d.Row]] | None:
    """The master rows that a decision looks among, taken to be in use; None where the pack brings none."""
    master = next((e for e in f.elements("master") if e.source.name == decision.rows_of), None)
    record = f.library.record(decision.rows_of or "")
    if master is None or record is None:
        return None
    return [(row, _written(row, record, decision)) for row in master.items("rows")]


def _written(e: Element, record: d.Record, decision: d.Decision) -> d.Row:
    """A master row as a row of the decision: fields named like inputs are the conditions, empty meaning any."""
    said = {name: e.word(name) or _default(record, name) for name in decision.inputs}
    cells = tuple(d.Cell((name,), (text,), (), None, e.at(name).place) for name, text in said.items() if text)
    name = "/".join(e.word(key) for key in record.key)
    return d.Row(name, cells, {}, e.maybe("from"), e.maybe("until"), e.place)


def _default(record: d.Record, name: str) -> str:
    return (record.fields[name].default if name in record.fields else None) or ""


def _as_row(f: Findings, e: Element, row: d.Row, answering: Names) -> Row:
    types = {cell.path: answering.type_of(cell.path) for cell in row.cells}
    known = {cell.path: region(cell, type_.given()) for cell in row.cells if (type_ := types[cell.path])}
    regions = {path: found for path, found in known.items() if found is not None}
    return Row(e, row, regions, check_dates(f, e) and len(regions) == len(row.cells))
