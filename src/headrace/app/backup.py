"""This module makes backups: both databases as they were at one moment, while the server runs or not."""

import contextlib
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from headrace import __version__
from headrace.app import archive
from headrace.app.archive import Manifest
from headrace.app.folder import JOURNAL, MODELS, STORE, check_room, sync
from headrace.core.clock import SystemClock
from headrace.core.errors import BadField, Conflict, ServerError, SettingsError
from headrace.journal import snapshot as journals
from headrace.models.folder import checked_name
from headrace.store import snapshot as stores
from headrace.store.revisions import revision_of

__all__ = ["back_up"]

_TRIES = 50
_TRIES_FOR_LOST = 20
"""One second: a deletion takes some milliseconds between its two steps."""

_PAUSE_S = 0.05
_COPIES = ".backup-"


def back_up(data_dir: Path, target: Path, *, models: bool = False, force: bool = False) -> Manifest:
    """Write a backup of the data folder to `target`, which is there only once it is whole.

    Raises `SettingsError` where there is nothing to back up, `target` exists (unless `force`) or the disk has no
    room; `Conflict` where another backup is being made; `ServerError` where the databases cannot be read.
    """
    if not (data_dir / STORE).is_file():
        raise SettingsError(f"There is nothing to back up: the data folder {data_dir} has no {STORE}.")
    if target.exists() and not force:
        raise SettingsError(f"There is {target} already. Name another file, or write over it with --force.")
    pulled = dict(_models(data_dir)) if models else {}
    databases = sum(_size(data_dir / name) for name in (STORE, JOURNAL))
    check_room(data_dir, databases)
    check_room(target.parent, databases + sum(path.stat().st_size for path in pulled.values()))
    try:
        with _workshop(data_dir) as copies:
            files = _copies(data_dir, copies)
            return _write(target, {**files, **pulled}, revision_of(files[STORE]) or "")
    except (OSError, sqlite3.Error) as error:
        raise ServerError(f"The backup could not be made: {error}.", code="backup_failed") from error


def _copies(data_dir: Path, into: Path) -> dict[str, Path]:
    """Copy both databases so that they fit.

    An answer's events are durable in the journal before the database calls it finished. So the database is looked at
    first and the journal after it: then every answer that the copied database calls finished has all its events in
    the copied journal. What goes on at that moment is, in the copy, what a crash at that moment would have left, and
    the server that is started on it puts it in order in the same way: these runs become `interrupted`.

    Two things could come between the two looks, microseconds apart. A chat could be deleted, which takes its events
    out of the journal first: then the database would have answers without events. A look at the journal before both
    tells, by counting, whether any run was removed since; if so, all is looked at anew. So it is where the deletion
    had begun before: then finished answers have no events yet or no more, unless they lost them to a crash, which a
    little patience tells apart. And a run could begin: it would be in the journal only, where nobody could reach it or
    ever remove it, so it is taken out of the copy.
    """
    files = {name: into / name for name in (STORE, JOURNAL)}
    if not (data_dir / JOURNAL).is_file():
        # nothing was ever asked: chats can be imported before the server's first start
        with stores.Snapshot(data_dir / STORE) as store:
            store.copy_to(files[STORE])
        return {STORE: files[STORE]}
    for tried in range(1, _TRIES + 1):
        with (
            journals.Snapshot(data_dir / JOURNAL) as before,
            stores.Snapshot(data_dir / STORE) as store,
            journals.Snapshot(data_dir / JOURNAL) as journal,
        ):
            begun = before.tally()
            removed = not journals.none_removed(begun, journal.tally())
            if removed or (tried < _TRIES_FOR_LOST and not store.ended() <= journal.runs()):
                time.sleep(_PAUSE_S)
                continue
            store.copy_to(files[STORE])
            journal.copy_to(files[JOURNAL])
            journals.forget(files[JOURNAL], store.unknown(journal.runs_after(begun.last_key)))
            return files
    raise ServerError("Chats are being deleted without end. Try again when that is over.", code="backup_failed")


@contextlib.contextmanager
def _workshop(data_dir: Path) -> Iterator[Path]:
    """Yield an empty folder in the data folder: on that disk SQLite is known to work. One backup at a time."""
    lock = FileLock(data_dir / f"{_COPIES}lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Conflict("Another backup of this data folder is being made.", code="backup_busy") from None
    try:
        for left in data_dir.glob(f"{_COPIES}*/"):
            shutil.rmtree(left, ignore_errors=True)  # by one that was killed
        with tempfile.TemporaryDirectory(prefix=_COPIES, dir=data_dir) as folder:
            yield Path(folder)
    finally:
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _write(target: Path, files: dict[str, Path], revision: str) -> Manifest:
    unfinished = target.with_name(f".{target.name}.part")
    unfinished.unlink(missing_ok=True)
    try:
        manifest = archive.write(
            unfinished, files, version=__version__, revision=revision, created_at=SystemClock().now_ms()
        )
        sync(unfinished)
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync(target.parent)
    return manifest


def _models(data_dir: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((data_dir / MODELS).glob("*")):
        with contextlib.suppress(BadField):
            if path.is_file() and not path.is_symlink():
                yield f"{MODELS}/{checked_name(path.name)}", path


def _size(path: Path) -> int:
    """Return how large a copy of a database may become: its write-ahead log may belong to it."""
    wal = path.with_name(path.name + "-wal")
    return sum(one.stat().st_size for one in (path, wal) if one.is_file())
