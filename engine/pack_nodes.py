"""The values of a document as nodes that keep the places they came from, whatever is merged with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .errors import Place
from .source import Body, Document, Route


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place and that of its key, so that what is merged keeps the place that it came from.

    `called` is the name of a thing in a list: its `name`, without one its `event`, of a master row the key.
    """

    value: dict[str, Node] | list[Node] | str | None
    place: Place
    key: Place | None = None
    called: str | None = None


def lift(body: Body, document: Document, path: Route, keys: Sequence[str] = ()) -> Node:
    """The value at a path as nodes; `keys` are the fields that name a master's rows."""
    place, key = document.places[path], document.key_places.get(path)
    if isinstance(body, dict):
        values = {name: lift(inner, document, (*path, name), keys) for name, inner in body.items()}
        return Node(values, place, key, _name_in(body, keys))
    if isinstance(body, list):
        return Node([lift(inner, document, (*path, at), keys) for at, inner in enumerate(body)], place, key)
    return Node(body, place, key)


def _name_in(body: Mapping[str, Body], keys: Sequence[str]) -> str | None:
    if keys:
        parts = [body.get(key) for key in keys]
        return "/".join(map(str, parts)) if all(isinstance(part, str) for part in parts) else None
    named = [word for word in (body.get("name"), body.get("event")) if isinstance(word, str)]
    return named[0] if named else None


def lowered(node: Node, document: Document) -> Document:
    """The document with the body and places of the node."""
    places: dict[Route, Place] = {}
    key_places: dict[Route, Place] = {}
    body = _lower(node, (), places, key_places)
    assert isinstance(body, dict)
    del body[document.kind]
    return replace(document, body=body, places=places, key_places=key_places)


def _lower(node: Node, path: Route, places: dict[Route, Place], key_places: dict[Route, Place]) -> Body:
    places[path] = node.place
    if node.key:
        key_places[path] = node.key
    if isinstance(node.value, dict):
        return {name: _lower(inner, (*path, name), places, key_places) for name, inner in node.value.items()}
    if isinstance(node.value, list):
        return [_lower(inner, (*path, at), places, key_places) for at, inner in enumerate(node.value)]
    return node.value


# --- what is named in a node -----------------------------------------------------------------------------------------


def text_of(node: Node, key: str) -> Node | None:
    """The text under a key of a node, or None."""
    inner = node.value.get(key) if isinstance(node.value, dict) else None
    return inner if inner and isinstance(inner.value, str) else None


def names_in(node: Node) -> list[str]:
    """What can be named in a node: keys, named things, plain texts."""
    if isinstance(node.value, dict):
        return list(node.value)
    if isinstance(node.value, list):
        named = [inner.called or inner.value for inner in node.value]
        return [name for name in named if isinstance(name, str)]
    return []


def indexes_of(node: Node, name: str) -> list[int]:
    """Where the named thing stands in a node; more than once where several transitions share an event."""
    if isinstance(node.value, list):
        return [at for at, inner in enumerate(node.value) if name in (inner.called, inner.value)]
    return [at for at, key in enumerate(names_in(node)) if key == name]
