"""This module follows a run for one reader: cursor, encoder, sink. The only replay loop there is.

Nothing here is awaited for a token: the journal wakes the follower when a commit has made entries visible, and what
is new goes from the log through the encoder into the transport in one call. While the transport is paused nothing is
written and nothing is queued: the reader's place in the log is all that is kept, and when it has caught up the adjacent
text in between is merged.
"""

import asyncio
from typing import Protocol

import structlog

from headrace.doors.sink import Sink
from headrace.formats.port import StreamEncoder
from headrace.journal.port import Cursor

__all__ = ["KEEPALIVE_S", "STALL_S", "Beating", "Follower", "Pulse"]

logger = structlog.get_logger("headrace.doors")

TAKE = 512
"""Entries in one write at the most: about 40 kB, so that a reader who starts late does not hold up the others."""

KEEPALIVE_S = 15.0
STALL_S = 60.0
PULSE_S = 1.0


class Beating(Protocol):
    """A reader that a `Pulse` looks after."""

    def beat(self, now: float) -> None:
        """Do what is due at this time of the loop's clock, about once a second."""
        ...


class Pulse:
    """One timer for all readers: keepalives for the quiet ones, the end for those that stalled."""

    def __init__(self) -> None:
        self._followers: set[Beating] = set()
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._followers)

    def add(self, follower: Beating) -> None:
        """Look after a reader until it is removed."""
        self._followers.add(follower)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PULSE_S, self._beat)

    def remove(self, follower: Beating) -> None:
        """Look after it no more."""
        self._followers.discard(follower)

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        for follower in tuple(self._followers):
            follower.beat(now)
        self._timer = asyncio.get_running_loop().call_later(PULSE_S, self._beat) if self._followers else None


class Follower:
    """One reader of one run. `done` is resolved when the run's last entry was written or the reader is gone."""

    __slots__ = (
        "_behind",
        "_cursor",
        "_encoder",
        "_loading",
        "_loop",
        "_moved",
        "_old",
        "_over",
        "_sink",
        "_wrote",
        "done",
    )

    def __init__(self, encoder: StreamEncoder, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._encoder = encoder
        self._sink = sink
        self._cursor: Cursor | None = None
        self._loading: asyncio.Task[None] | None = None
        self._behind = False
        self._old = False
        self._over = False
        self._wrote = False  # since the last beat; the time itself is not kept for each token
        self._moved = loop.time()
        sink.attach(self._resumed, self._finish)

    def begin(self, cursor: Cursor) -> None:
        """Start with what is there. `wake` is the callback that the cursor was made with."""
        self._cursor = cursor
        opening = self._encoder.start()
        if opening:
            self._write(opening)
        self.wake()

    def wake(self) -> None:
        """Send what is new. Called by the journal after each commit that touched the run.

        The path of a token: what could be methods of their own stands in line.
        """
        cursor, sink = self._cursor, self._sink
        if cursor is None or self._loading is not None or self._over:
            return
        encoder = self._encoder
        try:
            while not sink.paused:
                start = cursor.position
                entries = cursor.take(TAKE)
                if entries is None:
                    self._old = True
                    self._loading = self._loop.create_task(self._load(cursor), name="load of old events")
                    return
                if entries:
                    data = encoder.encode(start, entries, merge=self._behind)
                    self._behind = False
                    if data:
                        self._wrote = True
                        sink.write(data)
                if len(entries) < TAKE and not (entries and self._old):
                    # fewer than asked for is all there is, but where they come from the store a batch at a time
                    self._old = False
                    if cursor.ended():
                        self._finish()
                    return
            self._behind = True
        except Exception:
            # the journal wakes one reader after the other: this one's fault is not theirs
            logger.exception("reader.failed")
            sink.abort()
            self._finish()

    def beat(self, now: float) -> None:
        """Keep a quiet connection alive, and cut one off that has not moved for `STALL_S`."""
        if self._wrote:
            self._wrote = False
            self._moved = now
        if self._sink.paused:
            if now - self._moved > STALL_S:
                self._sink.abort()
                self._finish()
        elif now - self._moved >= KEEPALIVE_S:
            self._write(self._encoder.keepalive())

    def close(self) -> None:
        """Let go of the log and the connection."""
        self._sink.detach()
        if self._loading is not None:
            self._loading.cancel()
        if self._cursor is not None:
            self._cursor.close()
        self._finish()

    def _write(self, data: bytes) -> None:
        self._moved = self._loop.time()
        self._sink.write(data)

    def _resumed(self) -> None:
        self._moved = self._loop.time()
        self.wake()

    def _finish(self) -> None:
        self._over = True
        if not self.done.done():
            self.done.set_result(None)

    async def _load(self, cursor: Cursor) -> None:
        try:
            await cursor.load()
        except Exception:
            logger.exception("events.unreadable")
            self._sink.abort()
            self._finish()
        finally:
            self._loading = None
        self.wake()
