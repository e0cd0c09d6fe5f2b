"""YAML is read strictly: nothing changes its meaning unseen, everything has a place, nothing crashes the process."""

from __future__ import annotations

import pytest
from charter.engine.errors import Place, render
from charter.engine.source import clipped, did_you_mean
from charter.engine.strict_yaml import MOST_NODES, Tree, decode, read
from hypothesis import given
from hypothesis import strategies as st


def only(text: str) -> Tree:
    trees, found = read(text, "f.yaml")
    assert not found
    assert len(trees) == 1
    return trees[0]


def said(text: str) -> list[str]:
    return [f"{d.place.line}:{d.place.column} {d.code} {d.message}" for d in read(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    "scalar",
    ["no", "yes", "on", "off", "true", "False", "0123", "190:20:30", "1.10", "1e3", "0x1f", "2026-02-30", "none",
     "Null", "NULL", ".inf", "=", "1_000", "12:30:45", "'null'", '"~"'],
)  # fmt: skip
def test_every_scalar_stays_its_text(scalar: str) -> None:
    assert only(f"a: {scalar}").body == {"a": scalar.strip("'\"")}


@pytest.mark.parametrize("scalar", ["", "~", "null", "# a remark"])
def test_nothing_is_none(scalar: str) -> None:
    assert only(f"a: {scalar}").body == {"a": None}


def test_keys_stay_their_text() -> None:
    assert only("no: a\non: b\n0123: c\n'x.y': d").body == {"no": "a", "on": "b", "0123": "c", "x.y": "d"}


def test_a_file_holds_several_documents() -> None:
    trees, found = read("a: 1\n---\nb: 2\n--- # remark\nc: 3\n...\n", "f.yaml")
    assert [tree.body for tree in trees] == [{"a": "1"}, {"b": "2"}, {"c": "3"}]
    assert [tree.places[()].line for tree in trees] == [1, 3, 5]
    assert not found


def test_an_empty_file_holds_no_document() -> None:
    assert read("# only a remark\n\n", "f.yaml") == ([], [])


def test_places_are_those_of_the_content() -> None:
    text = "ä: \"öü\"\nb:\n  - plain\n  - 'quoted'\n  - {k: [v]}\nc: |\n\n   block\nd:\n"
    tree = only(text)
    at = {path: (place.line, place.column) for path, place in tree.places.items()}
    assert at == {
        (): (1, 1),
        ("ä",): (1, 5),
        ("b",): (3, 3),
        ("b", 0): (3, 5),
        ("b", 1): (4, 6),
        ("b", 2): (5, 5),
        ("b", 2, "k"): (5, 9),
        ("b", 2, "k", 0): (5, 10),
        ("c",): (8, 4),
        ("d",): (9, 3),
    }
    keys = {path: (place.line, place.column) for path, place in tree.key_places.items()}
    assert keys == {("ä",): (1, 1), ("b",): (2, 1), ("b", 2, "k"): (5, 6), ("c",): (6, 1), ("d",): (9, 1)}


def test_columns_count_characters_not_bytes() -> None:
    assert only("a: {😀é: x}").places[("a", "😀é")] == Place("f.yaml", 1, 9)


def test_line_ends_of_windows_make_no_difference() -> None:
    assert only("a: 1\r\nb: x\r\n") == only("a: 1\nb: x\n")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "3:1 R008 the key `a` stands twice; the first is in line 1"),
        ("a: {b: 1, b: [2, {c: d}]}", "1:11 R008 the key `b` stands twice; the first is in line 1"),
        ("a: &x 1", "1:4 R006 the anchor `&x` is not allowed"),
        ("a: *x", "1:4 R006 the alias `*x` is not allowed"),
        ("<<: {a: 1}", "1:1 R006 the merge key `<<` is not allowed"),
        ("a: !!python/object:x y", "1:4 R007 the tag `!!python/object:x` is not allowed"),
        ("a: !local y", "1:4 R007 the tag `!local` is not allowed"),
        ("? [a]\n: b", "1:3 R005 a key must be a plain text"),
        ("{[a]: b}", "1:2 R005 a key must be a plain text"),
        ("null: b", "1:1 R005 a key must not be empty"),
        ("a:\tb", "1:3 R004 a tab stands here"),
        ("a:\n\tb: c", "2:1 R004 a tab stands here"),
        ("a: b\x07", "1:5 R003 the character U+0007 cannot be seen and is not allowed"),
        ("a: b\u202e", "1:5 R003 the character U+202E cannot be seen and is not allowed"),
        ('a: "b\\0"', "1:5 R003 the character U+0000 cannot be seen and is not allowed"),
        ("\ufeffa: b", "1:1 R003 a byte order mark stands here"),
        ("a: b\rc: d", "1:5 R003 the character U+000D cannot be seen and is not allowed"),
        ("%YAML 1.1\n---\na: b", "1:1 R009 a line that begins with `%` is not allowed"),
        ("a: b: c", "1:5 R001 a `:` is not expected here"),
        ("a: @b", "1:4 R001 a text cannot begin with this character"),
        ("a: [b, c\n\n", "1:4 R001 a `,` or `]` is missing"),
        ("a: {b: c\nd: e", "2:2 R001 a `,` or `}` is missing"),
        ("x: 1\na: 'b\n\nc: d", "2:4 R001 the quote is not closed"),
        ('a: "\\q"', "1:4 R001 a `\\` in double quotes begins an escape that does not exist"),
        ("a:\n  b: 1\n c: 2", "3:2 R001 a key is expected here"),
        ("- a\nb: c", "2:1 R001 a list goes on here with something that has no `-`"),
        ("a: - b", "1:4 R001 a list cannot begin here"),
        ("{a: 1}}", "1:7 R001 something is left over here"),
        ("a:\n  b\nc", "3:1 R001 a `:` is missing after the key"),
    ],
)
def test_what_is_unclear_is_refused_with_its_place(text: str, problem: str) -> None:
    assert said(text) == [problem]


def test_a_problem_is_shown_with_its_line() -> None:
    text = "a: 1\nname: x\nname: y\n"
    [found] = read(text, "rules/f.yaml")[1]
    assert render(found, {"rules/f.yaml": text.split("\n")}) == (
        "error[R008]: the key `name` stands twice; the first is in line 2\n"
        " --> rules/f.yaml:3:1\n"
        "  |\n"
        "3 | name: y\n"
        "  | ^^^^"
    )


def test_a_syntax_error_spoils_only_its_own_document() -> None:
    trees, found = read("a: 1\n---\nb: [\n---\nc: 3\nc: 4\n", "f.yaml")
    assert [tree.body for tree in trees] == [{"a": "1"}, {"c": "3"}]
    assert [(d.code, d.place.line) for d in found] == [("R001", 3), ("R008", 6)]


def test_what_is_refused_is_left_out_and_the_rest_given() -> None:
    trees, _ = read("a: 1\na: 2\n<<: {b: 1}\nc: *d\ne: f", "f.yaml")
    assert trees[0].body == {"a": "1", "c": None, "e": "f"}


@pytest.mark.parametrize("piece", ["[", "{a: ", "- ", "[[],", "[a, ", "'[' [", "a: [\n"])
def test_deep_nesting_is_refused_and_does_no_harm(piece: str) -> None:
    assert [d.code for d in read(piece * 100_000, "f.yaml")[1]] == ["R002"]


def test_thirty_levels_are_allowed_and_one_more_is_not() -> None:
    assert not said("[" * 30 + "]" * 30)
    assert said("[" * 32 + "]" * 32) == ["1:32 R002 nested deeper than 30 levels"]


def test_a_key_that_is_deeply_nested_does_no_harm() -> None:
    """PyYAML 6.0.4 and later also says that it is nested too deeply; earlier ones read on."""
    assert [d.code for d in read("? " * 50_000, "f.yaml")[1]] in (["R005"], ["R005", "R001"])


def test_large_files_are_refused() -> None:
    assert said("a: " + "ä" * 500_000) == ["1:1 R002 the file is larger than 1,000,000 bytes"]
    assert [d.code for d in read("- a\n" * (MOST_NODES + 1), "f.yaml")[1]] == ["R002"]


def test_nodes_are_counted_over_all_documents() -> None:
    assert [d.code for d in read("---\n- a\n- b\n" * 8_000, "f.yaml")[1]] == ["R002"]


def test_a_binary_file_gives_few_problems() -> None:
    assert len(said("\x00" * 1000)) == 20


def test_bytes_that_are_not_utf_8_are_refused_with_a_place() -> None:
    text, [found] = decode("ä: b\nc: ä".encode() + b"\xff", "f.yaml")
    assert (found.code, found.message, found.place) == ("R003", "the byte 0xff is not UTF-8", Place("f.yaml", 2, 5))
    assert text.startswith("ä: b\nc: ä")
    assert decode(b"a: b\r\n", "f.yaml") == ("a: b\n", [])


def test_hints_name_the_nearest_word() -> None:
    assert did_you_mean("proejct", ["project", "product"]) == "did you mean `project`?"
    assert did_you_mean("zzz", ["project"]) == ""


def test_hints_take_a_word_for_the_beginning_of_the_only_one_that_begins_so() -> None:
    commands = ["list", "history", "read", "report"]
    assert did_you_mean("hist", commands) == "did you mean `history`?"
    assert did_you_mean("re", commands) == "did you mean `read`?", "two begin so"


def test_clipped_text_stays_in_one_line() -> None:
    assert clipped("a\n  b") == "a b"
    assert len(clipped("x" * 100)) == 60


scalars = st.text("ab:#-[]{}'\"&*!|>%@` \nä0", max_size=12)


@given(st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(scalars, inner, max_size=3)))
def test_what_is_written_as_json_is_read_back(body: object) -> None:
    import json

    trees, found = read(json.dumps(body, ensure_ascii=False), "f.yaml")
    assert not found
    assert trees[0].body == body


@given(st.text("ab:#-[]{}'\"&*!|>%@` \n?,\\~<ä0", max_size=60))
def test_nothing_is_raised_whatever_the_text(text: str) -> None:
    trees, found = read(text, "f.yaml")
    lines = text.split("\n")
    assert all(1 <= d.place.line <= len(lines) for d in found)
    assert all(path in tree.places for tree in trees for path in tree.key_places)
