"""One record or a hundred, in one chunk or in many, here or there: the same comes of it, and nothing twice."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.errors import CONFLICT, Conflict, InvalidInput
from charter.engine.firings import Request, Root
from charter.engine.notation import KeyText
from charter.engine.processes import run, takes_of
from charter.engine.tables import COUNTER, FACT, HEAD, LOG, PACK
from support import DEPOT, Stores, World, approved, clock, ordered, said

ARTICLES = ("A", "B", "C")
BOOKKEEPING = (COUNTER, FACT, HEAD, PACK)


def entered(world: World, count: int, chunk: int = 1000) -> None:
    """Orders in two depots with two lines each; every seventh cannot be sent."""
    orders = [
        world.creation("order", number=f"{i:04}", depot="NS"[i % 2], ordered_on=f"2026-03-{i % 28 + 1:02}", note="x",
                       taker="eve" if i % 3 else None)
        for i in range(count)
    ]  # fmt: skip
    lines = [
        world.creation("line", order=f"{i:04}", number=n, article=ARTICLES[(i + n) % 3], quantity=str(i % 5 + n))
        for i, n in itertools.product(range(count), (1, 2))
    ]
    numbers = [KeyText(f"{i:04}") for i in range(count)]
    for requests in (orders, lines):
        assert [said(r) for r in world.perform(requests, chunk=chunk) if r.reasons] == []
    for event in ("check", "approve"):
        requests = [
            Request("order", event, world.id("order", n), {}, acknowledged=frozenset(["dear"])) for n in numbers
        ]
        assert [said(r) for r in world.perform(requests, chunk=chunk) if r.reasons] == []
    spoiled = [world.request("line", "spoil", f"{i:04}/2") for i in range(0, count, 7)]
    world.perform(spoiled, chunk=chunk)


def outcome(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Everything but hashes and moments, records by what they are called instead of by their numbers."""
    metadata = world.rules.metadata.whole
    with world.store.transaction() as session:
        rows = {
            name: [dict(r._mapping) for r in session.connection.execute(table.select())]
            for name, table in metadata.tables.items()
            if name not in BOOKKEEPING
        }
    names: dict[tuple[str, Any], str] = {(record, None): "" for record in rows}
    by_id = {record.name: {row["id"]: row for row in rows[record.name]} for record in world.rules.library.records()}

    def called(record: str, id_: Any) -> str:
        if (record, id_) not in names:
            declared = world.rules.library.record(record)
            assert declared is not None
            parts = [(declared.fields[n].type.of, by_id[record][id_][n]) for n in declared.key or [*declared.fields]]
            names[(record, id_)] = (
                f"{record} {[called(of, value) if of else value for of, value in parts if of != 'movement']}"
            )
        return names[(record, id_)]

    for record, found in by_id.items():
        for id_ in found:
            called(record, id_)
    logged = {row["id"]: (row["stream"], row["number"]) for row in rows[LOG]}
    vouchers = {row["id"]: (row["series"], row["number"]) for row in rows["charter_voucher"]}

    def shown(name: str, row: dict[str, Any]) -> tuple[Any, ...]:
        for column in metadata.tables[name].columns:
            for key in column.foreign_keys:
                target = key.column.table.name
                known = {LOG: logged, "charter_voucher": vouchers}.get(target)
                if row[column.name] is not None:
                    row[column.name] = known[row[column.name]] if known else names[(target, row[column.name])]
        if name in (LOG, "charter_refusal"):
            row["record_id"] = names.get((row["record"], row["record_id"]))
            row["cause"] = logged.get(row.get("cause"))
        left_out = {"id", "hash", "basis", "vouchers"} | ({"reads", "changes"} if name == LOG else set())
        return tuple((k, v) for k, v in row.items() if k not in left_out)

    return {name: sorted((shown(name, row) for row in found), key=repr) for name, found in rows.items()}


@pytest.fixture(scope="module")
def alone(stores: Stores) -> dict[str, list[tuple[Any, ...]]]:
    """What comes of it when every request has a chunk of its own."""
    with stores.memory(DEPOT) as world:
        entered(world, 30, chunk=1)
        world.perform([world.request("order", "send", f"{i:04}") for i in range(30)], chunk=1)
        return outcome(world)


@pytest.mark.parametrize("chunk", [4, 1000])
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_chunks_and_databases_make_no_difference(
    stores: Stores, request: pytest.FixtureRequest, alone: dict[str, list[tuple[Any, ...]]], database: str, chunk: int
) -> None:
    """The same records, vouchers, entries, log and refusals, to the cent."""
    world_of = (
        stores.memory(DEPOT)
        if database == "sqlite"
        else stores.postgresql(DEPOT, request.getfixturevalue("postgresql_url"))
    )
    with world_of as world:
        entered(world, 30, chunk=chunk)
        world.perform([world.request("order", "send", f"{i:04}") for i in range(30)], chunk=chunk)
        found = outcome(world)
    assert len(found["charter_entry"]) > 60
    assert len(found["charter_refusal"]) == 5
    for name, rows in alone.items():
        assert found[name] == rows, name


def test_a_process_run_twice_does_nothing_the_second_time(everywhere: World) -> None:
    entered(everywhere, 15)
    first = everywhere.run("send_all", until="2026-03-31")
    assert sorted(not r.reasons for r in first) == [False] * 3 + [True] * 12
    before = everywhere.tables("charter_refusal", COUNTER)
    again = everywhere.run("send_all", until="2026-03-31")
    assert [bool(r.reasons) for r in again] == [True] * 3, "only what was refused comes again"
    assert everywhere.tables("charter_refusal", COUNTER) == before


def test_what_a_process_takes_decides_what_it_selects(depot: World) -> None:
    entered(depot, 14)
    depot.perform([depot.request("line", "grow", 1)])
    sent_on = [r for r in depot.run("send_all", until="2026-03-05") if not r.reasons]
    assert len(sent_on) == 4


def test_a_process_fires_once_on_what_several_of_its_records_lead_to(depot: World) -> None:
    entered(depot, 15)
    orders = depot.rows("SELECT id FROM \"order\" WHERE state = 'approved' ORDER BY id")
    lines = depot.rows(
        'SELECT count(*) FROM line JOIN "order" ON "order".id = line."order" WHERE "order".state = \'approved\''
    )
    roots = depot.run("send_what_has_lines", until="2026-03-31")
    assert [(r.request.record, r.request.id) for r in roots] == [("order", id_) for (id_,) in orders]
    assert lines[0][0] > len(orders)


def sending_all(world: World) -> Iterator[tuple[list[Root], int]]:
    """The run of the process, chunk by chunk."""
    process = world.rules.library.process("send_all")
    assert process is not None
    return run(world.batch(), process, takes_of(process.takes, {"until": "2026-03-31"}, "send_all"))


def test_killed_between_chunks_and_run_again_nothing_is_done_twice(everywhere: World, stores: Stores) -> None:
    """The generator stops after the first chunk; the run after it does the rest."""
    entered(everywhere, 35)
    begun = sending_all(everywhere)
    roots, of = next(begun)
    begun.close()
    assert (len(roots), of) == (10, 35)
    assert everywhere.rows("SELECT count(*) FROM \"order\" WHERE state = 'sent'") == [
        (sum(not r.reasons for r in roots),)
    ]
    everywhere.run("send_all", until="2026-03-31")
    with stores.memory(DEPOT) as whole:
        entered(whole, 35)
        whole.run("send_all", until="2026-03-31")
        wanted = outcome(whole)
    found = outcome(everywhere)
    for name in ("order", "line", "charter_voucher", "charter_entry", LOG):
        assert found[name] == wanted[name], name


def test_work_under_a_pack_that_is_no_longer_in_force_stops(everywhere: World, tmp_path: Path) -> None:
    """Another process puts a pack in force between two chunks: nothing more is decided by the old rules."""
    entered(everywhere, 35)
    begun = sending_all(everywhere)
    roots, _ = next(begun)
    shutil.copytree(DEPOT, tmp_path / "depot")
    (tmp_path / "depot" / "more.yaml").write_text("parameters: more\ndoc: More.\nvalues: {}\n")
    pack = catalog.load(tmp_path / "depot")
    Charter(everywhere.store, "test", clock()).init(pack, "administrator")
    before = everywhere.tables()
    words = f"Another pack was put in force meanwhile: {pack.hash[:12]} in place of {everywhere.pack.hash[:12]}.*again"
    with pytest.raises(Conflict, match=words) as stale:
        next(begun)
    assert stale.value.exit_code == CONFLICT
    with pytest.raises(Conflict, match=words):
        everywhere.batch().all_in_one([everywhere.creation("article", number="Z", kind="plain")])
    assert everywhere.tables() == before
    after = World(everywhere.store, pack)
    assert len(after.run("send_all", until="2026-03-31")) == 35 - sum(not r.reasons for r in roots)


def test_a_measure_that_cannot_be_kept_ends_the_chunk_with_words(everywhere: World) -> None:
    for number in ("1", "2", "3"):
        ordered(everywhere, number)
    for number in ("1", "2"):
        everywhere.must("order", "pack", number, extra="5")
    everywhere.change("UPDATE movement SET amount = 5000000000000000000")
    before = everywhere.tables()
    words = "depot/measures.yaml:2:1: The sum of the measure `moved` is beyond what can be kept: between -922337203685477.5807 and"
    with pytest.raises(InvalidInput, match=words):
        everywhere.fire("order", "pack", "3", extra="5")
    assert everywhere.tables() == before
    everywhere.change("UPDATE movement SET amount = 4000000000000000000")
    everywhere.must("order", "pack", "3", extra="5")
    assert everywhere.field("order", "3", "moved") == 800000000000000


def test_a_process_that_stops_goes_no_further(depot: World) -> None:
    entered(depot, 25)
    requests = [depot.request("order", "send", f"{i:04}") for i in range(25)]
    done = list(depot.batch().in_chunks(requests, 5, stops=True))
    assert len(done) == 1, "the first order of all cannot be sent"
    assert sum(not r.reasons for r in done[0]) == 4


def test_all_in_one_writes_nothing_when_anything_is_refused(depot: World) -> None:
    entered(depot, 9)
    before = depot.tables("charter_refusal", COUNTER)
    roots = depot.batch().all_in_one([depot.request("order", "send", f"{i:04}") for i in range(9)], 4)
    assert [r.request.id for r in roots if r.reasons] == [1, 8]
    assert depot.tables("charter_refusal", COUNTER) == before
    assert depot.rows("SELECT count(*) FROM charter_refusal") == [(2,)]


def test_all_in_one_writes_everything_when_nothing_is_refused(depot: World) -> None:
    entered(depot, 6)
    roots = depot.batch().all_in_one([depot.request("order", "send", f"{i:04}") for i in range(1, 6)], 2)
    assert not any(r.reasons for r in roots)
    assert depot.rows("SELECT count(*) FROM \"order\" WHERE state = 'sent'") == [(5,)]


def statements(world: World, work: list[Request]) -> tuple[int, int]:
    before = world.store.statements
    roots = world.perform(work)
    return world.store.statements - before, sum(not r.reasons for r in roots)


@pytest.fixture(params=["sqlite", "postgresql"])
def two_sizes(request: pytest.FixtureRequest, stores: Stores) -> Iterator[list[World]]:
    """The same work for twenty and for two hundred."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        worlds = []
        for count in (20, 200):
            server = request.getfixturevalue("postgresql_url") if request.param == "postgresql" else None
            world = stack.enter_context(stores.postgresql(DEPOT, server) if server else stores.memory(DEPOT))
            entered(world, count)
            worlds.append(world)
        yield worlds


def test_the_statements_of_a_chunk_do_not_grow_with_its_records(two_sizes: list[World]) -> None:
    """Ten times the records, the same statements; a record alone needs hardly fewer. Identity blocks add a few."""
    small, large = two_sizes
    few = statements(small, [small.request("order", "send", f"{i:04}") for i in range(20) if i % 7])
    many = statements(large, [large.request("order", "send", f"{i:04}") for i in range(200) if i % 7])
    assert (few[1], many[1]) == (17, 171)
    assert many[0] <= few[0] + 6


def test_requests_of_a_chunk_may_be_of_many_kinds(depot: World) -> None:
    ordered(depot, "1")
    approved(depot, "2")
    requests = [
        depot.request("order", "send", "2"),
        depot.creation("article", number="N", kind="plain"),
        depot.request("order", "cancel", "1"),
        depot.creation("order", number="3", depot="N", ordered_on="2026-03-02"),
    ]
    assert [said(r) for r in depot.perform(requests)] == ["", "", "", ""]
    assert [r.request for r in depot.perform(requests[:1])] == requests[:1]


def test_names_that_stand_for_numbers_are_found_in_the_same_chunk(depot: World) -> None:
    """A key may name a record that an earlier chunk of the same run created."""
    orders = [depot.creation("order", number=str(i), depot="N", ordered_on="2026-03-02") for i in range(3)]
    lines = [depot.creation("line", order=str(i), number=1, article="A", quantity="1") for i in range(3)]
    done = depot.perform([*orders, *lines], chunk=3)
    assert [said(r) for r in done] == [""] * 6


def test_every_root_says_where_it_came_from(depot: World, tmp_path: Path) -> None:
    request = Request("article", "create", None, {"number": "Z", "kind": "plain"}, source="articles.csv:7")
    depot.perform([request])
    assert depot.rows("SELECT source FROM charter_log ORDER BY id DESC LIMIT 1") == [("articles.csv:7",)]
    depot.perform([request])
    ((source, reasons),) = depot.rows("SELECT source, reasons FROM charter_refusal")
    assert source == "articles.csv:7"
    assert re.search("There is already a article Z", reasons)


QUEUE = {
    "pack.yaml": """pack: queue
doc: Boxes stand on shelves, and know which of their floor came first.
version: 0.1.0
author: tests
from: 2020-01-01
roles: {clerk: {doc: Enters what there is.}}
""",
    "records.yaml": """record: shelf
doc: A shelf.
key: [number]
workflows: [shelf]
fields: {number: {type: text, doc: Its number.}, floor: {type: whole, doc: Where it is.}}
---
record: box
doc: A box.
key: [number]
workflows: [box]
fields:
  number: {type: text, doc: Its number.}
  shelf: {ref: shelf, doc: Where it stands.}
  first_here: {ref: box, optional: true, doc: Which box was the first of its shelf.}
  first_of_floor: {ref: box, optional: true, doc: Which box was the first of its floor.}
""",
    "workflows.yaml": """workflow: shelf
doc: A shelf is there.
of: shelf
states: {open: {doc: Is there., final: true}}
transitions: [{event: create, doc: A new one., from: nothing, to: open, who: {role: clerk}, takes: [number, floor]}]
---
workflow: box
doc: A box is there and is moved.
of: box
states: {here: {doc: Is there., final: true}}
transitions:
  - event: create
    doc: A new one.
    from: nothing
    to: here
    who: {role: clerk}
    takes: [number, shelf]
    find:
      here: {of: box, where: "shelf == this.shelf", first_by: number, none: allowed}
      near: {of: box, where: "shelf.floor == this.shelf.floor", first_by: number, none: allowed}
    do: [{set: {first_here: here, first_of_floor: near}}]
  - {event: move, doc: Stands elsewhere now., from: here, to: here, who: {role: clerk}, takes: [shelf]}
""",
}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "queue"
    folder.mkdir()
    for name, text in QUEUE.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("chunk", [1, 1000])
def test_what_is_looked_for_is_found_where_an_earlier_request_made_it(stores: Stores, queue: Path, chunk: int) -> None:
    """Under the very same reference or behind it, as it was made or as it was moved, in one chunk as in many."""
    with stores.memory(queue) as world:
        world.perform([world.creation("shelf", number=n, floor=f) for n, f in (("A", 1), ("B", 1), ("C", 2), ("D", 3))])
        world.create("box", number="0", shelf="D")
        made = [world.creation("box", number=n, shelf=s) for n, s in (("1", "A"), ("2", "C"), ("3", "B"))]
        moved = world.request("box", "move", "0", shelf="C")
        later = [world.creation("box", number=n, shelf=s) for n, s in (("4", "A"), ("5", "C"), ("6", "D"))]
        world.perform([*made, moved, *later], chunk=chunk)
        found = world.rows(
            "SELECT b.number, h.number, n.number FROM box b LEFT JOIN box h ON h.id = b.first_here "
            "LEFT JOIN box n ON n.id = b.first_of_floor ORDER BY b.number"
        )
    assert found[1:] == [("1", None, None), ("2", None, None), ("3", None, "1"), ("4", "1", "1"), ("5", "0", "0"),
                         ("6", None, None)]  # fmt: skip
