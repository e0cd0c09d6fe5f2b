"""Applies the JSON Schema of its kind to a document, and says what is wrong in the words of the rules, with places.

The meaning of what is written (does that field exist?) is not looked at here.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import Diagnostic, Place, in_order
from .source import Document, Route, clipped, did_you_mean, nearest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MOST_LINES = 150

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")

Schema: TypeAlias = "dict[str, Any]"


def problems(document: Document, folder: Path | None = None) -> list[Diagnostic]:
    """What the schema of its kind has against a document, in order; `folder` holds the schemas.

    The document is seen as it is written, with its kind's key. Raises FileNotFoundError where a kind has no schema.
    """
    checker = _checker(folder or _folder(), document.kind)
    told = _meant([_Error(error, ()) for error in checker.errors(document.whole)], checker)
    suggested = _suggested(told, checker)
    kept = [error for error in told if not _is_misspelt(error, suggested)]
    return in_order(_once(found for error in kept for found in _diagnostics(error, document, checker)))


def too_long(lines: Mapping[str, list[str]]) -> list[Diagnostic]:
    """A problem for every file of more lines than a reader wants at once; `lines` are those of each file by name."""
    found = []
    for file, texts in sorted(lines.items()):
        count = len(texts) - (texts[-1] == "") if texts else 0
        if count > MOST_LINES:
            said = f"the file has {count} lines; the most is {MOST_LINES}"
            hint = "divide it by what it is about"
            found.append(Diagnostic("R190", said, Place(file, MOST_LINES + 1, 1), hint=hint))
    return found


def _folder() -> Path:
    return Path(str(importlib.resources.files(f"{__package__.rpartition('.')[0]}.schemas")))


# The validator: JSON Schema over a document whose scalars are all text


@dataclass(frozen=True)
class _Checker:
    """The validator of one kind, and the schemas that its references lead to."""

    validator: Any
    schema: Schema
    schemas: Mapping[str, Schema]

    def errors(self, whole: Mapping[str, Any]) -> Iterator[ValidationError]:
        yield from self.validator.iter_errors(whole)

    def words(self, schema: Any, base: Schema | None = None, depth: int = 0) -> set[str]:
        """Every key that a schema names, through its references and alternatives."""
        if not isinstance(schema, dict) or depth > 8:
            return set()
        base = base or self.schema
        words = set(schema.get("properties", {}))
        for word in ("allOf", "anyOf", "oneOf"):
            for inner in schema.get(word, ()):
                words |= self.words(inner, base, depth + 1)
        for word in ("then", "else"):
            words |= self.words(schema.get(word), base, depth + 1)
        for inner in schema.get("dependentSchemas", {}).values():
            words |= self.words(inner, base, depth + 1)
        if "$ref" in schema:
            words |= self.words(*self.referred(schema["$ref"], base), depth + 1)
        return words

    def referred(self, reference: str, base: Schema) -> tuple[Any, Schema]:
        """What a reference leads to, and the schema around it; only for hints, so nothing where it is not found."""
        file, _, pointer = reference.partition("#")
        target = self.schemas.get(file.rpartition("/")[2], {}) if file else base
        for candidate in (target, *self.schemas.values()):
            found: Any = candidate
            for step in pointer.split("/")[1:]:
                found = found.get(step) if isinstance(found, dict) else None
            if found is not None:
                return found, candidate
        return {}, base


@lru_cache(maxsize=64)
def _checker(folder: Path, kind: str) -> _Checker:
    """The checker of a kind. jsonschema is imported here because it costs more than all else that a command does."""
    schemas = _schemas(folder)
    name = f"{kind}.schema.json"
    if name not in schemas:
        raise FileNotFoundError(folder / name)
    return _Checker(_validator_class(folder)(schemas[name]), schemas[name], schemas)


@lru_cache(maxsize=8)
def _schemas(folder: Path) -> dict[str, Schema]:
    paths = sorted(folder.glob("*.schema.json"))
    return {path.name: _with_files(json.loads(path.read_text(encoding="utf-8")), path.name) for path in paths}


def _with_files(schema: Any, file: str) -> Any:
    """The schema with the file's name in the references that stay within it."""
    if isinstance(schema, list):
        return [_with_files(inner, file) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _with_files(inner, file) for key, inner in schema.items()}
    reference = named.get("$ref")
    return {**named, "$ref": file + reference} if isinstance(reference, str) and reference[:1] == "#" else named


@lru_cache(maxsize=8)
def _validator_class(folder: Path) -> Any:
    """Draft 2020-12 where a text counts as every type that it can be read as."""
    from jsonschema import Draft202012Validator, validators

    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "boolean": lambda _, value: value in ("true", "false") and isinstance(value, str),
            "integer": lambda _, value: isinstance(value, str) and bool(_WHOLE.fullmatch(value)),
            "number": lambda _, value: isinstance(value, str) and bool(_NUMBER.fullmatch(value)),
        }
    )
    keywords = {
        "$ref": _following(_schemas(folder)),
        "required": _required,
        "properties": _properties,
        "additionalProperties": _additional_properties,
        "enum": lambda validator, allowed, value, schema: _among(allowed, value),
        "const": lambda validator, allowed, value, schema: _among([allowed], value),
        # A text may be of several types at once, so what would exclude each other in JSON need not do so here.
        "oneOf": Draft202012Validator.VALIDATORS["anyOf"],
        **{word: _bound(fits) for word, fits in _BOUNDS.items()},
    }
    extend: Any = validators.extend  # untyped in its stubs
    return extend(Draft202012Validator, keywords, type_checker=types)


def _following(schemas: Mapping[str, Schema]) -> Callable[..., Iterator[ValidationError]]:
    """Follows references; the library's own way makes a URL of each one anew, which costs more than all the rest."""

    @lru_cache(maxsize=1024)
    def target(reference: str) -> Any:
        file, _, pointer = reference.partition("#")
        found: Any = schemas[file.rpartition("/")[2]]
        for step in pointer.split("/")[1:]:
            found = found[step]
        return found

    def follow(validator: Any, reference: str, value: Any, schema: Schema) -> Iterator[ValidationError]:
        yield from validator.descend(value, target(reference))

    return follow


_BOUNDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "minimum": lambda value, bound: value >= bound,
    "maximum": lambda value, bound: value <= bound,
    "exclusiveMinimum": lambda value, bound: value > bound,
    "exclusiveMaximum": lambda value, bound: value < bound,
    "multipleOf": lambda value, bound: value % bound == 0,
}


def _bound(fits: Callable[[Decimal, Decimal], bool]) -> Callable[..., Iterator[ValidationError]]:
    def check(validator: Any, bound: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
        if validator.is_type(value, "number") and not fits(Decimal(value), Decimal(str(bound))):
            yield _error("")

    return check


def _required(validator: Any, keys: list[str], value: Any, schema: Schema) -> Iterator[ValidationError]:
    """One error for each missing key, which is its message."""
    if isinstance(value, dict):
        yield from (_error(key) for key in keys if key not in value)


def _properties(validator: Any, properties: Schema, value: Any, schema: Schema) -> Iterator[ValidationError]:
    """What is wrong in the known keys; for one that is excluded (`false`) it is the message."""
    for key in properties if isinstance(value, dict) else ():
        if key in value and properties[key] is False:
            yield _error(key)
        elif key in value:
            yield from validator.descend(value[key], properties[key], path=key, schema_path=key)


def _additional_properties(validator: Any, more: Any, value: Any, schema: Schema) -> Iterator[ValidationError]:
    """One error for each unknown key, which is its message; where others are allowed, what is wrong in them."""
    if not isinstance(value, dict):
        return
    patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", {})]
    for key in value:
        if key in schema.get("properties", {}) or any(pattern.search(key) for pattern in patterns):
            continue
        if more is False:
            yield _error(key)
        else:
            yield from validator.descend(value[key], more, path=key)


def _among(allowed: list[Any], value: Any) -> Iterator[ValidationError]:
    texts = {json.dumps(one) if isinstance(one, bool | int | float) else one for one in _hashable(allowed)}
    if not (value in allowed or (isinstance(value, str) and value in texts)):
        yield _error("")


def _hashable(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if not isinstance(value, dict | list)]


def _error(message: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)


# Choosing which errors to tell


@dataclass(frozen=True)
class _Error:
    """A validation error with the whole path to its value: those of an alternative know only the rest of it."""

    error: ValidationError
    above: Route

    @property
    def path(self) -> Route:
        return (*self.above, *self.error.relative_path)

    @property
    def word(self) -> str:
        return str(self.error.validator)

    @property
    def message(self) -> str:
        return self.error.message

    @property
    def value(self) -> Any:
        return self.error.instance

    @property
    def wanted(self) -> Any:
        """What the keyword that was broken says."""
        return self.error.validator_value

    @property
    def schema(self) -> Any:
        return self.error.schema

    @property
    def inner(self) -> list[ValidationError]:
        """What each alternative has against the value."""
        return self.error.context or []

    def is_about(self, path: Route, *words: str) -> bool:
        return self.path == path and self.word in words


def _meant(errors: Iterable[_Error], checker: _Checker) -> list[_Error]:
    """The errors with those about alternatives replaced by what is wrong in the alternative that was meant."""
    told: list[_Error] = []
    for error in errors:
        told += _of_alternatives(error, checker) if error.word in ("anyOf", "oneOf") else [error]
    return told


def _of_alternatives(error: _Error, checker: _Checker) -> list[_Error]:
    branches: dict[int, list[_Error]] = {}
    for inner in error.inner:
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(_Error(inner, error.path))
    told = {at: _meant(branch, checker) for at, branch in branches.items()}
    ranks = {at: _rank(branch, error.path) for at, branch in told.items()}
    best = [at for at in sorted(ranks) if ranks[at] == min(ranks.values())]
    # Several are equally near, or it is of another type altogether: the error itself says what is accepted.
    return told[best[0]] if len(best) == 1 and not ranks[best[0]][0] else [error]


def _suggested(told: Iterable[_Error], checker: _Checker) -> set[tuple[Route, str]]:
    """The words that unknown keys were probably meant to be, with the path of the map."""
    found = set()
    for error in told:
        for key in _unknown_keys(error, checker):
            near = nearest(key, _possible_keys(error, checker))
            found.add((error.path, near))
    return found


def _is_misspelt(error: _Error, suggested: Collection[tuple[Route, str]]) -> bool:
    """Whether what is missing is there under a wrong spelling, which is told already, or may follow from one."""
    missing = {error.message} if error.word == "required" else set()
    if error.word in ("anyOf", "oneOf"):
        missing = _needed(error)
    if any((error.path, word) in suggested for word in missing):
        return True
    return _depends_on_keys(error) and any(path == error.path for path, word in suggested if word)


def _depends_on_keys(error: _Error) -> bool:
    """Whether it is said only because of which other keys the map holds or lacks."""
    steps = list(error.error.relative_schema_path)
    within = max(
        (at for at, step in enumerate(steps) if step in ("properties", "items", "additionalProperties")), default=0
    )
    conditional = bool(error.path) and any(step in ("then", "else", "dependentSchemas") for step in steps[within:])
    return error.word == "dependentRequired" or (conditional and error.word in ("required", "not"))


def _unknown_keys(error: _Error, checker: _Checker) -> list[str]:
    """The keys that an error says are not known; empty where it says something else."""
    if error.word == "additionalProperties":
        return [error.message]
    if error.word == "enum" and _is_about_key(error):
        return [error.value]
    if not isinstance(error.value, dict):
        return []
    about_keys = ("additionalProperties", "unevaluatedProperties")
    if error.word == "unevaluatedProperties" or any(inner.validator in about_keys for inner in error.inner):
        words = checker.words(error.schema)
        return [key for key in error.value if key not in words]
    return []


def _possible_keys(error: _Error, checker: _Checker) -> set[str]:
    """The keys that could stand where an unknown one does."""
    if _is_about_key(error):
        return set(error.wanted)
    return checker.words(error.schema) - set(error.value)


def _is_about_key(error: _Error) -> bool:
    return "propertyNames" in error.error.relative_schema_path


def _once(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """One diagnostic for each mistake: the schema may say the same in several places, with better or worse hints."""
    best: dict[tuple[str, Place, str], Diagnostic] = {}
    for diagnostic in found:
        key = (diagnostic.code, diagnostic.place, diagnostic.message)
        if key not in best or (diagnostic.hint.startswith("did you") and not best[key].hint.startswith("did you")):
            best[key] = diagnostic
    return list(best.values())


def _rank(branch: Collection[_Error], path: Route) -> tuple[bool, int, int]:
    """How far an alternative is from what is written: another type or value, then wrong keys, then what lies deeper."""
    other = any(error.is_about(path, "type", "enum", "const", "pattern") for error in branch)
    keys = sum(error.is_about(path, "required", "additionalProperties", "unevaluatedProperties") for error in branch)
    return other, keys, len(branch)


# Telling them


def _diagnostics(told: _Error, document: Document, checker: _Checker) -> list[Diagnostic]:
    if unknown := _unknown_keys(told, checker):
        return [_unknown_key(told, key, document, checker) for key in unknown]
    if _is_about_key(told):
        return [_key_problem("R106", f"`{clipped(told.value)}` cannot be a name here", told, told.value, document)]
    if excluded := _excluded_key(told):
        return [_key_problem("R110", _say_excluded(told, excluded), told, excluded, document)]
    if told.word in ("anyOf", "oneOf"):
        return [_no_alternative(told, document, checker)]
    code, said, hint = _SAYINGS.get(told.word, _say_unfit)(told, _thing(told, document))
    return [Diagnostic(code, said, document.place(told.path), _length(told.value), hint)]


def _key_problem(code: str, said: str, told: _Error, key: str, document: Document) -> Diagnostic:
    above = told.path if told.path[-1:] != (key,) else told.path[:-1]
    place = document.key_places.get((*above, key), document.place(told.path))
    return Diagnostic(code, said, place, len(key), _description(told))


def _excluded_key(told: _Error) -> str:
    """The key that must not stand where it does, whatever its value: its schema is `false` or `{"not": {}}`."""
    if told.word == "properties":
        return told.message
    steps = list(told.error.relative_schema_path)
    is_key = (
        told.path and isinstance(told.path[-1], str) and steps[-2:-1] in (["properties"], ["$ref"], [told.path[-1]])
    )
    return str(told.path[-1]) if told.word == "not" and told.wanted == {} and is_key else ""


def _say_excluded(told: _Error, key: str) -> str:
    steps = list(told.error.relative_schema_path)
    if "dependentSchemas" in steps:
        other = steps[len(steps) - steps[::-1].index("dependentSchemas")]
        return f"`{other}` and `{key}` exclude each other"
    return f"`{key}` does not go with what else stands here"


def _unknown_key(told: _Error, key: str, document: Document, checker: _Checker) -> Diagnostic:
    words = _possible_keys(told, checker)
    hint = did_you_mean(key, words)
    if not hint:
        hint = f"possible here: {', '.join(sorted(words))}" if 0 < len(words) <= 12 else ""
    place = document.key_places.get((*told.path, key), document.place(told.path))
    return Diagnostic("R101", f"`{clipped(key)}` is not a word of {_thing(told, document)}", place, len(key), hint)


def _no_alternative(told: _Error, document: Document, checker: _Checker) -> Diagnostic:
    """No alternative is nearest: what the schema says of it, else the keys or types that would be accepted."""
    value, place = told.value, document.place(told.path)
    thing = _thing(told, document)
    needed = _needed(told) if isinstance(value, dict) else set()
    if needed - set(value or ()):
        return Diagnostic("R102", f"{thing} needs one of {_listed(needed)}", place, hint=_description(told))
    if needed:
        return Diagnostic("R109", f"{thing} cannot stand here like this", place, hint=_description(told))
    said = f"{thing} should be {_kinds(told.schema, checker)}, not {_shown(value)}"
    return Diagnostic("R103", said, place, _length(value), _description(told))


def _needed(told: _Error) -> set[str]:
    """The keys without which one or another alternative is not what is meant."""
    return {inner.message for inner in told.inner if inner.validator == "required" and not inner.path}


def _kinds(schema: Any, checker: _Checker) -> str:
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

Said: TypeAlias = tuple[str, str, str]


def _say_required(told: _Error, thing: str) -> Said:
    return "R102", f"{thing} needs `{told.message}`", ""


def _say_type(told: _Error, thing: str) -> Said:
    types = told.wanted
    kinds = _or(_types([types] if isinstance(types, str) else types))
    return "R103", f"{thing} should be {kinds}, not {_shown(told.value)}", _description(told)


def _say_value(told: _Error, thing: str) -> Said:
    value = told.wanted
    allowed = [_plain(one) for one in (value if told.word == "enum" else [value])]
    written = told.value
    hint = did_you_mean(written, allowed) if isinstance(written, str) else ""
    hint = hint or ("possible: " if len(allowed) > 1 else "write ") + ", ".join(allowed)
    return "R104", f"{_shown(written)} is not possible for {thing}", hint


def _say_pattern(told: _Error, thing: str) -> Said:
    return "R105", f"{_shown(told.value)} is not written as {thing} must be", _description(told)


def _say_size(told: _Error, thing: str) -> Said:
    bound = told.wanted
    few = told.word.startswith("min")
    if bound == 1 and few:
        return "R107", f"{thing} must not be empty", _description(told)
    unit = {"Items": "elements", "Properties": "keys", "Length": "characters"}[told.word[3:]]
    return "R107", f"{thing} must have at {'least' if few else 'most'} {bound} {unit}", _description(told)


def _say_bound(told: _Error, thing: str) -> Said:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
        "multipleOf": "a multiple of",
    }
    said = f"{thing} must be {words[told.word]} {told.wanted}, not {told.value}"
    return "R107", said, _description(told)


def _say_dependent(told: _Error, thing: str) -> Said:
    value = told.value
    for key, needed in told.wanted.items():
        missing = [other for other in needed if key in value and other not in value]
        if missing:
            return "R102", f"{thing} with `{key}` needs `{missing[0]}`", _description(told)
    return _say_unfit(told, thing)


def _say_twice(told: _Error, thing: str) -> Said:
    counted = Counter(json.dumps(value, sort_keys=True) for value in told.value)
    twice = next((text for text, count in counted.items() if count > 1), "")
    return "R108", f"{thing} holds {_shown(json.loads(twice or 'null'))} twice", "remove one"


def _say_unfit(told: _Error, thing: str) -> Said:
    """For what only the schema's author can put in words: its description."""
    said = _description(told).rstrip(".")
    return "R109", said[:1].lower() + said[1:] or f"{thing} cannot stand here like this", ""


_SAYINGS: dict[str, Callable[[_Error, str], Said]] = {
    "required": _say_required,
    "type": _say_type,
    "enum": _say_value,
    "const": _say_value,
    "pattern": _say_pattern,
    "uniqueItems": _say_twice,
    "dependentRequired": _say_dependent,
    **dict.fromkeys(("minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"), _say_size),
    **dict.fromkeys(_BOUNDS, _say_bound),
}


def _thing(told: _Error, document: Document) -> str:
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


def _description(told: _Error) -> str:
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
