"""Puts the parts together for one store: opens it, sets it up for a pack, knows who acts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select

from .actors import actor_in
from .batch import Batch, Clock, Rules
from .completion import EVENT, FIELD, RECORD, Completion, complete
from .errors import InvalidInput, Refused, UsageFault
from .facts import digest
from .firings import Actor, Request, Root
from .kept_totals import rebuild
from .library import Library
from .log_texts import UNREADABLE
from .masters import Otherwise, missing_rows, otherwise
from .notation import KeyText
from .pack_data import Pack, rules_broken
from .store import Session, Store
from .tables import PACK, STORE, Declared, changed_types

if TYPE_CHECKING:
    from .migration import Migration


@dataclass(frozen=True)
class Setup:
    """What `init` would do or did: tables and old records in words, what was created, and what was refused.

    `otherwise` are records that stay as they are, although the pack says something new of them.
    """

    migration: Migration
    completion: Completion
    pack: str
    roots: list[Root] = field(default_factory=list)
    otherwise: list[Otherwise] = field(default_factory=list)

    @property
    def words(self) -> tuple[str, ...]:
        """What becomes of what is there."""
        return self.migration.words + self.completion.words

    @property
    def refused(self) -> list[Root]:
        return [r for r in self.roots if r.reasons]


def rules_of(pack: Pack) -> Rules:
    """A checked pack made ready to run."""
    library = Library(pack)
    return Rules(library, Declared(library), pack.hash)


def rules_in(session: Session, pack_hash: str) -> Rules:
    """The rules of a pack that the store holds, read through an open transaction; raises InvalidInput for another."""
    sql = f"SELECT compiled FROM {PACK} WHERE hash = {'?' if session.is_sqlite else '%s'}"
    found = session.connection.exec_driver_sql(sql, (pack_hash,)).first()
    if found is None:
        raise InvalidInput(f"The store holds no pack {pack_hash}.")
    return rules_of(kept_pack(pack_hash, found[0]))


def kept_pack(pack_hash: str, compiled: str) -> Pack:
    """A pack as a store keeps it; raises IntegrityBroken for a text that is none."""
    try:
        return Pack.from_text(compiled)
    except UNREADABLE:
        raise rules_broken(pack_hash) from None


class Charter:
    """One store and the pack in force in it."""

    def __init__(self, store: Store, login: str, clock: Clock) -> None:
        self.store, self.login, self.clock = store, login, clock

    # --- what the store holds ---

    @cached_property
    def rules(self) -> Rules:
        """The rules in force; raises UsageFault where the store was never set up, IntegrityBroken as `kept_pack`."""
        wanted = self.setting("pack")
        if wanted is None:
            raise UsageFault(f"There is no Charter store at {self.store.address}: make one with `charter init`.")
        return self.rules_at(wanted)

    def rules_at(self, pack_hash: str) -> Rules:
        """The rules of any version that was ever in force, from the store itself."""
        with self.store.reading() as session:
            return rules_in(session, pack_hash)

    def packs_kept(self, beginning: str) -> list[Pack]:
        """The packs in the store whose hash begins so: every one that was ever in force is kept there."""
        if self.setting("pack") is None:
            return []
        kept = self.rules.metadata.tables[PACK]
        with self.store.reading() as session:
            wanted = select(kept.c.hash, kept.c.compiled).where(kept.c.hash.startswith(beginning)).order_by(kept.c.hash)
            return [kept_pack(pack_hash, compiled) for pack_hash, compiled in session.rows(wanted)]

    @cached_property
    def settings(self) -> dict[str, str]:
        if not self.store.exists:
            return {}
        with self.store.reading() as session:
            if not inspect(session.connection).has_table(STORE):
                return {}
            return {str(n): str(v) for n, v in session.connection.exec_driver_sql(f"SELECT name, value FROM {STORE}")}

    def setting(self, name: str) -> str | None:
        return self.settings.get(name)

    @property
    def is_demonstration(self) -> bool:
        """One login acts for everybody: said so when the store was made, and by `verify`."""
        return self.setting("demonstration") == "true"

    # --- who acts ---

    def actor(self, name: str | None = None) -> Actor:
        """The actor for this login, or the one named where the login may act as it; raises UsageFault otherwise."""
        actors = self.rules.metadata.tables["actor"]
        with self.store.reading() as session:
            if name is None:
                active = (actors.c.login == self.login) & (actors.c.state == "active")
                bound = session.rows(select(actors.c.number).where(active).order_by(actors.c.id))
                name = bound[0][0] if bound else None
            found = actor_in(session, self.rules.metadata, name, self.clock.today) if name else None
            if found is None:
                known = [n for (n,) in session.rows(select(actors.c.number).order_by(actors.c.number))]
                said = f"There is no actor `{name}`" if name else f"No actor is bound to the login `{self.login}`"
                raise UsageFault(f"{said}; known actors: {', '.join(known)}. Name one with --as, or bind the login.")
        if found.login != self.login and not self.is_demonstration:
            raise UsageFault(
                f"The login `{self.login}` may not act as {found.number}, who is bound to "
                f"{f'`{found.login}`' if found.login else 'no login'}. `charter fire actor bind {found.number} --set "
                f"login={self.login}` binds this one; a store made with `init --demonstration` lets one act for all."
            )
        return replace(found, login=self.login)

    def batch(self, actor: Actor, plan: bool = False) -> Batch:
        return Batch(self.rules, self.store, actor, self.clock, plan, self.is_demonstration)

    # --- setting up ---

    def init(self, pack: Pack, administrator: str, demonstration: bool = False, planned: bool = False) -> Setup:
        """Create the store for a pack or bring it up to one; with `planned` only tell what would be done.

        `administrator` names the first administrator of a new store; of another the actor who puts the pack in force,
        which the rules in force must allow. Everything is done in one transaction. Raises Refused where they do not,
        InvalidInput where records that are there cannot be what the pack wants.
        """
        rules = rules_of(pack)
        is_new = self.setting("pack") is None
        actor = Actor(None, administrator, self.login, frozenset()) if is_new or planned else self.actor(administrator)

        before = None if is_new else self.rules.library

        def work(session: Session) -> Setup:
            migration, completion = self.prepared(session, before, rules)
            differing = otherwise(session, before, rules.library) if before else []
            if planned:
                return Setup(migration, completion, pack.hash, [], differing)
            migration.apply(session)
            completion.apply(session, rules.metadata)
            rebuild(session, rules.library, rules.metadata)
            demonstrated = demonstration if is_new else None
            roots = self.put_in(session, rules, pack, actor, completion, demonstrated)
            if any(r.reasons for r in roots):
                raise Refused("The pack is not put in force:\n" + "\n".join(refusals(roots)))
            return Setup(migration, completion, pack.hash, roots, differing)

        done = self.store.within(work)
        self.__dict__.pop("rules", None)
        self.__dict__.pop("settings", None)
        return done

    def prepared(self, session: Session, before: Library | None, rules: Rules) -> tuple[Migration, Completion]:
        """What tables and records become; raises InvalidInput with all that they have against the rules.

        What a pack no longer knows, or knows as something else, is said first: nothing else can be asked of it.
        """
        # Loaded here, as only this needs them: every command opens a store.
        from .migration import plan
        from .objections import Objections, lost_records

        after = rules.library
        if before and (lost := [*changed_types(before, after), *lost_records(session, before, after)]):
            raise InvalidInput("\n".join(lost))
        migration = plan(session, rules.metadata.whole)
        completion = complete(session, rules.metadata, before, after)
        said = list(completion.refusals)
        if before:
            said += Objections(session, rules.metadata, before, after, migration, completion, self.clock.today).all()
        if said:
            raise InvalidInput("\n".join(said))
        return migration, completion

    def put_in(
        self, session: Session, rules: Rules, pack: Pack, actor: Actor, completion: Completion,
        demonstration: bool | None,
    ) -> list[Root]:  # fmt: skip
        """The first administrator, the pack in force, its master rows: each by an event, in one transaction.

        `demonstration` is None for a store that is there already.
        """
        is_new = demonstration is not None
        setting_up = Batch(rules, self.store, replace(actor, unbound=True), self.clock, one_login=True)
        compiled = self.keep_pack(session, rules, pack, actor)
        settings = rules.metadata.tables[STORE]
        roots: list[Root] = []
        if is_new:
            session.insert(settings, [("pack", pack.hash), ("demonstration", str(demonstration).lower())])
            roots += setting_up.piece(session, [self.first_actor(actor.number)])
            roots += setting_up.piece(session, [self.first_grant(actor.number)])
            found = actor_in(session, rules.metadata, actor.number, self.clock.today)
            setting_up.actor = replace(found or actor, unbound=True)
        else:
            session.connection.execute(settings.update().where(settings.c.name == "pack").values(value=pack.hash))
        acting = Batch(rules, self.store, actor, self.clock, one_login=self.is_demonstration)
        in_force = setting_up if is_new else acting
        roots += in_force.piece(session, list(self.put_in_force(session, rules, pack, compiled, completion)))
        for requests in missing_rows(rules, session):
            roots += setting_up.piece(session, requests)
        return roots

    def put_in_force(
        self, session: Session, rules: Rules, pack: Pack, compiled: str, completion: Completion
    ) -> Iterator[Request]:
        """The event that puts the pack in force, unless it is; it says what records that are there got."""
        table = rules.metadata.tables[RECORD]
        given = {FIELD: completion.text}
        there = session.rows(select(table.c.id, table.c.state).where(table.c.hash == pack.hash))
        if not there:
            manifest = rules.library.manifest
            values = {
                "hash": pack.hash, "name": pack.name, "version": pack.version, "author": manifest.author,
                "compiled": digest(compiled), **given,
            }  # fmt: skip
            yield Request(RECORD, EVENT, None, values, "init")
        elif there[0].state != "in_force":
            yield Request(RECORD, EVENT, there[0].id, given, "init")

    def keep_pack(self, session: Session, rules: Rules, pack: Pack, actor: Actor) -> str:
        """Keep the text and what was made of it; gives the latter, whose hash the log will hold."""
        compiled = pack.to_text()
        row = (pack.hash, pack.name, pack.version, self.clock.now, actor.number, self.login, compiled)
        session.insert_missing(rules.metadata.tables[PACK], [row])
        return compiled

    def first_actor(self, administrator: str) -> Request:
        return Request(
            "actor", "create", None, {"number": administrator, "name": administrator, "login": self.login}, "init"
        )

    def first_grant(self, administrator: str) -> Request:
        values = {"actor": KeyText(administrator), "role": "administrator", "from": self.clock.today}
        return Request("role_grant", "grant", None, values, "init")


def refusals(roots: Iterable[Root]) -> Iterator[str]:
    """What was refused, in words, one reason a line."""
    for root in roots:
        for reason in root.reasons:
            where = root.request.source or f"{root.request.record} {root.request.id or ''}".strip()
            yield f"{where}: {reason.message} [{reason.place}]"
