"""Rows are printed as tables, tab-separated values, csv or JSON, and nothing of them is lost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from charter.engine.output import ABOVE, BENEATH, FORMS, Column, Sheet, escaped, unescaped, width_of

COLUMNS = [Column("name"), Column("amount", right=True), Column("says")]


@dataclass(frozen=True)
class Item:
    cells: tuple[str, ...]

    def rows(self) -> Iterator[Sequence[str]]:
        yield self.cells

    def data(self) -> dict[str, Any]:
        return dict(zip(("name", "amount", "says"), self.cells, strict=True))


def printed(form: str, *rows: tuple[str, ...], width: int | None = None, spare: bool = False) -> str:
    out = io.StringIO()
    sheet = Sheet(form, COLUMNS, out, width, "rows", spare=spare)
    for row in rows:
        sheet.add(Item(row))
    sheet.end(count=len(rows))
    return out.getvalue()


def test_a_table_lines_columns_up_and_puts_numbers_to_the_right() -> None:
    assert printed("table", ("cost", "5.00", "a"), ("sales", "1250.00", "b")) == (
        "name    amount  says\n"
        "-----  -------  ----\n"
        "cost      5.00  a\n"
        "sales  1250.00  b\n"
    )  # fmt: skip


def test_what_does_not_fit_the_terminal_is_wrapped_and_never_cut() -> None:
    words = "the quick brown fox jumps over the lazy dog and runs away"
    lines = printed("table", ("a", "1.00", words), width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert " ".join(" ".join(line.split()) for line in lines[2:]) == f"a 1.00 {words}"


def test_a_word_is_never_broken() -> None:
    place = "rules/accounting/transaction_cost.yaml:17:5/and/a/very/long/path"
    assert place in printed("table", ("a", "1.00", f"see {place}"), width=30)


def test_a_text_that_finds_no_room_beside_the_others_stands_beneath_its_row() -> None:
    key = "a-key-of-one-word"
    rows = [(key, "1.00", "said in a way that takes some room"), (key, "2.00", "")]
    assert printed("table", *rows, width=36) == (
        "name               amount\n"
        "-----------------  ------\n"
        "a-key-of-one-word    1.00\n"
        "    says: said in a way that takes\n"
        "      some room\n"
        "a-key-of-one-word    2.00\n"
    )


def table(width: int, columns: Sequence[Column], *rows: Sequence[str]) -> str:
    out = io.StringIO()
    sheet = Sheet("table", columns, out, width)
    for cells in rows:
        sheet.add(Item(tuple(cells)))
    sheet.end()
    return out.getvalue()


def test_a_name_above_figures_takes_several_lines_before_a_text_does() -> None:
    columns = [Column("of"), Column("hours to bill", right=True), Column("cost", right=True)]
    assert table(30, columns, ["two words here", "1234.5", "1.00"]) == (
        "                hours to\n"
        "of                  bill  cost\n"
        "--------------  --------  ----\n"
        "two words here    1234.5  1.00\n"
    )  # fmt: skip


def test_figures_that_find_no_room_stand_beneath_their_row_together() -> None:
    columns = [Column("key"), Column("says"), Column("hours", right=True), Column("cost", right=True)]
    assert table(28, columns, ["a-key-of-one-word", "a-word", "7.5", "468.75"]) == (
        "key                says\n"
        "-----------------  ------\n"
        "a-key-of-one-word  a-word\n"
        "    hours: 7.5  cost: 468.75\n"
    )  # fmt: skip


def test_what_needs_the_whole_width_stands_above_or_beneath_its_row() -> None:
    out = io.StringIO()
    sheet = Sheet("table", [Column("", at=ABOVE), Column("name"), Column("says", at=BENEATH), Column("of")], out, 20)
    for cells in (("a heading of several words", "a", "one\ntwo", "x"), ("", "b", "", "y")):
        sheet.add(Item(cells))
    sheet.end()
    assert out.getvalue() == (
        "name  of\n"
        "----  --\n"
        "a heading of several\n"
        "  words\n"
        "a     x\n"
        "    says: one\n"
        "      two\n"
        "b     y\n"
    )  # fmt: skip


def test_a_table_for_no_terminal_is_as_wide_as_it_needs_to_be() -> None:
    long = "word " * 100
    assert long.strip() in printed("table", ("a", "1.00", long))


def test_a_cell_of_several_lines_takes_several_lines() -> None:
    assert printed("table", ("a", "1", "x\ny")).splitlines()[2:] == ["a          1  x", "              y"]


def test_a_spare_table_leaves_out_what_says_nothing() -> None:
    assert printed("table", ("a", "", "x"), spare=True).splitlines()[0].split() == ["name", "says"]
    assert printed("table", ("a", "", "x")).splitlines()[0].split() == ["name", "amount", "says"]


def test_a_text_cannot_command_the_terminal() -> None:
    assert "\x1b" not in printed("table", ("\x1b[2Jgone", "1", "\r"))


def test_wide_characters_take_two_places() -> None:
    assert (width_of("abc"), width_of("日本"), width_of("e\u0301")) == (3, 4, 1)


def test_later_rows_may_be_wider_than_the_first() -> None:
    rows = [("a", "1", "x")] * 600 + [("long name", "1000000.00", "x")]
    lines = printed("table", *rows).splitlines()
    assert len(lines) == 603
    assert lines[-1] == "long name  1000000.00  x"


@pytest.mark.parametrize("text", ["plain", "a\tb", "a\nb\r", "back\\slash", "\\t", "", "é日"])
def test_tab_separated_values_keep_every_text(text: str) -> None:
    assert unescaped(escaped(text)) == text
    assert not {"\t", "\n", "\r"} & set(escaped(text))
    assert printed("tsv", ("k", "1", text)).splitlines()[1].split("\t") == ["k", "1", escaped(text)]


def test_csv_can_be_read_back() -> None:
    rows = [("a,b", "1.00", 'say "x"\nand y'), ("c", "-2", "")]
    read = list(csv.reader(io.StringIO(printed("csv", *rows))))
    assert read == [["name", "amount", "says"], *map(list, rows)]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_json_is_one_object_with_a_version(count: int) -> None:
    data = json.loads(printed("json", *[("a", "1.00", "é")] * count))
    assert data == {"version": 1, "rows": [{"name": "a", "amount": "1.00", "says": "é"}] * count, "count": count}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_printed_as_nothing(form: str) -> None:
    expected = {"table": "", "json": '{"version": 1, "rows": [], "count": 0}\n'}
    assert printed(form) == expected.get(form, printed(form))
