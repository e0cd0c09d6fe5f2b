"""What of an expected voucher is otherwise: each entry that differs, is missing or too many. Pure; knows no store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from .elements import Element
from .money import shown

DIFFERS, MISSING, TOO_MANY = "differs", "missing", "too many"


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as expected or found: the amount is negative for a credit; `row` names what wrote it, if known.

    Of an expected one `dimensions` are those that the test speaks of.
    """

    key: str
    amount: Decimal
    dimensions: Mapping[str, str | None]
    row: str = ""

    @property
    def said(self) -> str:
        more = ", ".join(f"{n} {v or 'none'}" for n, v in self.dimensions.items())
        return f"{side(self.amount)} {self.key}{f' ({more})' if more else ''}"


@dataclass(frozen=True, slots=True)
class Origin:
    """What gave a figure: a row of a decision, with its place, and what it answered."""

    decision: str
    row: str
    place: str
    answers: str

    @property
    def said(self) -> str:
        where = f" ({self.place})" if self.place else ""
        return f"{self.decision}: {self.row}{where} says {self.answers}"


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is otherwise. `written_by` is the rule that wrote it, or would; no amount is none."""

    about: str
    problem: str
    expected: Decimal | None
    found: Decimal | None
    written_by: str
    place: str
    origins: tuple[Origin, ...] = ()

    @property
    def difference(self) -> Decimal:
        """By how much more was found than expected."""
        return (self.found or Decimal(0)) - (self.expected or Decimal(0))

    @property
    def said(self) -> str:
        """All of it in a line."""
        expected = "none" if self.expected is None else money(self.expected)
        found = "none" if self.found is None else money(self.found)
        told = f"{self.about}: {self.problem}: expected {expected}, found {found}, difference {money(self.difference)}"
        by = f"; {'written' if self.found is not None else 'it would be written'} by {self.rule}" if self.rule else ""
        given = f"; given by {', '.join(o.said for o in self.origins)}" if self.origins else ""
        return told + by + given

    @property
    def rule(self) -> str:
        return f"{self.written_by} ({self.place})" if self.place else self.written_by


def side(amount: Decimal) -> str:
    return "debit" if amount >= 0 else "credit"


def money(amount: Decimal) -> str:
    """An amount as people read it."""
    places = shown(amount).partition(".")[2]
    return f"{amount:,.{max(2, len(places))}f}"


def expected_entries(voucher: Element) -> list[Entry]:
    """The entries that a test expects of a voucher; what is said of all of them is said of each."""
    of_all = words(voucher.at("dimensions"))
    found = []
    for e in voucher.items("entries"):
        amount = Decimal(e.word("amount", "0"))
        key = e.word("debit") or e.word("credit")
        found.append(Entry(key, amount if e.has("debit") else -amount, of_all | words(e.at("dimensions"))))
    return found


def words(e: Element) -> dict[str, str | None]:
    return {n: None if v == "none" else str(v) for n, v in e.value.items()} if isinstance(e.value, dict) else {}


# --- which belongs to which ------------------------------------------------------------------------------------------

Pair = tuple[Entry | None, Entry | None]


def unlike(expected: Sequence[Entry], found: Sequence[Entry]) -> list[Pair]:
    """Pairs (expected, found) that are not alike: what is alike is put together first, then the nearest of the rest."""
    wanted, there = list(expected), list(found)
    pairs: list[Pair] = []
    for are_near in (are_alike, differ_in_amount, differ_in_dimensions, have_one_key):
        for e in tuple(wanted):
            near = next((f for f in there if are_near(e, f)), None)
            if near is not None:
                wanted.remove(e)
                there.remove(near)
                pairs.append((e, near))
    others = [(e, f) for e, f in pairs if e is None or f is None or not are_alike(e, f)]
    return [*others, *((e, None) for e in wanted), *((None, f) for f in there)]


def are_alike(e: Entry, f: Entry) -> bool:
    return e.amount == f.amount and differ_in_amount(e, f)


def differ_in_amount(e: Entry, f: Entry) -> bool:
    return e.key == f.key and all(f.dimensions.get(n) == v for n, v in e.dimensions.items())


def differ_in_dimensions(e: Entry, f: Entry) -> bool:
    return (e.key, e.amount) == (f.key, f.amount)


def have_one_key(e: Entry, f: Entry) -> bool:
    return e.key == f.key


def told(pair: Pair, rule: tuple[str, str], origins: tuple[Origin, ...]) -> Difference:
    """A pair that is not alike; `rule` is what wrote the entry, or would, and its place."""
    e, f = pair
    about, problem = (e.said, MISSING) if e else (f.said if f else "", TOO_MANY)
    if e and f:
        problem = DIFFERS
        if not differ_in_amount(e, f):
            others = ", ".join(f"{n} {f.dimensions.get(n) or 'none'}" for n in e.dimensions)
            about = f"{about}, found for {others}"
    # A figure on the credit side is told as people write it there.
    sign = -1 if about.startswith("credit") else 1
    expected, found = (None if x is None else sign * x.amount for x in pair)
    return Difference(about, problem, expected, found, *rule, origins)
