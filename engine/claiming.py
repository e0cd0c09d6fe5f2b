"""Says whether a claim fits the room that a line has, and what that comes to. Pure.

What gives back, or asks for no more than was held already, always fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

Amount: TypeAlias = "Decimal | int"
FITS, NEAR, PASSED = "fits", "near", "passed"


@dataclass(frozen=True, slots=True)
class Claim:
    """What is asked of one total: `whole` is what it may come to, `share` the part of it from which on it warns."""

    key: tuple[Any, ...]
    asks: Amount
    amount: Amount
    whole: Amount
    level: str
    share: Amount | None

    def outcome(self, before: Amount) -> str:
        """What becomes of it where the total is `before`."""
        if self.amount <= 0:
            return FITS
        if before + self.amount > self.whole:
            return PASSED
        return NEAR if self.share is not None and before + self.amount > self.whole * self.share else FITS

    def content(self, limit: str, before: Amount) -> dict[str, Any]:
        """All there is to know of it."""
        return {
            "limit": limit, "of": self.key, "asks": self.asks, "claim": self.amount, "total": before,
            "whole": self.whole, "level": self.level, "share": self.share, "outcome": self.outcome(before),
        }  # fmt: skip


def answer_of(level: str, outcome: str) -> str:
    """What is done about an outcome: allow, warn or refuse."""
    if level == "allow" or outcome == FITS:
        return "allow"
    return level if outcome == PASSED else "warn"
