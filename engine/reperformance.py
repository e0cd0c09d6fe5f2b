"""Takes every logged decision again, from the logged inputs under the rule text stored with them, and compares.

Pure but for reading the log: nothing of the store as it is today goes into an answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, DecimalException, localcontext
from typing import Any, TypeAlias

from sqlalchemy import Row, select

from . import programs as p
from .batch import Rules
from .claiming import Claim, answer_of
from .dates import WorkingDays
from .decisions import TableRow, decide
from .delegations import Delegations
from .errors import ArithmeticProblem, CharterFault, IntegrityBroken
from .facts import ORDER, Facts, facts_of_elements, from_plain, plain, without_tail
from .gathering import Gatherer
from .log_texts import UNREADABLE, changes_of, content_of, reads_of
from .model import Parts, Type
from .money import EXACT, shown
from .queries import parts, types_of
from .scopes import measure_type
from .sharing import answer
from .store import Session
from .tables import FACT, LOG, VOUCHER

AT_ONCE = 2000


Element: TypeAlias = "tuple[str, int | None, str]"  # the type of a record, its number; the list that it stands in


class Differs(Exception):
    """Something came out otherwise than it was logged; the message says what."""


@dataclass
class Reperformance:
    """Goes through a log. `rules_at` gives the rules of a pack by its hash, as the store keeps them."""

    session: Session
    rules: Rules
    rules_at: Callable[[str], Rules]
    checked: int = 0
    delegations: Delegations = field(init=False)
    _facts: dict[tuple[str, str], Any] = field(default_factory=dict)
    _actors: dict[str, int] = field(default_factory=dict)

    def problems(self) -> Iterator[str]:
        """What came out differently, one line each; nothing when all is as logged."""
        log = self.rules.metadata.tables[LOG]
        actors = self.rules.metadata.tables["actor"]
        self._actors = {n: i for i, n in self.session.rows(select(actors.c.id, actors.c.number))}
        self.delegations = Delegations(self.session, self.rules.metadata, self._actors)
        last = 0
        while rows := self.session.rows(select(log).where(log.c.id > last).order_by(log.c.id).limit(AT_ONCE)):
            last = rows[-1].id
            page = Page(self, rows)
            with localcontext(EXACT):
                for row in rows:
                    yield from page.differences(row)
            self.checked += len(rows)

    def facts(self, wanted: set[tuple[str, str]]) -> None:
        """Fetch the facts that are not known yet."""
        table = self.rules.metadata.tables[FACT]
        missing = defaultdict(list)
        for stream, key in wanted:
            if (stream, key) not in self._facts:
                missing[stream].append(key)
        for stream, keys in missing.items():
            for part in parts(keys):
                where = (table.c.stream == stream) & table.c.hash.in_(part)
                for key, content in self.session.rows(select(table.c.hash, table.c.content).where(where)):
                    self._facts[(stream, key)] = self.content(stream, key, content)

    def content(self, stream: str, key: str, text: Any) -> Any:
        """What a fact says; one that was changed is kept as what is wrong with it, for all the rows that rest on it."""
        try:
            return content_of(stream, key, text)
        except IntegrityBroken as broken:
            return broken

    def fact(self, stream: str, key: str) -> Any:
        found = self._facts.get((stream, key))
        if found is None:
            raise Differs(f"the fact {key} that it rests on is missing")
        if isinstance(found, IntegrityBroken):
            raise Differs(f"{found}; it rests on it")
        return found

    def rests_on(self, stream: str, basis: str) -> Sequence[str | None]:
        """The facts that a basis names, none where it is not there or not as it was written."""
        found = self._facts.get((stream, basis))
        return found.get("facts", ()) if isinstance(found, dict) else ()

    def named_by(self, stream: str, key: str) -> Sequence[str]:
        """The facts that a fact about the elements of a list names."""
        found = self._facts.get((stream, key))
        return facts_of_elements(found) if isinstance(found, dict) else ()


def elements_of(
    session: Session, rules: Rules, rules_at: Callable[[str], Rules], row: Row[Any]
) -> list[list[Element | None]]:  # fmt: skip
    """Of which element of a list each entry is, by the vouchers that an event posted; nothing where none can tell."""
    whole = Reperformance(session, rules, rules_at)
    page = Page(whole, [row])
    try:
        with localcontext(EXACT):
            again = Again(page, rules_at(row.pack), page.program(rules_at(row.pack), row), row)
            again.restore()
            return list(again.posted_for())
    except (Differs, ArithmeticProblem, DecimalException, CharterFault, *UNREADABLE):
        return []


class Page:
    """Some rows of the log with all that they refer to."""

    def __init__(self, whole: Reperformance, rows: Sequence[Row[Any]]) -> None:
        self.whole, self.session, self.metadata = whole, whole.session, whole.rules.metadata
        whole.facts({(r.stream, r.basis) for r in rows})
        rest_on = {(r.stream, h) for r in rows for h in whole.rests_on(r.stream, r.basis) if h}
        whole.facts(rest_on)
        whole.facts({(stream, h) for stream, key in rest_on for h in whole.named_by(stream, key)})
        self.children = self.caused([r.id for r in rows])
        self.vouchers = self.written([r.id for r in rows if r.vouchers])

    def caused(self, ids: list[int]) -> dict[int, list[Row[Any]]]:
        log = self.metadata.tables[LOG]
        found: dict[int, list[Row[Any]]] = defaultdict(list)
        columns = (
            log.c.id, log.c.stream, log.c.number, log.c.cause, log.c.record, log.c.record_id, log.c.event, log.c.reads
        )  # fmt: skip
        for part in parts(ids):
            for row in self.session.rows(select(*columns).where(log.c.cause.in_(part)).order_by(log.c.id)):
                found[row.cause].append(row)
        return found

    def written(self, ids: list[int]) -> dict[int, list[tuple[Any, ...]]]:
        """By log row: (posting, series, company, date, currency, entries, reverses) of its vouchers in order."""
        if VOUCHER not in self.metadata.tables or not ids:
            return {}
        voucher = self.metadata.tables[VOUCHER]
        heads = [
            r
            for part in parts(ids)
            for r in self.session.rows(select(voucher).where(voucher.c.log.in_(part)).order_by(voucher.c.id))
        ]
        entries = self.gatherer().entries_of([h.id for h in heads])
        found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for h in heads:
            found[h.log].append((h.posting, h.series, h.company, h.date, h.currency, entries.get(h.id, []), h.reverses))
        return found

    def gatherer(self) -> Gatherer:
        return Gatherer(self.whole.rules.library, self.metadata, self.session, Facts(), {})

    def differences(self, row: Row[Any]) -> Iterator[str]:
        """What comes out otherwise for one row of the log."""
        said = f"log {row.id} ({row.event} of {row.record} {row.record_id})"
        try:
            rules = self.whole.rules_at(row.pack)
            program = self.program(rules, row)
            again = Again(self, rules, program, row)
            again.restore()
            for difference in again.differences():
                yield f"{said}: {difference} [{program.transition.place}]"
        except (Differs, ArithmeticProblem, DecimalException, CharterFault) as differs:
            yield f"{said}: {differs}"
        except UNREADABLE as broken:
            # A row that was tampered with may hold anything. It is told, and the others are gone through all the same.
            yield f"{said}: it cannot be taken again: {type(broken).__name__} {broken}"

    def program(self, rules: Rules, row: Row[Any]) -> p.Program:
        workflow_name, _, transition_name = row.rule.partition("/")
        record, workflow = rules.library.record(row.record), rules.library.workflow(workflow_name)
        for transition in workflow.transitions if workflow else ():
            if transition.name == transition_name and transition.event == row.event and record and workflow:
                return rules.programs.of(record, workflow, transition)
        raise Differs(f"the rule {row.rule} is not in the pack that it names")


class Again:
    """One firing taken again."""

    def __init__(self, page: Page, rules: Rules, program: p.Program, row: Row[Any]) -> None:
        self.page, self.rules, self.program, self.row = page, rules, program, row
        self.library = rules.library
        reads = reads_of(row)
        self.given = {n: from_plain(reads["given"].get(n), f.type) for n, f in program.taken.items()}
        self.v: list[Any] = [None] * program.width
        self.v[p.OWN] = self.own_row(reads["own"])
        self.v[p.GIVEN] = tuple(self.given.values())
        self.v[p.SETTING] = (date.fromisoformat(row.at[:10]), row.at, page.whole._actors.get(row.actor))
        basis = page.whole.fact(row.stream, row.basis)
        if basis.get("order") != ORDER:
            raise Differs(f"its facts stand in an order that this version does not read: {basis.get('order')}")
        self.hashes = dict(zip((op.index for op in program.readings), basis["facts"], strict=True))

    def own_row(self, own: Mapping[str, Any]) -> list[Any]:
        """The record before the event, as far as the rules read it; for a new one, what it was given."""
        columns = self.program.columns
        values = [from_plain(own.get(name), type_) for name, type_ in columns]
        values[0] = self.row.record_id
        values[self.program.state_index] = self.row.from_state
        if self.program.transition.creates:
            for i, (name, _) in enumerate(columns):
                f = self.program.record.fields.get(name)
                if name in self.given and self.given[name] is not None:
                    values[i] = self.given[name]
                elif values[i] is None and f is not None and f.default is not None:
                    values[i] = p.default_of(f)
        return values

    # --- putting the values back ---

    def restore(self) -> None:
        """Compute what is computed and put back what was read, stage by stage.

        Again, where it becomes known by then which numbers the created records have.
        """
        ids: dict[int, int] = {}
        for stage in range(1 + max((s.stage for s in self.program.segments), default=0)):
            self.fill(stage, ids)
            if (found := self.alias_ids(stage)) != ids:
                ids = found
                for known in range(stage + 1):
                    self.fill(known, ids)

    def fill(self, stage: int, ids: Mapping[int, int]) -> None:
        self.fill_values(self.program, self.v, self.hashes, stage, ids)

    def fill_values(
        self, program: p.Program | p.Each, v: p.Values, hashes: Mapping[int, str | None], stage: int = 0,
        ids: Mapping[int, int] | None = None,
    ) -> None:  # fmt: skip
        for segment in program.segments:
            if segment.late or segment.stage != stage:
                continue
            if segment.reading is not None:
                self.put_back(segment.reading, v, hashes.get(segment.reading.index))
            elif segment.compute is not None:
                segment.compute([v], lambda _, alias: (ids or {}).get(alias))  # type: ignore[arg-type,return-value]

    def alias_ids(self, stage: int) -> dict[int, int]:
        """The numbers of the records created so far, by the place of their name among the values."""
        found: dict[int, int] = {}
        waiting = list(self.page.children.get(self.row.id, ()))
        for effect in self.program.effects:
            if effect.kind != "create" or effect.stage > stage or not (effect.when is None or effect.when(self.v)):
                continue
            for _ in effect.done_for(self.v):
                created = next((c for c in waiting if c.record == effect.record and c.event == effect.event), None)
                if created is not None:
                    waiting.remove(created)
                    if effect.alias is not None:
                        found[effect.alias] = created.record_id
        return found

    def put_back(self, operation: p.Operation, v: p.Values, key: str | None) -> None:
        needed = operation.guard is None or bool(operation.guard(v))
        assert operation.key is not None
        if key is None:
            if isinstance(operation, p.Reference) and needed and operation.key(v)[0] is None:
                # Nothing is read along an empty reference, and no fact is left of it.
                v[operation.index] = (*(None for _ in operation.paths), None)
            elif needed:
                raise Differs("a value is needed now that was not read then")
            return
        content = self.page.whole.fact(self.row.stream, key)
        if isinstance(operation, p.Each):
            v[operation.index] = (self.elements(operation, v, content), key)
        else:
            v[operation.index] = self.value(operation, content, operation.key(v), key)

    def elements(self, each: p.Each, v: p.Values, content: Any) -> tuple[p.Values, ...]:
        """The values of each element of a list, as they were."""
        found = tuple(each.values_of(v))
        if len(found) != len(content["of"]):
            raise Differs(f"there were {len(content['of'])} {each.of}; now there would be {len(found)}")
        for values, places in zip(found, content["of"], strict=True):
            hashes = [None if i is None else content["facts"][i] for i in places]
            self.fill_values(each, values, dict(zip((op.index for op in each.readings), hashes, strict=True)))
        return found

    def value(self, operation: p.Operation, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        if isinstance(operation, p.Reference):
            return self.reference(operation, content, asked, key)
        if isinstance(operation, p.Children):
            types = self.types(operation.record, operation.paths)
            rows = tuple(tuple(from_plain(x, t) for x, t in zip(r, types, strict=True)) for r in content["values"])
            return rows, key
        if isinstance(operation, p.Find):
            if operation.many:
                return tuple(content["found"]), key
            types = self.types(operation.record, operation.paths)
            return (*(from_plain(x, t) for x, t in zip(content["values"], types, strict=True)), key)
        if isinstance(operation, p.Claimed):
            return self.claimed(operation, content, asked, key)
        if isinstance(operation, p.Measured):
            return self.measured(operation, content, asked, key)
        if isinstance(operation, p.Closed):
            return self.closed(operation, content, asked, key)
        if isinstance(operation, p.Decided):
            return self.decided(operation, content, asked, key)
        if isinstance(operation, p.Shared):
            return self.shared(operation, content, asked, key)
        return self.reversed(content), key

    def reference(self, operation: p.Reference, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        if content["id"] != asked[0]:
            raise Differs(f"{operation.record} {content['id']} was read; now it would be {asked[0]}")
        types = self.types(operation.record, operation.paths)
        return (*(from_plain(x, t) for x, t in zip(content["values"], types, strict=True)), key)

    def types(self, record: str, paths: Sequence[Parts]) -> list[Type]:
        found = self.library.record(record)
        assert found is not None
        return types_of(self.library, found, paths)

    def measured(self, operation: p.Measured, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        measure = self.library.measure(operation.measure)
        record = self.library.record(measure.of) if measure else None
        if measure is None or record is None or content["of"] != plain(list(asked)):
            raise Differs(f"{operation.measure} was asked for {content['of']}; now for {plain(list(asked))}")
        return from_plain(content["value"], measure_type(self.library, measure, record)), key

    def closed(self, operation: p.Closed, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        calendar = self.library.calendar(operation.calendar)
        if calendar is None or content["of"] != plain(list(asked)):
            raise Differs(f"{operation.calendar} was asked for {content['of']}; now for {plain(list(asked))}")
        return WorkingDays(calendar.week, frozenset(map(date.fromisoformat, content["closed"]))), key

    def claimed(self, operation: p.Claimed, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        """A claim decided again on the total that it met: what it came to, and that it was allowed or accepted."""
        assert operation.limit is not None
        claim, before = Claim(*asked), Decimal(content["total"])
        again = plain(claim.content(operation.limit.name, before))
        if again != content:
            raise Differs(f"the limit {content['limit']} was claimed on with {content}; now it would be with {again}")
        answer = answer_of(claim.level, claim.outcome(before))
        accepted = operation.limit.name in reads_of(self.row).get("acknowledged", ())
        if answer == "refuse" or (answer == "warn" and not accepted):
            raise Differs(f"the limit {content['limit']} would {answer} it")
        return before, key

    def decided(self, operation: p.Decided, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        table = operation.table
        assert table is not None
        if list(content["inputs"].values()) != plain(list(asked[:-1])) or not within(content["on"], asked[-1]):
            raise Differs(
                f"the decision {table.name} was asked with {content['inputs']}; now with {plain(list(asked))}"
            )
        rows: Sequence[TableRow] = table.rows
        if table.decision.rows_of:
            rows = [candidate(table.output_types, c) for c in content["candidates"]]
        answer = decide(table, asked[:-1], asked[-1], rows)
        if list(answer.rows) != content["rows"]:
            raise Differs(f"the decision {table.name} hit {content['rows']}; now it hits {list(answer.rows)}")
        collected = table.decision.hit == "collect"
        logged = content["outputs"] if collected else [content["outputs"]]
        again = plain(list(answer.outputs or ())) if collected else [plain(list(answer.outputs or ()))]
        self.compare_answers(table.name, table.output_types, logged, again)
        typed = tuple(tuple(from_plain(x, t) for x, t in zip(r, table.output_types, strict=True)) for r in logged)
        return (typed, key) if collected else (*typed[0], key)

    def shared(self, operation: p.Shared, content: Any, asked: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        amount, (parts, _), smallest = asked
        again = answer(operation, amount, parts, smallest)
        if plain(dict(again.content)) != content:
            raise Differs(
                f"{content['share_out']} was shared out as {content}; now it would be {plain(dict(again.content))}"
            )
        return again.shares, again.left, key

    def compare_answers(self, name: str, types: Sequence[Type], logged: list[Any], again: list[Any]) -> None:
        """What names a record by its key in the pack is a number in the log; the rows hit are compared already."""
        for then, now in zip(logged, again, strict=True):
            for t, a, b in zip(types, then, now, strict=True):
                if a != b and not (t.kind == "ref" and isinstance(b, str)):
                    raise Differs(f"the decision {name} answered {a}; now it answers {b}")

    def reversed(self, content: Any) -> tuple[Any, ...]:
        """The vouchers that were reversed, as they stand: they never change."""
        ids = content["vouchers"]
        if not ids:
            return ()
        voucher = self.page.metadata.tables[VOUCHER]
        heads = self.page.session.rows(select(voucher).where(voucher.c.id.in_(ids)).order_by(voucher.c.id))
        entries = self.page.gatherer().entries_of(ids)
        return tuple(
            (h.id, h.series, h.company, h.date, h.currency, h.posting, tuple(entries.get(h.id, ()))) for h in heads
        )

    # --- comparing ---

    def differences(self) -> Iterator[str]:
        program, v = self.program, self.v
        yield from self.page.whole.delegations.differences(self.row)
        if program.when is not None and not program.when(v):
            yield f"the conditions of {program.rule} do not hold"
        for requirement in program.requirements:
            if not requirement.warning and not requirement.holds(v):
                yield f"not allowed now: {requirement.name} [{requirement.place}]"
        yield from self.changed_fields()
        yield from self.changed_vouchers()
        yield from self.changed_effects()

    def changed_fields(self) -> Iterator[str]:
        program = self.program
        logged = changes_of(self.row)
        if program.transition.deletes:
            return
        after = program.new_row(self.v)
        columns = program.columns
        if program.transition.creates:
            again = {columns[i][0]: plain(x) for i, x in enumerate(after) if i and x is not None}
            then = logged
        else:
            again = {columns[i][0]: plain(after[i]) for i in program.changed if after[i] != self.v[p.OWN][i]}
            then = {name: new for name, (_, new) in logged.items()}
            # A field that no rule read has no value before: what stayed as it was is not known to differ.
            again = {n: x for n, x in again.items() if n in then or x is not None}
        for name in sorted({*again, *then}):
            if again.get(name) != then.get(name) and not self.stayed(name, again, then):
                yield f"{name} became {then.get(name)}; now it would become {again.get(name)}"

    def stayed(self, name: str, again: Mapping[str, Any], then: Mapping[str, Any]) -> bool:
        """A value given or set that equals what was there before is no change."""
        if name in then or self.program.transition.creates:
            return False
        index = next(i for i, (n, _) in enumerate(self.program.columns) if n == name)
        return index not in self.program.read

    def changed_vouchers(self) -> Iterator[str]:
        then = self.page.vouchers.get(self.row.id, [])
        now = list(self.vouchers())
        if len(then) != len(now):
            yield f"{len(then)} vouchers were written; now it would be {len(now)}"
        for a, b in zip(then, now, strict=False):
            if a[:5] != b[:5] or a[6] != b[6]:
                yield f"the voucher's head was {plain(a[:5])}; now it would be {plain(b[:5])}"
            if [without_tail(x) for x in a[5]] != [without_tail(x) for x in b[5]]:
                yield f"the voucher's entries were {said(a[5])}; now they would be {said(b[5])}"

    def vouchers(self) -> Iterator[tuple[Any, ...]]:
        for effect in self.program.effects:
            if effect.when is not None and not effect.when(self.v):
                continue
            if effect.kind == "post" and effect.voucher is not None:
                entries = effect.voucher.entries(self.v)
                company, on, currency = effect.voucher.head(self.v)
                if entries:
                    yield (effect.voucher.posting, effect.voucher.series, company, on, currency, entries, None)
            elif effect.kind == "reverse" and effect.ids is not None:
                found, on = effect.ids(self.v)
                for id_, series, company, was_on, currency, posting, entries in found:
                    mirrored = [(*e[:3], -e[3], *e[4:]) for e in entries]
                    yield (posting, series, company, on or was_on, currency, mirrored, id_)

    def posted_for(self) -> Iterator[list[Element | None]]:
        """For each voucher that a posting writes, of which element of a list each of its entries is."""
        for effect in self.program.effects:
            applies = effect.when is None or effect.when(self.v)
            if applies and effect.voucher is not None and (found := effect.voucher.elements(self.v)):
                yield found

    def changed_effects(self) -> Iterator[str]:
        """What was created and fired, against what would be now."""
        then = [(c.record, c.event, reads_of(c)["given"]) for c in self.page.children.get(self.row.id, ())]
        now = list(self.effects())
        if [x[:2] for x in then] != [x[:2] for x in now]:
            yield f"it brought about {[x[:2] for x in then]}; now it would bring about {[x[:2] for x in now]}"
            return
        for (record, event, given), (_, _, values) in zip(then, now, strict=True):
            for name, value in values.items():
                if given.get(name) != plain(value) and not (value is None and name in given):
                    yield f"{event} of {record} was given {name} {given.get(name)}; now it would be {plain(value)}"

    def effects(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for effect in self.program.effects:
            if effect.values is None or (effect.when is not None and not effect.when(self.v)):
                continue
            for v in effect.done_for(self.v):
                values = effect.values(v)
                times = 1 if effect.kind == "create" else len(effect.ids(v)) if effect.ids is not None else 0
                yield from ((effect.record, effect.event, values) for _ in range(times))


def within(span: Sequence[str | None] | None, on: date | None) -> bool:
    """Does a decision that was taken for these days hold for this one?"""
    if span is None or on is None:
        return span is None and on is None
    since, until = span
    return (since is None or since <= on.isoformat()) and (until is None or on.isoformat() <= until)


def candidate(output_types: Sequence[Type], content: Mapping[str, Any]) -> TableRow:
    """A record row as it was when the decision was taken; only those that matched were noted."""
    then = tuple(from_plain(x, t) for x, t in zip(content["then"], output_types, strict=True))
    since, until = content["from"], content["until"]
    first = date.fromisoformat(since) if since else None
    last = date.fromisoformat(until) if until else None
    return TableRow(content["row"], lambda _: True, frozenset(content["filled"]), then, first, last)


def said(entries: Sequence[tuple[Any, ...]]) -> str:
    """Entries in short."""
    return ", ".join(f"{e[1]} {shown(e[3])}" for e in entries)
