"""Puts what a database has against a command into words, with the exit code that fits."""

from __future__ import annotations

import re

from sqlalchemy import exc

from .errors import CharterFault, Conflict, IntegrityBroken, UsageFault

# Words of the databases' own messages, as patterns, and what they mean for the one who gave the command.
_MEANINGS: tuple[tuple[str, type[CharterFault], str], ...] = (
    ("database is locked", Conflict, "The store is busy: somebody else works in it. Try again."),
    ("unable to open database file", UsageFault, "The store cannot be opened: is its folder there, and is it yours?"),
    ("readonly database", UsageFault, "The store may not be written by you."),
    ("file is not a database", UsageFault, "The file is not a store of Charter."),
    ("disk image is malformed", IntegrityBroken, "The file of the store is damaged."),
    ("database or disk is full", Conflict, "The disk is full; nothing was written."),
    ("is append-only", IntegrityBroken, "What was written once cannot be changed."),
    ("permission denied", UsageFault, "The database does not allow you this."),
    ("password authentication failed", UsageFault, "The database does not accept this user and password."),
    (
        '(database|role|schema|relation) "[^"]*" does not exist',
        UsageFault,
        "The database, or something in it, is not there.",
    ),
)


def said_of(error: BaseException) -> CharterFault | None:
    """The fault that a database's error stands for; None where it is not one of a database."""
    if isinstance(error, exc.ArgumentError | exc.NoSuchModuleError):
        return UsageFault(
            "--db does not say where the store is: give a file, or an address such as postgresql://user@server/database."
        )
    # Rows in bulk go to the driver itself, whose errors nobody wraps.
    is_driver = type(error).__module__.partition(".")[0] in ("sqlite3", "psycopg")
    if not is_driver and not isinstance(error, exc.DBAPIError):
        return None
    told = " ".join(str(error.orig if isinstance(error, exc.DBAPIError) else error).split())
    for sign, kind, meaning in _MEANINGS:
        if re.search(sign, told):
            return kind(f"{meaning} ({told})")
    if isinstance(error, exc.OperationalError) or (is_driver and type(error).__name__ == "OperationalError"):
        return Conflict(f"The database cannot be reached or gave up: {told}")
    return None
