"""This module calls a server under test, with the product's own client code."""

import asyncio
import contextlib
from typing import Any

import msgspec

from headrace.core.errors import ProviderError
from headrace.formats import sse
from headrace.net import http
from headrace.net.port import Exchange

__all__ = ["Caller", "Seen"]

_LIMIT = 64 << 20
_JSON = {"Content-Type": "application/json"}


class Seen:
    """What one reader saw of a run: the data of each event under its number."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.events: dict[int, bytes] = {}

    @property
    def last(self) -> int:
        """The number of the last event seen; -1 for none."""
        return max(self.events, default=-1)


class Caller:
    """One server on loopback."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}/api/v1"
        self._client = http.Client()

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the JSON of a reply. Raises `ProviderError` where the connection breaks."""
        content = msgspec.json.encode(body) if body is not None else b""
        exchange = await self._client.open(method, self._base + path, headers=_JSON, body=content)
        try:
            data = await exchange.read(_LIMIT)
        finally:
            exchange.close()
        return exchange.status, msgspec.json.decode(data) if data else None

    async def follow(self, seen: Seen) -> int:
        """Read a run's events after those seen, until it ends or the connection breaks; return the HTTP status."""
        headers = {"Last-Event-ID": str(seen.last)} if seen.events else {}
        exchange: Exchange | None = None
        with contextlib.suppress(ProviderError):
            exchange = await self._client.open("GET", f"{self._base}/runs/{seen.run_id}/events", headers=headers)
            decoder = sse.Decoder()

            def take(data: bytes) -> None:
                for frame in decoder.feed(data):
                    seen.events[int(frame.id)] = frame.data

            exchange.receive(take)
            await exchange.finished()
        if exchange is None:
            return 0
        exchange.close()
        return exchange.status

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()

    async def until_ended(self, run_id: str, *, seconds: float) -> dict[str, Any]:
        """Return a run once it has ended. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while True:
                _, run = await self.call("GET", f"/runs/{run_id}")
                if run["ended_at"] is not None:
                    return dict(run)
                await asyncio.sleep(0.02)
