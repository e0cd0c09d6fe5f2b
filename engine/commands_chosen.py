"""How the records are found that a command is to work on: by keys, by a condition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from . import definitions as d
from .commands import Call, filtered
from .commands_keys import in_key_order, key_text
from .errors import UsageFault
from .frozen import frozen
from .gathering import Gatherer
from .queries import types_of
from .source import did_you_mean
from .store import Session, decoder

MOST_NAMED = 20


@frozen
class Chosen:
    """A record that a command is to work on."""

    id: int
    key: str


def chosen_by_keys(call: Call, session: Session, record: d.Record, keys: Sequence[str]) -> list[Chosen]:
    """The records of these keys, each once; raises UsageFault that names every key of nothing."""
    gatherer = call.gatherer(session)
    found = gatherer.ids_of(record.name, keys)
    missing = [key for key in keys if key not in found]
    if missing:
        raise UsageFault("\n".join(_missing(call, gatherer, record, missing)))
    return list({found[key]: Chosen(found[key], key) for key in keys}.values())


def _missing(call: Call, gatherer: Gatherer, record: d.Record, missing: Sequence[str]) -> Iterator[str]:
    paths = call.library.key_paths(record)
    for key in missing[:MOST_NAMED]:
        near = did_you_mean(key, _some_keys(gatherer, record))
        said = f"There is no {record.name} `{key}`"
        if paths == [("id",)] and not key.isdigit():
            near = f"it goes by the number that `charter list {record.name}` prints"
        if len(paths) > 1 and key.count("/") != len(paths) - 1:
            near = f"its key has {len(paths)} parts: {'/'.join('.'.join(p) for p in paths)}"
        yield f"{said}; {near}." if near and not near.endswith("?") else f"{said}; {near}" if near else f"{said}."
    if len(missing) > MOST_NAMED:
        yield f"… and {len(missing) - MOST_NAMED:,} more."


def _some_keys(gatherer: Gatherer, record: d.Record, most: int = 5000) -> list[str]:
    joined = gatherer.joined(record.name)
    paths = gatherer.library.key_paths(record)
    decode = decoder(types_of(gatherer.library, record, paths))
    return [key_text(decode(row)) for row in gatherer.session.rows(joined.select(paths).limit(most))]


def chosen_where(
    call: Call, session: Session, record: d.Record, where: str, among: Iterable[int] | None
) -> list[Chosen]:
    """The records that meet a condition, in the order of their keys; of those named, where some are."""
    joined = call.joined(record)
    condition = filtered(call, joined, where)
    keys = call.library.key_paths(record)
    order = in_key_order(call.library, joined)
    statement = joined.select([("id",), *keys]).where(condition).order_by(*order)
    decode = decoder(types_of(call.library, record, [("id",), *keys]))
    rows = [decode(row) for row in session.rows(statement)]
    wanted = None if among is None else set(among)
    return [Chosen(row[0], key_text(row[1:])) for row in rows if wanted is None or row[0] in wanted]
