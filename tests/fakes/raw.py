"""This module is a TCP server that does, byte for byte, what a test tells it, and says what came.

async with RawServer(serve) as server:   # serve: an async function of a Peer, called for each connection
    ...  # call server.url
    await server.until(lambda: server.left == 1)
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import Self

__all__ = ["Peer", "RawServer", "reply_once"]


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def request(self) -> tuple[bytes, bytes]:
        """Return the next request's head and body. Raises `asyncio.IncompleteReadError` where none comes."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return head, await self._reader.readexactly(length)

    async def send(self, *pieces: bytes) -> None:
        """Write these pieces, each by itself, and let the other side read in between."""
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def gone(self) -> None:
        """Return when the other side has closed the connection."""
        while True:
            try:
                if not await self._reader.read(65536):
                    return
            except ConnectionError:
                return

    def reset(self) -> None:
        """Break the connection with an RST."""
        sock: socket.socket = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


class RawServer:
    """Serves connections until it is left. Connections end when `serve` returns."""

    def __init__(self, serve: Callable[[Peer], Awaitable[None]], *, tls: ssl.SSLContext | None = None) -> None:
        self._serve = serve
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.port = 0
        self.connections = 0
        """How many connections there have been."""
        self.left = 0
        """How many have ended."""

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until this holds: asked again whenever a connection begins or ends. 10 s at most."""
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._run(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        self._changed.set()

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._serve(Peer(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.left += 1
            self._changed.set()


def reply_once(*pieces: bytes) -> Callable[[Peer], Awaitable[None]]:
    """Return a server that reads one request, sends these pieces and hangs up."""

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(*pieces)

    return serve
