"""What records that are there have against a new pack: keys that several would share, states, choices and roles that it
no longer has. Found before anything is changed, so that it is said in words and not by the database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, func, inspect, literal, or_, select
from sqlalchemy import column as column_named
from sqlalchemy import table as table_named

from . import definitions as d
from .completion import Completion
from .facts import Facts, plain
from .gathering import Gatherer
from .library import Library
from .migration import Migration
from .store import Session, decoder
from .tables import VOUCHER, Declared, columns_of

SHOWN = 3  # of the keys that several records would share
GRANT = "role_grant"


def lost_records(session: Session, before: Library, after: Library) -> Iterator[str]:
    """Record types, and a ledger, that the new pack does not know and of which there is something."""
    lost = [r.name for r in before.records() if after.record(r.name) is None]
    ledger = [VOUCHER] if before.manifest.ledger and not after.manifest.ledger else []
    for name in [*lost, *ledger]:
        ((count,),) = session.rows(select(func.count()).select_from(table_named(name)))
        if count:
            what = "no ledger, and vouchers" if name == VOUCHER else f"no record type {name}, and records of it"
            yield f"The pack {after.manifest.name} has {what} are there: {count:,}. What is there must stay known."


@dataclass(frozen=True)
class Objections:
    """Looks at a store whose pack in force is `before` and would be `after`, whose tables `metadata` declares."""

    session: Session
    metadata: Declared
    before: Library
    after: Library
    migration: Migration
    completion: Completion
    today: date

    def all(self) -> list[str]:
        """Everything that is against the pack, a line each."""
        return [*self.of_records(), *self.of_grants()]

    def of_records(self) -> Iterator[str]:
        inspector = inspect(self.session.connection)
        there = set(inspector.get_table_names())
        for record in self.after.records():
            if record.name in there:
                columns = {c["name"]: bool(c["nullable"]) for c in inspector.get_columns(record.name)}
                yield from self.shared_keys(record, columns)
                yield from self.lost_states(record, columns)
                yield from self.lost_workflows(record)
                yield from self.lost_choices(record, columns)
                yield from self.firm(record, columns)

    # --- keys ---

    def shared_keys(self, record: d.Record, columns: Collection[str]) -> Iterator[str]:
        """A key that is new, or is completed, and that several records would have."""
        given = {each.field: each.kept for each in self.completion.filled if each.record == record.name}
        is_new = self.migration.makes_index(f"key_of_{record.name}")
        if not record.key or not (is_new or given.keys() & {*record.key}):
            return
        table = self.metadata.tables[record.name]

        def value(name: str) -> ColumnElement[Any]:
            column = table.c[name]
            if name not in columns:
                return literal(given.get(name), column.type)
            return func.coalesce(column, given[name]) if name in given else column

        living = [value("state").not_in(record.key_except)] if record.key_except else []
        keys = select(*(value(n).label(n) for n in record.key)).select_from(table).where(*living).subquery()
        shared = (
            select(*keys.c, func.count().label("records_"))
            .where(*(c.is_not(None) for c in keys.c))
            .group_by(*keys.c)
            .having(func.count() > 1)
        )
        ((count,),) = self.session.rows(select(func.count()).select_from(shared.subquery()))
        if count:
            examples = [self.called(record, row) for row in self.session.rows(shared.order_by(*keys.c).limit(SHOWN))]
            more = f" and {count - len(examples):,} more" if count > len(examples) else ""
            yield (
                f"{record.key_place}: {record.name} would have the key {', '.join(record.key)}, and several records "
                f"would share one: {', '.join(examples)}{more}. Add a field that tells them apart, or change the "
                "records by an event first."
            )

    def called(self, record: d.Record, row: Any) -> str:
        """A key that is shared, as people write it, and by how many."""
        types = [record.fields[n].type for n in record.key]
        values = decoder(types)(row[:-1])
        texts = [self.key_of(t.of, v) if t.kind == "ref" else str(plain(v)) for t, v in zip(types, values, strict=True)]
        return f"`{'/'.join(texts)}` ({row[-1]:,} records)"

    def key_of(self, record: str, id_: int) -> str:
        """What a record is called under the pack that is in force, whose fields are there."""
        found = self.before.record(record)
        if found is None:
            return str(id_)
        paths = tuple(self.before.key_paths(found))
        return "/".join(str(v) for v in self.gatherer.values(record, paths, [id_])[id_][:-1])

    @cached_property
    def gatherer(self) -> Gatherer:
        return Gatherer(self.before, Declared(self.before), self.session, Facts(), {})

    # --- states and choices ---

    def lost_states(self, record: d.Record, columns: Collection[str]) -> Iterator[str]:
        before = self.states_before(record)
        for name, flow in self.after.states_of(record).items():
            had = set(before[name].states) if name in before else None
            if name in columns and (had is None or had - set(flow.states)):
                for state, count in self.counted(record.name, name, flow.states):
                    yield (
                        f"{flow.place}: the workflow {flow.name} has no state `{state}` any more, with "
                        f"{said(count, record)} in it: keep the state, or move the records on by an event first."
                    )

    def lost_workflows(self, record: d.Record) -> Iterator[str]:
        for name, flow in self.gone_states(record).items():
            for state, count in self.counted(record.name, name, ()):
                yield (
                    f"{record.place}: {record.name} is without its workflow {flow.name}, with {said(count, record)} in "
                    f"the state `{state}`: keep the workflow."
                )

    def lost_choices(self, record: d.Record, columns: Collection[str]) -> Iterator[str]:
        old = self.before.record(record.name)
        for name, field in record.fields.items():
            was = old.fields.get(name) if old else None
            had = set(was.type.choices) if was and was.type.kind == "choice" else None
            choices = field.type.choices
            if field.type.kind == "choice" and name in columns and (had is None or had - set(choices)):
                for value, count in self.counted(record.name, name, choices):
                    yield (
                        f"{field.place}: {record.name}.{name} has no choice `{value}` any more, and it stands in "
                        f"{said(count, record)}: keep the choice, or change the records by an event first."
                    )

    def states_before(self, record: d.Record) -> dict[str, d.Workflow]:
        old = self.before.record(record.name)
        return self.before.states_of(old) if old else {}

    def gone_states(self, record: d.Record) -> dict[str, d.Workflow]:
        """The state fields that the new pack no longer has, with their workflows."""
        known = {name for name, _ in columns_of(self.after, record)}
        return {name: flow for name, flow in self.states_before(record).items() if name not in known}

    def counted(self, table: str, name: str, known: Collection[str]) -> list[tuple[str, int]]:
        """The values of a column that are none of those known, and in how many rows each stands."""
        found: ColumnElement[Any] = column_named(name)
        statement = select(found, func.count()).select_from(table_named(table)).where(found.is_not(None))
        statement = statement.where(found.not_in(list(known))).group_by(found).order_by(found)
        return [(str(value), count) for value, count in self.session.rows(statement)]

    def firm(self, record: d.Record, columns: Mapping[str, bool]) -> Iterator[str]:
        """What was part of a key or a state is never empty in its table, which does not change that afterwards."""
        types = dict(columns_of(self.after, record))
        told = {name for name in self.gone_states(record) if self.counted(record.name, name, ())}
        for name, may_be_empty in columns.items():
            if not may_be_empty and name not in told and (name not in types or types[name].optional):
                becomes = "may be empty" if name in types else "is no field any more"
                yield (
                    f"{record.place}: {record.name}.{name} {becomes}, and its table takes no record without it: keep "
                    "the field, and let it be needed."
                )

    # --- roles ---

    def of_grants(self) -> Iterator[str]:
        """Roles that are held and that the new pack does not know; a grant that has ended counts no more."""
        roles = self.after.manifest.roles
        if not set(self.before.manifest.roles) - set(roles):
            return
        grants = self.metadata.tables[GRANT]
        statement = (
            select(grants.c.role, func.count())
            .where(grants.c.state == "held", or_(grants.c.until.is_(None), grants.c.until >= self.today))
            .where(grants.c.role.not_in(list(roles)))
            .group_by(grants.c.role)
            .order_by(grants.c.role)
        )
        for role, count in self.session.rows(statement):
            grants_said = f"{count:,} grant{'' if count == 1 else 's'}"
            yield (
                f"The pack {self.after.manifest.name} has no role `{role}`, which is held by {grants_said}: keep the "
                "role, or revoke the grants first."
            )


def said(count: int, record: d.Record) -> str:
    return f"{count:,} record{'' if count == 1 else 's'} of {record.name}"
