"""What the same work costs with nothing but the writing: the floors that `run` measures against."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

LOG, FACT, VOUCHER, ENTRY = "charter_log", "charter_fact", "charter_voucher", "charter_entry"
CHUNK = 1000


@dataclass
class Written:
    """The rows that posting added, by table in the order in which they go in, and the records that it changed.

    `updated` are the new values of the `columns` and the id.
    """

    inserted: dict[str, list[tuple[Any, ...]]]
    columns: dict[str, str]
    updated: list[tuple[Any, ...]]

    @property
    def chunks(self) -> int:
        return max(1, -(-len(self.updated) // CHUNK))

    def part(self, rows: list[Any], index: int) -> list[Any]:
        return rows[index * len(rows) // self.chunks : (index + 1) * len(rows) // self.chunks]


def rows_written(before: Path, after: Path) -> Written:
    """Compare a store before and after posting."""
    old, new = sqlite3.connect(before), sqlite3.connect(after)
    inserted = {}
    for table, key in ((FACT, "hash"), (LOG, "id"), (VOUCHER, "id"), (ENTRY, "id")):
        known = {k for (k,) in old.execute(f"SELECT {key} FROM {table}")}
        place = [c[1] for c in new.execute(f"PRAGMA table_info({table})")].index(key)
        inserted[table] = [r for r in new.execute(f"SELECT * FROM {table} ORDER BY 1, 2") if r[place] not in known]
    columns = columns_changed(before, new)
    # In the order in which they were posted: so each chunk of the floor changes what ours did, wherever that lies.
    posted = new.execute(
        f'SELECT {", ".join(f"t.{name}" for name in columns)}, t.id FROM {LOG} l JOIN "transaction" t '
        "ON t.id = l.record_id WHERE l.record = 'transaction' AND l.event = 'post' ORDER BY l.id"
    )
    return Written(inserted, columns, list(posted))


def columns_changed(before: Path, new: sqlite3.Connection) -> dict[str, str]:
    """The columns of transactions that posting changed, and their types."""
    new.execute("ATTACH ? AS before", (str(before),))
    types = {c[1]: c[2] for c in new.execute('PRAGMA table_info("transaction")')}
    differ = ", ".join(f"max(a.{name} IS NOT b.{name})" for name in types)
    joined = 'main."transaction" a JOIN before."transaction" b ON a.id = b.id'
    (found,) = new.execute(f"SELECT {differ} FROM {joined}").fetchall()
    return {name: type_ for (name, type_), changed in zip(types.items(), found, strict=True) if changed}


def write_sqlite(store: Path, written: Written) -> None:
    """The same rows by executemany into the same tables, with the same durability."""
    connection = sqlite3.connect(store, isolation_level=None)
    for pragma in ("foreign_keys = ON", "synchronous = FULL", "cache_size = -65536"):
        connection.execute(f"PRAGMA {pragma}")
    sets = ", ".join(f"{c} = ?" for c in written.columns)
    for index in range(written.chunks):
        connection.execute("BEGIN IMMEDIATE")
        for table, rows in written.inserted.items():
            part = written.part(rows, index)
            if part:
                marks = ", ".join("?" * len(part[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", part)
        connection.executemany(f'UPDATE "transaction" SET {sets} WHERE id = ?', written.part(written.updated, index))
        connection.execute("COMMIT")
    connection.close()


def two_databases(uri: str, prepare: Callable[[str], None]) -> tuple[str, str]:
    """The URLs of a prepared database and of a copy of it."""
    import psycopg

    url = make_url(uri)
    named = [url.set(database=name).render_as_string(hide_password=False) for name in ("bench_one", "bench_two")]
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench_one")
        prepare(named[0])
        connection.execute("CREATE DATABASE bench_two TEMPLATE bench_one")
    return named[0], named[1]


def write_postgresql(url: str, written: Written) -> None:
    """The same rows by COPY, and one UPDATE from arrays for each chunk, under the same isolation."""
    import psycopg

    sets = ", ".join(f"{name} = g.{name}" for name in written.columns)
    arrays = ", ".join(f"%s::{type_}[]" for type_ in (*written.columns.values(), "bigint"))
    given = f"unnest({arrays}) AS g({', '.join(written.columns)}, of_id)"
    with psycopg.connect(url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        for index in range(written.chunks):
            with connection.transaction(), connection.cursor() as cursor:
                for table, rows in written.inserted.items():
                    with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                        for row in written.part(rows, index):
                            copy.write_row(row)
                part = written.part(written.updated, index)
                cursor.execute(
                    f'UPDATE "transaction" t SET {sets} FROM {given} WHERE t.id = g.of_id',
                    [list(values) for values in zip(*part, strict=True)],
                )


def guards() -> tuple[Callable[[Any], bool], Callable[[Any], bool], Any]:
    """A guard as Charter compiles it, the same test as a Python function, and values for both."""
    from datetime import date
    from decimal import Decimal

    from charter.engine.catalog import library, load
    from charter.engine.compiler import compile_transition
    from charter.engine.library import Library

    found = Library(load(library().folder("base")))
    record, workflow = found.record("hour_line"), found.workflow("hour_line")
    assert record is not None
    assert workflow is not None
    transition = next(t for t in workflow.transitions if t.name == "create")
    program = compile_transition(found, record, workflow, transition)
    place = {name: i for i, (name, _) in enumerate(program.columns)}
    v: list[Any] = [None] * program.width
    v[0] = [None] * len(program.columns)
    v[1] = (None,) * len(program.taken)
    v[2] = (date(2026, 3, 2), "", 1)
    hours = Decimal(8)
    v[0][place["hours"]] = hours
    v[1] = tuple(hours if n == "hours" else x for n, x in zip(program.taken, v[1], strict=True))
    guard = next(r for r in program.requirements if "hours > 0" in r.name)
    taken = list(program.taken).index("hours")
    return guard.holds, lambda v: v[1][taken] > 0, v


def check_base_pack(timed: Callable[[Callable[[], object]], float]) -> tuple[float, float, int]:
    """Seconds to check the base pack in process, seconds to read its YAML, and how many lines it has."""
    import yaml
    from charter.engine import catalog
    from charter.engine.check import check

    folder = catalog.library().folder("base")
    pack = catalog.load(folder)
    check(pack, folder)
    texts = list(pack.files.values())
    lines = sum(text.count("\n") for text in texts)
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    best = min(timed(lambda: check(catalog.load(folder), folder)) for _ in range(3))
    floor = min(timed(lambda: [list(yaml.load_all(text, loader)) for text in texts]) for _ in range(3))
    return best, floor, lines
