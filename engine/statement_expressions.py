"""The expressions that a statement and its measures are made of; what is wrong with one is told with its place."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement

from . import definitions as d
from .errors import InvalidInput, Place
from .expression_sql import sql_expression
from .expressions import ExpressionError, Node, parse
from .queries import Joined, measured


def parsed(text: d.Text) -> Node:
    try:
        return parse(text.text)
    except ExpressionError as wrong:
        raise _said(wrong, text.place) from None


def in_sql(node: Node, joined: Joined, text: d.Text) -> ColumnElement[bool]:
    try:
        return sql_expression(node, joined)
    except ExpressionError as wrong:
        raise _said(wrong, text.place) from None


def amount_of(joined: Joined, measure: d.Measure) -> ColumnElement[Any]:
    try:
        return measured(joined, measure)
    except ExpressionError as wrong:
        raise _said(wrong, (measure.sum or measure).place) from None


def _said(wrong: ExpressionError, place: Place) -> InvalidInput:
    return InvalidInput(f"{place}: {wrong.message}{': ' + wrong.hint if wrong.hint else ''}.")
