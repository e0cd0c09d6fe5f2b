"""Checks what is run over many records: processes and statements."""

from __future__ import annotations

from collections.abc import Mapping

from . import definitions as d
from .check_findings import Findings, mark, mark_key
from .check_steps import check_taken
from .definitions import Element
from .expressions import Call, Constant, Path, walk
from .library import Library
from .model import Type
from .scopes import GROUP, NO_RECORD, Names, measure_type
from .statement_definitions import UNITS, telling_apart
from .type_relations import UNKNOWN


class Taken(Names):
    """The values that a process or statement takes; `this` is the process or statement."""

    def __init__(self, library: Library, takes: Mapping[str, d.Field]) -> None:
        super().__init__(library, NO_RECORD, taken=takes)

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        if path[0] == "this" and len(path) > 1:
            return super().type_of(path[1:]) if path[1] in self.taken else None
        return GROUP if path == ("this",) else super().type_of(path)

    def names(self, path: tuple[str, ...]) -> list[str]:
        return list(self.taken) if path in ((), ("this",)) else super().names(path)


def takes_of(f: Findings, e: Element) -> dict[str, d.Field]:
    f.fields(e, "takes", looked_up=True)
    return {name: d.build_field(name, inner) for name, inner in e.pairs("takes")}


# --- processes ---


def check_processes(f: Findings) -> None:
    for e in f.elements("process"):
        takes = takes_of(f, e)
        select = e.at("select")
        record = f.record(select.at("of"))
        if record is None:
            continue
        if select.has("where"):
            f.filter(select.at("where"), record, Taken(f.library, takes))
        _check_order(f, select, record)
        fired_on = _fired_on(f, select, record)
        transitions = f.event(e.at("fire"), fired_on) if fired_on else None
        if fired_on and transitions:
            check_taken(f, e, fired_on, transitions, Names(f.library, record, taken=takes))


def _fired_on(f: Findings, e: Element, record: d.Record) -> d.Record | None:
    """The records that the event is fired on: those selected, or what they reach by a path."""
    if not e.has("one_per"):
        return record
    type_ = f.path_to(e.at("one_per"), Names(f.library, record), "a reference", "ref")
    return f.library.record(type_.of) if type_ else None


def _check_order(f: Findings, e: Element, record: d.Record) -> None:
    for name in e.items("order"):
        f.path(name, Names(f.library, record))


# --- statements ---


def check_statements(f: Findings) -> None:
    for e in f.elements("statement"):
        taken = Taken(f.library, takes_of(f, e))
        for part in (e.at("each"), e.at("for_each")):
            _check_rows(f, part, taken)
        figures = _figures(f, e, taken)
        f.circles({name: [inner] for name, inner in _formulas(e).items()}, figures)
        for figure in e.items("figures"):
            _check_figure(f, figure, e, taken, figures)
        if e.has("check"):
            f.condition(e.at("check"), figures)
        _check_picture(f, e, figures)


def _check_rows(f: Findings, e: Element, taken: Taken) -> None:
    for day in (day for unit in UNITS for day in e.items(unit)):
        f.path_to(day, taken, "a date", "date")
    record = f.record(e.at("of"))
    if record is not None:
        if e.has("where"):
            f.filter(e.at("where"), record, taken, along=True)
        _check_order(f, e, record)
        if e.has("under"):
            f.path_to(
                e.at("under"), Names(f.library, record), f"a reference to another {record.name}", "ref", of=record.name
            )


def _formulas(e: Element) -> dict[str, Element]:
    return {x.word("name"): x.at("formula") for x in e.items("figures") if x.has("formula")}


def _figures(f: Findings, e: Element, taken: Taken) -> Names:
    """The scope of formulas: the figures, each with its type, and what the statement takes."""
    types: dict[str, Type] = {}
    for figure in e.items("figures"):
        measure = f.library.measure(figure.word("measure"))
        of = f.library.record(measure.of) if measure else None
        if figure.word("name") in types:
            f.say("R209", f"two figures are named `{figure.word('name')}`", mark(figure.at("name")))
        if figure.word("name") in taken.taken:
            f.say("R209", f"`{figure.word('name')}` is taken by that name already", mark(figure.at("name")))
        types[figure.word("name")] = measure_type(f.library, measure, of) if measure and of else UNKNOWN
        if figure.has("field"):
            types[figure.word("name")] = _field_type(f, figure, e)
    lets = {name: d.Text(str(inner.value), inner.place) for name, inner in _formulas(e).items()}
    return Names(f.library, NO_RECORD, taken=taken.taken, lets=lets, further=types)


def _field_type(f: Findings, figure: Element, statement: Element) -> Type:
    """The type of a figure that is a field of the line's record; money belongs to measures, which know its currency."""
    record = f.library.record(statement.at("each").word("of"))
    if record is None:
        return UNKNOWN
    kinds = ("date", "text", "choice", "number", "whole", "yes_or_no")
    return f.path_to(figure.at("field"), Names(f.library, record), "a date, text, choice or number", *kinds) or UNKNOWN


def _check_figure(f: Findings, e: Element, statement: Element, taken: Taken, figures: Names) -> None:
    if e.has("formula"):
        f.expression(e.at("formula"), figures)
        _check_functions(f, e.at("formula"))
        return
    if e.has("field"):
        if _by_period(statement):
            f.say("R208", "a month or week has no fields", mark_key(e.at("field")))
        return
    measure = f.library.measure(e.word("measure"))
    if measure is None:
        if not f.pack.find("measure", e.word("measure")):
            f.unknown("measure", e.word("measure"), mark(e.at("measure")), f.names_of("measure"))
        return
    by_column = _by_period(statement)
    for key in ("over", "at"):
        if e.has(key):
            _check_days(f, e.at(key), taken, by_column)
    _check_binding(f, e, statement, taken, measure)
    if (e.has("over") or e.has("at")) and measure.dated_by is None:
        said = f"the measure `{measure.name}` has no date"
        f.say("R208", said, mark_key(e.at("over" if e.has("over") else "at")), "say `dated_by` in the measure")


def _check_picture(f: Findings, e: Element, figures: Names) -> None:
    """Bars and lines are figures that are numbers."""
    known = [figure.word("name") for figure in e.items("figures")]
    for name in (name for shape in ("bars", "lines") for name in e.at("picture").items(shape)):
        if name.value not in known:
            f.unknown("figure", str(name.value), mark(name), known)
            continue
        found = figures.type_of((str(name.value),)) or UNKNOWN
        if not found.is_numeric and found.kind != "unknown":
            f.say("R202", f"`{name.value}` is {found}; a picture shows numbers", mark(name))


def _by_period(statement: Element) -> bool:
    return any(statement.at("each").has(unit) for unit in UNITS)


def _check_functions(f: Findings, e: Element) -> None:
    """A formula has the figures of its line; it asks nothing of the store."""
    node = f.parsed(e)
    for call in (n for n in walk(node) if isinstance(n, Call)) if node else ():
        if f.library.measure(call.name):
            f.say("R210", f"`{call.name}` is a measure", mark(e), "name it in a figure of its own")
        if f.library.calendar(call.name):
            f.say("R210", f"`{call.name}` is a calendar, which a statement does not read", mark(e),
                  "work the day out where an event sets it, and name that field")  # fmt: skip


def _check_binding(f: Findings, e: Element, statement: Element, taken: Taken, measure: d.Measure) -> None:
    """The measure can be told for each record that lines and tables stand for, and for what is given by its names."""
    start = Type("ref", of=measure.of)
    types = {n: f.library.along(start, path) or UNKNOWN for n, path in measure.by.items()}
    used = _check_bound(f, e, taken, measure, types)
    for part in (statement.at("each"), statement.at("for_each")):
        if not part.has("of"):
            continue
        record = part.word("of")
        fitting = telling_apart(types, record, taken.taken, used)
        used += fitting[:1]
        if len(fitting) != 1:
            is_by = f"could be by {' or '.join(fitting)}" if fitting else f"is by {', '.join(types) or 'nothing'}"
            said = f"the measure `{measure.name}` {is_by}, so it cannot be told for each {record}"
            f.say("R208", said, mark(e.at("measure")), f"name one of its `by` {record}")
    for name, type_ in types.items():
        given = taken.taken[name].type if name in taken.taken and name not in used else type_
        if (given.kind, given.of) != (type_.kind, type_.of) and {given.kind, type_.kind} != {"text", "choice"}:
            said = f"`{name}` of the measure `{measure.name}` is {type_.given()}, what is taken is {given.given()}"
            f.say("R202", said, mark(e.at("measure")))


def _check_bound(f: Findings, e: Element, taken: Taken, measure: d.Measure, types: Mapping[str, Type]) -> list[str]:
    """The `by` of the measure that the figure says itself: of what the statement takes, or a constant."""
    for name, value in e.pairs("with"):
        if name not in types:
            f.unknown("`by` of the measure", name, mark_key(value), list(types))
            continue
        node = f.parsed(value)
        if node is not None and not isinstance(node, Path | Constant):
            said = f"`{value.value}` is worked out"
            f.say("R202", said, mark(value), "name what the statement takes, or a text in quotes")
        else:
            f.expression(value, taken, types[name])
    return [name for name, _ in e.pairs("with") if name in types]


def _check_days(f: Findings, e: Element, taken: Taken, by_column: bool) -> None:
    if e.value == "column":
        if not by_column:
            f.say("R208", "there are no months or weeks here", mark(e), "say `each: {month: [from, until]}`")
        return
    for day in _days(e):
        f.path_to(day, taken, "a date", "date")


def _days(e: Element) -> list[Element]:
    if isinstance(e.value, list):
        return [e.at(index) for index in range(len(e.value))]
    return [Element(e.source, e.path, str(e.value).removeprefix("before "))]
