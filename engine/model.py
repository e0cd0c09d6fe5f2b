"""The types that values have, in records, expressions and rules alike.

A `Type` says what a value is; how it is kept in a database is said in `tables`, how it is counted in `money`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from .frozen import frozen

Parts: TypeAlias = tuple[str, ...]  # of a dotted path

NUMERIC = frozenset({"number", "whole", "money", "price"})
SCALARS = frozenset({"text", "number", "whole", "money", "price", "date", "time", "yes_or_no"})

# Digits behind the point that are kept for each numeric kind, the same in every database.
SCALES = {"number": 6, "price": 6, "money": 4, "whole": 0}


@frozen
class Type:
    """What a value is.

    kind: one of SCALARS, or `choice` (an ordered `one_of`), `ref` (a record of type `of`), `list` (of `item`),
    `none` (the value none itself), `group` (a name that only has members, such as what a decision answers), `calendar`
    (its working days, which only functions of dates take).
    """

    kind: str
    optional: bool = False
    of: str = ""
    choices: tuple[str, ...] = ()
    item: Type | None = None

    @property
    def is_numeric(self) -> bool:
        return self.kind in NUMERIC

    def given(self) -> Type:
        """The same type where the value is known not to be none."""
        return replace(self, optional=False) if self.optional else self

    def or_none(self) -> Type:
        """The same type where the value may be none."""
        return self if self.optional or self.kind == "none" else replace(self, optional=True)

    def __str__(self) -> str:
        words = {"ref": f"reference to {self.of}", "list": f"list of {self.item}", "yes_or_no": "yes or no"}
        said = words.get(self.kind, self.kind)
        if self.kind == "choice":
            said = "one of " + ", ".join(self.choices)
        return said + (" or none" if self.optional else "")


TEXT = Type("text")
NUMBER = Type("number")
WHOLE = Type("whole")
MONEY = Type("money")
PRICE = Type("price")
DATE = Type("date")
TIME = Type("time")
YES_OR_NO = Type("yes_or_no")
NONE = Type("none")
CALENDAR = Type("calendar")
