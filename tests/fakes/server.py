"""This module is a Headrace server by script, for tests of its clients: what it answers is given request by request.

async with FakeServer() as server:
    server.answer(json_reply({"id": 7}, 201), stream(frames, then="drop"))
    ...
    assert server.requests[0].path == "/api/v1/chats"
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import msgspec

__all__ = ["FakeServer", "Reply", "Request", "error_reply", "json_reply", "stream"]


@dataclass
class Request:
    """One request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Reply:
    """What is sent back, and what happens after it: the body ends, breaks, or stays open until the client leaves."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    then: Literal["end", "drop", "hold"] = "end"


def json_reply(payload: Any, status: int = 200) -> Reply:
    """Return a reply of JSON."""
    return Reply(status, msgspec.json.encode(payload), {"content-type": "application/json"})


def error_reply(status: int, code: str, message: str) -> Reply:
    """Return an error in the form of our API."""
    return json_reply({"error": {"code": code, "message": message}}, status)


def stream(frames: bytes, *, then: Literal["end", "drop", "hold"] = "end", run_id: str = "run_1") -> Reply:
    """Return the event stream of a run."""
    return Reply(200, frames, {"content-type": "text/event-stream", "headrace-run": run_id}, then)


class FakeServer:
    """The server: an async context manager. One request for each connection. Port 0 is a free one."""

    def __init__(self, *, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.port = port
        self.url = ""
        self._replies: asyncio.Queue[Reply] = asyncio.Queue()
        self._server: asyncio.Server | None = None
        self._left = asyncio.Event()

    def answer(self, *replies: Reply) -> None:
        """Answer the next requests so, in this order; one more waits until its answer is given."""
        for reply in replies:
            self._replies.put_nowait(reply)

    async def left(self) -> None:
        """Wait until the client has left a held stream."""
        async with asyncio.timeout(10):
            await self._left.wait()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._exchange(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await _read(reader)
        self.requests.append(request)
        reply = await self._replies.get()
        writer.write(_head(reply) + reply.body)
        await writer.drain()
        if reply.then == "drop":
            writer.transport.abort()
        if reply.then == "hold":
            await reader.read()
            self._left.set()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, msgspec.json.decode(body) if body else None)


def _head(reply: Reply) -> bytes:
    # a body that breaks is one that ends before its length
    length = {} if reply.then == "hold" else {"content-length": str(len(reply.body) + (reply.then == "drop"))}
    lines = [f"{name}: {value}" for name, value in {**reply.headers, **length, "connection": "close"}.items()]
    return "\r\n".join([f"HTTP/1.1 {reply.status} Status", *lines, "", ""]).encode("latin-1")
