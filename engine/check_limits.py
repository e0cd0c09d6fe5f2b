"""Checks limits: the line and what is claimed of it, the room with its kept measure, the level, what is written."""

from __future__ import annotations

from dataclasses import replace

from . import definitions as d
from .check_cells import check_cells
from .check_findings import Findings, mark, mark_key
from .check_formulas import check_currency, check_named
from .check_steps import check_steps, walk_steps
from .definitions import LEVELS, Element
from .expressions import Node, children, paths
from .model import NUMBER, Type
from .scopes import Names, limit_names, limited_by, measure_type, told_names

AMOUNTS = ("money", "number", "price", "whole")


def check_limits(f: Findings) -> None:
    for e in f.elements("limit"):
        limit, record = f.library.limit(e.source.name), f.record(e.at("of"))
        if limit is None or record is None:
            continue
        names = limit_names(f.library, record, limit)
        for event in e.items("at"):
            f.event(event, record)
        check_named(f, e, names)
        check_currency(f, [*e.pairs("let"), ("asks", e.at("asks"))], names)
        check_cells(f, e, names)
        _check_line(f, e, limit, names)
        amount = _check_claim(f, e, names)
        measure = _check_room(f, e, limit, names, amount)
        _check_level(f, e, names)
        _check_said(f, e, names, measure)
        for path in e.items("in_order"):
            f.path(path, Names(f.library, record))
        _check_written(f, e, names, measure)


def _check_line(f: Findings, e: Element, limit: d.Limit, names: Names) -> None:
    """The line is a record; where it may be none, it is said what holds then, and else that is not said."""
    type_ = f.expression(e.at("line"), replace(names, further={}))
    if type_.kind == "unknown":
        return
    if type_.kind != "ref":
        f.say("R202", f"`{e.word('line')}` is {type_.given()}, not a record", mark(e.at("line")))
    elif type_.optional and not e.has("without_line"):
        f.say("R203", f"`{e.word('line')}` may be none", mark(e.at("line")),
              "say what holds then: `without_line: allowed`, or `{error: …}`")  # fmt: skip
    elif not type_.optional and e.has("without_line"):
        f.say("R402", "there is always a line", mark_key(e.at("without_line")), "leave `without_line` out")
    if limit.without_line is not None:
        f.message(e.at("without_line").at("error"), names)


def _check_claim(f: Findings, e: Element, names: Names) -> Type | None:
    """What is asked and held are amounts that are there; what is asked is known where there is no line, too."""
    found = None
    for key in ("asks", "held"):
        if not e.has(key):
            continue
        type_ = f.expression(e.at(key), names)
        if type_.kind not in (*AMOUNTS, "unknown"):
            f.say("R202", f"`{e.word(key)}` is {type_.given()}, not an amount", mark(e.at(key)))
        elif type_.optional:
            f.say("R203", f"`{e.word(key)}` may be none", mark(e.at(key)), "say what is asked then: `default(…, 0)`")
        elif key == "asks" and type_.kind != "unknown":
            found = type_
    node = f.parsed(e.at("asks"))
    if node and e.has("without_line") and any(path.parts[0] in ("line", "held", "claim") for path in paths(node)):
        f.say("R203", "where there is no line, it must be known all the same what is asked", mark(e.at("asks")))
    return found


def _check_room(f: Findings, e: Element, limit: d.Limit, names: Names, amount: Type | None) -> d.Measure | None:
    """The room is what there is, less one kept measure; that is asked for all that its totals are told apart by."""
    room = e.at("room")
    type_ = f.expression(room, names)
    split = limited_by(limit)
    measure = f.library.measure(split[1].name) if split else None
    if split is None or measure is None or not measure.kept:
        f.say("R208", "the room says of which kept measure it is what is left", mark(room),
              "end it with `- MEASURE(line)`, a measure that says `kept: true`")  # fmt: skip
        return None
    if len(split[1].arguments) != len(measure.by):
        said = f"the total `{measure.name}` is kept by {', '.join(measure.by)}"
        f.say("R205", said, mark(room), "ask it for all of them")
    if any(getattr(node, "name", "") == measure.name for node in _within(split[0])):
        f.say("R202", f"`{measure.name}` stands twice in the room", mark(room))
    if type_.kind != "unknown" and type_.optional:
        f.say("R203", f"`{room.value}` may be none", mark(room), "say what holds then: `default(…, 0)`")
    of = f.library.record(measure.of)
    kept = measure_type(f.library, measure, of) if of else None
    if amount and kept and amount.kind != kept.kind:
        said = f"`{e.word('asks')}` is {amount}, but `{measure.name}` sums {kept}"
        f.say("R202", said, mark(e.at("asks")))
    return measure


def _within(node: Node) -> list[Node]:
    return [node, *(inner for each in children(node) for inner in _within(each))]


def _check_level(f: Findings, e: Element, names: Names) -> None:
    """The level is a choice, every one of which is known; the share from which on it warns is a number."""
    level = e.at("level")
    type_ = f.expression(level, names)
    if type_.kind not in ("choice", "text", "unknown") or (type_.kind == "text" and not type_.choices):
        f.say("R202", f"`{level.value}` is {type_.given()}, not one of {', '.join(LEVELS)}", mark(level))
    elif type_.optional:
        f.say("R203", f"`{level.value}` may be none", mark(level), "say what holds then: `default(…, 'allow')`")
    elif other := [choice for choice in type_.choices if choice not in LEVELS]:
        f.say("R202", f"`{other[0]}` is no level; there are {', '.join(LEVELS)}", mark(level))
    elif type_.choices and tuple(c for c in LEVELS if c in type_.choices) != type_.choices:
        said = f"levels are ordered, the most permissive first: {', '.join(c for c in LEVELS if c in type_.choices)}"
        f.say("R202", said, mark(level))
    if e.has("warn_from"):
        share = f.expression(e.at("warn_from"), names, NUMBER)
        if share.optional:
            f.say("R203", f"`{e.word('warn_from')}` may be none", mark(e.at("warn_from")))


def _check_said(f: Findings, e: Element, names: Names, measure: d.Measure | None) -> None:
    f.message(e.at("says"), told_names(f.library, names, measure) if measure else names)


def _check_written(f: Findings, e: Element, names: Names, measure: d.Measure | None) -> None:
    """What is claimed is written by creating what moves the measure, and by nothing else."""
    check_steps(f, e, names)
    made = set()
    for inner, _ in walk_steps(e):
        if inner.has("do"):
            continue
        if not inner.has("create"):
            verb = next(iter(key for key in ("set", "post", "reverse", "fire") if inner.has(key)), "this")
            f.say("R202", f"a limit does not `{verb}`", mark_key(inner.at(verb)), "it creates what moves its measure")
        made.add(inner.word("create"))
    if measure and e.has("do") and measure.of not in made:
        said = f"nothing here creates what `{measure.name}` sums: `{measure.of}`"
        f.say("R208", said, mark_key(e.at("do")))
