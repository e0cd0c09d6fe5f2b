"""The repository is whole: what is packed, and what pages say of links, commands and the environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MODULES = sorted(p.stem for p in (ROOT / "engine").glob("*.py") if p.stem != "__init__")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
DATA = {"rules": (".yaml", ".md"), "schemas": (".json", ".yaml"), "workflows": (".yaml",)}


def test_the_installed_package_has_the_version_of_the_project() -> None:
    assert version("charter") == PROJECT["project"]["version"], "run `make test` again after a change of the version"


def test_no_python_lies_at_the_root_besides_the_package_and_its_command_line() -> None:
    assert {p.name for p in ROOT.glob("*.py")} == {"__init__.py", "cli.py"}


def test_every_package_with_code_is_packed() -> None:
    shipped = {"charter", *(f"charter.{folder}" for folder in ("engine", *DATA))}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == shipped
    assert [str(p) for p in (ROOT / "engine").iterdir() if p.is_dir() and p.name != "__pycache__"] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_make_command_on_a_page_is_a_target() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        said = set(re.findall(r"(?:^\$ |`)make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert said <= targets, page.name


def test_every_variable_of_the_environment_is_explained() -> None:
    code = [ROOT / "cli.py", *(ROOT / "engine").glob("*.py"), *(ROOT / "tests").glob("*.py")]
    used = {name for path in code for name in re.findall(r"\bCHARTER_[A-Z]+\b", path.read_text(encoding="utf-8"))}
    explained = set(re.findall(r"`(CHARTER_[A-Z]+)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")))
    assert used == explained


@pytest.mark.slow
def test_the_wheel_holds_all_code_and_every_rule_and_nothing_else(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in", "__init__.py", "cli.py", "py.typed"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for folder in ("engine", *DATA):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path / "made", tmp_path], check=True, timeout=300)
    (wheel,) = (tmp_path / "made").iterdir()
    names = set(ZipFile(wheel).namelist())
    about = f"charter-{PROJECT['project']['version']}.dist-info"
    assert {name for name in names if not name.startswith(about)} == {f"charter/{name}" for name in to_be_shipped()}
    assert f"{about}/licenses/LICENSE" in names


def to_be_shipped() -> set[str]:
    found = {"__init__.py", "cli.py", "py.typed", *(f"{folder}/__init__.py" for folder in ("engine", *DATA))}
    found |= {f"engine/{module}.py" for module in MODULES}
    for folder, endings in DATA.items():
        paths = (ROOT / folder).rglob("*")
        found |= {p.relative_to(ROOT).as_posix() for p in paths if p.suffix in endings}
    return found
