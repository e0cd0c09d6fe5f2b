"""Checks what names records, events and values from outside: mappings of files and of event logs, and rule tests."""

from __future__ import annotations

from . import definitions as d
from .check_findings import Findings, mark, mark_key
from .definitions import Element
from .event_logs import NO_ROLE, log_fields
from .log_mappings import is_of_log
from .model import Type
from .notation import date_pattern
from .statement_definitions import statement_of

# --- mappings ---


def check_mappings(f: Findings) -> None:
    for e in f.elements("mapping"):
        if is_of_log(e.source):
            _check_log(f, e)
            continue
        _check_target(f, e, e.at("to"))
        for inner in e.items("creates"):
            _check_target(f, inner, inner.at("record"))


def _check_target(f: Findings, e: Element, to: Element) -> None:
    """The values under `fields` make what the creation event takes."""
    record = f.record(to)
    event = f.library.creation_event(record) if record else None
    if record is None:
        return
    if event is None:
        if f.library.creations(record):
            f.say("R208", f"`{record.name}` has several creation events, so rows cannot be created", mark(to))
        return
    fields, taker = f.library.creation_fields(record, event), f"`{event}` of `{record.name}`"
    for name, inner in e.pairs("fields"):
        if f.is_taken(inner, fields, taker):
            _check_value(f, inner, fields[name].type)
    f.needed(fields, [name for name, _ in e.pairs("fields")], mark(to), taker)


def _check_value(f: Findings, e: Element, type_: Type) -> None:
    if e.has("value"):
        f.constant(e.at("value"), type_)
    if e.has("empty"):
        f.constant(e.at("empty"), type_, none=type_.optional)
    form = e.at("as")
    if form.has("date") and type_.kind != "date":
        f.say("R202", f"`{e.path[-1]}` is {type_.given()}, not a date", mark_key(form.at("date")))
    elif form.has("date"):
        _check_form(f, form.at("date"))
    for key in ("decimal", "thousands"):
        if form.has(key) and not type_.is_numeric:
            f.say("R202", f"`{e.path[-1]}` is {type_.given()}, not a number", mark_key(form.at(key)))
    if e.has("key"):
        _check_key(f, e.at("key"), type_)


def _check_form(f: Findings, e: Element) -> None:
    try:
        date_pattern(str(e.value))
    except ValueError as wrong:
        f.say("R206", str(wrong), mark(e))


def _check_key(f: Findings, e: Element, type_: Type) -> None:
    record = f.library.record(type_.of) if type_.kind == "ref" else None
    if type_.kind != "ref":
        f.say("R202", f"`{e.path[-2]}` is {type_.given()}, not a reference", mark_key(e))
    elif record is not None and len(e.value) != len(f.library.key_paths(record)):
        parts = [".".join(path) for path in f.library.key_paths(record)]
        f.say("R205", f"the key of `{record.name}` is {', '.join(parts)}", mark_key(e))


# --- mappings of event logs ---


def _check_log(f: Findings, e: Element) -> None:
    """The events, states and roles that a log is said to tell of are those of the workflow."""
    flow = f.library.machine(e.word("workflow"))
    record = f.library.record(flow.of) if flow else None
    if flow is None:
        f.unknown("workflow", e.word("workflow"), mark(e.at("workflow")), f.names_of("workflow"))
    if flow is None or record is None:
        return
    events = {t.event for t in flow.transitions}
    for _, activity in e.pairs("events"):
        for inner in activity.items("event"):
            if inner.value not in events:
                f.unknown("event", str(inner.value), mark(inner), events)
    for inner in e.items("ends"):
        if inner.value not in flow.states:
            f.unknown("state", str(inner.value), mark(inner), flow.states)
    for _, inner in e.pairs("roles"):
        if inner.value not in (*f.role_names, NO_ROLE):
            f.unknown("role", str(inner.value), mark(inner), [*f.role_names, NO_ROLE])
    fields = log_fields(f.library, flow, record)
    for name, inner in e.pairs("fields"):
        if f.is_taken(inner, fields, f"workflow `{flow.name}`"):
            _check_value(f, inner, fields[name].type)


# --- rule tests ---


def check_tests(f: Findings) -> None:
    for e in f.elements("test"):
        for given in e.items("given"):
            if given.has("as_in"):
                _check_as_in(f, given.at("as_in"))
            else:
                _check_action(f, given, may_lack=False)
        is_refused = e.at("then").has("refusal")
        for action in e.items("when"):
            _check_action(f, action, may_lack=is_refused)
        _check_then(f, e.at("then"))


def _check_as_in(f: Findings, e: Element) -> None:
    if not f.pack.find("test", str(e.value)):
        f.unknown("test", str(e.value), mark(e), f.names_of("test"))


def _check_action(f: Findings, e: Element, may_lack: bool) -> None:
    """One thing that is done; where a refusal is expected, it may be wrong in what it gives."""
    for warning in e.items("acknowledge"):
        if str(warning.value) not in f.library.warnings:
            f.unknown("warning", str(warning.value), mark(warning), f.library.warnings)
    if e.has("run"):
        _check_run(f, e, may_lack)
        return
    record = f.record(e.at("create" if e.has("create") else "record"))
    if record is None:
        return
    if e.has("where"):
        f.picks(e.at("where"), record)
    event = e.at("event") if e.has("create") else e.at("fire")
    if e.has("create") and not e.has("event"):
        name = f.library.creation_event(record)
        transitions = f.events(record).get(name or "", [])
    else:
        name, transitions = str(event.value), f.event(event, record)
    if transitions:
        _check_with(f, e, f.takes(record, transitions), f"`{name}` of `{record.name}`", may_lack)


def _check_run(f: Findings, e: Element, may_lack: bool) -> None:
    process = f.library.process(e.word("run"))
    if process is None:
        if not f.pack.find("process", e.word("run")):
            f.unknown("process", e.word("run"), mark(e.at("run")), f.names_of("process"))
        return
    _check_with(f, e, dict(process.takes), f"process `{process.name}`", may_lack)


def _check_with(f: Findings, e: Element, fields: dict[str, d.Field], taker: str, may_lack: bool) -> None:
    if may_lack:
        for _, inner in e.pairs("with"):
            f.is_taken(inner, fields, taker)
        return
    given = f.constants(e.at("with"), fields, taker)
    f.needed(fields, given, mark(next(e.at(verb) for verb in ("create", "fire", "run") if e.has(verb))), taker)


def _check_then(f: Findings, e: Element) -> None:
    for inner in e.items("records"):
        record = f.record(inner.at("record"), ledger=True)
        if record is not None:
            if inner.has("where"):
                f.picks(inner.at("where"), record)
            _check_expected(f, inner, record)
    for drawn in e.items("statements"):
        _check_statement(f, drawn)
    ledger = f.library.manifest.ledger
    for voucher in e.items("vouchers"):
        if ledger is not None:
            _check_voucher(f, voucher, ledger)


def _check_statement(f: Findings, e: Element) -> None:
    """A statement that is expected: its name, what it takes, its figures."""
    name = e.word("statement")
    statement = statement_of(f.library, name) if ("statement", name) not in f.broken else None
    if statement is None:
        if not f.pack.find("statement", name):
            f.unknown("statement", name, mark(e.at("statement")), f.names_of("statement"))
        return
    taker = f"statement `{name}`"
    f.needed(statement.takes, f.constants(e.at("with"), statement.takes, taker), mark(e.at("statement")), taker)
    figures = [figure.name for figure in statement.figures]
    for line in (*(inner for _, inner in e.pairs("lines")), e.at("totals")):
        for figure in line.value if isinstance(line.value, dict) and not statement.by_period else ():
            if figure not in figures:
                f.unknown("figure", figure, mark_key(line.at(figure)), figures)


def _check_expected(f: Findings, e: Element, record: d.Record) -> None:
    for name, inner in e.pairs("fields"):
        type_ = f.library.member(record, name)
        if type_ is None:
            f.unknown("field", name, mark_key(inner), f.library.members(record))
        else:
            f.constant(inner, type_, none=True)


def _check_voucher(f: Findings, e: Element, ledger: d.Ledger) -> None:
    if e.has("series") and e.word("series") not in ledger.series:
        f.unknown("series", e.word("series"), mark(e.at("series")), ledger.series)
    _check_dimensions(f, e, ledger)
    for entry in e.items("entries"):
        side = entry.at("debit" if entry.has("debit") else "credit")
        if side.value not in ledger.account_keys:
            f.unknown("account key", str(side.value), mark(side), ledger.account_keys, "ledger: account_keys")
        _check_dimensions(f, entry, ledger)


def _check_dimensions(f: Findings, e: Element, ledger: d.Ledger) -> None:
    for name, inner in e.pairs("dimensions"):
        if name not in ledger.dimensions:
            f.unknown("dimension", name, mark_key(inner), ledger.dimensions)
