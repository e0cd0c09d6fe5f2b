"""What tests have reached of a pack's rules. It looks on while events are performed, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import coverage_targets as c
from . import programs as p
from .beginnings import NONE_APPLIES
from .execution import Work
from .firings import Firing, Reason, Root, in_tree_order
from .library import Library


@dataclass(frozen=True, slots=True)
class Score:
    """How much of one measure was reached."""

    measure: str
    reached: int
    of: int

    @property
    def percent(self) -> int:
        """Rounded down: only all is 100."""
        return 100 * self.reached // self.of if self.of else 100


class Coverage:
    """Collects what is reached; `watch` is shown each piece of work when it is done."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.targets = {target.key: target for target in c.targets(library)}
        self.reached: set[c.Key] = set()
        self._facts: set[str] = set()

    # --- what came of it ---

    def scores(self) -> list[Score]:
        """How much was reached, by measure."""
        return [
            Score(m, sum(k[0] == m for k in self.reached), sum(k[0] == m for k in self.targets)) for m in c.MEASURES
        ]

    def unreached(self) -> list[c.Target]:
        """What was not reached, in the order of the files."""
        missing = [target for key, target in self.targets.items() if key not in self.reached]
        return sorted(missing, key=lambda t: (t.place, t.rule, t.lacks))

    # --- looking on ---

    def watch(self, work: Work, roots: Sequence[Root]) -> None:
        """Take in what came of a piece of work."""
        for root in roots:
            for reason in root.reasons:
                self.reach(self.refused(reason))
                self.reach(self.limited(reason))
            if root.stands and root.firing is not None:
                for firing in in_tree_order(root.firing):
                    self.reach(self.happened(firing, work.actor.unbound))
                    self.reach(self.claimed(firing))
        for operation, asked in work.gatherer.noted:
            if isinstance(operation, p.Decided):
                facts = {value[-1] for firing, _ in asked if (value := firing.v[operation.index]) is not None}
                for fact in facts - self._facts:
                    self.reach(self.decided(json.loads(work.gatherer.facts.contents[fact])))
                self._facts |= facts

    def reach(self, keys: Iterable[c.Key]) -> None:
        self.reached.update(key for key in keys if key in self.targets)

    def refused(self, reason: Reason) -> Iterator[c.Key]:
        """The guard that stood against an event; where no `when` held, all that were tried."""
        if not reason.message.endswith(NONE_APPLIES):
            yield c.guard(reason.place, False)
            return
        flows = (w for record in self.library.records() for w in self.library.workflows_of(record))
        for workflow in flows:
            first = next((t for t in workflow.transitions if t.place == reason.place), None)
            for tried in workflow.transitions if first else ():
                if first and tried.event == first.event and tried.cells and set(first.sources) & set(tried.sources):
                    yield c.guard(tried.cells[0].place, False)

    def limited(self, reason: Reason) -> Iterator[c.Key]:
        """The limit that stood against an event, which it warned of or refused."""
        limit = self.library.limit(reason.rule)
        if limit is not None:
            yield c.claimed(limit, "warn" if reason.warning else "refuse")

    def claimed(self, firing: Firing) -> Iterator[c.Key]:
        """The limits that held what a firing claimed, or warned of it."""
        for operation in firing.program.claims:
            if operation.limit is not None and firing.v[operation.index] is not None:
                warned = operation.limit.name in firing.acknowledged
                yield c.claimed(operation.limit, "warn" if warned else c.FITS)

    def happened(self, firing: Firing, by_anybody: bool) -> Iterator[c.Key]:
        """What a firing that stands has reached: all that it requires held."""
        program, t = firing.program, firing.program.transition
        yield c.performed(program.workflow, t)
        if t.cells:
            yield c.guard(t.cells[0].place, True)
        for other in program.workflow.transitions:
            if other.event == t.event and other is not t and other.cells and firing.from_state in other.sources:
                yield c.guard(other.cells[0].place, False)
        yield from (c.guard(r.place, True) for r in t.requirements)
        yield from (c.guard(w.place, w.name not in firing.acknowledged) for w in t.warnings)
        yield from (c.guard(find.place, True) for find in t.finds)
        yield from (c.guard(place, bool(holds(firing.v))) for place, holds in program.conditions)
        if not by_anybody:
            yield from (c.guard(rule.place, True) for rule in program.workflow.people if t.event in rule.events)
        for voucher in firing.vouchers:
            if voucher.reverses is None:
                yield from self.posted(voucher.posting, {entry[2] for entry in voucher.entries})

    def posted(self, name: str, rules: set[str]) -> Iterator[c.Key]:
        """The rows of a posting that wrote an entry; what these require held, too."""
        posting = self.library.posting(name)
        if posting is None:
            return
        yield c.guard(posting.place, True)
        for row in posting.rows:
            if (rule := f"{name}/{row.name}") in rules:
                yield c.written(rule)
                yield from (c.guard(r.place, True) for r in row.requirements)

    def decided(self, fact: Any) -> Iterator[c.Key]:
        """The rows that answered a decision, or the key set that found one."""
        decision = self.library.decision(fact["decision"])
        if decision is None or fact["outputs"] is None:
            return
        if not decision.rows_of:
            yield from (c.answered(decision, said) for said in fact["rows"])
            return
        if fact["rows"] == ["otherwise"]:
            yield c.answered(decision, "otherwise")
        elif fact["rows"]:
            order = str(fact["inputs"][decision.chosen_by]) if decision.chosen_by else c.NO_ORDER
            yield c.found_by(decision, order, tuple(fact["key_set"] or ()))
