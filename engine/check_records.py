"""Checks what a pack declares to exist: its roles and ledger, record types, master rows, parameters and measures."""

from __future__ import annotations

from itertools import pairwise

from . import definitions as d
from .check_findings import Asked, Findings, mark, mark_key
from .check_tables import days_between
from .definitions import Element
from .errors import WARNING
from .expression_sql import sql_number
from .expressions import ExpressionError, Node, Path, parse, paths
from .model import DATE, Type
from .scopes import Names

CURRENCY = ("text", "choice")


def check_manifest(f: Findings) -> None:
    for e in f.elements("pack"):
        for _, role in e.pairs("roles"):
            f.record(role.at("of"))
        ledger = e.at("ledger")
        f.record(ledger.at("company"))
        f.fields(ledger, "dimensions")
        account = ledger.at("account")
        if isinstance(account.value, str):
            _check_account(f, account)


def _check_account(f: Findings, e: Element) -> None:
    """The decision that finds the account of a key."""
    decision = f.library.decision(str(e.value))
    if decision is None:
        if not f.pack.find("decision", str(e.value)):
            f.unknown("decision", str(e.value), mark(e), f.names_of("decision"))
    elif "account_key" not in decision.inputs:
        f.say("R208", f"decision `{decision.name}` has no input `account_key`", mark(e))
    elif sum(output.type.kind == "ref" for output in decision.outputs.values()) != 1:
        f.say("R202", f"decision `{decision.name}` must answer one reference, the account", mark(e))


# --- record types ---


def check_records(f: Findings) -> None:
    for e in f.elements("record"):
        record = f.library.record(e.source.name)
        if record is not None:
            _check_record(f, e, record)
            _check_ways(f, e, record)
            _check_workflows(f, e, record)


def _check_record(f: Findings, e: Element, record: d.Record) -> None:
    f.fields(e, "fields")
    key = e.at("key")
    for part in key.items("fields") if isinstance(key.value, dict) else e.items("key"):
        _field(f, part, record)
    states = [state for flow in f.library.workflows_of(record) for state in flow.states]
    for state in key.items("except"):
        if states and state.value not in states:
            f.unknown("state", str(state.value), mark(state), states)
    if e.has("name"):
        _field(f, e.at("name"), record)
    for name, child in e.pairs("children"):
        _check_child(f, name, child, record)


def _field(f: Findings, e: Element, record: d.Record) -> d.Field | None:
    if isinstance(e.value, str) and e.value not in record.fields:
        f.unknown("field", e.value, mark(e), record.fields)
    return record.fields.get(str(e.value))


def _check_child(f: Findings, name: str, e: Element, record: d.Record) -> None:
    if name in record.fields:
        f.say("R209", f"`{name}` is a field as well", mark_key(e))
    child = f.record(e.at("of"))
    back = _field(f, e.at("by"), child) if child else None
    if child and back and (back.type.kind, back.type.of) != ("ref", record.name):
        said = f"`{back.name}` of `{child.name}` is {back.type.given()}, not a reference to {record.name}"
        f.say("R202", said, mark(e.at("by")))


def _check_ways(f: Findings, e: Element, record: d.Record) -> None:
    """What leads to the record's day, currency and stream."""
    names = Names(f.library, record)
    if e.has("dated_by") and _field(f, e.at("dated_by"), record):
        f.path_to(e.at("dated_by"), names, "a date", "date")
    f.path_to(e.at("currency"), names, "a currency", *CURRENCY)
    _check_stream(f, e.at("stream"), names)
    if e.has("amount"):
        _check_amount(f, e.at("amount"), record, names)
    for name, inner in e.pairs("fields"):
        if inner.has("in"):
            f.path_to(inner.at("in"), names, "a currency", *CURRENCY)
        elif record.fields[name].type.kind == "money" and record.currency is None:
            said = f"the money `{name}` has no currency"
            f.say("R208", said, mark_key(inner), "say `currency: PATH` for the record, or `in: PATH` here")


def _check_stream(f: Findings, e: Element, names: Names) -> None:
    found, ledger = f.path_to(e, names, "a reference", "ref"), f.library.manifest.ledger
    if found and ledger and found.of != ledger.company:
        said = f"`{e.value}` is {found}, while the books are those of a {ledger.company}"
        f.say("R202", said, mark(e), f"let it lead to the {ledger.company}, in whose stream its vouchers are", WARNING)


def _check_amount(f: Findings, e: Element, record: d.Record, names: Names) -> None:
    found = f.path(e, names)
    inner = found.item if found and found.item else found
    parts = d.dotted(str(e.value))
    if inner is None or inner.kind == "unknown":
        return
    if inner.kind != "money":
        f.say("R202", f"`{e.value}` is {inner.given()}, not money", mark(e))
    elif len(parts) > 2 or (len(parts) == 2 and parts[0] not in record.children):
        f.say("R208", f"`{e.value}` lies beyond the record", mark(e), "name a field of it, or CHILDREN.FIELD")


def _check_workflows(f: Findings, e: Element, record: d.Record) -> None:
    state_fields: dict[str, str] = {}
    for part in e.items("workflows"):
        flow = f.library.workflow(str(part.value))
        if flow is None:
            if not f.pack.find("workflow", str(part.value)):
                f.unknown("workflow", str(part.value), mark(part), f.names_of("workflow"))
        elif flow.of != record.name:
            f.say("R307", f"workflow `{flow.name}` is of `{flow.of}`, not of `{record.name}`", mark(part))
        elif flow.cells and state_fields:
            continue  # it shares the state of the first one, which `check_machines` looks at
        elif flow.field in state_fields:
            said = f"workflows `{state_fields[flow.field]}` and `{flow.name}` both keep their state in `{flow.field}`"
            f.say("R209", said, mark(part), "give one of them a `field` of its own")
        else:
            state_fields[flow.field] = flow.name
            _check_state_field(f, part, record, flow)


def _check_state_field(f: Findings, e: Element, record: d.Record, flow: d.Workflow) -> None:
    if flow.field in record.fields or flow.field in record.children or flow.field == "id":
        said = f"`{flow.field}` keeps the state of workflow `{flow.name}` and cannot be a field as well"
        f.say("R209", said, mark(e), "give the workflow a `field` of its own")


# --- tables of values ---


def check_masters(f: Findings) -> None:
    for e in f.elements("master"):
        name = Element(e.source, (e.source.kind,), e.source.name)
        record = f.record(name)
        if record is None:
            continue
        fields = f.library.creation_fields(record)
        event = f.library.creation_event(record)
        if event is None:
            if f.library.creations(record):
                f.say("R208", f"`{record.name}` has several creation events, so rows cannot be created", mark(name))
            continue
        _check_keys(f, e, record)
        for row in e.items("rows"):
            given = f.constants(row, fields, f"`{event}` of `{record.name}`")
            f.needed(fields, given, mark(row), f"`{event}` of `{record.name}`")
            for key in given & fields.keys():
                if fields[key].type.kind == "ref":
                    f.known(row.at(key), fields[key].type.of)


def _check_keys(f: Findings, e: Element, record: d.Record) -> None:
    """No two rows have one key."""
    seen: set[tuple[str, ...]] = set()
    for row in e.items("rows"):
        key = tuple(row.word(name) for name in record.key)
        if key in seen:
            f.say("R209", f"two rows are `{'/'.join(key)}`", mark(row.at(record.key[0])))
        seen |= {key} if all(key) and key else set()


def check_parameters(f: Findings) -> None:
    seen: dict[str, str] = {}
    for e in f.elements("parameters"):
        for name, value in e.pairs("values"):
            if name in seen:
                f.say("R209", f"the parameter `{name}` stands in `{seen[name]}` already", mark_key(value))
            seen[name] = e.source.name
            type_ = d.build_field(name, value).type
            f.declared(value, type_)
            for row in value.items("rows"):
                f.constant(row.at("value"), type_)
            check_days(f, list(value.items("rows")), f"the parameter `{name}`")


def check_days(f: Findings, rows: list[Element], what: str) -> None:
    """Rows of one thing, of which at most one may hold on a day."""
    fit = [check_dates(f, row) for row in rows]
    if not all(fit):
        return
    in_order = sorted(rows, key=lambda row: row.word("from"))
    for before, after in pairwise(in_order):
        if before.word("until", "9999") >= after.word("from"):
            day = after.word("from") or before.word("until") or "any day"
            f.say("R401", f"{what} has two values on {day}", mark(after.at("from")))
        elif left := days_between(before.word("until"), after.word("from")):
            f.say("R408", f"{what} has no value {left}", mark(after.at("from")))


def check_dates(f: Findings, row: Element) -> bool:
    """Whether `from` and `until` of a row are days in their order."""
    fit = [f.constant(row.at(key), DATE) for key in ("from", "until") if row.has(key)]
    if not all(fit):
        return False
    if row.word("until", "9999") < row.word("from"):
        f.say(
            "R405",
            f"the last day, {row.word('until')}, lies before the first, {row.word('from')}",
            mark(row.at("until")),
        )
        return False
    return True


# --- measures ---


def check_measures(f: Findings) -> None:
    for e in f.elements("measure"):
        of = f.record(e.at("of"), ledger=True)
        measure = f.library.measure(e.source.name)
        if of is None or measure is None:
            continue
        names = Names(f.library, of)
        if e.has("sum"):
            _check_sum(f, e.at("sum"), of)
        if e.has("where"):
            f.filter(e.at("where"), of)
        f.path_to(e.at("dated_by"), names, "a date", "date")
        for part in e.items("by") if not isinstance(e.at("by").value, dict) else (p for _, p in e.pairs("by")):
            f.path(part, names)
        if measure.kept:
            _check_kept(f, e, of)


def _check_kept(f: Findings, e: Element, of: d.Record) -> None:
    """A kept total is moved by the records that it sums and by nothing else: it sees their own fields alone."""
    if of.name in ("entry", "voucher"):
        f.say("R202", f"no total of `{of.name}` is kept: it is summed when it is asked", mark(e.at("of")))
    named = [inner for _, inner in e.pairs("by")] if isinstance(e.at("by").value, dict) else list(e.items("by"))
    for inner in (*named, *(e.at(key) for key in ("sum", "where") if e.has(key))):
        node = _read(inner)
        for path in paths(node) if node else ():
            if len(path.parts) > 1:
                said = f"`{'.'.join(path.parts)}` is behind a reference, where it may change without moving the total"
                f.say("R202", said, mark(inner), f"keep it as a field of `{of.name}`")
    if e.has("sum") and not isinstance(_read(e.at("sum")), Path | None):
        f.say("R202", f"a kept total sums one field; `{e.word('sum')}` is reckoned", mark(e.at("sum")))


def _read(e: Element) -> Node | None:
    """An expression; None for one that cannot be read, which is told already."""
    try:
        return parse(str(e.value))
    except ExpressionError:
        return None


def check_calendars(f: Findings) -> None:
    for e in f.elements("calendar"):
        closed = e.at("closed")
        of = f.record(closed.at("of"))
        if f.library.measure(e.source.name):
            f.say("R209", f"a measure and a calendar are named `{e.source.name}`", mark(e.at("calendar")))
        if of is None:
            continue
        names = Names(f.library, of)
        f.path_to(closed.at("day"), names, "a date that is always given", "date")
        if closed.has("where"):
            f.filter(closed.at("where"), of)
        for part in closed.items("by") or (p for _, p in closed.pairs("by")):
            f.path(part, names)


def _check_sum(f: Findings, e: Element, of: d.Record) -> None:
    found: Type = f.expression(e, Names(f.library, of))
    node = f.parsed(e) if found.kind != "unknown" else None
    if node is None:
        return
    if not found.is_numeric or found.optional:
        what = "may be none" if found.is_numeric else f"is {found}; a number was expected"
        f.say("R203" if found.is_numeric else "R202", f"`{e.value}` {what}", mark(e))
    else:
        f.asked(e, lambda: sql_number(node, Asked(f.library, of), found.kind))
