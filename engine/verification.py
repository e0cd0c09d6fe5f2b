"""Proves that a store is what its log says: chains, facts, vouchers, records, protections. Reads only."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Row, case, func, inspect, select

from . import catalog
from . import definitions as d
from .application import Charter, kept_pack, rules_in
from .batch import Rules, pieces
from .completion import Given, completed, completion_of, packs_put_in_force
from .errors import IntegrityBroken
from .facts import digest, plain, without_tail, written
from .heads import bare_head, read_head, write_head
from .journal_rows import FIRST_HASH, chained
from .kept_totals import differences as differences_of_totals
from .log_texts import UNREADABLE, changes_of, content_of, is_of_hash, reasons_of
from .money import from_kept
from .queries import parts
from .reperformance import Reperformance
from .store import Session, plain_decoder
from .tables import (
    APPEND_ONLY,
    BEFORE_ANY_CHANGE,
    ENTRY,
    FACT,
    HEAD,
    LOG,
    PACK,
    REFUSAL,
    REFUSES,
    STORE,
    VOUCHER,
    columns_of,
    protections,
)

MOST_SHOWN = 200
BASES_AT_ONCE = 1000
AMOUNT = 6  # the amount's place among an entry's columns


@dataclass
class Verification:
    """What was looked at and what was found. `notes` are no faults but should be known."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    head: str = ""

    @property
    def is_sound(self) -> bool:
        return not self.problems

    def add(self, problems: Iterable[str], what: str) -> None:
        """Take problems over, so many at most of one kind that a broken store does not fill the memory."""
        count = 0
        try:
            for problem in problems:
                count += 1
                if count <= MOST_SHOWN:
                    self.problems.append(problem)
        except UNREADABLE as broken:
            # What was changed behind the store's back may be of any type and shape; the rest is still looked at.
            self.problems.append(f"{what} cannot be gone through any further: {type(broken).__name__} {broken}")
        if count > MOST_SHOWN:
            self.problems.append(f"… and {count - MOST_SHOWN} more about {what}")


def verify(charter: Charter, head: str | None = None, reperform: bool = False) -> Verification:
    """Look at everything; with `head`, that the log still begins with what that saved head stood for."""
    found = Verification()
    rules = charter.rules
    if charter.is_demonstration:
        found.notes.append("This store was made for a demonstration: one login acts for everybody.")
    by_hash: dict[str, Rules] = {rules.hash: rules}

    with charter.store.reading() as session:
        check = _Check(session, rules, found)
        found.add(check.chains(head), "the chains")
        found.add(check.unread, "packs that came into force")
        found.add(check.facts(), "facts")
        found.add(check.bases(), "facts that are missing")
        found.add(check.vouchers(), "vouchers")
        for record in rules.library.records():
            found.add(check.records(record), record.name)
        found.add(differences_of_totals(session, rules.library, rules.metadata), "kept totals")
        found.add(check.refusals(), "refusals")
        found.add(check.packs(), "packs")
        found.add(check.protections(), "protections")
        if reperform:
            again = Reperformance(session, rules, _from_session(session, by_hash))
            found.add(again.problems(), "decisions taken again")
            found.counts["taken again"] = again.checked
    return found


def _from_session(session: Session, by_hash: dict[str, Rules]) -> Callable[[str], Rules]:
    """Rules by hash, read through the open transaction: a second one would wait for it."""

    def get(pack: str) -> Rules:
        if pack not in by_hash:
            by_hash[pack] = rules_in(session, pack)
        return by_hash[pack]

    return get


class _Check:
    def __init__(self, session: Session, rules: Rules, found: Verification) -> None:
        self.session, self.rules, self.found = session, rules, found
        self.tables = rules.metadata.tables
        self.completions: list[tuple[int, Given]] = []
        self.unread: list[str] = []
        for row in packs_put_in_force(session, rules.metadata):
            try:
                self.completions.append((row.id, completion_of(row)))
            except IntegrityBroken as broken:
                self.unread.append(str(broken))

    # --- the chains ---

    def chains(self, saved: str | None) -> Iterator[str]:
        """Every row follows the one before it in its stream, and the heads are those of the last rows."""
        log, heads = self.tables[LOG], self.tables[HEAD]
        wanted = {} if saved is None else read_head(saved)
        at_saved: dict[str, str] = {}
        last: dict[str, tuple[int, str]] = {}
        count = 0
        # By place and not by name: there may be millions of rows.
        for row in self.session.stream(select(*log.c).order_by(log.c.stream, log.c.number)):
            stream, number, hash_ = row[1], row[2], row[-1]
            before = last.get(stream, (0, FIRST_HASH))
            if number != before[0] + 1:
                yield f"stream {stream}: row {before[0] + 1} is missing before row {number}"
            if hash_ != self.hash_of(before[1], row):
                yield f"stream {stream}: row {number} (log {row[0]}) was changed, or a row before it"
            last[stream] = (number, hash_)
            if wanted.get(stream) == number:
                at_saved[stream] = hash_
            count += 1
        self.found.counts["log rows"] = count
        kept = {h.stream: (h.number, h.hash) for h in self.session.rows(select(heads))}
        for stream in sorted({*kept, *last}):
            if kept.get(stream) != last.get(stream):
                head, row = kept.get(stream, ("missing",))[0], last.get(stream, ("missing",))[0]
                yield f"stream {stream}: its head is {head}, its last row {row}"
        self.found.head = write_head({s: n for s, (n, _) in last.items()}, {s: h for s, (_, h) in last.items()})
        if saved is not None and write_head(wanted, at_saved) != bare_head(saved):
            yield f"the log does not contain what the saved head stood for: {saved}"

    def hash_of(self, before: str, row: Row[Any]) -> str | None:
        """The hash that a row should have; None for one that cannot have been written."""
        try:
            return chained(before, row[:-1])
        except UNREADABLE:
            return None

    # --- facts, vouchers, records ---

    def facts(self) -> Iterator[str]:
        table = self.tables[FACT]
        count = 0
        for row in self.session.stream(select(table.c.stream, table.c.hash, table.c.content)):
            count += 1
            if not is_of_hash(row.content, row.hash):
                yield f"the fact {row.hash} of stream {row.stream} was changed"
        self.found.counts["facts"] = count

    def bases(self) -> Iterator[str]:
        """Every fact that a row of the log rests on is there: its basis, and all that this names."""
        log, fact = self.tables[LOG], self.tables[FACT]
        first = func.min(log.c.id).label("log")
        rests = select(log.c.stream, log.c.basis, first).group_by(log.c.stream, log.c.basis).subquery()
        there = rests.outerjoin(fact, (fact.c.stream == rests.c.stream) & (fact.c.hash == rests.c.basis))
        statement = select(rests, fact.c.content).select_from(there).order_by(rests.c.stream, rests.c.basis)
        for page in pieces(self.session.stream(statement), BASES_AT_ONCE):
            wanted: dict[str, dict[str, int]] = defaultdict(dict)
            for row in page:
                if row.content is None:
                    yield missing(row.basis, row.stream, row.log)
                for named in facts_named(row.stream, row.basis, row.content):
                    wanted[row.stream].setdefault(named, row.log)
            for stream, logs in wanted.items():
                yield from (missing(gone, stream, log) for gone, log in sorted(self.gone(stream, logs).items()))

    def gone(self, stream: str, logs: Mapping[str, int]) -> dict[str, int]:
        """Those of the facts that are missing, with those that facts about the elements of lists name."""
        there = self.known(stream, logs)
        inner = {h: logs[key] for key, text in there.items() if text for h in facts_named(stream, key, text)}
        there |= self.known(stream, inner.keys() - there.keys())
        return {h: log for h, log in {**inner, **logs}.items() if h not in there}

    def known(self, stream: str, hashes: Iterable[str]) -> dict[str, str]:
        """Those of the hashes by which the stream has a fact, with its text where that is about elements of a list."""
        fact = self.tables[FACT]
        text = case((fact.c.content.like('{"each":%'), fact.c.content), else_="")
        of_stream = select(fact.c.hash, text).where(fact.c.stream == stream)
        return {h: t for part in parts(hashes) for h, t in self.session.rows(of_stream.where(fact.c.hash.in_(part)))}

    def vouchers(self) -> Iterator[str]:
        """Every voucher balances, belongs to a row of the log, and is as that row digested it."""
        if VOUCHER not in self.tables:
            return
        log, voucher, entry = (self.tables[name] for name in (LOG, VOUCHER, ENTRY))
        digests = self.session.stream(select(log.c.id, log.c.vouchers).where(log.c.vouchers != "").order_by(log.c.id))
        for log_id, row, group in side_by_side(digests, self.voucher_groups()):
            if group is None:
                yield f"the vouchers of log {log_id} are missing"
                continue
            content, problems = group
            yield from problems
            if row is None or row.vouchers != digest(written(content)):
                yield f"the vouchers of log {log_id} are not those that it wrote"
        joined = entry.outerjoin(voucher, voucher.c.id == entry.c.voucher)
        lost = select(entry.c.voucher).select_from(joined).where(voucher.c.id.is_(None)).order_by(entry.c.id)
        yield from (
            f"an entry belongs to voucher {row.voucher}, which is not there" for row in self.session.stream(lost)
        )

    def voucher_groups(self) -> Iterator[tuple[int, tuple[list[Any], list[str]]]]:
        """By log row in order: its vouchers as they are digested, and what is wrong with their balance."""
        voucher, entry = self.tables[VOUCHER], self.tables[ENTRY]
        by = (voucher.c.log, voucher.c.id)
        heads = self.session.stream(select(voucher).order_by(*by))
        joined = entry.join(voucher, voucher.c.id == entry.c.voucher)
        rows = self.session.stream(select(*entry.c).select_from(joined).order_by(*by, entry.c.line))
        entries = groupby(rows, key=itemgetter(1))
        upcoming = next(entries, None)
        counts = self.found.counts
        counts["vouchers"] = counts["entries"] = 0
        for log_id, vouchers in groupby(heads, key=itemgetter(1)):
            group, problems = [], []
            for head in vouchers:
                own: list[tuple[Any, ...]] = []
                if upcoming and upcoming[0] == head[0]:
                    own = [without_tail(row) for row in upcoming[1]]
                    upcoming = next(entries, None)
                group.append([tuple(head), own])
                if total := sum([e[AMOUNT] for e in own]):
                    problems.append(f"voucher {head.number} does not balance: {plain(from_kept(total, 'money'))}")
                counts["vouchers"] += 1
                counts["entries"] += len(own)
            yield log_id, (group, problems)

    def records(self, record: d.Record) -> Iterator[str]:
        """Every record is what the log last made it, and no other record is there."""
        columns = columns_of(self.rules.library, record)
        names = [n for n, _ in columns][1:]
        as_logged = plain_decoder([t for _, t in columns[1:]])
        table = self.tables[record.name]
        stored = self.session.stream(select(*(table.c[n] for n, _ in columns)).order_by(table.c.id))
        logged = self.last_values(record)
        count = 0
        for id_, row, values in side_by_side(stored, logged):
            count += row is not None
            if isinstance(values, IntegrityBroken):
                yield str(values)
            elif row is None and values is not None:
                yield f"{record.name} {id_} is in the log and not in its table"
            elif values is None:
                yield f"{record.name} {id_} is in its table and not in the log"
            elif row is not None:
                yield from (f"{record.name} {id_}: {each}" for each in differences(names, as_logged, row[1:], values))
        self.found.counts["records"] = self.found.counts.get("records", 0) + count

    def last_values(self, record: d.Record) -> Iterator[tuple[int, dict[str, Any] | IntegrityBroken]]:
        """By id in order: the fields as the log left them, or what is wrong with it; deleted records are left out."""
        log = self.tables[LOG]
        statement = (
            select(
                log.c.record_id, log.c.id, log.c.stream, log.c.number, log.c.from_state, log.c.to_state, log.c.changes
            )
            .where(log.c.record == record.name)
            .order_by(log.c.record_id, log.c.id)
        )
        completions = [(id_, given[record.name]) for id_, given in self.completions if record.name in given]
        for id_, rows in groupby(self.session.stream(statement), key=lambda row: row.record_id):
            try:
                values = lived(rows, deque(completions))
            except IntegrityBroken as broken:
                yield id_, broken
                continue
            if values is not None:
                yield id_, values

    def refusals(self) -> Iterator[str]:
        """The reasons of every refusal can be read; no chain says what they were."""
        for row in self.session.stream(select(self.tables[REFUSAL]).order_by(self.tables[REFUSAL].c.id)):
            try:
                reasons_of(row)
            except IntegrityBroken as broken:
                yield str(broken)

    # --- packs and protections ---

    def packs(self) -> Iterator[str]:
        """The text of every pack is what its hash says, its rules what the log says of when it came into force."""
        table, versions, settings = self.tables[PACK], self.tables["pack_version"], self.tables[STORE]
        made = dict(self.session.rows(select(versions.c.hash, versions.c.compiled)))
        for row in self.session.rows(select(table.c.hash, table.c.compiled)):
            try:
                pack = kept_pack(row.hash, row.compiled)
            except IntegrityBroken as broken:
                yield str(broken)
                continue
            if catalog.text_hash(pack.files) != row.hash:
                yield f"the text of the pack {pack.name} {row.hash[:12]} was changed"
            if (made.get(row.hash) or digest(row.compiled)) != digest(row.compiled):
                yield f"the rules made of the pack {pack.name} {row.hash[:12]} were changed"
        in_force = [h for (h,) in self.session.rows(select(versions.c.hash).where(versions.c.state == "in_force"))]
        said = [v for (v,) in self.session.rows(select(settings.c.value).where(settings.c.name == "pack"))]
        if said != in_force:
            yield f"the store works by the pack {short(said)}; the log put {short(in_force)} in force"

    def protections(self) -> Iterator[str]:
        """The database itself refuses to change what may never change, by the very triggers that were made for it."""
        tables = set(inspect(self.session.connection).get_table_names())
        sqlite = self.session.is_sqlite
        there, wanted = (self.sqlite_triggers if sqlite else self.postgresql_triggers)()
        for name, text in sorted(wanted.items()):
            if name not in there and any(name.startswith(t) for t in tables):
                yield f"the protection {name} was removed"
            elif name in there and there[name] != text:
                yield f"the protection {name} was changed"

    def sqlite_triggers(self) -> tuple[dict[str, str], dict[str, str]]:
        """By name what each trigger says, and what it should say."""
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        there: dict[str, str] = {str(name): str(text) for name, text in self.session.connection.exec_driver_sql(sql)}
        made = [s.replace("IF NOT EXISTS ", "") for table in APPEND_ONLY for s in protections("sqlite")(table)]
        return there, {s.split()[2]: s for s in made}

    def postgresql_triggers(self) -> tuple[dict[str, str], dict[str, str]]:
        """By name when each trigger runs and what it does, and what it should."""
        sql = (
            "SELECT t.tgname, t.tgtype, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
            "JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' AND n.nspname = current_schema()"
        )
        there = {name: f"{when} {does}" for name, when, does in self.session.connection.exec_driver_sql(sql)}
        return there, {f"{t}_append_only": f"{BEFORE_ANY_CHANGE} {REFUSES}" for t in APPEND_ONLY}


def protections_broken(session: Session, rules: Rules) -> list[str]:
    """The triggers that were removed or changed; nothing else is looked at."""
    return list(_Check(session, rules, Verification()).protections())


def missing(fact: str, stream: str, log: int) -> str:
    return f"the fact {fact} of stream {stream} is missing; log {log} rests on it"


def facts_named(stream: str, key: str, text: Any) -> Sequence[str]:
    """The facts that a fact names; none where it is not what was written, which is told with its hash."""
    try:
        return [h for h in content_of(stream, key, text).get("facts", ()) if h]
    except IntegrityBroken:
        return []


def short(hashes: Sequence[str]) -> str:
    return ", ".join(h[:12] for h in hashes) or "none"


def differences(
    names: Sequence[str], as_logged: Callable[[Sequence[Any]], list[Any]], row: Sequence[Any], values: Mapping[str, Any]
) -> Iterable[str]:
    """What stands otherwise in a row of a table than the log made it; most often nothing."""
    try:
        now = as_logged(row)
    except UNREADABLE:
        return [f"what its table holds cannot be read: {', '.join(map(str, row))}"]
    if now == [*map(values.get, names)]:
        return ()
    pairs = zip(names, now, strict=True)
    return [f"{n} is {value}, the log made it {values.get(n)}" for n, value in pairs if value != values.get(n)]


def lived(rows: Iterable[Any], waiting: deque[tuple[int, Mapping[str, Any]]]) -> dict[str, Any] | None:
    """The fields after all rows of a record's log and all completions; raises IntegrityBroken as `changes_of`."""
    values: dict[str, Any] | None = {}
    for row in rows:
        values = after(completed_before(values, waiting, row.id), row)
    return completed_before(values, waiting)


def after(values: dict[str, Any] | None, row: Any) -> dict[str, Any] | None:
    """The fields after one more row of the log; None when the record is deleted."""
    if row.to_state is None:
        return None
    changes = changes_of(row)
    if row.from_state == d.NOTHING or values is None:
        values = {}
    values.update(changes if row.from_state == d.NOTHING else {name: new for name, (_, new) in changes.items()})
    return values


def completed_before(
    values: dict[str, Any] | None, waiting: deque[tuple[int, Mapping[str, Any]]], log: int | None = None
) -> dict[str, Any] | None:
    """The fields after the completions that come before a row of the log, or after all; those are waiting no more."""
    while waiting and (log is None or waiting[0][0] < log):
        _, given = waiting.popleft()
        values = None if values is None else completed(values, given)
    return values


def side_by_side(stored: Iterator[Any], logged: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any, Any]]:
    """Two streams by ascending id as one: (id, the stored row or None, what else is known of it or None)."""
    row, entry = next(stored, None), next(logged, None)
    while row is not None or entry is not None:
        if entry is None or (row is not None and row[0] < entry[0]):
            assert row is not None
            yield row[0], row, None
            row = next(stored, None)
        elif row is None or entry[0] < row[0]:
            yield entry[0], None, entry[1]
            entry = next(logged, None)
        else:
            yield row[0], row, entry[1]
            row, entry = next(stored, None), next(logged, None)
