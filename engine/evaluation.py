"""Works out the values of firings and asks what they require: who may, who must be somebody else, what must hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import DecimalException
from typing import TYPE_CHECKING, Any

from . import programs as p
from .errors import ArithmeticProblem
from .firings import Element, Firing, Reason, standing_of
from .grants import refuse_grants
from .sharing import answer

if TYPE_CHECKING:
    from .execution import Work


# Readings that give every firing a value, be it none, and refuse nothing.
SURE = (p.Reference, p.Children, p.Measured, p.Closed, p.Reversible)


class Evaluation:
    """Evaluates programs for the firings of a piece of work, all at once."""

    def __init__(self, work: Work) -> None:
        self.work, self.gatherer, self.permission = work, work.gatherer, work.permission

    def compute(
        self, program: p.Program | p.Each, firings: Sequence[Any], upto: int | None = None,
        late: bool = False, stage: int = 0,
    ) -> None:  # fmt: skip
        """Work out the values of a program's segments of a stage; `upto` stops after that many operations.

        Of the late ones, which only refused firings need, those of the stages before are worked out, too.
        """
        standing: list[Any] | None = None
        for segment in program.segments:
            reading = segment.reading
            if late and isinstance(reading, p.Each) and segment.stage <= stage:
                self.compute(reading, elements_of(reading, firings), late=True)
            if segment.late != late or (upto is not None and segment.upto - p.FIRST >= upto):
                continue
            if segment.stage > stage or (segment.stage < stage and not late):
                continue
            if isinstance(reading, p.Claimed):
                # What all else allows is claimed one request after the other; see `claims`.
                continue
            if standing is None:
                standing = list(firings) if late else standing_of(firings)
            # What may turn out to stand against a firing is asked once more; most of it never does.
            sure = reading is None and self.loop(segment, standing)
            if isinstance(reading, p.Each):
                self.work_out(reading, standing)
            elif isinstance(reading, p.Shared):
                self.share_out(reading, standing)
            elif late and reading is not None:
                self.gatherer.read(reading, [f for f in standing if can_be_asked(reading, f)])
            elif reading is not None:
                self.gatherer.read(reading, standing)
                sure = isinstance(reading, SURE)
            if not sure:
                standing = None

    def work_out(self, each: p.Each, firings: Sequence[Any]) -> None:
        """The values of each element of a list, for all firings at once."""
        wanted = [f for f in firings if each.guard is None or each.guard(f.v)]
        elements = [[Element(f, v) for v in each.values_of(f.v)] for f in wanted]
        self.compute(each, [e for inner in elements for e in inner])
        for firing, inner in zip(wanted, elements, strict=True):
            rests = [each.hashes(e.v) for e in inner]
            firing.v[each.index] = (tuple(e.v for e in inner), self.gatherer.facts.add_each(each.of, rests))
            if any(e.pending for e in inner):
                firing.unanswered |= {each.index}

    def share_out(self, shared: p.Shared, firings: Sequence[Any]) -> None:
        """How amounts are shared out; what cannot be, or has no taker where it must have one, is refused."""
        assert shared.key is not None
        assert shared.share_out is not None
        for firing in firings:
            if shared.guard is not None and not shared.guard(firing.v):
                continue
            amount, (parts, _), smallest = shared.key(firing.v)
            found = answer(shared, amount, parts, smallest)
            firing.v[shared.index] = (found.shares, found.left, self.gatherer.facts.add(dict(found.content)))
            lacks = found.left and shared.share_out.left_over == "error"
            if found.problem or lacks:
                firing.unanswered |= {shared.index}
                said = (lambda _, problem=found.problem: problem) if found.problem else shared.refusal
                firing.refuse_by(said, shared.place, shared.share_out.name)

    def loop(self, segment: p.Segment, firings: Sequence[Firing | Element]) -> bool:
        """Work out the values of a run of computations; false where some cannot be reckoned."""
        compute = segment.compute
        assert compute is not None
        try:
            compute([f.v for f in firings], self.work.next_id)
            return True
        except (ArithmeticProblem, DecimalException, ZeroDivisionError):
            # Rare, so worth a second pass to find whose it is.
            for firing in firings:
                try:
                    compute([firing.v], self.work.next_id)
                except (ArithmeticProblem, DecimalException, ZeroDivisionError) as problem:
                    self.refuse_reckoning(firing, problem)
            return False

    def refuse_reckoning(self, firing: Firing | Element, problem: Exception) -> None:
        around = firing
        while isinstance(around, Element):
            around = around.around
        transition = around.program.transition
        said = f"{self.work.called(around.record, around.v[p.OWN])}: {problem}"
        firing.refuse_by(lambda _: said, transition.place, transition.event)

    def check(self, program: p.Program, firings: list[Firing]) -> None:
        """Who may, who must be somebody else, and what is required: every reason, not only the first."""
        for firing in firings:
            if firing.pending:
                self.refuse_requirements(program, firing, partly=True)
                continue
            if firing.parent is None:
                self.permission.entitle(program, firing)
            if not self.holds_all(program, firing):
                self.refuse_requirements(program, firing)
        refuse_grants(self.work.library, program, firings)
        self.permission.keep_apart(program, [f for f in firings if not f.pending])
        self.say_all(program, firings)

    def go_on(self, program: p.Program, firings: list[Firing], stage: int) -> list[Firing]:
        """Work out and check what rests on what the steps so far have done; gives those that still stand."""
        self.compute(program, firings, stage=stage)
        for firing in firings:
            self.refuse_requirements(program, firing, partly=bool(firing.pending), stage=stage)
        self.say_all(program, firings, stage)
        return [f for f in firings if f.root.stands]

    def say_all(self, program: p.Program, firings: list[Firing], stage: int = 0) -> None:
        """Turn all that stands against firings into words, and what is needed for them is read first."""
        refused = [f for f in firings if f.pending]
        if refused:
            self.compute(program, refused, late=True, stage=stage)
            for firing in refused:
                self.say(firing)

    def holds_all(self, program: p.Program, firing: Firing) -> bool:
        try:
            return bool(program.all_hold(firing.v))
        except (ArithmeticProblem, DecimalException):
            return False

    def refuse_requirements(self, program: p.Program, firing: Firing, partly: bool = False, stage: int = 0) -> None:
        for requirement in program.requirements:
            if requirement.stage != stage:
                continue
            # Where a look-up or decision found nothing, what rests on it cannot be asked; the rest can.
            if partly and any(i in firing.unanswered or firing.v[i] is None for i in requirement.slots):
                continue
            try:
                holds = requirement.holds(firing.v)
            except (ArithmeticProblem, DecimalException) as problem:
                firing.refuse(str(problem), requirement.place, requirement.name)
                continue
            if holds:
                continue
            if requirement.warning and requirement.name in firing.root.request.acknowledged:
                firing.acknowledged += (requirement.name,)
                continue
            more = f"acknowledge `{requirement.name}` to go on" if requirement.warning else ""
            firing.refuse_by(requirement.message, requirement.place, requirement.name, more)

    def say(self, firing: Firing) -> None:
        """Turn what stands against a firing into words."""
        for message, place, rule, more in firing.pending:
            try:
                said = message(firing.v) if message else ""
            except TypeError:
                # The words speak of what a look-up or decision before had to find, and did not.
                said = rule
            reason = Reason(rule, f"{said} ({more})" if more else said, place, bool(more))
            # The same may stand against many of the records that one event fires others on.
            if reason not in firing.root.reasons:
                firing.root.reasons.append(reason)
        firing.pending.clear()


def elements_of(each: p.Each, firings: Iterable[Firing | Element]) -> list[Element]:
    """The elements of those firings whose elements are known."""
    return [Element(f, v) for f in firings if f.v[each.index] is not None for v in f.v[each.index][0]]  # type: ignore[arg-type]


def can_be_asked(reading: p.Operation, firing: Firing | Element) -> bool:
    """Is everything known that a reading for messages rests on? A firing that is refused early knows less."""
    try:
        return (
            (reading.guard is None or reading.guard(firing.v))
            and reading.key is not None
            and bool(reading.key(firing.v))
        )
    except TypeError:
        return False
