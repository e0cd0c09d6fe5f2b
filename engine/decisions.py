"""Decision tables as pure functions: from inputs, a date and candidate rows to an answer and what it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from . import definitions as d
from .cells import cell_source, constant
from .expression_python import Constants, compile_function
from .frozen import frozen
from .model import Type


@frozen
class TableRow:
    """A row ready to be asked. `filled` are the search inputs it fills; `then` its answers in the order of the outputs.

    `who` names it for people: a row's name with its place, or the record it is.
    """

    said: str
    matches: Callable[[Sequence[Any]], bool]
    filled: frozenset[str]
    then: tuple[Any, ...]
    since: date | None
    until: date | None


@frozen
class Answer:
    """What a table says: `outputs` (one tuple, or for `collect` a tuple of them), the rows hit, the key set that hit.

    `outputs` is None when nothing matched; `problem` says so where two rows matched that may not.
    """

    outputs: tuple[Any, ...] | None
    rows: tuple[str, ...] = ()
    key_set: tuple[str, ...] | None = None
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """A decision made ready: its inputs' names and types in order, its own rows or the record type its rows are."""

    decision: d.Decision
    inputs: tuple[str, ...]
    input_types: tuple[Type, ...]
    output_types: tuple[Type, ...]
    rows: tuple[TableRow, ...]

    @property
    def name(self) -> str:
        return self.decision.name

    @property
    def searched(self) -> frozenset[str]:
        """The inputs that some key set names: empty in a row, they mean any."""
        return frozenset(k for sets in self.decision.searches.values() for keys in sets for k in keys)


def build_table(decision: d.Decision, input_types: Sequence[Type], output_types: Sequence[Type]) -> Table:
    """Make the rows in place ready; raises ValueError where a constant does not fit."""
    names = tuple(decision.inputs)
    table = Table(decision, names, tuple(input_types), tuple(output_types), ())
    rows = tuple(_row_in_place(table, row) for row in decision.rows)
    return Table(decision, names, tuple(input_types), tuple(output_types), rows)


def _row_in_place(table: Table, row: d.Row) -> TableRow:
    constants = Constants()
    sources = []
    for cell in row.cells:
        index = table.inputs.index(".".join(cell.path))
        sources.append(cell_source(cell, f"i[{index}]", table.input_types[index], constants.constant))
    matches = compile_function(" and ".join(sources) or "True", ["i"], constants.names)
    filled = frozenset(".".join(c.path) for c in row.cells) & table.searched
    then = tuple(
        _output(row.then.get(name), type_)
        for name, type_ in zip(table.decision.outputs, table.output_types, strict=True)
    )
    return TableRow(f"{row.name} ({row.place})", matches, filled, then, _day(row.since), _day(row.until))


def _output(text: d.Text | None, type_: Type) -> Any:
    return None if text is None or text.text == "none" else constant(text.text, type_)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def row_of_record(table: Table, said: str, values: Mapping[str, Any]) -> TableRow:
    """A candidate row that is a record: empty inputs mean any, `from` and `until` its validity."""
    conditions = [(i, values[n]) for i, n in enumerate(table.inputs) if values.get(n) is not None]
    filled = frozenset(table.inputs[i] for i, _ in conditions) & table.searched
    then = tuple(values.get(name) for name in table.decision.outputs)
    return TableRow(
        said, lambda i: all(i[k] == v for k, v in conditions), filled, then, values.get("from"), values.get("until")
    )


def decide(table: Table, inputs: Sequence[Any], on: date | None, rows: Sequence[TableRow]) -> Answer:
    """Take the decision over the rows given (the table's own, or the candidate records)."""
    valid = [r for r in rows if _holds_on(r, on) and r.matches(inputs)]
    hit = table.decision.hit
    if hit == "most_specific":
        return _most_specific(table, inputs, valid)
    if hit == "collect":
        return _collected(table, valid)
    if hit == "unique" and len(valid) > 1:
        return _two(valid)
    return Answer(valid[0].then, (valid[0].said,)) if valid else _otherwise(table)


def _holds_on(row: TableRow, on: date | None) -> bool:
    if on is None:
        return True
    return (row.since is None or row.since <= on) and (row.until is None or on <= row.until)


def _most_specific(table: Table, inputs: Sequence[Any], valid: list[TableRow]) -> Answer:
    decision = table.decision
    order = str(inputs[table.inputs.index(decision.chosen_by)]) if decision.chosen_by else ""
    for keys in decision.searches.get(order, ()):
        hits = [r for r in valid if r.filled == frozenset(keys)]
        if len(hits) > 1:
            return _two(hits)
        if hits:
            return Answer(hits[0].then, (hits[0].said,), tuple(keys))
    return _otherwise(table)


def _collected(table: Table, valid: list[TableRow]) -> Answer:
    rows = list(valid)
    if table.decision.order:
        place = list(table.decision.outputs).index(table.decision.order)
        rows.sort(key=lambda r: r.then[place])
    return Answer(tuple(r.then for r in rows), tuple(r.said for r in rows))


def _two(rows: Sequence[TableRow]) -> Answer:
    return Answer(
        None, tuple(r.said for r in rows), problem="two rows match: " + " and ".join(r.said for r in rows[:2])
    )


def _otherwise(table: Table) -> Answer:
    otherwise = table.decision.otherwise
    if otherwise is None:
        return Answer(None)
    outputs = zip(table.decision.outputs, table.output_types, strict=True)
    return Answer(tuple(_output(otherwise.get(n), t) for n, t in outputs), ("otherwise",))
