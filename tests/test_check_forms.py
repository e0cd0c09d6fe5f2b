"""What a check finds, in every form in which it may be asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from charter.engine.commands_check import Found, sarif
from charter.engine.errors import Diagnostic
from cli_support import Desk
from click.testing import Result
from test_check import MISTAKES, mistaken


def run(*arguments: str) -> Result:
    return Desk(MISTAKES).run(*arguments)


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    return mistaken(tmp_path, ("dead_end.yaml", (MISTAKES / "dead_end.yaml").read_text(encoding="utf-8")))


def test_a_line_for_each_problem(wrong: Path) -> None:
    result = run("check", str(wrong), "--format", "concise")
    assert result.exit_code == 3
    assert result.stdout == (
        "mistakes/dead_end.yaml:3:10: error[R302]: nothing leaves the state `lost`, to which create, check, send, lose "
        "leads; say `final: true` if it ends here\n"
    )


def test_a_log_for_those_who_scan_code(wrong: Path) -> None:
    """The properties that a reader of SARIF 2.1.0 needs."""
    log = json.loads(run("check", str(wrong), "--format", "sarif").stdout)
    assert (log["version"], log["$schema"].endswith("sarif-schema-2.1.0.json")) == ("2.1.0", True)
    (sarif,) = log["runs"]
    driver = sarif["tool"]["driver"]
    assert driver["name"] == "charter"
    assert [(r["id"], r["shortDescription"]["text"]) for r in driver["rules"]] == [
        ("R302", "nothing leaves a state that is not final")
    ]
    (found,) = sarif["results"]
    assert (found["ruleId"], found["ruleIndex"], found["level"]) == ("R302", 0, "error")
    assert all(rule["help"]["text"] and rule["fullDescription"]["text"] for rule in driver["rules"])
    assert sarif["columnKind"] == "unicodeCodePoints"
    where = found["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "mistakes/dead_end.yaml"
    assert where["region"] == {"startLine": 3, "startColumn": 10, "endColumn": 14}


def test_data_by_its_format_or_as_of_every_command(wrong: Path) -> None:
    asked = run("check", str(wrong), "--format", "json").stdout
    assert asked == run("-o", "json", "check", str(wrong)).stdout
    (problem,) = json.loads(asked)["problems"]
    assert (problem["severity"], problem["code"], problem["line"]) == ("error", "R302", 3)


def test_a_sound_pack_has_no_results() -> None:
    assert run("check", str(MISTAKES / "pack"), "--format", "concise").stdout == ""
    assert json.loads(run("check", str(MISTAKES / "pack"), "--format", "sarif").stdout)["runs"][0]["results"] == []


def test_files_are_named_from_where_the_check_is_called(wrong: Path) -> None:
    """A scanner of a repository starts from its root, wherever in it the pack lies."""
    log = json.loads(Desk(wrong.parent.parent).run("check", str(wrong), "--format", "sarif").stdout)
    uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"{wrong.parent.name}/mistakes/dead_end.yaml"


def test_what_stands_nowhere_has_a_place_for_scanners_all_the_same(tmp_path: Path) -> None:
    log = sarif(Found(tmp_path, "lost", None, [Diagnostic("R020", "there is no `pack.yaml`")], {}))
    where = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert (where["artifactLocation"]["uri"], where["region"]["startLine"]) == ("pack.yaml", 1)
