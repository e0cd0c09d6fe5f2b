"""Whatever is changed behind the engine's back is found and named; an untouched store is sound.

The one who changes it here removes the protections first and puts them back afterwards.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.errors import BROKEN, USAGE, IntegrityBroken, UsageFault
from charter.engine.explanations import history, why
from charter.engine.facts import digest
from charter.engine.tables import APPEND_ONLY, protections
from charter.engine.verification import Verification, verify
from charter.engine.why_not import why_not
from support import ANYONE, DEPOT, Stores, World, approved, clock, ordered, sent


def about_everything(world: World) -> None:
    """Whatever may happen has happened once."""
    ordered(world, "1")
    sent(world, "2", lines=[("A", "11"), ("B", "1")])
    sent(world, "3", depot="S")
    world.must("order", "take_back", "3")
    world.must("order", "pack", "1", extra="5")
    world.create("order", number="gone", depot="N", ordered_on="2026-03-02")
    world.must("order", "delete", "gone")
    world.fire("order", "approve", "1")


@pytest.fixture(params=["sqlite", "postgresql"])
def busy(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    with stores.opened(request, DEPOT, about_everything) as world:
        yield world


def verified(world: World, head: str | None = None, reperform: bool = False) -> Verification:
    return verify(world.charter, head, reperform)


def tamper(world: World, table: str, *statements: str) -> None:
    """Change an append-only table as its owner could."""
    if world.store.dialect == "sqlite":
        world.change(f"DROP TRIGGER {table}_no_update", f"DROP TRIGGER {table}_no_delete", *statements)
        world.change(*protections("sqlite")(table))
    else:
        world.change(f"ALTER TABLE {table} DISABLE TRIGGER ALL", *statements, f"ALTER TABLE {table} ENABLE TRIGGER ALL")


def problems(world: World, reperform: bool = False) -> list[str]:
    return verified(world, reperform=reperform).problems


def test_an_untouched_store_is_sound(busy: World) -> None:
    found = verified(busy, reperform=True)
    assert found.problems == []
    assert found.is_sound
    assert found.counts["log rows"] == found.counts["taken again"] > 45
    assert (found.counts["vouchers"], found.counts["entries"]) == (4, 11)
    assert found.counts["records"] == sum(
        busy.rows(f'SELECT count(*) FROM "{record.name}"')[0][0] for record in busy.rules.library.records()
    )


def test_a_store_for_demonstrations_says_so(busy: World) -> None:
    assert verified(busy).notes == ["This store was made for a demonstration: one login acts for everybody."]


def test_a_changed_field_is_found(busy: World) -> None:
    busy.change("UPDATE \"order\" SET note = 'forged' WHERE number = '1'")
    assert problems(busy) == [f"order {busy.id('order', '1')}: note is forged, the log made it please"]


def test_a_changed_amount_of_a_record_is_found(busy: World) -> None:
    busy.change("UPDATE line SET amount = amount + 1 WHERE id = 1")
    assert problems(busy) == ["line 1: amount is 20.0001, the log made it 20"]


def test_a_changed_state_is_found(busy: World) -> None:
    busy.change("UPDATE \"order\" SET state = 'approved' WHERE number = '1'")
    assert problems(busy) == [f"order {busy.id('order', '1')}: state is approved, the log made it draft"]


def test_a_field_that_was_emptied_or_filled_is_found(busy: World) -> None:
    busy.change("UPDATE \"order\" SET note = NULL, taker = 2 WHERE number = '1'")
    number = busy.id("order", "1")
    assert sorted(problems(busy)) == [
        f"order {number}: note is None, the log made it please",
        f"order {number}: taker is 2, the log made it None",
    ]


def test_a_forged_record_is_found(busy: World) -> None:
    busy.change("INSERT INTO account (id, state, number) VALUES (999, 'open', '9999')")
    assert problems(busy) == ["account 999 is in its table and not in the log"]


def test_a_deleted_record_is_found(busy: World) -> None:
    notice = busy.rows("SELECT id FROM notice")[0][0]
    busy.change(f"DELETE FROM notice WHERE id = {notice}")
    assert problems(busy) == [f"notice {notice} is in the log and not in its table"]


@pytest.mark.parametrize(
    "column", ["actor", "login", "at", "right", "reads", "changes", "pack", "basis", "rule", "vouchers"]
)
def test_a_changed_row_of_the_log_is_found(busy: World, column: str) -> None:
    ((number,),) = busy.rows("SELECT number FROM charter_log WHERE event = 'send' AND stream = 'N'")
    tamper(
        busy,
        "charter_log",
        f"UPDATE charter_log SET \"{column}\" = \"{column}\" || ' ' WHERE event = 'send' AND stream = 'N'",
    )
    assert any(p.startswith(f"stream N: row {number} ") and "was changed" in p for p in problems(busy))


def test_a_row_taken_out_of_the_log_is_found(busy: World) -> None:
    ((number,),) = busy.rows("SELECT number FROM charter_log WHERE event = 'pack'")
    tamper(busy, "charter_log", "DELETE FROM charter_log WHERE event = 'pack'")
    assert f"stream N: row {number} is missing before row {number + 1}" in problems(busy)


def test_a_cut_tail_is_found(busy: World) -> None:
    ((last,),) = busy.rows("SELECT number FROM charter_head WHERE stream = 'N'")
    tamper(busy, "charter_log", f"DELETE FROM charter_log WHERE stream = 'N' AND number = {last}")
    assert f"stream N: its head is {last}, its last row {last - 1}" in problems(busy)


def test_a_cut_tail_with_its_head_is_found_by_a_saved_head(busy: World) -> None:
    """Who cuts the log may move its head too; what was printed before knows better."""
    saved = verified(busy).head
    ((number,),) = busy.rows("SELECT number FROM charter_head WHERE stream = 'main'")
    busy.create("article", number="T", kind="plain")
    last = verified(busy).head
    tamper(
        busy, "charter_log", f"DELETE FROM charter_log WHERE stream = 'main' AND number > {number}",
        "DELETE FROM article WHERE number = 'T'",
        f"UPDATE charter_head SET number = {number}, hash = (SELECT hash FROM charter_log WHERE stream = 'main' "
        f"AND number = {number}) WHERE stream = 'main'",
    )  # fmt: skip
    assert verified(busy).problems == [], "nothing in the store itself tells"
    assert verified(busy, saved).problems == []
    assert verified(busy, last).problems == [f"the log does not contain what the saved head stood for: {last}"]


def test_a_saved_head_stays_valid_after_more_work(busy: World) -> None:
    saved = verified(busy).head
    approved(busy, "9")
    ordered(busy, "8", depot="S")
    assert verified(busy, saved).problems == []
    assert verified(busy).head != saved


def test_a_head_that_is_none_is_refused(busy: World) -> None:
    with pytest.raises(UsageFault, match="is not a head") as refused:
        verified(busy, "nonsense")
    assert refused.value.exit_code == USAGE


def test_a_changed_amount_of_an_entry_is_found(busy: World) -> None:
    ((voucher, log, number),) = busy.rows(
        "SELECT v.id, v.log, v.number FROM charter_voucher v WHERE v.posting = 'rebate_given'"
    )
    tamper(
        busy, "charter_entry", f"UPDATE charter_entry SET amount = amount + 100 WHERE voucher = {voucher} AND line = 1"
    )
    assert problems(busy) == [
        f"voucher {number} does not balance: 0.01",
        f"the vouchers of log {log} are not those that it wrote",
    ]


@pytest.mark.parametrize("change", ["account = 1", "date = '2026-01-01'", "account_key = 'tax'", "article = 1"])
def test_an_entry_that_still_balances_and_was_changed_is_found(busy: World, change: str) -> None:
    ((log, entry),) = busy.rows(
        "SELECT v.log, e.id FROM charter_entry e JOIN charter_voucher v ON v.id = e.voucher WHERE posting = 'rebate_given' AND line = 1"
    )
    tamper(busy, "charter_entry", f"UPDATE charter_entry SET {change} WHERE id = {entry}")
    assert problems(busy) == [f"the vouchers of log {log} are not those that it wrote"]


def test_a_voucher_that_was_taken_away_is_found(busy: World) -> None:
    ((voucher, log),) = busy.rows("SELECT id, log FROM charter_voucher WHERE posting = 'rebate_given'")
    tamper(busy, "charter_entry", f"DELETE FROM charter_entry WHERE voucher = {voucher}")
    tamper(busy, "charter_voucher", f"DELETE FROM charter_voucher WHERE id = {voucher}")
    assert problems(busy) == [f"the vouchers of log {log} are not those that it wrote"]


def test_a_changed_fact_is_found(busy: World) -> None:
    ((fact,),) = busy.rows(
        "SELECT hash FROM charter_fact WHERE stream = 'N' AND content LIKE '%\"decision\":\"terms\"%0.035%'"
    )
    tamper(
        busy,
        "charter_fact",
        f"UPDATE charter_fact SET content = replace(content, '0.035', '0.05') WHERE hash = '{fact}'",
    )
    assert f"the fact {fact} of stream N was changed" in problems(busy)


def test_a_deleted_fact_is_found(busy: World) -> None:
    """What a row of the log rests on is there, whether or not it is taken again."""
    ((fact,),) = busy.rows(
        "SELECT hash FROM charter_fact WHERE stream = 'N' AND content LIKE '%\"decision\":\"terms\"%0.035%'"
    )
    tamper(busy, "charter_fact", f"DELETE FROM charter_fact WHERE stream = 'N' AND hash = '{fact}'")
    ((log,),) = busy.rows("SELECT id FROM charter_log WHERE event = 'send' AND stream = 'N'")
    assert problems(busy) == [f"the fact {fact} of stream N is missing; log {log} rests on it"]


def test_a_deleted_basis_is_found(busy: World) -> None:
    ((log, fact),) = busy.rows("SELECT id, basis FROM charter_log WHERE event = 'send' AND stream = 'N'")
    tamper(busy, "charter_fact", f"DELETE FROM charter_fact WHERE stream = 'N' AND hash = '{fact}'")
    assert problems(busy) == [f"the fact {fact} of stream N is missing; log {log} rests on it"]


@pytest.mark.parametrize("page", [1000, 2])
def test_every_deleted_basis_is_found(busy: World, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    monkeypatch.setattr("charter.engine.verification.BASES_AT_ONCE", page)
    bases = len(busy.rows("SELECT DISTINCT stream, basis FROM charter_log"))
    tamper(busy, "charter_fact", "DELETE FROM charter_fact")
    assert len(problems(busy)) == bases > 2


def test_verification_takes_no_more_statements_for_more_facts(busy: World) -> None:
    def counted() -> int:
        before = busy.store.statements
        assert problems(busy) == []
        return busy.store.statements - before

    counted()  # the first time the rules in force are read, too
    few = counted()
    kept = len(busy.rows("SELECT hash FROM charter_fact"))
    for number in range(20, 30):
        sent(busy, str(number), lines=[("A", str(number))])
    assert len(busy.rows("SELECT hash FROM charter_fact")) > kept + 20
    assert counted() == few


def test_a_fact_that_is_no_fact_any_more_is_told_and_nothing_fails(busy: World) -> None:
    tamper(busy, "charter_fact", "UPDATE charter_fact SET content = 'x'")
    count = busy.rows("SELECT count(*) FROM charter_fact")[0][0]
    assert len([p for p in problems(busy) if p.endswith(" was changed")]) == count


def test_a_fact_that_was_exchanged_for_another_is_found(busy: World) -> None:
    """Its hash fits its content; the firing that rested on it no longer does."""
    ((fact, content),) = busy.rows(
        "SELECT hash, content FROM charter_fact WHERE stream = 'N' AND content LIKE '%\"decision\":\"terms\"%0.035%'"
    )
    other = content.replace("0.035", "0.05")
    tamper(
        busy,
        "charter_fact",
        f"UPDATE charter_fact SET content = '{other}', hash = '{digest(other)}' WHERE hash = '{fact}'",
    )
    assert any(f"the fact {fact} that it rests on is missing" in p for p in problems(busy, reperform=True))


# --- what cannot be read any more -------------------------------------------------------------------------------------

GARBAGE = ["x", "", "[]", "7", "null", '{"own":5}', '{"note":5}']


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("column", ["changes", "reads"])
def test_a_text_of_the_log_that_cannot_be_read_is_told_of_its_row(busy: World, column: str, garbage: str) -> None:
    """And the rest is looked at all the same, other decisions taken again; who asks why is told as well."""
    ((log, number, order),) = busy.rows(
        "SELECT id, number, record_id FROM charter_log WHERE event = 'send' AND stream = 'N'"
    )
    key = busy.field("order", order, "number")
    tamper(busy, "charter_log", f"UPDATE charter_log SET {column} = '{garbage}' WHERE id = {log}")
    busy.change("UPDATE article SET kind = 'odd' WHERE number = 'A'")
    what = "its changes are" if column == "changes" else "what it read is"
    told = f"log {log} (stream N, row {number}): {what} not what was written"
    found = verified(busy, reperform=True)
    article = f"article {busy.id('article', 'A')}: kind is odd, the log made it plain"
    again = f"log {log} (send of order {order}): {told}"
    of_records = [told] if column == "changes" else []
    assert found.problems == [
        f"stream N: row {number} (log {log}) was changed, or a row before it", article, *of_records, again,
    ]  # fmt: skip
    assert found.counts["taken again"] == found.counts["log rows"]
    for ask in (lambda: why(busy.charter, f"order {key}"), lambda: history(busy.charter, "order", key)):
        with pytest.raises(IntegrityBroken, match=re.escape(told)):
            ask()


def test_a_log_of_nothing_but_garbage_is_gone_through(busy: World) -> None:
    rows = len(busy.rows("SELECT id FROM charter_log"))
    tamper(
        busy, "charter_log", "UPDATE charter_log SET changes = 'x', reads = 'x', \"at\" = 'x', cause = id, rule = 'x'"
    )
    found = problems(busy, reperform=True)
    assert len([p for p in found if p.endswith("was changed, or a row before it")]) == rows
    assert len([p for p in found if p.endswith("the rule x is not in the pack that it names")]) == rows
    with pytest.raises(IntegrityBroken, match=r"what caused it, log \d+, comes later: run `charter verify`"):
        why(busy.charter, "order 1")


@pytest.mark.parametrize("garbage", ["x", "[]", "5", '{"facts":[{}],"order":1}', '{"facts":5}'])
def test_a_fact_that_cannot_be_read_is_told_of_what_rests_on_it(busy: World, garbage: str) -> None:
    ((log, fact, number),) = busy.rows(
        'SELECT l.id, l.basis, o.number FROM charter_log l JOIN "order" o ON o.id = l.record_id '
        "WHERE l.record = 'order' AND event = 'send' AND stream = 'N'"
    )
    tamper(busy, "charter_fact", f"UPDATE charter_fact SET content = '{garbage}' WHERE hash = '{fact}'")
    changed = f"the fact {fact} of stream N was changed"
    assert problems(busy) == [changed]
    found = problems(busy, reperform=True)
    assert (found[0], len(found)) == (changed, 2)
    assert re.fullmatch(rf"log {log} \(send of order \d+\): {changed}; it rests on it", found[1])
    with pytest.raises(IntegrityBroken, match=changed):
        why(busy.charter, f"order {number}")
    assert history(busy.charter, "order", number)[-1].event == "send"


def test_a_row_that_was_made_to_rest_on_other_facts_is_told(busy: World) -> None:
    """They are as they were written, and fit nothing that the rule reads."""
    ((log,),) = busy.rows("SELECT id FROM charter_log WHERE event = 'send' AND stream = 'N'")
    for statement in (
        "SELECT hash FROM charter_fact WHERE stream = 'N' AND content LIKE '%\"decision\":\"terms\"%0.035%'",
        "SELECT basis FROM charter_log WHERE event = 'check' AND stream = 'N' LIMIT 1",
    ):
        ((other,),) = busy.rows(statement)
        tamper(busy, "charter_log", f"UPDATE charter_log SET basis = '{other}' WHERE id = {log}")
        found = problems(busy, reperform=True)
        assert len([p for p in found if p.startswith(f"log {log} (send of order")]) == 1, found


@pytest.mark.parametrize("garbage", ["x", "", "5", "[5]", '[{"rule":"a"}]'])
def test_a_refusal_that_cannot_be_read_is_found(busy: World, garbage: str) -> None:
    ((refusal, at, key),) = busy.rows(
        'SELECT r.id, r.at, o.number FROM charter_refusal r JOIN "order" o ON o.id = r.record_id'
    )
    tamper(busy, "charter_refusal", f"UPDATE charter_refusal SET reasons = '{garbage}'")
    told = f"the refusal {refusal} of {at}: its reasons are not what was written"
    assert problems(busy) == [told]
    with pytest.raises(IntegrityBroken, match=told):
        why_not(busy.charter, "order", key, "approve", ANYONE)


def test_a_cause_that_is_gone_is_told_to_who_asks_why(busy: World) -> None:
    ((cause,),) = busy.rows("SELECT id FROM charter_log WHERE event = 'pack'")
    tamper(busy, "charter_log", f"DELETE FROM charter_log WHERE id = {cause}")
    for ask in (lambda: why(busy.charter, "order 1"), lambda: history(busy.charter, "order", "1")):
        with pytest.raises(IntegrityBroken, match=f"The row {cause} is not in the log: run `charter verify`"):
            ask()


@pytest.mark.parametrize("garbage", ["x", "[]", '{"files":{}}'])
def test_a_pack_that_cannot_be_read_is_told(busy: World, tmp_path: Path, garbage: str) -> None:
    """One that was in force once, of all that it decided; the one in force ends the verification, with words."""
    old = busy.pack.hash
    shutil.copytree(DEPOT, tmp_path / "depot")
    (tmp_path / "depot" / "more.yaml").write_text("parameters: more\ndoc: More.\nvalues: {}\n")
    Charter(busy.store, "test", clock()).init(catalog.load(tmp_path / "depot"), "administrator")
    tamper(busy, "charter_pack", f"UPDATE charter_pack SET compiled = '{garbage}' WHERE hash = '{old}'")
    told = f"the rules made of the pack {old[:12]} are not what was written"
    assert problems(busy) == [told]
    decided = len(busy.rows(f"SELECT id FROM charter_log WHERE pack = '{old}'"))
    found = problems(busy, reperform=True)
    assert len([p for p in found if p.startswith("log ") and p.endswith(told)]) == decided > 40
    with pytest.raises(IntegrityBroken, match=told):
        why(busy.charter, "order 1")
    tamper(busy, "charter_pack", f"UPDATE charter_pack SET compiled = '{garbage}'")
    with pytest.raises(IntegrityBroken, match="are not what was written") as broken:
        verify(Charter(busy.store, "test", clock()))
    assert broken.value.exit_code == BROKEN


def test_what_a_pack_completed_and_cannot_be_read_is_told(busy: World) -> None:
    ((log, number),) = busy.rows("SELECT id, number FROM charter_log WHERE event = 'put_in_force'")
    for given in ('{"completed":"x"}', '{"completed":7}', '{"completed":"[1]"}'):
        tamper(
            busy, "charter_log", f'UPDATE charter_log SET reads = \'{{"own":{{}},"given":{given}}}\' WHERE id = {log}'
        )
        assert f"log {log} (stream main, row {number}): what it completed is not what was written" in problems(busy)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE line SET amount = 'abc' WHERE id = 1", "line 1: what its table holds cannot be read: "),
        ("UPDATE \"order\" SET ordered_on = 'abc'", "order cannot be gone through any further: ValueError "),
        ("UPDATE charter_log SET changes = x'00' WHERE id = 3", "stream main: row 3 (log 3) was changed, or a row "),
        (
            "UPDATE charter_log SET number = 'abc' || id WHERE id IN (3, 4)",
            "the chains cannot be gone through any further: Type",
        ),
        ("UPDATE charter_fact SET content = x'00'", "the fact "),
        ("UPDATE charter_entry SET amount = 'abc'", "vouchers cannot be gone through any further: TypeError "),
    ],
)
def test_values_of_another_type_are_told(depot: World, statement: str, told: str) -> None:
    """A column of SQLite takes any."""
    about_everything(depot)
    table = statement.split()[1]
    if table in APPEND_ONLY:
        tamper(depot, table, statement)
    else:
        depot.change(statement)
    depot.change("UPDATE article SET kind = 'odd' WHERE number = 'A'")
    found = problems(depot, reperform=True)
    assert any(p.startswith(told) for p in found), found
    assert any(p.startswith("article ") for p in found), "the rest is looked at all the same"


def test_a_changed_text_of_a_pack_is_found(busy: World) -> None:
    ((hash_, compiled),) = busy.rows("SELECT hash, compiled FROM charter_pack")
    head, files, *documents = compiled.split("\n")
    text = (
        "\n".join([head, files.replace("2000", "3000"), *documents])
        .replace("'", "''")
        .replace("%", "%%" if busy.store.dialect != "sqlite" else "%")
    )
    tamper(busy, "charter_pack", f"UPDATE charter_pack SET compiled = '{text}'")
    assert problems(busy) == [
        f"the text of the pack depot {hash_[:12]} was changed",
        f"the rules made of the pack depot {hash_[:12]} were changed",
    ]


def test_rules_that_are_not_those_of_the_text_are_found(busy: World) -> None:
    """The text is as it was, but what runs was made from another."""
    ((hash_, compiled),) = busy.rows("SELECT hash, compiled FROM charter_pack")
    head, files, *documents = compiled.split("\n")
    kinds = [kind for kind, _ in json.loads(head)["documents"]]
    documents[kinds.index("parameters")] = documents[kinds.index("parameters")].replace("2000", "3000")
    text = (
        "\n".join([head, files, *documents])
        .replace("'", "''")
        .replace("%", "%%" if busy.store.dialect != "sqlite" else "%")
    )
    tamper(busy, "charter_pack", f"UPDATE charter_pack SET compiled = '{text}'")
    assert problems(busy) == [f"the rules made of the pack depot {hash_[:12]} were changed"]


def test_working_by_a_pack_that_was_not_put_in_force_is_found(busy: World) -> None:
    busy.change("UPDATE pack_version SET state = 'superseded'")
    ((hash_,),) = busy.rows("SELECT hash FROM pack_version")
    assert problems(busy) == [
        "pack_version 1: state is superseded, the log made it in_force",
        f"the store works by the pack {hash_[:12]}; the log put none in force",
    ]


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_a_removed_protection_is_found(busy: World, table: str) -> None:
    if busy.store.dialect == "sqlite":
        busy.change(f"DROP TRIGGER {table}_no_delete")
        assert problems(busy) == [f"the protection {table}_no_delete was removed"]
    else:
        busy.change(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        assert problems(busy) == [f"the protection {table}_append_only was removed"]


def test_a_protection_that_protects_no_more_is_found(busy: World) -> None:
    """It still has its name."""
    if busy.store.dialect == "sqlite":
        busy.change(
            "DROP TRIGGER charter_log_no_update",
            "CREATE TRIGGER charter_log_no_update BEFORE UPDATE ON charter_log BEGIN SELECT 1; END",
        )
        assert problems(busy) == ["the protection charter_log_no_update was changed"]
    else:
        busy.change("CREATE OR REPLACE FUNCTION charter_append_only() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RETURN NULL; END $$")  # fmt: skip
        assert problems(busy) == [f"the protection {table}_append_only was changed" for table in sorted(APPEND_ONLY)]


def test_a_broken_store_does_not_fill_the_memory(stores: Stores) -> None:
    with stores.memory(DEPOT) as world:
        world.perform([world.creation("article", number=str(i), kind="plain") for i in range(300)])
        world.change("UPDATE article SET kind = 'book'")
        found = problems(world)
    assert len(found) == 201
    assert found[-1].startswith("… and 1")


def test_verification_reads_and_nothing_else(busy: World) -> None:
    before = busy.tables()
    verified(busy, reperform=True)
    assert busy.tables() == before
