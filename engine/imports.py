"""Imports the rows of a file: each becomes a record by its creation event, or is there already, or is refused.

`mappings` reads the rows, `import_chunks` creates the records. Here is said which of it is one transaction, and what is
said of the rows that were refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .batch import Batch, pieces
from .errors import NOWHERE, Diagnostic, InvalidPack, place_in
from .firings import Reason, Request, Root
from .import_chunks import Chunk
from .import_results import Done, Imported, Known
from .import_shapes import Shapes, Wanted
from .mapping_definitions import Creation
from .mapping_definitions import Mapping as FileMapping
from .mappings import MappedRow, RowProblem, map_file
from .store import Session

CHUNK = 1000


def import_files(
    batch: Batch,
    mapping: FileMapping,
    files: Mapping[str, Path],
    skip_refused: bool = False,
    chunk: int = CHUNK,
    acknowledged: frozenset[str] = frozenset(),
    on_progress: Callable[[Imported], None] = lambda _: None,
) -> Imported:
    """Create the records that a file holds; `files` gives the main file under "" and others by their name in `beside`.

    Everything is one transaction, and if a row is refused nothing is written but the refusal log. With `skip_refused`
    each chunk of rows is a transaction, and a refused row is set aside together with what only it would have created.
    With the batch's plan everything is done and nothing written. `acknowledged` names the warnings that are accepted.

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
    return _Import(batch, mapping, files, skip_refused, chunk, acknowledged, on_progress).run()


class _TakenBack(Exception):
    """Takes a transaction back and carries its outcome out of it."""

    def __init__(self, known: Known) -> None:
        self.known = known


@dataclass
class _Import:
    """One import of a file."""

    batch: Batch
    mapping: FileMapping
    files: Mapping[str, Path]
    skips: bool
    size: int
    acknowledged: frozenset[str]
    on_progress: Callable[[Imported], None]
    shapes: Shapes = field(init=False)

    def __post_init__(self) -> None:
        self.shapes = Shapes(self.batch.rules.library, self.mapping, self.acknowledged)

    def run(self) -> Imported:
        self.shapes.of(self.mapping.to)
        for creation in self.mapping.creates:
            if not self.shapes.of(creation.record).has_key:
                raise InvalidPack([_no_key(creation)])
        in_one = self.batch.plan or not self.skips
        result = (self.all_in_one() if in_one else self.chunk_by_chunk()).result
        result.sort()
        return result

    # --- transactions ---

    def begin(self) -> tuple[Known, Iterator[list[MappedRow | RowProblem]]]:
        rows = map_file(self.mapping, self.shapes.row.fields, self.files, self.shapes.fields)
        return Known(Imported(self.mapping.to, self.mapping, self.files)), pieces(rows, self.size)

    def all_in_one(self) -> Known:
        def work(session: Session) -> Known:
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

    def chunk_by_chunk(self) -> Known:
        known, chunks = self.begin()
        for items in chunks:
            done = self.batch.within(lambda session, items=items: self.chunk(session, items, known))  # type: ignore[misc]
            known.add(done, keeps_roots=False)
            known.result.is_written |= bool(done.created)
            self.on_progress(known.result)
        return known

    def chunk(self, session: Session, items: Sequence[MappedRow | RowProblem], known: Known) -> Done:
        """Write what stands of a chunk and the reasons of what does not.

        A refused row leaves nothing: where something was created on its behalf the chunk is done again without it.
        """
        rows = [i for i in items if isinstance(i, MappedRow)]
        set_aside: list[Wanted] = []
        while True:
            savepoint = session.connection.begin_nested()
            chunk = Chunk(self.batch, self.shapes, session, known, rows)
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

    def finished(self, session: Session, chunk: Chunk, refused: list[Wanted], problems: list[RowProblem]) -> Done:
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

    def told(self, refused: list[Wanted]) -> Iterator[RowProblem]:
        """What stands against the rows; a record that a row names is said with the row, and once."""
        told: set[tuple[int, str]] = set()
        for wanted in sorted(refused, key=lambda w: not w.is_row):
            reasons = wanted.reasons if wanted.is_row else [("", r) for r in wanted.passed_on()]
            for name, reason in reasons:
                if (wanted.row.line, reason.message) not in told:
                    told.add((wanted.row.line, reason.message))
                    yield self.problem(wanted.row, name, reason)

    def problem(self, row: MappedRow, name: str, reason: Reason) -> RowProblem:
        mapped = self.shapes.mapped
        column = next((c.text for c in mapped[name].all_columns()), "") if name in mapped else ""
        number = list(row.raw).index(column) + 1 if column in row.raw else 0
        place = "" if reason.place == NOWHERE else str(reason.place)
        return RowProblem(row.file, row.line, column, number, reason.message, place, row.raw)

    def unreadable(self, problems: Sequence[RowProblem]) -> list[Root]:
        """Rows that could not be read, as the refusal log keeps them."""
        by_row: dict[tuple[str, int], list[Reason]] = defaultdict(list)
        for p in problems:
            by_row[p.file, p.line].append(Reason("mapping", p.message, place_in(p.rule)))
        shape = self.shapes.row
        return [
            Root(Request(shape.record.name, shape.event, None, {}, f"{file}:{line}"), reasons)
            for (file, line), reasons in by_row.items()
        ]


def _root(wanted: Wanted) -> Root:
    return Root(wanted.request, list(dict.fromkeys(r for _, r in wanted.reasons)))


def _no_key(creation: Creation) -> Diagnostic:
    said = f"`{creation.record}` has no key that its creation takes: it cannot be told whether it is missing"
    return Diagnostic("R180", said, creation.place, hint="import such records from a file of their own")
