"""Checks the steps of a transition: what is set, created, posted, reversed and fired exists, and gets what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from . import definitions as d
from .check_cells import check_cells
from .check_findings import Findings, list_elements, mark, mark_key
from .definitions import Element
from .expression_scopes import split_list
from .library import Library
from .model import DATE, Type
from .scopes import Names, element_names
from .type_relations import UNKNOWN

Condition = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, str], ...], bool | None]


@dataclass
class _Created:
    """What earlier steps created under a name, and under which conditions."""

    of: dict[str, str] = field(default_factory=dict)
    when: dict[str, frozenset[Condition]] = field(default_factory=dict)

    def seen_by(self, names: Names, cells: tuple[d.Cell, ...]) -> Names:
        """The scope of a step: a name may be none where its record was created under a condition that this lacks."""
        asked = _conditions(cells)
        sure = {name: of for name, of in self.of.items() if self.when[name] <= asked}
        unsure = {name: Type("ref", of=of).or_none() for name, of in self.of.items() if name not in sure}
        return replace(names, aliases=sure, further={**names.further, **unsure})


def _conditions(cells: tuple[d.Cell, ...]) -> frozenset[Condition]:
    return frozenset((c.path, c.values, c.bounds, c.empty) for c in cells)


def walk_steps(e: Element, outer: tuple[d.Cell, ...] = ()) -> Iterator[tuple[Element, tuple[d.Cell, ...]]]:
    """Every step and group with the cells of the groups that it is in."""
    for inner in e.items("do"):
        yield inner, outer
        yield from walk_steps(inner, (*outer, *d.build_cells(inner)))


def check_steps(f: Findings, e: Element, names: Names) -> None:
    created = _Created()
    for inner, outer in walk_steps(e):
        step = d.build_step(inner, outer)
        cells = step.cells if step.verb else (*outer, *d.build_cells(inner))
        seen = created.seen_by(names, cells)
        inside = _inside(f, inner, seen)
        if inside is None:
            continue
        check_cells(f, inner, inside)
        if inner.has("do"):
            continue
        _check_step(f, inner, step, inside)
        if step.alias:
            created.of[step.alias], created.when[step.alias] = step.target, _conditions(cells)


def _inside(f: Findings, e: Element, names: Names) -> Names | None:
    """What a step sees: with `for_each` the names of an element first; None where that is wrong."""
    if not e.has("for_each"):
        return names
    for key in ("as", "set", "post", "reverse", "do"):
        if e.has(key):
            f.say("R202", f"`{key}` cannot be said for each element of a list", mark_key(e.at(key)),
                  "`create` and `fire` can")  # fmt: skip
            return None
    if e.has("fire") and not e.has("records"):
        f.say("R208", "with `for_each` it is said on which `records` an event is fired", mark(e.at("fire")))
        return None
    return list_elements(f, e.at("for_each"), names)


def _check_step(f: Findings, e: Element, step: d.Step, names: Names) -> None:
    match step.verb:
        case "set":
            _check_set(f, e, names)
        case "create":
            _check_create(f, e, step, names)
        case "post":
            _check_post(f, e.at("post"), names.record)
        case "reverse":
            _check_reverse(f, e.at("reverse"), names)
        case "fire":
            _check_fire(f, e, names)


def _check_set(f: Findings, e: Element, names: Names) -> None:
    record = names.record
    for name, inner in e.pairs("set"):
        if name in record.fields:
            f.expression(inner, names, record.fields[name].type)
        elif name in f.library.states_of(record):
            f.say("R202", f"`{name}` is a state, which only events change", mark_key(inner))
        else:
            f.unknown("field", name, mark_key(inner), record.fields)


def _check_create(f: Findings, e: Element, step: d.Step, names: Names) -> None:
    record = f.record(e.at("create"))
    if record is None:
        return
    if step.alias and (step.alias in names.record.fields or step.alias in names.lets or step.alias in names.taken):
        f.say("R209", f"`{step.alias}` is a name already", mark(e.at("as")))
    if step.copied:
        f.path_to(e.at("mirror_of" if step.mirrored else "copy_of"), names, "a reference", "ref")
    event = _creation_event(f, e, record)
    if event is None:
        return
    fields = f.library.creation_fields(record, event)
    taker = f"`{event}` of `{record.name}`"
    given = f.given(e, "with", fields, names, taker) | f.given(e, "link", fields, names, taker)
    if not step.copied:
        f.needed(fields, given, mark(e.at("create")), taker)


def _creation_event(f: Findings, e: Element, record: d.Record) -> str | None:
    events = sorted({t.event for t in f.library.creations(record)})
    if e.has("event"):
        if e.word("event") in events:
            return e.word("event")
        f.unknown("creation event", e.word("event"), mark(e.at("event")), events)
    elif len(events) > 1:
        said = f"`{record.name}` has several creation events: {', '.join(events)}"
        f.say("R208", said, mark(e.at("create")), "say which: `event: NAME`")
    return events[0] if len(events) == 1 and not e.has("event") else None


def _check_post(f: Findings, e: Element, record: d.Record) -> None:
    posting = f.library.posting(str(e.value))
    if posting is None:
        if not f.pack.find("posting", str(e.value)):
            f.unknown("posting", str(e.value), mark(e), f.names_of("posting"))
    elif posting.of != record.name:
        f.say("R202", f"posting `{posting.name}` is of `{posting.of}`, not of `{record.name}`", mark(e))


def _check_reverse(f: Findings, e: Element, names: Names) -> None:
    transitions = f.event(e.at("vouchers_of"), names.record)
    if transitions and not any(step.verb == "post" for t in transitions for step in t.steps):
        said = f"`{e.word('vouchers_of')}` posts nothing"
        f.say("R208", said, mark(e.at("vouchers_of")), "name the event with the step `post`")
    if e.has("date"):
        f.expression(e.at("date"), names, DATE)


def _check_fire(f: Findings, e: Element, names: Names) -> None:
    of = fired_on(f, e, names)
    record = f.library.record(of.of) if of else None
    if record is None:
        return
    transitions = f.event(e.at("fire"), record)
    if not transitions:
        return
    if any(t.creates for t in transitions):
        f.say(
            "R307",
            f"`{e.word('fire')}` creates records of `{record.name}`",
            mark(e.at("fire")),
            f"write `create: {record.name}`",
        )
        return
    check_taken(f, e, record, transitions, names)


def check_taken(f: Findings, e: Element, record: d.Record, transitions: list[d.Transition], names: Names) -> None:
    """What an event takes is given under `with`."""
    fields = f.takes(record, transitions)
    taker = f"`{e.word('fire')}` of `{record.name}`"
    given = f.given(e, "with", fields, names, taker)
    f.needed(fields, given, mark(e.at("fire")), taker)


def fired_on(f: Findings, e: Element, names: Names) -> Type | None:
    """The type of the records that a `fire` reaches."""
    records = e.at("records")
    if isinstance(records.value, dict):
        record = f.record(records.at("of"))
        if record is None:
            return None
        if records.has("where"):
            f.looked_through(records.at("where"), record, names)
        return Type("ref", of=record.name)
    found = f.path(records, names) if e.has("records") else names.this
    split = split_list(d.dotted(records.value), names.type_of) if found and e.has("records") else None
    if split and split[1]:
        listed, rest = map(".".join, split)
        hint = f"write `for_each: {listed}` and `records: {rest}`"
        f.say("R205", f"`{listed}` is a list; what each of it refers to is not reached so", mark(records), hint)
        return None
    inner = found.item if found and found.kind == "list" else found
    if inner is None or inner == UNKNOWN:
        return None
    if inner.kind != "ref":
        f.say("R202", f"`{records.value}` is {inner.given()}, not a record", mark(records))
        return None
    return inner


def fired_events(library: Library, e: Element, names: Names) -> Iterator[tuple[str, str]]:
    """Record types and events that the steps below reach, without a word about what is wrong in them."""
    for inner, _ in walk_steps(e):
        if inner.has("create"):
            record = library.record(inner.word("create"))
            events = {t.event for t in library.creations(record)} if record else set()
            yield from ((inner.word("create"), event) for event in events if inner.word("event", event) == event)
        elif inner.has("fire"):
            path = inner.maybe("for_each")
            inside = element_names(names, d.dotted(path)) if path else names
            yield _reached(inner, inside or names), inner.word("fire")


def _reached(e: Element, names: Names) -> str:
    records = e.at("records")
    if isinstance(records.value, dict):
        return records.word("of")
    found = names.type_of(d.dotted(records.value)) if isinstance(records.value, str) else names.this
    inner = found.item if found and found.kind == "list" else found
    return inner.of if inner else ""
