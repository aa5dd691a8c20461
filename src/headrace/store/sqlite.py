"""This module holds what is SQLite's own: how to open a file, copy it, and read its errors."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from headrace.core.errors import Overloaded, ServerError

__all__ = [
    "Error",
    "Sync",
    "checkpoint",
    "copy",
    "failure",
    "is_locked",
    "migrator",
    "reader",
    "short_writer",
    "writer",
]

Error = sqlite3.Error
"""What the driver raises."""

Sync = Literal["normal", "full"]
"""`normal` survives the death of the process, `full` also a power cut."""

_BUSY_S = 5.0
"""How long a lock is waited for. Only a foreign program could hold one: all our writes go through one connection."""


def writer(path: Path, sync: Sync) -> Engine:
    """Return an engine whose transactions hold the write lock from their first statement."""
    return _engine(path, "BEGIN IMMEDIATE", "journal_mode = WAL", "foreign_keys = ON", f"synchronous = {sync}")


def short_writer(path: Path) -> Engine:
    """Return an engine for writes that must not wait: neither for a lock nor for the disk.

    It never folds the write-ahead log into the file: `checkpoint` does.
    """
    pragmas = ("journal_mode = WAL", "foreign_keys = ON", "synchronous = NORMAL", "wal_autocheckpoint = 0")
    return _engine(path, "BEGIN IMMEDIATE", *pragmas, "busy_timeout = 0")


def checkpoint(path: Path) -> None:
    """Fold the write-ahead log into the file, as far as no reader needs it. Raises `Error`."""
    with closing(sqlite3.connect(path, timeout=_BUSY_S)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")


def reader(path: Path) -> Engine:
    """Return an engine whose transactions see one state of the database and cannot write."""
    return _engine(path, "BEGIN", "query_only = ON")


def migrator(path: Path) -> Engine:
    """Return an engine for changing tables: foreign keys are not held, since a table may be replaced."""
    return _engine(path, "BEGIN IMMEDIATE", "journal_mode = WAL", "foreign_keys = OFF", "synchronous = FULL")


def _engine(path: Path, begin: str, *pragmas: str) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": _BUSY_S},
        poolclass=NullPool,
        # What people wrote must not get into a log by way of an error.
        hide_parameters=True,
    )

    def connected(connection: Any, _record: Any) -> None:
        # sqlite3 would begin transactions by rules of its own, and none before DDL or SELECT.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def copy(path: Path, before: str) -> Path:
    """Copy a database, consistent even while it is written, to the first free `<path>.before-<before>-<n>`.

    Returns where the copy is. It can be read by whoever can read the original. Raises `OSError`, `sqlite3.Error`.
    """
    target = _free(path, before)
    shutil.copymode(path, target)
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copied:
        source.backup(copied)
    return target


def _free(path: Path, before: str) -> Path:
    n = 1
    while True:
        target = path.with_name(f"{path.name}.before-{before}-{n}")
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            n += 1
        else:
            return target


def is_locked(error: Error) -> bool:
    """Return whether somebody else holds a lock that was asked for."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def failure(error: Error) -> ServerError | None:
    """Return our error for one of the database's: what a disk or a foreign lock can do; None for a bug of ours."""
    # The low byte is the kind of error, the rest says more about it.
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Overloaded("Another program has locked the database. Try again.", code="storage_locked")
        case sqlite3.SQLITE_FULL:
            return ServerError("The disk is full: nothing can be stored.", code="storage_full")
        case sqlite3.SQLITE_IOERR | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN:
            return ServerError(f"The database cannot be read or written: {error}.", code="storage_failed")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return ServerError(f"The database is damaged: {error}.", code="storage_damaged")
        case _:
            return None
