"""Turns the rows of files into typed values by a mapping, and gathers what is wrong with them. No store is asked."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .definitions import Field, Text
from .errors import NOWHERE, InvalidPack, Place
from .mapping_columns import check_columns, check_files, columns_named, columns_read, located
from .mapping_definitions import Beside, FieldMapping, Mapping
from .mapping_faults import mapping_faults
from .model import Type
from .notation import PLAIN, Notation, Value, as_text, convert
from .reader_files import RawRow
from .readers import read_rows
from .source import printable


@dataclass(frozen=True, slots=True)
class MappedRow:
    """The values of one record: from the row at `line`, with the rows that repeat it up to the one at `last_line`.

    A field whose column is empty and which has a default is left out. `raw` is the (first) row as the file has it.
    """

    line: int
    last_line: int
    file: str
    values: dict[str, Value]
    creates: tuple[tuple[str, dict[str, Value]], ...]
    raw: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One wrong value: where it stands, what is wrong, what would be accepted; `rule` is the place in the mapping."""

    file: str
    line: int
    column: str
    column_number: int
    message: str
    rule: str
    raw: dict[str, str | None] = field(compare=False)

    def __str__(self) -> str:
        number = f" ({self.column_number})" if self.column_number else ""
        column = f"column `{printable(self.column)}`{number}: " if self.column else ""
        rule = f" [{self.rule}]" if self.rule else ""
        return f"{self.file}:{self.line}: {column}{self.message}{rule}"


def map_file(
    mapping: Mapping,
    fields: abc.Mapping[str, Field],
    files: abc.Mapping[str, Path],
    creation_fields: Callable[[str], abc.Mapping[str, Field]],
) -> Iterator[MappedRow | RowProblem]:
    """The records that a file holds, and every problem of every row; a row with a problem gives no record.

    `files` gives the main file under "" and the others by their names in `beside`. Raises InvalidPack where the mapping
    cannot work, InvalidInput where a file cannot be read or has not the columns that are named. With `one_per` the
    records come when the file has been read; without it one row is held at a time.
    """
    faults = [] if mapping.by_name else mapping_faults(mapping, fields, creation_fields)
    if faults:
        raise InvalidPack(faults)
    check_files(mapping, files)
    mapping = check_columns(mapping, fields, files)
    created = {creation.record: creation_fields(creation.record) for creation in mapping.creates}
    columns = {column.text: located(column.text, mapping) for column in columns_named(mapping)}
    return _Run(mapping, fields, created, str(files[""]), columns).rows(files)


# --- rows and their partners -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Partner:
    """The row of a second file that goes with one of the main file; `conflict` says why it cannot be used."""

    row: RawRow
    conflict: str = ""


@dataclass(frozen=True, slots=True)
class _Joined:
    """A row of the main file with its partners by name."""

    row: RawRow
    partners: abc.Mapping[str, _Partner | None]


@dataclass(slots=True)
class _Group:
    """The rows that are one record: the first, the line of the last, what all of them create and what is wrong."""

    first: _Joined
    last_line: int
    creates: dict[tuple[str, tuple[tuple[str, Value], ...]], None] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Run:
    """One reading of the files by a mapping."""

    mapping: Mapping
    fields: abc.Mapping[str, Field]
    creation_fields: abc.Mapping[str, abc.Mapping[str, Field]]
    file: str
    located_columns: abc.Mapping[str, tuple[str, str]]
    partners: dict[str, dict[tuple[str | None, ...], _Partner]] = field(default_factory=dict)

    def rows(self, files: abc.Mapping[str, Path]) -> Iterator[MappedRow | RowProblem]:
        for beside in self.mapping.beside.values():
            yield from self.read_beside(beside, files[beside.name])
        form = self.mapping.form
        raw_rows = read_rows(files[""], form.form, form.encoding, form.separator, form.rows)
        joined = (_Joined(row, self.partners_of(row)) for row in raw_rows)
        yield from self.grouped(joined) if self.mapping.one_per else self.single(joined)

    def read_beside(self, beside: Beside, path: Path) -> Iterator[RowProblem]:
        """Keep the first row of each key, with the columns that are used; rows that differ in these are a problem."""
        used = {column.text: column.place for column in columns_read(self.mapping)[beside.name]}
        kept = self.partners.setdefault(beside.name, {})
        form = beside.form
        for row in read_rows(path, form.form, form.encoding, form.separator, form.rows):
            key = tuple(row.values.get(column.text) for column in beside.one_per)
            if not all(key):
                continue  # A row without a key is nobody's partner.
            slim = RawRow(row.line, {name: row.values.get(name) for name in used}, row.columns)
            first = kept.setdefault(key, _Partner(slim)).row
            for problem in _differences(str(path), first, slim, used, beside, row.values):
                kept[key] = _Partner(first, f"rows of `{beside.name}` differ, {path}:{first.line} and {row.line}")
                yield problem

    def partners_of(self, row: RawRow) -> dict[str, _Partner | None]:
        return {
            name: self.partners[name].get(tuple(row.values.get(column.text) for column in beside.by))
            for name, beside in self.mapping.beside.items()
        }

    def single(self, rows: Iterator[_Joined]) -> Iterator[MappedRow | RowProblem]:
        for joined in rows:
            group = _Group(joined, joined.row.line, problems=[*self.conflicts(joined)])
            self.add_creates(group, joined)
            yield from self.finished(group)

    def grouped(self, rows: Iterator[_Joined]) -> Iterator[MappedRow | RowProblem]:
        groups: dict[tuple[str | None, ...], _Group] = {}
        for joined in rows:
            key = tuple(self.text(column.text, joined) for column in self.mapping.one_per)
            if not all(key):
                yield from self.without_key(joined)
                continue
            group = groups.setdefault(key, _Group(joined, joined.row.line))
            group.last_line = joined.row.line
            if joined is not group.first:
                group.problems += self.disagreements(group.first, joined)
            group.problems += self.conflicts(joined)
            self.add_creates(group, joined)
        for group in groups.values():
            yield from self.finished(group)

    def without_key(self, joined: _Joined) -> Iterator[RowProblem]:
        for column in self.mapping.one_per:
            if not self.text(column.text, joined):
                said = "a value is needed: by it the rows are told apart (`one_per`)"
                yield self.problem(joined, column.text, column.place, said)

    def finished(self, group: _Group) -> Iterator[MappedRow | RowProblem]:
        row = group.first.row
        values = self.values(self.mapping.fields, self.fields, group.first, group.problems)
        if group.problems:
            yield from sorted(dict.fromkeys(group.problems), key=lambda p: (p.line, p.column_number, p.rule))
            return
        creates = tuple((record, dict(given)) for record, given in group.creates)
        yield MappedRow(row.line, group.last_line, self.file, values, creates, row.values)

    def add_creates(self, group: _Group, joined: _Joined) -> None:
        """What a row creates; nothing where every column for it is empty."""
        for creation in self.mapping.creates:
            columns = [column.text for m in creation.fields for column in m.all_columns()]
            if columns and not any(self.text(column, joined) for column in columns):
                continue
            typed = self.creation_fields[creation.record]
            values = self.values(creation.fields, typed, joined, group.problems)
            group.creates[creation.record, tuple(values.items())] = None

    def values(
        self,
        mapped: tuple[FieldMapping, ...],
        typed: abc.Mapping[str, Field],
        joined: _Joined,
        problems: list[RowProblem],
    ) -> dict[str, Value]:
        """The values of a row; what is wrong is added to `problems`."""
        values: dict[str, Value] = {}
        for m in mapped:
            taken = typed[m.name]
            try:
                text, notation = self.given(m, joined)
                if text is None and m.empty is None and taken.default is not None:
                    continue
                values[m.name] = convert(text, taken, notation)
            except ValueError as error:
                column = self.chosen(m.parts[0] if m.parts else m, joined)
                message = f"`{m.name}`: {error}"
                problems.append(self.problem(joined, column, m.place, message))
        return values

    def given(self, m: FieldMapping, joined: _Joined) -> tuple[str | None, Notation]:
        """The text given for a field, none where it is empty, and how it is written."""
        if m.constant is not None:
            return m.constant, PLAIN
        text = self.key(m, joined) if m.parts else self.trimmed(m, self.chosen(m, joined), joined)
        if text is None and m.empty is not None:
            return (None if m.empty == "none" else m.empty), PLAIN
        return text, m.notation

    def key(self, m: FieldMapping, joined: _Joined) -> str | None:
        """The parts of a key joined; none where all of them that come from columns are empty."""
        texts = [self.part(part, joined) for part in m.parts]
        if not any(text for text, part in zip(texts, m.parts, strict=True) if part.columns):
            return None
        for text, part in zip(texts, m.parts, strict=True):
            if not text:
                raise ValueError(f"a part of the key is empty: `{self.chosen(part, joined)}`")
            if "/" in text and len(texts) > 1:
                raise ValueError(f"`{printable(text)}` is one part of a key and cannot hold `/`, which parts the parts")
        return "/".join(text for text in texts if text)

    def part(self, part: FieldMapping, joined: _Joined) -> str | None:
        """A part of a key as keys are written: dates and numbers in the plain notation."""
        text, notation = self.given(part, joined)
        if not text or notation == PLAIN:
            return text
        kind = "date" if notation.date != PLAIN.date else "number"
        return as_text(convert(text, Field(part.name, Type(kind)), notation))

    def chosen(self, m: FieldMapping, joined: _Joined) -> str:
        """The first column that is not empty; where all are, the first."""
        if len(m.columns) > 1:
            full = (column.text for column in m.columns if self.trimmed(m, column.text, joined))
            return next(full, m.columns[0].text)
        return m.columns[0].text if m.columns else ""

    def trimmed(self, m: FieldMapping, column: str, joined: _Joined) -> str | None:
        text = self.text(column, joined)
        return (text.strip() if m.trim and text else text) or None

    def text(self, column: str, joined: _Joined) -> str | None:
        row, name = self.located(column, joined)
        return row.values.get(name) if row else None

    def located(self, column: str, joined: _Joined) -> tuple[RawRow | None, str]:
        file, name = self.located_columns.get(column, ("", column))
        if not file:
            return joined.row, name
        partner = joined.partners[file]
        return (partner.row if partner else None), name

    def problem(self, joined: _Joined, column: str, place: Place, message: str) -> RowProblem:
        row, name = self.located(column, joined)
        number = row.columns.get(name, 0) if row else 0
        if row is not joined.row and row:
            message += f" (it stands in `{column.partition('.')[0]}`, line {row.line})"
        rule = "" if place == NOWHERE else str(place)
        return RowProblem(self.file, joined.row.line, column, number, message, rule, joined.row.values)

    def conflicts(self, joined: _Joined) -> Iterator[RowProblem]:
        for name, partner in joined.partners.items():
            if partner and partner.conflict:
                beside = self.mapping.beside[name]
                yield self.problem(joined, beside.by[0].text, beside.place, partner.conflict)

    def disagreements(self, first: _Joined, joined: _Joined) -> Iterator[RowProblem]:
        for column in self.mapping.must_agree:
            before, now = self.text(column.text, first), self.text(column.text, joined)
            if (before or "") != (now or ""):
                said = _differ(before, first.row.line, now, self.mapping.one_per)
                yield self.problem(joined, column.text, column.place, said)


def _differences(
    file: str,
    first: RawRow,
    row: RawRow,
    used: abc.Mapping[str, Place],
    beside: Beside,
    raw: dict[str, str | None],
) -> Iterator[RowProblem]:
    for name, place in used.items():
        before, now = first.values[name], row.values[name]
        if (before or "") != (now or ""):
            said = _differ(before, first.line, now, beside.one_per)
            yield RowProblem(file, row.line, name, row.columns.get(name, 0), said, str(place), raw)


def _differ(before: str | None, line: int, now: str | None, one_per: tuple[Text, ...]) -> str:
    keys = ", ".join(column.text for column in one_per)
    here, there = printable(now or ""), printable(before or "")
    return f"`{here}` here, but `{there}` on line {line}; rows of one {keys} must agree"
