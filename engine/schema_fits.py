"""Says quickly whether a document fits a schema: each schema becomes functions once. What is wrong is said elsewhere.

Most documents are right; a library that can also explain what is wrong takes ten times as long to find that out.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sized
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from .schema_validators import BOUNDS, NUMBER, WHOLE, Schema, allowed_texts, schema_of, schemas_of, target_of

Fits: TypeAlias = Callable[[Any], bool]

_SAYS_NOTHING = {"$schema", "$id", "$defs", "title", "description", "examples", "default", "errorMessage"}
_TYPES: dict[str, Fits] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: value in ("true", "false"),
    "integer": lambda value: isinstance(value, str) and WHOLE.fullmatch(value) is not None,
    "number": lambda value: isinstance(value, str) and NUMBER.fullmatch(value) is not None,
}


class _Unknown(Exception):
    """A keyword that is not known here, so that nothing can be said of documents."""


@lru_cache(maxsize=64)
def fits(folder: Path, kind: str) -> Fits:
    """The function for the documents of a kind; where a schema says what is not known here, none fits."""
    schema = schema_of(folder, kind)
    try:
        return _Functions(schemas_of(folder)).of(schema)
    except _Unknown:
        return lambda document: False


class _Functions:
    """Makes schemas into functions; what references lead to only when first asked, for schemas contain themselves."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas
        self.referred: dict[str, Fits] = {}

    def of(self, schema: Any) -> Fits:
        if isinstance(schema, bool):
            return lambda value: schema
        parts = [part for word, said in schema.items() for part in self._part(word, said, schema)]
        if len(parts) == 1:
            return parts[0]

        def all_fit(value: Any) -> bool:
            for part in parts:  # noqa: SIM110 - a generator for each value would take as long as the rest
                if not part(value):
                    return False
            return True

        return all_fit

    def _part(self, word: str, said: Any, schema: Schema) -> Iterator[Fits]:
        """What one keyword asks; nothing of those that belong to another or only describe."""
        if word in _PLAIN:
            yield _PLAIN[word](said)
        elif word in BOUNDS:
            yield _bound(BOUNDS[word], Decimal(str(said)))
        elif word in ("properties", "additionalProperties"):
            if word == "properties" or "properties" not in schema:
                yield self._members(schema)
        elif word in _OF_SCHEMAS:
            yield _OF_SCHEMAS[word]([self.of(inner) for inner in said])
        elif word in ("items", "propertyNames", "not"):
            yield _OF_SCHEMA[word](self.of(said))
        elif word == "$ref":
            yield self._reference(said)
        elif word == "dependentSchemas":
            yield _dependent({key: self.of(inner) for key, inner in said.items()})
        elif word == "if":
            yield _either(self.of(said), self.of(schema.get("then", True)), self.of(schema.get("else", True)))
        elif word not in ("then", "else", *_SAYS_NOTHING):
            raise _Unknown(word)

    def _reference(self, reference: str) -> Fits:
        def fits_referred(value: Any) -> bool:
            if reference not in self.referred:
                self.referred[reference] = self.of(target_of(self.schemas, reference))
            return self.referred[reference](value)

        return fits_referred

    def _members(self, schema: Schema) -> Fits:
        known = {key: self.of(inner) for key, inner in schema.get("properties", {}).items()}
        others = self.of(schema.get("additionalProperties", True))

        def members_fit(value: Any) -> bool:
            if isinstance(value, dict):
                for key, inner in value.items():
                    if not known.get(key, others)(inner):
                        return False
            return True

        return members_fit


# --- keywords --------------------------------------------------------------------------------------------------------


def _type(names: str | list[str]) -> Fits:
    kinds = [_TYPES[name] for name in ([names] if isinstance(names, str) else names)]
    return kinds[0] if len(kinds) == 1 else lambda value: any(kind(value) for kind in kinds)


def _among(allowed: list[Any]) -> Fits:
    texts = allowed_texts(allowed)
    return lambda value: (value in texts) if isinstance(value, str) else value in allowed


def _required(keys: list[str]) -> Fits:
    wanted = frozenset(keys)
    return lambda value: not isinstance(value, dict) or wanted <= value.keys()


def _dependent_required(needs: Mapping[str, list[str]]) -> Fits:
    return lambda value: (
        not isinstance(value, dict)
        or all(key in value for given, keys in needs.items() if given in value for key in keys)
    )


def _dependent(schemas: Mapping[str, Fits]) -> Fits:
    return lambda value: (
        not isinstance(value, dict) or all(inner(value) for key, inner in schemas.items() if key in value)
    )


def _pattern(pattern: str) -> Fits:
    search = re.compile(pattern).search
    return lambda value: not isinstance(value, str) or search(value) is not None


def _bound(holds: Callable[[Decimal, Decimal], bool], bound: Decimal) -> Fits:
    return lambda value: not _TYPES["number"](value) or holds(Decimal(value), bound)


def _sized(kind: type[Sized], at_least: int = 0, at_most: int = sys.maxsize) -> Fits:
    return lambda value: not isinstance(value, kind) or at_least <= len(value) <= at_most


def _unique(wanted: bool) -> Fits:
    return lambda value: (
        not wanted
        or not isinstance(value, list)
        or not any(one == other for at, one in enumerate(value) for other in value[:at])
    )


def _either(condition: Fits, then: Fits, otherwise: Fits) -> Fits:
    return lambda value: then(value) if condition(value) else otherwise(value)


_PLAIN: dict[str, Callable[[Any], Fits]] = {
    "type": _type,
    "required": _required,
    "dependentRequired": _dependent_required,
    "enum": _among,
    "const": lambda allowed: _among([allowed]),
    "pattern": _pattern,
    "minLength": lambda least: _sized(str, least),
    "minItems": lambda least: _sized(list, least),
    "maxItems": lambda most: _sized(list, 0, most),
    "minProperties": lambda least: _sized(dict, least),
    "maxProperties": lambda most: _sized(dict, 0, most),
    "uniqueItems": _unique,
}
_OF_SCHEMAS: dict[str, Callable[[list[Fits]], Fits]] = {
    "allOf": lambda parts: lambda value: all(part(value) for part in parts),
    "anyOf": lambda parts: lambda value: any(part(value) for part in parts),
    "oneOf": lambda parts: lambda value: any(part(value) for part in parts),  # as in the validators
}
_OF_SCHEMA: dict[str, Callable[[Fits], Fits]] = {
    "items": lambda each: lambda value: not isinstance(value, list) or all(each(inner) for inner in value),
    "propertyNames": lambda name: lambda value: not isinstance(value, dict) or all(name(key) for key in value),
    "not": lambda inner: lambda value: not inner(value),
}
