"""Working days: reckoned right, read once for many, kept in the log with what rests on them, and refused elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from charter.engine.application import Charter
from charter.engine.dates import WorkingDays, add_workdays, is_workday, workday, workdays_between
from charter.engine.errors import OutOfRange
from charter.engine.explanations import why
from charter.engine.trial_writing import example_of
from charter.engine.verification import verify
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event
from support import DEPOT, Stores, World, clock

# --- the arithmetic ---------------------------------------------------------------------------------------------------

OFFICE = WorkingDays(frozenset(range(5)), frozenset({date(2026, 12, 25), date(2026, 12, 28)}))


@pytest.mark.parametrize(
    ("day", "direction", "expected"),
    [
        ("2026-12-24", "next", "2026-12-24"),
        ("2026-12-25", "next", "2026-12-29"),
        ("2026-12-27", "previous", "2026-12-24"),
        ("2012-04-27", "next", "2012-04-27"),
        ("2012-03-31", "next", "2012-04-02"),
    ],
)
def test_a_closed_day_gives_way_to_the_next_or_the_previous_one(day: str, direction: str, expected: str) -> None:
    assert workday(date.fromisoformat(day), OFFICE, direction).isoformat() == expected


def test_a_year_without_a_working_day_and_the_end_of_the_calendar_are_said() -> None:
    shut = WorkingDays(frozenset({0}), frozenset(date(2026, 1, 5) + timedelta(days=7 * n) for n in range(60)))
    with pytest.raises(OutOfRange, match="next to 2026-01-05 there is no working day within a year"):
        workday(date(2026, 1, 5), shut, "next")
    with pytest.raises(OutOfRange, match="out of the calendar"):
        add_workdays(date.max, 1, OFFICE)


DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


@given(DAYS, st.integers(-40, 40), st.sets(st.integers(0, 6), min_size=1), st.sets(st.integers(-90, 90), max_size=20))
def test_days_are_counted_as_one_by_one(day: date, count: int, week: set[int], closed: set[int]) -> None:
    days = WorkingDays(frozenset(week), frozenset(day + timedelta(days=n) for n in closed))
    later = day + timedelta(days=count)
    first, last = sorted((day, later))
    counted = sum(first + timedelta(days=n) in days for n in range(1, (last - first).days + 1))
    assert workdays_between(day, later, days) == (counted if count >= 0 else -counted)
    moved = add_workdays(day, count, days)
    if count:
        assert is_workday(moved, days)
        if day in days:
            assert workdays_between(day, moved, days) == count


# --- in a store -------------------------------------------------------------------------------------------------------


def closed(world: World) -> None:
    """N is closed on a Thursday, every depot on the Friday after it, S on the Monday; a Saturday was entered in error."""
    for number, (day, depot, void) in enumerate(
        [("2026-03-05", "N", False), ("2026-03-06", None, False), ("2026-03-07", "N", True), ("2026-03-09", "S", False)]
    ):
        world.create("closed_day", number=number, day=day, depot=depot, void=void)


@pytest.fixture(params=["sqlite", "postgresql"])
def on_both(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    with stores.opened(request, DEPOT, closed) as world:
        yield world


@pytest.fixture
def store(stores: Stores) -> Iterator[World]:
    with stores.memory(DEPOT, closed) as world:
        yield world


def asked(world: World, number: int, depot: str, wanted: str, after: int = 0) -> None:
    world.create("delivery", number=number, depot=depot, wanted=wanted, after=after)


def planned(world: World, number: int) -> list[str]:
    return [str(value) for value in world.field("delivery", str(number), "planned", "ready", "takes")]


def checked(world: World) -> list[str]:
    return verify(Charter(world.store, "test", clock()), reperform=True).problems


def test_each_depot_has_its_closed_days_and_those_of_all(on_both: World) -> None:
    asked(on_both, 1, "N", "2026-03-05")
    asked(on_both, 2, "S", "2026-03-05")
    asked(on_both, 3, "S", "2026-03-06", after=1)
    asked(on_both, 4, "S", "2026-03-07", after=-1)
    on_both.perform([on_both.request("delivery", "plan", str(n)) for n in (1, 2, 3, 4)])
    assert [planned(on_both, n) for n in (1, 2, 3, 4)] == [
        ["2026-03-07", "2026-03-04", "1"],
        ["2026-03-05", "2026-03-04", "0"],
        ["2026-03-10", "2026-03-07", "2"],
        ["2026-03-05", "2026-03-04", "-1"],
    ]
    assert checked(on_both) == []


def test_a_day_closed_in_the_same_chunk_is_seen_by_what_comes_after_it(store: World) -> None:
    asked(store, 1, "N", "2026-03-02")
    closing = store.creation("closed_day", number=9, day="2026-03-02", depot="N")
    roots = store.perform([closing, store.request("delivery", "plan", "1")])
    assert not any(root.reasons for root in roots)
    assert planned(store, 1)[0] == "2026-03-03"


def test_closed_days_are_read_once_for_a_chunk(store: World) -> None:
    for number in range(40):
        asked(store, number, "NS"[number % 2], "2026-03-05")
    read: list[str] = []
    event.listen(store.store.engine, "before_cursor_execute", lambda *a: read.append(a[2]))
    store.perform([store.request("delivery", "plan", str(n)) for n in range(40)])
    assert sum("FROM closed_day" in statement for statement in read) == 1


def test_why_names_the_week_and_the_closed_days_that_held_then(store: World) -> None:
    asked(store, 1, "N", "2026-03-05")
    store.must("delivery", "plan", "1")
    store.create("closed_day", number=9, day="2026-03-07", depot="N")
    explained = why(Charter(store.store, "test", clock()), "delivery 1 planned")
    (read,) = [reading for reading in explained.event.readings if reading.kind == "calendar"]
    assert read.about == "delivery_days(N)"
    assert [(value.name, value.value) for value in read.values] == [
        ("week", "monday, tuesday, wednesday, thursday, friday, saturday"), ("closed", "2026-03-05, 2026-03-06"),
    ]  # fmt: skip
    assert checked(store) == []


def test_a_closed_day_that_was_changed_in_the_log_is_found(store: World) -> None:
    asked(store, 1, "N", "2026-03-05")
    store.must("delivery", "plan", "1")
    store.change(
        "DROP TRIGGER charter_fact_no_update",
        "DROP TRIGGER charter_fact_no_delete",
        "UPDATE charter_fact SET content = replace(content, '2026-03-06', '2026-03-16') WHERE content LIKE '%delivery_days%'",
    )
    assert any("fact" in problem for problem in checked(store))


def test_a_test_written_from_it_brings_the_days_that_were_closed(store: World) -> None:
    """Those of the depot and of all of them, and not what was entered in error or is of another one."""
    asked(store, 1, "N", "2026-03-05")
    store.must("delivery", "plan", "1")
    example = example_of(Charter(store.store, "test", clock()), "delivery 1 planned")
    assert [day in example.text for day in ("day: 2026-03-05", "day: 2026-03-06", "2026-03-09")] == [True, True, False]
