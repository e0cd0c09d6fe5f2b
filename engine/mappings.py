"""Says what a mapping is, and turns the rows of files into typed values by it.

`convert` is the one place where a text given by a person, in a file or on the command line, becomes a value. Nothing is
looked up in a store here: a reference stays the text of a key.
"""

from __future__ import annotations

import re
from collections import abc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from .definitions import Element, Field, Source, Text
from .errors import NOWHERE, Diagnostic, InvalidInput, InvalidPack, Place
from .model import NUMERIC, SCALES, Type
from .money import LARGEST_KEPT, ZERO, parse, shown, to_kept
from .readers import RawRow, columns_in, printable, read_rows
from .source import did_you_mean

Value: TypeAlias = "str | int | Decimal | date | bool | None"

# The column that an import adds to the rows it refused; when they are mended and imported again it says nothing.
REFUSED_BECAUSE = "refused_because"


class KeyText(str):
    """The key of a record as people write it, its parts joined by `/`; not yet looked up."""

    __slots__ = ()


# --- what a mapping says ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Notation:
    """How values are written in a file; the defaults are the plain notation."""

    decimal: str = "."
    thousands: str = ""
    date: str = "yyyy-mm-dd"
    century: int | None = None
    yes: str = "true"
    no: str = "false"


PLAIN = Notation()


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where the value of a field comes from: a constant, the parts of a key, or the first column that is not empty.

    `empty` is what an empty value becomes, where that is said.
    """

    name: str
    columns: tuple[Text, ...]
    place: Place
    constant: str | None = None
    parts: tuple[FieldMapping, ...] = ()
    trim: bool = False
    empty: str | None = None
    notation: Notation = PLAIN

    def all_columns(self) -> Iterator[Text]:
        yield from self.columns
        for part in self.parts:
            yield from part.all_columns()


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written; what is empty is as `read_rows` takes it."""

    form: str = ""
    encoding: str = ""
    separator: str = ""
    rows: str = ""


@dataclass(frozen=True, slots=True)
class Creation:
    """A record that is created where it is missing."""

    record: str
    fields: tuple[FieldMapping, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Beside:
    """A second file: its rows are found by its columns `one_per`, which equal the main file's columns `by`."""

    name: str
    by: tuple[Text, ...]
    one_per: tuple[Text, ...]
    form: Form
    place: Place


@dataclass(frozen=True, slots=True)
class Mapping:
    """How the rows of a file become records of the type `to`.

    by_name: the columns are the fields of the creation event; those that need not be given may be missing.
    """

    name: str
    doc: str
    to: str
    form: Form
    one_per: tuple[Text, ...]
    must_agree: tuple[Text, ...]
    beside: abc.Mapping[str, Beside]
    creates: tuple[Creation, ...]
    fields: tuple[FieldMapping, ...]
    place: Place
    by_name: bool = False


def build_mapping(source: Source) -> Mapping:
    e = Element(source, (), source.body)
    return Mapping(
        source.name,
        e.word("doc"),
        e.word("to"),
        _build_form(e.at("file")),
        _build_columns(e, "one_per"),
        _build_columns(e, "must_agree"),
        {name: _build_beside(name, b) for name, b in e.pairs("beside")},
        tuple(_build_creation(c) for c in e.items("creates")),
        tuple(_build_field_mapping(name, f) for name, f in e.pairs("fields")),
        e.place,
    )


def default_mapping(record_name: str, fields: abc.Mapping[str, Field]) -> Mapping:
    """The mapping of a file whose columns are the fields of the creation event."""
    by_name = tuple(FieldMapping(n, (Text(n, f.place),), f.place) for n, f in fields.items())
    doc = "The columns are the fields of the creation event."
    return Mapping(record_name, doc, record_name, Form(), (), (), {}, (), by_name, NOWHERE, by_name=True)


def _build_form(e: Element) -> Form:
    return Form(e.word("form"), e.word("encoding"), e.word("separator"), e.word("rows"))


def _build_columns(e: Element, key: str) -> tuple[Text, ...]:
    return tuple(Text(str(c.value), c.place) for c in e.items(key))


def _build_beside(name: str, e: Element) -> Beside:
    by = _build_columns(e, "by")
    return Beside(name, by, _build_columns(e, "one_per") or by, _build_form(e), e.place)


def _build_creation(e: Element) -> Creation:
    fields = tuple(_build_field_mapping(name, f) for name, f in e.pairs("fields"))
    return Creation(e.word("record"), fields, e.place)


def _build_field_mapping(name: str, e: Element) -> FieldMapping:
    if isinstance(e.value, str):  # A part of a key may be the column alone.
        return FieldMapping(name, (Text(e.value, e.place),), e.place)
    constant = e.at("value").value
    return FieldMapping(
        name,
        _build_columns(e, "from") or _build_columns(e, "first_of"),
        e.place,
        constant if isinstance(constant, str) else None,
        tuple(_build_field_mapping(name, part) for part in e.items("key")),
        e.flag("trim"),
        e.maybe("empty"),
        _build_notation(e.at("as")),
    )


def _build_notation(e: Element) -> Notation:
    century = e.word("century")
    return Notation(
        e.word("decimal", PLAIN.decimal),
        e.word("thousands"),
        e.word("date", PLAIN.date),
        int(century) if re.fullmatch("[0-9]{1,4}", century) else None,
        e.word("yes", PLAIN.yes),
        e.word("no", PLAIN.no),
    )


# --- one text, one value ---------------------------------------------------------------------------------------------


def convert(text: str | None, field: Field, notation: Notation = PLAIN) -> Value:
    """The value that a text stands for; raises ValueError saying what is wrong and what would be accepted.

    An empty text is none. Texts and keys are kept to the letter; around everything else blanks do not count.
    """
    kind = field.type.kind
    if kind not in ("text", "ref"):
        text = (text or "").strip()
    if not text:
        if field.type.optional:
            return None
        raise ValueError(f"a value is needed: {accepted(field, notation)}")
    if kind in NUMERIC:
        return _number(text, kind, notation)
    if kind not in _CONVERTERS:
        raise ValueError(f"a {field.type} cannot be given as a text")
    return _CONVERTERS[kind](text, field.type, notation)


def as_text(value: Value) -> str:
    """The text that `convert` reads as that value, in the plain notation."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat()
    return shown(value) if isinstance(value, int | Decimal) else str(value)


def accepted(field: Field, notation: Notation = PLAIN) -> str:
    """What may be given for a field, for a message."""
    type_ = field.type
    if type_.kind in NUMERIC:
        return _number_accepted(type_.kind, notation)
    said = {
        "date": _date_accepted(notation),
        "time": "a moment with its time zone, such as 2026-03-31T17:30:00+02:00",
        "yes_or_no": f"{notation.yes} or {notation.no}",
        "ref": f"the key of a {type_.of}, its parts joined by `/`",
    }
    return said.get(type_.kind, str(type_.given()))


def _number_accepted(kind: str, notation: Notation) -> str:
    point, places = notation.decimal, SCALES[kind]
    sample = f"1{notation.thousands}234"
    if not places:
        return f"a whole number, such as {sample}"
    return f"a number, such as {sample}{point}5 (at most {places} digits behind the `{point}`)"


def _wrong(text: str, said: str) -> ValueError:
    return ValueError(f"`{printable(text)}` {said}")


def _number(text: str, kind: str, notation: Notation) -> Value:
    plain = _plain_number(text, notation)
    try:
        value = parse(plain) if plain else None
    except ValueError:
        value = None
    if value is None:
        raise _wrong(text, f"is not {_number_accepted(kind, notation)}")
    # The digits are counted in the text: arithmetic could round them away before they are missed.
    whole, _, behind = plain.partition(".")
    if len(behind.rstrip("0")) > SCALES[kind]:
        raise _wrong(text, f"has too many digits: give {_number_accepted(kind, notation)}; nothing is rounded")
    if len(whole.lstrip("+-0")) > len(str(LARGEST_KEPT)):
        raise _wrong(text, "is too large to be kept")
    to_kept(value, kind)
    return int(value) if kind == "whole" else value or ZERO


def _plain_number(text: str, notation: Notation) -> str:
    """The number in the plain notation; empty where it is not one in its own."""
    if (notation.decimal, notation.thousands) == (PLAIN.decimal, PLAIN.thousands):
        return text
    found = _number_pattern(notation.decimal, notation.thousands).fullmatch(text)
    if not found:
        return ""
    whole = found["whole"].replace(notation.thousands, "") if notation.thousands else found["whole"]
    return f"{found['sign']}{whole}.{found['behind'] or '0'}"


@lru_cache(maxsize=64)
def _number_pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    grouped = f"[0-9]{{1,3}}(?:{re.escape(thousands)}[0-9]{{3}})+|" if thousands else ""
    return re.compile(f"(?P<sign>[+-]?)(?P<whole>{grouped}[0-9]+)(?:{re.escape(decimal)}(?P<behind>[0-9]+))?")


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TOKENS = {"yyyy": "[0-9]{4}", "yy": "[0-9]{2}", "mmm": "|".join(MONTHS), "mm": "[0-9]{2}", "m": "[0-9]{1,2}",
           "dd": "[0-9]{2}", "d": "[0-9]{1,2}"}  # fmt: skip
_TOKEN = re.compile("[a-zA-Z]+")


@lru_cache(maxsize=64)
def _date_pattern(form: str) -> re.Pattern[str]:
    """The pattern of a date form; raises ValueError where the form is not one."""
    pattern, end, letters = "", 0, ""
    for token in _TOKEN.finditer(form):
        if token[0] not in _TOKENS:
            raise ValueError(f"`{token[0]}` is no part of a date; parts are {', '.join(_TOKENS)}")
        pattern += re.escape(form[end : token.start()]) + f"(?P<{token[0][0]}>{_TOKENS[token[0]]})"
        letters, end = letters + token[0][0], token.end()
    if sorted(letters) != ["d", "m", "y"]:
        raise ValueError(f"`{form}` must hold one day, one month and one year, such as dd-mmm-yy")
    return re.compile(pattern + re.escape(form[end:]), re.IGNORECASE)


def _date(text: str, _: Type, notation: Notation) -> Value:
    found = _date_pattern(notation.date).fullmatch(text)
    if not found:
        raise _wrong(text, f"is not {_date_accepted(notation)}")
    named = found["m"].lower()
    month = MONTHS.index(named) + 1 if named in MONTHS else int(found["m"])
    year = int(found["y"]) + ((notation.century or 0) if len(found["y"]) == 2 else 0)
    try:
        return date(year, month, int(found["d"]))
    except ValueError:
        raise _wrong(text, f"is not a day of the calendar; give {_date_accepted(notation)}") from None


def _date_accepted(notation: Notation) -> str:
    return f"a date written {notation.date}, such as {_written(date(2026, 3, 31), notation.date)}"


def _written(day: date, form: str) -> str:
    """A day in a date form."""
    named = MONTHS[day.month - 1].capitalize()
    values = {"yyyy": f"{day.year:04}", "yy": f"{day.year % 100:02}", "mmm": named, "mm": f"{day.month:02}",
              "m": str(day.month), "dd": f"{day.day:02}", "d": str(day.day)}  # fmt: skip
    return _TOKEN.sub(lambda token: values.get(token[0], token[0]), form)


def _moment(text: str, _: Type, notation: Notation) -> Value:
    """A moment as the store keeps it: ISO text in UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _wrong(text, "is not a moment with its time zone, such as 2026-03-31T17:30:00+02:00")
    return moment.astimezone(UTC).isoformat()


def _yes_or_no(text: str, _: Type, notation: Notation) -> Value:
    if text not in (notation.yes, notation.no):
        raise _wrong(text, f"is neither {notation.yes} nor {notation.no}")
    return text == notation.yes


def _choice(text: str, type_: Type, _: Notation) -> Value:
    if text in type_.choices:
        return text
    near = did_you_mean(text, type_.choices)
    raise _wrong(text, f"is not one of {', '.join(type_.choices)}" + (f"; {near}" if near else ""))


_CONVERTERS: abc.Mapping[str, Callable[[str, Type, Notation], Value]] = {
    "text": lambda text, _, __: text,
    "ref": lambda text, _, __: KeyText(text),
    "date": _date,
    "time": _moment,
    "yes_or_no": _yes_or_no,
    "choice": _choice,
}


# --- whether a mapping can work --------------------------------------------------------------------------------------


def mapping_faults(
    mapping: Mapping,
    fields: abc.Mapping[str, Field],
    creation_fields: Callable[[str], abc.Mapping[str, Field]],
) -> list[Diagnostic]:
    """What is wrong with a mapping, seen without a file."""
    found = [*_fields_faults(mapping.fields, fields, mapping.to, mapping.place)]
    for creation in mapping.creates:
        found += _fields_faults(creation.fields, creation_fields(creation.record), creation.record, creation.place)
    for beside in mapping.beside.values():
        if len(beside.by) != len(beside.one_per):
            said = f"`{beside.name}` is joined by {len(beside.by)} columns, but `one_per` names {len(beside.one_per)}"
            found.append(_fault(said, beside.place, "name as many columns in both, in the same order"))
    return found


def _fault(said: str, place: Place, hint: str = "") -> Diagnostic:
    return Diagnostic("R180", said, place, hint=hint)


def _fields_faults(
    mapped: tuple[FieldMapping, ...], fields: abc.Mapping[str, Field], record: str, place: Place
) -> Iterator[Diagnostic]:
    for m in mapped:
        if m.name in fields:
            yield from _field_faults(m, fields[m.name])
        else:
            near = did_you_mean(m.name, fields) or f"it takes {', '.join(fields)}"
            yield _fault(f"`{m.name}` is nothing that the creation of `{record}` takes", m.place, near)
    missing = [name for name, f in fields.items() if f.needed and name not in {m.name for m in mapped}]
    if missing:
        yield _fault(f"the creation of `{record}` also needs {', '.join(missing)}", place, "say where they come from")


def _field_faults(m: FieldMapping, taken: Field) -> Iterator[Diagnostic]:
    kind = taken.type.kind
    if m.parts and kind != "ref":
        yield _fault(f"`{m.name}` is a {taken.type} and has no key", m.place, "use `from`")
    if m.empty == "none" and not taken.type.optional:
        yield _fault(f"`{m.name}` must be given and cannot be none", m.place, "leave `empty` out, or give a value")
    for constant in filter(None, (m.constant, m.empty if m.empty != "none" else None)):
        try:
            convert(constant, taken)
        except ValueError as error:
            yield _fault(f"`{m.name}`: {error}", m.place)
    for part in m.parts or (m,):
        yield from _notation_faults(part, kind)


def _notation_faults(m: FieldMapping, kind: str) -> Iterator[Diagnostic]:
    notation = m.notation
    signs = notation.decimal, notation.thousands
    if signs != (PLAIN.decimal, PLAIN.thousands) and (len(signs[0]) != 1 or len(signs[1]) > 1 or signs[0] == signs[1]):
        yield _fault("`decimal` and `thousands` are one character each, and not the same", m.place)
    if notation.yes == notation.no:
        yield _fault("yes and no are written alike", m.place)
    kinds = {"date": notation.date != PLAIN.date, "number": signs != (PLAIN.decimal, PLAIN.thousands),
             "yes_or_no": (notation.yes, notation.no) != (PLAIN.yes, PLAIN.no)}  # fmt: skip
    own = "number" if kind in NUMERIC else kind
    for wrong in (said for said, is_said in kinds.items() if is_said and kind != "ref" and said != own):
        yield _fault(f"`{m.name}` is a {kind}; its `as` says how a {wrong} is written", m.place)
    yield from _date_form_faults(m)


def _date_form_faults(m: FieldMapping) -> Iterator[Diagnostic]:
    try:
        _date_pattern(m.notation.date)
    except ValueError as error:
        yield _fault(str(error), m.place)
        return
    if "yyyy" not in m.notation.date and m.notation.century is None:
        yield _fault("a year of two digits needs its `century`", m.place, "such as `century: 2000`")


# --- from files to values --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MappedRow:
    """The values of one record: from the row at `line`, with the rows that repeat it up to the one at `last_line`.

    A field whose column is empty and which has a default is left out. `raw` is the (first) row as the file has it.
    """

    line: int
    last_line: int
    file: str
    values: dict[str, Value]
    creates: tuple[tuple[str, dict[str, Value]], ...]
    raw: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One wrong value: where it stands, what is wrong, what would be accepted; `rule` is the place in the mapping."""

    file: str
    line: int
    column: str
    column_number: int
    message: str
    rule: str
    raw: dict[str, str | None] = field(compare=False)

    def __str__(self) -> str:
        number = f" ({self.column_number})" if self.column_number else ""
        column = f"column `{printable(self.column)}`{number}: " if self.column else ""
        rule = f" [{self.rule}]" if self.rule else ""
        return f"{self.file}:{self.line}: {column}{self.message}{rule}"


def map_file(
    mapping: Mapping,
    fields: abc.Mapping[str, Field],
    files: abc.Mapping[str, Path],
    creation_fields: Callable[[str], abc.Mapping[str, Field]],
) -> Iterator[MappedRow | RowProblem]:
    """The records that a file holds, and every problem of every row; a row with a problem gives no record.

    `files` gives the main file under "" and the others by their names in `beside`. Raises InvalidPack where the mapping
    cannot work, InvalidInput where a file cannot be read or has not the columns that are named. With `one_per` the
    records come when the file has been read; without it one row is held at a time.
    """
    faults = [] if mapping.by_name else mapping_faults(mapping, fields, creation_fields)
    if faults:
        raise InvalidPack(faults)
    _check_files(mapping, files)
    mapping = _check_columns(mapping, fields, files)
    created = {creation.record: creation_fields(creation.record) for creation in mapping.creates}
    located = {column.text: _located(column.text, mapping) for column in _columns_named(mapping)}
    return _Run(mapping, fields, created, str(files[""]), located).rows(files)


def template(mapping: Mapping, fields: abc.Mapping[str, Field]) -> list[str]:
    """The header of an empty file: the columns of the main file that the mapping reads, each once."""
    if mapping.by_name:
        return list(fields)
    return list(dict.fromkeys(column.text for column in _columns_read(mapping)[""]))


def _columns_read(mapping: Mapping) -> dict[str, list[Text]]:
    """The columns that are read of each file, by the file's name."""
    found: dict[str, list[Text]] = {"": [], **{name: [*b.one_per] for name, b in mapping.beside.items()}}
    for column in _columns_named(mapping):
        file, name = _located(column.text, mapping)
        found[file].append(Text(name, column.place))
    return found


def _columns_named(mapping: Mapping) -> Iterator[Text]:
    yield from mapping.one_per
    for beside in mapping.beside.values():
        yield from beside.by
    for m in (*mapping.fields, *(m for creation in mapping.creates for m in creation.fields)):
        yield from m.all_columns()
    yield from mapping.must_agree


def _located(column: str, mapping: Mapping) -> tuple[str, str]:
    """The file (by its name in `beside`, else "") and the column in it."""
    head, _, rest = column.partition(".")
    return (head, rest) if head in mapping.beside else ("", column)


def _check_files(mapping: Mapping, files: abc.Mapping[str, Path]) -> None:
    missing = [name for name in ("", *mapping.beside) if name not in files]
    if missing:
        said = ", ".join(f"`{name}`" if name else "the main one" for name in missing)
        raise InvalidInput(f"the mapping `{mapping.name}` also reads a file that is not given: {said}")
    for name in files:
        if name and name not in mapping.beside:
            there = did_you_mean(name, mapping.beside) or f"there are: {', '.join(mapping.beside) or 'none'}"
            raise InvalidInput(f"the mapping `{mapping.name}` reads no second file `{name}`; {there}")


def _check_columns(mapping: Mapping, fields: abc.Mapping[str, Field], files: abc.Mapping[str, Path]) -> Mapping:
    """Refuse columns that are not there; a mapping by name is cut down to those that are."""
    forms = {"": mapping.form, **{name: b.form for name, b in mapping.beside.items()}}
    said: list[str] = []
    for name, wanted in _columns_read(mapping).items():
        form = forms[name]
        there = columns_in(files[name], form.form, form.encoding, form.separator, form.rows)
        if mapping.by_name:
            said += _wrong_columns(files[name], there, fields)
            mapping = replace(mapping, fields=tuple(m for m in mapping.fields if m.name in there))
        elif there:  # A json or xml file without a row has no columns.
            said += _missing_columns(files[name], there, wanted)
    if said:
        raise InvalidInput("\n".join(said))
    return mapping


def _missing_columns(path: Path, there: tuple[str, ...], wanted: list[Text]) -> Iterator[str]:
    missing = {column.text: column for column in reversed(wanted) if column.text not in there}
    for name, column in sorted(missing.items(), key=lambda item: item[1].place):
        near = did_you_mean(name, there)
        yield f"{path}: there is no column `{name}` [{column.place}]" + (f"; {near}" if near else "")
    if missing:
        yield f"{path}: the columns are {printable(', '.join(there), 1000)}"


def _wrong_columns(path: Path, there: tuple[str, ...], fields: abc.Mapping[str, Field]) -> Iterator[str]:
    unknown = [name for name in there if name not in fields and name != REFUSED_BECAUSE]
    missing = [name for name, taken in fields.items() if taken.needed and name not in there]
    for name in unknown:
        near = did_you_mean(name, fields)
        yield f"{path}: the column `{printable(name)}` is not known" + (f"; {near}" if near else "")
    for name in missing if there else []:
        yield f"{path}: the column `{name}` is missing; it is needed"
    if unknown or (missing and there):
        yield f"{path}: columns may be {', '.join(fields)}"


@dataclass(frozen=True, slots=True)
class _Partner:
    """The row of a second file that goes with one of the main file; `conflict` says why it cannot be used."""

    row: RawRow
    conflict: str = ""


@dataclass(frozen=True, slots=True)
class _Joined:
    """A row of the main file with its partners by name."""

    row: RawRow
    partners: abc.Mapping[str, _Partner | None]


@dataclass(slots=True)
class _Group:
    """The rows that are one record: the first, the line of the last, what all of them create and what is wrong."""

    first: _Joined
    last_line: int
    creates: dict[tuple[str, tuple[tuple[str, Value], ...]], None] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Run:
    """One reading of the files by a mapping."""

    mapping: Mapping
    fields: abc.Mapping[str, Field]
    creation_fields: abc.Mapping[str, abc.Mapping[str, Field]]
    file: str
    located_columns: abc.Mapping[str, tuple[str, str]]
    partners: dict[str, dict[tuple[str | None, ...], _Partner]] = field(default_factory=dict)

    def rows(self, files: abc.Mapping[str, Path]) -> Iterator[MappedRow | RowProblem]:
        for beside in self.mapping.beside.values():
            yield from self.read_beside(beside, files[beside.name])
        form = self.mapping.form
        raw_rows = read_rows(files[""], form.form, form.encoding, form.separator, form.rows)
        joined = (_Joined(row, self.partners_of(row)) for row in raw_rows)
        yield from self.grouped(joined) if self.mapping.one_per else self.single(joined)

    def read_beside(self, beside: Beside, path: Path) -> Iterator[RowProblem]:
        """Keep the first row of each key, with the columns that are used; rows that differ in these are a problem."""
        used = {column.text: column.place for column in _columns_read(self.mapping)[beside.name]}
        kept = self.partners.setdefault(beside.name, {})
        form = beside.form
        for row in read_rows(path, form.form, form.encoding, form.separator, form.rows):
            key = tuple(row.values.get(column.text) for column in beside.one_per)
            if not all(key):
                continue  # A row without a key is nobody's partner.
            slim = RawRow(row.line, {name: row.values.get(name) for name in used}, row.columns)
            first = kept.setdefault(key, _Partner(slim)).row
            for problem in _differences(str(path), first, slim, used, beside, row.values):
                kept[key] = _Partner(first, f"rows of `{beside.name}` differ, {path}:{first.line} and {row.line}")
                yield problem

    def partners_of(self, row: RawRow) -> dict[str, _Partner | None]:
        return {
            name: self.partners[name].get(tuple(row.values.get(column.text) for column in beside.by))
            for name, beside in self.mapping.beside.items()
        }

    def single(self, rows: Iterator[_Joined]) -> Iterator[MappedRow | RowProblem]:
        for joined in rows:
            group = _Group(joined, joined.row.line, problems=[*self.conflicts(joined)])
            self.add_creates(group, joined)
            yield from self.finished(group)

    def grouped(self, rows: Iterator[_Joined]) -> Iterator[MappedRow | RowProblem]:
        groups: dict[tuple[str | None, ...], _Group] = {}
        for joined in rows:
            key = tuple(self.text(column.text, joined) for column in self.mapping.one_per)
            if not all(key):
                yield from self.without_key(joined)
                continue
            group = groups.setdefault(key, _Group(joined, joined.row.line))
            group.last_line = joined.row.line
            if joined is not group.first:
                group.problems += self.disagreements(group.first, joined)
            group.problems += self.conflicts(joined)
            self.add_creates(group, joined)
        for group in groups.values():
            yield from self.finished(group)

    def without_key(self, joined: _Joined) -> Iterator[RowProblem]:
        for column in self.mapping.one_per:
            if not self.text(column.text, joined):
                said = "a value is needed: by it the rows are told apart (`one_per`)"
                yield self.problem(joined, column.text, column.place, said)

    def finished(self, group: _Group) -> Iterator[MappedRow | RowProblem]:
        row = group.first.row
        values = self.values(self.mapping.fields, self.fields, group.first, group.problems)
        if group.problems:
            yield from sorted(dict.fromkeys(group.problems), key=lambda p: (p.line, p.column_number, p.rule))
            return
        creates = tuple((record, dict(given)) for record, given in group.creates)
        yield MappedRow(row.line, group.last_line, self.file, values, creates, row.values)

    def add_creates(self, group: _Group, joined: _Joined) -> None:
        """What a row creates; nothing where every column for it is empty."""
        for creation in self.mapping.creates:
            columns = [column.text for m in creation.fields for column in m.all_columns()]
            if columns and not any(self.text(column, joined) for column in columns):
                continue
            typed = self.creation_fields[creation.record]
            values = self.values(creation.fields, typed, joined, group.problems)
            group.creates[creation.record, tuple(values.items())] = None

    def values(
        self,
        mapped: tuple[FieldMapping, ...],
        typed: abc.Mapping[str, Field],
        joined: _Joined,
        problems: list[RowProblem],
    ) -> dict[str, Value]:
        """The values of a row; what is wrong is added to `problems`."""
        values: dict[str, Value] = {}
        for m in mapped:
            taken = typed[m.name]
            try:
                text, notation = self.given(m, joined)
                if text is None and m.empty is None and taken.default is not None:
                    continue
                values[m.name] = convert(text, taken, notation)
            except ValueError as error:
                column = self.chosen(m.parts[0] if m.parts else m, joined)
                message = f"`{m.name}`: {error}"
                problems.append(self.problem(joined, column, m.place, message))
        return values

    def given(self, m: FieldMapping, joined: _Joined) -> tuple[str | None, Notation]:
        """The text given for a field, none where it is empty, and how it is written."""
        if m.constant is not None:
            return m.constant, PLAIN
        text = self.key(m, joined) if m.parts else self.trimmed(m, self.chosen(m, joined), joined)
        if text is None and m.empty is not None:
            return (None if m.empty == "none" else m.empty), PLAIN
        return text, m.notation

    def key(self, m: FieldMapping, joined: _Joined) -> str | None:
        """The parts of a key joined; none where all of them that come from columns are empty."""
        texts = [self.part(part, joined) for part in m.parts]
        if not any(text for text, part in zip(texts, m.parts, strict=True) if part.columns):
            return None
        for text, part in zip(texts, m.parts, strict=True):
            if not text:
                raise ValueError(f"a part of the key is empty: `{self.chosen(part, joined)}`")
            if "/" in text and len(texts) > 1:
                raise ValueError(f"`{printable(text)}` is one part of a key and cannot hold `/`, which parts the parts")
        return "/".join(text for text in texts if text)

    def part(self, part: FieldMapping, joined: _Joined) -> str | None:
        """A part of a key as keys are written: dates and numbers in the plain notation."""
        text, notation = self.given(part, joined)
        if not text or notation == PLAIN:
            return text
        kind = "date" if notation.date != PLAIN.date else "number"
        return as_text(convert(text, Field(part.name, Type(kind)), notation))

    def chosen(self, m: FieldMapping, joined: _Joined) -> str:
        """The first column that is not empty; where all are, the first."""
        if len(m.columns) > 1:
            full = (column.text for column in m.columns if self.trimmed(m, column.text, joined))
            return next(full, m.columns[0].text)
        return m.columns[0].text if m.columns else ""

    def trimmed(self, m: FieldMapping, column: str, joined: _Joined) -> str | None:
        text = self.text(column, joined)
        return (text.strip() if m.trim and text else text) or None

    def text(self, column: str, joined: _Joined) -> str | None:
        row, name = self.located(column, joined)
        return row.values.get(name) if row else None

    def located(self, column: str, joined: _Joined) -> tuple[RawRow | None, str]:
        file, name = self.located_columns.get(column, ("", column))
        if not file:
            return joined.row, name
        partner = joined.partners[file]
        return (partner.row if partner else None), name

    def problem(self, joined: _Joined, column: str, place: Place, message: str) -> RowProblem:
        row, name = self.located(column, joined)
        number = row.columns.get(name, 0) if row else 0
        if row is not joined.row and row:
            message += f" (it stands in `{column.partition('.')[0]}`, line {row.line})"
        rule = "" if place == NOWHERE else str(place)
        return RowProblem(self.file, joined.row.line, column, number, message, rule, joined.row.values)

    def conflicts(self, joined: _Joined) -> Iterator[RowProblem]:
        for name, partner in joined.partners.items():
            if partner and partner.conflict:
                beside = self.mapping.beside[name]
                yield self.problem(joined, beside.by[0].text, beside.place, partner.conflict)

    def disagreements(self, first: _Joined, joined: _Joined) -> Iterator[RowProblem]:
        for column in self.mapping.must_agree:
            before, now = self.text(column.text, first), self.text(column.text, joined)
            if (before or "") != (now or ""):
                said = _differ(before, first.row.line, now, self.mapping.one_per)
                yield self.problem(joined, column.text, column.place, said)


def _differences(
    file: str,
    first: RawRow,
    row: RawRow,
    used: abc.Mapping[str, Place],
    beside: Beside,
    raw: dict[str, str | None],
) -> Iterator[RowProblem]:
    for name, place in used.items():
        before, now = first.values[name], row.values[name]
        if (before or "") != (now or ""):
            said = _differ(before, first.line, now, beside.one_per)
            yield RowProblem(file, row.line, name, row.columns.get(name, 0), said, str(place), raw)


def _differ(before: str | None, line: int, now: str | None, one_per: tuple[Text, ...]) -> str:
    keys = ", ".join(column.text for column in one_per)
    here, there = printable(now or ""), printable(before or "")
    return f"`{here}` here, but `{there}` on line {line}; rows of one {keys} must agree"
