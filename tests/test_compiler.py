"""What a transition becomes: readings only where they are needed, values once, names as the rules see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from charter.engine import catalog
from charter.engine import programs as p
from charter.engine.application import rules_of
from charter.engine.batch import Rules
from charter.engine.compiler import compile_transition
from charter.engine.money import unit
from charter.engine.operations import to_scale, to_unit
from support import DEPOT, World, ordered, said


@pytest.fixture(scope="module")
def rules() -> Rules:
    return rules_of(catalog.load(DEPOT))


def program(rules: Rules, record: str, event: str) -> p.Program:
    found = rules.library.record(record)
    assert found is not None
    ((workflow, transition), *_) = rules.library.transitions(found, event)
    return compile_transition(rules.library, found, workflow, transition)


def every_program(rules: Rules) -> Iterator[p.Program]:
    for record in rules.library.records():
        for workflow in rules.library.workflows_of(record):
            for transition in workflow.transitions:
                yield compile_transition(rules.library, record, workflow, transition)


@pytest.mark.parametrize("folder", ["rules", "examples/travel_claims", "examples/northwind", "examples/sip_effort"])
def test_every_transition_of_the_shipped_packs_compiles(folder: str) -> None:
    ready = rules_of(catalog.load(catalog.library().root / folder))
    assert sum(1 for _ in every_program(ready)) > 15


def test_what_rests_on_something_comes_after_it(rules: Rules) -> None:
    """Whatever order names are declared in; so one pass over the values is enough."""
    for made in every_program(rules):
        done: set[int] = set()
        for segment in made.segments:
            indexes = [segment.reading.index] if segment.reading else [
                o.index for o in made.operations if isinstance(o, (p.Let, p.Alias)) and o.index <= segment.upto
                    and (o.late, o.stage) == (segment.late, segment.stage)
            ]  # fmt: skip
            for operation in (made.operations[i - p.FIRST] for i in indexes):
                needed = {int(n) for s in operation.sources for n in re.findall(r"\bv\[(\d+)\]", s)}
                assert {n for n in needed if n >= p.FIRST and n not in done} <= set(indexes), (made.rule, operation)
            done |= set(indexes)


def test_one_reference_is_read_once_for_all_its_fields(rules: Rules) -> None:
    """`depot` and `depot.currency` and the stream are one look-up of the depot."""
    made = program(rules, "order", "send")
    references = [(o.record, o.sources[0]) for o in made.operations if isinstance(o, p.Reference) and not o.late]
    assert len(references) == len(set(references))
    assert [record for record, _ in references].count("depot") == 1


def test_messages_read_nothing_unless_they_are_said(rules: Rules) -> None:
    """The depot's number stands in a message only; it is no reading of a firing that stands."""
    made = program(rules, "line", "create")
    late = {o.record for o in made.operations if isinstance(o, p.Reference) and o.late}
    assert "article" in late
    assert not any(isinstance(o, p.Reference) and o.record == "article" and not o.late for o in made.operations)
    assert not any(o.late for o in made.readings)


def test_a_step_under_a_condition_reads_only_under_it(rules: Rules) -> None:
    made = program(rules, "order", "send")
    accounts = [o for o in made.operations if isinstance(o, p.Decided) and o.table and o.table.name == "account"]
    guarded = [o for o in accounts if not o.always]
    assert guarded
    assert all(o.guard is not None for o in guarded)


def test_a_decision_is_asked_once_for_equal_questions(rules: Rules) -> None:
    """The transition and the posting both use the terms; a step has set nothing that they ask."""
    made = program(rules, "order", "send")
    assert (
        sum(isinstance(o, p.Decided) and o.table is not None and o.table.name == "terms" for o in made.operations) == 1
    )


def test_a_program_says_what_it_takes(rules: Rules) -> None:
    assert [name for name, *_ in program(rules, "order", "create").takes] == [
        "number",
        "depot",
        "ordered_on",
        "taker",
        "note",
    ]
    assert {name for name, _, _, needed in program(rules, "order", "create").takes if needed} == {
        "number",
        "depot",
        "ordered_on",
    }


def test_a_program_says_what_it_may_change(rules: Rules) -> None:
    made = program(rules, "order", "check")
    assert [made.columns[i][0] for i in made.changed] == ["state", "total"]


def test_a_second_workflow_begins_where_it_says(rules: Rules) -> None:
    made = program(rules, "order", "create")
    v: list[Any] = [None] * made.width
    v[p.OWN] = [None] * len(made.columns)
    v[p.GIVEN], v[p.SETTING] = ("1", 1, date(2026, 3, 2), None, None), (date(2026, 3, 31), "", None)
    assert made.new_row(v)[1:3] == ["draft", "waiting"]


@pytest.mark.parametrize(
    ("value", "places", "rounded"),
    [
        ("0.005", 2, "0.01"),
        ("-0.005", 2, "-0.01"),
        ("0.0049", 2, "0.00"),
        ("2.5", 0, "3"),
        ("-2.5", 0, "-3"),
        ("1", 2, "1.00"),
    ],
)
def test_money_is_rounded_half_up(value: str, places: int, rounded: str) -> None:
    assert str(to_unit(Decimal(value), unit(places))) == rounded


def test_none_is_not_rounded() -> None:
    assert to_unit(None, unit(2)) is None
    assert to_scale(None, unit(6)) is None


def test_numbers_keep_six_places() -> None:
    assert to_scale(Decimal(1) / Decimal(3), unit(6)) == Decimal("0.333333")
    assert str(to_scale(Decimal("1.5"), unit(6))) == "1.5"


def test_an_answer_that_fails_to_be_calculated_refuses_only_its_own(depot: World) -> None:
    """A currency that is not declared is a problem of one record, said as one."""
    ordered(depot, "1")
    ordered(depot, "2")
    depot.change("UPDATE depot SET currency = 'XXX' WHERE number = 'S'")
    requests = [depot.creation("order", number="3", depot="S", ordered_on="2026-03-02"),
                depot.creation("line", order="1", number=2, article="A", quantity="1")]  # fmt: skip
    assert [said(r) for r in depot.perform(requests)] == ["", ""]
    wrong = depot.creation("line", order="3", number=1, article="A", quantity="1")
    right = depot.creation("line", order="2", number=2, article="A", quantity="1")
    first, second = depot.perform([wrong, right])
    assert "The currency 'XXX' is not declared; declared are: EUR, JPY." in said(first)
    assert said(second) == ""
