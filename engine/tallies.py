"""Counts what came of many requests, and adds up the figures of what an import created. No I/O but for currencies."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .firings import Firing, Root, in_tree_order
from .gathering import Gatherer
from .library import Library
from .money import ZERO, shown
from .notation import counted

ADDED_UP = ("money", "number")  # a sum of prices or of whole numbers says nothing


@dataclass
class Tally:
    """What came of requests: how many, what they created beside themselves, the vouchers and their debits."""

    done: int = 0
    refused: int = 0
    vouchers: int = 0
    created: Counter[str] = field(default_factory=Counter)
    debits: dict[str, Decimal] = field(default_factory=dict)

    def add(self, roots: Iterable[Root]) -> None:
        for root in roots:
            if root.reasons:
                self.refused += 1
            elif root.firing is not None:
                self.done += 1
                self._add_effects(root.firing)

    def _add_effects(self, root: Firing) -> None:
        for firing in in_tree_order(root):
            if firing.program.transition.creates and firing is not root:
                self.created[firing.record.name] += 1
            for voucher in firing.vouchers:
                self.vouchers += 1
                debit = sum((e[3] for e in voucher.entries if e[3] > 0), ZERO)
                self.debits[voucher.currency] = self.debits.get(voucher.currency, ZERO) + debit

    def __iadd__(self, other: Tally) -> Tally:
        self.done += other.done
        self.refused += other.refused
        self.vouchers += other.vouchers
        self.created += other.created
        for currency, debit in other.debits.items():
            self.debits[currency] = self.debits.get(currency, ZERO) + debit
        return self

    def said(self, library: Library, event: str, planned: bool) -> str:
        """All of it in a sentence."""
        would = "would be " if planned else ""
        parts = [f"{event}: {self.done:,} {would}done", f"{self.refused:,} {would}refused"]
        parts += [counted(count, f"{name} record") + f" {would}created" for name, count in sorted(self.created.items())]
        if self.vouchers:
            parts.append(self.said_of_vouchers(library))
        return ", ".join(parts) + (". Nothing was written." if planned else ".")

    def said_of_vouchers(self, library: Library) -> str:
        amounts = " and ".join(f"{text} {currency}" for currency, text in self.amounts(library).items())
        return f"{counted(self.vouchers, 'voucher')} of {amounts}"

    def amounts(self, library: Library) -> dict[str, str]:
        """The debits by currency, as texts."""
        return {c: shown(self.debits[c], library.manifest.currencies.get(c)) for c in sorted(self.debits)}

    def data(self, library: Library) -> dict[str, Any]:
        return {"done": self.done, "refused": self.refused, "created": dict(sorted(self.created.items())),
                "vouchers": self.vouchers, "debits": self.amounts(library)}  # fmt: skip


# --- control totals --------------------------------------------------------------------------------------------------


class ControlTotals:
    """The sums of the figures of created records, by field and currency, to be held against their source."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)

    def add(self, gatherer: Gatherer, firings: Sequence[Firing], names: Iterable[str]) -> None:
        """Add the records that these firings of one type created; of their fields only those named."""
        wanted = set(names)
        for index, (name, type_) in enumerate(firings[0].program.columns if firings else ()):
            if name not in wanted or type_.kind not in ADDED_UP:
                continue
            currencies = currencies_of(gatherer, firings, name) if type_.kind == "money" else [""] * len(firings)
            for firing, currency in zip(firings, currencies, strict=True):
                value = firing.row[index] if firing.row else None
                if value is not None:
                    self.sums[name, currency] += value

    def __iadd__(self, other: ControlTotals) -> ControlTotals:
        for key, value in other.sums.items():
            self.sums[key] += value
        return self

    def texts(self, currencies: Mapping[str, int]) -> Iterator[tuple[str, str, str]]:
        """(field, currency or nothing, sum)."""
        for (name, currency), value in sorted(self.sums.items()):
            yield name, currency, shown(value, currencies.get(currency))


def currencies_of(gatherer: Gatherer, firings: Sequence[Firing], name: str) -> list[str]:
    """The currency of a field of money on each of the records; those along a reference are read at once."""
    program = firings[0].program
    path = gatherer.library.currency_path(program.record, name)
    if path is None:
        return [""] * len(firings)
    place = {n: i for i, (n, _) in enumerate(program.columns)}[path[0]]
    heads = [firing.row[place] if firing.row else None for firing in firings]
    if len(path) > 1:
        target = program.columns[place][1].of
        found = gatherer.values(target, (path[1:],), {h for h in heads if h is not None})
        heads = [found[h][0] if h in found else None for h in heads]
    return [head or "" for head in heads]
