"""What a shell is told that a word may become; it comes from the files of the pack, and needs no store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from charter.cli import charter
from charter.engine.catalog import library, load
from charter.engine.library import Library
from charter.engine.pack_words import PackWords
from cli_support import ROOT, Desk
from click.shell_completion import ShellComplete

PACKS = [library().folder("base"), ROOT / "examples" / "travel_claims", ROOT / "examples" / "northwind"]


def completed(*words: str) -> list[str]:
    *before, incomplete = words
    found = ShellComplete(charter, {}, "charter", "_CHARTER_COMPLETE").get_completions(list(before), incomplete)
    return [item.value for item in found]


@pytest.mark.parametrize(("words", "first"), [
    (("fire", "tim"), ["timesheet"]),
    (("fire", "timesheet", "re"), ["recall", "refuse_recall", "request_recall", "return"]),
    (("why-not", "timesheet", "W1/2026-03-02", "reo"), ["reopen"]),
    (("fire", "timesheet", "return", "W1/2026-03-02", "--set", ""), ["reason="]),
    (("run", "post_t"), ["post_transactions"]),
    (("run", "post_transactions", "u"), ["until="]),
    (("report", "trial"), ["trial_balance"]),
    (("report", "trial_balance", "from=2026-03-01", "f"), []),
    (("import", "hour_line", "--mapping", "times"), ["timesheets"]),
    (("why", "time"), ["timesheet"]),
    (("test", "cost_of_forty"), ["cost_of_forty_hours"]),
    (("fire", "hour_line", "approve", "--acknowledge", "cost_not"), ["cost_not_posted"]),
    (("completion", "z"), ["zsh"]),
    (("sta",), ["status"]),
    (("--pack", str(PACKS[1]), "list", "cl"), ["claim", "claim_line"]),
    (("--pack", "nowhere", "list", "tim"), []),
])  # fmt: skip
def test_a_word_becomes_what_the_pack_has(words: tuple[str, ...], first: list[str]) -> None:
    assert completed(*words) == first


@pytest.mark.parametrize("folder", PACKS, ids=lambda folder: folder.name)
def test_the_words_are_those_that_the_whole_pack_has(folder: Path) -> None:
    words, pack = PackWords(folder), load(folder)
    known = Library(pack)
    for kind in ("record", "workflow", "process", "statement", "mapping", "test"):
        assert [w.name for w in words.names(kind)] == sorted(doc.name for doc in pack.all(kind)), kind
    for record in known.records():
        events = {t.event for w in known.workflows_of(record) for t in w.transitions}
        assert {w.name for w in words.events(record.name, by_hand=False)} == events, record.name


def test_a_shell_gets_a_script_and_then_its_words(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for shell in ("zsh", "fish"):
        assert "_CHARTER_COMPLETE" in desk.must("completion", shell)
    asked = {"_CHARTER_COMPLETE": "zsh_complete", "COMP_WORDS": "charter fire tim", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", "from charter.cli import main; main()"], env=os.environ | asked,
                          cwd=tmp_path, capture_output=True, text=True, check=False)  # fmt: skip
    assert done.stdout.split("\n")[:3] == ["plain", "timesheet", "The hours of one worker in one week"]
    assert list(tmp_path.iterdir()) == []


def test_every_parameter_that_names_something_of_the_pack_is_completed() -> None:
    asked = {p.name for command in charter.commands.values() for p in command.params
             if isinstance(p, click.Parameter) and p._custom_shell_complete}  # fmt: skip
    assert asked >= {"record", "event", "process", "statement", "mapping", "subject", "given", "sets", "acknowledge"}
