"""What rules read, written down once for each distinct content, to be shown and gone through again. No I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from .model import NUMERIC, Type
from .money import shown


def plain(value: Any) -> Any:
    """A value as JSON can hold it: amounts and dates as text, never a float."""
    if isinstance(value, Decimal):
        return shown(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def from_plain(value: Any, type_: Type) -> Any:
    """The value again, as its type says."""
    if value is None:
        return None
    if type_.kind in NUMERIC and type_.kind != "whole":
        return Decimal(value)
    return date.fromisoformat(value) if type_.kind == "date" else value


# The same days and amounts come again and again; equal ones have the same text.
@lru_cache(maxsize=1 << 16)
def _as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return shown(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no value of a rule")


_by_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"), default=_as_text).encode


def encoded(content: Any) -> bytes:
    """The one way in which content is written before it is hashed or kept: as `plain` would have it, in one pass."""
    try:
        return orjson.dumps(content, _as_text)
    except TypeError:
        # A whole number of more than 64 bits, which a calculation may come to before it is refused.
        return _by_json(content).encode()


def written(content: Any) -> str:
    """The same as a text."""
    return encoded(content).decode()


def without_tail(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row without the empty places at its end: a dimension that a later pack adds changes nothing of it."""
    end = len(row)
    while end and row[end - 1] is None:
        end -= 1
    return tuple(row[:end])


def digest(text: str) -> str:
    """128 bits of the SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()[:32]


def facts_of_elements(content: Any) -> list[str]:
    """The facts that a fact about the elements of a list names; none for any other."""
    return list(content["facts"]) if "each" in content else []


# In which order the facts of a firing stand. It changes with the compiler's order of readings, and only then.
ORDER = 1


class Facts:
    """The distinct facts of a piece of work, by the hash of their content."""

    def __init__(self) -> None:
        self.contents: dict[str, str] = {}
        # Which facts a fact about the elements of a list names.
        self.named: dict[str, list[str]] = {}
        self._bases: dict[tuple[Any, ...], str] = {}

    def add(self, content: dict[str, Any]) -> str:
        text = encoded(content)
        key = sha256(text).hexdigest()[:32]
        self.contents[key] = text.decode()
        return key

    def add_each(self, name: str, rests: Sequence[Sequence[str | None]]) -> str:
        """One fact for all elements of a list: the facts that they rest on, and which of them each does."""
        distinct = list(dict.fromkeys(h for hashes in rests for h in hashes if h))
        place = {h: i for i, h in enumerate(distinct)}
        of = [[None if h is None else place[h] for h in hashes] for hashes in rests]
        key = self.add({"each": name, "facts": distinct, "of": of})
        self.named[key] = distinct
        return key

    def basis(self, hashes: Sequence[str | None]) -> str:
        """One fact that stands for several, in order; most firings of a batch rest on the same."""
        key = tuple(hashes)
        found = self._bases.get(key)
        if found is None:
            found = self._bases[key] = self.add({"facts": list(hashes), "order": ORDER})
        return found
