"""This module plays a run again with the timing that it had: a cursor that holds entries back until they are due."""

import asyncio
from collections.abc import Callable, Sequence

from headrace.formats import native
from headrace.journal.port import Cursor

__all__ = ["PacedCursor"]

GRAIN_S = 0.001
"""The loop's clock counts milliseconds: what is due within this time is due."""


class PacedCursor:
    """A cursor whose entries come `speed` times as fast as they were made; the clock starts at the first one.

    What the run makes meanwhile comes at once when the replay has caught up with it. `wake` is called when the next
    entry is due. Fills `journal.port.Cursor`.
    """

    def __init__(self, cursor: Cursor, speed: float, wake: Callable[[], None]) -> None:
        self._cursor = cursor
        self._speed = speed
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._start: float | None = None
        self._held: Sequence[bytes] = ()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def position(self) -> int:
        """See `journal.port.Cursor.position`."""
        return self._cursor.position - len(self._held)

    def take(self, limit: int) -> Sequence[bytes] | None:
        """See `journal.port.Cursor.take`."""
        if not self._held:
            taken = self._cursor.take(limit)
            if not taken:
                return taken
            self._held = taken
        count = self._count_due()
        due, self._held = self._held[:count], self._held[count:]
        if not self._held:
            # more may have been made while these were held back, and the wake for it has passed
            self._wake_at(self._loop.time())
        return due

    async def load(self) -> None:
        """See `journal.port.Cursor.load`."""
        await self._cursor.load()

    def ended(self) -> bool:
        """See `journal.port.Cursor.ended`."""
        return not self._held and self._cursor.ended()

    def close(self) -> None:
        """See `journal.port.Cursor.close`."""
        if self._timer is not None:
            self._timer.cancel()
        self._cursor.close()

    def _count_due(self) -> int:
        """Return how many of the held entries are due, and have `wake` called when the next one is."""
        now = self._loop.time()
        for count, entry in enumerate(self._held):
            made = native.time_of(entry) / 1000 / self._speed
            if self._start is None:
                self._start = now - made
            due = self._start + made
            if due > now + GRAIN_S:
                self._wake_at(due)
                return count
        return len(self._held)

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._wake)
