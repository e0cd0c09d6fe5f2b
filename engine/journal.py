"""Writes what a piece of work brought about: records, vouchers, facts, and one chained row of the log for each firing.

The only place that changes the store's business tables. What is refused leaves its reasons in the refusal log.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from . import definitions as d
from .execution import Work
from .facts import digest, without_tail, written
from .firings import Firing, Reason, Root, Voucher, in_tree_order
from .model import WHOLE
from .money import LARGEST_KEPT, from_kept, to_kept
from .store import encoder
from .tables import ENTRY, FACT, HEAD, LOG, REFUSAL, SERIES, VOUCHER, columns_of

FIRST_HASH = ""
MOST = from_kept(LARGEST_KEPT, "money")


@dataclass(frozen=True, slots=True)
class Rows:
    """What is to be written of one record type, as it is kept; `changed` are names with the new values and the id."""

    record: str
    gone: list[int]
    changed: list[tuple[list[str], list[list[Any]]]]
    new: list[list[Any]]


class Journal:
    """Writes the outcome of `work` into its session; `pack` is the hash of the pack whose rules were applied."""

    def __init__(self, work: Work, pack: str, written_facts: set[tuple[str, str]]) -> None:
        self.work, self.pack, self.written_facts = work, pack, written_facts
        self.session, self.metadata = work.session, work.gatherer.metadata
        self.library = work.library

    def write(self, roots: Sequence[Root]) -> None:
        """Write all that stands, and the reasons of what does not."""
        self.refuse_unkept_entries(roots)
        records = self.kept_records()
        standing = [(r, r.firing) for r in roots if r.stands and r.firing is not None]
        for record in records:
            self.write_rows(record)
        by_stream: dict[str, list[tuple[Root, Firing]]] = defaultdict(list)
        for root, firing in standing:
            by_stream[firing.program.stream(firing.v)].append((root, firing))
        # Heads are locked in one order everywhere, so that two workers never wait for each other in a circle.
        for stream in sorted(by_stream):
            self.write_stream(stream, by_stream[stream])
        self.write_refusals([r for r in roots if r.reasons])

    # --- records ---

    def kept_records(self) -> list[Rows]:
        """The rows to write; a value that cannot be kept refuses what it belongs to instead of failing all the rest."""
        pending = self.work.gatherer.pending
        types = [(r, rows) for name, rows in pending.rows.items() if (r := self.library.record(name))]
        try:
            return [self.kept_rows(record, rows) for record, rows in types]
        except ValueError:
            for record, rows in types:
                self.refuse_unkept(record, rows)
            return [self.kept_rows(record, rows) for record, rows in types]

    def refuse_unkept(self, record: d.Record, rows: Mapping[int, tuple[list[Any] | None, Root]]) -> None:
        encode = encoder([t for _, t in columns_of(self.library, record)])
        for row, root in rows.values():
            if row is None or not root.stands:
                continue
            try:
                encode(row)
            except ValueError as problem:
                said = f"{self.work.called(record, row)}: {problem}."
                root.reasons.append(Reason("kept", said, record.place))

    def refuse_unkept_entries(self, roots: Sequence[Root]) -> None:
        """The same for amounts of vouchers: entries never change, so that none may fail once writing has begun."""
        for root in roots:
            for firing in in_tree_order(root.firing) if root.stands and root.firing is not None else ():
                root.reasons += [reason for voucher in firing.vouchers for reason in self.unkept(firing, voucher)]

    def unkept(self, firing: Firing, voucher: Voucher) -> Iterator[Reason]:
        """What is against each entry whose amount cannot be kept, with the row of the posting that it comes from."""
        for entry in voucher.entries:
            if -MOST <= entry[3] <= MOST:
                continue
            called = self.work.called(firing.record, firing.row or firing.v[0])
            posting = self.library.posting(voucher.posting)
            rows = {f"{posting.name}/{row.name}": row.place for row in posting.rows} if posting else {}
            said = f"The entry {entry[1]} of {voucher.posting} for {called}: {entry[3]} is too large to be kept."
            yield Reason("kept", said, rows.get(entry[2], firing.program.transition.place))

    def kept_rows(self, record: d.Record, rows: Mapping[int, tuple[list[Any] | None, Root]]) -> Rows:
        pending = self.work.gatherer.pending
        columns = columns_of(self.library, record)
        encode = encoder([t for _, t in columns])
        kept = Rows(record.name, [], [], [])
        changed = defaultdict(list)
        for id_, (row, root) in rows.items():
            if not root.stands:
                continue
            created = (record.name, id_) in pending.created
            if row is None:
                if not created:
                    kept.gone.append(id_)
            elif created:
                kept.new.append(encode(row))
            else:
                before = pending.before[(record.name, id_)]
                places = tuple(i for i in range(len(row)) if row[i] is not before[i] and row[i] != before[i])
                if places:
                    changed[places].append([*(row[i] for i in places), id_])
        for places, updates in changed.items():
            encode_some = encoder([*(columns[i][1] for i in places), WHOLE])
            kept.changed.append(([columns[i][0] for i in places], [encode_some(u) for u in updates]))
        return kept

    def write_rows(self, rows: Rows) -> None:
        """What frees a key comes before what takes it."""
        table = self.metadata.tables[rows.record]
        self.session.delete(table, rows.gone)
        for names, updates in rows.changed:
            self.session.update(table, names, updates)
        self.session.insert(table, rows.new)

    # --- the log and the ledger ---

    def write_stream(self, stream: str, roots: list[tuple[Root, Firing]]) -> None:
        number, last = self.head(stream)
        firings = [(root, f) for root, first in roots for f in in_tree_order(first)]
        # Numbered only now, with the head locked: within a stream, and for one record, later rows have higher numbers.
        numbers = self.session.reserve(LOG, self.metadata, len(firings))
        ids = {id(f): log_id for (_, f), log_id in zip(firings, numbers, strict=True)}
        vouchers, entries = self.ledger_rows([(ids[id(f)], f) for _, f in firings])
        digests = self.voucher_digests(vouchers, entries)
        rows = []
        for root, firing in firings:
            number += 1
            log_id = ids[id(firing)]
            cause = ids[id(firing.parent)] if firing.parent else None
            row = self.log_row(log_id, stream, number, root, firing, cause, digests.get(log_id, ""))
            last = chained(last, row)
            rows.append((*row, last))
        self.write_facts(stream, [f for _, f in firings])
        self.session.insert(self.metadata.tables[LOG], rows)
        if vouchers:
            self.session.insert(self.metadata.tables[VOUCHER], vouchers)
            self.session.insert(self.metadata.tables[ENTRY], entries)
        self.move_head(stream, number, last)

    def log_row(
        self, log_id: int, stream: str, number: int, root: Root, firing: Firing, cause: int | None, vouchers: str
    ) -> tuple[Any, ...]:
        work, program = self.work, firing.program
        before = firing.from_state
        to = None if firing.row is None else firing.row[program.state_index]
        source = root.request.source if cause is None else None
        right = firing.right or "fired"
        return (
            log_id, stream, number, work.now, work.actor.number, work.actor.login, right, program.record.name,
            firing.id, program.transition.event, program.rule, self.pack, before, to, cause, source, reads(firing),
            self.basis(firing), changes(firing), vouchers, firing.acting_for and firing.acting_for.number,
        )  # fmt: skip

    def hashes(self, firing: Firing) -> list[str | None]:
        v = firing.v
        return [None if v[op.index] is None else v[op.index][-1] for op in firing.program.readings]

    def basis(self, firing: Firing) -> str:
        return self.work.gatherer.facts.basis(self.hashes(firing))

    def write_facts(self, stream: str, firings: Iterable[Firing]) -> None:
        contents = self.work.gatherer.facts.contents
        wanted: dict[str, str] = {}
        for firing in firings:
            hashes = self.hashes(firing)
            inner = [key for h in hashes if h for key in self.work.gatherer.facts.named.get(h, ())]
            for key in (*hashes, *inner, self.work.gatherer.facts.basis(hashes)):
                if key is not None and key not in wanted and (stream, key) not in self.written_facts:
                    wanted[key] = contents[key]
        self.session.insert_missing(self.metadata.tables[FACT], [(stream, key, text) for key, text in wanted.items()])
        self.written_facts |= {(stream, key) for key in wanted}

    def ledger_rows(self, firings: list[tuple[int, Firing]]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """The rows of vouchers and of entries, numbered in their series."""
        written_by = [(log_id, v) for log_id, f in firings for v in f.vouchers]
        if not written_by:
            return [], []
        numbers = self.numbers({(v.series, v.company): 0 for _, v in written_by})
        ids = self.session.reserve(VOUCHER, self.metadata, len(written_by))
        entry_ids = iter(self.session.reserve(ENTRY, self.metadata, sum(len(v.entries) for _, v in written_by)))
        vouchers, entries = [], []
        for id_, (log_id, voucher) in zip(ids, written_by, strict=True):
            key = (voucher.series, voucher.company)
            numbers[key] += 1
            vouchers.append(self.voucher_row(id_, log_id, voucher, numbers[key]))
            entries += entry_rows(entry_ids, id_, voucher)
        self.move_numbers(numbers)
        return vouchers, entries

    def voucher_row(self, id_: int, log_id: int, voucher: Voucher, number: int) -> tuple[Any, ...]:
        ledger = self.library.manifest.ledger
        prefix = ledger.series.get(voucher.series, voucher.series) if ledger else voucher.series
        return (
            id_, log_id, voucher.company, voucher.series, f"{prefix}-{number:06d}", voucher.posting,
            voucher.currency, self.work.now, voucher.date, voucher.reverses,
        )  # fmt: skip

    def voucher_digests(
        self, vouchers: Sequence[tuple[Any, ...]], entries: Sequence[tuple[Any, ...]]
    ) -> dict[int, str]:
        by_voucher: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for entry in entries:
            by_voucher[entry[1]].append(without_tail(entry))
        by_log: dict[int, list[Any]] = defaultdict(list)
        for voucher in vouchers:
            by_log[voucher[1]].append([voucher, by_voucher[voucher[0]]])
        return {log_id: digest(written(content)) for log_id, content in by_log.items()}

    # --- heads and numbers ---

    def head(self, stream: str) -> tuple[int, str]:
        heads = self.metadata.tables[HEAD]
        found = self.session.rows(
            select(heads.c.number, heads.c.hash).where(heads.c.stream == stream).with_for_update()
        )
        return (found[0][0], found[0][1]) if found else (0, FIRST_HASH)

    def move_head(self, stream: str, number: int, last: str) -> None:
        heads = self.metadata.tables[HEAD]
        values = {"number": number, "hash": last}
        moved = self.session.connection.execute(heads.update().where(heads.c.stream == stream).values(values))
        if not moved.rowcount:
            self.session.insert(heads, [(stream, number, last)])

    def numbers(self, wanted: dict[tuple[str, int], int]) -> dict[tuple[str, int], int]:
        if not wanted:
            return {}
        table = self.metadata.tables[SERIES]
        series = sorted({s for s, _ in wanted})
        companies = sorted({c for _, c in wanted})
        statement = table.select().where(table.c.series.in_(series), table.c.company.in_(companies)).with_for_update()
        return wanted | {
            (r.series, r.company): r.number for r in self.session.rows(statement) if (r.series, r.company) in wanted
        }

    def move_numbers(self, numbers: dict[tuple[str, int], int]) -> None:
        table = self.metadata.tables[SERIES]
        for (series, company), number in sorted(numbers.items()):
            where = (table.c.series == series) & (table.c.company == company)
            moved = self.session.connection.execute(table.update().where(where).values(number=number))
            if not moved.rowcount:
                self.session.insert(table, [(series, company, number)])

    # --- refusals ---

    def write_refusals(self, roots: Sequence[Root]) -> None:
        if not roots:
            return
        work = self.work
        rows = [
            (self.session.next_id(REFUSAL, self.metadata), work.now, work.actor.number, work.actor.login,
             r.request.record, r.request.id, r.request.event, self.pack, r.request.source, reasons_text(r))
            for r in roots
        ]  # fmt: skip
        self.session.insert(self.metadata.tables[REFUSAL], rows)


def reasons_text(root: Root) -> str:
    """The reasons as the refusal log keeps them."""
    return json.dumps(
        [{"rule": r.rule, "says": r.message, "place": str(r.place)} for r in root.reasons], ensure_ascii=False
    )


def chained(before: str, row: Sequence[Any]) -> str:
    """The hash of a log row: over the hash before it in its stream and all its columns."""
    return sha256((before + written(without_tail(row))).encode()).hexdigest()


def reads(firing: Firing) -> str:
    """The fields of the record itself that the rules read, what the caller gave, and the warnings acknowledged."""
    program, row = firing.program, firing.v[0]
    own = {name: row[i] for name, i in program.own_read}
    found: dict[str, Any] = {"own": own, "given": dict(zip(program.taken, firing.v[1], strict=True))}
    if firing.acknowledged:
        found["acknowledged"] = firing.acknowledged
    return written(found)


def changes(firing: Firing) -> str:
    """What the record became: for a new one its values, for a change the old and new ones, for a deletion the old."""
    program, before, after = firing.program, firing.v[0], firing.row
    columns = program.columns
    if after is None:
        found: dict[str, Any] = {
            columns[i][0]: [before[i], None] for i in range(1, len(columns)) if before[i] is not None
        }
    elif program.transition.creates:
        found = {columns[i][0]: after[i] for i in range(1, len(columns)) if after[i] is not None}
    else:
        found = {columns[i][0]: [before[i], after[i]] for i in program.changed if before[i] != after[i]}
    return written(found)


def entry_rows(ids: Iterator[int], voucher_id: int, voucher: Voucher) -> list[tuple[Any, ...]]:
    """id, voucher, line, account, account key, row, amount, company, date, currency, dimensions."""
    company, on, currency = voucher.company, voucher.date, voucher.currency
    return [
        (next(ids), voucher_id, line, e[0], e[1], e[2], to_kept(e[3], "money"), company, on, currency, *e[4:])
        for line, e in enumerate(voucher.entries, 1)
    ]
