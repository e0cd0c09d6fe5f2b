"""Two real event logs of travel declarations: read as their publisher counts them, and held against the travel claims.

How many cases conform was settled after ten violations of each log had been read event by event.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charter.engine import event_logs
from charter.engine.catalog import library, load
from charter.engine.conformance import Conformance, replay
from charter.engine.event_logs import LogEvent, read_log
from charter.engine.library import Library
from charter.engine.log_mappings import LogMapping, build_log_mapping
from charter.engine.reader_files import RawRow
from support import real_data

RULES = Library(load(library().root / "examples" / "travel_claims"))


def mapping(name: str) -> LogMapping:
    return build_log_mapping(RULES.pack.find("mapping", name))


@dataclass
class Counts:
    """What the README of the logs counts, taken from the raw rows."""

    variants: dict[str, list[str]] = field(default_factory=dict)
    amounts: dict[str, Decimal] = field(default_factory=dict)
    activities: Counter[str] = field(default_factory=Counter)
    lines: list[int] = field(default_factory=list)

    def of(self, rows: Iterator[RawRow]) -> Iterator[RawRow]:
        for row in rows:
            case, activity = row.values["case:concept:name"] or "", row.values["concept:name"] or ""
            self.variants.setdefault(case, []).append(activity)
            self.amounts[case] = Decimal(row.values["(case)_Amount"] or "")
            self.activities[activity] += 1
            self.lines.append(row.line)
            yield row

    @property
    def first(self) -> Counter[str]:
        return Counter(steps[0] for steps in self.variants.values())

    @property
    def last(self) -> Counter[str]:
        return Counter(steps[-1] for steps in self.variants.values())

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Cases, events, variants, activities."""
        variants = set(map(tuple, self.variants.values()))
        return len(self.variants), self.activities.total(), len(variants), len(self.activities)


@dataclass
class Log:
    """A log read once: what was counted meanwhile, and its events as the declarations' mapping has them."""

    counts: Counts
    events: list[LogEvent]

    def held_against(self, name: str) -> Conformance:
        by = mapping(name)
        flow = RULES.workflow(by.workflow)
        assert flow is not None
        return replay(RULES, flow, by, (replace(e, meant=by.activities.get(e.activity)) for e in self.events))


def read(file: str) -> Log:
    path = real_data("bpic2020-travel-approvals") / file
    counts, rows = Counts(), event_logs.read_rows

    def counted(path: Path, *form: Any) -> Iterator[RawRow]:
        return counts.of(rows(path, *form))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_logs, "read_rows", counted)
        return Log(counts, list(read_log(mapping("declarations"), {}, path)))


@pytest.fixture(scope="module")
def domestic() -> Log:
    return read("DomesticDeclarations.xes.gz")


@pytest.fixture(scope="module")
def international() -> Log:
    return read("InternationalDeclarations.xes.gz")


def told(found: Conformance) -> dict[tuple[str, str], int]:
    """How many cases first break a rule, by state and activity."""
    return {(" or ".join(v.states), v.activity): met.cases for v, met in found.violations.items()}


def ends(found: Conformance) -> dict[str, int]:
    return {" or ".join(states): met.cases for states, met in found.ends.items()}


def test_the_domestic_log_is_read_as_its_publisher_counts_it(domestic: Log) -> None:
    counts = domestic.counts
    assert counts.sizes == (10_357, 55_628, 90, 14)
    assert counts.first == {"Declaration SUBMITTED by EMPLOYEE": 10_222, "Declaration SAVED by EMPLOYEE": 135}
    assert counts.last == {
        "Payment Handled": 9_911,
        "Declaration REJECTED by EMPLOYEE": 284,
        "Declaration SAVED by EMPLOYEE": 134,
        "Declaration REJECTED by MISSING": 28,
    }
    by_activity = {
        "Declaration SUBMITTED by EMPLOYEE": 11_371,
        "Declaration FINAL_APPROVED by SUPERVISOR": 9_999,
        "Request Payment": 9_914,
        "Payment Handled": 9_912,
        "Declaration APPROVED by ADMINISTRATION": 8_061,
        "Declaration APPROVED by BUDGET OWNER": 2_747,
        "Declaration REJECTED by ADMINISTRATION": 936,
        "Declaration SAVED by EMPLOYEE": 135,
    }
    assert {name: counts.activities[name] for name in by_activity} == by_activity
    assert Counter(map(tuple, counts.variants.values())).most_common(1)[0][1] == 4_566
    assert round(sum(counts.amounts.values()), 2) == Decimal("894867.61")
    assert list(counts.amounts.values()).count(Decimal(0)) == 440
    assert counts.lines == sorted(counts.lines)


def test_the_international_log_is_read_as_its_publisher_counts_it(international: Log) -> None:
    counts = international.counts
    assert counts.sizes == (6_323, 70_727, 727, 33)
    assert (counts.last["Payment Handled"], counts.last["End trip"]) == (5_569, 559)
    assert round(sum(counts.amounts.values()), 2) == Decimal("4879943.63")
    assert list(counts.amounts.values()).count(Decimal(0)) == 258


def test_how_domestic_declarations_conform(domestic: Log) -> None:
    """The rest was rejected when it had been approved, came again without being taken back, or was paid unapproved."""
    found = domestic.held_against("declarations")
    assert (found.cases, found.conforming, found.ignored, found.unknown) == (10_357, 10_253, 0, {})
    assert ends(found) == {"paid": 9_842, "taken_back": 277, "saved": 134}
    assert told(found) == {
        ("approved", "Declaration REJECTED by MISSING"): 82,
        ("requested", "Declaration REJECTED by MISSING"): 3,
        ("rejected", "Declaration SUBMITTED by EMPLOYEE"): 17,
        ("rejected", "Request Payment"): 1,
        ("saved", "Request Payment"): 1,
    }


def test_how_international_declarations_conform(international: Log) -> None:
    """Two were approved by the director before the supervisor had agreed."""
    found = international.held_against("declarations")
    assert (found.cases, found.conforming, found.ignored, found.unknown) == (6_323, 6_201, 33_167, {})
    assert ends(found) == {"paid": 5_976, "taken_back": 154, "saved": 71}
    assert told(found) == {
        ("approved", "Declaration REJECTED by MISSING"): 95,
        ("rejected", "Declaration SUBMITTED by EMPLOYEE"): 24,
        ("checked", "Declaration FINAL_APPROVED by DIRECTOR"): 2,
        ("taken_back", "Declaration SAVED by EMPLOYEE"): 1,
    }


def test_how_permits_conform(international: Log) -> None:
    """Journeys began before the permit was there; 446 of those without one belong to a number that is no permit."""
    found = international.held_against("permits")
    assert (found.cases, found.conforming, found.ignored, found.unknown) == (6_323, 4_755, 37_560, {})
    assert ends(found) == {"returned": 4_755}
    assert told(found) == {
        ("nothing", "Start trip"): 1_118,
        ("submitted", "Start trip"): 15,
        ("checked", "Start trip"): 268,
        ("in_budget", "Start trip"): 97,
        ("supported", "Start trip"): 24,
        ("rejected", "Start trip"): 4,
        ("taken_back", "Start trip"): 6,
        ("approved", "Permit REJECTED by MISSING"): 13,
        ("under_way", "Permit REJECTED by MISSING"): 1,
        ("returned", "Permit REJECTED by MISSING"): 18,
        ("in_budget", "Permit FINAL_APPROVED by DIRECTOR"): 2,
        ("checked", "Permit FINAL_APPROVED by DIRECTOR"): 1,
        ("approved", "Permit APPROVED by PRE_APPROVER"): 1,
    }
