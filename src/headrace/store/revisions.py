"""This module brings the database's tables to the newest revision when it is opened.

A new database gets its tables at once. One of an older revision is migrated in a child process (`store.migrate`):
Alembic costs 11 MB of memory and 150 ms, and a server needs it once a year. What a newer version of Headrace, or
another program, has written is refused and left as it is.
"""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from headrace.core.clock import SystemClock
from headrace.core.errors import ServerError, SettingsError
from headrace.store import schema, sqlite

__all__ = ["BASE", "HEAD", "REVISIONS", "prepare", "revision_of"]

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every revision, the oldest first: one file each in `migrations/versions`."""

HEAD = REVISIONS[-1]

BASE = "base"
"""What Alembic calls the time before the first revision: its own table is there, and empty."""


def prepare(path: Path) -> None:
    """Return when the database is there and at `HEAD`; it blocks, for as long as a migration takes.

    Raises `SettingsError` where the file cannot be used, `ServerError` where the migration failed.
    """
    try:
        # People's conversations: nobody else reads them.
        path.touch(mode=0o600)
        revision = revision_of(path)
        if revision is None:
            _create(path)
        elif revision != HEAD:
            _migrate(path)
    except (OSError, DatabaseError) as error:
        reason = error.orig if isinstance(error, DatabaseError) else error.strerror
        raise SettingsError(f"The database {path} cannot be used: {reason}. See `data_dir` in [server].") from error


def revision_of(path: Path) -> str | None:
    """Return the revision of a database, None for an empty one, `BASE` for one without any revision.

    Raises `SettingsError` where it is not Headrace's, or of a revision that is not in `REVISIONS`.
    """
    with sqlite.reader(path).connect() as connection:
        tables = inspect(connection).get_table_names()
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise SettingsError(f"The database {path} is not Headrace's. See `data_dir` in [server].")
        revision: str = connection.scalar(text("SELECT version_num FROM alembic_version")) or BASE
    if revision not in (BASE, *REVISIONS):
        raise SettingsError(
            f"The database {path} has revision {revision}, which this version of Headrace does not know: a newer one "
            f"wrote it. Install that one again, or put back the copy that it made ({path.name}.before-...)."
        )
    return revision


def _create(path: Path) -> None:
    with sqlite.writer(path, "full").begin() as connection:
        schema.create(connection, SystemClock().now_ms())
        _stamp(connection)


def _stamp(connection: Connection) -> None:
    """Write down the revision as Alembic would have."""
    connection.execute(
        text(
            "CREATE TABLE alembic_version "
            "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": HEAD})


def _migrate(path: Path) -> None:
    # -P: what lies in the folder where the server was started is not imported.
    command = [sys.executable, "-P", "-m", "headrace.store.migrate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode != 0:
        reason = done.stderr.strip().rpartition("\n")[2]
        raise ServerError(
            f"The database {path} could not be brought to revision {HEAD}, and is as it was: {reason}",
            code="migration_failed",
        )
