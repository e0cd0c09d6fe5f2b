"""Reads back what log, refusals and facts keep as JSON; what is something else shows that the store was changed."""

from __future__ import annotations

import json
from typing import Any

import orjson

from .errors import IntegrityBroken
from .facts import digest
from .workflow_definitions import NOTHING

# What a text or value that was tampered with may cause in a reader who relies on its shape.
UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


# What `json.loads` asks in the end, without what it asks first: of millions of short texts that is most of its time.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]  # it is there, only not in the stubs


def changes_of(row: Any) -> dict[str, Any]:
    """The changes of a log row: by field the value of a new record, else the pair of old and new value.

    Raises IntegrityBroken where they are no such thing.
    """
    changes = _written(row.changes)
    pairs = row.from_state != NOTHING
    if isinstance(changes, dict) and not (pairs and any(not _is_pair(c) for c in changes.values())):
        return changes
    raise IntegrityBroken(f"{named(row)}: its changes are not what was written")


def reads_of(row: Any) -> dict[str, Any]:
    """What a log row read: at least `own` and `given`, by name; raises IntegrityBroken for anything else."""
    reads = _read(row.reads)
    if isinstance(reads, dict) and all(isinstance(reads.get(part), dict) for part in ("own", "given")):
        return reads
    raise IntegrityBroken(f"{named(row)}: what it read is not what was written")


def reasons_of(row: Any) -> tuple[tuple[str, str, str], ...]:
    """The reasons of a refusal as (rule, words, place); raises IntegrityBroken where they are no such thing."""
    try:
        return tuple((r["rule"], r["says"], r["place"]) for r in json.loads(row.reasons))
    except UNREADABLE:
        raise IntegrityBroken(f"the refusal {row.id} of {row.at}: its reasons are not what was written") from None


def content_of(stream: str, key: str, text: Any) -> dict[str, Any]:
    """The content of a fact; raises IntegrityBroken where it is not that of its hash."""
    if is_of_hash(text, key) and isinstance(content := _read(text), dict):
        return content
    raise IntegrityBroken(f"the fact {key} of stream {stream} was changed")


def is_of_hash(text: Any, key: str) -> bool:
    return isinstance(text, str) and digest(text) == key


def named(row: Any) -> str:
    return f"log {row.id} (stream {row.stream}, row {row.number})"


def _read(text: Any) -> Any:
    """What a text says; None where it is no JSON as it is written here, which begins and ends without a space."""
    try:
        value, end = _scan(text, 0)
    except (StopIteration, *UNREADABLE):
        return None
    return value if end == len(text) else None


def _written(text: Any) -> Any:
    """The same, faster, of what stands in a table besides: whole numbers beyond 64 bits are in none."""
    try:
        return orjson.loads(text)
    except UNREADABLE:
        return None


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2
