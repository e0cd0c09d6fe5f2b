"""Explains what stands in a store: any figure down to rule line, values read, people and source row. Reads only.

Everything comes from the log and from the packs kept beside it: the rule shown is the one that was in force then,
whatever the files say today.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Row, select

from . import catalog
from . import definitions as d
from . import programs as p
from .application import Charter, rules_of
from .batch import Rules
from .errors import CharterFault, IntegrityBroken, Place, UsageFault
from .expressions import Constant, Path, parse
from .facts import Facts, plain
from .gathering import Gatherer, parts
from .library import Library
from .model import TEXT, Type
from .money import from_kept, shown
from .source import Route, did_you_mean
from .store import Session
from .tables import ENTRY, FACT, LOG, PACK, REFUSAL, VOUCHER, columns_of

VERSION = 1
MOST_RECORDS = 50  # whose events are gone back through
LAST_DAY = "9999-12-31"
MOST_KEYS = 5000  # looked through for one that is like what was typed
LEADS = "where the event leads"
WIDEST = 110  # characters of a line before its values get lines of their own
MOST_SHOWN = 12  # values of a list in lines for people; data has them all
Made = TypeVar("Made")
SLOT = re.compile(r"\bv\[(\d+)\](?:\[(\d+)\])?")
ROW_IN_PLACE = re.compile(r"(?P<name>.*) \((?P<file>.+):(?P<line>\d+):(?P<column>\d+)\)")
VOUCHER_NAME = re.compile(r"(?:(?P<company>.+):)?(?P<number>[^\s:/]+)(?:/(?P<line>\d+))?")


# --- what an explanation is made of ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleText:
    """Lines of a rule as they were in force: `place` is the first one's file:line, `pack` the pack that wrote them."""

    place: str
    pack: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its name, written as people write it: records by key, dates ISO, amounts plain; None where empty."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """Something that a rule read.

    kind: own, given, acknowledged (warnings), along (a reference), list, found, measure, parameter or vouchers.
    """

    kind: str
    about: str
    values: tuple[Value, ...]
    place: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A row that a decision hit: one of the pack (`texts`), or a record (`values`, and how it was `entered`)."""

    name: str
    place: str
    texts: tuple[RuleText, ...] = ()
    values: tuple[Value, ...] = ()
    entered: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision as it was taken for the day `on`; from `since` to `until` it is the same.

    By `names` the rule calls its answers, of which `collect` gives several.
    """

    decision: str
    names: tuple[str, ...]
    place: str
    on: str | None
    since: str | None
    until: str | None
    inputs: tuple[Value, ...]
    key_set: tuple[str, ...] | None
    hits: tuple[Hit, ...]
    answers: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A name that a rule works out, with its expression; `within` is the posting or formulas it stands in."""

    name: str
    expression: str
    place: str
    within: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """A field before and after, and what made it so: `because` in words with the `place` of the rule."""

    field: str
    before: str | None
    after: str | None
    because: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the log, put into words. `cause` is the log's number of the event that fired it."""

    log: int
    at: str
    actor: str
    login: str
    right: str
    record: str
    event: str
    from_state: str | None
    to_state: str | None
    rule: str
    place: str
    doc: str
    source: str
    pack: str
    cause: int | None
    caused_by: str
    imported: str | None
    changes: tuple[Change, ...]
    vouchers: tuple[str, ...]
    readings: tuple[Reading, ...] = ()
    decisions: tuple[Decision, ...] = ()
    lets: tuple[Named, ...] = ()


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry: its figure, the posting row that wrote it and the decision that gave its account."""

    line: int
    side: str
    account: str
    account_key: str
    amount: str
    currency: str
    dimensions: tuple[Value, ...]
    row: str
    expressions: tuple[str, ...]
    texts: tuple[RuleText, ...]
    account_by: Decision | None


@dataclass(frozen=True, slots=True)
class VoucherHead:
    """A voucher without its entries."""

    number: str
    company: str
    series: str
    date: str
    currency: str
    posting: str
    place: str
    source: str
    posted_at: str
    reverses: str | None
    reversed_by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why something is as it is: the figure, the event that made it so, what fired that, and what went before."""

    subject: str
    figure: str
    voucher: VoucherHead | None
    entries: tuple[EntryLine, ...]
    values: tuple[Value, ...]
    event: Event
    causes: tuple[Event, ...]
    earlier: tuple[Event, ...]
    reverses: Explanation | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that was refused, with the rules' own words as (rule, words, place)."""

    at: str
    actor: str
    login: str
    event: str
    imported: str | None
    reasons: tuple[tuple[str, str, str], ...]


# --- what is asked ---------------------------------------------------------------------------------------------------


def why(charter: Charter, subject: str) -> Explanation:
    """Explain a voucher (`H-000001`), an entry (`H-000001/2`), a record (`RECORD KEY`) or a field (`RECORD KEY FIELD`).

    Raises UsageFault where there is no such thing, or where several companies have the voucher: `COMPANY:H-000001`.
    """
    rules = charter.rules
    return charter.store.within(lambda session: Explainer(session, rules).explain(subject))


def history(charter: Charter, record: str, key: str) -> list[Event]:
    """Every event of a record, the first one first; what the rules read is left to `why`."""
    rules = charter.rules

    def work(session: Session) -> list[Event]:
        explainer = Explainer(session, rules)
        rows = explainer.past.of_record(record, find_record(session, rules, record, key))
        explainer.past.load(rows, with_facts=False)
        return explainer.keys.settled(lambda: [explainer.event(row, detailed=False) for row in rows])

    return charter.store.within(work)


def refusals_of(session: Session, rules: Rules, record: str, id_: int) -> list[Refusal]:
    """What was refused for a record, the latest first."""
    table = rules.metadata.tables[REFUSAL]
    where = (table.c.record == record) & (table.c.record_id == id_)
    return [
        Refusal(r.at, r.actor, r.login, r.event, r.source,
                tuple((x["rule"], x["says"], x["place"]) for x in json.loads(r.reasons)))
        for r in session.rows(select(table).where(where).order_by(table.c.id.desc()))
    ]  # fmt: skip


def find_record(session: Session, rules: Rules, record: str, key: str) -> int:
    """The id of a record by what a person types; raises UsageFault with what is like it.

    A key's parts are joined by `/`; records without a key go by number. Every record that is or was goes by `#12`, too.
    """
    library = rules.library
    if library.record(record) is None or record not in rules.metadata.tables:
        known = [r.name for r in library.records()]
        hint = did_you_mean(record, known) or f"known: {', '.join(known)}"
        raise UsageFault(f"There is no record type `{record}`; {hint}")
    found = known_record(session, rules, record, key)
    if found is None:
        like = did_you_mean(key, Past(session, rules).some_keys(record))
        raise UsageFault(f"There is no {record} `{key}`; {like or f'see `charter list {record}`'}")
    return found


def known_record(session: Session, rules: Rules, record: str, key: str) -> int | None:
    """The same, None where there is no such record."""
    past = Past(session, rules)
    if key.startswith("#") and key[1:].isdigit() and past.of_record(record, int(key[1:])):
        return int(key[1:])
    found = Gatherer(rules.library, rules.metadata, session, Facts(), {}).id_of(record, key)
    return found if found is not None else past.gone(record, key)


def as_data(explained: Any) -> dict[str, Any]:
    """The JSON shape of an explanation, or of a list of events and the like: versioned, every figure a text."""
    if isinstance(explained, Sequence):
        return {"version": VERSION, "items": [asdict(x) for x in explained]}
    return {"version": VERSION, **asdict(explained)}


# --- the log and the packs, as they are kept -------------------------------------------------------------------------


class Past:
    """What the store kept: log rows, facts, packs, fetched in few statements and each once."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self.session, self.rules = session, rules
        self.tables = rules.metadata.tables
        self.rows: dict[int, Row[Any]] = {}
        self.numbers: dict[int, list[str]] = defaultdict(list)
        self.entered: dict[tuple[str, int], Row[Any]] = {}
        self._packs: dict[str, tuple[catalog.Pack, Rules]] = {}
        self._facts: dict[tuple[str, str], Any] = {}

    def of_record(self, record: str, id_: int, before: int | None = None) -> list[Row[Any]]:
        """The log rows of a record in order."""
        log = self.tables[LOG]
        statement = select(log).where(log.c.record == record, log.c.record_id == id_).order_by(log.c.id)
        return self.known(self.session.rows(statement.where(log.c.id < before) if before else statement))

    def known(self, rows: list[Row[Any]]) -> list[Row[Any]]:
        self.rows.update((r.id, r) for r in rows)
        return rows

    def by_ids(self, ids: Iterable[int]) -> None:
        log = self.tables[LOG]
        for part in parts({i for i in ids if i not in self.rows}):
            self.known(self.session.rows(select(log).where(log.c.id.in_(part))))

    def load_causes(self, rows: Iterable[Row[Any]]) -> None:
        """Fetch what fired these events, and what fired that, all of one depth together."""
        asked = {r.cause for r in rows if r.cause is not None}
        while asked:
            self.by_ids(asked)
            asked = {cause for i in asked if (cause := self.rows[i].cause) is not None}

    def causes(self, row: Row[Any]) -> list[Row[Any]]:
        """The events that fired this one, up to the one that a person fired."""
        self.load_causes([row])
        found = []
        while row.cause is not None:
            row = self.rows[row.cause]
            found.append(row)
        return found

    def lineage(self, row: Row[Any]) -> tuple[list[Row[Any]], list[Row[Any]]]:
        """(what fired it, what went before in the lives of all these records, the latest first)."""
        causes = self.causes(row)
        seen = {row.id, *(c.id for c in causes)}
        waiting = [row, *causes]
        earlier: list[Row[Any]] = []
        visited: set[tuple[str, int]] = set()
        while waiting and len(visited) < MOST_RECORDS:
            # The latest first, so that a record is met where most of its life lies behind it.
            waiting.sort(key=lambda r: r.id)
            latest = waiting.pop()
            if (latest.record, latest.record_id) in visited:
                continue
            visited.add((latest.record, latest.record_id))
            before = self.of_record(latest.record, latest.record_id, latest.id)
            self.load_causes(before)
            fresh = {e.id: e for b in before for e in (b, *self.causes(b)) if e.id not in seen}
            seen |= fresh.keys()
            earlier += fresh.values()
            waiting += fresh.values()
        return causes, sorted(earlier, key=lambda r: -r.id)

    # --- what the rows refer to ---

    def load(self, rows: Sequence[Row[Any]], with_facts: bool = True) -> None:
        """Fetch what these rows refer to: causes, vouchers and, if wanted, facts."""
        self.by_ids(r.cause for r in rows if r.cause is not None)
        if VOUCHER in self.tables:
            voucher = self.tables[VOUCHER]
            statement = select(voucher.c.log, voucher.c.number).order_by(voucher.c.id)
            for part in parts([r.id for r in rows if r.vouchers]):
                for log_id, number in self.session.rows(statement.where(voucher.c.log.in_(part))):
                    self.numbers[log_id].append(number)
        if with_facts:
            self.load_facts({(r.stream, r.basis) for r in rows})
            self.load_facts({(r.stream, h) for r in rows for h in self.fact(r.stream, r.basis)["facts"] if h})
            self.load_entered()

    def load_facts(self, wanted: set[tuple[str, str]]) -> None:
        table = self.tables[FACT]
        by_stream: dict[str, list[str]] = defaultdict(list)
        for stream, key in sorted(wanted - self._facts.keys()):
            by_stream[stream].append(key)
        for stream, keys in by_stream.items():
            of_stream = select(table.c.hash, table.c.content).where(table.c.stream == stream)
            for part in parts(keys):
                for key, content in self.session.rows(of_stream.where(table.c.hash.in_(part))):
                    self._facts[(stream, key)] = json.loads(content)

    def load_entered(self) -> None:
        """How the records that decisions hit as rows came to be."""
        log = self.tables[LOG]
        wanted: dict[str, set[int]] = defaultdict(set)
        for fact in self._facts.values():
            for said in fact.get("rows", ()) if "candidates" in fact else ():
                record, _, id_ = said.rpartition(" ")
                wanted[record].add(int(id_))
        for record, ids in wanted.items():
            for part in parts(sorted(ids)):
                where = (log.c.record == record) & log.c.record_id.in_(part) & (log.c.from_state == d.NOTHING)
                self.entered |= {(record, r.record_id): r for r in self.session.rows(select(log).where(where))}

    def fact(self, stream: str, key: str) -> Any:
        found = self._facts.get((stream, key))
        if found is None:
            raise IntegrityBroken(f"The fact {key} of the stream {stream} is missing: run `charter verify`.")
        return found

    def facts_of(self, row: Row[Any], program: p.Program) -> list[tuple[p.Operation, Any]]:
        """Each reading of a firing with its fact; what was not needed then is left out."""
        hashes = self.fact(row.stream, row.basis)["facts"]
        if len(hashes) != len(program.readings):
            raise CharterFault(f"What log row {row.id} read was kept by another version of Charter, in another order.")
        return [(op, self.fact(row.stream, h)) for op, h in zip(program.readings, hashes, strict=True) if h]

    # --- packs ---

    def pack(self, hash_: str) -> tuple[catalog.Pack, Rules]:
        """A pack that was in force once, with its rules."""
        if hash_ not in self._packs:
            table = self.tables[PACK]
            found = self.session.rows(select(table.c.compiled).where(table.c.hash == hash_))
            if not found:
                raise IntegrityBroken(f"The store holds no pack {hash_}: run `charter verify`.")
            pack = catalog.Pack.from_data(json.loads(found[0][0]))
            self._packs[hash_] = (pack, self.rules if hash_ == self.rules.hash else rules_of(pack))
        return self._packs[hash_]

    def then(self, row: Row[Any]) -> Then:
        """The transition of a log row, as it was in force."""
        pack, rules = self.pack(row.pack)
        name, _, transition_name = row.rule.partition("/")
        record, workflow = rules.library.record(row.record), rules.library.workflow(name)
        for transition in workflow.transitions if workflow else ():
            if record and workflow and transition.name == transition_name and transition.event == row.event:
                return Then(pack, rules, record, workflow, transition)
        raise IntegrityBroken(f"Log row {row.id} names the rule {row.rule}, which is not in the pack {row.pack}.")

    # --- keys of what is not there any more, and of what is ---

    def deleted(self, record: str, ids: Iterable[int] | None = None) -> dict[int, str]:
        """Keys of deleted records, from the log."""
        log = self.tables[LOG]
        statement = select(log).where(log.c.record == record, log.c.to_state.is_(None)).order_by(log.c.id.desc())
        statement = statement.limit(MOST_KEYS) if ids is None else statement.where(log.c.record_id.in_(list(ids)))
        found = self.rules.library.record(record)
        if found is None:
            return {}
        gatherer = Gatherer(self.rules.library, self.rules.metadata, self.session, Facts(), {})
        keys = {}
        for row in self.session.rows(statement):
            old = {n: v[0] for n, v in json.loads(row.changes).items() if isinstance(v, list)}
            values = [row.record_id, *(old.get(n) for n, _ in columns_of(self.rules.library, found)[1:])]
            key = gatherer.row_values(record, values, self.rules.library.key_paths(found))
            keys[row.record_id] = "/".join(str(k) for k in key)
        return keys

    def gone(self, record: str, key: str) -> int | None:
        return next((i for i, k in self.deleted(record).items() if k == key), None)

    def some_keys(self, record: str) -> list[str]:
        """Keys of records of a type, the latest ones where there are many."""
        gatherer = Gatherer(self.rules.library, self.rules.metadata, self.session, Facts(), {})
        joined = gatherer.joined(record)
        statement = joined.select(self.rules.library.key_paths(joined.record)).order_by(joined.base.c.id.desc())
        return ["/".join(str(k) for k in row) for row in self.session.rows(statement.limit(MOST_KEYS))]


@dataclass(frozen=True, slots=True)
class Then:
    """A transition as it stood in the pack of its time."""

    pack: catalog.Pack
    rules: Rules
    record: d.Record
    workflow: d.Workflow
    transition: d.Transition

    @property
    def library(self) -> Library:
        return self.rules.library

    @property
    def program(self) -> p.Program:
        return self.rules.programs.of(self.record, self.workflow, self.transition)

    @property
    def path(self) -> Route:
        return ("transitions", self.workflow.transitions.index(self.transition))

    @property
    def postings(self) -> list[d.Posting]:
        targets = [s.target for s in self.transition.steps if s.verb == "post"]
        return [found for name in targets if (found := self.library.posting(name))]

    @property
    def uses(self) -> list[d.Use]:
        return [*self.transition.uses, *(u for posting in self.postings for u in posting.uses)]

    @property
    def source(self) -> str:
        """The section of the accounting rules, or the like, that the transition names."""
        document = self.pack.find("workflow", self.workflow.name)
        if document is None:
            return ""
        return d.Element(document, (), document.body).at("transitions").at(self.path[1]).word("source")

    def type_of(self, field: str) -> Type:
        return self.library.member(self.record, field) or TEXT


# --- words for values ------------------------------------------------------------------------------------------------


class Keys:
    """Says values as people do. What is named is learned in a first round and looked up together: see `settled`."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.called_by: dict[tuple[str, int], tuple[str, str]] = {}
        self.wanted: dict[str, set[int]] = defaultdict(set)

    def settled(self, make: Callable[[], Made]) -> Made:
        """Make something once to learn which records it names, and again when their keys are known."""
        made = make()
        while self.wanted:
            self.look_up()
            made = make()
        return made

    def key(self, record: str, id_: int) -> str:
        return self._found(record, id_)[0]

    def titled(self, record: str, id_: int) -> str:
        """Key and describing name."""
        return " ".join(x for x in self._found(record, id_) if x)

    def called(self, record: str, id_: int) -> str:
        return f"{record} {self.key(record, id_)}"

    def said(self, type_: Type, value: Any) -> str | None:
        """A value as it is kept in the log, in the words of people."""
        if value is None:
            return None
        if isinstance(value, list):
            inner = type_.item or type_
            return ", ".join(self.said(inner, v) or "none" for v in value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if type_.kind == "ref" and isinstance(value, int):
            return self.key(type_.of, value)
        return str(value)

    def _found(self, record: str, id_: int) -> tuple[str, str]:
        found = self.called_by.get((record, id_))
        if found is None:
            self.wanted[record].add(id_)
        return found or ("", "")

    def look_up(self) -> None:
        wanted, self.wanted = self.wanted, defaultdict(set)
        for record, ids in wanted.items():
            found = self.stored(record, ids)
            if missing := ids - found.keys():
                found |= {i: (key, "") for i, key in self.past.deleted(record, missing).items()}
            self.called_by |= {(record, i): found.get(i, (f"#{i}", "")) for i in ids}

    def stored(self, record: str, ids: set[int]) -> dict[int, tuple[str, str]]:
        rules, session = self.past.rules, self.past.session
        declared = rules.library.record(record)
        if record == "voucher" and VOUCHER in rules.metadata.tables:
            table = rules.metadata.tables[VOUCHER]
            return {i: (n, "") for i, n in session.rows(select(table.c.id, table.c.number).where(table.c.id.in_(ids)))}
        if declared is None or record not in rules.metadata.tables:
            return {}
        paths = rules.library.key_paths(declared)
        title = [(declared.title,)] if declared.title and (declared.title,) not in paths else []
        gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), {})
        found = gatherer.values(record, (*paths, *title), sorted(ids))
        return {
            i: ("/".join(str(plain(v)) for v in values[: len(paths)]), str(values[len(paths)] or "") if title else "")
            for i, values in found.items()
        }


class Slots:
    """Names for the places in which a program keeps its values, and the values themselves as far as they are known."""

    def __init__(self, then: Then, row: Row[Any], facts: Iterable[tuple[p.Operation, Any]]) -> None:
        self.then, self.program = then, then.program
        self.uses: dict[str, str] = {u.decision: u.name for u in reversed(then.uses)}
        reads = json.loads(row.reads)
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


# --- words for rules -------------------------------------------------------------------------------------------------


def at(place: Place) -> str:
    """file:line"""
    return f"{place.file}:{place.line}" if place.file else ""


def block(lines: Sequence[str], number: int) -> tuple[str, ...]:
    """The line of that number and what is written below it, deeper."""
    if not 0 < number <= len(lines):
        return ()
    first = lines[number - 1]
    kept = [first]
    for line in lines[number:]:
        if line.strip() and _indent(line) <= _indent(first):
            break
        kept.append(line)
    while not kept[-1].strip():
        kept.pop()
    return tuple(kept)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def rule_text(pack: catalog.Pack, document: catalog.Document, place: Place) -> RuleText:
    """The lines of what begins at a place."""
    lines = pack.files.get(place.file, "").split("\n")
    return RuleText(at(place), dict(document.written_in).get(place.file, document.pack), block(lines, place.line))


def rule_texts(pack: catalog.Pack, document: catalog.Document | None, path: Route) -> tuple[RuleText, ...]:
    """The lines of an element: where it was written first, then what packs above it changed."""
    if document is None or path not in document.places:
        return ()
    here = document.places[path]
    others: dict[str, Place] = {}
    for inner, place in document.places.items():
        if inner[: len(path)] == path and place.file != here.file:
            others[place.file] = min(place, others.get(place.file, place))
    return tuple(rule_text(pack, document, place) for place in (here, *others.values()))


# --- explaining ------------------------------------------------------------------------------------------------------


class Explainer:
    """Makes explanations of what the log says."""

    def __init__(self, session: Session, rules: Rules) -> None:
        self.session, self.rules = session, rules
        self.past = Past(session, rules)
        self.keys = Keys(self.past)

    def explain(self, subject: str) -> Explanation:
        head, _, rest = subject.strip().partition(" ")
        rest = rest.strip()
        if not rest:
            return self.explain_voucher(subject.strip())
        if head in ("voucher", "entry"):
            return self.explain_voucher(rest)
        key, field = self.split(head, rest)
        id_ = find_record(self.session, self.rules, head, key)
        return self.explain_field(subject, head, id_, field) if field else self.explain_record(subject, head, id_)

    def split(self, head: str, rest: str) -> tuple[str, str]:
        """The key and the field of `KEY FIELD`; a key may hold blanks, and a field may not be asked for."""
        record = self.rules.library.record(head)
        key, _, field = rest.rpartition(" ")
        key = key.strip()
        if record is None or not key:
            return rest, ""
        fields = [n for n, _ in columns_of(self.rules.library, record) if n != "id"]
        if field in fields:
            return key, field
        if known_record(self.session, self.rules, head, rest) is None and known_record(
            self.session, self.rules, head, key
        ):
            raise UsageFault(f"A {head} has no `{field}`; {did_you_mean(field, fields) or ', '.join(fields)}")
        return rest, ""

    # --- records and fields ---

    def explain_record(self, subject: str, record: str, id_: int) -> Explanation:
        rows = self.past.of_record(record, id_)
        if not rows:
            raise IntegrityBroken(f"No event of {record} {id_} is in the log: run `charter verify`.")
        last = rows[-1]

        def figure() -> tuple[str, tuple[Value, ...]]:
            called = self.keys.called(record, id_)
            if last.to_state is None:
                return f"{called} is deleted", ()
            return f"{called} is {last.to_state}", self.current(rows)

        return self.explanation(subject, last, figure)

    def current(self, rows: Sequence[Row[Any]]) -> tuple[Value, ...]:
        """The fields of a record as the log last made them."""
        values: dict[str, tuple[Type, Any]] = {}
        for row in rows:
            then = self.past.then(row)
            for name, change in json.loads(row.changes).items():
                values[name] = (then.type_of(name), change if then.transition.creates else change[1])
        return tuple(Value(n, self.keys.said(t, v)) for n, (t, v) in values.items())

    def explain_field(self, subject: str, record: str, id_: int, field: str) -> Explanation:
        rows = self.past.of_record(record, id_)
        setting = [r for r in rows if field in json.loads(r.changes)]
        if not rows:
            raise IntegrityBroken(f"No event of {record} {id_} is in the log: run `charter verify`.")
        row = setting[-1] if setting else rows[0]

        def figure() -> tuple[str, tuple[Value, ...]]:
            called = self.keys.called(record, id_)
            if not setting:
                return f"{field} of {called} is empty: no event ever set it", ()
            change = next(c for c in self.changes(self.past.then(row), row) if c.field == field)
            return f"{field} of {called} is {shown_value(change.after)}", (Value(field, change.after),)

        return self.explanation(subject, row, figure)

    def explanation(
        self, subject: str, row: Row[Any], figure: Callable[[], tuple[str, tuple[Value, ...]]]
    ) -> Explanation:
        causes, earlier = self.past.lineage(row)
        self.past.load([row, *causes, *earlier])

        def made() -> Explanation:
            figured, values = figure()
            return Explanation(
                subject, figured, None, (), values, self.event(row),
                tuple(map(self.event, causes)), tuple(map(self.event, earlier)),
            )  # fmt: skip

        return self.keys.settled(made)

    # --- vouchers and entries ---

    def explain_voucher(self, subject: str) -> Explanation:
        head, line = self.voucher(subject)
        entry = self.past.tables[ENTRY]
        statement = select(entry).where(entry.c.voucher == head.id).order_by(entry.c.line)
        entries = [e for e in self.session.rows(statement) if line is None or e.line == line]
        if not entries:
            raise UsageFault(f"The voucher {head.number} has no line {line}.")
        return self.of_voucher(subject, head, entries)

    def voucher(self, subject: str) -> tuple[Row[Any], int | None]:
        asked = VOUCHER_NAME.fullmatch(subject)
        if asked is None or VOUCHER not in self.past.tables:
            accepted = "a voucher (H-000001, H-000001/2) nor a record (RECORD KEY, RECORD KEY FIELD)"
            raise UsageFault(f"`{subject}` is neither {accepted}.")
        table = self.past.tables[VOUCHER]
        found = self.session.rows(select(table).where(table.c.number == asked["number"]).order_by(table.c.company))
        ledger = self.rules.library.manifest.ledger
        assert ledger is not None
        of_company = self.keys.settled(lambda: [(self.keys.key(ledger.company, v.company), v) for v in found])
        if asked["company"]:
            of_company = [(c, v) for c, v in of_company if c == asked["company"]]
        if not of_company:
            raise UsageFault(f"There is no voucher `{subject.partition('/')[0]}`{self.like_number(asked['number'])}.")
        if len(of_company) > 1:
            choices = " or ".join(f"{c}:{subject}" for c, _ in of_company)
            raise UsageFault(f"Several companies have a voucher {asked['number']}: ask for {choices}.")
        return of_company[0][1], int(asked["line"]) if asked["line"] else None

    def like_number(self, number: str) -> str:
        table = self.past.tables[VOUCHER]
        known = [n for (n,) in self.session.rows(select(table.c.number).order_by(table.c.id.desc()).limit(MOST_KEYS))]
        hint = did_you_mean(number, set(known))
        return f"; {hint}" if hint else ""

    def of_voucher(self, subject: str, head: Row[Any], entries: list[Row[Any]]) -> Explanation:
        self.past.by_ids([head.log])
        row = self.past.rows[head.log]
        causes, earlier = self.past.lineage(row)
        self.past.load([row, *causes, *earlier])
        reversed_by, original = self.mirrors(head)

        def made() -> Explanation:
            voucher = self.voucher_head(head, row, reversed_by)
            lines = tuple(self.entry(e, head, row) for e in entries)
            return Explanation(
                subject, self.figure(voucher, lines), voucher, lines, (), self.event(row),
                tuple(map(self.event, causes)), tuple(map(self.event, earlier)),
            )  # fmt: skip

        explained = self.keys.settled(made)
        if original is None:
            return explained
        wanted = {(e.line) for e in entries}
        entry = self.past.tables[ENTRY]
        mirrored = self.session.rows(select(entry).where(entry.c.voucher == original.id).order_by(entry.c.line))
        lines = [e for e in mirrored if e.line in wanted]
        return replace(explained, reverses=self.of_voucher(original.number, original, lines))

    def mirrors(self, head: Row[Any]) -> tuple[str | None, Row[Any] | None]:
        """(the number of the voucher that takes this one back, the voucher that this one takes back)."""
        table = self.past.tables[VOUCHER]
        by = self.session.rows(select(table.c.number).where(table.c.reverses == head.id))
        of = self.session.rows(select(table).where(table.c.id == head.reverses)) if head.reverses is not None else []
        return (by[0][0] if by else None), (of[0] if of else None)

    def figure(self, voucher: VoucherHead, lines: Sequence[EntryLine]) -> str:
        if len(lines) == 1:
            e = lines[0]
            figure = f"{e.side} {e.amount} {e.currency} to account {e.account}"
            return f"{voucher.number}/{e.line}: {figure} on {voucher.date}"
        return f"{voucher.number}: {len(lines)} entries of {voucher.company} on {voucher.date}"

    def voucher_head(self, head: Row[Any], row: Row[Any], reversed_by: str | None) -> VoucherHead:
        _, rules = self.past.pack(row.pack)
        ledger, posting = rules.library.manifest.ledger, rules.library.posting(head.posting)
        assert ledger is not None
        return VoucherHead(
            head.number, self.keys.key(ledger.company, head.company), head.series, head.date.isoformat(), head.currency,
            head.posting, at(posting.place) if posting else "", posting.source if posting else "", head.posted_at,
            None if head.reverses is None else self.keys.key("voucher", head.reverses), reversed_by,
        )  # fmt: skip

    def entry(self, entry: Row[Any], head: Row[Any], row: Row[Any]) -> EntryLine:
        pack, rules = self.past.pack(row.pack)
        ledger, declared = rules.library.manifest.ledger, rules.library.record("entry")
        assert ledger is not None
        assert declared is not None
        amount = Decimal(from_kept(entry.amount, "money"))
        places = rules.library.manifest.currencies.get(entry.currency)
        values = entry._mapping
        dimensions = [(n, f.type) for n, f in ledger.dimensions.items() if values.get(n) is not None]
        # What mirrors another voucher was written by no row; the row stands with the original.
        written_by = "" if head.reverses else entry.row
        expressions, texts = posting_row(pack, rules.library, written_by, entry.account_key)
        return EntryLine(
            entry.line, "debit" if amount >= 0 else "credit",
            self.keys.titled(declared.fields["account"].type.of, entry.account), entry.account_key,
            shown(abs(amount), places), entry.currency,
            tuple(Value(n, self.keys.said(t, values[n])) for n, t in dimensions), entry.row, expressions, texts,
            None if head.reverses else self.account_decision(entry, row, ledger.account),
        )  # fmt: skip

    def account_decision(self, entry: Row[Any], row: Row[Any], decision: str) -> Decision | None:
        """The decision that gave an entry its account."""
        then = self.past.then(row)
        facts = self.past.facts_of(row, then.program)
        for operation, fact in facts:
            if isinstance(operation, p.Decided) and fact["decision"] == decision:
                asked = fact["inputs"].get("account_key", entry.account_key)
                if asked == entry.account_key and entry.account in (fact["outputs"] or ()):
                    return self.decision(Slots(then, row, facts), operation, fact)
        return None

    # --- events ---

    def event(self, row: Row[Any], detailed: bool = True) -> Event:
        """A log row in words."""
        then = self.past.then(row)
        t = then.transition
        event = Event(
            row.id, row.at, row.actor, row.login, row.right, self.keys.called(row.record, row.record_id), row.event,
            row.from_state, row.to_state, row.rule, at(t.place), t.doc, then.source,
            f"{then.pack.name} {then.pack.version} ({row.pack[:12]})", row.cause, self.caused_by(row), row.source,
            tuple(self.changes(then, row)), tuple(self.past.numbers[row.id]),
        )  # fmt: skip
        if not detailed:
            return event
        facts = self.past.facts_of(row, then.program)
        slots = Slots(then, row, facts)
        decisions = [self.decision(slots, op, fact) for op, fact in facts if isinstance(op, p.Decided)]
        readings = tuple(self.readings(slots, row, facts))
        return replace(event, readings=readings, decisions=tuple(decisions), lets=tuple(named(then)))

    def caused_by(self, row: Row[Any]) -> str:
        if row.cause is None:
            return ""
        cause = self.past.rows[row.cause]
        return f"{cause.event} of {self.keys.called(cause.record, cause.record_id)}"

    # --- what changed ---

    def changes(self, then: Then, row: Row[Any]) -> Iterator[Change]:
        given = json.loads(row.reads)["given"]
        for name, change in json.loads(row.changes).items():
            before, after = (None, change) if then.transition.creates else change
            type_ = then.type_of(name)
            because, place = self.because(then, row, name, given)
            yield Change(name, self.keys.said(type_, before), self.keys.said(type_, after), because, place)

    def because(self, then: Then, row: Row[Any], name: str, given: Mapping[str, Any]) -> tuple[str, str]:
        """What gave a field its value, and where that is said."""
        t = then.transition
        texts = [s.values[name] for s in t.steps if s.verb == "set" and name in s.values]
        if texts:
            return f"set to `{'` or `'.join(x.text for x in texts)}`", at(texts[0].place)
        if t.deletes:
            return "deleted", at(t.place)
        if name in given:
            return self.handed(row, name, given) if row.cause is not None else ("given", "")
        if name in then.library.states_of(then.record):
            return LEADS, at(t.place)
        return "the default", at(then.record.fields[name].place) if name in then.record.fields else ""

    def handed(self, row: Row[Any], name: str, given: Mapping[str, Any]) -> tuple[str, str]:
        """The same where another event created the record or fired this one."""
        cause = self.past.rows[row.cause]
        then = self.past.then(cause)
        reads = json.loads(cause.reads)
        known = {**reads["own"], **reads["given"]}
        steps = [s for s in then.transition.steps if leads_to(then, s, row) and fits(s, given, known)]
        texts = {x.text: x.place for s in steps if (x := s.values.get(name))}
        if texts:
            return f"given as `{'` or `'.join(texts)}`", at(next(iter(texts.values())))
        if row.from_state == d.NOTHING and (copied := next((s for s in steps if s.copied), None)):
            return f"copied from {'.'.join(copied.copied or ())}", at(copied.place)
        return "given", at(then.transition.place)

    # --- what was read ---

    def readings(self, slots: Slots, row: Row[Any], facts: Sequence[tuple[p.Operation, Any]]) -> Iterator[Reading]:
        """What the rules read, but for decisions."""
        own = [Value(n, self.keys.said(slots.then.type_of(n), v)) for n, v in slots.own.items() if n != "id"]
        if own:
            yield Reading("own", self.keys.called(row.record, row.record_id), tuple(own))
        taken = slots.program.taken
        if slots.given:
            given = (Value(n, self.keys.said(taken[n].type if n in taken else TEXT, v)) for n, v in slots.given.items())
            yield Reading("given", "given", tuple(given))
        if slots.acknowledged:
            yield Reading("acknowledged", "warnings", (Value("acknowledged", ", ".join(slots.acknowledged)),))
        for operation, fact in facts:
            if not isinstance(operation, p.Decided):
                yield self.reading(slots, operation, fact)
        yield from self.parameters(slots)

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
        if isinstance(operation, p.Measured):
            return self.measured(slots, operation, fact)
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
        library = slots.then.library
        measure = library.measure(operation.measure)
        assert measure is not None
        start = Type("ref", of=measure.of)
        types = [library.along(start, path) or TEXT for path in measure.by.values()]
        asked = ", ".join(self.keys.said(t, v) or "none" for t, v in zip(types, fact["of"], strict=False))
        value = Value(operation.measure, self.keys.said(TEXT, fact["value"]))
        return Reading("measure", f"{operation.measure}({asked})", (value,), at(measure.place))

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
        if decision.rows_of:
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


def posting_row(
    pack: catalog.Pack, library: Library, row: str, account_key: str
) -> tuple[tuple[str, ...], tuple[RuleText, ...]]:
    """(the amounts that a posting row gives an account key, the row's lines)."""
    name, _, row_name = row.partition("/")
    posting = library.posting(name)
    for index, declared in enumerate(posting.rows if posting else ()):
        if declared.name == row_name:
            amounts = tuple(e.amount.text for e in declared.entries if e.key == account_key)
            return amounts, rule_texts(pack, pack.find("posting", name), ("rows", index))
    return (), ()


def named(then: Then) -> Iterator[Named]:
    """The names that a transition works out, its postings and its formulas with it."""
    for name, text in then.transition.lets.items():
        yield Named(name, text.text, at(text.place))
    for posting in then.postings:
        for name, text in posting.lets.items():
            yield Named(name, text.text, at(text.place), f"posting {posting.name}")
    for use in then.uses:
        formulas = then.library.formulas(use.decision)
        steps = [formulas.steps, *formulas.choices.values()] if formulas else []
        for name, text in (pair for choice in steps for pair in choice.items()):
            yield Named(name, text.text, at(text.place), f"formulas {use.decision}")


def leads_to(then: Then, step: d.Step, row: Row[Any]) -> bool:
    """Whether a step is one that can have brought about this log row."""
    if row.from_state == d.NOTHING:
        return step.verb == "create" and step.target == row.record
    return step.verb == "fire" and step.target == row.event


def fits(step: d.Step, given: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    """Whether what a step hands over, as far as that is plain, is what was given."""
    for name, text in step.values.items():
        node = parse(text.text)
        if isinstance(node, Constant) and name in given and plain(node.value) != given[name]:
            return False
        if isinstance(node, Path) and name in given and known.get(".".join(node.parts), given[name]) != given[name]:
            return False
    return True


# --- lines for people ------------------------------------------------------------------------------------------------


def as_lines(explanation: Explanation) -> list[str]:
    """An explanation to be read from top to bottom: the figure, its rule, its event, and back to where it began."""
    lines = [explanation.figure]
    if explanation.voucher is not None:
        lines += ["", *_voucher_lines(explanation.voucher), *_entries_lines(explanation.entries)]
    elif len(explanation.values) > 1:
        lines += ["", "Its fields", *(f"  {_pair(v)}" for v in explanation.values)]
    shown_above = tuple(e.account_by for e in explanation.entries if e.account_by)
    lines += ["", "What did it", *deeper(event_lines(explanation.event, shown_above))]
    for cause in explanation.causes:
        lines += ["", "Fired by", *deeper(event_lines(cause))]
    if explanation.earlier:
        lines += ["", "What went before, the latest first"]
    full = _told_in_full(explanation)
    for event in explanation.earlier:
        lines += ["", *deeper(event_lines(event) if event.log in full else brief_lines(event))]
    if explanation.reverses is not None:
        lines += ["", f"It takes back {explanation.reverses.subject}", *deeper(as_lines(explanation.reverses))]
    return lines


def _told_in_full(explanation: Explanation) -> set[int]:
    """Earlier events of the record itself, and what fired those."""
    own = [e for e in explanation.earlier if e.record == explanation.event.record]
    by_log = {e.log: e for e in explanation.earlier}
    full = {e.log for e in own}
    for event in own:
        while event.cause in by_log:
            event = by_log[event.cause]
            full.add(event.log)
    return full


def _voucher_lines(voucher: VoucherHead) -> Iterator[str]:
    of = f"{voucher.company}, series {voucher.series}, dated {voucher.date}, in {voucher.currency}"
    yield f"Voucher {voucher.number} of {of}"
    yield f"  written {moment(voucher.posted_at)} by the posting {voucher.posting}{told(voucher.place, voucher.source)}"
    if voucher.reverses:
        yield f"  takes back {voucher.reverses}"
    if voucher.reversed_by:
        yield f"  was taken back by {voucher.reversed_by}"


def _entries_lines(entries: Sequence[EntryLine]) -> Iterator[str]:
    """The entries, with the lines of each posting row once."""
    texts: set[RuleText] = set()
    for entry in entries:
        yield ""
        yield from _entry_lines(entry, [text for text in entry.texts if text not in texts])
        texts.update(entry.texts)


def _entry_lines(entry: EntryLine, texts: Sequence[RuleText]) -> Iterator[str]:
    about = "".join(f", {_pair(v)}" for v in entry.dimensions)
    yield f"Line {entry.line}: {entry.side} {entry.amount} {entry.currency} to account {entry.account}{about}"
    amount = f", whose amount is `{'` or `'.join(entry.expressions)}`" if entry.expressions else ""
    yield f"  by the row {entry.row}{amount}"
    for text in texts:
        yield from deeper(_text_lines(text))
    if entry.account_by is not None:
        yield f"  the account key {entry.account_key} stands for this account"
        yield from deeper(_decision_lines(entry.account_by))


def _text_lines(text: RuleText) -> Iterator[str]:
    yield f"{text.place} (pack {text.pack})"
    first = int(text.place.rpartition(":")[2])
    for number, line in enumerate(text.lines, first):
        yield f"{number:>5} | {line}"


def event_lines(event: Event, besides: Sequence[Decision] = ()) -> Iterator[str]:
    """An event with all that it read and decided, but for decisions shown elsewhere."""
    yield from _head_lines(event)
    if event.doc:
        yield f"  {event.doc}"
    for reading in event.readings:
        if reading.kind != "given" or not _given_is_shown(event, reading):
            yield from deeper(_reading_lines(reading))
    for decision in event.decisions:
        if decision not in besides:
            yield from deeper(_decision_lines(decision))
    for let in event.lets:
        within = f", in {let.within}" if let.within else ""
        yield f"  {let.name} = {let.expression}{within}{told(let.place)}"
    yield from _change_lines(event)


def brief_lines(event: Event) -> Iterator[str]:
    """An event: who, when, by what rule, what changed."""
    yield from _head_lines(event)
    yield from _change_lines(event)


def _head_lines(event: Event) -> Iterator[str]:
    states = f"{event.from_state or 'nothing'} -> {event.to_state or 'nothing'}"
    yield f"{moment(event.at)}  {event.event} of {event.record}: {states}"
    right = f"fired by {event.caused_by}" if event.caused_by else f"right: {event.right}"
    yield f"  by {event.actor} (login {event.login}), {right}"
    yield f"  rule {event.rule}{told(event.place, event.source)} in pack {event.pack}"
    if event.imported:
        yield f"  from {event.imported}" if ":" in event.imported else f"  by the command {event.imported}"
    if event.vouchers:
        yield f"  vouchers: {', '.join(event.vouchers)}"


def _change_lines(event: Event) -> Iterator[str]:
    for change in event.changes:
        if change.because != LEADS:
            before = f"{shown_value(change.before)} -> " if change.before is not None else ""
            yield f"  {change.field}: {before}{shown_value(change.after)}  ({change.because}{told(change.place)})"


def _given_is_shown(event: Event, reading: Reading) -> bool:
    """Whether what was given stands among the changes anyhow."""
    after = {c.field: c.after for c in event.changes}
    return all(v.value is None or after.get(v.name) == v.value for v in reading.values)


def _reading_lines(reading: Reading) -> Iterator[str]:
    values = [v for v in reading.values if v.value is not None or reading.kind != "given"]
    said = [shown_value(v.value) if reading.kind == "measure" else _pair(v) for v in values]
    about = "given" if reading.kind == "given" else f"read {reading.about}"
    line = f"{about}{': ' if said else ''}{', '.join(said)}{told(reading.place)}"
    if len(line) <= WIDEST:
        yield line
        return
    yield f"{about}{told(reading.place)}"
    yield from (f"  {x}" for x in said)


def _decision_lines(decision: Decision) -> Iterator[str]:
    called = f" as {', '.join(decision.names)}" if decision.names else ""
    on = f", as of {decision.on}" if decision.on else ""
    yield f"decided {decision.decision}{called}{on}{told(decision.place)}"
    yield f"  asked: {', '.join(map(_pair, decision.inputs)) or 'nothing'}"
    if decision.key_set is not None:
        yield f"  found by: {', '.join(decision.key_set) or 'nothing in particular'}"
    for hit in decision.hits:
        yield from deeper(_hit_lines(hit))
    for answer in decision.answers:
        yield f"  answer: {', '.join(map(_pair, answer))}"


def _hit_lines(hit: Hit) -> Iterator[str]:
    if not hit.texts:
        yield f"row {hit.name}{told(hit.place)}"
    else:
        yield f"row {hit.name}"
    if hit.values:
        yield f"  for {', '.join(map(_pair, hit.values))}"
    if hit.entered:
        yield f"  {hit.entered}"
    for text in hit.texts:
        yield from deeper(_text_lines(text))


def _pair(value: Value) -> str:
    return f"{value.name} {shown_value(value.value)}"


def shown_value(value: str | None) -> str:
    """A value in a line; a long list is cut, and says so."""
    if value is None:
        return "none"
    pieces = value.split(", ")
    return value if len(pieces) <= MOST_SHOWN else f"{', '.join(pieces[:MOST_SHOWN])} … ({len(pieces)} in all)"


def moment(at_: str) -> str:
    """A moment of the log, to the second."""
    return f"{at_[:10]} {at_[11:19]}"


def told(*places: str) -> str:
    """Places behind a line, those that are known."""
    said = ", ".join(x for x in places if x)
    return f"  [{said}]" if said else ""


def deeper(lines: Iterable[str]) -> Iterator[str]:
    """Lines moved in by a step."""
    return (f"  {line}" if line else line for line in lines)
