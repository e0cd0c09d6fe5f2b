"""The expression language: what can be read, which mistakes are told where, what may be none, what it gives."""

from __future__ import annotations

import decimal
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from charter.engine.errors import ArithmeticProblem, Diagnostic, DivisionByZero, OutOfRange, Place
from charter.engine.expression_python import Constants, compile_function, python_source
from charter.engine.expression_scopes import Scope, Signature
from charter.engine.expression_sql import sql_expression
from charter.engine.expression_types import check, check_as
from charter.engine.expressions import (
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
    diagnose,
    parse,
    parse_template,
    paths,
    walk,
)
from charter.engine.model import DATE, MONEY, NUMBER, PRICE, TEXT, WHOLE, YES_OR_NO, Type
from charter.engine.money import EXACT
from sqlalchemy import BigInteger, column

STRENGTH = Type("choice", choices=("warn", "allow", "refuse"))
COLOUR = Type("choice", choices=("red", "blue"))
LINE: dict[str, Type] = {
    "quantity": NUMBER,
    "price": PRICE,
    "weight": NUMBER.or_none(),
    "day": DATE,
    "strength": STRENGTH,
    "done": YES_OR_NO,
    "parts": Type("list", item=Type("ref", of="part")),
    "parts.size": NUMBER,
}
ORDER: dict[str, Type] = {
    "name": TEXT,
    "note": TEXT.or_none(),
    "hours": NUMBER,
    "share": NUMBER.or_none(),
    "pieces": WHOLE,
    "amount": MONEY,
    "fee": MONEY.or_none(),
    "price": PRICE,
    "day": DATE,
    "due": DATE.or_none(),
    "open": YES_OR_NO,
    "paid": YES_OR_NO.or_none(),
    "strength": STRENGTH,
    "colour": COLOUR,
    "person": Type("ref", of="person"),
    "deputy": Type("ref", of="person", optional=True),
    "place": Type("ref", of="place"),
    "deputy.name": TEXT,
    "deputy.chief": Type("ref", of="person", optional=True),
    "deputy.chief.name": TEXT,
    "person.name": TEXT,
    "terms": Type("group"),
    "terms.rate": NUMBER,
    "lines": Type("list", item=Type("ref", of="line")),
    "deputy.tasks": Type("list", item=Type("ref", of="line")),
}
PART: dict[str, Type] = {"size": NUMBER}


@dataclass(frozen=True)
class Names:
    """A scope over a flat map of dotted names."""

    fields: dict[str, Type]
    reads_lists: bool = True

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return self.fields.get(".".join(path))

    def names(self, path: tuple[str, ...]) -> list[str]:
        length = len(path)
        split = [tuple(name.split(".")) for name in self.fields]
        return [each[length] for each in split if each[:length] == path and len(each) == length + 1]

    def inner(self, path: tuple[str, ...]) -> Scope:
        return Names(PART if path[-1] == "parts" else LINE)

    def function(self, name: str) -> Signature | None:
        return Signature((Type("ref", of="person"), DATE), MONEY) if name == "spent" else None


SCOPE = Names(ORDER)


@dataclass
class Values(Constants):
    """Reads names from a dict in `v`, elements from their own."""

    fields: dict[str, Type] = field(default_factory=lambda: ORDER)
    variable: str = "v"

    def load(self, path: tuple[str, ...]) -> str:
        return f"{self.variable}[{'.'.join(path)!r}]"

    def call(self, node: Call) -> str | None:
        return (
            f"spent({', '.join(python_source(each, self) for each in node.arguments)})"
            if node.name == "spent"
            else None
        )

    def inner(self, path: tuple[str, ...], variable: str) -> Values:
        return Values(self.names, fields=PART if path[-1] == "parts" else LINE, variable=variable)

    def list_source(self, path: tuple[str, ...]) -> str:
        return self.load(path)

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return self.fields.get(".".join(path))


LINES = [
    {"quantity": Decimal(2), "price": Decimal("1.5"), "weight": None, "day": date(2026, 1, 5), "strength": "refuse",
     "done": True, "parts": [{"size": Decimal(1)}, {"size": Decimal(4)}]},
    {"quantity": Decimal(3), "price": Decimal("0.1"), "weight": Decimal(9), "day": date(2026, 1, 2),
     "strength": "allow", "done": False, "parts": []},
]  # fmt: skip
GIVEN: dict[str, Any] = {
    "name": "Ann", "note": None, "hours": Decimal("7.5"), "share": None, "pieces": 3, "amount": Decimal("10.25"),
    "fee": None, "price": Decimal("1.25"), "day": date(2026, 1, 31), "due": None, "open": True, "paid": None,
    "strength": "allow", "colour": "red", "person": 1, "deputy": None, "place": 5, "deputy.name": None,
    "deputy.tasks": [], "deputy.chief": None, "deputy.chief.name": None, "person.name": "Ann",
    "terms.rate": Decimal("0.2"), "lines": LINES,
}  # fmt: skip


def value(text: str, **changed: Any) -> Any:
    node = parse(text)
    assert check(node, SCOPE)[1] == [], [str(error) for error in check(node, SCOPE)[1]]
    code = Values()
    source = python_source(node, code)
    function = compile_function(source, ["v"], {**code.names, "spent": lambda who, day: Decimal(who * day.day)})
    with decimal.localcontext(EXACT):
        return function({**GIVEN, **changed})


def problems(text: str) -> list[tuple[str, int, int, str, str]]:
    errors = check(parse(text), SCOPE)[1]
    return [(error.code, error.start, error.length, error.message, error.hint) for error in errors]


def codes(text: str) -> list[str]:
    return [each[0] for each in problems(text)]


def type_of(text: str) -> Type:
    found, errors = check(parse(text), SCOPE)
    assert errors == [], [str(error) for error in errors]
    return found


# Reading


def name(text: str) -> Path:
    return Path(tuple(text.split(".")))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("12", Constant(12)),
        ("0.50", Constant(Decimal("0.50"))),
        ("'it''s'", Constant("it's")),
        ("''", Constant("")),
        ("date('2026-01-31')", Constant(date(2026, 1, 31))),
        ("a.b_1.c", name("a.b_1.c")),
        ("date", name("date")),
        ("a + b * c", Binary("+", name("a"), Binary("*", name("b"), name("c")))),
        ("(a + b) * c", Binary("*", Binary("+", name("a"), name("b")), name("c"))),
        ("a - b - c", Binary("-", Binary("-", name("a"), name("b")), name("c"))),
        ("-a * b", Binary("*", Unary("-", name("a")), name("b"))),
        ("a * -b", Binary("*", name("a"), Unary("-", name("b")))),
        ("a or b and c", Binary("or", name("a"), Binary("and", name("b"), name("c")))),
        ("not a == b and c", Binary("and", Unary("not", Binary("==", name("a"), name("b"))), name("c"))),
        ("a == (not b)", Binary("==", name("a"), Unary("not", name("b")))),
        ("a in (1, b)", In(name("a"), (Constant(1), name("b")))),
        ("a not in (none)", In(name("a"), (Constant(None),), True)),
        ("not a in (1)", Unary("not", In(name("a"), (Constant(1),)))),
        ("a is none and b is not none", Binary("and", IsNone(name("a")), IsNone(name("b"), True))),
        ("a if b else c if d else e", Conditional(name("a"), name("b"), Conditional(name("c"), name("d"), name("e")))),
        ("f(a, 1 + 2)", Call("f", (name("a"), Binary("+", Constant(1), Constant(2))))),
        ("today()", Call("today", ())),
        (" true\n or\tfalse ", Binary("or", Constant(True), Constant(False))),
    ],
)  # fmt: skip
def test_operators_bind_as_in_python(text: str, tree: Node) -> None:
    assert parse(text) == tree


def test_every_node_knows_its_place() -> None:
    text = " sum(lines, hours) + (x if y in ('é', -2) else z.w is none)"
    assert [text[node.start : node.end] for node in walk(parse(text))] == [
        "sum(lines, hours) + (x if y in ('é', -2) else z.w is none",
        "sum(lines, hours)",
        "lines",
        "hours",
        "x if y in ('é', -2) else z.w is none",
        "x",
        "y in ('é', -2)",
        "y",
        "'é'",
        "-2",
        "2",
        "z.w is none",
        "z.w",
    ]
    assert [".".join(path.parts) for path in paths(parse(text))] == ["lines", "hours", "x", "y", "z.w"]


NAMED = "a name has small letters, digits and `_`, its parts joined by dots"
DAY = "write it as date('2026-01-31')"
MISSING = "an operator such as `and` or `+` may be missing"
SYNTAX = [
    ("", 0, 1, "an expression is missing", ""),
    ("  ", 2, 1, "an expression is missing", ""),
    ("a +", 3, 1, "a value was expected, not the end", ""),
    ("a b", 2, 1, "`b` was not expected here", MISSING),
    ("a (b)", 2, 1, "`(` was not expected here", "the parenthesis of a function follows its name without a space"),
    ("a)", 1, 1, "`)` was not expected here", ""),
    ("(a", 2, 1, "`)` was expected, not the end", ""),
    ("f(a b)", 4, 1, "`)` was expected, not `b`", ""),
    ("f(a,)", 4, 1, "a value was expected, not `)`", ""),
    ("a < b < c", 6, 1, "comparisons cannot be chained", "join them by `and`, or use parentheses"),
    ("a == b is none", 7, 2, "comparisons cannot be chained", "join them by `and`, or use parentheses"),
    ("a == not b", 5, 3, "`not` needs parentheses here", ""),
    ("a in b", 5, 1, "`(` was expected, not `b`", ""),
    ("a in ()", 6, 1, "`in` needs at least one value", ""),
    ("a is 3", 5, 1, "`none` was expected, not `3`", ""),
    ("a not b", 6, 1, "`in` was expected, not `b`", ""),
    ("a if b", 6, 1, "`else` was expected, not the end", ""),
    ("a = b", 2, 1, "`=` has no meaning here", "write `==`"),
    ("a && b", 2, 2, "`&&` has no meaning here", "write `and`"),
    ("a || b", 2, 2, "`||` has no meaning here", "write `or`"),
    ("!a", 0, 1, "`!` has no meaning here", "write `not`"),
    ('a == "b"', 5, 1, '`"` has no meaning here', "text stands in single quotes"),
    ("a $ b", 2, 1, "`$` has no meaning here", ""),
    ("a[0]", 1, 1, "`[` has no meaning here", ""),
    ("é + Kosten", 0, 1, "`é` has no meaning here", ""),
    ("a + Kosten", 4, 6, "`Kosten` is not a name", NAMED),
    ("a.", 0, 2, "`a.` is not a name", NAMED),
    ("a.in.b", 2, 2, "`in` is a word of the language, not a name", ""),
    ("line.in", 5, 2, "`in` is a word of the language, not a name", ""),
    ("a.b(c)", 0, 3, "`a.b` is not a function", ""),
    ("12abc", 0, 5, "`12abc` is not a number", "write it as 12 or 0.5"),
    ("1e5", 0, 3, "`1e5` is not a number", "write it as 12 or 0.5"),
    ("1.", 0, 2, "`1.` is not a number", "write it as 12 or 0.5"),
    ("1,5 + 2", 1, 1, "`,` was not expected here", ""),
    ("1" * 19, 0, 19, "a number has at most 18 digits before and behind the point", ""),
    ("a == 'b", 5, 2, "this text never ends", "close it with `'`"),
    ("a == 'b\x00'", 7, 1, "a control character cannot stand in a text", ""),
    ("date(2026)", 5, 4, "`date` needs a day in quotes", DAY),
    ("date('31.1.2026')", 5, 11, "`31.1.2026` is not a date", DAY),
    ("a > date('2026-02-30')", 9, 12, "there is no date 2026-02-30", DAY),
]


@pytest.mark.parametrize(("text", "start", "length", "message", "hint"), SYNTAX)
def test_a_mistake_in_writing_is_told_at_its_character(
    text: str, start: int, length: int, message: str, hint: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    error = caught.value
    assert (error.start, error.length, error.message, error.hint) == (start, length, message, hint)
    assert error.code == "R101"


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("a" * 2_001, 0, "an expression has at most 2000 characters, this one 2001"),
        ("(" * 100_000 + "a" + ")" * 100_000, 0, "an expression has at most 2000 characters, this one 200001"),
        ("(" * 900 + "a" + ")" * 900, 40, "an expression is nested at most 40 deep"),
        ("-" * 1_900 + "a", 40, "an expression is nested at most 40 deep"),
        ("not " * 400 + "a", 160, "an expression is nested at most 40 deep"),
        ("f(" * 500 + "a" + ")" * 500, 80, "an expression is nested at most 40 deep"),
        (" + ".join(["a"] * 50), 40, "an expression is nested at most 40 deep"),
        (" or ".join(["a"] * 150), 0, "an expression has at most 200 parts"),
        ("f(" + ", ".join(["1"] * 250) + ")", 602, "an expression has at most 200 parts"),
    ],
)
def test_size_is_bounded_before_anything_overflows(text: str, start: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert (caught.value.start, caught.value.message, caught.value.hint) == (start, message, "name a part of it")


def test_a_long_chain_is_one_level() -> None:
    text = " or ".join(["open"] * 100)
    assert value(text, open=False) is False
    assert str(sql_expression(parse(text), Queried())).count("OR") == 99


def test_a_mistake_becomes_a_diagnostic_with_its_place() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("a = b")
    assert diagnose(caught.value, Place("rules/a.yaml", 14, 12)) == Diagnostic(
        "R101", "`=` has no meaning here", Place("rules/a.yaml", 14, 14), 1, "write `==`"
    )


# Messages


def test_a_message_is_text_and_expressions() -> None:
    text = "Sheet {worker.name}: {sum(lines, a)} of {{x}}, {'}'}"
    parts = parse_template(text)
    assert parts == (
        "Sheet ",
        name("worker.name"),
        ": ",
        Call("sum", (name("lines"), name("a"))),
        " of {x}, ",
        Constant("}"),
    )
    assert [text[part.start : part.end] for part in parts if not isinstance(part, str)] == [
        "worker.name",
        "sum(lines, a)",
        "'}'",
    ]
    assert parse_template("") == ()


@pytest.mark.parametrize(
    ("text", "start", "message"),
    [
        ("a } b", 2, "`}` closes nothing"),
        ("a {b", 2, "`{` is never closed"),
        ("a {}", 3, "an expression is missing"),
        ("a {b +} c", 6, "a value was expected, not the end"),
        ("{a} {b c}", 7, "`c` was not expected here"),
    ],
)
def test_a_mistake_in_a_message_counts_from_the_start_of_the_message(text: str, start: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template(text)
    assert (caught.value.start, caught.value.message) == (start, message)


# Types


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1 + 2", WHOLE),
        ("hours + pieces", NUMBER),
        ("pieces * pieces", WHOLE),
        ("pieces / 2", NUMBER),
        ("amount * hours", MONEY),
        ("0.19 * amount", MONEY),
        ("amount / pieces", MONEY),
        ("amount / amount", NUMBER),
        ("hours * price", MONEY),
        ("price / hours", PRICE),
        ("amount + 0", MONEY),
        ("-amount", MONEY),
        ("abs(amount)", MONEY),
        ("round(hours, 0)", NUMBER),
        ("max(0, amount)", MONEY),
        ("default(fee, 0)", MONEY),
        ("default(fee, none)", MONEY.or_none()),
        ("default(deputy, person)", Type("ref", of="person")),
        ("amount if open else none", MONEY.or_none()),
        ("0 if open else amount", MONEY),
        ("amount if open else (none if paid == open else 1)", MONEY.or_none()),
        ("strength if open else 'warn'", STRENGTH),
        ("max(strength, 'allow')", STRENGTH),
        ("'a' if open else 'b'", Type("text", choices=("a", "b"))),
        ("name + ': ' + text(amount)", TEXT),
        ("sum(lines.quantity)", NUMBER),
        ("sum(lines, quantity * price)", MONEY),
        ("count(lines)", WHOLE),
        ("count(lines, quantity > 1)", WHOLE),
        ("min(lines.day)", DATE.or_none()),
        ("max(lines.strength)", STRENGTH.or_none()),
        ("any(lines, done)", YES_OR_NO),
        ("all(lines, price > this.price)", YES_OR_NO),
        ("sum(lines, sum(parts, size * this.quantity))", NUMBER),
        ("sum(lines, sum(parts.size))", NUMBER),
        ("deputy.name", TEXT.or_none()),
        ("person.name", TEXT),
        ("terms.rate", NUMBER),
        ("spent(person, day)", MONEY),
        ("days_between(day, add_months(month_end(day), 1))", WHOLE),
        ("none", Type("none")),
    ],
)
def test_an_expression_has_a_type(text: str, wanted: Type) -> None:
    assert type_of(text) == wanted


def optional(text: str) -> str:
    return f"say what holds then: `default({text}, …)` or `{text} is not none and …`"


CHOICES = "warn, allow, refuse"
RECKON = "add_days, add_months and days_between reckon with dates"
AGGREGATE = "write sum, min, max, count, any or all of it, such as `count(lines)`"
ASK = "needs to know what to ask of each element"
SUM = "such as `sum(lines.amount)`"
BEFORE = "ask before: `deputy is not none and …`"
WITHIN = "aggregate the inner list within: `sum(lines, sum(parts.size))`"
MISTAKES = [
    ("hurs > 3", "R201", 0, 4, "unknown name `hurs`", "did you mean `hours`?"),
    ("open and person.nam == 'x'", "R201", 16, 3, "unknown name `nam` of `person`", "did you mean `name`?"),
    ("hours.x > 3", "R201", 6, 1, "unknown name `x` of `hours`", ""),
    ("any(lines, hours > 2)", "R201", 11, 5, "unknown name `hours`", "did you mean `this.hours`?"),
    ("any(lines, quantity > this.hour)", "R201", 27, 4, "unknown name `hour` of `this`", "did you mean `hours`?"),
    ("terms == 1", "R202", 0, 5, "`terms` is not a value", "name one of its members: rate"),
    ("not hours", "R202", 4, 5, "`hours` is number; yes or no was expected", ""),
    ("open and name", "R202", 9, 4, "`name` is text; yes or no was expected", ""),
    ("1 if hours else 2", "R202", 5, 5, "`hours` is number; yes or no was expected", ""),
    ("-name", "R202", 1, 4, "`name` is text; a number was expected", ""),
    ("hours + name", "R202", 8, 4, "`name` is text; a number was expected", ""),
    ("day + 1", "R202", 0, 3, "`day` is date; a number was expected", RECKON),
    ("amount * amount", "R202", 0, 15, "money cannot be multiplied by money", ""),
    ("price * price", "R202", 0, 13, "price cannot be multiplied by price", ""),
    ("hours / amount", "R202", 0, 14, "number cannot be divided by money", ""),
    ("amount + hours", "R202", 9, 5, "`hours` is number; money was expected", ""),
    ("amount > price", "R202", 9, 5, "`price` is price; money was expected", ""),
    ("hours == 'x'", "R202", 9, 3, "this is text; number was expected", ""),
    ("person == place", "R202", 10, 5, "`place` is reference to place; reference to person was expected", ""),
    ("person == 'A1'", "R202", 10, 4, "this is text; reference to person was expected",
     "compare a field of the person, as in `person.number == 'A1'`"),
    ("person < person", "R202", 0, 6, "`person` is reference to person, which has no order", ""),
    ("open < open", "R202", 0, 4, "`open` is yes or no, which has no order", ""),
    ("strength == 'alow'", "R202", 12, 6, f"'alow' is not one of {CHOICES}", "did you mean `allow`?"),
    ("'x' == strength", "R202", 0, 3, f"'x' is not one of {CHOICES}", ""),
    ("strength in ('warn', 'blue')", "R202", 21, 6, f"'blue' is not one of {CHOICES}", ""),
    ("strength == colour", "R202", 12, 6, f"`colour` is one of red, blue; one of {CHOICES} was expected", ""),
    ("strength < name", "R202", 0, 15, "a choice and a text have no common order", "compare them by `==`"),
    ("1 if open else 'a'", "R202", 15, 3, "this is text; whole was expected", ""),
    ("lines.quantity > 3", "R202", 0, 14, "`lines` is a list, not one value", AGGREGATE),
    ("text(person)", "R202", 5, 6, "`person` is reference to person, which has no text", "name a field of it"),
    ("year(name)", "R202", 5, 4, "`name` is text; date was expected", ""),
    ("add_days(day, 0.5)", "R202", 14, 3, "this is number; whole was expected", ""),
    ("spent(place, day)", "R202", 6, 5, "`place` is reference to place; reference to person was expected", ""),
    ("max(hours, name)", "R202", 11, 4, "`name` does not have the type number of the first", ""),
    ("sum(lines.day)", "R202", 10, 3, "`day` is date; a number was expected", ""),
    ("any(lines, quantity)", "R202", 11, 8, "`quantity` is number; yes or no was expected", ""),
    ("share > 3", "R203", 0, 5, "`share` may be none", optional("share")),
    ("none > 3", "R203", 0, 4, "`none` has no value here", ""),
    ("share + 1 == 2", "R203", 0, 5, "`share` may be none", optional("share")),
    ("paid and open", "R203", 0, 4, "`paid` may be none", optional("paid")),
    ("length(note)", "R203", 7, 4, "`note` may be none", optional("note")),
    ("length(deputy.name)", "R203", 7, 11, "`deputy.name` may be none", optional("deputy.name")),
    ("min(lines.day) > day", "R203", 0, 14, "`min(…)` may be none", "say what holds then: `default(…, …)`"),
    ("sum(lines.weight)", "R203", 10, 6, "`weight` may be none", optional("weight")),
    ("count(deputy.tasks)", "R203", 6, 12, "`deputy.tasks` may be none", BEFORE),
    ("spent(deputy, day)", "R203", 6, 6, "`deputy` may be none", optional("deputy")),
    ("summ(lines.quantity)", "R204", 0, 20, "unknown function `summ`", "did you mean `sum`?"),
    ("spent(person)", "R205", 0, 13, "`spent` takes 2 arguments, not 1", ""),
    ("abs(1, 2)", "R205", 0, 9, "`abs` takes 1 argument, not 2", ""),
    ("sum(hours)", "R205", 0, 10, "`sum` needs a list", "such as `sum(lines.amount)`"),
    ("min(hours)", "R205", 0, 10, "`min` needs a list", "write `min(a, b)`, or name a list such as `min(lines.date)`"),
    ("any(lines)", "R205", 0, 10, f"`any` {ASK}", "such as `any(lines, amount > 0)`"),
    ("sum(lines.quantity, 2)", "R205", 0, 22, "`sum` takes a list and what to ask of each element", SUM),
    ("sum(lines.parts.size)", "R205", 4, 16, "this is a list within a list", WITHIN),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "start", "length", "message", "hint"), MISTAKES)
def test_a_mistake_in_meaning_is_told_once_at_its_place(
    text: str, code: str, start: int, length: int, message: str, hint: str
) -> None:
    assert problems(text) == [(code, start, length, message, hint)]


def test_all_mistakes_are_told_at_once() -> None:
    assert codes("hurs > 3 and share > 2 or abs() == summ(lines)") == ["R201", "R203", "R205", "R204"]


def test_what_is_assigned_must_fit() -> None:
    def errors(text: str, wanted: Type) -> list[str]:
        return [str(error) for error in check_as(parse(text), SCOPE, wanted)[1]]

    assert errors("open", YES_OR_NO) == []
    assert errors("hours", YES_OR_NO) == ["`hours` is number, not yes or no"]
    assert errors("fee", MONEY) == ["`fee` may be none"]
    assert errors("fee", MONEY.or_none()) == []
    assert errors("none", MONEY.or_none()) == []
    assert errors("0.5", MONEY) == []
    assert errors("hours", MONEY) == ["`hours` is number, not money"]
    assert errors("hours * price", MONEY) == []
    assert errors("'warn' if open else 'allow'", STRENGTH) == []
    assert errors("'warn' if open else 'red'", STRENGTH) == [f"this is text, not one of {CHOICES}"]
    assert errors("pieces", NUMBER) == []
    assert errors("hours", WHOLE) == ["`hours` is number, not whole"]


# What is known not to be none


@pytest.mark.parametrize(
    "text",
    [
        "share is none or share > 3",
        "share is not none and share > 3",
        "share != none and share > 3",
        "none == share or share > 3",
        "not (share is none) and share > 3",
        "not (share is not none) or share > 3",
        "not (share is none or fee is none) and share > 3 and fee > 2",
        "(share is none or fee is none) or share > 3 and fee > 2",
        "share == 3 and share < 4",
        "share in (1, 2) and share < 4",
        "share not in (1, 2) or share < 4",
        "1 if share is none else share + 1",
        "share > 3 if share is not none else false",
        "share is not none and (open and share > 3)",
        "share is not none and any(lines, quantity > this.share)",
        "any(lines, weight is not none and weight > 3)",
        "deputy is not none and length(deputy.name) > 3",
        "deputy.name == 'Ann' and length(deputy.name) > 3 and spent(deputy, day) > 0",
        "deputy.chief is not none and length(deputy.chief.name) > 3",
        "default(share, 0) > 3",
        "deputy is not none and count(deputy.tasks) > 2",
        "deputy is not none and sum(deputy.tasks, quantity) > 2",
        "share == none",
        "share != 3",
        "fee in (1, none)",
        "deputy == person",
    ],
)
def test_what_was_asked_before_is_known(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "share is none and share > 3",
        "share is not none or share > 3",
        "share > 3 and share is not none",
        "share == hours and share > 3",
        "share != 3 and share > 3",
        "share in (1, none) and share > 3",
        "share > 3 if share is none else false",
        "(share is not none or open) and share > 3",
        "not (share is not none or open) or share > 3",
        "fee is not none and share > 3",
        "deputy is not none and length(deputy.chief.name) > 3",
        "any(lines, weight is not none) and sum(lines.weight) > 0",
        "share is not none and any(lines, weight > this.share)",
        "(share is not none) == open and share > 3",
        "default(share, none) > 3",
    ],
)
def test_what_was_not_asked_is_not_known(text: str) -> None:
    assert codes(text) == ["R203"]


# What Python gives


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2 + 3 * 4 - 6 / 3", Decimal(12)),
        ("7 / 2", Decimal("3.5")),
        ("10 - 4 - 3", 3),
        ("-(2 - 5)", 3),
        ("-0.123456789012345678 - 999999999999999999", Decimal("-999999999999999999.123456789012345678")),
        ("999999999999999999 * 0.999999999999999999", Decimal("999999999999999998.000000000000000001")),
        ("round(2.345, 2)", Decimal("2.35")),
        ("round(-2.345, 2)", Decimal("-2.35")),
        ("round(15, -1)", 20),
        ("abs(-amount)", Decimal("10.25")),
        ("min(3, hours, 5)", 3),
        ("max(day, date('2026-02-01'))", date(2026, 2, 1)),
        ("max('allow', strength, 'refuse')", "refuse"),
        ("min(strength, 'warn')", "warn"),
        ("strength > 'warn'", True),
        ("'refuse' <= strength", False),
        ("max(lines.strength)", "refuse"),
        ("min(lines.strength)", "allow"),
        ("default(max(lines.strength), 'warn') > strength", True),
        ("default(share, 1 + default(share, 2) * 0 + 1)", 2),
        ("default(hours, 1 / 0)", Decimal("7.5")),
        ("default(default(share, none), 4)", 4),
        ("share == none", True),
        ("share == 3", False),
        ("share != 3", True),
        ("none == none", True),
        ("note in ('a', none)", True),
        ("note not in ('a')", True),
        ("7.50 in (hours)", True),
        ("sum(lines.quantity)", Decimal(5)),
        ("sum(lines, quantity * price)", Decimal("3.3")),
        ("sum(lines, quantity * this.hours)", Decimal("37.5")),
        ("sum(lines, default(weight, 1))", Decimal(10)),
        ("count(lines)", 2),
        ("count(lines, done)", 1),
        ("any(lines, price > 1)", True),
        ("all(lines, price > 1)", False),
        ("min(lines.day)", date(2026, 1, 2)),
        ("max(lines, quantity * 2)", Decimal(6)),
        ("sum(lines, sum(parts, size * this.quantity))", Decimal(10)),
        ("any(lines, any(parts, size > this.this.pieces))", True),
        ("sum(lines, sum(this.lines, quantity * this.price))", Decimal(8)),
        ("text(hours) + ' of ' + name + text(open) + text(day)", "7.5 of Annyes2026-01-31"),
        ("text(1000000 * 10.0)", "10000000"),
        ("length(name)", 3),
        ("year(day) * 100 + month(day)", 202601),
        ("month_start(day)", date(2026, 1, 1)),
        ("month_end(date('2024-02-03'))", date(2024, 2, 29)),
        ("8.55 * (1 / 90)", Decimal("0.095")),
        ("1 / 90 * 8.55", Decimal("0.095")),
        ("8.55 * (2 / 90) * (1 / 2)", Decimal("0.095")),
        ("week_start(day, date('2000-01-03'))", date(2026, 1, 26)),
        ("week_start(date('2026-02-02'), date('2026-03-02'))", date(2026, 2, 2)),
        ("week_start(date('2026-02-01'), date('2026-03-02'))", date(2026, 1, 26)),
        ("quarter_start(day)", date(2026, 1, 1)),
        ("quarter_start(date('2026-06-30'))", date(2026, 4, 1)),
        ("quarter_start(date('2026-12-01'))", date(2026, 10, 1)),
        ("add_days(day, -31)", date(2025, 12, 31)),
        ("add_months(day, 1)", date(2026, 2, 28)),
        ("add_months(day, -2)", date(2025, 11, 30)),
        ("add_months(day, 11)", date(2026, 12, 31)),
        ("days_between(day, date('2026-03-01'))", 29),
        ("spent(person, day)", Decimal(31)),
        ("1 if open and not (hours < 3) else 2", 1),
    ],
)
def test_python_gives_the_exact_answer(text: str, wanted: Any) -> None:
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted) or isinstance(wanted, int)
    assert not isinstance(found, float)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("sum(lines.quantity)", 0),
        ("count(lines, done)", 0),
        ("any(lines, done)", False),
        ("all(lines, done)", True),
        ("min(lines.day)", None),
        ("max(lines.strength)", None),
    ],
)
def test_an_empty_list_has_an_answer(text: str, wanted: Any) -> None:
    assert value(text, lines=[]) == wanted


def test_what_cannot_be_reckoned_is_a_problem_of_its_own() -> None:
    with pytest.raises(DivisionByZero, match="A division by zero"):
        value("amount / (pieces - 3)")
    with pytest.raises(OutOfRange, match="9999-12-31 and 1 days is out of the calendar"):
        value("add_days(date('9999-12-31'), 1)")
    with pytest.raises(OutOfRange, match="0001-01-01 and -1 months is out of the calendar"):
        value("add_months(date('0001-01-01'), -1)")
    with pytest.raises(OutOfRange, match=r"7\.5 cannot be rounded to 999999999999999999 digits"):
        value("round(hours, 999999999999999999)")
    assert issubclass(DivisionByZero, ArithmeticProblem)


def test_text_cannot_become_code() -> None:
    assert value("""name == ''') or __import__(''os'')'""") is False
    assert value("'\\' == name") is False


def test_deeply_nested_expressions_compile() -> None:
    assert value("(" * 38 + "1" + ")" * 38) == 1
    assert value("1 / " * 38 + "1") == 1
    assert value("default(share, " * 38 + "1" + ")" * 38) == 1
    assert value("1 + (" * 38 + "1" + ")" * 38) == 39


def test_lists_are_nested_three_deep_at_most() -> None:
    assert codes("any(lines, " * 3 + "true" + ")" * 3)[:1] == ["R201"]
    deep = "any(this.lines, any(this.this.lines, any(this.this.this.lines, true)))"
    assert codes(f"any(lines, {deep})") == ["R205"]


def test_a_list_of_each_element_is_refused_where_it_is_not_read() -> None:
    class Unread(Names):
        def inner(self, path: tuple[str, ...]) -> Scope:
            return Names(LINE, reads_lists=False)

    _, found = check(parse("sum(lines, sum(parts.size))"), Unread(ORDER))
    assert [e.message for e in found] == ["`parts` is a list of each element, which is not read here"]
    assert check(parse("sum(lines, sum(this.lines, quantity))"), Unread(ORDER))[1] == []


# What the database is asked


class Queried:
    """Every field as a column of its name."""

    def column(self, path: tuple[str, ...]) -> tuple[Any, Type] | None:
        kind = ORDER.get(".".join(path))
        return (column(path[0], BigInteger()), kind) if kind and len(path) == 1 else None


@pytest.mark.parametrize(
    ("text", "start", "length", "message"),
    [
        ("hours * hours > 2", 0, 13, "this cannot be asked of the database"),
        ("open and hours / 2 > 2", 9, 9, "division cannot be asked of the database"),
        ("abs(hours) > 2", 0, 10, "`abs(…)` cannot be asked of the database"),
        ("any(lines, done)", 0, 16, "`any(…)` cannot be asked of the database"),
        ("amount * 100000 > 2", 0, 15, "this cannot be asked of the database"),
        ("hours + 0.1234567890123 > 2", 0, 23, "this cannot be asked of the database"),
        ("person.name == 'x'", 0, 11, "`person.name` cannot be asked of the database"),
    ],
)
def test_what_only_python_can_answer_is_refused(text: str, start: int, length: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        sql_expression(parse(text), Queried())
    error = caught.value
    assert (error.code, error.start, error.length, error.message) == ("R210", start, length, message)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("hours > 0.1234567", "hours > 123456"),
        ("hours >= 0.1234567", "hours >= 123457"),
        ("hours == 0.1234567", "false"),
        ("amount == 2", "amount = 20000"),
        ("fee == 2", "fee IS NOT NULL AND fee = 20000"),
        ("2 < amount", "amount > 20000"),
        ("pieces > hours", "pieces * 1000000 > hours"),
        ("fee == share_of", "fee IS NOT DISTINCT FROM share_of"),
        ("default(fee, 0) > 1", "coalesce(fee, 0) > 10000"),
        ("amount is none", "false"),
        ("name < 'a'", "(name) < ('a')"),
    ],
)
def test_a_filter_is_a_plain_comparison_where_it_can_be(text: str, wanted: str) -> None:
    node = parse(text.replace("share_of", "fee"))
    sql = sql_expression(node, Queried())
    assert str(sql.compile(compile_kwargs={"literal_binds": True})) == wanted.replace("share_of", "fee")
