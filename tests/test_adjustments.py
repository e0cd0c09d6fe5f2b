"""What is adjusted and adjusted back leaves ledger and statements as they were, and what cannot be adjusted holds up no other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from charter.engine import catalog
from charter.engine.definitions import Element
from charter.engine.processes import takes_of
from charter.engine.statement_definitions import statement_of
from charter.engine.statement_reports import as_data
from charter.engine.statements import report
from charter.engine.trials import Trial
from support import Stores, World

SCENE = "work_of_three_classes"
GIVEN = {"company": "NORTH", "from": "2026-03-01", "until": "2026-04-30", "day": "2026-04-30"}


@pytest.fixture
def world(stores: Stores) -> Iterator[World]:
    """Hours, an expense and an item of a project whose revenue is accrued, all posted."""
    folder = catalog.library().folder("base")
    assert folder is not None
    with stores.memory(folder) as world:
        document = world.pack.find("test", SCENE)
        assert document is not None
        with world.store.transaction() as session:
            Trial(world.store, world.rules, world.pack, document).given(session, Element(document, (), document.body))
        yield world


def drawn(world: World) -> list[dict[str, Any]]:
    """Every statement of the pack that these words are enough for."""
    found = []
    with world.store.transaction() as session:
        for name in sorted(d.name for d in world.pack.all("statement")):
            statement = statement_of(world.rules.library, name)
            assert statement is not None
            needed = [n for n, f in statement.takes.items() if not f.type.optional]
            if set(needed) <= set(GIVEN):
                given = takes_of(statement.takes, {n: GIVEN[n] for n in needed}, name)
                found.append(without_turnover(as_data(report(session, world.rules, statement, given))))
    return found


def without_turnover(data: dict[str, Any]) -> dict[str, Any]:
    """A report without what was debited and credited: what is taken back has been there, on both sides."""
    for block in data["blocks"]:
        for row in [*block["rows"], *([block["totals"]] if block["totals"] else [])]:
            row["values"] = {n: v for n, v in row["values"].items() if n not in ("debit", "credit")}
    return data


def balances(world: World) -> list[tuple[Any, ...]]:
    return world.rows(
        "SELECT account_key, account, project, category, sum(amount) FROM charter_entry GROUP BY 1, 2, 3, 4 "
        "HAVING sum(amount) <> 0 ORDER BY 1, 2, 3, 4"
    )


def open_ones(world: World) -> list[int]:
    """The transactions that stand, by number."""
    return [row[0] for row in world.rows("SELECT id FROM \"transaction\" WHERE adjustment = 'none' ORDER BY id")]


def test_what_is_adjusted_back_leaves_everything_as_it_was(world: World) -> None:
    before, books = drawn(world), balances(world)
    assert len(before) >= 5
    assert books
    kept = {i: world.field("transaction", i, "quantity") for i in open_ones(world)}
    for number in kept:
        world.must("transaction", "adjust", number, reason="Too much.", new_quantity="0.5", new_price="3.33")
    world.run("post_transactions", until="2026-03-31")
    assert balances(world) != books
    for number in open_ones(world):
        (original,) = world.rows(f'SELECT replaces FROM "transaction" WHERE id = {number}')[0]
        price = world.field("transaction", original, "price")
        world.must(
            "transaction",
            "adjust",
            number,
            reason="It was right.",
            new_quantity=str(kept[original]),
            new_price=str(price),
        )
    world.run("post_transactions", until="2026-03-31")
    assert balances(world) == books
    assert drawn(world) == before


def test_cost_that_was_moved_is_taken_out_from_where_it_stands(world: World) -> None:
    world.run("post_costs_to_balance", day="2026-04-01", until="2026-03-31")
    moved = [n for n in open_ones(world) if world.field("transaction", n, "books") == "moved"]
    assert moved
    cost = [n for n in open_ones(world) if world.field("transaction", n, "type") == "cost"]
    for number in cost:
        world.must("transaction", "adjust", number, reason="Not at all.", new_quantity="0")
    assert [b for b in balances(world) if b[0] in ("cost", "wip_cost_value", "wip_cost_value_item")] == []


def test_a_split_comes_to_what_it_was(world: World) -> None:
    books = balances(world)
    for number in open_ones(world):
        quantity = world.field("transaction", number, "quantity")
        world.must("transaction", "split", number, reason="Two parts.", part=str(round(quantity / 3, 2)))
    world.run("post_transactions", until="2026-03-31")
    assert balances(world) == books


def test_what_cannot_be_adjusted_holds_up_no_other(world: World) -> None:
    numbers = open_ones(world)
    sales = next(n for n in numbers if world.field("transaction", n, "billed") == "ready")
    world.must("transaction", "hold", sales, reason="In dispute.")
    done = world.perform(
        [world.request("transaction", "adjust", n, reason="Half.", new_quantity="0.5") for n in numbers]
    )
    assert [n for n, root in zip(numbers, done, strict=True) if root.reasons] == [sales]
