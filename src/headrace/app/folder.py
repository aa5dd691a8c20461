"""This module holds the data folder: made where it is missing, and one process at a time that writes in it."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from headrace.core.errors import SettingsError

__all__ = ["JOURNAL", "MODELS", "STORE", "check_room", "held", "sync"]

STORE = "headrace.db"
JOURNAL = "journal.db"
MODELS = "models"

SPARE_BYTES = 64 * 1024 * 1024
"""What is left free on the disk."""


@contextlib.contextmanager
def held(data_dir: Path) -> Iterator[None]:
    """Make the folder where it is missing, and hold its lock.

    Raises `SettingsError` where it cannot be made or written, or another process holds it.
    """
    _make(data_dir)
    lock = FileLock(data_dir / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise SettingsError(
            f"Another Headrace uses the data folder {data_dir}. End it, or give this one a folder of its own: "
            "--data-dir (make run: DATA=)."
        ) from None
    try:
        yield
    finally:
        lock.release()


def check_room(folder: Path, wanted: int) -> None:
    """Raise `SettingsError` where the folder's disk has no room for so many bytes."""
    free = shutil.disk_usage(folder).free - SPARE_BYTES
    if wanted > free:
        raise SettingsError(
            f"The disk of {folder} has no room: {wanted / 1e9:.1f} GB are needed, {max(free, 0) / 1e9:.1f} GB are free."
        )


def sync(path: Path) -> None:
    """Make a file's content, or the names in a folder, durable."""
    if os.name == "nt" and path.is_dir():
        return  # folders cannot be opened there, and need none of this
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _make(data_dir: Path) -> None:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise SettingsError(f"The data folder {data_dir} cannot be made: {error.strerror}.") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise SettingsError(f"The data folder {data_dir} cannot be written by this user.")
