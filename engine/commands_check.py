"""The command `check`: every problem of a pack, for people, for editors and for those who scan code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import catalog
from .commands import Call, pack_folder
from .errors import DONE, INVALID, Diagnostic, errors_of, in_order, render
from .garbage import nothing_collected
from .notation import counted

FULL, CONCISE, JSON, SARIF = FORMATS = ("full", "concise", "json", "sarif")
SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# What a pack states and an auditor reads one by one: rows, transitions, formulas and the like, each a `- ` or a `{`.
RULE_KINDS = (
    "workflow", "decision", "parameters", "formulas", "measure", "calendar", "posting", "process", "statement",
    "mapping",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What a check has found: the pack, unless nothing could be read, its problems in order, and its lines."""

    folder: Path
    name: str
    pack: catalog.Pack | None
    problems: Sequence[Diagnostic]
    lines: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of a pack."""

    diagnostic: Diagnostic

    def rows(self) -> Iterator[Sequence[str]]:
        d = self.diagnostic
        yield d.place.file, str(d.place.line), str(d.place.column), d.severity, d.code, d.message, d.hint

    def data(self) -> dict[str, Any]:
        d = self.diagnostic
        place = {"file": d.place.file, "line": d.place.line, "column": d.place.column}
        return {"severity": d.severity, "code": d.code, "message": d.message, **place, "hint": d.hint or None}


def check_pack(call: Call, asked: str | None, form: str | None = None) -> int:
    """Print every problem of a pack, by default each with its line and a caret; of a sound one how much was looked at.

    That a file is too long is only said here: a pack can be used all the same. Notes are no problems.
    """
    from .check import check
    from .schemas import too_long

    folder = pack_folder(asked or call.pack_asked)
    with nothing_collected():
        pack, found, lines = catalog.read_pack(folder)
        if pack is not None and not found:
            found = in_order([*check(pack, folder), *too_long(lines)])
    print_found(call, Found(folder, pack.name if pack else folder.name, pack, found, lines), form)
    problems = errors_of(found)
    if problems or pack is None:
        call.say(f"{pack.name if pack else folder.name}: {counted(len(problems), 'problem')}.")
        return INVALID
    return DONE


def print_found(call: Call, found: Found, form: str | None) -> None:
    if form == SARIF:
        print(json.dumps(sarif(found), indent=2, ensure_ascii=False))
    elif form == CONCISE:
        for diagnostic in found.problems:
            print(concise(diagnostic))
    elif form == JSON or (form is None and call.form not in (None, "table")):
        print_rows(call, found, form)
    else:
        print_full(found)


def print_full(found: Found) -> None:
    if found.problems:
        print("\n\n".join(render(d, found.lines) for d in found.problems))
    if found.pack is not None and not errors_of(found.problems):
        files, rules = counted(len(found.pack.files), "file"), counted(rules_in(found.pack), "rule")
        print(f"{found.pack.name}: {files}, {rules}, no problems")


def concise(diagnostic: Diagnostic) -> str:
    """One line a problem, as editors read it."""
    place, hint = diagnostic.place, f"; {diagnostic.hint}" if diagnostic.hint else ""
    return f"{place.file}:{place.line}:{place.column}: {diagnostic}{hint}"


def print_rows(call: Call, found: Found, form: str | None) -> None:
    if form == JSON:
        call = replace(call, form=JSON)
    columns = ["file", "line", "column", "severity", "code", "message", "hint"]
    sheet = call.sheet(columns, "problems", right=["line", "column"])
    for diagnostic in found.problems:
        sheet.add(Problem(diagnostic))
    pack = found.pack
    sheet.end(pack=pack.name if pack else None, files=len(found.lines), rules=rules_in(pack) if pack else 0)


# --- for those who scan code -----------------------------------------------------------------------------------------


def sarif(found: Found) -> dict[str, Any]:
    """The problems as SARIF 2.1.0 has them (OASIS, Static Analysis Results Interchange Format)."""
    codes = sorted({d.code for d in found.problems})
    driver = {"name": "charter", "version": version("charter"), "rules": [sarif_rule(code) for code in codes]}
    uris = {file: uri_of(file, found.folder) for file in {d.place.file for d in found.problems}}
    results = [sarif_result(d, codes.index(d.code), uris[d.place.file]) for d in found.problems]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}


def sarif_rule(code: str) -> dict[str, Any]:
    from .check import CODES

    said = CODES.get(code, "a file cannot be read as a rule")
    told = f"{said[0].upper()}{said[1:]}."
    return {"id": code, "shortDescription": {"text": said}, "fullDescription": {"text": told},
            "help": {"text": f"{told} The message says where, and what would be accepted."}}  # fmt: skip


def sarif_result(diagnostic: Diagnostic, index: int, uri: str) -> dict[str, Any]:
    place, hint = diagnostic.place, f" ({diagnostic.hint})" if diagnostic.hint else ""
    line, column = max(1, place.line), max(1, place.column)  # what stands nowhere is shown where its pack begins
    region = {"startLine": line, "startColumn": column, "endColumn": column + diagnostic.length}
    where = {"artifactLocation": {"uri": uri}, "region": region}
    return {"ruleId": diagnostic.code, "ruleIndex": index, "level": diagnostic.severity,
            "message": {"text": f"{diagnostic.message}{hint}"}, "locations": [{"physicalLocation": where}]}  # fmt: skip


def uri_of(file: str, folder: Path) -> str:
    """A file as it is named from here, the root of a repository as a rule; where it is elsewhere, as packs name it."""
    here = Path.cwd()
    roots = (*folder.resolve().parents, catalog.library().root.resolve())
    path = next((root / file for root in roots if file and (root / file).is_file()), folder.resolve() / "pack.yaml")
    named = path.relative_to(here).as_posix() if path.is_relative_to(here) else file or "pack.yaml"
    return quote(named)


# --- how much there is -----------------------------------------------------------------------------------------------


def rules_in(pack: catalog.Pack) -> int:
    """How many rules a pack has: the elements of its rule files that decide something, each row and transition once."""
    return sum(_rules(document.body) for kind in RULE_KINDS for document in pack.all(kind))


def _rules(body: Any) -> int:
    elements = 0
    for key in ("transitions", "people", "always", "rows", "figures", "require"):
        found = body.get(key) if isinstance(body, dict) else None
        elements += len(found) if isinstance(found, list) else 0
    for key in ("values", "steps", "fields"):
        found = body.get(key) if isinstance(body, dict) else None
        elements += len(found) if isinstance(found, dict) else 0
    return elements or 1
