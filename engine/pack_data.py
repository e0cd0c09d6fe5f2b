"""Documents as JSON can hold them, their places packed; a place is decoded when it is first asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from .errors import Place
from .source import Body, Document, Route


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
