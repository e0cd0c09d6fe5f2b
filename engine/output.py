"""Prints rows as a table, as tab-separated values, as csv, or as JSON. It knows nothing of what the rows say.

JSON is one object: `version` (1), what the command says of itself, one list of items, and what is known at the end.
Amounts are texts in it. The other forms have a header; nothing is cut in them.
"""

from __future__ import annotations

import csv
import json
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TextIO

from .frozen import frozen

VERSION = 1
FORMS = ("table", "tsv", "csv", "json")
FILES = ("xlsx", "svg")  # what reports are besides, written elsewhere
AT_ONCE = 500  # rows from which the widths of a table are taken; later rows may be wider
NARROWEST = 12
GAP = "  "
BESIDE, ABOVE, BENEATH = "beside", "above", "beneath"

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}


@frozen
class Column:
    """A column: its name stands in the header; numbers stand to the right.

    In a table it may have the whole width, above or beneath the others of its row.
    """

    name: str
    right: bool = False
    at: str = BESIDE


class Item(Protocol):
    """One thing to be shown: as rows of texts, or as data for JSON."""

    def rows(self) -> Iterable[Sequence[str]]: ...

    def data(self) -> Mapping[str, Any]: ...


class Sheet:
    """Prints items as they come; `width` is that of the terminal, None where nothing is wrapped.

    A table that is `spare` leaves out the columns that say nothing.
    """

    def __init__(
        self, form: str, columns: Sequence[Column], out: TextIO, width: int | None = None,
        called: str = "items", spare: bool = False, **head: Any,
    ) -> None:  # fmt: skip
        self.form, self.columns, self.out = form, columns, out
        self._lines = _Table(columns, out, width, spare)
        self._csv = csv.writer(out, lineterminator="\n")
        self._count = 0
        if form == "json":
            begun = json.dumps({"version": VERSION, **head}, ensure_ascii=False)
            out.write(f"{begun[:-1]}, {json.dumps(called)}: [")
        elif form != "table":
            self._write([c.name for c in columns])

    def add(self, item: Item) -> None:
        """Print one item."""
        if self.form == "json":
            self.out.write(("," if self._count else "") + "\n" + json.dumps(item.data(), ensure_ascii=False))
        else:
            for row in item.rows():
                self._write(row)
        self._count += 1

    def end(self, **tail: Any) -> None:
        """Print what is left; in JSON also what is known only now."""
        if self.form == "json":
            ended = json.dumps(tail, ensure_ascii=False)[1:]
            self.out.write(("\n]" if self._count else "]") + (", " if tail else "") + ended + "\n")
        self._lines.end()
        self.out.flush()

    def _write(self, row: Sequence[str]) -> None:
        if self.form == "table":
            self._lines.add(row)
        elif self.form == "csv":
            self._csv.writerow(row)
        else:
            self.out.write("\t".join(map(escaped, row)) + "\n")


def escaped(text: str) -> str:
    """A text as it stands in tab-separated values: what would break a line or a column is written with a `\\`."""
    return "".join(_ESCAPES.get(c, c) for c in text) if any(c in text for c in _ESCAPES) else text


def unescaped(text: str) -> str:
    """The text that `escaped` was given."""
    if "\\" not in text:
        return text
    found, letters = "", iter(text)
    for c in letters:
        after = next(letters, "") if c == "\\" else ""
        found += (_UNESCAPES.get(after) or c + after) if c == "\\" else c
    return found


class _Table:
    """Rows lined up; widths are those of the first rows, and what does not fit the terminal is wrapped, never cut.

    A name above figures takes several lines before a text does. Where all that is not enough, the last columns of each
    row stand beneath it.
    """

    def __init__(self, columns: Sequence[Column], out: TextIO, width: int | None, spare: bool = False) -> None:
        self.columns, self.out, self.width, self.spare = columns, out, width, spare
        self.held: list[list[str]] = []
        self.beside: list[int] = []  # the columns that stand beside each other, by index, and their widths
        self.widths: list[int] = []

    def add(self, row: Sequence[str]) -> None:
        self.held.append([visible(cell) for cell in row])
        if self.widths or len(self.held) >= AT_ONCE:
            self.flush()

    def end(self) -> None:
        if self.held and self.spare and not self.widths:
            self.leave_out_empty()
        if self.held:
            self.flush()

    def leave_out_empty(self) -> None:
        """Only when all rows are known."""
        said = [i for i in range(len(self.columns)) if i == 0 or any(row[i] for row in self.held)]
        self.columns = [self.columns[i] for i in said]
        self.held = [[row[i] for i in said] for row in self.held]

    def flush(self) -> None:
        if not self.widths:
            self.lay_out()
            if any(c.name for c in self.columns):
                self.header()
                self.line(["-" * w for w in self.widths])
        for row in self.held:
            self.row(row)
        self.held.clear()

    def lay_out(self) -> None:
        self.beside = [i for i, c in enumerate(self.columns) if c.at == BESIDE]
        self.widths = self.fitting()
        while self.excess(self.widths) > 0 and len(self.beside) > 1:
            self.beside.pop()
            self.widths = self.fitting()

    def excess(self, widths: Sequence[int]) -> int:
        """How much wider than the terminal such columns are."""
        return sum(widths) + len(GAP) * (len(widths) - 1) - self.width if self.width else 0

    def fitting(self) -> list[int]:
        """The width of each column; where they are too many, names above figures give way, then the widest texts."""
        cells = [[self.columns[i].name, *(row[i] for row in self.held)] for i in self.beside]
        widths = [max(map(_width_of_lines, each)) for each in cells]
        rights = [self.columns[i].right for i in self.beside]
        least = [_least_of_figures(*c) if right else w for w, right, c in zip(widths, rights, cells, strict=True)]
        self.narrow(widths, least)
        least = [w if right else _least(c) for w, right, c in zip(widths, rights, cells, strict=True)]
        self.narrow(widths, least)
        return widths

    def narrow(self, widths: list[int], least: Sequence[int]) -> None:
        """Take from the widest, as far as it may become narrower, until all fit."""
        over = self.excess(widths)
        while over > 0:
            widest = max(range(len(widths)), key=lambda i: widths[i] if widths[i] > least[i] else 0)
            if widths[widest] <= least[widest]:
                break
            taken = min(over, max(1, widths[widest] // 8), widths[widest] - least[widest])
            widths[widest] -= taken
            over -= taken

    def header(self) -> None:
        """The names of the columns, each ending in the last line."""
        names = [_words_in(self.columns[i].name, w) for i, w in zip(self.beside, self.widths, strict=True)]
        height = max(map(len, names))
        for line in zip(*([""] * (height - len(name)) + name for name in names), strict=True):
            self.out.write(GAP.join(self.placed(text, number) for number, text in enumerate(line)).rstrip() + "\n")

    def row(self, row: Sequence[str]) -> None:
        for index, column in enumerate(self.columns):
            if column.at == ABOVE and row[index]:
                self.out.writelines(f"{line}\n" for line in self.over_width("", row[index]))
        self.line([row[i] for i in self.beside])
        beneath = [(c, row[i]) for i, c in enumerate(self.columns) if c.at != ABOVE and i not in self.beside and row[i]]
        for text in self.together(beneath):
            self.out.writelines(f"{line}\n" for line in self.over_width("    ", text))

    def together(self, beneath: Sequence[tuple[Column, str]]) -> Iterator[str]:
        """What stands beneath a row, each by its name; as many as find room in one line."""
        begun = ""
        for column, text in beneath:
            said, alone = f"{column.name}: {text}", column.at == BENEATH or "\n" in text
            if begun and (alone or not self.width or 4 + width_of(begun + GAP + said) > self.width):
                yield begun
                begun = ""
            begun = begun + GAP + said if begun else said
            if alone:
                yield begun
                begun = ""
        if begun:
            yield begun

    def line(self, texts: Sequence[str]) -> None:
        cells = [self.wrapped(text, number) for number, text in enumerate(texts)]
        for at in range(max(map(len, cells))):
            parts = [self.placed(cell[at] if at < len(cell) else "", number) for number, cell in enumerate(cells)]
            self.out.write(GAP.join(parts).rstrip() + "\n")

    def wrapped(self, text: str, number: int) -> list[str]:
        if self.width is None or self.columns[self.beside[number]].right:
            return text.split("\n")
        return [part for line in text.split("\n") for part in _parts(line, self.widths[number])]

    def over_width(self, begin: str, text: str) -> Iterator[str]:
        """A text over the whole width; what it begins with is said once."""
        for line in text.split("\n"):
            yield from _parts(begin + line, self.width) if self.width else [begin + line]
            begin = " " * 6 if begin else ""

    def placed(self, text: str, number: int) -> str:
        blank = " " * (self.widths[number] - width_of(text))
        return blank + text if self.columns[self.beside[number]].right else text + blank


def _words_in(text: str, width: int) -> list[str]:
    """A text in lines of that width, as far as its words allow."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _parts(line: str, width: int) -> list[str]:
    """A line in lines of that width, as far as its words allow; all but the first are moved in."""
    if width_of(line) <= width:
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def visible(text: str) -> str:
    """A text without characters that would command the terminal; line breaks stay."""
    return text if text.isprintable() else "".join(c if c.isprintable() or c == "\n" else _named(c) for c in text)


def _named(character: str) -> str:
    return character.encode("unicode_escape").decode()


def width_of(text: str) -> int:
    """How many places a text takes on a terminal."""
    return len(text) if text.isascii() else sum(_places(c) for c in text)


def _places(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _least(texts: Iterable[str]) -> int:
    """How narrow a column may become: no word of it is broken, and what is wrapped is moved in."""
    return max(NARROWEST, max((_least_of_line(line) for text in texts for line in text.split("\n")), default=0))


def _least_of_figures(name: str, *figures: str) -> int:
    """How narrow a column of figures may become: its name is told in several lines, the figures never are."""
    return max(map(_width_of_lines, (*name.split(), *figures)), default=0)


def _least_of_line(line: str) -> int:
    indent = len(line) - len(line.lstrip())
    first, *rest = line.split() or [""]
    return indent + max([width_of(first), *(width_of(word) + 2 for word in rest)])


def _width_of_lines(text: str) -> int:
    return max(map(width_of, text.split("\n")))
