"""A database's expression for a filter, with the same answer as Python gives, none included.

Numbers are kept as scaled integers, so each term carries its scale and the largest it can be; what could overflow, or
be rounded, is refused. It takes and gives SQLAlchemy expressions and asks the database nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Protocol

from sqlalchemy import (
    BigInteger,
    Date,
    Integer,
    String,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    null,
    nulls_first,
    or_,
    true,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.functions import GenericFunction

from .expression_types import said
from .expressions import (
    COMPARISONS,
    Binary,
    Call,
    Conditional,
    Constant,
    ExpressionError,
    In,
    IsNone,
    Node,
    Path,
    Unary,
    Value,
    chain,
)
from .frozen import frozen
from .model import NONE, NUMBER, SCALES, TEXT, YES_OR_NO, Parts, Type
from .money import EXACT, LARGEST_KEPT
from .type_relations import constant_type, together

# The largest kept integer of a column that is reckoned with; a whole number may be brought to six digits.
LARGEST_REACHED = 10**14
LARGEST_WHOLE = 10**12

Sql = ColumnElement[Any]


class Columns(Protocol):
    """Where a path's value stands in the query; its type is optional if the column or a join on the way may be null."""

    def column(self, path: Parts) -> tuple[Sql, Type] | None: ...


def sql_expression(node: Node, columns: Columns) -> Sql:
    """The condition of a checked expression; raises ExpressionError R210 for what only Python can answer.

    Columns of numbers hold scaled integers (model.SCALES) of at most LARGEST_REACHED (whole: LARGEST_WHOLE) where they
    are added or brought to another scale; a bare comparison with a constant holds for all.
    """
    return _condition(node, columns)


def sql_number(node: Node, columns: Columns, kind: str) -> Sql:
    """The number of a checked expression, scaled as values of that kind are kept; raises ExpressionError R210."""
    term, scale = _term(node, columns), SCALES[kind]
    if term.scale > scale:
        raise _refused(node, f"it has more digits than the {scale} that are kept of {kind}")
    return _at_scale(term, scale, node).sql


def in_order(sql: Sql, kind: Type) -> Sql:
    """What rows are ordered by: none first, texts by code point, choices as they are listed, in every database."""
    if kind.kind == "choice":
        sql = _rank(sql, kind.choices)
    return nulls_first(CodePointOrder(sql) if kind.kind == "text" else sql)


class CodePointOrder(GenericFunction[str]):
    """Text ordered by code point, as Python does; SQLite does so by itself."""

    name = "code_point_order"
    type = String()
    inherit_cache = True


@compiles(CodePointOrder)
def _plain(element: CodePointOrder, compiler: SQLCompiler, **options: Any) -> str:
    return f"({compiler.process(element.clauses, **options)})"


@compiles(CodePointOrder, "postgresql")
def _collated(element: CodePointOrder, compiler: SQLCompiler, **options: Any) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


@frozen
class _Term:
    """An operand: a number's `sql` is its value times 10**scale, at most `largest`; a constant number has a `value`."""

    sql: Sql
    type: Type
    scale: int = 0
    largest: int = 0
    value: Decimal | None = None


def _condition(node: Node, columns: Columns) -> Sql:
    match node:
        case Unary(operator="not"):
            return not_(_condition(node.operand, columns))
        case Binary(operator="and"):
            return and_(*(_condition(each, columns) for each in chain(node)))
        case Binary(operator="or"):
            return or_(*(_condition(each, columns) for each in chain(node)))
        case Binary() if node.operator in COMPARISONS:
            return _compared(node.operator, _term(node.left, columns), _term(node.right, columns), node)
        case In():
            operand = _term(node.operand, columns)
            found = or_(*(_compared("==", operand, _term(option, columns), node) for option in node.options))
            return not_(found) if node.negated else found
        case IsNone():
            return _emptiness(_term(node.operand, columns), node.negated)
    return _term(node, columns).sql


def _term(node: Node, columns: Columns) -> _Term:
    match node:
        case Constant():
            return _constant(node.value)
        case Path():
            return _column(node, columns)
        case Unary(operator="-"):
            return _negative(_term(node.operand, columns))
        case Binary(operator="+" | "-" | "*"):
            return _arithmetic(node, columns)
        case Conditional():
            condition = _condition(node.condition, columns)
            then, otherwise = _term(node.then, columns), _term(node.otherwise, columns)
            return _either(node, then, otherwise, lambda left, right: case((condition, left), else_=right))
        case Call(name="default", arguments=(value, instead)):
            return _default(node, _term(value, columns), _term(instead, columns))
        case Call() | Binary(operator="/"):
            raise _refused(node)
    return _Term(_condition(node, columns), YES_OR_NO)


def _refused(node: Node, hint: str = "") -> ExpressionError:
    name = "division" if isinstance(node, Binary) and node.operator == "/" else said(node)
    return ExpressionError(f"{name} cannot be asked of the database", node.start, node.end - node.start, hint, "R210")


def _constant(value: Value) -> _Term:
    kind = constant_type(value)
    if value is None:
        return _Term(null(), NONE)
    if isinstance(value, bool):
        return _Term(true() if value else false(), kind)
    if isinstance(value, int | Decimal):
        return _number(Decimal(value))
    return _Term(literal(value, Date() if isinstance(value, date) else String()), kind)


def _number(value: Decimal) -> _Term:
    """A constant number waits for the scale that it meets."""
    places = max(0, -int(value.as_tuple().exponent))
    return _Term(null(), NUMBER, places, abs(int(value.scaleb(places, EXACT))), value)


def _column(node: Path, columns: Columns) -> _Term:
    found = columns.column(node.parts)
    if found is None:
        raise _refused(node)
    sql, kind = found
    largest = LARGEST_WHOLE if kind.kind == "whole" else LARGEST_REACHED
    return _Term(sql, kind, SCALES.get(kind.kind, 0), largest if kind.is_numeric else 0)


def _at_scale(term: _Term, scale: int, node: Node) -> _Term:
    """The same number with more digits behind the point."""
    largest = term.largest * 10 ** (scale - term.scale)
    if largest > LARGEST_KEPT:
        raise _refused(node, "its numbers would be too large there")
    if term.value is not None:
        return replace(
            term, sql=literal(int(term.value.scaleb(scale, EXACT)), BigInteger()), scale=scale, largest=largest
        )
    if scale == term.scale or term.type.kind == "none":
        return replace(term, scale=scale)
    factor = literal(10 ** (scale - term.scale), BigInteger())
    return replace(term, sql=term.sql * factor, scale=scale, largest=largest)


def _aligned(left: _Term, right: _Term, node: Node) -> tuple[_Term, _Term]:
    scale = max(left.scale, right.scale)
    return _at_scale(left, scale, node), _at_scale(right, scale, node)


def _negative(term: _Term) -> _Term:
    if term.value is not None:
        return _number(term.value.copy_negate())
    return replace(term, sql=-term.sql)


def _arithmetic(node: Binary, columns: Columns) -> _Term:
    left, right = _term(node.left, columns), _term(node.right, columns)
    if left.value is not None and right.value is not None:
        return _number(_EXACTLY[node.operator](left.value, right.value))
    if not left.type.is_numeric:
        return _Term(left.sql.op("||", return_type=String())(right.sql), _common(left, right))
    if node.operator == "*":
        return _multiplied(node, left, right)
    left, right = _aligned(left, right, node)
    largest = left.largest + right.largest
    if largest > LARGEST_KEPT:
        raise _refused(node, "its numbers would be too large there")
    sql = left.sql + right.sql if node.operator == "+" else left.sql - right.sql
    return _Term(sql, _common(left, right), left.scale, largest)


_EXACTLY: dict[str, Callable[[Decimal, Decimal], Decimal]] = {"+": EXACT.add, "-": EXACT.subtract, "*": EXACT.multiply}


def _multiplied(node: Binary, left: _Term, right: _Term) -> _Term:
    """A product of two columns needs more digits than a database integer has."""
    term, factor = (left, right) if right.value is not None else (right, left)
    largest = term.largest * factor.largest
    if factor.value is None or largest > LARGEST_KEPT:
        raise _refused(node, "" if factor.value is None else "its numbers would be too large there")
    by = literal(int(factor.value.scaleb(factor.scale, EXACT)), BigInteger())
    return _Term(term.sql * by, term.type, term.scale + factor.scale, largest)


def _common(left: _Term, right: _Term) -> Type:
    """The type of both; of a number only that it is one matters here, its scale is kept apart."""
    found = together(left.type, right.type)
    if found is None:
        found = NUMBER if left.type.is_numeric else TEXT
    return found.or_none() if left.type.optional or right.type.optional else found


def _either(node: Node, left: _Term, right: _Term, joined: Callable[[Sql, Sql], Sql]) -> _Term:
    """One of two terms, brought to one scale."""
    if left.type.kind == right.type.kind == "none":
        return left
    left, right = _aligned(left, right, node)
    return _Term(joined(left.sql, right.sql), _common(left, right), left.scale, max(left.largest, right.largest))


def _default(node: Node, value: _Term, instead: _Term) -> _Term:
    if value.type.kind == "none":
        return instead
    if not value.type.optional:
        return value
    found = _either(node, value, instead, lambda left, right: func.coalesce(left, right, type_=left.type))
    return found if instead.type.optional or instead.type.kind == "none" else replace(found, type=found.type.given())


def _emptiness(term: _Term, negated: bool) -> Sql:
    if term.type.kind == "none":
        return false() if negated else true()
    if not term.type.optional:
        return true() if negated else false()
    return term.sql.is_not(None) if negated else term.sql.is_(None)


def _compared(sign: str, left: _Term, right: _Term, node: Node) -> Sql:
    if left.value is not None and right.value is not None:
        return true() if _SIGNS[sign](left.value, right.value) else false()
    if left.value is not None:
        return _compared(_MIRRORED[sign], right, left, node)
    if sign in ("==", "!="):
        same = _same(left, right, node)
        return same if sign == "==" else not_(same)
    if right.value is not None:
        return _bounded(sign, left, right.value)
    left, right = _aligned(left, right, node)
    compared: Sql = _SIGNS[sign](*_orderly(left, right))
    return compared


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _same(left: _Term, right: _Term, node: Node) -> Sql:
    """Equality that is never null; a plain `=` wherever it can be, for the sake of an index."""
    if left.type.kind == "none":
        left, right = right, left
    if right.type.kind == "none":
        return _emptiness(left, negated=False)
    if right.value is not None:
        scaled = right.value.scaleb(left.scale, EXACT)
        if scaled != int(scaled) or abs(scaled) > LARGEST_KEPT:
            return false()
        right = replace(right, sql=literal(int(scaled), BigInteger()), value=None)
    else:
        left, right = _aligned(left, right, node)
    if left.type.optional and right.type.optional:
        return left.sql.is_not_distinct_from(right.sql)
    given = [term.sql.is_not(None) for term in (left, right) if term.type.optional]
    return and_(*given, left.sql == right.sql)


def _bounded(sign: str, term: _Term, value: Decimal) -> Sql:
    """Compare with a constant brought to the term's scale; digits beyond it move the bound to the next kept integer."""
    scaled = value.scaleb(term.scale, EXACT)
    if abs(scaled) > LARGEST_KEPT:
        return true() if (scaled > 0) == (sign in ("<", "<=")) else false()
    up = sign in ("<", ">=")
    bound = int(scaled.to_integral_value(ROUND_CEILING if up else ROUND_FLOOR))
    compared: Sql = _SIGNS[sign](term.sql, literal(bound, BigInteger()))
    return compared


def _orderly(left: _Term, right: _Term) -> tuple[Sql, Sql]:
    """The two sides as the database must order them."""
    choices = next((each.type.choices for each in (left, right) if each.type.kind == "choice"), ())
    if choices:
        return _rank(left.sql, choices), _rank(right.sql, choices)
    if left.type.kind == "text":
        return CodePointOrder(left.sql), CodePointOrder(right.sql)
    return left.sql, right.sql


def _rank(sql: Sql, choices: tuple[str, ...]) -> Sql:
    """A choice's place in its list."""
    return case(*((sql == choice, literal(place, Integer())) for place, choice in enumerate(choices)))
