"""What can go wrong, said so that a person can act: diagnostics of a pack or file, refusals by a rule, faults.

A diagnostic is a value with a place; a fault is an exception of the one family below. Nothing here prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .frozen import frozen

DONE, FAULT, USAGE, INVALID, REFUSED, CONFLICT, BROKEN, DIFFERENT = 0, 1, 2, 3, 4, 5, 6, 10

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A spot in a text: the file's name as shown, line and column counted from 1 in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


NOWHERE = Place("", 0, 0)


def place_in(text: str) -> Place:
    """The place that a text such as `a.yaml:3:1` stands for; NOWHERE where it is none."""
    file, _, rest = text.partition(":")
    line, _, column = rest.partition(":")
    return Place(file, int(line), int(column)) if line.isdigit() and column.isdigit() else NOWHERE


@frozen
class Diagnostic:
    """One problem of a pack or of an input file.

    `code` is stable (R101); `length` is how many characters of the line the caret underlines; `hint` says what would be
    accepted ("did you mean `order`?"). An `error` keeps a pack from being used; a `warning` and a `note` do not.
    """

    code: str
    message: str
    place: Place = NOWHERE
    length: int = 1
    hint: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        return f"{self.severity}[{self.code}]: {self.message}"


def render(diagnostic: Diagnostic, lines: Mapping[str, list[str]]) -> str:
    """Show a diagnostic with its source line and a caret; `lines` gives the lines of each file by name."""
    head = str(diagnostic)
    place = diagnostic.place
    if place == NOWHERE:
        return head + (f"\n   = {diagnostic.hint}" if diagnostic.hint else "")
    margin = " " * len(str(place.line))
    shown = [head, f"{margin}--> {place}"]
    source = lines.get(place.file, [])
    if 0 < place.line <= len(source):
        text = source[place.line - 1].replace("\t", " ")
        caret = " " * (place.column - 1) + "^" * max(1, min(diagnostic.length, len(text) - place.column + 1))
        shown += [f"{margin} |", f"{place.line} | {text}", f"{margin} | {caret} {diagnostic.hint}".rstrip()]
    elif diagnostic.hint:
        shown.append(f"{margin} = {diagnostic.hint}")
    return "\n".join(shown)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort by place, then code and message, each problem once."""
    return sorted(set(diagnostics), key=lambda d: (d.place, d.code, d.message))


def errors_of(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Those that keep a pack from being used."""
    return [d for d in diagnostics if d.severity == ERROR]


class CharterFault(Exception):
    """Charter could not go on."""

    exit_code = FAULT

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__ or "")


class UsageFault(CharterFault):
    """The command was not understood."""

    exit_code = USAGE


class InvalidPack(CharterFault):
    """The pack has errors."""

    exit_code = INVALID

    def __init__(self, diagnostics: Iterable[Diagnostic], lines: Mapping[str, list[str]] | None = None) -> None:
        self.diagnostics = in_order(diagnostics)
        self.lines = dict(lines or {})
        super().__init__("\n\n".join(render(d, self.lines) for d in self.diagnostics))


class InvalidInput(CharterFault):
    """The input cannot be read as what it should be."""

    exit_code = INVALID


class Refused(CharterFault):
    """A rule does not allow it."""

    exit_code = REFUSED


class Conflict(CharterFault):
    """Somebody else changed the same thing; try again."""

    exit_code = CONFLICT


class IntegrityBroken(CharterFault):
    """The store does not agree with its own log."""

    exit_code = BROKEN


class ArithmeticProblem(CharterFault):
    """The value cannot be reckoned."""


class DivisionByZero(ArithmeticProblem):
    """A division by zero."""


class OutOfRange(ArithmeticProblem):
    """A value is out of range."""
