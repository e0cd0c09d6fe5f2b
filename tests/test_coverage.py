"""What tests reach of a pack's rules is told by what came of events, and nothing more than came is claimed."""

from __future__ import annotations

import pytest
from charter.engine.coverage import Coverage, Score
from charter.engine.coverage_targets import MEASURES
from support import World, ordered


class Watched:
    """A store under whose events somebody looks on; `lacking` are the words about a rule."""

    def __init__(self, world: World) -> None:
        self.world, self.coverage = world, Coverage(world.rules.library)

    def fire(self, record: str, event: str, key: str | int, who: str | None = None, **values: object) -> None:
        batch = self.world.batch(who)
        batch.watch = self.coverage.watch
        list(batch.in_chunks([self.world.request(record, event, key, **values)]))

    def lacking(self, rule: str) -> list[str]:
        return [t.lacks for t in self.coverage.unreached() if t.rule == rule]


@pytest.fixture
def watched(depot: World) -> Watched:
    return Watched(depot)


@pytest.mark.parametrize(("reached", "of", "percent"), [(999, 1000, 99), (1, 3, 33), (3, 3, 100), (0, 0, 100)])
def test_only_all_is_a_hundred_percent(reached: int, of: int, percent: int) -> None:
    assert Score("posting_rows", reached, of).percent == percent


def test_without_events_nothing_is_reached(watched: Watched) -> None:
    scores = watched.coverage.scores()
    assert [s.measure for s in scores] == list(MEASURES)
    assert all(s.reached == 0 and s.of > 0 for s in scores)
    assert len(watched.coverage.unreached()) == sum(s.of for s in scores)


def test_a_guard_has_two_outcomes(watched: Watched) -> None:
    """What holds is seen true by an event that stands; what refuses is seen false, and the rest of that event not."""
    ordered(watched.world)
    ordered(watched.world, "2", lines=())
    watched.fire("order", "check", "2")
    assert "is never performed" in watched.lacking("order/check")
    assert "`count(lines) > 0` is never seen false" not in watched.lacking("order/check")
    assert "`note is not none` is never seen true" in watched.lacking("order/check")
    watched.fire("order", "check", "1")
    assert watched.lacking("order/check") == [
        "`note is not none` is never seen false", "`worth <= parameter.most` is never seen false",
        "`dear` is never seen false", "`urgent` is never seen false",
    ]  # fmt: skip


def test_a_warning_is_seen_false_where_it_is_acknowledged(watched: Watched) -> None:
    ordered(watched.world)
    watched.fire("order", "change", "1", urgency="high")
    watched.fire("order", "check", "1", acknowledged=["urgent"])
    assert "`urgent` is never seen false" not in watched.lacking("order/check")
    assert "`urgent` is never seen true" in watched.lacking("order/check")


def test_people_are_seen_different_only_where_a_person_fires(watched: Watched) -> None:
    ordered(watched.world)
    said = "that people are different is never seen "
    watched.fire("order", "check", "1")
    assert watched.lacking("order").count(f"{said}true") == 3
    watched.fire("order", "approve", "1", "ann")
    assert watched.lacking("order").count(f"{said}true") == 1
    assert watched.lacking("order").count(f"{said}false") == 3


def test_rows_and_conditions_of_steps_are_reached_as_they_come_true(watched: Watched) -> None:
    ordered(watched.world, lines=(("A", "20"),))
    for event in ("check", "approve"):
        watched.world.must("order", event, "1")
    assert "is never written" in watched.lacking("rebate_given/rebate")
    watched.fire("order", "send", "1")
    assert watched.lacking("rebate_given/rebate") == []
    assert watched.lacking("order_counted/counted")[0] == "is never written"
    assert watched.lacking("terms") == ["the row urgent never answers", "the row others never answers"]
    assert watched.lacking("order/send") == ["the `when` of its step post is never seen false"]


def test_records_that_answer_count_by_their_key_set(watched: Watched) -> None:
    ordered(watched.world, lines=())
    batch = watched.world.batch()
    batch.watch = watched.coverage.watch
    line = watched.world.creation("line", order="1", number=1, article="A", quantity="2")
    list(batch.in_chunks([line]))
    assert watched.lacking("tariff") == ["the key set [depot, article] never finds a row"]
