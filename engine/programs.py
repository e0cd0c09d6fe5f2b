"""What a transition becomes when it is compiled: values to work out in order, checks, and what it brings about.

A program is data and compiled functions; `compiler` makes it, `gathering` and `execution` run it over batches.
Every firing has a list `v` of values: v[0] its row, v[1] what was given, v[2] today, now and the actor, then one place
for each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from . import definitions as d
from .cells import constant
from .decisions import Table
from .errors import Place
from .expression_python import compile_function
from .model import Parts, Type

Values = list[Any]
OWN, GIVEN, SETTING, FIRST = 0, 1, 2, 3


@dataclass
class Operation:
    """One value worked out for each firing; `guards` are the conditions under which it is needed, none meaning always.

    `sources` are the Python sources it depends on; of what is read `key` gives their values, `asked` those of many
    firings, as far as it is needed for them. A late operation serves messages alone and runs for refused firings.
    `stage` says how many of the events that the steps create or fire have come about before it is worked out.
    """

    index: int
    sources: list[str]
    place: Place
    always: bool = False
    guards: list[str] = field(default_factory=list)
    late: bool = False
    stage: int = 0
    guard: Callable[[Values], bool] | None = None
    key: Callable[[Values], tuple[Any, ...]] | None = None
    asked: Callable[[Sequence[Any]], list[tuple[Any, tuple[Any, ...]]]] | None = None


@dataclass
class Let(Operation):
    """A value computed from others."""

    name: str = ""


@dataclass
class Alias(Operation):
    """The number that a record to be created will have."""

    record: str = ""


@dataclass
class Reading(Operation):
    """A value fetched from the store: a tuple whose last element is the hash of the fact that was read."""

    record: str = ""
    paths: list[Parts] = field(default_factory=list)

    def position(self, path: Parts) -> int:
        if path not in self.paths:
            self.paths.append(path)
        return self.paths.index(path)


@dataclass
class Reference(Reading):
    """Values along a reference: sources[0] gives the id."""


@dataclass
class Children(Reading):
    """The children of a record, in order: ((row, ...), hash). sources[0] gives the parent's id."""

    by: str = ""
    order: tuple[Parts, ...] = ()


@dataclass
class Find(Reading):
    """Records looked for. `equal` are paths with the source of the value they must have; `keys` the outer values asked.

    predicate(v, row) is asked of every candidate. With `many` the value is ((ids...), hash).
    """

    name: str = ""
    equal: list[tuple[Parts, str]] = field(default_factory=list)
    predicate_source: str = ""
    predicate: Callable[[Values, Sequence[Any]], bool] | None = None
    equal_values: list[Callable[[Values], Any]] = field(default_factory=list)
    by: Parts | None = None
    in_order: tuple[Parts, ...] = ()
    last: bool = False
    none_allowed: bool = True
    many: bool = False
    refusal: Callable[[Values], str] | None = None


@dataclass
class Measured(Operation):
    """An aggregate asked for the values of its `by`: (value, hash)."""

    measure: str = ""


@dataclass
class Closed(Operation):
    """The working days of a calendar for the values of its `by`: (days, hash)."""

    calendar: str = ""


@dataclass
class Claimed(Measured):
    """A claim on the total of a kept measure: (the total before, hash). It is decided when all else holds.

    The sources are what the total is asked for, what is asked, the claim, what the total may come to, the level, and
    the share of it from which on it warns.
    """

    limit: d.Limit | None = None
    says: Callable[[Values], str] | None = None


@dataclass
class Decided(Operation):
    """What a decision answers: the outputs in order, then the hash. The last source is the date."""

    table: Table | None = None
    refusal: Callable[[Values], str] | None = None


@dataclass
class Each(Operation):
    """What is worked out for each element of a list: (the values of each element, hash). sources[0] gives their rows.

    An element has values as a firing has: its row, the values around it, today and the actor, then its `operations`.
    """

    of: str = ""
    operations: list[Operation] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)

    @cached_property
    def readings(self) -> list[Operation]:
        """The operations that leave a fact, in order."""
        return leaving_facts(self.operations)

    def values_of(self, v: Values) -> list[Values]:
        """Values for each element, of which so far only what it begins with is known."""
        assert self.key is not None
        setting, unknown = v[SETTING], [None] * len(self.operations)
        return [[row, v, setting, *unknown] for row in self.key(v)[0]]

    @cached_property
    def hashes(self) -> Callable[[Values], tuple[str | None, ...]]:
        """As of a program."""
        return hashes_of(self.readings)


@dataclass
class Shared(Operation):
    """How an amount is shared out: ((part, share, what those before it took) of each, what is left over, hash).

    The sources are the amount, the values of the parts, and the smallest amount. `places` say by name where among the
    values of a part stand its number, group, weight, room, what this is the room of, what it took before, and whether
    it takes the rounding.
    """

    share_out: d.ShareOut | None = None
    places: Mapping[str, int] = field(default_factory=dict)
    refusal: Callable[[Values], str] | None = None


@dataclass
class Reversible(Operation):
    """The vouchers of an event's latest firing that nothing reversed yet: ((vouchers...), hash)."""

    record: str = ""
    event: str = ""


@dataclass(frozen=True)
class Entitlement:
    """One way of being allowed. `holder` gives record/key for a role held of a record, or the actor's id."""

    role: str | None
    holder: Callable[[Values], Any] | None
    roles: Callable[[Values], list[str]] | None
    said: str
    place: Place


@dataclass(frozen=True)
class Requirement:
    """What must hold; `message` is worked out only when it does not. `slots` are the operations that it rests on.

    `stage` is the stage of the last of these: what rests on what a step did is asked after that step.
    """

    name: str
    holds: Callable[[Values], bool]
    message: Callable[[Values], str]
    place: Place
    warning: bool = False
    slots: tuple[int, ...] = ()
    stage: int = 0


@dataclass(frozen=True)
class Apart:
    """Whoever fires must not be the actor at these fields, nor have fired these events (after the last `since`)."""

    holders: tuple[Callable[[Values], Any], ...]
    fields: tuple[str, ...]
    events: tuple[str, ...]
    since: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Effect:
    """A step that reaches beyond the record itself: kind is create, fire, post or reverse.

    Kind `set` puts `row(v)` into the `columns` of the record, where that rests on what steps before it did. `stage` is
    the stage of the last value that the step needs. With `elements` it is done for each of these, which `values` and
    `ids` are then asked of.
    """

    kind: str
    when: Callable[[Values], bool] | None
    place: Place
    record: str = ""
    event: str = ""
    values: Callable[[Values], dict[str, Any]] | None = None
    ids: Callable[[Values], Any] | None = None
    voucher: VoucherCode | None = None
    alias: int | None = None
    stage: int = 0
    columns: tuple[int, ...] = ()
    row: Callable[[Values], tuple[Any, ...]] | None = None
    elements: Callable[[Values], Sequence[Values]] | None = None

    def done_for(self, v: Values) -> Sequence[Values]:
        """The values for which it is done: those of the firing, or of each element of a list."""
        return (v,) if self.elements is None else self.elements(v)


@dataclass(frozen=True)
class VoucherCode:
    """How a posting makes a voucher: head(v) -> (company, date, currency); entries(v) -> list of
    (account, account key, row, amount, dimension...); elements(v) -> of which element of a list each entry is, as
    (record type, its number, the list), or None."""

    posting: str
    series: str
    head: Callable[[Values], tuple[Any, ...]]
    entries: Callable[[Values], list[tuple[Any, ...]]]
    elements: Callable[[Values], list[tuple[str, int | None, str] | None]]


@dataclass
class Program:
    """A compiled transition. `segments` are runs of operations in order: a reading, or a function over many firings.

    `first_row` gives the record as the steps leave it that rest on nothing that other steps did, `new_row` as all do.
    `all_hold` asks the requirements of stage 0. `conditions` are those of the steps that have one, by their place.
    """

    record: d.Record
    workflow: d.Workflow
    transition: d.Transition
    columns: list[tuple[str, Type]]
    state_index: int
    taken: dict[str, d.Field]
    operations: list[Operation]
    selecting: int
    when: Callable[[Values], bool] | None
    entitlements: tuple[Entitlement, ...]
    requirements: tuple[Requirement, ...]
    all_hold: Callable[[Values], bool]
    changed: tuple[int, ...]
    first_row: Callable[[Values], list[Any]]
    new_row: Callable[[Values], list[Any]]
    effects: tuple[Effect, ...]
    stream: Callable[[Values], str]
    read: tuple[int, ...]
    people: tuple[Apart, ...]
    segments: list[Segment] = field(default_factory=list)
    names: Mapping[str, int] = field(default_factory=dict)
    conditions: tuple[tuple[Place, Callable[[Values], bool]], ...] = ()
    claims: tuple[Claimed, ...] = ()

    @cached_property
    def reads(self) -> Callable[[Values], dict[str, Any]]:
        """A function from v to what is read of the record itself and what the caller gave, by name."""
        own = ", ".join(f"{self.columns[i][0]!r}: v[{OWN}][{i}]" for i in self.read)
        taken = tuple(self.taken)

        def by_name(values: tuple[Any, ...]) -> dict[str, Any]:
            return dict(zip(taken, values, strict=True))

        return compile_function(f"{{'own': {{{own}}}, 'given': by_name(v[{GIVEN}])}}", ["v"], {"by_name": by_name})

    @cached_property
    def hashes(self) -> Callable[[Values], tuple[str | None, ...]]:
        """A function from v to the hashes of the facts that the readings left, in order; None where none was."""
        return hashes_of(self.readings)

    @cached_property
    def changes(self) -> Callable[[Values, list[Any]], dict[str, Any]]:
        """A function from the record's row before and after to what became of it, by field.

        Of a new one these are its values, of another the old and new ones of what changed.
        """
        named = [(i, self.columns[i][0]) for i in self.changed]
        if self.transition.creates:
            names = [name for name, _ in self.columns[1:]]
            return lambda _, after: {n: value for n, value in zip(names, after[1:], strict=True) if value is not None}
        return lambda before, after: {n: [before[i], after[i]] for i, n in named if before[i] != after[i]}

    @cached_property
    def given(self) -> Callable[[Mapping[str, Any], list[Any]], tuple[Any, ...]]:
        """A function from what is given and the record's row to what the event takes, in order.

        What is not given stays as it is or has its default.
        """
        sources, names = [], {}
        for place, (name, index, default, _) in enumerate(self.takes):
            kept = "None" if index is None else f"row[{index}]"
            # The row of a new record holds already what is given.
            filled = self.transition.creates and index is not None
            source = kept if filled else f"(given[{name!r}] if {name!r} in given else {kept})"
            if default is not None:
                names[f"_d{place}"] = default
                source = f"(_d{place} if (_x := {source}) is None else _x)"
            sources.append(source)
        return compile_function(f"({''.join(f'{s}, ' for s in sources)})", ["given", "row"], names)

    @cached_property
    def lacks(self) -> Callable[[tuple[Any, ...]], bool]:
        """Whether anything is missing of what the event needs, asked of what it takes, in order."""
        needed = [f"g[{i}] is None" for i, (_, _, _, needed) in enumerate(self.takes) if needed]
        return compile_function(" or ".join(needed) or "False", ["g"])

    @cached_property
    def takes(self) -> tuple[tuple[str, int | None, Any, bool], ...]:
        """For each value taken: its name, its column if it is a field, its default, whether it is needed."""
        place = {name: i for i, (name, _) in enumerate(self.columns)}
        return tuple((n, place.get(n), default_of(f), f.needed) for n, f in self.taken.items())

    @cached_property
    def rule(self) -> str:
        return f"{self.workflow.name}/{self.transition.name}"

    @cached_property
    def width(self) -> int:
        return FIRST + len(self.operations)

    @cached_property
    def readings(self) -> list[Operation]:
        """The operations that leave a fact, in order; their facts stand in the log in this order."""
        return leaving_facts(self.operations)


@dataclass
class Segment:
    """Either one reading or a run of computations compiled into one loop; `upto` is the last index it fills."""

    reading: Operation | None
    compute: Callable[[Sequence[Values], Callable[[str, int], int]], None] | None
    upto: int
    late: bool = False
    stage: int = 0


def hashes_of(readings: Sequence[Operation]) -> Callable[[Values], tuple[str | None, ...]]:
    """A function from v to the hashes of the facts that readings left, in order; None where none was."""
    return compile_function(f"({''.join(f'v[{o.index}] and v[{o.index}][-1], ' for o in readings)})", ["v"])


def leaving_facts(operations: Sequence[Operation]) -> list[Operation]:
    """Those of the operations whose values are written down as facts."""
    return [op for op in operations if not op.late and not isinstance(op, (Let, Alias))]


def default_of(field: d.Field) -> Any:
    """The value that a field has when nothing is given."""
    return None if field.default is None else constant(field.default, field.type)
