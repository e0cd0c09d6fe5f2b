"""What is proved of tables agrees with trying every value; what is too much is not tried."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import product

from charter.engine.check_constants import Region
from charter.engine.check_tables import EMPTY, Column, prove, said_of
from charter.engine.model import Type

GRADES = Type("choice", choices=("new", "known", "loyal"))
MAYBE = Type("choice", optional=True, choices=("low", "high"))
AMOUNT = Type("whole")
COLUMNS = {("grade",): Column(GRADES), ("risk",): Column(MAYBE), ("amount",): Column(AMOUNT)}


def any_region(chance: random.Random, path: str) -> Region:
    if path == "amount":
        low, high = sorted(chance.sample(range(5), 2))
        return Region(AMOUNT, None, Decimal(low), chance.random() < 0.3, Decimal(high), chance.random() < 0.3)
    if path == "risk" and chance.random() < 0.5:
        return Region(MAYBE, empty=chance.random() < 0.5)
    type_ = COLUMNS[path,].type
    return Region(type_, frozenset(chance.sample(range(len(type_.choices)), chance.randint(1, len(type_.choices)))))


def holds(row: dict[tuple[str, ...], Region], case: dict[str, object]) -> bool:
    """The meaning of cells, value by value."""
    for (name,), region in row.items():
        value = case[name]
        if (value is EMPTY) != region.empty:
            return False
        if value is not EMPTY and not region.holds(value):
            return False
    return True


def test_gaps_and_rows_that_are_reached_are_those_that_trying_everything_finds() -> None:
    chance = random.Random(7)
    cases = [
        {"grade": grade, "risk": risk, "amount": Decimal(amount)}
        for grade, risk, amount in product(range(3), (0, 1, EMPTY), range(-1, 6))
    ]
    seen = {"gap": 0, "unreached": 0, "neither": 0}
    for _ in range(300):
        rows = [
            {(name,): any_region(chance, name) for name in ("grade", "risk", "amount") if chance.random() < 0.4}
            for _ in range(chance.randint(1, 7))
        ]
        firsts = [next((i for i, row in enumerate(rows) if holds(row, case)), None) for case in cases]
        found = prove(rows, COLUMNS, in_order=True)
        assert found.whole
        assert found.reached == {i for i in firsts if i is not None}
        assert bool(found.gaps) == (None in firsts)
        assert bool(prove(rows, COLUMNS).gaps) == (None in firsts)
        for gap in found.gaps:
            some = {path[0]: values[0] for path, values in gap.items()}
            full = {"grade": 0, "risk": 0, "amount": Decimal(0), **some}
            assert not any(holds(row, full) for row in rows), said_of(gap, COLUMNS)
        seen["gap" if found.gaps else "unreached" if len(found.reached) < len(rows) else "neither"] += 1
    assert min(seen.values()) > 5, seen


def test_the_time_of_a_proof_is_bounded() -> None:
    """A thousand rows told apart by one column are looked at; what would take for ever is given up."""
    text = Type("text")
    names = {("name",): Column(text)}
    rows = [{("name",): Region(text, frozenset({str(number)}))} for number in range(1_000)]
    assert prove(rows, names).whole
    assert said_of(prove(rows, names).gaps[0], names) == "name = any other"
    flags = Type("yes_or_no")
    hard = [{(f"{letter}{n}",): Region(flags, frozenset({True})) for letter in "abc"} for n in range(12)]
    columns = {path: Column(flags) for row in hard for path in row}
    assert not prove([*hard, {}, {}], columns, in_order=True).whole
