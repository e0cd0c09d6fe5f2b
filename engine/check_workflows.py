"""Checks the names and types in workflows: who may act, what events take, what is required, and every step.

What their states allow is looked at in `check_states`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from . import definitions as d
from .check_cells import check_cells
from .check_findings import Findings, mark, mark_key
from .check_formulas import check_asked, check_currency, check_named
from .check_machines import family
from .check_steps import check_steps
from .definitions import NOTHING, Element
from .scopes import Names, transition_names
from .type_relations import ORDERED


def check_workflows(f: Findings) -> None:
    for e, flow, record in workflows(f):
        document = f.pack.find("record", record.name)
        if document and flow.name not in Element(document, (), document.body).words("workflows"):
            f.say("R307", f"record `{record.name}` does not name this workflow", mark(e.at("of")),
                  f"add it to the `workflows` of `{record.name}`")  # fmt: skip
        for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
            _check_transition(f, inner, transition, flow, record)
        _check_people(f, e, flow, record)


def workflows(f: Findings, broken: bool = False) -> Iterator[tuple[Element, d.Workflow, d.Record]]:
    """The workflows whose record type is known, those that their schema has something against only if asked for."""
    for e in f.elements("workflow", broken):
        flow = f.library.workflow(e.source.name)
        record = f.library.record(e.word("of"))
        if record is None:
            f.record(e.at("of"))
        elif flow is not None:
            yield e, flow, record


def _check_transition(f: Findings, e: Element, transition: d.Transition, flow: d.Workflow, record: d.Record) -> None:
    shared = family(f, flow, record)[:1] if flow.cells else []
    _check_ends(f, e, flow, {state for w in (*shared, flow) for state in w.states})
    _check_takes(f, e, record)
    names = replace(transition_names(f.library, record, transition), aliases={})
    for inner in e.items("who"):
        _check_who(f, inner, record, names)
    for _, inner in e.pairs("find"):
        _check_find(f, inner, names)
    check_named(f, e, names)
    check_currency(f, e.pairs("let"), names)
    check_cells(f, e, names)
    for key in ("require", "warn"):
        check_requirements(f, e, key, names)
    check_steps(f, e, names)
    if transition.creates and flow.name in record.workflows[:1]:
        _check_complete(f, e, transition, record)


def _check_ends(f: Findings, e: Element, flow: d.Workflow, states: Collection[str]) -> None:
    for end in (*e.items("from"), e.at("to")):
        if isinstance(end.value, str) and end.value != NOTHING and end.value not in states:
            f.unknown("state", end.value, mark(end), states)
    if NOTHING in e.words("from") and (len(e.words("from")) > 1 or e.word("to") == NOTHING):
        f.say("R307", "a creation leads from `nothing` alone to a state", mark(e.at("from")))


def _check_takes(f: Findings, e: Element, record: d.Record) -> None:
    takes = e.at("takes")
    if not isinstance(takes.value, dict):
        for name in e.items("takes"):
            _check_taken(f, str(name.value), name, record)
        return
    for taken, inner in e.pairs("takes"):
        if isinstance(inner.value, dict):
            f.declared(inner, d.build_field(taken, inner).type)
        elif taken not in record.fields:
            f.unknown("field", taken, mark_key(inner), record.fields)


def _check_taken(f: Findings, name: str, e: Element, record: d.Record) -> None:
    if name not in record.fields:
        f.unknown("field", name, mark(e), record.fields)


def check_requirements(f: Findings, e: Element, key: str, names: Names) -> None:
    for inner in e.items(key):
        f.condition(inner.at("that"), names)
        f.message(inner.at("else"), names)


def _check_complete(f: Findings, e: Element, transition: d.Transition, record: d.Record) -> None:
    """A creation takes or sets every field that a record must have."""
    given = set(transition.takes) | {name for step in transition.steps if step.verb == "set" for name in step.values}
    missing = [f"`{name}`" for name, each in record.fields.items() if each.needed and name not in given]
    if missing:
        said = f"`{transition.event}` neither takes nor sets {' and '.join(missing)}"
        f.say("R208", said, mark(e.at("event")), "take it, set it, or make it `optional`")


def _check_find(f: Findings, e: Element, names: Names) -> None:
    of = f.record(e.at("of"))
    if of is not None:
        found = Names(f.library, of)
        if e.has("where"):
            f.looked_through(e.at("where"), of, names)
        for key in ("first_by", "last_by"):
            type_ = f.path(e.at(key), found)
            if type_ is not None and type_.kind not in (*ORDERED, "unknown"):
                f.say("R202", f"`{e.word(key)}` is {type_.given()}, which has no order", mark(e.at(key)))
    f.message(e.at("else"), names)


# --- who ---


def _check_who(f: Findings, e: Element, record: d.Record, names: Names) -> None:
    if e.has("field"):
        f.path_to(e.at("field"), names, "an actor", "ref", of="actor")
        if e.word("field") == "actor" and "actor" not in names.taken:
            said = "`actor` is whoever fires the event, so that anybody could"
            f.say("R208", said, mark(e.at("field")), "name a field; one of that name is `this.actor`")
    elif e.has("decision"):
        _check_who_decides(f, e, record, names)
    elif e.has("role"):
        role = f.library.manifest.roles.get(e.word("role"))
        if role is None:
            f.unknown("role", e.word("role"), mark(e.at("role")), f.role_names, "roles")
        else:
            _check_held(f, e, role, names)


def _check_held(f: Findings, e: Element, role: d.Role, names: Names) -> None:
    """A role held for a record names the record; any other does not."""
    if not e.has("of"):
        if role.of:
            said = f"the role `{role.name}` is held for a {role.of}"
            f.say("R208", said, mark(e.at("role")), f"say for which: `of: PATH` to a {role.of}")
    elif not role.of:
        f.say("R202", f"the role `{role.name}` is not held for a record", mark(e.at("of")), "leave `of` out")
    else:
        f.path_to(e.at("of"), names, f"a reference to {role.of}", "ref", of=role.of)


def _check_who_decides(f: Findings, e: Element, record: d.Record, names: Names) -> None:
    check_asked(f, e.at("decision"), Element(e.source, e.path), record, names)
    decision = f.library.decision(e.word("decision"))
    if decision is None:
        return
    if "role" not in decision.outputs:
        f.say("R208", f"decision `{decision.name}` has no output `role`", mark(e.at("decision")))
    f.given(e, "where", decision.outputs, names, f"decision `{decision.name}`")
    if e.has("of"):
        f.path_to(e.at("of"), names, "a reference", "ref")
    _check_roles_decided(f, decision)


def _check_roles_decided(f: Findings, decision: d.Decision) -> None:
    """The roles that rows in place name exist."""
    for row in decision.rows:
        named = row.then.get("role")
        if named and named.text not in f.library.manifest.roles:
            f.unknown("role", named.text, (named.place, len(named.text)), f.role_names, "roles")


# --- people ---


def _check_people(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    names = Names(f.library, record)
    asked = {transition.event for kin in family(f, flow, record) for transition in kin.transitions}
    for rule in e.items("people"):
        events = [person.word("event") for person in rule.items("different") if person.has("event")]
        if not events:
            f.say("R308", "no event is asked who fires it", mark(rule.at("different")), "name an `event` among them")
        elif not asked & set(events) and all(event in f.events(record) for event in events):
            said = f"none of these events is of `{flow.name}`, and it is asked of no others"
            f.say("R308", said, mark(rule.at("different")), "let it stand in the workflow of the event that comes last")
        for person in (*rule.items("different"), rule):
            if person.has("field"):
                f.path_to(person.at("field"), names, "an actor", "ref", of="actor")
            for event in (*person.items("event"), *person.items("since")):
                f.event(event, record)
