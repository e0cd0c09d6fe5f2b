"""Proves of a decision's rows that no two answer at once, that they leave no gap, and that each is reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import definitions as d
from .check_constants import Region, Regions, all_covered, witness
from .check_findings import Findings, mark, mark_key
from .check_tables import DAY, MOST_TOLD, MOST_TRIED, Column, Path, days, days_between, in_case, outside, prove, said_of
from .definitions import Element
from .errors import WARNING
from .model import DATE, TEXT
from .scopes import Names

TOO_MANY = f"more than {MOST_TRIED:,} comparisons would be needed"


@dataclass(frozen=True, slots=True)
class Row:
    """A row with what is needed to compare it with others."""

    e: Element
    row: d.Row
    regions: Regions
    is_whole: bool

    @property
    def days(self) -> tuple[str, str]:
        return self.row.since or "", self.row.until or "9999"

    @property
    def dated_regions(self) -> Mapping[Path, Region]:
        """Its regions with that of the days on which it holds."""
        on = days(self.row.since, self.row.until)
        return {**self.regions, DAY: on} if on else self.regions


# --- two rows at once -------------------------------------------------------------------------------------------------


def check_places(f: Findings, e: Element, rows: list[Row], decision: d.Decision) -> None:
    """Rows that are collected together have different places in the order."""
    places: dict[str, list[Row]] = {}
    for row in rows:
        place = row.row.then.get(decision.order or "")
        if place is not None:
            places.setdefault(place.text, []).append(row)
    for place_, group in places.items():
        report_overlaps(f, e, group, f"are both collected as `{decision.order}` {place_}")


def report_overlaps(f: Findings, e: Element, rows: list[Row], what: str) -> None:
    pairs = _candidates(rows)
    if pairs is None:
        f.not_proved("that no two of these rows answer at once", TOO_MANY, mark_key(e.at("rows")))
        return
    for earlier, later in pairs:
        days = (max(earlier.days[0], later.days[0]), min(earlier.days[1], later.days[1]))
        found = witness(earlier.regions, later.regions) if days[0] <= days[1] else None
        if found is not None:
            when = f" on {days[0]}" if days[0] else ""
            said = f"rows `{earlier.row.name}` and `{later.row.name}` {what}: {found or 'always'}{when}"
            f.say("R401", said, mark(later.e))


def _candidates(rows: list[Row]) -> list[tuple[Row, Row]] | None:
    """The pairs of rows that might meet: rows that ask different values of one column are never compared.

    None where they are too many to try.
    """
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
    if sum(len(group) * (len(group) + len(everywhere)) for group in (*groups.values(), everywhere)) > 2 * MOST_TRIED:
        return None
    pairs = {(i, j) for group in groups.values() for i in group for j in (*group, *everywhere) if i != j}
    pairs |= {(i, j) for i in everywhere for j in everywhere if i != j}
    return [(rows[i], rows[j]) for i, j in sorted({(min(pair), max(pair)) for pair in pairs})]


def report_days_left_out(f: Findings, rows: list[Row], decision: d.Decision) -> None:
    """Rows with the same cells follow each other without a day between them."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        place = row.row.then.get(decision.order or "") if decision.hit == "collect" else None
        groups.setdefault((frozenset(row.regions.items()), place and place.text), []).append(row)
    for group in groups.values():
        in_time = sorted(group, key=lambda row: row.days)
        for before, after in pairwise(in_time):
            if between := days_between(before.row.until, after.row.since):
                said = (
                    f"rows `{before.row.name}` and `{after.row.name}` have the same cells, but neither holds {between}"
                )
                f.say("R408", said, mark(after.e.at("from")))


# --- all combinations ------------------------------------------------------------------------------------------------


def columns_of(f: Findings, decision: d.Decision, answering: Names) -> dict[Path, Column]:
    """What the inputs may hold; the account key of the account decision is one of those declared."""
    columns: dict[Path, Column] = {(name,): Column(type_) for name, type_ in answering.further.items()}
    ledger = f.library.manifest.ledger
    if ledger and ledger.account == decision.name:
        columns["account_key",] = Column(TEXT, tuple(ledger.account_keys))
    return {**columns, DAY: Column(DATE)}


def prove_rows(
    f: Findings, e: Element, rows: list[Row], decision: d.Decision, answering: Names, refused: Regions | None
) -> None:
    """Some row answers in every case that is not `refused`; where the first one answers, each does in some case.

    Nothing is asked of the cases that an `otherwise` answers, or refuses without saying which they are.
    """
    asks_order, asks_gaps = decision.hit == "first", not e.has("otherwise") or refused is not None
    if not rows or not (asks_order or asks_gaps):
        return
    columns = columns_of(f, decision, answering)
    regions = [searched(row.dated_regions, decision, columns) for row in rows]
    more = [*outside(regions), *([refused] if refused is not None else [])]
    proof = prove([*regions, *more], columns, asks_order, MOST_TOLD if asks_gaps else 0)
    if not proof.whole:
        what = "that some row answers in every case" if asks_gaps else "that every row is reached"
        f.not_proved(what, TOO_MANY, mark_key(e.at("rows")))
        return
    for gap in proof.gaps:
        hint = (
            "say so in the `when` of `otherwise`"
            if refused is not None
            else "say `otherwise`: an answer, or the refusal"
        )
        f.say("R407", f"no row answers{in_case(gap, columns)}", mark_key(e.at("rows")), f"add a row, or {hint}")
    for index, row in enumerate(rows):
        if asks_order and index not in proof.reached:
            _report_covered(f, row, rows[:index])


def warn_of_refused(f: Findings, e: Element, rows: list[Row], decision: d.Decision, answering: Names) -> None:
    """Warn of choices that no row is for, whatever else it asks, where a refusal does not say that it means them."""
    columns = {
        path: c for path, c in columns_of(f, decision, answering).items() if c.type.kind in ("choice", "yes_or_no")
    }
    asked = [{path: region for path, region in row.regions.items() if path in columns} for row in rows]
    proof = prove(asked, columns)
    for gap in proof.gaps if rows and proof.whole else ():
        cells = "{" + ", ".join(f"{path[0]}: …" for path in gap) + "}"
        f.say(
            "R407",
            f"no row is for {said_of(gap, columns)}, which is refused",
            mark_key(e.at("otherwise").at("error")),
            f"if that is meant, say `when: {cells}` beside it; then every other case is proved to have a row",
            WARNING,
        )


def searched(regions: Regions, decision: d.Decision, columns: Mapping[Path, Column]) -> Regions:
    """The regions of a row, where it is only searched in some of several orders also with what chooses these."""
    chooser = (decision.chosen_by or "",)
    if chooser not in columns or columns[chooser].type.kind != "choice":
        return regions
    keys = {key for sets in decision.searches.values() for keys in sets for key in keys}
    filled = {path[0] for path in regions if path} & keys
    type_ = columns[chooser].type
    orders = {name for name, sets in decision.searches.items() if any(set(keys) == filled for keys in sets)}
    chosen = Region(type_, frozenset(type_.choices.index(name) for name in orders if name in type_.choices))
    own = regions.get(chooser)
    values = frozenset(v for v in chosen.values or () if own is None or own.holds(v))
    return {**regions, chooser: Region(type_, values)}


def _report_covered(f: Findings, row: Row, before: Sequence[Row]) -> None:
    alone = next((earlier for earlier in before if _covers(earlier, row)), None)
    by = f"row `{alone.row.name}` comes first and covers it" if alone else "the rows before it cover it together"
    f.say("R402", f"row `{row.row.name}` is never reached: {by}", mark(row.e))


def _covers(earlier: Row, later: Row) -> bool:
    (first, last), (from_, until) = earlier.days, later.days
    return first <= from_ and until <= last and all_covered(earlier.regions, later.regions)
