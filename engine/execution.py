"""Performs events over many records at once: gather, decide, and hand over what is to be written. One way for one or all.

A piece of work is a list of requests. Each request is a root firing; what it creates and fires belongs to it and is
refused with it. Nothing is written here: `journal` writes what stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import DecimalException, localcontext
from typing import Any

from sqlalchemy import select

from . import definitions as d
from . import programs as p
from .compiler import compile_transition
from .errors import CharterFault, Place
from .expression_python import ArithmeticProblem
from .gathering import Gatherer, among, parts
from .library import Library
from .money import EXACT, ZERO
from .queries import types_of
from .store import decoder
from .tables import LOG, columns_of

DEEPEST = 20


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stands against an event: the rule's own words, and where the rule stands."""

    rule: str
    message: str
    place: Place
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. `grants` are (role, record/key or None); `unbound` may do everything (tests, setting up a store)."""

    id: int | None
    number: str
    login: str
    grants: frozenset[tuple[str, str | None]]
    unbound: bool = False


@dataclass(slots=True)
class Root:
    """A request under way and what came of it."""

    request: Request
    reasons: list[Reason] = field(default_factory=list)
    deferred: bool = False
    firing: Firing | None = None

    @property
    def stands(self) -> bool:
        return not self.reasons and not self.deferred


@dataclass(slots=True)
class Voucher:
    """A voucher to be written: entries are (account, account key, row, amount, dimension...); `reverses` an older one."""

    posting: str
    series: str
    company: int
    date: date
    currency: str
    entries: list[tuple[Any, ...]]
    reverses: int | None = None


@dataclass(slots=True)
class Firing:
    """One event on one record. `v` are its values as programs count them; `row` is the record afterwards, None if gone."""

    root: Root
    parent: Firing | None
    program: p.Program
    id: int
    v: list[Any]
    row: list[Any] | None = None
    right: str = ""
    vouchers: list[Voucher] = field(default_factory=list)
    fired: list[Firing] = field(default_factory=list)
    pending: list[tuple[Any, Place, str, str]] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    def refuse_by(self, message: Callable[[list[Any]], str] | None, place: Place, rule: str, more: str = "") -> None:
        """Note a refusal whose words are worked out later, when what they need has been read."""
        self.pending.append((message, place, rule, more))

    def refuse(self, said: str, place: Place, rule: str) -> None:
        """Note a refusal whose words are known."""
        self.pending.append((lambda _: said, place, rule, ""))

    @property
    def record(self) -> d.Record:
        return self.program.record

    @property
    def from_state(self) -> str | None:
        found: str | None = self.v[0][self.program.state_index]
        return found


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

    def perform(self, requests: Sequence[Request]) -> list[Root]:
        """Work the requests through; the roots come back in order, each standing, refused, or deferred to a later piece."""
        roots = [Root(r) for r in requests]
        self.perform_roots(roots)
        return roots

    def perform_roots(self, roots: Sequence[Root]) -> None:
        """The same for roots made beforehand; one that has reasons already is left alone."""
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
            self.keep_referred()

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
                a.root.deferred = True
            elif row is None:
                self.refuse(a.root, event, f"There is no {record.name} {a.id}.", record.place)
            else:
                possible = [(w, t) for w, t in transitions if row[place[w.field]] in t.sources]
                if possible:
                    yield a, row, possible
                else:
                    self.refuse(a.root, event, self.impossible(record, event, row, place), record.place)

    def impossible(self, record: d.Record, event: str, row: list[Any], place: Mapping[str, int]) -> str:
        called = self.called(record, row)
        flows = self.library.workflows_of(record)
        states = " and ".join(f'"{row[place[w.field]]}"' for w in flows)
        events = sorted({t.event for w in flows for t in w.transitions if row[place[w.field]] in t.sources and t.who})
        if not any(t.event == event for w in flows for t in w.transitions):
            every = ", ".join(sorted({t.event for w in flows for t in w.transitions}))
            return f"{record.name} knows no event `{event}`; it knows: {every}."
        return f"{called} cannot `{event}` from {states}; possible here: {', '.join(events) or 'nothing'}."

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
        """Firings by the program of their transition; several transitions of one event are told apart by their `when`."""
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
                text = f"{self.called(record, row)}: no transition of `{event}` applies; each has conditions that do not hold."
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
        self.refuse_same_keys(program, firings)
        for effect in program.effects:
            standing = [f for f in firings if f.root.stands]
            self.bring_about(effect, standing, depth)

    def compute(self, program: p.Program, firings: list[Firing], upto: int | None = None, late: bool = False) -> None:
        """Work out the values of a program's segments; `upto` stops after that many operations."""
        for segment in program.segments:
            if segment.late != late or (upto is not None and segment.upto - p.FIRST >= upto):
                continue
            standing = firings if late else standing_of(firings)
            if segment.reading is not None:
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
        refused = [f for f in firings if f.pending]
        for firing in firings:
            if firing.pending:
                continue
            if firing.parent is None:
                self.entitle(program, firing)
            if not self.holds_all(program, firing):
                self.refuse_requirements(program, firing)
            if firing.pending:
                refused.append(firing)
        for rule in program.people:
            refused += self.keep_apart(rule, [f for f in firings if not f.pending])
        if refused:
            self.compute(program, refused, late=True)
            for firing in refused:
                self.say(firing)

    def entitle(self, program: p.Program, firing: Firing) -> None:
        actor = self.actor
        if actor.unbound:
            firing.right = "set up"
            return
        for e in program.entitlements:
            right = self.right_of(e, firing)
            if right:
                firing.right = right
                return
        who = (
            " or ".join(self.needed(e, firing) for e in program.entitlements)
            or "nobody directly: another event fires it"
        )
        said = f"{actor.number} may not `{program.transition.event}` {self.called(program.record, firing.v[p.OWN])}; it is for {who}."
        place = program.entitlements[0].place if program.entitlements else program.transition.place
        firing.refuse(said, place, program.transition.event)

    def right_of(self, e: p.Entitlement, firing: Firing) -> str:
        """By what right the actor may, empty if not."""
        grants = self.actor.grants
        if e.roles is None and e.role is None:
            return e.said if e.holder and e.holder(firing.v) == self.actor.id else ""
        for role in [e.role] if e.role else e.roles(firing.v) if e.roles else []:
            held_for = e.holder(firing.v) if e.holder and self.is_held_for(role) else None
            if (role, held_for) in grants:
                return f"{role} of {held_for}" if held_for else str(role)
            # A grant that names no record holds everywhere.
            if (role, None) in grants:
                return str(role)
        return ""

    def needed(self, e: p.Entitlement, firing: Firing) -> str:
        if e.roles is None and e.role is None:
            return e.said
        said = []
        for role in [e.role] if e.role else e.roles(firing.v) if e.roles else []:
            held_for = e.holder(firing.v) if e.holder and self.is_held_for(role) else None
            said.append(f"{role} of {held_for}" if held_for else str(role))
        return " or ".join(said) or e.said

    def is_held_for(self, role: str | None) -> bool:
        declared = self.library.manifest.roles.get(role or "")
        return declared is not None and declared.of is not None

    def holds_all(self, program: p.Program, firing: Firing) -> bool:
        try:
            return bool(program.all_hold(firing.v))
        except (ArithmeticProblem, DecimalException):
            return False

    def refuse_requirements(self, program: p.Program, firing: Firing) -> None:
        for requirement in program.requirements:
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
            said = message(firing.v) if message else ""
            firing.root.reasons.append(Reason(rule, f"{said} ({more})" if more else said, place))
        firing.pending.clear()

    # --- people ---

    def keep_apart(self, rule: p.Apart, firings: list[Firing]) -> list[Firing]:
        if self.actor.unbound or not firings:
            return []
        earlier = self.earlier(rule, firings) if rule.events else {}
        refused = []
        for firing in firings:
            same = [f for f, holder in zip(rule.fields, rule.holders, strict=True) if holder(firing.v) == self.actor.id]
            same += [f"`{event}`" for event, number, login in earlier.get(firing.id, ())
                     if number == self.actor.number or (login == self.actor.login and not self.one_login)]  # fmt: skip
            if same:
                event = firing.program.transition.event
                said = f"{self.actor.number} may not `{event}` {self.called(firing.record, firing.v[p.OWN])}: the same person as {', '.join(same)}."
                firing.refuse(said, rule.place, "people")
                refused.append(firing)
        return refused

    def earlier(self, rule: p.Apart, firings: list[Firing]) -> dict[int, list[tuple[str, str, str]]]:
        """Who fired the other events on these records, since the last time `since` was fired."""
        log = self.gatherer.metadata.tables[LOG]
        events = [*rule.events, *([rule.since] if rule.since else [])]
        found: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        statement = select(log.c.record_id, log.c.event, log.c.actor, log.c.login).where(
            log.c.record == firings[0].record.name, log.c.event.in_(events)
        )
        for part in parts([f.id for f in firings]):
            for id_, event, actor, login in self.session.rows(
                statement.where(log.c.record_id.in_(part)).order_by(log.c.id)
            ):
                if event == rule.since:
                    found[id_].clear()
                if event in rule.events:
                    found[id_].append((event, actor, login))
        self.add_present(rule, firings, found)
        return found

    def add_present(self, rule: p.Apart, firings: list[Firing], found: dict[int, list[tuple[str, str, str]]]) -> None:
        """The same for what the work itself has fired on these records so far; the log does not hold it yet."""
        record = firings[0].record.name
        for first in {id(r): r.firing for f in firings if (r := f.root).firing}.values():
            for firing in in_tree_order(first) if first else ():
                event = firing.program.transition.event
                if firing.record.name == record and event == rule.since:
                    found[firing.id].clear()
                if firing.record.name == record and event in rule.events:
                    found[firing.id].append((event, self.actor.number, self.actor.login))

    # --- what comes of it ---

    def settle(self, program: p.Program, firing: Firing) -> None:
        """Put the record as the event leaves it where the rest of the work sees it."""
        pending = self.gatherer.pending
        key = (program.record.name, firing.id)
        before = firing.v[p.OWN]
        firing.row = None if program.transition.deletes else program.new_row(firing.v)
        if program.transition.creates:
            pending.created.add(key)
        elif key not in pending.created:
            pending.before.setdefault(key, before)
        pending.rows[program.record.name][firing.id] = (firing.row, firing.root)
        if firing.parent is None:
            firing.root.firing = firing
        else:
            firing.parent.fired.append(firing)

    def refuse_same_keys(self, program: p.Program, firings: list[Firing]) -> None:
        """No two records are called the same: found here, so that it is a refusal and not a failure of the database."""
        record = program.record
        places = [i for i, (n, _) in enumerate(program.columns) if n in record.key]
        if not places or not (program.transition.creates or set(places) & set(program.changed)):
            return
        state = next((i for i, (n, _) in enumerate(program.columns) if n == "state"), 0)
        wanted: dict[tuple[Any, ...], Firing] = {}
        for firing in firings:
            if firing.row is None or firing.row[state] in record.key_except:
                continue
            key = tuple(firing.row[i] for i in places)
            first = wanted.setdefault(key, firing)
            if first is not firing:
                self.yield_key(firing, first.root)
        for id_, key, root in self.holders(record, places, state, wanted):
            if wanted[key].id != id_:
                self.yield_key(wanted[key], root)

    def yield_key(self, firing: Firing, holder: Root | None) -> None:
        """Refuse a key that a stored record or one of the same root has; wait where another root may yet be refused."""
        if holder is None or holder is firing.root:
            self.refuse_key(firing)
        else:
            firing.root.deferred = True

    def holders(
        self, record: d.Record, places: list[int], state: int, wanted: Mapping[tuple[Any, ...], Firing]
    ) -> Iterator[tuple[int, tuple[Any, ...], Root | None]]:
        """The records that have these keys, and the root that gave or may take it in this piece of work."""
        joined = self.gatherer.joined(record.name)
        names = [columns_of(self.library, record)[i][0] for i in places]
        pending = self.gatherer.pending.rows[record.name]
        for id_, (row, root) in pending.items():
            if row is None or not root.stands or row[state] in record.key_except:
                continue
            if tuple(row[i] for i in places) in wanted:
                yield id_, tuple(row[i] for i in places), root
        paths = [(n,) for n in names]
        types = types_of(self.library, record, paths)
        decode = decoder(types)
        for part in parts(wanted):
            statement = joined.select([("id",), *paths])
            for position, path in enumerate(paths):
                statement = statement.where(among(joined.column(path)[0], types[position], {k[position] for k in part}))
            if record.key_except:
                statement = statement.where(joined.column(("state",))[0].not_in(record.key_except))
            for row in self.session.rows(statement):
                key = tuple(decode(row[1:]))
                _, root = pending.get(row[0], (None, None))
                # What the asking root has made of a stored record is among the pending ones above.
                if key in wanted and root is not wanted[key].root:
                    yield row[0], key, None if root is None or root.reasons else root

    def keep_referred(self) -> None:
        """What others refer to is not deleted: a refusal, not a failure of the database."""
        pending = self.gatherer.pending
        for name, rows in list(pending.rows.items()):
            gone = {i: root for i, (row, root) in rows.items() if row is None and root.stands}
            gone = {i: root for i, root in gone.items() if (name, i) not in pending.created}
            record = self.library.record(name)
            if not gone or record is None:
                continue
            for other, field, id_, target in self.references(name, list(gone)):
                row, root = pending.rows[other.name].get(id_, (None, None))
                if root is None or root.reasons or (root is gone[target] and row is not None and row[field] == target):
                    called = self.called(record, pending.before[(name, target)])
                    said = f"{called} is not deleted: {self.called_by_id(other, id_)} refers to it."
                    self.refuse(gone[target], "reference", said, record.place)
                elif root is not gone[target]:
                    # Whether the other still refers to it is known when that is written.
                    gone[target].deferred = True

    def references(self, name: str, ids: list[int]) -> Iterator[tuple[d.Record, int, int, int]]:
        """(record type, place of the field, id, the record it refers to) of all that refers to these records."""
        ledger = [r for r in ("entry", "voucher") if self.library.manifest.ledger]
        for other in [*self.library.records(), *(self.wanted(r) for r in ledger)]:
            fields = [n for n, f in other.fields.items() if f.type.kind == "ref" and f.type.of == name]
            if not fields:
                continue
            place = {n: i for i, (n, _) in enumerate(columns_of(self.library, other))}
            joined = self.gatherer.joined(other.name)
            for field in fields:
                statement = joined.select([("id",), (field,)])
                for part in parts(ids):
                    for id_, target in self.session.rows(statement.where(joined.column((field,))[0].in_(part))):
                        yield other, place[field], id_, target
                for id_, (row, _) in self.gatherer.pending.rows.get(other.name, {}).items():
                    if row is not None and row[place[field]] in ids:
                        yield other, place[field], id_, row[place[field]]

    def called_by_id(self, record: d.Record, id_: int) -> str:
        if not record.key:
            return f"{record.name} {id_}"
        found = self.gatherer.rows(record, [id_]).get(id_)
        return self.called(record, found) if found else f"{record.name} {id_}"

    def refuse_key(self, firing: Firing) -> None:
        assert firing.row is not None
        said = f"There is already a {self.called(firing.record, firing.row)}."
        self.refuse(firing.root, "key", said, firing.record.place)

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

    def post(self, effect: p.Effect, firing: Firing) -> None:
        code = effect.voucher
        assert code is not None
        entries = code.entries(firing.v)
        if not entries:
            return
        company, on, currency = code.head(firing.v)
        total = sum((e[3] for e in entries), ZERO)
        if total != 0:
            raise CharterFault(
                f"The posting {code.posting} of {self.called(firing.record, firing.v[p.OWN])} does not balance: {total}."
            )
        firing.vouchers.append(Voucher(code.posting, code.series, company, on, currency, entries))

    def reverse(self, effect: p.Effect, firing: Firing) -> None:
        assert effect.ids is not None
        vouchers, on = effect.ids(firing.v)
        for id_, series, company, was_on, currency, posting, entries in vouchers:
            mirrored = [(*e[:3], -e[3], *e[4:]) for e in entries]
            firing.vouchers.append(Voucher(posting, series, company, on or was_on, currency, mirrored, id_))


def standing_of(firings: list[Firing]) -> list[Firing]:
    """Those that nothing stands against so far; most often all of them."""
    return [f for f in firings if not f.pending and not f.root.reasons and not f.root.deferred]


def in_tree_order(firing: Firing) -> Iterator[Firing]:
    """A firing and what it fired, each cause before what it caused."""
    yield firing
    for inner in firing.fired:
        yield from in_tree_order(inner)
