"""Places in a document, from which definitions are built: maps, lists, and texts that know where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from .errors import Place
from .frozen import frozen


class Source(Protocol):
    """The part of a catalog document that building reads."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def body(self) -> Mapping[str, Any]: ...

    def place(self, path: tuple[str | int, ...] = ()) -> Place: ...


@frozen
class Text:
    """An expression or message as written, with the place of its first character."""

    text: str
    place: Place


@frozen
class Element:
    """A place in a document: walks its maps and lists and hands out texts that know where they stand."""

    source: Source
    path: tuple[str | int, ...] = ()
    value: Any = None

    @property
    def place(self) -> Place:
        return self.source.place(self.path)

    def at(self, key: str | int) -> Element:
        inner = self.value
        if isinstance(inner, dict):
            inner = inner.get(key)
        elif isinstance(inner, list) and isinstance(key, int):
            inner = inner[key]
        else:
            inner = None
        return Element(self.source, (*self.path, key), inner)

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def word(self, key: str, default: str = "") -> str:
        inner = self.at(key).value
        return inner if isinstance(inner, str) else default

    def maybe(self, key: str) -> str | None:
        return self.word(key) or None

    def flag(self, key: str, default: bool = False) -> bool:
        return self.word(key, str(default).lower()) == "true"

    def text(self, key: str | int) -> Text | None:
        inner = self.at(key)
        return Text(inner.value, inner.place) if isinstance(inner.value, str) else None

    def must(self, key: str | int) -> Text:
        return self.text(key) or Text("", self.place)

    def items(self, key: str) -> Iterator[Element]:
        """The elements of a list; a single value stands for a list of one."""
        inner = self.at(key)
        if isinstance(inner.value, list):
            for index in range(len(inner.value)):
                yield inner.at(index)
        elif inner.value is not None:
            yield inner

    def pairs(self, key: str) -> Iterator[tuple[str, Element]]:
        inner = self.at(key)
        if isinstance(inner.value, dict):
            for name in inner.value:
                yield name, inner.at(name)

    def words(self, key: str) -> tuple[str, ...]:
        return tuple(str(e.value) for e in self.items(key))

    def texts(self, key: str) -> dict[str, Text]:
        return {name: Text(e.value, e.place) for name, e in self.pairs(key) if isinstance(e.value, str)}


def dotted(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))
