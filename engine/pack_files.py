"""Finds the files of a chain of packs and reads each once. Documents are looked into only for what leads to files."""

from __future__ import annotations

import importlib.resources
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from .errors import NOWHERE, Diagnostic, Place
from .source import Document, clipped, did_you_mean
from .strict_yaml import Tree, decode, read

KINDS = (
    "pack", "record", "master", "workflow", "decision", "parameters", "formulas", "measure", "limit", "share_out",
    "posting", "process", "statement", "mapping", "calendar", "test",
)  # fmt: skip
BOTTOM = "core"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
DocumentKey: TypeAlias = tuple[str, str]


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


# --- reading a chain -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """One pack of a chain, by itself."""

    head: Document
    documents: list[Document]

    @property
    def name(self) -> str:
        return self.head.name


@dataclass
class Shelf:
    """The files of a chain of packs, each read once, and every problem found in them."""

    known: Library
    found: list[Diagnostic] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    roots: dict[Path, Path] = field(default_factory=dict)
    shown_from: dict[Path, Path] = field(default_factory=dict)
    is_broken: bool = False

    def chain(self, top: Path) -> list[Layer]:
        """The packs from the bottom up; ends early, and marks the shelf as broken, where one cannot be found."""
        layers: list[Layer] = []
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

    def _cannot_go_on(self, folder: Path, asked_at: Place, seen: Mapping[Path, str], layer: Layer | None) -> None:
        self.is_broken = True
        if folder.resolve() in seen:
            name = seen[folder.resolve()]
            self._report("R023", f"pack `{name}` would extend itself", asked_at, hint="break the circle")
        elif layer:
            said = f"two packs of one chain are named `{layer.name}`"
            self._report("R023", said, layer.head.name_place, len(layer.name), "rename one")

    def _below(self, layer: Layer, folder: Path) -> tuple[Path | None, Place]:
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

    def _layer(self, folder: Path, asked_at: Place) -> Layer | None:
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
        return Layer(head, self._each_once([replace(document, pack=head.name) for document in first], head))

    def _each_once(self, documents: list[Document], head: Document) -> list[Document]:
        kept: dict[DocumentKey, Document] = {}
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
        if not trees and not found:
            hint = "say something in it, or take it away"
            self._report("R026", "there is nothing in this file", Place(shown, 1, 1), hint=hint)
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
        if folder not in self.shown_from:
            self.shown_from[folder] = self._root(folder.resolve())
        return Path(os.path.relpath(path.resolve(), self.shown_from[folder])).as_posix()

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
