"""Writes what a piece of work brought about: records, vouchers, facts, and one chained row of the log for each firing.

The only place that changes the store's business tables. What is refused leaves its reasons in the refusal log.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, compress
from operator import is_not
from typing import Any

from . import definitions as d
from .execution import Work
from .facts import digest, without_tail, written
from .firings import Firing, Reason, Root, Voucher, in_tree_order
from .frozen import frozen
from .journal_rows import FIRST_HASH, chained, changes, entry_rows, reads, reasons_text
from .kept_totals import move, moved
from .money import to_kept
from .store import encoder, marks
from .tables import ENTRY, FACT, HEAD, LOG, REFUSAL, SERIES, VOUCHER, columns_of

Row = tuple[Any, ...]


@frozen
class Rows:
    """What is to be written of one record type, as it is kept; `changed` are names with the new values and the id."""

    record: str
    gone: list[int]
    changed: list[tuple[list[str], list[Sequence[Any]]]]
    new: list[list[Any]]


class Journal:
    """Writes the outcome of `work` into its session; `pack` is the hash of the pack whose rules were applied."""

    def __init__(self, work: Work, pack: str, written_facts: set[tuple[str, str]]) -> None:
        self.work, self.pack, self.written_facts = work, pack, written_facts
        self.session, self.metadata = work.session, work.gatherer.metadata
        self.library = work.library
        self.whom = work.now, work.actor.number, work.actor.login

    def write(self, roots: Sequence[Root]) -> None:
        """Write all that stands, and the reasons of what does not."""
        self.keep_entries()
        records = self.kept_records()
        standing = [(r, r.firing) for r in roots if r.stands and r.firing is not None]
        for record in records:
            self.write_rows(record)
        self.move_totals()
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

    def keep_entries(self) -> None:
        """The same for amounts of vouchers: entries never change, so that none may fail once writing has begun."""
        for firing in [f for f in self.work.fired if f.vouchers and f.root.stands]:
            for voucher in firing.vouchers:
                try:
                    voucher.kept = [to_kept(entry[3], "money") for entry in voucher.entries]
                except ValueError:
                    firing.root.reasons += self.unkept(firing, voucher)

    def unkept(self, firing: Firing, voucher: Voucher) -> Iterator[Reason]:
        """What is against each entry whose amount cannot be kept, with the row of the posting that it comes from."""
        for entry in voucher.entries:
            try:
                to_kept(entry[3], "money")
            except ValueError as problem:
                called = self.work.called(firing.record, firing.row or firing.v[0])
                posting = self.library.posting(voucher.posting)
                rows = {f"{posting.name}/{row.name}": row.place for row in posting.rows} if posting else {}
                said = f"The entry {entry[1]} of {voucher.posting} for {called}: {problem}."
                yield Reason("kept", said, rows.get(entry[2], firing.program.transition.place))

    def kept_rows(self, record: d.Record, rows: Mapping[int, tuple[list[Any] | None, Root]]) -> Rows:
        pending, name = self.work.gatherer.pending, record.name
        columns = columns_of(self.library, record)
        encode = encoder([t for _, t in columns])
        kept = Rows(record.name, [], [], [])
        changed = defaultdict(list)
        for id_, (row, root) in rows.items():
            if not root.stands:
                continue
            created = (name, id_) in pending.created
            if row is None:
                if not created:
                    kept.gone.append(id_)
            elif created:
                kept.new.append(encode(row))
            else:
                before = pending.before[name, id_]
                other = compress(range(len(row)), map(is_not, row, before))
                places = tuple([i for i in other if row[i] != before[i]])
                if places:
                    changed[places].append(([row[i] for i in places], id_))
        for places, updates in changed.items():
            encode_some = encoder([columns[i][1] for i in places])
            kept.changed.append(
                ([columns[i][0] for i in places], [(*encode_some(values), id_) for values, id_ in updates])
            )
        return kept

    def write_rows(self, rows: Rows) -> None:
        """What frees a key comes before what takes it."""
        table = self.metadata.tables[rows.record]
        self.session.delete(table, rows.gone)
        for names, updates in rows.changed:
            self.session.update(table, names, updates)
        self.session.insert(table, rows.new)

    def move_totals(self) -> None:
        """Move the kept totals by what stands."""
        made = moved(self.library, self.metadata, self.work.gatherer.pending)
        move(self.session, self.metadata, [(m, key, amount) for root, m, key, amount in made if root.stands])

    # --- the log and the ledger ---

    def write_stream(self, stream: str, roots: list[tuple[Root, Firing]]) -> None:
        number, last = self.head(stream)
        firings = [(root, f) for root, first in roots for f in in_tree_order(first)]
        # Numbered only now, with the head locked: within a stream, and for one record, later rows have higher numbers.
        numbers = self.session.reserve(LOG, len(firings))
        ids = {id(f): log_id for (_, f), log_id in zip(firings, numbers, strict=True) if f.fired}
        vouchers, entries, digests = self.ledger_rows([(i, f) for (_, f), i in zip(firings, numbers, strict=True)])
        rows = []
        rested: dict[tuple[str | None, ...], str] = {}
        basis_of = self.work.gatherer.facts.basis
        for (root, firing), log_id in zip(firings, numbers, strict=True):
            number += 1
            cause = ids[id(firing.parent)] if firing.parent else None
            hashes = firing.program.hashes(firing.v)
            basis = rested.get(hashes) or rested.setdefault(hashes, basis_of(hashes))
            row = self.log_row(log_id, stream, number, root, firing, cause, basis, digests.get(log_id, ""))
            last = chained(last, row)
            rows.append((*row, last))
        self.write_facts(stream, rested)
        self.session.insert(self.metadata.tables[LOG], rows)
        if vouchers:
            self.session.insert(self.metadata.tables[VOUCHER], vouchers)
            self.session.insert(self.metadata.tables[ENTRY], entries)
        self.move_head(stream, number, last)

    def log_row(
        self, log_id: int, stream: str, number: int, root: Root, firing: Firing, cause: int | None, basis: str,
        vouchers: str,
    ) -> Row:  # fmt: skip
        program = firing.program
        state = program.state_index
        to = None if firing.row is None else firing.row[state]
        source = root.request.source if cause is None else None
        return (
            log_id, stream, number, *self.whom, firing.right or "fired", program.record.name,
            firing.id, program.transition.event, program.rule, self.pack, firing.v[0][state], to, cause, source,
            reads(firing), basis, changes(firing), vouchers, firing.acting_for and firing.acting_for.number,
        )  # fmt: skip

    def write_facts(self, stream: str, rested: Mapping[tuple[str | None, ...], str]) -> None:
        """Write what rows of the log rest on: by the hashes of the facts the basis that stands for them."""
        contents, named = self.work.gatherer.facts.contents, self.work.gatherer.facts.named
        keys = {*chain.from_iterable(rested), *rested.values()}
        keys |= {inner for key in named.keys() & keys for inner in named[key]}
        wanted = sorted(key for key in keys if key is not None and (stream, key) not in self.written_facts)
        self.session.insert_missing(self.metadata.tables[FACT], [(stream, key, contents[key]) for key in wanted])
        self.written_facts.update((stream, key) for key in wanted)

    def ledger_rows(self, firings: list[tuple[int, Firing]]) -> tuple[list[Row], list[Row], dict[int, str]]:
        """The rows of vouchers, numbered in their series, and of entries; by log row the digest of both."""
        written_by = [(log_id, v) for log_id, f in firings for v in f.vouchers]
        if not written_by:
            return [], [], {}
        numbers = self.numbers({(v.series, v.company) for _, v in written_by})
        ids = self.session.reserve(VOUCHER, len(written_by))
        entry_ids = iter(self.session.reserve(ENTRY, sum(len(v.entries) for _, v in written_by)))
        vouchers, entries = [], []
        contents: dict[int, list[Any]] = defaultdict(list)
        for id_, (log_id, voucher) in zip(ids, written_by, strict=True):
            key = (voucher.series, voucher.company)
            numbers[key] += 1
            row, of_voucher = self.voucher_row(id_, log_id, voucher, numbers[key]), entry_rows(entry_ids, id_, voucher)
            vouchers.append(row)
            entries += of_voucher
            contents[log_id].append([row, [without_tail(entry) for entry in of_voucher]])
        self.move_numbers(numbers)
        return vouchers, entries, {log_id: digest(written(content)) for log_id, content in contents.items()}

    def voucher_row(self, id_: int, log_id: int, voucher: Voucher, number: int) -> Row:
        ledger = self.library.manifest.ledger
        prefix = ledger.series.get(voucher.series, voucher.series) if ledger else voucher.series
        return (
            id_, log_id, voucher.company, voucher.series, f"{prefix}-{number:06d}", voucher.posting,
            voucher.currency, self.work.now, voucher.date.isoformat(), voucher.reverses,
        )  # fmt: skip

    # --- heads and numbers ---

    def head(self, stream: str) -> tuple[int, str]:
        sql = f"SELECT number, hash FROM {HEAD} WHERE stream = ?{self.session.locked}"
        found = self.session.own(sql, stream).fetchone()
        return (found[0], found[1]) if found else (0, FIRST_HASH)

    def move_head(self, stream: str, number: int, last: str) -> None:
        moved = self.session.own(f"UPDATE {HEAD} SET number = ?, hash = ? WHERE stream = ?", number, last, stream)
        if not moved.rowcount:
            self.session.insert(self.metadata.tables[HEAD], [(stream, number, last)])

    def numbers(self, wanted: set[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """The last number of each series of a company, 0 where there is none."""
        series, companies = sorted({s for s, _ in wanted}), sorted({c for _, c in wanted})
        lists = f"series IN ({marks(series)}) AND company IN ({marks(companies)})"
        sql = f"SELECT series, company, number FROM {SERIES} WHERE {lists}{self.session.locked}"
        there = {(s, c): n for s, c, n in self.session.own(sql, *series, *companies)}
        return {key: there.get(key, 0) for key in wanted}

    def move_numbers(self, numbers: Mapping[tuple[str, int], int]) -> None:
        sql = f"UPDATE {SERIES} SET number = ? WHERE series = ? AND company = ?"
        for key, number in sorted(numbers.items()):
            if not self.session.own(sql, number, *key).rowcount:
                self.session.insert(self.metadata.tables[SERIES], [(*key, number)])

    # --- refusals ---

    def write_refusals(self, roots: Sequence[Root]) -> None:
        if not roots:
            return
        work = self.work
        rows = [
            (self.session.next_id(REFUSAL), work.now, work.actor.number, work.actor.login,
             r.request.record, r.request.id, r.request.event, self.pack, r.request.source, reasons_text(r))
            for r in roots
        ]  # fmt: skip
        self.session.insert(self.metadata.tables[REFUSAL], rows)
