"""What the commands share: the store and the pack they work on, who acts, and how names that were given are found.

Commands print what was asked for on standard output and all else on standard error; they give an exit code.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from . import definitions as d
from .application import Charter
from .batch import Batch, Clock
from .errors import InvalidPack, Place, UsageFault, render
from .expression_sql import sql_expression
from .expression_types import check_as
from .expressions import ExpressionError, Node, diagnose, parse, paths
from .facts import Facts
from .firings import Actor
from .gathering import Gatherer
from .heads import write_head
from .library import Library
from .model import DATE, YES_OR_NO, Type
from .notation import Value, convert
from .output import FILES, Column, Sheet
from .pack_data import Pack
from .queries import Joined
from .scopes import Names
from .source import did_you_mean
from .store import Session, Store
from .tables import HEAD


@dataclass
class Call:
    """One call of the command line. `now` is the moment at which it was made; `debug` asks where faults arose.

    `now_is_set`: not the clock says it, but whoever calls. `compares_packs`: say so where the pack that was asked for
    is not the one in force.
    """

    db: str
    pack_asked: str | None
    actor_asked: str | None
    form: str | None
    now: str
    debug: bool = False
    now_is_set: bool = False
    compares_packs: bool = True

    # --- what is worked on ---

    @cached_property
    def store(self) -> Store:
        return Store(self.db)

    @cached_property
    def charter(self) -> Charter:
        charter = Charter(self.store, self.login, Clock(self.now))
        if self.compares_packs and self.pack_asked and charter.setting("pack"):
            self.compare_packs(charter)
        return charter

    @cached_property
    def login(self) -> str:
        """The user of the operating system; on a database server the role that is logged in."""
        if self.store.dialect == "sqlite":
            return system_user()
        with self.store.reading() as session:
            return str(session.connection.exec_driver_sql("SELECT session_user").scalar_one())

    @cached_property
    def pack(self) -> Pack:
        """The pack that was asked for, by folder or name; the base pack where none was."""
        # What reads YAML is loaded where it is needed: most commands take the rules from their store.
        from .catalog import load

        return load(pack_folder(self.pack_asked))

    def compare_packs(self, charter: Charter) -> None:
        """Rules come from the store alone, so a pack that is named besides and is another one is worth a word."""
        try:
            asked = f"{self.pack.name} {self.pack.version}" if self.pack.hash != charter.setting("pack") else ""
        except InvalidPack:
            asked = f"{self.pack_asked} (which has errors)"
        if asked:
            self.say(
                f"note: the store works by the rules put into it by `charter init`, not by {asked} as it is now; "
                "`charter --pack … init` puts that into force."
            )

    @property
    def library(self) -> Library:
        return self.charter.rules.library

    @cached_property
    def actor(self) -> Actor:
        return self.charter.actor(self.actor_asked)

    @property
    def actor_if_known(self) -> Actor | None:
        """Who acts, for what anybody may read; None where the login is nobody's and no one was named."""
        try:
            return self.actor
        except UsageFault:
            if self.actor_asked:
                raise
            return None

    def prepare(self, where: str | None) -> None:
        """Find out who acts before a transaction is open that a condition which asks for it would wait for."""
        if where and "actor" in where:
            _ = self.actor_if_known

    def keep_to_clock(self, may_be_set: bool) -> None:
        """Nobody dates what is done but the clock, where it is not for show."""
        if self.now_is_set and not may_be_set and not self.charter.is_demonstration:
            raise UsageFault("CHARTER_NOW is for demonstrations alone: what is done here is dated by the clock.")

    def batch(self, plan: bool) -> Batch:
        self.keep_to_clock(plan)
        return self.charter.batch(self.actor, plan)

    def gatherer(self, session: Session) -> Gatherer:
        rules = self.charter.rules
        return Gatherer(rules.library, rules.metadata, session, Facts(), {})

    def joined(self, record: d.Record) -> Joined:
        return Joined(self.library, self.charter.rules.metadata, record)

    # --- what is printed ---

    def say_head(self) -> None:
        """The head of all chains after work: kept elsewhere, it shows later whether something was cut off."""
        heads = self.charter.rules.metadata.tables[HEAD]
        with self.store.reading() as session:
            rows = session.rows(heads.select())
        self.say(f"head {write_head({r.stream: r.number for r in rows}, {r.stream: r.hash for r in rows})}")

    @property
    def is_terminal(self) -> bool:
        return sys.stdout.isatty()

    @property
    def shape(self) -> str:
        """The form asked for; else tables for a person and tab-separated values for a program."""
        if self.form in FILES:
            raise UsageFault(f"Only `report` writes {self.form}.")
        return self.form or ("table" if self.is_terminal else "tsv")

    @property
    def width(self) -> int | None:
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def sheet(
        self, columns: Sequence[str], called: str, out: TextIO | None = None, right: Iterable[str] = (), **more: Any
    ) -> Sheet:
        of_numbers = set(right)
        made = [Column(name, name in of_numbers) for name in columns]
        return Sheet(self.shape, made, out or sys.stdout, self.width, called, **more)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


@dataclass
class Progress:
    """Says on a terminal how far a batch has come, in a line that is wiped before anything else is printed."""

    done: int = 0
    is_shown: bool = False

    def at(self, count: int, total: int | None = None) -> None:
        self.done += count
        if sys.stderr.isatty():
            of = f" of {total:,}" if total is not None else ""
            print(f"\r{self.done:,}{of} …", end="", file=sys.stderr, flush=True)
            self.is_shown = True

    def wipe(self) -> None:
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self.is_shown = False


def system_user() -> str:
    """The user as the system knows it: environment variables, which anybody can set, are asked last."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        import getpass

        return getpass.getuser()


def pack_folder(asked: str | None) -> Path:
    """The folder of a pack given by name or folder; raises UsageFault where there is none."""
    from .catalog import library

    known = library()
    folder = known.folder(asked or "base") or Path(asked or "")
    if not (folder / "pack.yaml").is_file():
        raise UsageFault(
            f"There is no pack `{asked}`: give a folder with a `pack.yaml`, or one of {names_said(known.folders)}."
        )
    return folder


# --- names that were given -------------------------------------------------------------------------------------------


def names_said(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def unknown(kind: str, name: str, names: Iterable[str], of: str = "") -> UsageFault:
    """The fault for a name that is not among the names, with what there is and what was probably meant."""
    names = list(names)
    near = did_you_mean(name, names)
    guess = f" {near[0].upper()}{near[1:]}" if near else ""
    return UsageFault(f"There is no {kind} `{name}`{of}.{guess}\nThere are: {names_said(names)}.")


def record_named(library: Library, name: str, ledger: bool = False) -> d.Record:
    """A record type; with `ledger` also those that the ledger offers for reading."""
    of_ledger = ["entry", "voucher"] if library.manifest.ledger else []
    record = library.record(name) if ledger or name not in of_ledger else None
    if record is None:
        raise unknown("record type", name, [r.name for r in library.records()] + (of_ledger if ledger else []))
    return record


def event_named(library: Library, record: d.Record, event: str) -> list[d.Transition]:
    """The transitions of an event."""
    transitions = [t for _, t in library.transitions(record, event)]
    if not transitions:
        every = {t.event for w in library.workflows_of(record) for t in w.transitions if t.who}
        raise unknown("event", event, every, f" of {record.name}")
    return transitions


def warnings_named(library: Library, names: Sequence[str]) -> frozenset[str]:
    """The warnings that are accepted; an event may fire others, so any of the pack may be named."""
    if not names:
        return frozenset()
    known = library.warnings
    if wrong := [str(unknown("warning", name, sorted(known))) for name in names if name not in known]:
        raise UsageFault("\n".join(wrong))
    return frozenset(names)


def pairs_given(given: Iterable[str], option: str = "") -> dict[str, str]:
    """Texts such as `until=2026-03-31` by name."""
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise UsageFault(f"`{text}` is not {option or 'of the form'} NAME=VALUE, such as until=2026-03-31.")
        if name in found:
            raise UsageFault(f"{name} is given twice: `{found[name]}` and `{value}`.")
        found[name] = value
    return found


def values_given(fields: Mapping[str, d.Field], given: Mapping[str, str], what: str) -> dict[str, Value]:
    """Texts turned into what an event takes; raises UsageFault saying all that is wrong."""
    problems, values = [], {}
    for name, text in given.items():
        if name not in fields:
            near = did_you_mean(name, fields)
            takes = f"It takes: {', '.join(fields)}." if fields else "It takes nothing."
            problems.append(f"{what} does not take `{name}`{'; ' + near if near else '.'} {takes}")
            continue
        try:
            values[name] = convert(text, fields[name])
        except ValueError as wrong:
            problems.append(f"{name}: {wrong}")
    if problems:
        raise UsageFault("\n".join(problems))
    return values


# --- records that are meant ------------------------------------------------------------------------------------------

WHERE = "--where"


def condition(library: Library, record: d.Record, text: str) -> Node:
    """A condition over records, read and checked; raises UsageFault with a caret under what is wrong."""
    text = " ".join(text.splitlines())
    try:
        node = parse(text)
        _, errors = check_as(node, Names(library, record), YES_OR_NO)
    except ExpressionError as error:
        errors = [error]
    if errors:
        raise wrong_condition(text, errors)
    return node


def wrong_condition(text: str, errors: Iterable[ExpressionError]) -> UsageFault:
    said = [render(diagnose(e, Place(WHERE, 1, 1)), {WHERE: [text]}) for e in errors]
    return UsageFault("\n\n".join(said))


def filtered(call: Call, joined: Joined, text: str) -> Any:
    """The condition as the database is asked it."""
    text = " ".join(text.splitlines())
    node = condition(call.library, joined.record, text)
    bind_setting(call, joined, node)
    try:
        return sql_expression(node, joined)
    except ExpressionError as error:
        raise wrong_condition(text, [error]) from None
    except KeyError:
        raise wrong_condition(text, list(unreachable(joined, node))) from None


def bind_setting(call: Call, joined: Joined, node: Node) -> None:
    """Let a condition ask for today and for the actor, where the record has no fields of these names."""
    asked = {p.parts for p in paths(node)}
    own = call.library.members(joined.record)
    if ("today",) in asked and "today" not in own:
        joined.bind("today", call.charter.clock.today, DATE)
    if ("actor",) in asked and "actor" not in own and call.actor_if_known:
        joined.bind("actor", call.actor.id, Type("ref", of="actor"))


def unreachable(joined: Joined, node: Node) -> Iterator[ExpressionError]:
    for path in paths(node):
        try:
            joined.column(path.parts)
        except KeyError:
            said = f"`{'.'.join(path.parts)}` cannot be asked of the database"
            hint = f"write a field of {joined.record.name} or a value"
            yield ExpressionError(said, path.start, path.end - path.start, hint, "R210")
