"""Imports inside the engine point one way, as the architecture page says; what is heavy is imported where it is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENGINE = ROOT / "engine"
MODULES = sorted(path.stem for path in ENGINE.glob("*.py") if path.stem != "__init__")
CHECKING = {"check", *(path.stem for path in ENGINE.glob("check_*.py"))}
COMMANDS = {"commands", *(path.stem for path in ENGINE.glob("commands_*.py"))}


def layers() -> list[list[str]]:
    """The modules of each layer, as the table of the architecture page has them: each may import from those before it."""
    found: list[list[str]] = []
    for line in (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 5 or not cells[2].startswith("`") or cells[2].startswith("`charter_"):
            continue
        if cells[1]:
            found.append([])
        found[-1] += re.findall(r"`(\w+)`", cells[2])
    return found


LAYER = {module: rank for rank, modules in enumerate(layers()) for module in modules}


def imported(module: str, at_load: bool = False) -> Iterator[str]:
    """The modules of the engine that one imports; `at_load` leaves out what a function imports when it runs."""
    tree = ast.parse((ENGINE / f"{module}.py").read_text("utf-8"))
    nodes = tree.body if at_load else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [alias.name for alias in node.names]


def test_the_architecture_page_names_every_module_of_the_engine_once() -> None:
    assert sorted(module for layer in layers() for module in layer) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_layer_and_from_those_before_it(module: str) -> None:
    assert [name for name in imported(module) if LAYER[name] > LAYER[module]] == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - CHECKING - COMMANDS))
def test_only_the_checks_and_commands_check(module: str) -> None:
    assert CHECKING.isdisjoint(imported(module))


def test_no_module_needs_itself() -> None:
    above: dict[str, set[str]] = {module: set(imported(module, at_load=True)) for module in MODULES}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        for inner in sorted(above[module]):
            visit_once(inner, (*path, module))

    seen: set[str] = set()

    def visit_once(module: str, path: tuple[str, ...]) -> None:
        if module not in seen or module in path:
            visit(module, path)
            seen.add(module)

    for module in MODULES:
        visit_once(module, ())


def loaded_by(*statement: str) -> set[str]:
    """The modules that a fresh Python has loaded after a statement."""
    code = "\n".join([*statement, "import sys", "print(*sorted(sys.modules))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("heavy", ["jsonschema", "alembic", "psycopg", "transitions", "click", "hypothesis"])
def test_opening_a_store_imports_nothing_that_it_does_not_use(heavy: str) -> None:
    assert heavy not in opened()


OPENED: set[str] = set()


def opened() -> set[str]:
    if not OPENED:
        OPENED.update(loaded_by("import charter.engine.application"))
    return OPENED
