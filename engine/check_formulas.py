"""Checks named values: what a rule asks of decisions (`decide`), names for once (`let`), and whole formulas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import definitions as d
from .check_decisions import asking_names, check_choices, input_types
from .check_findings import Findings, mark, mark_key
from .definitions import Element
from .expressions import parse_template, paths
from .scopes import NO_RECORD, Names, answer_types, formula_names
from .type_relations import UNKNOWN

ASKED = ("decision", "formulas", "share_out")


def check_formulas(f: Findings) -> None:
    for e in f.elements("formulas"):
        record = f.record(e.at("of"))
        formulas = f.library.formulas(e.source.name)
        if record is None or formulas is None:
            continue
        names = formula_names(f.library, formulas, record)
        check_decides(f, e, names)
        texts = {name: [inner] for name, inner in e.pairs("steps")}
        for name, inner in _alternatives(e):
            texts.setdefault(name, []).append(inner)
        f.circles(texts, names)
        for inner in (each for elements in texts.values() for each in elements):
            f.expression(inner, names)
        check_currency(f, ((name, elements[0]) for name, elements in texts.items()), names)
        if e.has("choices"):
            _check_alternatives(f, e.at("choices"), names)


def _alternatives(e: Element) -> list[tuple[str, Element]]:
    choices = e.at("choices")
    return [pair for name, _ in e.pairs("choices") if name != "by" for pair in choices.pairs(name)]


def _check_alternatives(f: Findings, e: Element, names: Names) -> None:
    """There is one alternative for each choice, and each answers the same names with the same types."""
    offered = {name: e.at(name) for name in e.value if name != "by"}
    by = f.path(e.at("by"), names)
    if by is not None and by.kind != "unknown":
        check_choices(f, e.at("by"), by, offered, "alternative")
    answers = {name: None for each in offered.values() for name in each.value}
    for inner in offered.values():
        missing = [f"`{name}`" for name in answers if name not in inner.value]
        if missing:
            f.say("R208", f"this alternative lacks {' and '.join(missing)}", mark_key(inner))
    for name in answers:
        _check_same_type(f, name, [each.at(name) for each in offered.values() if name in each.value], names)


def _check_same_type(f: Findings, name: str, elements: list[Element], names: Names) -> None:
    first = names.let_type(name)
    if first is not None and first.kind != "unknown":
        for inner in elements[1:]:
            f.expression(inner, names, first)


# --- what is asked and named within a rule ---


def check_named(f: Findings, e: Element, names: Names) -> None:
    """The `decide` and `let` of a rule, which may use each other but not in a circle."""
    check_decides(f, e, names)
    texts = {name: [inner] for name, inner in e.pairs("let")}
    for name, inner in e.pairs("decide"):
        texts[name] = [given for _, given in inner.pairs("with")] if isinstance(inner.value, dict) else []
    f.circles(texts, names)
    f.named(e, "let", names)


def check_currency(f: Findings, named: Iterable[tuple[str, Element]], names: Names) -> None:
    """Money that is named is rounded in the currency of its record, which must say one."""
    for name, inner in named if names.record.currency is None else ():
        if names.let_type(name).kind == "money":
            said = f"the money `{name}` has no currency"
            f.say("R208", said, mark_key(inner), f"say `currency: PATH` for the record `{names.record.name}`")


def check_decides(f: Findings, e: Element, names: Names) -> None:
    for _, inner in e.pairs("decide"):
        asked = inner
        if isinstance(inner.value, dict):
            asked = inner.at("formulas") if inner.has("formulas") else inner.at("decision")
        of = names.record
        if isinstance(inner.value, dict) and inner.has("of"):
            found = _asked_record(f, inner.at("of"), names)
            if found is None:
                continue
            of = found
        check_asked(f, asked, inner, of, names)


def _asked_record(f: Findings, e: Element, names: Names) -> d.Record | None:
    type_ = f.path_to(e, names, "a reference", "ref")
    return f.library.record(type_.of) if type_ else None


def check_asked(f: Findings, e: Element, use: Element, of: d.Record, names: Names) -> None:
    """A decision, formulas or a share_out asked about a record, with further inputs under `with`."""
    name = str(e.value)
    decision, share_out = f.library.decision(name), f.library.share_out(name)
    rule = decision or f.library.formulas(name) or share_out
    if rule is None:
        if not any(f.pack.find(kind, name) for kind in ASKED):
            f.unknown("decision", name, mark(e), f.names_of(*ASKED))
        return
    if rule.of and rule.of != of.name and not (decision and _asks_nothing_of_its_record(decision, use)):
        f.say("R202", f"`{name}` is asked about `{rule.of}`, not about `{of.name}`", mark(e))
        return
    if decision is not None and decision.for_each and isinstance(use.value, dict) and use.has("of"):
        f.say("R202", f"`{name}` goes over a list and is asked about the record itself", mark_key(use.at("of")))
        return
    if share_out is not None:
        amount = answer_types(f.library, name)
        f.given(use, "with", {"amount": d.Field("amount", amount["share"] if amount else UNKNOWN)}, names, f"`{name}`")
        return
    _check_given(f, e, use, decision, names)


def _asks_nothing_of_its_record(decision: d.Decision, use: Element) -> bool:
    """Is every input handed over, and the day that of whoever asks? Then any record may ask."""
    given = dict(use.pairs("with")) if isinstance(use.value, dict) else {}
    said = parse_template(decision.refusal.text) if decision.refusal else ()
    named = {path.parts[0] for part in said if not isinstance(part, str) for path in paths(part)}
    return decision.dated_by is None and decision.inputs.keys() <= given.keys() and named <= decision.inputs.keys()


def _check_given(f: Findings, e: Element, use: Element, decision: d.Decision | None, names: Names) -> None:
    given: Mapping[str, object] = dict(use.pairs("with")) if isinstance(use.value, dict) else {}
    fields: dict[str, d.Field] = {}
    if decision is not None:
        of = f.library.record(decision.of) if decision.of else NO_RECORD
        types = input_types(f.library, decision, of or NO_RECORD)
        fields = {n: d.Field(n, type_) for n, type_ in types.items()}
        _check_inputs_given(f, e, decision, of or NO_RECORD, given)
    if isinstance(use.value, dict):
        f.given(use, "with", fields, names, f"`{e.value}`")


def _check_inputs_given(
    f: Findings, e: Element, decision: d.Decision, of: d.Record, given: Mapping[str, object]
) -> None:
    """A typed input without an expression of its own is given by whoever asks, or read from the record."""
    open_ = [n for n in asking_names(f.library, decision, of).further if n in decision.input_types]
    missing = [f"`{n}`" for n in open_ if n not in given and f.library.member(of, n) is None]
    if missing:
        f.say("R208", f"`{decision.name}` needs {' and '.join(missing)}", mark(e), "give it in `with`")
