"""A file becomes records: what is missing is created, what is there is skipped, every wrong row is told with why."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path

import pytest
from charter.engine import catalog
from charter.engine.application import Charter
from charter.engine.batch import Clock
from charter.engine.errors import InvalidPack, UsageFault
from charter.engine.firings import Request
from charter.engine.import_results import Imported, refused_file
from charter.engine.imports import import_files
from charter.engine.mapping_definitions import build_mapping, default_mapping
from charter.engine.store import Store
from support import real_data

CLOCK = Clock("2026-03-31T10:00:00.000000Z")

PACK = """
pack: books
doc: Books on the shelves of branches.
version: 0.1.0
folders: [.]
roles:
  clerk: {doc: Puts books on shelves.}
"""
RECORDS = """
record: branch
doc: A house with shelves.
key: [number]
workflows: [branch]
fields:
  number: {type: text, doc: Its number.}
---
record: shelf
doc: A shelf of a branch.
key: [branch, number]
workflows: [shelf]
fields:
  branch: {ref: branch, doc: Where it stands.}
  number: {type: whole, doc: Its number.}
---
record: book
doc: A book on a shelf.
key: [shelf, number]
workflows: [book]
fields:
  shelf:  {ref: shelf, doc: Where it stands.}
  number: {type: text, doc: Its number.}
  pages:  {type: number, doc: How many pages it has.}
  bought: {type: date, optional: true, doc: When it was bought.}
  cover:  {one_of: [soft, hard], default: soft, doc: Its cover.}
  before: {ref: book, optional: true, doc: The book that comes before it.}
---
record: reading
doc: Somebody read a book. It has no number.
workflows: [reading]
fields:
  book: {ref: book, doc: What was read.}
  day:  {type: date, doc: When it was read.}
  note: {type: text, optional: true, doc: What was thought of it.}
"""
WORKFLOWS = """
workflow: branch
doc: A branch is opened.
of: branch
states: {open: {doc: It is there.}}
transitions:
  - {event: create, from: nothing, to: open, who: {role: administrator}, takes: [number]}
---
workflow: shelf
doc: A shelf is put up.
of: shelf
states: {open: {doc: It is there.}}
transitions:
  - event: create
    from: nothing
    to: open
    who: [{role: administrator}, {role: clerk}]
    takes: [branch, number]
    require:
      - {that: "number < 100", else: "A branch has no shelf {number}."}
---
workflow: book
doc: A book is bought and counted again.
of: book
states: {there: {doc: It stands on its shelf.}}
transitions:
  - event: create
    from: nothing
    to: there
    who: [{role: administrator}, {role: clerk}]
    takes: [shelf, number, pages, bought, cover, before]
    require:
      - {that: "pages > 0", else: "A book has pages; {pages} is not enough."}
      - {that: "cover == 'soft' or pages < 5000", else: "{pages} pages are too many for a hard cover."}
      - {that: "shelf.number < 60 or this.cover == 'hard'", else: "So high up stand hard covers."}
  - {event: count, from: there, to: there, who: {role: clerk}, takes: [pages]}
---
workflow: reading
doc: A reading is noted.
of: reading
states: {noted: {doc: It was said.}}
transitions:
  - {event: create, from: nothing, to: noted, who: [{role: administrator}, {role: clerk}], takes: [book, day, note]}
  - {event: think, from: noted, to: noted, who: {role: clerk}, takes: [note]}
"""
MAPPINGS = """
mapping: delivery
doc: Books as they are delivered, with the shelves they go on.
to: book
file: {form: csv}
creates:
  - {record: shelf, fields: {branch: {from: Branch}, number: {from: Shelf}}}
  - {record: branch, fields: {number: {from: Branch}}}
fields:
  shelf:  {key: [{from: Branch}, {from: Shelf}]}
  number: {from: Number}
  pages:  {from: Pages}
  cover:  {from: Cover}
---
mapping: parcels
doc: The same, in German and repeated for each volume.
to: book
file: {form: csv, encoding: windows-1252, separator: ";"}
one_per: [Nummer]
must_agree: [Seiten]
creates:
  - {record: shelf, fields: {branch: {from: Ort}, number: {from: Regal}}}
fields:
  shelf:  {key: [{from: Ort}, {from: Regal}]}
  number: {from: Nummer}
  pages:  {from: Seiten, as: {decimal: ","}}
---
mapping: without_key
doc: Cannot work, since a reading has no key.
to: book
creates:
  - {record: reading, fields: {book: {value: X}, day: {from: Day}}}
fields:
  shelf:  {from: Shelf}
  number: {from: Number}
  pages:  {value: "1"}
"""
DELIVERY = "Branch,Shelf,Number,Pages,Cover\n"


class Books:
    """A store of the pack above, in which adm may do everything and cleo is a clerk."""

    def __init__(self, folder: Path, url: str = "sqlite://") -> None:
        self.folder = folder
        texts = {"pack": PACK, "records": RECORDS, "workflows": WORKFLOWS, "mappings": MAPPINGS}
        for name, text in texts.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        self.pack = catalog.load(folder)
        self.charter = Charter(Store(url), "root", CLOCK)
        self.charter.init(self.pack, "adm", demonstration=True)
        self.take("actor", "number,name\ncleo,Cleo\n")
        self.take("role_grant", "actor,role,from\nadm,clerk,2026-01-01\ncleo,clerk,2026-01-01\n")

    def file(self, text: str, name: str = "in.csv", encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.write_text(text, encoding=encoding)
        return path

    def take(self, record: str, text: str | Path, mapping: str = "", actor: str = "adm", **options: object) -> Imported:
        path = text if isinstance(text, Path) else self.file(text)
        plan = bool(options.pop("plan", False))
        library = self.charter.rules.library
        found = library.record(record)
        assert found is not None
        document = self.pack.find("mapping", mapping)
        by_name = default_mapping(record, library.creation_fields(found))
        used = build_mapping(document) if document else by_name
        batch = self.charter.batch(self.charter.actor(actor), plan=plan)
        return import_files(batch, used, {"": path}, **options)  # type: ignore[arg-type]

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.charter.store.transaction() as session:
            return [tuple(row) for row in session.connection.exec_driver_sql(sql)]

    def count(self, table: str) -> object:
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]

    def fire(self, record: str, event: str, id_: int, **values: object) -> None:
        batch = self.charter.batch(self.charter.actor("cleo"))
        (root,) = batch.chunk([Request(record, event, id_, values)])
        assert not root.reasons


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.charter.store.close()


def said(result: Imported) -> list[tuple[int, str, str]]:
    return [(p.line, p.column, p.message) for p in result.problems]


# --- what is created -------------------------------------------------------------------------------------------------


def test_what_rows_name_is_created_before_them_and_once(books: Books) -> None:
    result = books.take("book", DELIVERY + "N,1,a,10,hard\nN,1,b,20,\nN,2,c,30,\n", "delivery")
    assert result.created == {"branch": 1, "shelf": 2, "book": 3}
    assert (result.rows, result.skipped, result.refused, result.is_written) == (3, 0, 0, True)
    assert books.rows("SELECT number, cover FROM book ORDER BY id") == [("a", "hard"), ("b", "soft"), ("c", "soft")]


def test_the_log_names_the_file_and_line_of_everything_created(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\nN,1,b,20,\nN,2,c,30,\n", "delivery")
    found = books.rows("SELECT record, source FROM charter_log WHERE record <> 'role_grant' ORDER BY id")
    path = books.folder / "in.csv"
    assert found[-6:] == [
        ("branch", f"{path}:2"), ("shelf", f"{path}:2"), ("shelf", f"{path}:4"),
        ("book", f"{path}:2"), ("book", f"{path}:3"), ("book", f"{path}:4"),
    ]  # fmt: skip


def test_a_row_may_refer_to_an_earlier_one(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\n", "delivery")
    result = books.take("book", "shelf,number,pages,before\nN/1,b,1,N/01/a\nN/1,c,1,N/01/b\nN/1,d,1,N/1/c\n")
    assert result.created == {"book": 3}
    later = books.take("book", "shelf,number,pages,before\nN/1,x,1,N/1/y\nN/1,y,1,\n", skip_refused=True)
    assert said(later) == [(2, "before", "There is no book `N/1/y`, given as before.")]


def test_an_earlier_row_may_lie_in_an_earlier_chunk(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\n", "delivery")
    rows = "".join(f"N/1,b{i},1,N/1/{f'b{i - 1}' if i else 'a'}\n" for i in range(7))
    for options in ({"skip_refused": True}, {}):
        result = books.take("book", "shelf,number,pages,before\n" + rows, chunk=3, **options)
        assert not result.problems
    assert books.count("book") == 8


# --- the same again --------------------------------------------------------------------------------------------------


def test_the_same_file_again_is_skipped_whatever_became_of_its_records(books: Books) -> None:
    text = DELIVERY + "N,1,a,10,\nN,1,b,20.50,hard\n"
    books.take("book", text, "delivery")
    books.fire("book", "count", 1, pages=11)
    again = books.take("book", text.replace("20.50", "20.5"), "delivery")
    assert (again.created, again.skipped, again.refused, again.rows) == ({}, 2, 0, 2)
    assert not again.is_written


def test_other_content_under_the_same_key_is_refused_with_what_differs(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\nN,1,b,20,hard\n", "delivery")
    again = books.take("book", DELIVERY + "N,1,a,8,hard\nN,1,b,20,\n", "delivery")
    assert said(again) == [
        (2, "Pages", "There is already a book N/1/a with pages 10, not 8; cover soft, not hard."),
        (3, "Cover", "There is already a book N/1/b with cover hard, not soft."),
    ]
    assert again.problems[0].column_number == 4
    assert "records.yaml:" in again.problems[0].rule


def test_a_reference_that_differs_is_said_by_its_key(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\nN,1,b,10,\nN,1,c,1,\n", "delivery")
    books.take("book", "shelf,number,pages,before,bought\nN/1,d,1,N/1/a,2026-01-02\n")
    again = books.take("book", "shelf,number,pages,before,bought\nN/1,d,1,N/1/b,\n")
    assert said(again)[0][2] == (
        "There is already a book N/1/d with bought 2026-01-02, not none; before N/1/a, not N/1/b."
    )


def test_only_what_the_file_says_is_compared(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,hard\n", "delivery")
    assert books.take("book", "shelf,number,pages\nN/1,a,10\n").skipped == 1
    assert books.take("book", "shelf,number,pages,cover\nN/1,a,10,\n").refused == 1


def test_a_row_that_stands_twice_is_skipped_or_refused(books: Books) -> None:
    result = books.take("book", DELIVERY + "N,1,a,10,\nN,1,a,10,soft\nN,1,a,11,\n", "delivery", skip_refused=True)
    assert (result.created["book"], result.skipped) == (1, 1)
    assert said(result) == [(4, "Pages", "There is already a book N/1/a with pages 10, not 11.")]


def test_records_without_a_key_are_known_by_what_the_file_says(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,10,\n", "delivery")
    text = "book,day,note\nN/1/a,2026-01-01,good\nN/1/a,2026-01-01,good\nN/1/a,2026-01-02,\n"
    assert books.take("reading", text).created == {"reading": 3}
    books.fire("reading", "think", 1, note="bad")
    for chunk in (1, 2, 1000):
        again = books.take("reading", text, chunk=chunk)
        assert (again.created, again.skipped) == ({}, 3)
    more = text + "N/1/a,2026-01-01,good\nN/1/a,2026-01-01,bad\n"
    assert books.take("reading", more, chunk=2, skip_refused=True).created == {"reading": 2}
    assert books.take("reading", more).skipped == 5


# --- what is refused -------------------------------------------------------------------------------------------------


WRONG = DELIVERY + "N,1,a,10,\nN,1,b,many,\nN,2,c,-1,\nN,100,d,1,\nN,1,e,5,soft\n"


def test_a_requirement_names_a_column_where_it_rests_on_that_alone(books: Books) -> None:
    rows = ("N,1,a,-1,soft", "N,1,b,9000,hard", "N,70,c,10,soft")
    told = said(books.take("book", DELIVERY + "".join(f"{row}\n" for row in rows), "delivery"))
    assert told == [
        (2, "Pages", "A book has pages; -1 is not enough."),
        (3, "", "9000 pages are too many for a hard cover."),
        (4, "", "So high up stand hard covers."),
    ]


def test_every_wrong_row_is_told_in_one_report(books: Books) -> None:
    result = books.take("book", WRONG, "delivery")
    told = said(result)
    assert [line for line, _, _ in told] == [3, 4, 5]
    assert "`many` is not a number" in told[0][2]
    assert told[1:] == [
        (4, "Pages", "A book has pages; -1 is not enough."),
        (5, "Branch", "A branch has no shelf 100; so shelf N/100 is not created."),
    ]
    files = [Path(p.rule.partition(":")[0]).name for p in result.problems]
    assert files == ["mappings.yaml", "workflows.yaml", "workflows.yaml"]
    assert (result.refused, result.rows) == (3, 5)


def test_if_anything_is_wrong_nothing_is_written_but_the_refusals(books: Books) -> None:
    before = books.count("charter_log")
    result = books.take("book", WRONG, "delivery")
    assert not result.is_written
    assert [books.count(t) for t in ("branch", "shelf", "book")] == [0, 0, 0]
    assert books.count("charter_log") == before
    found = books.rows("SELECT record, event, source FROM charter_refusal ORDER BY source")
    path = books.folder / "in.csv"
    expected = [("book", 3), ("book", 4), ("book", 5), ("shelf", 5)]
    assert sorted(found) == [(r, "create", f"{path}:{line}") for r, line in expected]


def test_refused_rows_are_set_aside_with_what_only_they_would_have_created(books: Books) -> None:
    result = books.take("book", WRONG, "delivery", skip_refused=True)
    assert result.created == {"branch": 1, "shelf": 1, "book": 2}
    assert (result.refused, result.is_written) == (3, True)
    assert books.rows("SELECT number FROM book ORDER BY number") == [("a",), ("e",)]
    assert books.rows("SELECT number FROM shelf") == [(1,)]
    assert books.count("charter_refusal") == 4


def test_what_is_created_is_never_said_to_come_from_a_refused_row(books: Books) -> None:
    books.take("book", DELIVERY + "N,1,a,-1,\nN,1,b,1,\n", "delivery", skip_refused=True)
    sources = books.rows("SELECT DISTINCT source FROM charter_log WHERE record IN ('branch', 'shelf')")
    assert sources == [(f"{books.folder / 'in.csv'}:3",)]


def test_who_may_not_create_what_the_rows_name_cannot_import_them(books: Books) -> None:
    for chunk in (1, 1000):
        result = books.take(
            "book", DELIVERY + "N,1,a,1,\nN,1,b,1,\n", "delivery", "cleo", skip_refused=True, chunk=chunk
        )
        assert not result.created
        assert [line for line, _, _ in said(result)] == [2, 3]
        why = "cleo may not `create` branch N; it is for role administrator; so branch N is not created."
        assert {message for _, _, message in said(result)} <= {why, why.replace("role ", "")}
    assert books.count("charter_refusal") == 2 * 4


def test_an_unknown_reference_is_told_with_its_column(books: Books) -> None:
    result = books.take("book", "number,pages,shelf\na,1,N/1\n")
    (problem,) = result.problems
    assert str(problem).startswith(f"{books.folder / 'in.csv'}:2: column `shelf` (3): There is no shelf `N/1`")


def test_a_plan_tells_everything_and_writes_nothing(books: Books) -> None:
    before = books.count("charter_log")
    for skips, shelves in ((True, 1), (False, 2)):
        result = books.take("book", WRONG, "delivery", plan=True, skip_refused=skips, chunk=2)
        assert result.created == {"branch": 1, "shelf": shelves, "book": 2}
        assert (result.refused, result.is_written) == (3, False)
    assert (books.count("book"), books.count("charter_refusal"), books.count("charter_log")) == (0, 0, before)


# --- mending ---------------------------------------------------------------------------------------------------------


def test_refused_rows_are_mended_and_imported_again(books: Books) -> None:
    result = books.take("book", WRONG, "delivery", skip_refused=True)
    out = books.folder / "out.csv"
    assert refused_file(out, result) == 3
    rows = list(csv.reader(out.open(encoding="utf-8")))
    assert rows[0] == ["Branch", "Shelf", "Number", "Pages", "Cover", "refused_because"]
    assert rows[2] == ["N", "2", "c", "-1", "", "A book has pages; -1 is not enough."]
    mended = out.read_text(encoding="utf-8").replace("many", "7").replace("N,2,c,-1", "N,2,c,1")
    again = books.take("book", books.file(mended, "mended.csv"), "delivery", skip_refused=True)
    assert (again.created, again.refused) == ({"shelf": 1, "book": 2}, 1)
    assert refused_file(out, again) == 1
    assert out.read_text(encoding="utf-8").splitlines()[0].count("refused_because") == 1


def test_a_file_by_name_is_mended_in_the_same_way(books: Books) -> None:
    result = books.take("branch", 'number\nA\n""\n', skip_refused=True)
    out = books.folder / "out.csv"
    assert refused_file(out, result) == 1
    mended = out.read_text(encoding="utf-8").replace('\n"",', "\nB,").replace("\n,", "\nB,")
    assert books.take("branch", books.file(mended)).created == {"branch": 1}


def test_all_rows_of_a_refused_record_are_written_as_the_mapping_reads_them(books: Books) -> None:
    books.take("branch", "number\nKöln\n")
    text = "Ort;Regal;Nummer;Seiten\nKöln;1;ä;1,5\nKöln;1;b;-2\nKöln;1;ä;1,5\nKöln;2;b;-2\nKöln;1;c;3\nKöln;1;c;4\n"
    path = books.file(text, encoding="windows-1252")
    result = books.take("book", path, "parcels", skip_refused=True)
    assert result.created == {"shelf": 1, "book": 1}
    out = books.folder / "out.csv"
    assert refused_file(out, result) == 4
    rows = list(csv.reader(out.open(encoding="windows-1252"), delimiter=";"))
    assert [";".join(row[:-1]) for row in rows[1:]] == ["Köln;1;b;-2", "Köln;2;b;-2", "Köln;1;c;3", "Köln;1;c;4"]
    mended = out.read_text(encoding="windows-1252").replace("-2", "2").replace(";4;", ";3;")
    again = books.take("book", books.file(mended, encoding="windows-1252"), "parcels")
    assert again.created == {"shelf": 1, "book": 2}


def test_nothing_refused_makes_no_file_and_the_imported_file_is_never_written(books: Books) -> None:
    result = books.take("branch", "number\nA\n")
    assert refused_file(books.folder / "out.csv", result) == 0
    assert not (books.folder / "out.csv").exists()
    with pytest.raises(UsageFault, match="is the file that is imported"):
        refused_file(books.folder / "in.csv", result)


# --- chunks ----------------------------------------------------------------------------------------------------------


def test_progress_is_told_after_each_chunk(books: Books) -> None:
    seen: list[tuple[int, int]] = []
    rows = "".join(f"{i}\n" for i in range(5))
    books.take("branch", "number\n" + rows, chunk=2, on_progress=lambda r: seen.append((r.rows, r.created["branch"])))
    assert seen == [(2, 2), (4, 4), (5, 5)]


@pytest.mark.parametrize("text", ["book", "reading"])
def test_the_statements_depend_on_chunks_and_not_on_rows(books: Books, text: str) -> None:
    books.take("book", DELIVERY + "N,1,first,10,\n", "delivery")

    def statements(first: int, count: int) -> int:
        numbers = range(first, first + count)
        books_text = DELIVERY + "".join(f"N,{i % 5},{i},10,\n" for i in numbers)
        readings = "book,day,note\n" + "".join(f"N/1/first,2026-01-01,{i}\n" for i in numbers)
        before = books.charter.store.statements
        by_type = {"book": (books_text, "delivery"), "reading": (readings, "")}
        result = books.take(text, *by_type[text])
        assert result.rows == count
        return books.charter.store.statements - before

    statements(0, 10)  # The shelves.
    reserving = 8  # Numbers are reserved in blocks, which may grow.
    assert statements(100, 700) <= statements(10, 10) + reserving
    assert statements(100, 700) == statements(10, 10)  # All of them are there now.


def test_a_mapping_that_cannot_tell_what_is_missing_is_refused(books: Books) -> None:
    with pytest.raises(InvalidPack, match="`reading` has no key"):
        books.take("book", "Shelf,Number,Day\n", "without_key")


# --- on PostgreSQL, and real hours -----------------------------------------------------------------------------------


def test_postgresql_does_the_same(own_database: str, tmp_path: Path) -> None:
    books = Books(tmp_path, own_database)
    result = books.take("book", WRONG, "delivery", skip_refused=True, chunk=2)
    assert result.created == {"branch": 1, "shelf": 1, "book": 2}
    assert books.rows("SELECT number FROM book ORDER BY number") == [("a",), ("e",)]
    assert books.count("charter_refusal") == 4
    mended = WRONG.replace("many", "7").replace("-1", "1").replace("N,100", "N,10")
    assert not books.take("book", WRONG, "delivery").is_written
    assert books.take("book", mended, "delivery").created == {"shelf": 2, "book": 3}
    assert books.take("book", mended, "delivery").skipped == 5
    text = "book,day\nN/1/a,2026-01-01\nN/1/a,2026-01-01\n"
    assert books.take("reading", text).created == {"reading": 2}
    assert books.take("reading", text).skipped == 2
    books.charter.store.close()


def test_several_may_import_the_same_file_at_once(own_database: str, tmp_path: Path) -> None:
    books = Books(tmp_path, own_database)
    path = books.file(DELIVERY + "".join(f"N,{i % 7},{i},10,\n" for i in range(200)))

    def work(_: int) -> Imported:
        other = copy(books)
        other.charter = Charter(Store(own_database), "root", CLOCK)
        return other.take("book", path, "delivery", skip_refused=True, chunk=50)

    with ThreadPoolExecutor(3) as threads:
        results = list(threads.map(work, range(3)))
    assert [r.refused for r in results] == [0, 0, 0]
    assert sum(r.created["book"] for r in results) == books.count("book") == 200
    assert books.count("shelf") == 7
    books.charter.store.close()


def test_all_hours_of_a_real_company_come_in_once() -> None:
    hours, examples = real_data("sip-effort"), catalog.library().root / "examples" / "sip_effort"
    pack = catalog.load(examples)
    charter = Charter(Store("sqlite://"), "root", CLOCK)
    charter.init(pack, "adm", demonstration=True)
    log = {"": hours / "Sip-task-info.csv", "dates": hours / "est-act-dates.csv"}

    def take(record: str, actor: str = "pat", **options: object) -> Imported:
        found = charter.rules.library.record(record)
        assert found is not None
        document = pack.find("mapping", {"task": "sip_tasks", "hour_journal_line": "sip_hours"}.get(record, ""))
        by_name = default_mapping(record, charter.rules.library.creation_fields(found))
        mapping, files = (build_mapping(document), log) if document else (by_name, {"": examples / f"{record}s.csv"})
        return import_files(charter.batch(charter.actor(actor)), mapping, files, **options)  # type: ignore[arg-type]

    take("actor", "adm")
    take("role_grant", "adm")
    created = take("task").created + take("hour_journal_line", skip_refused=True).created
    assert {n: created[n] for n in ("project", "task", "worker", "hour_journal_line")} == {
        "project": 20, "task": 10_266, "worker": 22, "hour_journal_line": 12_299,
    }  # fmt: skip
    again = take("hour_journal_line")
    assert (again.created, again.skipped, again.refused) == ({}, 12_299, 0)
    assert take("task").skipped == 10_266
    with charter.store.transaction() as session:
        hours = session.connection.exec_driver_sql("SELECT sum(hours) FROM hour_journal_line").scalar()
    assert hours == 95_001_980_000
    charter.store.close()
