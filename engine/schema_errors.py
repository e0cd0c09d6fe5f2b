"""Chooses which errors of a schema to tell: those of the alternative that was meant, and each mistake once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .schema_validators import Checker
from .source import Route, nearest

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError


@dataclass(frozen=True)
class Error:
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


def meant(errors: Iterable[Error], checker: Checker) -> list[Error]:
    """The errors with those about alternatives replaced by what is wrong in the alternative that was meant."""
    told: list[Error] = []
    for error in errors:
        told += _of_alternatives(error, checker) if error.word in ("anyOf", "oneOf") else [error]
    return told


def _of_alternatives(error: Error, checker: Checker) -> list[Error]:
    branches: dict[int, list[Error]] = {}
    for inner in error.inner:
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(Error(inner, error.path))
    told = {at: meant(branch, checker) for at, branch in branches.items()}
    ranks = {at: _rank(branch, error.path) for at, branch in told.items()}
    best = [at for at in sorted(ranks) if ranks[at] == min(ranks.values())]
    # Several are equally near, or it is of another type altogether: the error itself says what is accepted.
    return told[best[0]] if len(best) == 1 and not ranks[best[0]][0] else [error]


def _rank(branch: Collection[Error], path: Route) -> tuple[bool, int, int]:
    """How far an alternative is from what is written: another type or value, then wrong keys, then what lies deeper."""
    other = any(error.is_about(path, "type", "enum", "const", "pattern") for error in branch)
    keys = sum(error.is_about(path, "required", "additionalProperties", "unevaluatedProperties") for error in branch)
    return other, keys, len(branch)


# --- what is misspelt ------------------------------------------------------------------------------------------------


def suggested_words(told: Iterable[Error], checker: Checker) -> set[tuple[Route, str]]:
    """The words that unknown keys were probably meant to be, with the path of the map."""
    found = set()
    for error in told:
        for key in unknown_keys(error, checker):
            near = nearest(key, possible_keys(error, checker))
            found.add((error.path, near))
    return found


def is_misspelt(error: Error, suggested: Collection[tuple[Route, str]]) -> bool:
    """Whether what is missing is there under a wrong spelling, which is told already, or may follow from one."""
    missing = {error.message} if error.word == "required" else set()
    if error.word in ("anyOf", "oneOf"):
        missing = needed_keys(error)
    if any((error.path, word) in suggested for word in missing):
        return True
    return _depends_on_keys(error) and any(path == error.path for path, word in suggested if word)


def _depends_on_keys(error: Error) -> bool:
    """Whether it is said only because of which other keys the map holds or lacks."""
    steps = list(error.error.relative_schema_path)
    within = max(
        (at for at, step in enumerate(steps) if step in ("properties", "items", "additionalProperties")), default=0
    )
    conditional = bool(error.path) and any(step in ("then", "else", "dependentSchemas") for step in steps[within:])
    return error.word == "dependentRequired" or (conditional and error.word in ("required", "not"))


def unknown_keys(error: Error, checker: Checker) -> list[str]:
    """The keys that an error says are not known; empty where it says something else."""
    if error.word == "additionalProperties":
        return [error.message]
    if error.word == "enum" and is_about_key(error):
        return [error.value]
    if not isinstance(error.value, dict):
        return []
    about_keys = ("additionalProperties", "unevaluatedProperties")
    if error.word == "unevaluatedProperties" or any(inner.validator in about_keys for inner in error.inner):
        words = checker.words(error.schema)
        return [key for key in error.value if key not in words]
    return []


def possible_keys(error: Error, checker: Checker) -> set[str]:
    """The keys that could stand where an unknown one does."""
    if is_about_key(error):
        return set(error.wanted)
    return checker.words(error.schema) - set(error.value)


def is_about_key(error: Error) -> bool:
    return "propertyNames" in error.error.relative_schema_path


def needed_keys(told: Error) -> set[str]:
    """The keys without which one or another alternative is not what is meant."""
    return {inner.message for inner in told.inner if inner.validator == "required" and not inner.path}
