"""Who acts in the place of another is held to every rule as both, and the log says so. The base pack's own tests have more."""

from __future__ import annotations

from charter.engine.explanations import history
from charter.engine.journal_rows import READS, chained
from charter.engine.next_steps import Delegate, next_steps
from charter.engine.verification import verify
from support import World, grant, ordered, said
from test_reperformance import rechain
from test_verification import tamper

AWAY = {"from": "2026-03-30", "until": "2026-04-10"}


def delegate(world: World, actor: str, to_act_for: str, who: str | None = None, **more: str) -> int:
    return world.create("delegation", who, "delegate", actor=actor, **{"for": to_act_for, **AWAY, **more})


def done_for(world: World) -> list[tuple[str, str, str | None]]:
    return [tuple(r) for r in world.rows(
        'SELECT actor, "right", acting_for FROM charter_log WHERE record = \'order\' AND actor <> \'test\' ORDER BY id'
    )]  # fmt: skip


def test_the_log_names_both(everywhere: World) -> None:
    """Whoever is represented counts as having done it."""
    delegate(everywhere, "eve", "ann", "ann")
    ordered(everywhere)
    everywhere.must("order", "check", "1", "eve")
    assert done_for(everywhere) == [("eve", "keeper of depot/N", "ann")]
    told = history(everywhere.charter, "order", "1")[-1]
    assert (told.actor, told.acting_for, told.right) == ("eve", "ann", "keeper of depot/N")
    words = "eve may not `approve` order 1: the same person as `check`. [people]"
    assert said(everywhere.fire("order", "approve", "1", "eve")) == words
    assert "ann may not `approve` order 1: the same person as `check`" in said(
        everywhere.fire("order", "approve", "1", "ann")
    )
    assert verify(everywhere.charter, reperform=True).problems == []


def test_what_an_event_fires_is_done_in_the_same_place(depot: World) -> None:
    ordered(depot)
    delegate(depot, "eve", "ann")
    assert "eve may not `approve` order 1: the same person as `check`" in said(depot.fire("order", "rush", "1", "eve"))
    delegate(depot, "eve", "cyd")
    depot.must("order", "check", "1")
    depot.must("order", "approve", "1")
    depot.must("order", "send", "1", "eve")
    assert depot.rows("SELECT actor, acting_for FROM charter_log WHERE event = 'settle'") == [("eve", "cyd")]


def test_one_of_several_is_represented_whom_no_rule_keeps_from_it(depot: World) -> None:
    """Ann takes the order; so it is checked by her stand-in for bob, who is a keeper of that depot, too."""
    grant(depot, "bob", "keeper", "depot/N")
    delegate(depot, "eve", "ann")
    delegate(depot, "eve", "bob")
    ordered(depot, taker="ann")
    depot.must("order", "check", "1")
    depot.must("order", "approve", "1", "eve")
    assert done_for(depot) == [("eve", "keeper of depot/N", "bob")]


def test_own_rights_come_first(depot: World) -> None:
    delegate(depot, "bob", "ann")
    grant(depot, "bob", "keeper", "depot/N")
    ordered(depot, taker="ann")
    depot.must("order", "check", "1")
    depot.must("order", "approve", "1", "bob")
    assert done_for(depot) == [("bob", "keeper of depot/N", None)]


def test_what_only_somebody_named_may_is_delegated_by_saying_so(depot: World) -> None:
    ordered(depot, taker="bob")
    delegate(depot, "eve", "bob")
    assert "may not" in said(depot.fire("order", "check", "1", "eve"))
    delegate(depot, "eve", "bob", covers="where_named")
    depot.must("order", "check", "1", "eve")
    assert done_for(depot) == [("eve", "the taker", "bob")]


def test_a_retired_actor_is_represented_by_nobody(depot: World) -> None:
    delegate(depot, "eve", "ann")
    ordered(depot)
    depot.must("actor", "retire", "ann")
    assert "may not" in said(depot.fire("order", "check", "1", "eve"))


def test_a_delegation_that_would_count_for_nothing_is_refused(depot: World) -> None:
    def refused(**more: str) -> str:
        values = {"actor": "eve", "for": "ann", **AWAY, **more}
        return said(depot.perform([depot.creation("delegation", "delegate", **values)], "ann")[0])

    assert "declares no role `kepper`; did you mean `keeper`?" in refused(role="kepper")
    assert "No role is held for `order/1`: write held_for as depot/KEY." in refused(held_for="order/1")
    assert "is held for one depot" in refused(role="keeper", held_for="N")
    assert "ann cannot act for themselves" in refused(actor="ann")
    assert "lies before the first" in refused(until="2026-03-29")
    assert "rests on none" in refused(covers="where_named", role="keeper")
    assert "it is for the for or administrator" in refused(**{"for": "bob"})


def test_a_stand_in_gives_it_up_and_revokes_no_other(depot: World) -> None:
    mine, other = delegate(depot, "eve", "ann", covers="everything"), delegate(depot, "bob", "ann")
    assert "may not `revoke`" in said(depot.fire("delegation", "revoke", other, "eve"))
    depot.must("delegation", "revoke", mine, "eve")
    assert depot.actor("eve").acts_for == ()


def test_who_may_next_is_told_with_those_who_may_for_others(depot: World) -> None:
    delegate(depot, "eve", "ann")
    id_ = ordered(depot)
    depot.must("order", "check", "1", "ann")
    (approve,) = [s for s in next_steps(depot.charter, "order", id_, depot.actor("eve")) if s.event == "approve"]
    assert approve.kept_from == (
        "ann may not `approve` order 1: the same person as `check`.",
        "eve may not `approve` order 1 for ann, who is the same person as `check`.",
    )
    assert not approve.may
    (endorse,) = [s for s in next_steps(depot.charter, "order", id_, depot.actor("eve")) if s.event == "endorse"]
    assert endorse.may
    assert (endorse.who[0].actors, endorse.who[0].delegates) == (("ann",), (Delegate("eve", "ann"),))


def test_what_nobody_delegated_is_found_when_it_is_taken_again(depot: World) -> None:
    """The log, its hashes and heads are made to fit."""
    grant(depot, "eve", "keeper", "depot/N")
    delegate(depot, "bob", "ann", covers="where_named")
    ordered(depot)
    depot.must("order", "check", "1", "eve")
    for actor, found in (
        ("eve", "eve acted for ann, who had delegated nothing to eve on 2026-03-31"),
        ("bob", "bob acted for ann by right of keeper of depot/N, which was not delegated on 2026-03-31"),
    ):
        tamper(depot, "charter_log",
               f"UPDATE charter_log SET actor = '{actor}', acting_for = 'ann' WHERE event = 'check'")  # fmt: skip
        rechain(depot)
        assert verify(depot.charter).problems == []
        assert [p for p in verify(depot.charter, reperform=True).problems if found in p]


def test_many_are_acted_for_by_as_many_statements_as_one(depot: World) -> None:
    delegate(depot, "eve", "ann")
    for number in range(9):
        ordered(depot, str(number))
        depot.must("order", "check", str(number))

    def statements(*numbers: int) -> int:
        asked = [depot.request("order", "approve", str(n)) for n in numbers]
        batch = depot.batch("eve")
        before = depot.store.statements
        assert all(not r.reasons for roots in batch.in_chunks(asked) for r in roots)
        return depot.store.statements - before

    assert statements(0) == statements(*range(1, 9))
    assert {who for _, _, who in done_for(depot)} == {"ann"}


def test_a_log_row_without_a_place_for_whom_one_acts_has_the_hash_it_had() -> None:
    row = (*range(READS), '{"own":{}}', "basis", '{"state":["a","b"]}', "vouchers")
    assert chained("x", (*row, None)) == chained("x", row)
    told = {chained("x", (*row[:i], "other", *row[i + 1 :])) for i in range(len(row))}
    assert len(told | {chained("x", row), chained("y", row)}) == len(row) + 2
