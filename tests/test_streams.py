"""Workers on different streams do not hinder each other, and see across them what they must."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from charter.engine import store as stores_module
from charter.engine.streams import Streams
from charter.engine.verification import verify
from support import DEPOT, Stores, World, approved, at_once, said

HALL = Path(__file__).parent / "packs" / "hall"
DAY = "2026-03-02"


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The races that were lost, each a transaction that was done again."""
    found: list[str] = []
    asked = stores_module._lost_race

    def noted(error: Exception) -> bool:
        was_lost = asked(error)
        if was_lost:
            found.append(str(error))
        return was_lost

    monkeypatch.setattr(stores_module, "_lost_race", noted)
    return found


@pytest.fixture
def depot(stores: Stores, postgresql_url: str) -> Iterator[World]:
    with stores.postgresql(DEPOT, postgresql_url) as world:
        yield world


@pytest.fixture
def hall(stores: Stores, postgresql_url: str) -> Iterator[World]:
    """Two branches, each with a guest who is called by its letter."""
    with stores.postgresql(HALL, postgresql_url) as world:
        for letter in "NS":
            world.create("branch", number=letter)
            world.create("guest", number=letter, branch=letter)
        yield world


def meeting(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Let that many pieces of work have read all they want before the first of them locks anything."""
    met = threading.Barrier(count)
    hold = Streams.hold
    waited: set[int] = set()

    def held(streams: Streams) -> None:
        if threading.get_ident() not in waited:
            waited.add(threading.get_ident())
            met.wait(30)
        hold(streams)

    monkeypatch.setattr(Streams, "hold", held)


def booking(branch: str, guest: str, seats: int = 6) -> Callable[[World], str]:
    def work(world: World) -> str:
        (root,) = world.perform([world.creation("booking", branch=branch, guest=guest, day=DAY, seats=str(seats))])
        return said(root)

    return work


def test_workers_on_different_streams_never_repeat(depot: World, lost: list[str]) -> None:
    numbers = [str(n) for n in range(60)]
    for n in numbers:
        approved(depot, n, depot="NS"[int(n) % 2])

    def sending(mine: list[str]) -> Callable[[World], list[str]]:
        def work(world: World) -> list[str]:
            return [said(r) for r in world.perform([world.request("order", "send", n) for n in mine], chunk=1)]

        return work

    assert at_once(depot, sending(numbers[::2]), sending(numbers[1::2])) == [[""] * 30] * 2
    assert lost == []
    assert verify(depot.charter, reperform=True).problems == []


def test_workers_on_different_streams_never_wait(hall: World, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds all its locks before either ends; had one to wait for the other, neither would."""
    both_hold = threading.Barrier(2)
    hold = Streams.hold

    def held(streams: Streams) -> None:
        hold(streams)
        both_hold.wait(30)

    monkeypatch.setattr(Streams, "hold", held)
    assert at_once(hall, booking("N", "N"), booking("S", "S")) == ["", ""]
    assert lost == []


def test_who_overlooked_what_another_stream_wrote_goes_again(
    hall: World, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both branches book six seats for one guest, at once: each saw that there were none yet."""
    meeting(monkeypatch, 2)
    outcomes = sorted(at_once(hall, booking("N", "N"), booking("S", "N")))
    assert outcomes[0] == ""
    assert "N has 6 seats already" in outcomes[1]
    assert lost
    assert hall.rows("SELECT seats FROM booking") == [(6,)]


def test_a_rival_in_ones_own_stream_is_seen(hall: World, lost: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    meeting(monkeypatch, 2)
    outcomes = sorted(at_once(hall, booking("N", "N"), booking("N", "N")))
    assert (outcomes[0], "N has 6 seats already" in outcomes[1]) == ("", True)
    assert lost


def test_what_all_streams_read_is_not_changed_beneath_them(
    hall: World, lost: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Branches stand in no branch's stream; while one is made, a booking reads them and comes before or after."""
    meeting(monkeypatch, 2)
    said_of, made = at_once(hall, booking("N", "N"), lambda w: w.create("branch", number="W"))
    assert (said_of, isinstance(made, int)) == ("", True)
    assert lost
    assert verify(hall.charter, reperform=True).problems == []
