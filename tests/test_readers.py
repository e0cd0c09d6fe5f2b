"""Files become raw rows with their lines, or are refused with file, line and what would be accepted."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path

import pytest
from charter.engine.errors import InvalidInput
from charter.engine.readers import columns_in, read_rows
from charter.engine.source import printable
from support import real_data


def written(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, **how: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(read_rows(path, **how))
    return str(caught.value).replace(f"{path.parent}{os.sep}", "")


# csv


def test_a_row_knows_the_line_it_begins_on_and_the_number_of_each_column(tmp_path: Path) -> None:
    path = written(tmp_path, 'a,b\n1,"two\nlines"\n\n3,"say ""x"""\n')
    rows = list(read_rows(path))
    assert [(r.line, r.values) for r in rows] == [(2, {"a": "1", "b": "two\nlines"}), (5, {"a": "3", "b": 'say "x"'})]
    assert rows[0].columns == {"a": 1, "b": 2}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert columns_in(written(tmp_path, b"\xef\xbb\xbfa,b\r\n1,2\r\n")) == ("a", "b")
    assert columns_in(written(tmp_path, "a,b\n".encode("utf-16")), encoding="utf-16") == ("a", "b")


def test_a_line_separator_within_a_text_does_not_end_the_row(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\nx\u2028y\x0bz,2\n")
    assert [r.values["a"] for r in read_rows(path)] == ["x\u2028y\x0bz"]


def test_the_separator_is_told_or_follows_from_the_name(tmp_path: Path) -> None:
    assert columns_in(written(tmp_path, "a;b\n"), separator=";") == ("a", "b")
    assert columns_in(written(tmp_path, "a\tb\n"), separator="tab") == ("a", "b")
    assert columns_in(written(tmp_path, "a\tb\n", "file.tsv")) == ("a", "b")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "file.csv:1: the file is empty; its first row names the columns"),
        ("a,a\n", "file.csv:1: columns 1 and 2 are both named `a`; rename one"),
        ("a,\n", "file.csv:1: column 2 has no name; the first row names every column"),
        ("a,b\n1,2\n3\n", "file.csv:3: 1 field where the header has 2; there is none for `b`"),
        ("a,b\n1,2,3\n", "file.csv:2: 3 fields where the header has 2; `3` is too many"),
        ('a,b\n1,2\n3,"4\n5,6\n', "file.csv:3: this row is not csv: a quote is opened and not closed"),
        ('a,b\n1,"2"3\n', "file.csv:2: this row is not csv: behind a closing quote stands a separator"),
        ("a,b\r1,2\r", "file.csv:1: this row is not csv: a carriage return stands alone"),
        ("a,b\n1,\0\n", "file.csv:2: a NUL character; only text is read"),
        (b"a,b\n1,2\n\x92,3\n", "file.csv:3: the byte 0x92 at offset 8 is not utf-8; save the file as utf-8, or say"),
    ],
)
def test_a_csv_that_is_not_certain_is_refused_with_its_line(tmp_path: Path, content: str | bytes, said: str) -> None:
    assert refusal(written(tmp_path, content)).startswith(said)


def test_all_rows_with_too_many_fields_or_too_few_are_told_at_once(tmp_path: Path) -> None:
    first, second = refusal(written(tmp_path, "a,b\n1\n1,2\n3,4,5\n")).splitlines()
    assert first.startswith("file.csv:2: 1 field where")
    assert second.startswith("file.csv:4: 3 fields where")
    many = refusal(written(tmp_path, "a,b\n" + "1\n" * 30)).splitlines()
    assert (len(many), many[-1]) == (11, "file.csv: so are 20 rows more")


def test_a_wrong_byte_far_into_a_file_has_its_line_and_offset(tmp_path: Path) -> None:
    rows = b"a,b\n" + b"x,\xc3\xa9\n" * 100_000
    said = refusal(written(tmp_path, rows + b"x,\x81\n"))
    assert said.startswith(f"file.csv:100002: the byte 0x81 at offset {len(rows) + 2} is not utf-8")


def test_what_is_no_form_encoding_separator_or_file_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a\n")
    assert "`xls` is not a form of file; possible are csv, json" in refusal(path, form="xls")
    assert "does not say which form" in refusal(written(tmp_path, "a\n", "file.dat"))
    assert "`utf-99` is not an encoding" in refusal(path, encoding="utf-99")
    assert "`rot13` is not an encoding" in refusal(path, encoding="rot13")
    assert "file.csv:1: this is not utf-16: UTF-16 stream does not start with BOM" in refusal(path, encoding="utf-16")
    assert "`separator` is one character" in refusal(path, separator="||")
    assert "cannot be read: No such file" in refusal(tmp_path / "none.csv")
    assert "cannot be read: Is a directory" in refusal(tmp_path, form="csv")


def test_memory_does_not_grow_with_a_csv_file(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n" + "some text,12.50\n" * 100_000)
    tracemalloc.start()
    assert sum(1 for _ in read_rows(path)) == 100_000
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 1_500_000
    assert most < 1_000_000


def test_a_message_shows_nothing_that_steers_a_terminal() -> None:
    assert printable("a\x1b[31mb\nc") == "a\\x1b[31mb c"


# json


def test_json_numbers_stay_their_text_and_nested_names_are_dotted(tmp_path: Path) -> None:
    content = '[\n{"a": 0.10, "b": {"c": 12345678901234567890.123456, "d": true}, "e": null, "f": [1]},\n{"a": "x"}]'
    rows = list(read_rows(written(tmp_path, content, "file.json")))
    assert rows[0].values == {"a": "0.10", "b.c": "12345678901234567890.123456", "b.d": "true", "e": None}
    assert [row.line for row in rows] == [2, 3]
    assert columns_in(tmp_path / "file.json") == ("a", "b.c", "b.d", "e")


def test_the_rows_of_a_json_file_may_stand_deep_in_it(tmp_path: Path) -> None:
    content = '{"z": {"n": [1]},\n "a": {"b": [\n{"c": 1},\n{"c": 2}\n]}, "y": 1}'
    rows = list(read_rows(written(tmp_path, content, "file.json"), rows_path="a.b"))
    assert [(row.line, row.values) for row in rows] == [(3, {"c": "1"}), (4, {"c": "2"})]


@pytest.mark.parametrize(
    ("content", "rows_path", "said"),
    [
        ('{"a": []}', "", "file.json:1: here stands no list of rows; `rows` says where it is"),
        ('{"rows": []}', "row", "file.json:1: there is no `row` on the way to the rows, `row`; did you mean `rows`?"),
        ("[\n1]", "", "file.json:2: a row is an object, `{…}`, not `1`"),
        ('[{"a": 1}\n{"a": 2}]', "", "file.json:2: this is not json: `,` is missing"),
        ('[{"a": 1},\n{"a": }]', "", "file.json:2: this is not json: expecting value"),
        ('[{"a": 1, "a": 2}]', "", "file.json:1: the name `a` stands twice in one object"),
        ('[{"a.b": 1, "a": {"b": 2}}]', "", "file.json:1: the name `a.b` stands twice in one row"),
        ('{"a": [], "a": []}', "a", "file.json:1: the name `a` stands twice in one object"),
        ('[{"a": NaN}]', "", "file.json:1: `NaN` is not a number"),
        ('[{"a": "\\u0000"}]', "", "file.json:1: `\\x00` holds a NUL or half a character"),
        ('[{"a": "\\ud800"}]', "", "file.json:1: `\\ud800` holds a NUL or half a character"),
        ("[]\nx", "", "file.json:2: this is not json: something stands behind the end"),
        ("[" * 200_000, "", "file.json:1: values are nested too deep"),
        ("[" + '{"a":' * 60 + "1" + "}" * 60 + "]", "", "file.json:1: objects are nested more than 50 deep"),
    ],
)
def test_a_json_that_is_not_certain_is_refused_with_its_line(
    tmp_path: Path, content: str, rows_path: str, said: str
) -> None:
    assert refusal(written(tmp_path, content, "file.json"), rows_path=rows_path).startswith(said)


def test_json_lines_are_one_object_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, '{"a": 1.50}\n\n{"a": {"b": "x"}}\n', "file.jsonl")
    assert [(row.line, row.values) for row in read_rows(path)] == [(1, {"a": "1.50"}), (3, {"a.b": "x"})]
    assert refusal(written(tmp_path, '{"a": 1}\n{"a": 1}{', "file.jsonl")).startswith("file.jsonl:2: this is not json")


# xml


def test_attributes_children_and_repeated_children_become_columns(tmp_path: Path) -> None:
    content = """<?xml version="1.0" encoding="windows-1252"?>
<log><head/><tasks>
  <task id="1"><name lang="en">Caf\xe9</name><part><x>1</x></part><part><x>2</x></part><none/></task>
  <task id="2">text</task>
</tasks></log>"""
    path = written(tmp_path, content.encode("windows-1252"), "file.xml")
    first, second = read_rows(path, rows_path="log/tasks/task")
    assert (first.line, second.line) == (3, 4)
    assert first.values == {"@id": "1", "name": "Café", "name.@lang": "en", "part.x": "1", "part[2].x": "2",
                            "none": None}  # fmt: skip
    assert second.values == {"@id": "2", ".": "text"}
    assert [row.values for row in read_rows(path, rows_path="log.tasks.task")] == [first.values, second.values]


def test_without_a_path_the_rows_are_what_stands_in_the_outermost_element(tmp_path: Path) -> None:
    path = written(tmp_path, "<a><b><c>1</c></b><b><c>2</c></b></a>", "file.xml")
    assert [row.values for row in read_rows(path)] == [{"c": "1"}, {"c": "2"}]
    assert list(read_rows(written(tmp_path, "<a></a>", "file.xml"))) == []


@pytest.mark.parametrize(
    ("content", "rows_path", "said"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]>\n<a>&b;</a>', "", "file.xml:1: a DOCTYPE is not read"),
        ("<a>\n<b></a>", "", "file.xml:2: this is not xml: mismatched tag"),
        ("<a><b/></a>", "a/c/d", "file.xml:1: the elements of `rows`, `a/c/d`, are not in this file; there are a, a/b"),
        ("<a><b/></a>", "x", "file.xml:1: the elements of `rows`, `x`, are not in this file; there are a, a/b"),
        ("<a>" * 60, "", "file.xml:1: elements are nested more than 50 deep"),
        ("", "", "file.xml:1: this is not xml: no element found"),
        ('<?xml version="1.0" encoding="shift_jis"?><a/>', "", "file.xml:1: its encoding cannot be read in xml"),
        ('<?xml version="1.0" encoding="utf-99"?><a/>', "", "file.xml:1: its encoding cannot be read in xml"),
        ("<a>&b;</a>", "", "file.xml:1: this is not xml: undefined entity"),
    ],
)
def test_an_xml_that_is_not_certain_is_refused_with_its_line(
    tmp_path: Path, content: str, rows_path: str, said: str
) -> None:
    assert refusal(written(tmp_path, content, "file.xml"), rows_path=rows_path).startswith(said)


# what is packed


def test_a_file_is_unpacked_by_what_is_in_it_not_by_its_name(tmp_path: Path) -> None:
    packed = gzip.compress(b"a,b\n1,2\n")
    for name in ("file.csv", "file.csv.gz"):
        assert [row.values for row in read_rows(written(tmp_path, packed, name))] == [{"a": "1", "b": "2"}]
    assert columns_in(written(tmp_path, gzip.compress(b"a\tb\n"), "file.tsv.gz")) == ("a", "b")


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (gzip.compress(b"a,b\n1,2\n" * 50)[:-20], "file.csv", "file.csv: it is gzipped, and broken: "),
        (gzip.compress(b"a,b\n")[:-4] + b"\0\0\0\0", "file.csv", "file.csv: it is gzipped, and broken: "),
        (gzip.compress(b"[]"), "file.json.gz", "file.json.gz: a json file is held as a whole: unpack it first"),
        (gzip.compress(b"a,b\n1\n"), "file.csv.gz", "file.csv.gz:2: 1 field where the header has 2"),
        (gzip.compress(b"<log a='" + b"x" * 12_000_000), "file.xes", "file.xes:1: one tag is longer than 10,000,000"),
    ],
    ids=["cut off", "wrong sum", "json", "wrong row", "endless tag"],
)
def test_what_is_packed_and_not_certain_is_refused(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    assert refusal(written(tmp_path, content, name)).startswith(said)


# event logs

LOG = """<?xml version="1.0"?>
<log xmlns="http://www.xes-standard.org">
  <global scope="event"><string key="concept:name" value="x"/><string key="concept:name" value="y"/></global>
  <string key="creator" value="hand"/>
  <trace>
    <string key="concept:name" value="c1"/>
    <event>
      <string key="concept:name" value="open"><string key="below" value="no column"/></string>
      <date key="time:timestamp" value="2026-03-29T01:59:00+01:00"/>
    </event>
    <event><string key="concept:name" value="close"/><list key="parts"><string key="a" value="1"/></list></event>
    <int key="size" value="2"/>
  </trace>
  <trace><string key="concept:name" value="empty"/></trace>
  <trace><event><string key="concept:name" value="open"/></event></trace>
</log>"""


def test_the_rows_of_an_event_log_are_its_events_with_what_is_said_of_their_case(tmp_path: Path) -> None:
    """Also what stands behind the events; a list and what hangs below an attribute are no columns."""
    rows = list(read_rows(written(tmp_path, LOG, "file.xes")))
    about = {"case:concept:name": "c1", "case:size": "2"}
    assert [(row.line, row.values) for row in rows] == [
        (7, {**about, "concept:name": "open", "time:timestamp": "2026-03-29T01:59:00+01:00"}),
        (11, {**about, "concept:name": "close"}),
        (15, {"concept:name": "open"}),
    ]
    assert rows[1].columns == {"case:concept:name": 1, "case:size": 2, "concept:name": 3}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("<table/>", "file.xes:1: this is no event log: it begins with `table`, not with `log`"),
        ("<log>\n<event/></log>", "file.xes:2: this event belongs to no trace"),
        ('<log><trace>\n<event><string key="a"/></event></trace></log>', "file.xes:2: `string` is no attribute with"),
        ("<log><trace><event><text>x</text></event></trace></log>", "file.xes:1: `text` is no attribute with a key"),
        ('<log><trace><event><int key="a" value="1"/>\n<int key="a" value="2"/></event></trace></log>',
         "file.xes:2: the attribute `a` stands twice"),
        ("<log><trace><event>" + '<list key="a">' * 60, "file.xes:1: elements are nested more than 50 deep"),
        ('<!DOCTYPE log [<!ENTITY b "c">]>\n<log/>', "file.xes:1: a DOCTYPE is not read"),
        ("<log><trace>\n</log>", "file.xes:2: this is not xml: mismatched tag"),
    ],
)  # fmt: skip
def test_an_event_log_that_is_not_certain_is_refused_with_its_line(tmp_path: Path, content: str, said: str) -> None:
    assert refusal(written(tmp_path, content, "file.xes")).startswith(said)


def test_a_long_event_log_is_read_in_little_memory(tmp_path: Path) -> None:
    trace = '<trace><event><string key="concept:name" value="open"/></event></trace>\n' * 1000
    path = written(tmp_path, gzip.compress(f"<log>{trace * 20}</log>".encode()), "file.xes.gz")
    tracemalloc.start()
    assert sum(1 for _ in read_rows(path)) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


# real files


def test_the_features_of_a_real_geojson_file() -> None:
    path = real_data("nyc-capital-fy2021/projects-4-boroughs.geojson")
    rows = list(read_rows(path, rows_path="features"))
    assert len(rows) == 917
    assert sum(int(row.values["properties.original_budget"] or "") for row in rows) == 10_371_054
    assert (rows[0].line, rows[1].line) == (2, 3)


def test_the_activities_of_a_real_xml_file() -> None:
    path = real_data("iati-dfid-2011/KO.xml")
    rows = list(read_rows(path, rows_path="iati-activities/iati-activity"))
    assert [row.values["@hierarchy"] for row in rows].count("1") == 19
    assert len(rows) == 42
    entries = list(read_rows(path, rows_path="iati-activities/iati-activity/transaction"))
    assert len(entries) == 211
    committed = [int(e.values["value"] or "") for e in entries if e.values["transaction-type.@code"] == "C"]
    assert sum(committed) == 14_344_226
