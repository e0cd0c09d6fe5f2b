"""What was written, with the place of every value and key: documents of packs, and how words of theirs are shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from .errors import Place

Body: TypeAlias = "dict[str, Body] | list[Body] | str | None"
Route: TypeAlias = "tuple[str | int, ...]"

LEAST_OF_BEGINNING = 3  # letters of a word that may be the beginning of another


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that a pack declares: `workflow: claim` and what stands under it.

    `body` is without the kind's own key and without what only says how packs are laid over each other; both mappings of
    places hold the kind's key too, as (kind,). `written_in` names (file, pack) of every text that had a part in it,
    the one that it began with first; `pack` is the last of these packs.
    """

    kind: str
    name: str
    body: dict[str, Body]
    places: Mapping[Route, Place]
    key_places: Mapping[Route, Place]
    pack: str
    written_in: tuple[tuple[str, str], ...]

    @property
    def whole(self) -> dict[str, Body]:
        """The body with the kind's key in front, as it is written."""
        return {self.kind: self.name, **self.body}

    @property
    def name_place(self) -> Place:
        """Where its name stands."""
        return self.places[(self.kind,)]

    def place(self, path: Route = ()) -> Place:
        """The place of the value at the path or, where nothing stands there, of what would enclose it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places[path]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The hint ("did you mean `currency`?") for a word that is not among the words; empty where none is near."""
    near = nearest(word, words)
    return f"did you mean `{near}`?" if near else ""


def nearest(word: str, words: Iterable[str]) -> str:
    """The only one of the words that begins with the word, else the one most like it; empty where none is near."""
    known = sorted(words)
    begun = [each for each in known if each.startswith(word)] if len(word) >= LEAST_OF_BEGINNING else []
    near = begun if len(begun) == 1 else difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return near[0] if near else ""


def clipped(text: str, most: int = 60) -> str:
    """The text in one line and not longer than `most`, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def printable(text: str, most: int = 60) -> str:
    """A text from a file as a message may show it: in one line, not long, nothing that steers a terminal."""
    short = clipped(text, most)
    return short if short.isprintable() else ascii(short)[1:-1]
