"""Checks decisions: their inputs, outputs, searches, and records that are rows. Rows in place: `check_rows`."""

from __future__ import annotations

from . import definitions as d
from .check_brought import check_brought
from .check_findings import Findings, list_elements, mark, mark_key
from .check_rows import check_answer, check_rows, key_orders
from .definitions import Element
from .expression_types import check
from .expressions import ExpressionError, parse, parse_template, paths
from .library import Library
from .model import DATE, TEXT, Type
from .scopes import NO_RECORD, Names, element_names
from .source import did_you_mean
from .type_relations import ORDERED, UNKNOWN, accepts


def check_decisions(f: Findings) -> None:
    for e in f.elements("decision"):
        decision = f.library.decision(e.source.name)
        of = f.record(e.at("of")) if e.has("of") else NO_RECORD
        if decision is not None and of is not None:
            _check_decision(f, e, decision, of)


def _check_decision(f: Findings, e: Element, decision: d.Decision, of: d.Record) -> None:
    asking = asking_names(f.library, decision, of)
    _check_for_each(f, e, decision, asking)
    _check_inputs(f, e, decision, each_asking(f.library, decision, of))
    answering = answering_names(f.library, decision, of)
    f.fields(e, "outputs")
    _check_search(f, e, decision, answering)
    if decision.hit == "collect":
        _check_order(f, e, decision)
    if e.has("dated_by"):
        f.expression(e.at("dated_by"), answering, DATE.or_none())
    _check_otherwise(f, e, decision, answering)
    if isinstance(e.at("rows").value, dict):
        _check_rows_of(f, e.at("rows"), e, decision, answering)
        check_brought(f, e, decision, answering)
    else:
        check_rows(f, e, decision, answering)


# --- what a decision sees ---


def asking_names(library: Library, decision: d.Decision, of: d.Record) -> Names:
    """The scope of a decision's inputs: the record asked about, and what is given by whoever asks."""
    further = {n: i.type for n, i in decision.input_types.items() if decision.inputs[n].text == n}
    ledger = library.manifest.ledger
    if ledger and ledger.account == decision.name:
        further["account_key"] = TEXT
    return Names(library, of, further=further)


def each_asking(library: Library, decision: d.Decision, of: d.Record) -> Names:
    """The same where it is decided for each element of a list, whose names come first."""
    asking = asking_names(library, decision, of)
    return (element_names(asking, decision.for_each) if decision.for_each else None) or asking


def answering_names(library: Library, decision: d.Decision, of: d.Record) -> Names:
    """The scope of a decision's rows and messages: its inputs, and the record asked about."""
    return Names(library, of, further=input_types(library, decision, of))


def input_types(library: Library, decision: d.Decision, of: d.Record) -> dict[str, Type]:
    asking = each_asking(library, decision, of)
    found: dict[str, Type] = {}
    for name, text in decision.inputs.items():
        declared = decision.input_types.get(name)
        found[name] = declared.type if declared else _type_of(text.text, asking)
    return found


def _type_of(text: str, names: Names) -> Type:
    try:
        type_, errors = check(parse(text), names)
    except ExpressionError:
        return UNKNOWN
    return UNKNOWN if errors else type_


def _check_inputs(f: Findings, e: Element, decision: d.Decision, asking: Names) -> None:
    for name, inner in e.pairs("inputs"):
        declared = decision.input_types.get(name)
        if declared is None:
            f.expression(inner, asking)
            continue
        f.declared(inner, declared.type)
        if inner.has("is"):
            f.expression(inner.at("is"), asking, declared.type)


def _check_for_each(f: Findings, e: Element, decision: d.Decision, asking: Names) -> None:
    """What is decided for each element of a list keeps one answer, that which comes first among ordered choices."""
    for key, other in (("for_each", "keep"), ("keep", "for_each")):
        if e.has(key) and not e.has(other):
            f.say("R208", f"`{key}` needs `{other}`", mark_key(e.at(key)))
    if not e.has("for_each"):
        return
    list_elements(f, e.at("for_each"), asking)
    keep, output = e.at("keep"), decision.keep
    if output and output not in decision.outputs:
        f.unknown("output", output, mark(keep), decision.outputs)
    elif output and decision.outputs[output].type.kind != "choice":
        f.say("R202", f"`{output}` has no order of permission", mark(keep), "an ordered `one_of` has")
    if decision.hit == "collect":
        f.say("R202", "what is collected is no one answer to keep", mark(e.at("hit")))


def _check_order(f: Findings, e: Element, decision: d.Decision) -> None:
    order = e.at("order")
    if not e.has("order"):
        f.say("R406", "what is collected needs an `order`", mark(e.at("hit")), "name the output that orders the rows")
    elif decision.order not in decision.outputs:
        f.unknown("output", str(decision.order), mark(order), decision.outputs)
    elif decision.outputs[order.value].type.kind not in ORDERED:
        f.say("R202", f"`{decision.order}` has no order", mark(order))
    elif decision.outputs[order.value].type.optional:
        f.say("R203", f"`{decision.order}` may be none, which has no order", mark(order))


# --- key sets ---


def _check_search(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    for order in key_orders(e):
        seen: list[frozenset[str]] = []
        for index, keys in enumerate(order.value if isinstance(order.value, list) else ()):
            for at, key in enumerate(keys):
                if key not in decision.inputs:
                    f.unknown("input", str(key), mark(order.at(index).at(at)), decision.inputs)
            if frozenset(keys) in seen:
                f.say("R402", "this key set stands before already", mark(order.at(index)))
            seen.append(frozenset(keys))
    if isinstance(e.at("search").value, dict):
        _check_chosen(f, e.at("search"), decision, answering)


def _check_chosen(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    chosen, name = e.at("chosen_by"), e.word("chosen_by")
    if name not in decision.inputs:
        f.unknown("input", name, mark(chosen), decision.inputs)
        return
    type_ = answering.type_of((name,))
    if type_ is None or type_.kind == "unknown":
        return
    orders = [key for key in e.value if key != "chosen_by"]
    check_choices(f, chosen, type_, {key: e.at(key) for key in orders}, "order")


def check_choices(f: Findings, e: Element, type_: Type, offered: dict[str, Element], what: str) -> None:
    """What is chosen by a value: there is one for each choice, and none for anything else."""
    if type_.kind != "choice":
        f.say("R202", f"`{e.value}` is {type_}, not a choice", mark(e))
        return
    for name, inner in offered.items():
        if name not in type_.choices:
            f.unknown(what, name, mark_key(inner), type_.choices)
    missing = [f"`{choice}`" for choice in type_.choices if choice not in offered]
    if missing:
        f.say("R208", f"there is no {what} for {' and '.join(missing)}", mark(e))


# --- answers ---


def _check_otherwise(f: Findings, e: Element, decision: d.Decision, answering: Names) -> None:
    otherwise = e.at("otherwise")
    if otherwise.has("error"):
        f.message(otherwise.at("error"), answering)
        if otherwise.has("when") and (decision.rows_of or decision.hit == "collect"):
            what = "its rows are records" if decision.rows_of else "what is collected may be nothing"
            f.say("R202", f"that all but these cases have a row cannot be proved: {what}",
                  mark_key(otherwise.at("when")), "leave `when` out")  # fmt: skip
    elif e.has("otherwise"):
        check_answer(f, otherwise, decision)


# --- rows of records ---


def _check_rows_of(f: Findings, rows: Element, e: Element, decision: d.Decision, answering: Names) -> None:
    record = f.record(rows.at("of"))
    if record is None:
        return
    where = rows.at("where")
    if rows.has("where"):
        f.filter(where, record)
    if rows.has("as"):
        _check_row_itself(f, rows.at("as"), record, decision)
    for name, output in decision.outputs.items():
        if name != decision.rows_as:
            _check_column(f, rows.at("of"), record, name, output.type, e.at("outputs").at(name))
    keys = {key for order in key_orders(e) for keys in order.value for key in keys}
    used = _used_names(e)
    for name, type_ in answering.further.items():
        if name in record.fields:
            _check_condition(f, rows.at("of"), record.fields[name], type_, record)
        elif name in keys:
            f.unknown("field", f"{name}` of record `{record.name}", mark(rows.at("of")), ())
        elif name not in used:
            inner = e.at("inputs").at(name)
            f.say("R201", f"the input `{name}` is no field of record `{record.name}`", mark_key(inner),
                  _near(name, record))  # fmt: skip
    for name in ("from", "until"):
        if name in record.fields and record.fields[name].type.kind != "date":
            f.say("R202", f"`{name}` of `{record.name}` is not a date", mark(rows.at("of")))


def _near(name: str, record: d.Record) -> str:
    return did_you_mean(name, record.fields)


def _used_names(e: Element) -> set[str]:
    """Inputs that a decision uses otherwise than as a column: in its message, to choose an order."""
    used = {e.at("search").word("chosen_by")} if isinstance(e.at("search").value, dict) else set()
    try:
        parts = parse_template(e.at("otherwise").word("error"))
    except ExpressionError:
        return used
    return used | {path.parts[0] for part in parts if not isinstance(part, str) for path in paths(part)}


def _check_column(f: Findings, e: Element, record: d.Record, name: str, wanted: Type, output: Element) -> None:
    column = record.fields.get(name)
    if column is None:
        f.say(
            "R201", f"the output `{name}` is no field of record `{record.name}`", mark_key(output), _near(name, record)
        )
    elif not accepts(wanted, column.type):
        f.say("R202", f"`{name}` of `{record.name}` is {column.type}, not {wanted}", mark_key(output))


def _check_row_itself(f: Findings, e: Element, record: d.Record, decision: d.Decision) -> None:
    output = decision.outputs.get(e.value)
    if output is None:
        f.unknown("output", e.value, mark(e), decision.outputs)
    elif not accepts(output.type, Type("ref", of=record.name)):
        f.say("R202", f"`{e.value}` is {output.type}; the row is a `{record.name}`", mark(e))


def _check_condition(f: Findings, e: Element, column: d.Field, type_: Type, record: d.Record) -> None:
    if type_.kind != "unknown" and not accepts(column.type.or_none(), type_):
        f.say(
            "R202",
            f"`{column.name}` of `{record.name}` is {column.type.given()}; the input is {type_.given()}",
            mark(e),
        )
