"""The command that compares two packs: `diff`. It needs a store only for a pack that is named by its hash there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from . import catalog
from .commands import Call, pack_folder
from .differences import Difference, differences
from .errors import DIFFERENT, DONE, NOWHERE, Place, UsageFault
from .notation import counted
from .pack_data import Pack

COLUMNS = ("change", "definition", "where", "before", "after", "before at", "after at")
BRIEF = ("change", "where", "before", "after", "at")  # of one definition, which stands above
HASH = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True, slots=True)
class Told:
    """A difference; `is_brief` is without the definition, which stands above."""

    difference: Difference
    is_brief: bool = False

    def rows(self) -> Iterator[Sequence[str]]:
        d = self.difference
        before_at, after_at = at(d.before_at), at(d.after_at)
        if self.is_brief:
            yield d.change, d.where or "the whole", d.before, d.after, " and ".join(filter(None, (before_at, after_at)))
        else:
            yield d.change, f"{d.kind} {d.name}", d.where, d.before, d.after, before_at, after_at

    def data(self) -> dict[str, Any]:
        d = self.difference
        sides = {"before": (d.before, d.before_at), "after": (d.after, d.after_at)}
        return {"change": d.change, "kind": d.kind, "name": d.name, "where": d.where or None,
                **{side: None if place == NOWHERE else {"text": text, "place": at(place)}
                   for side, (text, place) in sides.items()}}  # fmt: skip


def at(place: Place) -> str:
    """file:line"""
    return "" if place == NOWHERE else f"{place.file}:{place.line}"


def print_differences(call: Call, one: str, other: str, with_code: bool) -> int:
    """Print what the second pack says otherwise than the first; with `with_code` a difference is exit code 10."""
    before, after = pack_meant(call, one), pack_meant(call, other)
    found = list(differences(before, after))
    if call.shape == "table":
        print_by_definition(call, found)
    else:
        sheet = call.sheet(COLUMNS, "differences", before=said_of(before), after=said_of(after))
        for difference in found:
            sheet.add(Told(difference))
        sheet.end()
    names = f"{before.name} {before.version} and {after.name} {after.version}"
    call.say(f"{names}: {counted(len(found), 'difference') if found else 'no differences'}.")
    return DIFFERENT if found and with_code else DONE


def print_by_definition(call: Call, found: Sequence[Difference]) -> None:
    """For a person: the name of each definition once, its differences below it."""
    for number, ((kind, name), of_it) in enumerate(groupby(found, key=lambda d: (d.kind, d.name))):
        print(f"\n{kind} {name}" if number else f"{kind} {name}")
        sheet = call.sheet(BRIEF, "differences", spare=True)
        for difference in of_it:
            sheet.add(Told(difference, is_brief=True))
        sheet.end()


def said_of(pack: Pack) -> dict[str, str]:
    return {"pack": pack.name, "version": pack.version, "hash": pack.hash}


def pack_meant(call: Call, asked: str) -> Pack:
    """A pack by name, by folder, or by the hash (or the beginning of it) that it has in the store."""
    known = catalog.library().folder(asked)
    if known or (Path(asked) / "pack.yaml").is_file() or not HASH.fullmatch(asked):
        return catalog.load(pack_folder(asked))
    found = call.charter.packs_kept(asked)
    if len(found) != 1:
        said = "no pack" if not found else f"{len(found)} packs"
        raise UsageFault(f"{call.store.address} holds {said} whose hash begins with {asked}.")
    return found[0]
