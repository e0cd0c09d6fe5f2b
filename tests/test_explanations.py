"""Every figure leads back to its rule line, the values read, the people and the source row; every refusal says why."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.batch import Clock
from charter.engine.definitions import Element
from charter.engine.errors import UsageFault
from charter.engine.explanation_data import Decision, Event, Explanation, as_data
from charter.engine.explanation_keys import find_record
from charter.engine.explanation_lines import as_lines, brief_lines, shown_value
from charter.engine.explanation_rules import block
from charter.engine.explanations import history, refusals_of, why
from charter.engine.firings import Request, Root
from charter.engine.next_steps import NextStep, next_step_lines, next_steps
from charter.engine.notation import KeyText
from charter.engine.processes import run, takes_of
from charter.engine.store import Store
from charter.engine.tables import LOG
from charter.engine.trial_writing import example_of
from charter.engine.trials import Trial
from charter.engine.waiting import waiting_for
from charter.engine.why_not import WhyNot, why_not, why_not_lines
from sqlalchemy import func, select

LINE = "W1/2026-03-02/1"
SHEET = "W1/2026-03-02"
NOON = Clock("2026-03-31T12:00:00.000000Z")
FOLDER = catalog.library().folder("base")


@pytest.fixture(scope="module")
def pack() -> catalog.Pack:
    assert FOLDER is not None
    return catalog.load(FOLDER)


@dataclass
class World:
    """A store with a scene in it, and the hands that act there."""

    charter: Charter

    def given(self, scene: str) -> World:
        pack = self.charter.rules.library.pack
        document = pack.find("test", scene)
        trial = Trial(self.charter.store, self.charter.rules, pack, document)  # type: ignore[arg-type]
        with self.charter.store.transaction() as session:
            trial.given(session, Element(document, (), document.body))
        return self

    def id_of(self, record: str, key: str) -> int:
        rules = self.charter.rules
        with self.charter.store.transaction() as session:
            return find_record(session, rules, record, key)

    def fire(self, actor: str, record: str, event: str, key: str, /, **values: Any) -> Root:
        request = Request(record, event, self.id_of(record, key), values, "fire")
        return self.charter.batch(self.charter.actor(actor)).chunk([request])[0]

    def create(self, actor: str, record: str, event: str, source: str, /, **values: Any) -> Root:
        request = Request(record, event, None, values, source)
        return self.charter.batch(self.charter.actor(actor)).chunk([request])[0]

    def approve_and_post(self) -> World:
        assert not self.fire("ann", "hour_line", "approve", LINE).reasons
        assert not self.fire("ann", "timesheet", "approve", SHEET).reasons
        process = self.charter.rules.library.process("post_transactions")
        assert process is not None
        values = takes_of(process.takes, {"until": "2026-03-31"}, process.name)
        for roots, _ in run(self.charter.batch(self.charter.actor("pat")), process, values):
            assert not [r for root in roots for r in root.reasons]
        return self

    def why(self, subject: str) -> Explanation:
        return why(self.charter, subject)

    def why_not(self, record: str, key: str, event: str, actor: str, **values: Any) -> WhyNot:
        return why_not(self.charter, record, key, event, self.charter.actor(actor), values)

    def steps(self, record: str, key: str, actor: str | None = None) -> dict[str, NextStep]:
        found = next_steps(self.charter, record, self.id_of(record, key), self.charter.actor(actor) if actor else None)
        return {s.event: s for s in found}

    def log_length(self) -> int:
        log = self.charter.rules.metadata.tables[LOG]
        with self.charter.store.transaction() as session:
            return int(session.connection.execute(select(func.count()).select_from(log)).scalar_one())


@pytest.fixture
def opened(pack: catalog.Pack) -> Iterator[Callable[..., World]]:
    """Makes a world in a store of its own."""
    stores = []

    def make(url: str = "sqlite://") -> World:
        store = Store(url)
        stores.append(store)
        charter = Charter(store, "os_user", NOON)
        charter.init(pack, "adm", demonstration=True)
        return World(charter)

    yield make
    for store in stores:
        store.close()


@pytest.fixture(scope="module")
def scenes(pack: catalog.Pack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Stores to copy: each scene is made once."""
    folder = tmp_path_factory.mktemp("scenes")
    files = {"in_review": folder / "in_review.db", "posted": folder / "posted.db"}
    store = Store(str(files["in_review"]))
    charter = Charter(store, "os_user", NOON)
    charter.init(pack, "adm", demonstration=True)
    World(charter).given("hours_in_review")
    store.close()
    shutil.copy(files["in_review"], files["posted"])
    store = Store(str(files["posted"]))
    World(Charter(store, "os_user", NOON)).approve_and_post()
    store.close()
    return files


@pytest.fixture
def copied(scenes: dict[str, Path], tmp_path: Path) -> Iterator[Callable[[str], World]]:
    stores = []

    def make(scene: str) -> World:
        shutil.copy(scenes[scene], tmp_path / f"{scene}.db")
        stores.append(Store(str(tmp_path / f"{scene}.db")))
        return World(Charter(stores[-1], "os_user", NOON))

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def in_review(copied: Callable[[str], World]) -> World:
    return copied("in_review")


@pytest.fixture
def posted(copied: Callable[[str], World]) -> World:
    return copied("posted")


def decision(event: Event, name: str) -> Decision:
    return next(x for x in event.decisions if x.decision == name)


def values_read(event: Event) -> dict[str, str | None]:
    return {v.name: v.value for r in event.readings for v in r.values}


def line_of(pack: catalog.Pack, place: str) -> str:
    file, _, number = place.rpartition(":")
    return pack.files[file].split("\n")[int(number) - 1]


# --- an entry --------------------------------------------------------------------------------------------------------


def test_an_entry_says_its_figure_account_and_voucher(posted: World) -> None:
    explained = posted.why("C-000001/1")
    assert explained.figure == "C-000001/1: debit 800.00 EUR to account 5000 Cost of project work on 2026-03-02"
    (entry,) = explained.entries
    assert (entry.side, entry.account_key, entry.amount, entry.currency) == ("debit", "cost", "800.00", "EUR")
    assert [(v.name, v.value) for v in entry.dimensions] == [("project", "P-1"), ("category", "work")]
    assert explained.voucher is not None
    head = explained.voucher
    assert (head.company, head.series, head.date) == ("NORTH", "costs", "2026-03-02")


def test_an_entry_shows_the_very_lines_of_its_posting_row(posted: World, pack: catalog.Pack) -> None:
    (entry,) = posted.why("C-000001/1").entries
    assert entry.row == "transaction_cost/hours_to_profit_and_loss"
    assert entry.expressions == ("cost",)
    (rule,) = entry.texts
    assert rule.pack == "base"
    assert rule.place.startswith("rules/accounting/transaction_cost.yaml:")
    assert rule.lines[0] == line_of(pack, rule.place) == "  - name: hours_to_profit_and_loss"
    assert rule.lines[-1].strip() == "- {credit: payroll_allocation, amount: cost}"


def test_an_entry_shows_the_row_that_gave_its_account(posted: World) -> None:
    (entry,) = posted.why("C-000001/2").entries
    assert entry.account_by is not None
    assert {v.name: v.value for v in entry.account_by.inputs}["account_key"] == "payroll_allocation"
    (hit,) = entry.account_by.hits
    assert hit.name == "posting_setup payroll_allocation"
    assert hit.place.startswith("rules/masters/posting_setup.yaml:")
    assert "by adm" in hit.entered
    assert entry.account_by.key_set == ("account_key",)
    assert entry.account_by.answers[0][0].value == entry.account.split()[0]


def test_the_event_says_who_when_and_by_what_right(posted: World) -> None:
    event = posted.why("C-000001/1").event
    assert (event.actor, event.login, event.right) == ("pat", "os_user", "accountant")
    assert (event.event, event.from_state, event.to_state) == ("post", "registered", "posted")
    assert event.at == "2026-03-31T12:00:00.000000Z"
    assert event.rule == "cost_transaction/post_cost"
    assert event.place.startswith("workflows/transactions/cost.yaml:")
    assert event.source == "rules/accounting.md#cost-postings"
    assert event.vouchers == ("C-000001",)


def test_everything_that_the_rules_read_is_named(posted: World) -> None:
    explained = posted.why("C-000001/1")
    read = values_read(explained.event)
    assert read["accounting_amount"] == "800"
    assert read["project.group.type"] == "time_and_material"
    assert read["ledger_period.from"] == "2026-03-01"
    assert "project P-1" in [r.about for r in explained.event.readings]
    assert (explained.event.lets[0].name, explained.event.lets[-1].name) == ("first_day", "cost")


def test_a_row_in_the_pack_that_hit_is_shown_with_its_text(posted: World, pack: catalog.Pack) -> None:
    destination = decision(posted.why("C-000001/1").event, "cost_destination")
    (hit,) = destination.hits
    assert hit.name == "hours_expensed"
    assert hit.texts[0].lines[0] == line_of(pack, hit.place)
    assert "name: hours_expensed" in hit.texts[0].lines[0]
    assert destination.names == ("destination",)
    assert {v.name: v.value for v in destination.answers[0]} == {"posted_to": "profit_and_loss"}


def test_a_dated_decision_says_for_which_days_its_answer_holds(in_review: World) -> None:
    values = {"number": "2026", "method": "time_and_material", "project": KeyText("P-1"), "profile": KeyText("TM")}
    in_review.create("pat", "profile_rule", "create", "here", **values, **{"from": date(2026, 1, 1)})
    profile = decision(in_review.approve_and_post().why("C-000001/1").event, "profile")
    assert profile.hits[0].name == "profile_rule 2026"
    assert (profile.on, profile.since, profile.until) == ("2026-03-02", "2026-01-01", None)


def test_what_went_before_leads_back_to_the_people_and_the_source_row(posted: World) -> None:
    explained = posted.why("C-000001/1")
    told = [(e.event, e.record.split()[0]) for e in explained.earlier]
    assert told == [
        ("register", "transaction"), ("approve", "hour_line"), ("submit", "hour_line"), ("submit", "timesheet"),
        ("note_entry", "timesheet"), ("create", "hour_line"), ("create", "timesheet"),
    ]  # fmt: skip
    registered, approved, *_, created, _ = explained.earlier
    assert registered.caused_by == f"approve of hour_line {LINE}"
    assert (approved.actor, approved.right) == ("ann", "project_manager of project/P-1")
    assert decision(approved, "cost_price").hits[0].name == "hour_cost all"
    assert created.imported is not None
    assert created.imported.startswith("rules/tests/scene.yaml:")


def test_a_created_record_says_which_step_gave_each_value(posted: World) -> None:
    """Of several creation steps only the one whose constants fit is named."""
    registered = posted.why("C-000001/1").earlier[0]
    changes = {c.field: c for c in registered.changes}
    assert (changes["type"].after, changes["type"].because) == ("cost", "given as `'cost'`")
    assert (changes["price"].after, changes["price"].because) == ("100", "given as `unit.cost`")
    assert changes["ledger_date"].because == "set to `work_date`"
    assert changes["hour_line"].after == LINE


def test_a_whole_voucher_shows_all_its_entries(posted: World) -> None:
    explained = posted.why("C-000001")
    assert [(e.line, e.side) for e in explained.entries] == [(1, "debit"), (2, "credit")]
    lines = as_lines(explained)
    assert sum("- name: hours_to_profit_and_loss" in line for line in lines) == 1, "the row is printed once"


def test_a_voucher_goes_by_company_where_several_have_its_number(posted: World) -> None:
    assert posted.why("NORTH:C-000001/1").figure == posted.why("C-000001/1").figure
    with pytest.raises(UsageFault, match="no voucher `SOUTH:C-000001`"):
        posted.why("SOUTH:C-000001")


def test_several_companies_with_one_number_are_offered(posted: World) -> None:
    given = {"number": "SOUTH", "name": "South", "currency": "EUR"}
    assert not posted.create("pat", "company", "create", "fire", **given).reasons
    store, tables = posted.charter.store, posted.charter.rules.metadata.tables
    with store.transaction() as session:
        company = find_record(session, posted.charter.rules, "company", "SOUTH")
        (head,) = session.rows(select(tables["charter_voucher"]))
        session.insert(tables["charter_voucher"], [(99, head.log, company, *head[3:])])
    with pytest.raises(UsageFault, match="NORTH:C-000001/1 or SOUTH:C-000001/1"):
        posted.why("C-000001/1")


def test_a_reversal_leads_to_what_it_takes_back(posted: World) -> None:
    assert not posted.fire("pat", "transaction", "reverse", "1", reason="Wrong project").reasons
    explained = posted.why("C-000002/1")
    assert explained.voucher is not None
    assert explained.voucher.reverses == "C-000001"
    assert "C-000001" in [v.value for r in explained.event.readings for v in r.values if v.name == "vouchers"]
    assert explained.reverses is not None
    assert explained.reverses.entries[0].texts
    assert explained.reverses.voucher is not None
    assert explained.reverses.voucher.reversed_by == "C-000002"
    assert "It takes back C-000001" in as_lines(explained)


# --- a record and a field --------------------------------------------------------------------------------------------


def test_a_field_is_explained_by_the_event_that_last_set_it(in_review: World) -> None:
    explained = in_review.why(f"hour_line {LINE} cost")
    assert explained.figure == f"cost of hour_line {LINE} is 800"
    assert (explained.event.event, explained.event.right) == ("submit", "fired")
    change = next(c for c in explained.event.changes if c.field == "cost")
    assert (change.before, change.after, change.because) == ("0", "800", "set to `hours * unit.cost`")
    assert [c.record for c in explained.causes] == [f"timesheet {SHEET}"]


def test_measures_and_parameters_are_among_what_was_read(in_review: World) -> None:
    readings = {r.about: r for r in in_review.why(f"hour_line {LINE} cost").event.readings}
    assert readings["hours_on_day(W1, 2026-03-02)"].values[0].value == "8"
    assert readings["parameter hours_per_day on 2026-03-02"].values[0].value == "24"


def test_a_field_that_nothing_ever_set_is_said_to_be_empty(in_review: World) -> None:
    assert in_review.why(f"hour_line {LINE} description").figure.endswith("is empty: no event ever set it")


def test_a_record_is_explained_with_its_fields_and_its_last_event(posted: World) -> None:
    explained = posted.why("transaction 1")
    assert explained.figure == "transaction 1 is posted"
    assert {v.name: v.value for v in explained.values}["hour_line"] == LINE
    assert explained.event.event == "post"


def test_a_row_of_a_file_is_named_at_creation(in_review: World) -> None:
    values = {"timesheet": KeyText(SHEET), "number": 2, "work_date": NOON.today.replace(day=3),
              "project": KeyText("P-1"), "category": KeyText("work"), "hours": 2}  # fmt: skip
    in_review.fire("wim", "timesheet", "recall", SHEET)
    assert not in_review.create("wim", "hour_line", "create", "hours.csv:17", **values).reasons
    explained = in_review.why("hour_line W1/2026-03-02/2")
    assert explained.event.imported == "hours.csv:17"
    assert "    from hours.csv:17" in as_lines(explained)


def test_a_deleted_record_is_found_by_its_key_and_by_its_number(in_review: World) -> None:
    number = in_review.id_of("hour_line", LINE)
    in_review.fire("wim", "timesheet", "recall", SHEET)
    assert not in_review.fire("wim", "hour_line", "delete", LINE).reasons
    assert in_review.id_of("hour_line", LINE) == number
    events = history(in_review.charter, "hour_line", f"#{number}")
    assert [e.event for e in events] == ["create", "submit", "recall", "delete"]
    assert events[-1].record == f"hour_line {LINE}"
    assert {c.field: c.before for c in events[-1].changes}["hours"] == "8"
    assert in_review.why(f"hour_line {LINE}").figure == f"hour_line {LINE} is deleted"


def test_what_does_not_exist_is_answered_with_what_is_like_it(in_review: World) -> None:
    for subject, said in [
        ("hour_lin x", "did you mean `hour_line`"),
        ("hour_line W1/2026-03-02/2", f"did you mean `{LINE}`"),
        (f"hour_line {LINE} costs", "did you mean `cost`"),
        ("C-000009", "no voucher `C-000009`"),
    ]:
        with pytest.raises(UsageFault, match=said):
            in_review.why(subject)


# --- under the rules of the time -------------------------------------------------------------------------------------


def changed_pack(folder: Path) -> catalog.Pack:
    """A customer's pack that words a posting row anew and takes the decision row that hit away."""
    folder.mkdir()
    (folder / "pack.yaml").write_text("pack: customer\nextends: base\ndoc: A customer.\nversion: 2.0.0\nauthor: us\n")
    (folder / "rules.yaml").write_text(
        "posting: transaction_cost\nchanges: base\nrows:\n"
        "  - name: hours_to_profit_and_loss\n    doc: In the customer's own words.\n"
        "---\n"
        "decision: cost_destination\nchanges: base\nremove: {rows: [hours_expensed]}\nrows:\n"
        "  - name: all_hours\n    when: {class: hour, hour_cost: profit_and_loss}\n"
        "    then: {posted_to: profit_and_loss}\n"
    )
    return catalog.load(folder)


def test_the_rule_shown_is_the_one_that_was_in_force_then(posted: World, tmp_path: Path) -> None:
    before = posted.why("C-000001/1")
    posted.charter.init(changed_pack(tmp_path / "customer"), "adm")
    after = posted.why("C-000001/1")
    assert posted.charter.rules.library.pack.name == "customer"
    assert after.entries[0].texts == before.entries[0].texts
    assert "own words" not in "\n".join(as_lines(after))
    assert decision(after.event, "cost_destination").hits[0].name == "hours_expensed"
    assert after.event.pack == before.event.pack
    assert after.event.pack.startswith("base ")


def test_what_a_pack_above_changed_is_shown_with_what_it_changes(in_review: World, tmp_path: Path) -> None:
    in_review.charter.init(changed_pack(tmp_path / "customer"), "adm")
    explained = in_review.approve_and_post().why("C-000001/1")
    base, customer = explained.entries[0].texts
    assert (base.pack, customer.pack) == ("base", "customer")
    assert customer.lines == ("  - name: hours_to_profit_and_loss", "    doc: In the customer's own words.")
    assert decision(explained.event, "cost_destination").hits[0].name == "all_hours"
    created = next(e for e in explained.earlier if e.event == "create" and e.record.startswith("hour_line"))
    assert (explained.event.pack[:8], created.pack[:4]) == ("customer", "base")


def test_today_s_files_are_not_looked_at(pack: catalog.Pack, tmp_path: Path) -> None:
    """The folder that a pack was put in force from may be gone."""
    folder = tmp_path / "customer"
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    Charter(store, "os_user", NOON).init(changed_pack(folder), "adm", demonstration=True)
    shutil.rmtree(folder)
    charter = Charter(store, "os_user", NOON)
    explained = World(charter).given("hours_in_review").approve_and_post().why("C-000001/1")
    store.close()
    assert explained.entries[0].texts[1].lines[1] == "    doc: In the customer's own words."


@pytest.mark.parametrize(
    ("number", "lines"),
    [(1, ("a:", "  - b: 1", "", "    c: 2", "  - d")), (2, ("  - b: 1", "", "    c: 2")), (5, ("  - d",)), (9, ())],
)
def test_an_element_is_its_line_and_what_stands_deeper(number: int, lines: tuple[str, ...]) -> None:
    assert block(["a:", "  - b: 1", "", "    c: 2", "  - d", "", "e: 3"], number) == lines


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_tells_every_event_in_order(posted: World) -> None:
    events = history(posted.charter, "hour_line", LINE)
    assert [(e.event, e.from_state, e.to_state) for e in events] == [
        ("create", "nothing", "draft"), ("submit", "draft", "submitted"), ("approve", "submitted", "approved"),
    ]  # fmt: skip
    assert events[1].caused_by == f"submit of timesheet {SHEET}"
    changed = {c.field: (c.before, c.after) for c in events[2].changes}
    assert changed == {"state": ("submitted", "approved"), "billable_hours": (None, "8")}
    assert history(posted.charter, "transaction", "1")[1].vouchers == ("C-000001",)


def test_history_says_the_reason_that_no_field_keeps(posted: World) -> None:
    assert not posted.fire("pat", "transaction", "reverse", "1", reason="Wrong project").reasons
    last = history(posted.charter, "transaction", "1")[-1]
    assert list(brief_lines(last))[-1] == "  reason: Wrong project"


def test_the_number_of_statements_does_not_grow_with_events(in_review: World) -> None:
    def statements(ask: Callable[[], object]) -> int:
        assert in_review.charter.rules, "what is loaded once does not count"
        before = in_review.charter.store.statements
        ask()
        return in_review.charter.store.statements - before

    def again(times: int) -> list[int]:
        for _ in range(times):
            in_review.fire("wim", "timesheet", "recall", SHEET)
            in_review.fire("wim", "timesheet", "submit", SHEET)
        return [
            statements(lambda: history(in_review.charter, "timesheet", SHEET)),
            statements(lambda: in_review.why(f"hour_line {LINE}")),
        ]

    assert again(1) == again(4)


# --- why not ---------------------------------------------------------------------------------------------------------


def test_a_refusal_says_who_may_and_changes_nothing(in_review: World) -> None:
    before = in_review.log_length()
    answer = in_review.why_not("hour_line", LINE, "approve", "bob")
    assert not answer.is_possible
    (reason,) = answer.reasons
    assert "project_manager of project/P-1" in reason.says
    assert reason.place.startswith("workflows/hour_line_approval.yaml:")
    assert not answer.outcomes
    assert {s.event: s.who[0].actors for s in answer.instead if s.who}["approve"] == ("ann",)
    assert in_review.log_length() == before
    assert not answer.refused_before, "asking is not logged as a refusal"


def test_every_reason_is_given(in_review: World) -> None:
    answer = in_review.why_not("hour_line", LINE, "approve", "bob", billable_hours=-1)
    assert [r.says.split()[0] for r in answer.reasons] == ["bob", "Billable"]


def test_an_event_of_another_state_is_answered_with_what_is_possible(in_review: World) -> None:
    answer = in_review.why_not("hour_line", LINE, "delete", "wim")
    assert 'cannot `delete` from "submitted"' in answer.reasons[0].says
    assert {s.event for s in answer.instead} == {"approve", "recall", "return", "note_request"}


def test_something_not_given_does_not_hide_that_the_actor_may_not(in_review: World) -> None:
    answer = in_review.why_not("hour_line", LINE, "return", "bob")
    assert [r.says for r in answer.reasons] == [
        "`return` needs reason.",
        "bob may not `return` it; it is for project_manager of project/P-1 (ann).",
    ]


def test_what_is_possible_is_told_with_all_that_would_come_of_it(in_review: World) -> None:
    before = in_review.log_length()
    answer = in_review.why_not("hour_line", LINE, "approve", "ann")
    assert answer.is_possible
    assert [(o.event, o.record) for o in answer.outcomes] == [
        ("approve", f"hour_line {LINE}"), ("register", "transaction (new)"), ("register", "transaction (new)"),
        ("make_ready", "transaction (new)"),
    ]  # fmt: skip
    assert {c.field: c.after for c in answer.outcomes[2].changes}["amount"] == "1600"
    assert {c.field: c.after for c in answer.outcomes[2].changes}["connected"] == "(new)"
    assert in_review.log_length() == before


def test_vouchers_that_would_be_written_are_told_with_amounts(in_review: World) -> None:
    in_review.fire("ann", "hour_line", "approve", LINE)
    in_review.fire("ann", "timesheet", "approve", SHEET)
    (outcome,) = in_review.why_not("transaction", "1", "post", "pat").outcomes
    (voucher,) = outcome.vouchers
    assert (voucher.date, voucher.currency) == ("2026-03-02", "EUR")
    assert [(side, amount) for side, _, amount in voucher.entries] == [("debit", "800.00"), ("credit", "800.00")]


def test_what_was_refused_before_has_reasons_of_the_same_shape_as_those_of_today(in_review: World) -> None:
    in_review.fire("bob", "hour_line", "approve", LINE)
    data = as_data(in_review.why_not("hour_line", LINE, "approve", "bob"))
    assert data["reasons"] == data["refused_before"][0]["reasons"]
    assert set(data["reasons"][0]) == {"rule", "says", "place"}


def test_earlier_refusals_of_the_record_are_shown(in_review: World) -> None:
    assert in_review.fire("bob", "hour_line", "approve", LINE).reasons
    (refusal,) = in_review.why_not("hour_line", LINE, "approve", "ann").refused_before
    assert (refusal.actor, refusal.event) == ("bob", "approve")
    assert "project_manager of project/P-1" in refusal.reasons[0].says
    with in_review.charter.store.transaction() as session:
        assert refusals_of(session, in_review.charter.rules, "hour_line", 99) == []


# --- what may be done next -------------------------------------------------------------------------------------------


def test_next_steps_name_the_roles_and_those_who_hold_them_today(in_review: World) -> None:
    steps = in_review.steps("hour_line", LINE, "ann")
    assert [(r.said, r.actors) for r in steps["approve"].who] == [("project_manager of project/P-1", ("ann",))]
    assert steps["approve"].rule == "hour_line_approval/approve_time_and_material", "the other one's condition fails"
    assert steps["approve"].may is True
    assert in_review.steps("hour_line", LINE, "bob")["approve"].may is False
    assert in_review.steps("hour_line", LINE)["approve"].may is None


def test_a_field_that_names_the_actor_is_resolved(in_review: World) -> None:
    recall = in_review.steps("timesheet", SHEET, "wim")["recall"]
    assert [(r.said, r.actors) for r in recall.who] == [("the actor of the worker", ("wim",)), ("timekeeper", ())]
    assert recall.may is True


def test_a_decision_that_names_the_role_is_resolved(in_review: World) -> None:
    approve = in_review.steps("timesheet", SHEET)["approve"]
    assert [(r.said, r.actors) for r in approve.who] == [("project_manager of project/P-1", ("ann",))]


def test_who_has_the_right_and_is_kept_from_it_is_said(in_review: World) -> None:
    grant = {"actor": KeyText("wim"), "role": "project_manager", "held_for": "project/P-1", "from": NOON.today}
    assert not in_review.create("adm", "role_grant", "grant", "fire", **grant).reasons
    approve = in_review.steps("hour_line", LINE, "wim")["approve"]
    assert approve.who[0].actors == ("ann",)
    assert "wim may not `approve`" in approve.kept_from[0]
    assert approve.may is False


def test_an_event_that_nobody_fires_says_what_it_comes_with(opened: Callable[..., World]) -> None:
    steps = opened().given("one_project").steps("hour_line", LINE)
    assert (steps["submit"].who, steps["submit"].fired_by) == ((), ("hour_line resubmit", "timesheet submit"))
    assert steps["delete"].leads_to == ""


def test_what_must_be_given_is_said(in_review: World) -> None:
    steps = in_review.steps("hour_line", LINE)
    assert [(t.name, t.type, t.needed) for t in steps["return"].takes] == [("reason", "text", True)]
    assert [t.needed for t in steps["approve"].takes] == [False, False]


def waiting(world: World, who: str) -> list[tuple[str, str, tuple[str, ...]]]:
    actor = world.charter.actor(who)
    with world.charter.store.reading() as session:
        return [(g.record.name, g.state, g.events) for g in waiting_for(world.charter, session, actor)]


def test_a_final_state_offers_nothing(posted: World) -> None:
    assert set(posted.steps("hour_line", LINE)) == {"cancel_approval", "request_recall", "give_back", "note_request"}
    assert not posted.fire("wim", "hour_line", "request_recall", LINE, reason="Not worked.").reasons
    assert waiting(posted, "ann") == [("hour_line", "requested", ("grant_recall", "refuse_recall"))]
    assert waiting(posted, "bob") == []
    assert not posted.fire("ann", "hour_line", "grant_recall", LINE).reasons
    assert not posted.fire("wim", "hour_line", "delete", LINE).reasons
    assert not [s for s in posted.steps("hour_line", LINE).values() if s.who], "it is withdrawn, not deleted"


# --- for machines and for people -------------------------------------------------------------------------------------


def test_the_data_is_json_with_every_figure_a_text(posted: World) -> None:
    data = as_data(posted.why("C-000001"))
    assert data["version"] == 1
    assert data["entries"][0]["amount"] == "800.00"
    assert json.loads(json.dumps(data))["event"]["decisions"][0]["decision"] == "profile"
    assert as_data(history(posted.charter, "hour_line", LINE))["events"][0]["event"] == "create"
    assert as_data(posted.why_not("transaction", "1", "post", "pat"))["actor"] == "pat"


def test_lines_lead_from_the_figure_to_the_source(posted: World) -> None:
    lines = as_lines(posted.why("C-000001/1"))
    wanted = [
        "C-000001/1: debit 800.00 EUR",
        "Voucher C-000001 of NORTH",
        "- name: hours_to_profit_and_loss",
        "decided account, as of 2026-03-02",
        "What did it",
        "by pat (login os_user), right: accountant",
        "decided profile",
        "What went before",
        "by ann (login os_user), right: project_manager of project/P-1",
        "row hour_cost all",
        "from rules/tests/scene.yaml:",
    ]
    places = [next(i for i, line in enumerate(lines) if part in line) for part in wanted]
    assert places == sorted(places)


def test_why_not_and_next_steps_read_as_sentences(in_review: World) -> None:
    lines = list(why_not_lines(in_review.why_not("hour_line", LINE, "approve", "bob")))
    assert lines[0] == f"bob cannot `approve` hour_line {LINE}:"
    assert "    project_manager of project/P-1: ann" in lines
    alone = lines[lines.index("  Only with other events:") + 1 :]
    assert "    recall -> draft: timesheet recall" in alone
    possible = list(why_not_lines(in_review.why_not("hour_line", LINE, "approve", "ann")))
    assert possible[0].startswith("Nothing stands against it")
    assert "    amount: 1600" in possible
    assert list(next_step_lines([])) == ["nothing"]


def test_a_list_is_told_once_where_all_is_alike_and_cut_where_it_is_long() -> None:
    assert shown_value("work, work, work, work") == "work (4 times)"
    assert shown_value("work, work, travel, work") == "work, work, travel, work"
    numbers = [str(n) for n in range(20)]
    assert shown_value(", ".join(numbers)) == ", ".join(numbers[:12]) + " … (20 in all)"


# --- the other database ----------------------------------------------------------------------------------------------


def test_postgresql_explains_the_same(opened: Callable[..., World], own_database: str) -> None:
    here, there = (opened(x).given("hours_in_review") for x in ("sqlite://", own_database))
    for world in (here, there):
        world.fire("bob", "hour_line", "approve", LINE)
    assert there.why_not("hour_line", LINE, "approve", "ann") == here.why_not("hour_line", LINE, "approve", "ann")
    assert there.steps("timesheet", SHEET, "wim") == here.steps("timesheet", SHEET, "wim")
    here.approve_and_post(), there.approve_and_post()
    # What a measure by day was taken of is found again.
    examples = [example_of(world.charter, f"hour_line {LINE}").text for world in (here, there)]
    assert examples[0].partition("today:")[2] == examples[1].partition("today:")[2]
    # Numbers come in blocks there and may be skipped, so words that hold none are compared.
    ours, theirs = here.why("C-000001/1"), there.why("C-000001/1")
    assert (theirs.figure, theirs.voucher, theirs.entries) == (ours.figure, ours.voucher, ours.entries)
    assert theirs.event.decisions == ours.event.decisions
    assert [e.event for e in theirs.earlier] == [e.event for e in ours.earlier]
    assert [e.changes for e in history(there.charter, "hour_line", LINE)] == [
        e.changes for e in history(here.charter, "hour_line", LINE)
    ]
