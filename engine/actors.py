"""Who acts: actors with the roles that they hold on a day, and those in whose place they act by delegation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import TableClause, select

from .firings import Actor, Delegator
from .permission import DELEGATION
from .store import Session
from .tables import Declared

ADMINISTRATOR = "administrator"
WHERE_NAMED = ("where_named", "everything")

# A role and the record it is held for; None where it is held for all.
Grant: TypeAlias = "tuple[str, str | None]"


def actor_in(session: Session, metadata: Declared, number: str, today: date) -> Actor | None:
    """The actor of that number with its login and rights on that day; None where unknown or retired."""
    actors = metadata.tables["actor"]
    found = session.rows(select(actors.c.id).where(actors.c.number == number, actors.c.state == "active"))
    if not found:
        return None
    delegations = delegations_in(session, metadata, today, found[0].id)
    wanted = [found[0].id, *(row.principal for row in delegations)]
    known = held_by(session, metadata, today, wanted)
    return acting(known[found[0].id], delegations, known)


def active_actors(session: Session, metadata: Declared, today: date) -> list[Actor]:
    """Everybody who may act on that day, by number."""
    known = held_by(session, metadata, today)
    by_actor: dict[int, list[Any]] = defaultdict(list)
    for row in delegations_in(session, metadata, today):
        by_actor[row.actor].append(row)
    return sorted((acting(a, by_actor[id_], known) for id_, a in known.items()), key=lambda a: a.number)


def held_by(session: Session, metadata: Declared, today: date, ids: Sequence[int] | None = None) -> dict[int, Actor]:
    """Active actors by id with the roles that they hold themselves: all, or some."""
    actors, grants = metadata.tables["actor"], metadata.tables["role_grant"]
    active = select(actors.c.id, actors.c.number, actors.c.login).where(actors.c.state == "active")
    held = select(grants.c.actor, grants.c.role, grants.c.held_for).where(grants.c.state == "held", on(grants, today))
    if ids is not None:
        active, held = active.where(actors.c.id.in_(ids)), held.where(grants.c.actor.in_(ids))
    roles: dict[int, set[Grant]] = defaultdict(set)
    for id_, role, held_for in session.rows(held):
        roles[id_].add((role, held_for))
    return {id_: Actor(id_, number, login or "", frozenset(roles[id_])) for id_, number, login in session.rows(active)}


def delegations_in(session: Session, metadata: Declared, today: date, actor: int | None = None) -> list[Any]:
    """The delegations of that day, to all or to one."""
    table = metadata.tables.get(DELEGATION)
    if table is None:
        # The pack in force is older than delegation.
        return []
    columns = (table.c.actor, table.c["for"].label("principal"), table.c.role, table.c.held_for, table.c.covers)
    statement = select(*columns).where(table.c.state == "in_force", on(table, today))
    return session.rows(statement if actor is None else statement.where(table.c.actor == actor))


def on(table: TableClause, today: date) -> Any:
    """Whether what a row says holds on a day."""
    return (table.c["from"] <= today) & (table.c.until.is_(None) | (table.c.until >= today))


def acting(actor: Actor, delegations: Iterable[Any], known: Mapping[int, Actor]) -> Actor:
    """The actor with those in whose place they act, by number; what is delegated is what these hold themselves."""
    found: dict[int, Delegator] = {}
    for row in delegations:
        principal = known.get(row.principal)
        if principal is None:
            continue
        before = found.get(row.principal)
        grants = frozenset(passed_on(principal.grants, row.role, row.held_for)) if row.covers != "where_named" else ()
        found[row.principal] = Delegator(
            row.principal, principal.number, principal.login, (before.grants if before else frozenset()).union(grants),
            (before is not None and before.where_named) or row.covers in WHERE_NAMED,
        )  # fmt: skip
    return replace(actor, acts_for=tuple(sorted(found.values(), key=lambda d: d.number)))


def passed_on(grants: Iterable[Grant], role: str | None, held_for: str | None) -> Iterator[Grant]:
    """What of somebody's roles a delegation passes on; who grants roles is never represented in that."""
    for held, held_of in grants:
        if held == ADMINISTRATOR or role not in (None, held):
            continue
        if held_for in (None, held_of):
            yield held, held_of
        elif held_of is None:
            yield held, held_for
