"""The command `show`: a record with its state, and what may be done with it next and by whom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import func, select

from . import definitions as d
from .commands import Call, record_named
from .commands_chosen import chosen_by_keys
from .commands_records import Line, Listing
from .errors import DONE, UsageFault
from .explanation_keys import find_record
from .next_steps import NextStep, next_step_lines, next_steps
from .notation import counted
from .output import VERSION
from .queries import Joined
from .store import Session


@dataclass(frozen=True, slots=True)
class Detail:
    """One thing about a record."""

    what: str
    name: str
    value: str

    with_what: bool = True

    def rows(self) -> Iterator[Sequence[str]]:
        yield (self.what, self.name, self.value) if self.with_what else (self.name, self.value)

    def data(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Portrait:
    """A record with how many children it has, and what may be done with it next."""

    record: d.Record
    line: Line
    names: tuple[str, ...]
    children: dict[str, int]
    steps: list[NextStep]

    def data(self) -> dict[str, Any]:
        return {"version": VERSION, "record": self.record.name, "key": self.line.key, "fields": self.line.fields,
                "children": self.children, "next": [asdict(step) for step in self.steps]}  # fmt: skip

    def details(self) -> Iterator[Detail]:
        for name, cell in zip(self.names, self.line.cells, strict=True):
            yield Detail("field", name, cell)
        for name, count in self.children.items():
            yield Detail("children", name, counted(count, f"{self.record.children[name].of} record"))
        for step in self.steps:
            yield Detail("next", step.event, step_said(step))


def step_said(step: NextStep) -> str:
    """A step in one line: where it leads, who may, what it needs."""
    who = "; ".join(f"{right.said}: {', '.join(right.people) or 'nobody'}" for right in step.who)
    needs = ", ".join(t.name for t in step.takes if t.needed)
    parts_said = [f"to {step.leads_to or 'nothing'}", who or f"comes with {', '.join(step.fired_by)}"]
    return "; ".join([*parts_said, *([f"needs {needs}"] if needs else [])])


def show_record(call: Call, name: str, key: str) -> int:
    """Print a record: its states and fields, its children, what may be done next and by whom."""
    found = portrait(call, record_named(call.library, name, ledger=True), key)
    if call.shape == "json":
        print(json.dumps(found.data(), ensure_ascii=False, indent=1))
        return DONE
    if call.shape == "table":
        print(f"{name} {found.line.key}\n")
        print_details(call, ["", ""], (replace(d, with_what=False) for d in found.details() if d.what != "next"))
        if call.library.workflows_of(found.record):
            print("\nPossible now")
            print("\n".join("  " + line for line in next_step_lines(found.steps)))
    else:
        print_details(call, ["what", "name", "value"], found.details())
    return DONE


def print_details(call: Call, columns: list[str], details: Iterable[Detail]) -> None:
    sheet = call.sheet(columns, "details")
    for detail in details:
        sheet.add(detail)
    sheet.end()


def portrait(call: Call, record: d.Record, key: str) -> Portrait:
    with call.store.reading() as session:
        id_ = id_of(call, session, record, key)
        listing = Listing(call, session, record)
        listing.only(id_)
        line = next(listing.lines(listing.columns), None)
        if line is None:
            raise UsageFault(f"{record.name} {key} was deleted; see `charter history {record.name} {key}`.")
        children = {n: count_children(session, call.gatherer(session).joined(c.of), c.by, id_)
                    for n, c in record.children.items()}  # fmt: skip
    steps = next_steps(call.charter, record.name, id_, call.actor_if_known)
    return Portrait(record, line, tuple(c.name for c in listing.columns), children, steps)


def id_of(call: Call, session: Session, record: d.Record, key: str) -> int:
    """The id of a record that is or was; what the ledger holds has no events, so the log does not know of it."""
    if call.library.workflows_of(record):
        return find_record(session, call.charter.rules, record.name, key)
    return chosen_by_keys(call, session, record, [key])[0].id


def count_children(session: Session, joined: Joined, by: str, id_: int) -> int:
    statement = select(func.count()).select_from(joined.base).where(joined.column((by,))[0] == id_)
    return int(session.connection.execute(statement).scalar_one())
