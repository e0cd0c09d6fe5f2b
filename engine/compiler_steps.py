"""Compiles the steps of a transition: what they set, create, fire, post and reverse. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import definitions as d
from . import programs as p
from .cells import joined
from .compiler_elements import Elements
from .compiler_postings import Postings
from .errors import Place
from .expressions import Path, parse
from .frames import Frame
from .model import SCALES, Parts
from .money import unit

if TYPE_CHECKING:
    from .compiler import Compiler


@dataclass
class Now:
    """The sources of the record's fields as the steps so far leave them.

    `settled` are those that rest on nothing that a step created or fired. From the first that does, all that is set is
    set late: in the order of the steps.
    """

    settled: dict[str, str]
    fields: dict[str, str]
    sets_late: bool = False


class Steps:
    """Compiles steps in order, seen from `base`; what they require joins `requirements`, the fields they set `now`.

    `done` says how many of them created or fired so far, `made` with what records known by an `as` name are made. None
    of them is done where `within` does not hold.
    """

    def __init__(
        self, compiler: Compiler, base: Frame, now: Now, requirements: list[tuple[str, p.Requirement]], within: str = ""
    ) -> None:
        self.compiler, self.base, self.now, self.requirements = compiler, base, now, requirements
        self.within = within
        self.library, self.record = compiler.library, compiler.record
        self.conditions: list[tuple[Place, Any]] = []
        self.done = 0
        self.made: dict[str, dict[str, str]] = {}

    def step(self, step: d.Step) -> Iterator[p.Effect]:
        """What a step brings about, with the stage of the last value that it needs."""
        self.compiler.reached = 0
        frame = self.base.seeing(self.now.fields, self.done)
        own = joined(self.compiler.cell_sources(frame, step.cells))
        guard = joined([each for each in (self.within, own) if each])
        self.compiler.need(guard)
        with self.compiler.under(guard):
            effects = list(self.effects(frame, step, guard))
        yield from (replace(effect, stage=self.compiler.reached) for effect in effects)
        self.done += sum(effect.kind in ("create", "fire") for effect in effects)

    def effects(self, frame: Frame, step: d.Step, guard: str) -> Iterator[p.Effect]:
        when = self.compiler.function(guard) if guard else None
        if when is not None:
            self.conditions.append((step.place, when))
        if step.verb == "set":
            yield from self.set_fields(frame, step, guard)
        elif step.for_each:
            yield self.for_each(frame, step, when)
        elif step.verb == "create":
            yield self.created(frame, step, when)
        elif step.verb == "fire":
            yield self.fired(frame, step, when)
        elif step.verb == "post":
            code = Postings(self.compiler, frame, step.target, guard, self.requirements).code()
            yield p.Effect("post", when, step.place, voucher=code)
        elif step.verb == "reverse":
            yield self.reversing(frame, step, when)

    def set_fields(self, frame: Frame, step: d.Step, guard: str) -> Iterator[p.Effect]:
        """Fields are set before anything is created or fired, but for what rests on that; and what is set after it."""
        now, worked_out = self.now, {}
        for name, text in step.values.items():
            source = self.fitted(frame, text, self.record.fields[name])
            operation = self.compiler.add(p.Let, ("set", name, step.place), [source], step.place, name=f"set {name}")
            before = now.fields.get(name, f"v[0][{self.compiler.index[name]}]")
            slot = f"v[{operation.index}]"
            worked_out[name] = f"({slot} if {guard} else {before})" if guard else slot
        now.fields |= worked_out
        if not self.compiler.reached and not now.sets_late:
            now.settled |= worked_out
            return
        now.sets_late = True
        row = self.compiler.function("(" + "".join(f"{s}, " for s in worked_out.values()) + ")")
        yield p.Effect("set", None, step.place, columns=tuple(self.compiler.index[n] for n in worked_out), row=row)

    def fitted(self, frame: Frame, text: d.Text, field: d.Field, currency: str | None = None) -> str:
        """The source of a value for a field: money rounded to its currency, numbers to the places that are kept."""
        source = frame.source(text)
        node = parse(text.text)
        type_ = frame.names.type_of(node.parts) if isinstance(node, Path) else None
        is_let = isinstance(node, Path) and node.parts[0] in frame.names.lets
        if type_ is not None and type_.kind == field.type.kind and not (is_let and type_.kind in ("number", "price")):
            return source
        if field.type.kind == "money":
            return f"_to_unit({source}, _units[{currency or frame.currency(field.name)}])"
        if SCALES.get(field.type.kind):
            return f"_to_scale({source}, {self.compiler.constants.constant(unit(SCALES[field.type.kind]))})"
        return source

    def handed(
        self,
        frame: Frame,
        texts: Mapping[str, d.Text],
        fields: Mapping[str, d.Field],
        more: Mapping[str, str],
        created: d.Record | None = None,
    ) -> dict[str, str]:
        """The sources of the values handed to another event."""
        sources = dict(more)
        # The currency comes first: money that is handed to a new record is rounded in the currency handed with it.
        for name in sorted(texts, key=lambda name: fields[name].type.kind == "money" if name in fields else False):
            field, text = fields.get(name), texts[name]
            if field is None or field.type.kind == "ref":
                sources[name] = frame.source(text)
            else:
                sources[name] = self.fitted(frame, text, field, self.currency_handed(created, name, sources))
        return sources

    def currency_handed(self, created: d.Record | None, name: str, sources: Mapping[str, str]) -> str | None:
        """The source of the currency of a new record's money, where the record is given it."""
        path = self.library.currency_path(created, name) if created else None
        return sources.get(path[0]) if path and len(path) == 1 else None

    def values(self, frame: Frame, sources: Mapping[str, str]) -> Any:
        """A function from v to the values handed over."""
        source = "{" + ", ".join(f"{n!r}: {s}" for n, s in sources.items()) + "}"
        frame.compiler.need(source)
        return frame.compiler.function(source)

    def for_each(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        """What is created or fired for each element of a list to which the step applies."""
        assert step.for_each is not None
        elements = Elements.of_list(frame, step.for_each, step.place)
        applies = joined(elements.cell_sources(elements.frame, step.each_cells)) or "True"
        applying = elements.kept("applies", applies)
        with elements.under(f"v[{applying}]" if step.each_cells else ""):
            make = self.created if step.verb == "create" else self.fired
            effect = make(elements.frame, step, when)
        each = elements.finished()
        source = f"[_e for _e in v[{each.index}][0] if _e[{applying}]]"
        self.compiler.need(source)
        return replace(effect, elements=self.compiler.function(source))

    def created(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target = self.compiler.wanted_record(step.target)
        event = step.event or self.library.creation_event(target) or ""
        fields = self.library.creation_fields(target, event)
        copied = self.copied(frame, step, fields) if step.copied else {}
        handed = self.handed(frame, step.values, fields, copied, target)
        values = self.values(frame, handed)
        ids, place = None, None
        if step.alias:
            self.made[step.alias] = handed
            alias = self.compiler.add(p.Alias, ("alias", step.alias), [], step.place, record=target.name)
            ids, place = self.compiler.function(f"v[{alias.index}]"), alias.index
        return p.Effect("create", when, step.place, target.name, event, values, ids, alias=place)

    def copied(self, frame: Frame, step: d.Step, fields: Mapping[str, d.Field]) -> dict[str, str]:
        """The values of the record copied, for all that the creation takes and the step does not say itself."""
        assert step.copied is not None
        made = self.made.get(step.copied[0]) if len(step.copied) == 1 else None
        found = {}
        for name, field in fields.items():
            if name in step.values:
                continue
            # What this very event creates is not there to be read yet; it is known by what it is made with.
            source = made.get(name) if made is not None else self.copied_source(frame, step.copied, name)
            if source is not None:
                negative = f"(None if {source} is None else -({source}))"
                found[name] = negative if step.mirrored and field.mirrored else source
        return found

    def copied_source(self, frame: Frame, copied: Parts, name: str) -> str | None:
        path = (*copied, name)
        return None if frame.names.type_of(path) is None else frame.load(path)

    def fired(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        target, ids = self.targets(frame, step)
        fields: dict[str, d.Field] = {}
        for _, t in self.library.transitions(target, step.target):
            fields |= self.library.taken(target, t)
        frame.compiler.need(ids)
        values = self.values(frame, self.handed(frame, step.values, fields, {}))
        return p.Effect("fire", when, step.place, target.name, step.target, values, self.compiler.function(ids))

    def targets(self, frame: Frame, step: d.Step) -> tuple[d.Record, str]:
        """The record type that a `fire` reaches and the source of the ids, always something to go through."""
        if step.records_of:
            target = self.compiler.wanted_record(step.records_of)
            where = step.records_where or d.Text("true", step.place)
            find = d.Find(f"{step.target} records", step.records_of, where, None, False, True, None, step.place)
            return target, f"v[{frame.find(find, many=True).index}][0]"
        path = step.copied or ("this",)
        if path == ("this",):
            return self.record, f"({frame.load(path)},)"
        type_ = frame.names.type_of(path)
        if type_ and type_.kind == "list" and type_.item:
            children = frame.inner(path, "c")
            return self.compiler.wanted_record(
                type_.item.of
            ), f"[{children.load(('id',))} for c in {frame.list_source(path)}]"
        source = frame.load(path)
        return self.compiler.wanted_record(type_.of if type_ else ""), f"(() if {source} is None else ({source},))"

    def reversing(self, frame: Frame, step: d.Step, when: Any) -> p.Effect:
        operation = self.compiler.add(
            p.Reversible, ("reverse", step.target), ["v[0][0]"], step.place,
            record=self.record.name, event=step.target,
        )  # fmt: skip
        on = frame.source(step.date) if step.date else "None"
        self.compiler.need(on)
        return p.Effect("reverse", when, step.place, ids=self.compiler.function(f"(v[{operation.index}][0], {on})"))
