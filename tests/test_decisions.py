"""Decision tables by themselves: which row answers, on which day, and what is said where none or two do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from charter.engine import definitions as d
from charter.engine.application import Charter
from charter.engine.decisions import Answer, Table, build_table, decide, row_of_record
from charter.engine.errors import Place
from charter.engine.model import NUMBER, Type
from charter.engine.verification import verify
from support import World, clock, ordered

GRADE = Type("choice", choices=("new", "known", "loyal"))


@dataclass
class Written:
    """A decision as a pack would write it."""

    body: Mapping[str, Any]
    kind: str = "decision"
    name: str = "terms"
    places: Mapping[Any, Any] = field(default_factory=dict)

    def place(self, path: tuple[str | int, ...] = ()) -> Place:
        return Place("terms.yaml", 1, 1)


def table(hit: str, rows: list[dict[str, Any]], **more: Any) -> Table:
    body = {
        "inputs": {"grade": "grade", "amount": "amount"},
        "outputs": {"rate": {"type": "number"}},
        "hit": hit,
        "rows": rows,
        **more,
    }
    decision = d.build_decision(Written(body))
    return build_table(decision, [GRADE, NUMBER], [f.type for f in decision.outputs.values()])


def row(name: str, rate: str, when: dict[str, Any] | None = None, **more: str) -> dict[str, Any]:
    return {"name": name, "when": when or {}, "then": {"rate": rate}, **more}


def ask(t: Table, grade: str | None = None, amount: str | None = None, on: date | None = None) -> Answer:
    return decide(t, (grade, None if amount is None else Decimal(amount)), on, t.rows)


def named(answer: Answer) -> list[str]:
    return [said.split(" (")[0] for said in answer.rows]


def test_the_first_row_that_matches_answers() -> None:
    t = table(
        "first",
        [row("loyal", "1", {"grade": "loyal"}), row("large", "2", {"amount": {"above": "100"}}), row("all", "3")],
    )
    assert ask(t, "loyal", "500").outputs == (Decimal(1),)
    assert ask(t, "new", "100.01").outputs == (Decimal(2),)
    assert ask(t, "new", "100").outputs == (Decimal(3),)
    assert named(ask(t, "new", "100")) == ["all"]


def test_no_row_and_nothing_otherwise_is_no_answer() -> None:
    t = table("first", [row("loyal", "1", {"grade": "loyal"})])
    assert ask(t, "new") == Answer(None)


def test_what_holds_otherwise() -> None:
    t = table("first", [row("loyal", "1", {"grade": "loyal"})], otherwise={"rate": "9"})
    assert ask(t, "new") == Answer((Decimal(9),), ("otherwise",))


def test_of_rows_that_may_be_one_two_are_a_problem() -> None:
    t = table("unique", [row("a", "1", {"grade": ["new", "known"]}), row("b", "2", {"grade": ["known", "loyal"]})])
    assert ask(t, "new").outputs == (Decimal(1),)
    two = ask(t, "known")
    assert two.outputs is None
    assert two.problem.startswith("two rows match: a (")


def test_all_rows_are_collected_in_their_order() -> None:
    t = table("collect", [row("second", "2"), row("none", "9", {"grade": "new"}), row("first", "1")], order="rate")
    answer = ask(t, "loyal")
    assert answer.outputs == ((Decimal(1),), (Decimal(2),))
    assert named(answer) == ["first", "second"]
    assert ask(table("collect", [row("none", "9", {"grade": "new"})], order="rate"), "loyal").outputs == ()


SPECIFIC = [
    row("both", "1", {"grade": "loyal", "amount": "5"}),
    row("grade", "2", {"grade": "loyal"}),
    row("amount", "3", {"amount": "5"}),
    row("any", "4"),
]


@pytest.mark.parametrize(
    ("grade", "amount", "hit", "keys"),
    [
        ("loyal", "5", "both", ("grade", "amount")),
        ("loyal", "6", "grade", ("grade",)),
        ("new", "5", "amount", ("amount",)),
        ("new", "6", "any", ()),
        (None, None, "any", ()),
    ],
)
def test_the_most_specific_key_set_answers(
    grade: str | None, amount: str | None, hit: str, keys: tuple[str, ...]
) -> None:
    """Whatever the order of the rows."""
    search = [["grade", "amount"], ["grade"], ["amount"], []]
    for rows in (SPECIFIC, SPECIFIC[::-1]):
        answer = ask(table("most_specific", rows, search=search), grade, amount)
        assert (named(answer), answer.key_set) == ([hit], keys)


def test_the_order_of_the_search_may_be_chosen() -> None:
    search = {"chosen_by": "grade", "new": [["amount"], []], "known": [[], ["amount"]], "loyal": [[]]}
    t = table("most_specific", [row("five", "1", {"amount": "5"}), row("any", "2")], search=search)
    assert [named(ask(t, grade, "5")) for grade in ("new", "known", "loyal")] == [["five"], ["any"], ["any"]]


def test_two_rows_of_one_key_set_are_a_problem() -> None:
    t = table("most_specific", [row("a", "1", {"grade": "new"}), row("b", "2", {"grade": "new"})], search=[["grade"]])
    assert "two rows match" in ask(t, "new").problem


def test_a_row_holds_on_its_first_and_on_its_last_day() -> None:
    t = table("first", [row("march", "1", **{"from": "2026-03-01", "until": "2026-03-31"}), row("else", "2")])
    days = {"2026-02-28": "else", "2026-03-01": "march", "2026-03-31": "march", "2026-04-01": "else"}
    assert {day: named(ask(t, on=date.fromisoformat(day)))[0] for day in days} == days


def test_an_answer_may_be_none() -> None:
    t = table("first", [row("nothing", "none")])
    assert ask(t) == Answer((None,), t.rows and (t.rows[0].said,))


def test_a_record_is_a_row_whose_empty_inputs_mean_any() -> None:
    t = table("most_specific", [], search=[["grade", "amount"], ["grade"], []])
    rows = [
        row_of_record(t, "price 1", {"grade": "loyal", "amount": Decimal(5), "rate": Decimal(1)}),
        row_of_record(t, "price 2", {"grade": "loyal", "amount": None, "rate": Decimal(2), "until": date(2026, 3, 31)}),
        row_of_record(t, "price 3", {"rate": Decimal(3)}),
    ]
    on = date(2026, 3, 31)
    assert decide(t, ("loyal", Decimal(5)), on, rows).rows == ("price 1",)
    assert decide(t, ("loyal", Decimal(6)), on, rows).rows == ("price 2",)
    assert decide(t, ("loyal", Decimal(6)), date(2026, 4, 1), rows).rows == ("price 3",)
    assert decide(t, ("new", None), on, rows).outputs == (Decimal(3),)


def test_an_empty_value_meets_no_cell_but_empty() -> None:
    t = table("first", [row("value", "1", {"grade": ["new", "known", "loyal"]}), row("bound", "2", {"amount": {"at_most": "5"}}),
                        row("empty", "3", {"grade": {"empty": "true"}})])  # fmt: skip
    assert named(ask(t)) == ["empty"]


def test_the_searched_inputs_are_those_of_all_orders() -> None:
    search = {"chosen_by": "grade", "new": [["amount"]], "known": [["grade"]]}
    assert table("most_specific", [], search=search).searched == {"grade", "amount"}
    assert table("first", []).searched == frozenset()


def test_an_answer_may_be_the_record_that_is_the_row(everywhere: World) -> None:
    """What it says follows along its reference; the decision is taken again from the log like any other."""
    ordered(everywhere, lines=[("A", "2")])
    everywhere.create("tariff", depot="N", article="A", price="7", **{"from": "2026-03-01"})
    everywhere.must("line", "reprice", everywhere.id("line", "1/1"))
    assert everywhere.field("line", "1/1", "price", "amount") == (Decimal(7), Decimal(14))
    assert verify(Charter(everywhere.store, "test", clock()), reperform=True).problems == []
