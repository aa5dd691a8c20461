"""This module opens the database and runs work in it without holding up the event loop.

Writes go through one thread with one connection, so they never wait for each other's locks and never have to be tried
again; reads go to a few threads, each of which sees what was committed before it was asked. What a turn writes is so
little that handing it to a thread costs more than the writing: while the thread has nothing to do, it is done on the
loop.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from headrace.core.errors import BadRequest, HeadraceError
from headrace.store import revisions, sqlite
from headrace.store.lanes import Lane
from headrace.store.sqlite import Sync

__all__ = ["Database"]

T = TypeVar("T")

logger = structlog.get_logger("headrace.store")

_READERS = 2
"""One for a long search, one for all else."""

_SHARING = 16
"""Writes that may share a commit. The first of them waits for the last: at 0.3 ms each, 5 ms."""

_CHECKPOINT_EVERY = 100
"""Writes on the loop between two checkpoints: some 1,000 pages, as SQLite itself would do it. A log that grows further
costs more with each write: its new pages are cleared by the kernel first."""


class Database:
    """The file that holds everything but the journal."""

    def __init__(self, path: Path, *, sync: Sync = "normal") -> None:
        self._path = path
        self._sync: Sync = sync
        self._writer = Lane("store-writer", self._connect_writer, threads=1, together=_SHARING)
        self._readers = Lane("store-reader", self._connect_reader, threads=_READERS, together=1)
        self._here: Connection | None = None
        self._written = 0
        self._checkpoint: asyncio.Task[None] | None = None
        self._rest = False

    async def open(self) -> None:
        """Make or migrate the tables where they are not of this version, and connect.

        Raises `SettingsError` where the file cannot be used or is of a newer version, `ServerError` where its
        migration failed.
        """
        try:
            await self._writer.open()
            await self._readers.open()
            if self._sync == "normal":  # with `full` each commit waits for the disk, which the loop must not
                self._here = sqlite.short_writer(self._path).connect()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go of the file. Harmless when repeated."""
        if self._checkpoint is not None:
            await asyncio.wait([self._checkpoint])
        if self._here is not None:
            self._here.close()
            self._here = None
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

    async def write_short(self, fn: Callable[[Connection], T]) -> T:
        """Do the same as `write` for what takes a small part of a millisecond; it may be done on the loop.

        `fn` uses `Prepared` statements only.
        """
        here = self._here
        if here is None or self._writer.busy or self._rest:
            self._rest = False
            return await self.write(fn)
        try:
            made = _here(here, fn)
        except (sqlite.Error, UnicodeEncodeError) as error:
            if isinstance(error, sqlite.Error) and sqlite.is_locked(error):
                return await self.write(fn)  # another program writes: waited for in the thread
            ours = _ours(error)
            if ours is None:
                raise
            raise ours from error
        self._written += 1
        if self._written >= _CHECKPOINT_EVERY and self._checkpoint is None:
            self._written = 0
            self._checkpoint = asyncio.create_task(self._checkpointed(), name="checkpoint of the store")
        return made

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on one state of the database and return what it returned. Raises as `write` does."""
        return await _call(self._readers, fn)

    async def _checkpointed(self) -> None:
        """Fold most of the log into the file while writes go on; what they add goes with the next one in the thread.

        After its commit SQLite folds in the rest, and as nobody writes meanwhile, the log starts again.
        """
        try:
            await asyncio.to_thread(sqlite.checkpoint, self._path)
        except sqlite.Error:
            logger.warning("store.checkpoint_failed", exc_info=True)  # the next one makes up for it
        finally:
            self._checkpoint = None
            self._rest = True

    def _connect_writer(self) -> Connection:
        revisions.prepare(self._path)
        return sqlite.writer(self._path, self._sync).connect()

    def _connect_reader(self) -> Connection:
        return sqlite.reader(self._path).connect()


async def _call(lane: Lane, fn: Callable[[Connection], T]) -> T:
    try:
        return await lane.call(fn)
    except (StatementError, sqlite.Error, UnicodeEncodeError) as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error


def _here(connection: Connection, fn: Callable[[Connection], T]) -> T:
    """Run `fn` in a transaction, from its begin to its commit without letting go of the loop."""
    driver: Any = connection.connection.dbapi_connection
    driver.execute("BEGIN IMMEDIATE")
    try:
        made = fn(connection)
        driver.execute("COMMIT")
    except BaseException:
        if driver.in_transaction:
            driver.execute("ROLLBACK")
        raise
    return made


def _ours(error: Exception) -> HeadraceError | None:
    """Return our error for one of SQLAlchemy or the driver; None for a bug of ours."""
    if isinstance(error, sqlite.Error):
        return sqlite.failure(error)
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite.Error):
        return sqlite.failure(error.orig)
    if isinstance(error, UnicodeEncodeError) or isinstance(getattr(error, "orig", None), UnicodeEncodeError):
        return BadRequest("The text has half of a surrogate pair in it, which is no character.")
    return None
