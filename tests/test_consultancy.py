"""The consultancy of the examples comes through its first months, and its books agree with what stands behind them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from charter.engine.catalog import library

ROOT = library().root
AMOUNT = r"(-?\d+\.\d\d)"


def figure(printed: str, pattern: str) -> Decimal:
    found = re.search(pattern, printed, re.MULTILINE)
    assert found, f"{pattern} is not in\n{printed}"
    return Decimal(found[1])


def test_a_month_is_closed_and_the_books_agree_with_their_sub_ledgers(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "consultancy", tmp_path / "examples" / "consultancy")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = ["sh", "examples/consultancy/year.sh", "1"]
    surroundings = {**os.environ, "PATH": path, "PYTHON": sys.executable}
    done = subprocess.run(script, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    printed = done.stdout
    balanced = re.search(rf"^Total +{AMOUNT} +{AMOUNT} +{AMOUNT} +{AMOUNT}$", printed, re.MULTILINE)
    assert balanced is not None
    assert (balanced[1], balanced[2], balanced[4]) == ("0.00", balanced[3], "0.00")
    open_items = printed[printed.index("Open items:") :]
    opened = sum(Decimal(total) for total in re.findall(rf"^Total +{AMOUNT}", open_items, re.MULTILINE))
    assert figure(printed, rf"^1300 +Trade receivables +{AMOUNT} +") == 0
    assert figure(printed[printed.index("Balance sheet:") :], rf"^1300 +Trade receivables +{AMOUNT}$") == opened > 0
    work = printed[printed.index("Balance by project:") :]
    at_cost = figure(work, rf"^Total +{AMOUNT} +")
    assert figure(printed[printed.index("Balance sheet:") :], rf"^1550 +Work in progress at cost +{AMOUNT}$") == at_cost
    assert "everything is as the log says" in done.stderr
