"""Checks that every `source` leads somewhere: to a section of a text, or by the id of an example to a test of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from .catalog import library
from .check_findings import Findings, mark
from .definitions import Element
from .source import Route, did_you_mean

_SECTION = re.compile(r"(?P<file>[^#\s]+\.md)#(?P<section>\S*)")
_NEXT = re.compile(r",\s*|\s+and\s+")
_LIKE_AN_EXAMPLE = re.compile(r"[A-Za-z]\d+\w*")
_EXAMPLE = re.compile(r"[A-Z]\d\d[a-z]?")
_HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$", re.MULTILINE)
_NOT_IN_A_SLUG = re.compile(r"[^\w\- ]")


def check_sources(f: Findings, folder: Path | None) -> None:
    """Look the sections up in files that are named from the pack's folder or, for packs that come with us, from ours.

    Without a folder nothing is said of the sources of other packs.
    """
    ours = library()
    places = (folder, ours.root) if folder else (ours.root,)
    tested = {p for test in f.pack.all("test") for _, text in _sources(test.body) for p in _NEXT.split(text)}
    for document in f.pack.documents:
        if folder is None and document.pack not in ours.folders:
            continue
        source: Any = document
        for path, text in _sources(document.body):
            for part in _NEXT.split(text):
                _check(f, Element(source, path, text), part, places)
                if document.kind != "test" and _EXAMPLE.fullmatch(part) and part not in tested:
                    said = f"no test shows the example `{part}`"
                    f.say("R506", said, mark(Element(source, path, text)), "a test says so by its own `source`")


def _sources(body: Any) -> Iterator[tuple[Route, str]]:
    """Every `source` of a document with its path."""
    waiting: list[tuple[Route, Any]] = [((), body)]
    while waiting:
        path, value = waiting.pop()
        if path and path[-1] == "source" and isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            waiting += [
                ((*path, key), inner) for key, inner in value.items() if key == "source" or not isinstance(inner, str)
            ]
        elif isinstance(value, list):
            waiting += [((*path, index), inner) for index, inner in enumerate(value) if not isinstance(inner, str)]


def _check(f: Findings, e: Element, part: str, places: tuple[Path, ...]) -> None:
    """One of the sources that a text names."""
    if found := _SECTION.fullmatch(part):
        _check_section(f, e, found["file"], found["section"], _sections(places, found["file"]))
    elif re.fullmatch(r"\S+\.md", part):
        f.say("R506", f"`{part}` is a whole text", mark(e), f"name the section: `{part}#section`")
    elif _LIKE_AN_EXAMPLE.fullmatch(part) and not _EXAMPLE.fullmatch(part):
        f.say("R506", f"`{part}` is not the id of an example", mark(e), "a capital and two digits: D07, D54a")


def _check_section(f: Findings, e: Element, file: str, section: str, sections: frozenset[str] | None) -> None:
    if sections is None:
        f.say("R506", f"there is no file `{file}`", mark(e))
    elif section not in sections:
        hint = did_you_mean(section, sections)
        f.say("R506", f"`{file}` has no section `{section}`", mark(e), hint)


@lru_cache(maxsize=64)
def _sections(folders: tuple[Path, ...], file: str) -> frozenset[str] | None:
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    return None if path is None else frozenset(slugs(path.read_text(encoding="utf-8")))


def slugs(text: str) -> list[str]:
    """The names under which the headings of a Markdown text are linked; a repeated one is numbered."""
    found: list[str] = []
    counts: dict[str, int] = {}
    for heading in _HEADING.findall(text):
        slug = _NOT_IN_A_SLUG.sub("", heading.lower()).replace(" ", "-")
        found.append(f"{slug}-{counts[slug]}" if slug in counts else slug)
        counts[slug] = counts.get(slug, 0) + 1
    return found
