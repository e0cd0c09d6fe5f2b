"""Runs the tests that a pack declares: given records, an event, then what must have come of it. Nothing is kept.

Every test runs in a transaction of a store in memory that is taken back afterwards. What tests have in common is played
once and copied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from . import catalog
from . import definitions as d
from .actors import actor_in
from .application import Charter, refusals, rules_of
from .batch import Batch, Clock, Rules
from .coverage import Coverage
from .definitions import Element
from .errors import CharterFault, Place
from .expression_types import check
from .expressions import parse
from .facts import Facts
from .firings import Actor, Request, Root
from .gathering import Gatherer
from .notation import convert
from .processes import run_within, selected, takes_of
from .queries import Joined
from .scopes import Names
from .store import Session, Store
from .tables import LOG
from .trial_comparison import Comparison, Failed
from .trial_differences import Difference

SCENE = Actor(None, "test", "test", frozenset(), unbound=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A test's name and place, and everything that was not as it should be; `fault` is what the program itself did.

    `differences` are the figures among it that are otherwise than expected.
    """

    name: str
    doc: str
    place: Place
    failures: tuple[str, ...]
    fault: Exception | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.failures

    @property
    def told(self) -> tuple[str, ...]:
        """All that was otherwise, a line each."""
        return (*self.failures, *(difference.said for difference in self.differences))


def noon(day: str) -> Clock:
    return Clock(f"{day}T12:00:00.000000Z")


def run_tests(pack: catalog.Pack, only: str = "", coverage: Coverage | None = None) -> Iterator[Verdict]:
    """Run every test of a pack that has a `when`; `only` picks as `is_meant` says, `coverage` looks on."""
    store = Store("sqlite://")
    charter = Charter(store, "test", Clock("2000-01-01T00:00:00.000000Z"))
    charter.init(pack, "administrator", demonstration=True)
    rules = rules_of(pack)
    scenes = Scenes(store, pack)
    for document in pack.all("test"):
        if is_meant(document, only):
            yield _one(scenes, Trial(store, rules, pack, document, coverage))
    scenes.close()
    store.close()


def try_out(pack: catalog.Pack, document: catalog.Document, text: str) -> Verdict:
    """Run a test, which is not one of the pack yet and stands in a file of that text, by the rules of the pack."""
    others = tuple(each for each in pack.documents if each.kind != "test")
    files = {**pack.files, document.place().file: text}
    (verdict,) = run_tests(replace(pack, documents=(*others, document), files=files), document.name)
    return verdict


def is_meant(document: catalog.Document, only: str) -> bool:
    """Is it a test with that in its name, or one of the file of that name?"""
    files = {name for file, _ in document.written_in for name in (Path(file).stem, Path(file).name)}
    return "when" in document.body and (only in document.name or only in files)


class Scenes:
    """The states of the store that tests begin in, each by the name of its scene and the moment it was played at."""

    def __init__(self, store: Store, pack: catalog.Pack) -> None:
        self.store, self.pack = store, pack
        self.kept: dict[tuple[str, str], sqlite3.Connection] = {}
        self.keep(("", ""))

    def put_up(self, trial: Trial, e: Element) -> int:
        """Bring the store to where a test begins, as far as a scene says so; gives how many of the steps that were."""
        first = next(e.items("given"), None)
        if first is None or not first.has("as_in"):
            self.restore(("", ""))
            return 0
        key = (first.word("as_in"), trial.clock.now)
        if key in self.kept:
            self.restore(key)
            return 1
        scene = trial.scene(first)
        done = self.put_up(trial, scene)
        with self.store.transaction() as session:
            trial.given(session, scene, done)
        self.keep(key)
        return 1

    def keep(self, key: tuple[str, str]) -> None:
        self.kept[key] = sqlite3.connect(":memory:")
        self.connection().backup(self.kept[key])

    def restore(self, key: tuple[str, str]) -> None:
        self.kept[key].backup(self.connection())

    def connection(self) -> sqlite3.Connection:
        found = self.store.engine.raw_connection().driver_connection
        assert isinstance(found, sqlite3.Connection)
        return found

    def close(self) -> None:
        for copy in self.kept.values():
            copy.close()


class _TakenBack(Exception):
    """Ends a test's transaction without writing it."""


def _one(scenes: Scenes, trial: Trial) -> Verdict:
    failures: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    fault: Exception | None = None
    document = trial.document
    try:
        done = scenes.put_up(trial, trial.whole)
        with trial.store.transaction() as session:
            failures, differences = trial.run(session, done)
            raise _TakenBack
    except _TakenBack:
        pass
    except (Failed, CharterFault) as failed:
        failures = (str(failed),)
    except Exception as error:
        # What nobody foresaw ends this test, and is told with it; the others have a store of their own.
        fault, failures = error, (f"{document.place()}: {fault_said(error)}",)
    doc = str(document.body.get("doc", ""))
    return Verdict(document.name, doc, document.place(), failures, fault, differences)


def fault_said(error: Exception) -> str:
    """A fault of the program, for the one who ran the test."""
    reason = " ".join(str(error).split()) or "no reason given"
    return f"a fault of the program, not of the rules: {type(error).__name__}: {reason}"


class Trial:
    """One test under way."""

    def __init__(
        self, store: Store, rules: Rules, pack: catalog.Pack, document: catalog.Document,
        coverage: Coverage | None = None,
    ) -> None:  # fmt: skip
        self.store, self.rules, self.pack, self.document = store, rules, pack, document
        self.watch = None if coverage is None else coverage.watch
        self.library = rules.library
        self.clock = noon(str(document.body["today"]))

    @property
    def whole(self) -> Element:
        return Element(self.document, (), self.document.body)

    def run(self, session: Session, done: int = 0) -> tuple[tuple[str, ...], tuple[Difference, ...]]:
        """Play what is given but for the steps already done, then the rest; gives what is not as it should be."""
        e = self.whole
        self.given(session, e, done)
        before = self.last(session)
        roots = [root for step in e.items("when") for root in self.step(session, step)]
        comparison = Comparison(session, self.rules, self.ids)
        failures = tuple(comparison.failures(e.at("then"), roots, before))
        return failures, tuple(comparison.differences)

    def scene(self, step: Element) -> Element:
        other = self.pack.find("test", step.word("as_in"))
        if other is None:
            raise Failed(f"{step.place}: there is no test `{step.word('as_in')}`.")
        return Element(other, (), other.body)

    def given(self, session: Session, e: Element, done: int = 0) -> None:
        for step in islice(e.items("given"), done, None):
            if step.has("as_in"):
                self.given(session, self.scene(step))
                continue
            refused = [r for r in self.step(session, step) if r.reasons]
            if refused:
                raise Failed(f"{step.place}: what is given was refused:\n  " + "\n  ".join(refusals(refused)))

    # --- steps ---

    def step(self, session: Session, step: Element) -> list[Root]:
        clock = noon(step.word("today")) if step.has("today") else self.clock
        actor = SCENE if not step.has("as") else actor_in(session, self.rules.metadata, step.word("as"), clock.today)
        if actor is None:
            raise Failed(f"{step.place}: there is no actor `{step.word('as')}`.")
        batch = Batch(self.rules, self.store, actor, clock, one_login=True, watch=self.watch)
        accepted = frozenset(step.words("acknowledge"))
        if step.has("run"):
            return self.process(session, batch, step, accepted)
        name = step.word("create") or step.word("record")
        record = self.library.record(name)
        if record is None:
            raise Failed(f"{step.place}: there is no record type `{name}`.")
        if step.has("create"):
            event = step.word("event") or self.library.creation_event(record) or ""
            values = self.values(step, record, event)
            return batch.piece(session, [Request(name, event, None, values, str(step.place), accepted)])
        values = self.values(step, record, step.word("fire"))
        ids = self.ids(session, record, step)
        if not ids:
            raise Failed(f"{step.place}: no {name} to fire `{step.word('fire')}` on.")
        event, place = step.word("fire"), str(step.place)
        return batch.piece(session, [Request(name, event, i, values, place, accepted) for i in ids])

    def process(self, session: Session, batch: Batch, step: Element, accepted: frozenset[str]) -> list[Root]:
        process = self.library.process(step.word("run"))
        if process is None:
            raise Failed(f"{step.place}: there is no process `{step.word('run')}`.")
        given = {n: t.text for n, t in step.texts("with").items()}
        return run_within(batch, session, process, takes_of(process.takes, given, process.name), accepted)

    def values(self, step: Element, record: d.Record, event: str) -> dict[str, Any]:
        fields = {
            n: f for _, t in self.library.transitions(record, event) for n, f in self.library.taken(record, t).items()
        }
        values = {}
        for name, text in step.texts("with").items():
            if name not in fields:
                raise Failed(
                    f"{text.place}: `{event}` of {record.name} does not take `{name}`; it takes: {', '.join(fields)}."
                )
            try:
                values[name] = convert(text.text, fields[name])
            except ValueError as wrong:
                raise Failed(f"{text.place}: {wrong}") from None
        return values

    def ids(self, session: Session, record: d.Record, e: Element) -> list[int]:
        gatherer = Gatherer(self.library, self.rules.metadata, session, Facts(), {})
        if e.has("key"):
            found = gatherer.id_of(record.name, e.word("key"))
            if found is None:
                raise Failed(f"{e.place}: there is no {record.name} `{e.word('key')}`.")
            return [found]
        where = self.condition(record, e) if e.has("where") else None
        return list(selected(session, Joined(self.library, self.rules.metadata, record), where, ()))

    def condition(self, record: d.Record, e: Element) -> Any:
        node = parse(e.word("where"))
        _, errors = check(node, Names(self.library, record))
        if errors:
            raise Failed(f"{e.at('where').place}: {errors[0]}")
        return node

    def last(self, session: Session) -> int:
        log = self.rules.metadata.tables[LOG]
        return int(session.connection.execute(select(func.max(log.c.id))).scalar() or 0)
