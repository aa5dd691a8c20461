"""This module puts a backup into a data folder, all of it or nothing; what was there is kept beside it."""

import filecmp
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from headrace.app import archive
from headrace.app.archive import Manifest
from headrace.app.folder import JOURNAL, STORE, check_room, held, sync
from headrace.core.errors import ServerError, SettingsError
from headrace.store.revisions import revision_of
from headrace.store.snapshot import Snapshot

__all__ = ["Restored", "restore"]

_UNPACKED = ".restoring-"
_LOG, _INDEX = "-wal", "-shm"  # what SQLite keeps beside a database that was not closed


class Restored(msgspec.Struct, frozen=True):
    """What was put in place, and under which names that lies which was there before."""

    manifest: Manifest
    kept: tuple[Path, ...]


def restore(source: Path, data_dir: Path, *, force: bool = False) -> Restored:
    """Put the backup `source` into the data folder, which is made where it is missing.

    With `force` what is there is renamed to `NAME.before-restore-N`; otherwise it is an error. Raises `SettingsError`
    where a server uses the folder, there is data in it, the disk has no room, or a newer version of Headrace made the
    backup; `BadArchive` where it is damaged or none; `ServerError` where the disk fails. In all these cases the
    folder is as it was.
    """
    if not source.is_file():
        raise SettingsError(f"There is no backup {source}.")
    with held(data_dir):
        if not force:
            _refuse(data_dir, (STORE, JOURNAL))
        check_room(data_dir, source.stat().st_size)
        for left in data_dir.glob(f"{_UNPACKED}*/"):
            shutil.rmtree(left, ignore_errors=True)  # by one that was killed
        try:
            with tempfile.TemporaryDirectory(prefix=_UNPACKED, dir=data_dir) as folder:
                return _restore(source, Path(folder), data_dir, force=force)
        except (OSError, sqlite3.Error) as error:
            raise ServerError(f"The backup could not be restored: {error}.", code="restore_failed") from error


def _restore(source: Path, unpacked: Path, data_dir: Path, *, force: bool) -> Restored:
    manifest = archive.extract(source, unpacked)
    names = [file.name for file in manifest.files]
    if STORE not in names:
        raise archive.BadArchive(f"{source} has no {STORE}.")
    _check_database(source, unpacked / STORE)
    names = [name for name in names if not _is_same(unpacked / name, data_dir / name)]
    if not force:
        _refuse(data_dir, names)
    kept = _keep(data_dir, {*names, JOURNAL})
    _install(unpacked, data_dir, names)
    return Restored(manifest, kept)


def _check_database(source: Path, database: Path) -> None:
    """Raise where the database is none, or of a newer version."""
    try:
        with Snapshot(database):
            pass
    except sqlite3.DatabaseError as error:
        raise archive.BadArchive(f"{source} is no backup of Headrace: its {STORE} is no database.") from error
    revision_of(database)


def _is_same(new: Path, old: Path) -> bool:
    """Return whether a model is there already. A database has more to it than its file."""
    return new.suffix == ".gguf" and old.is_file() and filecmp.cmp(new, old, shallow=False)


def _refuse(data_dir: Path, names: Iterable[str]) -> None:
    there = [name for name in names if (data_dir / name).exists()]
    if there:
        raise SettingsError(
            f"There is data in {data_dir} already: {', '.join(there)}. Restore into another folder (--data-dir), or "
            "use --force: what is there is kept as NAME.before-restore-1."
        )


def _keep(data_dir: Path, names: Iterable[str]) -> tuple[Path, ...]:
    """Rename what is there, all with the same number."""
    there = [path for name in sorted(names) for path in _beside(data_dir / name)]
    number = 1
    while any(_kept(path, number).exists() for path in there):
        number += 1
    for path in there:
        path.rename(_kept(path, number))
    return tuple(_kept(path, number) for path in there if not path.name.endswith((_LOG, _INDEX)))


def _beside(path: Path) -> list[Path]:
    """Return a file and what belongs to it, in the order in which they are to go.

    The log goes before its database: SQLite deletes one that it finds without a database.
    """
    return [one for one in (*(path.with_name(path.name + end) for end in (_LOG, _INDEX)), path) if one.exists()]


def _kept(path: Path, number: int) -> Path:
    # SQLite looks for the log of `a.db.before-restore-1` in `a.db.before-restore-1-wal`
    end = next((end for end in (_LOG, _INDEX) if path.name.endswith(f".db{end}")), "")
    return path.with_name(f"{path.name.removesuffix(end)}.before-restore-{number}{end}")


def _install(unpacked: Path, data_dir: Path, names: Iterable[str]) -> None:
    """Move everything to its place, the database last: without it nobody takes the rest for a data folder in use."""
    for name in sorted(names, key=lambda name: name == STORE):
        target = data_dir / name
        target.parent.mkdir(exist_ok=True, mode=0o700)
        (unpacked / name).rename(target)
        sync(target.parent)
