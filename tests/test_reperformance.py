"""Every decision of the log comes out again as it was logged, under the rules that held then; a forged one does not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from charter.engine import catalog
from charter.engine.application import Charter, rules_of
from charter.engine.journal_rows import FIRST_HASH, chained
from charter.engine.store import Session
from charter.engine.tables import HEAD, LOG
from charter.engine.trials import Trial
from charter.engine.verification import verify
from sqlalchemy import select
from support import DEPOT, TODAY, Stores, World, approved, clock, ordered, sent
from test_verification import tamper


def taken_again(world: World) -> list[str]:
    return verify(Charter(world.store, "test", clock()), reperform=True).problems


def busy_days(depot: World) -> None:
    depot.create("actor", number="max", name="Max")
    for number, lines in {"1": [("A", "2")], "2": [("A", "11"), ("B", "1")], "3": [("B", "7"), ("C", "3")]}.items():
        sent(depot, number, lines=lines)
    depot.must("order", "take_back", "3")
    ordered(depot, "4", depot="J", taker="max")
    depot.must("order", "change", "4", urgency="high", note=None)
    depot.must("order", "pack", "4", extra="5")
    depot.must("movement", "mirror", depot.field("order", "4", "last"))
    ordered(depot, "5")
    depot.must("order", "check", "5")
    depot.create("round", number="R", depot="N")
    depot.must("round", "approve_all", "R")
    depot.create("order", number="gone", depot="N", ordered_on="2026-03-02")
    depot.must("order", "rename", "gone", number="away")
    depot.must("order", "delete", "away")


@pytest.fixture
def busy(stores: Stores) -> Iterator[World]:
    with stores.memory(DEPOT, busy_days) as world:
        yield world


def test_everything_comes_out_again(busy: World) -> None:
    assert taken_again(busy) == []


def test_what_was_done_with_a_warning_comes_out_again(depot: World) -> None:
    ordered(depot, lines=[("A", "60")])
    depot.must("order", "check", "1", acknowledged=["dear"])
    assert taken_again(depot) == []


def test_a_batch_comes_out_again(depot: World) -> None:
    for number in range(8):
        approved(depot, str(number), lines=[("A", str(number + 1))])
    depot.perform([depot.request("order", "send", str(n)) for n in range(8)])
    assert taken_again(depot) == []


@pytest.mark.parametrize("folder", ["rules", "examples/travel_claims"])
def test_the_scenes_of_the_shipped_packs_come_out_again(stores: Stores, folder: str) -> None:
    """All that their tests do, done for good in one store each."""
    path = catalog.library().root / folder
    pack = stores.pack(path)
    done = 0
    for document in pack.all("test"):
        if "when" not in document.body or "refusal" in document.body.get("then", {}) or done == 6:
            continue
        done += 1
        with stores.memory(path) as world:
            trial = Trial(world.store, world.rules, pack, document)
            with world.store.transaction() as session:
                play(trial, session)
            assert taken_again(world) == [], document.name
    assert done > 2


def play(trial: Trial, session: Session) -> None:
    from charter.engine.definitions import Element

    e = Element(trial.document, (), trial.document.body)
    trial.given(session, e)
    for step in e.items("when"):
        trial.step(session, step)


# --- under the rules that held then -----------------------------------------------------------------------------------


def changed_pack(folder: Path, **replaced: tuple[str, str]) -> catalog.Pack:
    """The pack of the depots with other texts in some files."""
    shutil.copytree(DEPOT, folder / "depot")
    for name, (was, becomes) in replaced.items():
        path = folder / "depot" / f"{name}.yaml"
        text = path.read_text("utf-8")
        assert was in text
        path.write_text(text.replace(was, becomes), "utf-8")
    return catalog.load(folder / "depot")


def test_old_decisions_are_taken_again_under_the_old_rules(busy: World, tmp_path: Path) -> None:
    """The rate, the tax, the limit, an account and a price change; what was decided before does not."""
    pack = changed_pack(
        tmp_path,
        decisions=("rate: 0.035", "rate: 0.5"),
        postings=("0.19 / 1.19", "0.07 / 1.07"),
        parameters=("2000", "10"),
        order=("count(lines) > 0", "count(lines) > 1"),
    )
    Charter(busy.store, "test", clock()).init(pack, "administrator")
    assert taken_again(busy) == []
    after = World(busy.store, pack, ready=rules_of(pack))
    after.create("order", number="9", depot="N", ordered_on="2026-03-02", note="x")
    for number in (1, 2):
        after.create("line", order="9", number=number, article="C", quantity="100")
    for event in ("check", "approve", "send"):
        after.must("order", event, "9")
    taxed = after.rows("SELECT amount FROM charter_entry WHERE account_key = 'tax' ORDER BY id DESC LIMIT 1")
    assert taxed == [(-700,)], "one euro holds seven cents of tax now"
    assert after.rows("SELECT count(DISTINCT pack) FROM charter_log") == [(2,)]
    assert taken_again(after) == []


def test_rules_that_are_missing_are_told(busy: World) -> None:
    tamper(busy, "charter_log", f"UPDATE charter_log SET pack = '{'0' * 64}' WHERE event = 'send'")
    rechain(busy)
    assert any("holds no pack 000" in p for p in taken_again(busy))


# --- the forger who knows how the log is made -------------------------------------------------------------------------


def rechain(world: World) -> None:
    """Make the hashes and heads fit the rows, whatever stands in them."""
    log, heads = world.rules.metadata.tables[LOG], world.rules.metadata.tables[HEAD]
    with world.store.transaction() as session:
        last: dict[str, tuple[int, str]] = {}
        updates = []
        for row in session.rows(select(log).order_by(log.c.stream, log.c.number)):
            hash_ = chained(last.get(row.stream, (0, FIRST_HASH))[1], row[:-1])
            last[row.stream] = (row.number, hash_)
            updates.append(f"UPDATE charter_log SET hash = '{hash_}' WHERE id = {row.id}")
        updates += [
            f"UPDATE {heads.name} SET number = {n}, hash = '{h}' WHERE stream = '{s}'" for s, (n, h) in last.items()
        ]
    tamper(world, "charter_log", *updates)


def digest_vouchers(world: World) -> None:
    """Make the digests of vouchers fit the vouchers."""
    from charter.engine.facts import digest, written
    from charter.engine.verification import Verification, _Check

    with world.store.transaction() as session:
        groups = list(_Check(session, world.rules, Verification()).voucher_groups())
    updates = [
        f"UPDATE charter_log SET vouchers = '{digest(written(content))}' WHERE id = {log}"
        for log, (content, _) in groups
    ]
    tamper(world, "charter_log", *updates)


def forged(world: World, table: str, *statements: str) -> list[str]:
    """What is found of a change whose traces were covered: (by looking alone, by taking decisions again)."""
    tamper(world, table, *statements)
    digest_vouchers(world)
    rechain(world)
    assert verify(Charter(world.store, "test", clock(TODAY))).problems == [], "the traces are not covered"
    return taken_again(world)


def test_a_forged_amount_is_found(busy: World) -> None:
    """The total of an order, in the record, the log and the ledger alike."""
    number = busy.id("order", "1")
    busy.change(f'UPDATE "order" SET total = 300000 WHERE id = {number}')
    voucher = (
        "voucher IN (SELECT v.id FROM charter_voucher v JOIN charter_log l ON l.id = v.log WHERE l.record = 'order' "
    )
    voucher += f"AND l.record_id = {number})"
    tamper(
        busy, "charter_entry",
        f"UPDATE charter_entry SET amount = 300000 WHERE account_key = 'receivable' AND {voucher}",
        f"UPDATE charter_entry SET amount = -268100 WHERE account_key = 'sales' AND {voucher}",
    )  # fmt: skip
    problems = forged(
        busy, "charter_log",
        f"UPDATE charter_log SET changes = replace(changes, '\"20\"', '\"30\"') WHERE record = 'order' AND record_id = {number}",
        f"UPDATE charter_log SET reads = replace(reads, '\"20\"', '\"30\"') WHERE record = 'order' AND record_id = {number}",
    )  # fmt: skip
    assert any("total became 30; now it would become 20" in p for p in problems)
    assert any("the decision terms was asked with {'urgency': 'low', 'total': '20'}" in p for p in problems)


def test_a_forged_entry_is_found(busy: World) -> None:
    ids = [
        i
        for (i,) in busy.rows("SELECT id FROM charter_entry WHERE \"row\" = 'rebate_given/rebate' ORDER BY id LIMIT 2")
    ]
    tamper(busy, "charter_entry", f"UPDATE charter_entry SET amount = 5000000 WHERE id = {ids[0]}",
           f"UPDATE charter_entry SET amount = -5000000 WHERE id = {ids[1]}")  # fmt: skip
    problems = forged(busy, "charter_log", "UPDATE charter_log SET id = id")
    assert len(problems) == 1
    assert "entries were rebate 500, receivable -500; now they would be rebate 5.02, receivable -5.02" in problems[0]


def test_a_forged_account_is_found(busy: World) -> None:
    other = busy.id("account", "1700")
    problems = forged(busy, "charter_entry", f"UPDATE charter_entry SET account = {other} WHERE account_key = 'sales'")
    assert len(problems) == 3, "three orders were sent"


def test_a_forged_check_is_found(busy: World) -> None:
    """An order that never had a note would not have been checked."""
    number = busy.id("order", "5")
    busy.change(f'UPDATE "order" SET note = NULL WHERE id = {number}')
    problems = forged(
        busy, "charter_log",
        f"UPDATE charter_log SET changes = replace(changes, ',\"note\":\"please\"', '') WHERE record = 'order' AND record_id = {number}",
        f"UPDATE charter_log SET reads = replace(reads, '\"please\"', 'null') WHERE record = 'order' AND record_id = {number}",
    )  # fmt: skip
    assert any("not allowed now: note is not none" in p for p in problems)


def test_what_was_brought_about_and_is_gone_is_found(busy: World) -> None:
    """A line that the order settled when it was sent, cut out of the log together with what it did."""
    line = busy.id("line", "1/1")
    ((id_, stream, number),) = busy.rows(
        f"SELECT id, stream, number FROM charter_log WHERE event = 'settle' AND record_id = {line}"
    )
    busy.change(f"UPDATE line SET state = 'open' WHERE id = {line}")
    problems = forged(
        busy, "charter_log", f"DELETE FROM charter_log WHERE id = {id_}",
        *(f"UPDATE charter_log SET number = {n - 1} WHERE stream = '{stream}' AND number = {n}"
          for (n,) in busy.rows(f"SELECT number FROM charter_log WHERE stream = '{stream}' AND number > {number} ORDER BY number")),
    )  # fmt: skip
    assert len(problems) == 1
    assert "it brought about []; now it would bring about [('line', 'settle')]" in problems[0]


def test_a_forged_value_given_is_found(busy: World) -> None:
    number = busy.id("order", "4")
    problems = forged(
        busy, "charter_log",
        f"UPDATE charter_log SET reads = replace(reads, '\"extra\":\"5\"', '\"extra\":\"50\"') WHERE event = 'pack' AND record_id = {number}",
    )  # fmt: skip
    assert any("total became 25; now it would become 70" in p or "total became" in p for p in problems)
