"""Applies the JSON Schema of its kind to a document, and says what is wrong in the words of the rules, with places.

The meaning of what is written (does that field exist?) is not looked at here.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from pathlib import Path

from .errors import Diagnostic, Place, in_order
from .schema_errors import Error, is_misspelt, meant, suggested_words
from .schema_fits import fits
from .schema_messages import diagnostics
from .schema_validators import checker_of
from .source import Document

MOST_LINES = 150


def problems(document: Document, folder: Path | None = None) -> list[Diagnostic]:
    """What the schema of its kind has against a document, in order; `folder` holds the schemas.

    The document is seen as it is written, with its kind's key. Raises FileNotFoundError where a kind has no schema.
    """
    folder = folder or _folder()
    if fits(folder, document.kind)(document.whole):
        return []
    checker = checker_of(folder, document.kind)
    told = meant([Error(error, ()) for error in checker.errors(document.whole)], checker)
    suggested = suggested_words(told, checker)
    kept = [error for error in told if not is_misspelt(error, suggested)]
    return in_order(_once(found for error in kept for found in diagnostics(error, document, checker)))


def too_long(lines: Mapping[str, list[str]]) -> list[Diagnostic]:
    """A problem for every file of more lines than a reader wants at once; `lines` are those of each file by name."""
    found = []
    for file, texts in sorted(lines.items()):
        count = len(texts) - (texts[-1] == "") if texts else 0
        if count > MOST_LINES:
            said = f"the file has {count} lines; the most is {MOST_LINES}"
            hint = "divide it by what it is about"
            found.append(Diagnostic("R190", said, Place(file, MOST_LINES + 1, 1), hint=hint))
    return found


def _folder() -> Path:
    return Path(str(importlib.resources.files(f"{__package__.rpartition('.')[0]}.schemas")))


def _once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """One diagnostic for each mistake: the schema may say the same in several places, with better or worse hints."""
    best: dict[tuple[str, Place, str], Diagnostic] = {}
    for diagnostic in found:
        key = (diagnostic.code, diagnostic.place, diagnostic.message)
        if key not in best or (diagnostic.hint.startswith("did you") and not best[key].hint.startswith("did you")):
            best[key] = diagnostic
    return list(best.values())
