"""The cells of a `when`: their constants typed, and the Python source that asks them. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from . import definitions as d
from .model import Type
from .money import parse

Constant = str | int | bool | Decimal | date
SIGNS = {"above": ">", "at_least": ">=", "below": "<", "at_most": "<="}


def constant(text: str, type_: Type) -> Constant:
    """The value that a constant of a cell or row stands for; raises ValueError saying what would be accepted.

    A reference is compared by its key and stays text.
    """
    if type_.kind == "whole":
        try:
            return int(text)
        except ValueError:
            raise ValueError(f"`{text}` is not a whole number") from None
    if type_.is_numeric:
        return parse(text)
    if type_.kind == "date":
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise ValueError(f"`{text}` is not a date; write it as 2026-03-31") from None
    if type_.kind == "yes_or_no":
        if text not in ("true", "false"):
            raise ValueError(f"`{text}` is neither true nor false")
        return text == "true"
    if type_.kind == "choice" and text not in type_.choices:
        raise ValueError(f"`{text}` is not one of {', '.join(type_.choices)}")
    return text


def cell_source(cell: d.Cell, loaded: str, type_: Type, bind: Callable[[Constant], str]) -> str:
    """The Python source that asks one cell of the value read by the source `loaded`."""
    if cell.empty is not None:
        return f"({loaded} is None)" if cell.empty else f"({loaded} is not None)"
    if cell.values:
        values = [bind(constant(v, type_)) for v in cell.values]
        return f"({loaded} == {values[0]})" if len(values) == 1 else f"({loaded} in ({', '.join(values)}))"
    if type_.kind == "choice":
        rank = f"{type_.choices!r}.index({loaded})"
        bounds = [f"{rank} {SIGNS[b]} {type_.choices.index(v)}" for b, v in cell.bounds]
    else:
        bounds = [f"{loaded} {SIGNS[b]} {bind(constant(v, type_))}" for b, v in cell.bounds]
    return f"({loaded} is not None and {' and '.join(bounds)})" if bounds else "True"


def joined(sources: list[str]) -> str:
    """All of these conditions; none of them is no condition."""
    return " and ".join(sources) if sources else ""
