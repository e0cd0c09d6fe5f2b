"""What documents say of rules: decisions, parameters, formulas, measures, calendars, postings and processes."""

from __future__ import annotations

from collections.abc import Mapping

from .dates import WEEKDAYS
from .elements import Element, Source, Text, dotted
from .errors import Place
from .frozen import frozen
from .record_definitions import Cell, Field, build_cells, build_field
from .workflow_definitions import Requirement, Use, build_requirements, build_uses

# --- decisions and values --------------------------------------------------------------------------------------------


@frozen
class Row:
    """A row of a decision: conditions, answers, validity (both days inclusive, as ISO text or none)."""

    name: str
    cells: tuple[Cell, ...]
    then: Mapping[str, Text]
    since: str | None
    until: str | None
    place: Place


@frozen
class Decision:
    """A table from inputs to outputs. With `for_each` it is asked for each element of a list; `keep` is then the output
    by which the most permissive answer is told.
    """

    name: str
    doc: str
    of: str | None
    inputs: Mapping[str, Text]
    input_types: Mapping[str, Field]
    outputs: Mapping[str, Field]
    hit: str
    searches: Mapping[str, tuple[tuple[str, ...], ...]]
    chosen_by: str | None
    order: str | None
    rows: tuple[Row, ...]
    rows_of: str | None
    rows_where: Text | None
    rows_as: str | None
    otherwise: Mapping[str, Text] | None
    refusal: Text | None
    dated_by: Text | None
    for_each: tuple[str, ...] | None
    keep: str | None
    place: Place


def build_decision(source: Source) -> Decision:
    e = Element(source, (), source.body)
    rows = e.at("rows")
    by_record = isinstance(rows.value, dict)
    otherwise, for_each = e.at("otherwise"), e.maybe("for_each")
    searches, chosen_by = build_searches(e)
    typed = {n: build_field(n, i) for n, i in e.pairs("inputs") if isinstance(i.value, dict)}
    inputs = {n: (i.must("is") if i.has("is") else Text(n, i.place)) for n, i in e.pairs("inputs") if n in typed}
    return Decision(
        source.name,
        e.word("doc"),
        e.maybe("of"),
        {n: inputs.get(n) or e.at("inputs").must(n) for n, _ in e.pairs("inputs")},
        typed,
        {n: build_field(n, o) for n, o in e.pairs("outputs")},
        e.word("hit", "first"),
        searches,
        chosen_by,
        e.maybe("order"),
        () if by_record else tuple(build_row(i, r) for i, r in enumerate(e.items("rows"))),
        rows.maybe("of") if by_record else None,
        rows.text("where") if by_record else None,
        rows.maybe("as") if by_record else None,
        otherwise.source.body.get("otherwise") and e.texts("otherwise") if not otherwise.has("error") else None,
        otherwise.text("error"),
        e.text("dated_by"),
        dotted(for_each) if for_each else None,
        e.word("keep").rpartition(" ")[2] or None,
        e.place,
    )


def build_row(index: int, e: Element) -> Row:
    return Row(e.word("name", f"row {index + 1}"), build_cells(e), e.texts("then"), e.maybe("from"), e.maybe("until"),
               e.place)  # fmt: skip


def build_searches(e: Element) -> tuple[dict[str, tuple[tuple[str, ...], ...]], str | None]:
    search = e.at("search")
    if isinstance(search.value, dict):
        orders = {n: _key_sets(o) for n, o in e.pairs("search") if n != "chosen_by"}
        return orders, search.maybe("chosen_by")
    return ({"": _key_sets(search)} if search.value is not None else {}), None


def _key_sets(e: Element) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, keys)) for keys in e.value)


@frozen
class Parameter:
    """A dated value; `rows` are (from, until, value) as written."""

    name: str
    field: Field
    rows: tuple[tuple[str | None, str | None, str], ...]
    place: Place


def build_parameters(source: Source) -> dict[str, Parameter]:
    e = Element(source, (), source.body)
    return {
        name: Parameter(name, build_field(name, p),
                        tuple((r.maybe("from"), r.maybe("until"), r.word("value")) for r in p.items("rows")), p.place)
        for name, p in e.pairs("values")
    }  # fmt: skip


@frozen
class Formulas:
    name: str
    of: str
    steps: Mapping[str, Text]
    uses: tuple[Use, ...]
    chosen_by: str | None
    choices: Mapping[str, Mapping[str, Text]]
    place: Place


def build_formulas(source: Source) -> Formulas:
    e = Element(source, (), source.body)
    choices = {n: e.at("choices").texts(n) for n, _ in e.pairs("choices") if n != "by"}
    return Formulas(source.name, e.word("of"), e.texts("steps"), build_uses(e), e.at("choices").maybe("by"), choices,
                    e.place)  # fmt: skip


@frozen
class Measure:
    """An aggregate: `sum` of an expression over records of a type, or their count when it is none.

    With `kept` its totals stand in the store, moved by whatever moves them.
    """

    name: str
    doc: str
    of: str
    sum: Text | None
    where: Text | None
    by: Mapping[str, tuple[str, ...]]
    dated_by: str | None
    kept: bool
    place: Place


def build_measure(source: Source) -> Measure:
    e = Element(source, (), source.body)
    return Measure(source.name, e.word("doc"), e.word("of"), e.text("sum"), e.text("where"), _kept_apart(e),
                   e.maybe("dated_by"), e.flag("kept"), e.place)  # fmt: skip


def _kept_apart(e: Element) -> dict[str, tuple[str, ...]]:
    """The paths by which records are kept apart, by name."""
    if isinstance(e.at("by").value, dict):
        return {n: dotted(str(b.value)) for n, b in e.pairs("by")}
    return {n: (n,) for n in e.words("by")}


@frozen
class Calendar:
    """The days of the week on which work is done (from Monday, 0), and the records whose `day` is closed all the same.

    Closed days are kept apart `by`; a record that leaves one of these empty is closed for all of them.
    """

    name: str
    doc: str
    week: frozenset[int]
    of: str
    day: str
    where: Text | None
    by: Mapping[str, tuple[str, ...]]
    place: Place


def build_calendar(source: Source) -> Calendar:
    e = Element(source, (), source.body)
    week = frozenset(WEEKDAYS.index(day) for day in e.words("week"))
    closed = e.at("closed")
    return Calendar(source.name, e.word("doc"), week, closed.word("of"), closed.word("day"), closed.text("where"),
                    _kept_apart(closed), e.place)  # fmt: skip


@frozen
class ShareOut:
    """An amount divided over parts in order, which are a record's children (`path`) or records looked for (`of`).

    With `kept` parts of one group (`together`, else all) are filled in the ratio of their weights, else one by one.
    Parts that differ in `anew_for` take of the whole amount each, whatever the others take.
    """

    name: str
    doc: str
    source: str
    of: str
    amount: Text
    path: tuple[str, ...] | None
    parts_of: str | None
    where: Text | None
    order: tuple[tuple[str, ...], ...]
    anew_for: tuple[str, ...] | None
    together: tuple[str, ...] | None
    weight: Text | None
    room: Text | None
    room_of: tuple[str, ...] | None
    taken: Text | None
    kept: bool
    rounding_to: Text | None
    left_over: str
    refusal: Text | None
    place: Place


def build_share_out(source: Source) -> ShareOut:
    e = Element(source, (), source.body)
    parts, anew_for, together, room_of = e.at("parts"), e.maybe("anew_for"), e.maybe("together"), e.maybe("room_of")
    looked_for = isinstance(parts.value, dict)
    return ShareOut(
        source.name,
        e.word("doc"),
        e.word("source"),
        e.word("of"),
        e.must("amount"),
        None if looked_for else dotted(e.word("parts")),
        parts.maybe("of") if looked_for else None,
        parts.must("where") if looked_for else None,
        tuple(dotted(word) for word in parts.words("order")) if looked_for else (),
        dotted(anew_for) if anew_for else None,
        dotted(together) if together else None,
        e.text("weight"),
        e.text("room"),
        dotted(room_of) if room_of else None,
        e.text("taken"),
        e.word("ratio") == "kept",
        e.text("rounding_to"),
        "error" if e.at("left_over").has("error") else e.word("left_over"),
        e.at("left_over").text("error"),
        e.place,
    )


# --- postings and processes ------------------------------------------------------------------------------------------


@frozen
class Entry:
    """One line of a posting row: `debit` or `credit` an account key; an amount made of names added and subtracted.

    `account_by` hands inputs to the account decision that it would else read by their names.
    """

    side: str
    key: str
    amount: Text
    dimensions: Mapping[str, Text]
    account_by: Mapping[str, Text]
    place: Place


@frozen
class PostingRow:
    name: str
    doc: str
    cells: tuple[Cell, ...]
    for_each: tuple[str, ...] | None
    uses: tuple[Use, ...]
    lets: Mapping[str, Text]
    dimensions: Mapping[str, Text]
    account_by: Mapping[str, Text]
    requirements: tuple[Requirement, ...]
    entries: tuple[Entry, ...]
    place: Place


@frozen
class Posting:
    name: str
    doc: str
    source: str
    of: str
    series: str
    date: Text
    company: Text
    currency: Text
    dimensions: Mapping[str, Text]
    account_by: Mapping[str, Text]
    uses: tuple[Use, ...]
    lets: Mapping[str, Text]
    rows: tuple[PostingRow, ...]
    refusal: Text | None
    place: Place


def build_posting(source: Source) -> Posting:
    e = Element(source, (), source.body)
    head = e.at("voucher")
    return Posting(
        source.name,
        e.word("doc"),
        e.word("source"),
        e.word("of"),
        head.word("series"),
        head.must("date"),
        head.must("company"),
        head.must("currency"),
        head.texts("dimensions"),
        e.texts("account_by"),
        build_uses(e),
        e.texts("let"),
        tuple(build_posting_row(i, r) for i, r in enumerate(e.items("rows"))),
        e.at("otherwise").text("error"),
        e.place,
    )


def build_posting_row(index: int, e: Element) -> PostingRow:
    for_each = e.maybe("for_each")
    return PostingRow(
        e.word("name", f"row {index + 1}"),
        e.word("doc"),
        build_cells(e),
        dotted(for_each) if for_each else None,
        build_uses(e),
        e.texts("let"),
        e.texts("dimensions"),
        e.texts("account_by"),
        build_requirements(e, "require"),
        tuple(build_entry(x) for x in e.items("entries")),
        e.place,
    )


def build_entry(e: Element) -> Entry:
    side = "debit" if e.has("debit") else "credit"
    return Entry(side, e.word(side), e.must("amount"), e.texts("dimensions"), e.texts("account_by"), e.place)


@frozen
class Process:
    name: str
    doc: str
    takes: Mapping[str, Field]
    of: str
    where: Text | None
    order: tuple[str, ...]
    one_per: str | None
    event: str
    values: Mapping[str, Text]
    chunk: int
    stops: bool
    place: Place


def build_process(source: Source) -> Process:
    e = Element(source, (), source.body)
    select = e.at("select")
    takes = {n: build_field(n, t) for n, t in e.pairs("takes")}
    return Process(
        source.name,
        e.word("doc"),
        takes,
        select.word("of"),
        select.text("where"),
        select.words("order"),
        select.word("one_per") or None,
        e.word("fire"),
        e.texts("with"),
        int(e.word("chunk", "1000")),
        e.word("refused") == "stop",
        e.place,
    )
