"""This module holds the part of a run's log that is in memory, and the cursors that read it."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

__all__ = ["Batch", "Fetch", "Log", "LogCursor", "show"]

logger = logging.getLogger(__name__)

Batch = tuple[int, Sequence[bytes]]
"""Consecutive entries, with the sequence number of the first."""

Fetch = Callable[[int], Awaitable[Batch]]
"""Reads from the store the entries around a sequence number; never an empty batch."""


class Log:
    """The entries `first` .. `size - 1` of one run; those below `committed` are durable and may be shown.

    `staged` counts those handed to a commit that is under way. Not a public type of the journal: stores own logs,
    cursors read them.
    """

    __slots__ = (
        "committed",
        "cursors",
        "dirty",
        "entries",
        "epoch",
        "first",
        "folded",
        "folded_at",
        "key",
        "removed",
        "run_id",
        "sealed",
        "sealing",
        "segment",
        "staged",
    )

    def __init__(self, run_id: str, key: int, epoch: int, first: int = 0) -> None:
        self.run_id = run_id
        self.key = key
        self.epoch = epoch
        self.first = first
        self.committed = first
        self.staged = first
        self.entries: list[bytes] = []
        self.cursors: tuple[LogCursor, ...] = ()
        self.sealing = False
        self.sealed = False
        self.removed = False
        self.dirty = False
        # What follows is for stores whose commits are short-lived segments: entries below `folded` are stored for
        # good, `segment` is the first segment that holds others.
        self.folded = first
        self.folded_at = 0.0
        self.segment: int | None = None

    @property
    def size(self) -> int:
        """The sequence number that the next entry gets."""
        return self.first + len(self.entries)

    def stage(self) -> list[bytes]:
        """Return the entries that no commit has taken yet, and count them as taken."""
        fresh = self.entries[self.staged - self.first :]
        self.staged += len(fresh)
        self.dirty = False
        return fresh

    def show(self) -> None:
        """Wake the readers. Called after `committed`, `sealed` or `removed` has changed."""
        show((self,))

    def trim(self, below: int) -> None:
        """Drop the entries before this sequence number from memory; they must be durable elsewhere."""
        if below > self.first:
            del self.entries[: below - self.first]
            self.first = below


def show(logs: Iterable[Log]) -> None:
    """Wake the readers of these logs, as `Log.show` does: without a call for each on the path of a token."""
    for log in logs:
        for cursor in log.cursors:
            wake = cursor.wake
            try:
                wake()
            except Exception:
                logger.exception("a reader of run %s failed; the others go on", log.run_id)


class LogCursor:
    """A reader's place in a run's log: in memory where the log is, otherwise in batches that `fetch` brings.

    Fills `port.Cursor`.
    """

    __slots__ = ("_batch", "_batch_start", "_fetch", "_log", "position", "wake")

    def __init__(self, log: Log, start: int, wake: Callable[[], None] | None, fetch: Fetch) -> None:
        self.position = start
        self.wake = wake or _nobody
        self._log = log
        self._fetch = fetch
        self._batch: Sequence[bytes] = ()
        self._batch_start = 0
        if wake is not None:
            log.cursors = (*log.cursors, self)

    def take(self, limit: int) -> Sequence[bytes] | None:
        """See `port.Cursor.take`."""
        log, position = self._log, self.position
        if position >= log.committed:
            return ()
        if position >= log.first:
            start = position - log.first
            end = min(position + limit, log.committed) - log.first
            taken: Sequence[bytes] = log.entries[start:end]
            if self._batch:
                self._batch = ()
        else:
            start = position - self._batch_start
            if not 0 <= start < len(self._batch):
                return None
            taken = self._batch[start : start + limit]
        self.position = position + len(taken)
        return taken

    async def load(self) -> None:
        """See `port.Cursor.load`."""
        if self.position < self._log.first:
            self._batch_start, self._batch = await self._fetch(self.position)

    def ended(self) -> bool:
        """See `port.Cursor.ended`."""
        log = self._log
        return log.removed or (log.sealed and self.position >= log.committed)

    def close(self) -> None:
        """See `port.Cursor.close`."""
        self.wake = _nobody  # `show` may have this cursor on its list already
        self._batch = ()
        log = self._log
        if self in log.cursors:
            log.cursors = tuple(cursor for cursor in log.cursors if cursor is not self)


def _nobody() -> None:
    pass
