"""Writes a rule test from what happened: the events that were given, the one that was fired, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy import Row, select

from . import strict_yaml
from .application import Charter
from .errors import UsageFault
from .explanation_keys import Keys
from .explanation_past import Past
from .explanations import Explainer
from .facts import plain
from .log_texts import changes_of, reads_of
from .model import Type
from .money import from_kept, shown
from .pack_data import Pack
from .source import Document
from .store import Session
from .tables import ENTRY, VOUCHER
from .trial_records import Lives
from .trial_scenes import Happened, Scene
from .trial_texts import as_yaml
from .trials import Verdict, try_out
from .workflow_definitions import NOTHING

Words: TypeAlias = "dict[str, Any]"  # what stands in a test, in the order in which it is written

PARTS_OF_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Example:
    """A rule test that was written, and what came of it when it was tried out by the rules of its time."""

    name: str
    text: str
    verdict: Verdict


def example_of(charter: Charter, subject: str) -> Example:
    """Write a rule test of the event that made a subject what it is, and try it out.

    The subject is one of `why`. Raises UsageFault where no test can be written of it.
    """
    rules = charter.rules

    def work(session: Session) -> tuple[str, str, Pack]:
        explainer = Explainer(session, rules)
        explained = explainer.explain(subject)
        row = explainer.past.row(explained.event.log)
        written = Writing(explainer.past, explainer.keys, row)
        body = explainer.keys.settled(written.body)
        return body["test"], as_yaml(body), explainer.past.then(written.fired.row).pack

    name, text, pack = charter.store.within(work)
    (tree,), _ = strict_yaml.read(text, f"{name}.yaml")
    body = {word: value for word, value in tree.body.items() if word != "test"} if isinstance(tree.body, dict) else {}
    document = Document("test", name, body, tree.places, tree.key_places, pack.name, ((f"{name}.yaml", pack.name),))
    return Example(name, text, try_out(pack, document, text))


class Writing:
    """Writes a test of one event, within one reading of the store."""

    def __init__(self, past: Past, keys: Keys, row: Row[Any]) -> None:
        self.past, self.keys = past, keys
        self.scene = Scene(past, row)
        self.fired = self.scene.happened
        self.given = self.scene.before()
        self.lives = Lives(past, keys, (*self.given, self.fired))

    @property
    def today(self) -> str:
        return str(self.fired.row.at[:10])

    @property
    def name(self) -> str:
        row = self.fired.row
        said = f"{row.event} {self.keys.called(row.record, row.record_id)}".lower()
        name = PARTS_OF_NAME.sub("_", said).strip("_")
        return f"{name}_{row.id}" if self.past.then(row).pack.find("test", name) else name

    def body(self) -> Words:
        """All of the test, as it is written."""
        row = self.fired.row
        called = self.keys.called(row.record, row.record_id)
        body: Words = {
            "test": self.name,
            "doc": f"What came of `{row.event}` of {called}, fired by {row.actor} on {self.today}: log {row.id}.",
            "today": self.today,
            "given": [self.step(happened) for happened in self.given],
            "when": [self.step(self.fired)],
            "then": {"records": [*self.records()]},
        }
        if VOUCHER in self.past.tables:
            body["then"]["vouchers"] = [*self.vouchers()]
        return body if body["given"] else {k: v for k, v in body.items() if k != "given"}

    # --- what was done ---

    def step(self, happened: Happened) -> Words:
        row, then = happened.row, self.past.then(happened.row)
        creates = row.from_state == NOTHING
        step: Words = {"create": row.record} if creates else {"fire": row.event, "record": row.record}
        if creates and then.library.creation_event(then.record) is None:
            step["event"] = row.event
        if not creates:
            step |= self.lives.which(row.record, row.record_id, row.id)
        if self.scene.needs_actor(happened):
            step["as"] = row.actor
        if row.at[:10] != self.today and self.scene.needs_day(happened):
            step["today"] = row.at[:10]
        reads, taken = reads_of(row), then.library.taken(then.record, then.transition)
        given = {n: self.told(taken[n].type, v) for n, v in reads["given"].items() if v is not None and n in taken}
        step |= {"with": given} if given else {}
        accepted = sorted({name for each in happened.rows for name in reads_of(each).get("acknowledged", ())})
        return step | ({"acknowledge": accepted} if accepted else {})

    def told(self, type_: Type, value: Any) -> str:
        """A value as a test gives it."""
        if type_.kind == "ref" and not self.lives.has_key(type_.of, value):
            raise UsageFault(
                f"What happened names the {type_.of} {value}, which has no key: a rule test cannot name it. "
                "Ask for another event."
            )
        return self.keys.said(type_, value) or ""

    # --- what came of it ---

    def records(self) -> Iterator[Words]:
        """Each record that was touched, with the fields that changed."""
        for record, id_ in dict.fromkeys((row.record, row.record_id) for row in self.fired.rows):
            rows = [row for row in self.fired.rows if (row.record, row.record_id) == (record, id_)]
            if rows[-1].to_state is None:
                yield {"record": record, "where": self.lives.condition(record, id_, rows[-1].id), "count": 0}
                continue
            found = self.lives.which(record, id_, self.lives.end)
            changed = dict.fromkeys(name for row in rows for name in changes_of(row))
            fields = {name: said for name in changed if (said := self.after(record, id_, name)) is not None}
            count = {"count": 1} if "where" in found else {}
            if fields or count:
                yield {"record": record, **found, **count, **({"fields": fields} if fields else {})}

    def after(self, record: str, id_: int, name: str) -> str | None:
        """The value that a field came to have; None for what is another one in every store."""
        type_ = self.lives.type_of(record, name)
        value = (self.lives.values((record, id_), self.lives.end) or {}).get(name)
        if name == "id" or type_.kind == "time" or self.lives.is_number(record, id_, name):
            return None
        if type_.kind == "ref" and value is not None and not self.lives.has_key(type_.of, value):
            return None
        return "none" if value is None else self.keys.said(type_, value)

    def vouchers(self) -> Iterator[Words]:
        voucher, entry = self.past.tables[VOUCHER], self.past.tables[ENTRY]
        logs = [row.id for row in self.fired.rows]
        for head in self.past.session.rows(select(voucher).where(voucher.c.log.in_(logs)).order_by(voucher.c.id)):
            rows = self.past.session.rows(select(entry).where(entry.c.voucher == head.id).order_by(entry.c.line))
            entries = [(row, self.dimensions(row)) for row in rows]
            common = {n: v for n, v in entries[0][1].items() if all(each.get(n) == v for _, each in entries)}
            head_said = {"series": head.series, "date": head.date.isoformat(), "currency": head.currency,
                         "company": self.keys.key(self.company, head.company)}  # fmt: skip
            own = [(row, {n: v for n, v in each.items() if n not in common}) for row, each in entries]
            yield {**head_said, **({"dimensions": common} if common else {}),
                   "entries": [self.entry(row, each) for row, each in own]}  # fmt: skip

    @property
    def company(self) -> str:
        ledger = self.past.rules.library.manifest.ledger
        return ledger.company if ledger else ""

    def entry(self, row: Row[Any], dimensions: Mapping[str, str]) -> Words:
        amount = Decimal(from_kept(row.amount, "money"))
        side = "debit" if amount >= 0 else "credit"
        said: Words = {side: row.account_key, "amount": shown(abs(amount))}
        return said | ({"dimensions": dict(dimensions)} if dimensions else {})

    def dimensions(self, row: Row[Any]) -> dict[str, str]:
        ledger = self.past.rules.library.manifest.ledger
        fields = ledger.dimensions if ledger else {}
        found = {n: (f.type, getattr(row, n)) for n, f in fields.items()}
        return {n: self.keys.said(type_, plain(value)) or "none" for n, (type_, value) in found.items()
                if value is None or type_.kind != "ref" or self.lives.has_key(type_.of, value)}  # fmt: skip
