"""Ten years of a real company's hours go through the whole path at the command line, on both databases."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from charter import cli
from charter.engine import catalog
from click.testing import CliRunner
from support import real_data

PACK = catalog.library().root / "examples" / "sip_effort"
COST_OF_AN_HOUR = 50

Charter = Callable[..., str]


@pytest.fixture(params=["sqlite", "postgresql"])
def charter(request: pytest.FixtureRequest, tmp_path: Path) -> Charter:
    """Runs a command on a store that the real hours were imported into, posted with; returns what it prints."""
    on_disk = request.param == "sqlite"
    url = str(tmp_path / "hours.db") if on_disk else request.getfixturevalue("own_database")

    def run(*words: str, exit_code: int = 0) -> str:
        given = ["--db", url, "--pack", str(PACK), *words]
        result = CliRunner().invoke(
            cli.charter, given, env={"CHARTER_NOW": "2015-01-05T09:00:00Z"}, catch_exceptions=False
        )
        assert result.exit_code == exit_code, result.stderr
        return result.stdout

    return run


def through_the_whole_path(charter: Charter) -> None:
    files = [str(real_data("sip-effort") / name) for name in ("Sip-task-info.csv", "est-act-dates.csv")]
    charter("init", "--demonstration")
    charter("import", "actor", str(PACK / "actors.csv"))
    charter("import", "role_grant", str(PACK / "role_grants.csv"))
    charter("--as", "pat", "import", "task", *files, "--mapping", "sip_tasks")
    charter("--as", "pat", "import", "hour_journal_line", *files, "--mapping", "sip_hours")
    charter("--as", "pat", "import", "period", str(PACK / "periods.csv"))
    charter("--as", "pat", "import", "hour_cost", str(PACK / "hour_costs.csv"))
    charter("--as", "pat", "fire", "project", "start", "-", "--where", "state == 'created'")
    charter("--as", "pat", "fire", "hour_journal", "post", "-", "--where", "state == 'draft'")
    charter("--as", "pat", "run", "post_transactions", "until=2014-12-31")


def test_the_real_hours_reach_the_ledger_to_the_cent_and_every_decision_is_taken_again(charter: Charter) -> None:
    through_the_whole_path(charter)
    span = ("company=SIP", "from=2004-01-01", "until=2014-12-31")
    balance = json.loads(charter("-o", "json", "report", "trial_balance", *span))
    assert totals_of(balance) >= {Decimal("4750099.00"), Decimal(0)}
    by_project = hours_of(json.loads(charter("-o", "json", "report", "project_statement", *span)))
    assert sum(by_project.values()) == Decimal("95001.98")
    assert len(by_project) == 20
    published = {"PC18": "26865.49", "PC2": "21667.39", "PC9": "13962.30"}
    assert {p: by_project[p] for p in published} == {p: Decimal(h) for p, h in published.items()}
    for year in (2008, 2014):
        earned = json.loads(charter("-o", "json", "report", "earned_hours", "company=SIP", f"until={year}-12-31"))
        assert totals_of(earned) >= {Decimal("90454.20"), estimated_for_tasks_completed_by(year)}
    verdict = charter("verify", "--reperform")
    assert verdict
    first = charter("why", "C-000001/1")
    assert "Sip-task-info.csv:" in first
    again = charter("--as", "pat", "run", "post_transactions", "until=2014-12-31")
    assert "done" not in again


def estimated_for_tasks_completed_by(year: int) -> Decimal:
    """The hours that the files estimate for tasks that were complete by the end of a year, each task once."""
    with (real_data("sip-effort") / "est-act-dates.csv").open(encoding="windows-1252", newline="") as file:
        completed = {row["TaskNumber"] for row in csv.DictReader(file) if is_by(year, row["CompletedOn"])}
    with (real_data("sip-effort") / "Sip-task-info.csv").open(encoding="windows-1252", newline="") as file:
        hours = {row["TaskNumber"]: Decimal(row["HoursEstimate"]) for row in csv.DictReader(file)}
    return sum((hours[task] for task in completed), Decimal(0))


def is_by(year: int, day: str) -> bool:
    """Whether a day such as 02-Nov-04 lies in that year or before."""
    return bool(day) and 2000 + int(day[-2:]) <= year


def totals_of(report: dict[str, object]) -> set[Decimal]:
    blocks = report["blocks"]
    assert isinstance(blocks, list)
    return {Decimal(v) for block in blocks for v in block["totals"]["values"].values() if v is not None}


def hours_of(report: dict[str, object]) -> dict[str, Decimal]:
    blocks = report["blocks"]
    assert isinstance(blocks, list)
    return {row["key"]: Decimal(row["values"]["hours"]) for block in blocks for row in block["rows"]}
