"""The rows that the journal writes of what firings did: in the log, chained by hash, and in the ledger. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from .facts import without_tail, written
from .firings import Firing, Root, Voucher

FIRST_HASH = ""

# Where in a log row the columns stand that are JSON themselves, and what was read before what was changed.
READS, CHANGES = 16, 18


def chained(before: str, row: Sequence[Any]) -> str:
    """The hash of a log row: over the hash before it in its stream and all its columns.

    Four lines: the hash before; as JSON, all columns but what was read and changed; what was read; what was changed.
    """
    others = (*row[:READS], row[READS + 1], *row[CHANGES + 1 :])
    lines = before, written(without_tail(others)), row[READS], row[CHANGES]
    return sha256("\n".join(lines).encode()).hexdigest()


def reads(firing: Firing) -> str:
    """The fields of the record itself that the rules read, what the caller gave, and the warnings acknowledged."""
    found = firing.program.reads(firing.v)
    if firing.acknowledged:
        found["acknowledged"] = firing.acknowledged
    return written(found)


def changes(firing: Firing) -> str:
    """What the record became: for a new one its values, for a change the old and new ones, for a deletion the old."""
    program, before, after = firing.program, firing.v[0], firing.row
    if after is None:
        names = [name for name, _ in program.columns]
        gone = zip(names[1:], before[1:], strict=True)
        return written({name: [value, None] for name, value in gone if value is not None})
    return written(program.changes(before, after))


def entry_rows(ids: Iterator[int], voucher_id: int, voucher: Voucher) -> list[tuple[Any, ...]]:
    """id, voucher, line, account, account key, row, amount, company, date, currency, dimensions.

    The day is a text, as it stands in the digest and as both databases take it.
    """
    company, on, currency = voucher.company, voucher.date.isoformat(), voucher.currency
    return [
        (next(ids), voucher_id, line, e[0], e[1], e[2], kept, company, on, currency, *e[4:])
        for line, (e, kept) in enumerate(zip(voucher.entries, voucher.kept, strict=True), 1)
    ]


def reasons_text(root: Root) -> str:
    """The reasons as the refusal log keeps them."""
    return json.dumps(
        [{"rule": r.rule, "says": r.message, "place": str(r.place)} for r in root.reasons], ensure_ascii=False
    )
