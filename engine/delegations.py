"""The delegations as the log tells them, held against what was done in the place of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row, select

from . import definitions as d
from .actors import ADMINISTRATOR, WHERE_NAMED
from .errors import IntegrityBroken
from .frozen import frozen
from .log_texts import changes_of
from .permission import DELEGATION
from .store import Session
from .tables import LOG, Declared


@frozen
class Span:
    """A delegation, and the days between which it was there and held."""

    role: str | None
    covers: str
    first: str
    last: str

    def allows(self, right: str) -> bool:
        """Whether it passes a right on, as the log words it: a role, of a record or not, or who a record names."""
        role = right.partition(" of ")[0]
        if " " in role:
            return self.covers in WHERE_NAMED
        return self.covers != "where_named" and role != ADMINISTRATOR and self.role in (None, role)


class Delegations:
    """Reads the log once; days are compared, since a day is what a delegation is dated with."""

    def __init__(self, session: Session, metadata: Declared, actors: Mapping[str, int]) -> None:
        self.actors = actors
        self.spans: dict[tuple[int, int], list[Span]] = defaultdict(list)
        log = metadata.tables[LOG]
        made: dict[int, Mapping[str, Any]] = {}
        ended: dict[int, str] = {}
        for row in session.rows(select(log).where(log.c.record == DELEGATION).order_by(log.c.id)):
            try:
                changes = changes_of(row)
            except IntegrityBroken:
                # What the row itself has wrong is told of it; nothing was delegated by it.
                continue
            if row.from_state == d.NOTHING:
                made[row.record_id] = {**changes, "made": row.at[:10]}
            elif row.to_state != "in_force":
                ended[row.record_id] = row.at[:10]
        for id_, values in made.items():
            first, last = max(values["from"], values["made"]), min(values["until"], ended.get(id_, values["until"]))
            span = Span(values.get("role"), values["covers"], first, last)
            self.spans[(values["actor"], values["for"])].append(span)

    def differences(self, row: Row[Any]) -> Iterator[str]:
        """What speaks against one row of the log."""
        if row.acting_for is None:
            return
        between = self.actors.get(row.actor, 0), self.actors.get(row.acting_for, 0)
        on = row.at[:10]
        spans = [s for s in self.spans.get(between, ()) if s.first <= on <= s.last]
        if not spans:
            yield f"{row.actor} acted for {row.acting_for}, who had delegated nothing to {row.actor} on {on}"
        elif row.cause is None and not any(s.allows(row.right) for s in spans):
            yield f"{row.actor} acted for {row.acting_for} by right of {row.right}, which was not delegated on {on}"
