"""Charter with nothing written down that only an explanation needs. For measuring alone: the product knows no such way.

There are no facts (what was read, and what decisions saw and answered), a log row has no basis, and nothing of what
the record itself and the caller gave. Rules are applied and all is checked, written, logged and chained as ever.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from charter.engine import batch, journal
from charter.engine.facts import Facts


class NoFacts(Facts):
    """Takes facts and keeps none of them."""

    def __init__(self) -> None:
        super().__init__()
        self.contents = defaultdict(str)

    def add(self, content: dict[str, Any]) -> str:
        return ""

    def basis(self, hashes: Sequence[str | None]) -> str:
        return ""


@contextmanager
def nothing_explained() -> Iterator[None]:
    kept = batch.Facts, journal.reads
    batch.Facts, journal.reads = NoFacts, lambda firing: "{}"  # type: ignore[misc]
    try:
        yield
    finally:
        batch.Facts, journal.reads = kept  # type: ignore[misc]
