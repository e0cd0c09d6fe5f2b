"""Loads packs: finds their files, reads them, and lays each pack over the one that it extends.

What the documents say is not looked at here, but for what says how packs are laid over each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import Diagnostic, InvalidPack, in_order
from .pack_data import Pack, lines_of
from .pack_files import BOTTOM, Layer, Library, Shelf, library
from .pack_layers import Laid
from .source import Document, Route

__all__ = ["BOTTOM", "Document", "Library", "Pack", "library", "load", "origin", "read_pack", "text_hash"]


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
    return pack, in_order(shelf.found), lines_of(shelf.files)


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
