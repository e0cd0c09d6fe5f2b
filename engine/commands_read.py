"""The command that prints rules as tables: `read`. It needs no store."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from .commands import Call
from .errors import DONE, Place, UsageFault
from .output import ABOVE, BENEATH, BESIDE, VERSION, Column, Sheet, width_of
from .pack_data import Pack
from .rule_tables import Line, Table, tables_of
from .source import Document, Route, did_you_mean

ENOUGH = 24  # places of a terminal in which a text can be read
AMOUNTS = ("amount",)
ABOUT = ("doc", "source")  # told in the last column, with the origin, or below the line where room is scarce


@dataclass(frozen=True, slots=True)
class Origin:
    """A pack that had a part in a line, and where it begins."""

    pack: str
    place: Place

    def __str__(self) -> str:
        return f"{self.pack} {self.place.file}:{self.place.line}"


@dataclass(frozen=True, slots=True)
class Texts:
    """A line of a table that is printed."""

    cells: Sequence[str]

    def rows(self) -> Iterator[Sequence[str]]:
        yield self.cells

    def data(self) -> dict[str, Any]:
        return {}


def read_rules(call: Call, subject: str, with_origin: bool) -> int:
    """Print all definitions that a name, a kind or a folder means."""
    documents = meant(call.pack, subject)
    if call.shape == "json":
        data = {"version": VERSION, "pack": call.pack.name, "subject": subject,
                "definitions": [as_data(doc, with_origin) for doc in documents]}  # fmt: skip
        print(json.dumps(data, ensure_ascii=False, indent=1))
        return DONE
    for number, document in enumerate(documents):
        if number:
            print()
        (print_for_person if call.shape == "table" else print_rows)(call, document, with_origin)
    return DONE


def meant(pack: Pack, subject: str) -> list[Document]:
    """The definitions of that name, whatever their kinds; without any those of that kind, or of that folder."""
    documents = list(pack.documents)
    folders = {doc.kind + "/" + doc.name: PurePosixPath(doc.name_place.file).parent.parts for doc in documents}
    for found in (
        [doc for doc in documents if doc.name == subject],
        [doc for doc in documents if doc.kind == subject],
        [doc for doc in documents if subject in folders[f"{doc.kind}/{doc.name}"]],
    ):
        if found:
            return found
    known = {doc.name for doc in documents} | {doc.kind for doc in documents}
    known |= {part for parts in folders.values() for part in parts}
    near = did_you_mean(subject, known)
    kinds = ", ".join(sorted({doc.kind for doc in documents}))
    raise UsageFault(
        f"{pack.name} has nothing called `{subject}`.{f' {near[0].upper()}{near[1:]}' if near else ''}\n"
        f"Say a name, a folder, or a kind: {kinds}."
    )


def origins(document: Document, path: Route) -> list[Origin]:
    """Where a line came from: where it was written first, then what packs above it changed in it."""
    packs = dict(document.written_in)
    first: dict[str, Place] = {}
    for inner, place in document.places.items():
        if inner[: len(path)] == path:
            first[place.file] = min(place, first.get(place.file, place))
    here = document.place(path)
    files = sorted(first, key=lambda file: (file != here.file, list(packs).index(file)))
    return [Origin(packs[file], first[file]) for file in files]


# --- for a person ----------------------------------------------------------------------------------------------------


def print_for_person(call: Call, document: Document, with_origin: bool) -> None:
    """The definition under its name, with what it is for, then its tables, each as wide as the terminal allows."""
    print(f"{document.kind} {document.name}")
    doc, source = (" ".join(str(document.body.get(word) or "").split()) for word in ("doc", "source"))
    for text in filter(None, (doc, f"Source: {source}" if source else "")):
        print("\n".join(textwrap.wrap(text, call.width or 120, break_long_words=False, break_on_hyphens=False)))
    for table in tables_of(document):
        print(f"\n{table.part}" if table.part else "")
        print_table(call, document, fitting(table, call.width), with_origin)


def print_table(call: Call, document: Document, table: Table, with_origin: bool) -> None:
    """One table; where a line came from stands in its last column, below what that says."""
    about = [c for c in ABOUT if c in table.columns and c not in table.above]
    columns = [c for c in table.columns if c not in (*about, *table.above)]
    last = about[0] if about else "origin" if with_origin else ""
    titles = [Column("", at=ABOVE)] if table.above else []
    titles += [
        Column(c if table.part else "", c in AMOUNTS, BENEATH if c in table.beneath else BESIDE) for c in columns
    ]
    titles += [Column(last)] if last else []
    sheet = Sheet("table", titles, sys.stdout, call.width, spare=True)
    for line in table.lines:
        shown = {c: "" if line.goes_on and c in table.once else line.cells.get(c, "") for c in table.columns}
        told = [*(shown[c] for c in about), *(f"[{origin}]" for origin in _origins(document, line, with_origin))]
        cells = [*(shown[c] for c in columns), *(["\n".join(filter(None, told))] if last else [])]
        sheet.add(Texts([_over(shown, table.above), *cells] if table.above else cells))
    sheet.end()


def _over(shown: Mapping[str, str], names: Sequence[str]) -> str:
    """What stands over the lines of a row: what it is called and for, then the rest, each by its name."""
    called, doc, *rest = names
    if not shown[called]:  # a further line of the row
        return ""
    head = ": ".join(filter(None, (shown[called], shown.get(doc))))
    return "\n".join(["", head, *(f"    {_by_name(name, shown[name])}" for name in rest if shown.get(name))])


def _origins(document: Document, line: Line, wanted: bool) -> list[Origin]:
    return origins(document, line.path) if wanted else []


def fitting(table: Table, width: int | None) -> Table:
    """The table with all columns beside each other where that can be read, else with as many as there is room for.

    The others then stand beneath their line, are told in one, or stand over the lines of their row.
    """
    whole = replace(table, beneath=())
    if width is None or _needed(whole) <= width:
        return whole
    grouped = table
    for title, names in table.groups.items():
        if _needed(grouped) > width:
            grouped = _grouped(grouped, title, names)
    if table.above and _needed(grouped) > width:
        return replace(table, above=(*table.above, *chain(*table.groups.values())))
    return grouped


def _grouped(table: Table, title: str, names: Sequence[str]) -> Table:
    columns = tuple(dict.fromkeys(title if name in names else name for name in table.columns))
    lines = []
    for line in table.lines:
        told = [(name, line.cells.get(name, "")) for name in names if name in table.columns]
        said = "\n".join(_by_name(name.removeprefix("gives "), text) for name, text in told if text)
        lines.append(replace(line, cells={**line.cells, title: said}))
    # What goes on is told once where all of the group is.
    once = (title,) if {*names} & {*table.columns} <= {*table.once} else ()
    return replace(table, columns=columns, lines=tuple(lines), groups={}, once=(*table.once, *once))


def _by_name(name: str, text: str) -> str:
    """A text by its name; its further lines are moved in."""
    return f"{name}: {text}".replace("\n", "\n  ")


def _needed(table: Table) -> int:
    """How wide a table must be to be read well: no column needs more than is enough for one, or its longest word."""
    texts = [[name, *(line.cells.get(name, "") for line in table.lines)] for name in table.columns
             if name not in (*ABOUT, *table.above, *table.beneath)]  # fmt: skip
    return sum(max(min(_longest(each, "\n"), ENOUGH), _longest(each)) + 2 for each in texts)


def _longest(texts: Sequence[str], parted: str | None = None) -> int:
    return max((width_of(part) for text in texts for part in text.split(parted)), default=0)


# --- for a program ---------------------------------------------------------------------------------------------------


def print_rows(call: Call, document: Document, with_origin: bool) -> None:
    """Each table with its header; the first column says of which definition and part it is."""
    for number, table in enumerate(tables_of(document)):
        if number:
            print()
        columns = ["definition", *table.columns, *(["origin"] if with_origin else [])]
        sheet = Sheet(call.shape, [Column(name) for name in columns], sys.stdout)
        called = f"{document.kind} {document.name}" + (f": {table.part}" if table.part else "")
        for line in table.lines:
            cells = [called, *(line.cells.get(name, "") for name in table.columns)]
            sheet.add(Texts([*cells, *(["; ".join(map(str, origins(document, line.path)))] if with_origin else [])]))
        sheet.end()


def as_data(document: Document, with_origin: bool) -> dict[str, Any]:
    return {
        "kind": document.kind, "name": document.name, "doc": document.body.get("doc"),
        "source": document.body.get("source"), "place": f"{document.name_place.file}:{document.name_place.line}",
        "tables": [
            {"part": table.part or None, "columns": list(table.columns),
             "rows": [_line_data(document, table, line, with_origin) for line in table.lines]}
            for table in tables_of(document)
        ],
    }  # fmt: skip


def _line_data(document: Document, table: Table, line: Line, with_origin: bool) -> dict[str, Any]:
    data: dict[str, Any] = {"cells": {name: line.cells.get(name) or None for name in table.columns}}
    if with_origin:
        data["origin"] = [
            {"pack": origin.pack, "place": f"{origin.place.file}:{origin.place.line}"}
            for origin in origins(document, line.path)
        ]
    return data
