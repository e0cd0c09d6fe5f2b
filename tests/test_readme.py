"""What the pages show is so: the demonstration, the commands it prints at its end, the README, the commands page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from charter.cli import charter as command_line

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
MARK = "--- next command ---"

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Demonstration:
    """A folder as a checkout is after `make demo`, and what that printed."""

    folder: Path
    printed: str

    def run(self, *commands: str) -> list[str]:
        """What each command prints, all typed into one shell."""
        script = "\n".join(f"echo '{MARK}'\n{command}" for command in commands)
        return shell(self.folder, script).stdout.split(f"{MARK}\n")[1:]


def shell(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHARTER_")}
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=kept, text=True, encoding="utf-8", timeout=300,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    if not (Path(sys.prefix) / "bin" / "activate").exists():
        pytest.skip("the pages are tried in a virtual environment; `make test` makes one")
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / ".venv").symlink_to(sys.prefix)
    done = shell(folder, "sh examples/portfolio/demo.sh")
    assert done.returncode == 0, done.stdout
    return Demonstration(folder, done.stdout)


def blocks(page: str, language: str) -> list[tuple[str, str]]:
    """The fenced blocks of a language, each with all that stands before it."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    return [(page[: match.start()], match[1]) for match in found]


def shown(page: str) -> Iterator[tuple[str, str]]:
    """The commands of a page and what it says they print."""
    for _, block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


# --- the demonstration -----------------------------------------------------------------------------------------------


def test_the_demonstration_tells_its_story(demonstration: Demonstration) -> None:
    steps = [
        "154 created", "4 refused rows are in build/demo/refused.csv", "it is for project_manager of project/P-100",
        "121 vouchers", "Total ", "rules/accounting/transaction_cost.yaml:17", "examples/portfolio/timesheets.csv:2",
        "give a reason", "it is for billing_manager", "40678.50", "99.01", "credit 480.00 EUR to account 4000", "reason: budget",
        "everything is as the log says", "Three commands to try next:",
    ]  # fmt: skip
    places = [demonstration.printed.find(step) for step in steps]
    assert -1 not in places, demonstration.printed
    assert places == sorted(places)


def test_the_three_commands_to_try_next_work_as_printed(demonstration: Demonstration) -> None:
    commands = re.findall(r"^  (\.venv/bin/charter .*)$", demonstration.printed, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        done = shell(demonstration.folder, command)
        assert (done.returncode, len(done.stdout) > 100) == (0, True), f"{command}\n{done.stdout}"


def test_the_demonstration_ends_where_a_step_ends_otherwise(tmp_path: Path) -> None:
    """Without the files of the portfolio it stops at the first one, with an exit code."""
    script = (ROOT / "examples" / "portfolio" / "demo.sh").read_text(encoding="utf-8")
    done = shell(tmp_path, script)
    assert done.returncode == 1
    assert "The demonstration ends here: this command gave exit code 3 instead of 0." in done.stdout


# --- the README ------------------------------------------------------------------------------------------------------


def test_commands_of_the_readme_print_what_it_shows(demonstration: Demonstration) -> None:
    pairs = [(command, output) for command, output in shown(README) if not command.startswith("make ")]
    store = "export CHARTER_DB=build/demo.db"
    assert store in [command for command, _ in pairs]
    printed = demonstration.run(store, *(command for command, _ in pairs))[1:]
    for (command, expected), output in zip(pairs, printed, strict=True):
        assert uncounted(output) == uncounted(expected), command


def uncounted(output: str) -> str:
    """Without how many files, rules and tests a pack has: every new rule would change it."""
    return re.sub(r"\d+(?= (?:files|rules|tests|passed))", "#", output)


def test_rules_in_the_readme_are_lines_of_the_files_it_names() -> None:
    excerpts = blocks(README, "yaml")
    assert len(excerpts) == 2
    for before, excerpt in excerpts:
        file = re.findall(r"\]\(([\w/]+\.yaml)\)", before)[-1]
        lines = iter((ROOT / file).read_text(encoding="utf-8").splitlines())
        assert [line for line in excerpt.splitlines() if line not in lines] == [], file


def test_the_readme_is_read_in_one_go() -> None:
    assert len(README.splitlines()) < 130
    assert all(len(excerpt.splitlines()) <= 10 for _, excerpt in blocks(README, "yaml"))


# --- the commands page -----------------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    parts = re.split(r"^## `(.+)`$", COMMANDS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_a_section_that_names_its_options() -> None:
    commands = command_line.commands
    assert set(sections()) == set(commands)
    for name, command in commands.items():
        options = [o for p in command.params if isinstance(p, click.Option) for o in p.opts if o.startswith("--")]
        assert [o for o in options if o not in sections()[name]] == [], name


def test_options_for_all_commands_are_explained() -> None:
    head = COMMANDS.partition("\n## ")[0]
    options = [p.opts[0] for p in command_line.params if isinstance(p, click.Option)]
    assert [o for o in options if o not in head and o != "--version"] == []


@pytest.mark.parametrize(("command", "expected"), list(shown(COMMANDS)), ids=lambda text: text.split("\n")[0][:40])
def test_json_has_the_documented_shape(demonstration: Demonstration, command: str, expected: str) -> None:
    done = shell(demonstration.folder, f"export CHARTER_DB=build/demo.db\n{command} 2>build/remarks.txt")
    assert done.returncode == 0, done.stdout
    assert list(differences(json.loads(expected), json.loads(done.stdout), "")) == []


def differences(sample: Any, found: Any, path: str) -> Iterator[str]:
    """Where an answer has not the keys and types of a sample; `…` in it stands for further keys."""
    if isinstance(sample, dict) and isinstance(found, dict):
        missing, more = set(sample) - set(found) - {"…"}, set(found) - set(sample)
        yield from (f"{path}/{key} is missing" for key in sorted(missing))
        yield from (f"{path}/{key} is not documented" for key in sorted(more) if "…" not in sample)
        for key in sorted(set(sample) & set(found)):
            yield from differences(sample[key], found[key], f"{path}/{key}")
    elif isinstance(sample, list) and isinstance(found, list):
        if sample and found:
            yield from differences(sample[0], found[0], f"{path}/0")
        elif sample:
            yield f"{path} is empty"
    elif None not in (sample, found) and type(sample) is not type(found):
        yield f"{path} is {type(found).__name__}, documented as {type(sample).__name__}"
