"""Limits: no total passes what it may come to, whoever claims and however many at once; and what is kept is what it sums."""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from charter.engine import claims as claims_module
from charter.engine.application import Charter
from charter.engine.claiming import Claim, answer_of
from charter.engine.explanations import why
from charter.engine.firings import Root
from charter.engine.verification import verify
from support import PACKS, Stores, World, at_once, clock, said

LARDER = PACKS / "larder"


def shelves(world: World) -> None:
    """Two houses, and a shelf for each level, with room for 1,000."""
    for number in "NS":
        world.create("house", number=number)
    for level in ("allow", "warn", "refuse"):
        world.create("shelf", number=level, most="1000", strict=level)


@pytest.fixture
def larder(stores: Stores) -> Iterator[World]:
    with stores.memory(LARDER, shelves) as world:
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    with stores.opened(request, LARDER, shelves) as world:
        yield world


def loan(world: World, number: int, worth: str, shelf: str | None = "refuse", house: str = "N", turn: int = 0) -> None:
    world.create("loan", number=str(number), house=house, shelf=shelf, worth=worth, turn=turn)


def loans(world: World, worths: Sequence[str], shelf: str | None = "refuse", house: str = "N", first: int = 1) -> None:
    """Loans in one go; their numbers begin with `first`."""
    wanted = [
        world.creation("loan", number=str(number), house=house, shelf=shelf, worth=worth)
        for number, worth in enumerate(worths, first)
    ]
    assert not any(root.reasons for root in world.perform(wanted))


def asking(world: World, numbers: Sequence[int], event: str = "ask", accepted: Sequence[str] = ()) -> list[Root]:
    return world.perform([world.request("loan", event, str(number), acknowledged=accepted) for number in numbers])


def total(world: World, shelf: str = "refuse") -> Decimal:
    """What is kept of the shelf, once it is seen to be what it sums."""
    assert verify(Charter(world.store, "test", clock()), reperform=True).problems == []
    of = world.id("shelf", shelf)
    kept = world.rows(f"SELECT total FROM charter_kept WHERE measure = 'on_loan' AND of = '[{of}]'")
    return Decimal(kept[0][0] if kept else 0) / 10000


# --- one claim --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "before", "share", "outcome"),
    [
        ("100", "900", None, "fits"),
        ("100.01", "900", None, "passed"),
        ("100", "900", "0.9", "near"),
        ("100", "800", "0.9", "fits"),
        ("100.01", "800", "0.9", "near"),
        ("0", "2000", "0.9", "fits"),
        ("-1", "2000", None, "fits"),
    ],
)
def test_what_becomes_of_a_claim_on_room_for_a_thousand(
    amount: str, before: str, share: str | None, outcome: str
) -> None:
    claim = Claim((1,), Decimal(amount), Decimal(amount), Decimal(1000), "refuse", share and Decimal(share))
    assert claim.outcome(Decimal(before)) == outcome


def test_what_is_done_about_it() -> None:
    answers = {(level, o): answer_of(level, o) for level in ("allow", "warn", "refuse") for o in ("near", "passed")}
    assert list(answers.values()) == ["allow", "allow", "warn", "warn", "warn", "refuse"]


# --- in rules ---------------------------------------------------------------------------------------------------------


def test_a_hard_limit_refuses_with_the_figures_and_leaves_nothing(on_both: World) -> None:
    loans(on_both, ["600", "500", "250"])
    outcomes = [said(root) for root in asking(on_both, [1, 2, 3])]
    words = "Shelf refuse: 1000 and 0, on loan 600, asked 500, held 0, left 400. [room_on_shelf]"
    assert outcomes == ["", words, ""]
    assert total(on_both) == 850
    assert on_both.field("loan", "2", "state") == "draft"


def test_the_same_when_each_request_is_a_chunk_of_its_own(larder: World) -> None:
    loans(larder, ["600", "500", "250"])
    roots = larder.perform([larder.request("loan", "ask", n) for n in "123"], chunk=1)
    assert ["left 400" in said(root) for root in roots] == [False, True, False]
    assert total(larder) == 850


def test_a_warning_refuses_until_it_is_accepted_by_name_and_is_logged_with_the_figures(larder: World) -> None:
    loans(larder, ["900", "50", "100"], "warn")
    assert said(asking(larder, [1])[0]) == ""
    near, also_near = asking(larder, [2, 3])
    assert "left 100. (acknowledge `room_on_shelf` to go on)" in said(near)
    assert "left 100. (acknowledge" in said(also_near), "what was refused before it takes no room from it"
    assert [said(root) for root in asking(larder, [2, 3], accepted=["room_on_shelf"])] == ["", ""]
    assert total(larder, "warn") == 1050
    explained = why(Charter(larder.store, "test", clock()), "loan 3 state").event
    assert [(r.about, [(v.name, v.value) for v in r.values]) for r in explained.readings if r.kind == "claim"] == [
        (
            "room_on_shelf: passed, level warn",
            [
                ("asks", "100"),
                ("claim", "100"),
                ("on_loan(warn)", "950"),
                ("may come to", "1000"),
                ("warns from", "0.9"),
            ],
        )
    ]
    assert any(r.kind == "acknowledged" for r in explained.readings)


def test_what_is_only_allowed_is_passed_without_a_word(larder: World) -> None:
    loans(larder, ["900", "950"], "allow")
    assert [said(root) for root in asking(larder, [1, 2])] == ["", ""]
    assert total(larder, "allow") == 1850


def test_a_later_event_claims_only_what_exceeds_what_is_held(on_both: World) -> None:
    """Asked for 600 and taken for 650 is a claim of 50; taken for less gives back; given back it is nothing."""
    loans(on_both, ["600", "300"])
    assert [said(root) for root in asking(on_both, [1, 2])] == ["", ""]
    more = on_both.fire("loan", "take", "1", worth="701")
    assert "on loan 900, asked 701, held 600, left 100." in said(more)
    on_both.must("loan", "take", "1", worth="650", acknowledged=["room_on_shelf"])
    assert total(on_both) == 950
    on_both.must("loan", "take", "2", worth="200")
    assert total(on_both) == 850
    assert on_both.rows("SELECT kind, amount / 10000 FROM move ORDER BY id") == [
        ("asked", 600), ("asked", 300), ("asked", -600), ("taken", 650), ("asked", -300), ("taken", 200)
    ]  # fmt: skip
    on_both.must("loan", "give_back", "1")
    assert total(on_both) == 200


def test_of_several_answers_the_most_permissive_is_kept(on_both: World) -> None:
    """Ann is in circles that warn and refuse, Bob in none, Cyd in those that allow and refuse; in S no circle counts."""
    for name, circles in (("ann", ("warn", "refuse")), ("bob", ()), ("cyd", ("refuse", "allow"))):
        on_both.create("actor", number=name, name=name)
        on_both.create("role_grant", event="grant", actor=name, role="clerk", **{"from": "2026-01-01"})
        for circle in circles:
            if not on_both.rows(f"SELECT 1 FROM circle WHERE number = '{circle}'"):
                on_both.create("circle", number=circle, strict=circle)
            on_both.create("member", circle=circle, actor=name)
    loans(on_both, ["2000"] * 3)
    loans(on_both, ["2000"], house="S", first=9)
    loans(on_both, ["6000"], first=5)
    refused = {name: said(on_both.fire("loan", "ask", number, name)) for number, name in (("1", "ann"), ("2", "bob"))}
    assert "acknowledge" in refused["ann"]
    assert "left 1000." in refused["bob"]
    assert "acknowledge" not in refused["bob"]
    assert "left 1000." in said(on_both.fire("loan", "ask", "5", "cyd"))
    assert "left 1000." in said(on_both.fire("loan", "ask", "9", "cyd"))
    on_both.must("loan", "ask", "3", "cyd")
    assert total(on_both) == 2000


def test_without_a_line_nothing_is_claimed(larder: World) -> None:
    loan(larder, 1, "5000", None)
    assert said(asking(larder, [1])[0]) == ""
    larder.must("loan", "give_back", "1")
    assert larder.rows("SELECT shelf, amount FROM move") == [(None, 0)]
    assert total(larder) == 0


# --- in a batch -------------------------------------------------------------------------------------------------------


def test_a_batch_comes_out_as_its_requests_one_after_the_other(stores: Stores) -> None:
    """Random claims, some of them refused for another reason only after they claimed, in one chunk and one by one."""
    drawn = random.Random(7)
    kinds = [(str(drawn.randint(1, 90)), drawn.choice(["refuse", "refuse", "warn", None])) for _ in range(120)]
    broken = [drawn.random() < 0.1 for _ in kinds]
    outcomes = []
    for chunk in (1000, 1):
        with stores.memory(LARDER, shelves) as world:
            for number, (worth, shelf) in enumerate(kinds):
                loan(world, number, worth, shelf)
            wanted = [world.request("loan", "take", str(n), worth=kinds[n][0], broken=b) for n, b in enumerate(broken)]
            roots = world.perform(wanted, chunk=chunk)
            outcomes.append([said(root) for root in roots])
            assert total(world) <= 1000
            assert total(world, "warn") <= 900
    assert outcomes[0] == outcomes[1]
    assert sum("left" in each for each in outcomes[0]) > 10
    assert sum("broken" in each for each in outcomes[0]) > 2


def test_in_a_batch_who_is_declared_first_comes_first(larder: World) -> None:
    for number, turn in ((1, 3), (2, 1), (3, 2)):
        loan(larder, number, "400", turn=turn)
    assert ["left 200" in said(root) for root in asking(larder, [1, 2, 3])] == [True, False, False]


def test_a_basket_is_taken_whole_or_not_at_all_and_takes_no_room_if_not(larder: World) -> None:
    loans(larder, ["500", "600", "900", "100"])
    for number, inside in (("1", "12"), ("2", "3")):
        larder.create("basket", number=number, house="N")
        for each in inside:
            larder.create("thing", basket=number, loan=each)
    roots = larder.perform([larder.request("basket", "take_all", number) for number in "12"])
    assert ["left 500" in said(roots[0]), said(roots[1])] == [True, ""]
    assert total(larder) == 900


def test_the_statements_depend_on_chunks_and_not_on_claims(larder: World) -> None:
    counts = []
    for first, many in ((1, 5), (1001, 200)):
        loans(larder, ["1"] * many, "allow", first=first)
        wanted = [larder.request("loan", "ask", str(first + n)) for n in range(many)]
        before = larder.store.statements
        assert not any(root.reasons for root in larder.perform(wanted))
        counts.append(larder.store.statements - before)
    assert counts[1] <= counts[0] + 10  # numbers are fetched in blocks


# --- at once ----------------------------------------------------------------------------------------------------------


def claiming(numbers: Sequence[int]) -> Callable[[World], list[str]]:
    def work(world: World) -> list[str]:
        return [said(root) for root in asking(world, numbers)]

    return work


def test_two_workers_at_once_never_pass_it_together(
    stores: Stores, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL, from two houses whose streams do not meet: both have the totals before either writes."""
    met, read, waited = threading.Barrier(2), claims_module.Claims.read, set[int]()

    def reading(claims: claims_module.Claims, asked: object) -> None:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            met.wait(30)
        read(claims, asked)  # type: ignore[arg-type]

    with stores.postgresql(LARDER, postgresql_url, shelves) as world:
        loan(world, 1, "700")
        loan(world, 2, "700", house="S")
        monkeypatch.setattr(claims_module.Claims, "read", reading)
        outcomes = at_once(world, claiming([1]), claiming([2]))
        assert sorted("left 300" in said_[0] for said_ in outcomes) == [False, True]
        assert total(world) == 700


def test_many_workers_fill_the_room_and_no_more(stores: Stores, postgresql_url: str) -> None:
    with stores.postgresql(LARDER, postgresql_url, shelves) as world:
        loans(world, ["50"] * 20, "refuse", "N")
        loans(world, ["50"] * 20, "refuse", "S", first=101)
        first, second = at_once(world, claiming(range(1, 21)), claiming(range(101, 121)))
        assert sum(each == "" for each in (*first, *second)) == 18, "from 900 on it warns"
        assert total(world) == 900


def test_two_processes_on_one_file_never_pass_it_together(stores: Stores) -> None:
    script = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from charter.engine import catalog
        from charter.engine.store import Store
        sys.path.insert(0, sys.argv[1])
        from support import World, said
        world = World(Store(sys.argv[2]), catalog.load(Path(sys.argv[3])))
        wanted = [world.request("loan", "ask", number) for number in sys.argv[4].split(",")]
        print(sum(not root.reasons for root in world.perform(wanted, chunk=1)))
        """
    )
    with stores.on_disk(LARDER, shelves) as world:
        loans(world, ["100"] * 16)
        shares = [",".join(map(str, range(first, 17, 2))) for first in (1, 2)]
        command = [sys.executable, "-c", script, str(Path(__file__).parent), world.store.url, str(LARDER)]
        running = [subprocess.Popen([*command, share], stdout=subprocess.PIPE, text=True) for share in shares]
        assert sum(int(process.communicate(timeout=60)[0]) for process in running) == 9, "from 900 on it warns"
        assert total(world) == 900


# --- kept totals ------------------------------------------------------------------------------------------------------


def test_verify_finds_a_kept_total_that_is_not_what_it_sums(on_both: World) -> None:
    loans(on_both, ["600"])
    asking(on_both, [1])
    assert total(on_both) == 600
    on_both.change("UPDATE charter_kept SET total = total + 10000 WHERE measure = 'on_loan'")
    (problem,) = verify(Charter(on_both.store, "test", clock())).problems
    assert problem.startswith("the total on_loan of [")
    assert problem.endswith("] is kept as 601; what it sums comes to 600")


def test_what_becomes_kept_under_a_new_pack_is_summed_once(larder: World) -> None:
    loans(larder, ["600"])
    asking(larder, [1])
    larder.change("DELETE FROM charter_kept")
    larder.charter.init(larder.pack, "administrator")
    assert total(larder) == 600
