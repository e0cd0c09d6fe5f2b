"""The command that holds an event log against a workflow: `conform`. It needs no store and changes none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import definitions as d
from .commands import Call, unknown
from .commands_packs import checked_pack
from .conformance import Conformance, Met, Violation, replay
from .errors import DONE, UsageFault
from .event_logs import log_fields, read_log
from .library import Library
from .log_mappings import LogMapping, build_log_mapping, conventional, is_of_log
from .notation import counted
from .output import VERSION
from .readers import form_of

COLUMNS = ("outcome", "state", "event", "cases", "first case", "line", "because")


@dataclass(frozen=True, slots=True)
class Line:
    """Cases that came to the same end."""

    outcome: str
    states: tuple[str, ...]
    event: str
    met: Met
    because: str = ""

    def rows(self) -> Iterator[Sequence[str]]:
        m = self.met
        yield (self.outcome, " or ".join(self.states), self.event, str(m.cases), m.case, str(m.line), self.because)

    def data(self) -> dict[str, Any]:
        return {}


def conform(call: Call, name: str, log: Path, mapping_name: str | None) -> int:
    """Replay a log through a workflow; print where its cases end and what they first break."""
    library = Library(checked_pack(call))
    workflow = library.machine(name)
    record = library.record(workflow.of) if workflow else None
    if workflow is None or record is None:
        raise unknown("workflow", name, [doc.name for doc in library.pack.all("workflow")])
    if machines := library.machines_of(name):
        said = f"What `{name}` holds is the same for all; each {record.name} lives by one more workflow besides."
        raise UsageFault(f"{said} Say which: {', '.join(machines)}.")
    mapping = log_mapping_for(library, workflow, log, mapping_name)
    events = read_log(mapping, log_fields(library, workflow, record), log)
    found = replay(library, workflow, mapping, events)
    if call.shape == "json":
        print(json.dumps(as_data(found, log, mapping), ensure_ascii=False, indent=1))
    else:
        print_conformance(call, found)
    for said in sentences(found, log, mapping):
        call.say(said)
    return DONE


def log_mapping_for(library: Library, workflow: d.Workflow, log: Path, name: str | None) -> LogMapping:
    """The mapping of that name; without a name the only one for the workflow, or the usual columns where none is."""
    documents = [doc for doc in library.pack.all("mapping") if is_of_log(doc)]
    fitting = [made for made in map(build_log_mapping, documents) if made.workflow == workflow.name]
    chosen = [made for made in fitting if name in (None, made.name)]
    if name is not None and not chosen:
        raise unknown("mapping", name, [made.name for made in fitting], f" of a log to {workflow.name}")
    if len(chosen) > 1:
        names = ", ".join(made.name for made in chosen)
        raise UsageFault(f"Several mappings read logs for {workflow.name}; say --mapping with one of {names}.")
    if chosen:
        return chosen[0]
    return conventional(workflow.name, dict.fromkeys(t.event for t in workflow.transitions), form_of(log))


def lines(found: Conformance) -> Iterator[Line]:
    """What the cases came to: those that conform, those that are unfinished, those that break a rule."""
    ends = sorted(found.ends.items(), key=lambda item: (not found.is_end(item[0]), -item[1].cases, item[0]))
    for states, met in ends:
        yield Line("conforms" if found.is_end(states) else "unfinished", states, "", met)
    for violation, met in violations(found):
        yield Line("violates", violation.states, violation.event, met, f"{violation.activity}: {violation.because}")


def violations(found: Conformance) -> list[tuple[Violation, Met]]:
    return sorted(found.violations.items(), key=lambda item: (-item[1].cases, item[0]))


def print_conformance(call: Call, found: Conformance) -> None:
    sheet = call.sheet(COLUMNS, "lines", right=["cases", "line"], spare=True)
    for line in lines(found):
        sheet.add(line)
    sheet.end()


def sentences(found: Conformance, log: Path, mapping: LogMapping) -> Iterator[str]:
    """What there is to say besides the table."""
    share = f" ({100 * found.conforming // found.cases} %)" if found.cases else ""
    yield (
        f"{log}: {counted(found.events, 'event')} of {counted(found.cases, 'case')}; "
        f"{found.conforming:,} conform to {found.workflow.name}{share}."
    )
    if found.ignored:
        untouched = f", which leaves {counted(found.untouched, 'case')} without any" if found.untouched else ""
        yield f"{counted(found.ignored, 'event')} ignored, as the mapping {mapping.name} says{untouched}."
    for activity, met in sorted(found.unknown.items()):
        yield (
            f"The mapping {mapping.name} does not know the activity `{activity}`: {counted(met.cases, 'event')}, "
            f"the first in line {met.line}."
        )


def as_data(found: Conformance, log: Path, mapping: LogMapping) -> dict[str, Any]:
    return {
        "version": VERSION, "workflow": found.workflow.name, "mapping": None if mapping.by_convention else mapping.name,
        "log": str(log), "events": found.events, "ignored": found.ignored, "cases": found.cases,
        "conforming": found.conforming, "without_events": found.untouched,
        "ends": [
            {"states": list(line.states), "conforms": line.outcome == "conforms", "cases": line.met.cases,
             "first": _first(line.met)}
            for line in lines(found) if line.outcome != "violates"
        ],
        "violations": [
            {"states": list(v.states), "event": v.event or None, "activity": v.activity, "because": v.because,
             "cases": met.cases, "first": _first(met)}
            for v, met in violations(found)
        ],
        "unknown": [
            {"activity": activity, "events": met.cases, "first": _first(met)}
            for activity, met in sorted(found.unknown.items())
        ],
    }  # fmt: skip


def _first(met: Met) -> dict[str, Any]:
    return {"case": met.case, "line": met.line}
