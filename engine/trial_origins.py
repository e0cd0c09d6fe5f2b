"""Goes back from a figure to the rows of decisions that gave it, through names, fields, and the events that set them.

It reads the log and the facts of the store in which a rule test was played. It names what it finds and stops where a
figure was added up over many records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Row

from . import definitions as d
from . import programs as p
from .batch import Rules
from .explanation_data import Decision
from .explanation_events import fits, leads_to
from .explanation_keys import Keys
from .explanation_past import Past, Then
from .explanation_readings import Readings
from .explanation_slots import Slots
from .expressions import parse, paths
from .log_texts import changes_of, reads_of
from .store import Session
from .trial_differences import Origin

MOST_STEPS = 200  # names and fields gone back through for one figure


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression stands: the log row whose event worked it out, and the names it may use besides fields."""

    row: Row[Any]
    lets: Mapping[str, d.Text]
    uses: tuple[d.Use, ...]


Asked: TypeAlias = "tuple[Scope, d.Use]"


class Origins:
    """Finds the decisions behind figures; each log row is read once."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self.past = Past(session, rules)
        self.keys = Keys(self.past)
        self.readings = Readings(self.past, self.keys)
        self.seen: set[tuple[Any, ...]] = set()

    def of_entry(self, log: int, posting_row: str, key: str) -> tuple[Origin, ...]:
        """What gave the amount of the entry with that account key in a row of a posting."""
        self.seen.clear()
        row = self.loaded(log)
        then = self.past.then(row)
        name, _, row_name = posting_row.partition("/")
        posting = then.library.posting(name)
        wrote = next((r for r in posting.rows if r.name == row_name), None) if posting else None
        if posting is None or wrote is None:
            return ()
        scope = Scope(row, {**posting.lets, **wrote.lets}, (*posting.uses, *wrote.uses))
        amounts = [e.amount for e in wrote.entries if e.key == key]
        return self.told([found for amount in amounts for found in self.behind(scope, amount)])

    def of_field(self, record: str, id_: int, field: str) -> tuple[Origin, ...]:
        """What gave the value of a field of a record."""
        self.seen.clear()
        return self.told(list(self.behind_field(record, id_, field, None)))

    def rule_of(self, record: str, id_: int, field: str) -> tuple[str, str]:
        """The transition that last gave a field its value, and where that is said."""
        row = self.setting(record, id_, field, None)
        if row is None:
            return "", ""
        then = self.past.then(row)
        texts = [s.values[field] for s in then.transition.steps if s.verb == "set" and field in s.values]
        place = texts[-1].place if texts else then.transition.place
        return row.rule, f"{place.file}:{place.line}"

    # --- from names to what they stand for ---

    def behind(self, scope: Scope, text: d.Text) -> Iterator[Asked]:
        """The decisions that an expression rests on, with where they were asked."""
        at = (scope.row.id, text.place)
        if at in self.seen or len(self.seen) > MOST_STEPS:
            return
        self.seen.add(at)
        for path in paths(parse(text.text)):
            yield from self.behind_name(scope, path.parts)

    def behind_name(self, scope: Scope, parts: Sequence[str]) -> Iterator[Asked]:
        head, *rest = parts
        then = self.past.then(scope.row)
        use = next((u for u in scope.uses if u.name == head), None)
        if head in scope.lets:
            yield from self.behind(scope, scope.lets[head])
        elif use is not None:
            yield from self.behind_use(scope, use, rest, then)
        elif head == "this" and rest:
            yield from self.behind_name(Scope(scope.row, {}, ()), rest)
        elif head in then.library.taken(then.record, then.transition) and not rest:
            yield from self.behind_given(scope.row, then, head)
        elif head in then.record.fields and not rest:
            yield from self.behind_field(scope.row.record, scope.row.record_id, head, scope.row)
        elif len(rest) == 1 and (target := self.referred(then, scope.row, head)):
            yield from self.behind_field(*target, rest[0], scope.row)

    def behind_use(self, scope: Scope, use: d.Use, rest: Sequence[str], then: Then) -> Iterator[Asked]:
        formulas = then.library.formulas(use.decision)
        if formulas is None:
            yield scope, use
            return
        inner = Scope(scope.row, formulas.steps, formulas.uses)
        steps = [formulas.steps, *formulas.choices.values()]
        for text in (s[rest[0]] for s in steps if rest and rest[0] in s):
            yield from self.behind(inner, text)

    def referred(self, then: Then, row: Row[Any], name: str) -> tuple[str, int] | None:
        """The record that a field of the event's record referred to."""
        type_ = then.type_of(name)
        reads = reads_of(row)
        id_ = reads["own"].get(name, reads["given"].get(name))
        return (type_.of, id_) if type_.kind == "ref" and isinstance(id_, int) else None

    # --- from fields to the events that set them ---

    def behind_field(self, record: str, id_: int, field: str, until: Row[Any] | None) -> Iterator[Asked]:
        row = self.setting(record, id_, field, until)
        if row is None or ("field", row.id, field) in self.seen:
            return
        self.seen.add(("field", row.id, field))
        then = self.past.then(row)
        sets = [s.values[field] for s in then.transition.steps if s.verb == "set" and field in s.values]
        for text in sets:
            yield from self.behind(self.scope(row, then), text)
        if not sets and field in then.library.taken(then.record, then.transition):
            yield from self.behind_given(row, then, field)

    def setting(self, record: str, id_: int, field: str, until: Row[Any] | None) -> Row[Any] | None:
        """The latest log row of a record that gave a field its value, up to a row."""
        rows = self.past.of_record(record, id_)
        changed = [r for r in rows if field in changes_of(r) and (until is None or r.id <= until.id)]
        return self.loaded(changed[-1].id) if changed else None

    def behind_given(self, row: Row[Any], then: Then, name: str) -> Iterator[Asked]:
        """What another event handed over when it fired this one or created the record."""
        given = reads_of(row)["given"]
        if row.cause is None or given.get(name) is None:
            return
        cause = self.loaded(row.cause)
        causing = self.past.then(cause)
        known = {**reads_of(cause)["own"], **reads_of(cause)["given"]}
        for step in causing.transition.steps:
            if leads_to(causing, step, row) and fits(step, given, known) and name in step.values:
                yield from self.behind(self.scope(cause, causing), step.values[name])

    def scope(self, row: Row[Any], then: Then) -> Scope:
        return Scope(row, then.transition.lets, then.transition.uses)

    # --- in words ---

    def loaded(self, log: int) -> Row[Any]:
        self.past.by_ids([log])
        return self.past.row(log)

    def told(self, found: Sequence[Asked]) -> tuple[Origin, ...]:
        """What each decision answered, once."""
        self.past.load([scope.row for scope, _ in found])
        said = self.keys.settled(lambda: [o for scope, use in found for o in self.answers(scope, use)])
        return tuple(dict.fromkeys(said))

    def answers(self, scope: Scope, use: d.Use) -> Iterator[Origin]:
        then = self.past.then(scope.row)
        facts = self.past.facts_of(scope.row, then.program)
        slots = Slots(then, scope.row, facts)
        for operation, fact in facts:
            if isinstance(operation, p.Decided) and operation.table and operation.table.name == use.decision:
                yield from self.hits(self.readings.decision(slots, operation, fact))

    def hits(self, decided: Decision) -> Iterator[Origin]:
        answers = "; ".join(", ".join(f"{v.name} {v.value or 'none'}" for v in answer) for answer in decided.answers)
        for hit in decided.hits:
            yield Origin(decided.decision, hit.name, hit.place or decided.place, answers)
