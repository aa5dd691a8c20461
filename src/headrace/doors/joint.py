"""This module answers with one event stream for all that a browser looks at: several runs, and notices.

A browser has six connections to a server over HTTP/1.1, however many tabs it has open; so one of them carries all. Each
run has a follower of its own, as if it were read alone, and all of them write to the one connection. Frames have no
`id`: a reader who comes again says itself, for each run, where it was.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headrace.chat.notices import Notice
from headrace.doors.follow import KEEPALIVE_S, STALL_S, Follower, Pulse
from headrace.doors.sink import SCOPE_KEY, Sink
from headrace.doors.streams import HEADERS, Guard
from headrace.formats import native, sse
from headrace.journal.port import Journal, Pruned, UnknownRun

__all__ = ["JointStream", "Subscribe"]

Subscribe = Callable[[Callable[[Notice], None], Callable[[], None]], Callable[[], None]]
"""Is given what takes notices, and what to call where there will be no more; returns what ends them."""

MAX_WAITING = 1000
"""Notices that wait for a reader who is behind; one for whom more would have to wait is cut off, and asks again."""

_MEDIA_TYPE = "text/event-stream"
_encode = msgspec.json.Encoder().encode


class JointStream(Response):
    """The events of these runs, each from its number on, and notices, until the reader leaves.

    Whoever makes one has checked that each run is its reader's own. Those that are not are `gone`: they are told of as
    `run.gone`, and so are runs whose events are no longer kept.
    """

    def __init__(
        self,
        journal: Journal,
        runs: Mapping[str, int],
        gone: Sequence[str],
        *,
        subscribe: Subscribe,
        pulse: Pulse,
        guard: Guard,
    ) -> None:
        super().__init__(status_code=200, headers=HEADERS, media_type=_MEDIA_TYPE)
        del self.headers["content-length"]
        self._journal = journal
        self._runs = runs
        self._gone = gone
        self._subscribe = subscribe
        self._pulse = pulse
        self._guard = guard

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Send head and events. See ASGI."""
        sink: Sink = scope["extensions"][SCOPE_KEY]
        over = self._guard(sink.abort)
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._follow(_Shared(sink))
            async with asyncio.timeout(STALL_S):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            sink.abort()
        finally:
            over()

    async def _follow(self, shared: "_Shared") -> None:
        followers: list[Follower] = []
        unsubscribe = self._subscribe(shared.tell, shared.finish)
        self._pulse.add(shared)
        try:
            shared.write(sse.comment("here"))  # a browser shows a stream as open with its first byte
            for run_id in self._gone:
                shared.write(_gone(run_id))
            for run_id, start in self._runs.items():
                follower = Follower(_Tagged(run_id), shared.branch())
                followers.append(follower)
                try:
                    follower.begin(await self._journal.follow(run_id, start, follower.wake))
                except (UnknownRun, Pruned):
                    shared.write(_gone(run_id))
            await shared.gone
        finally:
            self._pulse.remove(shared)
            unsubscribe()
            for follower in followers:
                follower.close()
            shared.detach()


class _Shared:
    """The one connection, as several followers write to it."""

    def __init__(self, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._now = loop.time
        self._moved = loop.time()
        self._sink = sink
        self._branches: list[_Branch] = []
        self._waiting: deque[bytes] = deque()
        sink.attach(self._resumed, self.finish)

    @property
    def sink(self) -> Sink:
        """The connection itself."""
        return self._sink

    def branch(self) -> "_Branch":
        """Return the connection for one more follower."""
        branch = _Branch(self)
        self._branches.append(branch)
        return branch

    def tell(self, notice: Notice) -> None:
        """Send a notice; it waits while the reader is behind."""
        data = _frame(notice.type, _encode(notice))
        if not self._sink.paused:
            self.write(data)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(data)
        else:
            self.abort()

    def write(self, data: bytes) -> None:
        """Send bytes, and note that something moves."""
        self._moved = self._now()
        self._sink.write(data)

    def abort(self) -> None:
        """Cut the connection."""
        self._sink.abort()
        self.finish()

    def beat(self, now: float) -> None:
        """Keep a quiet connection alive, and cut one off that has not moved for `STALL_S`; see `Pulse`."""
        if self._sink.paused:
            if now - self._moved > STALL_S:
                self.abort()
        elif now - self._moved >= KEEPALIVE_S:
            self.write(sse.comment("keepalive"))

    def detach(self) -> None:
        """Let go of the connection."""
        self._sink.detach()

    def _resumed(self) -> None:
        self._moved = self._now()
        while self._waiting and not self._sink.paused:
            self.write(self._waiting.popleft())
        for branch in self._branches:
            branch.resumed()

    def finish(self) -> None:
        """End the stream."""
        if not self.gone.done():
            self.gone.set_result(None)


class _Branch:
    """The connection as one follower knows it; see `Sink`."""

    def __init__(self, shared: _Shared) -> None:
        self._shared = shared
        self.resumed: Callable[[], None] = _nothing

    @property
    def paused(self) -> bool:
        return self._shared.sink.paused

    @property
    def closed(self) -> bool:
        return self._shared.sink.closed

    def attach(self, resumed: Callable[[], None], gone: Callable[[], None]) -> None:  # noqa: ARG002  all go at once
        self.resumed = resumed

    def detach(self) -> None:
        self.resumed = _nothing

    def write(self, data: bytes) -> None:
        self._shared.write(data)

    def abort(self) -> None:
        self._shared.abort()


class _Tagged:
    """Frames that say which run's they are, and which number each has there; see `StreamEncoder`."""

    content_type = _MEDIA_TYPE

    def __init__(self, run_id: str) -> None:
        self._head = b'{"run":' + _encode(run_id) + b',"seq":'

    def start(self) -> bytes:
        return b""

    def skip(self, entries: Sequence[bytes]) -> None:
        pass

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        frames = []
        for count, entry in native.gather(entries) if merge else ((1, entry) for entry in entries):
            last = seq + count - 1
            begin = b"%b%d,%b" % (self._head, last, b"" if count == 1 else b'"from":%d,' % seq)
            frames.append(_frame(native.type_of(entry), begin + entry[1:]))
            seq = last + 1
        return b"".join(frames)

    def keepalive(self) -> bytes:
        return b""


def _frame(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


def _gone(run_id: str) -> bytes:
    return _frame("run.gone", _encode({"type": "run.gone", "run_id": run_id}))


def _nothing() -> None:
    pass
