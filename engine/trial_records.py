"""How a rule test names the records of a store: by what is the same in every store, which their numbers are not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from sqlalchemy import Row

from .explanation_events import fits, leads_to
from .explanation_keys import Keys
from .explanation_past import Past
from .expressions import parse, paths
from .facts import Facts, plain
from .gathering import Gatherer
from .log_texts import changes_of, reads_of
from .model import TEXT, Parts, Type
from .trial_scenes import Happened, Numbered
from .workflow_definitions import NOTHING

Fact: TypeAlias = "tuple[Parts, str]"  # a path from a record, and what an expression says of it

DEEPEST = 1  # how far what has no key is told by what it refers to


class Lives:
    """The records that a scene and an event made or changed, as they were at each row of the log."""

    def __init__(self, past: Past, keys: Keys, scene: Iterable[Happened]) -> None:
        self.past, self.keys = past, keys
        self.rows: dict[Numbered, list[tuple[Row[Any], dict[str, Any]]]] = {}
        self.end = 0
        self._numbers: dict[tuple[str, int, str], bool] = {}
        self._referred: dict[Numbered, list[Fact]] = {}
        self._told: dict[tuple[str, int, int, int], list[Fact]] = {}
        for happened in scene:
            for row in happened.rows:
                self.live(row)

    def live(self, row: Row[Any]) -> None:
        life = self.rows.setdefault((row.record, row.record_id), [])
        after = {n: v if row.from_state == NOTHING else v[1] for n, v in changes_of(row).items()}
        life.append((row, {**(life[-1][1] if life else {}), **after}))
        self.end = max(self.end, row.id + 1)

    def values(self, record: Numbered, until: int) -> dict[str, Any] | None:
        """What a record held before a row of the log; None where it was not there yet."""
        return next((values for row, values in reversed(self.rows.get(record, [])) if row.id < until), None)

    def which(self, record: str, id_: int, until: int) -> dict[str, Any]:
        """How a step or expectation finds a record: by its key, else by a condition that only it fulfills."""
        if self.has_key(record, id_):
            return {"key": self.keys.key(record, id_)}
        return {"where": self.condition(record, id_, until)}

    def has_key(self, record: str, id_: Any = None) -> bool:
        """Whether people call it something that is the same in every store."""
        declared = self.past.rules.library.record(record)
        if declared is None or not declared.key:
            return False
        own = self.values((record, id_), self.end) or {}
        parts = [(name, self.type_of(record, name)) for name in declared.key]
        return not any(
            self.is_number(record, id_, name)
            or (type_.kind == "ref" and name in own and not self.has_key(type_.of, own[name]))
            for name, type_ in parts
        )

    def is_number(self, record: str, id_: int, field: str) -> bool:
        """Whether a field was made of the number of a record, which is another one in every store."""
        asked = (record, id_, field)
        if asked not in self._numbers:
            rows = [row for row, _ in self.rows.get((record, id_), []) if field in changes_of(row)]
            self._numbers[asked] = any(
                paths_of_number(text) for row in rows for text in given_as(self.past, row, field)
            )
        return self._numbers[asked]

    def condition(self, record: str, id_: int, until: int) -> str:
        return " and ".join(f"{'.'.join(path)} {said}" for path, said in self.telling(record, id_, until)) or "id > 0"

    def telling(self, record: str, id_: int, until: int, depth: int = 0) -> list[Fact]:
        """What tells a record from the others of its type, as they all were before a row of the log."""
        asked = (record, id_, until, depth)
        if asked not in self._told:
            self._told[asked] = self.tell(record, id_, until, depth)
        return self._told[asked]

    def tell(self, record: str, id_: int, until: int, depth: int) -> list[Fact]:
        """At each turn the field that most others do not share."""
        others = [v for (name, other), _ in self.rows.items() if name == record and other != id_
                  if (v := self.values((name, other), until)) is not None]  # fmt: skip
        own = self.values((record, id_), until) or {}
        told: list[Fact] = []
        for fields in self.by_kind(record, own):
            said = {
                name: facts for name in fields if (facts := self.equals(record, id_, name, own[name], until, depth))
            }
            while others and said:
                alike = {name: [v for v in others if v.get(name) == own[name]] for name in said}
                best = min(alike, key=lambda name: len(alike[name]))
                if len(alike[best]) == len(others):
                    break
                told, others = [*told, *said.pop(best)], alike[best]
        return told

    def by_kind(self, record: str, own: dict[str, Any]) -> list[list[str]]:
        """The fields of a record: what it is about, then how much, then its states."""
        declared = self.past.rules.library.record(record)
        states = [name for name in own if declared is None or name not in declared.fields]
        amounts = [name for name in own if name not in states and self.type_of(record, name).is_numeric]
        return [[name for name in own if name not in (*states, *amounts)], amounts, states]

    def equals(self, record: str, id_: int, name: str, value: Any, until: int, depth: int) -> list[Fact]:
        """`name` is that value, as an expression says it; nothing where it cannot."""
        type_ = self.type_of(record, name)
        if value is None:
            return [((name,), "is none")]
        if type_.kind == "ref" and isinstance(value, int):
            return [((name, *path), said) for path, said in self.refers(type_.of, value, until, depth)]
        if type_.kind in ("text", "choice") and "'" not in str(value) and not self.is_number(record, id_, name):
            return [((name,), f"== '{value}'")]
        if type_.kind == "date":
            return [((name,), f"== date('{value}')")]
        return [((name,), f"== {value}")] if type_.is_numeric and not self.is_number(record, id_, name) else []

    def refers(self, record: str, id_: int, until: int, depth: int) -> list[Fact]:
        """What tells the record that another one refers to: its key, else whatever tells it from others."""
        if not self.has_key(record, id_):
            return self.telling(record, id_, until, depth + 1) if depth < DEEPEST else []
        if (record, id_) not in self._referred:
            self._referred[record, id_] = self.key_of(record, id_)
        return self._referred[record, id_]

    def key_of(self, record: str, id_: int) -> list[Fact]:
        library, declared = self.past.rules.library, self.past.rules.library.record(record)
        assert declared is not None
        ways = tuple(library.key_paths(declared))
        gatherer = Gatherer(library, self.past.rules.metadata, self.past.session, Facts(), {})
        found = gatherer.values(record, ways, [id_]).get(id_, ())[:-1]
        return [(path, f"== {constant(value)}") for path, value in zip(ways, found, strict=True)] if found else []

    def type_of(self, record: str, name: str) -> Type:
        declared = self.past.rules.library.record(record)
        found = self.past.rules.library.member(declared, name) if declared else None
        return found or TEXT


def given_as(past: Past, row: Row[Any], field: str) -> list[str]:
    """The expressions that may have given a field its value: of the event itself, or of the one that fired it."""
    steps = [step for step in past.then(row).transition.steps if step.verb == "set"]
    if row.cause is not None:
        cause = past.cause_of(row)
        reads, given = reads_of(cause), reads_of(row)["given"]
        causing, known = past.then(cause), {**reads["own"], **reads["given"]}
        steps += [s for s in causing.transition.steps if leads_to(causing, s, row) and fits(s, given, known)]
    return [step.values[field].text for step in steps if field in step.values]


def paths_of_number(text: str) -> bool:
    """Whether an expression uses the number of a record."""
    return any(path.parts[-1] == "id" for path in paths(parse(text)))


def constant(value: Any) -> str:
    """A value within an expression."""
    if isinstance(value, str):
        return f"'{value}'"
    return f"date('{value.isoformat()}')" if hasattr(value, "isoformat") else str(plain(value))
