"""The definitions of one pack, built when first asked for, and the types that paths over its records have. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, TypeVar

from . import definitions as d
from .errors import Place
from .model import DATE, MONEY, TEXT, TIME, WHOLE, Type

BUILT_IN = Place("built in", 1, 1)
Built = TypeVar("Built")


class PackOfDocuments(Protocol):
    """What a library needs of a loaded pack."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str: ...

    @property
    def chain(self) -> tuple[str, ...]: ...

    def find(self, kind: str, name: str) -> Any: ...

    def all(self, kind: str) -> Iterable[Any]: ...


@dataclass
class Library:
    """Looks definitions up by name; every look-up of an unknown name gives None."""

    pack: PackOfDocuments
    _built: dict[tuple[str, str], Any] = field(default_factory=dict)
    _sharing: dict[str, d.Workflow] = field(default_factory=dict)
    _flows_of: dict[tuple[str, ...], list[d.Workflow]] = field(default_factory=dict)
    _states_of: dict[tuple[str, ...], dict[str, d.Workflow]] = field(default_factory=dict)

    def _get(self, kind: str, name: str, build: Callable[[Any], Built]) -> Built | None:
        key = (kind, name)
        if key not in self._built:
            document = self.pack.find(kind, name)
            self._built[key] = None if document is None else build(document)
        return self._built[key]  # type: ignore[no-any-return]

    @cached_property
    def manifest(self) -> d.Manifest:
        documents = {doc.name: doc for doc in self.pack.all("pack")}
        return d.build_manifest([documents[name] for name in self.pack.chain if name in documents])

    def record(self, name: str) -> d.Record | None:
        if name in ("entry", "voucher") and self.manifest.ledger:
            return self._ledger_records[name]
        return self._get("record", name, d.build_record)

    def workflow(self, name: str) -> d.Workflow | None:
        """A workflow; what the first one of its record says of people holds where it shares that one's state, too."""
        flow = self._get("workflow", name, d.build_workflow)
        if flow is None or not flow.cells:
            return flow
        if name not in self._sharing:
            names = record.workflows if (record := self.record(flow.of)) else ()
            first = self._get("workflow", names[0], d.build_workflow) if names else None
            self._sharing[name] = replace(flow, field=first.field, people=first.people) if first else flow
        return self._sharing[name]

    def machine(self, name: str) -> d.Workflow | None:
        """A workflow as records live by it: one that shares a state has what is the same for all, too."""
        flow = self.workflow(name)
        record = self.record(flow.of) if flow and flow.cells else None
        first = self.workflow(record.workflows[0]) if record and record.workflows else None
        return replace(joined(first, flow), name=flow.name) if flow and first else flow

    def machines_of(self, name: str) -> list[str]:
        """The workflows that share the state of a first one, by name."""
        flow = self.workflow(name)
        record = self.record(flow.of) if flow and not flow.cells else None
        is_first = record is not None and record.workflows[:1] == (name,)
        return [w.name for w in self.workflows_of(record) if w.cells] if record and is_first else []

    def decision(self, name: str) -> d.Decision | None:
        return self._get("decision", name, d.build_decision)

    def share_out(self, name: str) -> d.ShareOut | None:
        return self._get("share_out", name, d.build_share_out)

    def formulas(self, name: str) -> d.Formulas | None:
        return self._get("formulas", name, d.build_formulas)

    def posting(self, name: str) -> d.Posting | None:
        return self._get("posting", name, d.build_posting)

    def measure(self, name: str) -> d.Measure | None:
        return self._get("measure", name, d.build_measure)

    def calendar(self, name: str) -> d.Calendar | None:
        return self._get("calendar", name, d.build_calendar)

    def limit(self, name: str) -> d.Limit | None:
        return self._get("limit", name, d.build_limit)

    @cached_property
    def limits(self) -> Mapping[tuple[str, str], list[d.Limit]]:
        """By record type and event the limits that hold there, in the order of their names."""
        found: dict[tuple[str, str], list[d.Limit]] = {}
        for name in sorted(document.name for document in self.pack.all("limit")):
            if (limit := self.limit(name)) is not None:
                for event in limit.events:
                    found.setdefault((limit.of, event), []).append(limit)
        return found

    def limits_at(self, record: str, event: str) -> list[d.Limit]:
        """The limits on what an event of a record type claims."""
        return self.limits.get((record, event), [])

    def process(self, name: str) -> d.Process | None:
        return self._get("process", name, d.build_process)

    @cached_property
    def parameters(self) -> Mapping[str, d.Parameter]:
        found: dict[str, d.Parameter] = {}
        for document in self.pack.all("parameters"):
            found |= d.build_parameters(document)
        return found

    def records(self) -> list[d.Record]:
        """The record types that have tables of their own, by name."""
        return [r for doc in self.pack.all("record") if (r := self.record(doc.name))]

    def workflows_of(self, record: d.Record) -> list[d.Workflow]:
        if record.workflows not in self._flows_of:
            self._flows_of[record.workflows] = [w for name in record.workflows if (w := self.workflow(name))]
        return self._flows_of[record.workflows]

    def states_of(self, record: d.Record) -> dict[str, d.Workflow]:
        """The state fields of a record type and their workflows, the creating one first; those of one state as one."""
        if record.workflows not in self._states_of:
            found = self._states_of[record.workflows] = {}
            for w in self.workflows_of(record):
                found[w.field] = joined(found[w.field], w) if w.cells and w.field in found else w
        return self._states_of[record.workflows]

    def transitions(self, record: d.Record, event: str) -> list[tuple[d.Workflow, d.Transition]]:
        return [(w, t) for w in self.workflows_of(record) for t in w.transitions if t.event == event]

    def creations(self, record: d.Record) -> list[d.Transition]:
        flows = self.workflows_of(record)
        return [t for t in flows[0].transitions if t.creates] if flows else []

    def creation_event(self, record: d.Record) -> str | None:
        """The event that creates such a record, where there is exactly one."""
        events = {t.event for t in self.creations(record)}
        return next(iter(events)) if len(events) == 1 else None

    def creation_fields(self, record: d.Record, event: str | None = None) -> dict[str, d.Field]:
        """What the creation event takes, as fields."""
        wanted = event or self.creation_event(record)
        taken: dict[str, d.Field] = {}
        for t in self.creations(record):
            if t.event == wanted:
                taken |= self.taken(record, t)
        return taken

    def taken(self, record: d.Record, transition: d.Transition) -> dict[str, d.Field]:
        """The fields for what a transition takes; names that are nothing are left out."""
        fields = {n: f or record.fields.get(n) for n, f in transition.takes.items()}
        return {n: f for n, f in fields.items() if f is not None}

    # --- types along paths ---

    def member(self, record: d.Record, name: str) -> Type | None:
        """The type of one field, state or list of children of a record."""
        if name in record.fields:
            return record.fields[name].type
        if name == "id":
            return WHOLE
        states = self.states_of(record)
        if name in states:
            return Type("choice", choices=tuple(states[name].states))
        if name in record.children:
            return Type("list", item=Type("ref", of=record.children[name].of))
        return None

    def members(self, record: d.Record) -> list[str]:
        return ["id", *self.states_of(record), *record.fields, *record.children]

    def currency_path(self, record: d.Record, name: str) -> tuple[str, ...] | None:
        """What leads to the currency of a field of money; None for other fields and where nothing says it."""
        field = record.fields.get(name)
        if field is None or field.type.kind != "money":
            return None
        own = ("currency",) if "currency" in record.fields else None
        path = field.currency or record.currency or own
        found = self.along(Type("ref", of=record.name), path) if path else None
        return path if found and found.kind in ("text", "choice") else None

    def along(self, start: Type, path: tuple[str, ...]) -> Type | None:
        """The type at the end of a path from a value of type `start`; behind an unknown record all is unknown."""
        here = start
        for name in path:
            inner = here.item if here.kind == "list" and here.item else here
            record = self.record(inner.of) if inner.kind == "ref" else None
            if inner.kind == "unknown" or (inner.of and record is None):
                return Type("unknown")
            found = self.member(record, name) if record else None
            if found is None:
                return None
            if here.kind == "list":
                if found.kind == "list":
                    return None
                here = Type("list", item=found)
            else:
                here = found.or_none() if here.optional and found.kind != "list" else found
        return here

    def key_paths(self, record: d.Record, seen: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
        """The paths whose values, joined by `/`, are what people call a record; `id` where it has no key."""
        if not record.key or record.name in seen:
            return [("id",)]
        paths: list[tuple[str, ...]] = []
        for name in record.key:
            type_ = record.fields[name].type if name in record.fields else TEXT
            target = self.record(type_.of) if type_.kind == "ref" else None
            inner = self.key_paths(target, (*seen, record.name)) if target else [()]
            paths += [(name, *rest) for rest in inner]
        return paths

    @cached_property
    def warnings(self) -> frozenset[str]:
        """The names of all warnings: an event may fire others, so whoever fires it may meet any of them."""
        flows = [w for record in self.records() for w in self.workflows_of(record)]
        named = {w.name for flow in flows for t in flow.transitions for w in t.warnings if w.name}
        return frozenset({*named, *(document.name for document in self.pack.all("limit"))})

    # --- what the ledger offers to measures ---

    @cached_property
    def _ledger_records(self) -> dict[str, d.Record]:
        ledger = self.manifest.ledger
        assert ledger is not None
        decision = self.decision(ledger.account)
        account = next((o.type for o in decision.outputs.values() if o.type.kind == "ref"), TEXT) if decision else TEXT
        head = {"company": Type("ref", of=ledger.company), "date": DATE, "currency": TEXT, "series": TEXT,
                "number": TEXT, "posting": TEXT, "posted_at": TIME}  # fmt: skip
        line = {"voucher": Type("ref", of="voucher"), "account": account, "account_key": TEXT, "row": TEXT,
                "line": WHOLE, "amount": MONEY, "debit": MONEY, "credit": MONEY, "company": head["company"],
                "date": DATE, "currency": TEXT}  # fmt: skip
        dimensions = {n: f.type.or_none() for n, f in ledger.dimensions.items()}
        return {"voucher": _built_in("voucher", head), "entry": _built_in("entry", {**line, **dimensions})}


def _built_in(name: str, types: Mapping[str, Type]) -> d.Record:
    fields = {n: d.Field(n, t) for n, t in types.items()}
    return d.Record(name, "", (), (), None, "date", ("currency",), None, (), fields, {}, BUILT_IN)


def in_reference_order(library: Library, names: Iterable[str]) -> list[str]:
    """Record types so that each comes after those it refers to."""
    ordered: list[str] = []
    wanted = set(names)

    def visit(name: str, above: tuple[str, ...]) -> None:
        record = library.record(name)
        if name in ordered or name in above or record is None:
            return
        for f in record.fields.values():
            if f.type.kind == "ref" and f.type.of in wanted:
                visit(f.type.of, (*above, name))
        ordered.append(name)

    for name in sorted(wanted):
        visit(name, ())
    return ordered


def joined(one: d.Workflow, other: d.Workflow) -> d.Workflow:
    """Two workflows of one state as if they were one, under the name of the first."""
    states = {**other.states, **one.states}
    ordered = {name: states[name] for name in (*one.states, *other.states)}
    return replace(one, states=ordered, transitions=(*one.transitions, *other.transitions))
