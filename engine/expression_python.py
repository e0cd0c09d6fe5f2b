"""Python source of an expression, from our own checked tree only, and functions compiled from it.

Plain operators wherever one will do: a guard is asked a million times. The decimal context is the caller's, who
evaluates within `decimal.localcontext(money.EXACT)`; nothing is set globally.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, DecimalException
from typing import Any, Protocol

from .dates import (
    add_days,
    add_months,
    add_workdays,
    days_between,
    is_workday,
    month_end,
    month_start,
    quarter_start,
    week_start,
    workday,
    workdays_between,
)
from .errors import DivisionByZero, OutOfRange
from .expression_scopes import AGGREGATES, split_list
from .expressions import Binary, Call, Conditional, Constant, In, IsNone, Node, Path, Unary, Value, chain
from .frozen import frozen
from .model import Parts, Type
from .money import EXACT, rounded, shown


class Code(Protocol):
    """How the names of an expression are read where it runs; source is given as text, evaluated any number of times.

    `this` in an element is seen to here, and every name made here begins with `_`.
    """

    def load(self, path: Parts) -> str:
        """The source of a path's value, such as `v[3]`."""

    def constant(self, value: Value) -> str:
        """The source of a constant, such as a bound name; see Constants."""

    def call(self, node: Call) -> str | None:
        """The source of a function that the caller knows; None for the fixed ones."""

    def inner(self, path: Parts, variable: str) -> Code:
        """How the fields of an element are read, the element standing in `variable`."""

    def list_source(self, path: Parts) -> str:
        """The source of a list's elements, something with a length."""

    def type_of(self, path: Parts) -> Type | None:
        """As the scope that the expression was checked in says."""


def python_source(node: Node, code: Code) -> str:
    """The source of a checked expression; `default` uses the name `_given`, elements `_e1` and so on."""
    return _source(node, code, 1)


def compile_function(
    source: str, arguments: Sequence[str] = (), names: Mapping[str, object] | None = None
) -> Callable[..., Any]:
    """Make a function of an expression's source; it sees its arguments, `names` and nothing else."""
    compiled = compile(f"lambda {', '.join(arguments)}: {source}", "<expression>", "eval")
    function: Callable[..., Any] = eval(compiled, {"__builtins__": {}, **FUNCTIONS, **(names or {})})
    return function


@dataclass(slots=True)
class Constants:
    """Binds the constants that Python cannot write exactly to names, each once."""

    names: dict[str, object] = field(default_factory=dict)
    prefix: str = "_k"

    def constant(self, value: Value) -> str:
        """The source of a constant: itself, or a name in `names`."""
        if value is None or isinstance(value, bool | int | str):
            return repr(value)
        known = next((name for name, bound in self.names.items() if repr(bound) == repr(value)), None)
        if known is None:
            known = f"{self.prefix}{len(self.names)}"
            self.names[known] = value
        return known


def divide(left: Decimal | int, right: Decimal | int) -> Decimal:
    """Divide to 50 digits, never to a float; raises DivisionByZero."""
    if not right:
        raise DivisionByZero
    return EXACT.divide(Decimal(left), Decimal(right))


def negative(value: int | Decimal) -> int | Decimal:
    """Change the sign; Python's own minus would round a Decimal to the context."""
    return value.copy_negate() if isinstance(value, Decimal) else -value


def round_half_up(value: Decimal | int, places: int) -> Decimal | int:
    """Round half away from zero; a whole number stays one. Raises OutOfRange."""
    try:
        result = rounded(Decimal(value), places)
    except (DecimalException, ValueError, OverflowError):
        raise OutOfRange(f"{shown(value)} cannot be rounded to {places} digits") from None
    return int(result) if isinstance(value, int) else result


def whole(value: Decimal | int) -> int:
    """Round half away from zero to a whole number; raises OutOfRange."""
    return int(round_half_up(value, 0))


def as_text(value: Value) -> str:
    """Write a value as a person would in a message."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return shown(value)
    return "none" if value is None else str(value)


# What generated source may call; the names cannot be written in an expression.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_abs": abs,
    "_add_days": add_days,
    "_add_months": add_months,
    "_add_workdays": add_workdays,
    "_all": all,
    "_any": any,
    "_days_between": days_between,
    "_divide": divide,
    "_is_workday": is_workday,
    "_length": len,
    "_max": max,
    "_min": min,
    "_month_end": month_end,
    "_month_start": month_start,
    "_quarter_start": quarter_start,
    "_round": round_half_up,
    "_sum": sum,
    "_text": as_text,
    "_week_start": week_start,
    "_whole": whole,
    "_workday": workday,
    "_workdays_between": workdays_between,
}

_ATTRIBUTES = {"year", "month"}  # of a date
_ORDERINGS = {"<", "<=", ">", ">="}


@frozen
class _Element:
    """The code within an aggregate: `this` leads one level out."""

    element: Code
    outer: Code

    def load(self, path: Parts) -> str:
        return self.outer.load(path[1:] or path) if path[0] == "this" else self.element.load(path)

    def constant(self, value: Value) -> str:
        return self.outer.constant(value)

    def call(self, node: Call) -> str | None:
        return self.element.call(node)

    def inner(self, path: Parts, variable: str) -> Code:
        if path[0] == "this":
            return self.outer.inner(path[1:], variable)
        return self.element.inner(path, variable)

    def list_source(self, path: Parts) -> str:
        return self.outer.list_source(path[1:]) if path[0] == "this" else self.element.list_source(path)

    def type_of(self, path: Parts) -> Type | None:
        return self.outer.type_of(path[1:] or path) if path[0] == "this" else self.element.type_of(path)


def _source(node: Node, code: Code, depth: int) -> str:
    match node:
        case Constant():
            return code.constant(node.value)
        case Path():
            return code.load(node.parts)
        case Unary(operator="-", operand=Constant(value=int() | Decimal() as value)):
            return code.constant(negative(value))
        case Unary():
            return f"({node.operator} {_source(node.operand, code, depth)})"
        case Binary():
            return _binary(node, code, depth)
        case In():
            options = "".join(f"{_source(option, code, depth)}, " for option in node.options)
            return f"({_source(node.operand, code, depth)} {'not in' if node.negated else 'in'} ({options}))"
        case IsNone():
            return f"({_source(node.operand, code, depth)} {'is not' if node.negated else 'is'} None)"
        case Conditional():
            then, condition = _source(node.then, code, depth), _source(node.condition, code, depth)
            return f"({then} if {condition} else {_source(node.otherwise, code, depth)})"
        case Call():
            return _call(node, code, depth)


def _binary(node: Binary, code: Code, depth: int) -> str:
    node = _divided_last(node)
    if node.operator in ("and", "or"):
        return f"({f' {node.operator} '.join(_source(each, code, depth) for each in chain(node))})"
    if node.operator in _ORDERINGS and (choices := _choices(node.left, code) or _choices(node.right, code)):
        left, right = (_rank(side, choices, code, depth) for side in (node.left, node.right))
    else:
        left, right = _source(node.left, code, depth), _source(node.right, code, depth)
    if node.operator == "/":
        return f"_divide({left}, {right})"
    return f"({left} {node.operator} {right})"


def _divided_last(node: Binary) -> Binary:
    """x * (y / z) as (x * y) / z, so that no share is rounded, to however many digits, before it is multiplied."""
    for quotient, factor in ((node.right, node.left), (node.left, node.right)):
        if node.operator == "*" and isinstance(quotient, Binary) and quotient.operator == "/":
            return replace(quotient, left=replace(node, left=factor, right=quotient.left))
    return node


def _rank(node: Node, choices: tuple[str, ...], code: Code, depth: int) -> str:
    """A choice's place in its list."""
    if isinstance(node, Constant) and isinstance(node.value, str):
        return str(choices.index(node.value))
    return f"{choices!r}.index({_source(node, code, depth)})"


def _choices(node: Node, code: Code) -> tuple[str, ...]:
    """The list that orders an operand, empty where it is no choice."""
    match node:
        case Path():
            found = code.type_of(node.parts)
            return found.choices if found is not None and found.kind == "choice" else ()
        case Conditional():
            return _choices(node.then, code) or _choices(node.otherwise, code)
        case Call(name="min" | "max" | "default"):
            if (listed := _listed(node, code, 0)) and listed.asked is not None:
                return _choices(listed.asked, listed.code)
            return next(filter(None, (_choices(each, code) for each in node.arguments)), ())
    return ()


def _call(node: Call, code: Code, depth: int) -> str:
    own = code.call(node)
    if own is not None:
        return own
    if node.name in AGGREGATES and (listed := _listed(node, code, depth)):
        return _aggregate(node.name, listed, depth, _choices(node, code))
    arguments = [_source(argument, code, depth) for argument in node.arguments]
    if node.name in _ATTRIBUTES:
        return f"({arguments[0]}).{node.name}"
    if node.name == "default":
        # The first argument is evaluated once, the second only where it is needed: it may divide.
        return f"(_given if (_given := {arguments[0]}) is not None else {arguments[1]})"
    if node.name in ("min", "max") and (choices := _choices(node, code)):
        arguments.append(f"key={choices!r}.index")
    return f"_{node.name}({', '.join(arguments)})"


@frozen
class _Listed:
    """An aggregate taken apart: its list, what is asked of each element, and the code that reads an element."""

    source: str
    asked: Node | None
    code: Code


def _listed(node: Call, code: Code, depth: int) -> _Listed | None:
    first = node.arguments[0] if node.arguments else None
    split = split_list(first.parts, code.type_of) if isinstance(first, Path) else None
    if split is None:
        return None
    asked = node.arguments[1] if len(node.arguments) == 2 else Path(split[1]) if split[1] else None
    return _Listed(code.list_source(split[0]), asked, _Element(code.inner(split[0], f"_e{depth}"), code))


def _aggregate(name: str, listed: _Listed, depth: int, choices: tuple[str, ...]) -> str:
    if listed.asked is None:
        return f"_length({listed.source})"
    loop = f"for _e{depth} in {listed.source}"
    asked = _source(listed.asked, listed.code, depth + 1)
    if name == "count":
        return f"_sum([1 {loop} if {asked}])"
    if name == "sum":
        return f"_sum([{asked} {loop}])"
    if name in ("any", "all"):
        return f"_{name}({asked} {loop})"
    return f"_{name}([{asked} {loop}], default=None{f', key={choices!r}.index' if choices else ''})"
