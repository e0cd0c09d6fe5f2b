"""Reads files into raw rows: csv, json, json lines, xml, event logs. Every value stays its text, typed by `mappings`.

A file that cannot be read for certain is refused with its line; nothing is repaired, guessed or left out in silence.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, NoReturn

from .errors import InvalidInput
from .notation import counted
from .reader_files import MOST_DEPTH, File, RawRow
from .reader_xml import xes_rows, xml_rows
from .source import did_you_mean, printable

FORMS = ("csv", "json", "json_lines", "xml", "xes")
SUFFIXES = {".csv": "csv", ".tsv": "csv", ".json": "json", ".geojson": "json", ".jsonl": "json_lines",
            ".ndjson": "json_lines", ".xml": "xml", ".xes": "xes"}  # fmt: skip
MOST_TOLD = 10  # rows that are named where many are not as the header says


def read_rows(
    path: Path, form: str = "", encoding: str = "", separator: str = "", rows_path: str = ""
) -> Iterator[RawRow]:
    """The rows of a file, one after the other; raises InvalidInput with file and line where it cannot be read.

    An empty `form` is taken from the file's suffix, an empty `encoding` is utf-8 (in xml: what the file says). What is
    gzipped is unpacked, whatever its name. The rows of an event log (xes) are its events, in order.
    Nested values have dotted names (`properties.name`), attributes `@name`, repeated elements `name[2]`, the text of an
    xml row itself `.`; lists inside a json row are not columns.
    """
    file = File(path, _form(path, form), encoding, separator, rows_path)
    reading = {"csv": _csv_rows, "json": _json_rows, "json_lines": _json_line_rows, "xml": xml_rows, "xes": xes_rows}
    return reading[file.form](file)


def columns_in(
    path: Path, form: str = "", encoding: str = "", separator: str = "", rows_path: str = ""
) -> tuple[str, ...]:
    """The columns of a file: the header of a csv, the names of all rows of the others (which reads all of it)."""
    if _form(path, form) == "csv":
        return _Csv(File(path, "csv", encoding, separator, rows_path)).header()
    columns: dict[str, None] = {}
    for row in read_rows(path, form, encoding, separator, rows_path):
        columns.update(dict.fromkeys(row.columns))
    return tuple(columns)


def form_of(path: Path) -> str:
    """The form that the name of a file says, empty where it says none."""
    return SUFFIXES.get(_suffix(path), "")


def _form(path: Path, form: str) -> str:
    found = form or form_of(path)
    if found in FORMS:
        return found
    if form:
        raise InvalidInput(f"{path}: `{form}` is not a form of file; possible are {', '.join(FORMS)}")
    said = "the name does not say which form of file this is"
    raise InvalidInput(f"{path}: {said}: it ends with {', '.join(SUFFIXES)}, or a mapping says the `form`")


def _suffix(path: Path) -> str:
    """The end of a file's name, without that of the packing."""
    return (Path(path.stem) if path.suffix.lower() == ".gz" else path).suffix.lower()


# csv


def _csv_rows(file: File) -> Iterator[RawRow]:
    reading = _Csv(file)
    header = reading.header()
    columns = {name: position for position, name in enumerate(header, 1)}
    rows = reading.rows()
    for line, fields in rows:
        if len(fields) != len(header):
            _refuse_counts(file, header, chain([(line, fields)], rows))
        yield RawRow(line, dict(zip(header, fields, strict=True)), columns)


def _refuse_counts(file: File, header: tuple[str, ...], rows: Iterator[tuple[int, list[str]]]) -> NoReturn:
    """Refuse the file for its rows that have more or fewer fields than the header, the first of them named."""
    wrong = ((line, fields) for line, fields in rows if len(fields) != len(header))
    told = [f"{file.path}:{line}: {_wrong_count(fields, header)}" for line, fields in islice(wrong, MOST_TOLD)]
    more = sum(1 for _ in wrong)
    raise InvalidInput("\n".join([*told, *([f"{file.path}: so are {more:,} rows more"] if more else [])]))


def _wrong_count(fields: list[str], header: tuple[str, ...]) -> str:
    said = f"{counted(len(fields), 'field')} where the header has {len(header)}"
    if len(fields) < len(header):
        return f"{said}; there is none for `{printable(header[len(fields)])}`"
    return f"{said}; `{printable(fields[len(header)])}` is too many (a text that holds a separator stands in quotes)"


class _Csv:
    def __init__(self, file: File) -> None:
        self.file = file
        separator = {"": "\t" if _suffix(file.path) == ".tsv" else ",", "tab": "\t", "\\t": "\t"}.get(
            file.separator, file.separator
        )
        if len(separator) != 1 or separator in '"\r\n\0':
            raise InvalidInput(f"{file.path}: `separator` is one character (or the word tab), not `{separator}`")
        self.reader = csv.reader(file.lines(), delimiter=separator, strict=True)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row with the line that it begins on; empty lines are passed over."""
        while True:
            line = self.reader.line_num + 1
            try:
                fields = next(self.reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.file.refuse(line, f"this row is not csv: {_csv_said(str(error))}")
            if fields:
                yield line, fields

    def header(self) -> tuple[str, ...]:
        line, names = next(self.rows(), (1, []))
        if not names:
            self.file.refuse(line, "the file is empty; its first row names the columns")
        for position, name in enumerate(names, 1):
            if not name.strip():
                self.file.refuse(line, f"column {position} has no name; the first row names every column")
            if names.index(name) < position - 1:
                first = names.index(name) + 1
                self.file.refuse(line, f"columns {first} and {position} are both named `{printable(name)}`; rename one")
        return tuple(names)


def _csv_said(said: str) -> str:
    """What the reader says, in the words of one who looks at the file."""
    if "unexpected end" in said:
        return "a quote is opened and not closed"
    if "expected after" in said:
        return "behind a closing quote stands a separator or the end of the line; a quote in a text is written twice"
    if "new-line" in said:
        return "a carriage return stands alone; lines end with a line feed"
    return said


# json


def _json_rows(file: File) -> Iterator[RawRow]:
    """The text is held as a whole; the rows are made one by one."""
    walk = _Json(file, "".join(file.texts()))
    path = tuple(file.rows_path.split(".")) if file.rows_path else ()
    for line, value in walk.whole(path):
        yield _flat_row(file, line, value)


def _json_line_rows(file: File) -> Iterator[RawRow]:
    for number, line in enumerate(file.lines(), 1):
        if line.strip():
            walk = _Json(file, line, number)
            value = walk.value()
            walk.end()
            yield _flat_row(file, number, value)


def _flat_row(file: File, line: int, value: Any) -> RawRow:
    if not isinstance(value, dict):
        found = "a list" if isinstance(value, list) else f"`{printable(value or 'null')}`"
        file.refuse(line, f"a row is an object, `{{…}}`, not {found}")
    values: dict[str, str | None] = {}
    for name, text in _flat(file, line, value, "", 1):
        if name in values:
            file.refuse(line, f"the name `{printable(name)}` stands twice in one row")
        values[name] = text
    return RawRow(line, values, {name: position for position, name in enumerate(values, 1)})


def _flat(file: File, line: int, value: dict[str, Any], before: str, depth: int) -> Iterator[tuple[str, str | None]]:
    if depth > MOST_DEPTH:
        file.refuse(line, f"objects are nested more than {MOST_DEPTH} deep")
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(file, line, inner, f"{before}{name}.", depth + 1)
        elif not isinstance(inner, list):
            yield before + name, _json_text(file, line, inner)


def _json_text(file: File, line: int, value: str | bool | None) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else str(value).lower()
    if re.search("[\0\ud800-\udfff]", text):
        file.refuse(line, f"`{printable(text)}` holds a NUL or half a character; only text is read")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name `{printable(twice)}` stands twice in one object")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"`{word}` is not a number")


# Numbers stay their text: a float would change them.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=str, parse_int=str, parse_constant=_no_number, strict=True
)
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass
class _Json:
    """Walks a json text to its rows, so that each row has its line."""

    file: File
    text: str
    line: int = 1
    position: int = 0
    counted: int = 0

    def whole(self, path: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
        yield from self.rows(path)
        self.end()

    def rows(self, path: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
        yield from self.member(path) if path else self.elements()

    def elements(self) -> Iterator[tuple[int, Any]]:
        if not self.takes("["):
            self.refuse("here stands no list of rows; `rows` says where it is (`a.b`: in `a`, then in `b`)")
        if self.takes("]"):
            return
        while True:
            self.skip_blanks()
            yield self.line_here(), self.value()
            if self.takes("]"):
                return
            self.must_take(",")

    def member(self, path: tuple[str, ...]) -> Iterator[tuple[int, Any]]:
        self.must_take("{")
        names: list[str] = []
        while not (self.takes("}") if not names else self.ends_members()):
            name = self.value()
            self.must_take(":")
            if not isinstance(name, str) or name in names:
                self.refuse(f"the name `{printable(str(name))}` stands twice in one object")
            names.append(name)
            if name == path[0]:
                yield from self.rows(path[1:])
            else:
                self.value()
        if path[0] not in names:
            near = did_you_mean(path[0], names) or f"there are {printable(', '.join(names), 200)}"
            self.refuse(f"there is no `{path[0]}` on the way to the rows, `{self.file.rows_path}`; {near}")

    def ends_members(self) -> bool:
        if self.takes("}"):
            return True
        self.must_take(",")
        return False

    def value(self) -> Any:
        self.skip_blanks()
        try:
            value, self.position = _DECODER.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            self.position = error.pos
            self.refuse(f"this is not json: {error.msg[:1].lower()}{error.msg[1:]}")
        except RecursionError:
            self.refuse("values are nested too deep")
        except ValueError as error:
            self.refuse(str(error))
        return value

    def end(self) -> None:
        self.skip_blanks()
        if self.position < len(self.text):
            self.refuse("this is not json: something stands behind the end")

    def takes(self, sign: str) -> bool:
        self.skip_blanks()
        found = self.text.startswith(sign, self.position)
        self.position += found
        return found

    def must_take(self, sign: str) -> None:
        if not self.takes(sign):
            self.refuse(f"this is not json: `{sign}` is missing")

    def skip_blanks(self) -> None:
        found = _BLANK.match(self.text, self.position)
        self.position = found.end() if found else self.position

    def line_here(self) -> int:
        self.line += self.text.count("\n", self.counted, self.position)
        self.counted = max(self.counted, self.position)
        return self.line

    def refuse(self, said: str) -> NoReturn:
        self.file.refuse(self.line_here(), said)
