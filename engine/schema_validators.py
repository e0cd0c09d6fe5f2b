"""JSON Schema over a document whose scalars are all text: a text counts as every type that it can be read as.

The schemas of a folder are read once; what a validator finds is put into words elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

Schema: TypeAlias = "dict[str, Any]"
WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


@dataclass(frozen=True)
class Checker:
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
def checker_of(folder: Path, kind: str) -> Checker:
    """The checker of a kind. jsonschema is imported here because it costs more than all else that a command does."""
    schema = schema_of(folder, kind)
    return Checker(_validator_class(folder)(schema), schema, schemas_of(folder))


def schema_of(folder: Path, kind: str) -> Schema:
    """The schema of a kind; raises FileNotFoundError where it has none."""
    name = f"{kind}.schema.json"
    if name not in schemas_of(folder):
        raise FileNotFoundError(folder / name)
    return schemas_of(folder)[name]


@lru_cache(maxsize=8)
def schemas_of(folder: Path) -> dict[str, Schema]:
    """The schemas of a folder by the names of their files."""
    paths = sorted(folder.glob("*.schema.json"))
    found = {path.name: _with_files(json.loads(path.read_text(encoding="utf-8")), path.name) for path in paths}
    if "list_below" in found.get("common.schema.json", {}).get("$defs", {}):
        # Checked is what packs make of each other: by then no list waits to be laid over another.
        found["common.schema.json"]["$defs"]["list_below"] = {"type": "array"}
    return found


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
            "integer": lambda _, value: isinstance(value, str) and bool(WHOLE.fullmatch(value)),
            "number": lambda _, value: isinstance(value, str) and bool(NUMBER.fullmatch(value)),
        }
    )
    keywords = {
        "$ref": _following(schemas_of(folder)),
        "required": _required,
        "properties": _properties,
        "additionalProperties": _additional_properties,
        "enum": lambda validator, allowed, value, schema: _among(allowed, value),
        "const": lambda validator, allowed, value, schema: _among([allowed], value),
        # A text may be of several types at once, so what would exclude each other in JSON need not do so here.
        "oneOf": Draft202012Validator.VALIDATORS["anyOf"],
        **{word: _bound(fits) for word, fits in BOUNDS.items()},
    }
    extend: Any = validators.extend  # untyped in its stubs
    return extend(Draft202012Validator, keywords, type_checker=types)


def target_of(schemas: Mapping[str, Schema], reference: str) -> Any:
    """The schema that a reference leads to."""
    file, _, pointer = reference.partition("#")
    found: Any = schemas[file.rpartition("/")[2]]
    for step in pointer.split("/")[1:]:
        found = found[step]
    return found


def _following(schemas: Mapping[str, Schema]) -> Callable[..., Iterator[ValidationError]]:
    """Follows references; the library's own way makes a URL of each one anew, which costs more than all the rest."""
    target = lru_cache(maxsize=1024)(lambda reference: target_of(schemas, reference))

    def follow(validator: Any, reference: str, value: Any, schema: Schema) -> Iterator[ValidationError]:
        yield from validator.descend(value, target(reference))

    return follow


# --- keywords --------------------------------------------------------------------------------------------------------

BOUNDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
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
    if not (value in allowed or (isinstance(value, str) and value in allowed_texts(allowed))):
        yield _error("")


def allowed_texts(allowed: Iterable[Any]) -> frozenset[str]:
    """Values as they stand in a document, where every scalar is a text; lists and maps are none."""
    scalars = [one for one in allowed if not isinstance(one, dict | list)]
    return frozenset(json.dumps(one) if isinstance(one, bool | int | float) else str(one) for one in scalars)


def _error(message: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message)
