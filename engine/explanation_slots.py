"""Names for the places in which a program keeps its values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from . import programs as p
from .explanation_past import Then
from .log_texts import reads_of

SLOT = re.compile(r"\bv\[(\d+)\](?:\[(\d+)\])?")


class Slots:
    """Names for the places in which a program keeps its values, and the values themselves as far as they are known."""

    def __init__(self, then: Then, row: Row[Any], facts: Iterable[tuple[p.Operation, Any]]) -> None:
        self.then, self.program = then, then.program
        self.uses: dict[str, str] = {u.decision: u.name for u in reversed(then.uses)}
        reads = reads_of(row)
        self.own: dict[str, Any] = reads["own"]
        self.given: dict[str, Any] = reads["given"]
        self.acknowledged: list[str] = reads.get("acknowledged", [])
        self.values: dict[str, Any] = {"v[2][0]": row.at[:10]}
        for i, (name, _) in enumerate(self.program.columns):
            self.values[f"v[0][{i}]"] = self.own.get(name, self.given.get(name))
        for i, name in enumerate(self.program.taken):
            self.values[f"v[1][{i}]"] = self.given.get(name)
        for operation, fact in facts:
            self.learn(operation, fact)

    def named(self, source: str) -> str:
        """A source in the words of the rule."""
        return SLOT.sub(self._name, source)

    def _name(self, slot: re.Match[str]) -> str:
        index, inner = int(slot[1]), int(slot[2] or 0)
        if index == p.OWN:
            return "this" if inner == 0 else self.program.columns[inner][0]
        if index == p.GIVEN:
            return list(self.program.taken)[inner]
        if index == p.SETTING:
            return ("today", "now", "actor")[inner]
        return self._operation(self.program.operations[index - p.FIRST], inner)

    def _operation(self, operation: p.Operation, inner: int) -> str:
        if isinstance(operation, p.Reference):
            return ".".join((self.named(operation.sources[0]), *operation.paths[inner]))
        if isinstance(operation, p.Find):
            return ".".join((operation.name, *(x for x in operation.paths[inner] if x != "id")))
        if isinstance(operation, p.Decided) and operation.table:
            decision = operation.table.decision
            return f"{self.uses.get(decision.name, decision.name)}.{list(decision.outputs)[inner]}"
        if isinstance(operation, p.Measured):
            return operation.measure
        if isinstance(operation, p.Closed):
            return operation.calendar
        if isinstance(operation, p.Shared) and operation.share_out:
            return operation.share_out.name
        if isinstance(operation, p.Let):
            return operation.name.removeprefix("set ")
        return operation.record if isinstance(operation, (p.Children, p.Alias)) else "it"

    def learn(self, operation: p.Operation, fact: Any) -> None:
        single = isinstance(operation, p.Reference) or (isinstance(operation, p.Find) and not operation.many)
        for i, value in enumerate(fact["values"] if single else ()):
            self.values[f"v[{operation.index}][{i}]"] = value

    def day(self, source: str) -> str | None:
        """The day that a source gives, where that can be said without reckoning."""
        for slot in SLOT.finditer(source):
            if (value := self.values.get(slot[0])) is not None:
                return str(value)
        return None
