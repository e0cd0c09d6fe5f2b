"""Runs a declared process: selects records and fires an event on them, chunk by chunk. Run again, it finds nothing."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import definitions as d
from .batch import Batch, Rules, pieces
from .errors import UsageFault
from .expression_sql import in_order, sql_expression
from .expressions import Node, parse
from .facts import Facts
from .firings import Request, Root
from .gathering import Gatherer
from .model import SCALES, Parts
from .money import to_kept
from .notation import KeyText, Value, convert
from .queries import Joined
from .store import Session


def takes_of(fields: Mapping[str, d.Field], given: Mapping[str, str], what: str) -> dict[str, Value]:
    """Turn `KEY=VALUE` texts into what a process or statement takes; raises UsageFault saying all that is wrong."""
    problems = [
        f"{what} does not take {n}; it takes: {', '.join(fields) or 'nothing'}." for n in given if n not in fields
    ]
    values: dict[str, Value] = {}
    for name, f in fields.items():
        if name in given:
            try:
                values[name] = convert(given[name], f)
            except ValueError as wrong:
                problems.append(f"{name}: {wrong}")
        elif f.needed:
            problems.append(f"{what} needs {name}: {f.doc or f.type}")
        else:
            values[name] = convert(f.default, f) if f.default is not None else None
    if problems:
        raise UsageFault("\n".join(problems))
    return values


def with_ids(
    rules: Rules, session: Session, fields: Mapping[str, d.Field], values: Mapping[str, Value]
) -> dict[str, Any]:
    """The same with records by their numbers; raises UsageFault for a record that is not there."""
    gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), {})
    found: dict[str, Any] = dict(values)
    for name, value in values.items():
        if isinstance(value, KeyText):
            found[name] = gatherer.id_of(fields[name].type.of, str(value))
            if found[name] is None:
                raise UsageFault(f"There is no {fields[name].type.of} `{value}`.")
    return found


def bound(joined: Joined, fields: Mapping[str, d.Field], values: Mapping[str, Any]) -> Joined:
    """Let a filter use what was given by name."""
    for name, f in fields.items():
        value = values.get(name)
        kept = to_kept(value, f.type.kind) if SCALES.get(f.type.kind) and value is not None else value
        joined.bind(name, kept, f.type)
    return joined


def selected(
    session: Session, joined: Joined, where: Node | None, order: tuple[str, ...], reached: Parts = ("id",)
) -> Iterator[int]:
    """The ids of the records that meet a condition, in order; or of what they reach by a path, each once."""
    condition = sql_expression(where, joined) if where is not None else None
    by = [in_order(*joined.column(d.dotted(name))) for name in order]
    statement = joined.select([reached])
    if condition is not None:
        statement = statement.where(condition)
    found = (row[0] for row in session.stream(statement.order_by(*by, joined.base.c.id)))
    yield from found if reached == ("id",) else (id_ for id_ in dict.fromkeys(found) if id_ is not None)


@dataclass(frozen=True)
class Wanted:
    """What a process would fire; the requests are made one by one, as there may be millions."""

    record: str
    event: str
    ids: array[int]
    values: Mapping[str, Any]
    acknowledged: frozenset[str]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Request]:
        for id_ in self.ids:
            yield Request(self.record, self.event, id_, self.values, None, self.acknowledged)


def requests(
    rules: Rules, session: Session, process: d.Process, values: Mapping[str, Value],
    acknowledged: frozenset[str] = frozenset(),
) -> Wanted:  # fmt: skip
    """What a process would fire now."""
    given = with_ids(rules, session, process.takes, values)
    record = rules.library.record(process.of)
    assert record is not None
    joined = bound(Joined(rules.library, rules.metadata, record), process.takes, given)
    reached = d.dotted(process.one_per or "id")
    fired_on = joined.column(reached)[1].of if process.one_per else process.of
    order = process.order or limited_order(rules, fired_on, process)
    ids = selected(session, joined, parse(process.where.text) if process.where else None, order, reached)
    handed = {n: given[t.text] for n, t in process.values.items() if t.text in given}
    return Wanted(fired_on, process.event, array("q", ids), handed, acknowledged)


def limited_order(rules: Rules, fired_on: str, process: d.Process) -> tuple[str, ...]:
    """Who comes first where the process does not say it: as a limit on the event has it."""
    limits = [] if process.one_per else rules.library.limits_at(fired_on, process.event)
    return next((tuple(".".join(path) for path in limit.in_order) for limit in limits if limit.in_order), ())


def run(
    batch: Batch, process: d.Process, values: Mapping[str, Value], acknowledged: frozenset[str] = frozenset()
) -> Iterator[tuple[list[Root], int]]:
    """Run it; after each chunk its roots and how many records were selected in all."""
    with batch.store.reading() as session:
        wanted = requests(batch.rules, session, process, values, acknowledged)
    if not wanted:
        yield [], 0
    for roots in batch.in_chunks(wanted, process.chunk, process.stops):
        yield roots, len(wanted)


def run_within(
    batch: Batch, session: Session, process: d.Process, values: Mapping[str, Value],
    acknowledged: frozenset[str] = frozenset(),
) -> list[Root]:  # fmt: skip
    """Run it inside an open transaction."""
    wanted = requests(batch.rules, session, process, values, acknowledged)
    return [root for piece in pieces(wanted, process.chunk) for root in batch.piece(session, piece)]
