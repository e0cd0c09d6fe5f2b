"""The consultancy of the examples comes through its first month, and its books agree with what stands behind them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from runpy import run_path

import pytest
from charter.engine.catalog import library

ROOT = library().root


def test_a_month_is_closed_and_the_books_agree_with_what_stands_behind_them(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "consultancy", tmp_path / "examples" / "consultancy")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    surroundings = {**os.environ, "PATH": path, "PYTHON": sys.executable}

    script = ["sh", "examples/consultancy/year.sh", "1"]
    done = subprocess.run(script, cwd=tmp_path, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    compared = re.findall(r"^(.+?) +(-?[\d.]+) +(-?[\d.]+)  agree$", done.stdout, re.MULTILINE)
    assert len(compared) == 16
    assert all(ledger == other for _, ledger, other in compared)
    assert "\nNothing is left undone" in done.stdout
    assert "everything is as the log says" in done.stderr


@pytest.mark.parametrize(
    ("ledger", "undone", "code", "printed"),
    [
        ("100.00", [], 0, "agree\nNothing is left undone"),
        ("100.01", [], 1, "DIFFER BY 0.01"),
        ("100.00", ["timesheet W01/2025-01-06 is draft"], 1, "agree\ntimesheet W01/2025-01-06 is draft"),
    ],
)
def test_the_check_ends_with_1_where_something_is_amiss(
    ledger: str,
    undone: list[str],
    code: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["check.py", "LINDEN", "2025-01-01", "2025-01-31"])
    check = run_path(str(ROOT / "examples" / "consultancy" / "check.py"))
    compared = [("Trade receivables", Decimal(ledger), Decimal("100.00"))]
    told = {"agreements": lambda: compared, "left_undone": lambda: undone}
    check["main"].__globals__.update(told)
    assert check["main"]() == code
    assert printed in capsys.readouterr().out
