"""What a document says of a workflow: states, transitions with their steps, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field as made
from dataclasses import replace

from .elements import Element, Source, Text, dotted
from .errors import Place
from .frozen import frozen
from .record_definitions import Cell, Field, build_cells, build_field

NOTHING = "nothing"


@frozen
class State:
    """`waits_for` are the events that a record waits for in it, late after some `late_days` or those of a parameter."""

    name: str
    doc: str
    final: bool
    place: Place
    waits_for: tuple[str, ...] = ()
    late_days: int | None = None
    late_parameter: str | None = None


@frozen
class Who:
    """One way of being entitled: a role (for the record at `of`), an actor field, or the roles a decision names."""

    place: Place
    role: str | None = None
    of: tuple[str, ...] | None = None
    field: tuple[str, ...] | None = None
    decision: str | None = None
    where: Mapping[str, Text] = made(default_factory=dict)


@frozen
class Find:
    name: str
    of: str
    where: Text
    by: str | None
    last: bool
    none_allowed: bool
    refusal: Text | None
    place: Place


@frozen
class Use:
    """What a decision or formulas answer, under a name; `of` leads to the record asked about, () being this one."""

    name: str
    decision: str
    of: tuple[str, ...]
    inputs: Mapping[str, Text]
    place: Place


@frozen
class Requirement:
    that: Text
    refusal: Text
    name: str | None
    place: Place


@frozen
class Step:
    """One step of a transition.

    `verb` is set, create, post, reverse or fire; `cells` the conditions of its groups and its own. With `for_each` it
    is done for each element of a list, and its own conditions are `each_cells`, asked of the element.
    """

    verb: str
    place: Place
    cells: tuple[Cell, ...] = ()
    name: str | None = None
    values: Mapping[str, Text] = made(default_factory=dict)
    target: str = ""
    event: str | None = None
    alias: str | None = None
    copied: tuple[str, ...] | None = None
    mirrored: bool = False
    records_of: str | None = None
    records_where: Text | None = None
    date: Text | None = None
    for_each: tuple[str, ...] | None = None
    each_cells: tuple[Cell, ...] = ()


@frozen
class Transition:
    event: str
    name: str
    doc: str
    sources: tuple[str, ...]
    target: str
    who: tuple[Who, ...]
    takes: Mapping[str, Field | None]
    finds: tuple[Find, ...]
    uses: tuple[Use, ...]
    lets: Mapping[str, Text]
    cells: tuple[Cell, ...]
    requirements: tuple[Requirement, ...]
    warnings: tuple[Requirement, ...]
    steps: tuple[Step, ...]
    place: Place

    @property
    def creates(self) -> bool:
        return self.sources == (NOTHING,)

    @property
    def deletes(self) -> bool:
        return self.target == NOTHING


@frozen
class People:
    """The actors at these fields and of these events must all be different."""

    fields: tuple[tuple[str, ...], ...]
    events: tuple[str, ...]
    since: tuple[str, ...]
    place: Place


@frozen
class Always:
    before: str
    need: str
    since: str | None
    place: Place


@frozen
class Workflow:
    """A state machine. With `cells` it is for the records that they pick, and shares the state of the first workflow.

    Its transitions then carry these cells before their own.
    """

    name: str
    doc: str
    of: str
    field: str
    start: str | None
    start_by: Mapping[str, str]
    states: Mapping[str, State]
    transitions: tuple[Transition, ...]
    people: tuple[People, ...]
    always: tuple[Always, ...]
    place: Place
    cells: tuple[Cell, ...] = ()

    @property
    def beginnings(self) -> frozenset[str]:
        """The states in which a record may begin, before anything happened to it here."""
        return frozenset({self.start or NOTHING, *self.start_by.values()})

    def start_of(self, creation: str) -> str | None:
        """Where a record begins that is created by that event of the first workflow."""
        return self.start_by.get(creation, self.start)


# --- building --------------------------------------------------------------------------------------------------------


def build_workflow(source: Source) -> Workflow:
    e = Element(source, (), source.body)
    cells = build_cells(e)
    return Workflow(
        source.name,
        e.word("doc"),
        e.word("of"),
        e.word("field", "state"),
        e.maybe("start"),
        {event: text.text for event, text in e.texts("start_by").items()},
        {name: build_state(name, s) for name, s in e.pairs("states")},
        tuple(build_transition(t, cells) for t in e.items("transitions")),
        tuple(build_people(p) for p in e.items("people")),
        tuple(Always(a.word("before"), a.word("need"), a.maybe("since"), a.place) for a in e.items("always")),
        e.place,
        cells,
    )


def build_state(name: str, e: Element) -> State:
    late = e.at("late_after")
    days = late.maybe("days")
    return State(name, e.word("doc"), e.flag("final"), e.place, e.words("waits_for"), int(days) if days else None,
                 late.maybe("parameter"))  # fmt: skip


def build_transition(e: Element, outer: tuple[Cell, ...] = ()) -> Transition:
    event = e.word("event")
    return Transition(
        event,
        e.word("name", event),
        e.word("doc"),
        e.words("from"),
        e.word("to"),
        tuple(build_who(w) for w in e.items("who")),
        build_takes(e),
        tuple(build_find(n, f) for n, f in e.pairs("find")),
        build_uses(e),
        e.texts("let"),
        (*outer, *build_cells(e)),
        build_requirements(e, "require"),
        build_requirements(e, "warn"),
        build_steps(e),
        e.place,
    )


def build_who(e: Element) -> Who:
    of, field_ = e.maybe("of"), e.maybe("field")
    return Who(e.place, e.maybe("role"), dotted(of) if of else None, dotted(field_) if field_ else None,
               e.maybe("decision"), e.texts("where"))  # fmt: skip


def build_takes(e: Element) -> dict[str, Field | None]:
    takes = e.at("takes")
    if isinstance(takes.value, list):
        return {str(name): None for name in takes.value}
    return {name: build_field(name, t) if isinstance(t.value, dict) else None for name, t in e.pairs("takes")}


def build_find(name: str, e: Element) -> Find:
    last = e.maybe("last_by")
    return Find(name, e.word("of"), e.must("where"), last or e.maybe("first_by"), last is not None,
                e.word("none") == "allowed", e.text("else"), e.place)  # fmt: skip


def build_uses(e: Element) -> tuple[Use, ...]:
    uses = []
    for name, u in e.pairs("decide"):
        if isinstance(u.value, dict):
            of = u.maybe("of")
            asked = u.maybe("decision") or u.word("formulas")
            uses.append(Use(name, asked, dotted(of) if of else (), u.texts("with"), u.place))
        else:
            uses.append(Use(name, str(u.value), (), {}, u.place))
    return tuple(uses)


def build_requirements(e: Element, key: str) -> tuple[Requirement, ...]:
    return tuple(Requirement(r.must("that"), r.must("else"), r.maybe("name"), r.place) for r in e.items(key))


VERBS = ("set", "create", "post", "reverse", "fire")


def build_steps(e: Element, key: str = "do", outer: tuple[Cell, ...] = ()) -> tuple[Step, ...]:
    steps: list[Step] = []
    for s in e.items(key):
        if s.has("do"):
            steps += build_steps(s, "do", (*outer, *build_cells(s)))
        else:
            steps.append(build_step(s, outer))
    return tuple(steps)


def build_step(s: Element, outer: tuple[Cell, ...]) -> Step:
    """A step within groups that have these cells."""
    own, path = build_cells(s), s.maybe("for_each")
    if path is None:
        return build_whole_step(s, (*outer, *own))
    return replace(build_whole_step(s, outer), for_each=dotted(path), each_cells=own)


def build_whole_step(s: Element, cells: tuple[Cell, ...]) -> Step:
    verb = next((v for v in VERBS if s.has(v)), "")
    name = s.maybe("name")
    if verb == "set":
        return Step(verb, s.place, cells, name, values=s.texts("set"))
    if verb == "post":
        return Step(verb, s.place, cells, name, target=s.word("post"))
    if verb == "reverse":
        r = s.at("reverse")
        return Step(verb, s.place, cells, name, target=r.word("vouchers_of"), date=r.text("date"))
    values = {**s.texts("with"), **s.texts("link")}
    if verb == "create":
        copied = s.maybe("copy_of") or s.maybe("mirror_of")
        return Step(verb, s.place, cells, name, values, s.word("create"), s.maybe("event"), s.maybe("as"),
                    dotted(copied) if copied else None, s.has("mirror_of"))  # fmt: skip
    records = s.at("records")
    if isinstance(records.value, dict):
        return Step(verb, s.place, cells, name, values, s.word(verb), records_of=records.word("of"),
                    records_where=records.text("where"))  # fmt: skip
    return Step(verb, s.place, cells, name, values, s.word(verb), copied=dotted(s.word("records", "this")))


def build_people(e: Element) -> People:
    different = list(e.items("different"))
    fields = tuple(dotted(d.word("field")) for d in different if d.has("field"))
    events = tuple(d.word("event") for d in different if d.has("event"))
    return People(fields, events, e.words("since"), e.place)
