"""`why … --as-test` writes a rule test from what happened: it passes by the rules of its time, and fails by others."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.batch import Clock
from charter.engine.check import check
from charter.engine.commands_audit import long_said
from charter.engine.definitions import Element
from charter.engine.errors import UsageFault
from charter.engine.explanation_keys import find_record
from charter.engine.firings import Request
from charter.engine.store import Store
from charter.engine.trial_texts import as_yaml
from charter.engine.trial_writing import example_of
from charter.engine.trials import Trial, run_tests
from cli_support import Desk

ROOT = catalog.library().root


def store_in(pack: catalog.Pack, scene: str, store: Store) -> Charter:
    """A store with a scene of the pack in it."""
    charter = Charter(store, "ada", Clock("2026-03-10T09:00:00.000000Z"))
    charter.init(pack, "ada", demonstration=True)
    document = pack.find("test", scene)
    assert document is not None
    trial = Trial(charter.store, charter.rules, pack, document)
    with charter.store.transaction() as session:
        trial.given(session, Element(document, (), document.body))
    return charter


def fire(charter: Charter, day: str, actor: str, record: str, event: str, key: str, /, **values: Any) -> None:
    charter.clock = Clock(f"{day}T15:30:00.000000Z")
    rules = charter.rules
    with charter.store.transaction() as session:
        id_ = find_record(session, rules, record, key)
    (root,) = charter.batch(charter.actor(actor)).chunk([Request(record, event, id_, values)])
    assert not root.reasons


@pytest.fixture(scope="module")
def claims(tmp_path_factory: pytest.TempPathFactory) -> Charter:
    """A claim that was submitted, approved and paid, each on a day of its own."""
    store = Store(str(tmp_path_factory.mktemp("claims") / "claims.db"))
    charter = store_in(catalog.load(ROOT / "examples/travel_claims"), "one_claim", store)
    fire(charter, "2026-03-14", "ida", "claim", "submit", "T-1")
    fire(charter, "2026-03-16", "max", "claim", "approve", "T-1")
    fire(charter, "2026-03-20", "kim", "claim", "pay", "T-1")
    return charter


APPROVED = """
when:
  - {fire: approve, record: claim, key: T-1, as: max}
then:
  records:
    - {record: claim, key: T-1, fields: {state: approved, approved_on: 2026-03-16}}
  vouchers:
    - series: claims
      date: 2026-03-16
      currency: EUR
      company: SOUTH
      dimensions: {employee: E1}
      entries:
        - {debit: travel_cost, amount: 480.5}
        - {credit: employee_payable, amount: 480.5}
"""


def test_what_came_of_an_event_is_expected_of_it(claims: Charter) -> None:
    written = example_of(claims, "claim T-1 approved_on")
    assert written.verdict.passed
    assert written.text.endswith(APPROVED)
    # Who submitted it, and when, decides whether `max` may approve; who entered it does not.
    assert "  - {fire: submit, record: claim, key: T-1, as: ida, today: 2026-03-14}\n" in written.text
    assert "  - {create: claim, with: {number: T-1, " in written.text


@pytest.mark.parametrize(
    ("subject", "file", "was", "becomes"),
    [
        ("claim T-1", "rules/posting.yaml", "credit: bank", "credit: travel_cost"),
        ("claim T-1 approved_on", "rules/posting.yaml", "credit: employee_payable", "credit: bank"),
        ("claim T-1 approved_on", "rules/ladder.yaml", "above: 1000", "above: 100"),
        ("T-000001/2", "workflows/claim.yaml", "approved_on: today", "approved_on: returned_on"),
    ],
)
def test_it_passes_within_the_pack_and_fails_where_a_rule_is_another(
    claims: Charter, tmp_path: Path, subject: str, file: str, was: str, becomes: str
) -> None:
    written = example_of(claims, subject)
    folder = tmp_path / "pack"
    shutil.copytree(ROOT / "examples/travel_claims", folder)
    (folder / "tests" / "written.yaml").write_text(written.text, encoding="utf-8")
    pack = catalog.load(folder)
    assert check(pack, folder) == []
    assert [v.told for v in run_tests(pack, written.name)] == [()]
    text = (folder / file).read_text(encoding="utf-8")
    assert was in text
    (folder / file).write_text(text.replace(was, becomes), encoding="utf-8")
    (verdict,) = run_tests(catalog.load(folder), written.name)
    assert not verdict.passed


def test_a_record_without_key_is_told_from_the_others_by_what_it_is_about() -> None:
    """Numbers of records are others in every store, so a test never names them."""
    folder = catalog.library().folder("base")
    assert folder is not None
    charter = store_in(catalog.load(folder), "hours_in_review", Store("sqlite://"))
    fire(charter, "2026-03-31", "ann", "hour_line", "approve", "W1/2026-03-02/1", billable_hours=6)
    fire(charter, "2026-03-31", "ann", "timesheet", "approve", "W1/2026-03-02")
    fire(charter, "2026-04-01", "pat", "transaction", "post", "1")
    written = example_of(charter, "transaction 1")
    assert written.verdict.told == ()
    assert (
        """
when:
  - {fire: post, record: transaction, where: "type == 'cost'", as: pat}
"""
        in written.text
    )


def test_what_no_test_can_show_is_said(claims: Charter) -> None:
    with pytest.raises(UsageFault, match="The pack itself put it into the store"):
        example_of(claims, "account 1200")


def test_the_command_prints_the_test_and_says_that_it_passes(claims: Charter, tmp_path: Path) -> None:
    desk = Desk(tmp_path, str(claims.store.engine.url.database))
    result = desk.run("why", "claim", "T-1", "--as-test")
    assert (result.exit_code, result.stderr) == (0, "pay_claim_t_1 passes by the rules that were in force.\n")
    data = desk.data("-o", "json", "why", "claim", "T-1", "--as-test")
    assert (data["test"], data["yaml"], data["passed"], data["failures"]) == ("pay_claim_t_1", result.stdout, True, [])


def test_texts_stand_in_quotes_only_where_they_must() -> None:
    steps = [{"create": "note", "with": {"text": "A: b, {c}", "plain": "4 m/s", "no": "no"}}]
    assert as_yaml({"test": "t", "given": steps}) == (
        'test: t\ngiven:\n  - {create: note, with: {text: "A: b, {c}", plain: 4 m/s, no: "no"}}\n'
    )


def test_of_a_long_test_it_is_said_how_to_divide_it() -> None:
    assert long_said("given:\n" * 150) == ""
    assert long_said("given:\n" * 151).startswith("151 lines, and a file at most 150: put what is given into a test")
