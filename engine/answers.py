"""Takes decisions for many firings at once: each question once, answers of tables in the pack once for good."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_

from . import programs as p
from .decisions import Answer, Table, TableRow, decide, row_of_record
from .expression_sql import sql_expression
from .expressions import parse
from .queries import among, types_of
from .store import decoder

if TYPE_CHECKING:
    from .gathering import Gatherer


class Answers:
    """What the decisions of a piece of work answer; `decided` are the answers known for good, by table and question."""

    def __init__(self, gatherer: Gatherer, decided: dict[str, dict[Any, Any]]) -> None:
        self.gatherer, self.library = gatherer, gatherer.library
        # Answers of tables whose rows stand in the pack hold for good; those over records for this piece of work.
        self.decided = decided
        self.decided_now: dict[str, dict[Any, Any]] = {}

    def read(self, operation: p.Decided, asked: list[tuple[Any, Any]]) -> None:
        """Fill a decision for every firing that asks it; where it has no answer, that stands against the firing."""
        table = operation.table
        assert table is not None
        lasting = table.decision.rows_of is None and not self.names_records(table)
        memo = (self.decided if lasting else self.decided_now).setdefault(table.name, {})
        keys = {key for _, key in asked}
        missing = keys - memo.keys()
        if missing:
            memo.update(self.decide_all(table, missing))
        for key in keys - missing:
            value, _, content = memo[key]
            self.gatherer.facts.contents[value[-1]] = content
        index = operation.index
        for firing, key in asked:
            value, problem, _ = memo[key]
            firing.v[index] = value
            if problem is not None:
                firing.unanswered |= {index}
                firing.refuse_by(operation.refusal, operation.place, table.name, problem)

    def names_records(self, table: Table) -> bool:
        return any(t.kind == "ref" for t in table.output_types)

    def decide_all(self, table: Table, keys: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], Any]:
        """The answers by (input..., date). Days between which no row begins or ends share one answer."""
        near = _Near(table, self.table_rows(table, keys)) if table.decision.rows_of else None
        rows = near.all if near else table.rows
        days = turning_days(rows)
        taken: dict[tuple[Any, ...], Any] = {}
        answers = {}
        for key in keys:
            inputs, span = key[:-1], span_of(days, key[-1])
            same = (*inputs, span)
            if same not in taken:
                asked = near.rows(inputs) if near else rows
                answer = decide(table, inputs, key[-1], asked)
                taken[same] = self.answered(table, inputs, span, answer, asked if near else ())
            answers[key] = taken[same]
        return answers

    def answered(
        self, table: Table, inputs: tuple[Any, ...], span: Span | None, answer: Answer, rows: Sequence[TableRow]
    ) -> tuple[tuple[Any, ...], str | None, str]:
        """(value, problem, the fact's text): the value is the outputs and the fact's hash."""
        outputs = self.with_ids(table, answer)
        collected = table.decision.hit == "collect"
        content: dict[str, Any] = {
            "decision": table.name, "inputs": dict(zip(table.inputs, inputs, strict=True)), "on": span,
            "rows": answer.rows, "key_set": answer.key_set, "outputs": outputs,
        }  # fmt: skip
        if table.decision.rows_of:
            content["candidates"] = [
                {"row": r.said, "filled": sorted(r.filled), "from": r.since, "until": r.until, "then": r.then}
                for r in rows
            ]
        fact = self.gatherer.facts.add(content)
        text = self.gatherer.facts.contents[fact]
        if outputs is None:
            return (*(None for _ in table.decision.outputs), fact), answer.problem, text
        return ((outputs, fact) if collected else (*outputs, fact)), None, text

    def with_ids(self, table: Table, answer: Answer) -> tuple[Any, ...] | None:
        """Answers that name a record by its key get its number."""
        if answer.outputs is None or table.decision.rows_of or not self.names_records(table):
            return answer.outputs
        rows = answer.outputs if table.decision.hit == "collect" else (answer.outputs,)
        named = [
            tuple(self.gatherer.id_of(t.of, v) if t.kind == "ref" and isinstance(v, str) else v
                  for v, t in zip(row, table.output_types, strict=True))
            for row in rows
        ]  # fmt: skip
        return tuple(named) if table.decision.hit == "collect" else named[0]

    def table_rows(self, table: Table, keys: set[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """The records that may be rows for any of these questions."""
        decision = table.decision
        joined = self.gatherer.joined(str(decision.rows_of), ("rows", decision.name))
        names = [n for n in (*decision.inputs, *decision.outputs, "from", "until") if n in joined.record.fields]
        statement = joined.select([("id",), *((n,) for n in names)])
        for position, name in enumerate(table.inputs):
            if name in joined.record.fields:
                column, type_ = joined.column((name,))
                statement = statement.where(or_(column.is_(None), among(column, type_, {k[position] for k in keys})))
        if decision.rows_where:
            condition = sql_expression(parse(decision.rows_where.text), joined)
            statement = joined.select([("id",), *((n,) for n in names)]).where(condition, *statement._where_criteria)
        decode = decoder(types_of(self.library, joined.record, [("id",), *((n,) for n in names)]))
        rows = [dict(zip(("id", *names), decode(r), strict=True)) for r in self.gatherer.session.rows(statement)]
        if decision.rows_as:
            rows = [{**row, decision.rows_as: row["id"]} for row in rows]
        return sorted(rows, key=lambda r: r["id"])


class _Near:
    """Finds among many rows that are records those whose filled inputs are as asked, without going through all."""

    def __init__(self, table: Table, records: Sequence[Mapping[str, Any]]) -> None:
        self.all: list[TableRow] = []
        self._by_filled: dict[tuple[int, ...], dict[tuple[Any, ...], list[TableRow]]] = {}
        for record in records:
            row = row_of_record(table, f"{table.decision.rows_of} {record['id']}", record)
            filled = tuple(i for i, n in enumerate(table.inputs) if record.get(n) is not None)
            values = tuple(record[table.inputs[i]] for i in filled)
            self._by_filled.setdefault(filled, {}).setdefault(values, []).append(row)
            self.all.append(row)

    def rows(self, inputs: Sequence[Any]) -> list[TableRow]:
        found: list[TableRow] = []
        for filled, by_values in self._by_filled.items():
            found += by_values.get(tuple(inputs[i] for i in filled), ())
        return found


Span = tuple[date | None, date | None]


def turning_days(rows: Iterable[TableRow]) -> list[date]:
    """The days on which some row begins to hold, or holds no more."""
    days = {r.since for r in rows if r.since} | {
        r.until + timedelta(days=1) for r in rows if r.until and r.until < date.max
    }
    return sorted(days)


def span_of(days: Sequence[date], on: date | None) -> Span | None:
    """The first and last day around `on` between which no row begins or ends; None without a day."""
    if on is None:
        return None
    place = bisect_right(days, on)
    since = days[place - 1] if place else None
    return since, days[place] - timedelta(days=1) if place < len(days) else None
