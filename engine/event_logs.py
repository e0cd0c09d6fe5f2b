"""Reads the events of a log by a mapping: which case, what it means, who and when. The order is that of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from . import definitions as d
from .errors import InvalidInput
from .library import Library
from .log_mappings import Activity, LogMapping
from .mapping_definitions import FieldMapping
from .notation import Value, convert
from .reader_files import RawRow
from .readers import read_rows
from .source import did_you_mean, printable

NO_ROLE = "none"  # what a mapping says of a word of the log that names no role


def log_fields(library: Library, workflow: d.Workflow, record: d.Record) -> dict[str, d.Field]:
    """What a log may tell values of: the fields of the record, and what events of the workflow take."""
    fields = dict(record.fields)
    for transition in workflow.transitions:
        fields |= library.taken(record, transition)
    return fields


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One event of a log. `meant` is None where the mapping does not know the activity; `given` what the log tells."""

    line: int
    case: str
    activity: str
    meant: Activity | None
    role: str | None
    day: date | None
    given: dict[str, Value]


def read_log(mapping: LogMapping, fields: Mapping[str, d.Field], path: Path) -> Iterator[LogEvent]:
    """The events of a log as they stand there; raises InvalidInput with the line of what cannot be read.

    `fields` are the types of the fields that the mapping fills.
    """
    form = mapping.form
    for row in read_rows(path, form.form, form.encoding, form.separator, form.rows):
        reading = _Reading(mapping, path, row)
        activity = reading.needed(mapping.activity, "activity")
        yield LogEvent(
            row.line,
            reading.needed(mapping.case, "case"),
            activity,
            mapping.activities.get(activity),
            reading.role(),
            reading.day(),
            {m.name: value for m in mapping.fields if (value := reading.field(m, fields[m.name])) is not None},
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    """One row of a log that is read by a mapping."""

    mapping: LogMapping
    path: Path
    row: RawRow

    def needed(self, column: d.Text, what: str) -> str:
        if text := self.row.values.get(column.text):
            return text
        if column.text in self.row.columns:
            raise self.wrong(f"`{column.text}` is empty; it says the {what} of the event")
        raise self.missing(column)

    def missing(self, column: d.Text) -> InvalidInput:
        there = list(self.row.columns)
        near = did_you_mean(column.text, there)
        known = f"there are {printable(', '.join(there), 1000)}"
        by = "" if self.mapping.by_convention else f" [{column.place}]"
        return self.wrong(f"there is no `{column.text}`{by}; {near or known}")

    def role(self) -> str | None:
        """The role by which the event was brought about; None where the log does not say it."""
        if self.mapping.role is None:
            return None
        text = self.row.values.get(self.mapping.role.text) or None
        known = self.mapping.roles.get(text or "")
        return text if known is None else None if known.text == NO_ROLE else known.text

    def day(self) -> date | None:
        """The day as it is written: the log's own offset counts, not that of the reader."""
        text = self.row.values.get(self.mapping.time.text) if self.mapping.time else None
        if not text:
            return None
        try:
            return datetime.fromisoformat(text).date()
        except ValueError:
            said = "is neither a day nor a moment, such as 2026-03-31 or 2026-03-31T17:30:00+02:00"
            raise self.wrong(f"`{printable(text)}` {said}") from None

    def field(self, m: FieldMapping, field: d.Field) -> Value:
        texts = (self.row.values.get(column.text) for column in m.columns)
        text = m.constant or next((t for t in texts if t), None)
        if text is None:
            return None
        try:
            return convert(text.strip() if m.trim else text, field, m.notation)
        except ValueError as error:
            raise self.wrong(f"`{m.name}`: {error} [{m.place}]") from None

    def wrong(self, said: str) -> InvalidInput:
        return InvalidInput(f"{self.path}:{self.row.line}: {said}")
