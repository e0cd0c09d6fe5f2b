"""Loads packs: finds their files, reads them, and lays each pack over the one that it extends.

What the documents say is not looked at here, but for what says how packs are laid over each other.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from .errors import NOWHERE, Diagnostic, InvalidPack, Place, in_order
from .source import Body, Document, Route, Tree, clipped, decode, did_you_mean, read

__all__ = ["KINDS", "Document", "Library", "Pack", "library", "load", "origin", "read_pack"]

KINDS = (
    "pack", "record", "master", "workflow", "decision", "parameters", "formulas", "measure", "limit", "share_out",
    "posting", "process", "statement", "mapping", "calendar", "test",
)  # fmt: skip

BOTTOM = "core"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Library:
    """Where packs are found by name: folders beneath a root, from which their files are named."""

    root: Path
    folders: Mapping[str, str]

    def folder(self, name: str) -> Path | None:
        """The folder of the pack with that name, or None."""
        return self.root / self.folders[name] if name in self.folders else None

    def holds(self, folder: Path) -> bool:
        """Whether the folder is that of one of the packs found by name."""
        return any((self.root / known).resolve() == folder.resolve() for known in self.folders.values())


def library() -> Library:
    """The packs that come with this package."""
    rules = Path(str(importlib.resources.files(f"{__package__.rpartition('.')[0]}.rules")))
    return Library(rules.parent, {BOTTOM: "schemas/core", "base": rules.name})


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
    def _by_key(self) -> dict[_Key, Document]:
        return {(document.kind, document.name): document for document in self.documents}

    @property
    def lines(self) -> dict[str, list[str]]:
        """The lines of every file by its name, as `render` wants them."""
        return _lines(self.files)

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
            "documents": [_document_data(document, numbers) for document in self.documents],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Pack:
        """The pack that `to_data` gave."""
        files = list(data["files"])
        documents = tuple(_document_from(document, files) for document in data["documents"])
        return cls(data["name"], data["version"], documents, data["files"], data["hash"], tuple(data["chain"]))


def load(directory: str | Path, known: Library | None = None) -> Pack:
    """Load the pack of a folder; raises InvalidPack with every problem of all its files."""
    pack, found, lines = read_pack(directory, known)
    if found or pack is None:
        raise InvalidPack(found, lines)
    return pack


def read_pack(
    directory: str | Path, known: Library | None = None
) -> tuple[Pack | None, list[Diagnostic], dict[str, list[str]]]:
    """Read the pack of a folder as far as it can be read: the pack, every problem in order, and the lines of each file.

    There is no pack where a `pack.yaml` of the chain is missing or does not say its name.
    """
    shelf = _Shelf(known or library())
    chain = shelf.chain(Path(directory))
    laid = _Laid(shelf.found)
    for layer in chain:
        laid.lay(layer)
    pack = _pack(chain, laid.documents.values(), shelf.files) if chain and not shelf.is_broken else None
    return pack, in_order(shelf.found), _lines(shelf.files)


def origin(document: Document, path: Route) -> str:
    """The name of the pack that wrote the value at the path, or of what encloses it."""
    return dict(document.written_in)[document.place(path).file]


def _pack(chain: list[_Layer], documents: Iterable[Document], files: dict[str, str]) -> Pack:
    top = chain[-1]
    in_sequence = tuple(sorted(documents, key=lambda document: (document.kind, document.name)))
    version = top.head.body.get("version")
    return Pack(
        top.name,
        version if isinstance(version, str) else "",
        in_sequence,
        dict(sorted(files.items())),
        text_hash(files),
        tuple(layer.name for layer in chain),
    )


def text_hash(files: Mapping[str, str]) -> str:
    """Names and texts are written as JSON, so that nothing can slip from one into the other."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def _lines(files: Mapping[str, str]) -> dict[str, list[str]]:
    return {file: text.split("\n") for file, text in files.items()}


# Finding and reading the files of a chain


@dataclass(frozen=True)
class _Layer:
    """One pack of a chain, by itself."""

    head: Document
    documents: list[Document]

    @property
    def name(self) -> str:
        return self.head.name


@dataclass
class _Shelf:
    """The files of a chain of packs, each read once, and every problem found in them."""

    known: Library
    found: list[Diagnostic] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    roots: dict[Path, Path] = field(default_factory=dict)
    is_broken: bool = False

    def chain(self, top: Path) -> list[_Layer]:
        """The packs from the bottom up; ends early, and marks the shelf as broken, where one cannot be found."""
        layers: list[_Layer] = []
        seen: dict[Path, str] = {}
        folder: Path | None = top
        asked_at = NOWHERE
        while folder:
            layer = None if folder.resolve() in seen else self._layer(folder, asked_at)
            if layer is None or layer.name in seen.values():
                self._cannot_go_on(folder, asked_at, seen, layer)
                break
            seen[folder.resolve()] = layer.name
            layers.append(layer)
            folder, asked_at = self._below(layer, folder)
        return layers[::-1]

    def _cannot_go_on(self, folder: Path, asked_at: Place, seen: Mapping[Path, str], layer: _Layer | None) -> None:
        self.is_broken = True
        if folder.resolve() in seen:
            name = seen[folder.resolve()]
            self._report("R023", f"pack `{name}` would extend itself", asked_at, hint="break the circle")
        elif layer:
            said = f"two packs of one chain are named `{layer.name}`"
            self._report("R023", said, layer.head.name_place, len(layer.name), "rename one")

    def _below(self, layer: _Layer, folder: Path) -> tuple[Path | None, Place]:
        """The folder of the pack that this one extends, and where it says so; None at the bottom."""
        head = layer.head
        if "extends" not in head.body:
            bottom = self.known.folder(BOTTOM)
            return (bottom if bottom and bottom.resolve() != folder.resolve() else None), head.name_place
        asked, place = head.body["extends"], head.places[("extends",)]
        if isinstance(asked, str):
            beneath = self.known.folder(asked) or folder / asked
            if (beneath / "pack.yaml").is_file():
                return beneath, place
        self.is_broken = True
        shown = clipped(asked) if isinstance(asked, str) else "this"
        hint = did_you_mean(shown, self.known.folders) or "give a pack's name, or the path of its folder from here"
        self._report("R022", f"there is no pack `{shown}`", place, len(shown), hint)
        return None, place

    def _layer(self, folder: Path, asked_at: Place) -> _Layer | None:
        path = folder / "pack.yaml"
        if not path.is_file():
            hint = "a pack is a folder with a `pack.yaml`"
            self._report("R020", f"there is no `pack.yaml` in `{folder.name or folder}`", asked_at, hint=hint)
            return None
        first = self._documents(path, folder)
        head = next((document for document in first if document.kind == "pack"), None)
        if head is None:
            place = Place(self._shown(path, folder), 1, 1)
            self._report("R020", "this does not say which pack it is", place, hint="begin with `pack: NAME`")
            return None
        for path in self._paths(head, folder):
            first += self._documents(path, folder)
        return _Layer(head, self._each_once([replace(document, pack=head.name) for document in first], head))

    def _each_once(self, documents: list[Document], head: Document) -> list[Document]:
        kept: dict[_Key, Document] = {}
        for document in documents:
            key = (document.kind, document.name)
            written = tuple((file, head.name) for file, _ in document.written_in)
            if document.kind == "pack" and kept and key not in kept:
                self._report("R024", "a pack has one `pack` document", document.key_places[("pack",)], len("pack"))
            elif key in kept:
                said = f"{document.kind} `{document.name}` stands twice; the first is at {kept[key].name_place}"
                self._report("R024", said, document.name_place, len(document.name))
            else:
                kept[key] = replace(document, written_in=written)
        return list(kept.values())

    def _paths(self, head: Document, folder: Path) -> list[Path]:
        """The YAML files of a pack besides its `pack.yaml`, in order, each once."""
        paths: set[Path] = set()
        for beneath, place in self._folders(head, folder):
            if (folder / beneath).is_dir():
                paths.update(self._beneath(folder / beneath, folder))
            else:
                self._report("R021", f"there is no folder `{clipped(beneath)}`", place, len(beneath))
        return sorted(paths)

    def _folders(self, head: Document, folder: Path) -> list[tuple[str, Place]]:
        folders = head.body.get("folders", ["."])
        if isinstance(folders, list) and all(isinstance(beneath, str) for beneath in folders):
            return [(str(beneath), head.place(("folders", at))) for at, beneath in enumerate(folders)]
        hint = "write `folders: [first, second]`"
        self._report("R021", "`folders` is a list of folders", head.place(("folders",)), hint=hint)
        return []

    def _beneath(self, start: Path, pack_folder: Path) -> Iterator[Path]:
        """The YAML files below a folder; what is hidden and what belongs to another pack is left out."""
        for folder, subfolders, names in os.walk(os.path.normpath(start)):
            here = Path(folder)
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            if here.resolve() != pack_folder.resolve() and "pack.yaml" in names:
                subfolders.clear()
                continue
            for name in sorted(names):
                if name.endswith(".yml"):
                    place = Place(self._shown(here / name, pack_folder), 1, 1)
                    self._report("R025", "this file is not read", place, hint="name it `.yaml`")
                elif name.endswith(".yaml") and name != "pack.yaml" and not name.startswith("."):
                    yield here / name

    def _documents(self, path: Path, folder: Path) -> list[Document]:
        shown = self._shown(path, folder)
        if shown in self.files:
            hint = "a file belongs to one pack"
            self._report("R024", "two packs of one chain read this file", Place(shown, 1, 1), hint=hint)
            return []
        text, found = decode(path.read_bytes(), shown)
        self.files[shown] = text
        trees: list[Tree] = []
        if not found:
            trees, found = read(text, shown)
        self.found += found
        return [document for tree in trees if (document := self._document(tree, shown))]

    def _document(self, tree: Tree, shown: str) -> Document | None:
        body, place = tree.body, tree.places[()]
        if not isinstance(body, dict) or not body:
            self._report("R026", "a document must begin with its kind", place, hint="such as `record: NAME`")
            return None
        kind, *others = body
        if kind not in KINDS:
            late = next((other for other in others if other in KINDS), None)
            hint = did_you_mean(kind, KINDS) or "the kinds are " + ", ".join(KINDS)
            if late and not did_you_mean(kind, KINDS):
                hint = f"put `{late}` first"
            said = f"`{clipped(kind)}` is not a kind of document"
            self._report("R026", said, tree.key_places[(kind,)], len(kind), hint)
            return None
        name = body.pop(kind)
        if not isinstance(name, str) or not (name if kind == "test" else _NAME.fullmatch(name)):
            shown_name = f"`{clipped(name)}`" if isinstance(name, str) else "this"
            hint = "small letters, digits and `_`, a letter first" if kind != "test" else "name what it tests"
            self._report("R027", f"{shown_name} is not a name", tree.places[(kind,)], len(shown_name) - 2, hint)
            return None
        return Document(kind, name, body, tree.places, tree.key_places, "", ((shown, ""),))

    def _shown(self, path: Path, folder: Path) -> str:
        return Path(os.path.relpath(path.resolve(), self._root(folder.resolve()))).as_posix()

    def _root(self, folder: Path) -> Path:
        """From where the files of the pack in this folder are named: packs in folders of one name get longer names."""
        if self.known.holds(folder):
            return self.known.root.resolve()
        if folder not in self.roots:
            taken = {os.path.relpath(other, root) for root, other in self._named()}
            root = folder.parent
            while os.path.relpath(folder, root) in taken and root != root.parent:
                root = root.parent
            self.roots[folder] = root
        return self.roots[folder]

    def _named(self) -> list[tuple[Path, Path]]:
        """Each pack's folder, behind the folder from where its files are named."""
        root = self.known.root
        built_in = [(root, root / folder) for folder in self.known.folders.values()]
        return built_in + [(root, folder) for folder, root in self.roots.items()]

    def _report(self, code: str, said: str, place: Place, length: int = 1, hint: str = "") -> None:
        self.found.append(Diagnostic(code, said, place, length, hint))


# Laying one pack over another


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with its place and that of its key, so that what is merged keeps the place that it came from."""

    value: dict[str, _Node] | list[_Node] | str | None
    place: Place
    key: Place | None = None


@dataclass
class _Laid:
    """The documents of the packs laid so far, and the problems of laying them."""

    found: list[Diagnostic]
    documents: dict[_Key, Document] = field(default_factory=dict)

    def lay(self, layer: _Layer) -> None:
        """Lay a pack's documents over those below."""
        below = dict(self.documents)
        for document in layer.documents:
            key = (document.kind, document.name)
            laid = self._over(document, below.get(key), below)
            if laid:
                self.documents[key] = laid
            else:
                self.documents.pop(key, None)

    def _over(self, document: Document, below: Document | None, all_below: Iterable[_Key]) -> Document | None:
        """The document as it now is, None where there is none; after a mistake, which is reported, what was below."""
        says = [word for word in ("replaces", "changes") if word in document.body]
        if not says:
            return self._said_nothing(document, below)
        if len(says) == 2:
            self._report("R031", "`replaces` and `changes` exclude each other", document, ("changes",), "keep one")
        elif below is None:
            said = f"there is no {document.kind} `{document.name}` below to {says[0].removesuffix('s')}"
            hint = did_you_mean(document.name, [name for kind, name in all_below if kind == document.kind])
            self.found.append(Diagnostic("R032", said, document.name_place, len(document.name), hint))
        elif self._names_its_pack(document, below, says[0]):
            return self._changed(document, below) if says == ["changes"] else self._replaced(document, below)
        return below

    def _said_nothing(self, document: Document, below: Document | None) -> Document | None:
        if "remove" in document.body:
            hint = "add `changes: NAME` with the name of the pack below"
            self._report("R031", "`remove` needs `changes`", document, ("remove",), hint)
            return below
        if below is None:
            return document
        hint = f"say `changes: {below.pack}` or `replaces: {below.pack}`"
        said = f"{document.kind} `{document.name}` stands already in pack `{below.pack}`"
        self.found.append(Diagnostic("R030", said, document.name_place, len(document.name), hint))
        return below

    def _names_its_pack(self, document: Document, below: Document, word: str) -> bool:
        packs = list(dict.fromkeys(pack for _, pack in below.written_in))
        asked = document.body[word]
        if asked in packs:
            return True
        said = f"{document.kind} `{document.name}` comes from pack {', '.join(f'`{pack}`' for pack in packs)}"
        self._report("R033", said, document, (word,), f"say `{word}: {packs[-1]}`")
        return False

    def _replaced(self, document: Document, below: Document) -> Document:
        if "remove" in document.body:
            self._report("R031", "`replaces` and `remove` exclude each other", document, ("remove",), "keep one")
            return below
        return _without(document, "replaces")

    def _changed(self, document: Document, below: Document) -> Document | None:
        removed = document.body.get("remove", {})
        if removed == "all":
            more = [word for word in document.body if word not in ("changes", "remove", "doc")]
            for word in more:
                self._report("R031", f"`remove: all` leaves no `{word}` to change", document, (word,), "keep one")
            return below if more else None
        node = self._remove(_lift(below.whole, below, ()), document, removed)
        # The name keeps the place of the document that all this is about.
        said = _without(document, "changes", "remove")
        merged = self._merged(node, _lift(said.body, said, ()), document.kind)
        written = (*below.written_in, *(part for part in document.written_in if part not in below.written_in))
        return _lowered(merged, replace(document, written_in=written))

    def _report(self, code: str, said: str, document: Document, path: Route, hint: str = "") -> None:
        value = document.body.get(str(path[0]))
        length = len(value) if isinstance(value, str) else 1
        self.found.append(Diagnostic(code, said, document.place(path), length, hint))

    # Merging

    def _merged(self, below: _Node, above: _Node, what: str) -> _Node:
        """The node above laid over the one below: maps by key, lists of named things by name, anything else whole."""
        if isinstance(below.value, dict) and isinstance(above.value, dict):
            values = dict(below.value)
            for key, node in above.value.items():
                values[key] = self._merged(values[key], node, key) if key in values else node
            return replace(below, value=values)
        if isinstance(below.value, list) and isinstance(above.value, list) and _merges_by_name(below, above):
            return replace(below, value=self._merged_list(below.value, above.value, what))
        return above

    def _merged_list(self, below: list[_Node], above: list[_Node], what: str) -> list[_Node]:
        values = list(below)
        # Where the things of this list have a word `before` of their own, it says nothing about their order.
        has_position = not any(_text(node, "before") for node in below)
        for node in above:
            name = _name_of(node)
            at = [index for index, other in enumerate(values) if name is not None and _name_of(other) == name]
            if name is None:
                self._say("R034", f"this has no `name`, while `{what}` below is laid over by name", node, "name it")
            elif len(at) > 1:
                self._say(
                    "R034", f"`{name}` stands {len(at)} times in `{what}` below", node, "give each a `name` there"
                )
            elif at:
                self._keeps_its_place(node, has_position)
                values[at[0]] = self._merged(values[at[0]], node, what)
            else:
                self._insert(values, node, has_position, what)
        return values

    def _keeps_its_place(self, node: _Node, has_position: bool) -> None:
        if has_position and (before := _text(node, "before")):
            self._say("R034", "what is already there keeps its place", before, "leave `before` out")

    def _insert(self, values: list[_Node], node: _Node, has_position: bool, what: str) -> None:
        """Append a new thing, or put it before the one that it names."""
        before = _text(node, "before") if has_position else None
        if before is None:
            values.append(node)
            return
        names = [_name_of(other) for other in values]
        if before.value not in names:
            hint = did_you_mean(str(before.value), [name for name in names if name])
            self._say("R032", f"there is no `{before.value}` in `{what}`", before, hint)
            return
        assert isinstance(node.value, dict)
        rest = {key: value for key, value in node.value.items() if key != "before"}
        values.insert(names.index(str(before.value)), replace(node, value=rest))

    def _say(self, code: str, said: str, node: _Node, hint: str = "") -> None:
        length = len(node.value) if isinstance(node.value, str) else 1
        self.found.append(Diagnostic(code, said, node.place, length, hint))

    # Removing

    def _remove(self, node: _Node, document: Document, removed: Body) -> _Node:
        """The node without what `remove` names."""
        if not isinstance(removed, dict):
            hint = "write `remove: {rows: [first, second]}` or `remove: all`"
            self._report("R035", "`remove` says what is removed from where", document, ("remove",), hint)
            return node
        for where, names in removed.items():
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                hint = f"write `{where}: [first, second]`"
                self._report("R035", "a list of names is expected", document, ("remove", where), hint)
                continue
            for at, name in enumerate(names):
                place = document.places[("remove", where, at)]
                node = self._removed(node, where.split("."), str(name), document.key_places[("remove", where)], place)
        return node

    def _removed(self, node: _Node, steps: list[str], name: str, where: Place, place: Place) -> _Node:
        """The node without the named thing in what the steps lead to; the same, and a problem, if it is not there."""
        sought = steps[0] if steps else name
        indexes = _indexes(node, sought)
        if not indexes:
            said = f"there is no `{sought}` " + ("here below" if steps else "to remove")
            hint = did_you_mean(sought, _names(node))
            self.found.append(Diagnostic("R032", said, where if steps else place, len(sought), hint))
            return node
        if isinstance(node.value, dict):
            values = dict(node.value)
            inner = values.pop(sought)
            if steps:
                values = {**node.value, sought: self._removed(inner, steps[1:], name, where, place)}
            return replace(node, value=values)
        assert isinstance(node.value, list)
        if not steps:
            return replace(node, value=[other for at, other in enumerate(node.value) if at not in indexes])
        changed = [
            self._removed(other, steps[1:], name, where, place) if at in indexes else other
            for at, other in enumerate(node.value)
        ]
        return replace(node, value=changed)


def _merges_by_name(below: _Node, above: _Node) -> bool:
    """Whether both lists hold things with names; a mixed list above is a mistake that is reported there."""
    assert isinstance(below.value, list)
    assert isinstance(above.value, list)
    return any(_name_of(node) for node in below.value) and any(_name_of(node) for node in above.value)


def _name_of(node: _Node) -> str | None:
    """The name of a thing in a list: its `name` or, without one, its `event`."""
    named = _text(node, "name") or _text(node, "event")
    return str(named.value) if named else None


def _text(node: _Node, key: str) -> _Node | None:
    """The text under a key of a node, or None."""
    inner = node.value.get(key) if isinstance(node.value, dict) else None
    return inner if inner and isinstance(inner.value, str) else None


def _names(node: _Node) -> list[str]:
    """What can be named in a node: keys, named things, plain texts."""
    if isinstance(node.value, dict):
        return list(node.value)
    if isinstance(node.value, list):
        named = [_name_of(inner) or inner.value for inner in node.value]
        return [name for name in named if isinstance(name, str)]
    return []


def _indexes(node: _Node, name: str) -> list[int]:
    """Where the named thing stands in a node; more than once where several transitions share an event."""
    if isinstance(node.value, list):
        return [at for at, inner in enumerate(node.value) if name in (_name_of(inner), inner.value)]
    return [at for at, key in enumerate(_names(node)) if key == name]


def _without(document: Document, *words: str) -> Document:
    body = {key: value for key, value in document.body.items() if key not in words}
    places = {path: place for path, place in document.places.items() if not (path and path[0] in words)}
    key_places = {path: place for path, place in document.key_places.items() if path[0] not in words}
    return replace(document, body=body, places=places, key_places=key_places)


def _lift(body: Body, document: Document, path: Route) -> _Node:
    place, key = document.places[path], document.key_places.get(path)
    if isinstance(body, dict):
        return _Node({name: _lift(inner, document, (*path, name)) for name, inner in body.items()}, place, key)
    if isinstance(body, list):
        return _Node([_lift(inner, document, (*path, at)) for at, inner in enumerate(body)], place, key)
    return _Node(body, place, key)


def _lowered(node: _Node, document: Document) -> Document:
    """The document with the body and places of the node."""
    places: dict[Route, Place] = {}
    key_places: dict[Route, Place] = {}
    body = _lower(node, (), places, key_places)
    assert isinstance(body, dict)
    del body[document.kind]
    return replace(document, body=body, places=places, key_places=key_places)


def _lower(node: _Node, path: Route, places: dict[Route, Place], key_places: dict[Route, Place]) -> Body:
    places[path] = node.place
    if node.key:
        key_places[path] = node.key
    if isinstance(node.value, dict):
        return {name: _lower(inner, (*path, name), places, key_places) for name, inner in node.value.items()}
    if isinstance(node.value, list):
        return [_lower(inner, (*path, at), places, key_places) for at, inner in enumerate(node.value)]
    return node.value


# Packs as data


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


def _document_data(document: Document, numbers: Mapping[str, int]) -> dict[str, Any]:
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


def _document_from(data: Mapping[str, Any], files: list[str]) -> Document:
    whole = {data["kind"]: data["name"], **data["body"]}
    places, key_places = (_Places(data["places"], whole, files, of_keys) for of_keys in (False, True))
    written = tuple((file, pack) for file, pack in data["written_in"])
    return Document(data["kind"], data["name"], data["body"], places, key_places, data["pack"], written)
