"""The command `list`: the records of a type, with what may be done next and by whom."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func

from . import definitions as d
from .batch import pieces
from .commands import Call, filtered, record_named
from .commands_keys import Keys, columns_shown, in_key_order, key_text
from .errors import DONE
from .model import Parts, Type
from .next_steps import Next, NextStep
from .notation import counted
from .queries import types_of
from .store import Session, decoder

CHUNK = 1000
MOST_ACTORS = 3  # named for a step of a list


@dataclass(frozen=True, slots=True)
class Line:
    """A record as `list` shows it."""

    id: int
    key: str
    cells: tuple[str, ...]
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """A line with what may be done next and by whom."""

    line: Line
    next: Sequence[NextStep]

    def rows(self) -> Iterator[Sequence[str]]:
        yield (self.line.key, *self.line.cells, "; ".join(map(step_in_short, self.by_hand)))

    def data(self) -> dict[str, Any]:
        steps = [{"event": s.event, "to": s.leads_to or None, "actors": s.actors,
                  "needs": [t.name for t in s.takes if t.needed]} for s in self.by_hand]  # fmt: skip
        return {"key": self.line.key, "fields": self.line.fields, "next": steps}

    @property
    def by_hand(self) -> list[NextStep]:
        """What somebody may fire; the rest comes with other events."""
        return [s for s in self.next if s.who]


def step_in_short(step: NextStep) -> str:
    """The event and who may fire it; where nobody may, what it would take."""
    actors = step.actors
    if not actors:
        return f"{step.event} by nobody ({' or '.join(right.said for right in step.who)})"
    more = f" and {len(actors) - MOST_ACTORS} more" if len(actors) > MOST_ACTORS + 1 else ""
    return f"{step.event} by {', '.join(actors[:MOST_ACTORS] if more else actors)}{more}"


# --- list ------------------------------------------------------------------------------------------------------------


def list_records(call: Call, name: str, where: str | None, limit: int | None) -> int:
    """Print the records of a type in the order of their keys, each with what may be done next and by whom."""
    record = record_named(call.library, name, ledger=True)
    call.prepare(where)
    with tempfile.SpooledTemporaryFile(max_size=1 << 20, mode="w+", encoding="utf-8", newline="") as spool:
        # Nobody shall wait for a reader who pages: the transaction is over before anything is shown.
        with call.store.reading() as session:
            count, more = _listed(Listing(call, session, record), where, limit, spool)
        spool.seek(0)
        shutil.copyfileobj(spool, sys.stdout)
    said = counted(more or count, f"{name} record")
    call.say(f"{count:,} of {said}; the limit is {limit}." if more else f"{said}.")
    return DONE


def _listed(listing: Listing, where: str | None, limit: int | None, spool: Any) -> tuple[int, int]:
    """How many were printed, and how many there are where that is more."""
    listing.filter(where)
    shown = [c for c in listing.columns if c.name not in listing.key_fields]
    sheet = listing.call.sheet(
        ["key", *(c.name for c in shown), "next"], "records", spool, [c.name for c in shown if c.type.is_numeric],
        spare=True, record=listing.record.name,
    )  # fmt: skip
    next_ = Next(listing.call.charter, listing.session, listing.call.charter.rules, None)
    count = 0
    for lines in pieces(listing.lines(shown, limit), CHUNK):
        steps = next_.steps(listing.record.name, [line.id for line in lines])
        for line in lines:
            sheet.add(Listed(line, steps.get(line.id, ())))
        count += len(lines)
    sheet.end()
    more = listing.count() if limit is not None and count == limit else 0
    return count, more if more > count else 0


@dataclass(frozen=True, slots=True)
class Shown:
    """A column as it is shown; `currency` leads to the currency of its money."""

    name: str
    type: Type
    currency: Parts | None = None


@dataclass
class Listing:
    """Reads the records of one type, their references as keys."""

    call: Call
    session: Session
    record: d.Record
    conditions: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.library = self.call.library
        self.joined = self.call.joined(self.record)
        self.gatherer = self.call.gatherer(self.session)
        self.keys = Keys(self.library)
        shown = columns_shown(self.library, self.record)
        self.columns = [Shown(n, t, self.library.currency_path(self.record, n)) for n, t in shown]
        # What the key says already is not said again beside it.
        self.key_fields = set(self.record.key)

    def filter(self, where: str | None) -> None:
        if where is not None:
            self.conditions.append(filtered(self.call, self.joined, where))

    def only(self, id_: int) -> None:
        self.conditions.append(self.joined.base.c.id == id_)

    def count(self) -> int:
        statement = self.joined.selecting(func.count()).where(*self.conditions)
        return int(self.session.connection.execute(statement).scalar_one())

    def lines(self, shown: Sequence[Shown], limit: int | None = None) -> Iterator[Line]:
        """The records, their fields as texts for the columns shown and as data for all."""
        own: list[Parts] = [(c.name,) for c in self.columns]
        currencies = list(dict.fromkeys(c.currency for c in self.columns if c.currency))
        keys = self.library.key_paths(self.record)
        reading = [("id",), *keys, *own, *currencies]
        order = in_key_order(self.library, self.joined)
        statement = self.joined.select(reading).where(*self.conditions).order_by(*order).limit(limit)
        decode = decoder(types_of(self.library, self.record, reading))
        rows = map(decode, self.session.stream(statement))
        for chunk in pieces(rows, CHUNK):
            first = 1 + len(keys)
            named = [dict(zip((c.name for c in self.columns), row[first:], strict=False)) for row in chunk]
            self.keys.learn(self.gatherer, self.referred(named))
            for row, values in zip(chunk, named, strict=True):
                places = self.places(dict(zip(currencies, row[first + len(own) :], strict=True)))
                cells = tuple(self.keys.text(values[c.name], c.type, places.get(c.currency)) for c in shown)
                data = {c.name: self.keys.data(values[c.name], c.type) for c in self.columns}
                yield Line(row[0], key_text(row[1:first]), cells, data)

    def referred(self, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, int]]:
        for column in self.columns:
            if column.type.kind == "ref":
                yield from ((column.type.of, row[column.name]) for row in rows if row[column.name] is not None)

    def places(self, currencies: dict[Parts, Any]) -> dict[Parts | None, int]:
        known = self.library.manifest.currencies
        return {path: known[code] for path, code in currencies.items() if code in known}
