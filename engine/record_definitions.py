"""What a document says of a record type: its fields, key and children; and the cells of a `when`, which name fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field as made

from .elements import Element, Source, dotted
from .errors import NOWHERE, Place
from .frozen import frozen
from .model import SCALARS, Type


@frozen
class Field:
    """A field of a record, a value that an event takes, or an input or output of a decision."""

    name: str
    type: Type
    doc: str = ""
    default: str | None = None
    currency: tuple[str, ...] | None = None
    mirrored: bool = False
    place: Place = made(default=NOWHERE, compare=False)

    @property
    def needed(self) -> bool:
        return not self.type.optional and self.default is None


def build_field(name: str, e: Element) -> Field:
    if e.has("ref"):
        type_ = Type("ref", of=e.word("ref"))
    elif e.has("one_of"):
        type_ = Type("choice", choices=e.words("one_of"))
    else:
        kind = e.word("type", "text")
        type_ = Type(kind if kind in SCALARS else "text")
    if e.flag("optional"):
        type_ = type_.or_none()
    within = e.maybe("in")
    return Field(name, type_, e.word("doc"), e.maybe("default"), dotted(within) if within else None,
                 e.word("mirror") == "negative", e.place)  # fmt: skip


@frozen
class Child:
    """The records of type `of` that refer to their parent by the field `by`."""

    name: str
    of: str
    by: str
    place: Place


@frozen
class Record:
    name: str
    doc: str
    key: tuple[str, ...]
    key_except: tuple[str, ...]
    title: str | None
    dated_by: str | None
    currency: tuple[str, ...] | None
    stream: tuple[str, ...] | None
    workflows: tuple[str, ...]
    fields: Mapping[str, Field]
    children: Mapping[str, Child]
    place: Place
    key_place: Place = NOWHERE
    amount: tuple[str, ...] | None = None


def build_record(source: Source) -> Record:
    e = Element(source, (), source.body)
    key = e.at("key")
    with_except = isinstance(key.value, dict)
    currency, stream, amount = e.maybe("currency"), e.maybe("stream"), e.maybe("amount")
    return Record(
        source.name,
        e.word("doc"),
        key.words("fields") if with_except else e.words("key"),
        key.words("except") if with_except else (),
        e.maybe("name"),
        e.maybe("dated_by"),
        dotted(currency) if currency else None,
        dotted(stream) if stream else None,
        e.words("workflows"),
        {name: build_field(name, f) for name, f in e.pairs("fields")},
        {name: Child(name, c.word("of"), c.word("by"), c.place) for name, c in e.pairs("children")},
        e.place,
        key.place,
        dotted(amount) if amount else None,
    )


# --- cells -----------------------------------------------------------------------------------------------------------


@frozen
class Cell:
    """One condition of a `when`: a name against constants.

    values: any of these; bounds: pairs of (`above`, `at_least`, `below`, `at_most`) and a constant; empty: True means
    must be none, False must be given, None says nothing of it.
    """

    path: tuple[str, ...]
    values: tuple[str, ...]
    bounds: tuple[tuple[str, str], ...]
    empty: bool | None
    place: Place


BOUNDS = ("above", "at_least", "below", "at_most")


def build_cells(e: Element, key: str = "when") -> tuple[Cell, ...]:
    cells = []
    for name, c in e.pairs(key):
        bounds: tuple[tuple[str, str], ...] = ()
        empty: bool | None = None
        values: tuple[str, ...] = ()
        if isinstance(c.value, dict):
            bounds = tuple((b, c.word(b)) for b in BOUNDS if c.has(b))
            empty = c.flag("empty") if c.has("empty") else (not c.flag("given") if c.has("given") else None)
        else:
            values = tuple(str(v.value) for v in e.at(key).items(name))
            # The words `empty` and `given` may stand in place of the map.
            if values in (("empty",), ("given",)):
                empty, values = values == ("empty",), ()
        cells.append(Cell(dotted(name), values, bounds, empty, c.place))
    return tuple(cells)
