"""Looks at everything that a store works with: versions, settings, tables, rules, protections, clock, who acts.

It reads only, and looks at little: that every row is what the log says is for `verification` to prove.
"""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sqlalchemy import func, select

from . import catalog
from .application import Charter
from .errors import CharterFault, IntegrityBroken, InvalidPack
from .heads import write_head
from .migration import plan
from .notation import counted
from .store import Session
from .tables import ENTRY, HEAD, LOG, VOUCHER
from .verification import protections_broken

OK, NOTE, PROBLEM, BROKEN = "ok", "note", "problem", "broken"
SAFE_WAL = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one thing: `broken` is integrity, `problem` anything else that must be mended."""

    about: str
    verdict: str
    says: str
    to_do: str = ""


@dataclass(frozen=True)
class Patient:
    """The store that is looked at, and who looks; `pack` gives the rules on disk, and may raise InvalidPack."""

    charter: Charter
    called: str
    pack: Callable[[], catalog.Pack]
    actor: str | None


def examine(patient: Patient) -> Iterator[Finding]:
    """Everything, in the order in which it rests on each other; what cannot be looked at is a problem of its own."""
    yield from versions(patient)
    if patient.charter.setting("pack") is None:
        yield Finding("store", NOTE, f"there is no store at {patient.called}", "make one with `charter init`")
        return
    for about, look in LOOKS.items():
        try:
            yield from look(patient)
        except IntegrityBroken as broken:
            yield Finding(about, BROKEN, str(broken), "run `charter verify`, and go back to a backup")
        except CharterFault as fault:
            yield Finding(about, PROBLEM, str(fault))


# --- what it runs on ---


def versions(patient: Patient) -> Iterator[Finding]:
    yield Finding("charter", OK, metadata.version("charter"))
    yield Finding("python", OK, f"{platform.python_version()} on {platform.system()}")
    yield Finding("sqlalchemy", OK, metadata.version("sqlalchemy"))
    if patient.charter.store.dialect == "sqlite":
        yield Finding("sqlite", OK, sqlite3.sqlite_version)
    else:
        yield Finding("psycopg", OK, metadata.version("psycopg"))


def database(patient: Patient) -> Iterator[Finding]:
    """The settings without which something that was done could be lost, or two could do what one may."""
    store = patient.charter.store
    if store.dialect == "sqlite":
        yield from sqlite_settings(patient)
        return
    with store.transaction() as session:
        ask = session.connection.exec_driver_sql
        version, isolation = ask("SHOW server_version").scalar_one(), ask("SHOW transaction_isolation").scalar_one()
        schema = ask("SELECT current_schema()").scalar_one()
        waiting = ask("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one()
        kept = ask("SHOW synchronous_commit").scalar_one()
    yield Finding("postgresql", OK, f"{version}, schema {schema}")
    one_moment = isolation in ("repeatable read", "serializable")
    yield Finding("isolation", OK if one_moment else PROBLEM, f"a transaction is {isolation}")
    said = f"synchronous_commit is {kept}"
    to_do = "" if kept != "off" else "a crash may lose what was done last: set it to on"
    yield Finding("durability", OK if kept != "off" else NOTE, said, to_do)
    yield Finding("locks", NOTE if waiting else OK, f"{counted(waiting, 'session')} waiting for others")


def sqlite_settings(patient: Patient) -> Iterator[Finding]:
    store = patient.charter.store
    with store.reading() as session:
        ask = session.connection.exec_driver_sql
        journal, synchronous = ask("PRAGMA journal_mode").scalar_one(), ask("PRAGMA synchronous").scalar_one()
    at_risk = journal == "wal" and sqlite3.sqlite_version_info < SAFE_WAL
    to_do = "this library can lose a transaction with it: set `PRAGMA journal_mode = DELETE`" if at_risk else ""
    yield Finding("journal", PROBLEM if at_risk else OK, f"the journal of the file is {journal}", to_do)
    yield Finding("durability", OK if synchronous >= 2 else PROBLEM, f"synchronous is {synchronous}, 2 being full")
    if (file := Path(str(store.engine.url.database))).is_file():
        yield Finding("locks", *writers(file))


def writers(file: Path) -> tuple[str, str]:
    """Whether somebody writes just now; asked without waiting."""
    connection = sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, timeout=0)
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.rollback()
    except sqlite3.OperationalError as error:
        return NOTE, f"nothing can be written just now: {error}"
    finally:
        connection.close()
    return OK, "nobody is writing"


# --- what it holds ---


def tables(patient: Patient) -> Iterator[Finding]:
    wanted = patient.charter.rules.metadata.whole
    with patient.charter.store.reading() as session:
        words = plan(session, wanted).words
    if words:
        yield Finding("tables", PROBLEM, f"the pack in force wants more: {', '.join(words)}", "run `charter init`")
    else:
        yield Finding("tables", OK, "they are what the pack in force wants")


def rules(patient: Patient) -> Iterator[Finding]:
    """The rules that hold, against those on disk."""
    in_force = patient.charter.rules
    named = f"{in_force.library.pack.name} {in_force.hash[:12]}"
    try:
        on_disk = patient.pack()
    except InvalidPack:
        yield Finding("pack", NOTE, f"{named} is in force; that on disk has errors", "run `charter check`")
        return
    if on_disk.hash == in_force.hash:
        yield Finding("pack", OK, f"{named} is in force, and the same on disk")
    else:
        said = f"{named} is in force; on disk is {on_disk.name} {on_disk.hash[:12]}"
        yield Finding("pack", NOTE, said, "`charter init` puts that into force; `--pack` says where another is")


def protections(patient: Patient) -> Iterator[Finding]:
    in_force = patient.charter.rules
    with patient.charter.store.reading() as session:
        found = protections_broken(session, in_force)
    for said in found:
        yield Finding("protections", BROKEN, said, "run `charter verify`, and find out who could change the database")
    if not found:
        yield Finding("protections", OK, "the database refuses to change what was logged")


def log(patient: Patient) -> Iterator[Finding]:
    """Each chain ends where its head says; how long it is; and that no event lies in the future."""
    log_, heads = (patient.charter.rules.metadata.tables[n] for n in (LOG, HEAD))
    with patient.charter.store.reading() as session:
        kept = {h.stream: (h.number, h.hash) for h in session.rows(heads.select())}
        last = select(log_.c.stream, func.max(log_.c.number).label("number")).group_by(log_.c.stream).subquery()
        ends = (log_.c.stream == last.c.stream) & (log_.c.number == last.c.number)
        rows = session.rows(select(log_.c.stream, log_.c.number, log_.c.hash).join_from(log_, last, ends))
        latest = session.rows(select(log_.c.at).order_by(log_.c.id.desc()).limit(1))
        sizes = list(counts(patient, session))
    found = {r.stream: (r.number, r.hash) for r in rows}
    wrong = sorted(s for s in {*kept, *found} if kept.get(s) != found.get(s))
    for stream in wrong:
        yield Finding("log", BROKEN, f"the stream {stream} does not end where its head says", "run `charter verify`")
    if not wrong:
        head = write_head({s: n for s, (n, _) in kept.items()}, {s: h for s, (_, h) in kept.items()})
        yield Finding("log", OK, f"head {head}; `charter verify` proves the rest")
    yield Finding("size", OK, ", ".join(sizes))
    yield clock(patient, latest[0].at if latest else "")


def counts(patient: Patient, session: Session) -> Iterator[str]:
    known = patient.charter.rules.metadata.tables
    for name, word in ((LOG, "log row"), (VOUCHER, "voucher"), (ENTRY, "voucher line")):
        if name in known:
            count = session.connection.execute(select(func.count()).select_from(known[name])).scalar_one()
            yield counted(count, word)
    if session.is_sqlite:
        file = Path(str(patient.charter.store.engine.url.database))
        size = file.stat().st_size if file.is_file() else 0
    else:
        size = session.connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()
    yield f"{size // 1_000_000:,} MB"


def clock(patient: Patient, latest: str) -> Finding:
    now = patient.charter.clock.now
    if latest <= now:
        return Finding("clock", OK, f"{now}, after the last event of {latest or 'none'}")
    return Finding("clock", PROBLEM, f"it is {now}, and the last event was at {latest}", "set the clock right")


# --- who acts ---


def people(patient: Patient) -> Iterator[Finding]:
    charter = patient.charter
    if charter.is_demonstration:
        yield Finding("logins", NOTE, "made for a demonstration: one login acts for everybody", "not for real books")
    try:
        actor = charter.actor(patient.actor)
    except CharterFault as fault:
        yield Finding("actor", NOTE, str(fault))
        return
    roles = sorted({role for role, _ in actor.grants})
    acts_for = [f"acts for {d.number}" for d in actor.acts_for]
    said = f"the login {charter.login} acts as {actor.number}: {', '.join([*roles, *acts_for]) or 'no role'}"
    yield Finding("actor", OK, said)


LOOKS: dict[str, Callable[[Patient], Iterator[Finding]]] = {
    "database": database, "tables": tables, "pack": rules, "protections": protections, "log": log, "actor": people,
}  # fmt: skip
