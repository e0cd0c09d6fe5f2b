"""What all measures share: a result with its floor, the time of a piece of work, and prepared stores made once."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import scene

ROUNDS = 7  # of each command
_prepared: dict[int, Path] = {}


class Result(dict[str, Any]):
    """value, floor, ratio, unit."""

    def __init__(self, value: float, floor: float, unit: str) -> None:
        super().__init__(value=round(value, 4), floor=round(floor, 4), ratio=round(value / floor, 2), unit=unit)


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def busy(work: Callable[[], object]) -> float:
    """The processor's time: to compare what differs little, where both wait for the disk alike."""
    started = time.process_time()
    work()
    return time.process_time() - started


def command_times(*commands: Callable[[], list[str]], env: Mapping[str, str]) -> list[float]:
    """The median time of each command, all of them in turn; each must succeed."""

    def run(command: Callable[[], list[str]]) -> float:
        arguments = command()
        return timed(lambda: subprocess.run(arguments, check=True, capture_output=True, env=env))

    for command in commands:
        run(command)
    rows = [[run(command) for command in commands] for _ in range(ROUNDS)]
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def prepared_file(folder: Path, lines: int) -> Path:
    """A store with that many hours registered, made once."""
    if lines not in _prepared:
        path = folder / f"prepared{lines}.db"
        scene.prepared(str(path), lines).store.close()
        _prepared[lines] = path
    return _prepared[lines]


def prepared_copy(folder: Path, lines: int, name: str) -> Path:
    copy = folder / f"{name}.db"
    shutil.copy(prepared_file(folder, lines), copy)
    return copy


def posted_file(folder: Path, lines: int) -> Path:
    """The same after everything is posted."""
    path = folder / f"posted{lines}.db"
    if not path.exists():
        charter = scene.opened(str(prepared_copy(folder, lines, path.stem)))
        scene.post(charter)
        charter.store.close()
    return path


def peak(work: str, store: Path) -> float:
    """The most memory in MB that a process of its own needs for `post` or `verify`."""
    command = [sys.executable, __file__, work, str(store)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1024


def main() -> None:
    work, store = sys.argv[1:]
    charter = scene.opened(store)
    if work == "post":
        scene.post(charter)
    else:
        from charter.engine.verification import verify

        assert verify(charter).is_sound
    # Not what `getrusage` says: that begins with the memory of the process from which this one came.
    status = Path("/proc/self/status").read_text()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


if __name__ == "__main__":
    main()
