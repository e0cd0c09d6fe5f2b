"""Puts an error of a schema into the words of the rules, with its place and what would be accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from .errors import Diagnostic
from .schema_errors import Error, is_about_key, needed_keys, possible_keys, unknown_keys
from .schema_validators import BOUNDS, Checker, Schema
from .source import Document, clipped, did_you_mean


def diagnostics(told: Error, document: Document, checker: Checker) -> list[Diagnostic]:
    if unknown := unknown_keys(told, checker):
        return [_unknown_key(told, key, document, checker) for key in unknown]
    if is_about_key(told):
        return [_key_problem("R106", f"`{clipped(told.value)}` cannot be a name here", told, told.value, document)]
    if excluded := _excluded_key(told):
        return [_key_problem("R110", _say_excluded(told, excluded), told, excluded, document)]
    if told.word in ("anyOf", "oneOf"):
        return [_no_alternative(told, document, checker)]
    code, said, hint = _SAYINGS.get(told.word, _say_unfit)(told, _thing(told, document))
    return [Diagnostic(code, said, document.place(told.path), _length(told.value), hint)]


def _key_problem(code: str, said: str, told: Error, key: str, document: Document) -> Diagnostic:
    above = told.path if told.path[-1:] != (key,) else told.path[:-1]
    place = document.key_places.get((*above, key), document.place(told.path))
    return Diagnostic(code, said, place, len(key), _description(told))


def _excluded_key(told: Error) -> str:
    """The key that must not stand where it does, whatever its value: its schema is `false` or `{"not": {}}`."""
    if told.word == "properties":
        return told.message
    steps = list(told.error.relative_schema_path)
    is_key = (
        told.path and isinstance(told.path[-1], str) and steps[-2:-1] in (["properties"], ["$ref"], [told.path[-1]])
    )
    return str(told.path[-1]) if told.word == "not" and told.wanted == {} and is_key else ""


def _say_excluded(told: Error, key: str) -> str:
    steps = list(told.error.relative_schema_path)
    if "dependentSchemas" in steps:
        other = steps[len(steps) - steps[::-1].index("dependentSchemas")]
        return f"`{other}` and `{key}` exclude each other"
    return f"`{key}` does not go with what else stands here"


def _unknown_key(told: Error, key: str, document: Document, checker: Checker) -> Diagnostic:
    words = possible_keys(told, checker)
    # In `{doc: The first, such as a total.}` the comma ends the text, and what follows it is a key without a value.
    is_rest_of_text = " " in key and isinstance(told.value, dict) and told.value.get(key) is None
    hint = "a text with a comma in it stands in quotes" if is_rest_of_text else did_you_mean(key, words)
    if not hint:
        hint = f"possible here: {', '.join(sorted(words))}" if 0 < len(words) <= 12 else ""
    place = document.key_places.get((*told.path, key), document.place(told.path))
    return Diagnostic("R101", f"`{clipped(key)}` is not a word of {_thing(told, document)}", place, len(key), hint)


def _no_alternative(told: Error, document: Document, checker: Checker) -> Diagnostic:
    """No alternative is nearest: what the schema says of it, else the keys or types that would be accepted."""
    value, place = told.value, document.place(told.path)
    thing = _thing(told, document)
    needed = needed_keys(told) if isinstance(value, dict) else set()
    if needed - set(value or ()):
        return Diagnostic("R102", f"{thing} needs one of {_listed(needed)}", place, hint=_description(told))
    if needed:
        return Diagnostic("R109", f"{thing} cannot stand here like this", place, hint=_description(told))
    said = f"{thing} should be {_kinds(told.schema, checker)}, not {_shown(value)}"
    return Diagnostic("R103", said, place, _length(value), _description(told))


# --- a saying for each keyword ---------------------------------------------------------------------------------------

Said: TypeAlias = tuple[str, str, str]


def _say_required(told: Error, thing: str) -> Said:
    return "R102", f"{thing} needs `{told.message}`", ""


def _say_type(told: Error, thing: str) -> Said:
    types = told.wanted
    kinds = _or(_types([types] if isinstance(types, str) else types))
    return "R103", f"{thing} should be {kinds}, not {_shown(told.value)}", _description(told)


def _say_value(told: Error, thing: str) -> Said:
    value = told.wanted
    allowed = [_plain(one) for one in (value if told.word == "enum" else [value])]
    written = told.value
    hint = did_you_mean(written, allowed) if isinstance(written, str) else ""
    hint = hint or ("possible: " if len(allowed) > 1 else "write ") + ", ".join(allowed)
    return "R104", f"{_shown(written)} is not possible for {thing}", hint


def _say_pattern(told: Error, thing: str) -> Said:
    return "R105", f"{_shown(told.value)} is not written as {thing} must be", _description(told)


def _say_size(told: Error, thing: str) -> Said:
    bound = told.wanted
    few = told.word.startswith("min")
    if bound == 1 and few:
        return "R107", f"{thing} must not be empty", _description(told)
    unit = {"Items": "elements", "Properties": "keys", "Length": "characters"}[told.word[3:]]
    return "R107", f"{thing} must have at {'least' if few else 'most'} {bound} {unit}", _description(told)


def _say_bound(told: Error, thing: str) -> Said:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
        "multipleOf": "a multiple of",
    }
    said = f"{thing} must be {words[told.word]} {told.wanted}, not {told.value}"
    return "R107", said, _description(told)


def _say_dependent(told: Error, thing: str) -> Said:
    value = told.value
    for key, needed in told.wanted.items():
        missing = [other for other in needed if key in value and other not in value]
        if missing:
            return "R102", f"{thing} with `{key}` needs `{missing[0]}`", _description(told)
    return _say_unfit(told, thing)


def _say_twice(told: Error, thing: str) -> Said:
    counted = Counter(json.dumps(value, sort_keys=True) for value in told.value)
    twice = next((text for text, count in counted.items() if count > 1), "")
    return "R108", f"{thing} holds {_shown(json.loads(twice or 'null'))} twice", "remove one"


def _say_unfit(told: Error, thing: str) -> Said:
    """For what only the schema's author can put in words: its description."""
    said = _description(told).rstrip(".")
    return "R109", said[:1].lower() + said[1:] or f"{thing} cannot stand here like this", ""


_SAYINGS: dict[str, Callable[[Error, str], Said]] = {
    "required": _say_required,
    "type": _say_type,
    "enum": _say_value,
    "const": _say_value,
    "pattern": _say_pattern,
    "uniqueItems": _say_twice,
    "dependentRequired": _say_dependent,
    **dict.fromkeys(("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"), _say_size),
    **dict.fromkeys(BOUNDS, _say_bound),
}


# --- words for things and kinds --------------------------------------------------------------------------------------


def _thing(told: Error, document: Document) -> str:
    """What the error is about: the title that its schema gives, the kind, the key, or one of what the key holds."""
    schema = told.schema
    if isinstance(schema, dict) and "title" in schema and told.path:
        return _with_article(schema["title"])
    if not told.path:
        kind = document.kind.replace("_", " ")
        return kind if kind.endswith("s") else _with_article(kind)
    if isinstance(told.path[-1], str):
        return f"`{told.path[-1]}`"
    key = next((step for step in reversed(told.path) if isinstance(step, str)), document.kind)
    return _with_article(_SINGULARS[key]) if key in _SINGULARS else f"an element of `{key}`"


# What one of a list is called, where it has a name of its own.
_SINGULARS = {"transitions": "transition", "rows": "row", "entries": "entry", "columns": "column", "figures": "figure"}


def _with_article(noun: str) -> str:
    if noun.split(" ")[0] in ("a", "an", "the"):
        return noun
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _kinds(schema: Any, checker: Checker) -> str:
    """What the alternatives of a schema accept, in words."""
    kinds: list[str] = []
    for inner in schema.get("anyOf", schema.get("oneOf", ())):
        while isinstance(inner, dict) and "$ref" in inner and "title" not in inner:
            inner, _ = checker.referred(inner["$ref"], checker.schema)
        kinds += _kinds_of(inner if isinstance(inner, dict) else {})
    return _or(list(dict.fromkeys(kinds))) or "something else"


def _kinds_of(schema: Schema) -> list[str]:
    if "title" in schema:
        return [_with_article(schema["title"])]
    if "const" in schema or "enum" in schema:
        return [f"`{_plain(one)}`" for one in schema.get("enum", [schema.get("const")])]
    types = schema.get("type", "object" if "properties" in schema else [])
    return _types([types] if isinstance(types, str) else types)


def _types(types: list[str]) -> list[str]:
    """The types in words; every number is a text as well, so that it is not worth a word beside it."""
    told = [one for one in types if "string" not in types or one not in ("integer", "number", "boolean")]
    return [_TYPES[one] for one in told]


_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
    "array": "a list",
    "object": "a map of `key: value`",
    "null": "empty",
}


def _description(told: Error) -> str:
    """What the schema says should stand there."""
    schema = told.schema if isinstance(told.schema, dict) else {}
    return str(schema.get("errorMessage") or schema.get("description") or "")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"`{clipped(value)}`"
    return "a list" if isinstance(value, list) else "a map"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in sorted(words))


def _or(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str) and "\n" not in value else 1
