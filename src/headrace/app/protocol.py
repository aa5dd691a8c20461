"""This module is uvicorn's HTTP/1.1 with a connection's sink for the doors to write to (see sink.py).

It also bounds what uvicorn reads of a request beside the body, and how long that takes, and passes no trailer on as if it
were a header.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headrace.app.sink import ConnectionSink
from headrace.doors.errors import reply
from headrace.doors.sink import SCOPE_KEY

__all__ = ["HEAD_S", "MAX_HEAD", "Protocol"]

MAX_HEAD = 64 * 1024
"""Bytes of a request's head, its first line and all headers; also of what else is no body: trailers, chunk sizes."""

HEAD_S = 30.0
"""How long a request's head may take to come, from the connection or its first byte on; then the connection is cut."""

LINGER_S = 1.0
"""How long a connection that was refused is kept, so that a client that is still sending gets to read why."""


class _TooLong(Exception):
    """A head is longer than `MAX_HEAD`; the parser ends, as on bytes that are no HTTP."""


class Protocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with the connection's sink in the scope's extensions.

    A head over `MAX_HEAD` is answered 431 and the connection closed, at the latest one read after it went beyond.
    """

    _loose = 0
    """Bytes that came since the last of a head, a piece of a body or a message was complete."""
    _in_head = False
    _too_long = False
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `HttpToolsProtocol`, whose own way to the addresses makes a socket and asks the kernel seven times."""
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport.get_extra_info("sockname"))
        self.client = _address(transport.get_extra_info("peername"))
        self.scheme = "http"  # TLS ends at a proxy
        self._sink = ConnectionSink(transport)
        self._late = self.loop.call_later(HEAD_S, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(exc)
        self._late.cancel()
        self._sink.close()

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().pause_writing()
        self._sink.pause()

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        super().resume_writing()
        self._sink.resume()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._refused:
            return
        self._loose += len(data)
        super().data_received(data)
        if self._loose > MAX_HEAD and not (self._refused or self.transport.is_closing()):
            self._refuse()

    def on_message_begin(self) -> None:
        """See `HttpToolsProtocol`."""
        super().on_message_begin()
        self._in_head = True
        if self._late.cancelled():
            self._late = self.loop.call_later(HEAD_S, self.transport.abort)
        extensions: dict[str, Any] = {SCOPE_KEY: self._sink}
        self.scope["extensions"] = extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `HttpToolsProtocol`. What comes after the body is no header: no proxy on the way has judged it."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See `HttpToolsProtocol`."""
        # a piece that brings a body's first bytes along is no longer head for it
        if self._loose > MAX_HEAD and _size(self.parser.get_method(), self.url, self.headers) > MAX_HEAD:
            self._too_long = True
            raise _TooLong
        self._in_head, self._loose = False, 0
        self._late.cancel()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See `HttpToolsProtocol`."""
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See `HttpToolsProtocol`."""
        self._loose = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """See `HttpToolsProtocol`. Nothing is written into an answer that goes on."""
        if self._too_long:
            self._refuse()
        elif self._can_answer():
            super().send_400_response(msg)

    def _refuse(self) -> None:
        if self._can_answer():
            self._refused = True
            self.transport.write(_TOO_LONG)
            # closed at once, with bytes that nobody has read, the connection would be reset and the answer lost
            self.transport.write_eof()
            self.loop.call_later(LINGER_S, self.transport.abort)

    def _can_answer(self) -> bool:
        """Return whether an answer can be written that is not the application's; where not, cut the connection off."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        if cycle.response_started or self.pipeline:
            self.transport.abort()
            return False
        cycle.disconnected = True  # the application, which still waits for the body, has nobody to answer
        cycle.message_event.set()
        return True


def _address(given: Any) -> tuple[str, int] | None:
    return (str(given[0]), int(given[1])) if isinstance(given, tuple) else None


def _size(method: bytes, url: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    first = len(method) + len(url) + len("  HTTP/1.1\r\n\r\n")
    return first + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)


def _refusal() -> bytes:
    refusal = reply(431, "too_large", f"The request's first line and headers are longer than {MAX_HEAD} bytes.")
    headers = [*refusal.raw_headers, (b"connection", b"close")]
    lines = [b"HTTP/1.1 431 Request Header Fields Too Large", *(b"%b: %b" % header for header in headers)]
    return b"\r\n".join([*lines, b"", bytes(refusal.body)])


_TOO_LONG = _refusal()
