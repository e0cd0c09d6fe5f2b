"""The one way to the database: transactions, reading in bulk, writing in bulk. It knows tables, not rules.

SQLite and PostgreSQL differ only here: how a transaction begins, how many rows are written at once, which
errors mean "try again".
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from datetime import date
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnClause,
    ColumnElement,
    Connection,
    Date,
    Engine,
    Integer,
    Select,
    TableClause,
    create_engine,
    event,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError

from .errors import Conflict, UsageFault
from .interruption import heed
from .model import SCALES, Type
from .money import LARGEST_KEPT, from_kept, shown, to_kept, whole_kept
from .tables import COUNTER, HEAD

Result = TypeVar("Result")
RETRIES = 8
IDS_AT_ONCE = 1000
READS = "charter_reads"

WHERE_STORES_ARE = "give a file, or an address such as postgresql://user@server/database"


def decoder(types: Sequence[Type]) -> Callable[[Iterable[Any]], list[Any]]:
    """A function that turns a row as kept into values: scaled integers into Decimal, the rest as it is."""
    return _converter([(i, _FROM_KEPT[t.kind]) for i, t in enumerate(types) if SCALES.get(t.kind)])


def sqlite_decoder(types: Sequence[Type]) -> Callable[[Iterable[Any]], list[Any]]:
    """The same for rows as SQLite gives them: days are texts, and yes or no is a number."""
    odd = [(i, _FROM_SQLITE[t.kind]) for i, t in enumerate(types) if t.kind in _FROM_SQLITE]
    scaled = [(i, _FROM_KEPT[t.kind]) for i, t in enumerate(types) if SCALES.get(t.kind)]
    return _converter([*scaled, *odd])


def plain_decoder(types: Sequence[Type]) -> Callable[[Iterable[Any]], list[Any]]:
    """The same into texts for amounts and days, as the log holds them."""
    scaled = [(i, _PLAIN_KEPT[t.kind]) for i, t in enumerate(types) if SCALES.get(t.kind)]
    return _converter([*scaled, *((i, date.isoformat) for i, t in enumerate(types) if t.kind == "date")])


def _plain_kept(kept: int, kind: str) -> str:
    return shown(from_kept(kept, kind))


def _of_each_kind(converted: Callable[..., Any]) -> dict[str, Callable[[Any], Any]]:
    """A conversion for each kind of number; the same values come again and again."""
    return {kind: lru_cache(maxsize=1 << 16)(partial(converted, kind=kind)) for kind in SCALES}


_FROM_SQLITE: Mapping[str, Callable[[Any], Any]] = {
    "date": lru_cache(maxsize=1 << 16)(date.fromisoformat),
    "yes_or_no": bool,
}
_FROM_KEPT, _PLAIN_KEPT, _TO_KEPT = _of_each_kind(from_kept), _of_each_kind(_plain_kept), _of_each_kind(to_kept)


def encoder(types: Sequence[Type]) -> Callable[[Iterable[Any]], list[Any]]:
    """The other way round; raises ValueError for a number that does not fit."""
    scaled = [(i, _TO_KEPT[t.kind]) for i, t in enumerate(types) if SCALES.get(t.kind)]
    return _converter([*scaled, *((i, whole_kept) for i, t in enumerate(types) if SCALES.get(t.kind) == 0)])


def _converter(wanted: Sequence[tuple[int, Callable[[Any], Any]]]) -> Callable[[Iterable[Any]], list[Any]]:
    def convert(row: Iterable[Any]) -> list[Any]:
        values = list(row)
        for index, converted in wanted:
            if (value := values[index]) is not None:
                values[index] = converted(value)
        return values

    return convert


class Store:
    """A database that holds one customer's records, log and ledger."""

    def __init__(self, url: str) -> None:
        if not url.strip():
            raise UsageFault(f"--db is empty: {WHERE_STORES_ARE}.")
        self.url = url if "://" in url else f"sqlite:///{url}"
        if self.url.startswith("postgresql://"):
            self.url = self.url.replace("postgresql://", "postgresql+psycopg://", 1)
        if not self.url.startswith(("sqlite:", "postgresql")):
            raise UsageFault(f"--db names no database that Charter works on: {WHERE_STORES_ARE}.")
        try:
            self.engine = _sqlite(self.url) if self.url.startswith("sqlite") else _postgresql(self.url)
        except ValueError:
            raise UsageFault(f"--db does not say where the store is: {WHERE_STORES_ARE}.") from None
        self.dialect = self.engine.dialect.name
        self.statements = 0
        event.listen(self.engine, "before_cursor_execute", self._count)

    def _count(self, *_: Any) -> None:
        self.statements += 1

    @property
    def address(self) -> str:
        """The file, or the address without a password."""
        url = self.engine.url
        return str(url.database) if self.dialect == "sqlite" else url.render_as_string(hide_password=True)

    @property
    def exists(self) -> bool:
        """Is there anything at all? A file that is not there is not made by asking."""
        if self.dialect == "sqlite" and self.engine.url.database not in (None, "", ":memory:"):
            return Path(str(self.engine.url.database)).exists()
        return True

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Everything inside is written together or not at all."""
        with self.engine.connect() as connection, connection.begin():
            yield Session(self, connection)
            heed()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """What is read inside is of one moment; nobody who writes waits for it."""
        options = {READS: True} if self.dialect == "sqlite" else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect() as connection, connection.execution_options(**options).begin():
            yield Session(self, connection)

    def within(self, work: Callable[[Session], Result]) -> Result:
        """Run `work` in a transaction of its own; a lost race is run again as a whole, a bounded number of times."""
        for attempt in range(RETRIES):
            try:
                with self.transaction() as session:
                    return work(session)
            except Exception as error:
                # What is written in bulk goes past SQLAlchemy and raises the driver's own errors.
                if not _lost_race(error):
                    raise
                time.sleep(random.uniform(0, 0.02 * 2**attempt))
        raise Conflict(f"The store is busy: {RETRIES} tries were lost to others. Try again.")

    def close(self) -> None:
        self.engine.dispose()


# Not serializable, deadlock; and a key that somebody else has just taken, which is seen when it is tried again.
_LOST = ("40001", "40P01", "23505")


def _lost_race(error: Exception) -> bool:
    original = error.orig if isinstance(error, DBAPIError) else error
    if getattr(original, "sqlstate", None) in _LOST:
        return True
    return isinstance(error, OperationalError) and "database is locked" in str(original)


def _beyond(error: DBAPIError) -> bool:
    """Was a number too large? PostgreSQL has a code for it, SQLite only words."""
    return getattr(error.orig, "sqlstate", None) == "22003" or "integer overflow" in str(error.orig)


# Days go in as ISO text, as the driver did by itself until it called that old.
sqlite3.register_adapter(date, date.isoformat)


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _: Any) -> None:
        # The driver's own transactions would begin too late; we begin them ourselves, below.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")
        # A write-ahead log can lose a committed transaction before 3.51.3; the rollback journal cannot.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -65536")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get(READS) else "BEGIN IMMEDIATE")

    return engine


def _postgresql(url: str) -> Engine:
    try:
        return create_engine(url, isolation_level="REPEATABLE READ")
    except ModuleNotFoundError:
        raise UsageFault("PostgreSQL needs its driver: pip install 'charter[postgresql]'.") from None


class Session:
    """An open transaction. Rows go in and out as tuples in column order, values as the tables keep them."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self.store, self.connection = store, connection
        self.is_sqlite = store.dialect == "sqlite"
        self._ids: dict[str, list[int]] = {}
        self._block: dict[str, int] = {}

    def rows(self, statement: Any, given: Mapping[str, Any] | None = None) -> list[Any]:
        """The rows of an answer, with what is given to the statement by name."""
        return list(self.connection.execute(statement, given).all())

    def seeking(self, statement: Select[Any], column: ColumnElement[Any]) -> str:
        """The text of a statement without conditions, for `sought`: for what has in the column one of some numbers."""
        bind = self.connection.engine
        whole = statement.compile(bind, compile_kwargs={"literal_binds": True})
        among = "IN (SELECT value FROM json_each(?))" if self.is_sqlite else "= ANY(?)"
        return f"{whole} WHERE {column.compile(bind)} {among}"

    def sought(self, sql: str, numbers: list[int]) -> list[Any]:
        """The rows that a statement made by `seeking` finds by some numbers, as the driver gives them."""
        found: list[Any] = self.own(sql, orjson.dumps(numbers).decode() if self.is_sqlite else numbers).fetchall()
        return found

    def decoder(self, types: Sequence[Type]) -> Callable[[Iterable[Any]], list[Any]]:
        """What makes values of what `sought` finds."""
        return (sqlite_decoder if self.is_sqlite else decoder)(types)

    def sums(self, statement: Any) -> list[list[Any]]:
        """The rows of an answer that ends with a sum of kept numbers, 0 where nothing was summed.

        Raises OverflowError where a sum, or a term of one, is beyond what a column can keep.
        """
        try:
            rows = self.rows(statement)
        except DBAPIError as error:
            if _beyond(error):
                raise OverflowError from None
            raise
        found = [[*row[:-1], row[-1] or 0] for row in rows]
        # PostgreSQL goes on with wider numbers; SQLite makes a fraction of a term that is too large.
        if any(isinstance(row[-1], float) or abs(row[-1]) > LARGEST_KEPT for row in found):
            raise OverflowError
        return [[*row[:-1], int(row[-1])] for row in found]

    def stream(self, statement: Any, size: int = 2000) -> Iterator[Any]:
        """The rows of a large answer, a few at a time."""
        result = self.connection.execution_options(stream_results=not self.is_sqlite).execute(statement)
        for rows in result.partitions(size):
            heed()
            yield from rows

    def run(self, sql: str) -> None:
        self.connection.execute(text(sql))

    def insert(self, table: TableClause, rows: Sequence[Sequence[Any]]) -> None:
        """Write many rows, each in the order of the table's columns."""
        if not rows:
            return
        if self.is_sqlite:
            self._insert_into_sqlite("INSERT", table, rows)
            return
        self.store.statements += 1
        with self._cursor().copy(f'COPY "{table.name}" ({_names(table)}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)

    def insert_missing(self, table: TableClause, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows unless their key is there already."""
        if not rows:
            return
        if self.is_sqlite:
            self._insert_into_sqlite("INSERT OR IGNORE", table, rows)
            return
        self.store.statements += 1
        arrays = ", ".join(f"%s::{_array_type(c)}" for c in table.columns)
        sql = f'INSERT INTO "{table.name}" ({_names(table)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING'
        self._cursor().execute(sql, [list(v) for v in zip(*rows, strict=True)])

    def put(self, table: TableClause, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows; where one with the same other columns is there already, its last column is set."""
        if not rows:
            return
        *key, last = (c.name for c in table.columns)
        names = ", ".join(f'"{n}"' for n in key)
        sets = f'ON CONFLICT ({names}) DO UPDATE SET "{last}" = excluded."{last}"'
        self.store.statements += 1
        if self.is_sqlite:
            sql = f'INSERT INTO "{table.name}" ({_names(table)}) VALUES ({marks(table.columns)}) {sets}'
            self._cursor().executemany(sql, rows)
            return
        arrays = ", ".join(f"%s::{_array_type(c)}" for c in table.columns)
        sql = f'INSERT INTO "{table.name}" ({_names(table)}) SELECT * FROM unnest({arrays}) {sets}'
        self._cursor().execute(sql, [list(v) for v in zip(*rows, strict=True)])

    def _insert_into_sqlite(self, verb: str, table: TableClause, rows: Sequence[Sequence[Any]]) -> None:
        self.store.statements += 1
        sql = f'{verb} INTO "{table.name}" ({_names(table)}) VALUES ({marks(table.columns)})'
        self._cursor().executemany(sql, rows)

    def update(self, table: TableClause, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Set columns of many rows; a row is the new values followed by the id. Raises Conflict when one is gone."""
        if not rows:
            return
        columns = [table.c[n] for n in names]
        cursor = self._cursor()
        self.store.statements += 1
        if self.is_sqlite:
            sets = ", ".join(f'"{n}" = ?' for n in names)
            cursor.executemany(f'UPDATE "{table.name}" SET {sets} WHERE id = ?', rows)
        else:
            given = ", ".join(f"%s::{_array_type(c)}" for c in [*columns, table.c.id])
            sets = ", ".join(f'"{n}" = given.v{i}' for i, n in enumerate(names))
            called = ", ".join([f"v{i}" for i in range(len(names))] + ["of_id"])
            sql = f'UPDATE "{table.name}" SET {sets} FROM unnest({given}) AS given({called}) WHERE id = given.of_id'
            cursor.execute(sql, [list(v) for v in zip(*rows, strict=True)])
        if cursor.rowcount != len(rows):
            raise Conflict(f"A record of {table.name} was deleted by somebody else; try again.")

    def delete(self, table: TableClause, ids: Sequence[int]) -> None:
        if ids:
            self.connection.execute(table.delete().where(table.c.id.in_(list(ids))))

    def next_id(self, name: str) -> int:
        """A number never given before for that table. They are fetched in blocks that grow with the work."""
        block = self._ids.get(name)
        if not block:
            size = self._block.get(name, 1)
            self._block[name] = min(size * 4, IDS_AT_ONCE)
            block = self._ids[name] = self.reserve(name, size)[::-1]
        return block.pop()

    def return_ids(self) -> None:
        """Give back what was reserved and not used, where nobody else can have gone on meanwhile."""
        if self.is_sqlite:
            for name, block in self._ids.items():
                if block:
                    self.own(f"UPDATE {COUNTER} SET next = ? WHERE name = ?", block[-1], name)
        self._ids.clear()

    def reserve(self, name: str, count: int) -> list[int]:
        """That many new numbers, ascending, and higher than all given before this call."""
        if not self.is_sqlite:
            # A sequence does not make transactions wait for each other; a counter row would.
            given = self.own(f"SELECT nextval('\"charter_ids_{name}\"') FROM generate_series(1, ?)", count).fetchall()
            return sorted(int(i) for (i,) in given)
        found = self.own(f"SELECT next FROM {COUNTER} WHERE name = ?", name).fetchone()
        first = int(found[0]) if found else 1
        if found:
            self.own(f"UPDATE {COUNTER} SET next = ? WHERE name = ?", first + count, name)
        else:
            self.own(f"INSERT INTO {COUNTER} (name, next) VALUES (?, ?)", name, first + count)
        return list(range(first, first + count))

    def own(self, sql: str, *values: Any) -> Any:
        """The driver's cursor after a statement on the engine's own tables, `?` for each value.

        Nothing of it has to be made for one database or the other, so it goes past SQLAlchemy, as rows in bulk do.
        """
        self.store.statements += 1
        cursor = self._cursor()
        cursor.execute(sql if self.is_sqlite else sql.replace("?", "%s"), values)
        return cursor

    def hold(self, logged: set[str], moved: set[str], read: set[str] | None) -> None:
        """Lock heads against moving: those that move, in one order, then those of streams that were read (None: all).

        The database refuses it where one has moved since the transaction began.
        """
        moving, resting = sorted(logged | moved), sorted((read or set()) - logged - moved)
        self.own(f"SELECT 1 FROM {HEAD} WHERE stream = ANY(?) ORDER BY stream FOR UPDATE", moving)
        if moved:
            self.own(f"UPDATE {HEAD} SET number = number WHERE stream = ANY(?)", sorted(moved))
        if read is None:
            self.own(f"SELECT 1 FROM {HEAD} WHERE NOT stream = ANY(?) ORDER BY stream FOR SHARE", moving)
        elif resting:
            self.own(f"SELECT 1 FROM {HEAD} WHERE stream = ANY(?) ORDER BY stream FOR SHARE", resting)

    @property
    def has_rivals(self) -> bool:
        """May others write at the same time? SQLite has one writer."""
        return not self.is_sqlite

    @property
    def shared(self) -> str:
        """What a SELECT ends with whose rows nobody may change until this transaction ends."""
        return "" if self.is_sqlite else " FOR SHARE"

    @property
    def locked(self) -> str:
        """What a SELECT ends with whose rows nobody else may change; SQLite has one writer anyway."""
        return "" if self.is_sqlite else " FOR UPDATE"

    def _cursor(self) -> Any:
        return self.connection.connection.cursor()


def marks(values: Sized) -> str:
    """What stands for values in a statement."""
    return ", ".join("?" * len(values))


def _names(table: TableClause) -> str:
    """The columns of a table, as INSERT and COPY want them."""
    return ", ".join(f'"{c.name}"' for c in table.columns)


def _array_type(column: ColumnClause[Any]) -> str:
    if isinstance(column.type, Boolean):
        return "boolean[]"
    if isinstance(column.type, Date):
        return "date[]"
    return "bigint[]" if isinstance(column.type, (BigInteger, Integer)) else "text[]"
