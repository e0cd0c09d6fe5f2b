"""Draws up declared statements: measures and formulas in lines and columns, one query for a measure and its period.

It reads, reckons and lays out; what is printed or written to a file is the caller's. Amounts are exact Decimals.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, DecimalException, localcontext
from functools import cached_property
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Select, case, extract, literal

from . import definitions as d
from .batch import Rules
from .errors import InvalidInput, Place
from .expression_python import (
    ArithmeticProblem,
    Code,
    Constants,
    add_months,
    as_text,
    compile_function,
    month_end,
    month_start,
    python_source,
)
from .expression_scopes import FUNCTIONS
from .expression_sql import sql_expression
from .expressions import Call, ExpressionError, Node, parse, paths
from .expressions import Path as PathNode
from .expressions import Value as Constant
from .facts import Facts, plain
from .gathering import Gatherer, among, measured
from .library import Library
from .model import SCALES, Type
from .money import EXACT, from_kept, rounded, shown, to_kept
from .notation import Value
from .processes import with_ids
from .queries import Joined, Path, types_of
from .scopes import NO_RECORD, Names, measure_type
from .store import Session, decoder
from .tables import column_type

Cell: TypeAlias = "Decimal | int | str | None"
Cells: TypeAlias = "dict[tuple[int | None, int | None], Decimal | int]"

VERSION = 1  # of what `as_data` gives
USUAL_PLACES = 2
BEFORE = -1  # stands for everything before the first month


# --- what is declared ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Records:
    """The records that lines or tables stand for; `left_out` says that lines of nothing are not shown."""

    of: str
    where: d.Text | None
    order: tuple[str, ...]
    left_out: bool
    title: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Months:
    """A line for each whole month from that of the first date to that of the second."""

    first: Path
    last: Path
    left_out: bool
    title: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Days:
    """What of a measure counts.

    kind: `all`; `over` (from the first to the second date, both inclusive); `until` and `before` a date;
    `over_column` (in the month) and `at_column` (until the end of the month). `paths` lead to the dates.
    """

    kind: str
    paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: a measure over its days, or a formula. `total` is None where nothing is said; `show` is a hint."""

    name: str
    title: str
    measure: str | None
    formula: d.Text | None
    days: Days
    total: str | None
    show: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as declared."""

    name: str
    title: str
    doc: str
    takes: Mapping[str, d.Field]
    each: Records | Months
    figures_as: str
    figures: tuple[Figure, ...]
    for_each: Records | None
    totals: bool
    check: d.Text | None
    place: Place

    @property
    def by_month(self) -> bool:
        return isinstance(self.each, Months)


def build_statement(source: d.Source) -> Statement:
    """The definition of a document whose schema was satisfied."""
    e = d.Element(source, (), source.body)
    return Statement(
        source.name,
        e.word("title", in_words(source.name)),
        e.word("doc"),
        {name: d.build_field(name, t) for name, t in e.pairs("takes")},
        _build_months(e.at("each")) if e.at("each").has("month") else _build_records(e.at("each")),
        e.word("figures_as", "columns"),
        tuple(_build_figure(f) for f in e.items("figures")),
        _build_records(e.at("for_each")) if e.has("for_each") else None,
        e.flag("totals"),
        e.text("check"),
        e.place,
    )


def statement_of(library: Library, name: str) -> Statement | None:
    """The statement of that name, or None."""
    document = library.pack.find("statement", name)
    return None if document is None else build_statement(document)


def _build_records(e: d.Element) -> Records:
    return Records(e.word("of"), e.text("where"), e.words("order"), e.word("empty") == "left_out", e.maybe("title"),
                   e.place)  # fmt: skip


def _build_months(e: d.Element) -> Months:
    first, last = (d.dotted(day) for day in e.words("month"))
    return Months(first, last, e.word("empty") == "left_out", e.maybe("title"), e.place)


def _build_figure(e: d.Element) -> Figure:
    return Figure(e.word("name"), e.word("title"), e.maybe("measure"), e.text("formula"), _build_days(e),
                  e.maybe("total"), e.maybe("show"), e.place)  # fmt: skip


def _build_days(e: d.Element) -> Days:
    over, at = e.words("over"), e.word("at")
    if "column" in (*over, at):
        return Days("over_column" if over else "at_column")
    if over:
        return Days("over", tuple(d.dotted(day) for day in over))
    if at.startswith("before "):
        return Days("before", (d.dotted(at.removeprefix("before ")),))
    return Days("until", (d.dotted(at),)) if at else Days("all")


# --- what is given back ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """A column of values. It has no type where every row has its own; `show` may say `percent`."""

    name: str
    title: str
    type: Type | None
    show: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A line: `key` as addresses name it, the cells of its label, a value for each column.

    It has a type, and perhaps something to `show`, where the columns have none.
    """

    key: str
    label: tuple[str, ...]
    values: tuple[Cell, ...]
    type: Type | None = None
    show: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One table; key and heading are empty where there is only one. `places` are the digits its money is shown with."""

    key: str
    heading: str
    currency: str | None
    places: int
    rows: tuple[Row, ...]
    totals: Row | None


@dataclass(frozen=True, slots=True)
class Report:
    """A statement drawn up.

    `given` are names and texts of what it was asked with, `labels` the headings of the cells of a row's label,
    `per` the heading of the blocks (empty where there is one), `checks` the failed checks in words.
    """

    name: str
    title: str
    doc: str
    given: tuple[tuple[str, str], ...]
    labels: tuple[str, ...]
    per: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    checks: tuple[str, ...]


def report(session: Session, rules: Rules, statement: Statement, values: Mapping[str, Value]) -> Report:
    """Draw up a statement; `values` are what it takes, records by their keys.

    A measure's `by` is bound by name to the record of `each`, to that of `for_each` and to what is taken and given;
    where only the name differs, to the one `by` that refers to such a record and is not taken by its name. The rest is
    summed. The number of queries does not depend on the number of lines.

    Raises UsageFault for a record that is not there, InvalidInput where money of several currencies would be added,
    where a measure cannot be told apart by line, or where a formula cannot be reckoned.
    """
    with localcontext(EXACT):
        given = _Given(session, rules, statement.takes, values)
        return _Drawing(session, rules, statement, given).report()


def address(statement: str, figure: str, *, block: str = "", row: str = "", month: str = "") -> str:
    """The name of one value, for `why`: `STATEMENT/ROW/FIGURE/MONTH`; what does not apply is left out.

    A block's key comes before the row's; a total is named without its row, or without its month. Keys of several parts
    keep their `/`: how many parts there are is said by the record types.
    """
    return "/".join(part for part in (statement, block, row, figure, month) if part)


def in_words(name: str) -> str:
    """A name as a heading: `trial_balance` is Trial balance."""
    return name.replace("_", " ").capitalize()


# --- as text and as data ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a column of texts; numbers stand to the right."""

    title: str
    right: bool


def as_table(drawn: Report, block: Block | None = None) -> tuple[tuple[Heading, ...], list[tuple[str, ...]]]:
    """Headings and rows of plain texts: one block alone, or all, the block's heading in the first column."""
    first = [Heading(drawn.per, False)] if drawn.per and block is None else []
    labels = [Heading(label, False) for label in drawn.labels]
    columns = [Heading(c.title, c.type is None or c.type.is_numeric) for c in drawn.columns]
    rows: list[tuple[str, ...]] = []
    for each in drawn.blocks if block is None else (block,):
        start = (each.heading,) * len(first)
        rows += [(*start, *_texts(drawn, each, row)) for row in each.rows]
        if each.totals is not None:
            rows.append((*start, *_texts(drawn, each, each.totals)))
    return (*first, *labels, *columns), rows


def _texts(drawn: Report, block: Block, row: Row) -> tuple[str, ...]:
    label = (*row.label, *[""] * (len(drawn.labels) - len(row.label)))
    kinds = [(row.type, row.show) if c.type is None else (c.type, c.show) for c in drawn.columns]
    return (*label, *(_text(v, t, show, block.places) for v, (t, show) in zip(row.values, kinds, strict=True)))


def _text(value: Cell, type_: Type | None, show: str | None, places: int) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if show == "percent":
        return f"{shown(EXACT.multiply(Decimal(value), 100), 1)} %"
    return shown(value, places if type_ is not None and type_.kind == "money" else None)


def as_data(drawn: Report) -> dict[str, Any]:
    """A report as JSON can hold it, version 1; amounts and other decimals are exact texts, counts are numbers.

    {"version": 1, "statement", "title", "doc", "given": {name: text},
     "columns": [{"name", "title", "type", "show"}],
     "blocks": [{"key", "heading", "currency", "rows": [{"key", "label": [text], "values": {column: value}}],
                 "totals": a row or null}],
     "checks": [text]}; type, show, currency and values may be null.
    """
    return {
        "version": VERSION, "statement": drawn.name, "title": drawn.title, "doc": drawn.doc, "given": dict(drawn.given),
        "columns": [_column_data(c) for c in drawn.columns],
        "blocks": [_block_data(drawn, b) for b in drawn.blocks], "checks": list(drawn.checks),
    }  # fmt: skip


def _column_data(column: Column) -> dict[str, Any]:
    kind = None if column.type is None else column.type.kind
    return {"name": column.name, "title": column.title, "type": kind, "show": column.show}


def _block_data(drawn: Report, block: Block) -> dict[str, Any]:
    rows = [_row_data(drawn, r) for r in block.rows]
    totals = None if block.totals is None else _row_data(drawn, block.totals)
    return {"key": block.key, "heading": block.heading, "currency": block.currency, "rows": rows, "totals": totals}


def _row_data(drawn: Report, row: Row) -> dict[str, Any]:
    values = {c.name: plain(v) for c, v in zip(drawn.columns, row.values, strict=True)}
    data = {"key": row.key, "label": list(row.label), "values": values}
    return data if row.type is None else data | {"type": row.type.kind, "show": row.show}


# --- what it was asked with ------------------------------------------------------------------------------------------


class _Given:
    """What the statement takes: values with records by their numbers, and what paths from them lead to."""

    def __init__(
        self, session: Session, rules: Rules, fields: Mapping[str, d.Field], values: Mapping[str, Value]
    ) -> None:
        self.fields = fields
        self.texts = tuple((n, as_text(values[n])) for n in fields if values.get(n) is not None)
        self.library = rules.library
        self.ids = with_ids(rules, session, fields, values)
        self._gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), {})

    def at(self, path: Path) -> Any:
        """The value at a path, none where a reference on its way is none."""
        value = self.ids.get(path[0])
        if len(path) == 1 or value is None:
            return value
        record = self.fields[path[0]].type.of
        return self._gatherer.values(record, (path[1:],), [value])[value][0]

    def type_of(self, path: Path) -> Type:
        start = self.fields[path[0]].type
        return (self.library.along(start, path[1:]) if path[1:] else start) or Type("unknown")

    def day(self, path: Path) -> date | None:
        found = self.at(path)
        return found if isinstance(found, date) else None

    def literal(self, path: Path) -> tuple[ColumnElement[Any], Type]:
        """The value as a filter compares it."""
        value, type_ = self.at(path), self.type_of(path)
        kept = to_kept(value, type_.kind) if SCALES.get(type_.kind) and value is not None else value
        return literal(kept, column_type(type_)), type_

    @cached_property
    def currency(self) -> str | None:
        """That of the company whose books are asked for."""
        ledger = self.library.manifest.ledger
        for name, f in self.fields.items():
            record = self.library.record(f.type.of)
            if ledger and record and record.name == ledger.company and "currency" in record.fields:
                found = self.at((name, "currency"))
                return None if found is None else str(found)
        return None


# --- lines and tables ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """What a line or a table stands for: a record by its id, a month by its number, or nothing in particular."""

    id: int | None
    key: str
    label: tuple[str, ...]

    @property
    def heading(self) -> str:
        return " ".join(self.label)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines in order; `chosen` selects the same records where not all of them are wanted."""

    lines: tuple[_Line, ...]
    of: str | None = None
    chosen: Select[Any] | None = None


def _months(first: date, last: date) -> Iterator[_Line]:
    month = month_start(first)
    while month <= last:
        yield _Line(month.year * 12 + month.month - 1, f"{month:%Y-%m}", (f"{month:%Y-%m}",))
        month = add_months(month, 1)


def _spelled(library: Library, record: d.Record, path: Path) -> list[Path]:
    """A path, or where it leads to a record the paths to that record's key."""
    type_ = library.along(Type("ref", of=record.name), path)
    target = library.record(type_.of) if type_ and type_.kind == "ref" else None
    return [(*path, *rest) for rest in library.key_paths(target)] if target else [path]


def _title_path(record: d.Record) -> Path | None:
    """The field that describes a record, unless it stands in the key already."""
    return (record.title,) if record.title and record.title not in record.key else None


def _in_order(value: Any, type_: Type) -> tuple[bool, Any]:
    """None first, choices as they are declared, texts by code point: the same in every database."""
    if value is None:
        return False, 0
    return True, type_.choices.index(value) if type_.kind == "choice" else value


@dataclass(frozen=True, slots=True)
class _Binding:
    """The names of a measure's `by` that tell tables and lines apart, and those that are given once for all."""

    block: str | None
    line: str | None
    fixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Formula:
    """A compiled expression and the figures that it reads."""

    function: Callable[..., Any]
    reads: tuple[str, ...]


@dataclass
class _Drawing:
    """One statement being drawn up within one transaction."""

    session: Session
    rules: Rules
    statement: Statement
    given: _Given
    currencies: dict[int | None, set[str]] = field(default_factory=lambda: defaultdict(set))

    @property
    def library(self) -> Library:
        return self.rules.library

    def report(self) -> Report:
        s = self.statement
        drawn = [self.drawn(block) for block in self.blocks.lines]
        checks = tuple(words for each in drawn for words in self.failed_check(each))
        if s.for_each and s.each.left_out:
            drawn = [each for each in drawn if not all(map(_is_empty, each.values))]
        layout = _as_columns if s.figures_as == "columns" else _as_rows
        columns, labels, blocks = layout(self, drawn)
        per = (s.for_each.title or in_words(s.for_each.of)) if s.for_each else ""
        return Report(s.name, s.title, s.doc, self.given.texts, labels, per, columns, blocks, checks)

    # --- lines ---

    @cached_property
    def lines(self) -> _Lines:
        each = self.statement.each
        if isinstance(each, Records):
            return self.records(each)
        first, last = self.given.day(each.first), self.given.day(each.last)
        if first is None or last is None:
            raise InvalidInput(f"{each.place}: The first and the last month must be given.")
        _refuse_backwards(first, last)
        return _Lines(tuple(_months(first, last)))

    @cached_property
    def blocks(self) -> _Lines:
        for_each = self.statement.for_each
        return self.records(for_each) if for_each else _Lines((_Line(None, "", ()),))

    def records(self, part: Records) -> _Lines:
        """The records of `each` or `for_each`, in order: by what is said, else by their key."""
        record = self.library.record(part.of)
        assert record is not None
        joined = Joined(self.library, self.rules.metadata, record)
        condition = self.condition(part.where, joined, record) if part.where else None
        keys, title = self.library.key_paths(record), _title_path(record)
        names = _spelled(self.library, record, title) if title else []
        order = [p for name in part.order for p in _spelled(self.library, record, d.dotted(name))]
        reading = [("id",), *keys, *names, *order, *keys]
        statement = joined.select(reading)
        rows = self.session.rows(statement if condition is None else statement.where(condition))
        lines = _sorted_lines(rows, types_of(self.library, record, reading), len(keys), len(names))
        chosen = None if condition is None else joined.selecting(joined.base.c.id).where(condition)
        return _Lines(lines, part.of, chosen)

    def condition(self, where: d.Text, joined: Joined, record: d.Record) -> ColumnElement[bool]:
        node = _parsed(where)
        for path in paths(node):
            self.bind(joined, path.parts, where, record)
        return _in_sql(node, joined, where)

    def bind(self, joined: Joined, parts: Path, where: d.Text, record: d.Record) -> None:
        """Let a filter compare with what is behind a record that was given."""
        if parts[0] == "this":
            joined.bound[parts] = self.given.literal(parts[1:])
        elif self.library.member(record, parts[0]) is None:
            if parts[0] not in self.given.fields:
                raise InvalidInput(f"{where.place}: A statement does not know `{'.'.join(parts)}`.")
            joined.bound[parts] = self.given.literal(parts)

    # --- measures ---

    @cached_property
    def cells(self) -> dict[tuple[str, Days], Cells]:
        """What each measure is, by table and line; everything that is asked of the database is asked here."""
        found: dict[tuple[str, Days], Cells] = {}
        for figure in self.statement.figures:
            if figure.measure and (figure.measure, figure.days) not in found:
                found[(figure.measure, figure.days)] = self.measure(figure)
        return found

    def measure(self, figure: Figure) -> Cells:
        """One measure over one period, by table and line, in one query."""
        measure = self.library.measure(figure.measure or "")
        assert measure is not None
        joined = Joined(self.library, self.rules.metadata, _record(self.library, measure.of))
        binding = self.binding(figure, measure)
        groups, conditions = self.bound_columns(joined, measure, binding)
        conditions += self.days(figure, joined, measure)
        if figure.days.kind.endswith("_column"):
            groups["month_"] = self.month(joined, measure, figure.days.kind)
        type_ = self.types[figure.name]
        if path := currency_path(self.library, measure, type_):
            groups["currency_"] = joined.column(path)[0]
        amount = _amount(joined, measure).label("amount_")
        if measure.where:
            conditions.append(_in_sql(_parsed(measure.where), joined, measure.where))
        statement = joined.selecting(*(c.label(n) for n, c in groups.items()), amount)
        # By label, since a database does not see that two expressions with the same values given are the same.
        rows = self.session.rows(statement.where(*conditions).group_by(*groups))
        cells = self.added([dict(zip((*groups, "amount_"), row, strict=True)) for row in rows], type_)
        return self.balances(cells, type_) if figure.days.kind == "at_column" else cells

    def added(self, rows: Iterable[Mapping[str, Any]], type_: Type) -> Cells:
        """The answers of the database by table and line, the currencies noted."""
        kept: dict[tuple[int | None, int | None], int] = defaultdict(int)
        for row in rows:
            month = row.get("month_")
            block, line = row.get("block_"), row.get("line_") if month is None else int(month)
            kept[(block, line)] += int(row["amount_"] or 0)
            if row.get("currency_") is not None:
                self.currencies[block].add(str(row["currency_"]))
        return {key: from_kept(value, type_.kind) for key, value in kept.items()}

    def balances(self, moved: Cells, type_: Type) -> Cells:
        """Movements added up from month to month, on what was there before the first."""
        found: Cells = {}
        for block in self.blocks.lines:
            balance = moved.get((block.id, BEFORE), from_kept(0, type_.kind))
            for line in self.lines.lines:
                balance += moved.get((block.id, line.id), 0)
                found[(block.id, line.id)] = balance
        return found

    def bound_columns(
        self, joined: Joined, measure: d.Measure, binding: _Binding
    ) -> tuple[dict[str, ColumnElement[Any]], list[ColumnElement[bool]]]:
        """The columns that tell tables and lines apart, and the conditions on these and on what is given."""
        groups: dict[str, ColumnElement[Any]] = {}
        conditions: list[ColumnElement[bool]] = []
        for name, by, lines in (("block_", binding.block, self.blocks), ("line_", binding.line, self.lines)):
            if by is not None:
                column = groups[name] = joined.column(measure.by[by])[0]
                conditions.append(column.is_not(None) if lines.chosen is None else column.in_(lines.chosen))
        for by in binding.fixed:
            column, type_ = joined.column(measure.by[by])
            conditions.append(among(column, type_, [self.given.at((by,))]))
        return groups, conditions

    def days(self, figure: Figure, joined: Joined, measure: d.Measure) -> list[ColumnElement[bool]]:
        """The conditions on the date; a date that is none bounds nothing."""
        kind = figure.days.kind
        if kind == "all":
            return []
        column = self.date(joined, measure)
        if kind.endswith("_column"):
            first, last = self.period
            return [column.between(first, last)] if kind == "over_column" else [column <= last]
        days = [self.given.day(path) for path in figure.days.paths]
        if kind == "over":
            _refuse_backwards(*days)
            return [*_compared(operator.ge, column, days[0]), *_compared(operator.le, column, days[1])]
        return _compared(operator.lt if kind == "before" else operator.le, column, days[0])

    @property
    def period(self) -> tuple[date, date]:
        """The first day of the first month and the last of the last."""
        numbers = [n for line in self.lines.lines if (n := line.id) is not None]
        first, last = (date(n // 12, n % 12 + 1, 1) for n in (numbers[0], numbers[-1]))
        return first, month_end(last)

    def date(self, joined: Joined, measure: d.Measure) -> ColumnElement[Any]:
        if measure.dated_by is None:
            raise InvalidInput(f"{measure.place}: The measure `{measure.name}` has no date: say `dated_by`.")
        return joined.column(d.dotted(measure.dated_by))[0]

    def month(self, joined: Joined, measure: d.Measure, kind: str) -> ColumnElement[Any]:
        """The number of the month; in a balance one number for all that was before."""
        day = self.date(joined, measure)
        number: ColumnElement[Any] = extract("year", day) * 12 + extract("month", day) - 1
        return number if kind == "over_column" else case((day < self.period[0], BEFORE), else_=number)

    # --- binding ---

    def binding(self, figure: Figure, measure: d.Measure) -> _Binding:
        start = Type("ref", of=measure.of)
        types = {n: self.library.along(start, path) or Type("unknown") for n, path in measure.by.items()}
        used: list[str] = []
        for lines in (self.lines, self.blocks):
            used.append(self.by_of(figure, lines.of, types, used) if lines.of else "")
        fixed = [n for n in types if n not in used and self.given.ids.get(n) is not None]
        for name in fixed:
            self.refuse_other_type(figure, name, types[name])
        return _Binding(used[1] or None, used[0] or None, tuple(fixed))

    def by_of(self, figure: Figure, record: str, types: Mapping[str, Type], used: Sequence[str]) -> str:
        """The `by` that tells the records apart: the one of that name, else the only other that refers to them."""
        fitting = [n for n, t in types.items() if t.kind == "ref" and t.of == record and n not in used]
        if record in fitting:
            return record
        others = [n for n in fitting if n not in self.given.fields]
        if len(others) == 1:
            return others[0]
        said = f"is by {', '.join(types) or 'nothing'}" if not others else f"could be by {' or '.join(others)}"
        raise InvalidInput(
            f"{figure.place}: The measure `{figure.measure}` {said}, so it cannot be told for each {record}; "
            f"name one of its `by` {record}."
        )

    def refuse_other_type(self, figure: Figure, name: str, type_: Type) -> None:
        given = self.given.fields[name].type
        kinds = {given.kind, type_.kind}
        if (given.kind, given.of) != (type_.kind, type_.of) and kinds != {"text", "choice"}:
            raise InvalidInput(
                f"{figure.place}: `{name}` of the measure `{figure.measure}` is {type_.given()}, "
                f"what the statement takes by that name is {given.given()}."
            )

    # --- formulas ---

    @cached_property
    def names(self) -> Names:
        """The scope of formulas: the figures and what is taken."""
        lets = {f.name: f.formula for f in self.statement.figures if f.formula}
        measures = {f.name: m for f in self.statement.figures if (m := self.library.measure(f.measure or ""))}
        types = {n: measure_type(self.library, m, _record(self.library, m.of)) for n, m in measures.items()}
        return Names(self.library, NO_RECORD, taken=self.statement.takes, lets=lets, further=types)

    @cached_property
    def types(self) -> dict[str, Type]:
        """The type of each figure."""
        names = self.names
        return {f.name: names.let_type(f.name) if f.formula else names.further[f.name] for f in self.statement.figures}

    @cached_property
    def formulas(self) -> dict[str, _Formula]:
        return {f.name: self.compiled(f.formula) for f in self.statement.figures if f.formula}

    def compiled(self, text: d.Text) -> _Formula:
        node = _parsed(text)
        code = _FigureCode(self.given, self.names, text.place)
        function = compile_function(python_source(node, code), ("v",), code.constants.names)
        figures = {f.name for f in self.statement.figures}
        reads = [p.parts[0] for p in paths(node) if p.parts[0] in figures - set(self.given.fields)]
        return _Formula(function, tuple(dict.fromkeys(reads)))

    @cached_property
    def in_turn(self) -> list[str]:
        """The formulas, each after those that it reads."""
        found: list[str] = []

        def visit(name: str, above: tuple[str, ...]) -> None:
            if name in above:
                raise InvalidInput(f"{self.statement.place}: These figures need each other: {', '.join(above)}.")
            if name in self.formulas and name not in found:
                for inner in self.formulas[name].reads:
                    visit(inner, (*above, name))
                found.append(name)

        for name in self.formulas:
            visit(name, ())
        return found

    def reckoned(self, formula: _Formula, place: Place, values: Mapping[str, Cell], what: str) -> Any:
        try:
            return formula.function(values)
        except (ArithmeticProblem, DecimalException) as wrong:
            raise InvalidInput(f"{place}: {what}: {str(wrong) or 'cannot be reckoned'}") from None

    # --- values ---

    def drawn(self, block: _Line) -> _Drawn:
        """The values of one table, and its totals."""
        cells = self.cells
        currency = self.currency(block)
        values = [self.line_values(block, line, cells, currency) for line in self.lines.lines]
        wanted = self.statement.totals or self.statement.check
        return _Drawn(block, currency, values, self.totals(values, block, currency) if wanted else {})

    def currency(self, block: _Line) -> str | None:
        """The one currency of a table's money; raises InvalidInput where there are several."""
        found = sorted(self.currencies[block.id])
        if len(found) > 1:
            where = f"{self.statement.title}{' of ' + block.heading if block.heading else ''}"
            raise InvalidInput(
                f"{where} would add money in {' and '.join(found)}; a statement adds one currency only: "
                "narrow down what it is about."
            )
        return found[0] if found else self.given.currency

    def places(self, currency: str | None) -> int | None:
        return self.library.manifest.currencies.get(currency or "")

    def line_values(
        self, block: _Line, line: _Line, cells: Mapping[tuple[str, Days], Cells], currency: str | None
    ) -> dict[str, Cell]:
        values: dict[str, Cell] = {}
        for figure in self.statement.figures:
            if figure.measure:
                by_line = not self.statement.by_month or figure.days.kind.endswith("_column")
                key = (block.id, line.id if by_line else None)
                nothing = from_kept(0, self.types[figure.name].kind)
                values[figure.name] = cells[(figure.measure, figure.days)].get(key, nothing)
        what = " ".join(filter(None, (block.heading, line.heading)))
        return self.with_formulas(values, self.in_turn, currency, what)

    def with_formulas(
        self, values: dict[str, Cell], wanted: Iterable[str], currency: str | None, what: str
    ) -> dict[str, Cell]:
        figures = {f.name: f for f in self.statement.figures}
        for name in wanted:
            place = (figures[name].formula or self.statement).place
            value = self.reckoned(self.formulas[name], place, values, f"{figures[name].title} of {what}")
            values[name] = _as_named(value, self.types[name], self.places(currency))
        return {name: values[name] for name in figures}

    # --- totals ---

    @cached_property
    def total_ways(self) -> dict[str, str]:
        """How each figure is totalled; what needs a figure without total has none."""
        ways = {f.name: self.total_way(f) for f in self.statement.figures}
        for name in self.in_turn:
            if ways[name] == "formula" and any(ways[read] == "none" for read in self.formulas[name].reads):
                ways[name] = "none"
        return ways

    def total_way(self, figure: Figure) -> str:
        if figure.total and (figure.formula or figure.total != "formula"):
            return figure.total
        if figure.formula:
            return "formula"
        # In a row of months what is no movement of the month is a balance, or the same in all of them.
        return "last" if self.statement.by_month and figure.days.kind != "over_column" else "sum"

    def totals(self, values: Sequence[Mapping[str, Cell]], block: _Line, currency: str | None) -> dict[str, Cell]:
        """The totals of a table over all its lines, also those left out."""
        ways = self.total_ways
        found: dict[str, Cell] = {}
        for name, way in ways.items():
            column = [v[name] for v in values]
            found[name] = _total(column, way, self.types[name])
        reckoned = [name for name in self.in_turn if ways[name] == "formula"]
        what = f"the total{' of ' + block.heading if block.heading else ''}"
        return self.with_formulas(found, reckoned, currency, what)

    def failed_check(self, drawn: _Drawn) -> Iterator[str]:
        """What does not hold, in words, with the totals that it is about."""
        check = self.statement.check
        if check is None:
            return
        formula = self.compiled(check)
        if none := [n for n in formula.reads if self.total_ways[n] == "none"]:
            raise InvalidInput(f"{check.place}: The check is about {', '.join(none)}, which has no total.")
        heading = f" of {drawn.block.heading}" if drawn.block.heading else ""
        if not self.reckoned(formula, check.place, drawn.totals, f"The check{heading}"):
            totals = ", ".join(f"{n} is {as_text(drawn.totals[n])}" for n in formula.reads)
            yield f"{check.place}: The check{heading} does not hold: {check.text}. In total {totals}."


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The values of one table: by line, then by the name of the figure."""

    block: _Line
    currency: str | None
    values: list[dict[str, Cell]]
    totals: dict[str, Cell]


@dataclass(frozen=True)
class _FigureCode:
    """Reads figures from the dictionary `v`; what was taken is put in as it is."""

    given: _Given
    names: Names
    place: Place
    constants: Constants = field(default_factory=Constants)

    def load(self, path: Path) -> str:
        if path[0] in self.given.fields:
            return self.constant(self.given.at(path))
        if self.names.type_of(path) is None or path[0] not in {*self.names.lets, *self.names.further}:
            raise InvalidInput(f"{self.place}: A formula of a statement does not know `{'.'.join(path)}`.")
        return f"v[{path[0]!r}]"

    def constant(self, value: Constant) -> str:
        return self.constants.constant(value)

    def call(self, node: Call) -> str | None:
        if node.name not in FUNCTIONS:
            raise InvalidInput(f"{self.place}: Name the measure `{node.name}` in a figure of its own.")
        return None

    def inner(self, path: Path, variable: str) -> Code:
        raise InvalidInput(f"{self.place}: `{'.'.join(path)}` is a list; a statement reads single values.")

    def list_source(self, path: Path) -> str:
        raise InvalidInput(f"{self.place}: `{'.'.join(path)}` is a list; a statement reads single values.")

    def type_of(self, path: Path) -> Type | None:
        return self.names.type_of(path)


# --- laying out ------------------------------------------------------------------------------------------------------

Layout: TypeAlias = "tuple[tuple[Column, ...], tuple[str, ...], tuple[Block, ...]]"


def _as_columns(drawing: _Drawing, drawn: Sequence[_Drawn]) -> Layout:
    """A row for each line, a column for each figure."""
    s = drawing.statement
    columns = tuple(Column(f.name, f.title, drawing.types[f.name], f.show) for f in s.figures)
    blocks = []
    for each in drawn:
        lines = zip(drawing.lines.lines, each.values, strict=True)
        rows = [_figures_row(line, v) for line, v in lines if not (s.each.left_out and _is_empty(v))]
        totals = _figures_row(_Line(None, "", ("Total",)), each.totals) if s.totals else None
        blocks.append(_block(drawing, each, rows, totals))
    return columns, _line_labels(drawing), tuple(blocks)


def _figures_row(line: _Line, values: Mapping[str, Cell]) -> Row:
    return Row(line.key, line.label, tuple(values.values()))


def _as_rows(drawing: _Drawing, drawn: Sequence[_Drawn]) -> Layout:
    """A row for each figure, a column for each line that holds something in any table, and one for the totals."""
    s = drawing.statement
    shown_lines = [
        (index, line) for index, line in enumerate(drawing.lines.lines)
        if not s.each.left_out or any(not _is_empty(each.values[index]) for each in drawn)
    ]  # fmt: skip
    columns = [Column(line.key, line.heading, None) for _, line in shown_lines]
    if s.totals:
        columns.append(Column("total", "Total", None))
    indexes = [index for index, _ in shown_lines]
    blocks = [_block(drawing, each, _line_rows(drawing, each, indexes), None) for each in drawn]
    return tuple(columns), ("",), tuple(blocks)


def _line_rows(drawing: _Drawing, drawn: _Drawn, indexes: Sequence[int]) -> list[Row]:
    s = drawing.statement
    rows = []
    for f in s.figures:
        values = [drawn.values[index][f.name] for index in indexes]
        total = [drawn.totals[f.name]] if s.totals else []
        rows.append(Row(f.name, (f.title,), (*values, *total), drawing.types[f.name], f.show))
    return rows


def _block(drawing: _Drawing, drawn: _Drawn, rows: Iterable[Row], totals: Row | None) -> Block:
    places = drawing.places(drawn.currency)
    return Block(drawn.block.key, drawn.block.heading, drawn.currency, USUAL_PLACES if places is None else places,
                 tuple(rows), totals)  # fmt: skip


def _line_labels(drawing: _Drawing) -> tuple[str, ...]:
    """The headings of a label: what people call a record, and what describes it."""
    each = drawing.statement.each
    if isinstance(each, Months):
        return (each.title or "Month",)
    title = _title_path(_record(drawing.library, each.of))
    return (each.title or in_words(each.of), *(in_words(name) for name in title or ()))


# --- single values ---------------------------------------------------------------------------------------------------


def _sorted_lines(rows: Iterable[Any], types: Sequence[Type], keys: int, names: int) -> tuple[_Line, ...]:
    """Lines from rows of the id, the key, what describes the record, and what they are sorted by."""
    decode = decoder(types)
    behind = 1 + keys + names
    decoded = [decode(row) for row in rows]
    decoded.sort(key=lambda r: (*map(_in_order, r[behind:], types[behind:]), r[0]))
    lines = []
    for row in decoded:
        key = _joined_text(row[1 : 1 + keys])
        label = (key, _joined_text(row[1 + keys : behind])) if names else (key,)
        lines.append(_Line(row[0], key, label))
    return tuple(lines)


def _joined_text(values: Iterable[Any]) -> str:
    return "/".join("" if v is None else as_text(v) for v in values)


def _is_empty(values: Mapping[str, Cell]) -> bool:
    """Whether all figures of a line are zero or none."""
    return all(v is None or (not isinstance(v, str) and v == 0) for v in values.values())


def _total(column: Sequence[Cell], way: str, type_: Type) -> Cell:
    """The sum of what is given, or the last; of no lines nothing."""
    if way in ("none", "formula") or not type_.is_numeric:
        return None
    nothing = from_kept(0, type_.kind)
    if way == "last":
        return column[-1] if column else nothing
    return sum((v for v in column if v is not None and not isinstance(v, str)), start=nothing)


def _as_named(value: Any, type_: Type, places: int | None) -> Cell:
    """A formula's value as it stands in the statement: money in whole units of its currency, other decimals as kept."""
    if value is None or not type_.is_numeric:
        return None if value is None else as_text(value)
    if type_.kind == "whole":
        return int(value)
    amount = Decimal(value)
    if type_.kind == "money" and places is not None:
        return rounded(amount, places)
    kept = SCALES[type_.kind]
    return rounded(amount, kept) if -int(amount.as_tuple().exponent) > kept else amount


def currency_path(library: Library, measure: d.Measure, type_: Type) -> Path | None:
    """Where the currency of a measure's money stands, from its record; None where it sums no money."""
    if type_.kind != "money" or measure.sum is None:
        return None
    node = _parsed(measure.sum)
    path = node.parts if isinstance(node, PathNode) else ("",)
    before = library.along(Type("ref", of=measure.of), path[:-1]) if path[:-1] else None
    record = _record(library, before.of if before else measure.of)
    own = record.fields.get(path[-1])
    declared = (own.currency if own else None) or record.currency
    return (*path[:-1], *declared) if declared else None


def _compared(
    sign: Callable[[Any, Any], Any], column: ColumnElement[Any], day: date | None
) -> list[ColumnElement[bool]]:
    """A bound on a date; none bounds nothing."""
    return [] if day is None else [sign(column, day)]


def _record(library: Library, name: str) -> d.Record:
    found = library.record(name)
    assert found is not None
    return found


def _parsed(text: d.Text) -> Node:
    try:
        return parse(text.text)
    except ExpressionError as wrong:
        raise _said(wrong, text.place) from None


def _in_sql(node: Node, joined: Joined, text: d.Text) -> ColumnElement[bool]:
    try:
        return sql_expression(node, joined)
    except ExpressionError as wrong:
        raise _said(wrong, text.place) from None


def _amount(joined: Joined, measure: d.Measure) -> ColumnElement[Any]:
    try:
        return measured(joined, measure)
    except ExpressionError as wrong:
        raise _said(wrong, (measure.sum or measure).place) from None


def _said(wrong: ExpressionError, place: Place) -> InvalidInput:
    return InvalidInput(f"{place}: {wrong.message}{': ' + wrong.hint if wrong.hint else ''}.")


def _refuse_backwards(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and first > last:
        raise InvalidInput(f"The first day, {first}, is after the last, {last}.")
