"""The packs that come with us keep every promise that their own tests make."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from charter.engine.catalog import library, load
from charter.engine.check import check
from charter.engine.coverage import Coverage
from charter.engine.coverage_targets import DECISIONS, POSTINGS
from charter.engine.library import Library
from charter.engine.pack_data import Pack
from charter.engine.source import Document
from charter.engine.trials import run_tests

ROOT = library().root
# Of these only what they say themselves is tested here: what they take from the base pack is tested with that one.
OVER_BASE = ("northwind", "sip_effort")
PACKS = [ROOT / "rules", *sorted(path.parent for path in (ROOT / "examples").glob("*/pack.yaml"))]


@pytest.mark.parametrize("folder", PACKS, ids=lambda folder: folder.name)
def test_every_rule_test_passes_and_together_they_reach_every_row(folder: Path) -> None:
    """Whoever adds a row of a decision or of a posting adds a test that comes to it."""
    pack = load(folder)
    own = written_by(pack) if pack.name in OVER_BASE else None
    if own is not None:
        pack = replace(pack, documents=tuple(d for d in pack.documents if is_scene_or_rule(d) or d.place().file in own))
    coverage = Coverage(Library(pack))
    verdicts = list(run_tests(pack, coverage=coverage))
    failed = [f"{v.name} ({v.place}): {'; '.join(v.told)}" for v in verdicts if not v.passed]
    assert verdicts
    assert not failed, "\n".join(failed)
    rows = [t for t in coverage.unreached() if t.measure in (DECISIONS, POSTINGS)]
    unreached = [f"{t.place}: {t.rule}: {t.lacks}" for t in rows if own is None or t.place.file in own]
    told = f"No test in {folder.name} comes to these rows. For each, write one under its tests/, or remove the row:"
    assert not unreached, "\n".join([told, *unreached])


def written_by(pack: Pack) -> set[str]:
    """The files of the pack itself, and not of the one that it extends."""
    return {file for document in pack.documents for file, name in document.written_in if name == pack.name}


def is_scene_or_rule(document: Document) -> bool:
    return document.kind != "test" or "when" not in document.body


def test_the_pack_of_the_page_for_customers_is_right(tmp_path: Path) -> None:
    """What a newcomer types from the page is checked without a problem, and all tests run over it."""
    page = (ROOT / "docs" / "customer_pack.md").read_text(encoding="utf-8")
    for name, text in re.findall(r"```yaml\n# mine/(\S+)\n(.*?)```", page, re.DOTALL):
        (tmp_path / name).write_text(text, encoding="utf-8")
    pack = load(tmp_path)
    assert check(pack, tmp_path) == []
    verdicts = {v.name: v.failures for v in run_tests(pack, "ladder")}
    assert verdicts["three_steps"] == ()
    assert not any(verdicts.values())
    assert [v.failures for v in run_tests(pack, "review") if not v.passed] == []


OTHERWISE = """
parameters: invoicing
changes: base
values:
  proposals_are_approved: {rows: {replace: [{from: 2000-01-01, value: false}]}}
  discounts_are_posted: {rows: {replace: [{from: 2000-01-01, value: true}]}}
---
test: discount_on_an_account_of_its_own
doc: A draft is posted, since nobody approves; revenue is whole and the discount stands beside it.
today: 2026-04-05
given:
  - {as_in: one_proposal}
  - {fire: change, record: proposal_line, key: K-1/1/2, as: ben, with: {discount_percent: 10}}
when:
  - {fire: post, record: invoice_proposal, key: K-1/1, as: ben}
then:
  vouchers:
    - series: invoices
      entries:
        - {debit: customer_balance, amount: 1728}
        - {debit: sales_discount, amount: 160}
        - {credit: sales_tax_payable, amount: 288}
        - {credit: invoiced_revenue, amount: 1600}
---
parameters: journals
changes: base
values:
  journals_are_approved: {rows: {replace: [{from: 2000-01-01, value: true}]}}
---
test: a_journal_is_approved_before_it_is_posted
doc: Nobody approved the journal of hours.
today: 2026-03-31
given:
  - {as_in: journals_in_review}
when:
  - {fire: post, record: hour_journal, key: NORTH/J-1, as: pat}
then: {refusal: Submit journal J-1 for approval first}
---
test: a_journal_of_fees_is_approved_before_it_is_confirmed
doc: Nobody approved the journal of fees.
today: 2026-03-31
given:
  - {as_in: journals_in_review}
when:
  - {fire: confirm, record: entry_journal, key: NORTH/FEES, as: pat}
then: {refusal: Submit journal FEES for approval first}
---
parameters: moving_projects
changes: base
values:
  type_of_a_project_may_change: {rows: {replace: [{from: 2000-01-01, value: true}]}}
---
test: a_project_comes_into_another_type
doc: Hours that were posted as time and materials come under a fixed price, and are evaluated anew by it. Their sales are taken back.
today: 2026-03-31
given:
  - {as_in: one_report}
  - {fire: submit, record: timesheet, key: W1/2026-03-02}
  - {fire: approve, record: hour_line, key: W1/2026-03-02/1}
  - {fire: approve, record: timesheet, key: W1/2026-03-02}
  - {run: post_transactions, with: {until: 2026-03-31}}
  - {fire: adjust, record: transaction, where: "type == 'unbilled_sales'", with: {reason: The price is fixed., new_quantity: 0}}
when:
  - {fire: move, record: project, key: P-1, as: pat, with: {new_group: FP, new_line: K-1/2, reason: The price is fixed.}}
  - {run: evaluate_attached, as: pat, with: {project: P-1}}
  - {fire: move, record: project, key: FIXED, as: pat, with: {new_group: TM, new_line: K-1/1, reason: It is billed as used.}}
then:
  records:
    - {record: project, key: P-1, fields: {group: FP, contract_line: K-1/2, state: in_process}}
    - {record: project, key: FIXED, fields: {group: TM, contract_line: K-1/1}}
    - {record: transaction, where: "type == 'cost' and adjustment == 'none'", count: 1, fields: {method: fixed_price, contract_line: K-1/2, amount: 800}}
---
parameters: budgets
changes: base
values:
  budgets_are_approved: {rows: {replace: [{from: 2000-01-01, value: false}]}}
---
test: a_budget_holds_without_approval
doc: Whoever drew it up lets it hold, and a large revision, too; another draft gives way.
today: 2026-03-31
given:
  - {as_in: budget_drafted}
  - {create: budget, as: cora, with: {project: P-1, from: 2026-01-01, until: 2026-12-31}}
  - {create: budget_line, as: cora, with: {budget: P-1/1/2, number: 1, type: cost, category: work, planned: 100}}
when:
  - {fire: commit, record: budget, key: P-1/1/2, as: cora}
  - {create: budget_revision, event: create, as: cora, with: {budget: P-1/1/2, reason: scope}}
  - {create: budget_revision_line, as: cora, with: {revision: P-1/1/2/1, budget_line: P-1/1/2/1, amount: 900}}
  - {fire: commit, record: budget_revision, key: P-1/1/2/1, as: cora}
then:
  records:
    - {record: budget, count: 1, fields: {state: approved, draft: 2}}
    - {record: budget_movement, where: "kind == 'revision'", count: 1, fields: {amount: 900}}
---
test: a_large_write_down_is_approved_all_the_same
doc: Of 1,600 there are 1,100 written down, which nobody does alone.
today: 2026-04-05
given:
  - {as_in: one_proposal}
  - {fire: change, record: proposal_line, key: K-1/1/2, as: ben, with: {amount: 500, reason: goodwill}}
when:
  - {fire: post, record: invoice_proposal, key: K-1/1, as: ben}
then: {refusal: "More than 1000 is written down or discounted"}
"""


def test_a_customer_sets_what_is_approved_and_posts_discounts_apart(tmp_path: Path) -> None:
    head = "pack: customer\ndoc: Ours.\nversion: 1.0.0\nauthor: us\nextends: base\nfrom: 2026-01-01\n"
    (tmp_path / "pack.yaml").write_text(head, encoding="utf-8")
    (tmp_path / "invoicing.yaml").write_text(OTHERWISE, encoding="utf-8")
    pack = load(tmp_path)
    for name in (
        "discount_on_an_account_of_its_own",
        "a_large_write_down_is_approved_all_the_same",
        "a_journal_is_approved_before_it_is_posted",
        "a_journal_of_fees_is_approved_before_it_is_confirmed",
        "a_budget_holds_without_approval",
        "a_project_comes_into_another_type",
    ):
        (verdict,) = run_tests(pack, name)
        assert verdict.failures == ()


def test_a_rule_test_can_fail() -> None:
    """A figure that is wrong by a cent, a refusal that does not come and a voucher too many are each told."""
    pack = load(ROOT / "examples" / "travel_claims")
    changed = {
        "small_claim": ("480.50", "480.51"),
        "own_claim_is_not_approved": ("'as': 'ida'", "'as': 'max'"),
        "large_claim": ("'vouchers': []", "'vouchers': [{'series': 'claims'}]"),
    }
    for name, (was, becomes) in changed.items():
        document = pack.find("test", name)
        assert document is not None
        text = repr(document.body)
        assert was in text
        wrong = {"when": eval(text.replace(was, becomes))["when"], "then": eval(text.replace(was, becomes))["then"]}
        document.body.update(wrong)  # type: ignore[attr-defined]
    told = {v.name: v.told for v in run_tests(pack) if not v.passed}
    assert set(told) == set(changed)
    assert told["small_claim"][-2] == (
        "debit travel_cost (employee E1): differs: expected 480.51, found 480.50, difference -0.01; "
        "written by claim_approved/owed (travel_claims/rules/posting.yaml:10)"
    )
    assert "expected to be refused with `ida`; nothing was refused" in told["own_claim_is_not_approved"][0]
    assert "expected 1 voucher, found 0" in told["large_claim"][0]


def test_each_of_several_refusals_must_be_said() -> None:
    pack = load(ROOT / "examples" / "travel_claims")
    document = pack.find("test", "own_claim_is_not_approved")
    assert document is not None
    document.body["then"] = {"refusal": ["ida", "nobody"]}
    (verdict,) = run_tests(pack, "own_claim_is_not_approved")
    (failure,) = verdict.failures
    assert "expected to be refused with `nobody`; " in failure


def test_a_rule_test_needs_no_other_before_it() -> None:
    """Scenes are played once and copied: alone, after another, or twice, a test finds what it is given."""
    pack = load(ROOT / "examples" / "travel_claims")
    names = [v.name for v in run_tests(pack)]
    alone = [v for name in names for v in run_tests(pack, name)]
    assert [v.failures for v in alone] == [()] * len(names)
