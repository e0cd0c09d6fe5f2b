"""The command line as tests type it: a folder, a store in it, and what each command printed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from charter.cli import charter
from click.testing import CliRunner, Result

ROOT = Path(__file__).parents[1]
PORTFOLIO = ROOT / "examples" / "portfolio"
NOW = "2026-04-01T09:00:00Z"

MASTERS = (
    ("company", "companies"), ("period", "periods"), ("customer", "customers"), ("contract", "contracts"),
    ("contract_line", "contract_lines"), ("category", "categories"), ("project", "projects"), ("worker", "workers"),
    ("hour_cost", "hour_costs"), ("hour_price", "hour_prices"),
)  # fmt: skip


@dataclass
class Desk:
    """Somebody who types commands in a folder; `must` expects them to be done."""

    folder: Path
    db: str = "charter.db"
    extra: dict[str, str] = field(default_factory=dict)
    is_demonstration: bool = True

    @property
    def environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if n != "COLUMNS" and not n.startswith("CHARTER_")}
        now = {"CHARTER_NOW": NOW} if self.is_demonstration else {}
        return kept | {"CHARTER_DB": self.db, "NO_COLOR": "1"} | now | self.extra

    def run(self, *arguments: str | Path, typed: str = "") -> Result:
        """Run a command within this process."""
        before = Path.cwd()
        os.chdir(self.folder)
        try:
            unset = {n: None for n in os.environ if n.startswith("CHARTER_")}
            return CliRunner(env=unset | self.environment).invoke(charter, list(map(str, arguments)), input=typed)
        finally:
            os.chdir(before)

    def must(self, *arguments: str | Path, typed: str = "") -> str:
        """What a command prints that must be done."""
        result = self.run(*arguments, typed=typed)
        assert result.exit_code == 0, f"{arguments}\n{result.output}"
        return result.stdout

    def data(self, *arguments: str | Path, code: int = 0, typed: str = "") -> Any:
        """What a command gives as JSON."""
        result = self.run("-o", "json", *arguments, typed=typed)
        assert result.exit_code == code, f"{arguments}\n{result.output}"
        return json.loads(result.stdout)

    def head(self) -> str:
        """What stands for everything that was ever done in the store."""
        return str(self.data("verify")["head"])

    def process(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Run a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "charter.cli", *map(str, arguments)], cwd=self.folder, env=self.environment,
            text=True, encoding="utf-8", **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
        )  # fmt: skip


def set_up(desk: Desk) -> Desk:
    """A store with all that the portfolio's hours need."""
    desk.must("init", "--demonstration")
    desk.must("import", "actor", PORTFOLIO / "actors.csv")
    desk.must("import", "role_grant", PORTFOLIO / "role_grants.csv")
    for record, file in MASTERS:
        desk.must("--as", "pat", "import", record, PORTFOLIO / f"{file}.csv")
        if record == "project":
            desk.must("--as", "pat", "fire", "project", "start", "-", "--where", "state == 'created'")
    return desk


def import_hours(desk: Desk) -> Result:
    mapped = ("--mapping", "timesheets", "--skip-refused")
    return desk.run("--as", "tim", "import", "hour_line", PORTFOLIO / "timesheets.csv", *mapped)


def copied(store: Path, folder: Path) -> Desk:
    """A desk with a store of its own, made from another."""
    shutil.copy(store, folder / "charter.db")
    return Desk(folder)
