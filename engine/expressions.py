"""The expression language: its tree, and how text becomes one. Types are checked in `expression_types`.

A tokenizer and a parser of our own, over characters: Python's counts bytes, knows no dates and dies on deep nesting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

from .errors import INVALID, CharterFault, Diagnostic, Place
from .frozen import frozen

MOST_CHARACTERS = 2_000
MOST_NODES = 200
MOST_DEPTH = 40
MOST_DIGITS = 18  # before and behind the point, so that every sum of constants and kept values is exact

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "none", "true", "false"})

Value: TypeAlias = "str | int | Decimal | date | bool | None"


class ExpressionError(CharterFault):
    """The expression cannot be used."""

    exit_code = INVALID

    def __init__(self, message: str, start: int, length: int = 1, hint: str = "", code: str = "R101") -> None:
        super().__init__(message)
        self.message, self.start, self.length, self.hint, self.code = message, start, max(1, length), hint, code


@frozen
class _Placed:
    """Where a node stands in its text, in characters; two nodes are equal wherever they stand."""

    start: int = field(default=0, kw_only=True, compare=False)
    end: int = field(default=0, kw_only=True, compare=False)


@frozen
class Constant(_Placed):
    """A value written out; a whole number is an int, any other number a Decimal."""

    value: Value


@frozen
class Path(_Placed):
    """A name and the names behind its dots; it has no spaces, so that each part's place is known."""

    parts: tuple[str, ...]


@frozen
class Unary(_Placed):
    """`-` or `not`."""

    operator: str
    operand: Node


@frozen
class Binary(_Placed):
    """Arithmetic, a comparison, `and` or `or`."""

    operator: str
    left: Node
    right: Node


@frozen
class In(_Placed):
    """`operand in (options)`."""

    operand: Node
    options: tuple[Node, ...]
    negated: bool = False


@frozen
class IsNone(_Placed):
    """`operand is none`."""

    operand: Node
    negated: bool = False


@frozen
class Conditional(_Placed):
    """`then if condition else otherwise`."""

    then: Node
    condition: Node
    otherwise: Node


@frozen
class Call(_Placed):
    """A function by its name."""

    name: str
    arguments: tuple[Node, ...]


Node: TypeAlias = Constant | Path | Unary | Binary | In | IsNone | Conditional | Call


@lru_cache(maxsize=1 << 12)
def parse(text: str) -> Node:
    """Read one expression, the same text once; raises ExpressionError at the first character that cannot be read."""
    return _parse_span(text, 0, len(text))


def parse_template(text: str) -> tuple[str | Node, ...]:
    """Read a message: plain text and expressions in braces, offsets counted from the start of the message.

    `{{` and `}}` stand for the brace itself.
    """
    _refuse_length(text, 0, len(text))
    parts: list[str | Node] = []
    plain, position = "", 0
    while position < len(text):
        if text.startswith(("{{", "}}"), position):
            plain, position = plain + text[position], position + 2
        elif text[position] == "}":
            raise ExpressionError("`}` closes nothing", position, 1, "write `}}` for the brace itself")
        elif text[position] == "{":
            end = _closing_brace(text, position)
            parts += [plain, _parse_span(text, position + 1, end)]
            plain, position = "", end + 1
        else:
            end = brace.start() if (brace := _BRACE.search(text, position)) else len(text)
            plain, position = plain + text[position:end], end
    return tuple(part for part in [*parts, plain] if part != "")


def diagnose(error: ExpressionError, place: Place) -> Diagnostic:
    """Say an error as a diagnostic; `place` is that of the expression's first character, all on one line."""
    there = Place(place.file, place.line, place.column + error.start)
    return Diagnostic(error.code, error.message, there, error.length, error.hint)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right below, as they stand in the text."""
    match node:
        case Unary() | IsNone():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case In():
            return (node.operand, *node.options)
        case Conditional():
            return (node.then, node.condition, node.otherwise)
        case Call():
            return node.arguments
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node, each before those below it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def paths(node: Node) -> Iterator[Path]:
    """Every path that is written, also those that an aggregate reads inside an element."""
    return (each for each in walk(node) if isinstance(each, Path))


def chain(node: Binary) -> list[Node]:
    """The operands of `a and b and c`, or of a chain of any one operator, as they stand."""
    found: list[Node] = []
    left: Node = node
    while isinstance(left, Binary) and left.operator == node.operator:
        found.append(left.right)
        left = left.left
    return [left, *reversed(found)]


def part_start(path: Path, index: int) -> int:
    """Where a part of a path begins in the text."""
    return path.start + sum(len(part) + 1 for part in path.parts[:index])


def _parse_span(text: str, start: int, end: int) -> Node:
    _refuse_length(text, start, end)
    node = _Parser(_tokens(text, start, end)).whole()
    _refuse_depth(node)
    return node


def _refuse_length(text: str, start: int, end: int) -> None:
    if end - start > MOST_CHARACTERS:
        raise ExpressionError(
            f"an expression has at most {MOST_CHARACTERS} characters, this one {end - start}", start, 1, _SPLIT
        )


_SPLIT = "name a part of it"


def _refuse_depth(node: Node) -> None:
    """A chain of one `and` or `or` is one level, however long."""
    waiting = [(node, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MOST_DEPTH:
            raise _too_deep(node.start)
        chained = isinstance(node, Binary) and node.operator in ("and", "or")
        below = chain(node) if isinstance(node, Binary) and chained else children(node)
        waiting.extend((child, depth + 1) for child in below)


def _too_deep(start: int) -> ExpressionError:
    return ExpressionError(f"an expression is nested at most {MOST_DEPTH} deep", start, 1, _SPLIT)


def _closing_brace(text: str, start: int) -> int:
    """Where the expression that opens at `start` ends: a brace within quotes does not close it."""
    quoted = False
    for position in range(start + 1, len(text)):
        if text[position] == "'":
            quoted = not quoted
        elif text[position] == "}" and not quoted:
            return position
    raise ExpressionError("`{` is never closed", start, 1, "write `{{` for the brace itself")


@frozen
class _Token:
    """kind: number, text, path, word (of the language), sign or end."""

    kind: str
    source: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.source)

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.source}`"


_SPACE = re.compile(r"[ \t\r\n]*")
_BRACE = re.compile(r"[{}]")
_TOKEN = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]+)?(?![0-9A-Za-z_.]))"
    r"|(?P<text>'(?:[^']|'')*')"
    r"|(?P<path>[a-z_][a-z0-9_]*(?:\.[a-z_][a-z0-9_]*)*(?![0-9A-Za-z_.]))"
    r"|(?P<sign>[=!<>]=|[-+*/<>(),])"
)
_NEARLY = re.compile(r"[0-9A-Za-z_.]+|&&|\|\||.", re.DOTALL)
_INSTEAD = {
    "=": "write `==`",
    "!": "write `not`",
    "&&": "write `and`",
    "||": "write `or`",
    '"': "text stands in single quotes",
}


def _tokens(text: str, start: int, end: int) -> list[_Token]:
    """Cut the span into tokens; the last one is of kind `end`."""
    found: list[_Token] = []
    position = _past_space(text, start, end)
    while position < end:
        match = _TOKEN.match(text, position, end)
        if match is None:
            raise _unreadable(text, position, end)
        kind = "word" if match.group() in KEYWORDS else str(match.lastgroup)
        found.append(_Token(kind, match.group(), position))
        position = _past_space(text, match.end(), end)
    return [*found, _Token("end", "", end)]


def _past_space(text: str, position: int, end: int) -> int:
    match = _SPACE.match(text, position, end)
    return match.end() if match else position


def _unreadable(text: str, position: int, end: int) -> ExpressionError:
    if text[position] == "'":
        return ExpressionError("this text never ends", position, end - position, "close it with `'`")
    match = _NEARLY.match(text, position, end)
    source = match.group() if match else text[position]
    if source[0] in "0123456789":
        return ExpressionError(f"`{source}` is not a number", position, len(source), "write it as 12 or 0.5")
    if len(source) > 1 and source not in _INSTEAD:
        hint = "a name has small letters, digits and `_`, its parts joined by dots"
        return ExpressionError(f"`{source}` is not a name", position, len(source), hint)
    return ExpressionError(f"`{source}` has no meaning here", position, len(source), _INSTEAD.get(source, ""))


# How strongly an operator binds, as in Python.
_NOT, _COMPARISON, _SIGN = 3, 4, 7
_POWERS = {"or": 1, "and": 2, "in": _COMPARISON, "not": _COMPARISON, "is": _COMPARISON}
_POWERS |= dict.fromkeys(COMPARISONS, _COMPARISON) | {"+": 5, "-": 5, "*": 6, "/": 6}


class _Parser:
    """Recursive descent by binding power; counts nodes and nesting as it goes, before anything can overflow."""

    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.position, self.nodes, self.depth = tokens, 0, 0, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.position]

    @property
    def last_end(self) -> int:
        return self.tokens[self.position - 1].end

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise ExpressionError("an expression is missing", self.token.start)
        node = self.conditional()
        if self.token.kind != "end":
            raise ExpressionError(
                f"{self.token} was not expected here",
                self.token.start,
                len(self.token.source),
                _after(node, self.token),
            )
        return node

    def conditional(self) -> Node:
        return self.nested(self._conditional)

    def _conditional(self) -> Node:
        then = self.operation(1)
        if not self.took("if"):
            return then
        condition = self.operation(1)
        self.expect("else")
        otherwise = self.conditional()
        return self.count(Conditional(then, condition, otherwise, start=then.start, end=otherwise.end))

    def operation(self, power: int) -> Node:
        """An operand and all operators behind it that bind at least as strongly as `power`."""
        left = self.operand(power)
        compared = False
        while self.token.kind in ("sign", "word") and _POWERS.get(self.token.source, 0) >= power:
            binding = _POWERS[self.token.source]
            if binding == _COMPARISON and compared:
                hint = "join them by `and`, or use parentheses"
                raise ExpressionError("comparisons cannot be chained", self.token.start, len(self.token.source), hint)
            compared = compared or binding == _COMPARISON
            left = self.joined(left, binding)
        return left

    def joined(self, left: Node, power: int) -> Node:
        if self.token.source in ("in", "not"):
            return self.membership(left)
        if self.token.source == "is":
            return self.emptiness(left)
        operator = self.take().source
        right = self.operation(power + 1)
        return self.count(Binary(operator, left, right, start=left.start, end=right.end))

    def membership(self, operand: Node) -> Node:
        negated = self.took("not")
        self.expect("in")
        self.expect("(")
        options = self.listed()
        if not options:
            raise ExpressionError("`in` needs at least one value", self.last_end - 1)
        return self.count(In(operand, options, negated, start=operand.start, end=self.last_end))

    def emptiness(self, operand: Node) -> Node:
        self.take()
        negated = self.took("not")
        self.expect("none")
        return self.count(IsNone(operand, negated, start=operand.start, end=self.last_end))

    def operand(self, power: int) -> Node:
        token = self.take()
        match token.kind:
            case "number":
                return self.count(_number(token))
            case "text":
                return self.count(Constant(_text(token), start=token.start, end=token.end))
            case "path":
                return self.named(token)
            case "word" if token.source in _WORDS:
                return self.count(Constant(_WORDS[token.source], start=token.start, end=token.end))
        return self.prefixed(token, power)

    def prefixed(self, token: _Token, power: int) -> Node:
        if token.source == "(":
            node = self.conditional()
            self.expect(")")
            return node
        if token.source == "not" and power > _NOT:
            raise ExpressionError("`not` needs parentheses here", token.start, 3)
        if token.source not in ("-", "not"):
            raise ExpressionError(f"a value was expected, not {token}", token.start, len(token.source))
        operand = self.nested(lambda: self.operation(_SIGN if token.source == "-" else _NOT))
        return self.count(Unary(token.source, operand, start=token.start, end=operand.end))

    def named(self, token: _Token) -> Node:
        """A path, a call, or a date written out."""
        parts = tuple(token.source.split("."))
        if reserved := next((part for part in parts if part in KEYWORDS), None):
            start = part_start(Path(parts, start=token.start), parts.index(reserved))
            raise ExpressionError(f"`{reserved}` is a word of the language, not a name", start, len(reserved))
        if not (self.token.source == "(" and self.token.start == token.end):
            return self.count(Path(parts, start=token.start, end=token.end))
        if len(parts) > 1:
            raise ExpressionError(f"`{token.source}` is not a function", token.start, len(token.source))
        self.take()
        if token.source == "date":
            return self.count(self.date(token))
        arguments = self.listed()
        return self.count(Call(token.source, arguments, start=token.start, end=self.last_end))

    def date(self, name: _Token) -> Constant:
        token = self.take()
        if token.kind != "text":
            raise ExpressionError("`date` needs a day in quotes", token.start, len(token.source), _DATE)
        value = _date(token)
        self.expect(")")
        return Constant(value, start=name.start, end=self.last_end)

    def listed(self) -> tuple[Node, ...]:
        """What stands between an opened parenthesis and its end, parted by commas."""
        if self.took(")"):
            return ()
        found = [self.conditional()]
        while self.took(","):
            found.append(self.conditional())
        self.expect(")")
        return tuple(found)

    def nested(self, read: Callable[[], Node]) -> Node:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise _too_deep(self.token.start)
        node = read()
        self.depth -= 1
        return node

    def count(self, node: Node) -> Node:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            raise ExpressionError(
                f"an expression has at most {MOST_NODES} parts", node.start, node.end - node.start, _SPLIT
            )
        return node

    def take(self) -> _Token:
        token = self.token
        self.position = min(self.position + 1, len(self.tokens) - 1)
        return token

    def took(self, source: str) -> bool:
        if self.token.kind in ("sign", "word") and self.token.source == source:
            self.take()
            return True
        return False

    def expect(self, source: str) -> None:
        if not self.took(source):
            token = self.token
            raise ExpressionError(f"`{source}` was expected, not {token}", token.start, len(token.source))


_WORDS: dict[str, Value] = {"none": None, "true": True, "false": False}
_DATE = "write it as date('2026-01-31')"


def _after(node: Node, token: _Token) -> str:
    if isinstance(node, Path) and token.source == "(":
        return "the parenthesis of a function follows its name without a space"
    return "an operator such as `and` or `+` may be missing" if token.kind in ("number", "text", "path") else ""


def _number(token: _Token) -> Constant:
    whole, point, behind = token.source.partition(".")
    if len(whole.lstrip("0")) > MOST_DIGITS or len(behind) > MOST_DIGITS:
        raise ExpressionError(
            f"a number has at most {MOST_DIGITS} digits before and behind the point", token.start, len(token.source)
        )
    value = Decimal(token.source) if point else int(whole)
    return Constant(value, start=token.start, end=token.end)


def _text(token: _Token) -> str:
    for position, character in enumerate(token.source):
        if unicodedata.category(character) in ("Cc", "Cs"):  # no database keeps them all
            raise ExpressionError("a control character cannot stand in a text", token.start + position)
    return token.source[1:-1].replace("''", "'")


def _date(token: _Token) -> date:
    said = _text(token)
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", said):
        raise ExpressionError(f"`{said}` is not a date", token.start, len(token.source), _DATE)
    try:
        return date.fromisoformat(said)
    except ValueError:
        raise ExpressionError(f"there is no date {said}", token.start, len(token.source), _DATE) from None
