"""What a record moves of kept totals, told from its row alone with the answer that the database would give. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias

from . import definitions as d
from .expression_python import Code, Constants, compile_function, python_source
from .expressions import Call, Value, parse
from .facts import written
from .library import Library
from .model import Parts, Type
from .scopes import measure_type
from .tables import columns_of

Key: TypeAlias = "tuple[Any, ...]"
Amount: TypeAlias = "Decimal | int"


@dataclass(frozen=True, slots=True)
class Movement:
    """Of one kept measure: `of` a row gives the key of its total and how much the row is of it; None for nothing."""

    measure: d.Measure
    type: Type
    of: Callable[[Sequence[Any]], tuple[Key, Amount] | None]


def movements_of(library: Library) -> Mapping[str, list[Movement]]:
    """What is kept, by the record type whose rows move it."""
    found: dict[str, list[Movement]] = {}
    for document in library.pack.all("measure"):
        measure = library.measure(document.name)
        record = library.record(measure.of) if measure and measure.kept else None
        if measure and record:
            type_ = measure_type(library, measure, record)
            found.setdefault(record.name, []).append(Movement(measure, type_, _compiled(library, measure, record)))
    return found


def key_text(key: Key) -> str:
    """A key as the store keeps it."""
    return written(key)


def _compiled(library: Library, measure: d.Measure, record: d.Record) -> Callable[[Sequence[Any]], Any]:
    row = _Row(library, record)
    key = "".join(f"{row.load(path)}, " for path in measure.by.values())
    amount = python_source(parse(measure.sum.text), row) if measure.sum else "1"
    where = python_source(parse(measure.where.text), row) if measure.where else "True"
    return compile_function(f"(({key}), {amount}) if {where} else None", ["r"], row.constants.names)


class _Row(Code):
    """A record's own fields, in the row `r`."""

    def __init__(self, library: Library, record: d.Record) -> None:
        self.library, self.record, self.constants = library, record, Constants()
        self.place = {name: i for i, (name, _) in enumerate(columns_of(library, record))}

    def load(self, path: Parts) -> str:
        return f"r[{self.place[path[0]]}]"

    def constant(self, value: Value) -> str:
        return self.constants.constant(value)

    def type_of(self, path: Parts) -> Type | None:
        return self.library.along(Type("ref", of=self.record.name), tuple(path))

    def call(self, node: Call) -> str | None:
        return None

    def list_source(self, path: Parts) -> NoReturn:
        raise AssertionError(f"{self.record.name}.{'.'.join(path)}: a kept total sees no lists")

    def inner(self, path: Parts, variable: str) -> NoReturn:
        self.list_source(path)
