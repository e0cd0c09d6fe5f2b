"""A store with a pack in it, and the few verbs that tests of the engine are written in."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from charter.engine import catalog
from charter.engine.actors import actor_in
from charter.engine.application import Charter, rules_of
from charter.engine.batch import Batch, Clock, Rules
from charter.engine.facts import Facts
from charter.engine.firings import Actor, Request, Root
from charter.engine.gathering import Gatherer
from charter.engine.notation import KeyText
from charter.engine.processes import run, takes_of
from charter.engine.store import Store
from sqlalchemy import create_engine, make_url, text

PACKS = Path(__file__).parent / "packs"
DEPOT = PACKS / "depot"
TODAY = "2026-03-31"
ANYONE = Actor(None, "test", "test", frozenset(), unbound=True)


def real_data(name: str) -> Path:
    """A folder of real data by its name; the test is skipped without it, since the repository does not hold it."""
    root = os.environ.get("CHARTER_SHARED") or Path(__file__).parents[2] / "shared"
    path = Path(root) / "data" / name
    if not path.exists():
        pytest.skip(f"the real data is not here: data/{name} (CHARTER_SHARED says where)")
    return path


def clock(day: str = TODAY) -> Clock:
    return Clock(f"{day}T12:00:00.000000Z")


def day(written: str) -> date:
    return date.fromisoformat(written)


@dataclass
class World:
    """An open store that was set up for a pack. Everybody's actions come from one login where the store says so."""

    store: Store
    pack: catalog.Pack
    today: str = TODAY
    plan: bool = False
    one_login: bool = True
    logins: dict[str, str] = field(default_factory=dict)
    ready: Rules | None = None

    def __post_init__(self) -> None:
        self.rules: Rules = self.ready or rules_of(self.pack)
        self.charter = Charter(self.store, "test", clock(self.today))

    def batch(self, who: str | None = None) -> Batch:
        return Batch(self.rules, self.store, self.actor(who), clock(self.today), self.plan, self.one_login)

    def actor(self, who: str | None) -> Actor:
        if who is None:
            return ANYONE
        with self.store.transaction() as session:
            found = actor_in(session, self.rules.metadata, who, day(self.today))
        assert found is not None, f"there is no actor {who}"
        return replace(found, login=self.logins.get(who, "test"))

    def perform(self, requests: Sequence[Request], who: str | None = None, chunk: int = 1000) -> list[Root]:
        return [root for roots in self.batch(who).in_chunks(requests, chunk) for root in roots]

    def creation(self, record: str, event: str = "create", **values: Any) -> Request:
        fields = self.rules.library.creation_fields(self.rules.library.record(record), event)
        return Request(record, event, None, {n: typed(v, fields.get(n)) for n, v in values.items()})

    def request(
        self, record: str, event: str, key: str | int, acknowledged: Sequence[str] = (), **values: Any
    ) -> Request:
        fields = {
            n: f
            for _, t in self.rules.library.transitions(self.rules.library.record(record), event)
            for n, f in self.rules.library.taken(self.rules.library.record(record), t).items()
        }
        given = {n: typed(v, fields.get(n)) for n, v in values.items()}
        return Request(record, event, self.id(record, key), given, acknowledged=frozenset(acknowledged))

    def create(self, record: str, who: str | None = None, event: str = "create", **values: Any) -> int:
        """Create a record that must stand; its number."""
        (root,) = self.perform([self.creation(record, event, **values)], who)
        assert not root.reasons, said(root)
        assert root.firing is not None
        return int(root.firing.id)

    def fire(self, record: str, event: str, key: str | int, who: str | None = None, **values: Any) -> Root:
        (root,) = self.perform([self.request(record, event, key, **values)], who)
        return root

    def must(self, record: str, event: str, key: str | int, who: str | None = None, **values: Any) -> Root:
        """Fire what must stand."""
        root = self.fire(record, event, key, who, **values)
        assert not root.reasons, said(root)
        return root

    def run(self, process: str, who: str | None = None, **given: str) -> list[Root]:
        found = self.rules.library.process(process)
        assert found is not None
        return [r for roots, _ in run(self.batch(who), found, takes_of(found.takes, given, process)) for r in roots]

    def id(self, record: str, key: str | int) -> int:
        if isinstance(key, int):
            return key
        with self.store.transaction() as session:
            found = Gatherer(self.rules.library, self.rules.metadata, session, Facts(), {}).id_of(record, key)
        assert found is not None, f"there is no {record} {key}"
        return found

    def field(self, record: str, key: str | int, *names: str) -> Any:
        """The values of a record's fields as rules see them."""
        id_ = self.id(record, key)
        with self.store.transaction() as session:
            gatherer = Gatherer(self.rules.library, self.rules.metadata, session, Facts(), {})
            paths = tuple(tuple(n.split(".")) for n in names)
            values = gatherer.values(record, paths, [id_])[id_][:-1]
        return values[0] if len(names) == 1 else values

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.store.transaction() as session:
            return [tuple(row) for row in session.connection.execute(text(sql))]

    def change(self, *statements: str) -> None:
        """What no rule does: change the database behind the engine's back."""
        with self.store.transaction() as session:
            for statement in statements:
                session.connection.exec_driver_sql(statement)

    def tables(self, *left_out: str) -> dict[str, list[tuple[Any, ...]]]:
        """Every table with all its rows."""
        with self.store.transaction() as session:
            return {
                name: sorted((tuple(r) for r in session.connection.execute(table.select())), key=repr)
                for name, table in self.rules.metadata.tables.items()
                if name not in left_out
            }


def said(root: Root) -> str:
    """What stands against an event, one reason a line."""
    return "\n".join(f"{reason.message} [{reason.rule}]" for reason in root.reasons)


def typed(value: Any, field_: Any) -> Any:
    """A value as a request has it, from how a test writes it."""
    if field_ is None or value is None or not isinstance(value, str):
        return value
    kind = field_.type.kind
    if kind == "ref":
        return KeyText(value)
    if kind in ("money", "price", "number"):
        return Decimal(value)
    return day(value) if kind == "date" else int(value) if kind == "whole" else value


Build = Callable[[World], object]


def at_once(world: World, *works: Callable[[World], Any]) -> list[Any]:
    """Run each in a thread with a store of its own, all begun together; what each gave, or the exception it raised."""
    outcomes: list[Any] = [None] * len(works)
    ready = threading.Barrier(len(works))

    def work(index: int) -> None:
        mine = World(Store(world.store.url), world.pack)
        ready.wait(30)
        try:
            outcomes[index] = works[index](mine)
        except Exception as error:
            outcomes[index] = error
        mine.store.close()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


class Stores:
    """Makes fresh stores: what several tests begin with is built once for a pack and database, and copied after that."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packs: dict[Path, catalog.Pack] = {}
        self.ready: dict[Path, Rules] = {}
        self.files: dict[tuple[Path, Build | None], Path] = {}
        self.templates: dict[tuple[Path, Build | None], str] = {}

    def pack(self, folder: Path) -> catalog.Pack:
        if folder not in self.packs:
            self.packs[folder] = catalog.load(folder)
        return self.packs[folder]

    def world(self, url: str, folder: Path) -> World:
        """Rules are compiled once for all stores of a pack."""
        if folder not in self.ready:
            self.ready[folder] = rules_of(self.pack(folder))
        return World(Store(url), self.pack(folder), ready=self.ready[folder])

    def set_up(self, url: str, folder: Path, build: Build | None) -> None:
        world = self.world(url, folder)
        if build is None:
            Charter(world.store, "test", clock("2026-01-01")).init(world.pack, "administrator", demonstration=True)
            if folder == DEPOT:
                stocked(world)
        else:
            build(world)
        world.store.close()

    def file(self, folder: Path, build: Build | None) -> Path:
        key = (folder, build)
        if key not in self.files:
            path = self.folder / f"{uuid4().hex}.db"
            if build is not None:
                shutil.copy(self.file(folder, None), path)
            self.set_up(f"sqlite:///{path}", folder, build)
            self.files[key] = path
        return self.files[key]

    @contextmanager
    def memory(self, folder: Path, build: Build | None = None) -> Iterator[World]:
        world = self.world("sqlite://", folder)
        connection = world.store.engine.raw_connection()
        source = sqlite3.connect(self.file(folder, build))
        source.backup(connection.driver_connection)  # type: ignore[arg-type]
        source.close()
        connection.close()
        yield world
        world.store.close()

    @contextmanager
    def on_disk(self, folder: Path, build: Build | None = None) -> Iterator[World]:
        path = self.folder / f"{uuid4().hex}.db"
        shutil.copy(self.file(folder, build), path)
        world = self.world(f"sqlite:///{path}", folder)
        yield world
        world.store.close()
        path.unlink()

    @contextmanager
    def postgresql(self, folder: Path, server: str, build: Build | None = None) -> Iterator[World]:
        name = f"w{uuid4().hex}"
        administer(server, f"CREATE DATABASE {name} TEMPLATE {self.template(folder, server, build)}")
        world = self.world(at(server, name), folder)
        yield world
        world.store.close()
        administer(server, f"DROP DATABASE {name}")

    def template(self, folder: Path, server: str, build: Build | None) -> str:
        key = (folder, build)
        if key not in self.templates:
            name = f"t{uuid4().hex}"
            below = "template1" if build is None else self.template(folder, server, None)
            administer(server, f"CREATE DATABASE {name} TEMPLATE {below}")
            self.set_up(at(server, name), folder, build)
            self.templates[key] = name
        return self.templates[key]

    def opened(
        self, request: pytest.FixtureRequest, folder: Path, build: Build | None = None
    ) -> AbstractContextManager[World]:
        """A store in the database that the fixture's parameter names."""
        if request.param == "postgresql":
            return self.postgresql(folder, request.getfixturevalue("postgresql_url"), build)
        return self.memory(folder, build)


def at(server: str, name: str) -> str:
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def administer(server: str, statement: str) -> None:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


# --- the pack of the depots -------------------------------------------------------------------------------------------


def stocked(world: World) -> None:
    """Two depots with a keeper each, an auditor, a clerk, and articles with prices."""
    for name in ("ann", "bob", "cyd", "eve"):
        world.create("actor", number=name, name=name.title())
    grant(world, "ann", "keeper", "depot/N")
    grant(world, "bob", "keeper", "depot/S")
    grant(world, "cyd", "clerk")
    grant(world, "eve", "auditor")
    world.create("depot", number="N", currency="EUR")
    world.create("depot", number="S", currency="EUR")
    world.create("depot", number="J", currency="JPY")
    for number, kind, price in (("A", "plain", "10"), ("B", "book", "33.333333"), ("C", "plain", "0.005")):
        world.create("article", number=number, kind=kind)
        world.create("tariff", article=number, price=price)
    world.create("article", number="X", kind="odd")


def grant(world: World, actor: str, role: str, held_for: str | None = None, **days: str) -> int:
    days = {"from_": "2026-01-01", **days}
    values = {n.rstrip("_"): v for n, v in days.items()}
    return world.create("role_grant", event="grant", actor=actor, role=role, held_for=held_for, **values)


def ordered(
    world: World, number: str = "1", depot: str = "N", lines: Sequence[tuple[str, str]] = (("A", "2"),), **more: Any
) -> int:
    """An order with its lines of (article, quantity)."""
    values = {"ordered_on": "2026-03-02", "note": "please", **more}
    id_ = world.create("order", number=number, depot=depot, **values)
    for index, (article, quantity) in enumerate(lines, 1):
        world.create("line", order=number, number=index, article=article, quantity=quantity)
    return id_


def approved(world: World, number: str = "1", **more: Any) -> int:
    id_ = ordered(world, number, **more)
    world.must("order", "check", number)
    world.must("order", "approve", number)
    return id_


def sent(world: World, number: str = "1", **more: Any) -> int:
    id_ = approved(world, number, **more)
    world.must("order", "send", number)
    return id_
