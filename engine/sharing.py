"""Shares an amount out over parts in order, exactly and to the smallest amount. Pure.

A share is amount x weight / total weight, rounded half up; nothing is rounded before. The shares of a group add up to
what the group takes, and nothing takes more than there is room for. What is given back mirrors what was taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any, TypeAlias

from . import definitions as d
from . import programs as p
from .money import shown

ZERO = Decimal(0)
Shares: TypeAlias = "dict[int, Decimal]"


@dataclass(frozen=True, slots=True)
class Part:
    """One that may take a share: of a group, by its weight, at most its room (none: whatever there is).

    Parts with the same `room_of` have one room together. `taken` is what it took before and can give back. Parts that
    differ in `anew_for` share the whole amount anew.
    """

    id: int
    group: Any
    weight: Decimal
    room: Decimal | None
    room_of: Any
    takes_rounding: bool
    taken: Decimal | None = None
    anew_for: Any = None


@dataclass(frozen=True, slots=True)
class Group:
    """What a group took of what was left, and the part whose room was the end of it, if any."""

    group: Any
    taken: Decimal
    capped_by: int | None
    shares: tuple[tuple[Part, Decimal], ...]


def share_out(amount: Decimal, parts: Sequence[Part], unit: Decimal, kept: bool) -> tuple[list[Group], Decimal]:
    """What each group takes, in order, and what is left over; an amount below zero mirrors one above."""
    sign = -1 if amount < 0 else 1
    if amount < 0:
        parts = _giving_back(parts)
    left, groups = abs(amount), []
    rooms: dict[Any, Decimal] = {}
    for part in parts:
        if part.room is not None:
            rooms[part.room_of] = min(rooms.get(part.room_of, part.room), part.room)
    for members in _grouped(parts, kept):
        group = _taken(left, members, rooms, unit)
        left -= group.taken
        for part, share in group.shares:
            if part.room_of in rooms:
                rooms[part.room_of] -= share
        groups.append(Group(group.group, group.taken * sign, group.capped_by,
                            tuple((part, share * sign) for part, share in group.shares)))  # fmt: skip
    return groups, left * sign


def _giving_back(parts: Sequence[Part]) -> Sequence[Part]:
    """The last group gives back first, each in the proportion in which its parts took, and none more than it took."""
    if any(part.taken is None for part in parts):
        return parts
    return [replace(part, weight=taken, room=taken, room_of=part.id)
            for part in reversed(parts) for taken in [max(part.taken or ZERO, ZERO)]]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """What each part takes and what those before it took, and what is left over; `content` is all there is to know."""

    shares: tuple[tuple[int | None, Decimal, Decimal], ...]
    left: Decimal
    content: Mapping[str, Any]
    problem: str | None


def answer(operation: p.Shared, amount: Decimal | int, parts: Sequence[p.Values], unit: Decimal) -> Answer:
    """Share an amount out over parts, given as the values that a program worked out for each."""
    rule = operation.share_out
    assert rule is not None
    members = [_part(operation.places, values) for values in parts]
    found = [share_out(Decimal(amount), own, unit, rule.kept) for own in _apart(members)]
    groups, left = [group for own, _ in found for group in own], found[0][1] if len(found) == 1 else ZERO
    shares = [share for own, left_of_own in found for share in _after_each_other(_taking(rule, own, left_of_own))]
    content = {
        "share_out": rule.name, "amount": amount, "left_over": left,
        "groups": [{"of": g.group, "taken": g.taken, "capped_by": g.capped_by,
                    "shares": [[part.id, part.weight, part.room, s] for part, s in g.shares]} for g in groups],
    }  # fmt: skip
    return Answer(tuple(shares), left, content, _problem(rule, amount, members))


def _apart(members: Sequence[Part]) -> list[list[Part]]:
    """The parts that share one whole amount; without `anew_for`, or without parts, there is one such list."""
    apart: dict[Any, list[Part]] = {}
    for part in members:
        apart.setdefault(part.anew_for, []).append(part)
    return list(apart.values()) or [[]]


def _taking(rule: d.ShareOut, groups: Sequence[Group], left: Decimal) -> list[tuple[int | None, Decimal]]:
    """Who takes how much, and as the last what nobody takes where the rule wants that told."""
    shares: list[tuple[int | None, Decimal]] = [(part.id, s) for group in groups for part, s in group.shares if s]
    return [*shares, (None, left)] if left and rule.left_over == "without_part" else shares


def _after_each_other(shares: Sequence[tuple[int | None, Decimal]]) -> Iterator[tuple[int | None, Decimal, Decimal]]:
    before = ZERO
    for part, share in shares:
        yield part, share, before
        before += share


def _part(places: Mapping[str, int], v: p.Values) -> Part:
    asked = {name: v[place] for name, place in places.items()}
    number = asked["part"]
    room, taken = (None if asked.get(name) is None else Decimal(asked[name]) for name in ("room", "taken"))
    return Part(number, asked.get("together"), Decimal(asked.get("weight", 1)), room, asked.get("room_of", number),
                bool(asked.get("rounding_to")), taken, asked.get("anew_for"))  # fmt: skip


def _problem(rule: d.ShareOut, amount: Decimal | int, members: Sequence[Part]) -> str | None:
    """What cannot be shared out, whatever there is room for."""
    if any(part.weight < 0 for part in members):
        return f"{rule.name}: a weight is below zero."
    if amount < 0 and rule.room is not None and rule.taken is None:
        called = f"{rule.name}: {shown(Decimal(amount))}"
        return f"{called} is below zero; what took it gives it back, it is not shared out again."
    return None


def _grouped(parts: Sequence[Part], kept: bool) -> Iterator[list[Part]]:
    """Parts that are filled together; without a ratio each by itself."""
    if kept:
        yield from (list(found) for _, found in groupby(parts, key=lambda part: part.group))
    else:
        yield from ([part] for part in parts)


def _taken(left: Decimal, members: Sequence[Part], rooms: Mapping[Any, Decimal], unit: Decimal) -> Group:
    """What parts that keep their ratio take of what is left; the tightest room caps them all."""
    weighing = [part for part in members if part.weight > 0]
    taken, capped_by = left if weighing else ZERO, None
    for part in weighing:
        most = _most(part, weighing, rooms, unit)
        if most is not None and most < taken:
            taken, capped_by = most, part.id
    while taken > 0:
        shares = _rounded(taken, weighing, unit)
        over = {part.id: over for part in weighing if (over := _over(part, weighing, shares, rooms)) > 0}
        if not over:
            return Group(members[0].group, taken, capped_by, tuple((part, shares[part.id]) for part in weighing))
        # There is no room for what rounding leaves: so much less is taken.
        capped_by = max(over, key=lambda id_: over[id_])
        taken += _floor(-Fraction(over[capped_by]), unit)
    return Group(members[0].group, ZERO, capped_by, ())


def _most(part: Part, weighing: Sequence[Part], rooms: Mapping[Any, Decimal], unit: Decimal) -> Decimal | None:
    """What all may take before the room of this part, and of those that share it, is full; none: whatever there is."""
    if part.room_of not in rooms:
        return None
    whole = sum((other.weight for other in weighing), ZERO)
    mine = sum((other.weight for other in weighing if other.room_of == part.room_of), ZERO)
    return _floor(Fraction(max(rooms[part.room_of], ZERO)) * Fraction(whole) / Fraction(mine), unit)


def _over(part: Part, weighing: Sequence[Part], shares: Shares, rooms: Mapping[Any, Decimal]) -> Decimal:
    """By how much shares are more than the room of a part."""
    if part.room_of not in rooms:
        return ZERO
    return sum((shares[other.id] for other in weighing if other.room_of == part.room_of), ZERO) - max(
        rooms[part.room_of], ZERO
    )


def _rounded(taken: Decimal, weighing: Sequence[Part], unit: Decimal) -> Shares:
    """The shares, each rounded half up; one part, the last if none is named, takes what rounding leaves."""
    whole = Fraction(sum((part.weight for part in weighing), ZERO))
    half = Fraction(unit) / 2
    shares = {part.id: _floor(Fraction(taken) * Fraction(part.weight) / whole + half, unit) for part in weighing}
    last = next((part for part in weighing if part.takes_rounding), weighing[-1])
    shares[last.id] += taken - sum(shares.values(), ZERO)
    for part in reversed(weighing):
        # Where many were rounded up to share very little, those behind give back before one owes instead of taking.
        if shares[last.id] < 0 and part is not last and shares[part.id] > 0:
            shares[part.id] -= unit
            shares[last.id] += unit
    return shares


def _floor(exact: Fraction, unit: Decimal) -> Decimal:
    """The smallest amounts that are whole in it: exactly, by no quotient that was rounded before."""
    counted = exact / Fraction(unit)
    return Decimal(counted.numerator // counted.denominator) * unit
