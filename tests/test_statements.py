"""Statements add up what was posted, in one query for each measure and period, the same in every database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from charter.engine import catalog
from charter.engine.application import Charter, rules_of
from charter.engine.batch import Batch, Clock
from charter.engine.definitions import Element
from charter.engine.errors import InvalidInput, UsageFault
from charter.engine.firings import Actor, Request
from charter.engine.model import NUMBER
from charter.engine.money import shown
from charter.engine.notation import KeyText
from charter.engine.processes import selected, takes_of
from charter.engine.queries import Joined
from charter.engine.statement_definitions import statement_of
from charter.engine.statement_reports import VERSION, Block, Column, Report, Row, as_data, as_table
from charter.engine.statements import report
from charter.engine.store import Session, Store
from charter.engine.trials import Trial
from sqlalchemy import select

CLOCK = Clock("2026-03-31T12:00:00.000000Z")
ANYONE = Actor(None, "test", "test", frozenset(), unbound=True)
MARCH = {"company": "NORTH", "from": "2026-03-01", "until": "2026-03-31"}

# A pack of another field, without a ledger: shops in regions, and what they sell.
PACK = """
pack: shops
doc: What shops sell.
version: 1.0.0
author: tests
from: 2020-01-01
currencies: {EUR: 2, USD: 2, JPY: 0}
"""
RECORDS = """
record: shop
doc: A shop.
key: [number]
name: name
workflows: [shop]
fields:
  number:   {type: text, doc: Its number.}
  name:     {type: text, doc: What it is called.}
  currency: {one_of: [EUR, USD, JPY], doc: The currency that it takes.}
  size:     {one_of: [small, large, huge], optional: true, doc: How large it is.}
  opened:   {type: date, doc: The first day.}
---
record: sale
doc: Something sold.
key: [number]
dated_by: day
currency: shop.currency
workflows: [sale]
fields:
  number:  {type: whole, doc: Its number.}
  shop:    {ref: shop, doc: Where it was sold.}
  sent_to: {ref: shop, optional: true, doc: The shop that it was sent to.}
  day:     {type: date, doc: The day of the sale.}
  goods:   {type: text, doc: What was sold.}
  amount:  {type: money, doc: What it was sold for.}
  cost:    {type: money, doc: What it cost.}
---
workflow: shop
doc: A shop opens.
of: shop
states: {open: {doc: It sells., final: true}}
transitions:
  - {event: create, doc: A new shop., from: nothing, to: open, who: {role: administrator},
     takes: [number, name, currency, size, opened]}
---
workflow: sale
doc: A sale is made.
of: sale
states: {made: {doc: It was made., final: true}}
transitions:
  - {event: create, doc: A new sale., from: nothing, to: made, who: {role: administrator},
     takes: [number, shop, sent_to, day, goods, amount, cost]}
---
measure: sales
doc: What was sold.
of: sale
sum: amount
by: [shop, goods]
dated_by: day
---
measure: cost
doc: What it cost.
of: sale
sum: cost
by: {place: shop}
dated_by: day
---
measure: sent
doc: What was sent about.
of: sale
sum: amount
by: {origin: shop, target: sent_to}
dated_by: day
---
measure: sent_to
doc: What was sent to a shop.
of: sale
sum: amount
by: {shop: sent_to}
dated_by: day
---
measure: pieces
doc: How many sales were made.
of: sale
count: true
by: [shop, goods]
dated_by: day
---
measure: double
doc: Twice what was sold.
of: sale
sum: amount * 2 + 0
by: [shop]
dated_by: day
---
measure: half
doc: Half of what was sold.
of: sale
sum: amount * 0.5
by: [shop]
dated_by: day
"""
SHOPS = [
    # number, name, currency, size, opened
    ("B", "Beach", "EUR", "large", "2026-02-01"),
    ("a", "Airport", "EUR", None, "2026-01-01"),
    ("C", "Centre", "EUR", "small", "2026-01-01"),
    ("D", "Dock", "USD", "huge", "2026-01-01"),
]
SALES = [
    # shop, day, goods, amount, cost
    ("B", "2025-12-31", "tea", "100.00", "40.00"),
    ("B", "2026-01-31", "tea", "10.10", "4.00"),
    ("B", "2026-02-01", "cake", "20.20", "8.00"),
    ("B", "2026-03-31", "tea", "30.30", "12.00"),
    ("B", "2026-04-01", "tea", "999.99", "1.00"),
    ("a", "2026-03-01", "tea", "0.10", "0.20"),
]
FIGURES = "figures: [{name: sold, title: Sold, measure: sales}, {name: cost, title: Cost, measure: cost}]"
MONTHS = """
statement: months
doc: What a shop sold, month by month.
takes: {from: {type: date, doc: First.}, until: {type: date, doc: Last.}, goods: {type: text, optional: true, doc: Of.}}
each: {month: [from, until]}
figures_as: rows
figures:
  - {name: sold,   title: Sold,   measure: sales, over: column}
  - {name: cost,   title: Cost,   measure: cost,  over: column}
  - {name: margin, title: Margin, formula: sold - cost, total: sum}
  - {name: rate,   title: Rate,   formula: margin / sold if sold != 0 else none}
  - {name: ever,   title: So far, measure: sales, at: column}
  - {name: first,  title: Before, measure: sales, at: before from}
for_each: {of: shop, where: "currency == 'EUR'"}
totals: true
"""


Shops: TypeAlias = "Callable[..., World]"


@dataclass
class World:
    """A store with a pack in it, and an open transaction."""

    store: Store
    pack: catalog.Pack
    session: Session

    def __post_init__(self) -> None:
        self.rules = rules_of(self.pack)

    def create(self, record: str, **values: Any) -> None:
        batch = Batch(self.rules, self.store, ANYONE, CLOCK, one_login=True)
        (root,) = batch.piece(self.session, [Request(record, "create", None, values)])
        assert not root.reasons

    def report(self, name: str, **given: str) -> Report:
        statement = statement_of(self.rules.library, name)
        assert statement is not None
        return report(self.session, self.rules, statement, takes_of(statement.takes, given, name))

    def statements(self, name: str, **given: str) -> int:
        before = self.store.statements
        self.report(name, **given)
        return int(self.store.statements - before)


@contextmanager
def opened(url: str, pack: catalog.Pack) -> Iterator[World]:
    store = Store(url)
    Charter(store, "test", CLOCK).init(pack, "administrator", demonstration=True)
    with store.transaction() as session:
        yield World(store, pack, session)
    store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own."""
    return "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("own_database"))


@pytest.fixture
def base(url: str) -> Iterator[World]:
    """The base pack with eight hours posted."""
    folder = catalog.library().folder("base")
    assert folder is not None
    with opened(url, catalog.load(folder)) as world:
        post_transactions(world)
        yield world


def post_transactions(world: World) -> None:
    given(world, "hours_posted")


def given(world: World, scene: str) -> None:
    """What a rule test of the base pack is given."""
    document = world.pack.find("test", scene)
    assert document is not None
    Trial(world.store, world.rules, world.pack, document).given(world.session, Element(document, (), document.body))


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """Makes a store of the shops, with statements that are given as text."""
    with ExitStack() as stack:

        def make(statements: str, url: str = "sqlite://") -> World:
            folder = tmp_path / uuid4().hex
            folder.mkdir()
            for name, content in {"pack": PACK, "records": RECORDS, "statements": statements}.items():
                (folder / f"{name}.yaml").write_text(content)
            world = stack.enter_context(opened(url, catalog.load(folder)))
            fill(world)
            return world

        yield make


def fill(world: World) -> None:
    for number, name, currency, size, opened_on in SHOPS:
        day = date.fromisoformat(opened_on)
        world.create("shop", number=number, name=name, currency=currency, size=size, opened=day)
    for index, (shop, day_sold, goods, amount, cost) in enumerate(SALES, 1):
        sell(world, index, shop, day_sold, goods, amount, cost)


def sell(world: World, number: int, shop: str, day: str, goods: str, amount: str, cost: str = "0", **more: str) -> None:
    keys = {name: KeyText(key) for name, key in {"shop": shop, **more}.items()}
    world.create("sale", number=number, day=date.fromisoformat(day), goods=goods, amount=Decimal(amount),
                 cost=Decimal(cost), **keys)  # fmt: skip


def values(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {row.key: [v if v is None or isinstance(v, str) else shown(v) for v in row.values]
            for row in rows}  # fmt: skip


def in_process(world: World, order: tuple[str, ...]) -> list[int]:
    """The shops as a process would take them."""
    record = world.rules.library.record("shop")
    assert record is not None
    return list(selected(world.session, Joined(world.rules.library, world.rules.metadata, record), None, order))


def ids(world: World, *numbers: str) -> list[int]:
    shop = world.rules.metadata.tables["shop"]
    found = {number: id_ for id_, number in world.session.rows(select(shop.c.id, shop.c.number))}
    return [found[number] for number in numbers]


def block(drawn: Report, key: str = "") -> Block:
    return next(b for b in drawn.blocks if b.key == key)


def of_shops(more: str = "", each: str = "{of: shop, where: \"currency == 'EUR'\"}", figures: str = FIGURES) -> str:
    return f"statement: of_shops\ndoc: Shops.\neach: {each}\n{figures}\n{more}\n"


def figures(*lines: str) -> str:
    return "figures:\n" + "\n".join(f"  - {{title: T, {line}}}" for line in lines)


def table(drawn: Report) -> list[tuple[str, ...]]:
    return list(as_table(drawn)[1])


@pytest.mark.parametrize("measure", ["sales", "double"])
def test_a_sum_that_cannot_be_kept_is_told_with_its_measure(shops: Shops, url: str, measure: str) -> None:
    """In the same words on every database, whatever that does with too large a number."""
    world = shops(of_shops(figures=figures(f"name: sold, measure: {measure}")), url)
    assert world.report("of_shops").blocks
    for number in (1001, 1002):
        sell(world, number, "B", "2026-03-01", "tea", "800000000000000")
    words = rf"records\.yaml:\d+:1: The sum of the measure `{measure}` is beyond what can be kept: between -922337203685477\.58"
    with pytest.raises(InvalidInput, match=words), world.session.connection.begin_nested():
        world.report("of_shops")


# --- the base pack ---------------------------------------------------------------------------------------------------


def test_trial_balance(base: World) -> None:
    """What was posted stands on both sides, accounts without movement are left out, and the check holds."""
    drawn = base.report("trial_balance", **MARCH)
    assert table(drawn) == [
        ("5000", "Cost of project work", "0.00", "800.00", "0.00", "800.00"),
        ("6900", "Payroll allocated to projects", "0.00", "0.00", "800.00", "-800.00"),
        ("Total", "", "0.00", "800.00", "800.00", "0.00"),
    ]
    assert (drawn.title, drawn.labels, block(drawn).currency, drawn.checks) == (
        "Trial balance",
        ("Account", "Name"),
        "EUR",
        (),
    )


def test_opening_is_what_was_before(base: World) -> None:
    """A month later the movement of March is the opening."""
    drawn = base.report("trial_balance", **MARCH | {"from": "2026-04-01", "until": "2026-04-30"})
    assert values(block(drawn).rows) == {"5000": ["800", "0", "0", "800"], "6900": ["-800", "0", "0", "-800"]}


def test_nothing_posted_yet(base: World) -> None:
    """Without anything there are no lines; the totals are zero in the currency of the company."""
    drawn = base.report("trial_balance", **MARCH | {"from": "2025-01-01", "until": "2025-12-31"})
    assert table(drawn) == [("Total", "", "0.00", "0.00", "0.00", "0.00")]
    assert block(drawn).currency == "EUR"


def test_project_statement(base: World) -> None:
    """Projects without hours are left out; the margin is added up."""
    drawn = base.report("project_statement", **MARCH)
    assert values(block(drawn).rows) == {"P-1": ["8", "8", "800", "1600", "0", "800", "800"]}
    assert block(drawn).rows[0].label == ("P-1", "Design of the quay wall")
    assert block(drawn).totals is not None


def test_customers_and_their_ledger_agree() -> None:
    """Of an invoice of 1,920 that is due on 14 April 1,000 are paid; both ledgers of customers say 920."""
    folder = catalog.library().folder("base")
    assert folder is not None
    with opened("sqlite://", catalog.load(folder)) as world:
        given(world, "paid_in_part")
        drawn = world.report("customer_balances", company="NORTH", until="2026-04-30")
        assert drawn.checks == ()
        assert [(r.key, r.values[:2]) for r in drawn.blocks[0].rows] == [
            ("C-1", (Decimal("920.00"), Decimal("920.00")))
        ]
        aged = world.report("open_items", company="NORTH", until="2026-05-31")
        assert [[shown(v, 2) if isinstance(v, Decimal) else v for v in r.values] for r in aged.blocks[0].rows] == [
            ["2026-04-14", "920.00", 47, "0.00", "0.00", "920.00", "0.00", "0.00"]
        ]
        before = world.report("open_items", company="NORTH", until="2026-04-01")
        assert [r.values[1:4] for r in before.blocks[0].rows] == [(Decimal("1920.00"), 0, Decimal("1920.00"))]


def test_invoices_that_were_taken_over_age_by_their_own_dates() -> None:
    """An invoice of the books before, due on 20 December, stands in both ledgers of customers and is 71 days overdue."""
    folder = catalog.library().folder("base")
    assert folder is not None
    with opened("sqlite://", catalog.load(folder)) as world:
        given(world, "opening_with_invoices_posted")
        drawn = world.report("customer_balances", company="NORTH", until="2026-03-01")
        assert drawn.checks == ()
        assert [r.values[:2] for r in drawn.blocks[0].rows] == [(Decimal("900.00"), Decimal("900.00"))]
        aged = world.report("open_items", company="NORTH", until="2026-03-01")
        assert [r.values[:3] for r in aged.blocks[0].rows] == [("2025-12-20", Decimal("900.00"), 71)]


def test_queries_do_not_grow_with_the_lines(shops: Shops) -> None:
    """Forty shops with sales take as many queries as one."""
    world = shops(of_shops())
    before = world.statements("of_shops")
    for number in range(100, 140):
        world.create("shop", number=str(number), name="S", currency="EUR", opened=date(2026, 1, 1))
        sell(world, number, str(number), "2026-01-01", "tea", "1")
    assert before == world.statements("of_shops") == 3  # the shops and two measures
    assert len(block(world.report("of_shops")).rows) == 43


def test_a_company_that_is_not_there(base: World) -> None:
    with pytest.raises(UsageFault, match="There is no company `SOUTH`"):
        base.report("trial_balance", **MARCH | {"company": "SOUTH"})


# --- months ----------------------------------------------------------------------------------------------------------


def test_months(shops: Shops, url: str) -> None:
    """Movements fall in their month, balances go on, a rate's total is that of the totals."""
    world = shops(MONTHS, url)
    drawn = world.report("months", **{"from": "2026-01-15", "until": "2026-03-02"})
    assert [c.name for c in drawn.columns] == ["2026-01", "2026-02", "2026-03", "total"]
    assert values(block(drawn, "B").rows) == {
        "sold": ["10.1", "20.2", "30.3", "60.6"],
        "cost": ["4", "8", "12", "24"],
        "margin": ["6.1", "12.2", "18.3", "36.6"],
        "rate": ["0.60396", "0.60396", "0.60396", "0.60396"],
        "ever": ["110.1", "130.3", "160.6", "160.6"],
        "first": ["100", "100", "100", "100"],
    }
    assert values(block(drawn, "a").rows)["rate"] == [None, None, "-1", "-1"]
    assert [b.heading for b in drawn.blocks] == ["B Beach", "C Centre", "a Airport"]
    assert values(block(drawn, "C").rows)["sold"] == ["0", "0", "0", "0"]


def test_first_is_a_day_not_a_month(shops: Shops) -> None:
    """`before from` counts up to the day itself, while a column is always a whole month."""
    drawn = shops(MONTHS).report("months", **{"from": "2026-02-02", "until": "2026-02-02"})
    found = values(block(drawn, "B").rows)
    assert (found["first"], found["sold"]) == (["130.3", "130.3"], ["20.2", "20.2"])


def test_what_is_given_narrows(shops: Shops) -> None:
    """A measure with `goods` follows what is given by that name, another does not."""
    drawn = shops(MONTHS).report("months", **{"from": "2026-02-01", "until": "2026-02-28", "goods": "tea"})
    assert [values(block(drawn, "B").rows)[name][0] for name in ("sold", "cost")] == ["0", "8"]


def test_month_queries_do_not_grow(shops: Shops) -> None:
    world = shops(MONTHS)
    short = world.statements("months", **{"from": "2026-01-01", "until": "2026-01-31"})
    assert short == world.statements("months", **{"from": "2016-01-01", "until": "2026-12-31"}) == 5


def test_tables_of_nothing_are_left_out(shops: Shops) -> None:
    left_out = MONTHS.replace("month: [from, until]}", "month: [from, until], empty: left_out}").replace(
        "at: before from", "over: column"
    )
    drawn = shops(left_out).report("months", **{"from": "2026-02-01", "until": "2026-04-30"})
    assert [b.key for b in drawn.blocks] == ["B", "a"]
    assert len(drawn.columns) == 4


def test_weeks(shops: Shops, url: str) -> None:
    """Weeks are whole and begin on Monday, over the turn of a year, too; before the first one is what a balance begins with."""
    world = shops(MONTHS.replace("month: [", "week: ["), url)
    drawn = world.report("months", **{"from": "2026-01-27", "until": "2026-02-03"})
    assert [c.name for c in drawn.columns] == ["2026-01-26", "2026-02-02", "total"]
    found = values(block(drawn, "B").rows)
    assert (found["sold"], found["ever"]) == (["30.3", "0", "30.3"], ["130.3", "130.3", "130.3"])
    turn = world.report("months", **{"from": "2025-12-31", "until": "2025-12-31"})
    assert (turn.columns[0].name, values(block(turn, "B").rows)["sold"]) == ("2025-12-29", ["100", "100"])


@pytest.mark.parametrize("days", [{"from": "2026-03-01", "until": "2026-02-28"}])
def test_backwards(shops: Shops, days: dict[str, str]) -> None:
    with pytest.raises(InvalidInput, match="The first day, 2026-03-01, is after the last, 2026-02-28"):
        shops(MONTHS).report("months", **days)


# --- lines -----------------------------------------------------------------------------------------------------------


def test_order(shops: Shops, url: str) -> None:
    """By code point, choices as they are declared, none first: whatever the database, and as in a process."""
    by_key = of_shops(each="{of: shop}", figures=figures("name: n, measure: pieces"))
    by_size = by_key.replace("of_shops", "by_size").replace("{of: shop}", "{of: shop, order: [size, number]}")
    world = shops(f"{by_key}---\n{by_size}", url)
    assert [r.key for r in block(world.report("of_shops")).rows] == ["B", "C", "D", "a"]
    assert [r.key for r in block(world.report("by_size")).rows] == ["a", "C", "B", "D"]
    by_number, by_size_first = (in_process(world, order) for order in (("number",), ("size", "number")))
    assert by_number == ids(world, "B", "C", "D", "a")
    assert by_size_first == ids(world, "a", "C", "B", "D")


def test_left_out(shops: Shops) -> None:
    """A line whose figures are all zero is not shown, but it is when nothing is said."""
    every = of_shops()
    left_out = every.replace("'EUR'\"}", "'EUR'\", empty: left_out}")
    assert [r.key for r in block(shops(every).report("of_shops")).rows] == ["B", "C", "a"]
    assert [r.key for r in block(shops(left_out).report("of_shops")).rows] == ["B", "a"]


def test_a_field_of_the_record_and_a_formula_of_it(shops: Shops, url: str) -> None:
    """It is no reason to show a line of nothing, and has no total."""
    statement = """
        statement: ages
        doc: How old shops are.
        takes: {until: {type: date, doc: Last.}}
        each: {of: shop, where: "currency == 'EUR'", order: [number], empty: left_out}
        figures_as: columns
        figures:
          - {name: opened, title: Opened, field: opened}
          - {name: size,   title: Size,   field: size}
          - {name: sold,   title: Sold,   measure: sales, at: until}
          - {name: lately, title: Lately, formula: "sold if days_between(opened, until) < 60 else 0", total: sum}
        totals: true
        """
    drawn = shops(statement, url).report("ages", until="2026-03-01")
    (table,) = drawn.blocks
    assert [(r.key, r.values) for r in table.rows] == [
        ("B", ("2026-02-01", "large", Decimal("130.30"), Decimal("130.30"))),
        ("a", ("2026-01-01", None, Decimal("0.10"), Decimal("0.10"))),
    ]
    assert table.totals is not None
    assert table.totals.values == (None, None, Decimal("130.40"), Decimal("130.40"))


def test_filter_with_what_is_given(shops: Shops, url: str) -> None:
    """`this.shop.opened` is behind a record that was given; a bare name is the field of the record looked at."""
    statement = of_shops(each='{of: shop, where: "opened >= this.shop.opened and currency == this.currency"}')
    takes = "takes: {shop: {ref: shop, doc: S.}, currency: {type: text, doc: C.}}"
    world = shops(f"{statement}{takes}\n", url)
    assert [r.key for r in block(world.report("of_shops", shop="B", currency="EUR")).rows] == ["B"]
    assert [r.key for r in block(world.report("of_shops", shop="C", currency="EUR")).rows] == ["B", "C", "a"]


def test_dates_behind_a_record(shops: Shops) -> None:
    """A period may be that of a record that was given."""
    statement = of_shops(figures=figures("name: sold, measure: sales, over: [shop.opened, until]"))
    takes = "takes: {shop: {ref: shop, doc: S.}, until: {type: date, optional: true, doc: U.}}"
    world = shops(f"{statement}{takes}\n")
    assert values(block(world.report("of_shops", shop="B", until="2026-03-30")).rows)["B"] == ["20.2"]
    assert values(block(world.report("of_shops", shop="B")).rows)["B"] == ["1050.49"]


def test_records_as_columns(shops: Shops) -> None:
    drawn = shops(of_shops("figures_as: rows\ntotals: true")).report("of_shops")
    assert [c.title for c in drawn.columns] == ["B Beach", "C Centre", "a Airport", "Total"]
    assert values(block(drawn).rows)["cost"] == ["65", "0", "0.2", "65.2"]


# --- binding ---------------------------------------------------------------------------------------------------------


def test_bound_by_type(shops: Shops) -> None:
    """`place` refers to a shop and nothing else does, so it tells the lines apart."""
    assert values(block(shops(of_shops()).report("of_shops")).rows)["a"] == ["0.1", "0.2"]


def test_bound_by_name_along_another_field(shops: Shops) -> None:
    """What a `by` is called decides, not the field that it comes from."""
    world = shops(of_shops(figures=figures("name: got, measure: sent_to")))
    sell(world, 90, "B", "2026-01-01", "tea", "7", sent_to="C")
    assert values(block(world.report("of_shops")).rows) == {"B": ["0"], "C": ["7"], "a": ["0"]}


def test_which_of_two(shops: Shops) -> None:
    """Two names may mean the line: nobody guesses."""
    with pytest.raises(InvalidInput, match="could be by origin or target, so it cannot be told for each shop"):
        shops(of_shops(figures=figures("name: sent, measure: sent"))).report("of_shops")


def test_one_of_two_is_given(shops: Shops) -> None:
    """What is given by name is not the line, so the other is."""
    statement = of_shops("takes: {target: {ref: shop, doc: T.}}", figures=figures("name: sent, measure: sent"))
    world = shops(statement)
    sell(world, 90, "B", "2026-01-01", "tea", "7", sent_to="C")
    assert values(block(world.report("of_shops", target="C")).rows)["B"] == ["7"]


def test_a_measure_that_does_not_know_the_line(shops: Shops) -> None:
    """The same total in every line would be a lie when they are added."""
    every = "---\nmeasure: every\ndoc: All.\nof: sale\nsum: amount\nby: [goods]\n"
    with pytest.raises(InvalidInput, match=r"`every` is by goods, so it cannot be told for each shop"):
        shops(of_shops(figures=figures("name: all_sold, measure: every")) + every).report("of_shops")


def test_given_of_another_type(shops: Shops) -> None:
    statement = of_shops("takes: {goods: {type: date, doc: G.}}")
    with pytest.raises(InvalidInput, match=r"`goods` of the measure `sales` is text, what .* by that name is date"):
        shops(statement).report("of_shops", goods="2026-01-01")


# --- currencies ------------------------------------------------------------------------------------------------------


def test_currencies_are_not_added(shops: Shops, url: str) -> None:
    """Euros and dollars in one column are refused, by name; where only one moved there is nothing to add."""
    world = shops(of_shops(each="{of: shop}"), url)
    assert block(world.report("of_shops")).currency == "EUR"
    sell(world, 90, "D", "2026-01-01", "tea", "7")
    with pytest.raises(InvalidInput, match="Of shops would add money in EUR and USD"):
        world.report("of_shops")


def test_currencies_of_records_left_aside(shops: Shops) -> None:
    """What the statement is not about does not count."""
    world = shops(of_shops())
    sell(world, 90, "D", "2026-01-01", "tea", "7")
    assert block(world.report("of_shops")).currency == "EUR"


def test_a_currency_for_each_table(shops: Shops) -> None:
    """Tables are not added to each other; each shows its own minor unit."""
    world = shops(MONTHS.replace("currency == 'EUR'", "currency != 'EUR'"))
    world.create("shop", number="E", name="East", currency="JPY", opened=date(2026, 1, 1))
    sell(world, 90, "D", "2026-01-01", "tea", "7", "2")
    sell(world, 91, "E", "2026-01-01", "tea", "700", "200")
    drawn = world.report("months", **{"from": "2026-01-01", "until": "2026-01-31"})
    assert [(b.key, b.currency, as_table(drawn, b)[1][0][1]) for b in drawn.blocks] == [
        ("D", "USD", "7.00"),
        ("E", "JPY", "700"),
    ]


def test_counts_have_no_currency(shops: Shops) -> None:
    world = shops(of_shops("totals: true", "{of: shop}", figures("name: n, measure: pieces")))
    sell(world, 90, "D", "2026-01-01", "tea", "7")
    drawn = world.report("of_shops")
    totals = block(drawn).totals
    assert totals is not None
    assert (totals.values, block(drawn).currency) == ((7,), None)


# --- formulas, totals, checks ----------------------------------------------------------------------------------------

SOLD, COST = "name: sold, measure: sales", "name: cost, measure: cost"


def test_money_is_rounded_where_it_is_named(shops: Shops) -> None:
    """A third of 0.10 is 0.03, and the next formula goes on from there."""
    third = figures(SOLD, "name: most, formula: third * 3", "name: third, formula: sold / 3")
    row = block(shops(of_shops(figures=third)).report("of_shops")).rows[2]
    assert (row.key, row.values) == ("a", (Decimal("0.10"), Decimal("0.09"), Decimal("0.03")))


def test_scale_of_a_sum(shops: Shops, url: str) -> None:
    """A measure that multiplies gives what it says, and is refused where a digit could be lost."""
    world = shops(of_shops(figures=figures("name: double, measure: double")), url)
    assert values(block(world.report("of_shops")).rows)["a"] == ["0.2"]
    with pytest.raises(InvalidInput, match=r"records\.yaml:\d+:6: .* more digits than the 4 that are kept of money"):
        shops(of_shops(figures=figures("name: half, measure: half"))).report("of_shops")


def test_formula_sees_what_is_given(shops: Shops) -> None:
    takes = "takes: {rate: {type: number, doc: R.}}"
    world = shops(of_shops(takes, figures=figures(SOLD, "name: tax, formula: sold * rate")))
    assert values(block(world.report("of_shops", rate="0.19")).rows)["B"] == ["1160.59", "220.51"]


def test_division_by_zero(shops: Shops) -> None:
    """It is said where the formula stands and of which line."""
    world = shops(of_shops(figures=figures(COST, "name: rate, formula: 1 / cost")))
    with pytest.raises(InvalidInput, match=r"statements\.yaml:6:\d+: T of C Centre: A division by zero"):
        world.report("of_shops")


def test_totals(shops: Shops) -> None:
    """Sum, last, formula and none; what needs a figure without total has none either."""
    asked = figures(
        SOLD, f"{COST}, total: last", "name: margin, formula: sold - cost",
        "name: parts, formula: sold - cost, total: sum",
        "name: own, measure: pieces, total: none", "name: each_one, formula: own * 2",
        "name: rate, formula: cost / sold if sold != 0 else none, total: sum",
    )  # fmt: skip
    totals = block(shops(of_shops("totals: true", figures=asked)).report("of_shops")).totals
    assert totals is not None
    assert values([totals])[""] == ["1160.69", "0.2", "1160.49", "1095.49", None, None, "2.056006"]


def test_check(shops: Shops) -> None:
    """A check that fails is told with its place and the totals that it is about."""
    holds = of_shops("check: sold > cost")
    fails = of_shops("check: sold == cost")
    assert shops(holds).report("of_shops").checks == ()
    (words,) = shops(fails).report("of_shops").checks
    assert words.partition("statements.yaml:5:8: ")[2] == (
        "The check does not hold: sold == cost. In total sold is 1160.69, cost is 65.2."
    )


def test_check_of_each_table(shops: Shops) -> None:
    drawn = shops(MONTHS + "check: cost < sold\n").report("months", **{"from": "2026-03-01", "until": "2026-03-31"})
    assert [words.partition(": ")[2].partition(":")[0] for words in drawn.checks] == [
        "The check of C Centre does not hold",
        "The check of a Airport does not hold",
    ]


def test_check_of_no_total(shops: Shops) -> None:
    asked = of_shops("check: sold > 0", figures=figures(f"{SOLD}, total: none"))
    with pytest.raises(InvalidInput, match="The check is about sold, which has no total"):
        shops(asked).report("of_shops")


# --- as text and as data ---------------------------------------------------------------------------------------------


def test_as_table(shops: Shops) -> None:
    """Tables stand below each other, or alone; numbers stand to the right."""
    drawn = shops(MONTHS).report("months", **{"from": "2026-03-01", "until": "2026-03-31"})
    headings, rows = as_table(drawn)
    assert [(h.title, h.right) for h in headings] == [
        ("Shop", False), ("", False), ("2026-03", True), ("Total", True),
    ]  # fmt: skip
    assert rows[:2] == [("B Beach", "Sold", "30.30", "30.30"), ("B Beach", "Cost", "12.00", "12.00")]
    assert as_table(drawn, drawn.blocks[1])[1][3] == ("Rate", "", "")


def test_as_data(base: World) -> None:
    """JSON holds the exact amounts as texts."""
    data = json.loads(json.dumps(as_data(base.report("trial_balance", **MARCH))))
    assert (data["version"], data["statement"], data["given"]) == (VERSION, "trial_balance", MARCH)
    assert data["columns"][0] == {"name": "opening", "title": "Opening", "type": "money", "show": None}
    (found,) = data["blocks"]
    assert found["currency"] == "EUR"
    assert found["rows"][1] == {
        "key": "6900",
        "label": ["6900", "Payroll allocated to projects"],
        "values": {"opening": "0", "debit": "0", "credit": "800", "closing": "-800"},
    }
    assert found["totals"]["values"]["debit"] == "800"


def test_percent() -> None:
    """`show` is a hint to whoever prints; the value stays a ratio."""
    row = Row("k", ("k",), (Decimal("0.125"),))
    columns, alone = (Column("rate", "Rate", NUMBER, "percent"),), Block("", "", None, 2, (row,), None)
    drawn = Report("s", "S", "", (), ("K",), "", columns, (alone,), ())
    assert table(drawn) == [("k", "12.5 %")]
    assert as_data(drawn)["blocks"][0]["rows"][0]["values"] == {"rate": "0.125"}
