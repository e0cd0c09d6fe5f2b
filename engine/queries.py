"""Turns paths over records into SELECT statements with the joins they need. Builds statements; `store` runs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, false, func, literal, or_, select
from sqlalchemy.sql.expression import FromClause

from . import definitions as d
from .expression_sql import sql_number
from .expressions import parse
from .library import Library
from .model import MONEY, Parts, Type
from .money import LARGEST_KEPT, from_kept, kept_or_none, shown
from .scopes import measure_type
from .tables import ENTRY, Declared, column_type, table_name

AT_ONCE = 10_000  # values in one list of a statement; SQLite takes 32,766


class Joined:
    """A record's table with the tables its paths lead to, each joined once, always outer so that no row is lost."""

    def __init__(self, library: Library, metadata: Declared, record: d.Record) -> None:
        self.library, self.metadata, self.record = library, metadata, record
        self.base: FromClause = metadata.tables[table_name(record.name)].alias()
        self._from: FromClause = self.base
        self._tables: dict[Parts, tuple[FromClause, d.Record]] = {(): (self.base, record)}
        self.bound: dict[Parts, tuple[ColumnElement[Any], Type]] = {}

    def bind(self, name: str, value: Any, type_: Type) -> None:
        """Let `this.NAME` in a filter stand for a value from outside, as does the name alone where the record has no
        such field; numbers are given as kept."""
        given = (literal(value, column_type(type_)), type_)
        self.bound[("this", name)] = given
        if self.library.member(self.record, name) is None:
            self.bound[(name,)] = given

    def column(self, path: Parts) -> tuple[ColumnElement[Any], Type]:
        """The column at the end of a path and its type; raises KeyError where there is none."""
        if path in self.bound:
            return self.bound[path]
        table, record = self._table(path[:-1])
        name = path[-1]
        type_ = self.library.member(record, name)
        if type_ is None:
            raise KeyError(".".join(path))
        if len(path) > 1:
            type_ = type_.or_none()
        if table_name(record.name) == ENTRY and name in ("debit", "credit"):
            amount = table.c.amount
            return (
                case((amount > 0, amount), else_=0) if name == "debit" else case((amount < 0, -amount), else_=0)
            ), MONEY
        return table.c[name], type_

    def _table(self, path: Parts) -> tuple[FromClause, d.Record]:
        if path not in self._tables:
            table, record = self._table(path[:-1])
            type_ = self.library.member(record, path[-1])
            target = self.library.record(type_.of) if type_ and type_.kind == "ref" else None
            if target is None:
                raise KeyError(".".join(path))
            joined = self.metadata.tables[table_name(target.name)].alias()
            self._from = self._from.outerjoin(joined, table.c[path[-1]] == joined.c.id)
            self._tables[path] = (joined, target)
        return self._tables[path]

    def select(self, paths: Iterable[Parts], *more: ColumnElement[Any]) -> Select[Any]:
        """SELECT of the values at the paths, then of further columns."""
        columns = [self.column(p)[0] for p in paths]
        return select(*columns, *more).select_from(self._from)

    def selecting(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """SELECT of columns already made from this; taken last, when all joins are known."""
        return select(*columns).select_from(self._from)


def types_of(library: Library, record: d.Record, paths: Sequence[Parts]) -> list[Type]:
    """The types at the ends of paths; the paths are known to exist."""
    start = Type("ref", of=record.name)
    return [library.along(start, p) or Type("text") for p in paths]


def measured(joined: Joined, measure: d.Measure) -> ColumnElement[Any]:
    """The aggregate of a measure over its joined tables."""
    if measure.sum is None:
        return func.count()
    kind = measure_type(joined.library, measure, joined.record).kind
    return func.sum(sql_number(parse(measure.sum.text), joined, kind))


def too_large(measure: d.Measure, type_: Type) -> str:
    """What is said of a measure whose sum cannot be told."""
    most = shown(from_kept(LARGEST_KEPT, type_.kind))
    said = f"The sum of the measure `{measure.name}` is beyond what can be kept: between -{most} and {most}."
    return f"{measure.place}: {said}"


def among(column: ColumnElement[Any], type_: Type, values: Iterable[Any]) -> ColumnElement[bool]:
    """column is one of the values, none included; what is too large or too precise to be kept is in no column."""
    distinct = set(values)
    given = [v for v in distinct if v is not None]
    kept = [k for v in given if (k := kept_or_none(v, type_.kind)) is not None] if type_.is_numeric else given
    if len(kept) > AT_ONCE:
        return and_(column >= min(kept), column <= max(kept)) if None not in distinct else column.is_not(None)
    # As one value: SQLAlchemy would look at each of the list by itself.
    conditions = [column.in_(bindparam("among", kept, unique=True, expanding=True))] if kept else []
    if None in distinct:
        conditions.append(column.is_(None))
    return or_(*conditions) if conditions else false()


def parts(values: Iterable[Any]) -> Iterable[list[Any]]:
    """A list in pieces that one statement takes."""
    listed = list(values)
    for start in range(0, len(listed), AT_ONCE):
        yield listed[start : start + AT_ONCE]
