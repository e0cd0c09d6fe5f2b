"""Reads YAML strictly: every scalar stays its text, every value and key keeps its place, what is unclear is refused.

Nothing is typed here (the schemas do that) and no file is opened (the catalog does that).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import Diagnostic, Place
from .source import Body, Route, clipped

MOST_BYTES = 1_000_000
MOST_DEPTH = 30
MOST_NODES = 20_000
MOST_OPEN_BRACKETS = 200

# libyaml where it is there: its event stream is safe, it is its composer that recurses.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Control characters, characters that turn the direction of writing or cannot be seen, and halves of characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_DOCUMENT_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_BRACKET = re.compile(r"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class Tree:
    """One document of a text: its body, and the place of every value and of every key by its path.

    The place of a text is its first character, behind an opening quote; that of the whole document has the path ().
    """

    body: Body
    places: Mapping[Route, Place]
    key_places: Mapping[Route, Place]


def decode(data: bytes, file: str) -> tuple[str, list[Diagnostic]]:
    """Read bytes as UTF-8 with line feeds; where they are not, a diagnostic and a text that can still be shown."""
    try:
        return data.decode("utf-8").replace("\r\n", "\n"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        place = _place_at(before, len(before), file)
        said = f"the byte 0x{data[error.start]:02x} is not UTF-8"
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        return text, [Diagnostic("R003", said, place, hint="save the file as UTF-8")]


def read(text: str, file: str) -> tuple[list[Tree], list[Diagnostic]]:
    """Read the documents of a text; `file` is the name shown in places. Nothing is raised.

    A document with a syntax error is left out and the others are read; one that breaks another rule (R002 to R009) is
    both reported and given, without what was refused. Texts that are too large, too deep or hold characters that are
    refused are not parsed.
    """
    text = text.replace("\r\n", "\n")
    found = _too_large(text, file) or _refused_characters(text, file) or _too_many_brackets(text, file)
    if found:
        return [], found
    trees: list[Tree] = []
    nodes = 0
    for first_line, part in _parts(text):
        builder = _Builder(file, part, first_line, nodes)
        trees += builder.trees()
        found += builder.found
        nodes = builder.nodes
        if nodes > MOST_NODES:
            break
    return trees, found


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """Cut at `---` lines (which YAML forbids inside any value), so that an error spoils its own document only."""
    starts = [0, *(match.start() for match in _DOCUMENT_MARKER.finditer(text) if match.start())]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text.count("\n", 0, start), text[start:end]


def _too_large(text: str, file: str) -> list[Diagnostic]:
    if len(text) <= MOST_BYTES and len(text.encode("utf-8", "replace")) <= MOST_BYTES:
        return []
    return [Diagnostic("R002", f"the file is larger than {MOST_BYTES:,} bytes", Place(file, 1, 1))]


def _refused_characters(text: str, file: str) -> list[Diagnostic]:
    """At most twenty of them: a binary file would give thousands."""
    found = []
    for match in re.finditer(_UNPRINTABLE.pattern + "|\t", text):
        place = _place_at(text, match.start(), file)
        found.append(_refused_character(match[0], place))
        if len(found) == 20:
            break
    return found


def _refused_character(character: str, place: Place) -> Diagnostic:
    if character == "\t":
        return Diagnostic("R004", "a tab stands here", place, hint="use spaces")
    if character == "\ufeff":
        return Diagnostic("R003", "a byte order mark stands here", place, hint="save the file as UTF-8 without it")
    said = f"the character U+{ord(character):04X} cannot be seen and is not allowed"
    return Diagnostic("R003", said, place, hint="remove it")


def _too_many_brackets(text: str, file: str) -> list[Diagnostic]:
    """Refuse what is nested beyond reason before the parser sees it.

    Brackets are counted inside quotes and comments as well, hence the generous limit; the builder holds the exact one.
    """
    depth = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match[0] in "[{" else max(0, depth - 1)
        if depth > MOST_OPEN_BRACKETS:
            return [_too_deep(_place_at(text, match.start(), file))]
    return []


def _too_deep(place: Place) -> Diagnostic:
    return Diagnostic("R002", f"nested deeper than {MOST_DEPTH} levels", place)


def _place_at(text: str, index: int, file: str) -> Place:
    return Place(file, text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


class _TooMuch(Exception):
    """The text goes beyond a limit; what was read of it is dropped."""


@dataclass(slots=True)
class _Builder:
    """Builds the trees of one part of a text from its events."""

    file: str
    text: str
    first_line: int
    nodes: int
    found: list[Diagnostic] = field(default_factory=list)
    events: Iterator[Any] = field(init=False)
    places: dict[Route, Place] = field(init=False)
    key_places: dict[Route, Place] = field(init=False)

    def trees(self) -> list[Tree]:
        trees: list[Tree] = []
        try:
            self.events = iter(_LOADER(self.text).get_event, None)
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    trees.append(self._tree(event))
        except yaml.YAMLError as error:
            self.found.append(self._syntax(error))
        except _TooMuch:
            pass
        else:
            return trees
        return []

    def _tree(self, event: Any) -> Tree:
        if event.version or event.tags:
            self.found.append(self._directive(Place(self.file, event.start_mark.line + 1, 1)))
        self.places, self.key_places = {}, {}
        body = self._value(next(self.events), ())
        return Tree(body, self.places, self.key_places)

    def _value(self, event: Any, path: Route) -> Body:
        kind = type(event)
        place = self._content_place(event) if kind is yaml.ScalarEvent else self._place(event)
        self._admit(event, place, path)
        self.places[path] = place
        if kind is yaml.ScalarEvent:
            return self._scalar(event, place)
        if kind is yaml.MappingStartEvent:
            return self._mapping(path)
        if kind is yaml.SequenceStartEvent:
            return self._sequence(path)
        return None

    def _admit(self, event: Any, place: Place, path: Route) -> None:
        """Count the node, hold the limits, and refuse what makes a value other than it reads."""
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.report("R002", f"more than {MOST_NODES:,} values and keys", place)
            raise _TooMuch
        if len(path) > MOST_DEPTH:
            self.found.append(_too_deep(place))
            raise _TooMuch
        if event.anchor is not None:
            self._refuse_anchor(event)
        if getattr(event, "tag", None) is not None:
            tag = clipped(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self.report("R007", f"the tag `{tag}` is not allowed", self._place(event), len(tag), "remove it")

    def _refuse_anchor(self, event: Any) -> None:
        is_alias, name = isinstance(event, yaml.AliasEvent), clipped(event.anchor)
        said = f"the alias `*{name}`" if is_alias else f"the anchor `&{name}`"
        hint = "write the value out, or quote it if it is a text"
        self.report("R006", f"{said} is not allowed", self._place(event), len(name) + 1, hint)

    def _scalar(self, event: Any, place: Place) -> str | None:
        text: str = event.value
        if event.style in ("'", '"'):
            if match := _UNPRINTABLE.search(text):
                self.found.append(_refused_character(match[0], place))
            return text
        return None if event.implicit[0] and text in ("", "~", "null") else text

    def _sequence(self, path: Route) -> Body:
        values: list[Body] = []
        for event in self.events:
            if type(event) is yaml.SequenceEndEvent:
                break
            values.append(self._value(event, (*path, len(values))))
        return values

    def _mapping(self, path: Route) -> Body:
        values: dict[str, Body] = {}
        for event in self.events:
            if type(event) is yaml.MappingEndEvent:
                break
            key = self._key(event, path, values)
            if key is None:
                self._skip(next(self.events))
            else:
                values[key] = self._value(next(self.events), (*path, key))
        return values

    def _key(self, event: Any, path: Route, values: Mapping[str, Body]) -> str | None:
        """The key, or None where it is refused; then its value is to be skipped."""
        if type(event) is not yaml.ScalarEvent:
            self.report("R005", "a key must be a plain text", self._place(event))
            self._skip(event)
            return None
        place = self._content_place(event)
        self._admit(event, place, path)
        key = self._scalar(event, place)
        if key is None or (key == "<<" and event.implicit[0]):
            said = "a key must not be empty" if key is None else "the merge key `<<` is not allowed"
            self.report("R005" if key is None else "R006", said, place, 1 if key is None else 2)
            return None
        route = (*path, key)
        if key in values:
            first = self.key_places[route].line
            self.report("R008", f"the key `{clipped(key)}` stands twice; the first is in line {first}", place, len(key))
            return None
        self.key_places[route] = place
        return key

    def _skip(self, event: Any) -> None:
        """Pass over a value, however deep."""
        depth = 0
        while True:
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth == 0:
                return
            event = next(self.events)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, self.first_line + mark.line + 1, mark.column + 1)

    def _content_place(self, event: Any) -> Place:
        mark = event.start_mark
        if event.style in ("|", ">"):
            return self._block_place(mark.line) or self._place(event)
        quoted = event.style in ("'", '"')
        return Place(self.file, self.first_line + mark.line + 1, mark.column + (2 if quoted else 1))

    def _block_place(self, line: int) -> Place | None:
        """The first character of a text that begins on a line below its `|` or `>`."""
        lines = self.text.split("\n")
        for number in range(line + 1, len(lines)):
            if stripped := lines[number].lstrip(" "):
                return Place(self.file, self.first_line + number + 1, len(lines[number]) - len(stripped) + 1)
        return None

    def _syntax(self, error: yaml.YAMLError) -> Diagnostic:
        problem = getattr(error, "problem", None) or str(error)
        context = getattr(error, "context", None) or ""
        if "<document start>" in problem and (directive := re.search("^%", self.text, re.MULTILINE)):
            return self._directive(_place_at(self.text, directive.start(), self.file))
        said, hint = next(((said, hint) for sign, said, hint in _SYNTAX if re.search(sign, problem)), (problem, ""))
        problem_mark, opening = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
        if opening and re.search("flow (sequence|mapping)", context):
            hint += f"; the bracket opens in line {self.first_line + opening.line + 1}"
        if opening and ("quoted" in context or self._is_end(problem_mark)):
            problem_mark = opening
        return Diagnostic("R001", said, self._mark_place(problem_mark), hint=hint)

    def _directive(self, place: Place) -> Diagnostic:
        place = Place(place.file, self.first_line + place.line, place.column)
        return Diagnostic("R009", "a line that begins with `%` is not allowed", place, hint="remove it")

    def _is_end(self, mark: Any) -> bool:
        """Nothing but blank lines follow: the mistake is where the thing begins that never ends."""
        return not mark or not "".join(self.text.split("\n")[mark.line :])[mark.column :].strip()

    def _mark_place(self, mark: Any) -> Place:
        """The place of a mark, at the latest behind the last thing written."""
        if mark and not self._is_end(mark):
            return Place(self.file, self.first_line + mark.line + 1, mark.column + 1)
        written = self.text.rstrip()
        end = _place_at(written, len(written), self.file)
        return Place(self.file, self.first_line + end.line, end.column)

    def report(self, code: str, said: str, place: Place, length: int = 1, hint: str = "") -> None:
        self.found.append(Diagnostic(code, said, place, length, hint))


# What the parser's own words mean to somebody who writes rules: (its words, ours, what would be accepted).
_SYNTAX = (
    (
        "mapping values are not allowed",
        "a `:` is not expected here",
        "quote a text that holds `: `, or line the keys up",
    ),
    ("unexpected end of stream", "the quote is not closed", "close it"),
    ("unexpected document separator", "the quote is not closed", "close it"),
    ("cannot start any token", "a text cannot begin with this character", "quote it"),
    ("unknown escape character", "a `\\` in double quotes begins an escape that does not exist", "use single quotes"),
    ("expected ',' or '\\]'", "a `,` or `]` is missing", "separate with `,` and close with `]`"),
    ("expected ',' or '}'", "a `,` or `}` is missing", "separate with `,` and close with `}`"),
    ("sequence entries are not allowed", "a list cannot begin here", "begin it on its own line"),
    ("expected '-' indicator", "a list goes on here with something that has no `-`", "line up the `-`"),
    ("expected '?<document start>", "something is left over here", "remove it, or begin a document with `---`"),
    ("expected (key|<block end>)", "a key is expected here", "line it up with the keys above"),
    ("could not find expected ':'", "a `:` is missing after the key", "write `key: value`"),
    ("node content", "a value is expected here", "quote it if it is a text"),
)
