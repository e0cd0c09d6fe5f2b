"""The cells of a `when`: what each asks, and that nothing but `empty` is met by none."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from charter.engine import definitions as d
from charter.engine.cells import cell_source, constant
from charter.engine.errors import NOWHERE
from charter.engine.expression_python import Constants, compile_function
from charter.engine.model import DATE, MONEY, NUMBER, TEXT, WHOLE, YES_OR_NO, Type

STRENGTH = Type("choice", choices=("allow", "warn", "refuse"))
DAY = date(2026, 3, 31)


def holds(type_: Type, value: Any, values: tuple[str, ...] = (), empty: bool | None = None, **bounds: str) -> bool:
    constants = Constants()
    cell = d.Cell(("x",), values, tuple(bounds.items()), empty, NOWHERE)
    source = cell_source(cell, "x", type_, constants.constant)
    return bool(compile_function(source, ["x"], constants.names)(value))


CASES = [
    # type, value, cell, holds
    (TEXT, "a", {"values": ("a",)}, True),
    (TEXT, "b", {"values": ("a",)}, False),
    (TEXT, "b", {"values": ("a", "b")}, True),
    (TEXT, None, {"values": ("a",)}, False),
    (TEXT, None, {"values": ("a", "b")}, False),
    (NUMBER, Decimal("5.00"), {"values": ("5",)}, True),
    (NUMBER, Decimal("5.01"), {"above": "5"}, True),
    (NUMBER, Decimal("5"), {"above": "5"}, False),
    (NUMBER, Decimal("5"), {"at_least": "5"}, True),
    (MONEY, Decimal("4.99"), {"below": "5"}, True),
    (MONEY, Decimal("5"), {"below": "5"}, False),
    (MONEY, Decimal("5"), {"at_most": "5"}, True),
    (WHOLE, 7, {"at_least": "5", "below": "8"}, True),
    (WHOLE, 8, {"at_least": "5", "below": "8"}, False),
    (NUMBER, None, {"at_most": "5"}, False),
    (NUMBER, None, {"above": "-5"}, False),
    (DATE, DAY, {"at_least": "2026-03-31"}, True),
    (DATE, DAY, {"below": "2026-03-31"}, False),
    (YES_OR_NO, True, {"values": ("true",)}, True),
    (YES_OR_NO, False, {"values": ("true",)}, False),
    (YES_OR_NO, None, {"values": ("false",)}, False),
    (STRENGTH, "warn", {"at_least": "warn"}, True),
    (STRENGTH, "refuse", {"above": "warn"}, True),
    (STRENGTH, "allow", {"above": "warn"}, False),
    (STRENGTH, None, {"at_most": "refuse"}, False),
    (TEXT, None, {"empty": True}, True),
    (TEXT, "", {"empty": True}, False),
    (TEXT, "a", {"empty": False}, True),
    (TEXT, None, {"empty": False}, False),
]


@pytest.mark.parametrize(("type_", "value", "cell", "expected"), CASES, ids=lambda x: str(x))
def test_a_cell_asks(type_: Type, value: Any, cell: dict[str, Any], expected: bool) -> None:
    assert holds(type_, value, **cell) is expected


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [(WHOLE, "7", 7), (MONEY, "1234.50", Decimal("1234.50")), (DATE, "2026-03-31", DAY), (YES_OR_NO, "false", False),
     (STRENGTH, "warn", "warn"), (TEXT, "no", "no"), (Type("ref", of="order"), "1", "1")],
)  # fmt: skip
def test_a_constant_is_of_its_type(type_: Type, text: str, value: Any) -> None:
    assert constant(text, type_) == value
    assert type(constant(text, type_)) is type(value)


@pytest.mark.parametrize(
    ("type_", "text", "said"),
    [(WHOLE, "7.5", "`7.5` is not a whole number"), (MONEY, "1,50", "is not a number"), (DATE, "2026-02-30", "`2026-02-30` is not a date"),
     (YES_OR_NO, "yes", "`yes` is neither true nor false"), (STRENGTH, "stop", "`stop` is not one of allow, warn, refuse")],
)  # fmt: skip
def test_a_constant_of_another_type_is_refused(type_: Type, text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        constant(text, type_)
