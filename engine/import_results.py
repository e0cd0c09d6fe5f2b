"""What an import did, chunk by chunk and in the end, and the file of the rows that it refused."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .errors import UsageFault
from .firings import Reason, Root
from .import_shapes import Identity
from .mapping_columns import REFUSED_BECAUSE
from .mapping_definitions import Form
from .mapping_definitions import Mapping as FileMapping
from .mappings import RowProblem
from .readers import columns_in, read_rows
from .tallies import ControlTotals, Tally


@dataclass
class Imported:
    """What an import did, or with a plan would do: a chunk further each time that progress is told.

    created: records by type, those that the rows named and that were missing included. skipped: rows whose record is
    there with the same content. problems: everything that stands against rows (those of a second file included), at the
    end sorted by line; a row may have several. is_written: something was written besides the refusal log; if not,
    `created` says what would be. tally: what came with it, vouchers above all. totals: the sums of the rows' figures.
    """

    record: str
    mapping: FileMapping
    files: Mapping[str, Path]
    created: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    is_written: bool = False
    tally: Tally = field(default_factory=Tally)
    totals: ControlTotals = field(default_factory=ControlTotals)
    _refused: set[int] = field(default_factory=set)
    _created_rows: int = 0

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return len(self._refused)

    @property
    def rows(self) -> int:
        """How many rows were looked at; rows that repeat one record count once."""
        return self._created_rows + self.skipped + self.refused

    def add(self, done: Done) -> None:
        self.created += done.created
        self.skipped += done.skipped
        self.problems += done.problems
        self.tally += done.tally
        self.totals += done.totals
        self._created_rows += done.created_rows
        self._refused.update(p.line for p in done.problems if p.file == str(self.files[""]))

    def sort(self) -> None:
        """By line; what is wrong in a second file comes after the main one."""
        main = str(self.files[""])
        self.problems.sort(key=lambda p: (p.file != main, p.file, p.line, p.column_number, p.message))


@dataclass
class Done:
    """What came of one chunk; nothing of it counts before its transaction does."""

    created: Counter[str] = field(default_factory=Counter)
    created_rows: int = 0
    skipped: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    roots: list[Root] = field(default_factory=list)
    there: set[Identity] = field(default_factory=set)
    refused: dict[Identity, list[Reason]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    tally: Tally = field(default_factory=Tally)
    totals: ControlTotals = field(default_factory=ControlTotals)


@dataclass
class Known:
    """What the chunks before have shown.

    there, refused: what was named beside the rows, so that each is asked for once. met: how many records without a key
    there are of each content. roots: all that was refused.
    """

    result: Imported
    there: set[Identity] = field(default_factory=set)
    refused: dict[Identity, list[Reason]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    roots: list[Root] = field(default_factory=list)

    def add(self, done: Done, keeps_roots: bool) -> None:
        self.result.add(done)
        self.there |= done.there
        self.refused |= done.refused
        self.met += done.met
        if keeps_roots:
            self.roots += done.roots


# --- the refused rows ------------------------------------------------------------------------------------------------


def refused_file(path: Path, result: Imported) -> int:
    """Write the refused rows with all their columns and why they were refused; give how many there are.

    They are csv as the mapping wants it, so that they can be mended and imported again. Of rows that are one record all
    are written. No file is made where there are none. Raises UsageFault where the file cannot be written.
    """
    source, form = result.files[""], result.mapping.form
    if path.resolve() == source.resolve():
        raise UsageFault(f"{path} is the file that is imported; name another for the rows that are refused.")
    there = columns_in(source, form.form, form.encoding, form.separator, form.rows)
    columns = [c for c in there if c != REFUSED_BECAUSE]
    rows = [[*(values.get(c) or "" for c in columns), "; ".join(said)] for values, said in _refused_rows(result)]
    if rows:
        _write_csv(path, form, [[*columns, REFUSED_BECAUSE], *rows])
    return len(rows)


def _write_csv(path: Path, form: Form, rows: list[list[str]]) -> None:
    tab = path.suffix.lower() == ".tsv" if not form.separator else form.separator in ("tab", "\\t")
    separator = "\t" if tab else form.separator or ","
    encoding = form.encoding if form.form in ("", "csv") else ""
    try:
        # Only the last column can hold what the encoding cannot; the others came out of it.
        with path.open("w", encoding=encoding or "utf-8", errors="replace", newline="") as opened:
            csv.writer(opened, delimiter=separator, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise UsageFault(f"{path}: cannot be written: {error.strerror or error}") from None


def _refused_rows(result: Imported) -> Iterator[tuple[Mapping[str, str | None], list[str]]]:
    """The raw rows that were refused, each with what was said of it, else with what was said of its record."""
    source, form = result.files[""], result.mapping.form
    by_line: dict[int, list[str]] = defaultdict(list)
    by_record: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    names = [column.text for column in result.mapping.one_per]
    for problem in result.problems:
        if problem.file == str(source):
            by_line[problem.line].append(problem.message)
            key = tuple(problem.raw.get(name) for name in names)
            if all(key):
                by_record[key].append(f"line {problem.line}: {problem.message}")
    if not by_line:
        return
    for row in read_rows(source, form.form, form.encoding, form.separator, form.rows):
        said = by_line.get(row.line) or (by_record.get(tuple(row.values.get(n) for n in names)) if names else None)
        if said:
            yield row.values, list(dict.fromkeys(said))
