"""This module is the line between a browser and a server: it can be cut, and led to another server."""

import asyncio
import contextlib
from typing import Self

from yarl import URL

__all__ = ["Line"]

_PIECE = 65536


class Line:
    """Passes bytes both ways. Its `url` stays, whatever happens behind it."""

    def __init__(self) -> None:
        self.url = ""
        self._target: tuple[str, int] | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    def lead_to(self, url: str) -> None:
        """From now on there is this server behind it."""
        target = URL(url)
        self._target = (target.host or "", target.port or 0)

    def cut(self) -> None:
        """Break all connections and take no more."""
        self._target = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._target is None:
                return
            back, forth = await asyncio.open_connection(*self._target)
            self._writers.add(forth)
            try:
                await asyncio.gather(_pass(reader, forth), _pass(back, writer))
            finally:
                self._writers.discard(forth)
                forth.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.transport.abort()
