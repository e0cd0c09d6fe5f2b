"""The database: together or not at all, exact, and many at once without losing or doubling anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charter.engine import store as stores_module
from charter.engine.errors import Conflict
from charter.engine.model import DATE, MONEY, NUMBER, PRICE, TEXT, WHOLE
from charter.engine.store import Session, Store, decoder, encoder
from charter.engine.verification import verify
from sqlalchemy.exc import IntegrityError
from support import DEPOT, Stores, World, approved, at_once, said

# --- values -----------------------------------------------------------------------------------------------------------

KEPT = [
    # type, value, as it is kept
    (MONEY, Decimal("12.3456"), 123456),
    (MONEY, Decimal("-0.01"), -100),
    (NUMBER, Decimal("0.000001"), 1),
    (PRICE, Decimal("33.333333"), 33333333),
    (WHOLE, 7, 7),
    (TEXT, "7", "7"),
    (DATE, date(2026, 3, 31), date(2026, 3, 31)),
    (MONEY, None, None),
]


@pytest.mark.parametrize(("type_", "value", "kept"), KEPT, ids=str)
def test_values_are_kept_as_whole_numbers_and_come_back(type_: Any, value: Any, kept: Any) -> None:
    assert encoder([type_])([value]) == [kept]
    assert decoder([type_])([kept]) == [value]


@pytest.mark.parametrize(
    ("type_", "value"), [(MONEY, "0.00001"), (NUMBER, "0.0000001"), (MONEY, "922337203685477.5808")]
)
def test_what_cannot_be_kept_exactly_is_not_kept(type_: Any, value: str) -> None:
    with pytest.raises(ValueError, match="more than|too large"):
        encoder([type_])([Decimal(value)])


# --- transactions -----------------------------------------------------------------------------------------------------


def test_everything_or_nothing(everywhere: World) -> None:
    table = everywhere.rules.metadata.tables["account"]
    before = everywhere.tables()
    with pytest.raises(ZeroDivisionError), everywhere.store.transaction() as session:
        session.insert(table, [(901, "open", "901")])
        session.update(table, ["number"], [["902", 901]])
        raise ZeroDivisionError
    assert everywhere.tables() == before


def test_many_rows_are_written_changed_and_deleted(everywhere: World) -> None:
    table = everywhere.rules.metadata.tables["account"]
    with everywhere.store.transaction() as session:
        session.insert(table, [(900 + i, "open", f"a{i}") for i in range(50)])
        session.update(table, ["number"], [[f"b{i}", 900 + i] for i in range(25)])
        session.delete(table, list(range(900, 910)))
        session.insert(table, [])
        session.update(table, ["number"], [])
        session.delete(table, [])
    assert everywhere.rows("SELECT count(*) FROM account WHERE number LIKE 'b%'") == [(15,)]
    assert everywhere.rows("SELECT count(*) FROM account WHERE number LIKE 'a%'") == [(25,)]


def test_a_row_that_is_gone_is_a_conflict(everywhere: World) -> None:
    with pytest.raises(Conflict, match="deleted by somebody else"), everywhere.store.transaction() as session:
        session.update(everywhere.rules.metadata.tables["account"], ["number"], [["x", 12345]])


def test_rows_that_are_there_are_left_alone(everywhere: World) -> None:
    table = everywhere.rules.metadata.tables["charter_fact"]
    with everywhere.store.transaction() as session:
        session.insert_missing(table, [("s", "h", "one")])
        session.insert_missing(table, [("s", "h", "two"), ("s", "i", "three")])
    assert everywhere.rows("SELECT hash, content FROM charter_fact WHERE stream = 's' ORDER BY hash") == [
        ("h", "one"),
        ("i", "three"),
    ]


def test_a_reference_leads_somewhere(everywhere: World) -> None:
    with pytest.raises(Exception, match="(?i)foreign key"):
        everywhere.change("UPDATE tariff SET article = 999")


def test_numbers_are_never_given_twice(everywhere: World) -> None:
    given: list[int] = []
    lines: list[int] = []
    for size in (1, 3, 50):
        with everywhere.store.transaction() as session:
            given += [session.next_id("order") for _ in range(size)]
            lines += session.reserve("line", 5)
            session.return_ids()
    assert len(set(given)) == len(given) == 54
    assert len(set(lines)) == len(lines) == 15


def test_asking_for_a_store_does_not_make_one(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'none.db'}")
    assert not store.exists
    assert not (tmp_path / "none.db").exists()


def test_sqlite_loses_nothing_that_was_committed(stores: Stores) -> None:
    """A rollback journal written through, and references that are kept."""
    with stores.on_disk(DEPOT) as world:
        pragmas = [world.rows(f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")]
        assert pragmas == ["delete", 2, 1]


# --- many at once -----------------------------------------------------------------------------------------------------


@pytest.fixture
def postgresql(stores: Stores, postgresql_url: str) -> Iterator[World]:
    with stores.postgresql(DEPOT, postgresql_url) as world:
        yield world


def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often a lost race was noticed."""
    lost: list[str] = []
    asked = stores_module._lost_race

    def noted(error: Exception) -> bool:
        found = asked(error)
        if found:
            lost.append(str(error))
        return found

    monkeypatch.setattr(stores_module, "_lost_race", noted)
    return lost


def sending(*numbers: str) -> Callable[[World], list[str]]:
    def work(world: World) -> list[str]:
        ids = [world.id("order", n) for n in numbers]
        return [said(r) for r in world.perform([world.request("order", "send", i) for i in ids], chunk=1)]

    return work


def vouchers(world: World) -> list[tuple[str, ...]]:
    return world.rows("SELECT number FROM charter_voucher WHERE series = 'orders' ORDER BY company, number")


def test_different_streams_come_through_side_by_side(postgresql: World) -> None:
    """One in each depot; the chain and the numbers of each are whole."""
    for number in range(12):
        approved(postgresql, str(number), depot="NS"[number % 2])
    done = at_once(postgresql, sending("0", "2", "4", "6", "8", "10"), sending("1", "3", "5", "7", "9", "11"))
    assert done == [[""] * 6, [""] * 6]
    assert vouchers(postgresql) == [(f"O-{n:06}",) for n in range(1, 7)] * 2
    assert verify(postgresql.charter, reperform=True).problems == []


def test_one_stream_waits_and_both_come_through(postgresql: World) -> None:
    for number in range(12):
        approved(postgresql, str(number))
    done = at_once(postgresql, sending("0", "2", "4", "6", "8", "10"), sending("1", "3", "5", "7", "9", "11"))
    assert done == [[""] * 6, [""] * 6]
    assert vouchers(postgresql) == [(f"O-{n:06}",) for n in range(1, 13)]
    assert verify(postgresql.charter, reperform=True).problems == []


def test_the_first_rows_of_a_stream_may_come_at_once(postgresql: World) -> None:
    """Neither finds a head or a number yet; both want to be the first."""

    def entering(number: str) -> Callable[[World], Any]:
        return lambda world: world.create("order", number=number, depot="J", ordered_on="2026-03-02")

    done = at_once(postgresql, *(entering(str(n)) for n in range(4)))
    assert all(isinstance(d, int) for d in done), done
    assert postgresql.rows("SELECT number FROM charter_log WHERE stream = 'J' ORDER BY number") == [
        (1,),
        (2,),
        (3,),
        (4,),
    ]
    assert verify(postgresql.charter).problems == []


def test_of_two_who_send_the_same_order_one_does(postgresql: World) -> None:
    approved(postgresql, "1")
    done = at_once(postgresql, sending("1"), sending("1"))
    assert sorted(len(d[0]) > 0 for d in done) == [False, True], done
    assert any("cannot `send` from" in d[0] for d in done)
    assert vouchers(postgresql) == [("O-000001",)]


def test_of_two_who_take_the_same_key_one_gets_it(postgresql: World) -> None:
    """The other is refused by the rule, not failed by the database."""

    def entering(world: World) -> str:
        (root,) = world.perform([world.creation("order", number="1", depot="N", ordered_on="2026-03-02")])
        return said(root)

    assert sorted(at_once(postgresql, entering, entering)) == ["", "There is already a order 1. [key]"]


def test_a_race_that_is_always_lost_ends_in_a_conflict(everywhere: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores_module, "_lost_race", lambda error: isinstance(error, IntegrityError))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    begun = []

    def work(session: Session) -> None:
        begun.append(1)
        session.run("INSERT INTO account (id, state, number) VALUES (NULL, NULL, NULL)")

    with pytest.raises(Conflict, match="8 tries were lost"):
        everywhere.store.within(work)
    assert len(begun) == 8


def test_what_is_no_race_is_not_tried_again(everywhere: World) -> None:
    begun = []

    def work(session: Session) -> None:
        begun.append(1)
        session.run("SELECT nothing FROM nowhere")

    with pytest.raises(Exception, match="nowhere"):
        everywhere.store.within(work)
    assert len(begun) == 1


def test_two_writers_of_a_file_wait_for_each_other(stores: Stores) -> None:
    with stores.on_disk(DEPOT) as world:
        for number in range(6):
            approved(world, str(number))
        done = at_once(world, sending("0", "2", "4"), sending("1", "3", "5"))
        assert done == [[""] * 3, [""] * 3]
        assert vouchers(world) == [(f"O-{n:06}",) for n in range(1, 7)]
        assert verify(world.charter, reperform=True).problems == []
