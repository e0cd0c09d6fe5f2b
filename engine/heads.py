"""The head of a store: one line that stands for all of its log. Kept elsewhere, it shows what was cut off."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, unquote

from .errors import UsageFault


def write_head(numbers: Mapping[str, int], hashes: Mapping[str, str]) -> str:
    """All heads in one line: how far each stream had come, and the hash of all of them."""
    streams = sorted(numbers)
    content = "\n".join(f"{s} {numbers[s]} {hashes.get(s, '')}" for s in streams)
    return ",".join(f"{quote(s, safe='')}={numbers[s]}" for s in streams) + ":" + sha256(content.encode()).hexdigest()


def bare_head(text: str) -> str:
    """A head as it is kept, also where the whole line was kept as it is printed."""
    return text.strip().removeprefix("head ").strip()


def read_head(text: str) -> dict[str, int]:
    """How far each stream had come at a saved head; raises UsageFault on anything else."""
    said, _, digest_said = bare_head(text).rpartition(":")
    try:
        if len(bytes.fromhex(digest_said)) != sha256().digest_size:
            raise ValueError
        return {unquote(s): int(n) for s, n in (part.rsplit("=", 1) for part in said.split(",") if part)}
    except ValueError:
        raise UsageFault(f"{text!r} is not a head; `verify` and every batch print one.") from None
