"""Proves of the workflows that share the state of a record that each record lives by exactly one of them, always."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from . import definitions as d
from .check_cells import check_cells
from .check_constants import Regions, region, witness
from .check_findings import Findings, mark, mark_key
from .check_tables import Column, prove, said_of
from .definitions import Element
from .elements import dotted
from .frozen import frozen
from .library import joined
from .model import Type
from .scopes import Names


def family(f: Findings, flow: d.Workflow, record: d.Record) -> list[d.Workflow]:
    """The workflows that share a state: the first one of a record, and those with a `when`."""
    first = f.library.workflow(record.workflows[0]) if record.workflows else None
    machines = [w for w in f.library.workflows_of(record) if w.cells]
    return [first, *machines] if first and (flow.cells or flow.name == first.name) else [flow]


def check_machine(f: Findings, e: Element, flow: d.Workflow, record: d.Record) -> None:
    """A workflow with a `when` picks its records by choices, so that this can be proved, and none of another one."""
    for key in ("start", "start_by", "field", "people"):
        if e.has(key):
            said = f"`{key}` stands in `{record.workflows[0]}`, whose state it shares"
            f.say("R309", said, mark_key(e.at(key)), "leave it out")
    mine = _regions(f, e, record)
    if mine is None:
        return
    machines = [w for w in family(f, flow, record)[1:] if w.name in record.workflows]
    earlier = machines[: machines.index(flow)] if flow in machines else machines
    for other in earlier:
        its = _known(f, other, record)
        found = witness(mine, its) if its is not None else None
        if found is not None:
            said = f"records live by `{other.name}` and by `{flow.name}`: {found}"
            f.say("R309", said, mark_key(e.at("when")), "tell them apart by `when`")
    if machines and machines[-1] == flow:
        _check_all_live(f, e, machines, record)


def _check_all_live(f: Findings, e: Element, machines: list[d.Workflow], record: d.Record) -> None:
    regions = [found for machine in machines if (found := _known(f, machine, record)) is not None]
    if len(regions) < len(machines):
        return
    names = Names(f.library, record)
    paths = {path for each in regions for path in each}
    columns = {path: Column(type_.given()) for path in paths if (type_ := names.type_of(path)) is not None}
    for gap in prove(regions, columns).gaps:
        f.say("R309", f"no workflow is for records with {said_of(gap, columns)}", mark_key(e.at("when")),
              f"give `{record.name}` one for them")  # fmt: skip


def _regions(f: Findings, e: Element, record: d.Record) -> Regions | None:
    """What its cells let through; None where one of them is wrong."""
    names = Names(f.library, record)
    found = check_cells(f, e, names)
    for name, inner in e.pairs("when"):
        type_ = names.type_of(dotted(name))
        if type_ is not None and type_.kind not in ("choice", "yes_or_no"):
            f.say("R309", f"`{name}` is {type_.given()}; a workflow picks its records by choices", mark_key(inner))
            return None
    return found if len(found) == len(list(e.pairs("when"))) else None


def _known(f: Findings, flow: d.Workflow, record: d.Record) -> Regions | None:
    names, found = Names(f.library, record), {}
    for cell in flow.cells:
        type_ = names.type_of(cell.path)
        known = region(cell, type_.given()) if type_ and type_.kind in ("choice", "yes_or_no") else None
        if known is None:
            return None
        found[cell.path] = known
    return found


# --- what a record lives by stays, or changes where all of them can go on ---


@frozen
class Picked:
    """The workflows that share the state of a record type, of which a field picks one: its own, or one it refers to."""

    of: str
    first: d.Workflow
    machines: tuple[d.Workflow, ...]
    is_own: bool

    def states(self) -> dict[str, d.Workflow | None]:
        """All their states; where not all have one, with one that lacks it."""
        known = {machine.name: joined(self.first, machine).states for machine in self.machines}
        names = dict.fromkeys(name for states in known.values() for name in states)
        return {name: next((m for m in self.machines if name not in known[m.name]), None) for name in names}


Picks: TypeAlias = dict[tuple[str, str], list[Picked]]


def picks(f: Findings) -> Picks:
    """The fields that pick workflows, by record type and name."""
    found: Picks = {}
    for record in f.library.records():
        first, *others = f.library.workflows_of(record) or (None,)
        machines = tuple(w for w in others if w.cells)
        for path in {cell.path for machine in machines for cell in machine.cells}:
            for at, name in enumerate(path):
                owner = f.library.along(Type("ref", of=record.name), path[:at])
                if first and owner and owner.kind == "ref":
                    found.setdefault((owner.of, name), []).append(Picked(record.name, first, machines, at == 0))
    return found


def check_changes(f: Findings, e: Element, flow: d.Workflow, record: d.Record, known: Picks) -> None:
    """Prove that a field which picks workflows changes only in states that all of them have."""
    for inner, transition in zip(e.items("transitions"), flow.transitions, strict=True):
        for name in _changed(transition):
            for picked in known.get((record.name, name), ()):
                _check_change(f, inner, transition, flow, name, picked)


def _changed(transition: d.Transition) -> Iterable[str]:
    """The fields that an event changes of a record that is there already."""
    if transition.creates or transition.deletes:
        return ()
    taken = [name for name, field in transition.takes.items() if field is None]
    return dict.fromkeys([*taken, *(name for step in transition.steps if step.verb == "set" for name in step.values)])


def _check_change(f: Findings, e: Element, change: d.Transition, flow: d.Workflow, name: str, picked: Picked) -> None:
    states = picked.states()
    moves = picked.is_own and flow.field == picked.first.field
    possible = [change.target] if moves else _asked(change, picked) or list(states)
    state = next((s for s in possible if states.get(s)), None)
    lacks = states.get(state or "")
    if state is None or lacks is None:
        return
    common = ", ".join(f"`{each}`" for each, missing in states.items() if missing is None)
    hint = f"change it only in {common}" if moves and common else "let only its creation take it"
    said = f"`{change.event}` changes `{name}`, which picks the workflow of `{picked.of}`"
    where = f"in `{state}`" if moves else f"when one may be in `{state}`"
    f.say("R309", f"{said}, {where}, a state that `{lacks.name}` lacks", mark(e.at("event")), hint)


def _asked(change: d.Transition, picked: Picked) -> list[str]:
    """The states in which the event itself lets the record be, by its `when`; none where it does not say."""
    if not picked.is_own:
        return []
    return [value for cell in change.cells if cell.path == (picked.first.field,) for value in cell.values]
