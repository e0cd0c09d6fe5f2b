"""The names in a pack, found without reading all of it: the first line of a document says its kind and name.

Only the few documents that somebody asks about are read. Whether the pack is right is not looked at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .pack_files import BOTTOM, library
from .strict_yaml import read

_PARTS = re.compile(r"^---[ \t]*$", re.MULTILINE)
_HEAD = re.compile(r"^(\w+): ([\w-]+)[ \t]*$", re.MULTILINE)
_DOC = re.compile(r"^doc: *(?:[>|][-+]?\n +)?\"?(.*?)(?:\.(?: |$)|\"?$)", re.MULTILINE)
_OF = re.compile(r"^of: (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Word:
    """A name, and what it is in a sentence."""

    name: str
    doc: str = ""


@dataclass(frozen=True)
class PackWords:
    """The words of the pack in a folder and of all that it extends."""

    folder: Path

    def names(self, kind: str) -> list[Word]:
        """The documents of a kind."""
        found: dict[str, Word] = {}
        for of_kind, name, text in self.documents:
            if of_kind == kind:
                found[name] = Word(name, first_sentence(text) or (found[name].doc if name in found else ""))
        return sorted(found.values(), key=lambda word: word.name)

    def events(self, record: str, by_hand: bool) -> list[Word]:
        """The events of a record; `by_hand` those that somebody may fire."""
        found: dict[str, Word] = {}
        for t in self.transitions(record):
            if t.get("event") and (t.get("who") or not by_hand):
                found.setdefault(str(t["event"]), Word(str(t["event"]), str(t.get("doc", "")).partition(". ")[0]))
        return sorted(found.values(), key=lambda word: word.name)

    def taken_by(self, record: str, event: str) -> list[Word]:
        """What an event takes."""
        takes = [t.get("takes") or () for t in self.transitions(record) if t.get("event") == event]
        return [Word(name) for name in dict.fromkeys(str(name) for names in takes for name in names)]

    def takes(self, kind: str, name: str) -> list[Word]:
        """What a process or a statement takes."""
        takes = {n: t for body in self.bodies(kind, name) for n, t in (body.get("takes") or {}).items()}
        return [Word(n, str(t.get("doc", "")) if isinstance(t, dict) else "") for n, t in takes.items()]

    def warnings(self) -> list[Word]:
        """The warnings of all events and the limits, by which they are accepted."""
        flows = [body for kind, name, text in self.documents if kind == "workflow" and "warn:" in text
                 for body in self.read(text)]  # fmt: skip
        given = [w for body in flows for t in body.get("transitions") or () for w in t.get("warn") or ()]
        names = {str(w["name"]) for w in given if isinstance(w, dict) and "name" in w}
        return [Word(name) for name in sorted({*names, *(limit.name for limit in self.names("limit"))})]

    def transitions(self, record: str) -> Iterator[dict[str, Any]]:
        of = {name for kind, name, text in self.documents
              if kind == "workflow" and (found := _OF.search(text)) and found[1] == record}  # fmt: skip
        for name in sorted(of):
            for body in self.bodies("workflow", name):
                yield from (t for t in body.get("transitions") or () if isinstance(t, dict))

    def bodies(self, kind: str, name: str) -> Iterator[dict[str, Any]]:
        """What each pack of the chain says of a definition, as far as it can be read."""
        for of_kind, of_name, text in self.documents:
            if (of_kind, of_name) == (kind, name):
                yield from self.read(text)

    def read(self, text: str) -> Iterator[dict[str, Any]]:
        trees, _ = read(text, "")
        yield from (tree.body for tree in trees if isinstance(tree.body, dict))

    @cached_property
    def documents(self) -> list[tuple[str, str, str]]:
        """(kind, name, text) of each, those of the lowest pack first."""
        found = []
        for folder in self.chain():
            for path in files_of(folder, self.head(folder)):
                for text in _PARTS.split(path.read_text(encoding="utf-8", errors="replace")):
                    if head := _HEAD.search(text):
                        found.append((head[1], head[2], text))
        return found

    def chain(self) -> list[Path]:
        known, folders = library(), [self.folder]
        while extends := self.head(folders[-1]).get("extends"):
            beneath = known.folder(str(extends)) or folders[-1] / str(extends)
            if beneath in folders or not (beneath / "pack.yaml").is_file():
                break
            folders.append(beneath)
        bottom = known.folder(BOTTOM)
        return [*([bottom] if bottom else []), *folders[::-1]]

    def head(self, folder: Path) -> dict[str, Any]:
        """What a `pack.yaml` says, nothing where it cannot be read."""
        path = folder / "pack.yaml"
        return next(self.read(path.read_text(encoding="utf-8", errors="replace")), {}) if path.is_file() else {}


def files_of(folder: Path, head: dict[str, Any]) -> Iterator[Path]:
    """The files of one pack, by name; those of packs within it are left out."""
    for beneath in head.get("folders") or ["."]:
        for here, subfolders, names in os.walk(folder / str(beneath)):
            inner = Path(here).resolve() != folder.resolve() and "pack.yaml" in names
            subfolders[:] = [] if inner else sorted(s for s in subfolders if not s.startswith("."))
            yield from (Path(here) / n for n in sorted(names) if n.endswith(".yaml") and not inner)


def first_sentence(text: str) -> str:
    found = _DOC.search(text)
    return found[1] if found else ""
