"""How firings begin: which transition an event means for each record, and with what values. Writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from . import definitions as d
from . import programs as p
from .cells import cell_source, joined
from .errors import Place
from .expression_python import Constants, compile_function
from .firings import Firing, Root
from .model import TEXT, Type
from .tables import columns_of

if TYPE_CHECKING:
    from .execution import Work


NONE_APPLIES = "each has conditions that do not hold."


@dataclass(slots=True)
class Asked:
    """An event asked of a record, before its transition is known."""

    root: Root
    parent: Firing | None
    id: int | None
    values: Mapping[str, Any]
    new_id: int | None = None


def each_record_once(asked: list[Asked]) -> tuple[list[Asked], list[Asked]]:
    """What is asked first of each record, and what is asked of it again by the same root and has to wait for that.

    What another root asks of the same record goes into a later piece of work.
    """
    first: dict[int | None, Asked] = {}
    again = []
    for a in asked:
        before = first.setdefault(a.id, a)
        if before.root is not a.root:
            a.root.deferred = True
        elif before is not a:
            again.append(a)
    return list(first.values()), again


Begun: TypeAlias = "tuple[p.Program, list[Firing]]"


class Beginnings:
    """Turns what is asked within a piece of work into firings; what cannot begin is refused, or has to wait."""

    def __init__(self, work: Work) -> None:
        self.work, self.programs, self.gatherer, self.library = work, work.programs, work.gatherer, work.library

    def of(self, record: d.Record, event: str, asked: list[Asked], creating: bool) -> list[Begun]:
        """The firings of an event on records, or of one that creates, by the program of their transition."""
        groups: dict[int, tuple[list[Any], list[tuple[Asked, list[Any]]]]] = {}
        for a, row, possible in (self.begin_new if creating else self.begin)(record, event, asked):
            # The same transitions always come as one and the same list.
            groups.setdefault(id(possible), (possible, []))[1].append((a, row))
        return [
            begun
            for possible, members in groups.values()
            for begun in self.told_apart(record, event, possible, members)
        ]

    def told_apart(
        self, record: d.Record, event: str, possible: list[Any], members: list[tuple[Asked, list[Any]]]
    ) -> list[Begun]:
        """Transitions of one event are told apart by their `when`; what none of them is for is refused."""
        found: list[Begun] = []
        left, unanswered = members, dict[int, Firing]()
        for workflow, transition in possible:
            if not left:
                break
            program = self.programs.of(record, workflow, transition)
            firings = [f for a, row in left if (f := self.started(program, a, row))]
            if program.when is None:
                return [*found, (program, firings)]
            self.work.evaluation.compute(program, firings, upto=program.selecting)
            unanswered |= {id(f.root): f for f in firings if f.pending}
            mine = [f for f in firings if not f.pending and program.when(f.v)]
            found.append((program, mine))
            taken = {(id(f.root), f.id) for f in mine}
            left = [m for m in left if m[0].root.stands and (id(m[0].root), m[1][0]) not in taken]
        for a, row in left:
            fitting = [(w, t) for w, t in possible if self.is_for(w, record, row)] if a.root.stands else []
            if fitting:
                self.refuse_conditions(
                    a.root, event, unanswered.get(id(a.root)), self.work.called(record, row), fitting
                )
            elif a.root.stands:
                where = self.place_of(record, possible)
                self.work.refuse(a.root, event, self.impossible(record, event, row), where)
        return found

    def refuse_conditions(
        self, root: Root, event: str, unanswered: Firing | None, called: str, possible: list[Any]
    ) -> None:
        if unanswered is not None:
            # A decision that the conditions rest on has no answer: its words say more than ours.
            self.work.evaluation.say_all(unanswered.program, [unanswered])
            return
        said = f"no transition of `{event}` applies; {NONE_APPLIES}"
        self.work.refuse(root, event, f"{called}: {said}", possible[0][1].place)

    # --- each ---

    def begin(self, record: d.Record, event: str, asked: list[Asked]) -> Iterator[tuple[Asked, list[Any], list[Any]]]:
        """(what was asked, the record's row, the transitions its states allow)."""
        rows = self.gatherer.rows(record, [a.id for a in asked if a.id is not None])
        pending = self.gatherer.pending.rows[record.name]
        place = {name: i for i, (name, _) in enumerate(columns_of(self.library, record))}
        transitions = self.library.transitions(record, event)
        states = [place[w.field] for w, _ in transitions]
        by_states: dict[tuple[Any, ...], list[Any]] = {}
        lists: dict[tuple[int, ...], list[Any]] = {}
        for a in asked:
            assert a.id is not None
            row = rows.get(a.id)
            if a.id in pending and pending[a.id][1] is not a.root:
                self.work.wait(a.root, pending[a.id][1])
            elif row is None:
                self.work.refuse(a.root, event, f"There is no {record.name} {a.id}.", record.place)
            else:
                now = tuple([row[state] for state in states])
                possible = by_states.get(now)
                if possible is None:
                    applying = [i for i, (_, t) in enumerate(transitions) if now[i] in t.sources]
                    possible = lists.setdefault(tuple(applying), [transitions[i] for i in applying])
                    by_states[now] = possible
                if possible:
                    yield a, row, possible
                else:
                    where = self.place_of(record, transitions)
                    self.work.refuse(a.root, event, self.impossible(record, event, row), where)

    def impossible(self, record: d.Record, event: str, row: list[Any]) -> str:
        place = {name: i for i, (name, _) in enumerate(columns_of(self.library, record))}
        called = self.work.called(record, row)
        every = sorted({t.event for w in self.library.workflows_of(record) for t in w.transitions})
        if event not in every:
            return f"{record.name} knows no event `{event}`; it knows: {', '.join(every)}."
        flows = [w for w in self.library.workflows_of(record) if self.is_for(w, record, row)]
        states = " and ".join(f'"{row[place[name]]}"' for name in self.library.states_of(record))
        events = sorted({t.event for w in flows for t in w.transitions if row[place[w.field]] in t.sources and t.who})
        return f"{called} cannot `{event}` from {states}; possible here: {', '.join(events) or 'nothing'}."

    def is_for(self, workflow: d.Workflow, record: d.Record, row: list[Any]) -> bool:
        """Whether a workflow is for the record that stands in the row."""
        if not workflow.cells:
            return True
        values = self.work.gatherer.row_values(record.name, row, [cell.path for cell in workflow.cells])
        constants, start = Constants(), Type("ref", of=record.name)
        types = [self.library.along(start, cell.path) or TEXT for cell in workflow.cells]
        asked = enumerate(zip(workflow.cells, types, strict=True))
        source = joined([cell_source(cell, f"v[{i}]", type_, constants.constant) for i, (cell, type_) in asked])
        return bool(compile_function(source, ("v",), constants.names)(values))

    def place_of(self, record: d.Record, transitions: Sequence[tuple[d.Workflow, d.Transition]]) -> Place:
        """Where it is said from which states an event is possible; of an event that nobody knows, where all are."""
        places = [t.place for creating in (False, True) for _, t in transitions if t.creates is creating]
        places += [w.place for w in self.library.workflows_of(record)]
        return next(iter(places), record.place)

    def begin_new(
        self, record: d.Record, event: str, asked: list[Asked]
    ) -> Iterator[tuple[Asked, list[Any], list[Any]]]:
        columns = columns_of(self.library, record)
        place = {name: i for i, (name, _) in enumerate(columns)}
        places = {name: place[name] for name in record.fields}
        flows = self.library.workflows_of(record)
        transitions = [(flows[0], t) for t in self.library.creations(record) if t.event == event]
        blank: list[Any] = [None] * len(columns)
        blank[place[flows[0].field]] = d.NOTHING
        for name, f in record.fields.items():
            if f.default is not None:
                blank[place[name]] = p.default_of(f)
        for a in asked:
            if not transitions:
                known = ", ".join(sorted({t.event for t in self.library.creations(record)}))
                self.work.refuse(
                    a.root, event, f"No {record.name} is created by `{event}`; possible: {known}.", record.place
                )
                continue
            row = list(blank)
            row[0] = self.work.next_id(record.name) if a.new_id is None else a.new_id
            for name, value in a.values.items():
                if name in places:
                    row[places[name]] = value
            yield a, row, transitions

    def started(self, program: p.Program, a: Asked, row: list[Any]) -> Firing | None:
        given = self.given(program, a, row)
        if given is None:
            return None
        v: list[Any] = [None] * program.width
        v[p.OWN], v[p.GIVEN], v[p.SETTING] = row, given, self.work.setting
        return Firing(a.root, a.parent, program, row[0], v, acting_for=a.parent.acting_for if a.parent else None)

    def given(self, program: p.Program, a: Asked, row: list[Any]) -> tuple[Any, ...] | None:
        """What the event takes, in order; what is not given stays as it is or has its default."""
        values = program.given(a.values, row)
        if program.lacks(values) or not a.values.keys() <= program.taken.keys():
            missing = [n for (n, _, _, needed), v in zip(program.takes, values, strict=True) if needed and v is None]
            self.refuse_given(program, a.root, sorted(a.values.keys() - program.taken.keys()), missing)
            return None
        return values

    def refuse_given(self, program: p.Program, root: Root, unknown: list[str], missing: list[str]) -> None:
        event, place = program.transition.event, program.transition.place
        if unknown:
            takes = ", ".join(program.taken) or "nothing"
            self.work.refuse(root, event, f"`{event}` does not take {', '.join(unknown)}; it takes: {takes}.", place)
        if missing:
            self.work.refuse(root, event, f"`{event}` needs {', '.join(missing)}.", place)
