"""Replays the events of a log through a workflow, case by case, without a store: how far each gets, and what stops it.

Where the log leaves open which way a case went, all of them are followed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any

from . import definitions as d
from .definitions import NOTHING
from .event_logs import LogEvent
from .library import Library
from .log_mappings import LogMapping
from .notation import Value
from .told_values import Told

States = frozenset[str]
ANSWERS_KEPT = 100_000


@dataclass(slots=True)
class Met:
    """How many cases came to the same, with the first of them and the line of its event."""

    case: str
    line: int
    cases: int = 0

    def count(self) -> None:
        self.cases += 1


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """The first thing in a case that the workflow does not allow: in these states, for this activity, and why."""

    states: tuple[str, ...]
    event: str
    activity: str
    because: str


@dataclass(slots=True)
class _Case:
    """How far a case is; `stopped` once something was not allowed."""

    states: States
    line: int
    stopped: bool = False
    is_begun: bool = False


@dataclass
class Conformance:
    """What came of a log. `ends` are the cases that nothing stopped, by their last states."""

    workflow: d.Workflow
    allowed: States
    events: int = 0
    ignored: int = 0
    cases: int = 0
    untouched: int = 0  # cases of which every event is ignored
    ends: dict[tuple[str, ...], Met] = field(default_factory=dict)
    violations: dict[Violation, Met] = field(default_factory=dict)
    unknown: dict[str, Met] = field(default_factory=dict)  # activities by how often they came

    @property
    def conforming(self) -> int:
        return sum(met.cases for states, met in self.ends.items() if self.is_end(states))

    def is_end(self, states: Iterable[str]) -> bool:
        """Whether a case may rest in one of these states."""
        return not self.allowed.isdisjoint(states)


def replay(library: Library, workflow: d.Workflow, mapping: LogMapping, log: Iterable[LogEvent]) -> Conformance:
    """Take every event of a log in its order. A case conforms if all are possible and it rests where it may."""
    ends = {name for name, state in workflow.states.items() if state.final}
    found = Conformance(workflow, frozenset({*ends, *(text.text for text in mapping.ends), NOTHING}))
    ways = _Ways(library, workflow)
    cases: dict[str, _Case] = {}
    for event in log:
        found.events += 1
        case = cases.get(event.case)
        if case is None:
            case = cases[event.case] = _Case(ways.start, event.line)
        if event.meant is not None and event.meant.is_ignored:
            found.ignored += 1
        else:
            _take(found, ways, case, event)
    for name, case in cases.items():
        found.cases += 1
        if not case.is_begun:
            found.untouched += 1
        elif not case.stopped:
            _meet(found.ends, tuple(sorted(case.states)), name, case.line)
    return found


def _take(found: Conformance, ways: _Ways, case: _Case, event: LogEvent) -> None:
    case.is_begun = True
    if event.meant is None:
        _meet(found.unknown, event.activity, event.case, event.line)
    if case.stopped:
        return
    reached, because = ways.after(case.states, event)
    if reached:
        case.states, case.line = reached, event.line
        return
    case.stopped = True
    meant = " or ".join(t.text for t in event.meant.events) if event.meant else ""
    violation = Violation(tuple(sorted(case.states)), meant, event.activity, because)
    _meet(found.violations, violation, event.case, event.line)


def _meet(met: dict[Any, Met], key: object, case: str, line: int) -> None:
    met.setdefault(key, Met(case, line)).count()


class _Ways:
    """The transitions of a workflow, and which of them an event of a log may have taken."""

    def __init__(self, library: Library, workflow: d.Workflow) -> None:
        record = library.record(workflow.of)
        assert record is not None
        self.field = workflow.field
        # Most events of a log ask what was asked before, on the same day.
        self.answer = lru_cache(ANSWERS_KEPT)(self.against)
        self.start: States = workflow.beginnings
        self.by_event: dict[str, list[Told]] = {}
        self.from_state: dict[str, list[str]] = {}
        for t in workflow.transitions:
            self.by_event.setdefault(t.event, []).append(Told(library, record, t))
            for state in t.sources:
                self.from_state.setdefault(state, []).append(t.event)

    def after(self, states: States, event: LogEvent) -> tuple[States, str]:
        """(the states that the event may have led to, why there are none)."""
        if event.meant is None:
            return frozenset(), "the mapping does not know the activity"
        reached: set[str] = set()
        against: dict[str, None] = {}
        for told in (t for meant in event.meant.events for t in self.by_event.get(meant.text, ())):
            for state in sorted(states.intersection(told.transition.sources)):
                if reason := self.answer(told, state, event.role, event.day, tuple(event.given.items())):
                    against[reason] = None
                else:
                    reached.add(told.transition.target)
        return frozenset(reached), "" if reached else "; ".join(against) or self.instead(states)

    def against(
        self, told: Told, state: str, role: str | None, day: date | None, values: tuple[tuple[str, Value], ...]
    ) -> str:
        """What stands against a transition, empty where nothing does."""
        given: dict[str, Any] = {**dict(values), self.field: state, **({"today": day} if day else {})}
        if failing := told.against(given):
            names = ", ".join(".".join(cell.path) for cell in failing)
            return f"its condition on {names} does not hold"
        if not told.may(role, given):
            return f"{role} may not; {', '.join(sorted(told.roles(given))) or 'nobody'} may"
        return ""

    def instead(self, states: States) -> str:
        possible = dict.fromkeys(event for state in sorted(states) for event in self.from_state.get(state, ()))
        return f"here only {', '.join(possible)} is possible" if possible else "here nothing more is possible"
