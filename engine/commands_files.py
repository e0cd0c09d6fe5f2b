"""The command that brings files in: `import`."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from . import definitions as d
from . import mapping_definitions as m
from .commands import Call, Progress, record_named, unknown, warnings_named
from .errors import DONE, REFUSED, UsageFault
from .import_results import Imported, refused_file
from .imports import import_files
from .library import Library
from .log_mappings import is_of_log
from .mapping_columns import template
from .mappings import RowProblem
from .notation import counted
from .tallies import ControlTotals, Tally

PROBLEM = ("file", "line", "column", "says", "rule")
BRIEF = ("line", "column", "says")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What stands against a row of a file."""

    problem: RowProblem
    is_brief: bool = False  # without the file, which stands above it

    def rows(self) -> Iterator[Sequence[str]]:
        p = self.problem
        column = f"{p.column} ({p.column_number})" if p.column and p.column_number else p.column
        if self.is_brief:
            yield str(p.line), column, f"{p.message} [{p.rule}]" if p.rule else p.message
        else:
            yield p.file, str(p.line), column, p.message, p.rule

    def data(self) -> dict[str, Any]:
        p = self.problem
        return {"file": p.file, "line": p.line, "column": p.column or None, "column_number": p.column_number or None,
                "says": p.message, "rule": p.rule or None}  # fmt: skip


# --- import ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wishes:
    """How an import is wanted; `aside` names the file for the rows that are refused; the warnings are accepted."""

    skip_refused: bool = False
    plan: bool = False
    aside: Path | None = None
    acknowledged: Sequence[str] = ()


def import_rows(call: Call, name: str, files: Sequence[Path], mapping_name: str | None, wishes: Wishes) -> int:
    """Create records from files; what stands against rows is printed, the rest is counted."""
    record = record_named(call.library, name)
    mapping = mapping_for(call.library, record, mapping_name)
    sets = file_sets(mapping, files)
    accepted = warnings_named(call.library, wishes.acknowledged)
    results: list[Imported] = []
    try:
        for files_by_name in sets:
            results.append(imported(call, mapping, files_by_name, wishes, accepted))
    except BaseException:
        # A file that cannot be read ends it; what the files before it came to is said all the same.
        if results:
            print_import(call, name, mapping_name, results, wishes)
        raise
    return print_import(call, name, mapping_name, results, wishes)


def print_import(call: Call, name: str, mapping_name: str | None, results: Sequence[Imported], wishes: Wishes) -> int:
    """Print what stands against rows, and say what each file came to; gives the exit code."""
    problems = [problem for result in results for problem in result.problems]
    if call.shape == "table":
        print_refused(call, problems)
    elif problems or call.shape == "json":
        sheet = call.sheet(PROBLEM, "refused", record=name, mapping=mapping_name, planned=wishes.plan)
        for problem in problems:
            sheet.add(Refusal(problem))
        sheet.end(**tail_of(call.library, results))
    for result in results:
        call.say(said_of(call.library, result, wishes))
        set_aside(call, result, wishes)
    if any(r.is_written for r in results):
        call.say_head()
    return REFUSED if any(r.refused for r in results) else DONE


def print_refused(call: Call, problems: Sequence[RowProblem]) -> None:
    """What stands against rows, for a person: the name of each file once, its rows below it."""
    for number, (file, of_file) in enumerate(groupby(problems, key=lambda p: p.file)):
        print(f"\n{file}" if number else file)
        sheet = call.sheet(BRIEF, "refused", right=["line"], spare=True)
        for problem in of_file:
            sheet.add(Refusal(problem, is_brief=True))
        sheet.end()


def imported(
    call: Call, mapping: m.Mapping, files: Mapping[str, Path], wishes: Wishes, accepted: frozenset[str]
) -> Imported:
    progress = Progress()
    batch = call.batch(wishes.plan)
    result = import_files(
        batch, mapping, files, wishes.skip_refused, acknowledged=accepted,
        on_progress=lambda now: progress.at(now.rows - progress.done),
    )  # fmt: skip
    progress.wipe()
    return result


def mapping_for(library: Library, record: d.Record, name: str | None) -> m.Mapping:
    """The mapping of that name; without a name the one whose columns are the fields of the creation event."""
    if name is None:
        return m.default_mapping(record.name, creation_fields(library, record))
    documents = {doc.name: m.build_mapping(doc) for doc in library.pack.all("mapping") if not is_of_log(doc)}
    fitting = [n for n, made in documents.items() if made.to == record.name]
    if name not in documents:
        raise unknown("mapping", name, fitting, f" to {record.name}")
    if documents[name].to != record.name:
        raise UsageFault(f"The mapping `{name}` makes {documents[name].to} of a file, not {record.name}.")
    return documents[name]


def creation_fields(library: Library, record: d.Record) -> Mapping[str, d.Field]:
    events = sorted({t.event for t in library.creations(record)})
    if len(events) != 1:
        there = ", ".join(events) or "none"
        raise UsageFault(f"A file cannot create a {record.name}: one event must do it, here are {there}.")
    return library.creation_fields(record, events[0])


def file_sets(mapping: m.Mapping, files: Sequence[Path]) -> list[dict[str, Path]]:
    """What is imported together: a file with those beside it; where none are, each file by itself."""
    if not files:
        raise UsageFault("Name the file to import, or print an empty one with --template.")
    names = ["", *mapping.beside]
    if len(names) == 1:
        return [{"": path} for path in files]
    if len(files) != len(names):
        beside = ", ".join(mapping.beside)
        said = f"The mapping `{mapping.name}` reads {len(names)} files: the main one, then {beside}"
        raise UsageFault(f"{said}; {len(files)} given.")
    return [dict(zip(names, files, strict=True))]


def said_of(library: Library, result: Imported, wishes: Wishes) -> str:
    """What an import came to, in a sentence."""
    would = "would be " if wishes.plan or (result.refused and not (wishes.skip_refused or result.is_written)) else ""
    beside = Counter(result.created)
    created = result.rows - result.skipped - result.refused
    beside[result.record] -= created
    others = " and ".join(counted(count, f"{name} record") for name, count in sorted(beside.items()) if count > 0)
    parts = [f"{created:,} {would}created" + (f" with {others}" if others else "")]
    parts += [f"{result.skipped:,} there already"] if result.skipped else []
    parts += [f"{result.refused:,} refused"] if result.refused else []
    said = f"{result.files['']}: {counted(result.rows, 'row')} of {result.record}: {', '.join(parts)}."
    named = result.totals.texts(library.manifest.currencies)
    if totals := [f"{name} {text} {unit}".rstrip() for name, unit, text in named]:
        said += f" Control totals: {', '.join(totals)}."
    if result.tally.vouchers:
        said += f" With it {would}written: {result.tally.said_of_vouchers(library)}."
    if wishes.plan:
        return said + " Nothing was written."
    if result.refused and not wishes.skip_refused:
        return said + " Nothing was written: mend the rows, or import the others with --skip-refused."
    return said


def tail_of(library: Library, results: Sequence[Imported]) -> dict[str, Any]:
    created: Counter[str] = Counter()
    tally, totals = Tally(), ControlTotals()
    for result in results:
        created += result.created
        tally += result.tally
        totals += result.totals
    named = totals.texts(library.manifest.currencies)
    return {
        "rows": sum(r.rows for r in results), "created": dict(sorted(created.items())),
        "skipped": sum(r.skipped for r in results), "refused_rows": sum(r.refused for r in results),
        "control_totals": [{"field": n, "currency": c or None, "total": text} for n, c, text in named],
        "vouchers": tally.vouchers, "debits": tally.amounts(library), "written": any(r.is_written for r in results),
    }  # fmt: skip


def set_aside(call: Call, result: Imported, wishes: Wishes) -> None:
    """Write the refused rows to a file to mend, where the others went in or where a file was named."""
    if not result.refused or wishes.plan or not (wishes.skip_refused or wishes.aside):
        return
    path = wishes.aside or free_name(result.files[""])
    count = refused_file(path, result)
    if count:
        call.say(f"{count:,} refused rows are in {path}: mend them there and import that file.")


def free_name(source: Path) -> Path:
    """A name in this folder for the refused rows that no file has: what is being mended is never overwritten."""
    for number in range(1, 1000):
        path = Path(f"{source.stem}.refused{'' if number == 1 else f'.{number}'}.csv")
        if not path.exists():
            return path
    raise UsageFault(f"Name the file for the refused rows of {source} with --refused.")


def print_template(call: Call, name: str, mapping_name: str | None) -> int:
    """Print an empty file: the header of what an import reads. It needs no store."""
    library = call.library if call.charter.setting("pack") else Library(call.pack)
    record = record_named(library, name)
    mapping = mapping_for(library, record, mapping_name)
    fields = creation_fields(library, record)
    separator = {"tab": "\t", "\\t": "\t"}.get(mapping.form.separator, mapping.form.separator or ",")
    csv.writer(sys.stdout, delimiter=separator, lineterminator="\n").writerow(template(mapping, fields))
    return DONE
