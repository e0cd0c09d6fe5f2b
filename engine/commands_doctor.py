"""The command `doctor`: versions and health, each as ok, note, problem or broken, with what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .commands import Call
from .doctor import BROKEN, PROBLEM, Finding, Patient, examine
from .errors import BROKEN as EXIT_BROKEN
from .errors import DONE
from .notation import counted


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as it is printed."""

    finding: Finding

    def rows(self) -> Iterator[Sequence[str]]:
        f = self.finding
        yield f.about, f.verdict, f.says, f.to_do

    def data(self) -> dict[str, Any]:
        return asdict(self.finding)


def print_health(call: Call) -> int:
    """Print what was found; only where integrity is broken that is more than a word of advice."""
    patient = Patient(call.charter, call.store_said, lambda: call.pack, call.actor_asked)
    findings = list(examine(patient))
    sheet = call.sheet(("about", "verdict", "says", "to do"), "findings")
    for finding in findings:
        sheet.add(Told(finding))
    broken, problems = (sum(f.verdict == v for f in findings) for v in (BROKEN, PROBLEM))
    sheet.end(sound=not broken, problems=problems)
    call.say(f"{counted(len(findings), 'finding')}, {counted(problems, 'problem')}{', BROKEN' if broken else ''}.")
    return EXIT_BROKEN if broken else DONE
