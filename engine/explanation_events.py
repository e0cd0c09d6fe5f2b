"""Rows of the log in words: who, by what right, by which rule, what changed and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Row

from . import definitions as d
from . import programs as p
from .explanation_data import LEADS, Change, Event
from .explanation_keys import Keys
from .explanation_past import Past, Then
from .explanation_readings import Readings
from .explanation_rules import at, named
from .explanation_slots import Slots
from .expressions import Constant, Path, parse
from .facts import plain
from .log_texts import changes_of, reads_of


class Events:
    """Puts log rows into words."""

    def __init__(self, past: Past, keys: Keys) -> None:
        self.past, self.keys = past, keys
        self.readings = Readings(past, keys)

    # --- events ---

    def event(self, row: Row[Any], detailed: bool = True) -> Event:
        """A log row in words."""
        then = self.past.then(row)
        t = then.transition
        event = Event(
            row.id, row.at, row.actor, row.login, row.right, self.keys.called(row.record, row.record_id), row.event,
            row.from_state, row.to_state, row.rule, at(t.place), t.doc, then.source,
            f"{then.pack.name} {then.pack.version} ({row.pack[:12]})", row.cause, self.caused_by(row), row.source,
            tuple(self.changes(then, row)), tuple(self.past.numbers[row.id]), row.acting_for,
        )  # fmt: skip
        if not detailed:
            return replace(event, readings=tuple(self.readings.given(Slots(then, row, ()))))
        facts = self.past.facts_of(row, then.program)
        slots = Slots(then, row, facts)
        decisions = [self.readings.decision(slots, op, fact) for op, fact in facts if isinstance(op, p.Decided)]
        readings = tuple(self.readings.of(slots, row, facts))
        return replace(event, readings=readings, decisions=tuple(decisions), lets=tuple(named(then)))

    def caused_by(self, row: Row[Any]) -> str:
        if row.cause is None:
            return ""
        cause = self.past.cause_of(row)
        return f"{cause.event} of {self.keys.called(cause.record, cause.record_id)}"

    # --- what changed ---

    def changes(self, then: Then, row: Row[Any]) -> Iterator[Change]:
        given = reads_of(row)["given"]
        for name, change in changes_of(row).items():
            before, after = (None, change) if row.from_state == d.NOTHING else change
            type_ = then.type_of(name)
            because, place = self.because(then, row, name, given)
            yield Change(name, self.keys.said(type_, before), self.keys.said(type_, after), because, place)

    def because(self, then: Then, row: Row[Any], name: str, given: Mapping[str, Any]) -> tuple[str, str]:
        """What gave a field its value, and where that is said."""
        t = then.transition
        texts = [s.values[name] for s in t.steps if s.verb == "set" and name in s.values]
        if texts:
            return f"set to `{'` or `'.join(x.text for x in texts)}`", at(texts[0].place)
        if t.deletes:
            return "deleted", at(t.place)
        if name in given:
            return self.handed(row, name, given) if row.cause is not None else ("given", "")
        if name in then.library.states_of(then.record):
            return LEADS, at(t.place)
        return "the default", at(then.record.fields[name].place) if name in then.record.fields else ""

    def handed(self, row: Row[Any], name: str, given: Mapping[str, Any]) -> tuple[str, str]:
        """The same where another event created the record or fired this one."""
        cause = self.past.cause_of(row)
        then = self.past.then(cause)
        reads = reads_of(cause)
        known = {**reads["own"], **reads["given"]}
        steps = [s for s in then.steps if leads_to(then, s, row) and fits(s, given, known)]
        texts = {x.text: x.place for s in steps if (x := s.values.get(name))}
        if texts:
            return f"given as `{'` or `'.join(texts)}`", at(next(iter(texts.values())))
        if row.from_state == d.NOTHING and (copied := next((s for s in steps if s.copied), None)):
            return f"copied from {'.'.join(copied.copied or ())}", at(copied.place)
        return "given", at(then.transition.place)


def leads_to(then: Then, step: d.Step, row: Row[Any]) -> bool:
    """Whether a step is one that can have brought about this log row."""
    if row.from_state == d.NOTHING:
        return step.verb == "create" and step.target == row.record
    return step.verb == "fire" and step.target == row.event


def fits(step: d.Step, given: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether what a step hands over, as far as that is plain, is what was given."""
    for name, text in step.values.items():
        node = parse(text.text)
        if isinstance(node, Constant) and name in given and plain(node.value) != given[name]:
            return False
        # What a step hands over of an element is not among the record's own values.
        own = known if not step.for_each else {}
        if isinstance(node, Path) and name in given and own.get(".".join(node.parts), given[name]) != given[name]:
            return False
    return True
