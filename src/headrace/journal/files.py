"""This module owns the journal's SQLite file: its connections, its statements, what is found in it at start.

Four connections, so that nobody waits for anybody: the writer's, one for look-ups on the loop (each a few
microseconds), one for reads in threads, one for checkpoints. WAL lets readers read while the writer writes; automatic checkpoints are off,
because one in the middle of a commit would stall every stream (see upkeep.py).
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from headrace.journal.segments import Piece, Torn, decode_chunk, decode_segment, encode_chunk

__all__ = ["CHUNK_ENTRIES", "Commit", "Files", "Found", "Row", "Statement", "Sync", "chunk_statements"]

Sync = Literal["normal", "full"]
Statement = tuple[str, Sequence[Any]]

CHUNK_ENTRIES = 4096
"""Entries in a chunk at the most: about 300 kB that a reader of old entries holds at a time."""

BUSY_TIMEOUT_S = 30.0

INSERT_RUN = "INSERT INTO runs (key, run_id, epoch) VALUES (?, ?, ?)"
UPDATE_EPOCH = "UPDATE runs SET epoch = ? WHERE key = ?"
SEAL_RUN = "UPDATE runs SET sealed_at = ? WHERE key = ?"
INSERT_SEGMENT = "INSERT INTO segments (id, data) VALUES (?, ?)"
DELETE_SEGMENTS = "DELETE FROM segments WHERE id >= ? AND id < ?"
INSERT_CHUNK = "INSERT INTO chunks (key, first, count, data) SELECT ?1, ?2, ?3, ?4 WHERE EXISTS (SELECT 1 FROM runs WHERE key = ?1 AND pruned = 0)"
COUNT_CHUNK = "UPDATE runs SET entries = ? WHERE key = ?"
DELETE_CHUNKS = "DELETE FROM chunks WHERE key IN (SELECT key FROM runs WHERE run_id = ?)"
DELETE_RUN = "DELETE FROM runs WHERE run_id = ?"
PRUNE_CHUNKS = "DELETE FROM chunks WHERE key = ?"
PRUNE_RUN = "UPDATE runs SET pruned = 1 WHERE key = ?"
SELECT_RUN = "SELECT key, epoch, entries, sealed_at, pruned FROM runs WHERE run_id = ?"
SELECT_UNSEALED = "SELECT run_id, key, epoch, entries FROM runs WHERE sealed_at IS NULL ORDER BY key"
SELECT_OLD = "SELECT key, run_id FROM runs WHERE sealed_at < ? AND pruned = 0 LIMIT ?"
SELECT_CHUNK = "SELECT first, count, data FROM chunks WHERE key = ? AND first <= ? ORDER BY first DESC LIMIT 1"


class Row(NamedTuple):
    """What is stored of a run."""

    key: int
    epoch: int
    entries: int
    sealed_at: int | None
    pruned: bool


class Found(NamedTuple):
    """A run that was not sealed when the file was opened."""

    run_id: str
    key: int
    epoch: int
    entries: int


class Commit(msgspec.Struct):
    """What goes down in one transaction."""

    statements: list[Statement]
    segment_id: int
    segment: bytes | None


class Files:
    """The journal's file, `journal.db`. All calls raise `sqlite3.Error` as it comes; opening it may raise `Torn`."""

    def __init__(self, path: Path, sync: Sync) -> None:
        self.path = path
        self.wal = path.with_name(path.name + "-wal")
        self._reader_lock = threading.Lock()
        self._checkpoint_lock = threading.Lock()
        with contextlib.ExitStack() as opened:
            self._writer = _connect(path, opened)
            self._writer.executescript(resources.files("headrace.journal").joinpath("sql/schema.sql").read_text())
            self._recover()
            self._writer.execute(f"PRAGMA synchronous = {sync}")
            self._lookups = _connect(path, opened)
            self._reader = _connect(path, opened)
            self._checkpoints = _connect(path, opened)
            self._opened = opened.pop_all()
        self.next_key = 1 + self._one("SELECT seq FROM sqlite_sequence WHERE name = 'runs'")
        self.next_segment = 1

    def commit(self, commit: Commit) -> None:
        """Make it durable, all or nothing. Called from one thread at a time."""
        db = self._writer
        if commit.segment is not None and not commit.statements:
            db.execute(INSERT_SEGMENT, (commit.segment_id, commit.segment))  # its own transaction
            return
        with _transaction(db):
            for sql, arguments in commit.statements:
                db.execute(sql, arguments)
            if commit.segment is not None:
                db.execute(INSERT_SEGMENT, (commit.segment_id, commit.segment))

    def row(self, run_id: str) -> Row | None:
        """Return what is stored of a run. For the loop's thread."""
        found = self._lookups.execute(SELECT_RUN, (run_id,)).fetchone()
        if found is None:
            return None
        key, epoch, entries, sealed_at, pruned = found
        return Row(key, epoch, entries, sealed_at, bool(pruned))

    def unsealed(self) -> list[Found]:
        """Return the runs that are not sealed. For the loop's thread, at start."""
        return [Found(*row) for row in self._lookups.execute(SELECT_UNSEALED)]

    def old(self, sealed_before_ms: int, limit: int) -> list[tuple[int, str]]:
        """Return keys and ids of runs sealed before this time that were not pruned yet. For the loop's thread."""
        return self._lookups.execute(SELECT_OLD, (sealed_before_ms, limit)).fetchall()

    def chunk(self, key: int, position: int) -> tuple[int, list[bytes]] | None:
        """Return the chunk that holds an entry, or None where none does. For any thread. Raises `Torn`."""
        with self._reader_lock:
            found = self._reader.execute(SELECT_CHUNK, (key, position)).fetchone()
        if found is None:
            return None
        first, count, data = found
        return (first, decode_chunk(data, count)) if position < first + count else None

    def checkpoint(self) -> None:
        """Copy what is committed from the write-ahead log into the database file. For any one thread."""
        with self._checkpoint_lock:
            self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """Close all connections once nothing uses them; the last one checkpoints and removes the write-ahead log."""
        with self._reader_lock, self._checkpoint_lock:
            self._opened.close()

    def _one(self, sql: str) -> int:
        found = self._writer.execute(sql).fetchone()
        return int(found[0]) if found is not None and found[0] is not None else 0

    def _recover(self) -> None:
        """Turn the segments that a crash left into chunks, so that from here on nothing else reads segments."""
        db = self._writer
        known = {key: (run_id, entries) for run_id, key, entries in db.execute("SELECT run_id, key, entries FROM runs")}
        gathered: dict[int, list[bytes]] = {}
        for (data,) in db.execute("SELECT data FROM segments ORDER BY id"):
            for piece in decode_segment(data):
                _gather(gathered, known, piece)
        with _transaction(db):
            for key, entries in gathered.items():
                first = known[key][1]
                for statement in chunk_statements(key, first, entries):
                    db.execute(*statement)
            db.execute("DELETE FROM segments")


def chunk_statements(key: int, first: int, entries: Sequence[bytes]) -> Iterable[Statement]:
    """Return the statements that store consecutive entries of a run for good."""
    for start in range(0, len(entries), CHUNK_ENTRIES):
        part = entries[start : start + CHUNK_ENTRIES]
        yield INSERT_CHUNK, (key, first + start, len(part), encode_chunk(part))
    yield COUNT_CHUNK, (first + len(entries), key)


def _gather(gathered: dict[int, list[bytes]], known: dict[int, tuple[str, int]], piece: Piece) -> None:
    key, first, entries = piece
    if key not in known:
        return  # the run was removed
    have = gathered.setdefault(key, [])
    expected = known[key][1] + len(have)
    if first > expected:
        raise Torn(f"The journal is damaged: entries {expected} to {first - 1} of run {known[key][0]} are missing.")
    # entries before `expected` were folded into a chunk already
    have.extend(entries[max(0, expected - first) :])


def _connect(path: Path, opened: contextlib.ExitStack) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    opened.callback(db.close)
    db.execute("PRAGMA journal_mode = WAL").fetchall()
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("PRAGMA temp_store = MEMORY")
    return db


class _transaction:  # noqa: N801  reads as a verb where it is used
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, _error: object, _traceback: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            if self._db.in_transaction:  # also after a COMMIT that failed: the next BEGIN must find none
                self._db.execute("ROLLBACK")
