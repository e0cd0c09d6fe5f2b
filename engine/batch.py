"""Performs many requests in chunks: one chunk, one transaction, safe to kill and run again. Also one request alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from typing import Any

from .errors import CharterFault, Conflict
from .execution import Programs, Work
from .facts import Facts
from .firings import Actor, Reason, Request, Root
from .frozen import frozen
from .garbage import nothing_collected
from .gathering import Gatherer
from .interruption import heed
from .isolation import Isolation
from .journal import Journal
from .library import Library
from .notation import KeyText
from .store import Result, Session, Store
from .streams import Streams
from .tables import STORE, Declared


@frozen
class Clock:
    """The moment of a piece of work: given, never read."""

    now: str

    @property
    def today(self) -> date:
        return date.fromisoformat(self.now[:10])


@dataclass
class Rules:
    """A pack ready to run: its library, its tables, its compiled programs; `hash` names the text it was made from."""

    library: Library
    metadata: Declared
    hash: str
    programs: Programs = field(init=False)
    decided: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.programs = Programs(self.library)


@dataclass
class Batch:
    """Performs requests for an actor. With `plan` all is done but the writing. `watch` is shown what was done."""

    rules: Rules
    store: Store
    actor: Actor
    clock: Clock
    plan: bool = False
    one_login: bool = False
    written_facts: set[tuple[str, str]] = field(default_factory=set)
    watch: Callable[[Work, Sequence[Root]], None] | None = None

    def all_in_one(self, requests: Iterable[Request], chunk: int = 1000) -> list[Root]:
        """Everything in one transaction; if anything is refused nothing is written but the reasons."""
        chunks = list(pieces(requests, chunk))

        def work(session: Session) -> list[Root]:
            roots = [root for piece in chunks for root in self.piece(session, piece)]
            if any(root.reasons for root in roots):
                raise _Refused(roots)
            if self.plan:
                raise _Refused(roots)
            return roots

        try:
            return self.within(work)
        except _Refused as refused:
            if not self.plan:
                self.keep_reasons(refused.roots)
            return refused.roots

    def in_chunks(self, requests: Iterable[Request], chunk: int = 1000, stops: bool = False) -> Iterator[list[Root]]:
        """One transaction for each chunk; what is refused is set aside with its reasons, or stops the run."""
        for piece in pieces(requests, chunk):
            roots = self.chunk(piece)
            yield roots
            if stops and any(root.reasons for root in roots):
                return

    def chunk(self, piece: Sequence[Request]) -> list[Root]:
        def work(session: Session) -> list[Root]:
            roots = self.piece(session, piece)
            if self.plan:
                raise _Refused(roots)
            return roots

        try:
            return self.within(work)
        except _Refused as planned:
            return planned.roots

    def piece(self, session: Session, requests: Sequence[Request]) -> list[Root]:
        """Requests within an open transaction. Those that met the same record as another go again, in a later wave.

        Where a request was overtaken by a later one, the next wave ends before that one. So each wave either finishes a
        request or is made of fewer, and all come out as one after the other.
        """
        done: dict[int, Root] = {}
        waves = [self.in_order(session, requests)] if requests else []
        for _ in range(2 * len(requests)):
            if not waves:
                break
            wave = waves.pop()
            roots = self.wave(session, [r for _, r in wave])
            done |= {index: root for (index, _), root in zip(wave, roots, strict=True)}
            again = [(i, r) for i, r in wave if done[i].deferred and not done[i].reasons]
            end = next((n for n, (i, _) in enumerate(again) if done[i].overtook), len(again))
            waves += [part for part in (again[end:], again[:end]) if part]
        if waves:
            raise CharterFault("Requests of one chunk wait for each other in a circle.")
        return [done[i] for i in range(len(requests))]

    def in_order(self, session: Session, requests: Sequence[Request]) -> list[tuple[int, Request]]:
        """The requests with their places, those first that come first where a limit on their event says who does."""
        placed, kinds = list(enumerate(requests)), {(r.record, r.event, r.id is None) for r in requests}
        if len(kinds) > 1 or len(placed) < 2:
            return placed
        ((record, event, creating),) = kinds
        order = next((limit.in_order for limit in self.rules.library.limits_at(record, event) if limit.in_order), None)
        if order is None or creating:
            return placed
        gatherer = Gatherer(self.rules.library, self.rules.metadata, session, Facts(), self.rules.decided)
        values = gatherer.values(record, order, [r.id for r in requests if r.id is not None])
        return sorted(placed, key=lambda p: [(v is not None, v) for v in values.get(p[1].id or 0, ())[: len(order)]])

    def wave(self, session: Session, requests: Sequence[Request]) -> list[Root]:
        heed()
        with nothing_collected():
            return self.performed(session, requests)

    def performed(self, session: Session, requests: Sequence[Request]) -> list[Root]:
        gatherer = Gatherer(self.rules.library, self.rules.metadata, session, Facts(), self.rules.decided)
        work = Work(self.rules.programs, gatherer, self.actor, self.clock.today, self.clock.now, self.one_login)
        roots = [Root(r, reasons) for r, reasons in resolve(gatherer, requests)]
        work.perform_roots(roots)
        Isolation(gatherer, roots).defer()
        work.claims.defer()
        if self.watch is not None:
            self.watch(work, roots)
        if session.has_rivals and not self.plan:
            Streams(gatherer, roots, gatherer.noted).hold()
        gatherer.noted.clear()
        Journal(work, self.rules.hash, self.written_facts).write(roots)
        session.return_ids()
        work.let_go()
        return roots

    def keep_reasons(self, roots: Sequence[Root]) -> None:
        """What was refused leaves its reasons, although everything it belonged to was taken back."""
        refused = [r for r in roots if r.reasons]
        if refused:
            self.within(lambda session: self.write_reasons(session, refused))

    def write_reasons(self, session: Session, refused: Sequence[Root]) -> None:
        """Write the reasons of what was refused, within an open transaction."""
        gatherer = Gatherer(self.rules.library, self.rules.metadata, session, Facts(), {})
        work = Work(self.rules.programs, gatherer, self.actor, self.clock.today, self.clock.now)
        Journal(work, self.rules.hash, set()).write_refusals(refused)
        session.return_ids()

    def within(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` in a transaction of its own, again as a whole after a lost race.

        Raises Conflict where another pack has been put in force since these rules were read.
        """

        def anew(session: Session) -> Result:
            # A transaction that was taken back has taken its facts back, too.
            self.written_facts.clear()
            self.confirm_rules(session)
            return work(session)

        return self.store.within(anew)

    def confirm_rules(self, session: Session) -> None:
        """Nothing is decided by rules that another process has replaced meanwhile."""
        in_force = session.own(f"SELECT value FROM {STORE} WHERE name = 'pack'{session.shared}").fetchone()[0]
        if in_force != self.rules.hash:
            raise Conflict(
                f"Another pack was put in force meanwhile: {in_force[:12]} in place of {self.rules.hash[:12]}. "
                "What was written before that stands; run the command again for the rest."
            )


class _Refused(Exception):
    """Takes a transaction back and carries its outcome out of it."""

    def __init__(self, roots: list[Root]) -> None:
        self.roots = roots


def resolve(gatherer: Gatherer, requests: Sequence[Request]) -> Iterator[tuple[Request, list[Reason]]]:
    """Replace the keys of records by their numbers, all of them looked up together; a key of nothing is a reason."""
    library = gatherer.library
    targets = {asked: key_targets(library, *asked) for asked in {(r.record, r.event) for r in requests}}
    wanted: dict[str, set[str]] = defaultdict(set)
    for r in requests:
        for name, target in targets[(r.record, r.event)].items():
            if isinstance(value := r.values.get(name), KeyText):
                wanted[target].add(str(value))
    found = {target: gatherer.ids_of(target, keys) for target, keys in wanted.items()}
    for r in requests:
        keys = {n: v for n, v in r.values.items() if isinstance(v, KeyText) and n in targets[(r.record, r.event)]}
        if not keys:
            yield r, []
            continue
        values, reasons = dict(r.values), []
        for name, value in keys.items():
            target = targets[(r.record, r.event)][name]
            values[name] = found[target].get(str(value))
            if values[name] is None:
                said = f"There is no {target} `{value}`, given as {name}."
                reasons.append(Reason(name, said, gatherer.place_of(r.record)))
        yield replace(r, values=values), reasons


def key_targets(library: Library, record: str, event: str) -> dict[str, str]:
    """The names that an event takes and that are references, with the record types they lead to."""
    found = library.record(record)
    transitions = library.transitions(found, event) if found else []
    return (
        {n: f.type.of for _, t in transitions for n, f in library.taken(found, t).items() if f.type.kind == "ref"}
        if found
        else {}
    )


def pieces(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of a size."""
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece
