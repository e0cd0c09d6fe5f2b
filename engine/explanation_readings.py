"""What the rules read and decided for an event, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Row

from . import definitions as d
from . import programs as p
from .claiming import FITS, NEAR, PASSED
from .dates import WEEKDAYS
from .explanation_data import Decision, Hit, Reading, Value
from .explanation_keys import Keys
from .explanation_past import Past, Then
from .explanation_rules import at, rule_texts
from .explanation_slots import Slots
from .library import Library
from .model import TEXT, Type
from .scopes import Names, part_names

LAST_DAY = "9999-12-31"
OUTCOMES = {FITS: "fits", NEAR: "fits, and little is left", PASSED: "passed"}
ROW_IN_PLACE = re.compile(r"(?P<name>.*) \((?P<file>.+):(?P<line>\d+):(?P<column>\d+)\)")


class Readings:
    """Says what the rules read and decided for a log row."""

    def __init__(self, past: Past, keys: Keys) -> None:
        self.past, self.keys = past, keys

    # --- what was read ---

    def of(self, slots: Slots, row: Row[Any], facts: Sequence[tuple[p.Operation, Any]]) -> Iterator[Reading]:
        """What the rules read, but for decisions."""
        own = [Value(n, self.keys.said(slots.then.type_of(n), v)) for n, v in slots.own.items() if n != "id"]
        if own:
            yield Reading("own", self.keys.called(row.record, row.record_id), tuple(own))
        yield from self.given(slots)
        for operation, fact in facts:
            if not isinstance(operation, p.Decided):
                yield self.reading(slots, operation, fact)
        yield from self.parameters(slots)

    def given(self, slots: Slots) -> Iterator[Reading]:
        """What whoever fired it said: values, and the warnings acknowledged."""
        taken = slots.program.taken
        if slots.given:
            given = (Value(n, self.keys.said(taken[n].type if n in taken else TEXT, v)) for n, v in slots.given.items())
            yield Reading("given", "given", tuple(given))
        if slots.acknowledged:
            yield Reading("acknowledged", "warnings", (Value("acknowledged", ", ".join(slots.acknowledged)),))

    def reading(self, slots: Slots, operation: p.Operation, fact: Any) -> Reading:
        if isinstance(operation, p.Reference):
            root = slots.named(operation.sources[0])
            values = self.along(slots.then.library, operation, fact["values"], f"{root}.")
            return Reading("along", self.keys.called(fact["record"], fact["id"]), values)
        if isinstance(operation, p.Children):
            child = slots.then.library.record(operation.record)
            parent = child.fields[operation.by].type.of if child else ""
            about = f"{len(fact['values'])} {fact['children']} of {self.keys.called(parent, fact['of'])}"
            columns = [[row[i] for row in fact["values"]] for i in range(len(operation.paths))]
            return Reading("list", about, self.along(slots.then.library, operation, columns))
        if isinstance(operation, p.Find):
            return self.found(slots, operation, fact)
        if isinstance(operation, p.Claimed):
            return self.claimed(slots, operation, fact)
        if isinstance(operation, p.Measured):
            return self.measured(slots, operation, fact)
        if isinstance(operation, p.Closed):
            return self.closed(slots, operation, fact)
        if isinstance(operation, p.Shared):
            return self.shared(slots, operation, fact)
        numbers = ", ".join(self.keys.key("voucher", i) for i in fact["vouchers"])
        about = f"vouchers of `{fact['vouchers_of']}` not yet reversed"
        return Reading("vouchers", about, (Value("vouchers", numbers or None),))

    def along(self, library: Library, operation: p.Reading, values: Sequence[Any], root: str = "") -> tuple[Value, ...]:
        start = Type("ref", of=operation.record)
        found = []
        for path, value in zip(operation.paths, values, strict=True):
            type_ = start if path == ("id",) else library.along(start, path) or TEXT
            found.append(Value(f"{root}{'.'.join(path)}", self.keys.said(type_, value)))
        return tuple(found)

    def found(self, slots: Slots, operation: p.Find, fact: Any) -> Reading:
        of = Type("ref", of=operation.record)
        if operation.many:
            about = f"{len(fact['found'])} {operation.record} for {operation.name}"
            value = Value(operation.record, self.keys.said(of, fact["found"]) or None)
            return Reading("found", about, (value,), at(operation.place))
        id_ = fact["values"][operation.paths.index(("id",))]
        about = "nothing" if id_ is None else self.keys.called(operation.record, id_)
        values = self.along(slots.then.library, operation, fact["values"], f"{operation.name}.")
        kept = tuple(v for v, path in zip(values, operation.paths, strict=True) if path != ("id",))
        return Reading("found", f"{operation.name}: {about}", kept, at(operation.place))

    def measured(self, slots: Slots, operation: p.Measured, fact: Any) -> Reading:
        asked, place = self.asked_of(slots, operation, fact)
        value = Value(operation.measure, self.keys.said(TEXT, fact["value"]))
        return Reading("measure", asked, (value,), place)

    def asked_of(self, slots: Slots, operation: p.Measured, fact: Any) -> tuple[str, str]:
        """A measure with what it was asked for, and where it is declared."""
        library = slots.then.library
        measure = library.measure(operation.measure)
        assert measure is not None
        start = Type("ref", of=measure.of)
        types = [library.along(start, path) or TEXT for path in measure.by.values()]
        asked = ", ".join(self.keys.said(t, v) or "none" for t, v in zip(types, fact["of"], strict=False))
        return f"{operation.measure}({asked})", at(measure.place)

    def claimed(self, slots: Slots, operation: p.Claimed, fact: Any) -> Reading:
        """What was asked of which total, what that may come to, and whether it fitted."""
        total, _ = self.asked_of(slots, operation, fact)
        figures = [
            ("asks", "asks"),
            ("claim", "claim"),
            (total, "total"),
            ("may come to", "whole"),
            ("warns from", "share"),
        ]
        values = [Value(name, self.keys.said(TEXT, fact[key])) for name, key in figures if fact[key] is not None]
        about = f"{fact['limit']}: {OUTCOMES[fact['outcome']]}, level {fact['level']}"
        return Reading("claim", about, tuple(values), at(operation.place))

    def closed(self, slots: Slots, operation: p.Closed, fact: Any) -> Reading:
        """The working days of the week and the days closed besides, as they were when it was asked."""
        library = slots.then.library
        calendar = library.calendar(operation.calendar)
        assert calendar is not None
        start = Type("ref", of=calendar.of)
        types = [library.along(start, path) or TEXT for path in calendar.by.values()]
        asked = ", ".join(self.keys.said(t, v) or "none" for t, v in zip(types, fact["of"], strict=True))
        week = ", ".join(WEEKDAYS[day] for day in sorted(calendar.week))
        values = (Value("week", week), Value("closed", ", ".join(fact["closed"]) or None))
        return Reading("calendar", f"{operation.calendar}({asked})", values, at(calendar.place))

    def shared(self, slots: Slots, operation: p.Shared, fact: Any) -> Reading:
        """Group by group what was taken, by whom, and whose room was the end of it."""
        rule, library = operation.share_out, slots.then.library
        assert rule is not None
        of = library.record(rule.of)
        names = part_names(library, rule, Names(library, of)) if of else None
        part = names.this if names else TEXT
        together = (names.type_of(rule.together) if names and rule.together else None) or TEXT
        values = []
        for group in fact["groups"]:
            name = self.keys.said(together, group["of"]) if rule.together else "together" if rule.kept else "in turn"
            back = bool(rule.taken) and Decimal(str(fact["amount"])) < 0
            values.append(Value(name or "none", self.taken(part, group, back)))
        if Decimal(str(fact["left_over"])):
            values.append(Value("left over", self.keys.said(TEXT, fact["left_over"])))
        return Reading("shared", f"{rule.name}: {fact['amount']} shared out", tuple(values), at(rule.place))

    def taken(self, part: Type, group: Any, back: bool) -> str:
        """What a group took, and each of its parts, as far as there was room; or gave back, as far as it had taken."""
        room_said, end = ("took", "took no more") if back else ("room", "has room for no more")
        said = [f"{share} to {self.keys.said(part, id_)}" + (f" ({room_said} {room})" if room is not None else "")
                for id_, _, room, share in group["shares"]]  # fmt: skip
        capped = f"; {self.keys.said(part, group['capped_by'])} {end}" if group["capped_by"] else ""
        return f"{group['taken']}{': ' + ', '.join(said) if said else ''}{capped}"

    def parameters(self, slots: Slots) -> Iterator[Reading]:
        """The parameters that the rules named, with the value that held on the day that decides."""
        for operation in slots.program.operations:
            if isinstance(operation, p.Let) and operation.name.startswith("parameter.") and not operation.late:
                name = operation.name.removeprefix("parameter.")
                parameter = slots.then.library.parameters[name]
                day = slots.day(operation.sources[0])
                held = [v for since, until, v in parameter.rows if day and (since or "") <= day <= (until or LAST_DAY)]
                about = f"parameter {name}" + (f" on {day}" if day else "")
                value = Value(operation.name, held[0] if held else None)
                yield Reading("parameter", about, (value,), at(parameter.place))

    # --- what was decided ---

    def decision(self, slots: Slots, operation: p.Decided, fact: Any) -> Decision:
        table = operation.table
        assert table is not None
        decision, said = table.decision, self.keys.said
        types = dict(zip(table.inputs, table.input_types, strict=True))
        inputs = tuple(Value(n, said(types.get(n, TEXT), v)) for n, v in fact["inputs"].items())
        outputs = fact["outputs"]
        since, until = fact["on"] or (None, None)
        answers = () if outputs is None else outputs if decision.hit == "collect" else [outputs]
        named = [[Value(n, said(t, v)) for n, t, v in zip(decision.outputs, table.output_types, answer, strict=True)]
                 for answer in answers]  # fmt: skip
        hits = tuple(self.hit(slots.then, table.decision, fact, row) for row in fact["rows"])
        return Decision(
            decision.name, tuple(u.name for u in slots.then.uses if u.decision == decision.name), at(decision.place),
            slots.day(operation.sources[-1]), since, until, inputs,
            tuple(fact["key_set"]) if fact["key_set"] is not None else None, hits, tuple(map(tuple, named)),
        )  # fmt: skip

    def hit(self, then: Then, decision: d.Decision, fact: Any, said: str) -> Hit:
        document = then.pack.find("decision", decision.name)
        if decision.rows_of and said != "otherwise":
            return self.record_hit(then, decision, fact, said)
        in_place = ROW_IN_PLACE.fullmatch(said)
        if in_place is None:
            texts = rule_texts(then.pack, document, ("otherwise",))
            return Hit(said, texts[0].place if texts else "", texts)
        index = next(i for i, row in enumerate(decision.rows) if f"{row.name} ({row.place})" == said)
        texts = rule_texts(then.pack, document, ("rows", index))
        return Hit(in_place["name"], f"{in_place['file']}:{in_place['line']}", texts)

    def record_hit(self, then: Then, decision: d.Decision, fact: Any, said: str) -> Hit:
        record, _, number = said.rpartition(" ")
        id_ = int(number)
        candidate: dict[str, Any] = next((c for c in fact["candidates"] if c["row"] == said), {})
        declared = then.library.record(record)
        types = {n: f.type for n, f in declared.fields.items()} if declared else {}
        filled = {n: fact["inputs"].get(n) for n in candidate.get("filled", ())}
        conditions = [Value(n, self.keys.said(types.get(n, TEXT), v)) for n, v in filled.items()]
        dates = [Value(n, candidate[n]) for n in ("from", "until") if candidate.get(n)]
        row = self.past.entered.get((record, id_))
        entered = f"entered by {row.actor} (login {row.login}, {row.right}) on {row.at[:10]}" if row else ""
        return Hit(self.keys.called(record, id_), (row.source if row else "") or "", (), (*conditions, *dates), entered)
