"""A pack and its documents, as JSON can hold them: places are packed, and decoded when one is first asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .errors import Place
from .source import Body, Document, Route


@dataclass(frozen=True)
class Pack:
    """A pack with everything that it extends, laid over each other.

    `files` are the texts of the whole chain by the name shown; `hash` is that of these names and texts; `chain` are the
    packs' names from the bottom up.
    """

    name: str
    version: str
    documents: tuple[Document, ...]
    files: dict[str, str]
    hash: str
    chain: tuple[str, ...]

    def find(self, kind: str, name: str) -> Document | None:
        """The document of that kind and name, or None."""
        return self._by_key.get((kind, name))

    def all(self, kind: str) -> list[Document]:
        """The documents of that kind, by name."""
        return [document for document in self.documents if document.kind == kind]

    @cached_property
    def _by_key(self) -> dict[tuple[str, str], Document]:
        return {(document.kind, document.name): document for document in self.documents}

    @property
    def lines(self) -> dict[str, list[str]]:
        """The lines of every file by its name, as `render` wants them."""
        return lines_of(self.files)

    def to_data(self) -> dict[str, Any]:
        """The pack as JSON can hold it; `from_data` is its inverse.

        Shape: {name, version, hash, chain, files: {name: text}, documents: [{kind, name, body, pack, written_in,
        places}]}, where `places` is a text that is decoded when a place is first asked for.
        """
        numbers = {file: number for number, file in enumerate(self.files)}
        return {
            "name": self.name,
            "version": self.version,
            "hash": self.hash,
            "chain": list(self.chain),
            "files": dict(self.files),
            "documents": [document_data(document, numbers) for document in self.documents],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Pack:
        """The pack that `to_data` gave."""
        files = list(data["files"])
        documents = tuple(document_from(document, files) for document in data["documents"])
        return cls(data["name"], data["version"], documents, data["files"], data["hash"], tuple(data["chain"]))


def lines_of(files: Mapping[str, str]) -> dict[str, list[str]]:
    return {file: text.split("\n") for file, text in files.items()}


def document_data(document: Document, numbers: Mapping[str, int]) -> dict[str, Any]:
    packed: tuple[list[int], list[int]] = ([], [])
    for path in _paths(document.whole, ()):
        for places, numbered in zip((document.places, document.key_places), packed, strict=True):
            if place := places.get(path):
                numbered += [numbers[place.file], place.line, place.column]
    return {
        "kind": document.kind,
        "name": document.name,
        "body": document.body,
        "pack": document.pack,
        "written_in": [list(part) for part in document.written_in],
        "places": json.dumps(packed, separators=(",", ":")),
    }


def document_from(data: Mapping[str, Any], files: list[str]) -> Document:
    whole = {data["kind"]: data["name"], **data["body"]}
    places, key_places = (_Places(data["places"], whole, files, of_keys) for of_keys in (False, True))
    written = tuple((file, pack) for file, pack in data["written_in"])
    return Document(data["kind"], data["name"], data["body"], places, key_places, data["pack"], written)


class _Places(Mapping[Route, Place]):
    """Places that are decoded when first asked for: a pack is loaded far more often than a place is shown."""

    def __init__(self, text: str, whole: Body, files: list[str], of_keys: bool) -> None:
        self._packed = (text, whole, files, of_keys)

    @cached_property
    def _decoded(self) -> dict[Route, Place]:
        text, whole, files, of_keys = self._packed
        numbers = iter(json.loads(text)[1 if of_keys else 0])
        paths = (path for path in _paths(whole, ()) if not of_keys or (path and isinstance(path[-1], str)))
        return {path: Place(files[next(numbers)], next(numbers), next(numbers)) for path in paths}

    def __getitem__(self, path: Route) -> Place:
        return self._decoded[path]

    def __iter__(self) -> Iterator[Route]:
        return iter(self._decoded)

    def __len__(self) -> int:
        return len(self._decoded)


def _paths(body: Body, path: Route) -> Iterator[Route]:
    """Every path of a body in the order in which it is written, which is why places need not repeat them."""
    yield path
    if isinstance(body, dict):
        for name, inner in body.items():
            yield from _paths(inner, (*path, name))
    elif isinstance(body, list):
        for at, inner in enumerate(body):
            yield from _paths(inner, (*path, at))
