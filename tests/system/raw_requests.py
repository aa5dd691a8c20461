"""This module sends a server bytes as they are, also such as no client would send, and says what came back."""

import asyncio
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Reply", "abandoned", "raw", "request"]

_PATIENCE_S = 20.0


@dataclass(frozen=True)
class Reply:
    """All that came until the other side closed the connection; `status` is the first one's, 0 where there was none."""

    status: int
    data: bytes

    @property
    def statuses(self) -> list[int]:
        """The status of each reply that came."""
        return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3})", self.data)]


def request(url: str, target: str, *headers: str, method: str = "GET", host: bool = True, body: bytes = b"") -> bytes:
    """Return a request whose connection ends with its reply; with `host` it names the server as its URL does."""
    lines = [f"{method} {target} HTTP/1.1", "Connection: close", *headers]
    if host:
        lines.append(f"Host: {urlsplit(url).netloc}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def raw(url: str, *pieces: bytes) -> Reply:
    """Send these pieces, as far as the other side takes them, and read to the end."""
    parts = urlsplit(url)
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        received = bytearray()
        try:
            reading = asyncio.create_task(_read(reader, received))
            for piece in pieces:
                if reading.done():
                    break
                writer.write(piece)
                try:
                    await writer.drain()
                    await asyncio.sleep(0)  # a piece that goes at once would not let the reply in
                except ConnectionError:
                    break
            await reading
        finally:
            writer.transport.abort()
    found = re.match(rb"HTTP/1\.1 (\d{3})", received)
    return Reply(int(found[1]) if found else 0, bytes(received))


async def abandoned(url: str, data: bytes, *, answered: bool = True) -> int:
    """Send a request and break the connection, with `answered` once the head of the reply is here; return its status."""
    parts = urlsplit(url)
    async with asyncio.timeout(_PATIENCE_S):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n") if answered else b""
        finally:
            writer.transport.abort()
    return int(head[9:12]) if head else 0


async def _read(reader: asyncio.StreamReader, received: bytearray) -> None:
    try:
        while piece := await reader.read(1 << 16):
            received += piece
    except ConnectionError:
        pass
