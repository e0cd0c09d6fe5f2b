"""Exact amounts: fixed-scale integers in the database, Decimal in rules, rounded once and half up. No floats."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException
from functools import lru_cache

from .model import SCALES

# Wide enough that the product of two kept values and a share of it are exact before they are rounded.
EXACT = Context(prec=50, rounding=ROUND_HALF_UP)

ZERO = Decimal(0)
LARGEST_KEPT = 2**63 - 1


@lru_cache(maxsize=64)
def unit(places: int) -> Decimal:
    """The smallest step with that many digits behind the point: unit(2) is 0.01."""
    return Decimal(1).scaleb(-places)


def rounded(amount: Decimal, places: int) -> Decimal:
    """Round half up (away from zero at the half) to that many digits behind the point."""
    return amount.quantize(unit(places), rounding=ROUND_HALF_UP, context=EXACT)


# The same amounts come again and again; equal ones are kept alike.
@lru_cache(maxsize=1 << 16)
def to_kept(value: Decimal | int, kind: str) -> int:
    """The scaled integer that the database keeps; raises ValueError when a digit would be lost or it does not fit."""
    scale = SCALES[kind]
    scaled = Decimal(value).scaleb(scale, EXACT)
    kept = int(scaled)
    if kept != scaled:
        raise ValueError(f"{value} has more than {scale} digits behind the point")
    if abs(kept) > LARGEST_KEPT:
        raise ValueError(f"{value} is too large to be kept")
    return kept


def whole_kept(value: int) -> int:
    """A whole number, kept as it is, where the database can hold it; raises ValueError where it cannot."""
    if abs(value) > LARGEST_KEPT:
        raise ValueError(f"{value} is too large to be kept")
    return value


def kept_or_none(value: Decimal | int, kind: str) -> int | None:
    """The same as `to_kept`, None for what cannot be kept: no value in a store equals it."""
    try:
        return to_kept(value, kind)
    except ValueError:
        return None


@lru_cache(maxsize=1 << 16)
def from_kept(kept: int, kind: str) -> Decimal | int:
    """The value that a scaled integer stands for."""
    scale = SCALES[kind]
    return Decimal(kept).scaleb(-scale, EXACT) if scale else kept


def parse(text: str) -> Decimal:
    """Read a plain decimal number (`1234.50`, `-3`); raises ValueError on anything else, separators included."""
    stripped = text.strip()
    if not stripped or any(c not in "0123456789.-+" for c in stripped):
        raise ValueError(f"{text!r} is not a number")
    try:
        value = Decimal(stripped)
    except DecimalException:
        raise ValueError(f"{text!r} is not a number") from None
    return value


def shown(value: Decimal | int, places: int | None = None) -> str:
    """Write a number plainly: never an exponent, no superfluous zeros behind the point but the wanted `places`."""
    if places is not None:
        return f"{rounded(Decimal(value), places):f}"
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
