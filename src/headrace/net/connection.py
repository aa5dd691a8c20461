"""This module reads HTTP/1.1 replies off a plain connection, as cheaply as Python can.

A model server writes every token by itself, so a busy process makes some 15,000 reads a second here. Almost all of them
bring one whole chunk of a body, which is seen without the parser; what costs most then is memory that is not in the
processor's caches, so nothing else of the connection is touched. All other reads go through the C parser, whose `on_body`
is `list.append` itself. What happens once for each reply (head, end, faults) is kept off both ways. An attribute that holds
a function is given a name before it is called, here and elsewhere on the path of a token: CPython 3.11 takes `self.name()`
for a method and searches the class.

A `Connection` outlives its `Reply`: between two replies it has none, and then any byte that comes is one that nobody
asked for, so the connection is thrown away rather than its bytes be taken for the next reply.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from headrace.net.body import gather
from headrace.net.origin import Origin, closed, garbled
from headrace.net.port import Receive

__all__ = ["Connection", "Reply"]

_MAX_HEAD = 64 * 1024  # bytes of a reply's head, or of anything else that is not body
_MAX_HELD = 256 * 1024  # bytes of body that wait for a receiver before reading pauses
_FINAL = 200  # statuses below it announce another reply
_CRLF = b"\r\n"
_CHUNK_HEADS = {len(b"%x\r\n\r\n" % size) + size: b"%x\r\n" % size for size in range(1, 4096)}
"""How a chunk begins, by its whole length; longer ones are the parser's."""


class Reply:
    """The reply to one request; fills `net.port.Exchange`."""

    __slots__ = (
        "_connection",
        "_error",
        "_headed",
        "_held",
        "_origin",
        "_over",
        "_waiting",
        "headers",
        "silent",
        "status",
    )

    def __init__(self, connection: "Connection", origin: Origin) -> None:
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self.silent = True
        """Whether not one byte of it has come."""
        connection.deliver = self._hold
        self._connection: Connection | None = connection
        self._origin = origin
        self._held: list[bytes] = []
        self._headed = self._over = False
        self._waiting: list[asyncio.Future[None]] = []  # an `asyncio.Event` costs 4 us, and there are two moments
        self._error: BaseException | None = None

    async def head(self) -> None:
        """Return when `status` and `headers` are set. Raises as `finished` does."""
        while not self._headed:
            await self._next()
        if self.status == 0 and self._error is not None:
            raise self._error

    def receive(self, callback: Receive) -> None:
        """Hand the body to `callback`; see the port."""
        if self._connection is not None:
            self._connection.deliver = callback
        self.resume()  # first, as the callback may pause again
        held, self._held = b"".join(self._held), []
        if held:
            try:
                callback(held)
            except Exception as error:  # noqa: BLE001 - it comes out of `finished`, as from any later read
                self._fail(error)

    async def finished(self) -> None:
        """Return at the end of the body; see the port."""
        while not self._over:
            await self._next()
        if self._error is not None:
            raise self._error

    async def read(self, limit: int) -> bytes:
        """Return the whole body; see the port."""
        return await gather(self, self._origin, limit)

    def pause(self) -> None:
        """Read no more until `resume`."""
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """Read on."""
        if self._connection is not None:
            self._connection.resume()

    def close(self) -> None:
        """Close the connection at once unless the reply is complete."""
        if self._connection is not None:
            self._connection.fail(closed(self._origin, "was cut off from this side"))

    def started(self, status: int, headers: Mapping[str, str]) -> None:
        """Take the head. Called by the connection."""
        self.status, self.headers = status, headers
        self._headed = True
        self._tell()

    def ended(self, error: BaseException | None = None) -> None:
        """Take the end, or what went wrong. Called by the connection, once."""
        self._connection = None
        self._error = error
        self._headed = self._over = True
        self._tell()

    async def _next(self) -> None:
        """Return when there is something new to be known."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        await waiting

    def _tell(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()

    def _fail(self, error: BaseException) -> None:
        if self._connection is not None:
            self._connection.fail(error)
        else:
            self._error = error

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        if sum(map(len, self._held)) > _MAX_HELD:
            self.pause()


class _Hot:
    """What a token touches, side by side in memory: a base class's slots come first, and by themselves they are sorted."""

    __slots__ = ("_between", "deliver")


class Connection(_Hot):
    """One TCP connection to an origin: a request at a time, its reply, and perhaps the next.

    It is an `asyncio.Protocol` in all but name, as a compiled class cannot have a base that is not.
    `released` is called when a reply is complete and the connection may be used again, `lost` when it is gone.
    """

    __slots__ = (
        "_complete",
        "_extra",
        "_headers",
        "_lost",
        "_parser",
        "_pieces",
        "_released",
        "_reply",
        "_reusable",
        "_transport",
        "_until_eof",
        "on_body",
        "origin",
    )

    def __init__(
        self,
        origin: Origin,
        released: Callable[["Connection"], None],
        lost: Callable[["Connection"], None],
    ) -> None:
        self.origin = origin
        self._released = released
        self._lost = lost
        self._transport = asyncio.Transport()
        self._reply: Reply | None = None
        self._pieces: list[bytes] = []
        self._headers: list[tuple[str, str]] = []
        self._extra = 0  # bytes since the last body bytes; a head, a trailer or nonsense without end is cut off
        self._until_eof = False
        self._complete = False
        self._reusable = False
        self.on_body = self._pieces.append
        self._parser: Any = HttpResponseParser(self)
        self._between = False  # whether a chunk of a body was the last thing that came, and is complete
        self.deliver: Receive = _nothing  # what takes the body

    def ask(self, request: bytes) -> Reply:
        """Send a request (head and body) and return its reply, of which nothing is here yet."""
        self._headers.clear()
        self._extra = 0
        self._complete = self._until_eof = False
        self._reply = Reply(self, self.origin)
        self._between = False
        self._transport.resume_reading()  # the reply before may have ended while it was paused
        self._transport.write(request)
        return self._reply

    def fail(self, error: BaseException) -> None:
        """Close the connection at once and end the reply under way, if any, with this error."""
        reply, self._reply = self._reply, None
        self._between = False
        self._transport.abort()
        if reply is not None:
            reply.ended(error)

    def abort(self) -> None:
        """Close the connection, on which no reply is under way, at once."""
        self._transport.abort()

    def pause(self) -> None:
        """Read no more until `resume`."""
        self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    @property
    def usable(self) -> bool:
        """Whether another request may be sent on it, as far as is known."""
        return not self._transport.is_closing()

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def eof_received(self) -> None:
        """Have the transport closed: a server that sends no more is not asked again."""

    def pause_writing(self) -> None:
        """Do nothing: a request is written in one piece."""

    def resume_writing(self) -> None:
        """Do nothing."""

    def data_received(self, data: bytes) -> None:
        """Take one read and hand its body on: the hot path."""
        if self._between:
            head = _CHUNK_HEADS.get(len(data))
            if head is not None and data.startswith(head) and data.endswith(_CRLF):
                # one whole chunk: the parser, which waits for one, need not see it
                deliver = self.deliver
                try:
                    deliver(data[len(head) : -2])
                except Exception as error:  # noqa: BLE001 - the receiver's error comes out of `finished`
                    self.fail(error)
                return
        self._parse(data)

    def _parse(self, data: bytes) -> None:
        """Take one read that is anything but a whole chunk."""
        reply = self._reply
        if reply is None:
            self._transport.abort()
            return
        reply.silent = False
        fault: Exception | None = None
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            fault = error
        if not data.endswith(_CRLF):
            self._between = False  # the next chunk's size may have begun
        pieces = self._pieces
        if pieces:
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._extra = 0
            deliver = self.deliver
            try:
                deliver(body)
            except Exception as error:  # noqa: BLE001 - the receiver's error comes out of `finished`
                self.fail(error)
                return
        else:
            self._extra += len(data)
        if fault is not None or self._complete or self._extra > _MAX_HEAD:
            self._settle(reply, fault)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the reply that was under way: well where its end is the connection's, otherwise as closed."""
        reply, self._reply = self._reply, None
        self._parser = None  # it refers back to this object
        self._between = False
        self.deliver = _nothing
        self._lost(self)
        if reply is None:
            return
        if exc is None and self._until_eof:
            reply.ended()
            return
        how = "broke the connection" if exc else "closed the connection"
        reply.ended(closed(self.origin, f"{how} {'in mid-answer' if reply.status else 'before it replied'}"))

    # the parser calls these, and `on_body`

    def on_message_begin(self) -> None:
        """Refuse a reply after the reply: raising stops the parser."""
        if self._complete:
            raise ValueError("more than one reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Gather a header of the head. Those after the body count only for the limit."""
        self._extra += len(name) + len(value)
        if self._extra > _MAX_HEAD:
            raise ValueError("the head is too long")
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Tell the reply its head, unless it is an interim one (100, 103)."""
        status = self._parser.get_status_code()
        headers: dict[str, str] = {}
        for name, value in self._headers:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self._headers.clear()
        if status < _FINAL or self._reply is None:
            return
        encoding = headers.get("transfer-encoding")
        self._until_eof = "content-length" not in headers if encoding is None else "chunked" not in encoding.lower()
        self._reply.started(status, headers)

    def on_chunk_header(self) -> None:
        """Note that a chunk has begun."""
        self._between = False

    def on_chunk_complete(self) -> None:
        """Note that a chunk, with the end of its line, has come."""
        self._between = True

    def on_message_complete(self) -> None:
        """Note the end of the reply; what this read brought is handed over before it is told."""
        self._complete = self._parser.get_status_code() >= _FINAL
        self._between = False
        self._reusable = self._parser.should_keep_alive()

    # once for each reply

    def _settle(self, reply: Reply, fault: Exception | None) -> None:
        if self._reply is not reply:
            return  # the receiver closed it
        if not self._complete:
            what = fault or "what it sends has no end"
            self.fail(garbled(self.origin, f"does not speak HTTP as it should ({what})"))
            return
        self._reply = None
        self.deliver = _nothing
        reply.ended()
        if fault is None and self._reusable:
            self._released(self)
        else:
            self._transport.abort()


def _nothing(_data: bytes) -> None:
    pass
