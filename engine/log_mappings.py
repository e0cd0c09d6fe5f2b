"""What a document says of an event log: which column is what, and which event of a workflow an activity means."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass

from .definitions import Element, Source, Text
from .errors import NOWHERE, Place
from .mapping_definitions import FieldMapping, Form, build_field_mapping, build_form

CONVENTIONS = {
    "xes": {"case": "case:concept:name", "activity": "concept:name", "time": "time:timestamp", "role": "org:role"},
    "": {"case": "case", "activity": "activity", "time": "time", "role": "role"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Activity:
    """What an activity of a log means: one of these events, whichever is possible; none where it is ignored."""

    events: tuple[Text, ...]
    place: Place

    @property
    def is_ignored(self) -> bool:
        return not self.events


@dataclass(frozen=True, slots=True)
class LogMapping:
    """How the events of a log are those of a workflow.

    roles: what the log calls a role and the role that it is, `none` where it says nothing. `ends`: the states, besides
    the final ones, in which a case may rest. by_convention: no document says it, so columns have their usual names and
    activities are called like events; there may be neither time nor role.
    """

    name: str
    workflow: str
    form: Form
    case: Text
    activity: Text
    time: Text | None
    role: Text | None
    roles: abc.Mapping[str, Text]
    activities: abc.Mapping[str, Activity]
    ends: tuple[Text, ...]
    fields: tuple[FieldMapping, ...]
    by_convention: bool = False

    def columns(self) -> list[Text]:
        """Every column that is read."""
        own = [c for c in (self.case, self.activity, self.time, self.role) if c is not None]
        return own + [column for m in self.fields for column in m.all_columns()]


def is_of_log(source: Source) -> bool:
    """Whether a mapping is about an event log, not about rows that become records."""
    return "workflow" in source.body


def build_log_mapping(source: Source) -> LogMapping:
    """The definition of a document whose schema was satisfied."""
    e = Element(source, (), source.body)
    return LogMapping(
        source.name,
        e.word("workflow"),
        build_form(e.at("file")),
        e.must("case"),
        e.must("activity"),
        e.text("time"),
        e.text("role"),
        e.texts("roles"),
        {name: _build_activity(a) for name, a in e.pairs("events")},
        tuple(Text(str(s.value), s.place) for s in e.items("ends")),
        tuple(build_field_mapping(name, f) for name, f in e.pairs("fields")),
    )


def _build_activity(e: Element) -> Activity:
    return Activity(tuple(Text(str(x.value), x.place) for x in e.items("event")), e.place)


def conventional(workflow: str, events: abc.Iterable[str], form: str) -> LogMapping:
    """The mapping of a log whose columns have their usual names and whose activities are the events."""
    columns = {name: Text(column, NOWHERE) for name, column in CONVENTIONS["xes" if form == "xes" else ""].items()}
    meant = {event: Activity((Text(event, NOWHERE),), NOWHERE) for event in events}
    return LogMapping(workflow, workflow, Form(form), roles={}, activities=meant, ends=(), fields=(),
                      by_convention=True, **columns)  # fmt: skip
