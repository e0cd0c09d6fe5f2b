"""Proves what workflows promise of their states: all are reached, none is a dead end, no event goes two ways.

What the events do is looked at in `check_workflows` and `check_steps`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import TypeAlias

from . import definitions as d
from .check_constants import Regions, region, witness
from .check_findings import Findings, mark, mark_key
from .check_machines import check_changes, check_machine, family, picks
from .check_steps import fired_events
from .check_workflows import workflows
from .definitions import NOTHING, Element
from .expressions import ExpressionError, parse, paths
from .library import joined
from .scopes import limit_names, transition_names

Edge: TypeAlias = tuple[d.Transition, str]  # a transition and the state that it leads to


def check_states(f: Findings) -> None:
    fired, picked = _fired(f), picks(f)
    for e, flow, record in workflows(f):
        _check_beginning(f, e, flow, record)
        _check_events(f, e, flow, record)
        whole = _whole(f, flow, record)
        _check_reached(f, e, reduce(joined, whole))
        for one in whole:
            _check_ends(f, e, one)
        _check_two_ways(f, e, flow, record)
        check_changes(f, e, flow, record, picked)
        _check_always(f, e, reduce(joined, whole))
        _check_waiting(f, e, reduce(joined, whole))
        for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
            if not transition.who and (record.name, transition.event) not in fired:
                hint = "say `who` may do it, or let another event `fire` it"
                f.say("R306", f"nobody can do `{transition.event}`", mark(inner.at("event")), hint)


def _fired(f: Findings) -> set[tuple[str, str]]:
    """What is reached by steps, by those of limits and by master rows."""
    found: set[tuple[str, str]] = set()
    for e, flow, record in workflows(f, broken=True):
        for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
            found |= set(fired_events(f.library, inner, transition_names(f.library, record, transition)))
    for e in f.elements("limit", broken=True):
        limit, of = f.library.limit(e.source.name), f.library.record(e.word("of"))
        if limit and of:
            found |= set(fired_events(f.library, e, limit_names(f.library, of, limit)))
    for document in f.pack.all("master"):
        of = f.library.record(document.name)
        found |= {(document.name, t.event) for t in f.library.creations(of)} if of else set()
    return found


def _whole(f: Findings, flow: d.Workflow, record: d.Record) -> list[d.Workflow]:
    """What a workflow comes to with those that share its state: each machine with what is shared."""
    first, *machines = family(f, flow, record)
    if flow.cells:
        return [joined(first, flow)]
    return [joined(flow, machine) for machine in machines] or [flow]


# --- what waits ---


def _check_waiting(f: Findings, e: Element, flow: d.Workflow) -> None:
    """What a state waits for can happen in it, by somebody's hand; and somebody says how long that may take."""
    for name, inner in e.pairs("states"):
        here = {t.event for t in flow.transitions if name in t.sources and t.who}
        for event in inner.words("waits_for"):
            if not any(t.event == event for t in flow.transitions):
                f.unknown("event", event, mark(inner.at("waits_for")), here)
            elif event not in here:
                f.say("R307", f"nobody can fire `{event}` in the state `{name}`", mark(inner.at("waits_for")))
        if inner.has("late_after") and not inner.has("waits_for"):
            said = f"nothing is waited for in `{name}`"
            f.say("R307", said, mark_key(inner.at("late_after")), "say `waits_for: EVENT`")
        _check_late(f, inner.at("late_after"))


def _check_late(f: Findings, e: Element) -> None:
    if not e.has("parameter"):
        return
    name = e.word("parameter")
    parameter = f.library.parameters.get(name)
    if parameter is None:
        f.unknown("parameter", name, mark(e.at("parameter")), f.library.parameters)
    elif parameter.field.type.kind != "whole":
        f.say("R202", f"`{name}` is {parameter.field.type.given()}, not a whole number", mark(e.at("parameter")))


# --- the shape of the graph ---


def _check_beginning(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    """Only the first workflow of a record creates and deletes; every other says where it starts."""
    if not record.workflows or record.workflows[0] == flow.name:
        _check_first(f, e, flow, record)
    elif flow.cells:
        check_machine(f, e, flow, record)
    else:
        _check_further(f, e, flow, record)


def _check_first(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    if not any(t.creates for t in flow.transitions):
        said = f"nothing creates records of `{record.name}`"
        f.say("R307", said, mark_key(e.at("transitions")), "one event leads `from: nothing`")
    for word in ("start", "start_by"):
        if e.has(word):
            said = "the first workflow of a record starts by creating it"
            f.say("R307", said, mark_key(e.at(word)), f"leave `{word}` out")


def _check_further(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
        if NOTHING in transition.sources or transition.deletes:
            said = f"only the first workflow of `{record.name}` creates and deletes"
            f.say("R307", said, mark(inner.at("from" if NOTHING in transition.sources else "to")))
    if not flow.start:
        f.say("R307", "a further workflow says where it starts", mark_key(e.at("states")), "`start: STATE`")
    elif flow.start not in flow.states:
        f.unknown("state", flow.start, mark(e.at("start")), flow.states)
    creations = {t.event for t in f.library.creations(record)}
    for event, inner in e.pairs("start_by"):
        if event not in creations:
            f.unknown("creation event", event, mark_key(inner), creations)
        if inner.value not in flow.states:
            f.unknown("state", inner.value, mark(inner), flow.states)


def _check_events(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    """An event belongs to one workflow of a record, and its transitions are told apart by name."""
    kin = {w.name for w in family(f, flow, record)}
    others = [w for w in f.library.workflows_of(record) if w.name not in kin]
    before = others[: record.workflows.index(flow.name)] if flow.name in record.workflows else others
    taken = {t.event: w.name for w in before for t in w.transitions}
    names: set[str] = set()
    for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
        if transition.event in taken:
            said = f"the event `{transition.event}` stands in workflow `{taken[transition.event]}` already"
            f.say("R209", said, mark(inner.at("event")))
        if transition.name in names:
            where = inner.at("name") if inner.has("name") else inner.at("event")
            hint = "" if inner.has("name") else "give each of the event's transitions a `name`"
            f.say("R209", f"two transitions are named `{transition.name}`", mark(where), hint)
        names.add(transition.name)


def _edges(flow: d.Workflow) -> dict[str, list[Edge]]:
    """What leads out of each state, `nothing` among them."""
    edges: dict[str, list[Edge]] = {}
    for transition in flow.transitions:
        for source in transition.sources:
            edges.setdefault(source, []).append((transition, transition.target))
    return edges


def _check_reached(f: Findings, e: Element, flow: d.Workflow) -> None:
    edges = _edges(flow)
    if not flow.beginnings & edges.keys():
        return  # where it begins is wrong, which is told already
    reached, waiting = set(), list(flow.beginnings)
    while waiting:
        state = waiting.pop()
        if state not in reached:
            reached.add(state)
            waiting += [target for _, target in edges.get(state, ()) if target != NOTHING]
    for name, inner in e.pairs("states"):
        if name not in reached:
            f.say("R301", f"the state `{name}` is never reached: {_leading_to(name, edges)}", mark_key(inner))


def _leading_to(state: str, edges: Mapping[str, Iterable[Edge]]) -> str:
    """Why nothing gets to a state."""
    found = {t.event: source for source in edges for t, target in edges[source] if target == state != source}
    ways = [f"`{event}` from `{source}`, which is never reached either" for event, source in found.items()]
    return "only " + " and ".join(ways) if ways else "no event leads to it"


def _check_ends(f: Findings, e: Element, flow: d.Workflow) -> None:
    """What stays in its state does not leave it: a final record may still be described anew."""
    edges = _edges(flow)
    for name, inner in e.pairs("states"):
        leaving = [t for t, target in edges.get(name, ()) if target != name]
        if flow.states[name].final and leaving:
            said = f"the state `{name}` is final, but `{leaving[0].event}` leaves it"
            f.say("R303", said, mark_key(inner))
        elif not flow.states[name].final and not leaving:
            way = f", to which {', '.join(path)} leads" if (path := _way_to(flow, name)) else ""
            hint = "say `final: true` if it ends here"
            f.say("R302", f"nothing leaves the state `{name}`{way}", mark_key(inner), hint)


def _way_to(flow: d.Workflow, wanted: str) -> list[str] | None:
    """The events of a shortest way to a state."""
    return shortest_path(flow, lambda event, flag: flag, lambda state, flag: state == wanted)


# --- two ways at once ---


def _check_two_ways(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    """Transitions of one event from one state must be provably apart by their cells."""
    elements = list(e.items("transitions"))
    by_event: dict[str, list[int]] = {}
    for index, transition in enumerate(flow.transitions):
        by_event.setdefault(transition.event, []).append(index)
    for indexes in by_event.values():
        for at, one in enumerate(indexes):
            for other in indexes[at + 1 :]:
                _check_pair(f, elements[other], flow.transitions[one], flow.transitions[other], record)
    for shared in family(f, flow, record)[0].transitions if flow.cells else ():
        for index in by_event.get(shared.event, ()):
            _check_pair(f, elements[index], shared, flow.transitions[index], record)


def _check_pair(f: Findings, e: Element, one: d.Transition, other: d.Transition, record: d.Record) -> None:
    shared = [state for state in one.sources if state in other.sources]
    if not shared:
        return
    mine, its = _regions(f, one, record), _regions(f, other, record)
    if mine is None or its is None:
        return
    found = witness(mine, its, lambda path: _meaning(path[0], one) == _meaning(path[0], other))
    if found is None:
        return
    case = f" when {found}" if found else ""
    said = f"`{one.event}` could go two ways at once from `{shared[0]}`{case}: `{one.name}` and `{other.name}`"
    f.say("R304", said, mark(e.at("event")), "tell them apart by `when`: cells of one name that exclude each other")


def _regions(f: Findings, transition: d.Transition, record: d.Record) -> Regions | None:
    """The cells of a transition; None where one of them is wrong, which is told elsewhere."""
    names = transition_names(f.library, record, transition)
    found = {}
    for cell in transition.cells:
        type_ = names.type_of(cell.path)
        known = region(cell, type_.given()) if type_ and type_.kind != "unknown" else None
        if known is None:
            return None
        found[cell.path] = known
    return found


def _meaning(name: str, transition: d.Transition, seen: frozenset[str] = frozenset()) -> object:
    """What a name stands for in a transition, so that equal answers mean equal values."""
    if name in seen:
        return name
    seen |= {name}
    if name in transition.lets:
        text = transition.lets[name].text
        return text, _meanings(text, transition, seen)
    use = next((u for u in transition.uses if u.name == name), None)
    if use is not None:
        given = tuple((n, t.text, _meanings(t.text, transition, seen)) for n, t in sorted(use.inputs.items()))
        return use.decision, use.of, given
    find = next((x for x in transition.finds if x.name == name), None)
    if find is not None:
        return find.of, find.where.text, find.by, find.last, _meanings(find.where.text, transition, seen)
    return name


def _meanings(text: str, transition: d.Transition, seen: frozenset[str]) -> object:
    try:
        heads = sorted({path.parts[0] for path in paths(parse(text))})
    except ExpressionError:
        return text
    return tuple(_meaning(head, transition, seen) for head in heads)


# --- always ---


def _check_always(f: Findings, e: Element, flow: d.Workflow) -> None:
    events = {t.event for t in flow.transitions}
    for rule in e.items("always"):
        for key in ("need", "since"):
            if rule.has(key) and rule.word(key) not in events:
                f.unknown("event", rule.word(key), mark(rule.at(key)), events)
        if rule.word("before") not in flow.states:
            f.unknown("state", rule.word("before"), mark(rule.at("before")), flow.states)
            continue
        if {rule.word("need"), rule.word("since", rule.word("need"))} <= events:
            _prove(f, rule, flow)


def _prove(f: Findings, e: Element, flow: d.Workflow) -> None:
    before, need, since = e.word("before"), e.word("need"), e.word("since")

    def after(event: str, has_happened: bool) -> bool:
        return event == need or (has_happened and event != since)

    path = shortest_path(flow, after, lambda state, has_happened: state == before and not has_happened)
    if path is not None:
        said = f"`{before}` is reached without `{need}`" + (f" since `{since}`" if since else "")
        f.say("R305", f"{said}: {', '.join(path)}", mark(e.at("before")))


def shortest_path(
    flow: d.Workflow, after: Callable[[str, bool], bool], is_wrong: Callable[[str, bool], bool]
) -> list[str] | None:
    """The events of a shortest way to a state and flag that are wrong; the flag begins as false."""
    edges: Mapping[str, Iterable[Edge]] = _edges(flow)
    seen = {(state, False) for state in sorted(flow.beginnings)}
    for begin in sorted(seen):
        if is_wrong(*begin):
            return [f"it starts in `{begin[0]}`"]
    waiting: deque[tuple[tuple[str, bool], tuple[str, ...]]] = deque((begin, ()) for begin in sorted(seen))
    while waiting:
        (state, flag), path = waiting.popleft()
        for transition, target in edges.get(state, ()):
            here = (target, after(transition.event, flag))
            further = (*path, transition.event)
            if is_wrong(*here):
                return list(further)
            if here not in seen and target != NOTHING:
                seen.add(here)
                waiting.append((here, further))
    return None
