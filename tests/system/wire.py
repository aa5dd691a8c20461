"""This module speaks HTTP/1.1 over a socket of its own: what is read, and when, down to the byte, is the test's to say.

Nothing is read ahead: bytes that a test does not ask for stay in the kernel's buffers, as with a reader that is slow.
"""

import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

__all__ = ["TERMINAL", "Frame", "Wire", "frames_of", "text_of", "whole_frames"]

TERMINAL = {"run.finished", "run.stopped", "run.failed", "run.interrupted"}

_FRAME = re.compile(rb'id: (\d+)\nevent: ([a-z.]+)\ndata: (\{"t":\d+,"type":"[^\n]*\})\n\n')
_COMMENT = re.compile(rb":[^\n]*\n\n")
_HEAD_BYTES = 65_536
_PIECE = 65_536
_PATIENCE_S = 20.0
_LINGER_0 = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Frame:
    """One event as it came."""

    id: int
    event: str
    data: dict[str, Any]
    raw: bytes


def whole_frames(data: bytes) -> tuple[list[Frame], bytes]:
    """Return the events that are complete, and the bytes after them. Anything but events and comments is an error."""
    frames, at = [], 0
    while at < len(data):
        comment = _COMMENT.match(data, at)
        found = _FRAME.match(data, at)
        if comment is None and found is None:
            assert b"\n\n" not in data[at:], f"this is no event: {data[at : at + 200]!r}"
            break
        if found is not None:
            payload = json.loads(found[3])
            assert payload["type"] == found[2].decode(), f"event and type differ: {found[0]!r}"
            frames.append(Frame(int(found[1]), found[2].decode(), payload, found[0]))
        at = (comment or found).end()  # type: ignore[union-attr] # one of them is there
    return frames, data[at:]


def frames_of(data: bytes) -> list[Frame]:
    """Return the events of a whole body."""
    frames, rest = whole_frames(data)
    assert rest == b"", f"the stream ends within an event: {rest!r}"
    return frames


def text_of(frames: list[Frame]) -> str:
    """Return the text that the events make."""
    return "".join(frame.data["delta"] for frame in frames if frame.event == "text")


class Wire:
    """One exchange. `open` returns once the head of the reply is here; of the body nothing has been read then."""

    def __init__(self, sock: socket.socket) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        """What was read of the body, without its chunks."""
        self._sock = sock
        self._frames = b""
        self._ready: list[Frame] = []
        self._chunks: _Chunks | _Length = _Length(0)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
        receive_buffer: int | None = None,
    ) -> Self:
        """Send a request. `receive_buffer` bounds what the kernel takes in for a reader that does not read."""
        parts = urlsplit(url)
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            # with the loopback's 64 kB segments the sender's kernel alone would take in megabytes
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        wire = cls(sock)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await wire._exchange(parts.hostname or "", parts.port or 80, _request(url, method, headers, json_body))
        except BaseException:
            sock.close()
            raise
        return wire

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the body is complete."""
        return self._chunks.ended

    async def read(self, count: int = _PIECE, *, within_s: float = _PATIENCE_S) -> bytes:
        """Read once, at most so many bytes as they come from the socket; return what they hold of the body.

        Empty where they are chunk sizes only, and at the end. Raises `ConnectionError` where the connection ends
        within the body.
        """
        before = len(self.body)
        await self._receive(count, within_s)
        return self.body[before:]

    async def take(self, count: int) -> bytes:
        """Read so many bytes from the socket, or to the end of the body; return what they hold of the body."""
        before = len(self.body)
        while count > 0 and not self.ended:
            count -= await self._receive(count, _PATIENCE_S)
        return self.body[before:]

    async def rest(self) -> bytes:
        """Read to the end and return the whole body."""
        while not self.ended:
            await self.read()
        return self.body

    async def frames(self) -> list[Frame]:
        """Read to the end and return all events, those that `frame` returned before included."""
        return frames_of(await self.rest())

    async def frame(self) -> Frame | None:
        """Return the next event; None at the end."""
        while not self._ready:
            if self.ended:
                assert self._frames == b"", f"the stream ends within an event: {self._frames!r}"
                return None
            self._frames += await self.read()
            self._ready, self._frames = whole_frames(self._frames)
        return self._ready.pop(0)

    async def until(self, event: str) -> Frame:
        """Read up to and with the next event of this type, and return it."""
        while True:
            frame = await self.frame()
            assert frame is not None, f"the stream ended without {event}: {self.body[-500:]!r}"
            if frame.event == event:
                return frame

    def json(self) -> Any:
        """Return the body that was read, as JSON."""
        return json.loads(self.body)

    def close(self) -> None:
        """Hang up."""
        self._sock.close()

    def reset(self) -> None:
        """Break the connection, as a machine that goes away would."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self._sock.close()

    async def cut_off(self) -> None:
        """Read until the other side breaks the connection; that it ends the body instead is an error."""
        with contextlib.suppress(ConnectionError):
            while not self.ended:
                await self.read()
        assert not self.ended, "the stream ended as if it were complete"

    async def _receive(self, count: int, within_s: float) -> int:
        if self.ended:
            return 0
        async with asyncio.timeout(within_s):
            data = await asyncio.get_running_loop().sock_recv(self._sock, count)
        if not data:
            raise ConnectionResetError("the connection ended within the body")
        self.body += self._chunks.feed(data)
        return len(data)

    async def _exchange(self, host: str, port: int, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._sock, (host, port))
        await loop.sock_sendall(self._sock, request)
        head = b""
        while b"\r\n\r\n" not in head:
            # one byte at a time: what follows the head stays where it is
            piece = await loop.sock_recv(self._sock, 1)
            if not piece:
                raise ConnectionResetError(f"the connection ended within the head: {head!r}")
            head += piece
            assert len(head) < _HEAD_BYTES
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        self.status = int(first.split(" ")[1])
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        chunked = self.headers.get("transfer-encoding") == "chunked"
        self._chunks = _Chunks() if chunked else _Length(int(self.headers.get("content-length", 0)))


class _Chunks:
    """Undoes the chunks of a body; also a part of a chunk is passed on."""

    def __init__(self) -> None:
        self.ended = False
        self._line = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        pieces = []
        while data and not self.ended:
            if self._left > 2:
                piece = data[: self._left - 2]
                pieces.append(piece)
                self._left -= len(piece)
                data = data[len(piece) :]
            elif self._left:
                data, self._left = data[1:], self._left - 1
            else:
                data = self._size(data)
        return b"".join(pieces)

    def _size(self, data: bytes) -> bytes:
        line, found, data = data.partition(b"\n")
        self._line += line
        if found:
            size = int(self._line, 16)
            self._line = b""
            self.ended = size == 0
            self._left = size + 2
        return data


class _Length:
    """A body whose length is known."""

    def __init__(self, length: int) -> None:
        self._left = length

    @property
    def ended(self) -> bool:
        return self._left == 0

    def feed(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data


def _request(url: str, method: str, headers: Mapping[str, str] | None, json_body: Any) -> bytes:
    parts = urlsplit(url)
    body = b"" if json_body is None else json.dumps(json_body).encode()
    all_headers = {"Host": parts.netloc, **(headers or {})}
    if json_body is not None:
        all_headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
