"""A rule test that fails says which figures are otherwise, what wrote them, and which decision gave them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from charter.engine.catalog import library, load
from charter.engine.trial_differences import Difference, Entry, told, unlike
from charter.engine.trials import Verdict, run_tests

NOBODY = ("", "")


def entry(key: str, amount: str, **dimensions: str) -> Entry:
    return Entry(key, Decimal(amount), dimensions)


COST, ALLOCATED = entry("cost", "100", project="A"), entry("allocated", "-100", project="A")


@pytest.mark.parametrize(
    ("expected", "found", "said"),
    [
        ([COST, ALLOCATED], [ALLOCATED, COST], []),
        ([entry("cost", "100")], [COST], []),
        ([entry("cost", "90.5"), ALLOCATED], [ALLOCATED, COST],
         ["debit cost: differs: expected 90.50, found 100.00, difference 9.50"]),
        ([COST, entry("allocated", "-1100", project="A")], [COST, ALLOCATED],
         ["credit allocated (project A): differs: expected 1,100.00, found 100.00, difference -1,000.00"]),
        ([COST], [entry("cost", "100", project="B")],
         ["debit cost (project A), found for project B: differs: expected 100.00, found 100.00, difference 0.00"]),
        ([COST, entry("cost", "7")], [COST], ["debit cost: missing: expected 7.00, found none, difference -7.00"]),
        ([COST], [COST, ALLOCATED],
         ["credit allocated (project A): too many: expected none, found 100.00, difference 100.00"]),
        ([entry("cost", "1"), entry("cost", "2")], [entry("cost", "2"), entry("cost", "3")],
         ["debit cost: differs: expected 1.00, found 3.00, difference 2.00"]),
    ],
)  # fmt: skip
def test_entries_are_told_apart(expected: list[Entry], found: list[Entry], said: list[str]) -> None:
    """What is alike is no difference, in whatever order; dimensions count as far as a test names them."""
    assert [told(pair, NOBODY, ()).said for pair in unlike(expected, found)] == said


@pytest.fixture(scope="module")
def failed() -> Verdict:
    """A test of the base pack that expects another cost, another project and one entry more."""
    pack = load(library().root / "rules")
    document = pack.find("test", "hours_to_profit_and_loss")
    assert document is not None
    (voucher,) = document.body["then"]["vouchers"]
    voucher["dimensions"] = {"project": "P-1"}
    voucher["entries"] = [{"debit": "cost", "amount": "1100"}, {"debit": "payroll_allocation", "amount": "7"}]
    document.body["then"]["records"][0]["fields"] = {"amount": "1100"}
    (verdict,) = run_tests(pack, "hours_to_profit_and_loss")
    return verdict


def figure(verdict: Verdict, about: str) -> Difference:
    return next(d for d in verdict.differences if d.about.startswith(about))


def test_a_figure_names_the_row_that_wrote_it_and_the_decision_that_gave_it(failed: Verdict) -> None:
    cost = figure(failed, "debit cost (project P-1), found for project P-2")
    assert (cost.expected, cost.found, cost.difference) == (1100, 1000, -100)
    assert cost.written_by == "transaction_cost/hours_to_profit_and_loss"
    assert cost.place.startswith("rules/accounting/transaction_cost.yaml:")
    price = next(o for o in cost.origins if o.decision == "cost_price")
    assert (price.row, price.answers) == ("hour_cost all", "cost 100")
    assert price.place.startswith("rules/tests/scene.yaml:")


def test_a_field_names_the_event_that_set_it(failed: Verdict) -> None:
    amount = figure(failed, "transaction")
    assert (amount.expected, amount.found) == (1100, 1000)
    assert amount.written_by.startswith("transaction/register")
    assert [o.decision for o in amount.origins] == ["cost_price"]


def test_what_is_on_the_other_side_differs_by_both(failed: Verdict) -> None:
    other = figure(failed, "debit payroll_allocation")
    assert (other.expected, other.found, other.difference) == (7, -1000, -1007)


def test_a_statement_that_shows_other_figures_fails() -> None:
    pack = load(library().root / "rules")
    document = pack.find("test", "cost_of_hours_in_the_trial_balance")
    assert document is not None
    (expected,) = document.body["then"]["statements"]
    expected |= {"lines": {"5000": {"closing": "801", "debt": "1"}, "1200": {"closing": "0"}}, "totals": {"debit": "1"}}
    (verdict,) = run_tests(pack, "cost_of_hours_in_the_trial_balance")
    assert [failure.partition(": ")[2] for failure in verdict.failures] == [
        "trial_balance, line 5000: closing is 800, expected 801.",
        "trial_balance, line 5000 is not shown, or has no debt.",
        "trial_balance, line 1200 is not shown, or has no closing.",
        "trial_balance, totals: debit is 800, expected 1.",
    ]
    assert [(d.about, d.difference) for d in verdict.differences] == [
        ("trial_balance, line 5000: closing", -1), ("trial_balance, totals: debit", 799),
    ]  # fmt: skip


def test_a_refusal_that_nobody_expected_is_told_with_what_it_left_undone() -> None:
    """Records that were not made cannot be found; that alone would not say why."""
    pack = load(library().root / "rules")
    document = pack.find("test", "invoice_is_credited_twice")
    assert document is not None
    there, missing = ({"record": "invoice", "key": key, "fields": {"state": "posted"}} for key in ("K-1/1", "K-1/2"))
    document.body["then"] = {"records": [missing, there]}
    (verdict,) = run_tests(pack, "invoice_is_credited_twice")
    refused, not_found, otherwise = verdict.failures
    assert refused.startswith("refused: ")
    assert "cannot `credit`" in refused
    assert not_found.endswith("there is no invoice `K-1/2`.")
    assert otherwise.endswith("state is credited, expected posted.")
