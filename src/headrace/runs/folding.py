"""This module reads a run's log and folds it into its message."""

import asyncio

from headrace.core.fold import Fold
from headrace.formats import native
from headrace.journal.port import Cursor, Journal

__all__ = ["Reading", "fold"]

SLICE = 2000
"""Entries folded before other work gets its turn: about a millisecond."""


class Reading:
    """The message so far of one run: folded as far as somebody asked, and no further."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._lock = asyncio.Lock()
        self.fold = Fold()
        self.last_t = 0

    async def catch_up(self) -> Fold:
        """Fold what is committed by now. Between the last entry and the return nothing else runs."""
        async with self._lock:
            while (entries := self._cursor.take(SLICE)) is None or entries:
                if entries is None:
                    await self._cursor.load()
                    continue
                self.fold.feed_all(native.decode_all(entries))
                self.last_t = native.time_of(entries[-1])
                if len(entries) == SLICE:
                    await asyncio.sleep(0)
        return self.fold

    def close(self) -> None:
        """Let go of the log."""
        self._cursor.close()


async def fold(journal: Journal, run_id: str) -> tuple[Fold, int]:
    """Return a run's message and the time of its last event. Raises `UnknownRun`, `Pruned`."""
    reading = Reading(await journal.follow(run_id, 0))
    try:
        return await reading.catch_up(), reading.last_t
    finally:
        reading.close()
