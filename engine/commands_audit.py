"""The commands that look back: `why`, `history` and `verify`. They read only."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .commands import Call
from .commands_events import Wishes, asked_for
from .errors import BROKEN, DONE, REFUSED
from .explanation_data import Event, as_data
from .explanation_lines import as_lines, brief_lines, said_besides
from .explanations import history, why
from .notation import counted
from .verification import verify
from .why_not import why_not, why_not_lines


@dataclass(frozen=True, slots=True)
class Past:
    """One event of a record's life, as a row."""

    event: Event

    def rows(self) -> Iterator[Sequence[str]]:
        e = self.event
        changed = [f"{c.field}: {c.before or 'none'} -> {c.after or 'none'}" for c in e.changes]
        changes = "; ".join([*changed, *(f"{name}: {value}" for name, value in said_besides(e))])
        yield (
            e.at, e.event, e.from_state or "", e.to_state or "", e.actor, e.login, e.acting_for or "",
            e.caused_by or e.right, e.rule, e.place, ", ".join(e.vouchers), changes, e.imported or "",
        )  # fmt: skip

    def data(self) -> dict[str, Any]:
        return as_data(self.event)


HISTORY = (
    "at", "event", "from", "to", "actor", "login", "for", "by right of", "rule", "place", "vouchers",
    "changes", "source",
)  # fmt: skip


def print_why(call: Call, subject: Sequence[str]) -> int:
    """Print why a figure or a record is as it is."""
    explanation = why(call.charter, " ".join(subject))
    if call.shape == "json":
        print_json(as_data(explanation))
    else:
        print("\n".join(as_lines(explanation)))
    return DONE


def print_example(call: Call, subject: Sequence[str]) -> int:
    """Print a rule test of the event that made a figure or a record what it is, and say what came of it."""
    from .trial_writing import example_of

    example = example_of(call.charter, " ".join(subject))
    verdict = example.verdict
    if call.shape == "json":
        print_json({"version": 1, "test": example.name, "yaml": example.text, "passed": verdict.passed,
                    "failures": list(verdict.told)})  # fmt: skip
    else:
        print(example.text, end="")
    if wide := long_said(example.text):
        call.say(f"{example.name} has {wide}")
    if verdict.passed:
        call.say(f"{example.name} passes by the rules that were in force.")
        return DONE
    call.say(f"{example.name} does not pass, though it is what happened:\n" + "\n".join(verdict.told))
    return REFUSED


def long_said(text: str) -> str:
    """How long a test is, and what to do about it, where it is longer than a file may be."""
    from .schemas import MOST_LINES

    lines = text.count("\n")
    if lines <= MOST_LINES:
        return ""
    return (
        f"{lines} lines, and a file at most {MOST_LINES}: put what is given into a test without `when` in a "
        "file of its own, or several, and begin with `given: [{as_in: NAME}]`; or ask for an event that rests on less."
    )


def print_why_not(call: Call, name: str, key: str, event: str, wishes: Wishes) -> int:
    """Print what stands against an event, or what it would do. To ask is no refusal: the exit code is 0."""
    _, _, values, accepted = asked_for(call, name, event, wishes)
    answer = why_not(call.charter, name, key, event, call.actor, values, accepted)
    if call.shape == "json":
        print_json({**as_data(answer), "possible": answer.is_possible})
    else:
        print("\n".join(why_not_lines(answer)))
    return DONE


def print_history(call: Call, record: str, key: str) -> int:
    """Print every event of a record."""
    events = history(call.charter, record, key)
    if call.shape == "json":
        print_json(as_data(events))
    elif call.shape == "table":
        print("\n\n".join("\n".join(brief_lines(event)) for event in events))
    else:
        sheet = call.sheet(HISTORY, "events")
        for event in events:
            sheet.add(Past(event))
        sheet.end()
    return DONE


def print_verification(call: Call, head: str | None, reperform: bool) -> int:
    """Prove that the store is what its log says; print what is not, and the head to keep."""
    found = verify(call.charter, head, reperform)
    if call.shape == "json":
        print_json({"version": 1, "sound": found.is_sound, "problems": found.problems, "notes": found.notes,
                    "counts": found.counts, "head": found.head})  # fmt: skip
    else:
        for problem in found.problems:
            print(problem)
        print(f"head {found.head}")
    for note in found.notes:
        call.say(f"note: {note}")
    looked = ", ".join(f"{count:,} {what}" for what, count in found.counts.items())
    said = "everything is as the log says" if found.is_sound else f"BROKEN: {counted(len(found.problems), 'problem')}"
    call.say(f"{looked}: {said}.")
    return DONE if found.is_sound else BROKEN


def print_json(data: dict[str, Any]) -> None:
    print(json.dumps(data, ensure_ascii=False, indent=1))
