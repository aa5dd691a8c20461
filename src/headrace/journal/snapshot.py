"""This module copies the journal's file while it is written to: one state of it, and nobody waits.

A read transaction in WAL mode holds no lock that a writer needs. The only price is that the write-ahead log cannot
start again from its beginning until the snapshot is closed.
"""

import contextlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

__all__ = ["Snapshot", "Tally", "forget", "none_removed"]

_PAGES = 4096  # copied in one step: 16 MB


class Tally(msgspec.Struct, frozen=True):
    """How many runs there are, and the last key that was given to one; keys are given in order and never twice."""

    runs: int
    last_key: int


class Snapshot(contextlib.AbstractContextManager["Snapshot"]):
    """One state of a journal's file, from the moment it is made until it is closed. Raises `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        # mode=rw: a reader writes into the -shm file, and no database is made where there is none
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)
        try:
            self._db.execute("BEGIN")
            self._one("SELECT count(*) FROM sqlite_schema")  # the transaction begins with the first read
        except BaseException:
            self._db.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def tally(self) -> Tally:
        """Return what to compare with a later snapshot by `none_removed`."""
        last_key = self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'runs'")
        return Tally(self._one("SELECT count(*) FROM runs"), last_key)

    def runs(self) -> set[str]:
        """Return the ids of all runs."""
        return {run_id for (run_id,) in self._db.execute("SELECT run_id FROM runs")}

    def runs_after(self, key: int) -> list[str]:
        """Return the ids of the runs with later keys."""
        return [run_id for (run_id,) in self._db.execute("SELECT run_id FROM runs WHERE key > ?", (key,))]

    def copy_to(self, target: Path) -> None:
        """Write it to a new file, which needs no other beside it."""
        with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # whoever takes the copy away sees to it
            self._db.backup(copy, pages=_PAGES)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])


def none_removed(before: Tally, after: Tally) -> bool:
    """Return whether every run of `before`, and every one made since, is in `after`."""
    return after.runs - before.runs == after.last_key - before.last_key


def forget(path: Path, run_ids: Sequence[str]) -> None:
    """Remove these runs from a copy, as `Journal.remove` would. What of them is in segments is passed over later."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN")
        for run_id in run_ids:
            db.execute("DELETE FROM chunks WHERE key IN (SELECT key FROM runs WHERE run_id = ?)", (run_id,))
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        db.execute("COMMIT")
