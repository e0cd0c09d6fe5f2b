"""Loads packs: finds their files, reads them, and lays each pack over the one that it extends.

What the documents say is not looked at here, but for what says how packs are laid over each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .errors import Diagnostic, InvalidPack, in_order
from .pack_data import document_data, document_from
from .pack_files import BOTTOM, DocumentKey, Layer, Library, Shelf, library
from .pack_layers import Laid
from .source import Document, Route

__all__ = ["BOTTOM", "Document", "Library", "Pack", "library", "load", "origin", "read_pack", "text_hash"]


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
    def _by_key(self) -> dict[DocumentKey, Document]:
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
            "documents": [document_data(document, numbers) for document in self.documents],
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Pack:
        """The pack that `to_data` gave."""
        files = list(data["files"])
        documents = tuple(document_from(document, files) for document in data["documents"])
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
    shelf = Shelf(known or library())
    chain = shelf.chain(Path(directory))
    laid = Laid(shelf.found)
    for layer in chain:
        laid.lay(layer)
    pack = _pack(chain, laid.documents.values(), shelf.files) if chain and not shelf.is_broken else None
    return pack, in_order(shelf.found), _lines(shelf.files)


def origin(document: Document, path: Route) -> str:
    """The name of the pack that wrote the value at the path, or of what encloses it."""
    return dict(document.written_in)[document.place(path).file]


def text_hash(files: Mapping[str, str]) -> str:
    """Names and texts are written as JSON, so that nothing can slip from one into the other."""
    return hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()


def _pack(chain: list[Layer], documents: Iterable[Document], files: dict[str, str]) -> Pack:
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


def _lines(files: Mapping[str, str]) -> dict[str, list[str]]:
    return {file: text.split("\n") for file, text in files.items()}
