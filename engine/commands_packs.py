"""The commands about packs: `init` puts one into a store, `check` proves it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import catalog
from .application import Charter, Setup
from .commands import Call, pack_folder
from .errors import DONE, InvalidPack, UsageFault, errors_of
from .explanation_lines import told
from .explanation_rules import at
from .masters import Otherwise
from .notation import counted
from .store import Store

# --- init ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that setting a store up does."""

    what: str

    def rows(self) -> Iterator[Sequence[str]]:
        yield (self.what,)

    def data(self) -> dict[str, Any]:
        return {"does": self.what}


@dataclass(frozen=True)
class Wishes:
    """How a store is wanted: its first administrator, for a demonstration, and the pack that may be replaced."""

    administrator: str | None = None
    demonstration: bool = False
    replace: str | None = None
    plan: bool = False


def set_up(call: Call, wishes: Wishes) -> int:
    """Create the store for the pack or bring it up to it; a store that is there is for its administrators to change."""
    administrator, demonstration, plan = wishes.administrator, wishes.demonstration, wishes.plan
    pack = checked_pack(call)
    # The pack that is named is the one that is to be put in force.
    call.compares_packs = False
    before = call.charter.setting("pack")
    is_new = before is None
    if not is_new:
        keep_to_pack(call, pack, wishes.replace)
    call.keep_to_clock(plan or demonstration)
    acting = (
        first_administrator(call, administrator) if is_new else acting_administrator(call, administrator, demonstration)
    )
    charter = planning(call) if plan else call.charter
    setup = charter.init(pack, acting, demonstration, plan)
    sheet = call.sheet(["step"], "steps", pack=pack.name, version_of_pack=pack.version, planned=plan)
    for step in steps_of(setup, in_detail=plan or not is_new or call.shape == "json"):
        sheet.add(Step(step))
    sheet.end(otherwise=[otherwise_data(each) for each in setup.otherwise])
    for each in setup.otherwise:
        call.say(f"note: {each.says}{told(at(each.place))}")
    call.say(set_up_said(call, setup, before, acting, plan))
    if not plan:
        call.say_head()
    return DONE


def otherwise_data(found: Otherwise) -> dict[str, Any]:
    """A record that is otherwise than its row, as JSON."""
    fields = {n: {"record": was, "pack": now} for n, (was, now) in found.fields.items()}
    place = at(found.place) or None
    return {"record": found.record, "key": found.key, "fields": fields, "events": list(found.events), "place": place}


def keep_to_pack(call: Call, pack: catalog.Pack, replaced: str | None) -> None:
    """A store goes on with its pack, or with one that extends it; that another takes its place must be said."""
    there = call.library.pack.name
    if there in (*pack.chain, replaced):
        return
    raise UsageFault(
        f"{call.store.address} works by the pack {there}, and {pack.name} does not extend it. Name the folder of "
        f"{there} with --pack, or say --replace {there} if {pack.name} is to take its place."
    )


def planning(call: Call) -> Charter:
    """Where a plan is made: a file that is not there is not made by asking what it would hold."""
    return call.charter if call.store.exists else Charter(Store("sqlite://"), call.login, call.charter.clock)


def checked_pack(call: Call) -> catalog.Pack:
    """The pack that was asked for; raises InvalidPack with everything for which it cannot be used."""
    from .check import check

    if problems := errors_of(check(call.pack, pack_folder(call.pack_asked))):
        raise InvalidPack(problems, call.pack.lines)
    return call.pack


def first_administrator(call: Call, name: str | None) -> str:
    found = name or call.login
    if not re.fullmatch(r"[^\s/]+", found):
        raise UsageFault(f"`{found}` cannot be an actor: give a short name without blanks and `/`, such as ann.")
    return found


def acting_administrator(call: Call, name: str | None, demonstration: bool) -> str:
    """Who brings a store up to a pack: whoever acts; whether that is allowed the rules in force say."""
    if name is not None or demonstration:
        said = "--administrator" if name is not None else "--demonstration"
        raise UsageFault(f"{said} is said when a store is made; {call.store.address} is there already.")
    return call.actor.number


def steps_of(setup: Setup, in_detail: bool) -> Iterator[str]:
    """What is done; where that is not wanted in detail, the many tables of a new store are only counted."""
    if in_detail:
        yield from setup.words
    else:
        yield counted(len(setup.migration.words), "new table")
    created = Counter(r.request.record for r in setup.roots)
    for name in sorted(created):
        yield counted(created[name], f"new {name} record")


def set_up_said(call: Call, setup: Setup, before: str | None, acting: str, plan: bool) -> str:
    where, what = call.store.address, f"the pack {call.pack.name} {call.pack.version}"
    if plan:
        return f"{where} would be {'brought up to' if before else 'made for'} {what}; nothing was written."
    if before is None:
        return f"Made {where} for {what}. {acting} is its administrator, under the login {call.login}."
    if not setup.migration and not setup.roots and before == setup.pack:
        return f"{where} was up to date with {what}."
    return f"Brought {where} up to {what}."


# --- check -----------------------------------------------------------------------------------------------------------
