"""What a pack declares, as frozen values: one class for each word of the language, built from a document's plain text.

Building assumes that the JSON Schema of the kind was satisfied; names and types are looked at in `check`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any, Protocol

from .errors import Place
from .model import SCALARS, Type

NOTHING = "nothing"


class Source(Protocol):
    """The part of a catalog document that building reads."""

    @property
    def kind(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def body(self) -> Mapping[str, Any]: ...

    def place(self, path: tuple[str | int, ...] = ()) -> Place: ...


@dataclass(frozen=True, slots=True)
class Text:
    """An expression or message as written, with the place of its first character."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Element:
    """A place in a document: walks its maps and lists and hands out texts that know where they stand."""

    source: Source
    path: tuple[str | int, ...] = ()
    value: Any = None

    @property
    def place(self) -> Place:
        return self.source.place(self.path)

    def at(self, key: str | int) -> Element:
        inner = self.value
        if isinstance(inner, dict):
            inner = inner.get(key)
        elif isinstance(inner, list) and isinstance(key, int):
            inner = inner[key]
        else:
            inner = None
        return Element(self.source, (*self.path, key), inner)

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and key in self.value

    def word(self, key: str, default: str = "") -> str:
        inner = self.at(key).value
        return inner if isinstance(inner, str) else default

    def maybe(self, key: str) -> str | None:
        return self.word(key) or None

    def flag(self, key: str, default: bool = False) -> bool:
        return self.word(key, str(default).lower()) == "true"

    def text(self, key: str | int) -> Text | None:
        inner = self.at(key)
        return Text(inner.value, inner.place) if isinstance(inner.value, str) else None

    def must(self, key: str | int) -> Text:
        return self.text(key) or Text("", self.place)

    def items(self, key: str) -> Iterator[Element]:
        """The elements of a list; a single value stands for a list of one."""
        inner = self.at(key)
        if isinstance(inner.value, list):
            for index in range(len(inner.value)):
                yield inner.at(index)
        elif inner.value is not None:
            yield inner

    def pairs(self, key: str) -> Iterator[tuple[str, Element]]:
        inner = self.at(key)
        if isinstance(inner.value, dict):
            for name in inner.value:
                yield name, inner.at(name)

    def words(self, key: str) -> tuple[str, ...]:
        return tuple(str(e.value) for e in self.items(key))

    def texts(self, key: str) -> dict[str, Text]:
        return {name: Text(e.value, e.place) for name, e in self.pairs(key) if isinstance(e.value, str)}


def dotted(text: str) -> tuple[str, ...]:
    return tuple(text.split("."))


# --- records ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record, a value that an event takes, or an input or output of a decision."""

    name: str
    type: Type
    doc: str = ""
    default: str | None = None
    currency: tuple[str, ...] | None = None
    mirrored: bool = False
    place: Place = made(default=Place("", 0, 0), compare=False)

    @property
    def needed(self) -> bool:
        return not self.type.optional and self.default is None


def build_field(name: str, e: Element) -> Field:
    if e.has("ref"):
        type_ = Type("ref", of=e.word("ref"))
    elif e.has("one_of"):
        type_ = Type("choice", choices=e.words("one_of"))
    else:
        kind = e.word("type", "text")
        type_ = Type(kind if kind in SCALARS else "text")
    if e.flag("optional"):
        type_ = type_.or_none()
    within = e.maybe("in")
    return Field(name, type_, e.word("doc"), e.maybe("default"), dotted(within) if within else None,
                 e.word("mirror") == "negative", e.place)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Child:
    """The records of type `of` that refer to their parent by the field `by`."""

    name: str
    of: str
    by: str
    place: Place


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    doc: str
    key: tuple[str, ...]
    key_except: tuple[str, ...]
    title: str | None
    dated_by: str | None
    currency: tuple[str, ...] | None
    stream: tuple[str, ...] | None
    workflows: tuple[str, ...]
    fields: Mapping[str, Field]
    children: Mapping[str, Child]
    place: Place


def build_record(source: Source) -> Record:
    e = Element(source, (), source.body)
    key = e.at("key")
    with_except = isinstance(key.value, dict)
    currency, stream = e.maybe("currency"), e.maybe("stream")
    return Record(
        source.name,
        e.word("doc"),
        key.words("fields") if with_except else e.words("key"),
        key.words("except") if with_except else (),
        e.maybe("name"),
        e.maybe("dated_by"),
        dotted(currency) if currency else None,
        dotted(stream) if stream else None,
        e.words("workflows"),
        {name: build_field(name, f) for name, f in e.pairs("fields")},
        {name: Child(name, c.word("of"), c.word("by"), c.place) for name, c in e.pairs("children")},
        e.place,
    )


# --- cells -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    """One condition of a `when`: a name against constants.

    values: any of these; bounds: pairs of (`above`, `at_least`, `below`, `at_most`) and a constant; empty: True means
    must be none, False must be given, None says nothing of it.
    """

    path: tuple[str, ...]
    values: tuple[str, ...]
    bounds: tuple[tuple[str, str], ...]
    empty: bool | None
    place: Place


BOUNDS = ("above", "at_least", "below", "at_most")


def build_cells(e: Element, key: str = "when") -> tuple[Cell, ...]:
    cells = []
    for name, c in e.pairs(key):
        bounds: tuple[tuple[str, str], ...] = ()
        empty: bool | None = None
        values: tuple[str, ...] = ()
        if isinstance(c.value, dict):
            bounds = tuple((b, c.word(b)) for b in BOUNDS if c.has(b))
            empty = c.flag("empty") if c.has("empty") else (not c.flag("given") if c.has("given") else None)
        else:
            values = tuple(str(v.value) for v in e.at(key).items(name))
            # The words `empty` and `given` may stand in place of the map.
            if values in (("empty",), ("given",)):
                empty, values = values == ("empty",), ()
        cells.append(Cell(dotted(name), values, bounds, empty, c.place))
    return tuple(cells)


# --- workflows -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class State:
    name: str
    doc: str
    final: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Who:
    """One way of being entitled: a role (held for the record at `of`), an actor field, or the roles a decision names."""

    place: Place
    role: str | None = None
    of: tuple[str, ...] | None = None
    field: tuple[str, ...] | None = None
    decision: str | None = None
    where: Mapping[str, Text] = made(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Find:
    name: str
    of: str
    where: Text
    by: str | None
    last: bool
    none_allowed: bool
    refusal: Text | None
    place: Place


@dataclass(frozen=True, slots=True)
class Use:
    """What a decision or formulas answer, under a name; `of` leads to the record asked about, () being this one."""

    name: str
    decision: str
    of: tuple[str, ...]
    inputs: Mapping[str, Text]
    place: Place


@dataclass(frozen=True, slots=True)
class Requirement:
    that: Text
    refusal: Text
    name: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a transition. `verb` is set, create, post, reverse or fire; `cells` the conditions of its groups and its own."""

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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class People:
    """The actors at these fields and of these events must all be different."""

    fields: tuple[tuple[str, ...], ...]
    events: tuple[str, ...]
    since: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Always:
    before: str
    need: str
    since: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Workflow:
    name: str
    doc: str
    of: str
    field: str
    start: str | None
    states: Mapping[str, State]
    transitions: tuple[Transition, ...]
    people: tuple[People, ...]
    always: tuple[Always, ...]
    place: Place


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
        cells = (*outer, *build_cells(s))
        if s.has("do"):
            steps += build_steps(s, "do", cells)
        else:
            steps.append(build_step(s, cells))
    return tuple(steps)


def build_step(s: Element, cells: tuple[Cell, ...]) -> Step:
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


def build_transition(e: Element) -> Transition:
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
        build_cells(e),
        build_requirements(e, "require"),
        build_requirements(e, "warn"),
        build_steps(e),
        e.place,
    )


def build_people(e: Element) -> People:
    different = list(e.items("different"))
    return People(tuple(dotted(d.word("field")) for d in different if d.has("field")),
                  tuple(d.word("event") for d in different if d.has("event")),
                  e.maybe("since") or next((d.word("since") for d in different if d.has("since")), None), e.place)  # fmt: skip


def build_workflow(source: Source) -> Workflow:
    e = Element(source, (), source.body)
    return Workflow(
        source.name,
        e.word("doc"),
        e.word("of"),
        e.word("field", "state"),
        e.maybe("start"),
        {name: State(name, s.word("doc"), s.flag("final"), s.place) for name, s in e.pairs("states")},
        tuple(build_transition(t) for t in e.items("transitions")),
        tuple(build_people(p) for p in e.items("people")),
        tuple(Always(a.word("before"), a.word("need"), a.maybe("since"), a.place) for a in e.items("always")),
        e.place,
    )


# --- rules -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a decision: conditions, answers, validity (both days inclusive, as ISO text or none)."""

    name: str
    cells: tuple[Cell, ...]
    then: Mapping[str, Text]
    since: str | None
    until: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Decision:
    name: str
    doc: str
    of: str | None
    inputs: Mapping[str, Text]
    input_types: Mapping[str, Field]
    outputs: Mapping[str, Field]
    hit: str
    searches: Mapping[str, tuple[tuple[str, ...], ...]]
    chosen_by: str | None
    order: str | None
    rows: tuple[Row, ...]
    rows_of: str | None
    rows_where: Text | None
    otherwise: Mapping[str, Text] | None
    refusal: Text | None
    dated_by: Text | None
    place: Place


def build_row(index: int, e: Element) -> Row:
    return Row(e.word("name", f"row {index + 1}"), build_cells(e), e.texts("then"), e.maybe("from"), e.maybe("until"),
               e.place)  # fmt: skip


def build_searches(e: Element) -> tuple[dict[str, tuple[tuple[str, ...], ...]], str | None]:
    search = e.at("search")
    if isinstance(search.value, dict):
        orders = {n: _key_sets(o) for n, o in e.pairs("search") if n != "chosen_by"}
        return orders, search.maybe("chosen_by")
    return ({"": _key_sets(search)} if search.value is not None else {}), None


def _key_sets(e: Element) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(map(str, keys)) for keys in e.value)


def build_decision(source: Source) -> Decision:
    e = Element(source, (), source.body)
    rows = e.at("rows")
    by_record = isinstance(rows.value, dict)
    otherwise = e.at("otherwise")
    searches, chosen_by = build_searches(e)
    typed = {n: build_field(n, i) for n, i in e.pairs("inputs") if isinstance(i.value, dict)}
    inputs = {n: (i.must("is") if i.has("is") else Text(n, i.place)) for n, i in e.pairs("inputs") if n in typed}
    return Decision(
        source.name,
        e.word("doc"),
        e.maybe("of"),
        {n: inputs.get(n) or e.at("inputs").must(n) for n, _ in e.pairs("inputs")},
        typed,
        {n: build_field(n, o) for n, o in e.pairs("outputs")},
        e.word("hit", "first"),
        searches,
        chosen_by,
        e.maybe("order"),
        () if by_record else tuple(build_row(i, r) for i, r in enumerate(e.items("rows"))),
        rows.maybe("of") if by_record else None,
        rows.text("where") if by_record else None,
        otherwise.source.body.get("otherwise") and e.texts("otherwise") if not otherwise.has("error") else None,
        otherwise.text("error"),
        e.text("dated_by"),
        e.place,
    )


@dataclass(frozen=True, slots=True)
class Parameter:
    """A dated value; `rows` are (from, until, value) as written."""

    name: str
    field: Field
    rows: tuple[tuple[str | None, str | None, str], ...]
    place: Place


def build_parameters(source: Source) -> dict[str, Parameter]:
    e = Element(source, (), source.body)
    return {
        name: Parameter(name, build_field(name, p),
                        tuple((r.maybe("from"), r.maybe("until"), r.word("value")) for r in p.items("rows")), p.place)
        for name, p in e.pairs("values")
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Formulas:
    name: str
    of: str
    steps: Mapping[str, Text]
    uses: tuple[Use, ...]
    chosen_by: str | None
    choices: Mapping[str, Mapping[str, Text]]
    place: Place


def build_formulas(source: Source) -> Formulas:
    e = Element(source, (), source.body)
    choices = {n: e.at("choices").texts(n) for n, _ in e.pairs("choices") if n != "by"}
    return Formulas(source.name, e.word("of"), e.texts("steps"), build_uses(e), e.at("choices").maybe("by"), choices,
                    e.place)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """An aggregate: `sum` of an expression over records of a type, or their count when it is none."""

    name: str
    doc: str
    of: str
    sum: Text | None
    where: Text | None
    by: Mapping[str, tuple[str, ...]]
    dated_by: str | None
    place: Place


def build_measure(source: Source) -> Measure:
    e = Element(source, (), source.body)
    by = e.at("by").value
    paths = (
        {n: dotted(str(b.value)) for n, b in e.pairs("by")}
        if isinstance(by, dict)
        else {n: (n,) for n in e.words("by")}
    )
    return Measure(source.name, e.word("doc"), e.word("of"), e.text("sum"), e.text("where"), paths, e.maybe("dated_by"),
                   e.place)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a posting row: `debit` or `credit` an account key; an amount made of names added and subtracted."""

    side: str
    key: str
    amount: Text
    dimensions: Mapping[str, Text]
    place: Place


@dataclass(frozen=True, slots=True)
class PostingRow:
    name: str
    doc: str
    cells: tuple[Cell, ...]
    for_each: str | None
    dimensions: Mapping[str, Text]
    requirements: tuple[Requirement, ...]
    entries: tuple[Entry, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Posting:
    name: str
    doc: str
    source: str
    of: str
    series: str
    date: Text
    company: Text
    currency: Text
    dimensions: Mapping[str, Text]
    uses: tuple[Use, ...]
    lets: Mapping[str, Text]
    rows: tuple[PostingRow, ...]
    refusal: Text | None
    place: Place


def build_entry(e: Element) -> Entry:
    side = "debit" if e.has("debit") else "credit"
    return Entry(side, e.word(side), e.must("amount"), e.texts("dimensions"), e.place)


def build_posting_row(index: int, e: Element) -> PostingRow:
    return PostingRow(e.word("name", f"row {index + 1}"), e.word("doc"), build_cells(e), e.maybe("for_each"),
                      e.texts("dimensions"), build_requirements(e, "require"),
                      tuple(build_entry(x) for x in e.items("entries")), e.place)  # fmt: skip


def build_posting(source: Source) -> Posting:
    e = Element(source, (), source.body)
    head = e.at("voucher")
    return Posting(
        source.name,
        e.word("doc"),
        e.word("source"),
        e.word("of"),
        head.word("series"),
        head.must("date"),
        head.must("company"),
        head.must("currency"),
        head.texts("dimensions"),
        build_uses(e),
        e.texts("let"),
        tuple(build_posting_row(i, r) for i, r in enumerate(e.items("rows"))),
        e.at("otherwise").text("error"),
        e.place,
    )


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    doc: str
    takes: Mapping[str, Field]
    of: str
    where: Text | None
    order: tuple[str, ...]
    event: str
    values: Mapping[str, Text]
    chunk: int
    stops: bool
    place: Place


def build_process(source: Source) -> Process:
    e = Element(source, (), source.body)
    select = e.at("select")
    takes = {n: build_field(n, t) for n, t in e.pairs("takes")}
    return Process(source.name, e.word("doc"), takes, select.word("of"), select.text("where"), select.words("order"),
                   e.word("fire"), e.texts("with"), int(e.word("chunk", "1000")), e.word("refused") == "stop", e.place)  # fmt: skip


# --- pack ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    doc: str
    of: str | None


@dataclass(frozen=True, slots=True)
class Ledger:
    company: str
    account: str
    dimensions: Mapping[str, Field]
    account_keys: Mapping[str, str]
    series: Mapping[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the `pack.yaml` files of a chain say together, the later ones over the earlier ones."""

    name: str
    version: str
    author: str | None
    currencies: Mapping[str, int]
    roles: Mapping[str, Role]
    ledger: Ledger | None


def build_manifest(sources: list[Source]) -> Manifest:
    """Put the pack documents of a chain together; `sources` from the lowest pack to the customer's own."""
    currencies: dict[str, int] = {}
    roles: dict[str, Role] = {}
    company = account = ""
    dimensions: dict[str, Field] = {}
    keys: dict[str, str] = {}
    series: dict[str, str] = {}
    place = None
    for source in sources:
        e = Element(source, (), source.body)
        currencies |= {n: int(c.value) for n, c in e.pairs("currencies")}
        roles |= {n: Role(n, r.word("doc"), r.maybe("of")) for n, r in e.pairs("roles")}
        ledger = e.at("ledger")
        if ledger.value:
            place = ledger.place
            company, account = ledger.word("company", company), ledger.word("account", account)
            dimensions |= {n: build_field(n, d) for n, d in ledger.pairs("dimensions")}
            keys |= {n: str(k.value) for n, k in ledger.pairs("account_keys")}
            series |= {n: s.word("prefix", n) for n, s in ledger.pairs("series")}
    top = sources[-1]
    books = Ledger(company, account, dimensions, keys, series, place) if place and company else None
    author = top.body.get("author")
    return Manifest(top.name, str(top.body.get("version", "")), str(author) if author else None, currencies, roles, books)
