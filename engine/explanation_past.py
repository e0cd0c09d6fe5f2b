"""The log and the packs as a store keeps them, read in few statements and each row once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sqlalchemy import Row, select

from . import catalog
from . import definitions as d
from . import programs as p
from .application import kept_pack, rules_of
from .batch import Rules
from .completion import completions
from .errors import CharterFault, IntegrityBroken
from .facts import Facts, facts_of_elements
from .gathering import Gatherer
from .library import Library
from .log_texts import changes_of, content_of, named
from .model import TEXT, Type
from .queries import parts
from .source import Route
from .store import Session
from .tables import FACT, LOG, PACK, VOUCHER, columns_of

MOST_RECORDS = 50  # whose events are gone back through
MOST_KEYS = 5000  # looked through for one that is like what was typed


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

    @cached_property
    def completions(self) -> list[tuple[Row[Any], Mapping[str, Mapping[str, Any]]]]:
        """The rows that put packs in force and completed records, with what these got."""
        found = completions(self.session, self.rules.metadata)
        self.known([row for row, _ in found])
        return found

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
        waiting = [r for r in rows if r.cause is not None]
        while waiting:
            self.by_ids({r.cause for r in waiting})
            causes = {c.id: c for c in map(self.cause_of, waiting)}
            waiting = [c for c in causes.values() if c.cause is not None]

    def row(self, id_: int) -> Row[Any]:
        """A log row that was fetched; raises IntegrityBroken where it was not there."""
        found = self.rows.get(id_)
        if found is None:
            raise IntegrityBroken(f"The row {id_} is not in the log: run `charter verify`.")
        return found

    def cause_of(self, row: Row[Any]) -> Row[Any]:
        """The event that fired this one; raises IntegrityBroken where it is gone, or comes later."""
        cause = self.row(row.cause)
        if cause.id >= row.id:
            raise IntegrityBroken(f"{named(row)}: what caused it, log {cause.id}, comes later: run `charter verify`.")
        return cause

    def causes(self, row: Row[Any]) -> list[Row[Any]]:
        """The events that fired this one, up to the one that a person fired."""
        self.load_causes([row])
        found = []
        while row.cause is not None:
            row = self.cause_of(row)
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
            rest_on = {(r.stream, h) for r in rows for h in self.basis(r) if h}
            self.load_facts(rest_on)
            self.load_facts({(stream, h) for stream, k in rest_on for h in facts_of_elements(self.fact(stream, k))})
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
                    self._facts[(stream, key)] = content_of(stream, key, content)

    def load_entered(self) -> None:
        """How the records that decisions hit as rows came to be."""
        log = self.tables[LOG]
        wanted: dict[str, set[int]] = defaultdict(set)
        for fact in self._facts.values():
            for said in fact.get("rows", ()) if "candidates" in fact else ():
                record, _, id_ = said.rpartition(" ")
                if record:  # Where no row was found the answer is `otherwise`.
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

    def basis(self, row: Row[Any]) -> list[str | None]:
        """The hashes of the facts that a firing rests on, in order."""
        found = self.fact(row.stream, row.basis).get("facts")
        if not isinstance(found, list):
            raise IntegrityBroken(f"{named(row)}: its basis is another fact: run `charter verify`.")
        return found

    def facts_of(self, row: Row[Any], program: p.Program) -> list[tuple[p.Operation, Any]]:
        """Each reading of a firing with its fact; what was not needed then is left out."""
        hashes = self.basis(row)
        if len(hashes) != len(program.readings):
            raise CharterFault(f"What log row {row.id} read was kept by another version of Charter, in another order.")
        read = [(op, self.fact(row.stream, h)) for op, h in zip(program.readings, hashes, strict=True) if h]
        return [pair for op, fact in read for pair in self.facts_within(row, op, fact)]

    def facts_within(self, row: Row[Any], operation: p.Operation, fact: Any) -> Iterator[tuple[p.Operation, Any]]:
        """What was read for the elements of a list, each fact once; of anything else that itself."""
        if not isinstance(operation, p.Each):
            yield operation, fact
            return
        told: set[tuple[int, int]] = set()
        for places in fact["of"]:
            for inner, place in zip(operation.readings, places, strict=True):
                if place is not None and (inner.index, place) not in told:
                    told.add((inner.index, place))
                    # Its sources read the values of an element, which are named after the list.
                    named = replace(inner, index=-1, sources=[operation.of] * len(inner.sources))
                    yield named, self.fact(row.stream, fact["facts"][place])

    # --- packs ---

    def pack(self, hash_: str) -> tuple[catalog.Pack, Rules]:
        """A pack that was in force once, with its rules."""
        if hash_ not in self._packs:
            table = self.tables[PACK]
            found = self.session.rows(select(table.c.compiled).where(table.c.hash == hash_))
            if not found:
                raise IntegrityBroken(f"The store holds no pack {hash_}: run `charter verify`.")
            pack = kept_pack(hash_, found[0][0])
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
            old = {n: v[0] for n, v in changes_of(row).items() if isinstance(v, list)}
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
    def steps(self) -> list[d.Step]:
        """Its steps, and those of the limits on it."""
        limits = self.library.limits_at(self.record.name, self.transition.event)
        return [*self.transition.steps, *(step for limit in limits for step in limit.steps)]

    @property
    def postings(self) -> list[d.Posting]:
        targets = [s.target for s in self.transition.steps if s.verb == "post"]
        return [found for name in targets if (found := self.library.posting(name))]

    @property
    def uses(self) -> list[d.Use]:
        within = [(posting.uses, *(row.uses for row in posting.rows)) for posting in self.postings]
        limits = self.library.limits_at(self.record.name, self.transition.event)
        within += [(limit.uses,) for limit in limits]
        return [*self.transition.uses, *(u for each in within for uses in each for u in uses)]

    @property
    def source(self) -> str:
        """The section of the accounting rules, or the like, that the transition names."""
        document = self.pack.find("workflow", self.workflow.name)
        if document is None:
            return ""
        return d.Element(document, (), document.body).at("transitions").at(self.path[1]).word("source")

    def type_of(self, field: str) -> Type:
        return self.library.member(self.record, field) or TEXT
