"""Explains what stands in a store: any figure down to rule line, values read, people and source row. Reads only.

Everything comes from the log and from the packs kept beside it: the rule shown is the one that was in force then,
whatever the files say today.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, select

from . import definitions as d
from .application import Charter
from .batch import Rules
from .errors import IntegrityBroken, UsageFault, place_in
from .explanation_data import Against, Event, Explanation, Refusal, Value
from .explanation_events import Events
from .explanation_keys import Keys, find_record, known_record
from .explanation_lines import shown_value
from .explanation_past import Past
from .explanation_rules import at
from .explanation_vouchers import Vouchers
from .log_texts import changes_of, reasons_of
from .model import TEXT, Type
from .source import did_you_mean
from .store import Session
from .tables import REFUSAL, columns_of


def why(charter: Charter, subject: str) -> Explanation:
    """Explain a voucher (`H-000001`), an entry (`H-000001/2`), a record (`RECORD KEY`) or a field (`RECORD KEY FIELD`).

    Raises UsageFault where there is no such thing, or where several companies have the voucher: `COMPANY:H-000001`.
    """
    rules = charter.rules
    return charter.store.within(lambda session: Explainer(session, rules).explain(subject))


def history(charter: Charter, record: str, key: str) -> list[Event]:
    """Every event of a record, the first one first; what the rules read is left to `why`."""
    rules = charter.rules

    def work(session: Session) -> list[Event]:
        explainer = Explainer(session, rules)
        rows = explainer.past.of_record(record, find_record(session, rules, record, key))
        explainer.past.load(rows, with_facts=False)
        return explainer.keys.settled(lambda: [explainer.events.event(row, detailed=False) for row in rows])

    return charter.store.within(work)


def refusals_of(session: Session, rules: Rules, record: str, id_: int) -> list[Refusal]:
    """What was refused for a record, the latest first."""
    table = rules.metadata.tables[REFUSAL]
    where = (table.c.record == record) & (table.c.record_id == id_)
    return [
        Refusal(r.at, r.actor, r.login, r.event, r.source,
                tuple(Against(rule, says, at(place_in(place))) for rule, says, place in reasons_of(r)))
        for r in session.rows(select(table).where(where).order_by(table.c.id.desc()))
    ]  # fmt: skip


class Explainer:
    """Makes explanations of what the log says."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self.session, self.rules = session, rules
        self.past = Past(session, rules)
        self.keys = Keys(self.past)
        self.events = Events(self.past, self.keys)
        self.vouchers = Vouchers(self.past, self.keys, self.events)

    def explain(self, subject: str) -> Explanation:
        head, _, rest = subject.strip().partition(" ")
        rest = rest.strip()
        if not rest:
            return self.vouchers.explain(subject.strip())
        if head in ("voucher", "entry"):
            return self.vouchers.explain(rest)
        key, field = self.split(head, rest)
        id_ = find_record(self.session, self.rules, head, key)
        return self.explain_field(subject, head, id_, field) if field else self.explain_record(subject, head, id_)

    def split(self, head: str, rest: str) -> tuple[str, str]:
        """The key and the field of `KEY FIELD`; a key may hold blanks, and a field may not be asked for."""
        record = self.rules.library.record(head)
        key, _, field = rest.rpartition(" ")
        key = key.strip()
        if record is None or not key:
            return rest, ""
        fields = [n for n, _ in columns_of(self.rules.library, record) if n != "id"]
        if field in fields:
            return key, field
        if known_record(self.session, self.rules, head, rest) is None and known_record(
            self.session, self.rules, head, key
        ):
            raise UsageFault(f"A {head} has no `{field}`; {did_you_mean(field, fields) or ', '.join(fields)}")
        return rest, ""

    # --- records and fields ---

    def explain_record(self, subject: str, record: str, id_: int) -> Explanation:
        rows = self.past.of_record(record, id_)
        if not rows:
            raise IntegrityBroken(f"No event of {record} {id_} is in the log: run `charter verify`.")
        last = rows[-1]

        def figure() -> tuple[str, tuple[Value, ...]]:
            called = self.keys.called(record, id_)
            if last.to_state is None:
                return f"{called} is deleted", ()
            return f"{called} is {last.to_state}", self.current(rows)

        return self.explanation(subject, last, figure)

    def current(self, rows: Sequence[Row[Any]]) -> tuple[Value, ...]:
        """The fields of a record as the log last made them."""
        return tuple(Value(name, self.keys.said(t, v)) for name, (_, t, v) in self.made(rows).items())

    def made(self, rows: Sequence[Row[Any]]) -> dict[str, tuple[Row[Any], Type, Any]]:
        """By field the row of the log that last gave it its value, and that value; a new pack completed some."""
        found: dict[str, tuple[Row[Any], Type, Any]] = {}
        first, record = rows[0].id, rows[0].record
        packs = [(row, given[record]) for row, given in self.past.completions if record in given and row.id > first]
        for row, given in sorted([*((r, None) for r in rows), *packs], key=lambda each: each[0].id):
            if given is not None:
                empty = [name for name in given if name not in found or found[name][2] is None]
                found |= {name: (row, TEXT, given[name]) for name in empty}
                continue
            then = self.past.then(row)
            for name, change in changes_of(row).items():
                found[name] = (row, then.type_of(name), change if row.from_state == d.NOTHING else change[1])
        return found

    def explain_field(self, subject: str, record: str, id_: int, field: str) -> Explanation:
        rows = self.past.of_record(record, id_)
        if not rows:
            raise IntegrityBroken(f"No event of {record} {id_} is in the log: run `charter verify`.")
        row, type_, value = self.made(rows).get(field, (rows[0], TEXT, None))
        is_set = value is not None or field in changes_of(row)
        how = "" if row in rows else ": the pack that then came into force completed it"

        def figure() -> tuple[str, tuple[Value, ...]]:
            called = self.keys.called(record, id_)
            if not is_set:
                return f"{field} of {called} is empty: no event ever set it", ()
            after = self.keys.said(type_, value)
            return f"{field} of {called} is {shown_value(after)}{how}", (Value(field, after),)

        return self.explanation(subject, row, figure)

    def explanation(
        self, subject: str, row: Row[Any], figure: Callable[[], tuple[str, tuple[Value, ...]]]
    ) -> Explanation:
        causes, earlier = self.past.lineage(row)
        self.past.load([row, *causes, *earlier])

        def made() -> Explanation:
            figured, values = figure()
            return Explanation(
                subject, figured, None, (), values, self.events.event(row),
                tuple(map(self.events.event, causes)), tuple(map(self.events.event, earlier)),
            )  # fmt: skip

        return self.keys.settled(made)
