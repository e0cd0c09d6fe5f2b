"""How the records that an import creates come to be and are told apart, and what comes of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeAlias

from . import definitions as d
from .batch import key_targets
from .cells import constant
from .errors import Place, UsageFault
from .expressions import parse, paths
from .firings import Reason, Request
from .library import Library, in_reference_order
from .mapping_definitions import FieldMapping
from .mapping_definitions import Mapping as FileMapping
from .mappings import MappedRow
from .notation import as_text
from .source import printable

Identity: TypeAlias = "tuple[str, tuple[Any, ...]]"  # a record type and the typed parts of a key


@dataclass(eq=False)
class Shape:
    """How records of one type are created and told apart."""

    library: Library
    record: d.Record
    event: str

    @cached_property
    def fields(self) -> Mapping[str, d.Field]:
        return self.library.creation_fields(self.record, self.event)

    @cached_property
    def targets(self) -> Mapping[str, str]:
        """The references among them, with the record types they lead to."""
        return key_targets(self.library, self.record.name, self.event)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        return {n: constant(f.default, f.type) for n, f in self.fields.items() if f.default is not None}

    @cached_property
    def has_key(self) -> bool:
        """Is the key known from what is given?"""
        return bool(self.record.key) and all(n in self.fields for n in self.record.key)

    @cached_property
    def lasting(self) -> list[str]:
        """The fields given at creation that nothing changes afterwards."""
        changed: set[str] = set()
        for workflow in self.library.workflows_of(self.record):
            for t in workflow.transitions:
                changed |= {n for step in t.steps if step.verb == "set" for n in step.values}
                changed |= set() if t.creates else set(t.takes)
        return [n for n in self.fields if n in self.record.fields and n not in changed]

    def key(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[n] if n in values else self.defaults.get(n) for n in self.record.key)


@dataclass
class Shapes:
    """The record types that a mapping creates, and the warnings that are accepted at that."""

    library: Library
    mapping: FileMapping
    acknowledged: frozenset[str] = frozenset()
    found: dict[str, Shape] = field(default_factory=dict)

    def of(self, name: str) -> Shape:
        """Raises UsageFault where there is no such record type, or not one event that creates it."""
        if name not in self.found:
            record = self.library.record(name)
            if record is None:
                raise UsageFault(f"There is no record type `{name}`.")
            event = self.library.creation_event(record)
            if event is None:
                events = ", ".join(sorted({t.event for t in self.library.creations(record)}))
                raise UsageFault(f"A file cannot create a {name}: one event must do it, here are {events or 'none'}.")
            self.found[name] = Shape(self.library, record, event)
        return self.found[name]

    def fields(self, name: str) -> Mapping[str, d.Field]:
        return self.of(name).fields

    @property
    def row(self) -> Shape:
        """That of the records that the rows are."""
        return self.of(self.mapping.to)

    @cached_property
    def order(self) -> dict[str, int]:
        """The record types in the order in which they are created; all of them must have been asked for."""
        ordered = in_reference_order(self.library, self.found)
        return {name: position for position, name in enumerate(ordered)}

    @cached_property
    def mapped(self) -> Mapping[str, FieldMapping]:
        return {m.name: m for m in self.mapping.fields}

    @cached_property
    def read_alone(self) -> Mapping[Place, str]:
        """The field of a row that a requirement rests on, by the requirement's place; only one of a single column."""
        found = {f.place: n for n, f in self.row.fields.items()}
        for t in self.library.creations(self.row.record):
            # What these stand for may rest on other fields again.
            worked_out = {"this", *t.lets, *(f.name for f in t.finds), *(u.name for u in t.uses)}
            for r in (*t.requirements, *t.warnings):
                names = {path.parts[0] for path in paths(parse(r.that.text))}
                fields = names & set(self.row.fields)
                if len(fields) == 1 and not names & worked_out:
                    found[r.place] = fields.pop()
        return {place: name for place, name in found.items() if self.columns_of(name) == 1}

    def columns_of(self, name: str) -> int:
        """From how many columns a field of a row comes."""
        return len({c.text for c in self.mapped[name].all_columns()}) if name in self.mapped else 0


@dataclass(slots=True, eq=False)
class Wanted:
    """One record that a row is (`is_row`) or names, and what comes of it: `created`, `there` or `refused`.

    needs: what has to be created before it, with the field that refers to it. reasons: what stands against it, with the
    field that it is about. blocked: those of them that stand against what it needs. is_logged: the reasons are written.
    """

    shape: Shape
    request: Request
    row: MappedRow
    is_row: bool
    identity: Identity | None
    given: Mapping[str, Any]
    needs: dict[Wanted, str] = field(default_factory=dict)
    level: int = 0
    outcome: str = ""
    reasons: list[tuple[str, Reason]] = field(default_factory=list)
    blocked: list[Reason] = field(default_factory=list)
    is_logged: bool = False

    @property
    def called(self) -> str:
        key = "/".join(as_text(v) for v in self.shape.key(self.given)) if self.shape.has_key else ""
        return f"{self.shape.record.name} {printable(key, 200)}".strip()

    def refuse(self, reasons: Iterable[tuple[str, Reason]], is_logged: bool = False) -> None:
        self.reasons += reasons
        self.outcome, self.is_logged = "refused", is_logged

    def passed_on(self) -> list[Reason]:
        """What its refusal says to those that need it: where it began."""
        so = f"; so {self.called} is not created."
        return self.blocked or [replace(r, message=r.message.removesuffix(".") + so) for _, r in self.reasons]
