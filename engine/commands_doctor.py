"""The command `doctor`: versions and health, as ok, note, problem or broken, with what to do; what is not set up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .commands import Call, Progress
from .commands_keys import Keys
from .doctor import BROKEN, PROBLEM, Finding, Patient, examine
from .errors import BROKEN as EXIT_BROKEN
from .errors import DONE, REFUSED
from .explanation_rules import at
from .lacking import PEOPLE, TOLD, Lacking, lacking
from .notation import counted

COLUMNS = ("lacks", "says", "records", "such as", "for", "to do")


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
    patient = Patient(call.charter, call.store.address, lambda: call.pack, call.actor_asked)
    findings = list(examine(patient))
    sheet = call.sheet(("about", "verdict", "says", "to do"), "findings")
    for finding in findings:
        sheet.add(Told(finding))
    broken, problems = (sum(f.verdict == v for f in findings) for v in (BROKEN, PROBLEM))
    sheet.end(sound=not broken, problems=problems)
    call.say(f"{counted(len(findings), 'finding')}, {counted(problems, 'problem')}{', BROKEN' if broken else ''}.")
    return EXIT_BROKEN if broken else DONE


# --- what is not set up ---


@dataclass(frozen=True, slots=True)
class Wanting:
    """Something that is lacking, as it is printed."""

    found: Lacking
    key: str

    @property
    def to_do(self) -> str:
        lack = self.found.lack
        if lack.kind in TOLD:
            return ""
        if lack.kind == PEOPLE:
            return "grant a role, or name somebody"
        return f"add a {lack.where}" if lack.where else f"change {at(self.found.place)}"

    def rows(self) -> Iterator[Sequence[str]]:
        f = self.found
        counts = ", ".join(f"{len(ids):,} {record}" for record, ids in sorted(f.records.items()))
        such_as, events = f"{f.example[0]} {self.key}", ", ".join(sorted(f.events))
        yield f"{f.lack.kind} {f.lack.name}", f.says, counts, such_as, events, self.to_do

    def data(self) -> dict[str, Any]:
        f = self.found
        return {
            "lacks": f.lack.kind, "name": f.lack.name, "says": f.says, "place": at(f.place),
            "records": {record: len(ids) for record, ids in sorted(f.records.items())},
            "example": {"record": f.example[0], "key": self.key}, "events": sorted(f.events), "to_do": self.to_do,
        }  # fmt: skip


def print_setup(call: Call) -> int:
    """Print what records that are on their way will lack, and what is only told."""
    keys, progress = Keys(call.library), Progress()
    with call.store.reading() as session:
        found = lacking(call.charter, session, progress.at)
        progress.wipe()
        keys.learn(call.gatherer(session), (f.example for f in found))
    sheet = call.sheet(COLUMNS, "lacking")
    for each in found:
        sheet.add(Wanting(each, keys.of(*each.example)))
    refusing = [f for f in found if f.lack.kind not in TOLD]
    sheet.end(sound=not refusing)
    call.say(
        f"{counted(len(refusing), 'thing')} lacking." if refusing else "Nothing is lacking for what is on its way."
    )
    return REFUSED if refusing else DONE
