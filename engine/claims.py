"""The claims of a piece of work on kept totals, each seeing those before it: as if the requests came one after another.

A claim counts from when it is decided. What in the end moved a total by something else than it claimed, because it was
refused later or goes again, lets those go again who saw its claim.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

from . import programs as p
from .claiming import Amount, Claim, answer_of
from .firings import Firing, Root
from .kept_totals import moved, totals
from .scopes import measure_type

if TYPE_CHECKING:
    from .execution import Work

Key: TypeAlias = "tuple[str, tuple[Any, ...]]"  # a measure, and what its total is told apart by
NOBODY = 1 << 60


@dataclass(slots=True)
class Total:
    """A total as it is stored, and with all that was claimed since; `counted` is that by the place of its root.

    From the place `wrong_after` on, somebody saw another total than there was.
    """

    stored: Amount
    now: Amount
    last: int = -1
    wrong_after: int = NOBODY
    counted: dict[int, Amount] = field(default_factory=dict)

    def before(self, place: int) -> Amount:
        """The total as a root at that place sees it. Those behind it that asked earlier have seen too little."""
        if self.last <= place:
            self.last = place
            return self.now
        self.wrong_after = min(self.wrong_after, place)
        return self.stored + sum(amount for other, amount in self.counted.items() if other <= place)

    def count(self, place: int, amount: Amount) -> None:
        self.now += amount
        self.counted[place] = self.counted.get(place, 0) + amount


class Claims:
    """Decides the claims of a piece of work."""

    def __init__(self, work: Work) -> None:
        self.work, self.gatherer, self.library = work, work.gatherer, work.library
        self.totals: dict[Key, Total] = {}
        self.asked_by: dict[int, tuple[Root, set[Key]]] = {}

    # --- deciding ---

    def settle(self, program: p.Program, firings: list[Firing], stage: int) -> list[Firing]:
        """Decide what firings that nothing stands against claim at a stage; gives those that still stand."""
        asked = [
            (firing, operation, Claim(*key))
            for operation in program.claims
            if operation.stage == stage and operation.asked is not None
            for firing, key in operation.asked(firings)
        ]
        if not asked:
            return firings
        self.read(asked)
        place = self.work.place
        for number, of_root in groupby(sorted(asked, key=lambda a: place[id(a[0].root)]), lambda a: id(a[0].root)):
            self.of_root(place[number], list(of_root))
        self.work.evaluation.say_all(program, firings, stage)
        return [f for f in firings if f.root.stands]

    def read(self, asked: Iterable[tuple[Firing, p.Claimed, Claim]]) -> None:
        """Learn the totals that are not known yet, locked against others: one statement for each measure."""
        wanted: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
        for _, operation, claim in asked:
            if (operation.measure, claim.key) not in self.totals:
                wanted[operation.measure].add(claim.key)
        session, metadata = self.gatherer.session, self.gatherer.metadata
        for name, keys in wanted.items():
            measure = self.library.measure(name)
            assert measure is not None
            kind = measure_type(self.library, measure, self.work.wanted(measure.of)).kind
            for key, total in totals(session, metadata, measure, kind, keys, locked=True).items():
                self.totals[name, key] = Total(total, total)

    def of_root(self, place: int, asked: Sequence[tuple[Firing, p.Claimed, Claim]]) -> None:
        """Decide all that a root claims here; it counts as a whole or not at all."""
        counted: list[tuple[Total, Amount]] = []
        root = asked[0][0].root
        _, seen = self.asked_by.setdefault(place, (root, set()))
        for firing, operation, claim in asked:
            key = (operation.measure, claim.key)
            total = self.totals[key]
            self.decide(firing, operation, claim, total.before(place))
            total.count(place, claim.amount)
            counted.append((total, claim.amount))
            seen.add(key)
        if any(firing.pending for firing, _, _ in asked):
            for total, amount in counted:
                total.count(place, -amount)

    def decide(self, firing: Firing, operation: p.Claimed, claim: Claim, before: Amount) -> None:
        limit = operation.limit
        assert limit is not None
        firing.v[operation.index] = (before, self.gatherer.facts.add(claim.content(limit.name, before)))
        answer = answer_of(claim.level, claim.outcome(before))
        if answer == "allow":
            return
        if answer == "warn" and limit.name in firing.root.request.acknowledged:
            firing.acknowledged += (limit.name,)
            return
        more = f"acknowledge `{limit.name}` to go on" if answer == "warn" else ""
        firing.refuse_by(operation.says, limit.place, limit.name, more)

    # --- what came of it ---

    def defer(self) -> None:
        """Let those go again that saw of a total what did not come about."""
        came = self.came_about()
        for key, total in self.totals.items():
            others = (place for place in came[key] if place not in total.counted)
            total.wrong_after = min(total.wrong_after, *others, NOBODY)
        for place, (root, seen) in sorted(self.asked_by.items()):
            mine = [(key, self.totals[key]) for key in seen]
            if any(total.wrong_after < place for _, total in mine):
                root.deferred = True
                # What was said of it may not be so.
                root.reasons.clear()
            for key, total in mine:
                really = came[key].get(place, 0) if root.stands else 0
                if really != total.counted.get(place, 0):
                    total.wrong_after = min(total.wrong_after, place)

    def came_about(self) -> dict[Key, dict[int, Amount]]:
        """By total how much each root that stands moved it, by the root's place."""
        found: dict[Key, dict[int, Amount]] = defaultdict(dict)
        if not self.totals:
            return found
        for root, movement, key, amount in moved(self.library, self.gatherer.metadata, self.gatherer.pending):
            named = (movement.measure.name, key)
            if root.stands and named in self.totals and amount:
                of_total, place = found[named], self.work.place[id(root)]
                of_total[place] = of_total.get(place, 0) + amount
        return found
