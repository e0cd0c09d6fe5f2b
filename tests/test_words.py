"""The engine knows no field, counts exactly, and its YAML can be read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from charter.engine.catalog import library

ROOT = Path(library().root)
ENGINE = [*sorted((ROOT / "engine").glob("*.py")), ROOT / "cli.py"]
SHIPPED = [
    p for folder in ("rules", "workflows", "schemas", "examples") for p in sorted((ROOT / folder).rglob("*.yaml"))
]
PACKS_OF_TESTS = sorted((Path(__file__).parent / "packs").rglob("*.yaml"))
WORDS = ("project", "timesheet", "invoice", "invoicing", "budget", "contract", "revenue", "milestone", "retention", "expense",
         "billing", "billable")  # fmt: skip
NO_AMOUNT = re.compile(r"time\.sleep|get_close_matches")
FIELD = re.compile(rf"(?<![a-z])({'|'.join(WORDS)})s?(?![a-z])", re.IGNORECASE)


def test_the_search_finds_words_of_the_field() -> None:
    assert FIELD.search("per_project")
    assert FIELD.search("Timesheets")
    assert not FIELD.search("the projection, contracted")


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.stem)
def test_the_engine_knows_no_word_of_project_accounting(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert [f"{path.name}:{n}: {line.strip()}" for n, line in enumerate(lines, 1) if FIELD.search(line)] == []


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.stem)
def test_the_engine_makes_no_floats(path: Path) -> None:
    """Of amounts: a pause and the likeness of two words are none."""
    found = []
    lines = path.read_text("utf-8").splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        is_float = isinstance(node, ast.Constant) and isinstance(node.value, float)
        is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
        if (is_float or is_call) and not NO_AMOUNT.search(lines[node.lineno - 1]):
            found.append(f"{path.name}:{node.lineno}: {lines[node.lineno - 1].strip()}")
    assert found == []


@pytest.mark.parametrize("path", [*SHIPPED, *PACKS_OF_TESTS], ids=lambda path: "/".join(path.parts[-3:]))
def test_a_yaml_file_is_short_and_names_its_schema(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 150
    said = re.fullmatch(r"# yaml-language-server: \$schema=(\S+\.schema\.json)", lines[0])
    assert said, f"the first line of {path.name} is {lines[0]!r}"
    schema = (path.parent / said[1]).resolve()
    kind = re.match(r"[a-z_]+", next(line for line in lines[1:] if line and not line.startswith("#")))
    assert schema.is_file()
    assert kind
    assert schema.name == f"{kind[0]}.schema.json"
