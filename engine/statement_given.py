"""What a statement was asked with: values with records by their numbers, and what paths from them lead to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, literal

from . import definitions as d
from .batch import Rules
from .expression_python import as_text
from .facts import Facts
from .gathering import Gatherer
from .model import SCALES, Parts, Type
from .money import to_kept
from .notation import Value
from .processes import with_ids
from .store import Session
from .tables import column_type


class Given:
    """What the statement takes: values with records by their numbers, and what paths from them lead to."""

    def __init__(
        self, session: Session, rules: Rules, fields: Mapping[str, d.Field], values: Mapping[str, Value]
    ) -> None:
        self.session, self.rules, self.library = session, rules, rules.library
        self.fields = fields
        self.texts = tuple((n, as_text(values[n])) for n in fields if values.get(n) is not None)
        self.ids = with_ids(rules, session, fields, values)
        self._gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), {})

    def at(self, path: Parts) -> Any:
        """The value at a path, none where a reference on its way is none."""
        value = self.ids.get(path[0])
        if len(path) == 1 or value is None:
            return value
        record = self.fields[path[0]].type.of
        return self._gatherer.values(record, (path[1:],), [value])[value][0]

    def record(self, name: str) -> d.Record:
        """The record type of a name that is known to be one."""
        found = self.library.record(name)
        assert found is not None
        return found

    def type_of(self, path: Parts) -> Type:
        start = self.fields[path[0]].type
        return (self.library.along(start, path[1:]) if path[1:] else start) or Type("unknown")

    def day(self, path: Parts) -> date | None:
        found = self.at(path)
        return found if isinstance(found, date) else None

    def literal(self, path: Parts) -> tuple[ColumnElement[Any], Type]:
        """The value as a filter compares it."""
        value, type_ = self.at(path), self.type_of(path)
        kept = to_kept(value, type_.kind) if SCALES.get(type_.kind) and value is not None else value
        return literal(kept, column_type(type_)), type_

    def places(self, currency: str | None) -> int | None:
        """How many digits amounts of a currency have behind the point."""
        return self.library.manifest.currencies.get(currency or "")

    @cached_property
    def currency(self) -> str | None:
        """That of the company whose books are asked for."""
        ledger = self.library.manifest.ledger
        for name, f in self.fields.items():
            record = self.library.record(f.type.of)
            if ledger and record and record.name == ledger.company and "currency" in record.fields:
                found = self.at((name, "currency"))
                return None if found is None else str(found)
        return None
