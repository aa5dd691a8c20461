"""This module examines the two databases without disturbing a server that has them open.

They are opened for reading only. Where nobody has one open there is no write-ahead log beside it, and then SQLite is
told that the file does not change, so that it makes none. An examination ends after some seconds, however large the
file is: as long as it reads, the server's log cannot be folded away.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from headrace.app.doctor_findings import Finding, ok, problem, warning
from headrace.journal.segments import Torn, decode_segment
from headrace.store.revisions import BASE, HEAD, REVISIONS

__all__ = ["PATIENCE_S", "check_databases"]

PATIENCE_S = 5.0
"""How long each database is examined."""

_STEPS = 10_000  # of SQLite's machine between two looks at the clock: some tenths of a millisecond
_JOURNAL_TABLES = {"runs", "segments", "chunks"}

_Judge = Callable[[sqlite3.Connection, Path], Finding]


def check_databases(data_dir: Path, patience_s: float = PATIENCE_S) -> list[Finding]:
    """Examine `headrace.db` and `journal.db`. Blocks, for `patience_s` each at most."""
    judges: dict[str, _Judge] = {"headrace.db": _judge_store, "journal.db": _judge_journal}
    return [_check(data_dir / name, judge, patience_s) for name, judge in judges.items()]


def _check(path: Path, judge: _Judge, patience_s: float) -> Finding:
    if not path.exists():
        return ok(path.name, f"{path} is made when the server first starts.")
    finding: Finding | None = None
    try:
        with closing(_open(path, time.monotonic() + patience_s)) as db:
            finding = judge(db, path)
            if finding.status == "ok":
                (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
                finding = finding if said == "ok" else _damaged(path, said)
    except Torn as error:
        return _damaged(path, error.message)
    except sqlite3.Error as error:
        return _failed(path, error, finding)
    return finding


def _open(path: Path, deadline: float) -> sqlite3.Connection:
    in_use = path.with_name(f"{path.name}-wal").exists()
    uri = f"{path.resolve().as_uri()}?{'mode=ro' if in_use else 'immutable=1'}"
    db = sqlite3.connect(uri, uri=True, timeout=1.0)
    db.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    return db


def _failed(path: Path, error: sqlite3.Error, finding: Finding | None) -> Finding:
    # the low byte is the kind of error, the rest says more about it
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_INTERRUPT if finding is not None:
            return ok(path.name, f"{finding.what} It is too large to be examined whole in this time.")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return _damaged(path, str(error))
        case sqlite3.SQLITE_INTERRUPT | sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return warning(path.name, f"{path} could not be examined: {error}.", "Try again in a moment.")
        case _:
            return problem(
                path.name,
                f"{path} cannot be read: {error}.",
                "Run this as the user who runs Headrace; if it is that one, give the file to it (chown).",
            )


def _damaged(path: Path, said: str) -> Finding:
    return problem(
        path.name,
        f"{path} is damaged: {said.strip()}",
        f"Stop the server, keep a copy of the file, and put back a backup (headrace restore). What can still be read "
        f'comes out of it with `sqlite3 {path} .recover`. If there is nothing to keep, move it away with its "-wal".',
    )


def _tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _foreign(path: Path) -> Finding:
    return problem(
        path.name,
        f"{path} is a database of another program.",
        "Name a data folder of Headrace's own: --data-dir, or data_dir in [server].",
    )


def _judge_store(db: sqlite3.Connection, path: Path) -> Finding:
    tables = _tables(db)
    if not tables:
        return ok(path.name, f"{path} is empty; it gets its tables when the server starts.")
    if "alembic_version" not in tables:
        return _foreign(path)
    row = db.execute("SELECT version_num FROM alembic_version").fetchone()
    revision = BASE if row is None else row[0]
    if revision == HEAD:
        return ok(path.name, f"{path} is whole, at revision {revision}.")
    if revision in {BASE, *REVISIONS}:
        return ok(path.name, f"{path} is at revision {revision}; the next start copies it and brings it to {HEAD}.")
    return problem(
        path.name,
        f"{path} has revision {revision}, which this version of Headrace does not know: a newer one wrote it.",
        f"Install the newer version again, or put back the copy that it made ({path.name}.before-...).",
    )


def _judge_journal(db: sqlite3.Connection, path: Path) -> Finding:
    """Do what the server does with it at start, but for writing; see `journal.files`."""
    tables = _tables(db)
    if not tables:
        return ok(path.name, f"{path} is empty; it gets its tables when the server starts.")
    if not tables >= _JOURNAL_TABLES:
        return _foreign(path)
    db.execute("BEGIN")  # runs and segments as they are at one moment
    runs = dict(db.execute("SELECT key, entries FROM runs").fetchall())
    count = len(runs)
    for (data,) in db.execute("SELECT data FROM segments ORDER BY id"):
        for key, first, entries in decode_segment(data):
            if first > runs.get(key, first):
                raise Torn(f"entries {runs[key]} to {first - 1} of a run are missing.")
            if key in runs:
                runs[key] = max(runs[key], first + len(entries))
    unsealed = db.execute("SELECT count(*) FROM runs WHERE sealed_at IS NULL").fetchone()[0]
    going = f" {unsealed} of them go on, or were cut by a crash and are put in order at the next start." * bool(
        unsealed
    )
    return ok(path.name, f"{path} is whole, with {count} runs.{going}")
