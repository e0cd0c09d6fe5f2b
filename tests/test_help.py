"""Every command has help with an example from the pack in use, and every example is a command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from charter.cli import charter
from cli_support import ROOT, Desk

COMMANDS = sorted(charter.commands)
PACKS = ["base", str(ROOT / "examples" / "travel_claims"), str(ROOT / "examples" / "northwind")]
NAMED = [
    "init",
    "import",
    "list",
    "show",
    "fire",
    "run",
    "report",
    "why",
    "why-not",
    "history",
    "verify",
    "status",
    "doctor",
    "check",
    "test",
    "read",
    "diff",
    "conform",
    "completion",
]


def help_of(desk: Desk, command: str, pack: str = "base") -> str:
    return desk.must("--pack", pack, command, "--help")


def examples(text: str) -> list[str]:
    _, _, after = text.partition("Examples:\n")
    return [line.strip() for line in after.splitlines() if line.strip()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_these_are_all_commands() -> None:
    """In the order in which help has them."""
    assert charter.list_commands(click.Context(charter)) == NAMED


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: Path(pack).name)
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_that_are_commands(desk: Desk, command: str, pack: str) -> None:
    found = examples(help_of(desk, command, pack))
    # A pack without a process or mapping has no example of it to give.
    assert found or (command, Path(pack).name) == ("run", "travel_claims")
    for example in found:
        line, _, _ = example.partition(" >")
        program, *words = shlex.split(line)
        assert program == "charter"
        context = charter.make_context("charter", words)
        name = context._protected_args[0] if context._protected_args else ""
        assert name == command
        charter.commands[name].make_context(name, list(context.args), parent=context)


def test_help_takes_its_words_from_the_pack(desk: Desk) -> None:
    claims = PACKS[1]
    assert "hour_line" in help_of(desk, "fire")
    assert "claim" in help_of(desk, "fire", claims)
    for command in COMMANDS:
        assert not re.search("project|timesheet|hour", help_of(desk, command, claims)), command


def test_help_names_what_there_is(desk: Desk) -> None:
    assert "post_transactions" in help_of(desk, "run")
    assert "trial_balance" in help_of(desk, "report")
    assert "timesheets" in help_of(desk, "import")


def test_help_of_a_broken_pack_is_still_help(desk: Desk) -> None:
    (desk.folder / "broken").mkdir()
    (desk.folder / "broken" / "pack.yaml").write_text("pack: [", "utf-8")
    assert examples(help_of(desk, "fire", "broken"))


def test_help_needs_neither_a_store_nor_a_database_library(desk: Desk) -> None:
    script = (
        "import sys\nfrom charter.cli import charter\n"
        "try: charter(['--help'])\n"
        "except SystemExit: assert not {'sqlalchemy', 'yaml', 'jsonschema', 'psycopg'} & set(sys.modules), sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=desk.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(desk.folder.iterdir()) == []


def test_no_command_without_arguments_prints_help(desk: Desk) -> None:
    result = desk.run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr
