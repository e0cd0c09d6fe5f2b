"""A document is held against the schema of its kind, and what is wrong is said in the words of the rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from charter.engine.errors import render
from charter.engine.schemas import problems, too_long
from charter.engine.source import Document
from charter.engine.strict_yaml import read

COMMON = {
    "$id": "https://charter.invalid/schemas/common.schema.json",
    "$defs": {
        "name": {"type": "string", "pattern": "^[a-z_]+$", "errorMessage": "Small letters and `_`."},
        "misplaced": {"not": {}},
        "step": {
            "title": "step",
            "type": "object",
            "additionalProperties": False,
            "properties": {"set": {"type": "object"}, "fire": {"type": "string"}, "post": {"$ref": "#/$defs/name"}},
            "dependentSchemas": {"set": {"properties": {"post": {"$ref": "#/$defs/misplaced"}, "fire": False}}},
            "anyOf": [{"required": ["set"]}, {"required": ["fire"]}, {"required": ["post"]}],
        },
    },
}
DECISION = {
    "$id": "https://charter.invalid/schemas/decision.schema.json",
    "type": "object",
    "additionalProperties": False,
    "required": ["decision", "doc"],
    "properties": {
        "decision": {"$ref": "common.schema.json#/$defs/name"},
        "doc": {"type": "string"},
        "from": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "A day."},
        "final": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number", "exclusiveMinimum": 0},
        "places": {"enum": [0, 2]},
        "hit": {"enum": ["first", "unique", "most_specific"]},
        "kind": {"const": "table"},
        "amount": {"oneOf": [{"type": "boolean"}, {"type": "integer"}, {"type": "string"}, {"type": "array"}]},
        "who": {"anyOf": [{"type": "object", "required": ["role"]}, {"type": "array"}]},
        "say": {"enum": ["a", "b"], "title": "way of saying"},
        "names": {"type": "array", "items": {"$ref": "common.schema.json#/$defs/name"}, "uniqueItems": True},
        "let": {"type": "object", "propertyNames": {"$ref": "common.schema.json#/$defs/name"}, "minProperties": 1},
        "transitions": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["event"],
                "properties": {"event": {"type": "string"}, "from": {"type": "string"}, "to": {"type": "string"}},
                "dependentRequired": {"from": ["to"]},
            },
        },
        "do": {"type": "array", "items": {"$ref": "common.schema.json#/$defs/step"}},
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, schema in {"common": COMMON, "decision": DECISION}.items():
        (tmp_path / f"{name}.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return tmp_path


def document(text: str) -> Document:
    [tree], found = read(text, "rules/d.yaml")
    assert not found
    assert isinstance(tree.body, dict)
    body: dict[str, Any] = dict(tree.body)
    kind = next(iter(body))
    name = body.pop(kind)
    return Document(kind, name, body, tree.places, tree.key_places, "base", (("rules/d.yaml", "base"),))


def said(text: str, folder: Path) -> list[str]:
    found = problems(document("decision: profile\ndoc: x\n" + text), folder)
    return [f"{d.place.line}:{d.place.column} {d.code} {d.message}" + (f" ({d.hint})" if d.hint else "") for d in found]


@pytest.mark.parametrize(
    "text",
    ["final: true", "final: 'false'", "count: 3", "share: 0.5", "places: 2", "hit: first", "kind: table",
     "amount: true", "amount: [1]", "amount: 3", "who: {role: x}", "names: [a, b]", "let: {a: b}",
     "do: [{set: {a: b}}]"],
)  # fmt: skip
def test_text_counts_as_what_it_can_be_read_as(text: str, folder: Path) -> None:
    assert said(text, folder) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("form: 2026-01-01", "3:1 R101 `form` is not a word of a decision (did you mean `from`?)"),
        ("transitions: [{evnt: a}]", "3:16 R101 `evnt` is not a word of a transition (did you mean `event`?)"),
        ("transitions: [{to: a}]", "3:15 R102 a transition needs `event`"),
        ("transitions: [{event: a, from: b}]", "3:15 R102 a transition with `from` needs `to`"),
        ("transitions: []", "3:14 R107 `transitions` must not be empty"),
        ("transitions: a", "3:14 R103 `transitions` should be a list, not `a`"),
        ("transitions: [a]", "3:15 R103 a transition should be a map of `key: value`, not `a`"),
        ("final: yes", "3:8 R103 `final` should be `true` or `false`, not `yes`"),
        ("final: 'no'", "3:9 R103 `final` should be `true` or `false`, not `no`"),
        ("final:", "3:7 R103 `final` should be `true` or `false`, not empty"),
        ("count: 0123", "3:8 R103 `count` should be a whole number, not `0123`"),
        ("count: 1.5", "3:8 R103 `count` should be a whole number, not `1.5`"),
        ("count: 12", "3:8 R107 `count` must be at most 9, not 12"),
        ("share: 0.0", "3:8 R107 `share` must be more than 0, not 0.0"),
        ("share: 1e3", "3:8 R103 `share` should be a number, not `1e3`"),
        ("places: 1", "3:9 R104 `1` is not possible for `places` (possible: 0, 2)"),
        ("hit: frist", "3:6 R104 `frist` is not possible for `hit` (did you mean `first`?)"),
        ("kind: map", "3:7 R104 `map` is not possible for `kind` (write table)"),
        ("say: c", "3:6 R104 `c` is not possible for a way of saying (possible: a, b)"),
        ("from: 2026", "3:7 R105 `2026` is not written as `from` must be (A day.)"),
        (
            "amount: {a: b}",
            "3:9 R103 `amount` should be `true` or `false`, a whole number, a text or a list, not a map",
        ),
        ("who: {rule: x}", "3:6 R102 `who` needs `role`"),
        ("who: x", "3:6 R103 `who` should be a map of `key: value` or a list, not `x`"),
        ("names: [a, b, a]", "3:8 R108 `names` holds `a` twice (remove one)"),
        ("let: {A: b}", "3:7 R106 `A` cannot be a name here (Small letters and `_`.)"),
        ("do: [{fre: x}]", "3:7 R101 `fre` is not a word of a step (did you mean `fire`?)"),
        (
            "do: [{fire: a, as soon as it can be.}]",
            "3:16 R101 `as soon as it can be.` is not a word of a step (a text with a comma in it stands in quotes)",
        ),
        ("do: [{}]", "3:6 R102 a step needs one of `fire`, `post`, `set`"),
        ("do: [{set: {a: b}, post: c}]", "3:20 R110 `set` and `post` exclude each other"),
        ("do: [{set: {a: b}, fire: c}]", "3:20 R110 `set` and `fire` exclude each other"),
    ],
)
def test_a_mistake_is_told_once_in_plain_words(text: str, problem: str, folder: Path) -> None:
    assert said(text, folder) == [problem]


def test_all_mistakes_are_told_at_once_and_in_order(folder: Path) -> None:
    found = problems(document("decision: profile\nhti: first\ncount: x\n"), folder)
    assert [(d.code, d.place.line) for d in found] == [("R102", 1), ("R101", 2), ("R103", 3)]


def test_a_mistake_is_shown_under_its_word(folder: Path) -> None:
    text = "decision: profile\ndoc: x\nform: 2026-01-01\n"
    [found] = problems(document(text), folder)
    assert render(found, {"rules/d.yaml": text.split("\n")}) == (
        "error[R101]: `form` is not a word of a decision\n"
        " --> rules/d.yaml:3:1\n"
        "  |\n"
        "3 | form: 2026-01-01\n"
        "  | ^^^^ did you mean `from`?"
    )


def test_the_name_itself_is_held_against_the_schema(folder: Path) -> None:
    [found] = problems(document("decision: Profile\ndoc: x\n"), folder)
    assert (found.code, found.place.column) == ("R105", 11)


def test_a_long_file_is_a_problem() -> None:
    lines = {"short.yaml": ["x"] * 150 + [""], "long.yaml": ["x"] * 151 + [""]}
    [found] = too_long(lines)
    assert str(found) == "error[R190]: the file has 151 lines; the most is 150"
    assert str(found.place) == "long.yaml:151:1"


def test_the_schemas_of_the_package_are_used_by_default() -> None:
    [found] = problems(document("parameters: p\ndoc: Values with dates.\nvalus: {}\n"))[-1:]
    assert (found.code, found.message) == ("R101", "`valus` is not a word of parameters")
