"""What the tables of a pack are, in both databases: columns, keys, references, and what they refuse by themselves."""

from __future__ import annotations

import pytest
from charter.engine.model import SCALARS, SCALES, Type
from charter.engine.tables import APPEND_ONLY, column_type, columns_of, declare
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from support import World, ordered, sent


def test_every_record_type_is_a_table_with_its_fields(depot: World) -> None:
    record = depot.rules.library.record("order")
    assert record is not None
    assert [n for n, _ in columns_of(depot.rules.library, record)][:5] == ["id", "state", "packed", "number", "depot"]
    assert {"order", "line", "actor", "role_grant", "charter_entry", *APPEND_ONLY} <= set(depot.rules.metadata.tables)


def test_a_dimension_of_the_ledger_is_a_column_of_its_entries(depot: World) -> None:
    assert depot.rules.metadata.tables["charter_entry"].columns.keys()[-1] == "article"


@pytest.mark.parametrize("kind", sorted(SCALARS))
def test_no_value_is_kept_as_a_fraction(kind: str) -> None:
    """Decimal columns of SQLite are floats; scaled integers are exact everywhere."""
    said = str(column_type(Type(kind)))
    assert said in ("BIGINT", "TEXT", "DATE", "BOOLEAN")
    assert (said == "BIGINT") is (kind in SCALES)


def test_what_is_declared_is_what_is_there(everywhere: World) -> None:
    with everywhere.store.transaction() as session:
        inspector = inspect(session.connection)
        for table in declare(everywhere.rules.library).tables.values():
            assert [c["name"] for c in inspector.get_columns(table.name)] == table.columns.keys()
            assert {i.name for i in table.indexes} <= {i["name"] for i in inspector.get_indexes(table.name)}


REFUSED = [
    ("a key twice", "INSERT INTO article (id, state, number, kind) VALUES (900, 'listed', 'A', 'plain')"),
    ("a key within a parent twice", "INSERT INTO line (id, state, \"order\", number, article, quantity, amount) SELECT 900, 'open', \"order\", number, article, 1, 0 FROM line"),
    ("a record without its state", "INSERT INTO article (id, state, number, kind) VALUES (900, NULL, 'Z', 'plain')"),
    ("a reference to nothing", "UPDATE line SET article = 900"),
    ("an entry of zero", "INSERT INTO charter_entry (id, voucher, line, account, account_key, \"row\", amount, company, date, currency) SELECT 900, voucher, 9, account, account_key, \"row\", 0, company, date, currency FROM charter_entry WHERE id = 1"),
    ("a number of a series twice", "INSERT INTO charter_voucher (id, log, company, series, number, posting, currency, posted_at, date) SELECT 900, log, company, series, number, posting, currency, posted_at, date FROM charter_voucher"),
    ("a place in a stream twice", "INSERT INTO charter_log SELECT 900, stream, number, at, actor, login, \"right\", record, record_id, event, rule, pack, from_state, to_state, cause, source, reads, basis, changes, vouchers, acting_for, hash FROM charter_log WHERE id = 1"),
]  # fmt: skip


@pytest.mark.parametrize("statement", [pytest.param(s, id=name) for name, s in REFUSED])
def test_the_database_itself_refuses(everywhere: World, statement: str) -> None:
    sent(everywhere, "1")
    before = everywhere.tables()
    with pytest.raises(DBAPIError, match="(?i)unique|null|foreign key|check"):
        everywhere.change(statement)
    assert everywhere.tables() == before


def test_a_key_is_free_in_the_states_that_are_excepted(everywhere: World) -> None:
    ordered(everywhere, "1", lines=[])
    copied = 'INSERT INTO "order" (id, state, packed, number, depot, ordered_on) SELECT {}, \'{}\', packed, number, depot, ordered_on FROM "order" WHERE id < 900'
    everywhere.change(copied.format(900, "cancelled"))
    with pytest.raises(DBAPIError, match="(?i)unique"):
        everywhere.change(copied.format(901, "draft"))
