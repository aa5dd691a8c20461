"""This module is one connection of a model server for tests: what came over it, and what its answers are made of."""

import asyncio
import json
import socket
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, cast

import httptools

__all__ = ["STREAM", "USAGE", "Connection", "Received", "Server", "event_of", "for_ever"]

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
"""The head of a streamed answer."""

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
"""What every answer is said to have taken."""

_LINGER_0 = struct.pack("ii", 1, 0)
_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}
_ERRORS: dict[int, tuple[str | None, str]] = {
    400: ("unknown_parameter", "Unknown parameter: 'foo'."),
    401: ("invalid_api_key", "Incorrect API key provided: sk-abcdefghijklmnop."),
    404: ("model_not_found", "The model does not exist."),
    413: ("request_too_big", "The body has too many bytes."),
    422: (None, "Not a number: 'foo'."),
    429: ("rate_limit_exceeded", "Rate limit reached."),
    500: ("server_error", "The server had an error."),
    503: ("overloaded_error", "The server is overloaded."),
}
_PARAMS = {400: "foo", 422: "foo"}


@dataclass
class Received:
    """One request that came. Times are those of the event loop."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float
    connection: int
    """Which connection it came over, counted from 1."""
    sent: int = 0
    """How many tokens of the answer have been written."""
    closed_at: float | None = None
    """When the other side closed the connection on which this was being answered."""

    @property
    def model(self) -> str:
        return str(self.body.get("model", ""))


class Server(Protocol):
    """What a connection tells its server, and may ask it."""

    requests: list[Received]
    connections: int
    """How many there have been."""
    live: "set[Connection]"
    """Those that are open now."""
    port: int

    @property
    def base_url(self) -> str:
        """Where it is asked."""

    def of(self, model: str) -> list[Received]:
        """Return the requests for this model, in order."""

    def happened(self) -> None:
        """Let those who wait look again."""


class Connection(asyncio.Protocol, ABC):
    """One connection: requests in, answers out. `answer` says which."""

    ERROR = b'data: {"error": {"message": "CUDA error: out of memory", "type": "server_error"}}\n\n'
    GARBAGE = b"data: <html>502 Bad Gateway</html>\n\n"

    def __init__(self, upstream: Server) -> None:
        self.upstream = upstream
        self.request: Received | None = None
        self.task: asyncio.Task[None] | None = None
        self.ours = False  # whether it is we who close
        self.parser = httptools.HttpRequestParser(self)
        self.url, self.body, self.headers = b"", b"", dict[str, str]()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.upstream.connections += 1
        self.number = self.upstream.connections
        self.upstream.live.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.upstream.live.discard(self)
        if self.task is not None:
            self.task.cancel()
        if self.request is not None and not self.ours:
            self.request.closed_at = asyncio.get_running_loop().time()
        self.upstream.happened()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_begin(self) -> None:
        self.url, self.body, self.headers = b"", b"", {}

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        loop = asyncio.get_running_loop()
        method, path = self.parser.get_method().decode(), self.url.decode()
        if path == "/_requests":
            self.reply(200, [vars(request) for request in self.upstream.requests])
            return
        body = json.loads(self.body) if self.body else {}
        self.request = Received(method, path, self.headers, body, loop.time(), self.number)
        self.upstream.requests.append(self.request)
        self.task = loop.create_task(self.answer(self.request))
        self.upstream.happened()

    @abstractmethod
    async def answer(self, request: Received) -> None:
        """Answer this request; forget it where the connection may serve another."""

    # what behaviours are made of

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def reply(self, status: int, payload: Any, **headers: str) -> None:
        """Write a whole reply of JSON."""
        body = json.dumps(payload).encode()
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)

    def error(self, status: int, more: str = "") -> None:
        code, message = _ERRORS.get(status, ("server_error", "It failed."))
        headers = {"Retry_After": "7"} if status in {429, 503} else {}
        error = {"message": message + more, "type": code, "code": code, "param": _PARAMS.get(status)}
        self.reply(status, {"error": error}, **headers)

    def begin(self) -> None:
        self.write(STREAM)
        self.event({"role": "assistant", "content": ""})

    def event(self, delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> None:
        self.body_bytes(event_of(delta, finish, **more))

    def body_bytes(self, data: bytes) -> None:
        self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def token(self, text: str) -> None:
        self.event({"content": text})
        if self.request is not None:
            self.request.sent += 1
        self.upstream.happened()

    def usage(self, **more: Any) -> None:
        self.event(None, usage=USAGE, **more)

    def end(self, *, done: bool = True) -> None:
        if done:
            self.body_bytes(b"data: [DONE]\n\n")
        self.write(b"0\r\n\r\n")

    def finish(self, reason: str = "stop") -> None:
        self.event({}, reason)
        self.usage()
        self.end()

    def reset(self) -> None:
        """Break the connection with an RST."""
        self.ours = True
        sock: socket.socket = self.transport.get_extra_info("socket")
        if sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self.transport.abort()

    def hang_up(self) -> None:
        self.ours = True
        self.transport.close()

    async def tokens(self, count: int, rate: float = 0) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        for number in range(count):
            if rate:
                await asyncio.sleep(max(0.0, start + number / rate - loop.time()))
            elif number % 50 == 49:
                await asyncio.sleep(0)
            self.token(f"{number} ")


def event_of(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """Return a chunk as the event that carries it; without a delta it has no choice."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    payload = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + json.dumps(payload | more, ensure_ascii=False).encode() + b"\n\n"


async def for_ever() -> None:
    """Wait until cancelled, as an answer is when its connection is gone."""
    await asyncio.get_running_loop().create_future()
