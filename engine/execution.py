"""Performs events over many records at once: gather, decide, hand over what is to be written.

A piece of work is a list of requests. Each request is a root firing; what it creates and fires belongs to it and is
refused with it. Nothing is written here: `journal` writes what stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import DecimalException, localcontext
from typing import Any

from . import definitions as d
from . import programs as p
from .compiler import compile_transition
from .errors import CharterFault, Place
from .expression_python import ArithmeticProblem
from .firings import Actor, Firing, Reason, Request, Root, Voucher, standing_of
from .gathering import Gatherer
from .integrity import Integrity
from .library import Library
from .money import EXACT, ZERO
from .permission import Permission
from .tables import columns_of

DEEPEST = 20


@dataclass(slots=True)
class _Asked:
    """An event asked of a record, before its transition is known."""

    root: Root
    parent: Firing | None
    id: int | None
    values: Mapping[str, Any]
    new_id: int | None = None


def each_record_once(asked: list[_Asked]) -> tuple[list[_Asked], list[_Asked]]:
    """What is asked first of each record, and what is asked of it again by the same root and has to wait for that.

    What another root asks of the same record goes into a later piece of work.
    """
    first: dict[int | None, _Asked] = {}
    again = []
    for a in asked:
        before = first.setdefault(a.id, a)
        if before.root is not a.root:
            a.root.deferred = True
        elif before is not a:
            again.append(a)
    return list(first.values()), again


def can_be_asked(reading: p.Operation, firing: Firing) -> bool:
    """Is everything known that a reading for messages rests on? A firing that is refused early knows less."""
    try:
        return (
            (reading.guard is None or reading.guard(firing.v))
            and reading.key is not None
            and bool(reading.key(firing.v))
        )
    except TypeError:
        return False


class Programs:
    """Compiled transitions, each once."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self._made: dict[tuple[str, str, int], p.Program] = {}

    def of(self, record: d.Record, workflow: d.Workflow, transition: d.Transition) -> p.Program:
        key = (record.name, workflow.name, workflow.transitions.index(transition))
        if key not in self._made:
            self._made[key] = compile_transition(self.library, record, workflow, transition)
        return self._made[key]


class Work:
    """One piece of work: some requests within one transaction of the database."""

    def __init__(self, programs: Programs, gatherer: Gatherer, actor: Actor, today: date, now: str,
                 one_login: bool = False) -> None:  # fmt: skip
        self.programs, self.gatherer, self.actor = programs, gatherer, actor
        self.library, self.session = programs.library, gatherer.session
        self.today, self.now, self.one_login = today, now, one_login
        self.setting = (today, now, actor.id)
        self.permission = Permission(gatherer, actor, one_login, self.called)
        self.integrity = Integrity(self)
        self.place: dict[int, int] = {}

    def perform(self, requests: Sequence[Request]) -> list[Root]:
        """Work the requests through; the roots come back in order, standing, refused, or deferred."""
        roots = [Root(r) for r in requests]
        self.perform_roots(roots)
        return roots

    def perform_roots(self, roots: Sequence[Root]) -> None:
        """The same for roots made beforehand; one that has reasons already is left alone."""
        self.place = {id(root): i for i, root in enumerate(roots)}
        groups: dict[tuple[str, str, bool], list[_Asked]] = defaultdict(list)
        met: set[tuple[str, int]] = set()
        for root in roots:
            r = root.request
            if r.id is not None and (r.record, r.id) in met:
                root.deferred = True
                continue
            if r.id is not None:
                met.add((r.record, r.id))
            groups[(r.record, r.event, r.id is None)].append(_Asked(root, None, r.id, r.values))
        with localcontext(EXACT):
            for (record, event, creating), asked in groups.items():
                self.fire(self.wanted(record), event, asked, creating, 0)
            self.integrity.keep_referred()

    def wait(self, root: Root, holder: Root) -> None:
        """Let a root go again after another that holds what it wants; and that one too, if it should come later."""
        root.deferred = True
        if self.place[id(holder)] > self.place[id(root)]:
            holder.deferred = holder.overtook = True

    def wanted(self, name: str) -> d.Record:
        record = self.library.record(name)
        if record is None:
            raise CharterFault(f"There is no record type `{name}`.")
        return record

    # --- one event on many records ---

    def fire(self, record: d.Record, event: str, asked: list[_Asked], creating: bool, depth: int) -> None:
        if depth > DEEPEST:
            raise CharterFault(f"`{event}` of {record.name} fires events {DEEPEST} deep: rules go round in a circle.")
        while asked := [a for a in asked if a.root.stands]:
            now, asked = (asked, []) if creating else each_record_once(asked)
            begun = self.begin_new(record, event, now) if creating else self.begin(record, event, now)
            for program, firings in self.chosen(record, event, begun):
                self.run(program, firings, depth)

    def begin(self, record: d.Record, event: str, asked: list[_Asked]) -> Iterator[tuple[_Asked, list[Any], list[Any]]]:
        """(what was asked, the record's row, the transitions its states allow)."""
        rows = self.gatherer.rows(record, [a.id for a in asked if a.id is not None])
        pending = self.gatherer.pending.rows[record.name]
        transitions = self.library.transitions(record, event)
        place = {name: i for i, (name, _) in enumerate(columns_of(self.library, record))}
        for a in asked:
            assert a.id is not None
            row = rows.get(a.id)
            if a.id in pending and pending[a.id][1] is not a.root:
                self.wait(a.root, pending[a.id][1])
            elif row is None:
                self.refuse(a.root, event, f"There is no {record.name} {a.id}.", record.place)
            else:
                possible = [(w, t) for w, t in transitions if row[place[w.field]] in t.sources]
                if possible:
                    yield a, row, possible
                else:
                    where = self.place_of(record, transitions)
                    self.refuse(a.root, event, self.impossible(record, event, row, place), where)

    def impossible(self, record: d.Record, event: str, row: list[Any], place: Mapping[str, int]) -> str:
        called = self.called(record, row)
        flows = self.library.workflows_of(record)
        states = " and ".join(f'"{row[place[w.field]]}"' for w in flows)
        events = sorted({t.event for w in flows for t in w.transitions if row[place[w.field]] in t.sources and t.who})
        if not any(t.event == event for w in flows for t in w.transitions):
            every = ", ".join(sorted({t.event for w in flows for t in w.transitions}))
            return f"{record.name} knows no event `{event}`; it knows: {every}."
        return f"{called} cannot `{event}` from {states}; possible here: {', '.join(events) or 'nothing'}."

    def place_of(self, record: d.Record, transitions: Sequence[tuple[d.Workflow, d.Transition]]) -> Place:
        """Where it is said from which states an event is possible; of an event that nobody knows, where all are."""
        places = [t.place for creating in (False, True) for _, t in transitions if t.creates is creating]
        places += [w.place for w in self.library.workflows_of(record)]
        return next(iter(places), record.place)

    def called(self, record: d.Record, row: Sequence[Any]) -> str:
        """What people call a record."""
        values = self.gatherer.row_values(record.name, row, self.library.key_paths(record))
        return f"{record.name} {'/'.join(str(v) for v in values)}"

    def begin_new(
        self, record: d.Record, event: str, asked: list[_Asked]
    ) -> Iterator[tuple[_Asked, list[Any], list[Any]]]:
        columns = columns_of(self.library, record)
        place = {name: i for i, (name, _) in enumerate(columns)}
        flows = self.library.workflows_of(record)
        transitions = [(flows[0], t) for t in self.library.creations(record) if t.event == event]
        blank: list[Any] = [None] * len(columns)
        blank[place[flows[0].field]] = d.NOTHING
        for name, f in record.fields.items():
            if f.default is not None:
                blank[place[name]] = p.default_of(f)
        for a in asked:
            if not transitions:
                known = ", ".join(sorted({t.event for t in self.library.creations(record)}))
                self.refuse(
                    a.root, event, f"No {record.name} is created by `{event}`; possible: {known}.", record.place
                )
                continue
            row = list(blank)
            row[0] = a.new_id if a.new_id is not None else self.session.next_id(record.name, self.gatherer.metadata)
            for name, value in a.values.items():
                if name in record.fields:
                    row[place[name]] = value
            yield a, row, transitions

    def chosen(
        self, record: d.Record, event: str, begun: Iterable[tuple[_Asked, list[Any], list[Any]]]
    ) -> list[tuple[p.Program, list[Firing]]]:
        """Firings by the program of their transition; transitions of one event are told apart by their `when`."""
        groups: dict[tuple[int, ...], tuple[list[Any], list[tuple[_Asked, list[Any]]]]] = {}
        for a, row, possible in begun:
            key = tuple(id(t) for _, t in possible)
            groups.setdefault(key, (possible, []))[1].append((a, row))
        chosen: list[tuple[p.Program, list[Firing]]] = []
        for possible, members in groups.values():
            left, unanswered = members, list[Firing]()
            for workflow, transition in possible:
                program = self.programs.of(record, workflow, transition)
                firings = [f for a, row in left if (f := self.started(program, a, row))]
                left = [m for m in left if m[0].root.stands]
                if program.when is None:
                    chosen.append((program, firings))
                    left = []
                    break
                self.compute(program, firings, upto=program.selecting)
                unanswered += [f for f in firings if f.pending]
                mine = [f for f in firings if not f.pending and program.when(f.v)]
                chosen.append((program, mine))
                taken = {(id(f.root), f.id) for f in mine}
                left = [m for m in left if (id(m[0].root), m[1][0]) not in taken]
            undecided = {id(f.root): f for f in unanswered if f.root.stands}
            for a, row in left:
                if id(a.root) in undecided:
                    # A decision that the conditions rest on has no answer: its words say more than ours.
                    self.refuse_pending(undecided.pop(id(a.root)))
                    continue
                if not a.root.stands:
                    continue
                said = f"no transition of `{event}` applies; each has conditions that do not hold."
                text = f"{self.called(record, row)}: {said}"
                self.refuse(a.root, event, text, possible[0][1].place)
        return chosen

    def refuse_pending(self, firing: Firing) -> None:
        self.compute(firing.program, [firing], late=True)
        self.say(firing)

    def started(self, program: p.Program, a: _Asked, row: list[Any]) -> Firing | None:
        given = self.given(program, a, row)
        if given is None:
            return None
        v: list[Any] = [None] * program.width
        v[p.OWN], v[p.GIVEN], v[p.SETTING] = row, given, self.setting
        return Firing(a.root, a.parent, program, row[0], v)

    def given(self, program: p.Program, a: _Asked, row: list[Any]) -> tuple[Any, ...] | None:
        """What the event takes, in order; what is not given stays as it is or has its default."""
        given = a.values
        values = []
        missing = []
        for name, index, default, needed in program.takes:
            value = given.get(name)
            if value is None and index is not None and name not in given:
                value = row[index]
            if value is None:
                value = default
                if needed and value is None:
                    missing.append(name)
            values.append(value)
        unknown = given.keys() - program.taken.keys() if given else ()
        if unknown or missing:
            self.refuse_given(program, a.root, sorted(unknown), missing)
            return None
        return tuple(values)

    def refuse_given(self, program: p.Program, root: Root, unknown: list[str], missing: list[str]) -> None:
        event, place = program.transition.event, program.transition.place
        if unknown:
            takes = ", ".join(program.taken) or "nothing"
            self.refuse(root, event, f"`{event}` does not take {', '.join(unknown)}; it takes: {takes}.", place)
        if missing:
            self.refuse(root, event, f"`{event}` needs {', '.join(missing)}.", place)

    def refuse(self, root: Root, rule: str, message: str, place: Place) -> None:
        root.reasons.append(Reason(rule, message, place))

    # --- one program over its firings ---

    def run(self, program: p.Program, firings: list[Firing], depth: int) -> None:
        firings = [f for f in firings if f.root.stands]
        if not firings:
            return
        self.compute(program, firings)
        self.check(program, firings)
        firings = [f for f in firings if f.root.stands]
        for firing in firings:
            self.settle(program, firing)
        self.integrity.refuse_same_keys(program, firings)
        stage = 0
        for effect in program.effects:
            firings = [f for f in firings if f.root.stands]
            while stage < effect.stage:
                stage += 1
                firings = self.go_on(program, firings, stage)
            self.bring_about(effect, firings, depth)

    def go_on(self, program: p.Program, firings: list[Firing], stage: int) -> list[Firing]:
        """Work out and check what rests on what the steps so far have done; gives those that still stand."""
        self.compute(program, firings, stage=stage)
        for firing in firings:
            self.refuse_requirements(program, firing, partly=bool(firing.pending), stage=stage)
        self.say_all(program, firings, stage)
        return [f for f in firings if f.root.stands]

    def compute(
        self, program: p.Program, firings: list[Firing], upto: int | None = None, late: bool = False, stage: int = 0
    ) -> None:
        """Work out the values of a program's segments of a stage; `upto` stops after that many operations.

        Of the late ones, which only refused firings need, those of the stages before are worked out, too.
        """
        for segment in program.segments:
            if segment.late != late or (upto is not None and segment.upto - p.FIRST >= upto):
                continue
            if segment.stage > stage or (segment.stage < stage and not late):
                continue
            standing = firings if late else standing_of(firings)
            if late and segment.reading is not None:
                self.gatherer.read(segment.reading, [f for f in standing if can_be_asked(segment.reading, f)])
            elif segment.reading is not None:
                self.gatherer.read(segment.reading, standing)
            elif segment.compute is not None:
                self.loop(segment, standing, program)

    def loop(self, segment: p.Segment, firings: list[Firing], program: p.Program) -> None:
        compute = segment.compute
        assert compute is not None
        try:
            compute([f.v for f in firings], self.next_id)
        except (ArithmeticProblem, DecimalException, ZeroDivisionError):
            # Rare, so worth a second pass to find whose it is.
            for firing in firings:
                try:
                    compute([firing.v], self.next_id)
                except (ArithmeticProblem, DecimalException, ZeroDivisionError) as problem:
                    said = f"{self.called(program.record, firing.v[p.OWN])}: {problem}"
                    firing.refuse(said, program.transition.place, program.transition.event)

    def next_id(self, record: str) -> int:
        return self.session.next_id(record, self.gatherer.metadata)

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
        for rule in program.people:
            self.permission.keep_apart(rule, [f for f in firings if not f.pending])
        self.say_all(program, firings)

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
                firing.acknowledged.append(requirement.name)
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
            firing.root.reasons.append(Reason(rule, f"{said} ({more})" if more else said, place))
        firing.pending.clear()

    # --- what comes of it ---

    def settle(self, program: p.Program, firing: Firing) -> None:
        """Put the record as the event leaves it where the rest of the work sees it."""
        pending = self.gatherer.pending
        key = (program.record.name, firing.id)
        before = firing.v[p.OWN]
        firing.row = None if program.transition.deletes else program.first_row(firing.v)
        if program.transition.creates:
            pending.created.add(key)
        elif key not in pending.created:
            pending.before.setdefault(key, before)
        pending.rows[program.record.name][firing.id] = (firing.row, firing.root)
        if firing.parent is None:
            firing.root.firing = firing
        else:
            firing.parent.fired.append(firing)

    def bring_about(self, effect: p.Effect, firings: list[Firing], depth: int) -> None:
        if effect.when is not None:
            firings = [f for f in firings if effect.when(f.v)]
        if not firings:
            return
        if effect.kind == "post":
            for firing in firings:
                self.post(effect, firing)
        elif effect.kind == "reverse":
            for firing in firings:
                self.reverse(effect, firing)
        elif effect.kind == "set":
            for firing in firings:
                self.set_late(effect, firing)
            self.integrity.refuse_same_keys(firings[0].program, firings)
        else:
            values = effect.values
            assert values is not None
            creating = effect.kind == "create"
            asked = []
            for firing in firings:
                if creating:
                    new_id = effect.ids(firing.v) if effect.ids else None
                    asked.append(_Asked(firing.root, firing, None, values(firing.v), new_id))
                else:
                    assert effect.ids is not None
                    asked += [_Asked(firing.root, firing, i, values(firing.v)) for i in effect.ids(firing.v)]
            self.fire(self.wanted(effect.record), effect.event, asked, creating, depth + 1)

    def set_late(self, effect: p.Effect, firing: Firing) -> None:
        """Set what rests on what steps before did, unless an event that they fired has set the same field meanwhile."""
        own, changed = firing.row, self.gatherer.pending.rows[firing.record.name]
        now, root = changed[firing.id]
        assert effect.row is not None
        assert own is not None
        if now is None or any(now[i] != own[i] for i in effect.columns):
            names = ", ".join(firing.program.columns[i][0] for i in effect.columns)
            said = f"{self.called(firing.record, own)}: an event fired by a step before set or deleted {names}, too."
            self.refuse(root, firing.program.transition.event, said, effect.place)
            return
        # Another event's row is left to it: what it did is logged of it.
        after = own if now is own else list(now)
        for index, value in zip(effect.columns, effect.row(firing.v), strict=True):
            own[index] = after[index] = value
        changed[firing.id] = after, root

    def post(self, effect: p.Effect, firing: Firing) -> None:
        code = effect.voucher
        assert code is not None
        entries = code.entries(firing.v)
        if not entries:
            return
        company, on, currency = code.head(firing.v)
        total = sum((e[3] for e in entries), ZERO)
        if total != 0:
            called = self.called(firing.record, firing.v[p.OWN])
            raise CharterFault(f"The posting {code.posting} of {called} does not balance: {total}.")
        firing.vouchers.append(Voucher(code.posting, code.series, company, on, currency, entries))

    def reverse(self, effect: p.Effect, firing: Firing) -> None:
        assert effect.ids is not None
        vouchers, on = effect.ids(firing.v)
        for id_, series, company, was_on, currency, posting, entries in vouchers:
            mirrored = [(*e[:3], -e[3], *e[4:]) for e in entries]
            firing.vouchers.append(Voucher(posting, series, company, on or was_on, currency, mirrored, id_))
