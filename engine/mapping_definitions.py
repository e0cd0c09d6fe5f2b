"""What a document says of a mapping: how the rows of a file become records of a type."""

from __future__ import annotations

import re
from collections import abc
from collections.abc import Iterator
from dataclasses import dataclass

from .definitions import Element, Field, Source, Text
from .errors import NOWHERE, Place
from .notation import PLAIN, Notation


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
    """The definition of a document whose schema was satisfied."""
    e = Element(source, (), source.body)
    return Mapping(
        source.name,
        e.word("doc"),
        e.word("to"),
        build_form(e.at("file")),
        _build_columns(e, "one_per"),
        _build_columns(e, "must_agree"),
        {name: _build_beside(name, b) for name, b in e.pairs("beside")},
        tuple(_build_creation(c) for c in e.items("creates")),
        tuple(build_field_mapping(name, f) for name, f in e.pairs("fields")),
        e.place,
    )


def default_mapping(record_name: str, fields: abc.Mapping[str, Field]) -> Mapping:
    """The mapping of a file whose columns are the fields of the creation event."""
    by_name = tuple(FieldMapping(n, (Text(n, f.place),), f.place) for n, f in fields.items())
    doc = "The columns are the fields of the creation event."
    return Mapping(record_name, doc, record_name, Form(), (), (), {}, (), by_name, NOWHERE, by_name=True)


def build_form(e: Element) -> Form:
    return Form(e.word("form"), e.word("encoding"), e.word("separator"), e.word("rows"))


def _build_columns(e: Element, key: str) -> tuple[Text, ...]:
    return tuple(Text(str(c.value), c.place) for c in e.items(key))


def _build_beside(name: str, e: Element) -> Beside:
    by = _build_columns(e, "by")
    return Beside(name, by, _build_columns(e, "one_per") or by, build_form(e), e.place)


def _build_creation(e: Element) -> Creation:
    fields = tuple(build_field_mapping(name, f) for name, f in e.pairs("fields"))
    return Creation(e.word("record"), fields, e.place)


def build_field_mapping(name: str, e: Element) -> FieldMapping:
    if isinstance(e.value, str):  # A part of a key may be the column alone.
        return FieldMapping(name, (Text(e.value, e.place),), e.place)
    constant = e.at("value").value
    return FieldMapping(
        name,
        _build_columns(e, "from") or _build_columns(e, "first_of"),
        e.place,
        constant if isinstance(constant, str) else None,
        tuple(build_field_mapping(name, part) for part in e.items("key")),
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
