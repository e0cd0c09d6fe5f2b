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
from support import DEPOT, World, clock, grant, ordered, said, sent

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


def test_a_field_that_becomes_needed_has_its_default_where_it_is_empty(depot: World, extended: Extended) -> None:
    ordered(depot, "1", note=None)
    ordered(depot, "2", note="kept")
    pack = extended(
        "record: order\nchanges: depot\nfields: {note: {type: text, optional: false, default: none said, doc: N.}}\n"
    )
    done = brought_up(depot, pack)
    assert done.completion.words == ("order.note becomes none said where it is empty: 1 row",)
    after = World(depot.store, pack)
    assert [after.field("order", n, "note") for n in "12"] == ["none said", "kept"]
    assert verify(after.charter, reperform=True).problems == []


def test_a_pack_that_comes_again_completes_what_came_meanwhile(depot: World, extended: Extended) -> None:
    """And nothing else: what is there, is there."""
    pack = extended(RANK, RANKED)
    ordered(depot, "1")
    brought_up(depot, pack)
    World(depot.store, pack).must("order", "change", "1", rank="3")
    brought_up(depot, depot.pack)
    ordered(depot, "2")
    brought_up(depot, pack)
    after = World(depot.store, pack)
    assert [after.field("order", n, "rank") for n in "12"] == [4, Decimal("7.5")]
    assert verify(after.charter, reperform=True).problems == []
    brought_up(depot, depot.pack)
    brought_up(depot, pack)
    assert after.field("pack_version", pack.hash, "completed") is None
    assert verify(after.charter, reperform=True).problems == []


# --- what stands against a pack ---------------------------------------------------------------------------------------

Rewritten = Callable[..., catalog.Pack]
TOLD_APART = "Add a field that tells them apart, or change the records by an event first."


@pytest.fixture
def rewritten(tmp_path: Path) -> Rewritten:
    """The pack of the depots with other texts, given as (file, was, becomes)."""

    def make(*changes: tuple[str, str, str]) -> catalog.Pack:
        shutil.rmtree(tmp_path / "depot", ignore_errors=True)
        shutil.copytree(DEPOT, tmp_path / "depot")
        for file, was, becomes in changes:
            path = tmp_path / "depot" / file
            text = path.read_text()
            assert was in text
            path.write_text(text.replace(was, becomes))
        return catalog.load(tmp_path / "depot")

    return make


def refused(world: World, pack: catalog.Pack) -> list[str]:
    """What is said against a pack, of which a plan says the same; nothing is changed."""
    before = world.tables()
    told = []
    for planned in (True, False):
        with pytest.raises(InvalidInput) as stopped:
            brought_up(world, pack, planned)
        told.append(str(stopped.value))
    assert told[0] == told[1]
    assert world.tables() == before
    return told[0].splitlines()


def test_a_key_that_records_would_share_is_refused(everywhere: World, rewritten: Rewritten) -> None:
    """It is shown as people write it, references by their own keys; what has no such key stands against nothing."""
    for number in ("1", "2", "3", "4"):
        ordered(everywhere, number, lines=[("A", number), ("B", "2"), ("C", "0.5")])
    keys = {
        "[article, quantity]": "key article, quantity, and several records would share one: `B/2` (4 records), "
        "`C/0.5` (4 records)",
        "[quantity]": "key quantity, and several records would share one: `0.5` (4 records), `2` (5 records)",
        "[order]": "key order, and several records would share one: `1` (3 records), `2` (3 records), `3` (3 records) "
        "and 1 more",
    }
    for key, words in keys.items():
        pack = rewritten(("records.yaml", "key: [order, number]", f"key: {key}"))
        assert refused(everywhere, pack) == [f"depot/records.yaml:63:6: line would have the {words}. {TOLD_APART}"]
    by_day = rewritten(("records.yaml", "key: [order, number]", "key: [day]"))
    assert "changed index key_of_line" in brought_up(everywhere, by_day).migration.words


def test_a_key_that_is_shared_but_for_some_states_counts_only_the_others(depot: World, rewritten: Rewritten) -> None:
    for note in ("first", "second"):
        ordered(depot, "1", note=note)
        if note == "first":
            depot.must("line", "delete", "1/1")
            depot.must("order", "cancel", "1")
    assert refused(depot, rewritten(("records.yaml", "key: {fields: [number], except: [cancelled]}", "key: [number]"))) == [
        f"depot/records.yaml:37:6: order would have the key number, and several records would share one: `1` (2 records). {TOLD_APART}"
    ]  # fmt: skip
    other = rewritten(("records.yaml", "fields: [number], except: [cancelled]", "fields: [depot], except: [cancelled]"))
    assert brought_up(depot, other).migration.words == ("changed index key_of_order",)


def test_a_key_that_old_rows_are_only_given_is_refused(depot: World, extended: Extended) -> None:
    """Its column is not there yet: all of them would have the default."""
    ranked = "record: notice\nchanges: depot\nkey: [rank]\nfields: {rank: {type: money, default: 7.5, doc: Rank.}}\n"
    for number in ("1", "2"):
        ordered(depot, number)
        depot.must("order", "pack", number, extra="5")
    assert refused(depot, extended(ranked)) == [
        f"top/0.yaml:3:6: notice would have the key rank, and several records would share one: `7.5` (2 records). {TOLD_APART}"
    ]  # fmt: skip


def test_a_pack_that_does_not_know_what_is_there_is_refused(everywhere: World) -> None:
    ordered(everywhere, "1")
    travel = catalog.load(catalog.library().root / "examples" / "travel_claims")
    lines = refused(everywhere, travel)
    known = "The pack travel_claims has no record type order, and records of it are there: 1."
    assert f"{known} What is there must stay known." in lines


def test_a_state_in_which_records_stand_is_not_removed(everywhere: World, rewritten: Rewritten) -> None:
    pack = rewritten(("order.yaml", "checked", "looked_at"), ("order.yaml", "returned", "back"))
    for number in ("1", "2"):
        ordered(everywhere, number)
        everywhere.must("order", "check", number)
    assert refused(everywhere, pack) == [
        "depot/order.yaml:2:1: the workflow order has no state `checked` any more, with 2 records of order in it: "
        "keep the state, or move the records on by an event first."
    ]
    for number in ("1", "2"):
        everywhere.must("order", "approve", number)
    brought_up(everywhere, pack)
    after = World(everywhere.store, pack)
    after.must("order", "send", "1")
    assert verify(after.charter, reperform=True).problems == []


def test_what_records_lack_and_what_they_have_against_a_pack_are_said_at_once(
    depot: World, rewritten: Rewritten
) -> None:
    ordered(depot, "1")
    colour = "  colour:     {type: text, doc: A colour.}\n  note:       {type: text"
    pack = rewritten(("order.yaml", "draft", "drawn"), ("records.yaml", "  note:       {type: text", colour))
    said = " ".join(refused(depot, pack))
    assert "order.colour is needed and has no default" in said
    assert "no state `draft` any more" in said


def test_a_workflow_by_which_records_stand_is_not_removed(depot: World, rewritten: Rewritten) -> None:
    """Nor one without records whose state the table insists on."""
    ordered(depot, "1")
    pack = rewritten(("records.yaml", "workflows: [order, packing]", "workflows: [order]"))
    assert refused(depot, pack) == [
        "depot/records.yaml:35:1: order is without its workflow packing, with 1 record of order in the state "
        "`waiting`: keep the workflow."
    ]
    depot.must("line", "delete", "1/1")
    depot.must("order", "delete", "1")
    assert refused(depot, pack) == [
        "depot/records.yaml:35:1: order.packed is no field any more, and its table takes no record without it: keep "
        "the field, and let it be needed."
    ]


def test_a_workflow_that_came_later_goes_where_no_record_stands_by_it(depot: World, extended: Extended) -> None:
    ordered(depot, "1")
    pack = extended(*LABELS)
    brought_up(depot, pack)
    (told,) = refused(depot, depot.pack)
    assert "order is without its workflow labels, with 1 record of order in the state `missing`" in told
    World(depot.store, pack).must("line", "delete", "1/1")
    World(depot.store, pack).must("order", "delete", "1")
    assert brought_up(depot, depot.pack).roots
    ordered(depot, "2")


def test_a_choice_that_records_have_is_not_removed(depot: World, rewritten: Rewritten) -> None:
    pack = rewritten(
        ("records.yaml", "one_of: [low, high], default: low", "one_of: [low], default: low"),
        ("records.yaml", "one_of: [plain, odd, book]", "one_of: [plain, book]"),
    )
    ordered(depot, "1", lines=[])
    assert refused(depot, pack) == [
        "depot/records.yaml:23:11: article.kind has no choice `odd` any more, and it stands in 1 record of article: keep the "
        "choice, or change the records by an event first."
    ]
    depot.must("article", "delete", "X")
    depot.must("order", "change", "1", note="x", urgency="high")
    assert refused(depot, pack)[0].startswith("depot/records.yaml:48:15: order.urgency has no choice `high` any")
    depot.must("order", "change", "1", note="x", urgency="low")
    assert brought_up(depot, pack).roots
    assert depot.rows('SELECT urgency FROM "order"') == [("low",)]


def test_a_text_that_becomes_a_choice_must_be_one(depot: World, rewritten: Rewritten) -> None:
    ordered(depot, "1")
    was = "note:       {type: text, optional: true"
    pack = rewritten(("records.yaml", was, "note: {one_of: [asked, thanked], optional: true"))
    assert "order.note has no choice `please` any more, and it stands in 1 record of order" in refused(depot, pack)[0]
    brought_up(depot, rewritten(("records.yaml", was, "note: {one_of: [asked, please], optional: true")))


def test_a_role_that_is_held_is_not_removed(depot: World, rewritten: Rewritten) -> None:
    """What has ended or was revoked is no longer held."""
    grant(depot, "ann", "auditor", until="2026-03-30")
    pack = rewritten(("pack.yaml", "  auditor: {doc: Looks at large orders.}\n", ""))
    assert refused(depot, pack) == [
        "The pack depot has no role `auditor`, which is held by 1 grant: keep the role, or revoke the grants first."
    ]
    ((held,),) = depot.rows("SELECT id FROM role_grant WHERE role = 'auditor' AND until IS NULL")
    depot.must("role_grant", "revoke", held)
    assert brought_up(depot, pack).roots


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


def test_records_that_are_there_stay_and_are_told_where_the_pack_says_otherwise(
    everywhere: World, extended: Extended
) -> None:
    """What somebody changed is left alone, and so is what the pack says as before; the plan tells the same."""
    shelf = (
        "record: shelf\ndoc: A shelf.\nkey: [number]\nworkflows: [shelf]\nfields:\n  number: {type: text, doc: Number.}\n"
        "  at: {ref: account, optional: true, doc: Where.}\n  width: {type: number, default: 1, doc: How wide.}\n"
        "  name: {type: text, optional: true, doc: Name.}\n",
        "workflow: shelf\ndoc: It stands.\nof: shelf\nstates: {open: {doc: Stands.}, shut: {doc: Is shut., final: true}}\n"
        "transitions:\n"
        "  - {event: create, doc: New., from: nothing, to: open, who: {role: clerk}, takes: [number, at, width, name]}\n"
        "  - {event: move, doc: Elsewhere., from: open, to: open, who: {role: clerk}, takes: [at, width]}\n"
        "  - {event: shut, doc: Shut., from: open, to: shut, who: {role: clerk}}\n",
    )
    rows = "master: shelf\ndoc: Shelves.\nrows:\n"
    first = extended(*shelf, rows + '  - {number: a, at: "1200", width: 2}\n  - {number: b}\n  - {number: c}\n')
    brought_up(everywhere, first)
    World(everywhere.store, first).must("shelf", "move", "b", width="7")
    changed = extended(*shelf, rows + '  - {number: a, at: "4000"}\n  - {number: b}\n  - {number: d, name: D}\n')
    for planned in (True, False):
        assert [(o.key, o.fields, o.events, o.says) for o in brought_up(everywhere, changed, planned).otherwise] == [
            ("a", {"at": ("1200", "4000"), "width": ("2", "1")}, ("move",),
             "shelf a stays as it is: at is 1200, in the pack 4000; width is 2, in the pack 1. "
             "To change it: charter fire shelf move a --set at=4000 --set width=1"),
            ("c", {}, (), "shelf c stays, and the pack has no row for it any more."),
        ]  # fmt: skip
    World(everywhere.store, changed).must("shelf", "shut", "d")
    (named,) = brought_up(everywhere, extended(*shelf, rows + "  - {number: d, name: E}\n")).otherwise[2:]
    assert (named.says, named.place.line) == (
        "shelf d stays as it is: name is D, in the pack E. No event that is possible changes that.", 4
    )  # fmt: skip


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
