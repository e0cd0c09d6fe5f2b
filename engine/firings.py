"""What is asked and what came of it: requests, roots, firings, vouchers to be written. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from . import definitions as d
from . import programs as p
from .errors import Place
from .frozen import frozen


@frozen
class Request:
    """Fire `event` on the record of that id, or create one where the id is None. `values` are typed, references ids.

    `acknowledged` names warnings that the caller has seen and accepts.
    """

    record: str
    event: str
    id: int | None
    values: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None
    acknowledged: frozenset[str] = frozenset()


@frozen
class Reason:
    """One thing that stands against an event: the rule's own words, and where the rule stands."""

    rule: str
    message: str
    place: Place
    warning: bool = False


@frozen
class Delegator:
    """Somebody who lets an actor act in their place today: the `grants` passed on.

    With `where_named` also what they may do because a record names them.
    """

    id: int
    number: str
    login: str
    grants: frozenset[tuple[str, str | None]]
    where_named: bool


@frozen
class Actor:
    """Who acts, and in whose place besides: `acts_for`. `grants` are (role, record/key or None).

    `unbound` may do everything (tests, setting up a store).
    """

    id: int | None
    number: str
    login: str
    grants: frozenset[tuple[str, str | None]]
    unbound: bool = False
    acts_for: tuple[Delegator, ...] = ()


@dataclass(slots=True)
class Root:
    """A request under way and what came of it.

    Where `deferred` it has to be performed again, later: it met what another does. With `overtook` that other one comes
    before it, and has to be performed without it.
    """

    request: Request
    reasons: list[Reason] = field(default_factory=list)
    deferred: bool = False
    overtook: bool = False
    firing: Firing | None = None

    @property
    def stands(self) -> bool:
        return not self.reasons and not self.deferred


@dataclass(slots=True)
class Voucher:
    """A voucher to be written: entries are (account, account key, row, amount, dimension...), `kept` their amounts."""

    posting: str
    series: str
    company: int
    date: date
    currency: str
    entries: list[tuple[Any, ...]]
    reverses: int | None = None
    kept: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Firing:
    """One event on one record. `v` are its values as programs count them; `row` the record afterwards, None if gone.

    `acting_for` is whose right it was, where that is not the actor's own.
    """

    root: Root
    parent: Firing | None
    program: p.Program
    id: int
    v: list[Any]
    row: list[Any] | None = None
    right: str = ""
    acting_for: Delegator | None = None
    vouchers: list[Voucher] = field(default_factory=list)
    fired: list[Firing] = field(default_factory=list)
    pending: list[tuple[Any, Place, str, str]] = field(default_factory=list)
    acknowledged: tuple[str, ...] = ()
    unanswered: frozenset[int] = frozenset()

    def refuse_by(self, message: Callable[[list[Any]], str] | None, place: Place, rule: str, more: str = "") -> None:
        """Note a refusal whose words are worked out later, when what they need has been read."""
        self.pending.append((message, place, rule, more))

    def refuse(self, said: str, place: Place, rule: str) -> None:
        """Note a refusal whose words are known."""
        self.pending.append((lambda _: said, place, rule, ""))

    def let_go(self) -> None:
        """Keep of what was worked out only what there is to tell, when all is written.

        Nothing goes round in a circle then, so that memory is free at once and nobody has to search for it.
        """
        del self.v[1:], self.root
        self.parent = None

    @property
    def record(self) -> d.Record:
        return self.program.record

    @property
    def from_state(self) -> str | None:
        found: str | None = self.v[0][self.program.state_index]
        return found


@dataclass(slots=True)
class Element:
    """One element of a list that a firing goes over, with its own values; what it meets stands against the firing."""

    around: Firing
    v: list[Any]
    pending: list[tuple[Any, Place, str, str]] = field(default_factory=list)
    unanswered: frozenset[int] = frozenset()

    @property
    def root(self) -> Root:
        return self.around.root

    def refuse_by(self, message: Callable[[list[Any]], str] | None, place: Place, rule: str, more: str = "") -> None:
        """Note a refusal whose words are worked out later, over the values of the element."""
        self.pending.append((message, place, rule, more))
        said = message and (lambda _: message(self.v))
        self.around.refuse_by(said, place, rule, more)


Standing = TypeVar("Standing", Firing, Element)


def standing_of(firings: Sequence[Standing]) -> list[Standing]:
    """Those that nothing stands against so far; most often all of them."""
    return [f for f in firings if not f.pending and not f.root.reasons and not f.root.deferred]


def in_tree_order(firing: Firing) -> Sequence[Firing]:
    """A firing and what it fired, each cause before what it caused."""
    if not firing.fired:
        return (firing,)
    found, ahead = [], [firing]
    while ahead:
        firing = ahead.pop()
        found.append(firing)
        ahead += reversed(firing.fired)
    return found
