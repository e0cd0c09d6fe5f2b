"""What a store must become for a pack: shown first as statements, then applied. It adds; it never drops data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, inspect
from sqlalchemy.engine.interfaces import Dialect, ReflectedIndex
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from .errors import InvalidInput
from .store import Session
from .tables import APPEND_ONLY, protections


@dataclass(frozen=True)
class Migration:
    """The statements that bring a store up to its tables, and what they are in words."""

    words: tuple[str, ...]
    statements: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.statements)

    def makes_index(self, name: str) -> bool:
        """Is an index of a table that is there made, or made anew?"""
        return any(f"{how} index {name}" in self.words for how in ("new", "changed"))

    def apply(self, session: Session) -> None:
        for statement in self.statements:
            session.connection.exec_driver_sql(statement.replace("%", "%%") if not session.is_sqlite else statement)


def plan(session: Session, metadata: MetaData) -> Migration:
    """Compare the store with the tables wanted; raises InvalidInput for a column whose type is no longer the same."""
    inspector = inspect(session.connection)
    there = set(inspector.get_table_names())
    dialect = session.connection.dialect
    words: list[str] = []
    statements: list[str] = []
    new = [t for t in metadata.tables.values() if t.name not in there]
    for table in metadata.tables.values():
        steps = _changed(inspector, table, dialect) if table.name in there else _new(session, table, dialect)
        for word, made in steps:
            words.append(word)
            statements += made
    if not session.is_sqlite:
        statements += [_add_constraint(c, dialect) for t in new for c in _references(t)]
    return Migration(tuple(words), tuple(statements))


def _references(table: Table) -> list[ForeignKeyConstraint]:
    return sorted(table.foreign_key_constraints, key=lambda c: tuple(c.column_keys))


def _add_constraint(constraint: ForeignKeyConstraint, dialect: Dialect) -> str:
    constraint.name = f"{constraint.parent.name}_{'_'.join(constraint.column_keys)}"
    return str(AddConstraint(constraint).compile(dialect=dialect))


def _new(session: Session, table: Table, dialect: Dialect) -> Iterator[tuple[str, list[str]]]:
    # PostgreSQL wants the tables that are referred to first, and they may refer to each other: constraints come later.
    inline: list[ForeignKeyConstraint] | None = None if session.is_sqlite else []
    made = [str(CreateTable(table, include_foreign_key_constraints=inline).compile(dialect=dialect)).strip()]
    made += [str(CreateIndex(index).compile(dialect=dialect)) for index in _sorted(table)]
    if not session.is_sqlite:
        made.append(f'CREATE SEQUENCE IF NOT EXISTS "charter_ids_{table.name}"')
    if table.name in APPEND_ONLY:
        made += protections(session.store.dialect)(table.name)
    yield f"new table {table.name}", made


def _changed(inspector: Inspector, table: Table, dialect: Dialect) -> Iterator[tuple[str, list[str]]]:
    columns = {c["name"]: c for c in inspector.get_columns(table.name)}
    for column in table.columns:
        if column.name not in columns:
            yield f"new column {table.name}.{column.name}", [_add_column(table, column, dialect)]
        elif _kind(column.type.compile(dialect)) != _kind(columns[column.name]["type"].compile(dialect)):
            was = columns[column.name]["type"]
            raise InvalidInput(
                f"{table.name}.{column.name} is kept as {was} and would become {column.type}: a field does not change "
                "its type; give the new one another name."
            )
    indexes = {str(i["name"]): i for i in inspector.get_indexes(table.name)}
    for index in _sorted(table):
        made = str(CreateIndex(index).compile(dialect=dialect))
        there = indexes.get(str(index.name))
        if there is None:
            yield f"new index {index.name}", [made]
        elif _said(there, dialect) != ([c.name for c in index.columns], _words(made.partition(" WHERE ")[2])):
            yield f"changed index {index.name}", [f'DROP INDEX "{index.name}"', made]


def _said(index: ReflectedIndex, dialect: Dialect) -> tuple[list[str | None], set[str]]:
    """The columns of an index that is there, and the words of its condition, which each database writes its own way."""
    return list(index["column_names"]), _words(str(index.get("dialect_options", {}).get(f"{dialect.name}_where", "")))


def _words(condition: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", condition))


def _add_column(table: Table, column: Column[object], dialect: Dialect) -> str:
    """A new column is empty in the rows there are, whatever it must be in new ones."""
    quote = dialect.identifier_preparer.quote
    reference = next(
        (f' REFERENCES "{k.column.table.name}" (id) DEFERRABLE INITIALLY DEFERRED' for k in column.foreign_keys), ""
    )
    return f"ALTER TABLE {quote(table.name)} ADD COLUMN {quote(column.name)} {column.type.compile(dialect)}{reference}"


def _sorted(table: Table) -> list:  # type: ignore[type-arg]
    return sorted(table.indexes, key=lambda i: str(i.name))


def _kind(said: str) -> str:
    """Column types that are the same under another name."""
    return {"INTEGER": "BIGINT", "VARCHAR": "TEXT"}.get(said.split("(")[0].upper(), said.split("(")[0].upper())
