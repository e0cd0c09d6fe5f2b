"""Refuses grants and delegations that would count for nothing: of unknown roles, or held for something else."""

from __future__ import annotations

from . import programs as p
from .firings import Firing
from .library import Library
from .permission import DELEGATION
from .source import did_you_mean

GRANT = "role_grant"


def refuse_grants(library: Library, program: p.Program, firings: list[Firing]) -> None:
    """Note what stands against the firings that would grant a role or pass one on."""
    if program.record.name not in (GRANT, DELEGATION) or not program.transition.creates:
        return
    for firing in firings:
        given = dict(zip(program.taken, firing.v[p.GIVEN], strict=True))
        asked = against if given["role"] else against_all
        if said := asked(library, given["role"], given["held_for"]):
            firing.refuse(said, program.transition.place, program.transition.event)


def against(library: Library, role: str, held_for: str | None) -> str:
    """Why a role cannot be granted, empty where it can; `held_for` is record/key."""
    declared = library.manifest.roles.get(role)
    if declared is None:
        near = did_you_mean(role, library.manifest.roles) or f"known are {', '.join(sorted(library.manifest.roles))}."
        return f"The pack declares no role `{role}`; {near}"
    if held_for is None or (declared.of and held_for.startswith(f"{declared.of}/")):
        return ""
    if declared.of is None:
        return f"The role `{role}` is held for no record: leave held_for empty instead of `{held_for}`."
    said = f"write held_for as {declared.of}/KEY instead of `{held_for}`"
    return f"The role `{role}` is held for one {declared.of}: {said}."


def against_all(library: Library, _: None, held_for: str | None) -> str:
    """The same of all roles at once: some role must be held for such a record."""
    kinds = sorted({role.of for role in library.manifest.roles.values() if role.of})
    if held_for is None or held_for.partition("/")[0] in kinds:
        return ""
    said = f"write held_for as {' or '.join(f'{kind}/KEY' for kind in kinds)}" if kinds else "leave held_for empty"
    return f"No role is held for `{held_for}`: {said}."
