"""Proves that every account key that is posted to has an account, whatever else is asked.

Which accounts there are is looked up in the decision's own rows, or in the master rows that the pack brings for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from . import definitions as d
from .check_brought import brought
from .check_constants import Region, region
from .check_decisions import answering_names
from .check_findings import Findings, mark
from .check_proofs import TOO_MANY, columns_of, searched
from .check_tables import DAY, Column, Path, Row, are_days, days, in_case, outside, prove
from .definitions import Element
from .model import Type
from .scopes import NO_RECORD, Names

_KEY = ("account_key",)


def check_accounts(f: Findings) -> None:
    ledger = f.library.manifest.ledger
    decision = f.library.decision(ledger.account) if ledger else None
    if ledger is None or decision is None or "account_key" not in decision.inputs or decision.otherwise is not None:
        return
    _check_names(f, decision, ledger)
    of = f.library.record(decision.of) if decision.of else NO_RECORD
    used = {key: e for key, e in _used_keys(f) if key in ledger.account_keys}
    if of is None or not used:
        return
    answering = answering_names(f.library, decision, of)
    rows = _rows(f, decision)
    if rows is None:
        _report_open(f, decision)
    elif decision.rows_of or decision.refusal:  # else rows are proved to answer in every case as they stand
        columns = _columns(f, decision, answering, ledger)
        _check_keys(f, decision, columns, _regions(rows, answering), used)


def _used_keys(f: Findings) -> Iterator[tuple[str, Element]]:
    """The account keys that postings name, with where they do, the first place last."""
    for e in reversed([*f.elements("posting")]):
        for row in reversed([*e.items("rows")]):
            for entry in reversed([*row.items("entries")]):
                side = entry.at("debit" if entry.has("debit") else "credit")
                yield str(side.value), side


def _check_names(f: Findings, decision: d.Decision, ledger: d.Ledger) -> None:
    """The account keys that rows are for are declared."""
    kind, name = ("master", decision.rows_of) if decision.rows_of else ("decision", decision.name)
    for e in (e for e in f.elements(kind) if e.source.name == name):
        for row in e.items("rows"):
            for said in (row if decision.rows_of else row.at("when")).items("account_key"):
                if isinstance(said.value, str) and said.value not in ledger.account_keys:
                    f.unknown("account key", said.value, mark(said), ledger.account_keys, "ledger: account_keys")


def _report_open(f: Findings, decision: d.Decision) -> None:
    e = next((e for e in f.elements("decision") if e.source.name == decision.name), None)
    if e is not None:
        why = f"the pack brings no master rows of `{decision.rows_of}`"
        f.not_proved("that every account key has an account", why, mark(e.at("rows").at("of")))


def _columns(f: Findings, decision: d.Decision, answering: Names, ledger: d.Ledger) -> dict[Path, Column]:
    """What may be asked: each posting answers for what chooses the order, and of companies for those that are known."""
    columns = columns_of(f, decision, answering)
    companies = tuple(sorted(f.master_keys.get(ledger.company, ())))
    for path, column in columns.items():
        if path == (decision.chosen_by,):
            columns[path] = Column(column.type.given())
        elif column.type.kind == "ref" and column.type.of == ledger.company:
            columns[path] = Column(column.type, companies)
    return columns


def _check_keys(
    f: Findings, decision: d.Decision, columns: dict[Path, Column], rows: Sequence[Row], used: dict[str, Element]
) -> None:
    found = [searched(row, decision, columns) for row in rows if _is_searched(row, decision)]
    hint = f"add a row to {'`master: ' + decision.rows_of + '`' if decision.rows_of else 'the decision'}"
    by_key = _for_key(found, used)
    for key, e in used.items():
        rest = by_key[key]
        proof = prove([*rest, *_before(rest)], columns, gaps=1)
        if not proof.whole:
            f.not_proved(f"that the account key `{key}` has an account", TOO_MANY, mark(e))
        elif proof.gaps:
            said = f"decision `{decision.name}` finds no account for `{key}`{in_case(proof.gaps[0], columns)}"
            f.say("R508", said, mark(e), hint)


def _for_key(rows: Sequence[Row], keys: Iterable[str]) -> dict[str, list[Row]]:
    """What rows ask besides the account key, by each of the keys; so that each row is not looked at for every key."""
    found: dict[str, list[Row]] = {key: [] for key in keys}
    for row in rows:
        rest = {path: region for path, region in row.items() if path != _KEY}
        asked = row.get(_KEY)
        named = found if asked is None or asked.values is None else map(str, asked.values)
        for key in named:
            if key in found and (asked is None or asked.holds(key)):
                found[key].append(rest)
    return found


def _is_searched(row: Row, decision: d.Decision) -> bool:
    """Whether the inputs that a row fills are a key set."""
    if decision.hit != "most_specific":
        return True
    sets = [set(keys) for order in decision.searches.values() for keys in order]
    keys = set().union(*sets)
    return {path[0] for path in row if path} & keys in sets


# --- rows as regions -------------------------------------------------------------------------------------------------


def _rows(f: Findings, decision: d.Decision) -> Sequence[d.Row] | None:
    if not decision.rows_of:
        return decision.rows
    found = brought(f, decision)
    return None if found is None else [row for _, row in found]


def _regions(rows: Iterable[d.Row], answering: Names) -> list[Row]:
    found: list[Row] = []
    for row in rows:
        cells = {cell.path: _region(cell, answering.type_of(cell.path)) for cell in row.cells}
        if None not in cells.values() and are_days(
            row.since, row.until
        ):  # what is wrong is told where rows are checked
            on = days(row.since, row.until)
            known = {path: cell for path, cell in cells.items() if cell is not None}
            found.append({**known, DAY: on} if on else known)
    return found


def _region(cell: d.Cell, type_: Type | None) -> Region | None:
    return region(cell, type_.given()) if type_ and type_.kind != "unknown" else None


def _before(rows: Sequence[Row]) -> list[Row]:
    """Nothing is expected before the first day on which a row holds; what ends has to be followed by another."""
    return [row for row in outside(rows) if row[DAY].low is None]
