"""An amount shared out over parts: nothing lost to rounding, no part beyond its room, the ratio kept, all of it explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

import pytest
from charter.engine.application import Charter
from charter.engine.explanations import why
from charter.engine.expression_python import round_half_up
from charter.engine.sharing import Group, Part, share_out
from charter.engine.verification import verify
from hypothesis import given
from hypothesis import strategies as st
from support import DEPOT, Stores, World, clock, said

CENT = Decimal("0.01")


# --- the arithmetic ---------------------------------------------------------------------------------------------------


def parts(*weights: str, rooms: dict[int, str] | None = None, rounding: int | None = None) -> list[Part]:
    return [
        Part(i, None, Decimal(w), Decimal(rooms[i]) if rooms and i in rooms else None, i, i == rounding)
        for i, w in enumerate(weights)
    ]


def shares(groups: list[Group]) -> list[str]:
    return [f"{share:f}" for group in groups for _, share in group.shares]


@pytest.mark.parametrize(
    ("amount", "members", "expected"),
    [
        ("100", parts("1", "1", "1"), ["33.33", "33.33", "33.34"]),
        ("100", parts("1", "1", "1", rounding=0), ["33.34", "33.33", "33.33"]),
        ("-100", parts("1", "1", "1", rounding=0), ["-33.34", "-33.33", "-33.33"]),
        ("0.05", parts("50", "50"), ["0.03", "0.02"]),
        ("0.03", parts("1", "1", "1", "1", "1"), ["0.01", "0.01", "0.01", "0.00", "0.00"]),
        ("10", parts("33.333333", "66.666667"), ["3.33", "6.67"]),
        ("100", parts("1", "3", rooms={0: "20"}), ["20.00", "60.00"]),
        ("100", parts("1", "2", rooms={0: "0"}), []),
        ("0", parts("1"), []),
    ],
)
def test_shares_are_rounded_once_and_come_to_the_whole(amount: str, members: list[Part], expected: list[str]) -> None:
    groups, left = share_out(Decimal(amount), members, CENT, True)
    assert shares(groups) == expected
    assert sum((share for group in groups for _, share in group.shares), left) == Decimal(amount)


def test_without_a_ratio_parts_are_filled_in_turn() -> None:
    groups, left = share_out(Decimal(10), parts("1", "1", "1", rooms={0: "3", 1: "0", 2: "5.5"}), CENT, False)
    assert (shares(groups), left) == (["3.00", "5.50"], Decimal("1.5"))


AMOUNTS = st.integers(1, 10**9).map(lambda n: n * CENT)
MEMBERS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 10**4), st.none() | st.integers(-5, 10**6), st.integers(0, 3), st.booleans()),
    min_size=1, max_size=12,
)  # fmt: skip


Drawn: TypeAlias = "list[tuple[int, int, int | None, int, bool]]"


def members_of(drawn: Drawn) -> list[Part]:
    rooms: dict[int, Decimal | None] = {}
    for _, _, room, room_of, _ in drawn:
        rooms.setdefault(room_of, None if room is None else room * CENT)
    return [
        Part(i, group, Decimal(weight), rooms[room_of], room_of, rounds)
        for i, (group, weight, _, room_of, rounds) in enumerate(sorted(drawn, key=lambda each: each[0]))
    ]


@given(AMOUNTS, MEMBERS)
def test_nothing_is_lost_and_nothing_is_beyond_its_room(amount: Decimal, drawn: Drawn) -> None:
    """And within a group no share is more than a smallest amount for each part away from its ratio."""
    members = members_of(drawn)
    rooms = {part.room_of: part.room for part in members}
    groups, left = share_out(amount, members, CENT, True)
    assert left >= 0
    assert sum((share for group in groups for _, share in group.shares), left) == amount
    for key, room in rooms.items():
        took = sum(share for group in groups for part, share in group.shares if part.room_of == key)
        assert room is None or took <= max(room, 0)
    for group in groups:
        whole = sum(part.weight for part, _ in group.shares)
        for part, share in group.shares:
            assert share >= 0
            exact = Fraction(group.taken) * Fraction(part.weight) / Fraction(whole)
            assert abs(Fraction(share) - exact) <= Fraction(CENT) * len(group.shares)


@given(AMOUNTS, MEMBERS, st.integers(1, 10**9))
def test_another_figure_is_divided_alike_and_comes_to_the_whole(amount: Decimal, drawn: Drawn, hours: int) -> None:
    """By what those before a share come to: nothing is lost, and no part is a place away from its ratio."""
    groups, left = share_out(amount, members_of(drawn), CENT, True)
    taken = [share for group in groups for _, share in group.shares if share] + [left] * bool(left)
    before, parts_of_it = Decimal(0), []
    for share in taken:
        until, since = (round_half_up(hours * part / amount, 6) for part in (before + share, before))
        parts_of_it.append(until - since)
        assert abs(Fraction(until - since) - Fraction(hours) * Fraction(share) / Fraction(amount)) <= Fraction(1, 10**6)
        before += share
    assert sum(parts_of_it) == hours


@given(st.lists(AMOUNTS, min_size=1, max_size=5), MEMBERS, st.integers(0, 10**4))
def test_what_is_given_back_restores_what_was_taken(amounts: list[Decimal], drawn: Drawn, permille: int) -> None:
    """Part of it leaves every part with no less than nothing; the rest of it leaves every part with nothing at all."""
    taken = dict.fromkeys(range(len(drawn)), Decimal(0))

    def shared(amount: Decimal) -> Decimal:
        members = [
            replace(part, taken=taken[part.id], room=None if part.room is None else part.room - sum(
                taken[other.id] for other in members_of(drawn) if other.room_of == part.room_of))
            for part in members_of(drawn)
        ]  # fmt: skip
        groups, left = share_out(amount, members, CENT, True)
        for group in groups:
            for part, share in group.shares:
                taken[part.id] += share
        return left

    for amount in amounts:
        shared(amount)
    whole = sum(taken.values())
    back = (whole * permille / 10**4).quantize(CENT)
    left = shared(-back)
    assert all(part >= 0 for part in taken.values())
    assert sum(taken.values()) == whole - back - left
    assert shared(-sum(taken.values(), Decimal(0))) == 0
    assert set(taken.values()) == {Decimal(0)}


# --- in rules ---------------------------------------------------------------------------------------------------------


def funded(world: World) -> None:
    """Three plans: the first is shared by B and C, the second C pays alone, the third A."""
    for number, most in (("A", "10000"), ("B", "500"), ("C", "750")):
        world.create("donor", number=number, depot="N", most=most)
    for number, split in ((1, {"B": "50", "C": "50"}), (2, {"C": "100"}), (3, {"A": "100"})):
        world.create("plan", number=number, depot="N")
        for donor, percent in split.items():
            world.create("plan_share", plan=str(number), donor=donor, percent=percent)


@pytest.fixture
def store(stores: Stores) -> Iterator[World]:
    with stores.memory(DEPOT, funded) as world:
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    with stores.opened(request, DEPOT, funded) as world:
        yield world


def gift(world: World, number: str, amount: str, plan: str | None = None) -> None:
    world.create("gift", number=number, depot="N", amount=amount, plan=plan)


def paid(world: World, number: str) -> list[tuple[str | None, int | None, str]]:
    rows = world.rows(
        "SELECT d.number, l.number, p.amount FROM gift_part p JOIN gift g ON g.id = p.gift "
        "LEFT JOIN donor d ON d.id = p.donor LEFT JOIN plan l ON l.id = p.plan "
        f"WHERE g.number = '{number}' ORDER BY p.id"
    )
    return [(donor, plan, f"{Decimal(amount) / 10000:.2f}") for donor, plan, amount in rows]


def checked(world: World) -> list[str]:
    return verify(Charter(world.store, "test", clock()), reperform=True).problems


def test_the_tightest_caps_its_plan_and_the_next_plan_takes_the_rest(on_both: World) -> None:
    """D38: 900 by the first plan (450 and 450), then 250, then 3,850; C has one room in both its plans."""
    gift(on_both, "1", "100")
    gift(on_both, "2", "5000")
    for number in ("1", "2"):
        on_both.must("gift", "pay", number)
    assert paid(on_both, "1") == [("B", 1, "50.00"), ("C", 1, "50.00")]
    assert paid(on_both, "2") == [("B", 1, "450.00"), ("C", 1, "450.00"), ("C", 2, "250.00"), ("A", 3, "3850.00")]
    assert checked(on_both) == []


def test_what_nobody_takes_is_a_share_without_a_part(store: World) -> None:
    gift(store, "1", "12000")
    store.must("gift", "pay", "1")
    assert paid(store, "1")[-2:] == [("A", 3, "10000.00"), (None, None, "750.00")]
    assert checked(store) == []


def test_requests_of_one_chunk_do_not_see_the_same_room_twice(store: World) -> None:
    """The second waits until the first is written; a chunk comes out as its requests one after the other."""
    for number in "123":
        gift(store, number, "600")
    assert not any(root.reasons for root in store.perform([store.request("gift", "pay", n) for n in "123"]))
    assert [paid(store, n) for n in "123"] == [
        [("B", 1, "300.00"), ("C", 1, "300.00")],
        [("B", 1, "200.00"), ("C", 1, "200.00"), ("C", 2, "200.00")],
        [("C", 2, "50.00"), ("A", 3, "550.00")],
    ]
    assert checked(store) == []


def test_payers_of_one_plan_share_by_percentage_and_one_takes_what_rounding_leaves(store: World) -> None:
    store.create("plan", number=4, depot="N")
    for donor, rounds in (("A", True), ("B", False), ("C", False)):
        store.create("plan_share", plan="4", donor=donor, percent="33.333333", rounds=rounds)
    gift(store, "1", "100", plan="4")
    store.must("gift", "pay", "1")
    assert paid(store, "1") == [("A", 4, "33.34"), ("B", 4, "33.33"), ("C", 4, "33.33")]
    noted = store.rows("SELECT reads FROM charter_log WHERE event = 'note' ORDER BY id")
    assert [json.loads(reads)["given"] for (reads,) in noted] == [{"of": "33.34"}, {"of": "33.33"}, {"of": "33.33"}]
    assert checked(store) == []


def test_what_must_have_a_taker_and_has_none_is_refused(store: World) -> None:
    store.create("plan", number=4, depot="N")
    gift(store, "1", "100", plan="4")
    assert said(store.fire("gift", "pay", "1")) == "Nobody pays 100 of gift 1, by plan 4. [by_plan]"
    gift(store, "2", "-5", plan="4")
    assert said(store.fire("gift", "pay", "2")) == (
        "by_plan: -5 is below zero; what took it gives it back, it is not shared out again. [by_plan]"
    )


def test_who_paid_last_is_paid_back_first_and_has_room_again(store: World) -> None:
    gift(store, "1", "5000")
    gift(store, "2", "-4000")
    gift(store, "3", "-2000")
    gift(store, "4", "5000")
    for number in "1234":
        store.must("gift", "pay", number)
    assert paid(store, "2") == [("A", 3, "-3750.00"), ("C", 2, "-250.00")]
    assert paid(store, "3") == [("C", 1, "-500.00"), ("B", 1, "-500.00"), (None, None, "-1000.00")]
    assert paid(store, "4") == paid(store, "1")
    assert checked(store) == []
    explained = why(Charter(store.store, "test", clock()), "gift 3 state")
    (shared,) = [reading for reading in explained.event.readings if reading.kind == "shared"]
    assert [(value.name, value.value) for value in shared.values] == [
        ("3", "0"), ("2", "0"),
        ("1", "-1000: -500 to 1/C (took 500), -500 to 1/B (took 500); 1/C took no more"), ("left over", "-1000"),
    ]  # fmt: skip


def test_why_says_plan_by_plan_what_was_taken_and_what_was_the_end_of_it(store: World) -> None:
    gift(store, "1", "5000")
    store.must("gift", "pay", "1")
    explained = why(Charter(store.store, "test", clock()), "gift 1 state")
    (shared,) = [reading for reading in explained.event.readings if reading.kind == "shared"]
    assert shared.about == "in_turn: 5000 shared out"
    assert [(value.name, value.value) for value in shared.values] == [
        ("1", "1000: 500 to 1/B (room 500), 500 to 1/C (room 750); 1/B has room for no more"),
        ("2", "250: 250 to 2/C (room 750); 2/C has room for no more"),
        ("3", "3750: 3750 to 3/A (room 10000)"),
    ]


def test_statements_do_not_depend_on_how_many_share(store: World) -> None:
    def statements(first: int, count: int) -> int:
        numbers = [str(first + i) for i in range(count)]
        store.perform([store.creation("gift", number=n, depot="N", amount="10", plan="1") for n in numbers])
        work = [store.request("gift", "pay", n) for n in numbers]
        before = store.store.statements
        assert not any(root.reasons for root in store.perform(work))
        return store.store.statements - before

    # Identity blocks add a few.
    assert statements(200, 300) <= statements(100, 3) + 6
