"""This module opens the database and runs work in it without holding up the event loop.

All writes go through one thread with one connection, so they never wait for each other's locks and never have to be
tried again; reads go to a few threads, each of which sees what was committed before it was asked.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from headrace.core.errors import BadRequest, HeadraceError
from headrace.store import revisions, sqlite
from headrace.store.lanes import Lane
from headrace.store.sqlite import Sync

__all__ = ["Database"]

T = TypeVar("T")

_READERS = 2
"""One for a long search, one for all else."""

_SHARING = 16
"""Writes that may share a commit. The first of them waits for the last: at 0.3 ms each, 5 ms."""


class Database:
    """The file that holds everything but the journal."""

    def __init__(self, path: Path, *, sync: Sync = "normal") -> None:
        self._path = path
        self._sync: Sync = sync
        self._writer = Lane("store-writer", self._connect_writer, threads=1, together=_SHARING)
        self._readers = Lane("store-reader", self._connect_reader, threads=_READERS, together=1)

    async def open(self) -> None:
        """Make or migrate the tables where they are not of this version, and connect.

        Raises `SettingsError` where the file cannot be used or is of a newer version, `ServerError` where its
        migration failed.
        """
        try:
            await self._writer.open()
            await self._readers.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go of the file. Harmless when repeated."""
        await self._readers.close()
        # The last to leave folds the write-ahead log into the file, so it is the one that may write.
        await self._writer.close()

    async def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in a transaction that it alone may write in, and return what it returned once that is committed.

        Writes run one after the other in the order of their calls. Where `fn` raises, nothing of it is kept. Once
        called it runs to its end, whatever becomes of the caller. `fn` runs in another thread and must not commit.
        Raises what `fn` raises, `Overloaded` and `ServerError` for what the disk does.
        """
        return await _call(self._writer, fn)

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one state of the database and return what it returned. Raises as `write` does."""
        return await _call(self._readers, fn)

    def _connect_writer(self) -> Connection:
        revisions.prepare(self._path)
        return sqlite.writer(self._path, self._sync).connect()

    def _connect_reader(self) -> Connection:
        return sqlite.reader(self._path).connect()


async def _call(lane: Lane, fn: Callable[[Connection], T]) -> T:
    try:
        return await lane.call(fn)
    except (StatementError, UnicodeEncodeError) as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error


def _ours(error: StatementError | UnicodeEncodeError) -> HeadraceError | None:
    """Return our error for one of SQLAlchemy or the driver; None for a bug of ours."""
    if isinstance(error, DBAPIError):
        return sqlite.failure(error)
    if isinstance(error, UnicodeEncodeError) or isinstance(error.orig, UnicodeEncodeError):
        return BadRequest("The text has half of a surrogate pair in it, which is no character.")
    return None
