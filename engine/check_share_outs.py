"""Checks how amounts are shared out: the amount, the parts, and what each of them takes and has room for."""

from __future__ import annotations

from . import definitions as d
from .check_findings import Findings, list_elements, mark, mark_key
from .definitions import Element
from .model import YES_OR_NO, Type
from .scopes import NO_RECORD, ElementNames, Inner, Names, part_names
from .type_relations import UNKNOWN

AMOUNTS = ("money", "number", "price", "whole")


def check_share_outs(f: Findings) -> None:
    for e in f.elements("share_out"):
        share_out, record = f.library.share_out(e.source.name), f.record(e.at("of"))
        if share_out is None or record is None:
            continue
        names = Names(f.library, record)
        amount = _amount(f, e.at("amount"), names)
        parts = _parts(f, e, share_out, names)
        left_over = {"left_over": amount if amount.kind != "unknown" else UNKNOWN}
        f.message(e.at("left_over").at("error"), Names(f.library, record, further=left_over))
        _check_ratio(f, e, share_out)
        if parts is not None:
            _check_part(f, e, parts)


def _amount(f: Findings, e: Element, names: Names) -> Type:
    type_ = f.expression(e, names)
    if type_.kind in (*AMOUNTS, "unknown") and not type_.optional:
        return type_
    if type_.optional:
        f.say("R203", f"`{e.value}` may be none", mark(e), "say what is shared out then")
    else:
        f.say("R202", f"`{e.value}` is {type_.given()}, which is not shared out", mark(e))
    return UNKNOWN


def _parts(f: Findings, e: Element, share_out: d.ShareOut, names: Names) -> ElementNames | None:
    parts = e.at("parts")
    if share_out.path:
        found = list_elements(f, parts, names)
        if found is not None and found.record is NO_RECORD:
            f.say("R202", f"`{parts.value}` are no records", mark(parts))
            return None
        return found
    found = part_names(f.library, share_out, names)
    if f.record(parts.at("of")) is None or found is None:
        return None
    looked = Names(f.library, found.record)
    f.condition(parts.at("where"), Inner(looked, names))
    for path in parts.items("order"):
        f.path(path, looked)
    return found


def _check_ratio(f: Findings, e: Element, share_out: d.ShareOut) -> None:
    """A ratio is that of weights; without one the parts are filled one by one, and have room for only so much."""
    if share_out.kept and share_out.weight is None:
        f.say("R208", "a ratio that is kept is that of a `weight`", mark(e.at("ratio")))
    for key in ("weight", "together", "rounding_to") if not share_out.kept else ():
        if e.has(key):
            f.say("R202", f"parts that are filled in turn have no `{key}`", mark_key(e.at(key)), "`ratio: kept` has")
    if not share_out.kept and share_out.room is None:
        f.say(
            "R208",
            "the first part would take everything: parts that are filled in turn have `room`",
            mark(e.at("ratio")),
        )
    if share_out.anew_for and share_out.left_over != "ignored":
        f.say("R202", "what is shared out anew leaves something over each time, not once", mark(e.at("left_over")),
              "`left_over: ignored`")  # fmt: skip
    if share_out.room_of and share_out.room is None:
        f.say("R208", "`room_of` says what a `room` is the room of", mark_key(e.at("room_of")))
    if share_out.taken and share_out.room is None:
        f.say("R208", "`taken` gives back what took `room`; without that an amount below zero mirrors one above",
              mark_key(e.at("taken")))  # fmt: skip


def _check_part(f: Findings, e: Element, parts: ElementNames) -> None:
    for key in ("anew_for", "together", "room_of"):
        if e.has(key):
            f.path(e.at(key), parts)
    for key in ("weight", "room", "taken"):
        if e.has(key):
            type_ = f.expression(e.at(key), parts)
            if type_.kind not in (*AMOUNTS, "unknown"):
                f.say("R202", f"`{e.word(key)}` is {type_.given()}, not a number", mark(e.at(key)))
            elif type_.optional and key != "room":
                f.say(
                    "R203",
                    f"`{e.word(key)}` may be none",
                    mark(e.at(key)),
                    "say in it what holds then: `default(…, 0)`",
                )
    if e.has("rounding_to"):
        f.expression(e.at("rounding_to"), parts, YES_OR_NO)
