"""Checks the rows of a decision: their cells and answers, and that each belongs to a key set."""

from __future__ import annotations

import re
from collections.abc import Iterator

from . import definitions as d
from .check_cells import check_cells
from .check_findings import Findings, mark, mark_key
from .check_proofs import Row, check_places, prove_rows, report_days_left_out, report_overlaps, warn_of_refused
from .check_records import check_dates
from .definitions import Element
from .model import Parts, Type
from .scopes import NO_RECORD, Names

_PATH = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+")


def key_orders(e: Element) -> Iterator[Element]:
    """The lists of key sets that a search offers."""
    if isinstance(e.at("search").value, dict):
        yield from (order for name, order in e.pairs("search") if name != "chosen_by")
    elif e.has("search"):
        yield e.at("search")


def check_answer(f: Findings, e: Element, decision: d.Decision) -> None:
    given = f.constants(e, decision.outputs, f"`{decision.name}`", none=True)
    for name in given:
        if name in decision.outputs and decision.outputs[name].type.kind == "ref" and e.word(name) != "none":
            f.known(e.at(name), decision.outputs[name].type.of)
    missing = [f"`{n}`" for n, output in decision.outputs.items() if output.needed and n not in given]
    if missing:
        f.say("R404", f"the answer lacks {' and '.join(missing)}", mark(e))


def check_rows(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    rows = [_check_row(f, r, row, decision, answering) for r, row in zip(e.items("rows"), decision.rows, strict=True)]
    names: set[str] = set()
    for row in rows:
        if row.e.has("name") and row.row.name in names:
            f.say("R209", f"two rows are named `{row.row.name}`", mark(row.e.at("name")))
        names.add(row.row.name)
    if not all(row.is_whole for row in rows):
        return  # what is wrong with them is told already
    report_days_left_out(f, rows, decision)
    match decision.hit:
        case "unique":
            report_overlaps(f, e, rows, "both answer")
        case "most_specific":
            rows = check_key_sets(f, e, rows)
        case "collect":
            check_places(f, e, rows, decision)
    if decision.hit != "collect":
        otherwise = e.at("otherwise")
        told = len(f.found)
        refused = check_cells(f, otherwise, _InputsOnly(answering)) if otherwise.has("when") else None
        if len(f.found) == told:
            prove_rows(f, e, rows, decision, answering, refused)
        if otherwise.has("error") and refused is None:
            warn_of_refused(f, e, rows, decision, answering)


def _check_row(f: Findings, e: Element, row: d.Row, decision: d.Decision, answering: Names) -> Row:
    is_dated = check_dates(f, e)
    regions = check_cells(f, e, _InputsOnly(answering), read=(answering, _paths_read(decision)))
    check_answer(f, e.at("then"), decision)
    return Row(e, row, regions, is_dated and len(regions) == len(row.cells))


def _paths_read(decision: d.Decision) -> dict[Parts, Parts]:
    """The inputs that are read along a path, with the path."""
    return {(name,): d.dotted(text.text) for name, text in decision.inputs.items() if _PATH.fullmatch(text.text)}


class _InputsOnly(Names):
    """What the cells of a row may name: the columns of the table."""

    def __init__(self, names: Names) -> None:
        super().__init__(names.library, NO_RECORD, further=names.further)

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return self.further.get(path[0]) if len(path) == 1 else None

    def names(self, path: tuple[str, ...]) -> list[str]:
        return [] if path else list(self.further)


def check_key_sets(f: Findings, e: Element, rows: list[Row]) -> list[Row]:
    """A row belongs to the key set whose inputs it fills; inputs in no key set are ordinary conditions.

    Gives the rows that belong to one.
    """
    sets = {frozenset(map(str, keys)) for order in key_orders(e) for keys in order.value}
    keys = frozenset().union(*sets)
    groups: dict[frozenset[str], list[Row]] = {}
    for row in rows:
        filled = frozenset(cell.path[0] for cell in row.row.cells) & keys
        if filled in sets:
            groups.setdefault(filled, []).append(row)
        else:
            said = (
                f"no key set is made of {_listed(filled)}" if filled else "no key set is empty, but this row is for all"
            )
            f.say("R403", said, mark_key(row.e.at("when")) if row.e.has("when") else mark(row.e), "name it in `search`")
    for group in groups.values():
        report_overlaps(f, e, group, "both answer for one key set")
    return [row for group in groups.values() for row in group]


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
