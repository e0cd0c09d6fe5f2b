"""The table that runs and a state machine of a library made for it give the same answers.

One machine is built for each state of a record, from the definitions; it is asked for every state and event.
"""

from __future__ import annotations

from collections import defaultdict

import pytest
from charter.engine import definitions as d
from charter.engine.catalog import library, load
from charter.engine.library import Library
from transitions import Machine

ROOT = library().root
FOLDERS = [ROOT / "rules", *sorted(path.parent for path in (ROOT / "examples").glob("*/pack.yaml"))]
PACKS = {folder.name: Library(load(folder)) for folder in FOLDERS}
WORKFLOWS = [
    pytest.param(rules, record, workflow, id=f"{pack}-{workflow.name}")
    for pack, rules in PACKS.items()
    for record in rules.records()
    for workflow in rules.states_of(record).values()
]


def machine_of(workflow: d.Workflow) -> Machine:
    """Every transition with its own trigger, so that several of one event stand beside each other."""
    machine = Machine(model=None, states=[d.NOTHING, *workflow.states], initial=d.NOTHING, auto_transitions=False)
    for transition in workflow.transitions:
        machine.add_transition(transition.event, list(transition.sources), transition.target)
    return machine


def said_by_machine(workflow: d.Workflow) -> dict[tuple[str, str], set[str]]:
    machine = machine_of(workflow)
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in machine.events.values():
        for source, transitions in event.transitions.items():
            found[(source, event.name)] |= {t.dest for t in transitions}
    return found


def said_by_engine(rules: Library, record: d.Record, workflow: d.Workflow) -> dict[tuple[str, str], set[str]]:
    """What the engine would run: the transitions of the record's event whose sources hold the state."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for event in {t.event for t in workflow.transitions}:
        for state in (d.NOTHING, *workflow.states):
            targets = {
                t.target
                for w, t in rules.transitions(record, event)
                if w.field == workflow.field and state in t.sources
            }
            if targets:
                found[(state, event)] = targets
    return found


@pytest.mark.parametrize(("rules", "record", "workflow"), WORKFLOWS)
def test_state_and_event_lead_to_the_same_states(rules: Library, record: d.Record, workflow: d.Workflow) -> None:
    assert said_by_engine(rules, record, workflow) == said_by_machine(workflow)


@pytest.mark.parametrize(("rules", "record", "workflow"), WORKFLOWS)
def test_the_machine_knows_every_state_that_is_named(rules: Library, record: d.Record, workflow: d.Workflow) -> None:
    """The library takes unknown targets without a word; the check must not have."""
    known = {d.NOTHING, *workflow.states}
    assert {s for t in workflow.transitions for s in (*t.sources, t.target)} <= known


def test_an_event_belongs_to_one_state_of_a_record() -> None:
    """So the event alone says which state it moves."""
    for rules in PACKS.values():
        for record in rules.records():
            flows = rules.states_of(record).values()
            events = [{t.event for t in w.transitions} for w in flows]
            assert len(set().union(*events)) == sum(map(len, events)), record.name


def test_the_comparison_can_fail() -> None:
    rules = PACKS["rules"]
    record = rules.record("project")
    assert record is not None
    workflow = rules.states_of(record)["state"]
    said = said_by_machine(workflow)
    said[("created", "start")] = {"finished"}
    assert said_by_engine(rules, record, workflow) != said
