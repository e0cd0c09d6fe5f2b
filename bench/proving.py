"""What proves something: checking a pack, asking guards, verifying a store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import floors
import scene
from charter.engine.verification import verify
from measure import Result, busy, command_times, peak, posted_file, timed
from starting import CHARTER, ENVIRONMENT, importing


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


def check(_: Path, __: int) -> dict[str, Result]:
    """Checking 2,000 lines in process, against reading their YAML and nothing else; the base pack, as a command."""
    seconds, floor, lines = floors.check_base_pack(busy)
    command = command_times(lambda: [*CHARTER, "check"], importing("click, sqlalchemy"), env=ENVIRONMENT)
    return {
        "check": Result(seconds * 2000 / lines, floor * 2000 / lines, "s per 2,000 lines"),
        "check_command": Result(*command, f"s for {lines:,} lines"),
    }


def verification(folder: Path, lines: int) -> dict[str, Result]:
    """Verifying a store, against reading and hashing the rows of its tables, each the better of two; and its memory,
    against a tenth of the lines."""
    store = posted_file(folder, lines)
    seconds, floor = [], []
    for _ in range(2):
        charter = scene.opened(str(store))
        charter.rules  # noqa: B018
        problems: list[str] = []
        seconds.append(timed(lambda: problems.extend(verify(charter).problems)))  # noqa: B023
        charter.store.close()
        assert not problems, problems
        floor.append(timed(lambda: hashed(store)))
    peaks = [peak("verify", posted_file(folder, n)) for n in (lines, max(1000, lines // 10))]
    return {"verify": Result(min(seconds), min(floor), "s"), "verify_memory": Result(*peaks, "MB")}


def hashed(store: Path) -> None:
    """Read every row of every table once, and hash each by itself."""
    connection = sqlite3.connect(store)
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in connection.execute(f'SELECT * FROM "{table}"'):
            sha256(repr(row).encode()).hexdigest()
    connection.close()
