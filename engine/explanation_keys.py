"""What people call records: their keys, of those that are gone as well, and the record that a key means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import select

from .batch import Rules
from .errors import UsageFault
from .explanation_past import Past
from .facts import Facts, plain
from .gathering import Gatherer
from .model import Type
from .source import did_you_mean
from .store import Session
from .tables import VOUCHER

Made = TypeVar("Made")


def find_record(session: Session, rules: Rules, record: str, key: str) -> int:
    """The id of a record by what a person types; raises UsageFault with what is like it.

    A key's parts are joined by `/`; records without a key go by number. Every record that is or was goes by `#12`, too.
    """
    library = rules.library
    if library.record(record) is None or record not in rules.metadata.tables:
        known = [r.name for r in library.records()]
        hint = did_you_mean(record, known) or f"known: {', '.join(known)}"
        raise UsageFault(f"There is no record type `{record}`; {hint}")
    found = known_record(session, rules, record, key)
    if found is None:
        like = did_you_mean(key, Past(session, rules).some_keys(record))
        raise UsageFault(f"There is no {record} `{key}`; {like or f'see `charter list {record}`'}")
    return found


def known_record(session: Session, rules: Rules, record: str, key: str) -> int | None:
    """The same, None where there is no such record."""
    past = Past(session, rules)
    if key.startswith("#") and key[1:].isdigit() and past.of_record(record, int(key[1:])):
        return int(key[1:])
    found = Gatherer(rules.library, rules.metadata, session, Facts(), {}).id_of(record, key)
    return found if found is not None else past.gone(record, key)


class Keys:
    """Says values as people do. What is named is learned in a first round and looked up together: see `settled`."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.called_by: dict[tuple[str, int], tuple[str, str]] = {}
        self.wanted: dict[str, set[int]] = defaultdict(set)

    def settled(self, make: Callable[[], Made]) -> Made:
        """Make something once to learn which records it names, and again when their keys are known."""
        made = make()
        while self.wanted:
            self.look_up()
            made = make()
        return made

    def key(self, record: str, id_: int) -> str:
        return self._found(record, id_)[0]

    def titled(self, record: str, id_: int) -> str:
        """Key and describing name."""
        return " ".join(x for x in self._found(record, id_) if x)

    def called(self, record: str, id_: int) -> str:
        return f"{record} {self.key(record, id_)}"

    def said(self, type_: Type, value: Any) -> str | None:
        """A value as it is kept in the log, in the words of people."""
        if value is None:
            return None
        if isinstance(value, list):
            inner = type_.item or type_
            return ", ".join(self.said(inner, v) or "none" for v in value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if type_.kind == "ref" and isinstance(value, int):
            return self.key(type_.of, value)
        return str(value)

    def _found(self, record: str, id_: int) -> tuple[str, str]:
        found = self.called_by.get((record, id_))
        if found is None:
            self.wanted[record].add(id_)
        return found or ("", "")

    def look_up(self) -> None:
        wanted, self.wanted = self.wanted, defaultdict(set)
        for record, ids in wanted.items():
            found = self.stored(record, ids)
            if missing := ids - found.keys():
                found |= {i: (key, "") for i, key in self.past.deleted(record, missing).items()}
            self.called_by |= {(record, i): found.get(i, (f"#{i}", "")) for i in ids}

    def stored(self, record: str, ids: set[int]) -> dict[int, tuple[str, str]]:
        rules, session = self.past.rules, self.past.session
        declared = rules.library.record(record)
        if record == "voucher" and VOUCHER in rules.metadata.tables:
            table = rules.metadata.tables[VOUCHER]
            return {i: (n, "") for i, n in session.rows(select(table.c.id, table.c.number).where(table.c.id.in_(ids)))}
        if declared is None or record not in rules.metadata.tables:
            return {}
        paths = rules.library.key_paths(declared)
        title = [(declared.title,)] if declared.title and (declared.title,) not in paths else []
        gatherer = Gatherer(rules.library, rules.metadata, session, Facts(), {})
        found = gatherer.values(record, (*paths, *title), sorted(ids))
        return {
            i: ("/".join(str(plain(v)) for v in values[: len(paths)]), str(values[len(paths)] or "") if title else "")
            for i, values in found.items()
        }
