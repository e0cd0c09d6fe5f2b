"""A store follows its pack: what will change is shown first, fields become columns, and nothing is ever dropped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from charter.engine import catalog
from charter.engine.application import Charter, Setup, rules_of
from charter.engine.commands_packs import steps_of
from charter.engine.errors import InvalidInput, Refused
from charter.engine.explanations import why
from charter.engine.store import Store
from charter.engine.verification import verify
from sqlalchemy import inspect
from support import DEPOT, World, clock, ordered, said, sent

Extended = Callable[..., catalog.Pack]
COLOUR = "record: order\nchanges: depot\nfields:\n  colour: {type: text, optional: true, doc: The colour.}\n"


@pytest.fixture
def extended(tmp_path: Path) -> Extended:
    """A pack over the depots, of these texts."""

    def make(*texts: str) -> catalog.Pack:
        top = tmp_path / "top"
        shutil.rmtree(top, ignore_errors=True)
        top.mkdir()
        (top / "pack.yaml").write_text(f"pack: top\ndoc: More.\nversion: 0.1.0\nextends: {DEPOT}\nfrom: 2020-01-01\n")
        for number, text in enumerate(texts):
            (top / f"{number}.yaml").write_text(text)
        return catalog.load(top)

    return make


def brought_up(world: World, pack: catalog.Pack, planned: bool = False) -> Setup:
    return Charter(world.store, "test", clock()).init(pack, "administrator", planned=planned)


def columns(world: World, table: str) -> list[str]:
    with world.store.transaction() as session:
        return [c["name"] for c in inspect(session.connection).get_columns(table)]


def test_a_new_store_is_set_up_in_one_go(everywhere: World) -> None:
    """Its administrator, the pack in force and the pack's own rows are there, each by an event of the log."""
    assert everywhere.rows("SELECT number, login FROM actor ORDER BY id LIMIT 1") == [("administrator", "test")]
    assert everywhere.rows("SELECT role FROM role_grant ORDER BY id LIMIT 1") == [("administrator",)]
    assert everywhere.rows("SELECT number FROM account ORDER BY number") == [("1200",), ("1700",), ("4000",)]
    assert everywhere.rows("SELECT count(*) FROM charter_log WHERE record = 'account'") == [(3,)]
    assert verify(everywhere.charter).problems == []


def test_a_plan_is_shown_and_nothing_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    charter = Charter(Store(f"sqlite:///{path}"), "test", clock())
    shown = charter.init(catalog.load(DEPOT), "administrator", planned=True)
    assert "new table order" in shown.migration.words
    assert any(s.startswith('CREATE TABLE "order"') for s in shown.migration.statements)
    assert shown.roots == []
    with charter.store.transaction() as session:
        assert inspect(session.connection).get_table_names() == []


def test_the_same_pack_again_changes_nothing(everywhere: World) -> None:
    before = everywhere.tables()
    done = brought_up(everywhere, everywhere.pack)
    assert done.migration.words == ()
    assert not done.migration
    assert everywhere.tables() == before


def test_a_new_field_is_a_column_and_old_rows_have_none(everywhere: World, extended: Extended) -> None:
    ordered(everywhere, "1")
    pack = extended(
        COLOUR, "workflow: order\nchanges: depot\ntransitions:\n  - {event: change, takes: [note, urgency, colour]}\n"
    )
    shown = brought_up(everywhere, pack, planned=True)
    assert shown.migration.words == ("new column order.colour",)
    assert "colour" not in columns(everywhere, "order")
    brought_up(everywhere, pack)
    after = World(everywhere.store, pack)
    assert after.field("order", "1", "colour", "note") == (None, "please")
    after.must("order", "change", "1", colour="red")
    assert after.field("order", "1", "colour") == "red"
    assert verify(after.charter, reperform=True).problems == []


# --- what old rows lack -----------------------------------------------------------------------------------------------

RANK = "record: order\nchanges: depot\nfields:\n  rank: {type: money, default: 7.5, doc: Its worth.}\n"
RANKED = """workflow: order
changes: depot
transitions:
  - event: change
    takes: [note, urgency, rank]
    require: [{that: "rank > 1", else: "{rank} is too little."}]
    do: [{set: {rank: rank + 1}}]
"""
LABELS = (
    "record: order\nchanges: depot\nworkflows: [order, packing, labels]\n",
    """workflow: labels
doc: An order gets its label.
of: order
field: label
start: missing
states: {missing: {doc: Has none.}, printed: {doc: Has one., final: true}}
transitions: [{event: print, doc: A label., from: missing, to: printed, who: {role: clerk}}]
""",
)


def test_a_needed_field_has_its_default_in_old_rows(everywhere: World, extended: Extended) -> None:
    """It is shown first, done by putting the pack in force, and stands in that event's row of the log."""
    ordered(everywhere, "1")
    ordered(everywhere, "2")
    pack = extended(RANK, RANKED)
    wanted = ["new column order.rank", "order.rank becomes 7.5 where it is empty: 2 rows"]
    assert list(steps_of(brought_up(everywhere, pack, planned=True), in_detail=True)) == wanted
    assert "rank" not in columns(everywhere, "order")
    brought_up(everywhere, pack)
    after = World(everywhere.store, pack)
    assert after.field("pack_version", pack.hash, "completed") == '{"order":{"rank":"7.5"}}'
    assert after.field("order", "1", "rank") == Decimal("7.5")
    after.must("order", "change", "1", note="new")
    assert after.field("order", "1", "rank") == Decimal("8.5")
    assert verify(after.charter, reperform=True).problems == []


def test_values_of_every_type_complete_old_rows(everywhere: World, extended: Extended) -> None:
    ordered(everywhere, "1")
    kinds = {"text": "it's 100%", "whole": "3", "number": "0.5", "price": "1.25", "money": "0", "date": "2026-01-31",
             "time": "2026-01-31T12:00:00+00:00", "yes_or_no": "true"}  # fmt: skip
    fields = [f'  a_{kind}: {{type: {kind}, default: "{text}", doc: New.}}\n' for kind, text in kinds.items()]
    pack = extended("record: order\nchanges: depot\nfields:\n" + "".join(fields))
    brought_up(everywhere, pack)
    after = World(everywhere.store, pack)
    ordered(after, "2")
    names = [f"a_{kind}" for kind in kinds]
    assert after.field("order", "1", *names) == after.field("order", "2", *names)
    assert verify(after.charter, reperform=True).problems == []


def test_what_completed_a_field_is_explained_and_its_change_is_found(everywhere: World, extended: Extended) -> None:
    ordered(everywhere, "1")
    pack = extended(RANK)
    brought_up(everywhere, pack)
    charter = World(everywhere.store, pack).charter
    told = why(charter, "order 1 rank")
    assert told.figure == "rank of order 1 is 7.5: the pack that then came into force completed it"
    assert told.event is not None
    assert (told.event.event, told.event.rule) == ("put_in_force", "pack_version/put_in_force")
    assert ("rank", "7.5") in [(v.name, v.value) for v in why(charter, "order 1").values]
    everywhere.change('UPDATE "order" SET rank = 1')
    number = everywhere.id("order", "1")
    assert verify(charter).problems == [f"order {number}: rank is 0.0001, the log made it 7.5"]


def test_a_further_workflow_starts_in_old_rows(everywhere: World, extended: Extended) -> None:
    ordered(everywhere, "1")
    pack = extended(*LABELS)
    done = brought_up(everywhere, pack)
    assert done.completion.words == ("order.label becomes missing where it is empty: 1 row",)
    after = World(everywhere.store, pack)
    after.must("order", "print", "1")
    ordered(after, "2")
    assert after.field("order", "1", "label") == "printed"
    assert after.field("order", "2", "label") == "missing"
    assert verify(after.charter, reperform=True).problems == []


def test_what_an_old_row_needs_and_nothing_says_is_refused(everywhere: World, extended: Extended) -> None:
    """Every such field at once; where there are no rows there is nothing to say."""
    needed = "record: order\nchanges: depot\nfields:\n  colour: {type: text, doc: Its colour.}\n  by: {ref: depot, doc: By.}\n"
    taking = "workflow: order\nchanges: depot\ntransitions:\n  - event: create\n    takes: [number, depot, ordered_on, colour, by]\n"
    pack = extended(needed, taking)
    ordered(everywhere, "1")
    before = everywhere.tables()
    for planned in (True, False):
        with pytest.raises(InvalidInput) as refused:
            brought_up(everywhere, pack, planned)
        assert str(refused.value).splitlines() == [
            f"top/0.yaml:{line}: order.{name} is needed and has no default; it is empty in 1 row: "
            "give it a `default`, or `optional: true`."
            for name, line in (("colour", "4:11"), ("by", "5:7"))
        ]
    assert everywhere.tables() == before
    everywhere.must("line", "delete", "1/1")
    everywhere.must("order", "delete", "1")
    assert brought_up(everywhere, pack).completion.words == ()


def test_a_field_that_becomes_needed_has_its_default_where_it_is_empty(everywhere: World, extended: Extended) -> None:
    ordered(everywhere, "1", note=None)
    ordered(everywhere, "2", note="kept")
    pack = extended(
        "record: order\nchanges: depot\nfields: {note: {type: text, optional: false, default: none said, doc: N.}}\n"
    )
    done = brought_up(everywhere, pack)
    assert done.completion.words == ("order.note becomes none said where it is empty: 1 row",)
    after = World(everywhere.store, pack)
    assert [after.field("order", n, "note") for n in "12"] == ["none said", "kept"]
    assert verify(after.charter, reperform=True).problems == []


def test_a_pack_that_comes_again_completes_what_came_meanwhile(everywhere: World, extended: Extended) -> None:
    """And nothing else: what is there, is there."""
    pack = extended(RANK, RANKED)
    ordered(everywhere, "1")
    brought_up(everywhere, pack)
    World(everywhere.store, pack).must("order", "change", "1", rank="3")
    brought_up(everywhere, everywhere.pack)
    ordered(everywhere, "2")
    brought_up(everywhere, pack)
    after = World(everywhere.store, pack)
    assert [after.field("order", n, "rank") for n in "12"] == [4, Decimal("7.5")]
    assert verify(after.charter, reperform=True).problems == []
    brought_up(everywhere, everywhere.pack)
    brought_up(everywhere, pack)
    assert after.field("pack_version", pack.hash, "completed") is None
    assert verify(after.charter, reperform=True).problems == []


# --- columns and indexes ----------------------------------------------------------------------------------------------


def test_a_new_reference_is_a_column_that_refers(everywhere: World, extended: Extended) -> None:
    other = "record: order\nchanges: depot\nfields: {other: {ref: depot, optional: true, doc: Another.}}\n"
    pack = extended(other)
    brought_up(everywhere, pack)
    ordered(World(everywhere.store, pack), "1")
    with pytest.raises(Exception, match="(?i)foreign key|violates"):
        everywhere.change('UPDATE "order" SET other = 999')


def test_nothing_is_dropped(everywhere: World, extended: Extended) -> None:
    """A field that the pack no longer has keeps its column and its values."""
    pack = extended(COLOUR)
    brought_up(everywhere, pack)
    World(everywhere.store, pack).create("order", number="1", depot="N", ordered_on="2026-03-02")
    everywhere.change("UPDATE \"order\" SET colour = 'red'")
    done = brought_up(everywhere, everywhere.pack)
    assert done.migration.words == ()
    assert everywhere.rows('SELECT colour FROM "order"') == [("red",)]


def test_new_record_types_and_rows_come_with_the_pack(everywhere: World, extended: Extended) -> None:
    pack = extended(
        "record: shelf\ndoc: A shelf.\nkey: [number]\nworkflows: [shelf]\nfields: {number: {type: text, doc: Number.}}\n",
        "workflow: shelf\ndoc: It stands.\nof: shelf\nstates: {open: {doc: Stands., final: true}}\n"
        "transitions: [{event: create, doc: New., from: nothing, to: open, who: {role: clerk}, takes: [number]}]\n",
        "master: shelf\ndoc: Shelves.\nrows: [{number: a}, {number: b}]\n",
    )
    done = brought_up(everywhere, pack)
    assert "new table shelf" in done.migration.words
    assert everywhere.rows("SELECT number FROM shelf ORDER BY number") == [("a",), ("b",)]
    assert [r for r in brought_up(everywhere, pack).roots if r.request.record == "shelf"] == []


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        pytest.param("{type: text, optional: true, doc: A remark.}", "{type: number, optional: true, doc: A remark.}", id="text-number"),
        pytest.param("{type: number, optional: true, doc: What the lines", "{type: money, optional: true, doc: What the lines", id="number-money"),
        pytest.param("{ref: movement, optional: true, doc: The last", "{ref: article, optional: true, doc: The last", id="reference"),
    ],
)  # fmt: skip
def test_a_field_does_not_change_its_type(everywhere: World, tmp_path: Path, was: str, becomes: str) -> None:
    """Not even between two that the database keeps alike: a number has six places, money four."""
    shutil.copytree(DEPOT, tmp_path / "depot")
    records = tmp_path / "depot" / "records.yaml"
    text = records.read_text()
    assert was in text
    records.write_text(text.replace(was, becomes))
    ordered(everywhere, "1")
    before = everywhere.tables()
    with pytest.raises(
        InvalidInput, match=r"order\.\w+ is kept as .* and would become .*: a field does not change its type"
    ):
        brought_up(everywhere, catalog.load(tmp_path / "depot"))
    assert everywhere.tables() == before


def test_another_key_is_another_index(everywhere: World, tmp_path: Path) -> None:
    """Articles are called by kind and number from now on: the same number may come again."""
    shutil.copytree(DEPOT, tmp_path / "depot")
    records = tmp_path / "depot" / "records.yaml"
    text = records.read_text()
    records.write_text(
        text.replace(
            "record: article\ndoc: What is ordered.\nkey: [number]",
            "record: article\ndoc: What is ordered.\nkey: [kind, number]",
        )
    )
    pack = catalog.load(tmp_path / "depot")
    done = brought_up(everywhere, pack)
    assert done.migration.words == ("changed index key_of_article",)
    after = World(everywhere.store, pack)
    after.create("article", number="A", kind="odd")
    (root,) = after.perform([after.creation("article", number="A", kind="odd")])
    assert said(root) == "There is already a article odd/A. [key]"
    assert brought_up(everywhere, pack).migration.words == ()


def test_a_new_dimension_leaves_old_vouchers_as_they_are(everywhere: World, extended: Extended) -> None:
    """It is a new column of the ledger; what was posted before is still what its log says."""
    sent(everywhere, "1")
    pack = extended()
    head = Path(tmp_head(pack, extended))
    head.write_text(head.read_text() + "ledger:\n  dimensions: {taker: {ref: actor, doc: Who took it.}}\n")
    pack = catalog.load(head.parent)
    done = brought_up(everywhere, pack)
    assert done.migration.words == ("new column charter_entry.taker",)
    after = World(everywhere.store, pack, ready=rules_of(pack))
    sent(after, "2")
    after.must("order", "take_back", "1")
    assert verify(after.charter, reperform=True).problems == []


def tmp_head(pack: catalog.Pack, extended: Extended) -> str:
    """The head of the pack that was made last."""
    (folder,) = [c.cell_contents for c in extended.__closure__ or () if isinstance(c.cell_contents, Path)]
    return str(folder / "top" / "pack.yaml")


def test_a_refused_pack_is_not_put_in_force(everywhere: World, extended: Extended) -> None:
    """Its own rows must stand, or nothing of it is there."""
    pack = extended("master: account\nchanges: depot\nrows: [{number: '1'}]\n",
                    "workflow: account\nchanges: depot\ntransitions:\n  - event: create\n"
                    "    require: [{that: \"number != '1'\", else: No.}]\n")  # fmt: skip
    before = everywhere.tables()
    with pytest.raises(Refused, match=r"(?s)not put in force.*No\."):
        brought_up(everywhere, pack)
    assert everywhere.tables() == before
