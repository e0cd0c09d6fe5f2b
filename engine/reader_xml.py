"""Reads the rows of xml as it comes, piece by piece: the elements at a path, or the events of an event log (xes)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from .reader_files import MOST_CHARACTERS, MOST_DEPTH, File, RawRow, decoder
from .source import printable

_DOCTYPE = "a DOCTYPE is not read (it can name other files and grow without bound); remove it"
_SINGLE = ("string", "date", "int", "float", "boolean", "id")  # kinds of attributes of an event log
_SEVERAL = ("list", "container")


def xml_rows(file: File) -> Iterator[RawRow]:
    """The elements at the path of the rows, with what is in them."""
    parser = _parser(file)
    walk = _Xml(file, parser, _xml_path(file.rows_path))
    yield from _walked(file, parser, walk.found)
    walk.must_have_come_by()


def xes_rows(file: File) -> Iterator[RawRow]:
    """The events of an event log in the order of the file; what is said of the whole case begins with `case:`."""
    parser = _parser(file)
    return _walked(file, parser, _Xes(file, parser).found)


def _parser(file: File) -> expat.XMLParserType:
    if file.encoding:
        decoder(file)
    parser = expat.ParserCreate(file.encoding or None)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = lambda *_: file.refuse(parser.CurrentLineNumber, _DOCTYPE)
    return parser


def _walked(file: File, parser: expat.XMLParserType, found: list[RawRow]) -> Iterator[RawRow]:
    """What the handlers of a parser find, piece by piece."""
    fed = 0
    for piece in file.pieces():
        try:
            parser.Parse(piece, not piece)
        except expat.ExpatError as error:
            file.refuse(error.lineno, f"this is not xml: {expat.ErrorString(error.code)}")
        except (LookupError, ValueError) as error:
            file.refuse(parser.CurrentLineNumber, f"its encoding cannot be read in xml: {error}; save it as utf-8")
        fed += len(piece)
        if fed - parser.CurrentByteIndex > MOST_CHARACTERS:
            file.refuse(parser.CurrentLineNumber, f"one tag is longer than {MOST_CHARACTERS:,} bytes")
        yield from found
        found.clear()


def _xml_path(rows_path: str) -> tuple[str, ...]:
    """The elements from the outermost one to the row; separated by `/`, or by points where there is no `/`."""
    path = rows_path.strip("/")
    return tuple(path.split("/" if "/" in rows_path else ".")) if path else ()


@dataclass
class _Open:
    """An element of a row that has begun: its dotted name, its text so far, and how often each child came."""

    name: str
    texts: list[str] = field(default_factory=list)
    children: dict[str, int] = field(default_factory=dict)

    def child(self, name: str) -> str:
        number = self.children[name] = self.children.get(name, 0) + 1
        label = name if number == 1 else f"{name}[{number}]"
        return f"{self.name}.{label}" if self.name else label


class _Xml:
    def __init__(self, file: File, parser: expat.XMLParserType, path: tuple[str, ...]) -> None:
        self.file, self.parser, self.path = file, parser, path
        self.found: list[RawRow] = []
        self.outside: list[str] = []
        self.inside: list[_Open] = []
        self.values: dict[str, str | None] = {}
        self.line = 1
        self.met: dict[str, None] = {}
        self.is_met = False
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.outside) + len(self.inside) >= MOST_DEPTH:
            self.refuse(f"elements are nested more than {MOST_DEPTH} deep")
        if self.inside:
            self.open(self.inside[-1].child(name), attributes)
        elif self.is_row(name):
            self.is_met = True
            self.values, self.line = {}, self.parser.CurrentLineNumber
            self.open("", attributes)
        else:
            self.outside.append(name)
            self.meet()

    def is_row(self, name: str) -> bool:
        return (*self.outside, name) == self.path if self.path else len(self.outside) == 1

    def meet(self) -> None:
        """Remember what there is, for the message when the path leads nowhere; no row at all is not nowhere."""
        self.is_met = self.is_met or tuple(self.outside) == self.path[:-1]
        if len(self.met) < 20:
            self.met["/".join(self.outside)] = None

    def open(self, name: str, attributes: dict[str, str]) -> None:
        self.inside.append(_Open(name))
        if name:
            self.values[name] = None
        before = f"{name}." if name else ""
        self.values.update({f"{before}@{attribute}": text for attribute, text in attributes.items()})

    def text(self, text: str) -> None:
        if self.inside:
            self.inside[-1].texts.append(text)

    def end(self, name: str) -> None:
        if not self.inside:
            self.outside.pop()
            return
        closed = self.inside.pop()
        text = "".join(closed.texts)
        own = closed.name or "."
        if text.strip() or (closed.name and not closed.children):
            self.values[own] = text or None
        else:
            self.values.pop(own, None)
        if not self.inside:
            columns = {column: position for position, column in enumerate(self.values, 1)}
            self.found.append(RawRow(self.line, self.values, columns))

    def must_have_come_by(self) -> None:
        if self.path and not self.is_met:
            there = printable(", ".join(self.met), 300)
            said = f"the elements of `rows`, `{self.file.rows_path}`, are not in this file; there are {there}"
            self.file.refuse(1, said)

    def refuse(self, said: str) -> NoReturn:
        self.file.refuse(self.parser.CurrentLineNumber, said)


# event logs


class _Xes:
    """Walks an event log. What it says of itself, and what hangs below an attribute, is no row and passed over."""

    TRACE, EVENT = 2, 3  # how deep they lie; their attributes lie one deeper

    def __init__(self, file: File, parser: expat.XMLParserType) -> None:
        self.file, self.parser = file, parser
        self.found: list[RawRow] = []
        self.depth = 0
        self.within = 0  # how deep the trace or event lies whose attributes are read; none is open at 0
        self.case: dict[str, str | None] = {}
        self.events: list[tuple[int, dict[str, str | None]]] = []
        self.open: dict[str, str | None] = {}
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth = depth = self.depth + 1
        if self.within and depth > self.within:
            if depth == self.within + 1:
                self.below(name, attributes)
            elif depth > MOST_DEPTH:
                self.refuse(f"elements are nested more than {MOST_DEPTH} deep")
            return
        kind = _local(name)
        if depth == 1 and kind != "log":
            self.refuse(f"this is no event log: it begins with `{printable(name)}`, not with `log`")
        if kind == "event":
            self.refuse("this event belongs to no trace, so nothing says which case it is of")
        if kind == "trace" and depth == self.TRACE:
            self.within, self.case, self.events = depth, {}, []
            self.open = self.case

    def below(self, name: str, attributes: dict[str, str]) -> None:
        """What lies in a trace or event: an attribute, or an event."""
        kind = name if name in _SINGLE else _local(name)
        if kind in _SINGLE and "key" in attributes and "value" in attributes:
            key = attributes["key"]
            if key in self.open:
                self.refuse(f"the attribute `{printable(key)}` stands twice")
            self.open[key] = attributes["value"]
        elif kind == "event" and self.within == self.TRACE:
            self.within, self.open = self.EVENT, {}
            self.events.append((self.parser.CurrentLineNumber, self.open))
        elif kind not in _SEVERAL:
            self.refuse(f"`{printable(kind)}` is no attribute with a key and a value; kinds are {', '.join(_SINGLE)}")

    def end(self, name: str) -> None:
        depth = self.depth
        self.depth = depth - 1
        if depth == self.within:
            if depth == self.EVENT:
                self.within, self.open = self.TRACE, self.case
            else:
                self.end_of_trace()

    def end_of_trace(self) -> None:
        """Only now is all known of the case: its attributes may stand behind its events."""
        case = {f"case:{key}": value for key, value in self.case.items()}
        columns: dict[str, int] = {}
        for line, values in self.events:
            row = {**case, **values}
            if row.keys() != columns.keys():
                columns = {column: position for position, column in enumerate(row, 1)}
            self.found.append(RawRow(line, row, columns))
        self.within = 0

    def refuse(self, said: str) -> NoReturn:
        self.file.refuse(self.parser.CurrentLineNumber, said)


def _local(name: str) -> str:
    """The name of an element without the prefix of its namespace."""
    return name.rpartition(":")[2]
