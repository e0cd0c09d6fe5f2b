"""Turns records into what people call them, and values into texts, for what is printed. Looks keys up in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from . import definitions as d
from .expression_sql import CodePointOrder
from .facts import plain
from .firings import Firing
from .gathering import Gatherer
from .library import Library
from .model import Type
from .money import rounded, shown
from .notation import as_text
from .queries import Joined, parts, types_of
from .store import decoder
from .tables import columns_of

Numbered = tuple[str, int]  # a record type and the number of one of its records


class Keys:
    """The keys of records by type and number. What is not learnt before is looked up one by one."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.known: dict[Numbered, str] = {}
        self.titles: dict[Numbered, str] = {}

    def learn(self, gatherer: Gatherer, wanted: Iterable[Numbered]) -> None:
        """Look up the keys of records, one statement for each type."""
        missing: dict[str, set[int]] = defaultdict(set)
        for name, id_ in wanted:
            if (name, id_) not in self.known:
                missing[name].add(id_)
        for name, ids in sorted(missing.items()):
            self._learn_type(gatherer, gatherer.joined(name), ids)

    def _learn_type(self, gatherer: Gatherer, joined: Joined, ids: set[int]) -> None:
        record = joined.record
        titles = [(record.title,)] if record.title else []
        # Numbers of vouchers begin anew in each company; they are what people know vouchers by all the same.
        key = [("number",)] if record.name == "voucher" else self.library.key_paths(record)
        reading = [("id",), *key, *titles]
        decode = decoder(types_of(self.library, record, reading))
        for part in parts(ids):
            for row in gatherer.session.rows(joined.select(reading).where(joined.base.c.id.in_(part))):
                values = decode(row)
                self.known[(record.name, values[0])] = key_text(values[1 : len(values) - len(titles)])
                if titles and values[-1]:
                    self.titles[(record.name, values[0])] = as_text(values[-1])

    def learn_new(self, firing: Firing) -> None:
        """The key of a record that an event left behind, which may not be stored."""
        if firing.row is None:
            return
        record = firing.record
        values = dict(zip((n for n, _ in firing.program.columns), firing.row, strict=True))
        texts = [self.text(values[n], record.fields[n].type) for n in record.key if n in record.fields]
        self.known[(record.name, firing.id)] = "/".join(texts) if texts else str(firing.id)

    def of(self, name: str, id_: int | None) -> str:
        return "" if id_ is None else self.known.get((name, id_), str(id_))

    def titled(self, name: str, id_: int | None) -> str:
        """The key, and the field that describes the record to a reader."""
        title = self.titles.get((name, id_)) if id_ is not None else None
        return f"{self.of(name, id_)} {title}" if title else self.of(name, id_)

    # --- values ---

    def text(self, value: Any, type_: Type, places: int | None = None) -> str:
        """A value as a person reads it; money with the digits of its currency, where they are known."""
        if value is None:
            return ""
        if type_.kind == "ref":
            return self.of(type_.of, value)
        if type_.kind == "money" and places is not None and rounded(value, places) == value:
            return shown(value, places)
        return as_text(value)

    def data(self, value: Any, type_: Type) -> Any:
        """A value as JSON holds it: amounts as texts, records by their keys."""
        return self.of(type_.of, value) if type_.kind == "ref" and value is not None else plain(value)


def key_text(values: Iterable[Any]) -> str:
    return "/".join("" if v is None else as_text(v) for v in values)


def in_key_order(library: Library, joined: Joined) -> list[Any]:
    """What records are sorted by: their key, texts by code point on every database."""
    order = []
    for path in library.key_paths(joined.record):
        column, type_ = joined.column(path)
        order.append(CodePointOrder(column) if type_.kind in ("text", "choice") else column)
    return order


def numbered(values: Mapping[str, Any], columns: Iterable[tuple[str, Type]]) -> list[Numbered]:
    """The records that values refer to."""
    return [(t.of, values[n]) for n, t in columns if t.kind == "ref" and values[n] is not None]


def columns_shown(library: Library, record: d.Record) -> list[tuple[str, Type]]:
    """The columns of a record but for its number, with those that the ledger works out."""
    if record.name in ("entry", "voucher"):
        return [(n, f.type) for n, f in record.fields.items()]
    return columns_of(library, record)[1:]
