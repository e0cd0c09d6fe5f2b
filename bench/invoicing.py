"""Invoices from many lines, with tax and with the accrued revenue taken back, against the same rows written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import scene
from charter.engine.application import Charter
from charter.engine.batch import Batch
from charter.engine.firings import Request
from charter.engine.processes import run, takes_of
from measure import Result, timed

INVOICES = 100
TO_DAY = {"until": "2026-03-31"}


def invoices(folder: Path, lines: int) -> dict[str, Result]:
    """Drawing up, handing in, approving and posting invoices for a tenth of the lines, a hundredth of which each has.

    Both sides are the better of two.
    """
    before, after, floor = (folder / f"invoices_{name}.db" for name in ("before", "after", "floor"))
    count = max(1000, lines // 10)
    accrued(str(before), count).store.close()
    seconds, written = [], []
    for _ in range(2):
        shutil.copy(before, after)
        charter = scene.opened(str(after))
        charter.rules  # noqa: B018
        spent, states = 0.0, [before]
        for number, step in enumerate((propose, submit, approve, post)):
            spent += timed(partial(step, charter))
            states.append(Path(shutil.copy(after, folder / f"invoices_{number}.db")))
        seconds.append(spent)
        posted = len(scene.ids(charter.store, "proposal_line"))
        charter.store.close()
        assert posted == count, f"{posted} lines were invoiced"
        rows = [list(changes(*two)) for two in pairwise(states)]
        shutil.copy(before, floor)
        written.append(timed(partial(write, floor, rows)))
    return {"invoices": Result(min(seconds), min(written), "s")}


# --- what is to be invoiced ---


def accrued(url: str, count: int) -> Charter:
    """A store with that many fees of a hundred customers, posted, their revenue accrued."""
    charter = scene.prepared(url, 0)
    batch = Batch(charter.rules, charter.store, scene.NOBODY, scene.CLOCK, one_login=True)
    for request in agreements():
        scene.done(batch.all_in_one([request]))
    monthly = {"invoicing_frequency": "monthly"}
    payers = scene.ids(charter.store, "contract_payer")
    scene.done(batch.all_in_one([Request("contract_payer", "change", i, monthly) for i in payers]))
    projects = scene.ids(charter.store, "project")[-INVOICES:]
    scene.done(batch.all_in_one([Request("project", "start", i) for i in projects]))
    scene.done(batch.all_in_one(fees(count)))
    (journal,) = scene.ids(charter.store, "entry_journal")
    scene.done(batch.all_in_one([Request("entry_journal", "confirm", journal)]))
    scene.post(charter)
    return charter


def agreements() -> Iterator[Request]:
    create = scene.create
    yield create("tax_code", "create", number="S", name="Standard rate")
    yield create("tax_rate", "create", number="S", tax_code="@S", percent=20, **{"from": date(2026, 1, 1)})
    yield create("entry_journal", "create", company="@NORTH", number="F", name="Fees", **{"class": "fee"})
    for i in range(INVOICES):
        yield create("customer", "create", number=f"A-{i}", name=f"Customer {i}")
        yield create("tax_setup", "create", number=f"A-{i}", customer=f"@A-{i}", tax_code="@S")
        yield create("contract", "create", number=f"A-{i}", name="Fees", company="@NORTH", customer=f"@A-{i}")
        line = {"number": 1, "name": "Fees", "method": "time_and_material"}
        yield create("contract_line", "create", contract=f"@A-{i}", **line)
        named = {"number": f"A-{i}", "name": "Fees", "contract_line": f"@A-{i}/1"}
        yield create("project", "create", company="@NORTH", group="@TM-ACCRUED", **named)


def fees(count: int) -> Iterator[Request]:
    for i in range(count):
        yield scene.create(
            "entry_line", "create", journal="@NORTH/F", number=i + 1, work_date=date(2026, 3, 1 + i % 31),
            project=f"@A-{i % INVOICES}", category="@fee", quantity=1, currency="EUR", price=100 + i % 7,
        )  # fmt: skip


def propose(charter: Charter) -> None:
    process(charter, "propose_invoices")


def submit(charter: Charter) -> None:
    of_each_proposal(charter, "submit")


def approve(charter: Charter) -> None:
    of_each_proposal(charter, "approve")


def post(charter: Charter) -> None:
    process(charter, "post_invoices")


def of_each_proposal(charter: Charter, event: str) -> None:
    batch = Batch(charter.rules, charter.store, scene.NOBODY, scene.CLOCK, one_login=True)
    proposals = scene.ids(charter.store, "invoice_proposal")
    scene.done(batch.all_in_one([Request("invoice_proposal", event, i) for i in proposals]))


def process(charter: Charter, name: str) -> None:
    batch = Batch(charter.rules, charter.store, scene.NOBODY, scene.CLOCK, one_login=True)
    declared = batch.rules.library.process(name)
    assert declared is not None
    for roots, _ in run(batch, declared, takes_of(declared.takes, TO_DAY, name)):
        scene.done(roots)


# --- the same rows ---


@dataclass
class Change:
    """What became of the rows of a table: the new ones, and by the columns that changed their values and the id."""

    table: str
    new: list[tuple[Any, ...]]
    changed: dict[tuple[str, ...], list[tuple[Any, ...]]]


def changes(before: Path, after: Path) -> Iterator[Change]:
    """Compare the tables of two stores, all that have an id, and the facts."""
    old, new = sqlite3.connect(before), sqlite3.connect(after)
    for (table,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall():
        columns = [c[1] for c in new.execute(f'PRAGMA table_info("{table}")')]
        key = columns.index("id") if "id" in columns else columns.index("hash") if table == "charter_fact" else None
        if key is None:
            continue
        rows = f'SELECT * FROM "{table}" ORDER BY 1, 2'
        known = {row[key]: row for row in old.execute(rows)}
        change = Change(table, [], {})
        for row in new.execute(rows):
            was = known.get(row[key])
            if was is None:
                change.new.append(row)
            elif places := [i for i, value in enumerate(row) if value != was[i]]:
                values = (*(row[i] for i in places), row[key])
                change.changed.setdefault(tuple(columns[i] for i in places), []).append(values)
        yield change


def write(store: Path, steps: list[list[Change]]) -> None:
    """The same rows by executemany into the same tables, with the same durability, each step in one transaction."""
    connection = sqlite3.connect(store, isolation_level=None)
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    for written in steps:
        connection.execute("BEGIN IMMEDIATE")
        for change in written:
            write_change(connection, change)
        connection.execute("COMMIT")
    connection.close()


def write_change(connection: sqlite3.Connection, change: Change) -> None:
    for columns, rows in change.changed.items():
        sets = ", ".join(f'"{name}" = ?' for name in columns)
        connection.executemany(f'UPDATE "{change.table}" SET {sets} WHERE id = ?', rows)
    if change.new:
        marks = ", ".join("?" * len(change.new[0]))
        connection.executemany(f'INSERT INTO "{change.table}" VALUES ({marks})', change.new)
