"""What type an expression has, and every reason why it has none.

None has one meaning: it equals only itself. `==`, `!=` and `in` answer with or without it; every other operand must be
known not to be none, by its declared type, by `default`, or by a condition that was asked before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from .expression_none import givens
from .expression_scopes import AGGREGATES, COUNTS, FIXED, FUNCTIONS, Scope, Signature, View, split_list
from .expressions import (
    Binary,
    Call,
    Conditional,
    Constant,
    ExpressionError,
    In,
    IsNone,
    Node,
    Path,
    Unary,
    chain,
    part_start,
)
from .model import CALENDAR, SCALARS, TEXT, WHOLE, YES_OR_NO, Parts, Type
from .source import did_you_mean
from .type_relations import ORDERED, UNKNOWN, accepts, constant_type, is_plain, product, quotient, together

MOST_LISTS_NESTED = 3
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check(node: Node, scope: Scope) -> tuple[Type, list[ExpressionError]]:
    """Give the type and every problem, by place; with problems the type may be of kind `unknown`.

    A text written out has kind `text` with `choices`: the values that it can be, so that it may stand for a choice.
    """
    checker = _Checker()
    found = checker.type_of(node, View(scope))
    return found, sorted(checker.errors, key=lambda error: (error.start, error.code))


def check_as(node: Node, scope: Scope, wanted: Type) -> tuple[Type, list[ExpressionError]]:
    """Check, and refuse what cannot be put where `wanted` is: yes_or_no for a condition, a field's type to set it."""
    found, errors = check(node, scope)
    if errors or accepts(wanted, found, is_plain(node)):
        return found, errors
    length = node.end - node.start
    if accepts(wanted.or_none(), found, is_plain(node)):
        return found, [ExpressionError(f"{said(node)} may be none", node.start, length, _handle(node), "R203")]
    return found, [ExpressionError(f"{said(node)} is {found}, not {wanted}", node.start, length, code="R202")]


def said(node: Node) -> str:
    """How a message calls an operand."""
    match node:
        case Path():
            return f"`{'.'.join(node.parts)}`"
        case Call():
            return f"`{node.name}(…)`"
        case Constant(value=None):
            return "`none`"
    return "this"


def _handle(node: Node) -> str:
    if isinstance(node, Path):
        name = ".".join(node.parts)
        return f"say what holds then: `default({name}, …)` or `{name} is not none and …`"
    return "say what holds then: `default(…, …)`"


@dataclass(slots=True)
class _Checker:
    """Walks the tree once and gathers the problems."""

    errors: list[ExpressionError] = field(default_factory=list)

    def problem(self, code: str, node: Node, message: str, hint: str = "") -> Type:
        self.errors.append(ExpressionError(message, node.start, node.end - node.start, hint, code))
        return UNKNOWN

    def type_of(self, node: Node, view: View) -> Type:
        match node:
            case Constant():
                return constant_type(node.value)
            case Path():
                return self.path(node, view)
            case Unary(operator="not"):
                return self.condition(node.operand, view)
            case Unary():
                return self.number(node.operand, view)
            case Binary(operator="and" | "or"):
                return self.junction(node, view)
            case Binary(operator="==" | "!="):
                return self.equality(node.left, (node.right,), view)
            case Binary(operator="<" | "<=" | ">" | ">="):
                return self.ordering(node, view)
            case Binary():
                return self.arithmetic(node, view)
            case In():
                return self.equality(node.operand, node.options, view)
            case IsNone():
                self.type_of(node.operand, view)
                return YES_OR_NO
            case Conditional():
                return self.conditional(node, view)
            case Call():
                return self.call(node, view)

    def given(self, node: Node, view: View) -> Type:
        """The type of an operand that must not be none."""
        found = self.type_of(node, view)
        if found.kind == "none":
            return self.problem("R203", node, "`none` has no value here")
        if found.optional:
            self.problem("R203", node, f"{said(node)} may be none", _handle(node))
        return found.given()

    def wanted(self, node: Node, view: View, wanted: Type) -> Type:
        """The type of an operand that must be of the wanted one, which may allow none."""
        if wanted == CALENDAR:
            return self.calendar(node, view)
        found = self.type_of(node, view) if wanted.optional else self.given(node, view)
        if accepts(wanted, found, is_plain(node)):
            return found
        return self.problem("R202", node, f"{said(node)} is {found}; {wanted} was expected")

    def calendar(self, node: Node, view: View) -> Type:
        """A calendar stands by its name, asked for what its closed days are kept apart by, and nowhere else."""
        signature = view.scope.function(node.name) if isinstance(node, Call) else None
        if isinstance(node, Call) and signature is not None and signature.result == CALENDAR:
            return self.signed(node, signature, view)
        found = self.type_of(node, view)
        hint = "write it with what its closed days are kept apart by, such as `working_days(company)`"
        return found if found == UNKNOWN else self.problem("R202", node, f"{said(node)} is {found}, no calendar", hint)

    def condition(self, node: Node, view: View) -> Type:
        self.wanted(node, view, YES_OR_NO)
        return YES_OR_NO

    def number(self, node: Node, view: View) -> Type:
        found = self.given(node, view)
        if found.is_numeric or found.kind == "unknown":
            return found
        return self.problem("R202", node, f"{said(node)} is {found}; a number was expected")

    def path(self, node: Path, view: View) -> Type:
        if split := split_list(node.parts, view.type_of):
            name = ".".join(split[0])
            hint = f"write sum, min, max, count, any or all of it, such as `count({name})`"
            return self.problem("R202", node, f"`{name}` is a list, not one value", hint)
        found = view.type_of(node.parts)
        if found is None:
            return self.unknown(node, view)
        if found.kind == "group":
            return self.problem("R202", node, f"{said(node)} is not a value", _members(view.names(node.parts)))
        return found

    def unknown(self, node: Path, view: View) -> Type:
        """Tell which part of a path is not known, and what comes near it."""
        index = view.levels_out(node.parts)
        while view.type_of(node.parts[: index + 1]) is not None:
            index += 1
        before, part = node.parts[:index], node.parts[index]
        where = f" of `{'.'.join(before)}`" if before else ""
        names = view.names(before)
        if view.outer and not before:
            names = [*names, "this", *(f"this.{name}" for name in view.outer.names(()))]
        start = part_start(node, index)
        hint = did_you_mean(part, names) or (f"did you mean `this.{part}`?" if f"this.{part}" in names else "")
        self.errors.append(ExpressionError(f"unknown name `{part}`{where}", start, len(part), hint, "R201"))
        return UNKNOWN

    def junction(self, node: Binary, view: View) -> Type:
        """Each operand of `and` stands where those before it hold, of `or` where they do not."""
        for operand in chain(node):
            self.condition(operand, view)
            known = givens(operand)
            view = view.knowing(known.true if node.operator == "and" else known.false)
        return YES_OR_NO

    def equality(self, left: Node, others: tuple[Node, ...], view: View) -> Type:
        """Every side may be none."""
        found = self.type_of(left, view)
        for other in others:
            self.united(left, found, other, self.type_of(other, view))
        return YES_OR_NO

    def ordering(self, node: Binary, view: View) -> Type:
        left, right = self.given(node.left, view), self.given(node.right, view)
        for side, found in ((node.left, left), (node.right, right)):
            if found.kind not in ORDERED and found.kind != "unknown":
                self.problem("R202", side, f"{said(side)} is {found}, which has no order")
                return YES_OR_NO
        both = self.united(node.left, left, node.right, right)
        if both.kind == "text" and "choice" in (left.kind, right.kind):
            self.problem("R202", node, "a choice and a text have no common order", "compare them by `==`")
        return YES_OR_NO

    def united(self, left: Node, left_type: Type, right: Node, right_type: Type) -> Type:
        """The common type of two operands, or the reason why there is none."""
        found = together(left_type, right_type, is_plain(left), is_plain(right))
        if found is not None:
            return found
        for node, text, choice in ((right, right_type, left_type), (left, left_type, right_type)):
            if choice.kind == "choice" and text.kind == "text":
                wrong = ", ".join(f"'{value}'" for value in text.choices if value not in choice.choices)
                names = list(choice.choices)
                hint = did_you_mean(text.choices[0], names)
                return self.problem("R202", node, f"{wrong} is not one of {', '.join(names)}", hint)
        message = f"{said(right)} is {right_type.given()}; {left_type.given()} was expected"
        return self.problem("R202", right, message, wanted_instead(right, left_type, left))

    def arithmetic(self, node: Binary, view: View) -> Type:
        left, right = self.given(node.left, view), self.given(node.right, view)
        if "unknown" in (left.kind, right.kind):
            return UNKNOWN
        if node.operator == "+" and accepts(TEXT, left) and accepts(TEXT, right):
            return TEXT
        for side, found in ((node.left, left), (node.right, right)):
            if not found.is_numeric:
                hint = "add_days, add_months and days_between reckon with dates" if found.kind == "date" else ""
                return self.problem("R202", side, f"{said(side)} is {found}; a number was expected", hint)
        if node.operator in ("+", "-"):
            return self.united(node.left, left, node.right, right)
        found_kind = product(left.kind, right.kind) if node.operator == "*" else quotient(left.kind, right.kind)
        if found_kind:
            return Type(found_kind)
        verb = "multiplied" if node.operator == "*" else "divided"
        return self.problem("R202", node, f"{left.kind} cannot be {verb} by {right.kind}")

    def conditional(self, node: Conditional, view: View) -> Type:
        self.condition(node.condition, view)
        known = givens(node.condition)
        then = self.type_of(node.then, view.knowing(known.true))
        otherwise = self.type_of(node.otherwise, view.knowing(known.false))
        return self.united(node.then, then, node.otherwise, otherwise)

    def call(self, node: Call, view: View) -> Type:
        first = node.arguments[0] if node.arguments else None
        if node.name in AGGREGATES and isinstance(first, Path) and (split := split_list(first.parts, view.type_of)):
            return self.aggregate(node, first, split, view)
        if node.name in AGGREGATES:
            return self.extreme(node, view) if node.name in ("min", "max") else self.listless(node, view)
        if node.name in COUNTS:
            return self.special(node, view)
        signature = FIXED.get(node.name) or view.scope.function(node.name)
        if signature is None:
            return self.problem("R204", node, f"unknown function `{node.name}`", did_you_mean(node.name, [*FUNCTIONS]))
        if signature.result == CALENDAR:
            hint = "it stands in a function of dates, such as `workday(day, …, 'next')`"
            return self.problem("R202", node, f"{said(node)} is a calendar, not a value", hint)
        return self.signed(node, signature, view)

    def signed(self, node: Call, signature: Signature, view: View) -> Type:
        """A call with the arguments that its signature wants."""
        most = len(signature.arguments)
        least = most if signature.least is None else signature.least
        if least <= len(node.arguments) <= most or self.counted(node, most):
            for argument, wanted in zip(node.arguments, signature.arguments, strict=False):
                self.wanted(argument, view, wanted)
        return signature.result

    def counted(self, node: Call, count: int) -> bool:
        if len(node.arguments) == count:
            return True
        noun = "argument" if count == 1 else "arguments"
        self.problem("R205", node, f"`{node.name}` takes {count} {noun}, not {len(node.arguments)}")
        return False

    def special(self, node: Call, view: View) -> Type:
        """abs, round, default and text: the result follows the argument."""
        if not self.counted(node, COUNTS[node.name]):
            return UNKNOWN if node.name != "text" else TEXT
        if node.name == "default":
            return self.default(node, view)
        if node.name == "text":
            return self.text(node.arguments[0], view)
        found = self.number(node.arguments[0], view)
        if node.name == "round":
            self.wanted(node.arguments[1], view, WHOLE)
        return found

    def default(self, node: Call, view: View) -> Type:
        value, instead = node.arguments
        known = self.type_of(value, view)
        other = self.type_of(instead, view)
        both = self.united(value, known, instead, other)
        return both.or_none() if other.optional or other.kind == "none" else both.given()

    def text(self, argument: Node, view: View) -> Type:
        found = self.given(argument, view)
        if found.kind not in SCALARS and found.kind not in ("choice", "unknown"):
            self.problem("R202", argument, f"{said(argument)} is {found}, which has no text", "name a field of it")
        return TEXT

    def extreme(self, node: Call, view: View) -> Type:
        """min and max of several values."""
        if len(node.arguments) < 2:
            known = [self.type_of(argument, view) for argument in node.arguments]
            hint = f"write `{node.name}(a, b)`, or name a list such as `{node.name}(lines.date)`"
            return UNKNOWN if UNKNOWN in known else self.problem("R205", node, f"`{node.name}` needs a list", hint)
        first, *others = node.arguments
        found = self.ordered(first, view)
        plain = is_plain(first)
        for other in others:
            next_type = self.ordered(other, view)
            both = together(found, next_type, plain, is_plain(other))
            if both is None or (both.kind == "text" and "choice" in (found.kind, next_type.kind)):
                return self.problem("R202", other, f"{said(other)} does not have the type {found} of the first")
            found, plain = both, plain and is_plain(other)
        return found

    def ordered(self, node: Node, view: View) -> Type:
        found = self.given(node, view)
        if found.kind in ORDERED or found.kind == "unknown":
            return found
        return self.problem("R202", node, f"{said(node)} is {found}, which has no order")

    def listless(self, node: Call, view: View) -> Type:
        """sum, count, any and all without a list."""
        told = len(self.errors)
        for argument in node.arguments[:1]:
            self.type_of(argument, view)
        if len(self.errors) > told:
            return UNKNOWN
        return self.problem("R205", node, f"`{node.name}` needs a list", f"such as `{_EXAMPLES[node.name]}`")

    def aggregate(self, node: Call, first: Path, split: tuple[Parts, Parts], view: View) -> Type:
        name = node.name
        listed, rest = split
        if (found := view.type_of(listed)) is not None and found.optional:
            before = ".".join(listed[:-1])
            hint = f"ask before: `{before} is not none and …`" if before else ""
            self.problem("R203", first, f"`{'.'.join(listed)}` may be none", hint)
        if not view.reads(listed):
            hint = "sum it up in a measure, or in a field of the element"
            return self.problem(
                "R205", first, f"`{'.'.join(listed)}` is a list of each element, which is not read here", hint
            )
        if view.depth == MOST_LISTS_NESTED:
            return self.problem("R205", node, f"lists are nested at most {MOST_LISTS_NESTED} deep", "name a part of it")
        inner = view.inside(listed)
        asked = self.asked(node, first, rest, inner)
        if name == "count" and not rest and len(node.arguments) == 1:
            return WHOLE
        if asked is None:
            return _RESULTS.get(name, UNKNOWN)
        if name in ("count", "any", "all"):
            self.condition(asked, inner)
            return _RESULTS[name]
        return self.number(asked, inner) if name == "sum" else self.ordered(asked, inner).or_none()

    def asked(self, node: Call, first: Path, rest: Parts, inner: View) -> Node | None:
        """What is asked of each element: the rest of the path, or the second argument; None where neither will do."""
        name, given = node.name, len(node.arguments)
        if given > 2 or (given == 2 and rest):
            hint = f"such as `{_EXAMPLES[name]}`"
            self.problem("R205", node, f"`{name}` takes a list and what to ask of each element", hint)
            return None
        if given == 2:
            return node.arguments[1]
        if not rest and name != "count":
            self.problem(
                "R205", node, f"`{name}` needs to know what to ask of each element", f"such as `{_EXAMPLES[name]}`"
            )
            return None
        if rest and split_list(rest, inner.type_of):
            outside = ".".join(first.parts[: len(first.parts) - len(rest)])
            hint = f"aggregate the inner list within: `{name}({outside}, {name}({'.'.join(rest)}))`"
            self.problem("R205", first, "this is a list within a list", hint)
            return None
        return Path(rest, start=part_start(first, len(first.parts) - len(rest)), end=first.end)


_EXAMPLES = {
    "sum": "sum(lines.amount)",
    "min": "min(lines.date)",
    "max": "max(lines.date)",
    "count": "count(lines)",
    "any": "any(lines, amount > 0)",
    "all": "all(lines, amount > 0)",
}
_RESULTS = {"count": WHOLE, "any": YES_OR_NO, "all": YES_OR_NO}


def _members(names: list[str]) -> str:
    return f"name one of its members: {', '.join(sorted(names))}" if names else ""


def wanted_instead(node: Node, wanted: Type, other: Node | None = None) -> str:
    """How to write what is meant by a text that stands where something else is compared; empty where nobody knows."""
    if not isinstance(node, Constant) or not isinstance(node.value, str):
        return ""
    if wanted.kind == "date":
        return f"write date('{node.value}')" if ISO_DATE.fullmatch(node.value) else "write date('2026-03-31')"
    if wanted.kind != "ref":
        return ""
    path = ".".join(other.parts) if isinstance(other, Path) else wanted.of
    return f"compare a field of the {wanted.of}, as in `{path}.number == '{node.value}'`"
