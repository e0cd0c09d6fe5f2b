"""One expression, one answer: Python, SQLite and PostgreSQL agree on every row, none included."""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from charter.engine.expression_python import Constants, compile_function, python_source
from charter.engine.expression_sql import sql_expression
from charter.engine.expression_types import check_as
from charter.engine.expressions import Call, ExpressionError, Node, parse
from charter.engine.model import DATE, MONEY, NUMBER, PRICE, SCALES, TEXT, WHOLE, YES_OR_NO, Type
from charter.engine.money import EXACT, to_kept
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    select,
)

STRENGTH = Type("choice", choices=("warn", "allow", "refuse"))  # its order is not that of the alphabet
KINDS: dict[str, Type] = {
    "name": TEXT,
    "note": TEXT.or_none(),
    "hours": NUMBER,
    "share": NUMBER.or_none(),
    "amount": MONEY,
    "fee": MONEY.or_none(),
    "price": PRICE,
    "pieces": WHOLE,
    "rank": WHOLE.or_none(),
    "day": DATE,
    "due": DATE.or_none(),
    "open": YES_OR_NO,
    "paid": YES_OR_NO.or_none(),
    "strength": STRENGTH,
    "limit": STRENGTH.or_none(),
}
STORED = {"text": String, "choice": String, "date": Date, "yes_or_no": Boolean}
TABLE = Table(
    "sample",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    *(Column(name, STORED.get(kind.kind, BigInteger)) for name, kind in KINDS.items()),
)
Row = dict[str, Any]


class Fields:
    """The fields of one row, as a scope and as columns."""

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return KINDS.get(path[0]) if len(path) == 1 else None

    def names(self, path: tuple[str, ...]) -> list[str]:
        return [] if path else list(KINDS)

    def inner(self, path: tuple[str, ...]) -> Fields:
        raise NotImplementedError

    def function(self, name: str) -> None:
        return None

    def column(self, path: tuple[str, ...]) -> tuple[Any, Type]:
        return TABLE.c[path[0]], KINDS[path[0]]


@dataclass
class RowCode(Constants):
    """Reads the fields from a row's tuple."""

    fields: Fields = field(default_factory=Fields)

    def load(self, path: tuple[str, ...]) -> str:
        return f"v[{list(KINDS).index(path[0])}]"

    def call(self, node: Call) -> str | None:
        return None

    def inner(self, path: tuple[str, ...], variable: str) -> RowCode:
        raise NotImplementedError

    def list_source(self, path: tuple[str, ...]) -> str:
        raise NotImplementedError

    def type_of(self, path: tuple[str, ...]) -> Type | None:
        return self.fields.type_of(path)


def compiled(node: Node) -> Callable[..., Any]:
    code = RowCode()
    source = python_source(node, code)
    return compile_function(source, ["v"], code.names)


TEXTS = ["", "a", "B", "Z", "b", "é", "it's", "a b", "\U0001f600", "\ufb01"]
NUMBERS = ["0", "1", "-1", "0.5", "-0.5", "0.000001", "7.25", "12345678.123456", "-99999999.999999", "100"]
AMOUNTS = ["0", "1", "-1", "0.5", "0.0001", "19.99", "-1234567.8901", "9999999999.9999"]
WHOLES = ["0", "1", "-1", "2", "7", "1000000", "-1000000000000", "1000000000000"]
DAYS = ["2025-12-31", "2026-01-01", "2026-01-31", "2024-02-29"]
VALUES: dict[str, list[Any]] = {
    "text": TEXTS,
    "number": [Decimal(each) for each in NUMBERS],
    "price": [Decimal(each) for each in NUMBERS],
    "money": [Decimal(each) for each in AMOUNTS],
    "whole": [int(each) for each in WHOLES],
    "date": [date.fromisoformat(each) for each in DAYS],
    "yes_or_no": [True, False],
    "choice": list(STRENGTH.choices),
}
ROWS = st.fixed_dictionaries(
    {
        name: st.sampled_from([*VALUES[kind.kind], *([None] * 3 if kind.optional else [])])
        for name, kind in KINDS.items()
    }
)


def written(kind: str) -> st.SearchStrategy[str]:
    """Constants of a kind."""
    if kind in ("text", "choice"):
        values = TEXTS if kind == "text" else list(STRENGTH.choices)
        return st.sampled_from(["'" + value.replace("'", "''") + "'" for value in values])
    if kind == "date":
        return st.sampled_from([f"date('{day}')" for day in DAYS])
    if kind == "yes_or_no":
        return st.sampled_from(["true", "false"])
    small = ["0", "1", "2", "-1", "0.5", "-0.5", "19.99", "0.000001"]
    edges = ["0.12345678", "-0.000000001", "12345678.1234561", "999999999999999999"]
    return st.sampled_from(small if kind == "small" else [*small, *edges])


def names_of(kind: str, optional: bool) -> list[str]:
    return [name for name, each in KINDS.items() if each.kind == kind and (optional or not each.optional)]


def operands(kind: str, depth: int, optional: bool = False) -> st.SearchStrategy[str]:
    """Expressions of a kind, which are none only where `optional`."""
    leaves = [st.sampled_from(names_of(kind, optional)), written(kind)]
    if optional:
        leaves.append(st.just("none"))
    if depth == 0:
        return st.one_of(leaves)
    below = operands(kind, depth - 1, optional)
    either = st.tuples(below, conditions(depth - 1), below).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})")
    default = st.tuples(operands(kind, depth - 1, True), below).map(lambda t: f"default({t[0]}, {t[1]})")
    return st.one_of([*leaves, either, default, *reckoned(kind, depth)])


def reckoned(kind: str, depth: int) -> list[st.SearchStrategy[str]]:
    if kind == "text":
        return [st.tuples(operands(kind, depth - 1), operands(kind, depth - 1)).map(lambda t: f"({t[0]} + {t[1]})")]
    if kind not in ("number", "money", "whole"):
        return []
    given_ones = operands(kind, depth - 1)
    summed = st.tuples(given_ones, st.sampled_from("+-"), given_ones).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
    times = st.tuples(given_ones, written("small")).map(lambda t: f"({t[0]} * {t[1]})")
    return [summed, times, given_ones.map(lambda each: f"-{each}")]


ALL_KINDS = ["text", "number", "money", "price", "whole", "date", "choice"]


@st.composite
def comparisons(draw: st.DrawFn, depth: int) -> str:
    kind = draw(st.sampled_from(ALL_KINDS))
    if draw(st.booleans()):
        sign = draw(st.sampled_from(["<", "<=", ">", ">="]))
        return f"({draw(operands(kind, depth))} {sign} {draw(operands(kind, depth))})"
    if draw(st.booleans()):
        kind = draw(st.sampled_from([*ALL_KINDS, "yes_or_no"]))
        sign = draw(st.sampled_from(["==", "!="]))
        return f"({draw(operands(kind, depth, True))} {sign} {draw(operands(kind, depth, True))})"
    options = draw(st.lists(operands(kind, 0, True), min_size=1, max_size=3))
    return f"({draw(operands(kind, depth, True))} {draw(st.sampled_from(['in', 'not in']))} ({', '.join(options)}))"


@st.composite
def guarded(draw: st.DrawFn) -> str:
    """An optional operand that is only asked where it is known."""
    name = draw(st.sampled_from([name for name, kind in KINDS.items() if kind.optional and name != "paid"]))
    compared = f"{name} {draw(st.sampled_from(['<', '>=']))} {draw(operands(KINDS[name].kind, 0))}"
    form = draw(
        st.sampled_from(
            [
                "({n} is none or {c})",
                "({n} is not none and {c})",
                "not ({n} is none) and {c}",
                "({c} if {n} is not none else open)",
                "(open if {n} == none else {c})",
                "not ({n} is not none and not ({c}))",
                "({n} in ({n}, none) and ({n} is none or {c}))",
            ]
        )
    )
    return f"({form.format(n=name, c=compared)})"


def conditions(depth: int) -> st.SearchStrategy[str]:
    leaves: list[st.SearchStrategy[str]] = [
        comparisons(depth=min(depth, 1)),
        guarded(),
        st.sampled_from(["open", "not open", "true", "paid == true", "paid != open", "default(paid, false)"]),
        st.sampled_from(list(KINDS)).map(lambda name: f"{name} is none"),
        st.sampled_from(list(KINDS)).map(lambda name: f"{name} is not none"),
        st.sampled_from(["pieces > hours", "hours + pieces < 7.25", "default(rank, 0) == pieces", "pieces == hours"]),
        st.sampled_from(["hours >= 0.0000005", "hours < 0.0000005", "hours > -0.0000005", "hours <= -0.0000005"]),
    ]
    if depth == 0:
        return st.one_of(leaves)
    below = conditions(depth - 1)
    joined = st.tuples(below, st.sampled_from(["and", "or", "==", "!="]), below)
    return st.one_of(
        *leaves,
        joined.map(lambda t: f"(({t[0]}) {t[1]} ({t[2]}))"),
        below.map(lambda each: f"not ({each})"),
        st.tuples(below, below, below).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
    )


def kept(row: Row, number: int) -> Row:
    scaled = {
        name: to_kept(row[name], kind.kind)
        for name, kind in KINDS.items()
        if kind.kind in SCALES and row[name] is not None
    }
    return {**row, **scaled, "id": number}


@pytest.fixture(scope="module")
def engines(postgresql_url: str) -> Iterator[list[Engine]]:
    made = [create_engine("sqlite://"), create_engine(postgresql_url)]
    for engine in made:
        TABLE.metadata.create_all(engine)
    yield made
    for engine in made:
        TABLE.metadata.drop_all(engine)
        engine.dispose()


def in_database(engine: Engine, filters: list[Any], rows: list[Row]) -> list[list[Any]]:
    """Each filter's answer for each row, as a value and, for the last, as a filter too."""
    with engine.connect() as connection:
        connection.execute(TABLE.insert(), [kept(row, number) for number, row in enumerate(rows)])
        found = connection.execute(select(*filters).select_from(TABLE).order_by(TABLE.c.id)).all()
        kept_ids = connection.execute(select(TABLE.c.id).where(filters[-1]).order_by(TABLE.c.id)).scalars().all()
        connection.rollback()
    answers = [list(each) for each in found]
    assert kept_ids == [number for number, each in enumerate(answers) if each[-1]]
    return answers


# A failure names the expression and the row by itself; shrinking a dozen of each would take minutes.
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(st.lists(conditions(2), min_size=12, max_size=12), st.lists(ROWS, min_size=12, max_size=12))
def test_python_and_both_databases_give_the_same_answer(
    engines: list[Engine], texts: list[str], rows: list[Row]
) -> None:
    asked = []
    for text in texts:
        node = parse(text)
        assert check_as(node, Fields(), YES_OR_NO)[1] == [], text
        with suppress(ExpressionError):  # what could overflow is refused
            asked.append((text, compiled(node), sql_expression(node, Fields())))
    assert len(asked) > len(texts) / 2
    with decimal.localcontext(EXACT):
        wanted = [[function([row[name] for name in KINDS]) for _, function, _ in asked] for row in rows]
    for engine in engines:
        answers = in_database(engine, [sql.label(f"c{i}") for i, (_, _, sql) in enumerate(asked)], rows)
        for row, right, given_answers in zip(rows, wanted, answers, strict=True):
            for (text, _, _), python, database in zip(asked, right, given_answers, strict=True):
                assert type(python) is bool
                assert database in (0, 1), (engine.name, text, row)
                assert bool(database) is python, (
                    engine.name,
                    text,
                    row,
                )
