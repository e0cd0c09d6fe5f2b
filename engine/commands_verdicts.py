"""What came of a firing, or would come of it, as it is printed: one verdict for each record, and plans with amounts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .commands_keys import Keys, Numbered, numbered
from .firings import Firing, Reason, Root, Voucher, in_tree_order
from .frozen import frozen
from .library import Library
from .model import Type
from .money import ZERO, shown

DONE, POSSIBLE, REFUSED = "done", "possible", "refused"

VERDICT = ("key", "event", "verdict", "from", "to", "reasons")
PLAN = ("key", "event", "record", "effect", "name", "before", "after", "debit", "credit")
TREE = ("what would happen", "debit", "credit")
AMOUNTS = ("debit", "credit")


@frozen
class Verdict:
    """The verdict on one record."""

    key: str
    root: Root
    planned: bool = False

    @property
    def said(self) -> str:
        return REFUSED if self.root.reasons else POSSIBLE if self.planned else DONE

    @property
    def states(self) -> tuple[str, str]:
        """From which state to which; nothing where it was refused."""
        firing = self.root.firing
        if self.root.reasons or firing is None:
            return "", ""
        return firing.from_state or "", to_state(firing)

    def rows(self) -> Iterator[Sequence[str]]:
        reasons = "\n".join(map(reason_said, self.root.reasons))
        yield self.key, self.root.request.event, self.said, *self.states, reasons

    def data(self) -> dict[str, Any]:
        from_, to = self.states
        return {
            "key": self.key, "event": self.root.request.event, "verdict": self.said, "from": from_ or None,
            "to": to or None, "reasons": [reason_data(r) for r in self.root.reasons],
        }  # fmt: skip


def reason_said(reason: Reason) -> str:
    return f"{reason.message} [{reason.place}]"


def reason_data(reason: Reason) -> dict[str, str]:
    return {"rule": reason.rule, "says": reason.message, "place": str(reason.place)}


def to_state(firing: Firing) -> str:
    return firing.program.transition.target


# --- plans -----------------------------------------------------------------------------------------------------------


@frozen
class Planned:
    """What one request would bring about, in full; `as_tree` prints it for a person."""

    verdict: Verdict
    library: Library
    keys: Keys
    as_tree: bool

    def rows(self) -> Iterator[Sequence[str]]:
        return self.tree() if self.as_tree else self.flat()

    # --- for a person ---

    def tree(self) -> Iterator[Sequence[str]]:
        root = self.verdict.root
        if root.reasons:
            yield f"{root.request.record} {self.verdict.key}: `{root.request.event}` refused".replace("  ", " "), "", ""
            for reason in root.reasons:
                yield "  " + reason_said(reason), "", ""
        elif root.firing:
            yield from self.branch(root.firing, "")

    def branch(self, firing: Firing, indent: str) -> Iterator[Sequence[str]]:
        name, key = firing.record.name, self.keys.of(firing.record.name, firing.id)
        states = f"{firing.from_state} -> {to_state(firing)}"
        yield f"{indent}{name} {key}: {firing.program.transition.event}, {states}", "", ""
        changes = list(self.changes(firing))
        if changes and firing.program.transition.creates:
            yield f"{indent}  {', '.join(f'{field} {after}' for field, _, after in changes)}", "", ""
        else:
            yield from ((f"{indent}  {field}: {b or 'none'} -> {a or 'none'}", "", "") for field, b, a in changes)
        for voucher in firing.vouchers:
            yield f"{indent}  voucher {self.head(voucher)}", "", ""
            for account, debit, credit in self.entries(voucher):
                yield f"{indent}    {account}", debit, credit
        for inner in firing.fired:
            yield from self.branch(inner, indent + "  ")

    # --- for a program ---

    def flat(self) -> Iterator[Sequence[str]]:
        root = self.verdict.root
        start = self.verdict.key, root.request.event
        for reason in root.reasons:
            yield *start, root.request.record, REFUSED, reason.rule, "", reason_said(reason), "", ""
        for firing in in_tree_order(root.firing) if root.firing and not root.reasons else ():
            named = f"{firing.record.name} {self.keys.of(firing.record.name, firing.id)}"
            event = firing.program.transition.event
            yield *start, named, event, firing.program.workflow.field, firing.from_state or "", to_state(firing), "", ""
            for field, before, after in self.changes(firing):
                yield *start, named, "set", field, before, after, "", ""
            for voucher in firing.vouchers:
                for account, debit, credit in self.entries(voucher):
                    yield *start, named, "entry", account, "", self.head(voucher), debit, credit

    def data(self) -> dict[str, Any]:
        firing = self.verdict.root.firing
        stands = firing is not None and not self.verdict.root.reasons
        return {**self.verdict.data(), "would": self.firing_data(firing) if stands and firing else None}

    def firing_data(self, firing: Firing) -> dict[str, Any]:
        return {
            "record": firing.record.name,
            "key": self.keys.of(firing.record.name, firing.id),
            "event": firing.program.transition.event,
            "from": firing.from_state,
            "to": to_state(firing),
            "sets": {n: [self.keys.data(b, t), self.keys.data(a, t)] for n, t, b, a in changed(firing)},
            "vouchers": [self.voucher_data(v) for v in firing.vouchers],
            "fires": [self.firing_data(inner) for inner in firing.fired],
        }

    # --- parts ---

    def changes(self, firing: Firing) -> Iterator[tuple[str, str, str]]:
        for name, type_, before, after in changed(firing):
            yield name, self.keys.text(before, type_), self.keys.text(after, type_)

    def head(self, voucher: Voucher) -> str:
        company = self.keys.of(ledger_types(self.library)["company"].of, voucher.company)
        turned = f", reverses voucher {voucher.reverses}" if voucher.reverses else ""
        return f"{voucher.series}, {voucher.date}, {company}, {voucher.currency}{turned}"

    def entries(self, voucher: Voucher) -> Iterator[tuple[str, str, str]]:
        types, places = ledger_types(self.library), self.library.manifest.currencies.get(voucher.currency)
        for account, account_key, _, amount, *dimensions in voucher.entries:
            said = f"{self.keys.titled(types['account'].of, account)} ({account_key})"
            for (name, type_), value in zip(dimension_types(self.library), dimensions, strict=True):
                said += f", {name} {self.keys.text(value, type_)}" if value is not None else ""
            text = shown(abs(amount), places)
            yield said, text if amount >= 0 else "", "" if amount >= 0 else text

    def voucher_data(self, voucher: Voucher) -> dict[str, Any]:
        types = ledger_types(self.library)
        return {
            "series": voucher.series,
            "posting": voucher.posting,
            "company": self.keys.of(types["company"].of, voucher.company),
            "date": voucher.date.isoformat(),
            "currency": voucher.currency,
            "reverses": voucher.reverses,
            "entries": [self.entry_data(entry) for entry in voucher.entries],
        }

    def entry_data(self, entry: tuple[Any, ...]) -> dict[str, Any]:
        account, account_key, row, amount, *dimensions = entry
        named = zip(dimension_types(self.library), dimensions, strict=True)
        return {
            "account": self.keys.of(ledger_types(self.library)["account"].of, account),
            "account_key": account_key,
            "row": row,
            "debit": shown(max(amount, ZERO)),
            "credit": shown(max(-amount, ZERO)),
            "dimensions": {name: self.keys.data(value, type_) for (name, type_), value in named},
        }


def changed(firing: Firing) -> Iterator[tuple[str, Type, Any, Any]]:
    """The fields that an event set: name, type, before, after. What was not there before was none."""
    program, before, after = firing.program, firing.v[0], firing.row
    if after is None:
        return
    for index, (name, type_) in enumerate(program.columns):
        was = None if program.transition.creates else before[index]
        if index not in (0, program.state_index) and was != after[index]:
            yield name, type_, was, after[index]


def ledger_types(library: Library) -> dict[str, Type]:
    """The types of the fields of an entry."""
    entry = library.record("entry")
    return {n: f.type for n, f in entry.fields.items()} if entry else {}


def dimension_types(library: Library) -> list[tuple[str, Type]]:
    ledger = library.manifest.ledger
    return [(n, f.type) for n, f in ledger.dimensions.items()] if ledger else []


def referred(library: Library, root: Root) -> Iterator[Numbered]:
    """The records that a plan names and that are stored."""
    types, dimensions = ledger_types(library), dimension_types(library)
    for firing in in_tree_order(root.firing) if root.firing else ():
        if not firing.program.transition.creates:
            yield firing.record.name, firing.id
        columns = firing.program.columns
        for row in (firing.row, None if firing.program.transition.creates else firing.v[0]):
            if row is not None:
                yield from numbered(dict(zip((n for n, _ in columns), row, strict=True)), columns)
        for voucher in firing.vouchers:
            yield types["company"].of, voucher.company
            for account, _, _, _, *values in voucher.entries:
                yield types["account"].of, account
                named = {n: v for (n, _), v in zip(dimensions, values, strict=True)}
                yield from numbered(named, dimensions)
