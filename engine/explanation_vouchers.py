"""Explains a voucher or one of its entries, down to the row of the posting that wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select

from . import programs as p
from .errors import UsageFault
from .explanation_data import Decision, EntryLine, Explanation, Value, VoucherHead
from .explanation_events import Events
from .explanation_keys import Keys
from .explanation_past import MOST_KEYS, Past
from .explanation_rules import at, posting_row
from .explanation_slots import Slots
from .money import from_kept, shown
from .reperformance import Element, elements_of
from .source import did_you_mean
from .tables import ENTRY, VOUCHER

VOUCHER_NAME = re.compile(r"(?:(?P<company>.+):)?(?P<number>[^\s:/]+)(?:/(?P<line>\d+))?")


class Vouchers:
    """Explains vouchers and their entries."""

    def __init__(self, past: Past, keys: Keys, events: Events) -> None:
        self.past, self.keys, self.events = past, keys, events

    # --- vouchers and entries ---

    def explain(self, subject: str) -> Explanation:
        head, line = self.voucher(subject)
        entry = self.past.tables[ENTRY]
        statement = select(entry).where(entry.c.voucher == head.id).order_by(entry.c.line)
        entries = [e for e in self.past.session.rows(statement) if line is None or e.line == line]
        if not entries:
            raise UsageFault(f"The voucher {head.number} has no line {line}.")
        return self.of_voucher(subject, head, entries)

    def voucher(self, subject: str) -> tuple[Row[Any], int | None]:
        asked = VOUCHER_NAME.fullmatch(subject)
        if asked is None or VOUCHER not in self.past.tables:
            accepted = "a voucher (H-000001, H-000001/2) nor a record (RECORD KEY, RECORD KEY FIELD)"
            raise UsageFault(f"`{subject}` is neither {accepted}.")
        table = self.past.tables[VOUCHER]
        found = self.past.session.rows(select(table).where(table.c.number == asked["number"]).order_by(table.c.company))
        ledger = self.past.rules.library.manifest.ledger
        assert ledger is not None
        of_company = self.keys.settled(lambda: [(self.keys.key(ledger.company, v.company), v) for v in found])
        if asked["company"]:
            of_company = [(c, v) for c, v in of_company if c == asked["company"]]
        if not of_company:
            raise UsageFault(f"There is no voucher `{subject.partition('/')[0]}`{self.like_number(asked['number'])}.")
        if len(of_company) > 1:
            choices = " or ".join(f"{c}:{subject}" for c, _ in of_company)
            raise UsageFault(f"Several companies have a voucher {asked['number']}: ask for {choices}.")
        return of_company[0][1], int(asked["line"]) if asked["line"] else None

    def like_number(self, number: str) -> str:
        table = self.past.tables[VOUCHER]
        known = [
            n for (n,) in self.past.session.rows(select(table.c.number).order_by(table.c.id.desc()).limit(MOST_KEYS))
        ]
        hint = did_you_mean(number, set(known))
        return f"; {hint}" if hint else ""

    def of_voucher(self, subject: str, head: Row[Any], entries: list[Row[Any]]) -> Explanation:
        self.past.by_ids([head.log])
        row = self.past.row(head.log)
        causes, earlier = self.past.lineage(row)
        self.past.load([row, *causes, *earlier])
        reversed_by, original = self.mirrors(head)
        elements = self.elements(head, row)

        def made() -> Explanation:
            voucher = self.voucher_head(head, row, reversed_by)
            lines = tuple(replace(self.entry(e, head, row), of=self.element(elements.get(e.line))) for e in entries)
            return Explanation(
                subject, self.figure(voucher, lines), voucher, lines, (), self.events.event(row),
                tuple(map(self.events.event, causes)), tuple(map(self.events.event, earlier)),
            )  # fmt: skip

        explained = self.keys.settled(made)
        if original is None:
            return explained
        wanted = {(e.line) for e in entries}
        entry = self.past.tables[ENTRY]
        mirrored = self.past.session.rows(select(entry).where(entry.c.voucher == original.id).order_by(entry.c.line))
        lines = [e for e in mirrored if e.line in wanted]
        return replace(explained, reverses=self.of_voucher(original.number, original, lines))

    def mirrors(self, head: Row[Any]) -> tuple[str | None, Row[Any] | None]:
        """(the number of the voucher that takes this one back, the voucher that this one takes back)."""
        table = self.past.tables[VOUCHER]
        by = self.past.session.rows(select(table.c.number).where(table.c.reverses == head.id))
        of = (
            self.past.session.rows(select(table).where(table.c.id == head.reverses))
            if head.reverses is not None
            else []
        )
        return (by[0][0] if by else None), (of[0] if of else None)

    def figure(self, voucher: VoucherHead, lines: Sequence[EntryLine]) -> str:
        if len(lines) == 1:
            e = lines[0]
            figure = f"{e.side} {e.amount} {e.currency} to account {e.account}"
            return f"{voucher.number}/{e.line}: {figure} on {voucher.date}"
        return f"{voucher.number}: {len(lines)} entries of {voucher.company} on {voucher.date}"

    def voucher_head(self, head: Row[Any], row: Row[Any], reversed_by: str | None) -> VoucherHead:
        _, rules = self.past.pack(row.pack)
        ledger, posting = rules.library.manifest.ledger, rules.library.posting(head.posting)
        assert ledger is not None
        return VoucherHead(
            head.number, self.keys.key(ledger.company, head.company), head.series, head.date.isoformat(), head.currency,
            head.posting, at(posting.place) if posting else "", posting.source if posting else "", head.posted_at,
            None if head.reverses is None else self.keys.key("voucher", head.reverses), reversed_by,
        )  # fmt: skip

    def entry(self, entry: Row[Any], head: Row[Any], row: Row[Any]) -> EntryLine:
        pack, rules = self.past.pack(row.pack)
        ledger, declared = rules.library.manifest.ledger, rules.library.record("entry")
        assert ledger is not None
        assert declared is not None
        amount = Decimal(from_kept(entry.amount, "money"))
        places = rules.library.manifest.currencies.get(entry.currency)
        values = entry._mapping
        dimensions = [(n, f.type) for n, f in ledger.dimensions.items() if values.get(n) is not None]
        # What mirrors another voucher was written by no row; the row stands with the original.
        written_by = "" if head.reverses else entry.row
        expressions, texts = posting_row(pack, rules.library, written_by, entry.account_key)
        return EntryLine(
            entry.line, "debit" if amount >= 0 else "credit",
            self.keys.titled(declared.fields["account"].type.of, entry.account), entry.account_key,
            shown(abs(amount), places), entry.currency,
            tuple(Value(n, self.keys.said(t, values[n])) for n, t in dimensions), entry.row, expressions, texts,
            None if head.reverses else self.account_decision(entry, row, ledger.account),
        )  # fmt: skip

    # --- rows that write for each element of a list ---

    def elements(self, head: Row[Any], row: Row[Any]) -> Mapping[int, Element]:
        """By its line the element for which an entry was written, where a row of the posting writes for each."""
        _, rules = self.past.pack(row.pack)
        posting = rules.library.posting(head.posting)
        if head.reverses is not None or posting is None or not any(r.for_each for r in posting.rows):
            return {}
        table = self.past.tables[VOUCHER]
        posted = select(table.c.id).where((table.c.log == row.id) & table.c.reverses.is_(None)).order_by(table.c.id)
        place = [id_ for (id_,) in self.past.session.rows(posted)].index(head.id)
        found = elements_of(self.past.session, self.past.rules, lambda pack: self.past.pack(pack)[1], row)
        of = found[place] if place < len(found) else []
        return {line: element for line, element in enumerate(of, 1) if element is not None}

    def element(self, element: Element | None) -> str | None:
        if element is None:
            return None
        record, id_, listed = element
        return f"one of {listed}" if id_ is None else self.keys.called(record, id_)

    def account_decision(self, entry: Row[Any], row: Row[Any], decision: str) -> Decision | None:
        """The decision that gave an entry its account."""
        then = self.past.then(row)
        facts = self.past.facts_of(row, then.program)
        for operation, fact in facts:
            if isinstance(operation, p.Decided) and fact["decision"] == decision:
                asked = fact["inputs"].get("account_key", entry.account_key)
                if asked == entry.account_key and entry.account in (fact["outputs"] or ()):
                    return self.events.readings.decision(Slots(then, row, facts), operation, fact)
        return None
