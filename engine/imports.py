"""Imports the rows of a file: each becomes a record by its creation event, or is there already, or is refused.

`mappings` reads the rows and `batch` performs the events. Here is found out which records are missing, in which order
they are created, and what is said of the rows that could not be.
"""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import select, tuple_

from . import definitions as d
from .batch import Batch, key_targets, pieces, resolve
from .cells import constant
from .errors import NOWHERE, Diagnostic, InvalidPack, Place, UsageFault
from .execution import Reason, Request, Root
from .facts import Facts, plain, written
from .gathering import Gatherer, among, parts, typed_key
from .library import Library, in_reference_order
from .mapping_columns import REFUSED_BECAUSE
from .mapping_definitions import Creation, FieldMapping, Form
from .mapping_definitions import Mapping as FileMapping
from .mappings import MappedRow, RowProblem, map_file
from .model import SCALES, Type
from .money import to_kept
from .notation import KeyText, as_text
from .queries import types_of
from .readers import columns_in, read_rows
from .source import printable
from .store import Session, decoder
from .tables import LOG

CHUNK = 1000
VALUES_AT_ONCE = 30_000  # in one statement; SQLite takes 32,766

Identity: TypeAlias = "tuple[str, tuple[Any, ...]]"  # a record type and the typed parts of a key


@dataclass
class Imported:
    """What an import did, or with a plan would do: a chunk further each time that progress is told.

    created: records by type, those that the rows named and that were missing included. skipped: rows whose record is
    there with the same content. problems: everything that stands against rows (those of a second file included), at the
    end sorted by line; a row may have several. is_written: something was written besides the refusal log; if not,
    `created` says what would be.
    """

    record: str
    mapping: FileMapping
    files: Mapping[str, Path]
    created: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    is_written: bool = False
    _refused: set[int] = field(default_factory=set)
    _created_rows: int = 0

    @property
    def refused(self) -> int:
        """How many rows were refused."""
        return len(self._refused)

    @property
    def rows(self) -> int:
        """How many rows were looked at; rows that repeat one record count once."""
        return self._created_rows + self.skipped + self.refused

    def add(self, done: _Done) -> None:
        self.created += done.created
        self.skipped += done.skipped
        self.problems += done.problems
        self._created_rows += done.created_rows
        self._refused.update(p.line for p in done.problems if p.file == str(self.files[""]))

    def sort(self) -> None:
        """By line; what is wrong in a second file comes after the main one."""
        main = str(self.files[""])
        self.problems.sort(key=lambda p: (p.file != main, p.file, p.line, p.column_number, p.message))


def import_files(
    batch: Batch,
    mapping: FileMapping,
    files: Mapping[str, Path],
    skip_refused: bool = False,
    chunk: int = CHUNK,
    on_progress: Callable[[Imported], None] = lambda _: None,
) -> Imported:
    """Create the records that a file holds; `files` gives the main file under "" and others by their name in `beside`.

    Everything is one transaction, and if a row is refused nothing is written but the refusal log. With `skip_refused`
    each chunk of rows is a transaction, and a refused row is set aside together with what only it would have created.
    With the batch's plan everything is done and nothing written.

    A record is known by its key. Where it is there already and was created with the same values (whatever became of it
    since), the row is skipped; if it was created with others, the row is refused. A record whose type has no key, or
    whose key its creation does not take, is known by all that the file says of it: the third row of one content is the
    third record that was created with it. So no file is ever imported twice; and where two such records are truly alike
    but come in two files, something (a remark, a number) must tell them apart.

    What a mapping `creates` is created where it is missing, before the rows that need it; of several rows that describe
    it the first counts. A row may refer to what an earlier row of the file creates.

    Raises InvalidPack where the mapping cannot work, InvalidInput where a file cannot be read (chunks written before
    stay), UsageFault where the record type cannot be created from a file.
    """
    return _Import(batch, mapping, files, skip_refused, chunk, on_progress).run()


def refused_file(path: Path, result: Imported) -> int:
    """Write the refused rows with all their columns and why they were refused; give how many there are.

    They are csv as the mapping wants it, so that they can be mended and imported again. Of rows that are one record all
    are written. No file is made where there are none. Raises UsageFault where the file cannot be written.
    """
    source, form = result.files[""], result.mapping.form
    if path.resolve() == source.resolve():
        raise UsageFault(f"{path} is the file that is imported; name another for the rows that are refused.")
    there = columns_in(source, form.form, form.encoding, form.separator, form.rows)
    columns = [c for c in there if c != REFUSED_BECAUSE]
    rows = [[*(values.get(c) or "" for c in columns), "; ".join(said)] for values, said in _refused_rows(result)]
    if rows:
        _write_csv(path, form, [[*columns, REFUSED_BECAUSE], *rows])
    return len(rows)


def _write_csv(path: Path, form: Form, rows: list[list[str]]) -> None:
    tab = path.suffix.lower() == ".tsv" if not form.separator else form.separator in ("tab", "\\t")
    separator = "\t" if tab else form.separator or ","
    encoding = form.encoding if form.form in ("", "csv") else ""
    try:
        # Only the last column can hold what the encoding cannot; the others came out of it.
        with path.open("w", encoding=encoding or "utf-8", errors="replace", newline="") as opened:
            csv.writer(opened, delimiter=separator, lineterminator="\n").writerows(rows)
    except OSError as error:
        raise UsageFault(f"{path}: cannot be written: {error.strerror or error}") from None


def _refused_rows(result: Imported) -> Iterator[tuple[Mapping[str, str | None], list[str]]]:
    """The raw rows that were refused, each with what was said of it, else with what was said of its record."""
    source, form = result.files[""], result.mapping.form
    by_line: dict[int, list[str]] = defaultdict(list)
    by_record: dict[tuple[str | None, ...], list[str]] = defaultdict(list)
    names = [column.text for column in result.mapping.one_per]
    for problem in result.problems:
        if problem.file == str(source):
            by_line[problem.line].append(problem.message)
            key = tuple(problem.raw.get(name) for name in names)
            if all(key):
                by_record[key].append(f"line {problem.line}: {problem.message}")
    if not by_line:
        return
    for row in read_rows(source, form.form, form.encoding, form.separator, form.rows):
        said = by_line.get(row.line) or (by_record.get(tuple(row.values.get(n) for n in names)) if names else None)
        if said:
            yield row.values, list(dict.fromkeys(said))


# --- what a run knows ------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Shape:
    """How records of one type are created and told apart."""

    library: Library
    record: d.Record
    event: str

    @cached_property
    def fields(self) -> Mapping[str, d.Field]:
        return self.library.creation_fields(self.record, self.event)

    @cached_property
    def targets(self) -> Mapping[str, str]:
        """The references among them, with the record types they lead to."""
        return key_targets(self.library, self.record.name, self.event)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        return {n: constant(f.default, f.type) for n, f in self.fields.items() if f.default is not None}

    @cached_property
    def has_key(self) -> bool:
        """Is the key known from what is given?"""
        return bool(self.record.key) and all(n in self.fields for n in self.record.key)

    @cached_property
    def lasting(self) -> list[str]:
        """The fields given at creation that nothing changes afterwards."""
        changed: set[str] = set()
        for workflow in self.library.workflows_of(self.record):
            for t in workflow.transitions:
                changed |= {n for step in t.steps if step.verb == "set" for n in step.values}
                changed |= set() if t.creates else set(t.takes)
        return [n for n in self.fields if n in self.record.fields and n not in changed]

    def key(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(values[n] if n in values else self.defaults.get(n) for n in self.record.key)


@dataclass(slots=True, eq=False)
class _Wanted:
    """One record that a row is (`is_row`) or names, and what comes of it: `created`, `there` or `refused`.

    needs: what has to be created before it, with the field that refers to it. reasons: what stands against it, with the
    field that it is about. blocked: those of them that stand against what it needs. is_logged: the reasons are written.
    """

    shape: _Shape
    request: Request
    row: MappedRow
    is_row: bool
    identity: Identity | None
    given: Mapping[str, Any]
    needs: dict[_Wanted, str] = field(default_factory=dict)
    level: int = 0
    outcome: str = ""
    reasons: list[tuple[str, Reason]] = field(default_factory=list)
    blocked: list[Reason] = field(default_factory=list)
    is_logged: bool = False

    @property
    def called(self) -> str:
        key = "/".join(as_text(v) for v in self.shape.key(self.given)) if self.shape.has_key else ""
        return f"{self.shape.record.name} {printable(key, 200)}".strip()

    def refuse(self, reasons: Iterable[tuple[str, Reason]], is_logged: bool = False) -> None:
        self.reasons += reasons
        self.outcome, self.is_logged = "refused", is_logged

    def passed_on(self) -> list[Reason]:
        """What its refusal says to those that need it: where it began."""
        said = f"{self.called} is not created: "
        return self.blocked or [replace(r, message=said + r.message) for _, r in self.reasons]


@dataclass
class _Done:
    """What came of one chunk; nothing of it counts before its transaction does."""

    created: Counter[str] = field(default_factory=Counter)
    created_rows: int = 0
    skipped: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    roots: list[Root] = field(default_factory=list)
    there: set[Identity] = field(default_factory=set)
    refused: dict[Identity, list[Reason]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)


@dataclass
class _Known:
    """What the chunks before have shown.

    there, refused: what was named beside the rows, so that each is asked for once. met: how many records without a key
    there are of each content. roots: all that was refused.
    """

    result: Imported
    there: set[Identity] = field(default_factory=set)
    refused: dict[Identity, list[Reason]] = field(default_factory=dict)
    met: Counter[str] = field(default_factory=Counter)
    roots: list[Root] = field(default_factory=list)

    def add(self, done: _Done, keeps_roots: bool) -> None:
        self.result.add(done)
        self.there |= done.there
        self.refused |= done.refused
        self.met += done.met
        if keeps_roots:
            self.roots += done.roots


class _TakenBack(Exception):
    """Takes a transaction back and carries its outcome out of it."""

    def __init__(self, known: _Known) -> None:
        self.known = known


@dataclass
class _Import:
    """One import of a file."""

    batch: Batch
    mapping: FileMapping
    files: Mapping[str, Path]
    skips: bool
    size: int
    on_progress: Callable[[Imported], None]
    shapes: dict[str, _Shape] = field(default_factory=dict)

    def run(self) -> Imported:
        self.shape(self.mapping.to)
        for creation in self.mapping.creates:
            if not self.shape(creation.record).has_key:
                raise InvalidPack([_no_key(creation)])
        in_one = self.batch.plan or not self.skips
        result = (self.all_in_one() if in_one else self.chunk_by_chunk()).result
        result.sort()
        return result

    def shape(self, name: str) -> _Shape:
        """Raises UsageFault where there is no such record type, or not one event that creates it."""
        if name not in self.shapes:
            library = self.batch.rules.library
            record = library.record(name)
            if record is None:
                raise UsageFault(f"There is no record type `{name}`.")
            event = library.creation_event(record)
            if event is None:
                events = ", ".join(sorted({t.event for t in library.creations(record)}))
                raise UsageFault(f"A file cannot create a {name}: one event must do it, here are {events or 'none'}.")
            self.shapes[name] = _Shape(library, record, event)
        return self.shapes[name]

    def creation_fields(self, name: str) -> Mapping[str, d.Field]:
        return self.shape(name).fields

    @cached_property
    def order(self) -> dict[str, int]:
        """The record types in the order in which they are created."""
        ordered = in_reference_order(self.batch.rules.library, self.shapes)
        return {name: position for position, name in enumerate(ordered)}

    @cached_property
    def mapped(self) -> Mapping[str, FieldMapping]:
        return {m.name: m for m in self.mapping.fields}

    # --- transactions ---

    def begin(self) -> tuple[_Known, Iterator[list[MappedRow | RowProblem]]]:
        rows = map_file(self.mapping, self.shape(self.mapping.to).fields, self.files, self.creation_fields)
        return _Known(Imported(self.mapping.to, self.mapping, self.files)), pieces(rows, self.size)

    def all_in_one(self) -> _Known:
        def work(session: Session) -> _Known:
            known, chunks = self.begin()
            for items in chunks:
                known.add(self.chunk(session, items, known), keeps_roots=True)
                self.on_progress(known.result)
            if self.batch.plan or (known.roots and not self.skips):
                raise _TakenBack(known)
            return known

        try:
            known = self.batch.within(work)
            known.result.is_written = bool(known.result.created)
        except _TakenBack as taken_back:
            known = taken_back.known
            if not self.batch.plan:
                self.batch.keep_reasons(known.roots)
        return known

    def chunk_by_chunk(self) -> _Known:
        known, chunks = self.begin()
        for items in chunks:
            done = self.batch.within(lambda session, items=items: self.chunk(session, items, known))  # type: ignore[misc]
            known.add(done, keeps_roots=False)
            known.result.is_written |= bool(done.created)
            self.on_progress(known.result)
        return known

    def chunk(self, session: Session, items: Sequence[MappedRow | RowProblem], known: _Known) -> _Done:
        """Write what stands of a chunk and the reasons of what does not.

        A refused row leaves nothing: where something was created on its behalf the chunk is done again without it.
        """
        rows = [i for i in items if isinstance(i, MappedRow)]
        set_aside: list[_Wanted] = []
        while True:
            savepoint = session.connection.begin_nested()
            chunk = _Chunk(self, session, known, rows)
            refused = chunk.perform()
            if not self.skips or not chunk.created_in_vain():
                savepoint.commit()
                break
            savepoint.rollback()
            self.batch.written_facts.clear()
            for wanted in refused:
                wanted.is_logged = False
            set_aside += refused
            without = {id(w.row) for w in refused if w.is_row}
            rows = [r for r in rows if id(r) not in without]
        return self.finished(session, chunk, [*set_aside, *refused], [i for i in items if isinstance(i, RowProblem)])

    def finished(self, session: Session, chunk: _Chunk, refused: list[_Wanted], problems: list[RowProblem]) -> _Done:
        done = chunk.done
        done.problems = [*problems, *self.told(refused)]
        for wanted in refused:
            if not wanted.is_row and wanted.identity:
                done.refused[wanted.identity] = wanted.passed_on()
        unlogged = [*self.unreadable(problems), *(_root(w) for w in refused if not w.is_logged)]
        if unlogged:
            self.batch.write_reasons(session, unlogged)
        done.roots = [*unlogged, *(_root(w) for w in refused if w.is_logged)]
        return done

    # --- what is said of refused rows ---

    def told(self, refused: list[_Wanted]) -> Iterator[RowProblem]:
        """What stands against the rows; a record that a row names is said with the row, and once."""
        told: set[tuple[int, str]] = set()
        for wanted in sorted(refused, key=lambda w: not w.is_row):
            reasons = wanted.reasons if wanted.is_row else [("", r) for r in wanted.passed_on()]
            for name, reason in reasons:
                if (wanted.row.line, reason.message) not in told:
                    told.add((wanted.row.line, reason.message))
                    yield self.problem(wanted.row, name, reason)

    def problem(self, row: MappedRow, name: str, reason: Reason) -> RowProblem:
        column = next((c.text for c in self.mapped[name].all_columns()), "") if name in self.mapped else ""
        number = list(row.raw).index(column) + 1 if column in row.raw else 0
        place = "" if reason.place == NOWHERE else str(reason.place)
        return RowProblem(row.file, row.line, column, number, reason.message, place, row.raw)

    def unreadable(self, problems: Sequence[RowProblem]) -> list[Root]:
        """Rows that could not be read, as the refusal log keeps them."""
        by_row: dict[tuple[str, int], list[Reason]] = defaultdict(list)
        for p in problems:
            by_row[p.file, p.line].append(Reason("mapping", p.message, _place(p.rule)))
        shape = self.shape(self.mapping.to)
        return [
            Root(Request(shape.record.name, shape.event, None, {}, f"{file}:{line}"), reasons)
            for (file, line), reasons in by_row.items()
        ]


# --- one chunk -------------------------------------------------------------------------------------------------------


class _Chunk:
    """Some rows of a file with what they name, created in levels: each level needs only what lies below it."""

    def __init__(self, run: _Import, session: Session, known: _Known, rows: Sequence[MappedRow]) -> None:
        self.run, self.session, self.known, self.rows = run, session, known, rows
        self.batch, self.library = run.batch, run.batch.rules.library
        self.metadata = run.batch.rules.metadata
        self.gatherer = Gatherer(self.library, self.metadata, session, Facts(), {})
        self.done = _Done()
        self.wanted: list[_Wanted] = []
        self._identities: dict[tuple[str, str], Identity | None] = {}
        self._key_types: dict[str, list[Type]] = {}
        self._met: Counter[str] = Counter()

    def perform(self) -> list[_Wanted]:
        """Create what is missing; gives what was refused."""
        self.wanted = self.in_order()
        levels: dict[int, list[_Wanted]] = defaultdict(list)
        for wanted in self.wanted:
            levels[wanted.level].append(wanted)
        for level in sorted(levels):
            self.settle(levels[level])
        for wanted in self.wanted:
            self.count(wanted)
        return [w for w in self.wanted if w.outcome == "refused"]

    def count(self, wanted: _Wanted) -> None:
        done = self.done
        if wanted.outcome == "created":
            done.created[wanted.shape.record.name] += 1
            done.created_rows += wanted.is_row
        if wanted.outcome == "there":
            done.skipped += wanted.is_row
        if wanted.outcome != "refused" and wanted.identity and not wanted.is_row:
            done.there.add(wanted.identity)
        if wanted.outcome != "refused" and not wanted.shape.has_key:
            done.met[self.content_text(wanted)] += 1

    def created_in_vain(self) -> bool:
        """Was something created for a row that was then refused?"""
        refused = {id(w.row) for w in self.wanted if w.is_row and w.outcome == "refused"}
        return any(w.outcome == "created" and not w.is_row and id(w.row) in refused for w in self.wanted)

    # --- what comes before what ---

    def in_order(self) -> list[_Wanted]:
        """All that the rows are and name, each after what it needs, with its level."""
        named, rows = self.named()
        listed = sorted([*named, *rows], key=lambda w: self.run.order[w.shape.record.name])
        placed: dict[Identity, _Wanted] = {}
        for wanted in listed:
            self.place(wanted, placed)
        return listed

    def named(self) -> tuple[list[_Wanted], list[_Wanted]]:
        """(the records beside the rows that may be missing, the rows)."""
        named: dict[Identity, _Wanted] = {}
        rows: list[_Wanted] = []
        earlier: set[Identity | None] = set()
        for row in self.rows:
            for record, values in row.creates:
                shape = self.run.shape(record)
                identity = self.identity(shape, values) or (record, tuple(values.items()))
                if not any(identity in known for known in (named, earlier, self.known.there, self.known.refused)):
                    named[identity] = self.want(shape, values, row, is_row=False)
            rows.append(self.want(self.run.shape(self.run.mapping.to), row.values, row, is_row=True))
            earlier.add(rows[-1].identity)
        return list(named.values()), rows

    def want(self, shape: _Shape, values: Mapping[str, Any], row: MappedRow, is_row: bool) -> _Wanted:
        request = Request(shape.record.name, shape.event, None, values, f"{row.file}:{row.line}")
        return _Wanted(shape, request, row, is_row, self.identity(shape, values), values)

    def identity(self, shape: _Shape, values: Mapping[str, Any]) -> Identity | None:
        """The typed key of a record that is not there yet; None where it cannot be referred to."""
        if not shape.has_key:
            return None
        found: list[Any] = []
        for name, value in zip(shape.record.key, shape.key(values), strict=True):
            inner = self.referred(shape.targets[name], value) if isinstance(value, KeyText) else ("", (value,))
            if inner is None:
                return None
            found += inner[1]
        return shape.record.name, tuple(found)

    def referred(self, target: str, key: str) -> Identity | None:
        """What a reference means; None where it cannot be the key of such a record."""
        if (target, key) not in self._identities:
            if target not in self._key_types:
                record = self.library.record(target)
                assert record is not None
                self._key_types[target] = types_of(self.library, record, self.library.key_paths(record))
            values = typed_key(str(key), self._key_types[target])
            self._identities[target, key] = None if values is None else (target, values)
        return self._identities[target, key]

    def place(self, wanted: _Wanted, placed: dict[Identity, _Wanted]) -> None:
        """Find what a record needs among those placed before it."""
        for name, identity in self.needed(wanted):
            if identity in self.known.refused:
                wanted.blocked += self.known.refused[identity]
                wanted.reasons += [(name, r) for r in self.known.refused[identity]]
            elif (need := placed.get(identity)) and need is not wanted:
                wanted.needs.setdefault(need, name)
        wanted.level = 1 + max((n.level for n in wanted.needs), default=-1)
        if wanted.identity:
            first = placed.setdefault(wanted.identity, wanted)
            if first is not wanted:
                # The file says it again: that is looked at when the first one is there.
                wanted.level = max(wanted.level, first.level + 1)

    def needed(self, wanted: _Wanted) -> Iterator[tuple[str, Identity]]:
        """What it refers to; a row also needs all that it names."""
        for name, target in wanted.shape.targets.items():
            value = wanted.given.get(name)
            if isinstance(value, KeyText) and (identity := self.referred(target, value)):
                yield name, identity
        for record, values in wanted.row.creates if wanted.is_row else ():
            if self.run.order[record] < self.run.order[wanted.shape.record.name] and (
                identity := self.identity(self.run.shape(record), values)
            ):
                yield "", identity

    # --- one level ---

    def settle(self, level: list[_Wanted]) -> None:
        for wanted in level:
            self.pass_on(wanted)
        self.resolve([w for w in level if not w.outcome])
        by_shape: dict[_Shape, list[_Wanted]] = defaultdict(list)
        for wanted in level:
            if not wanted.outcome:
                by_shape[wanted.shape].append(wanted)
        for shape, group in by_shape.items():
            if shape.has_key:
                self.find_by_key(shape, group)
            else:
                self.find_by_content(shape, group)
        self.create([w for w in level if not w.outcome])

    def pass_on(self, wanted: _Wanted) -> None:
        """Refuse what needs something that was refused."""
        for need, name in wanted.needs.items():
            if need.outcome == "refused":
                wanted.blocked += need.passed_on()
                wanted.reasons += [(name, r) for r in need.passed_on()]
        if wanted.reasons:
            wanted.blocked = list(dict.fromkeys(wanted.blocked))
            wanted.refuse(())

    def resolve(self, level: list[_Wanted]) -> None:
        found = resolve(self.gatherer, [w.request for w in level])
        for wanted, (request, reasons) in zip(level, found, strict=True):
            wanted.request = request
            if reasons:
                wanted.refuse((r.rule, r) for r in reasons)

    def create(self, level: list[_Wanted]) -> None:
        if not level:
            return
        roots = self.batch.piece(self.session, [w.request for w in level])
        for wanted, root in zip(level, roots, strict=True):
            wanted.outcome = "created"
            if root.reasons:
                wanted.refuse((("", r) for r in root.reasons), is_logged=True)

    # --- what is there ---

    def find_by_key(self, shape: _Shape, group: list[_Wanted]) -> None:
        ids = self.ids_of(shape, {shape.key(w.request.values) for w in group})
        there = [(w, ids[key]) for w in group if (key := shape.key(w.request.values)) in ids]
        for wanted, _ in there:
            wanted.outcome = "there"
        self.compare(shape, [(w, id_) for w, id_ in there if w.is_row])

    def ids_of(self, shape: _Shape, keys: set[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
        """The records that have these keys, references among them being numbers."""
        record = shape.record
        table = self.metadata.tables[record.name]
        columns = [table.c[n] for n in record.key]
        types = [record.fields[n].type for n in record.key]
        statement = select(table.c.id, *columns)
        if record.key_except:
            statement = statement.where(table.c.state.not_in(record.key_except))
        decode, found = decoder(types), {}
        for part in pieces(keys, VALUES_AT_ONCE // len(columns)):
            kept = [
                tuple(to_kept(v, t.kind) if SCALES.get(t.kind) else v for v, t in zip(k, types, strict=True))
                for k in part
            ]
            for id_, *values in self.session.rows(statement.where(tuple_(*columns).in_(kept))):
                found[tuple(decode(values))] = id_
        return {key: id_ for key, id_ in found.items() if key in keys}

    def compare(self, shape: _Shape, there: list[tuple[_Wanted, int]]) -> None:
        """Refuse the rows whose record was created with other values."""
        created_with = self.created_with(shape, [id_ for _, id_ in there])
        different = []
        for wanted, id_ in there:
            before, now = created_with.get(id_, {}), self.content(wanted)
            names = [n for n in now if before.get(n) != now[n]]
            if names:
                different.append((wanted, before, names))
        called = self.keys_of(
            (shape.targets[n], b[n]) for _, b, names in different for n in names if n in shape.targets and n in b
        )
        for wanted, before, names in different:
            said = [
                f"{n} {_shown(called.get((shape.targets.get(n, ''), before.get(n)), before.get(n)))}, "
                f"not {_shown(as_text(self.full(wanted)[n]) or None)}"
                for n in names
            ]
            message = f"There is already a {wanted.called} with {'; '.join(said)}."
            wanted.refuse([(names[0], Reason("key", message, shape.record.place))])

    def full(self, wanted: _Wanted) -> dict[str, Any]:
        """What the file says of a record: its values, and the defaults of columns that are empty."""
        given, defaults = wanted.given, wanted.shape.defaults
        there = wanted.row.raw if self.run.mapping.by_name else self.run.mapped
        return {
            n: given[n] if n in given else defaults[n]
            for n in wanted.shape.fields
            if n in given or (n in defaults and n in there)
        }

    def content(self, wanted: _Wanted) -> dict[str, Any]:
        """The same as the log holds it: references as numbers, amounts and dates as texts."""
        return {n: plain(wanted.request.values.get(n, v)) for n, v in self.full(wanted).items()}

    def content_text(self, wanted: _Wanted) -> str:
        return written(sorted(self.content(wanted).items()))

    def created_with(self, shape: _Shape, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
        """What records were created with, as the log holds it, by id."""
        log = self.metadata.tables[LOG]
        creations = select(log.c.record_id, log.c.reads, log.c.changes).where(
            log.c.record == shape.record.name, log.c.from_state == d.NOTHING
        )
        found = {}
        for part in parts(ids):
            for id_, reads, changes in self.session.rows(creations.where(log.c.record_id.in_(part))):
                # Another event may have created it: what that did not take, the rules have set.
                found[id_] = {**json.loads(changes), **json.loads(reads)["given"]}
        return found

    def find_by_content(self, shape: _Shape, group: list[_Wanted]) -> None:
        """The third row of one content is the third record that was created with it."""
        created_with = self.created_with(shape, self.candidates(shape, group)).values()
        names: dict[tuple[str, ...], Counter[str]] = {}
        for wanted in group:
            content = self.content(wanted)
            asked = tuple(sorted(content))
            if asked not in names:
                names[asked] = Counter(written([[n, c.get(n)] for n in asked]) for c in created_with)
            text = self.content_text(wanted)
            self._met[text] += 1
            if names[asked][text] >= self.known.met[text] + self._met[text]:
                wanted.outcome = "there"

    def candidates(self, shape: _Shape, group: list[_Wanted]) -> list[int]:
        """The records that may have been created with what the rows say, by the fields that nothing changes."""
        table = self.metadata.tables[shape.record.name]
        statement = select(table.c.id)
        rows = [{**self.full(w), **w.request.values} for w in group]
        for name in shape.lasting:
            if all(name in row for row in rows):
                type_ = shape.record.fields[name].type
                statement = statement.where(among(table.c[name], type_, {row[name] for row in rows}))
        return [id_ for (id_,) in self.session.rows(statement)]

    def keys_of(self, references: Iterable[tuple[str, Any]]) -> dict[tuple[str, Any], str]:
        """What records are called, by type and number."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for target, id_ in references:
            if id_ is not None:
                wanted[target].add(id_)
        found: dict[tuple[str, Any], str] = {}
        for target, ids in wanted.items():
            record = self.library.record(target)
            assert record is not None
            values = self.gatherer.values(target, tuple(self.library.key_paths(record)), ids)
            found |= {(target, i): "/".join(as_text(v) for v in values[i][:-1]) for i in ids if i in values}
        return found


def _shown(value: Any) -> str:
    return "none" if value is None else printable(str(plain(value)).lower() if isinstance(value, bool) else str(value))


def _root(wanted: _Wanted) -> Root:
    return Root(wanted.request, list(dict.fromkeys(r for _, r in wanted.reasons)))


def _place(text: str) -> Place:
    """The place that a text such as `a.yaml:3:1` stands for."""
    file, _, rest = text.partition(":")
    line, _, column = rest.partition(":")
    return Place(file, int(line), int(column)) if line.isdigit() and column.isdigit() else NOWHERE


def _no_key(creation: Creation) -> Diagnostic:
    said = f"`{creation.record}` has no key that its creation takes: it cannot be told whether it is missing"
    return Diagnostic("R180", said, creation.place, hint="import such records from a file of their own")
