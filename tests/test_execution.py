"""What an event does: who may, what is required, what its steps see, and that a refusal leaves nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from types import SimpleNamespace

import pytest
from charter.engine.application import Charter
from charter.engine.errors import NOWHERE
from charter.engine.facts import Facts
from charter.engine.firings import Request
from charter.engine.gathering import Gatherer
from charter.engine.programs import Find
from charter.engine.tables import COUNTER, REFUSAL
from charter.engine.verification import verify
from support import DEPOT, World, approved, clock, grant, ordered, said, sent

# --- creation, deletion, refusal --------------------------------------------------------------------------------------


def test_creation_is_a_transition(depot: World) -> None:
    """A new record has its defaults and its states, and the log says how it came to be."""
    ordered(depot, "1")
    assert depot.field("order", "1", "state", "packed", "urgency", "total") == ("draft", "waiting", "low", 0)
    created = depot.rows("SELECT from_state, to_state, rule, actor FROM charter_log WHERE record = 'order'")
    assert created == [("nothing", "draft", "order/create", "test")]


def test_deletion_is_a_transition(depot: World) -> None:
    number = depot.create("order", number="1", depot="N", ordered_on="2026-03-02")
    depot.must("order", "delete", "1")
    assert depot.rows('SELECT count(*) FROM "order"') == [(0,)]
    logged = depot.rows(
        f"SELECT from_state, to_state FROM charter_log WHERE record = 'order' AND record_id = {number} ORDER BY id"
    )
    assert logged == [("nothing", "draft"), ("draft", None)]


def test_what_is_referred_to_is_not_deleted(depot: World) -> None:
    """A record that others refer to stays, and the reason says who refers to it."""
    ordered(depot, "1")
    assert said(depot.fire("order", "delete", "1")) == "order 1 is not deleted: line 1/1 refers to it. [reference]"
    assert depot.field("order", "1", "state") == "draft"


def test_a_refusal_leaves_nothing_but_its_own_row(everywhere: World) -> None:
    ordered(everywhere, "1", note=None)
    before = everywhere.tables(REFUSAL, COUNTER)
    root = everywhere.fire("order", "check", "1")
    assert said(root) == "Order 1 has no note. [note is not none]"
    assert everywhere.tables(REFUSAL, COUNTER) == before
    ((record, id_, event, reasons),) = everywhere.rows("SELECT record, record_id, event, reasons FROM charter_refusal")
    assert (record, id_, event) == ("order", everywhere.id("order", "1"), "check")
    assert "Order 1 has no note." in reasons
    assert "order.yaml" in reasons


def test_every_reason_is_said_at_once(depot: World) -> None:
    depot.create("order", number="1", depot="N", ordered_on="2026-03-02")
    assert said(depot.fire("order", "check", "1", "bob")).splitlines() == [
        "bob may not `check` order 1; it is for keeper of depot/N or the taker or whom checkers names. [check]",
        "Order 1 of N has no lines. [count(lines) > 0]",
        "Order 1 has no note. [note is not none]",
    ]


def test_a_decision_without_an_answer_does_not_hide_other_reasons(depot: World) -> None:
    """No price is known for X; that the quantity is wrong is said as well."""
    depot.create("order", number="1", depot="N", ordered_on="2026-03-02")
    (root,) = depot.perform([depot.creation("line", order="1", number=1, article="X", quantity="0")])
    assert sorted(reason.message for reason in root.reasons) == ["Line 1 of 1 is of nothing.", "No price for X in N."]


def test_what_another_state_allows_is_said(depot: World) -> None:
    sent(depot)
    assert said(depot.fire("order", "check", "1")) == (
        'order 1 cannot `check` from "sent" and "waiting"; '
        "possible here: bill, clash, pack, part, recount, take_back, tally. [check]"
    )


@pytest.mark.parametrize(
    ("event", "line"),
    [("check", "  - event: check\n"), ("take_back", "  - event: take_back\n"), ("explode", "workflow: order\n")],
)
def test_what_no_state_allows_is_refused_by_its_workflow(depot: World, event: str, line: str) -> None:
    """The place is where the event says from which states it is possible; of an unknown event, where all events are."""
    ordered(depot)
    depot.must("order", "cancel", "1")
    (reason,) = depot.fire("order", event, depot.rows('SELECT id FROM "order"')[0][0]).reasons
    assert reason.place.file.endswith("order.yaml")
    assert (DEPOT / "order.yaml").read_text().splitlines(keepends=True)[reason.place.line - 1] == line


def test_an_event_that_nobody_knows(depot: World) -> None:
    ordered(depot)
    assert "order knows no event `explode`; it knows: approve, bill, cancel" in said(
        depot.fire("order", "explode", "1")
    )


def test_a_record_that_is_not_there(depot: World) -> None:
    assert said(depot.fire("order", "check", 77)) == "There is no order 77. [check]"


def test_a_key_that_leads_nowhere(depot: World) -> None:
    (root,) = depot.perform([depot.creation("order", number="1", depot="NOWHERE", ordered_on="2026-03-02")])
    assert said(root) == "There is no depot `NOWHERE`, given as depot. [depot]"


# --- who --------------------------------------------------------------------------------------------------------------


def test_a_role_is_held_for_one_record(depot: World) -> None:
    """The keeper of this depot may, the keeper of another may not."""
    ordered(depot)
    assert "bob may not `check` order 1; it is for keeper of depot/N" in said(depot.fire("order", "check", "1", "bob"))
    depot.must("order", "check", "1", "ann")
    assert depot.rows("SELECT actor, \"right\" FROM charter_log WHERE event = 'check'") == [
        ("ann", "keeper of depot/N")
    ]


def test_a_grant_without_a_record_is_held_for_all(depot: World) -> None:
    """So says the field `held_for` of a grant; what is held for one record counts for no other."""
    record = depot.rules.library.record("role_grant")
    assert record is not None
    assert "Empty means held for all" in " ".join(record.fields["held_for"].doc.split())
    ordered(depot, "1", depot="N")
    ordered(depot, "2", depot="S")
    depot.create("actor", number="max", name="Max")
    grant(depot, "max", "keeper", "depot/N")
    assert "it is for keeper of depot/S" in said(depot.fire("order", "check", "2", "max"))
    grant(depot, "max", "keeper")
    depot.must("order", "check", "1", "max")
    depot.must("order", "check", "2", "max")
    rights = depot.rows("SELECT \"right\" FROM charter_log WHERE event = 'check' ORDER BY id")
    assert rights == [("keeper of depot/N",), ("keeper",)]


@pytest.mark.parametrize(
    ("role", "held_for", "words"),
    [
        ("clerc", None, "The pack declares no role `clerc`; did you mean `clerk`?"),
        ("boss", None, "The pack declares no role `boss`; known are administrator, auditor, clerk, keeper."),
        ("clerk", "depot/N", "The role `clerk` is held for no record: leave held_for empty instead of `depot/N`."),
        ("keeper", "N", "The role `keeper` is held for one depot: write held_for as depot/KEY instead of `N`."),
    ],
)
def test_what_would_count_for_nothing_is_not_granted(depot: World, role: str, held_for: str | None, words: str) -> None:
    values = {"actor": "ann", "role": role, "held_for": held_for, "from": "2026-01-01"}
    (root,) = depot.perform([depot.creation("role_grant", "grant", **values)])
    assert said(root) == f"{words} [grant]"


def test_an_actor_at_a_field_may(depot: World) -> None:
    ordered(depot, taker="eve")
    assert "may not" in said(depot.fire("order", "check", "1", "cyd"))
    depot.must("order", "check", "1", "eve")
    assert depot.rows("SELECT \"right\" FROM charter_log WHERE event = 'check'") == [("the taker",)]


def test_a_decision_says_who_may(depot: World) -> None:
    """The auditor looks at large orders, not at small ones."""
    ordered(depot, "1", lines=[("A", "2")])
    ordered(depot, "2", lines=[("A", "20")])
    assert "may not" in said(depot.fire("order", "check", "1", "eve"))
    assert "auditor" in said(depot.fire("order", "check", "2", "cyd"))
    depot.must("order", "check", "2", "eve")


def test_what_only_others_fire_nobody_fires(depot: World) -> None:
    ordered(depot)
    line = depot.id("line", "1/1")
    said_ = said(depot.fire("line", "settle", line, "cyd"))
    assert "it is for nobody directly: another event fires it." in said_


@pytest.mark.parametrize(
    ("today", "may"), [("2026-02-28", False), ("2026-03-01", True), ("2026-03-31", True), ("2026-04-01", False)]
)
def test_a_role_is_held_between_its_days(depot: World, today: str, may: bool) -> None:
    ordered(depot)
    depot.create("actor", number="tom", name="Tom")
    grant(depot, "tom", "keeper", "depot/N", from_="2026-03-01", until="2026-03-31")
    depot.today = today
    assert (not depot.fire("order", "check", "1", "tom").reasons) is may


def test_somebody_is_left_who_can_grant_roles(depot: World) -> None:
    ((first,),) = depot.rows("SELECT id FROM role_grant WHERE role = 'administrator'")
    words = "Nobody would be administrator any more: grant the role to somebody else first."
    assert words in said(depot.fire("role_grant", "revoke", first))
    second = grant(depot, "ann", "administrator")
    depot.must("role_grant", "revoke", first)
    assert words in said(depot.fire("role_grant", "revoke", second))


def test_a_revoked_role_is_not_held(depot: World) -> None:
    ordered(depot)
    depot.create("actor", number="tom", name="Tom")
    depot.must("role_grant", "revoke", grant(depot, "tom", "keeper", "depot/N"))
    assert "may not" in said(depot.fire("order", "check", "1", "tom"))


# --- people -----------------------------------------------------------------------------------------------------------


def test_whoever_checked_does_not_approve(depot: World) -> None:
    ordered(depot)
    depot.must("order", "check", "1", "ann")
    assert said(depot.fire("order", "approve", "1", "ann")) == (
        "ann may not `approve` order 1: the same person as `check`. [people]"
    )


def test_whoever_is_at_a_field_does_not_approve(depot: World) -> None:
    ordered(depot, taker="ann")
    depot.must("order", "check", "1")
    assert "the same person as taker" in said(depot.fire("order", "approve", "1", "ann"))


def test_people_are_kept_apart_when_another_event_fires(depot: World) -> None:
    """The round approves; it would be her who checked. Nothing of the round stands."""
    ordered(depot, "1")
    ordered(depot, "2")
    depot.create("round", number="R", depot="N")
    depot.must("order", "check", "1", "ann")
    depot.must("order", "check", "2")
    root = depot.fire("round", "approve_all", "R", "ann")
    assert said(root) == "ann may not `approve` order 1: the same person as `check`. [people]"
    assert depot.rows('SELECT DISTINCT state FROM "order"') == [("checked",)]


def test_who_is_not_asked_when_another_event_fires(depot: World) -> None:
    """A clerk may make the round, and by it approve what she may not approve herself."""
    ordered(depot)
    depot.must("order", "check", "1", "ann")
    depot.create("round", number="R", depot="N")
    assert "may not" in said(depot.fire("order", "approve", "1", "cyd"))
    depot.must("round", "approve_all", "R", "cyd")
    assert depot.field("order", "1", "state") == "approved"


def test_an_event_that_everybody_fires_once(depot: World) -> None:
    ordered(depot)
    depot.must("order", "check", "1")
    depot.must("order", "endorse", "1", "ann")
    assert "ann may not `endorse` order 1: the same person as `endorse`." in said(
        depot.fire("order", "endorse", "1", "ann")
    )
    depot.must("order", "endorse", "1")
    depot.must("order", "reopen", "1")
    depot.must("order", "check", "1")
    depot.must("order", "endorse", "1", "ann")


def test_people_are_kept_apart_within_one_event(depot: World) -> None:
    """One event fires both; the log knows nothing of the first yet."""
    ordered(depot)
    assert "the same person as `check`" in said(depot.fire("order", "rush", "1", "ann"))
    assert depot.field("order", "1", "state") == "draft"


def test_people_are_kept_apart_only_since_the_event_that_is_named(depot: World) -> None:
    ordered(depot)
    depot.must("order", "check", "1", "ann")
    depot.must("order", "reopen", "1")
    depot.must("order", "check", "1")
    depot.must("order", "approve", "1", "ann")


def test_two_actors_of_one_login_are_one_person(depot: World) -> None:
    """Unless the store was made for a demonstration, where one login acts for all."""
    depot.one_login = False
    depot.create("actor", number="amy", name="Amy")
    grant(depot, "amy", "keeper", "depot/N")
    ordered(depot)
    depot.must("order", "check", "1", "ann")
    assert "the same person as `check`" in said(depot.fire("order", "approve", "1", "amy"))
    depot.logins["amy"] = "other"
    depot.must("order", "approve", "1", "amy")


# --- what is given ----------------------------------------------------------------------------------------------------


def test_what_is_not_taken_is_refused(depot: World) -> None:
    ordered(depot)
    assert (
        said(depot.fire("order", "check", "1", colour="red"))
        == "`check` does not take colour; it takes: reason. [check]"
    )


def test_what_is_needed_must_be_given(depot: World) -> None:
    (root,) = depot.perform([depot.creation("order", number="1")])
    assert said(root) == "`create` needs depot, ordered_on. [create]"


def test_what_is_not_given_stays_as_it_is(depot: World) -> None:
    ordered(depot, note="first")
    depot.must("order", "change", "1", urgency="high")
    assert depot.field("order", "1", "note", "urgency") == ("first", "high")
    depot.must("order", "change", "1", note="second")
    assert depot.field("order", "1", "note", "urgency") == ("second", "high")


def test_what_is_given_as_none_is_empty(depot: World) -> None:
    ordered(depot, note="first")
    depot.must("order", "change", "1", note=None)
    assert depot.field("order", "1", "note") is None


def test_money_with_more_places_than_its_currency_is_refused(depot: World) -> None:
    ordered(depot, "1")
    ordered(depot, "2", depot="J")
    assert "0.001 has more places than its currency." in said(depot.fire("order", "pack", "1", extra="0.001"))
    assert "0.1 has more places than its currency." in said(depot.fire("order", "pack", "2", extra="0.1"))
    depot.must("order", "pack", "1", extra="0.01")
    depot.must("order", "pack", "2", extra="1")


# --- warnings ---------------------------------------------------------------------------------------------------------


def test_a_warning_refuses_until_it_is_acknowledged_by_its_name(depot: World) -> None:
    ordered(depot, lines=[("A", "60")])
    assert said(depot.fire("order", "check", "1")) == "Order 1 is worth 600. (acknowledge `dear` to go on) [dear]"
    assert depot.fire("order", "check", "1", acknowledged=["urgent"]).reasons
    depot.must("order", "check", "1", acknowledged=["dear"])
    ((reads,),) = depot.rows("SELECT reads FROM charter_log WHERE event = 'check'")
    assert '"acknowledged":["dear"]' in reads


def test_every_warning_is_acknowledged_for_itself(depot: World) -> None:
    ordered(depot, lines=[("A", "60")])
    depot.must("order", "change", "1", urgency="high")
    root = depot.fire("order", "check", "1", acknowledged=["dear"])
    assert [reason.rule for reason in root.reasons] == ["urgent"]
    depot.must("order", "check", "1", acknowledged=["dear", "urgent"])


def test_nothing_else_is_acknowledged(depot: World) -> None:
    """What is required is required."""
    ordered(depot, note=None)
    root = depot.fire("order", "check", "1", acknowledged=["note is not none", "dear"])
    assert [reason.message for reason in root.reasons] == ["Order 1 has no note."]


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def packed(depot: World) -> World:
    """An order whose total is 20, with 5 added while it is packed."""
    ordered(depot, lines=[("A", "2")])
    depot.must("order", "check", "1")
    depot.must("order", "pack", "1", extra="5")
    return depot


def test_a_step_sees_what_earlier_steps_set(packed: World) -> None:
    assert packed.field("order", "1", "seen") == 25


def test_this_shows_what_was_before(packed: World) -> None:
    assert packed.field("order", "1", "seen_this") == 20


def test_a_name_is_worked_out_once(packed: World) -> None:
    """As the fields were before any step."""
    assert packed.field("order", "1", "seen_let") == 40


def test_an_event_fired_on_children_shows_in_the_next_event(packed: World) -> None:
    assert packed.field("line", "1/1", "quantity") == 3
    assert packed.field("order", "1", "counted") == 3


def test_a_created_record_is_known_by_its_name(packed: World) -> None:
    ((movement, amount),) = packed.rows("SELECT id, amount FROM movement")
    assert packed.field("order", "1", "last") == movement
    assert packed.rows("SELECT movement, words FROM notice") == [(movement, "1")]
    assert amount == 250000, "what is handed on is what earlier steps set"


def test_steps_under_a_condition(packed: World) -> None:
    ordered(packed, "2")
    packed.must("order", "change", "2", urgency="high")
    packed.must("order", "pack", "2", extra="0")
    assert packed.field("order", "1", "note") == "please"
    assert packed.field("order", "2", "note") == "high"


def recounted(world: World, *quantities: str) -> None:
    """An order of 20 and the more, recounted: every line grows by one, by two where there are several."""
    ordered(world, lines=[("A", quantity) for quantity in quantities])
    world.must("order", "check", "1")
    world.must("order", "recount", "1")


def test_a_step_sees_what_was_fired_on_children(everywhere: World) -> None:
    """A name is worked out before any step, what a step says when its turn has come."""
    recounted(everywhere, "2", "5")
    assert everywhere.field("order", "1", "counted") == 2
    assert everywhere.field("line", "1/1", "quantity") == 4


def test_a_step_sees_what_was_fired_on_what_was_created(depot: World) -> None:
    recounted(depot, "2")
    assert depot.field("order", "1", "seen", "total") == (40, 20)
    assert depot.rows("SELECT amount FROM movement") == [(400000,)]


def test_a_condition_of_a_step_rests_on_what_steps_before_did(depot: World) -> None:
    recounted(depot, "2")
    assert depot.field("order", "1", "note", "counted") == ("please", 1)
    assert depot.rows("SELECT count(*) FROM notice") == [(0,)]


def test_a_posting_sees_what_steps_before_did(depot: World) -> None:
    recounted(depot, "2", "5")
    assert depot.field("order", "1", "note") == "grown"
    assert depot.rows("SELECT abs(amount) FROM charter_entry") == [(7700000,), (7700000,)]
    assert depot.rows("SELECT words FROM notice") == [("counted",)]


def test_a_requirement_that_rests_on_a_step_is_asked_after_it(depot: World) -> None:
    ordered(depot, lines=[("A", "2"), ("A", "14")])
    depot.must("order", "check", "1")
    before = depot.tables(REFUSAL, COUNTER)
    assert said(depot.fire("order", "recount", "1")) == "Order 1 has 20 pieces. [pieces < 20]"
    assert depot.tables(REFUSAL, COUNTER) == before


def test_an_event_fired_on_the_record_itself_keeps_what_it_set(depot: World) -> None:
    ordered(depot, lines=[("A", "2")])
    depot.must("order", "tally", "1")
    assert depot.field("order", "1", "counted", "moved") == (3, 20)


def test_a_step_does_not_set_what_an_event_before_has_set(depot: World) -> None:
    """Which of the two counts would be a matter of chance for whoever reads the log."""
    ordered(depot, lines=[("A", "2")])
    words = "order 1: an event fired by a step before set or deleted counted, too. [clash]"
    assert said(depot.fire("order", "clash", "1")) == words


def test_what_rests_on_steps_comes_out_again(everywhere: World) -> None:
    recounted(everywhere, "2", "5")
    everywhere.must("order", "tally", "1")
    assert verify(Charter(everywhere.store, "test", clock()), reperform=True).problems == []


def test_what_was_not_created_has_no_number_when_it_is_taken_again(depot: World) -> None:
    """The number of what was created stays with its own name."""
    ordered(depot, lines=[("A", "2")])
    depot.must("order", "part", "1")
    depot.must("order", "change", "1", urgency="high")
    depot.must("order", "part", "1")
    assert depot.rows("SELECT count(*) FROM movement") == [(3,)]
    assert verify(Charter(depot.store, "test", clock()), reperform=True).problems == []


def test_what_is_set_after_a_step_is_in_the_chunk_as_alone(depot: World) -> None:
    """Requests of one chunk that reach the same children come out as one after the other."""
    ordered(depot, lines=[("A", "2"), ("A", "5")])
    grow = depot.request("line", "spoil", "1/1")
    depot.perform([grow, depot.request("order", "recount", "1")])
    assert depot.field("order", "1", "counted") == 2
    assert depot.field("line", "1/1", "quantity") == 2


def test_a_chunk_comes_out_as_its_requests_one_after_the_other(everywhere: World) -> None:
    """What a measure says of earlier requests of the chunk is what they leave."""
    for number in ("1", "2", "3"):
        ordered(everywhere, number)
    requests = [everywhere.request("order", "pack", number, extra="5") for number in ("1", "2")]
    assert not any(root.reasons for root in everywhere.perform(requests))
    everywhere.must("order", "pack", "3", extra="5")
    assert [everywhere.field("order", number, "moved") for number in ("1", "2", "3")] == [0, 5, 10]


def test_requests_that_meet_through_what_they_fire_keep_their_order(everywhere: World) -> None:
    """The line grows with its order and is spoilt after that, though other lines are spoilt at the same time."""
    for number in ("1", "2"):
        ordered(everywhere, number)
    spoil_another, spoil = (everywhere.request("line", "spoil", key) for key in ("2/1", "1/1"))
    everywhere.perform([spoil_another, everywhere.request("order", "pack", "1", extra="5"), spoil])
    assert everywhere.field("line", "1/1", "quantity") == 0


def test_what_is_deleted_first_is_not_there_for_who_comes_later(depot: World) -> None:
    depot.create("order", number="1", depot="N", ordered_on="2026-03-02")
    ordered(depot, "2")
    line = depot.creation("line", order="1", number=1, article="A", quantity="1")
    other = depot.creation("line", order="2", number=7, article="A", quantity="1")
    roots = depot.perform([other, depot.request("order", "delete", "1"), line])
    assert [bool(root.reasons) for root in roots] == [False, False, True]


def test_children_show_what_earlier_requests_made(depot: World) -> None:
    ordered(depot, "1")
    line = depot.creation("line", order="1", number=2, article="A", quantity="7")
    first, second = depot.perform([line, depot.request("order", "check", "1")])
    assert (said(first), said(second)) == ("", "")
    assert depot.field("order", "1", "total") == 90


def test_children_show_nothing_of_later_requests(depot: World) -> None:
    """Although lines are entered together, before orders are checked."""
    ordered(depot, "1")
    ordered(depot, "2")
    requests = [
        depot.creation("line", order="2", number=2, article="A", quantity="7"),
        depot.request("order", "check", "1"),
        depot.creation("line", order="1", number=2, article="A", quantity="7"),
    ]
    assert [said(root) for root in depot.perform(requests)] == ["", "", "Order 1 is checked. [order.state == 'draft']"]
    assert depot.field("order", "1", "total") == 20


def test_children_that_are_refused_do_not_count(depot: World) -> None:
    ordered(depot, "1")
    requests = [
        depot.creation("line", order="1", number=1, article="A", quantity="7"),
        depot.request("order", "check", "1"),
    ]
    first, second = depot.perform(requests)
    assert "There is already a line 1/1." in said(first)
    assert not second.reasons
    assert depot.field("order", "1", "total") == 20


def test_a_mirror_changes_the_sign_of_what_is_marked(packed: World) -> None:
    packed.must("movement", "mirror", packed.field("order", "1", "last"))
    assert packed.rows("SELECT amount, state FROM movement ORDER BY id") == [(250000, "mirrored"), (-250000, "made")]


def test_a_nested_refusal_refuses_everything(depot: World) -> None:
    """Of two lines one cannot be settled: neither is, nothing is posted, the order is not sent."""
    approved(depot, lines=[("A", "1"), ("A", "2")])
    depot.must("line", "spoil", "1/2")
    before = depot.tables(REFUSAL, COUNTER)
    root = depot.fire("order", "send", "1")
    assert said(root) == "Line 2 of 1 is of nothing. [quantity > 0]"
    assert depot.tables(REFUSAL, COUNTER) == before


def test_a_refusal_within_a_chunk_takes_nothing_else_with_it(depot: World) -> None:
    approved(depot, "1", lines=[("A", "1"), ("A", "2")])
    approved(depot, "2")
    depot.must("line", "spoil", "1/2")
    first, second = depot.perform([depot.request("order", "send", n) for n in ("1", "2")])
    assert (bool(first.reasons), bool(second.reasons)) == (True, False)
    assert depot.rows(
        'SELECT DISTINCT state FROM line WHERE "order" = (SELECT id FROM "order" WHERE number = \'1\')'
    ) == [("open",)]
    assert depot.field("line", "2/1", "state") == "settled"


# --- one record met twice ---------------------------------------------------------------------------------------------


def test_two_requests_on_one_record_go_one_after_the_other(everywhere: World) -> None:
    """The second sees what the first left, and may be refused because of it."""
    ordered(everywhere)
    everywhere.must("order", "check", "1")
    first, second = everywhere.perform([everywhere.request("order", "approve", "1") for _ in range(2)])
    assert not first.reasons
    assert 'order 1 cannot `approve` from "approved"' in said(second)
    assert everywhere.rows("SELECT count(*) FROM charter_log WHERE event = 'approve'") == [(1,)]


def test_three_changes_of_one_record_in_one_chunk_all_count(depot: World) -> None:
    ordered(depot)
    depot.perform([depot.request("order", "change", "1", note=note) for note in ("a", "b", "c")])
    assert depot.field("order", "1", "note") == "c"
    logged = depot.rows("SELECT changes FROM charter_log WHERE event = 'change' ORDER BY id")
    assert logged == [('{"note":["please","a"]}',), ('{"note":["a","b"]}',), ('{"note":["b","c"]}',)]


def test_different_events_on_one_record_go_in_the_order_of_the_requests(depot: World) -> None:
    ordered(depot)
    requests = [depot.request("order", event, "1") for event in ("check", "approve", "send")]
    assert [said(root) for root in depot.perform(requests)] == ["", "", ""]
    assert depot.field("order", "1", "state") == "sent"


# --- keys -------------------------------------------------------------------------------------------------------------


def test_keys_are_unique(everywhere: World) -> None:
    ordered(everywhere, "1")
    again = everywhere.creation("order", number="1", depot="N", ordered_on="2026-03-02")
    (root,) = everywhere.perform([again])
    assert said(root) == "There is already a order 1. [key]"


def test_two_of_one_key_in_a_chunk(everywhere: World) -> None:
    one = everywhere.creation("order", number="1", depot="N", ordered_on="2026-03-02")
    first, second = everywhere.perform([one, one])
    assert (said(first), said(second)) == ("", "There is already a order 1. [key]")


def test_the_first_of_two_is_refused_and_the_second_takes_the_key(depot: World) -> None:
    """As if each had come alone."""
    bad = depot.creation("order", number="1", depot="NOWHERE", ordered_on="2026-03-02")
    good = depot.creation("order", number="1", depot="N", ordered_on="2026-03-02")
    first, second = depot.perform([bad, good])
    assert (bool(first.reasons), said(second)) == (True, "")


def test_an_excepted_state_frees_the_key(everywhere: World) -> None:
    for _ in range(3):
        ordered(everywhere, "1", lines=[])
        everywhere.must("order", "cancel", "1")
    ordered(everywhere, "1", lines=[])
    assert everywhere.rows('SELECT count(*) FROM "order"') == [(4,)]
    assert everywhere.field("order", "1", "state") == "draft"


def test_a_key_that_a_change_takes(everywhere: World) -> None:
    ordered(everywhere, "1")
    ordered(everywhere, "2")
    assert "already a order 1" in said(everywhere.fire("order", "rename", "2", number="1"))
    everywhere.must("order", "rename", "1", number="3")
    everywhere.must("order", "rename", "2", number="1")


@pytest.mark.parametrize("event", ["cancel", "delete", "rename"])
def test_a_key_that_is_freed_in_the_same_chunk(everywhere: World, event: str) -> None:
    ordered(everywhere, "1", lines=[])
    values = {"number": "9"} if event == "rename" else {}
    free = everywhere.request("order", event, "1", **values)
    take = everywhere.creation("order", number="1", depot="N", ordered_on="2026-03-02")
    assert [said(root) for root in everywhere.perform([free, take])] == ["", ""]
    assert everywhere.field("order", "1", "state") == "draft"


# --- numbers that do not fit ------------------------------------------------------------------------------------------


def test_an_amount_that_is_too_large_to_be_kept_is_refused(depot: World) -> None:
    """With its reason, and the rest of the chunk goes on."""
    ordered(depot, "1")
    huge = depot.creation("line", order="1", number=2, article="A", quantity="9" * 18)
    precise = depot.creation("line", order="1", number=3, article="A", quantity="0.1234567")
    other = depot.creation("line", order="1", number=4, article="A", quantity="1")
    first, second, third = depot.perform([huge, precise, other])
    assert "is too large to be kept" in said(first)
    assert "0.1234567 has more than 6 digits behind the point" in said(second)
    assert not third.reasons


def test_a_whole_number_that_is_too_large_to_be_kept_is_refused(everywhere: World) -> None:
    """Part of a key or not; and no record is found by it."""
    ordered(everywhere, "1")
    huge = everywhere.creation("line", order="1", number=2**63, article="A", quantity="1")
    other = everywhere.creation("line", order="1", number=2, article="A", quantity="1")
    first, second = everywhere.perform([huge, other])
    assert said(first) == f"line 1/{2**63}: {2**63} is too large to be kept. [kept]"
    assert not second.reasons
    assert second.firing is not None
    with everywhere.store.transaction() as session:
        gatherer = Gatherer(everywhere.rules.library, everywhere.rules.metadata, session, Facts(), {})
        assert gatherer.ids_of("line", {f"1/{2**63}", "1/2"}) == {"1/2": second.firing.id}


def test_none_equals_none_and_nothing_else(depot: World) -> None:
    ordered(depot, "1", note=None)
    assert depot.field("order", "1", "note") is None
    assert depot.field("order", "1", "taker") is None
    assert "has no note" in said(depot.fire("order", "check", "1"))


def test_a_dated_value_is_that_of_the_date_that_decides(depot: World) -> None:
    """Not that of today: until 2025 an order was worth 1000 at most."""
    ordered(depot, "1", lines=[("A", "150")], ordered_on="2025-12-31")
    ordered(depot, "2", lines=[("A", "150")], ordered_on="2026-01-01")
    assert "1000 is the most" in said(depot.fire("order", "check", "1", acknowledged=["dear"]))
    depot.must("order", "check", "2", acknowledged=["dear"])


def test_money_is_rounded_when_it_gets_its_name(depot: World) -> None:
    """Half up, to the minor unit of its currency."""
    ordered(depot, "1", lines=[("C", "1"), ("C", "3"), ("B", "3"), ("C", "-1")])
    ordered(depot, "2", depot="J", lines=[("C", "100"), ("C", "99")])
    amounts = [depot.field("line", f"1/{n}", "amount") for n in (1, 2, 3, 4)]
    assert amounts == [Decimal("0.01"), Decimal("0.02"), Decimal("100.00"), Decimal("-0.01")]
    assert [depot.field("line", f"2/{n}", "amount") for n in (1, 2)] == [1, 0]


def test_a_plan_writes_nothing(depot: World) -> None:
    approved(depot)
    before = depot.tables()
    depot.plan = True
    root = depot.must("order", "send", "1")
    assert root.firing is not None
    assert [e[3] for e in root.firing.vouchers[0].entries] == [20, Decimal("-16.81"), Decimal("-3.19")]
    assert depot.tables() == before


def test_an_unknown_record_type_is_a_fault(depot: World) -> None:
    with pytest.raises(Exception, match="There is no record type `ghost`"):
        depot.perform([Request("ghost", "create", None, {})])


@pytest.mark.parametrize(("last", "asked"), [(False, [1, 2]), (True, [4, 3, 2])])
def test_where_one_is_looked_for_those_after_it_are_not_asked(
    depot: World, monkeypatch: pytest.MonkeyPatch, last: bool, asked: list[int]
) -> None:
    """Many may come near, such as all work of a project, for each of many firings."""
    seen: list[int] = []

    def fits(_: object, row: Sequence[int]) -> bool:
        seen.append(row[0])
        return row[0] == 2

    find = Find(0, [], NOWHERE, name="near", record="order", paths=[("id",)], predicate=fits, last=last)
    monkeypatch.setattr(Gatherer, "candidates", lambda *_: {(): [[1], [2], [3], [4]]})
    with depot.store.transaction() as session:
        gatherer = Gatherer(depot.rules.library, depot.rules.metadata, session, Facts(), {})
        firing = SimpleNamespace(v={})
        gatherer.read_finds(find, [(firing, ())])
    assert (firing.v[0][0], seen) == (2, asked)
