"""What the scene of a written test looks up in the store: one statement for each kind of thing, however many ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Row, select

from .definitions import Calendar, Measure
from .explanation_past import Past
from .expression_sql import sql_expression
from .expressions import parse
from .facts import from_plain, plain
from .grants import GRANT
from .library import Library
from .queries import Joined, among, parts

Reference: TypeAlias = "tuple[str, str]"  # a record type and one of its fields
Of: TypeAlias = "tuple[Any, ...]"  # the values that a measure was asked for

MOST_MEASURED = 10_000  # records under one value; a scene has far fewer events


class Lookups:
    """Answers that are looked up once, for all that ask them, and kept."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self._referring: dict[Reference, dict[int, list[int]]] = defaultdict(dict)
        self._measured: dict[str, dict[Of, list[int]]] = defaultdict(dict)
        self._grants: dict[int, list[Row[Any]]] = {}

    # --- records that refer to others ---

    def learn_referring(self, record: str, field: str, values: Iterable[int]) -> None:
        table, known = self.past.tables[record], self._referring[record, field]
        fresh = [value for value in dict.fromkeys(values) if value not in known]
        known |= {value: [] for value in fresh}
        for part in parts(fresh):
            asked = select(table.c[field], table.c.id).where(table.c[field].in_(part))
            for value, id_ in self.past.session.rows(asked):
                known[value].append(id_)

    def referring(self, record: str, field: str, value: int) -> list[int]:
        """The records that refer to one by a field. What came later has no events before, and adds nothing."""
        self.learn_referring(record, field, [value])
        return self._referring[record, field][value]

    # --- records that were measured ---

    def learn_measured(self, library: Library, measure: Measure, values: Iterable[Sequence[Any]]) -> None:
        known = self._measured[measure.name]
        fresh: dict[int, list[Of]] = defaultdict(list)
        for of in dict.fromkeys(map(tuple, values)):
            if of not in known:
                known[of] = []
                fresh[len(of)].append(of)
        for listed in fresh.values():
            for part in parts(listed):
                self._measure(library, measure, part)

    def _measure(self, library: Library, measure: Measure, asked: Sequence[Of]) -> None:
        declared = library.record(measure.of)
        if declared is None:
            return
        joined = Joined(library, self.past.rules.metadata, declared)
        paths = [path for path, _ in zip(measure.by.values(), asked[0], strict=False)]
        by = [joined.column(path) for path in paths]
        if len(asked) > 1 and any(type_.is_numeric for _, type_ in by):  # which are kept otherwise than they are told
            for of in asked:
                self._measure(library, measure, [of])
            return
        where = [
            among(column, type_, [from_plain(of[at], type_) for of in asked]) for at, (column, type_) in enumerate(by)
        ]
        where += [sql_expression(parse(measure.where.text), joined)] if measure.where else []
        statement = joined.select([("id",), *paths]).where(*where).limit(MOST_MEASURED * len(asked))
        for id_, *of in self.past.session.rows(statement):
            found = self._measured[measure.name].get(asked[0] if len(asked) == 1 else tuple(map(plain, of)))
            if found is not None:
                found.append(id_)

    def measured(self, library: Library, measure: Measure, of: Sequence[Any]) -> list[int]:
        """The records that a measure was taken of."""
        self.learn_measured(library, measure, [of])
        return self._measured[measure.name][tuple(of)]

    # --- days that were closed ---

    def closed(self, library: Library, calendar: Calendar, of: Sequence[Any], days: Sequence[str]) -> list[int]:
        """The records that closed these days, for what the calendar was asked for or for all."""
        declared = library.record(calendar.of)
        if declared is None or not days:
            return []
        joined = Joined(library, self.past.rules.metadata, declared)
        day, type_ = joined.column((calendar.day,))
        where = [among(day, type_, [from_plain(each, type_) for each in days])]
        for path, value in zip(calendar.by.values(), of, strict=True):
            column, of_column = joined.column(path)
            where.append(among(column, of_column, [None, from_plain(value, of_column)]))
        return [row[0] for row in self.past.session.rows(joined.select([("id",)]).where(*where))]

    # --- roles that were granted ---

    def learn_grants(self, actors: Iterable[int]) -> None:
        grants = self.past.tables[GRANT]
        fresh = [actor for actor in dict.fromkeys(actors) if actor not in self._grants]
        self._grants |= {actor: [] for actor in fresh}
        for part in parts(fresh):
            asked = select(grants.c.id, grants.c.actor, grants.c.role, grants.c.held_for)
            for row in self.past.session.rows(asked.where(grants.c.actor.in_(part)).order_by(grants.c.id)):
                self._grants[row.actor].append(row)

    def grants(self, actor: int, role: str, held_for: str) -> list[int]:
        """What gave an actor a role, for one record or for all of them."""
        self.learn_grants([actor])
        return [row.id for row in self._grants[actor] if row.role == role and row.held_for in (None, held_for)]
