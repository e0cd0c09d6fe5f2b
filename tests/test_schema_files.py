"""The JSON Schemas themselves: they are well formed, explain every word, take what the language page shows and refuse
typical mistakes where they stand.

Each document is looked at twice: as an editor sees it, with the types of YAML, and as the engine sees it, all text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from charter.engine import schemas
from charter.engine.source import Document
from charter.engine.strict_yaml import read
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

ROOT = Path(__file__).parents[1]
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "schemas").glob("*.schema.json"))
}
KINDS = [kind for kind in SCHEMAS if kind != "common"]
BUILT = {
    "pack", "record", "master", "workflow", "decision", "parameters", "formulas", "measure", "posting", "process",
    "statement", "mapping", "test", "share_out", "calendar", "limit",
}  # fmt: skip
REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], DRAFT202012.create_resource(schema)) for schema in SCHEMAS.values()
)
SHIPPED = [
    path for folder in ("rules", "workflows", "schemas", "examples") for path in sorted((ROOT / folder).rglob("*.yaml"))
]
OF_SCHEMAS = ("not", "if", "then", "else", "items", "additionalProperties", "propertyNames")
BY_NAME = ("properties", "$defs", "dependentSchemas")


class Editor(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as an editor reads it: numbers and booleans have types, dates are texts."""


Editor.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith("timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def in_editor(text: str) -> list[tuple[tuple[str | int, ...], str]]:
    """Path and message of everything that an editor would mark."""
    found = []
    for body in yaml.load_all(text, Editor):
        validator = Draft202012Validator(SCHEMAS[next(iter(body))], registry=REGISTRY)
        found += [(tuple(error.absolute_path), error.message) for error in validator.iter_errors(body)]
    return found


def in_engine(text: str) -> list[str]:
    """What the engine says about a text."""
    trees, found = read(text, "rules.yaml")
    for tree in trees:
        assert isinstance(tree.body, dict)
        kind, *_ = tree.body
        name = tree.body.pop(kind)
        document = Document(kind, str(name), tree.body, tree.places, tree.key_places, "", (("rules.yaml", ""),))
        found += schemas.problems(document)
    return [f"{problem.place}: {problem}" for problem in found]


def parts(schema: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema inside a schema, with where it stands."""
    if not isinstance(schema, dict):
        return
    yield place, schema
    for word in OF_SCHEMAS:
        yield from parts(schema.get(word), f"{place}/{word}")
    for word in BY_NAME:
        for name, inner in schema.get(word, {}).items():
            yield from parts(inner, f"{place}/{word}/{name}")
    for word in ("allOf", "anyOf", "oneOf"):
        for at, inner in enumerate(schema.get(word, [])):
            yield from parts(inner, f"{place}/{word}/{at}")


def referred(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with what its reference says, its own words first."""
    if "$ref" not in schema:
        return schema
    found = REGISTRY.resolver(SCHEMAS[kind]["$id"]).lookup(schema["$ref"])
    there = "common" if schema["$ref"].startswith("common") else kind
    return {**referred(there, found.contents), **schema}


def words_of(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property that a schema introduces, with what stands behind its reference.

    What is under a condition only says more about a property that stands elsewhere.
    """
    for place, schema in parts(SCHEMAS[kind]):
        if not re.search(r"/(if|then|else|not|dependentSchemas)(/|$)", place) and "title" in schema:
            for name, inner in schema.get("properties", {}).items():
                yield f"{place}/{name}", referred(kind, inner)


def examples_in_language() -> list[str]:
    text = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_every_kind_that_is_built_has_a_schema() -> None:
    assert set(KINDS) == BUILT


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_is_valid_and_named_after_its_file(kind: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$id"].endswith(f"/{kind}.schema.json")


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_reference_leads_somewhere(kind: str) -> None:
    resolver = REGISTRY.resolver(SCHEMAS[kind]["$id"])
    references = [schema["$ref"] for _, schema in parts(SCHEMAS[kind]) if "$ref" in schema]
    assert all(resolver.lookup(reference).contents for reference in references)


def test_every_shared_definition_is_used() -> None:
    used = {s["$ref"].rpartition("/")[2] for kind in SCHEMAS for _, s in parts(SCHEMAS[kind]) if "$ref" in s}
    assert set(SCHEMAS["common"]["$defs"]) <= used


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_word_is_explained_with_an_example(kind: str) -> None:
    bare = [place for place, word in words_of(kind) if not (word.get("description") and word.get("examples"))]
    assert bare == []


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_example_in_a_schema_fits_it(kind: str) -> None:
    for place, schema in parts(SCHEMAS[kind]):
        validator = Draft202012Validator({"$ref": f"{SCHEMAS[kind]['$id']}#{place}"}, registry=REGISTRY)
        for example in schema.get("examples", []):
            assert [error.message for error in validator.iter_errors(example)] == [], place


@pytest.mark.parametrize("kind", KINDS)
def test_only_words_of_the_language_can_be_written(kind: str) -> None:
    """Every map either fixes its words or says what may stand under a name."""
    for place, schema in parts(SCHEMAS[kind]):
        if "properties" in schema and "title" in schema and not re.search(r"/(if|then|else)(/|$)", place):
            assert "additionalProperties" in schema, place


@pytest.mark.parametrize("text", examples_in_language(), ids=lambda text: text.split("\n")[0])
def test_the_language_page_shows_what_is_accepted(text: str) -> None:
    assert in_editor(text) == []
    assert in_engine(text) == []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_an_editor_finds_the_schema_of_a_shipped_file_and_marks_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    first = text.split("\n")[0]
    kind = next(iter(next(iter(yaml.load_all(text, Editor)))))
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "schemas" / f"{kind}.schema.json"
    assert in_editor(text) == []


def test_the_language_page_shows_every_kind() -> None:
    shown = {next(iter(body)) for text in examples_in_language() for body in yaml.load_all(text, Editor)}
    assert shown == BUILT


PARTIAL = """
decision: cost_price
changes: base
rows:
  - {name: weekend, before: weekday, when: {day: [saturday, sunday]}, then: {price: 90}}
  - {name: weekday, until: 2026-12-31}
remove: {rows: [trial]}
---
workflow: timesheet
changes: base
transitions:
  - {event: submit, who: {role: clerk}}
  - {name: approve_last, do: [{name: notify, when: {amount: {above: 100}}}]}
remove: {transitions.submit.require: [has_lines]}
---
posting: hour_cost
changes: base
voucher: {series: work}
rows: [{name: at_once, when: {profile.hour_cost: [profit_and_loss, both]}}]
---
record: project
changes: base
fields: {region: {one_of: [north, south], optional: true, doc: Region.}, note: {optional: true}}
---
parameters: time
changes: base
values: {hours_per_day: {rows: [{from: 2027-01-01, value: 12}]}}
---
statement: trial_balance
changes: base
figures: [{name: debit, title: Debits}]
---
measure: posted_cost
changes: base
remove: all
---
pack: customer
doc: What is different here.
version: 1.0.0
extends: base
ledger: {series: {work: {prefix: W, doc: Work posted.}}}
"""


def test_what_changes_a_definition_says_only_what_is_different() -> None:
    assert in_editor(PARTIAL) == []
    assert in_engine(PARTIAL) == []


RECORD = "record: a\ndoc: D.\nworkflows: [a]\n"
WORKFLOW = "workflow: a\ndoc: D.\nof: a\nstates: {open: {doc: D.}}\n"
DECISION = "decision: a\ndoc: D.\nof: a\noutputs: {b: {type: text}}\n"
POSTING = "posting: a\ndoc: D.\nsource: S1\nof: a\nvoucher: {series: hours, date: day, company: b, currency: b}\n"
STATEMENT = "statement: a\ndoc: D.\neach: {of: account}\n"
MAPPING = "mapping: a\ndoc: D.\nto: a\n"
TEST = "test: a\ndoc: D.\ntoday: 2026-03-31\n"


def transition(text: str) -> str:
    return f"{WORKFLOW}transitions:\n  - {{event: go, from: nothing, to: open, {text}}}\n"


def entry(text: str) -> str:
    return f"{POSTING}rows: [{{entries: [{{{text}}}]}}]\n"


AT, DO, ENTRY = ("transitions", 0), ("transitions", 0, "do", 0), ("rows", 0, "entries", 0)

MISTAKES: list[tuple[str, str, tuple[str | int, ...], str]] = [
    ("a definition has a doc", "record: a\nworkflows: [a]\nfields: {b: {type: text, doc: B.}}", (), "doc"),
    ("a name has small letters", "record: HourLine\ndoc: D.\nworkflows: [a]\nfields: {b: {type: text, doc: B.}}",
     ("record",), "HourLine"),
    ("a word is misspelt", f"{RECORD}feilds: {{}}\nfields: {{b: {{type: text, doc: B.}}}}", (), "feilds"),
    ("a type is unknown", f"{RECORD}fields: {{b: {{type: integer, doc: B.}}}}", ("fields", "b", "type"), "integer"),
    ("a field has no type", f"{RECORD}fields: {{b: {{doc: B.}}}}", ("fields", "b"), "type"),
    ("a field has no doc", f"{RECORD}fields: {{b: {{type: text}}}}", ("fields", "b"), "doc"),
    ("a field has two types", f"{RECORD}fields: {{b: {{ref: a, type: text, doc: B.}}}}", ("fields", "b", "type"), ""),
    ("a flag is neither true nor false", f"{RECORD}fields: {{b: {{type: text, optional: maybe, doc: B.}}}}",
     ("fields", "b", "optional"), "maybe"),
    ("a key is a list", f"{RECORD}key: b\nfields: {{b: {{type: text, doc: B.}}}}", ("key",), "b"),
    ("a role is a map", transition("who: accountant"), (*AT, "who"), "accountant"),
    ("a role and a field exclude each other", transition("who: {role: a, field: b}"), (*AT, "who", "field"), ""),
    ("a requirement says what is wrong", transition("require: [{that: b > 0}]"), (*AT, "require", 0), "else"),
    ("a warning has a name", transition("warn: [{that: b > 0, else: No.}]"), (*AT, "warn", 0), "name"),
    ("a look-up may find none", transition("find: {b: {of: a, where: c == 1}}"), (*AT, "find", "b"), "else"),
    ("a step has an unknown verb", transition("do: [{call: a}]"), DO, "call"),
    ("a step does one thing", transition("do: [{set: {b: 1}, post: c}]"), (*DO, "post"), ""),
    ("only what is created gets a name", transition("do: [{post: c, as: d}]"), DO, "create"),
    ("a step of a group does nothing", transition("do: [{do: [{doc: D.}]}]"), (*DO, "do", 0), ""),
    ("a bound is unknown", transition("when: {b: {more_than: 5}}"), (*AT, "when", "b"), "more_than"),
    ("two lower bounds", transition("when: {b: {above: 5, at_least: 6}}"), (*AT, "when", "b", "at_least"), ""),
    ("people are told apart from somebody", transition("do: [{post: c}]") + "people: [{different: [{event: go}]}]",
     ("people", 0, "different"), "event"),
    ("a hit policy is unknown", f"{DECISION}hit: best\nrows: []", ("hit",), "best"),
    ("the most specific needs a search", f"{DECISION}hit: most_specific\nrows: []", (), "search"),
    ("a row has no answer", f"{DECISION}hit: first\nrows: [{{when: {{c: 1}}}}]", ("rows", 0), "then"),
    ("a day that no month has", f"{DECISION}hit: first\nrows: [{{then: {{b: x}}, from: 2026-13-01}}]",
     ("rows", 0, "from"), "2026-13-01"),
    ("an answer stands beside a refusal", f"{DECISION}hit: first\nrows: []\notherwise: {{error: No., b: x}}",
     ("otherwise", "b"), ""),
    ("a measure sums or counts", "measure: a\ndoc: D.\nof: a\nby: [b]", (), "sum"),
    ("a posting names its source", entry("debit: a, amount: b").replace("source: S1\n", ""), (), "source"),
    ("an entry multiplies", entry("debit: a, amount: hours * price"), (*ENTRY, "amount"), "hours * price"),
    ("an entry has one side", entry("debit: a, credit: b, amount: c"), (*ENTRY, "credit"), ""),
    ("an entry has a side", entry("amount: c"), ENTRY, "debit"),
    ("a chunk is empty", "process: a\ndoc: D.\nselect: {of: a}\nfire: go\nchunk: 0", ("chunk",), "0"),
    ("a formula is no movement", f"{STATEMENT}figures: [{{name: b, title: B, formula: c, over: column}}]",
     ("figures", 0, "over"), ""),
    ("a field comes from two places", f"{MAPPING}fields: {{b: {{from: B, value: c}}}}", ("fields", "b", "value"), ""),
    ("a test expects nothing", f"{TEST}when: [{{run: post}}]", (), "then"),
    ("an event is fired on nothing", f"{TEST}when: [{{fire: go}}]\nthen: {{refusal: Not}}", ("when", 0), "record"),
    ("no amount", f"{TEST}when: [{{run: b}}]\nthen: {{vouchers: [{{entries: [{{debit: c, amount: x}}]}}]}}",
     ("then", "vouchers", 0, "entries", 0, "amount"), "x"),
    ("a removal changes a pack", "decision: a\nchanges: base\nreplaces: base", ("replaces",), ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "word"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_a_typical_mistake_is_refused_where_it_stands(text: str, path: tuple[str | int, ...], word: str) -> None:
    found = in_editor(text)
    assert {where for where, _ in found} == {path}
    assert any(word in message for _, message in found)
    assert in_engine(text)
