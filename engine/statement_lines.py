"""The lines of a statement and its tables: records in order, months or weeks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Select

from . import definitions as d
from .dates import add_days, month_end
from .errors import InvalidInput
from .expression_python import as_text
from .expressions import paths
from .library import Library
from .model import Parts, Type
from .queries import Joined, types_of
from .statement_definitions import Records, Statement
from .statement_expressions import in_sql, parsed
from .statement_given import Given
from .store import decoder


@dataclass(frozen=True, slots=True)
class Line:
    """What a line or a table stands for: a record by its id, a month or week by its number, or nothing at all."""

    id: int | None
    key: str
    label: tuple[str, ...]

    @property
    def heading(self) -> str:
        return " ".join(self.label)


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines in order; `chosen` selects the same records where not all of them are wanted."""

    lines: tuple[Line, ...]
    of: str | None = None
    chosen: Select[Any] | None = None


@dataclass
class Selection:
    """The lines of a statement and its tables, as they are in the store."""

    statement: Statement
    given: Given

    @cached_property
    def lines(self) -> Lines:
        each = self.statement.each
        if isinstance(each, Records):
            return self.records(each)
        first, last = self.given.day(each.first), self.given.day(each.last)
        if first is None or last is None:
            raise InvalidInput(f"{each.place}: The first and the last {each.unit} must be given.")
        refuse_backwards(first, last)
        return Lines(tuple(_periods(each.unit, first, last)))

    @cached_property
    def blocks(self) -> Lines:
        for_each = self.statement.for_each
        return self.records(for_each) if for_each else Lines((Line(None, "", ()),))

    def records(self, part: Records) -> Lines:
        """The records of `each` or `for_each`, in order: by what is said, else by their key."""
        record = self.given.record(part.of)
        joined = Joined(self.given.library, self.given.rules.metadata, record)
        condition = self.condition(part.where, joined, record) if part.where else None
        keys, title = self.given.library.key_paths(record), title_path(record)
        names = _spelled(self.given.library, record, title) if title else []
        order = [p for name in part.order for p in _spelled(self.given.library, record, d.dotted(name))]
        reading = [("id",), *keys, *names, *order, *keys]
        statement = joined.select(reading)
        rows = self.given.session.rows(statement if condition is None else statement.where(condition))
        lines = _sorted_lines(rows, types_of(self.given.library, record, reading), len(keys), len(names))
        chosen = None if condition is None else joined.selecting(joined.base.c.id).where(condition)
        return Lines(lines, part.of, chosen)

    @cached_property
    def above(self) -> Mapping[int, tuple[int, ...]] | None:
        """The lines that a record counts for, its own and those it lies under; None where each is told by itself."""
        each = self.statement.each
        if not isinstance(each, Records) or each.under is None:
            return None
        joined = Joined(self.given.library, self.given.rules.metadata, self.given.record(each.of))
        over = {row[0]: row[1] for row in self.given.session.rows(joined.select([("id",), (each.under,)]))}
        lines = {line.id for line in self.lines.lines}
        return {id_: tuple(each for each in _upwards(id_, over) if each in lines) for id_ in over}

    def is_topmost(self, line: Line) -> bool:
        """Whether a line is counted in no other one."""
        return self.above is None or line.id is None or self.above[line.id] == (line.id,)

    @cached_property
    def fields(self) -> dict[int, dict[str, Any]]:
        """The figures that are fields of the line's record, by its id; asked for in one query."""
        figures = [f for f in self.statement.figures if f.field]
        each = self.statement.each
        if not figures or not isinstance(each, Records):
            return {}
        record = self.given.record(each.of)
        joined = Joined(self.given.library, self.given.rules.metadata, record)
        reading = [("id",), *(f.field for f in figures)]
        decode = decoder(types_of(self.given.library, record, reading))
        wanted = joined.select(reading)
        if self.lines.chosen is not None:
            wanted = wanted.where(joined.base.c.id.in_(self.lines.chosen))
        rows = (decode(row) for row in self.given.session.rows(wanted))
        return {row[0]: {f.name: value for f, value in zip(figures, row[1:], strict=True)} for row in rows}

    def condition(self, where: d.Text, joined: Joined, record: d.Record) -> ColumnElement[bool]:
        node = parsed(where)
        for path in paths(node):
            self.bind(joined, path.parts, where, record)
        return in_sql(node, joined, where)

    def bind(self, joined: Joined, parts: Parts, where: d.Text, record: d.Record) -> None:
        """Let a filter compare with what is behind a record that was given."""
        if parts[0] == "this":
            joined.bound[parts] = self.given.literal(parts[1:])
        elif self.given.library.member(record, parts[0]) is None:
            if parts[0] not in self.given.fields:
                raise InvalidInput(f"{where.place}: A statement does not know `{'.'.join(parts)}`.")
            joined.bound[parts] = self.given.literal(parts)


def _upwards(id_: int, over: Mapping[int, int | None]) -> list[int]:
    """A record and those it lies under, each once, even if they lie in a circle."""
    found: list[int] = []
    at: int | None = id_
    while at is not None and at not in found:
        found.append(at)
        at = over[at]
    return found


# --- months and weeks ------------------------------------------------------------------------------------------------


def _periods(unit: str, first: date, last: date) -> Iterator[Line]:
    """A month is called by itself, a week by its Monday."""
    for number in range(number_of(unit, first), number_of(unit, last) + 1):
        key = first_day(unit, number).isoformat()
        key = key[:7] if unit == "month" else key
        yield Line(number, key, (key,))


def number_of(unit: str, day: date) -> int:
    """The number of the month or week that a day is in; they are numbered without a gap."""
    return day.year * 12 + day.month - 1 if unit == "month" else (day.toordinal() - 1) // 7


def first_day(unit: str, number: int) -> date:
    """The first day of a month, or the Monday of a week."""
    return date(number // 12, number % 12 + 1, 1) if unit == "month" else date.fromordinal(number * 7 + 1)


def last_day(unit: str, number: int) -> date:
    """The last day of a month or week."""
    first = first_day(unit, number)
    return month_end(first) if unit == "month" else add_days(first, 6)


def refuse_backwards(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and first > last:
        raise InvalidInput(f"The first day, {first}, is after the last, {last}.")


# --- records in order ------------------------------------------------------------------------------------------------


def _sorted_lines(rows: Iterable[Any], types: Sequence[Type], keys: int, names: int) -> tuple[Line, ...]:
    """Lines from rows of the id, the key, what describes the record, and what they are sorted by."""
    decode = decoder(types)
    behind = 1 + keys + names
    decoded = [decode(row) for row in rows]
    decoded.sort(key=lambda r: (*map(_in_order, r[behind:], types[behind:]), r[0]))
    lines = []
    for row in decoded:
        key = _joined_text(row[1 : 1 + keys])
        label = (key, _joined_text(row[1 + keys : behind])) if names else (key,)
        lines.append(Line(row[0], key, label))
    return tuple(lines)


def _joined_text(values: Iterable[Any]) -> str:
    return "/".join("" if v is None else as_text(v) for v in values)


def _spelled(library: Library, record: d.Record, path: Parts) -> list[Parts]:
    """A path, or where it leads to a record the paths to that record's key."""
    type_ = library.along(Type("ref", of=record.name), path)
    target = library.record(type_.of) if type_ and type_.kind == "ref" else None
    return [(*path, *rest) for rest in library.key_paths(target)] if target else [path]


def title_path(record: d.Record) -> Parts | None:
    """The field that describes a record, unless it stands in the key already."""
    return (record.title,) if record.title and record.title not in record.key else None


def _in_order(value: Any, type_: Type) -> tuple[bool, Any]:
    """None first, choices as they are declared, texts by code point: the same in every database."""
    if value is None:
        return False, 0
    return True, type_.choices.index(value) if type_.kind == "choice" else value
