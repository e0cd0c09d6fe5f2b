"""Imports inside the engine point one way, and what is heavy is imported where it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from charter.engine.catalog import library

ROOT = Path(library().root)
ENGINE = ROOT / "engine"

# From the bottom up. A module imports from its own layer and those before it.
LAYERS = {
    "values": (
        "errors model money source notation elements heads log_texts expressions type_relations expression_scopes "
        "expression_none expression_types definitions library scopes facts output"
    ),
    "deciders": (
        "cells expression_python decisions programs firings tables operations frames compiler compiler_steps expression_sql queries schemas "
        "schema_validators schema_errors schema_messages mapping_faults"
    ),
    "edges": "catalog pack_files pack_nodes pack_layers pack_data store readers migration mapping_columns mappings",
    "use cases": (
        "completion gathering objections answers tallies permission integrity execution isolation journal batch processes imports import_shapes import_results import_matches "
        "import_chunks statements statement_reports statement_given statement_expressions statement_lines "
        "statement_formulas statement_measures statement_layout reperformance"
    ),
    "composition": (
        "application trials verification explanations explanation_data explanation_past explanation_keys "
        "explanation_rules explanation_slots explanation_readings explanation_events explanation_vouchers "
        "explanation_lines next_steps why_not"
    ),
}
CHECKING = {"check", *(path.stem for path in ENGINE.glob("check_*.py"))}
COMMANDS = {"commands", *(path.stem for path in ENGINE.glob("commands_*.py"))}
LAYER = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules.split()}
# The checks look at loaded packs, so they stand over the edges; the commands stand over everything.
LAYER |= dict.fromkeys((path.stem for path in ENGINE.glob("*_definitions.py")), 0)
LAYER |= dict.fromkeys(CHECKING, 3) | dict.fromkeys(COMMANDS, 5)
MODULES = sorted(path.stem for path in ENGINE.glob("*.py") if path.stem != "__init__")


def imported(module: str, at_load: bool = False) -> Iterator[str]:
    """The modules of the engine that one imports; `at_load` leaves out what a function imports when it runs."""
    tree = ast.parse((ENGINE / f"{module}.py").read_text("utf-8"))
    nodes = tree.body if at_load else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [alias.name for alias in node.names]


def test_every_module_has_a_layer() -> None:
    assert sorted(set(MODULES) - set(LAYER)) == []
    assert sorted(set(LAYER) - set(MODULES)) == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    assert [name for name in imported(module) if LAYER[name] > LAYER[module]] == []


@pytest.mark.parametrize("module", sorted(set(MODULES) - COMMANDS))
def test_only_commands_know_commands(module: str) -> None:
    assert COMMANDS.isdisjoint(imported(module))


@pytest.mark.parametrize("module", MODULES)
def test_only_the_checks_and_commands_check(module: str) -> None:
    if module not in CHECKING | COMMANDS:
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


def test_help_does_not_import_the_database() -> None:
    """Nor what checks schemas: help must be there at once."""
    loaded = loaded_by(
        "import sys, charter.cli", "sys.argv = ['charter', '--help']", "try:", "    charter.cli.main()",
        "except SystemExit: pass",
    )  # fmt: skip
    assert {"sqlalchemy", "jsonschema", "psycopg"}.isdisjoint(loaded)
    assert "click" in loaded
