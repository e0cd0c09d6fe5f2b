"""Kept totals in the store: read, locked against others, moved by whoever moves them, made anew, and proved.

A row of their table is the total of one measure for one key. Nobody else writes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from . import definitions as d
from .errors import InvalidInput
from .expression_sql import sql_expression
from .expressions import parse
from .library import Library
from .money import from_kept, shown, to_kept
from .movements import Amount, Key, Movement, key_text, movements_of
from .queries import Joined, measured, parts, too_large
from .store import Session, decoder
from .tables import KEPT, Declared

if TYPE_CHECKING:
    from .gathering import Pending


def kept_movements(library: Library, metadata: Declared) -> Mapping[str, list[Movement]]:
    """What is kept, by the record type that moves it; made once."""
    made = metadata.joined
    if "movements" not in made:
        made["movements"] = movements_of(library)
    return made["movements"]  # type: ignore[no-any-return]


def moved(library: Library, metadata: Declared, pending: Pending) -> Iterator[tuple[Any, Movement, Key, Amount]]:
    """What the rows of a piece of work move, each with its root: what a record was is taken back, what it is added."""
    for name, movements in kept_movements(library, metadata).items():
        for id_, (row, root) in pending.rows.get(name, {}).items():
            before = None if (name, id_) in pending.created else pending.before.get((name, id_))
            for movement in movements:
                if before is not None and (was := movement.of(before)):
                    yield root, movement, was[0], -was[1]
                if row is not None and (now := movement.of(row)):
                    yield root, movement, now[0], now[1]


def totals(
    session: Session, metadata: Declared, measure: d.Measure, kind: str, keys: Collection[Key], locked: bool = False
) -> dict[Key, Amount]:
    """The totals of a measure for whole keys, 0 where nothing moved them; `locked` against everybody else."""
    table, by_text = metadata.tables[KEPT], {key_text(key): key for key in keys}
    found: dict[Key, Amount] = {key: from_kept(0, kind) for key in keys}
    # One order everywhere, so that two workers never wait for each other in a circle.
    for part in parts(sorted(by_text)):
        statement = select(table.c.of, table.c.total).where(table.c.measure == measure.name, table.c.of.in_(part))
        statement = statement.order_by(table.c.of)
        for text, total in session.rows(statement.with_for_update() if locked else statement):
            found[by_text[text]] = from_kept(total, kind)
    return found


def move(session: Session, metadata: Declared, moves: Collection[tuple[Movement, Key, Amount]]) -> None:
    """Move totals; raises InvalidInput where one would become too large to be kept."""
    added: dict[str, dict[Key, Amount]] = defaultdict(dict)
    by_name = {movement.measure.name: movement for movement, _, _ in moves}
    for movement, key, amount in moves:
        of_measure = added[movement.measure.name]
        of_measure[key] = of_measure.get(key, 0) + amount
    for name, wanted in sorted(added.items()):
        movement, really = by_name[name], {key: amount for key, amount in wanted.items() if amount}
        before = totals(session, metadata, movement.measure, movement.type.kind, really.keys(), locked=True)
        rows = [(name, key_text(key), _kept(movement, before[key] + amount)) for key, amount in really.items()]
        session.put(metadata.tables[KEPT], rows)


def _kept(movement: Movement, total: Amount) -> int:
    try:
        return to_kept(total, movement.type.kind)
    except ValueError:
        raise InvalidInput(too_large(movement.measure, movement.type)) from None


# --- as a whole ------------------------------------------------------------------------------------------------------


def rebuild(session: Session, library: Library, metadata: Declared) -> None:
    """Make all totals anew from what they sum: what is kept may be otherwise under a new pack."""
    table = metadata.tables[KEPT]
    session.connection.execute(table.delete())
    for movement in _all(library, metadata):
        rows = [(movement.measure.name, text, total) for text, total in summed(session, library, metadata, movement)]
        session.insert(table, rows)


def differences(session: Session, library: Library, metadata: Declared) -> Iterator[str]:
    """The totals that are not what they sum."""
    table = metadata.tables[KEPT]
    for movement in _all(library, metadata):
        name, kind = movement.measure.name, movement.type.kind
        kept = dict(session.rows(select(table.c.of, table.c.total).where(table.c.measure == name)))
        sums = dict(summed(session, library, metadata, movement))
        for text in sorted(kept.keys() | sums.keys()):
            is_, should = kept.get(text, 0), sums.get(text, 0)
            if is_ != should:
                kept_as, comes_to = shown(from_kept(is_, kind)), shown(from_kept(should, kind))
                yield f"the total {name} of {text} is kept as {kept_as}; what it sums comes to {comes_to}"


def summed(session: Session, library: Library, metadata: Declared, movement: Movement) -> Iterator[tuple[str, int]]:
    """The totals as they should be kept, by key: summed by the database."""
    measure = movement.measure
    record = library.record(measure.of)
    assert record is not None
    joined = Joined(library, metadata, record)
    by = [joined.column(path) for path in measure.by.values()]
    statement = joined.selecting(*(column for column, _ in by), measured(joined, measure))
    if measure.where:
        statement = statement.where(sql_expression(parse(measure.where.text), joined))
    if by:
        statement = statement.group_by(*(column for column, _ in by))
    decode = decoder([type_ for _, type_ in by])
    for row in session.sums(statement):
        yield key_text(tuple(decode(row[:-1]))), row[-1]


def _all(library: Library, metadata: Declared) -> Iterator[Movement]:
    return (movement for found in kept_movements(library, metadata).values() for movement in found)
