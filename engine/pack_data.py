"""A pack with its documents, and the text as which a store keeps them: decoded only as far as it is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from .errors import IntegrityBroken, Place
from .log_texts import UNREADABLE
from .source import Body, Document, Route

Key: TypeAlias = "tuple[str, str]"


@dataclass(frozen=True)
class Pack:
    """A pack with everything that it extends, laid over each other.

    `files` are the texts of the whole chain by the name shown; `hash` is that of these names and texts; `chain` are the
    packs' names from the bottom up.
    """

    name: str
    version: str
    documents: Sequence[Document]
    files: Mapping[str, str]
    hash: str
    chain: tuple[str, ...]

    def find(self, kind: str, name: str) -> Document | None:
        """The document of that kind and name, or None."""
        index = self._index.get((kind, name))
        return None if index is None else self.documents[index]

    def all(self, kind: str) -> list[Document]:
        """The documents of that kind, by name."""
        return [self.documents[index] for index in self._of_kind.get(kind, ())]

    @cached_property
    def _index(self) -> dict[Key, int]:
        kept = self.documents
        keys = kept.keys if isinstance(kept, _Documents) else [(document.kind, document.name) for document in kept]
        return {key: index for index, key in enumerate(keys)}

    @cached_property
    def _of_kind(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for (kind, _), index in self._index.items():
            found.setdefault(kind, []).append(index)
        return found

    @property
    def lines(self) -> dict[str, list[str]]:
        """The lines of every file by its name, as `render` wants them."""
        return lines_of(self.files)

    def to_text(self) -> str:
        """The pack as a text that `from_text` reads, a JSON value in each line.

        First {name, version, hash, chain, files: [name], documents: [[kind, name]]}, then the texts of the files, then
        a line for each document: {body, pack, written_in, places}, where `places` is a text.
        """
        numbers = {file: number for number, file in enumerate(self.files)}
        head = {
            "name": self.name, "version": self.version, "hash": self.hash, "chain": self.chain,
            "files": list(self.files), "documents": list(self._index),
        }  # fmt: skip
        values = [head, list(self.files.values()), *(document_data(document, numbers) for document in self.documents)]
        return "\n".join(json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values)

    @classmethod
    def from_text(cls, text: str) -> Pack:
        """The pack that `to_text` gave; a document is decoded when it is first asked for, as most never are."""
        first, texts, *lines = text.split("\n")
        head = json.loads(first)
        keys = [(kind, name) for kind, name in head["documents"]]
        documents = _Documents(head["hash"], keys, lines, head["files"])
        files = _Files(head["files"], texts)
        return cls(head["name"], head["version"], documents, files, head["hash"], tuple(head["chain"]))


class _Documents(Sequence[Document]):
    """Documents of a pack that a store keeps, each decoded when it is first asked for.

    Raises IntegrityBroken where one is not what was written.
    """

    def __init__(self, pack: str, keys: list[Key], lines: list[str], files: list[str]) -> None:
        if len(keys) != len(lines):
            raise ValueError(f"{len(lines)} documents instead of {len(keys)}")
        self.keys, self._pack, self._lines, self._files = keys, pack, lines, files
        self._made: dict[int, Document] = {}

    def __getitem__(self, index: Any) -> Any:
        if index not in self._made:
            key = self.keys[index]
            try:
                self._made[index] = document_from(key, json.loads(self._lines[index]), self._files)
            except UNREADABLE:
                raise rules_broken(self._pack) from None
        return self._made[index]

    def __len__(self) -> int:
        return len(self.keys)


class _Files(Mapping[str, str]):
    """The texts of a pack by the names of its files, decoded when one is first asked for."""

    def __init__(self, names: list[str], texts: str) -> None:
        self._names, self._line = names, texts

    @cached_property
    def _texts(self) -> dict[str, str]:
        return dict(zip(self._names, json.loads(self._line), strict=True))

    def __getitem__(self, name: str) -> str:
        return self._texts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def rules_broken(pack: str) -> IntegrityBroken:
    return IntegrityBroken(f"the rules made of the pack {pack[:12]} are not what was written")


def lines_of(files: Mapping[str, str]) -> dict[str, list[str]]:
    return {file: text.split("\n") for file, text in files.items()}


def document_data(document: Document, numbers: Mapping[str, int]) -> dict[str, Any]:
    packed: tuple[list[int], list[int]] = ([], [])
    for path in _paths(document.whole, (), []):
        for places, numbered in zip((document.places, document.key_places), packed, strict=True):
            if place := places.get(path):
                numbered += [numbers[place.file], place.line, place.column]
    return {
        "body": document.body,
        "pack": document.pack,
        "written_in": [list(part) for part in document.written_in],
        "places": json.dumps(packed, separators=(",", ":")),
    }


def document_from(key: Key, data: Mapping[str, Any], files: list[str]) -> Document:
    kind, name = key
    whole = {kind: name, **data["body"]}
    places, key_places = (_Places(data["places"], whole, files, of_keys) for of_keys in (False, True))
    written = tuple((file, pack) for file, pack in data["written_in"])
    return Document(kind, name, data["body"], places, key_places, data["pack"], written)


class _Places(Mapping[Route, Place]):
    """Places that are decoded when first asked for: a pack is loaded far more often than a place is shown."""

    def __init__(self, text: str, whole: Body, files: list[str], of_keys: bool) -> None:
        self._packed = (text, whole, files, of_keys)

    @cached_property
    def _decoded(self) -> tuple[dict[Route, int], list[int], list[str]]:
        """Where in the numbers each place begins, these numbers, and the files that they speak of."""
        text, whole, files, of_keys = self._packed
        paths = _paths(whole, (), [])
        if of_keys:
            paths = [path for path in paths if path and isinstance(path[-1], str)]
        return {path: 3 * at for at, path in enumerate(paths)}, json.loads(text)[1 if of_keys else 0], files

    def __getitem__(self, path: Route) -> Place:
        at, numbers, files = self._decoded
        file, line, column = numbers[at[path] : at[path] + 3]
        return Place(files[file], line, column)

    def __contains__(self, path: object) -> bool:
        return path in self._decoded[0]

    def __iter__(self) -> Iterator[Route]:
        return iter(self._decoded[0])

    def __len__(self) -> int:
        return len(self._decoded[0])


def _paths(body: Body, path: Route, found: list[Route]) -> list[Route]:
    """Every path of a body in the order in which it is written, which is why places need not repeat them."""
    found.append(path)
    if isinstance(body, dict):
        for name, inner in body.items():
            _paths(inner, (*path, name), found)
    elif isinstance(body, list):
        for at, inner in enumerate(body):
            _paths(inner, (*path, at), found)
    return found
