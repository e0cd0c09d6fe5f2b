"""The command `status`: what waits for whoever asks, with its age and amount, what is late first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .commands import Call
from .commands_keys import Keys
from .errors import DONE
from .facts import plain
from .model import MONEY
from .notation import counted
from .waiting import Group, Waiting, waiting_for

NAMED = 20  # records of a group, where no other limit is said

COLUMNS = ("for", "record", "state", "waits for", "key", "name", "since", "days", "late", "amount", "currency")
OF_GROUP = ("key", "name", "since", "days", "late", "amount", "currency")
NUMBERS = ("days", "amount")


@dataclass(frozen=True, slots=True)
class Shown:
    """A group with the records of it that are named."""

    group: Group
    keys: Keys
    limit: int
    places: dict[str, int]

    @property
    def named(self) -> Sequence[Waiting]:
        return self.group.items[: self.limit]

    def rows(self) -> Iterator[Sequence[str]]:
        group = self.group
        for row in self.rows_of_group():
            yield (group.acting_for or "", group.record.name, group.state, " or ".join(group.events), *row)

    def rows_of_group(self) -> Iterator[Sequence[str]]:
        record = self.group.record.name
        for item in self.named:
            places = self.places.get(item.currency or "")
            yield (
                self.keys.of(record, item.id), self.keys.titles.get((record, item.id), ""), (item.since or "")[:10],
                str(item.days), "late" if self.group.is_late(item) else "", self.keys.text(item.amount, MONEY, places),
                item.currency or "",
            )  # fmt: skip

    def data(self) -> dict[str, Any]:
        group = self.group
        return {
            "acting_for": group.acting_for, "record": group.record.name, "state": group.state,
            "waits_for": list(group.events), "late_after": group.late_after, "count": len(group.items),
            "late": group.late, "amounts": plain(group.amounts),
            "records": [self.item_data(item) for item in self.named],
        }  # fmt: skip

    def item_data(self, item: Waiting) -> dict[str, Any]:
        record = self.group.record.name
        return {
            "key": self.keys.of(record, item.id), "name": self.keys.titles.get((record, item.id)), "since": item.since,
            "days": item.days, "late": self.group.is_late(item), "amount": plain(item.amount),
            "currency": item.currency,
        }  # fmt: skip

    @property
    def heading(self) -> str:
        group = self.group
        sums = [f"{self.keys.text(a, MONEY, self.places.get(c))} {c}" for c, a in group.amounts.items()]
        late = [f"{group.late:,} late (more than {counted(group.late_after or 0, 'day')})"] if group.late else []
        said = [counted(len(group.items), "record"), *late, *sums]
        acting_for = f"for {group.acting_for}: " if group.acting_for else ""
        return (
            f"{acting_for}{group.record.name} {group.state}, waits for {' or '.join(group.events)}: {', '.join(said)}"
        )


def print_status(call: Call, limit: int | None) -> int:
    """Print what waits for the actor, by record type and state; of each group the oldest are named."""
    actor = call.actor
    with call.store.reading() as session:
        groups = waiting_for(call.charter, session, actor)
        limit = NAMED if limit is None else limit
        keys = Keys(call.library)
        keys.learn(call.gatherer(session), ((g.record.name, item.id) for g in groups for item in g.items[:limit]))
    shown = [Shown(group, keys, limit, dict(call.library.manifest.currencies)) for group in groups]
    if call.shape == "table":
        print_groups(call, shown)
    else:
        sheet = call.sheet(COLUMNS, "groups", right=NUMBERS, actor=actor.number, login=actor.login)
        for each in shown:
            sheet.add(each)
        sheet.end()
    call.say(summary(actor.number, groups, limit))
    return DONE


def summary(actor: str, groups: Sequence[Group], limit: int) -> str:
    """What waits, in one sentence."""
    count, late = sum(len(g.items) for g in groups), sum(g.late for g in groups)
    if not count:
        return f"Nothing waits for {actor}."
    unnamed = sum(max(0, len(g.items) - limit) for g in groups)
    more = f" {unnamed:,} of them are not named; --limit says how many of a kind are." if unnamed else ""
    return f"{counted(count, 'record')} {'waits' if count == 1 else 'wait'} for {actor}, {late:,} late.{more}"


def print_groups(call: Call, shown: Sequence[Shown]) -> None:
    """For a person: each group under a line that says what it comes to."""
    for number, each in enumerate(shown):
        print(f"{chr(10) if number else ''}{each.heading}")
        sheet = call.sheet(OF_GROUP, "records", right=NUMBERS, spare=True)
        for row in each.rows_of_group():
            sheet.add(Row(row))
        sheet.end()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a group."""

    cells: Sequence[str]

    def rows(self) -> Iterator[Sequence[str]]:
        yield self.cells

    def data(self) -> dict[str, Any]:
        return {}
