"""What a document says of a statement: its lines, its figures, the days they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeAlias

from . import definitions as d
from .errors import Place
from .frozen import frozen
from .library import Library
from .model import Parts, Type

UNITS = ("week", "month")  # of time, for which lines may stand


@frozen
class Records:
    """The records that lines or tables stand for; `left_out` says that lines of nothing are not shown.

    `under` is the field by which a record lies under another, whose line then counts what is told of it, too.
    """

    of: str
    where: d.Text | None
    order: tuple[str, ...]
    left_out: bool
    title: str | None
    under: str | None
    place: Place


@frozen
class Periods:
    """A line for each whole `month`, or `week` from Monday on, from that of the first date to that of the second."""

    unit: str
    first: Parts
    last: Parts
    left_out: bool
    title: str | None
    place: Place


@frozen
class Days:
    """What of a measure counts.

    kind: `all`; `over` (from the first to the second date, both inclusive); `until` and `before` a date;
    `over_column` (in the month or week) and `at_column` (until its end). `paths` lead to the dates.
    """

    kind: str
    paths: tuple[Parts, ...] = ()


Asked: TypeAlias = "tuple[str | None, Days, tuple[tuple[str, str], ...]]"


@frozen
class Figure:
    """One figure: a measure over its days, a formula, or a field of the line's record, by its path.

    `total` is None where nothing is said; `show` is a hint. `bound` says what `by` of the measure are, each the
    name of what the statement takes or a text in quotes.
    """

    name: str
    title: str
    measure: str | None
    formula: d.Text | None
    field: Parts
    days: Days
    total: str | None
    show: str | None
    bound: tuple[tuple[str, str], ...]
    place: Place

    @property
    def asked(self) -> Asked:
        """What is asked of the database: figures that ask the same are answered once."""
        return self.measure, self.days, self.bound


@frozen
class Picture:
    """The figures that a picture of a statement shows as bars and as lines."""

    bars: tuple[str, ...]
    lines: tuple[str, ...]


@frozen
class Statement:
    """A statement as declared."""

    name: str
    title: str
    doc: str
    takes: Mapping[str, d.Field]
    each: Records | Periods
    figures_as: str
    figures: tuple[Figure, ...]
    for_each: Records | None
    totals: bool
    check: d.Text | None
    picture: Picture | None
    place: Place

    @property
    def by_period(self) -> bool:
        return isinstance(self.each, Periods)


# --- building --------------------------------------------------------------------------------------------------------


def build_statement(source: d.Source) -> Statement:
    """The definition of a document whose schema was satisfied."""
    e = d.Element(source, (), source.body)
    return Statement(
        source.name,
        e.word("title", in_words(source.name)),
        e.word("doc"),
        {name: d.build_field(name, t) for name, t in e.pairs("takes")},
        _build_each(e.at("each")),
        e.word("figures_as", "columns"),
        tuple(_build_figure(f) for f in e.items("figures")),
        _build_records(e.at("for_each")) if e.has("for_each") else None,
        e.flag("totals"),
        e.text("check"),
        Picture(e.at("picture").words("bars"), e.at("picture").words("lines")) if e.has("picture") else None,
        e.place,
    )


def statement_of(library: Library, name: str) -> Statement | None:
    """The statement of that name, or None."""
    document = library.pack.find("statement", name)
    return None if document is None else build_statement(document)


def in_words(name: str) -> str:
    """A name as a heading: `trial_balance` is Trial balance."""
    return name.replace("_", " ").capitalize()


def _build_records(e: d.Element) -> Records:
    return Records(e.word("of"), e.text("where"), e.words("order"), e.word("empty") == "left_out", e.maybe("title"),
                   e.maybe("under"), e.place)  # fmt: skip


def _build_each(e: d.Element) -> Records | Periods:
    unit = next((unit for unit in UNITS if e.has(unit)), None)
    if unit is None:
        return _build_records(e)
    first, last = (d.dotted(day) for day in e.words(unit))
    return Periods(unit, first, last, e.word("empty") == "left_out", e.maybe("title"), e.place)


def _build_figure(e: d.Element) -> Figure:
    return Figure(e.word("name"), e.word("title"), e.maybe("measure"), e.text("formula"),
                  d.dotted(e.word("field")) if e.has("field") else (), _build_days(e),
                  e.maybe("total"), e.maybe("show"), tuple((n, t.text) for n, t in e.texts("with").items()),
                  e.place)  # fmt: skip


def _build_days(e: d.Element) -> Days:
    over, at = e.words("over"), e.word("at")
    if "column" in (*over, at):
        return Days("over_column" if over else "at_column")
    if over:
        return Days("over", tuple(d.dotted(day) for day in over))
    if at.startswith("before "):
        return Days("before", (d.dotted(at.removeprefix("before ")),))
    return Days("until", (d.dotted(at),)) if at else Days("all")


def telling_apart(types: Mapping[str, Type], record: str, taken: Collection[str], used: Collection[str]) -> list[str]:
    """The `by` of a measure that may tell the records of a type apart: there must be one for a line to be told.

    It is the `by` of the record type's name, else those that refer to it and are neither taken by their name nor used.
    """
    fitting = [n for n, t in types.items() if t.kind == "ref" and t.of == record and n not in used]
    return [record] if record in fitting else [n for n in fitting if n not in taken]
