"""Whatever happens to work in whatever order, ledger and records agree, and what is invoiced in the end leaves nothing behind."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from charter.engine import catalog
from charter.engine.definitions import Element
from charter.engine.firings import Root
from charter.engine.trials import Trial
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import Stores, World

LIVES = int(os.environ.get("CHARTER_LIVES", "6"))
# In the order in which they are approved: lines before the document that they stand on.
DOCUMENTS = ("hour_line", "material_usage", "expense_line", "timesheet", "expense_report")
PROFILES = ("TM", "TM-ACCRUED", "TM-CLEARED", "TM-WIP", "TM-LATER")
MONTHS = ("2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31")
END = "2026-08-31"
TOLD = (
    "\"transaction\" t WHERE t.adjustment <> 'adjusted' AND t.adjustment <> 'unadjustable' "
    "AND t.state IN ('posted', 'entered')"
)


def scene(world: World) -> None:
    """Work of all classes of project P-1, registered, and everybody who is needed to invoice it."""
    for name in ("three_journals", "who_invoices"):
        document = world.pack.find("test", name)
        assert document is not None
        with world.store.transaction() as session:
            Trial(world.store, world.rules, world.pack, document).given(session, Element(document, (), document.body))
    for last in (*MONTHS[2:], END):
        world.create("period", company="NORTH", number=last[:7], **{"from": last[:8] + "01", "until": last})
    budget(world)
    work(world)


def budget(world: World) -> None:
    """What is planned for the project, a line for everything of a kind."""
    world.create("budget", project="P-1", **{"from": "2026-03-01", "until": END})
    kinds = ("hour", "expense", "item", *("hour", "expense", "item", "fee"))
    for number, kind in enumerate(kinds, 1):
        type_ = "cost" if number < 4 else "revenue"
        world.create("budget_line", budget="P-1/1/1", number=number, type=type_, kind_of_thing=kind, planned="1000")
    world.must("budget", "submit", "P-1/1/1")
    world.must("budget", "approve", "P-1/1/1")


def work(world: World) -> None:
    for number, (day_, hours) in enumerate((("2026-03-03", "7.5"), ("2026-03-04", "3.33")), 2):
        world.create(
            "hour_line", timesheet="W1/2026-03-02", number=number, work_date=day_, project="P-1", category="work", hours=hours
        )  # fmt: skip
    world.must("timesheet", "submit", "W1/2026-03-02")
    world.must("hour_line", "approve", "W1/2026-03-02/1")
    world.must("hour_line", "approve", "W1/2026-03-02/2", billable_hours="6")
    world.must("hour_line", "approve", "W1/2026-03-02/3", billable_hours="4")
    world.must("timesheet", "approve", "W1/2026-03-02")
    documents(world)
    more = {"project": "P-1", "currency": "EUR", "number": 1}
    world.create(
        "entry_line",
        journal="NORTH/ITEMS",
        work_date="2026-04-06",
        category="material",
        item="valve",
        quantity="7",
        **more,
    )
    world.create(
        "entry_line",
        journal="NORTH/EXPENSES",
        work_date="2026-03-20",
        category="travel",
        quantity="1",
        price="33.35",
        **more,
    )
    world.create(
        "entry_line", journal="NORTH/FEES", work_date="2026-04-20", category="fee", quantity="1", price="50", **more
    )
    for journal in ("ITEMS", "EXPENSES", "FEES"):
        world.must("entry_journal", "confirm", f"NORTH/{journal}")
    world.create(
        "indirect_cost",
        number="A",
        name="Office",
        company="NORTH",
        basis="hourly_rate",
        percent="7.5",
        **{"from": "2026-01-01"},
    )
    world.must("indirect_cost", "put_in_force", "A")


def documents(world: World) -> None:
    """The expense report of the scene and material that was used, both approved."""
    world.create("item_cost", number="bolt", company="NORTH", item="bolt", cost="1.15", **{"from": "2026-01-01"})
    what = {"worker": "W1", "project": "P-1"}
    world.create(
        "material_usage", number="U-1", work_date="2026-03-09", category="material", item="bolt", quantity="11", **what
    )
    world.must("material_usage", "submit", "U-1")
    world.must("material_usage", "approve", "U-1", billed_quantity="9")
    world.create(
        "expense_line", report="E-1", number=1, work_date="2026-03-12", project="P-1", category="lodging", quantity="3",
        currency="EUR", amount="100.10",
    )  # fmt: skip
    for record, event, key in (
        ("expense_report", "submit", "E-1"), ("expense_line", "approve", "E-1/1"), ("expense_report", "approve", "E-1"),
        ("expense_report", "post", "E-1"),
    ):  # fmt: skip
        world.must(record, event, key)


# --- a life -----------------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """What happens to the work. Each step picks a record by a number that is drawn, and may be refused."""

    world: World
    month: int = 0
    told: list[str] = field(default_factory=list)
    payments: int = 0

    @property
    def day(self) -> str:
        return MONTHS[self.month]

    def one(self, pick: int, record: str, where: str) -> int | None:
        found = self.all(record, where)
        return found[pick % len(found)] if found else None

    def all(self, record: str, where: str) -> list[int]:
        return [row[0] for row in self.world.rows(f'SELECT id FROM "{record}" WHERE {where} ORDER BY id')]

    def may(self, record: str, event: str, pick: int, where: str, **values: Any) -> Root | None:
        number = self.one(pick, record, where)
        if number is None:
            return None
        (root,) = self.world.perform([self.world.request(record, event, number, **values)])
        self.note(f"{event} {record} {number} {values}", [root])
        return root

    def run(self, process: str, **given: str) -> None:
        self.note(f"{process} {given}", self.world.run(process, **given))

    def note(self, what: str, roots: list[Root]) -> None:
        self.told.append(what + "".join(f"\n    {r.message}" for root in roots for r in root.reasons))

    def some_day(self, pick: int) -> str:
        return (date.fromisoformat(self.day) - timedelta(days=pick % 70)).isoformat()

    # steps

    def post(self, pick: int) -> None:
        self.run("post_transactions", until=self.day)

    def charge(self, pick: int) -> None:
        self.run("charge_indirect_cost", until=self.day, company="NORTH")

    def adjust(self, pick: int) -> None:
        values = [
            {"new_quantity": "2.5"},
            {"new_price": "77.77"},
            {"new_quantity": "0"},
            {"new_quantity": "9", "new_price": "10.005"},
        ]
        day = {"adjusted_on": self.some_day(pick // 7)} if pick % 3 == 0 else {}
        self.may("transaction", "adjust", pick, "adjustment = 'none'", reason="Wrong.", **values[pick % 4], **day)

    def split(self, pick: int) -> None:
        self.may(
            "transaction", "split", pick, "adjustment = 'none' AND state = 'posted'", reason="Two parts.", part="1.37"
        )

    def reverse(self, pick: int) -> None:
        self.may("transaction", "reverse", pick, "state = 'posted' AND adjustment = 'none'", reason="Wrong.")

    def cancel(self, pick: int) -> None:
        self.may("transaction", "cancel", pick, "state = 'registered'", reason="Wrong.")

    def cancel_approval(self, pick: int) -> None:
        record = DOCUMENTS[pick % len(DOCUMENTS)]
        self.may(record, "cancel_approval", pick, "state IN ('approved', 'posted')", reason="Wrong.")

    def recall(self, pick: int) -> None:
        record = DOCUMENTS[pick % len(DOCUMENTS)]
        self.may(
            record,
            "request_recall",
            pick,
            "state IN ('approved', 'posted') AND recall = 'not_requested'",
            reason="Wrong.",
        )
        if pick % 5 < 4:
            self.may(record, ("grant_recall", "refuse_recall")[pick % 5 == 3], pick, "recall = 'requested'",
                     **({"reason": "No."} if pick % 5 == 3 else {}))  # fmt: skip

    def withdraw(self, pick: int) -> None:
        self.may("hour_line", "delete", pick, "state = 'returned'")

    def hand_in(self, pick: int) -> None:
        """What was given back is handed in and approved again, as far as it goes."""
        for record, event, where in (
            ("hour_line", "resubmit", "state = 'returned'"), ("timesheet", "submit", "state = 'returned'"),
            ("expense_report", "recall", "state = 'in_review'"), ("expense_report", "revise", "state = 'rejected'"),
            ("expense_report", "submit", "state = 'draft'"), ("material_usage", "submit", "state = 'rejected'"),
        ):  # fmt: skip
            for number in self.all(record, where):
                self.may(record, event, 0, f"id = {number}")
        for record in DOCUMENTS:
            for number in self.all(record, "state IN ('submitted', 'in_review')"):
                self.may(record, "approve", 0, f"id = {number}")
        self.may("expense_report", "post", 0, "state = 'approved'")

    def hold(self, pick: int) -> None:
        self.may("transaction", "hold", pick, "billed = 'ready'", reason="In dispute.")

    def release(self, pick: int) -> None:
        self.may("transaction", "release", pick, "billed = 'held'")

    def propose(self, pick: int) -> None:
        root = self.world.perform(
            [self.world.creation("invoice_proposal", payer="K-1/C-1", until=self.day, date=self.some_day(pick % 30))]
        )
        self.note("propose", root)

    def change(self, pick: int) -> None:
        values = [
            {"quantity": "1.5"},
            {"amount": "100.01"},
            {"discount_percent": "12.5"},
            {"quantity": "20"},
            {"amount": "0"},
        ]
        self.may("proposal_line", "change", pick, "billed = 'not_yet'", reason="dispute", **values[pick % 5])

    def take_off(self, pick: int) -> None:
        event = ("take_off", "hold")[pick % 2]
        self.may(
            "proposal_line", event, pick, "billed = 'not_yet'", **({"why": "In dispute."} if event == "hold" else {})
        )

    def discard(self, pick: int) -> None:
        self.may("invoice_proposal", "discard", pick, "state = 'draft'")

    def invoice(self, pick: int) -> None:
        where = "state = 'draft' AND EXISTS (SELECT 1 FROM proposal_line l WHERE l.proposal = invoice_proposal.id)"
        number = self.one(pick, "invoice_proposal", where)
        if number is None:
            return
        for event in ("submit", "approve", "approve", "approve", "post"):
            self.note(f"{event} proposal {number}", [self.world.fire("invoice_proposal", event, number)])
        self.may(
            "invoice_proposal", "cancel_approval", 0, f"id = {number} AND state = 'approved'", reason="Not posted."
        )

    def bill(self, pick: int) -> None:
        self.post(pick)
        self.propose(pick)
        self.change(pick)
        self.invoice(pick)

    def credit(self, pick: int) -> None:
        self.may("invoice", "credit", pick, "state = 'posted'", reason="Wrong.", day=self.day)

    def invoice_and_credit(self, pick: int) -> None:
        """A credit note restores the books, to the cent. A correction is left out: it is a credit note itself."""
        before, last = balances(self.world), self.world.rows("SELECT coalesce(max(id), 0) FROM invoice")[0][0]
        self.invoice(pick)
        if len(self.world.rows(f"SELECT id FROM invoice WHERE id > {last}")) == 1:
            root = self.may("invoice", "credit", 0, f"id > {last}", reason="Wrong.", day=self.day)
            assert root is not None
            assert root.reasons or balances(self.world) == before

    def correct(self, pick: int) -> None:
        self.may("invoice", "correct", pick, "state = 'posted'", day=self.day)

    def pay(self, pick: int) -> None:
        number = self.one(pick, "invoice", "paid IN ('open', 'partly_paid') AND open <> 0")
        if number is None:
            return
        self.payments += 1
        owed = self.world.field("invoice", number, "open")
        amount = str(owed if pick % 3 else round(owed / 3, 2))
        values = {
            "customer": "C-1",
            "date": self.day,
            "currency": "EUR",
            "amount": amount,
            "number": str(self.payments),
        }
        payment = self.world.create("customer_payment", company="NORTH", **values)
        self.note(f"pay {number} {amount}", [self.world.fire("customer_payment", "post", payment)])
        self.note(
            "apply",
            self.world.perform([self.world.creation("settlement", payment=payment, invoice=number, date=self.day)]),
        )

    def unapply(self, pick: int) -> None:
        self.may("settlement", "unapply", pick, "state = 'applied'", reason="Wrong.", day=self.day)

    def accrue(self, pick: int) -> None:
        self.run("accrue_revenue", day=self.day)

    def accrue_for_period(self, pick: int) -> None:
        self.run("accrue_revenue_for_period", day=self.day)

    def expense(self, pick: int) -> None:
        self.run("post_costs", day=self.day, until=self.day)

    def capitalize(self, pick: int) -> None:
        self.run("post_costs_to_balance", day=self.day, until=self.day)

    def plan_anew(self, pick: int) -> None:
        """A newer version of the budget, against which everything counts anew."""
        (source,) = self.all("budget", "state = 'approved'")
        draft = self.world.create("budget", project="P-1", **{"from": "2026-03-01", "until": END})
        for event, values in (("copy_lines", {"source": source}), ("submit", {}), ("approve", {})):
            self.note(f"{event} budget {draft}", [self.world.must("budget", event, draft, **values)])

    def close(self, pick: int) -> None:
        if self.day != MONTHS[-1]:
            event = ("close", "soft_close")[pick % 2]
            self.may("period", event, 0, f"until = '{self.day}'", acknowledged=["cost_not_posted", "sales_not_posted"])
            self.month += 1

    def end(self) -> None:
        """Whatever is still open is invoiced and paid, and cost that waits for nothing is expensed."""
        self.month = len(MONTHS) - 1
        while self.may("transaction", "release", 0, "billed = 'held'"):
            pass
        self.hand_in(0)
        for record in DOCUMENTS:
            assert self.all(record, "state NOT IN ('approved', 'posted', 'withdrawn')") == [], record
        self.run("post_transactions", until=self.day)
        for _ in range(2):
            while self.one(0, "invoice_proposal", "state = 'draft'") is not None:
                (number,) = self.world.rows("SELECT min(id) FROM invoice_proposal WHERE state = 'draft'")[0]
                self.world.must("invoice_proposal", "change_date", number, date=self.day)
                self.invoice(0)
                if self.world.field("invoice_proposal", number, "state") == "draft":
                    self.world.must("invoice_proposal", "discard", number)
            root = self.world.perform([self.world.creation("invoice_proposal", payer="K-1/C-1", until=self.day)])
            self.note("propose", root)
            self.invoice(0)
        self.run("post_costs", day=self.day, until=self.day)
        while self.one(0, "invoice", "paid IN ('open', 'partly_paid') AND open <> 0") is not None:
            self.pay(1)


STEPS = (
    "post", "post", "cancel_approval", "cancel_approval", "recall", "recall", "withdraw", "hand_in", "hand_in", "charge", "adjust", "split", "reverse", "cancel", "hold", "release", "propose", "propose", "change", "change",
    "take_off", "discard", "invoice", "invoice_and_credit", "bill", "bill", "bill", "credit", "credit", "correct", "correct", "pay", "unapply",
    "accrue", "accrue_for_period", "expense", "capitalize", "close", "plan_anew",
)  # fmt: skip


# --- what must hold ---------------------------------------------------------------------------------------------------


def sums(world: World, sql: str) -> dict[str, Decimal]:
    return {str(key): Decimal(amount) for key, amount in world.rows(sql) if amount}


def ledger(world: World, day: str = "2099-12-31") -> dict[str, Decimal]:
    return sums(world, f"SELECT account_key, sum(amount) FROM charter_entry WHERE date <= '{day}' GROUP BY 1")


def balances(world: World) -> list[tuple[Any, ...]]:
    return world.rows(
        "SELECT account_key, category, sum(amount) FROM charter_entry GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2"
    )


def by_category(world: World, where: str) -> dict[str, Decimal]:
    return sums(world, f"SELECT category, sum(amount) FROM charter_entry WHERE account_key IN ({where}) GROUP BY 1")


def agrees(world: World) -> None:
    """Ledger and records say the same, category by category. So profit is what records tell, in whatever order it came about."""
    costs = f"SELECT category, sum(accounting_amount) FROM {TOLD} AND type = 'cost'"
    waiting = sums(world, f"{costs} AND posted_to = 'balance' GROUP BY 1")
    assert by_category(world, "'wip_cost_value', 'wip_cost_value_item'") == waiting
    assert by_category(world, "'cost'") == sums(world, f"{costs} AND posted_to = 'profit_and_loss' GROUP BY 1")
    accrued = sums(world, 'SELECT category, sum(accrued) FROM "transaction" GROUP BY 1')
    assert by_category(world, "'wip_sales_value'") == accrued
    billed = f"SELECT category, sum(accounting_amount) FROM {TOLD} AND type = 'billed_sales' AND billing = 'chargeable' GROUP BY 1"
    revenue = by_category(world, "'invoiced_revenue', 'accrued_revenue_sales_value'")
    assert {c: -a for c, a in revenue.items()} == added(accrued, sums(world, billed))
    owed = sums(world, "SELECT 1, sum(accounting) FROM customer_movement").get("1", 0)
    assert ledger(world).get("customer_balance", 0) == owed


def counts_against_the_budget(world: World) -> None:
    """What stands of cost and of bills counts against the budget that holds, whatever was taken back on the way."""
    for type_, counting in (("cost", "cost"), ("revenue", "billed_sales")):
        used = (
            "SELECT l.class, sum(m.amount) FROM budget_movement m JOIN budget_line l ON l.id = m.budget_line "
            f"WHERE m.kind = 'actual' AND l.state = 'in_force' AND l.type = '{type_}' GROUP BY 1"
        )
        stands = f"SELECT class, sum(accounting_amount) FROM {TOLD} AND type = '{counting}' GROUP BY 1"
        assert sums(world, used) == sums(world, stands)


def counts_once(world: World) -> None:
    """What is approved counts once however often it was taken back, and what is not approved counts nowhere."""
    for record, counting in (("hour_line", "approved"), ("material_usage", "approved"), ("expense_line", "posted")):
        counted = world.rows(
            f"SELECT d.id, (SELECT count(*) FROM \"transaction\" t WHERE t.{record} = d.id AND t.type = 'cost' "
            "AND t.evaluation = 'current' AND t.replaces IS NULL AND t.reverses IS NULL), "
            f'd.state FROM "{record}" d'
        )
        assert all(count == (state == counting) for _, count, state in counted), (record, counted)


def added(one: dict[str, Decimal], other: dict[str, Decimal]) -> dict[str, Decimal]:
    whole = {c: one.get(c, Decimal(0)) + other.get(c, Decimal(0)) for c in {*one, *other}}
    return {c: a for c, a in whole.items() if a}


def no_day_shows_more_than_was_worked(world: World) -> None:
    """On no day is more accrued than is unbilled, nor is an accrual taken back before it was made."""
    for day in (*MONTHS, END):
        unbilled = sums(
            world,
            "SELECT 1, sum(accounting_amount) FROM \"transaction\" WHERE type = 'unbilled_sales' "
            f"AND state IN ('posted', 'entered', 'reversing', 'reversed') AND ledger_date <= '{day}'",
        )
        accrued = ledger(world, day).get("wip_sales_value", Decimal(0))
        assert 0 <= accrued <= unbilled.get("1", 0), (day, accrued, unbilled)


def nothing_is_left(world: World) -> None:
    books = ledger(world)
    for key in ("wip_sales_value", "wip_cost_value", "wip_cost_value_item"):
        assert books.get(key, 0) == 0, key
    unapplied = sums(world, "SELECT 1, sum(unapplied_accounting) FROM customer_payment").get("1", 0)
    assert books.get("customer_balance", 0) == -unapplied
    assert world.rows('SELECT id FROM "transaction" WHERE accrued <> 0') == []
    assert world.rows("SELECT id FROM invoice WHERE open <> 0") == []


@settings(
    max_examples=LIVES,
    deadline=None,
    database=None,
    derandomize=LIVES < 7,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    st.sampled_from(PROFILES),
    st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), min_size=15, max_size=40),
)
def test_a_life_of_any_order(stores: Stores, profile: str, steps: list[tuple[str, int]]) -> None:
    folder = catalog.library().folder("base")
    assert folder is not None
    with stores.memory(folder, scene) as world:
        world.create("profile_rule", number="P-1", method="time_and_material", project="P-1", profile=profile)
        life = Life(world)
        try:
            for name, pick in steps:
                getattr(life, name)(pick)
                agrees(world)
                counts_once(world)
                counts_against_the_budget(world)
            no_day_shows_more_than_was_worked(world)
            life.end()
            agrees(world)
            nothing_is_left(world)
        except AssertionError as error:
            error.add_note("\n".join(life.told))
            raise
