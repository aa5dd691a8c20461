"""This module answers a request with a run's events, as an event stream that begins at once."""

import asyncio
from collections.abc import Callable, Mapping
from functools import cache

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headrace.doors.follow import STALL_S, Follower, Pulse
from headrace.doors.replay import PacedCursor
from headrace.doors.sink import SCOPE_KEY, Sink
from headrace.formats.port import StreamEncoder
from headrace.journal.port import Cursor, Journal

__all__ = ["HEADERS", "EventStream", "Guard"]

Guard = Callable[[Callable[[], None]], Callable[[], None]]
"""Is given what cuts the stream off, when it begins; returns what to call when it is over."""

HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
"""Asked of every proxy on the way: do not keep, do not change (compress), do not buffer."""


_END = {"type": "http.response.body", "body": b"", "more_body": False}


@cache
def _head(content_type: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that all streams of a type have. A stream's length nobody knows."""
    headers = Response(headers=HEADERS, media_type=content_type).raw_headers
    return [header for header in headers if header[0] != b"content-length"]


class EventStream(Response):
    """A run's events from `start` on. With `speed` they come with the timing that they had.

    Whoever makes one has checked that the run exists; the reader's leaving changes nothing for the run. With a `guard`
    the stream is cut off as soon as its reader may no longer see it.
    """

    def __init__(
        self,
        journal: Journal,
        run_id: str,
        start: int,
        *,
        encoder: StreamEncoder,
        pulse: Pulse,
        speed: float = 0.0,
        guard: Guard | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.raw_headers = [*_head(encoder.content_type)]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
        self._journal = journal
        self._run_id = run_id
        self._start = start
        self._encoder = encoder
        self._pulse = pulse
        self._speed = speed
        self._guard = guard

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send head, events and end. See ASGI."""
        sink: Sink = scope["extensions"][SCOPE_KEY]
        done = self._guard(sink.abort) if self._guard is not None else None
        try:
            await self._send(sink, send)
        finally:
            if done is not None:
                done()

    async def _send(self, sink: Sink, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await self._follow(sink)
            if not sink.paused:
                await send(_END)  # which waits for nothing
            else:
                async with asyncio.timeout(STALL_S):
                    await send(_END)
        except TimeoutError:
            sink.abort()
        except asyncio.CancelledError:
            # only a server that closes cancels: this reader did not take the end in time, which is nobody's error
            sink.abort()
            await asyncio.sleep(0)  # then the server knows that the connection is gone

    async def _follow(self, sink: Sink) -> None:
        follower = Follower(self._encoder, sink)
        try:
            cursor: Cursor = await self._journal.follow(self._run_id, self._start, follower.wake)
            if self._speed:
                cursor = PacedCursor(cursor, self._speed, follower.wake)
            follower.begin(cursor)
            self._pulse.add(follower)
            await follower.done
        finally:
            self._pulse.remove(follower)
            follower.close()
