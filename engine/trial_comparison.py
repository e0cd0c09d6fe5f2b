"""Holds what came of a rule test against what it expects: refusal, records, vouchers, statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import Row, select

from . import definitions as d
from .application import refusals
from .batch import Rules
from .elements import Element
from .facts import Facts, plain
from .firings import Root
from .gathering import Gatherer
from .library import Library
from .model import NUMERIC
from .money import from_kept
from .notation import convert, counted
from .scopes import Names
from .store import Session
from .tables import ENTRY, VOUCHER
from .trial_differences import DIFFERS, Difference, Entry, Pair, expected_entries, told, unlike, words
from .trial_origins import Origins
from .trial_statements import statement_failures

READ_ONLY = ("entry", "voucher")  # written by postings, not by events of their own


class Failed(Exception):
    """A step of a test did what it should not."""


@dataclass(frozen=True, slots=True)
class Voucher:
    """A voucher that was written, with its entries."""

    head: Row[Any]
    entries: tuple[Entry, ...]


class Comparison:
    """Compares within the store in which a test was played; `ids` finds the records that a part of it means.

    Figures that are otherwise are kept as `differences`, besides a sentence of what they belong to.
    """

    def __init__(self, session: Session, rules: Rules, ids: Callable[[Session, d.Record, Element], list[int]]) -> None:
        self.session, self.rules, self.ids = session, rules, ids
        self.library: Library = rules.library
        self.differences: list[Difference] = []

    @cached_property
    def origins(self) -> Origins:
        return Origins(self.session, self.rules)

    def failures(self, then: Element, roots: Sequence[Root], before: int) -> Iterator[str]:
        """What is not as it should be; vouchers are those written after the log's row `before`."""
        said = list(refusals([r for r in roots if r.reasons]))
        if then.has("refusal"):
            but = "; ".join(said) or "nothing was refused"
            for wanted in then.items("refusal"):
                if not any(str(wanted.value) in s for s in said):
                    yield f"{wanted.place}: expected to be refused with `{wanted.value}`; {but}"
            return
        yield from (f"refused: {s}" for s in said)
        for e in then.items("records"):
            try:
                yield from self.records(e)
            except Failed as failed:
                yield str(failed)
        if then.has("vouchers"):
            yield from self.vouchers(then, self.written(before))
        for e in then.items("statements"):
            yield from statement_failures(self.session, self.rules, e, self.differences)

    # --- records ---

    def records(self, e: Element) -> Iterator[str]:
        record = self.library.record(e.word("record"))
        if record is None:
            yield f"{e.place}: there is no record type `{e.word('record')}`."
            return
        ids = self.ids(self.session, record, e)
        if e.has("count") and len(ids) != int(e.word("count")):
            yield f"{e.place}: expected {e.word('count')} {record.name}, found {len(ids)}."
        if e.has("fields") and not ids:
            yield f"{e.place}: found no such {record.name}."
        for id_ in ids if e.has("fields") else ():
            yield from self.fields(record, id_, e)

    def fields(self, record: d.Record, id_: int, e: Element) -> Iterator[str]:
        for name, text in e.texts("fields").items():
            path = d.dotted(name)
            type_ = Names(self.library, record).type_of(path)
            if type_ is None:
                yield f"{text.place}: a {record.name} has no `{name}`."
                continue
            found = self.value(record, id_, path)
            is_none = text.text == "none" and "none" not in type_.choices
            wanted: Any = None if is_none else convert(text.text, d.Field(name, type_.given()))
            if type_.kind == "ref":
                found = None if found is None else self.key(type_.of, found)
                wanted = None if wanted is None else str(wanted)
            if found == wanted:
                continue
            called = f"{record.name} {self.key(record.name, id_)}"
            yield f"{text.place}: {called}: {name} is {plain(found)}, expected {text.text}."
            if type_.kind in NUMERIC and len(path) == 1 and record.name not in READ_ONLY:
                self.differences.append(self.field_differs(record, id_, f"{called}: {name}", name, wanted, found))

    def field_differs(
        self, record: d.Record, id_: int, about: str, name: str, wanted: Decimal | None, found: Decimal | None
    ) -> Difference:
        wanted, found = (None if amount is None else Decimal(amount) for amount in (wanted, found))
        rule, place = self.origins.rule_of(record.name, id_, name)
        origins = self.origins.of_field(record.name, id_, name)
        return Difference(about, DIFFERS, wanted, found, rule, place, origins)

    def value(self, record: d.Record, id_: int, path: tuple[str, ...]) -> Any:
        return self.gatherer.values(record.name, (path,), [id_])[id_][0]

    def key(self, name: str, id_: int) -> str:
        record = self.library.record(name)
        assert record is not None
        parts = self.gatherer.values(name, tuple(self.library.key_paths(record)), [id_])[id_][:-1]
        return "/".join(str(plain(p)) for p in parts)

    @cached_property
    def gatherer(self) -> Gatherer:
        return Gatherer(self.library, self.rules.metadata, self.session, Facts(), {})

    # --- vouchers ---

    def written(self, before: int) -> list[Voucher]:
        voucher, entry = self.rules.metadata.tables[VOUCHER], self.rules.metadata.tables[ENTRY]
        heads = self.session.rows(select(voucher).where(voucher.c.log > before).order_by(voucher.c.id))
        ids = select(voucher.c.id).where(voucher.c.log > before)
        entries: dict[int, list[Entry]] = defaultdict(list)
        for row in self.session.rows(
            select(entry).where(entry.c.voucher.in_(ids)).order_by(entry.c.voucher, entry.c.line)
        ):
            entries[row.voucher].append(self.entry(row))
        return [Voucher(head, tuple(entries[head.id])) for head in heads]

    def entry(self, row: Row[Any]) -> Entry:
        ledger = self.library.manifest.ledger
        fields = ledger.dimensions if ledger else {}
        dimensions = {n: self.dimension(f, getattr(row, n)) for n, f in fields.items()}
        return Entry(row.account_key, Decimal(from_kept(row.amount, "money")), dimensions, row.row)

    def dimension(self, field: d.Field, value: Any) -> str | None:
        if value is None:
            return None
        return self.key(field.type.of, value) if field.type.kind == "ref" else str(plain(value))

    def vouchers(self, then: Element, found: list[Voucher]) -> Iterator[str]:
        wanted = list(then.items("vouchers"))
        place = then.at("vouchers").place
        if len(found) != len(wanted):
            yield f"{place}: expected {counted(len(wanted), 'voucher')}, found {len(found)}."
        for index, e in enumerate(wanted):
            voucher = found[index] if index < len(found) else None
            if voucher is None:
                yield f"{e.place}: this voucher is missing."
            else:
                yield from self.heads(e, voucher.head)
            if e.has("entries"):
                yield from self.entries(e, voucher)
            elif voucher is not None:
                yield from self.dimensions(e, voucher)
        for voucher in found[len(wanted) :]:
            yield f"{place}: the voucher {voucher.head.number} of {voucher.head.posting} is too many."
            self.differ([(None, f) for f in voucher.entries], voucher)

    def heads(self, e: Element, head: Row[Any]) -> Iterator[str]:
        for name in ("series", "date", "currency", "posting"):
            if e.has(name) and str(getattr(head, name)) != e.word(name):
                yield f"{e.at(name).place}: {name} is {getattr(head, name)}, expected {e.word(name)}."
        ledger = self.library.manifest.ledger
        company = self.key(ledger.company, head.company) if ledger else ""
        if e.has("company") and company != e.word("company"):
            yield f"{e.at('company').place}: company is {company}, expected {e.word('company')}."

    def dimensions(self, e: Element, voucher: Voucher) -> Iterator[str]:
        for name, wanted in words(e.at("dimensions")).items():
            others = sorted({x.dimensions.get(name) or "none" for x in voucher.entries} - {wanted or "none"})
            if others:
                yield f"{e.at('dimensions').place}: {name} is {', '.join(others)}, expected {wanted or 'none'}."

    def entries(self, e: Element, voucher: Voucher | None) -> Iterator[str]:
        pairs = unlike(expected_entries(e), voucher.entries if voucher else ())
        if pairs and voucher:
            number = voucher.head.number
            yield f"{e.at('entries').place}: {number} is not as expected in {counted(len(pairs), 'figure')}."
        self.differ(pairs, voucher)

    def differ(self, pairs: Sequence[Pair], voucher: Voucher | None) -> None:
        for e, f in pairs:
            rule = self.rule(f.row) if f else self.rule_lacking(e, voucher)
            log = voucher.head.log if voucher and voucher.head.reverses is None else None
            origins = self.origins.of_entry(log, f.row, f.key) if f and log is not None else ()
            self.differences.append(told((e, f), rule, origins))

    def rule(self, name: str) -> tuple[str, str]:
        """A row of a posting as entries name it, with its place."""
        posting, _, row_name = name.partition("/")
        declared = self.library.posting(posting)
        place = next((r.place for r in declared.rows if r.name == row_name), None) if declared else None
        return name, f"{place.file}:{place.line}" if place else ""

    def rule_lacking(self, e: Entry | None, voucher: Voucher | None) -> tuple[str, str]:
        """The first row of a voucher's posting that would write such an entry."""
        declared = self.library.posting(voucher.head.posting) if voucher and e else None
        for row in declared.rows if declared else ():
            if e and any(x.key == e.key for x in row.entries):
                return self.rule(f"{voucher.head.posting if voucher else ''}/{row.name}")
        return "", ""
