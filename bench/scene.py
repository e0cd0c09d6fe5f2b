"""A store with many hours registered and waiting to be posted, made through the same transitions as any other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from charter.engine import catalog
from charter.engine.application import Charter, refusals
from charter.engine.batch import Batch, Clock
from charter.engine.firings import Actor, Request, Root
from charter.engine.notation import KeyText
from charter.engine.pack_data import Pack
from charter.engine.store import Store

CLOCK = Clock("2026-03-31T12:00:00.000000Z")
NOBODY = Actor(None, "bench", "bench", frozenset(), unbound=True)
LINES_PER_JOURNAL = 1000
PROJECTS, WORKERS = 40, 60


def create(record: str, event: str, **values: object) -> Request:
    """A request to create; texts that begin with `@` are keys of other records."""
    typed = {n: KeyText(v[1:]) if isinstance(v, str) and v.startswith("@") else v for n, v in values.items()}
    return Request(record, event, None, typed)


def masters() -> Iterator[Request]:
    yield create("company", "create", number="NORTH", name="North", currency="EUR")
    span = {"from": date(2026, 3, 1), "until": date(2026, 3, 31)}
    yield create("period", "create", company="@NORTH", number="2026-03", **span)
    start = {"from": date(2026, 1, 1)}
    yield create("role_grant", "grant", actor="@bench", role="accountant", **start)
    yield create("hour_cost", "create", number="all", company="@NORTH", cost=Decimal("61.35"), **start)
    yield create("hour_price", "create", number="all", company="@NORTH", price=Decimal(120), **start)
    for i in range(PROJECTS):  # internal, so that a line of hours is one transaction
        yield create("project", "create", company="@NORTH", group="@INTERNAL", number=f"P-{i}", name=f"Work {i}")
    for i in range(WORKERS):
        yield create("worker", "create", number=f"W{i}", name=f"Worker {i}", company="@NORTH", role="@consultant")


def lines(journal: str, first: int, count: int) -> Iterator[Request]:
    for i in range(first, first + count):
        yield create(
            "hour_journal_line", "create", journal=f"@NORTH/{journal}", worker=f"@W{i % WORKERS}", number=str(i),
            work_date=date(2026, 3, 1 + i % 31), project=f"@P-{i % PROJECTS}", category="@work",
            hours=Decimal(i % 32 + 1) / 4,
        )  # fmt: skip


def done(roots: list[Root]) -> None:
    wrong = list(refusals(roots))
    if wrong:
        raise SystemExit("\n".join(wrong[:5]))


def ids(store: Store, record: str) -> list[int]:
    with store.transaction() as session:
        return [row[0] for row in session.connection.exec_driver_sql(f'SELECT id FROM "{record}" ORDER BY id')]


def opened(url: str) -> Charter:
    return Charter(Store(url), "bench", CLOCK)


def base() -> Pack:
    return catalog.load(catalog.library().folder("base"))


def prepared(url: str, count: int, pack: Pack | None = None) -> Charter:
    """A store where `count` transactions of hours are registered."""
    charter = opened(url)
    charter.init(pack or base(), "bench", demonstration=True)
    batch = Batch(charter.rules, charter.store, NOBODY, CLOCK, one_login=True)
    for request in masters():
        done(batch.all_in_one([request]))
    done(batch.all_in_one([Request("project", "start", i) for i in ids(charter.store, "project")]))
    register(charter, 0, count)
    return charter


def register(charter: Charter, first: int, count: int) -> None:
    """Register that many more transactions, in journals of their own; `first` says how many there are."""
    batch = Batch(charter.rules, charter.store, NOBODY, CLOCK, one_login=True)
    for start in range(first, first + count, LINES_PER_JOURNAL):
        journal = f"J{start}"
        done(batch.all_in_one([create("hour_journal", "create", company="@NORTH", number=journal, name="Hours")]))
        done(batch.all_in_one(lines(journal, start, min(LINES_PER_JOURNAL, first + count - start))))
        done(batch.all_in_one([Request("hour_journal", "post", ids(charter.store, "hour_journal")[-1])]))


def post(charter: Charter) -> int:
    """Post everything that is registered; returns how many."""
    from charter.engine.processes import run, takes_of

    batch = Batch(charter.rules, charter.store, NOBODY, CLOCK, one_login=True)
    process = charter.rules.library.process("post_transactions")
    assert process is not None
    posted = 0
    for roots, _ in run(batch, process, takes_of(process.takes, {"until": "2026-03-31"}, process.name)):
        done(roots)
        posted += len(roots)
    return posted
