"""Rows of files become typed values by a mapping; every wrong value is said with its place and what is accepted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from charter.engine.definitions import Field
from charter.engine.errors import InvalidInput, InvalidPack, Place
from charter.engine.mapping_columns import template
from charter.engine.mapping_definitions import Mapping, build_mapping, default_mapping
from charter.engine.mapping_faults import mapping_faults
from charter.engine.mappings import MappedRow, RowProblem, map_file
from charter.engine.model import DATE, MONEY, NUMBER, PRICE, TEXT, TIME, WHOLE, YES_OR_NO, Type
from charter.engine.notation import KeyText, Notation, as_text, convert
from charter.engine.strict_yaml import read
from hypothesis import given
from hypothesis import strategies as st
from support import real_data


@dataclass
class Written:
    """A mapping as it stands in a file."""

    body: MappingOf[str, Any]
    name: str
    places: MappingOf[tuple[str | int, ...], Place]
    kind: str = "mapping"

    def place(self, path: tuple[str | int, ...] = ()) -> Place:
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


def a_mapping(text: str) -> Mapping:
    trees, found = read(text, "m.yaml")
    assert not found
    body = trees[0].body
    assert isinstance(body, dict)
    return build_mapping(Written(body, str(body["mapping"]), trees[0].places))


def fields(**types: Type) -> dict[str, Field]:
    return {name: Field(name, type_) for name, type_ in types.items()}


def nothing_created(_: str) -> dict[str, Field]:
    return {}


WORKER = fields(number=TEXT)


def mapped(
    mapping: Mapping, taken: dict[str, Field], folder: Path, **contents: str
) -> tuple[list[MappedRow], list[RowProblem]]:
    """What a mapping makes of files: `main` and the others by name."""
    files = {}
    for name, content in contents.items():
        files["" if name == "main" else name] = path = folder / f"{name}.csv"
        path.write_text(content, encoding="utf-8")
    found = list(map_file(mapping, taken, files, lambda record: WORKER))
    return [r for r in found if isinstance(r, MappedRow)], [p for p in found if isinstance(p, RowProblem)]


def said(problems: list[RowProblem], folder: Path) -> list[str]:
    return [str(problem).replace(f"{folder}{os.sep}", "") for problem in problems]


REF = Type("ref", of="worker")
CHOICE = Type("choice", choices=("open", "closed"))
DAY = Notation(date="dd-mmm-yy", century=2000)
COMMA = Notation(decimal=",", thousands=".")


# one text, one value


@pytest.mark.parametrize(
    ("text", "type_", "notation", "value"),
    [
        ("7.50", NUMBER, Notation(), Decimal("7.5")),
        (" -0.000001 ", NUMBER, Notation(), Decimal("-0.000001")),
        ("-0", MONEY, Notation(), Decimal(0)),
        ("1.230000000", PRICE, Notation(), Decimal("1.23")),
        ("1.234.567,89", MONEY, COMMA, Decimal("1234567.89")),
        ("1234,5", MONEY, COMMA, Decimal("1234.5")),
        ("-1 234", WHOLE, Notation(thousands=" "), -1234),
        ("007", WHOLE, Notation(), 7),
        ("2024-02-29", DATE, Notation(), date(2024, 2, 29)),
        ("02-Nov-04", DATE, DAY, date(2004, 11, 2)),
        ("2-NOV-04", DATE, Notation(date="d-mmm-yy", century=1900), date(1904, 11, 2)),
        ("3/1/2026", DATE, Notation(date="m/d/yyyy"), date(2026, 3, 1)),
        ("31.12.2026", DATE, Notation(date="dd.mm.yyyy"), date(2026, 12, 31)),
        ("true", YES_OR_NO, Notation(), True),
        ("N", YES_OR_NO, Notation(yes="Y", no="N"), False),
        ("closed", CHOICE, Notation(), "closed"),
        ("A/1", REF, Notation(), KeyText("A/1")),
        (" kept ", TEXT, Notation(), " kept "),
        ("2026-03-31T17:30:00+02:00", TIME, Notation(), "2026-03-31T15:30:00+00:00"),
    ],
)
def test_a_text_becomes_the_value_of_its_type(text: str, type_: Type, notation: Notation, value: Any) -> None:
    found = convert(text, Field("x", type_), notation)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "type_", "notation", "message"),
    [
        ("1,5", NUMBER, Notation(), "`1,5` is not a number, such as 1234.5 (at most 6 digits behind the `.`)"),
        ("1e3", NUMBER, Notation(), "`1e3` is not a number"),
        ("NaN", MONEY, Notation(), "`NaN` is not a number"),
        ("\u0661", NUMBER, Notation(), "is not a number"),
        ("1.00001", MONEY, Notation(), "`1.00001` has too many digits: give a number"),
        ("0." + "0" * 60 + "1", NUMBER, Notation(), "has too many digits"),
        ("9" * 30, NUMBER, Notation(), "is too large to be kept"),
        ("9999999999999999", MONEY, Notation(), "is too large to be kept"),
        ("1.5", WHOLE, Notation(), "`1.5` has too many digits: give a whole number, such as 1234"),
        ("1.23.456", NUMBER, COMMA, "`1.23.456` is not a number, such as 1.234,5"),
        ("1234.567,8", NUMBER, COMMA, "`1234.567,8` is not a number"),
        ("1.234.5", NUMBER, COMMA, "is not a number"),
        ("31/02", DATE, Notation(), "`31/02` is not a date written yyyy-mm-dd, such as 2026-03-31"),
        ("2026-02-30", DATE, Notation(), "`2026-02-30` is not a day of the calendar; give a date written yyyy-mm-dd"),
        ("0000-01-01", DATE, Notation(), "is not a day of the calendar"),
        ("2006-11-09Z", DATE, Notation(), "`2006-11-09Z` is not a date"),
        ("2-Nov-04", DATE, DAY, "`2-Nov-04` is not a date written dd-mmm-yy, such as 31-Mar-26"),
        ("2026-03-31T17:30", TIME, Notation(), "is not a moment with its time zone"),
        ("yes", YES_OR_NO, Notation(), "`yes` is neither true nor false"),
        ("opne", CHOICE, Notation(), "`opne` is not one of open, closed; did you mean `open`?"),
        ("", MONEY, Notation(), "a value is needed: a number, such as 1234.5 (at most 4 digits behind the `.`)"),
        ("  ", DATE, Notation(), "a value is needed: a date written yyyy-mm-dd"),
        ("", REF, Notation(), "a value is needed: the key of a worker, its parts joined by `/`"),
    ],
)
def test_a_wrong_text_is_refused_with_what_would_be_accepted(
    text: str, type_: Type, notation: Notation, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        convert(text, Field("x", type_), notation)


@pytest.mark.parametrize("type_", [TEXT, NUMBER, DATE, REF, CHOICE, YES_OR_NO])
def test_an_empty_text_is_none_where_the_field_is_optional(type_: Type) -> None:
    assert convert("", Field("x", type_.or_none())) is None
    assert convert(None, Field("x", type_.or_none())) is None


LETTERS = st.text("aZ09é€🙂 .,;:/-+_|'\"\\\t\n\r\u2028\x1b", min_size=1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "number": st.decimals(-(10**12), 10**12, places=6),
    "price": st.decimals(-(10**12), 10**12, places=6),
    "money": st.decimals(-(10**14), 10**14, places=4),
    "whole": st.integers(-(10**18), 10**18),
    "date": st.dates(),
    "yes_or_no": st.booleans(),
    "text": LETTERS,
    "ref": LETTERS.map(KeyText),
}


@pytest.mark.parametrize("kind", sorted(VALUES))
@given(st.data())
def test_what_is_shown_is_read_as_the_same_value(kind: str, data: st.DataObject) -> None:
    value = data.draw(VALUES[kind])
    found = convert(as_text(value), Field("x", Type(kind, of="worker")))
    assert (found, type(found)) == (value, type(value))


@given(st.decimals(-(10**12), 10**12, places=4))
def test_a_grouped_number_is_read_as_the_same_value(value: Decimal) -> None:
    text = f"{value:,f}".translate(str.maketrans(",.", ".,"))
    assert convert(text, Field("x", MONEY), COMMA) == value


@given(LETTERS, st.sampled_from(sorted(VALUES)))
def test_any_text_is_a_value_or_refused_with_a_reason(text: str, kind: str) -> None:
    try:
        convert(text, Field("x", Type(kind)))
    except ValueError as error:
        message = str(error)
    else:
        message = "fine"
    assert message.isprintable()


# a file by a mapping

HOURS = """
mapping: hours
doc: Hours of a task.
to: line
file: {form: csv}
fields:
  worker: {from: Who}
  hours: {from: Hours, as: {decimal: ","}}
  day: {first_of: [Done, Begun], as: {date: dd-mmm-yy, century: 2000}}
  note: {from: Note, trim: true, empty: none}
  journal: {value: SIP}
"""
HOURS_FIELDS = fields(worker=REF, hours=NUMBER, day=DATE, note=TEXT.or_none(), journal=TEXT)


def test_a_row_becomes_typed_values(tmp_path: Path) -> None:
    content = 'Who,Hours,Done,Begun,Note\nW1,"7,5",,02-Nov-04,  x \nW2,1,03-Nov-04,x,  \n'
    rows, problems = mapped(a_mapping(HOURS), HOURS_FIELDS, tmp_path, main=content)
    assert not problems
    assert rows[0].values == {"worker": "W1", "hours": Decimal("7.5"), "day": date(2004, 11, 2), "note": "x",
                              "journal": "SIP"}  # fmt: skip
    assert isinstance(rows[0].values["worker"], KeyText)
    assert (rows[0].line, rows[0].last_line, rows[0].raw["Note"]) == (2, 2, "  x ")
    assert (rows[1].values["day"], rows[1].values["note"]) == (date(2004, 11, 3), None)


def test_every_wrong_field_of_every_row_is_said(tmp_path: Path) -> None:
    content = "Who,Hours,Done,Begun,Note\n,7.5,,31/02,\nW1,1,02-Nov-04,,\nW2,x,02-Nov-04,,\n"
    rows, problems = mapped(a_mapping(HOURS), HOURS_FIELDS, tmp_path, main=content)
    assert [row.line for row in rows] == [3]
    assert said(problems, tmp_path) == [
        "main.csv:2: column `Who` (1): `worker`: a value is needed: the key of a worker, its parts joined by `/` "
        "[m.yaml:7:11]",
        "main.csv:2: column `Hours` (2): `hours`: `7.5` is not a number, such as 1234,5 (at most 6 digits behind the "
        "`,`) [m.yaml:8:10]",
        "main.csv:2: column `Begun` (4): `day`: `31/02` is not a date written dd-mmm-yy, such as 31-Mar-26 "
        "[m.yaml:9:8]",
        "main.csv:4: column `Hours` (2): `hours`: `x` is not a number, such as 1234,5 (at most 6 digits behind the "
        "`,`) [m.yaml:8:10]",
    ]
    assert problems[0].raw["Begun"] == "31/02"


def test_columns_that_are_told_apart_otherwise_are_guessed(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r'told apart by `;`: a mapping says `file: \{separator: ";"\}`'):
        mapped(a_mapping(HOURS), HOURS_FIELDS, tmp_path, main="Who;Hours;Begun\nann;1;01.01.2026\n")


def test_columns_that_are_not_there_are_said_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        mapped(a_mapping(HOURS), HOURS_FIELDS, tmp_path, main="Who,Hour,Done,Noted\n")
    assert str(caught.value).replace(f"{tmp_path}{os.sep}", "").splitlines() == [
        "main.csv: there is no column `Hours` [m.yaml:8:17]; did you mean `Hour`?",
        "main.csv: there is no column `Begun` [m.yaml:9:26]",
        "main.csv: there is no column `Note` [m.yaml:10:16]; did you mean `Noted`?",
        "main.csv: the columns are Who, Hour, Done, Noted",
    ]


def test_an_empty_column_leaves_a_default_to_the_event_unless_said_otherwise(tmp_path: Path) -> None:
    taken = {name: Field(name, TEXT, default="d") for name in ("a", "b")} | {"c": Field("c", NUMBER.or_none())}
    m = a_mapping("mapping: m\nto: r\nfields: {a: {from: A}, b: {from: A, empty: x}, c: {from: A}}")
    rows, _ = mapped(m, taken, tmp_path, main='A\n""\n')
    assert rows[0].values == {"b": "x", "c": None}


def test_the_parts_of_a_key_are_joined_and_hold_no_slash(tmp_path: Path) -> None:
    m = a_mapping(
        "mapping: m\nto: r\n"
        "fields: {s: {key: [{from: A}, {from: B, as: {date: dd.mm.yyyy}}]}, w: {key: [A]}}"
    )  # fmt: skip
    taken = fields(s=Type("ref", True, of="sheet"), w=REF.or_none())
    rows, problems = mapped(m, taken, tmp_path, main="A,B\nW1,01.03.2026\n,\nW/1,01.03.2026\nW1,\nW1,30.02.2026\n")
    assert [row.values for row in rows] == [{"s": "W1/2026-03-01", "w": "W1"}, {"s": None, "w": None}]
    assert [problem.message for problem in problems] == [
        "`s`: `W/1` is one part of a key and cannot hold `/`, which parts the parts",
        "`s`: a part of the key is empty: `B`",
        "`s`: `30.02.2026` is not a day of the calendar; give a date written dd.mm.yyyy, such as 31.03.2026",
    ]


def test_yes_and_no_are_read_as_the_file_writes_them(tmp_path: Path) -> None:
    m = a_mapping("mapping: m\nto: r\nfields: {a: {from: A, as: {yes: Y, no: N}}}")
    rows, problems = mapped(m, fields(a=YES_OR_NO), tmp_path, main="A\nY\nN\ntrue\n")
    assert [row.values["a"] for row in rows] == [True, False]
    assert problems[0].message == "`a`: `true` is neither Y nor N"


TASKS = """
mapping: tasks
doc: Tasks, one row for each worker.
to: task
one_per: [Task]
must_agree: [Estimate]
creates:
  - {record: worker, fields: {number: {from: Who}}}
fields: {number: {from: Task}, estimate: {from: Estimate}}
"""


def test_repeated_rows_are_one_record_and_create_what_each_of_them_names(tmp_path: Path) -> None:
    rows, problems = mapped(a_mapping(TASKS), fields(number=TEXT, estimate=NUMBER), tmp_path,
                            main="Task,Who,Estimate\n1,W1,8\n2,W1,3\n1,W2,8\n1,,8\n1,W1,8\n")  # fmt: skip
    assert not problems
    assert [(row.line, row.last_line, row.values["number"]) for row in rows] == [(2, 6, "1"), (3, 3, "2")]
    assert rows[0].creates == (("worker", {"number": "W1"}), ("worker", {"number": "W2"}))


def test_repeated_rows_that_differ_give_no_record_and_both_lines_are_said(tmp_path: Path) -> None:
    rows, problems = mapped(a_mapping(TASKS), fields(number=TEXT, estimate=NUMBER), tmp_path,
                            main="Task,Who,Estimate\n1,W1,8\n2,W1,3\n1,W2,9\n,W1,1\n")  # fmt: skip
    assert [row.values["number"] for row in rows] == ["2"]
    assert said(problems, tmp_path) == [
        "main.csv:5: column `Task` (1): a value is needed: by it the rows are told apart (`one_per`) [m.yaml:5:11]",
        "main.csv:4: column `Estimate` (3): `9` here, but `8` on line 2; rows of one Task must agree [m.yaml:6:14]",
    ]


BESIDE = """
mapping: tasks
doc: Tasks with their dates.
to: task
beside: {dates: {by: Task, one_per: [Number]}}
fields: {number: {from: Task}, day: {from: dates.Done}}
"""
TASK_FIELDS = fields(number=TEXT, day=DATE.or_none())


def test_a_second_file_is_joined_by_its_key(tmp_path: Path) -> None:
    dates = "Number,Done,Other\n1,2026-01-02,x\n1,2026-01-02,y\n2,,\n"
    rows, problems = mapped(a_mapping(BESIDE), TASK_FIELDS, tmp_path, main="Task\n1\n2\n3\n", dates=dates)
    assert not problems
    assert [row.values["day"] for row in rows] == [date(2026, 1, 2), None, None]


def test_rows_of_a_second_file_that_differ_in_what_is_used_are_refused_with_who_uses_them(tmp_path: Path) -> None:
    dates = "Number,Done\n1,2026-01-02\n2,2026-02-30\n1,2026-01-03\n"
    rows, problems = mapped(a_mapping(BESIDE), TASK_FIELDS, tmp_path, main="Task\n1\n2\n3\n", dates=dates)
    assert [row.values["number"] for row in rows] == ["3"]
    assert said(problems, tmp_path) == [
        "dates.csv:4: column `Done` (2): `2026-01-03` here, but `2026-01-02` on line 2; rows of one Number must agree "
        "[m.yaml:6:44]",
        "main.csv:2: column `Task` (1): rows of `dates` differ, dates.csv:2 and 4 [m.yaml:5:17]",
        "main.csv:3: column `dates.Done` (2): `day`: `2026-02-30` is not a day of the calendar; give a date written "
        "yyyy-mm-dd, such as 2026-03-31 (it stands in `dates`, line 3) [m.yaml:6:37]",
    ]


def test_files_that_are_missing_or_too_many_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="also reads a file that is not given: `dates`"):
        mapped(a_mapping(BESIDE), TASK_FIELDS, tmp_path, main="Task\n")
    with pytest.raises(InvalidInput, match="reads no second file `date`; did you mean `dates`"):
        mapped(a_mapping(BESIDE), TASK_FIELDS, tmp_path, main="Task\n", dates="Number,Done\n", date="a\n")


def test_json_rows_need_not_all_have_every_column(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('{"rows": [{"a": 0.10}, {"a": 2, "b": {"c": "x"}}]}', encoding="utf-8")
    m = a_mapping("mapping: m\nto: r\nfile: {form: json, rows: rows}\nfields: {a: {from: a}, b: {from: b.c}}")
    found = list(map_file(m, fields(a=MONEY, b=TEXT.or_none()), {"": path}, nothing_created))
    values = [row.values for row in found if isinstance(row, MappedRow)]
    assert values == [{"a": Decimal("0.1"), "b": None}, {"a": Decimal(2), "b": "x"}]


# without a mapping


def test_without_a_mapping_the_columns_are_the_fields(tmp_path: Path) -> None:
    taken = fields(number=TEXT, day=DATE, note=TEXT.or_none())
    m = default_mapping("task", taken)
    rows, problems = mapped(m, taken, tmp_path, main="day,number\n2026-01-02,1\n2026-02-30,2\n")
    assert [row.values for row in rows] == [{"number": "1", "day": date(2026, 1, 2)}]
    assert [problem.column for problem in problems] == ["day"]
    assert template(m, taken) == ["number", "day", "note"]
    with pytest.raises(InvalidInput) as caught:
        mapped(m, taken, tmp_path, main="number,dya\n1,2026-01-02\n")
    assert str(caught.value).replace(f"{tmp_path}{os.sep}", "").splitlines() == [
        "main.csv: the column `dya` is not known; did you mean `day`?",
        "main.csv: the column `day` is missing; it is needed",
        "main.csv: columns may be number, day, note",
    ]


def test_a_template_holds_each_column_of_the_main_file_once() -> None:
    assert template(a_mapping(TASKS), {}) == ["Task", "Estimate", "Who"]
    assert template(a_mapping(BESIDE), {}) == ["Task"]


# a mapping that cannot work


def test_what_is_wrong_with_a_mapping_is_said_without_a_file(tmp_path: Path) -> None:
    m = a_mapping("""
mapping: m
to: task
beside: {dates: {by: [A, B], one_per: [A]}}
creates:
  - {record: worker, fields: {nmuber: {from: A}}}
fields:
  hours: {from: A, as: {date: dd-mmm-yy, century: 2000}}
  day: {from: A, as: {date: dd-mmm-yy}}
  dya: {from: A}
  done: {value: 2026-02-30}
  end: {from: A, as: {date: dd-mon-yyyy}, empty: none}
  note: {key: [{from: A}]}
  cost: {from: A, as: {decimal: ".", thousands: "."}}
""")
    taken = fields(hours=NUMBER, day=DATE, done=DATE, end=DATE, note=TEXT, cost=MONEY, place=TEXT)
    found = mapping_faults(m, taken, lambda record: WORKER)
    assert [f"{d.message}{' = ' if d.hint else ''}{d.hint}" for d in found] == [
        "`hours` is a number; its `as` says how a date is written",
        "a year of two digits needs its `century` = such as `century: 2000`",
        "`dya` is nothing that the creation of `task` takes = did you mean `day`?",
        "`done`: `2026-02-30` is not a day of the calendar; give a date written yyyy-mm-dd, such as 2026-03-31",
        "`end` must be given and cannot be none = leave `empty` out, or give a value",
        "`mon` is no part of a date; parts are yyyy, yy, mmm, mm, m, dd, d",
        "`note` is a text and has no key = use `from`",
        "`decimal` and `thousands` are one character each, and not the same",
        "the creation of `task` also needs place = say where they come from",
        "`nmuber` is nothing that the creation of `worker` takes = did you mean `number`?",
        "the creation of `worker` also needs number = say where they come from",
        "`dates` is joined by 2 columns, but `one_per` names 1 = name as many columns in both, in the same order",
    ]
    with pytest.raises(InvalidPack, match=r"R180.*\n.*m.yaml"):
        map_file(m, taken, {"": tmp_path / "none.csv"}, lambda record: WORKER)


# the real file

SIP = """
mapping: sip_hours
doc: Hours of a task and developer.
to: line
file: {form: csv, encoding: windows-1252}
one_per: [TaskNumber, DeveloperID]
must_agree: [HoursEstimate, HoursActual, ProjectCode]
beside: {dates: {by: TaskNumber, one_per: [TaskNumber], encoding: windows-1252}}
creates:
  - {record: worker, fields: {number: {from: DeveloperID}}}
fields:
  worker: {from: DeveloperID}
  summary: {from: Summary, trim: true}
  hours: {from: DeveloperHoursActual}
  day: {first_of: [dates.CompletedOn, dates.StartedOn, dates.EstimateOn], as: {date: dd-mmm-yy, century: 2000}}
"""
SIP_FIELDS = fields(worker=REF, summary=TEXT, hours=NUMBER, day=DATE)


def sip_files() -> dict[str, Path]:
    root = real_data("sip-effort")
    return {"": root / "Sip-task-info.csv", "dates": root / "est-act-dates.csv"}


def sip_rows(mapping: Mapping, taken: dict[str, Field]) -> list[MappedRow]:
    found = list(map_file(mapping, taken, sip_files(), lambda record: WORKER))
    assert [str(problem) for problem in found if isinstance(problem, RowProblem)] == []
    return [row for row in found if isinstance(row, MappedRow)]


def test_the_hours_of_the_real_file_add_up() -> None:
    rows = sip_rows(a_mapping(SIP), SIP_FIELDS)
    assert len(rows) == 12_299
    hours = [row.values["hours"] for row in rows]
    assert sum(h for h in hours if isinstance(h, Decimal)) == Decimal("95001.98")
    assert len({str(row.creates) for row in rows}) == 22
    assert not any(str(row.values["summary"]).startswith(" ") for row in rows)
    days = sorted(str(row.values["day"]) for row in rows)
    assert (days[0], days[-1]) == ("2004-06-23", "2014-12-05")


def test_the_tasks_of_the_real_file_are_one_record_each() -> None:
    m = a_mapping(
        SIP.replace("one_per: [TaskNumber, DeveloperID]", "one_per: [TaskNumber]")
        .replace("hours: {from: DeveloperHoursActual}", "hours: {from: HoursEstimate}")
        .replace("first_of: [dates.CompletedOn, dates.StartedOn, dates.EstimateOn]", "from: dates.StartedOn")
    )
    rows = sip_rows(m, fields(worker=REF, summary=TEXT, hours=NUMBER, day=DATE.or_none()))
    assert len(rows) == 10_266
    hours = [row.values["hours"] for row in rows]
    assert sum(h for h in hours if isinstance(h, Decimal)) == Decimal("90454.20")
    assert len({given["number"] for row in rows for _, given in row.creates}) == 22


def test_the_real_file_read_as_utf_8_is_refused_at_its_first_other_byte() -> None:
    m = a_mapping(SIP.replace(", encoding: windows-1252", ""))
    rows = map_file(m, SIP_FIELDS, sip_files(), lambda _: WORKER)
    with pytest.raises(InvalidInput, match="at offset 103361 is not utf-8"):
        list(rows)
