"""What a pack offers to be tested: transitions, guards, rows of decisions and of postings, each with its place. No I/O.

A target is known by its key: the measure it counts in, and what tells it apart there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import definitions as d
from .catalog import BOTTOM
from .errors import Place
from .library import Library
from .scopes import level_type, limit_names

TRANSITIONS, GUARDS, DECISIONS, POSTINGS = "transitions", "guard_outcomes", "decision_rows", "posting_rows"
MEASURES = (TRANSITIONS, GUARDS, DECISIONS, POSTINGS)
NO_ORDER = ""
FITS = "allow"
SEEN = {FITS: "hold a claim that fits", "warn": "warn", "refuse": "refuse"}

Key: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True)
class Target:
    """Something of a rule that a test can reach; `lacks` says what no test has done where none reached it."""

    key: Key
    rule: str
    place: Place
    lacks: str

    @property
    def measure(self) -> str:
        return str(self.key[0])


def targets(library: Library) -> Iterator[Target]:
    """All that the rules of a pack offer."""
    for document in library.pack.all("workflow"):
        # What every pack stands on is ours to test, not theirs.
        if document.pack != BOTTOM and (workflow := library.workflow(document.name)):
            yield from _of_workflow(workflow)
    for document in library.pack.all("decision"):
        if decision := library.decision(document.name):
            yield from _of_decision(library, decision)
    for document in library.pack.all("limit"):
        if limit := library.limit(document.name):
            yield from _of_limit(library, limit)
    for document in library.pack.all("posting"):
        if posting := library.posting(document.name):
            yield from _of_posting(posting)


# --- workflows and their guards --------------------------------------------------------------------------------------


def _of_workflow(workflow: d.Workflow) -> Iterator[Target]:
    for t in workflow.transitions:
        rule = f"{workflow.name}/{t.name}"
        yield Target(performed(workflow, t), rule, t.place, "is never performed")
        if t.cells:
            yield from _guard(rule, t.cells[0].place, "its `when`")
        for required in (*t.requirements, *t.warnings):
            yield from _guard(rule, required.place, f"`{required.name or required.that.text}`")
        for find in t.finds:
            if not find.none_allowed:
                yield from _guard(rule, find.place, f"the find `{find.name}`")
        for step in t.steps:
            if step.cells:
                yield from _guard(rule, step.place, f"the `when` of its step {step.name or step.verb}")
    for rule_of_people in workflow.people:
        yield from _guard(workflow.name, rule_of_people.place, "that people are different")


def performed(workflow: d.Workflow, transition: d.Transition) -> Key:
    """The key of a transition."""
    return TRANSITIONS, workflow.name, transition.name


def guard(place: Place, held: bool) -> Key:
    """The key of one outcome of a guard, which is known by where it stands."""
    return GUARDS, place, held


def _guard(rule: str, place: Place, said: str) -> Iterator[Target]:
    for held in (True, False):
        yield Target(guard(place, held), rule, place, f"{said} is never seen {str(held).lower()}")


def _of_limit(library: Library, limit: d.Limit) -> Iterator[Target]:
    """What may become of a claim: it fits, or is answered as its level says, as far as that may be."""
    record = library.record(limit.of)
    names = limit_names(library, record, limit) if record else None
    possible = level_type(limit, names).choices if names else ()
    for answer in (FITS, *(level for level in possible or d.LEVELS if level != "allow")):
        yield Target(claimed(limit, answer), limit.name, limit.place, f"it is never seen to {SEEN[answer]}")
    if limit.warn_from and possible and "warn" not in possible:
        yield Target(claimed(limit, "warn"), limit.name, limit.place, f"it is never seen to {SEEN['warn']}")


def claimed(limit: d.Limit, answer: str) -> Key:
    """The key of what became of claims: that they fit, or that it warned or refused."""
    return GUARDS, limit.place, answer


# --- rows ------------------------------------------------------------------------------------------------------------


def _of_decision(library: Library, decision: d.Decision) -> Iterator[Target]:
    """Its rows; where these are records, which a pack does not know, the key sets by which it searches them."""
    for row in decision.rows:
        yield Target(answered(decision, row_said(row)), decision.name, row.place, f"the row {row.name} never answers")
    if decision.rows_of and not decision.searches:
        lacks = f"no record of {decision.rows_of} ever answers"
        yield Target(found_by(decision, NO_ORDER, ()), decision.name, decision.place, lacks)
    if decision.rows_of:
        for order, keys, place in _searched(library, decision):
            lacks = f"the key set [{', '.join(keys)}]{f' of {order}' if order else ''} never finds a row"
            yield Target(found_by(decision, order, keys), decision.name, place, lacks)
    if decision.otherwise is not None:
        yield Target(answered(decision, "otherwise"), decision.name, decision.place, "`otherwise` never answers")


def row_said(row: d.Row) -> str:
    """A row as an answer names it."""
    return f"{row.name} ({row.place})"


def answered(decision: d.Decision, row: str) -> Key:
    """The key of a row in place, as answers name it, or of `otherwise`."""
    return DECISIONS, decision.name, row


def found_by(decision: d.Decision, order: str, keys: tuple[str, ...]) -> Key:
    """The key of a key set in one order of the search."""
    return DECISIONS, decision.name, order, keys


def _searched(library: Library, decision: d.Decision) -> Iterator[tuple[str, tuple[str, ...], Place]]:
    document = library.pack.find("decision", decision.name)
    search = d.Element(document, (), document.body).at("search")
    for order, sets in decision.searches.items():
        stands = search.at(order) if order else search
        for index, keys in enumerate(sets):
            yield order, keys, stands.at(index).place


def _of_posting(posting: d.Posting) -> Iterator[Target]:
    for row in posting.rows:
        rule = f"{posting.name}/{row.name}"
        if row.entries:
            yield Target(written(rule), rule, row.place, "is never written")
        for required in row.requirements:
            yield from _guard(rule, required.place, f"`{required.name or required.that.text}`")
    if posting.refusal:
        yield from _guard(posting.name, posting.place, "that some row applies")


def written(rule: str) -> Key:
    """The key of a row of a posting, `posting/row`."""
    return POSTINGS, rule
