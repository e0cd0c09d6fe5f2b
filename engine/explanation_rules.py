"""The lines of rules, as they stood in the pack of their time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from . import catalog
from .errors import Place
from .explanation_data import Named, RuleText
from .explanation_past import Then
from .library import Library
from .source import Route


def at(place: Place) -> str:
    """file:line"""
    return f"{place.file}:{place.line}" if place.file else ""


def block(lines: Sequence[str], number: int) -> tuple[str, ...]:
    """The line of that number and what is written below it, deeper."""
    if not 0 < number <= len(lines):
        return ()
    first = lines[number - 1]
    kept = [first]
    for line in lines[number:]:
        if line.strip() and _indent(line) <= _indent(first):
            break
        kept.append(line)
    while not kept[-1].strip():
        kept.pop()
    return tuple(kept)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def rule_text(pack: catalog.Pack, document: catalog.Document, place: Place) -> RuleText:
    """The lines of what begins at a place."""
    lines = pack.files.get(place.file, "").split("\n")
    return RuleText(at(place), dict(document.written_in).get(place.file, document.pack), block(lines, place.line))


def rule_texts(pack: catalog.Pack, document: catalog.Document | None, path: Route) -> tuple[RuleText, ...]:
    """The lines of an element: where it was written first, then what packs above it changed."""
    if document is None or path not in document.places:
        return ()
    here = document.places[path]
    others: dict[str, Place] = {}
    for inner, place in document.places.items():
        if inner[: len(path)] == path and place.file != here.file:
            others[place.file] = min(place, others.get(place.file, place))
    return tuple(rule_text(pack, document, place) for place in (here, *others.values()))


def posting_row(
    pack: catalog.Pack, library: Library, row: str, account_key: str
) -> tuple[tuple[str, ...], tuple[RuleText, ...]]:
    """(the amounts that a posting row gives an account key, the row's lines)."""
    name, _, row_name = row.partition("/")
    posting = library.posting(name)
    for index, declared in enumerate(posting.rows if posting else ()):
        if declared.name == row_name:
            amounts = tuple(e.amount.text for e in declared.entries if e.key == account_key)
            return amounts, rule_texts(pack, pack.find("posting", name), ("rows", index))
    return (), ()


def named(then: Then) -> Iterator[Named]:
    """The names that a transition works out, its postings and its formulas with it."""
    for name, text in then.transition.lets.items():
        yield Named(name, text.text, at(text.place))
    for posting in then.postings:
        for name, text in posting.lets.items():
            yield Named(name, text.text, at(text.place), f"posting {posting.name}")
        for row in posting.rows:
            for name, text in row.lets.items():
                yield Named(name, text.text, at(text.place), f"posting {posting.name}, row {row.name}")
    for use in then.uses:
        formulas = then.library.formulas(use.decision)
        steps = [formulas.steps, *formulas.choices.values()] if formulas else []
        for name, text in (pair for choice in steps for pair in choice.items()):
            yield Named(name, text.text, at(text.place), f"formulas {use.decision}")
