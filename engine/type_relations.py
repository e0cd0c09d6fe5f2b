"""Which types stand for each other: where a value may be put, and which type two values have together."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from .expressions import Binary, Call, Conditional, Constant, Node, Unary, Value, children
from .model import DATE, NONE, NUMBER, TEXT, WHOLE, YES_OR_NO, Type

UNKNOWN = Type("unknown")  # of what has an error already, so that one mistake is told once
ORDERED = frozenset({"number", "whole", "money", "price", "text", "choice", "date", "time"})
NUMBERS = frozenset({"number", "whole"})
AMOUNTS = frozenset({"money", "price"})


def accepts(wanted: Type, given: Type, plain: bool = False) -> bool:
    """Whether a value of type `given` can be put where `wanted` is; `plain` says it is made of written numbers only.

    Money and price stand for each other here: a price times a quantity becomes money where it is named.
    """
    if given.kind == "unknown":
        return True
    if given.kind == "none" or given.optional:
        return wanted.optional and (given.kind == "none" or accepts(wanted, given.given(), plain))
    match wanted.kind:
        case "number":
            return given.kind in NUMBERS
        case "money" | "price":
            return given.kind in AMOUNTS or (plain and given.kind in NUMBERS)
        case "text":
            return given.kind in ("text", "choice")
        case "choice":
            return bool(given.choices) and set(given.choices) <= set(wanted.choices)
        case "ref":
            return given.kind == "ref" and given.of == wanted.of
        case "list" | "group":
            return given == wanted.given()
    return given.kind == wanted.kind


def together(left: Type, right: Type, left_plain: bool = False, right_plain: bool = False) -> Type | None:
    """The one type of two values that may stand for each other; None where there is none."""
    if left.kind in ("none", "unknown"):
        return right.or_none() if left.kind == "none" else left
    if right.kind in ("none", "unknown"):
        return left.or_none() if right.kind == "none" else right
    found = _both(left.given(), right.given(), left_plain, right_plain)
    return found.or_none() if found and (left.optional or right.optional) else found


def _both(left: Type, right: Type, left_plain: bool, right_plain: bool) -> Type | None:
    kinds = {left.kind, right.kind}
    if kinds == {"text"}:
        known = tuple(dict.fromkeys(left.choices + right.choices)) if left.choices and right.choices else ()
        return Type("text", choices=known)
    if kinds == {"text", "choice"}:
        choice, text = (left, right) if left.kind == "choice" else (right, left)
        if not text.choices:
            return TEXT
        return choice if set(text.choices) <= set(choice.choices) else None
    if left == right and left.kind not in ("list", "group"):
        return left
    if kinds <= NUMBERS:
        return NUMBER
    if left_plain and left.kind in NUMBERS and right.kind in AMOUNTS:
        return right
    return left if right_plain and right.kind in NUMBERS and left.kind in AMOUNTS else None


def constant_type(value: Value) -> Type:
    """The type of a value written out."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return YES_OR_NO
    if isinstance(value, str):
        return Type("text", choices=(value,))
    if isinstance(value, date):
        return DATE
    return NUMBER if isinstance(value, Decimal) else WHOLE


def is_plain(node: Node) -> bool:
    """Whether a number is made of written numbers (or none) only; such a number may meet any amount."""
    match node:
        case Constant():
            return node.value is None or (isinstance(node.value, int | Decimal) and not isinstance(node.value, bool))
        case Unary() | Binary():
            return node.operator in ("-", "+", "*", "/") and all(map(is_plain, children(node)))
        case Conditional():
            return is_plain(node.then) and is_plain(node.otherwise)
        case Call():
            return bool(node.arguments) and node.name in _KEEPS_KIND and all(map(is_plain, node.arguments))
    return False


_KEEPS_KIND = frozenset({"min", "max", "abs", "round", "default"})


# --- arithmetic ------------------------------------------------------------------------------------------------------


def product(left: str, right: str) -> str | None:
    """Amounts are multiplied by numbers only; a price times a number is the money that so many cost."""
    if left in NUMBERS and right in NUMBERS:
        return "whole" if left == right == "whole" else "number"
    amounts = {left, right} & AMOUNTS
    return "money" if amounts and {left, right} & NUMBERS else None


def quotient(left: str, right: str) -> str | None:
    """An amount by a number is an amount; an amount by one of its kind is a ratio."""
    if right in NUMBERS:
        return left if left in AMOUNTS else "number"
    return "number" if left == right else None
