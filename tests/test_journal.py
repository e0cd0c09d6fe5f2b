"""The ledger and the log: every voucher balances, what is written stays, what is reversed is restored to the cent."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from charter.engine.facts import plain, written
from charter.engine.money import to_kept
from charter.engine.tables import APPEND_ONLY
from charter.engine.verification import verify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError
from support import DEPOT, Stores, World, approved, ordered, said, sent, stocked

BALANCES = "SELECT account, account_key, sum(amount) FROM charter_entry GROUP BY account, account_key"
UNBALANCED = "SELECT voucher FROM charter_entry GROUP BY voucher, currency, company HAVING sum(amount) <> 0"


def two_sent(world: World) -> None:
    """Two orders, one of them above the limit from which something is given away."""
    sent(world, "1", lines=[("A", "2")])
    sent(world, "2", lines=[("A", "11"), ("B", "1")])


@pytest.fixture(params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    with stores.opened(request, DEPOT, two_sent) as world:
        yield world


CONTENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.dates()
    | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(CONTENT)
@settings(max_examples=100, deadline=None)
def test_content_is_written_as_any_reader_of_json_would_write_it(content: object) -> None:
    assert written(content) == json.dumps(plain(content), ensure_ascii=False, separators=(",", ":"))


def test_a_voucher_says_what_its_posting_says(depot: World) -> None:
    sent(depot, lines=[("A", "2")])
    ((number, posting, series, currency, day, company),) = depot.rows(
        "SELECT number, posting, series, currency, date, company FROM charter_voucher"
    )
    assert (number, posting, series, currency, str(day)) == ("O-000001", "order_sent", "orders", "EUR", "2026-03-02")
    assert company == depot.id("depot", "N")
    entries = depot.rows('SELECT line, account_key, amount, "row" FROM charter_entry ORDER BY line')
    assert entries == [
        (1, "receivable", 200000, "order_sent/sent"),
        (2, "sales", -168100, "order_sent/sent"),
        (3, "tax", -31900, "order_sent/sent"),
    ]


def test_every_voucher_balances(busy: World) -> None:
    assert busy.rows("SELECT count(*) FROM charter_voucher") == [(3,)]
    assert busy.rows(UNBALANCED) == []


@settings(deadline=None, max_examples=15, suppress_health_check=list(HealthCheck))
@given(
    quantities=st.lists(st.decimals("0.001", "999", places=6), min_size=1, max_size=12),
    price=st.decimals("0.000001", "9999.999999", places=6),
    place=st.sampled_from(["N", "J"]),
)
def test_entries_of_rounded_names_balance(
    stores: Stores, quantities: list[Decimal], price: Decimal, place: str
) -> None:
    """Whatever the amounts: net, tax and what is given away are rounded where they are named, and only there."""
    with stores.memory(DEPOT) as world:
        world.create("tariff", article="X", price=str(price))
        orders = [
            world.creation("order", number=str(i), depot=place, ordered_on="2026-03-02", note="x")
            for i in range(len(quantities))
        ]
        lines = [
            world.creation("line", order=str(i), number=1, article="X", quantity=str(q))
            for i, q in enumerate(quantities)
        ]
        world.perform([*orders])
        world.perform([*lines])
        ids = [world.id("order", str(i)) for i in range(len(quantities))]
        for event in ("check", "approve", "send"):
            world.perform([world.request("order", event, i, acknowledged=["dear"]) for i in ids])
        assert world.rows(UNBALANCED) == []
        unit = 100 if place == "N" else 10000
        assert world.rows(f"SELECT count(*) FROM charter_entry WHERE amount % {unit} <> 0") == [(0,)]
        owed = world.rows("SELECT sum(total) FROM \"order\" WHERE state = 'sent'")
        assert world.rows(
            "SELECT sum(amount) FROM charter_entry WHERE account_key = 'receivable' AND amount > 0"
        ) == owed or owed == [(0,)]


def test_a_voucher_that_does_not_balance_is_a_fault(depot: World) -> None:
    """The check proves it before; should it come all the same, nothing is written."""
    approved(depot)
    _, workflow, transition = next(
        (r, w, t) for r in depot.rules.library.records() for w, t in depot.rules.library.transitions(r, "send")
    )
    record = depot.rules.library.record("order")
    assert record is not None
    program = depot.rules.programs.of(record, workflow, transition)
    code = next(e.voucher for e in program.effects if e.voucher)
    assert code is not None
    entries = code.entries
    object.__setattr__(code, "entries", lambda v: entries(v)[:-1])
    try:
        with pytest.raises(Exception, match="does not balance"):
            depot.fire("order", "send", "1")
    finally:
        object.__setattr__(code, "entries", entries)
    assert depot.field("order", "1", "state") == "approved"


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("verb", ["UPDATE {} SET {} = {}", "DELETE FROM {}"])
def test_the_database_refuses_to_change_what_is_written(busy: World, table: str, verb: str) -> None:
    busy.fire("order", "send", "1")
    column = busy.rules.metadata.tables[table].columns.keys()[-1]
    assert busy.rows(f"SELECT count(*) FROM {table}") != [(0,)]
    with pytest.raises(DBAPIError, match=f"{table} is append-only"):
        busy.change(verb.format(table, f'"{column}"', f'"{column}"'))


def test_nothing_is_written_without_a_transaction(busy: World) -> None:
    """Every voucher points to a row of the log, every row to a pack that is kept."""
    assert busy.rows(
        "SELECT count(*) FROM charter_voucher v LEFT JOIN charter_log l ON l.id = v.log WHERE l.id IS NULL"
    ) == [(0,)]
    assert busy.rows(
        "SELECT count(*) FROM charter_log l LEFT JOIN charter_pack p ON p.hash = l.pack WHERE p.hash IS NULL"
    ) == [(0,)]
    lost = "SELECT count(*) FROM charter_log l LEFT JOIN charter_fact f ON f.stream = l.stream AND f.hash = l.basis WHERE f.hash IS NULL"
    assert busy.rows(lost) == [(0,)]


def test_a_reversal_restores_every_balance_to_the_cent(busy: World) -> None:
    before = sorted(busy.rows(BALANCES))
    sent(busy, "3", lines=[("B", "7"), ("C", "3")])
    assert sorted(busy.rows(BALANCES)) != before
    busy.must("order", "take_back", "3")
    assert sorted(busy.rows(BALANCES)) == before
    assert busy.rows(UNBALANCED) == []


def test_a_reversal_mirrors_each_voucher_of_the_event(busy: World) -> None:
    """Both vouchers, each by one of its own that names it, in the same series."""
    busy.must("order", "take_back", "2")
    mirrored = busy.rows(
        "SELECT series, number, posting, reverses FROM charter_voucher WHERE reverses IS NOT NULL ORDER BY id"
    )
    was = busy.rows("SELECT series, posting, id FROM charter_voucher WHERE reverses IS NULL ORDER BY id")[1:]
    assert [(series, posting, id_) for series, _, posting, id_ in mirrored] == was
    assert [number for _, number, _, _ in mirrored] == ["O-000003", "R-000002"]


def test_what_is_reversed_is_not_reversed_again(busy: World) -> None:
    busy.must("order", "take_back", "2")
    assert 'cannot `take_back` from "returned"' in said(busy.fire("order", "take_back", "2"))


def test_numbers_of_a_series_run_on_for_each_company(busy: World) -> None:
    sent(busy, "3", depot="S")
    sent(busy, "4", depot="N")
    rows = busy.rows(
        "SELECT d.number, v.number FROM charter_voucher v JOIN depot d ON d.id = v.company WHERE series = 'orders' ORDER BY v.id"
    )
    assert rows == [("N", "O-000001"), ("N", "O-000002"), ("S", "O-000001"), ("N", "O-000003")]


def test_a_refused_event_takes_no_number(busy: World) -> None:
    approved(busy, "3", lines=[("A", "1")])
    busy.must("line", "spoil", "3/1")
    assert busy.fire("order", "send", "3").reasons
    sent(busy, "4")
    numbers = busy.rows("SELECT number FROM charter_voucher WHERE series = 'orders' ORDER BY id")
    assert numbers == [("O-000001",), ("O-000002",), ("O-000003",)]


def test_a_zero_entry_is_not_written_nor_a_voucher_of_nothing(depot: World) -> None:
    """A cent has no tax; a worth of nothing posts nothing."""
    sent(depot, "1", lines=[("C", "1")])
    assert depot.rows("SELECT account_key, amount FROM charter_entry ORDER BY line") == [
        ("receivable", 100),
        ("sales", -100),
    ]
    sent(depot, "2", lines=[("C", "0.1")])
    assert depot.field("order", "2", "total") == 0
    assert depot.rows("SELECT count(*) FROM charter_voucher") == [(1,)]


def test_the_log_says_who_when_by_what_right_and_what_came_of_it(depot: World) -> None:
    ordered(depot, "1")
    depot.must("order", "check", "1", "ann", reason="looks right")
    ((at, actor, login, right, rule, before, after, changes, reads),) = depot.rows(
        "SELECT at, actor, login, \"right\", rule, from_state, to_state, changes, reads FROM charter_log WHERE event = 'check'"
    )
    assert (at, actor, login) == ("2026-03-31T12:00:00.000000Z", "ann", "test")
    assert (right, rule, before, after) == ("keeper of depot/N", "order/check", "draft", "checked")
    assert changes == '{"state":["draft","checked"],"total":["0","20"]}'
    assert '"given":{"reason":"looks right"}' in reads


def test_what_is_fired_names_its_cause(depot: World) -> None:
    sent(depot, lines=[("A", "1"), ("A", "2")])
    ((cause,),) = depot.rows("SELECT id FROM charter_log WHERE event = 'send'")
    fired = depot.rows("SELECT cause, \"right\" FROM charter_log WHERE event = 'settle'")
    assert fired == [(cause, "fired")] * 2


def test_each_stream_has_a_chain_of_its_own(busy: World) -> None:
    ordered(busy, "3", depot="S")
    rows = busy.rows("SELECT stream, number FROM charter_log ORDER BY stream, number")
    streams = sorted({stream for stream, _ in rows})
    assert streams == ["N", "S", "main"]
    assert rows == [(s, n) for s in streams for n in range(1, sum(r[0] == s for r in rows) + 1)]
    heads = busy.rows(
        "SELECT h.stream FROM charter_head h JOIN charter_log l ON l.stream = h.stream AND l.number = h.number AND l.hash = h.hash"
    )
    assert sorted(heads) == [(s,) for s in streams]


def test_equal_facts_are_kept_once(depot: World) -> None:
    """Ten orders of one kind rest on one answer of the terms."""
    for i in range(10):
        approved(depot, str(i), lines=[("A", "2")])
    depot.perform([depot.request("order", "send", str(i)) for i in range(10)])
    assert depot.rows('SELECT count(*) FROM charter_fact WHERE content LIKE \'%"decision":"terms"%\'') == [(1,)]


def test_amounts_are_kept_as_whole_numbers(busy: World) -> None:
    """A hundred times a hundredth of a cent, in both databases."""
    total = busy.rows("SELECT total FROM \"order\" WHERE number = '2'")
    assert total == [(to_kept(Decimal("143.33"), "money"),)]
    assert all(type(amount) is int for (amount,) in busy.rows("SELECT amount FROM charter_entry"))


def test_an_amount_that_is_too_large_for_the_ledger_refuses_its_own_request(stores: Stores, tmp_path: Path) -> None:
    """By the row of the posting that it comes from; the others of the chunk are written."""
    postings = copied(tmp_path, "owed: total,", "owed: total * 10000000000000,")
    with stores.memory(postings.parent) as world:
        stocked(world)
        numbers = {"1": "2", "2": "20", "3": "2"}
        for number, quantity in numbers.items():
            approved(world, number, lines=[("A", quantity)])
        roots = world.perform([world.request("order", "send", number) for number in numbers])
        assert [len(root.reasons) for root in roots] == [0, 2, 0]
        reason = roots[1].reasons[0]
        assert said(roots[1]).startswith(
            "The entry receivable of order_sent for order 2: 2000000000000000.00 is too large to be kept. [kept]"
        )
        assert reason.place.file.endswith("postings.yaml")
        assert postings.read_text().splitlines()[reason.place.line - 1] == "  - name: sent"
        assert world.field("order", "2", "state", "sent_on") == ("approved", None)
        assert world.rows("SELECT count(*) FROM charter_voucher") == [(2,)]
        assert verify(world.charter, reperform=True).problems == []


def copied(folder: Path, was: str, becomes: str) -> Path:
    """The postings of a pack like that of the depots, with something else in them."""
    shutil.copytree(DEPOT, folder / "depot")
    postings = folder / "depot" / "postings.yaml"
    text = postings.read_text()
    assert was in text
    postings.write_text(text.replace(was, becomes))
    return postings
