"""What records that are on their way will lack: answers of decisions, records to be found, people, number series.

Everything that is waited for ahead of them is tried, with what it creates and fires, as if all that it requires held.
Nothing is written. Statements go by record type and a thousand records, never by record.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import localcontext
from itertools import count
from typing import Any, TypeAlias

from sqlalchemy import select

from . import definitions as d
from . import programs as p
from .application import Charter
from .batch import pieces
from .beginnings import Asked
from .errors import Place
from .execution import Work
from .facts import Facts
from .firings import Firing, Request, Root
from .frozen import frozen
from .gathering import Gatherer
from .masters import otherwise
from .money import EXACT
from .next_steps import UNKNOWN, Next
from .processes import requests
from .programs import default_of
from .store import Session
from .tables import SERIES, columns_of

AT_ONCE = 1000
ROUNDS = 20  # events one after the other; a ladder takes one for each of its steps

# A record under trial: its type, the root that it is tried for, its row as far as it has come.
Ahead: TypeAlias = "tuple[d.Record, Root, list[Any]]"

DAY = re.compile(r"\d{4}-\d\d-\d\d")

DECISION, RECORD, PEOPLE, NUMBERS, ROW = "decision", "record", "people", "series", "row"
TOLD = (NUMBERS, ROW)  # what nothing is refused for


@frozen
class Lack:
    """One thing that is lacking: of what `kind` it is, the `name` of the rule or series, in words why, days left out.

    `where` is the record type of which one is missing; where it is empty the rule itself must be looked at.
    """

    kind: str
    name: str
    says: str
    where: str = ""


@dataclass
class Lacking:
    """A lack with a line that asks for it, its words by day, the events that meet it, and the records by type."""

    lack: Lack
    place: Place
    words: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    records: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    @property
    def says(self) -> str:
        """In words, those of the first day for all."""
        days = sorted({day for words in self.words for day in DAY.findall(words)})
        return min(self.words) + (f" The same up to {days[-1]}." if len(self.words) > 1 else "")

    @property
    def example(self) -> tuple[str, int]:
        """One of the records, as (record type, id)."""
        name = min(self.records)
        return name, min(self.records[name])


def lacking(charter: Charter, session: Session, watch: Callable[[int], None]) -> list[Lacking]:
    """All that would be refused for want of something, by kind and name; `watch` is told how many more were tried.

    Besides, the records that are otherwise than the rows of the pack.
    """
    found = [*_Search(charter, session, watch).all().values(), *rows_otherwise(charter, session)]
    return sorted(found, key=lambda f: (f.lack.kind, f.lack.name, f.lack.says))


def rows_otherwise(charter: Charter, session: Session) -> Iterator[Lacking]:
    for found in otherwise(session, charter.rules.library):
        events = {f"{found.record} {event}" for event in found.events}
        records = {found.record: {found.id}}
        yield Lacking(Lack(ROW, found.record, found.says), found.place, {found.says}, events, records)


# --- which records, and what lies ahead of them ---


def events_ahead(flow: d.Workflow) -> dict[str, tuple[str, ...]]:
    """By state the events that lead on from it: those that it waits for, else those towards a state that waits.

    What needs something to be said, as a reason for going back, is no way on.
    """
    ahead = {name: state.waits_for for name, state in flow.states.items() if state.waits_for}
    reached = -1
    while reached != len(ahead):
        reached = len(ahead)
        leading = [t for t in flow.transitions if t.target in ahead and not needs_an_answer(t)]
        for source in {s for t in leading for s in t.sources} - ahead.keys() - {d.NOTHING}:
            ahead[source] = tuple(dict.fromkeys(t.event for t in leading if source in t.sources))
    return ahead


def needs_an_answer(transition: d.Transition) -> bool:
    return any(field is not None and field.needed for field in transition.takes.values())


class _Search:
    def __init__(self, charter: Charter, session: Session, watch: Callable[[int], None]) -> None:
        self.charter, self.session, self.rules, self.watch = charter, session, charter.rules, watch
        self.library, self.found = charter.rules.library, dict[Lack, Lacking]()
        self.ahead: dict[str, dict[str, Mapping[str, Sequence[str]]]] = defaultdict(dict)
        self.column: dict[tuple[str, str], int] = {}
        for record in self.library.records():
            columns = [name for name, _ in columns_of(self.library, record)]
            for name, flow in self.library.states_of(record).items():
                self.column[record.name, name] = columns.index(name)
                if ahead := events_ahead(flow):
                    self.ahead[record.name][name] = ahead
        table = charter.rules.metadata.tables[SERIES]
        self.begun = {(row.series, row.company) for row in session.rows(select(table.c.series, table.c.company))}

    def all(self) -> dict[Lack, Lacking]:
        for name, state, ahead in [(n, state, ahead) for n, of in self.ahead.items() for state, ahead in of.items()]:
            for turn in range(max(map(len, ahead.values()))):
                states = [s for s, events in ahead.items() if len(events) > turn]
                for ids in self.standing(name, state, states):
                    self.try_all([Request(name, "", i) for i in ids], turn)
        for process in map(self.library.process, sorted(doc.name for doc in self.library.pack.all("process"))):
            for piece in pieces(self.selected(process), AT_ONCE) if process else ():
                self.try_all(piece)
        return self.found

    def selected(self, process: d.Process) -> Iterable[Request]:
        """What a process would fire if it were run today for all; nothing where it takes more, or waits anyway."""
        if any(process.event in events for of in self.ahead.get(process.of, {}).values() for events in of.values()):
            return ()
        given = {n: self.charter.clock.today for n, f in process.takes.items() if f.needed and f.type.kind == "date"}
        if any(f.needed and n not in given for n, f in process.takes.items()):
            return ()
        left = {n: default_of(f) for n, f in process.takes.items() if n not in given}
        return requests(self.rules, self.session, process, given | left)

    def standing(self, record: str, field: str, states: Sequence[str]) -> Iterator[list[int]]:
        """The records that stand in one of these states, some at a time."""
        table, last = self.rules.metadata.tables[record], 0
        statement = select(table.c.id).where(table.c[field].in_(states)).order_by(table.c.id).limit(AT_ONCE)
        while ids := [row[0] for row in self.session.rows(statement.where(table.c.id > last))]:
            yield ids
            last = ids[-1]

    def try_all(self, requests: Sequence[Request], turn: int = 0) -> None:
        """Try what lies ahead of records of one type, each beginning with the event that is requested, if one is.

        Those that meet what others do go again, as they would when it is done.
        """
        self.watch(len(requests))
        while requests:
            trial = _Trial(self, [Root(r) for r in requests])
            trial.go(turn)
            for note in trial.notes:
                found = self.found.setdefault(note.lack, Lacking(note.lack, note.place))
                found.words.add(note.says)
                found.events.add(note.event)
                found.records[note.record].add(note.id)
            requests = [root.request for root in trial.roots if root.deferred]


# --- one try ---


@dataclass(frozen=True, slots=True)
class _Note:
    """A lack as one record met it: in these words, at this event."""

    lack: Lack
    says: str
    place: Place
    event: str
    record: str
    id: int


class _Trial(Work):
    """A piece of work that refuses nothing: what has no answer is noted, and the record goes on without it."""

    def __init__(self, search: _Search, roots: Sequence[Root]) -> None:
        rules, clock = search.rules, search.charter.clock
        gatherer = Gatherer(rules.library, rules.metadata, search.session, Facts(), rules.decided)
        super().__init__(rules.programs, gatherer, UNKNOWN, clock.today, clock.now, search.charter.is_demonstration)
        self.search, self.roots, self.new_ids = search, roots, count(-1, -1)
        self.next = Next(search.charter, search.session, rules, None, gatherer)
        self.place = {id(root): i for i, root in enumerate(roots)}
        self.notes: list[_Note] = []

    def go(self, turn: int) -> None:
        """Fire what lies ahead of each record, and of those that come of it, one event after the other."""
        record = self.wanted(self.roots[0].request.record)
        rows = self.gatherer.rows(record, [r.request.id for r in self.roots if r.request.id is not None])
        front = [(record, root, rows[root.request.id]) for root in self.roots if root.request.id in rows]
        seen: dict[int, list[Any]] = {}
        with localcontext(EXACT):
            for number in range(ROUNDS):
                for (name, event), asked in self.next_events(front, turn, number == 0).items():
                    self.try_event(self.wanted(name), event, asked)
                seen |= {id(row): row for _, _, row in front}
                front = [f for f in self.moved() if id(f[2]) not in seen]
                if not front:
                    break

    def next_events(
        self, front: Sequence[Ahead], turn: int, is_first: bool
    ) -> Mapping[tuple[str, str], Sequence[Ahead]]:
        found: dict[tuple[str, str], list[Ahead]] = defaultdict(list)
        for record, root, row in front:
            if is_first and root.request.event:
                found[record.name, root.request.event].append((record, root, row))
                continue
            for state, ahead in self.search.ahead.get(record.name, {}).items():
                if events := ahead.get(row[self.search.column[record.name, state]]):
                    found[record.name, events[min(turn, len(events) - 1)]].append((record, root, row))
        return found

    def try_event(self, record: d.Record, event: str, asked: Sequence[Ahead]) -> None:
        standing = [(root, row) for _, root, row in asked if root.stands]
        for flow, transition in self.library.transitions(record, event):
            here = self.search.column[record.name, flow.field]
            rows = [(root, row) for root, row in standing if row[here] in transition.sources]
            for root, said in self.next.asking(record, flow, transition).without_people(rows):
                self.note(PEOPLE, event, said, transition.place, record, event, root, "role_grant")
        given = [root.request.values if event == root.request.event else {} for root, _ in standing]
        wanted = [Asked(root, None, row[0], values) for (root, row), values in zip(standing, given, strict=True)]
        self.fire(record, event, wanted, False, 0)
        for root, _ in standing:
            # A decision that tells transitions apart has no answer.
            self.note_all(record, event, root, {})

    def moved(self) -> Iterator[Ahead]:
        """The records and what came of them, as they are by now; others that were met are tried for themselves."""
        pending = self.gatherer.pending
        for name, rows in pending.rows.items():
            for id_, (row, root) in rows.items():
                own = (name, id_) == (root.request.record, root.request.id) or (name, id_) in pending.created
                if own and row is not None and root.stands and name in self.search.ahead:
                    yield self.wanted(name), root, row

    # --- what is done otherwise than by a piece of work that counts ---

    def checked(self, program: p.Program, firings: list[Firing]) -> list[Firing]:
        self.evaluation.compute(program, firings)
        return self.answered(program, firings, 0)

    def checked_again(self, program: p.Program, firings: list[Firing], stage: int) -> list[Firing]:
        self.evaluation.compute(program, firings, stage=stage)
        return self.answered(program, firings, stage)

    def keep_keys_apart(self, program: p.Program, firings: list[Firing]) -> None:
        """What is only tried takes no key from anything."""

    def answered(self, program: p.Program, firings: Sequence[Firing], stage: int) -> list[Firing]:
        """Those that nothing is lacking for; the others stand where the event would have led them."""
        lacking, ready = [f for f in firings if f.pending], [f for f in firings if not f.pending]
        self.evaluation.compute(program, lacking, late=True, stage=stage)
        found_of = {find.name: find.of for find in program.transition.finds}
        for firing in lacking:
            self.evaluation.say(firing)
            self.note_all(program.record, program.transition.event, firing.root, found_of)
            if not program.transition.creates and not program.transition.deletes:
                row = list(firing.v[p.OWN])
                row[program.state_index] = program.transition.target
                self.gatherer.pending.rows[program.record.name][firing.id] = (row, firing.root)
        return ready

    def next_id(self, record: str, _alias: int = 0) -> int:
        return next(self.new_ids)

    def refuse(self, root: Root, rule: str, message: str, place: Place) -> None:
        """That an event is not possible, or needs something given, is no want of anything."""

    def post(self, effect: p.Effect, firing: Firing) -> None:
        assert effect.voucher is not None
        series, (company, *_) = effect.voucher.series, effect.voucher.head(firing.v)
        ledger = self.library.manifest.ledger
        if ledger and company is not None and (series, company) not in self.search.begun:
            of = self.wanted(ledger.company)
            *key, _ = self.gatherer.values(of.name, tuple(self.library.key_paths(of)), [company])[company]
            said = f"Vouchers of {of.name} {'/'.join(map(str, key))} begin with {ledger.series[series]}-000001."
            event = firing.program.transition.event
            self.note(NUMBERS, series, said, effect.place, firing.record, event, firing.root)

    # --- notes ---

    def note_all(self, record: d.Record, event: str, root: Root, found_of: Mapping[str, str]) -> None:
        for reason in root.reasons:
            if (of := found_of.get(reason.rule)) and root.request.event:
                # A process need not be run today, so what would have to be there today says nothing.
                continue
            if of:
                self.note(RECORD, of, reason.message, reason.place, record, event, root, of)
            elif found := self.library.decision(reason.rule):
                where = found.rows_of or ""
                self.note(DECISION, found.name, reason.message, found.place, record, event, root, where)
            elif shares := self.library.share_out(reason.rule):
                self.note(DECISION, shares.name, reason.message, shares.place, record, event, root)
        root.reasons.clear()

    def note(
        self, kind: str, name: str, says: str, place: Place, record: d.Record, event: str, root: Root, where: str = ""
    ) -> None:
        lack, at = Lack(kind, name, DAY.sub("", says), where), root.request
        self.notes.append(_Note(lack, says, place, f"{record.name} {event}", at.record, at.id or 0))
