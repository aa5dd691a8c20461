"""This module keeps the SQLite journal small, beside the hot path.

Three things, all paced so that no stream notices. *Folding*: the entries of sealed runs, and of long ones every
minute, are compressed in a thread and stored as chunks; then memory lets go of them. *Clearing*: segments all of whose
entries are in chunks are deleted, a few with each commit. *Checkpoints*: when the write-ahead log has grown, a thread
copies it into the database file while commits go on; then commits are held for the few milliseconds in which it copies
the rest, so that the log starts again from its beginning and never grows without bound.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

import msgspec

from headrace.journal import files
from headrace.journal.files import CHUNK_ENTRIES, Files, Statement
from headrace.journal.live import Log

__all__ = ["Chore", "Upkeep", "UpkeepSettings"]

logger = logging.getLogger(__name__)


class UpkeepSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How often and how much.

    `every_s`: between two looks. `fold_after_s`: how long entries of a live run stay in segments.
    `fold_entries`: how many do. `wal_bytes`: the write-ahead log's size that asks for a checkpoint.
    """

    every_s: float = 1.0
    fold_after_s: float = 60.0
    fold_entries: int = CHUNK_ENTRIES
    wal_bytes: int = 16 << 20


class Chore(msgspec.Struct, frozen=True):
    """A little work that rides along with a commit; `done` is called once it is durable."""

    statements: list[Statement]
    done: Callable[[], None]


class Kept(Protocol):
    """What the upkeep needs of the journal that it keeps."""

    @property
    def logs(self) -> dict[str, Log]:
        """The live logs by run id."""
        ...

    def do(self, chore: Chore) -> None:
        """Take a chore into one of the next commits."""
        ...

    def hold(self, *, held: bool) -> None:
        """Stop committing, or go on."""
        ...

    async def settled(self) -> None:
        """Return when no commit is under way."""
        ...


FOLD_RUNS = 32
"""Runs folded in one chore: about 3 ms of a commit's time at the most."""

CLEAR_SEGMENTS = 32
"""Segments deleted in one chore: about 1 ms."""


class Upkeep:
    """One task that looks after one journal."""

    def __init__(self, journal: Kept, store: Files, settings: UpkeepSettings) -> None:
        self._journal = journal
        self._files = store
        self._settings = settings
        self._cleared = 1
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, as a task of the running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="journal upkeep")

    async def close(self) -> None:
        """End the task; what it had begun is either done or not, never half."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._settings.every_s)
            try:
                await self.once()
            except Exception:
                logger.exception("the journal's upkeep failed; it is tried again")

    async def once(self) -> None:
        """Look once, and do what is due. Public so that tests need not wait."""
        due = [log for log in self._journal.logs.values() if self._is_due(log)]
        for start in range(0, len(due), FOLD_RUNS):
            await self._fold(due[start : start + FOLD_RUNS])
        self._clear()
        await self._checkpoint()

    def _is_due(self, log: Log) -> bool:
        if log.sealed:
            return True
        waiting = log.committed - log.folded
        late = asyncio.get_running_loop().time() - log.folded_at > self._settings.fold_after_s
        return waiting >= self._settings.fold_entries or (late and waiting > 0)

    async def _fold(self, logs: Sequence[Log]) -> None:
        parts = [_Part.of(log, self._files.next_segment) for log in logs]
        statements = await asyncio.to_thread(_compress, parts)
        folded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal.do(Chore(statements, partial(_resolve, folded)))
        await folded
        for part in parts:
            self._let_go(part)

    def _let_go(self, part: "_Part") -> None:
        log = part.log
        log.folded = part.upto
        log.folded_at = asyncio.get_running_loop().time()
        log.segment = part.next_segment if log.staged > part.upto else None
        log.trim(part.upto)
        if log.sealed and log.committed == part.upto and self._journal.logs.get(log.run_id) is log:
            del self._journal.logs[log.run_id]

    def _clear(self) -> None:
        held = [log.segment for log in self._journal.logs.values() if log.segment is not None]
        floor = min([*held, self._files.next_segment])
        while self._cleared < floor:
            upto = min(self._cleared + CLEAR_SEGMENTS, floor)
            self._journal.do(Chore([(files.DELETE_SEGMENTS, (self._cleared, upto))], _nothing))
            self._cleared = upto

    async def _checkpoint(self) -> None:
        try:
            size = self._files.wal.stat().st_size
        except FileNotFoundError:
            return
        if size < self._settings.wal_bytes:
            return
        await asyncio.to_thread(self._files.checkpoint)
        self._journal.hold(held=True)
        try:
            await self._journal.settled()
            await asyncio.to_thread(self._files.checkpoint)
        finally:
            self._journal.hold(held=False)


class _Part(msgspec.Struct):
    """What of a log is folded now. `next_segment`: no later entry is in a segment before this one."""

    log: Log
    first: int
    entries: list[bytes]
    upto: int
    next_segment: int

    @classmethod
    def of(cls, log: Log, next_segment: int) -> "_Part":
        entries = log.entries[log.folded - log.first : log.committed - log.first]
        return cls(log, log.folded, entries, log.committed, next_segment)


def _compress(parts: Iterable[_Part]) -> list[Statement]:
    return [
        statement
        for part in parts
        if part.entries
        for statement in files.chunk_statements(part.log.key, part.first, part.entries)
    ]


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _nothing() -> None:
    pass
