"""What waits for somebody: as the engine would allow it, since when, over how much, late ones first."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from charter.engine.application import Charter
from charter.engine.catalog import load
from charter.engine.waiting import Group, waiting_for
from support import DEPOT, World, clock, grant, ordered
from test_delegation import delegate


def waits_for(world: World, who: str, day: str = "2026-03-31") -> list[Group]:
    charter, actor = Charter(world.store, "test", clock(day)), world.actor(who)
    # Read before the transaction is open.
    assert (charter.rules.hash, charter.is_demonstration) == (world.rules.hash, True)
    with world.store.reading() as session:
        return waiting_for(charter, session, actor)


def in_short(world: World, who: str) -> list[tuple[object, ...]]:
    return [(g.acting_for, g.state, *g.events, len(g.items)) for g in waits_for(world, who)]


def test_what_waits_is_told_with_age_and_amount(everywhere: World) -> None:
    """Of ann's depot alone; the order that she checked herself waits for somebody else."""
    grant(everywhere, "bob", "keeper", "depot/N")
    for number, checker in (("1", "bob"), ("2", None), ("3", "ann")):
        ordered(everywhere, number, lines=[("A", number), ("C", "1")])
        everywhere.must("order", "check", number, checker)
    ordered(everywhere, "S", depot="S")
    everywhere.must("order", "check", "S")
    ordered(everywhere, "draft")
    (group,) = waits_for(everywhere, "ann")
    assert (group.acting_for, group.record.name, group.state, group.events) == (None, "order", "checked", ("approve",))
    assert [everywhere.field("order", item.id, "number") for item in group.items] == ["1", "2"]
    assert [(item.days, item.amount, item.currency) for item in group.items] == [
        (0, Decimal("10.01"), "EUR"), (0, Decimal("20.01"), "EUR")
    ]  # fmt: skip
    assert group.amounts == {"EUR": Decimal("30.02")}
    assert in_short(everywhere, "bob") == [(None, "checked", "approve", 3)], "2, 3 and that of his own depot"
    assert in_short(everywhere, "cyd") == []
    everywhere.must("order", "approve", "2")
    assert in_short(everywhere, "cyd") == [(None, "approved", "send", "reopen", 1)]


def test_what_somebody_else_delegated_is_told_apart(depot: World) -> None:
    """What neither eve nor ann may approve waits for neither."""
    delegate(depot, "eve", "ann")
    delegate(depot, "eve", "cyd", covers="where_named")
    for number, taker in (("1", None), ("2", "ann"), ("3", "eve"), ("4", "bob")):
        ordered(depot, number, taker=taker)
        depot.must("order", "check", number)
    ordered(depot, "5")
    depot.must("order", "check", "5", "eve")
    (group,) = waits_for(depot, "eve")
    assert group.acting_for == "ann"
    assert [depot.field("order", item.id, "number") for item in group.items] == ["1", "4"]


def test_what_is_late_comes_first(depot: World) -> None:
    grant(depot, "ann", "clerk")
    for number in ("1", "2"):
        ordered(depot, number)
        depot.must("order", "check", number)
    depot.must("order", "approve", "2")
    assert [(g.state, g.late, g.late_after) for g in waits_for(depot, "ann", "2026-04-06")] == [
        ("checked", 1, 5), ("approved", 0, 9)
    ]  # fmt: skip
    assert [g.late for g in waits_for(depot, "ann", "2026-04-05")] == [0, 0], "five days are no more than five"
    assert [g.late for g in waits_for(depot, "ann", "2026-04-10")] == [1, 1]


def test_age_begins_anew_with_the_state(depot: World) -> None:
    """Another event that stays in the state does not make it younger."""
    ordered(depot)
    depot.must("order", "check", "1")
    depot.today = "2026-04-07"
    depot.must("order", "endorse", "1")
    assert waits_for(depot, "ann", "2026-04-08")[0].items[0].days == 8
    depot.must("order", "reopen", "1")
    depot.must("order", "check", "1")
    assert waits_for(depot, "ann", "2026-04-08")[0].items[0].days == 1


@pytest.mark.parametrize("who", ["ann", "eve"])
def test_many_are_found_by_as_many_statements_as_few(depot: World, who: str) -> None:
    delegate(depot, "eve", "ann")

    def statements(more: range) -> int:
        for number in more:
            ordered(depot, str(number))
            depot.must("order", "check", str(number))
        before = depot.store.statements
        (group,) = waits_for(depot, who)
        assert len(group.items) == more.stop
        return depot.store.statements - before

    assert statements(range(1)) == statements(range(1, 12))


CASES = """
pack: top
doc: More.
version: 0.1.0
extends: {depot}
from: 2020-01-01
---
record: case
doc: A case of one of two kinds, each of which lives by a workflow of its own.
key: [number]
workflows: [case, case_plain, case_odd]
fields:
  number: {{type: text, doc: The number.}}
  depot:  {{ref: depot, doc: Where.}}
  kind:   {{one_of: [plain, odd], doc: What kind.}}
---
workflow: case
doc: What is the same for all.
of: case
states: {{open: {{doc: Is open., waits_for: close}}, closed: {{doc: Is closed., final: true}}}}
transitions:
  - {{event: create, doc: A new case., from: nothing, to: open, who: {{role: clerk}}, takes: [number, depot, kind]}}
---
workflow: case_plain
doc: A clerk closes it.
of: case
when: {{kind: plain}}
states: {{held: {{doc: Is held., waits_for: let_go}}}}
transitions:
  - {{event: close, name: close_plain, doc: Done., from: open, to: closed, who: {{role: clerk}}}}
  - {{event: hold, name: hold_plain, doc: Later., from: open, to: held, who: {{role: clerk}}}}
  - {{event: let_go, name: let_go_plain, doc: Now., from: held, to: open, who: {{role: clerk}}}}
---
workflow: case_odd
doc: The keeper closes it. What is held waits for nobody.
of: case
when: {{kind: odd}}
states: {{held: {{doc: Is held.}}}}
transitions:
  - {{event: close, name: close_odd, doc: Done., from: open, to: closed, who: {{role: keeper, of: depot}}}}
  - {{event: hold, name: hold_odd, doc: Later., from: open, to: held, who: {{role: clerk}}}}
  - {{event: let_go, name: let_go_odd, doc: Now., from: held, to: open, who: {{role: clerk}}}}
"""


def test_of_workflows_that_share_a_state_only_that_of_the_record_counts(everywhere: World, tmp_path: Path) -> None:
    """Who may close it says the kind; where one kind waits in a state, the other in a state of that name does not."""
    for number, text in enumerate(CASES.format(depot=DEPOT).split("---\n")):
        (tmp_path / ("pack.yaml" if number == 0 else f"{number}.yaml")).write_text(text, "utf-8")
    pack = load(tmp_path)
    Charter(everywhere.store, "test", clock()).init(pack, "administrator")
    world = World(everywhere.store, pack)
    for kind in ("plain", "odd"):
        for number in ("open", "held"):
            world.create("case", number=f"{kind} {number}", depot="N", kind=kind)
        world.must("case", "hold", f"{kind} held")
    named = {
        who: {(g.state, world.field("case", item.id, "number")) for g in waits_for(world, who) for item in g.items}
        for who in ("ann", "cyd")
    }
    assert named == {"ann": {("open", "odd open")}, "cyd": {("open", "plain open"), ("held", "plain held")}}
