"""How long short commands take from their start, against a process that imports what they are made of."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import larger
import scene
from measure import ROUNDS, Result, command_times

# Installed programs have their bytecode; SQLAlchemy and Click, which are the floor, brought theirs along.
ENVIRONMENT = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"} | {"CHARTER_NOW": scene.CLOCK.now}
CHARTER = (sys.executable, "-m", "charter.cli")


def fire_cold(folder: Path, _: int) -> dict[str, Result]:
    """One event fired by a new process, on the base pack and on one three times as large."""
    packs = {"fire_cold": scene.base(), "fire_cold_larger_pack": larger.pack(folder / "larger")}
    imports = importing("click, sqlalchemy")
    return {
        name: Result(*command_times(firing(folder / f"{name}.db", pack), imports, env=ENVIRONMENT), "s")
        for name, pack in packs.items()
    }


def firing(store: Path, pack: scene.Pack) -> Callable[[], list[str]]:
    """Posts another of some hours each time."""
    charter = scene.prepared(str(store), ROUNDS + 1, pack)
    ids = iter(scene.ids(charter.store, "transaction"))
    charter.store.close()
    return lambda: [*CHARTER, "--db", str(store), "--as", "bench", "fire", "transaction", "post", str(next(ids))]


def importing(names: str) -> Callable[[], list[str]]:
    return lambda: [sys.executable, "-c", f"import {names}"]


def help_cold(_: Path, __: int) -> dict[str, Result]:
    """The help of the program, against a process that imports Click."""
    times = command_times(lambda: [*CHARTER, "--help"], importing("click"), env=ENVIRONMENT)
    return {"help_cold": Result(*times, "s")}
