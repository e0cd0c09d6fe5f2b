"""Refuses grants that would count for nothing: of roles that the pack does not declare, or held for something else."""

from __future__ import annotations

from . import programs as p
from .firings import Firing
from .library import Library
from .source import did_you_mean

RECORD = "role_grant"


def refuse_grants(library: Library, program: p.Program, firings: list[Firing]) -> None:
    """Note what stands against the firings that would grant a role."""
    if program.record.name != RECORD or not program.transition.creates:
        return
    for firing in firings:
        given = dict(zip(program.taken, firing.v[p.GIVEN], strict=True))
        if said := against(library, given["role"], given["held_for"]):
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
