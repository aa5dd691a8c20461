"""This module copies the database while it is written to: one state of it, and nobody waits.

A read transaction in WAL mode holds no lock that a writer needs. The only price is that the write-ahead log cannot
start again from its beginning until the snapshot is closed.
"""

import contextlib
import sqlite3
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Snapshot"]

_PAGES = 4096  # copied in one step: 16 MB


class Snapshot(contextlib.AbstractContextManager["Snapshot"]):
    """One state of the database, from the moment it is made until it is closed. Raises `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        # mode=rw: a reader writes into the -shm file, and no database is made where there is none
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            self._db.execute("BEGIN")
            self._db.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # it begins with the first read
        except BaseException:
            self._db.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def ended(self) -> set[str]:
        """Return the ids of the runs that have ended."""
        return {run_id for (run_id,) in self._db.execute("SELECT id FROM runs WHERE ended_at IS NOT NULL")}

    def unknown(self, run_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that no run has."""
        find = "SELECT 1 FROM runs WHERE id = ?"
        return [run_id for run_id in run_ids if self._db.execute(find, (run_id,)).fetchone() is None]

    def copy_to(self, target: Path) -> None:
        """Write it to a new file, which needs no other beside it."""
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # whoever takes the copy away sees to it
            self._db.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()
