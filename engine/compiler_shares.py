"""Compiles how an amount is shared out: what is worked out of each part, and what is said of what is left. No I/O."""

from __future__ import annotations

from decimal import Decimal

from . import definitions as d
from . import programs as p
from .compiler_elements import Elements
from .errors import CharterFault
from .expression_types import check
from .expressions import Node, Path, parse
from .frames import Frame
from .model import MONEY, SCALES
from .money import unit
from .scopes import Names, part_names


def shared_out(frame: Frame, use: d.Use, share_out: d.ShareOut) -> p.Shared:
    """The operation of a use, made once; the amount may be handed over by whoever asks."""
    compiler, about = frame.compiler, frame.about(use.of)
    asked = (frame, use.inputs["amount"]) if "amount" in use.inputs else (about, share_out.amount)
    smallest = _smallest(about, share_out)
    amount = f"_to_scale({asked[0].source(asked[1])}, {smallest})"
    key = ("shared", share_out.name, about, amount)
    known = compiler.memo.get((*key, 0, False))
    if isinstance(known, p.Shared):
        compiler.widen(known)
        return known
    elements = _elements(about, share_out)
    places = _places(elements, share_out)
    each = elements.finished()
    operation = compiler.add(p.Shared, key, [amount, f"v[{each.index}]", smallest], use.place, share_out=share_out)
    operation.places = places
    text = share_out.refusal or d.Text("{left_over} of it nobody takes.", share_out.place)
    operation.refusal = compiler.message(Leftover(about, operation), text)
    return operation


def _smallest(about: Frame, share_out: d.ShareOut) -> str:
    """The source of the smallest amount that is shared out."""
    type_, _ = check(parse(share_out.amount.text), about.names)
    if type_.kind == MONEY.kind:
        return f"_units[{about.currency(None)}]"
    places = SCALES.get(type_.kind)
    return about.compiler.constants.constant(unit(places) if places else Decimal(1))


def _elements(about: Frame, share_out: d.ShareOut) -> Elements:
    if share_out.path:
        return Elements.of_list(about, share_out.path, share_out.place)
    names = part_names(about.library, share_out, about.names)
    if names is None or share_out.where is None:
        raise CharterFault(f"{share_out.place}: there is no record type `{share_out.parts_of}`.")
    name = f"the parts of {share_out.name}"
    find = d.Find(name, names.record.name, share_out.where, None, False, True, None, share_out.where.place)
    return Elements.of_found(about, find, share_out.order, names)


def _places(elements: Elements, share_out: d.ShareOut) -> dict[str, int]:
    """What is worked out of each part, and where it stands among its values."""
    inner = elements.frame
    found = {"part": inner.load(("id",))}
    paths = {"anew_for": share_out.anew_for, "together": share_out.together, "room_of": share_out.room_of}
    for name, path in paths.items():
        if path:
            found[name] = inner.load(path)
    texts = {
        "weight": share_out.weight, "room": share_out.room,
        "taken": share_out.taken, "rounding_to": share_out.rounding_to,
    }  # fmt: skip
    found |= {name: inner.source(text) for name, text in texts.items() if text}
    return {name: elements.kept(name, source) for name, source in found.items()}


class Leftover(Frame):
    """The names of the record that an amount is of, and `left_over`, for what is said where nobody takes that."""

    def __init__(self, about: Frame, operation: p.Shared) -> None:
        super().__init__(about.compiler, Names(about.library, about.names.record), {}, {})
        self.about_frame, self.operation = about, operation

    def said(self, node: Node) -> str:
        if isinstance(node, Path) and node.parts == ("left_over",):
            return f"_text(v[{self.operation.index}][1])"
        return self.about_frame.said(node)
