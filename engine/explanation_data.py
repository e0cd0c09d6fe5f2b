"""What an explanation is made of, as plain values; every figure is a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

VERSION = 1
LEADS = "where the event leads"


def as_data(explained: Any) -> dict[str, Any]:
    """The JSON shape of an explanation, or of a list of events: versioned, every figure a text."""
    if isinstance(explained, Sequence):
        return {"version": VERSION, "events": [asdict(x) for x in explained]}
    return {"version": VERSION, **asdict(explained)}


# --- rules -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleText:
    """Lines of a rule as they were in force: `place` is the first one's file:line, `pack` the pack that wrote them."""

    place: str
    pack: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its name, written as people write it: records by key, dates ISO, amounts plain; None where empty."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Something that a rule read.

    kind: own, given, acknowledged (warnings), along (a reference), list, found, measure, calendar (its closed days),
    shared (an amount shared out), parameter or vouchers.
    """

    kind: str
    about: str
    values: tuple[Value, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a decision hit: one of the pack (`texts`), or a record (`values`, and how it was `entered`)."""

    name: str
    place: str
    texts: tuple[RuleText, ...] = ()
    values: tuple[Value, ...] = ()
    entered: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as it was taken for the day `on`; from `since` to `until` it is the same.

    By `names` the rule calls its answers, of which `collect` gives several.
    """

    decision: str
    names: tuple[str, ...]
    place: str
    on: str | None
    since: str | None
    until: str | None
    inputs: tuple[Value, ...]
    key_set: tuple[str, ...] | None
    hits: tuple[Hit, ...]
    answers: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A name that a rule works out, with its expression; `within` is the posting or formulas it stands in."""

    name: str
    expression: str
    place: str
    within: str = ""


# --- events and figures ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """A field before and after, and what made it so: `because` in words with the `place` of the rule."""

    field: str
    before: str | None
    after: str | None
    because: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the log, put into words.

    `acting_for` is the actor in whose place it was done, if any; `cause` the log's number of the event that fired it;
    `imported` the file:line it came from, None where no file was imported.
    """

    log: int
    at: str
    actor: str
    login: str
    right: str
    record: str
    event: str
    from_state: str | None
    to_state: str | None
    rule: str
    place: str
    doc: str
    source: str
    pack: str
    cause: int | None
    caused_by: str
    imported: str | None
    changes: tuple[Change, ...]
    vouchers: tuple[str, ...]
    acting_for: str | None = None
    readings: tuple[Reading, ...] = ()
    decisions: tuple[Decision, ...] = ()
    lets: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry: its figure, the posting row that wrote it and the decision that gave its account.

    `of` is the element of a list for which the row wrote it, where it writes for each.
    """

    line: int
    side: str
    account: str
    account_key: str
    amount: str
    currency: str
    dimensions: tuple[Value, ...]
    row: str
    expressions: tuple[str, ...]
    texts: tuple[RuleText, ...]
    account_by: Decision | None
    of: str | None = None


@dataclass(frozen=True, slots=True)
class VoucherHead:
    """A voucher without its entries."""

    number: str
    company: str
    series: str
    date: str
    currency: str
    posting: str
    place: str
    source: str
    posted_at: str
    reverses: str | None
    reversed_by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is as it is: the figure, the event that made it so, what fired that, and what went before."""

    subject: str
    figure: str
    voucher: VoucherHead | None
    entries: tuple[EntryLine, ...]
    values: tuple[Value, ...]
    event: Event
    causes: tuple[Event, ...]
    earlier: tuple[Event, ...]
    reverses: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Against:
    """A reason that stands against an event, in the rule's words; `place` is file:line."""

    rule: str
    says: str
    place: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that was refused, with every reason."""

    at: str
    actor: str
    login: str
    event: str
    imported: str | None
    reasons: tuple[Against, ...]
