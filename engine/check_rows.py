"""Checks the rows of a decision: their cells and answers, whether two could answer at once, whether each is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import definitions as d
from .check_cells import check_cells
from .check_constants import Regions, all_covered, witness
from .check_findings import Findings, mark, mark_key
from .check_records import check_dates
from .definitions import Element
from .model import Type
from .scopes import NO_RECORD, Names


def key_orders(e: Element) -> Iterator[Element]:
    """The lists of key sets that a search offers."""
    if isinstance(e.at("search").value, dict):
        yield from (order for name, order in e.pairs("search") if name != "chosen_by")
    elif e.has("search"):
        yield e.at("search")


def check_answer(f: Findings, e: Element, decision: d.Decision) -> None:
    given = f.constants(e, decision.outputs, f"`{decision.name}`", none=True)
    missing = [f"`{n}`" for n, output in decision.outputs.items() if output.needed and n not in given]
    if missing:
        f.say("R404", f"the answer lacks {' and '.join(missing)}", mark(e))


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with what is needed to compare it with others."""

    e: Element
    row: d.Row
    regions: Regions
    is_whole: bool

    @property
    def days(self) -> tuple[str, str]:
        return self.row.since or "", self.row.until or "9999"


def check_rows(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    rows = [_check_row(f, r, row, decision, answering) for r, row in zip(e.items("rows"), decision.rows, strict=True)]
    names: set[str] = set()
    for row in rows:
        if row.e.has("name") and row.row.name in names:
            f.say("R209", f"two rows are named `{row.row.name}`", mark(row.e.at("name")))
        names.add(row.row.name)
    match decision.hit:
        case "unique":
            _report_overlaps(f, rows, "both answer")
        case "first":
            _report_covered(f, rows)
        case "most_specific":
            _check_key_sets(f, e, rows)


def _check_row(f: Findings, e: Element, row: d.Row, decision: d.Decision, answering: Names) -> _Row:
    check_dates(f, e)
    regions = check_cells(f, e, _InputsOnly(answering))
    check_answer(f, e.at("then"), decision)
    return _Row(e, row, regions, len(regions) == len(row.cells))


class _InputsOnly(Names):
    """What the cells of a row may name: the columns of the table."""

    def __init__(self, names: Names) -> None:
        super().__init__(names.library, NO_RECORD, further=names.further)

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return self.further.get(path[0]) if len(path) == 1 else None

    def names(self, path: tuple[str, ...]) -> list[str]:
        return [] if path else list(self.further)


def _check_key_sets(f: Findings, e: Element, rows: list[_Row]) -> None:
    """A row belongs to the key set whose inputs it fills; inputs in no key set are ordinary conditions."""
    sets = {frozenset(map(str, keys)) for order in key_orders(e) for keys in order.value}
    keys = frozenset().union(*sets)
    groups: dict[frozenset[str], list[_Row]] = {}
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
        _report_overlaps(f, group, "both answer for one key set")


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _report_overlaps(f: Findings, rows: list[_Row], what: str) -> None:
    for earlier, later in _candidates([row for row in rows if row.is_whole]):
        days = (max(earlier.days[0], later.days[0]), min(earlier.days[1], later.days[1]))
        found = witness(earlier.regions, later.regions) if days[0] <= days[1] else None
        if found is not None:
            when = f" on {days[0]}" if days[0] else ""
            said = f"rows `{earlier.row.name}` and `{later.row.name}` {what}: {found or 'always'}{when}"
            f.say("R401", said, mark(later.e))


def _candidates(rows: list[_Row]) -> Iterator[tuple[_Row, _Row]]:
    """The pairs of rows that might meet: rows that ask different values of one column are never compared."""
    counts: dict[tuple[str, ...], int] = {}
    for row in rows:
        for path, region in row.regions.items():
            counts[path] = counts.get(path, 0) + (region.values is not None)
    column = max(counts, key=lambda path: counts[path], default=())
    groups: dict[object, list[int]] = {}
    for index, row in enumerate(rows):
        known = row.regions.get(column)
        for value in known.values if known and known.values is not None else (None,):
            groups.setdefault(value, []).append(index)
    everywhere = groups.pop(None, [])
    pairs = {(i, j) for group in groups.values() for i in group for j in (*group, *everywhere) if i != j}
    pairs |= {(i, j) for i in everywhere for j in everywhere if i != j}
    yield from ((rows[i], rows[j]) for i, j in sorted({(min(pair), max(pair)) for pair in pairs}))


def _report_covered(f: Findings, rows: list[_Row]) -> None:
    """Rows that an earlier one leaves nothing to."""
    for index, row in enumerate(rows):
        before = (r for r in rows[:index] if r.is_whole and _covers(r, row))
        if row.is_whole and (earlier := next(before, None)):
            said = f"row `{row.row.name}` is never reached: row `{earlier.row.name}` comes first and covers it"
            f.say("R402", said, mark(row.e))


def _covers(earlier: _Row, later: _Row) -> bool:
    (first, last), (from_, until) = earlier.days, later.days
    return first <= from_ and until <= last and all_covered(earlier.regions, later.regions)
