"""What is different between two packs: definitions, and inside them rows, transitions, fields, each by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from . import catalog
from .errors import NOWHERE, Place
from .pack_nodes import Node, lift
from .rule_words import cell_words, cells_words, words
from .source import Body, Document

ADDED, CHANGED, REMOVED, MOVED = "added", "changed", "removed", "moved"
# What one thing of a list or map of things is called.
ONE = {
    "rows": "row", "transitions": "transition", "fields": "field", "states": "state", "figures": "figure",
    "values": "value", "children": "children", "steps": "step", "do": "step", "inputs": "input", "outputs": "output",
    "entries": "entry", "roles": "role", "events": "activity", "let": "name", "account_keys": "account key",
    "dimensions": "dimension", "series": "series", "currencies": "currency", "parts": "part", "require": "requirement",
}  # fmt: skip
NAMED_BY_KEY = ("when", "then", "takes")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that one of two packs says otherwise; of what is not there the text is empty and the place NOWHERE."""

    change: str
    kind: str
    name: str
    where: str
    before: str
    after: str
    before_at: Place
    after_at: Place


def differences(before: catalog.Pack, after: catalog.Pack) -> Iterator[Difference]:
    """Every difference, by kind and name of the definition and in its order. What only lays packs over is none."""
    old, new = ({(doc.kind, doc.name): doc for doc in pack.documents} for pack in (before, after))
    for kind, name in sorted(old.keys() | new.keys()):
        one, other = old.get((kind, name)), new.get((kind, name))
        if one is not None and other is not None:
            for change in _inside(_lifted(one, before), _lifted(other, after), ()):
                yield _told(kind, name, change)
        elif one is not None:
            yield Difference(REMOVED, kind, name, "", words(one.body.get("doc")), "", one.name_place, NOWHERE)
        elif other is not None:
            yield Difference(ADDED, kind, name, "", "", words(other.body.get("doc")), NOWHERE, other.name_place)


def _lifted(document: Document, pack: catalog.Pack) -> Node:
    """A document as nodes; the rows of a master are named by the key of their record."""
    record = pack.find("record", document.name) if document.kind == "master" else None
    key = record.body.get("key") if record else None
    fields = key.get("fields") if isinstance(key, dict) else key
    return lift(document.whole, document, (), [str(f) for f in fields] if isinstance(fields, list) else [])


@dataclass(frozen=True, slots=True)
class _Change:
    change: str
    path: tuple[str, ...]
    before: Node | None
    after: Node | None


def _told(kind: str, name: str, change: _Change) -> Difference:
    path = change.path
    return Difference(
        change.change, kind, name, where_words(path), _text(change.before, path), _text(change.after, path),
        _place(change.before), _place(change.after),
    )  # fmt: skip


def where_words(path: Sequence[str]) -> str:
    """A way into a definition, as a reader would say it: `row department_head, when amount`."""
    said: list[str] = []
    rest = list(path)
    while rest:
        word = rest.pop(0)
        if word in ONE and rest:
            said.append(f"{ONE[word]} {rest.pop(0)}")
        elif word in NAMED_BY_KEY and rest:
            said.append(f"{word} {rest.pop(0)}")
        else:
            said.append(word.replace("_", " "))
    return ", ".join(said)


def _place(node: Node | None) -> Place:
    return NOWHERE if node is None else node.key or node.place


def _text(node: Node | None, path: Sequence[str]) -> str:
    if node is None:
        return ""
    body = plain(node)
    if "when" in path[-2:]:
        return (cells_words(body) or "always") if path[-1] == "when" else cell_words(body)
    if isinstance(body, dict):
        body = {word: value for word, value in body.items() if word != "name"}  # it is named already
    return words(body)


def plain(node: Node) -> Body:
    """The value of a node without places."""
    if isinstance(node.value, dict):
        return {name: plain(inner) for name, inner in node.value.items()}
    if isinstance(node.value, list):
        return [plain(inner) for inner in node.value]
    return node.value


# --- comparing -------------------------------------------------------------------------------------------------------


def _inside(one: Node, other: Node, path: tuple[str, ...]) -> Iterator[_Change]:
    if plain(one) == plain(other):
        return
    is_cell = path[-2:-1] == ("when",)  # one condition, told as a whole
    if isinstance(one.value, dict) and isinstance(other.value, dict) and not is_cell:
        yield from _by_name(one.value, other.value, path)
    elif isinstance(one.value, list) and isinstance(other.value, list):
        yield from _lists(one.value, other.value, path)
    else:
        yield _Change(CHANGED, path, one, other)


def _by_name(one: dict[str, Node], other: dict[str, Node], path: tuple[str, ...]) -> Iterator[_Change]:
    for name in dict.fromkeys((*one, *other)):
        here = (*path, name)
        if name not in other:
            yield _Change(REMOVED, here, one[name], None)
        elif name not in one:
            yield _Change(ADDED, here, None, other[name])
        else:
            yield from _inside(one[name], other[name], here)


def _lists(one: list[Node], other: list[Node], path: tuple[str, ...]) -> Iterator[_Change]:
    old, new = _named(one), _named(other)
    if old is None or new is None:
        yield from _unnamed(one, other, path)
        return
    yield from _by_name(old, new, path)
    before, after = [n for n in old if n in new], [n for n in new if n in old]
    for name, instead in zip(before, after, strict=True):
        if name != instead:
            # The first that stands elsewhere; what follows from it is not told again.
            yield _Change(MOVED, (*path, instead), old[instead], new[instead])
            return


def _named(nodes: list[Node]) -> dict[str, Node] | None:
    """The things of a list by their names; None where they cannot be told apart."""
    found = {node.called: node for node in nodes if node.called is not None}
    return found if len(found) == len(nodes) else None


def _unnamed(one: list[Node], other: list[Node], path: tuple[str, ...]) -> Iterator[_Change]:
    """Of things without names: what is gone and what is new. A list of plain values is told as a whole."""
    if not any(isinstance(node.value, dict | list) for node in (*one, *other)):
        whole = (Node(nodes, nodes[0].place if nodes else NOWHERE) for nodes in (one, other))
        yield _Change(CHANGED, path, *whole)
        return
    gone, come = _without(one, other), _without(other, one)
    for index in range(max(len(gone), len(come))):
        before, after = (nodes[index] if index < len(nodes) else None for nodes in (gone, come))
        change = CHANGED if before and after else REMOVED if before else ADDED
        yield _Change(change, path, before, after)
    if not gone and not come:
        yield _Change(MOVED, path, Node(one, one[0].place), Node(other, other[0].place))


def _without(nodes: list[Node], others: list[Node]) -> list[Node]:
    """The nodes that are not among the others, each of which counts once."""
    there = Counter(repr(plain(node)) for node in others)
    left = []
    for node in nodes:
        text = repr(plain(node))
        if there[text]:
            there[text] -= 1
        else:
            left.append(node)
    return left
