"""This module is a real OpenAI-compatible model server for tests: the model's name says how it behaves.

    async with FakeUpstream() as upstream:
        ...  # call upstream.base_url with model "reset-after-3"
        await upstream.connected("reset-after-3")

    python tests/fakes/upstream.py PORT        # the same as a process of its own; GET /_requests tells what came

| model | what it does |
|---|---|
| `text`, `text-rR-nN` | N tokens (5) at R a second (0: as fast as it can), then `stop`, usage and `[DONE]`; token i is `i ` |
| `echo` | the last message's text, word by word |
| `reset-after-K`, `eof-after-K`, `short-after-K` | K tokens, then RST; a clean end without a reason; a cut chunked body |
| `error-frame-after-K`, `garbage-after-K`, `silent-after-K` | K tokens, then an error event; no JSON; nothing more |
| `status-S` | HTTP status S with an error of OpenAI's shape; 429 and 503 with `Retry-After: 7` |
| `silent`, `no-headers`, `not-http`, `redirect`, `gzip` | headers only; nothing at all; no HTTP; 302; compressed |
| `loading-N` | 503 `Loading model` N times, then as `text` |
| `no-options` | 400 where the request has `stream_options`, otherwise as `text` |
| `no-done`, `lingering` | ends without `[DONE]`; keeps the connection open after it, never ending the body |
| `json`, `json-error` | a whole reply instead of a stream; HTTP 200 with an error object |
| `think`, `tool`, `progress` | `<think>`; a tool call in pieces; llama.cpp's prompt_progress and timings |
| `slow-byte`, `utf8-cut`, `crlf` | every byte its own write; cuts within characters; CRLF line ends |

Any other name is 404 `model_not_found`.
"""

import asyncio
import json
import re
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, cast

import httptools

__all__ = ["FakeUpstream", "Received"]

_LINGER_0 = struct.pack("ii", 1, 0)
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found", 429: "Too Many Requests"}
_ERRORS = {
    400: ("invalid_request_error", "Unknown parameter: 'foo'."),
    401: ("invalid_api_key", "Incorrect API key provided: sk-abcdefghijklmnop."),
    404: ("model_not_found", "The model does not exist."),
    429: ("rate_limit_exceeded", "Rate limit reached."),
    500: ("server_error", "The server had an error."),
    503: ("overloaded_error", "The server is overloaded."),
}
_USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


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


class FakeUpstream:
    """The server: an async context manager.

    Where `key` is set, requests without it are answered 401. `owned_by` `llamacpp` or `vllm` makes `/models` answer as
    those do; `no_models` makes it 404.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        owned_by: str = "fake",
        models: tuple[str, ...] = ("text",),
        no_models: bool = False,
    ) -> None:
        self.port = port
        self.key = key
        self.owned_by = owned_by
        self.models = models
        self.no_models = no_models
        self.requests: list[Received] = []
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._live: set[_Connection] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._live)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after `stop` on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and break all connections."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._live):
            connection.reset()
        await self.until(lambda: not self._live)

    def of(self, model: str) -> list[Received]:
        """Return the requests for this model, in order."""
        return [request for request in self.requests if request.model == model]

    def closed_at(self, model: str) -> float | None:
        """Return when the other side closed the latest answer of this model; None while it has not."""
        mine = self.of(model)
        return mine[-1].closed_at if mine else None

    async def connected(self, model: str, count: int = 1) -> Received:
        """Wait until this model has been asked for `count` times; return the latest request."""
        await self.until(lambda: len(self.of(model)) >= count)
        return self.of(model)[-1]

    async def closed(self, model: str) -> float:
        """Wait until the other side has closed the latest answer of this model; return when it did."""
        await self.until(lambda: self.closed_at(model) is not None)
        return self.closed_at(model) or 0.0

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until this holds: it is asked again after everything that happens here. 10 s at most."""
        if condition():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append((condition, future))
        await asyncio.wait_for(future, 10)

    def happened(self) -> None:
        """Let waiters look again."""
        for waiter in tuple(self._waiters):
            condition, future = waiter
            if future.done() or condition():
                self._waiters.remove(waiter)
                if not future.done():
                    future.set_result(None)


class _Connection(asyncio.Protocol):
    """One connection: requests in, what the model's name says out."""

    def __init__(self, upstream: FakeUpstream) -> None:
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
        self.upstream._live.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.upstream._live.discard(self)
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

    async def answer(self, request: Received) -> None:
        key = self.upstream.key
        if key is not None and request.headers.get("authorization") != f"Bearer {key}":
            self.error(401)
        elif request.path.endswith("/models"):
            self.list_models()
        elif request.path.endswith("/chat/completions"):
            await _behaviour(request.model)(self, request)
        elif request.path.endswith("/embeddings"):
            await self.embed(request)
        else:
            self.error(404)
        if not self.transport.is_closing():
            self.request = None
        self.upstream.happened()

    def list_models(self) -> None:
        if self.upstream.no_models:
            self.error(404)
            return
        more: dict[str, Any] = {}
        if self.upstream.owned_by == "llamacpp":
            more = {"meta": {"n_ctx_train": 32768, "n_ctx": 4096}}
        elif self.upstream.owned_by == "vllm":
            more = {"max_model_len": 8192}
        data = [
            {"id": name, "object": "model", "created": 1, "owned_by": self.upstream.owned_by, **more}
            for name in self.upstream.models
        ]
        self.reply(200, {"object": "list", "data": data})

    async def embed(self, request: Received) -> None:
        """Answer with vectors of two numbers: the text's length and its place. Of the model `silent`, never."""
        if request.model == "silent":
            await _for_ever()
        texts = request.body["input"]
        # the order does not matter, the index does
        data = [{"object": "embedding", "index": at, "embedding": [len(each), at]} for at, each in enumerate(texts)]
        self.reply(200, {"object": "list", "data": data[::-1], "usage": {"prompt_tokens": 7, "total_tokens": 7}})

    # what behaviours are made of

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def reply(self, status: int, payload: Any, **headers: str) -> None:
        """Write a whole reply of JSON."""
        body = json.dumps(payload).encode()
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", "Content-Type: application/json"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.write("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)

    def error(self, status: int) -> None:
        code, message = _ERRORS.get(status, ("server_error", "It failed."))
        headers = {"Retry_After": "7"} if status in {429, 503} else {}
        self.reply(status, {"error": {"message": message, "type": code, "code": code, "param": None}}, **headers)

    def begin(self) -> None:
        self.write(_STREAM)
        self.event({"role": "assistant", "content": ""})

    def event(self, delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> None:
        self.body_bytes(_event(delta, finish, **more))

    def body_bytes(self, data: bytes) -> None:
        self.write(b"%x\r\n%b\r\n" % (len(data), data))

    def token(self, text: str) -> None:
        self.event({"content": text})
        if self.request is not None:
            self.request.sent += 1
        self.upstream.happened()

    def usage(self, **more: Any) -> None:
        self.event(None, usage=_USAGE, **more)

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


_Behaviour = Callable[[_Connection, Received], Awaitable[None]]
_BEHAVIOURS: list[tuple[re.Pattern[str], Callable[..., Awaitable[None]]]] = []


def _event(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    payload = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return b"data: " + json.dumps(payload | more, ensure_ascii=False).encode() + b"\n\n"


def _behaviour(model: str) -> _Behaviour:
    for pattern, function in _BEHAVIOURS:
        match = pattern.fullmatch(model)
        if match:
            numbers = [int(group) for group in match.groups() if group is not None]
            return lambda connection, request: function(connection, request, *numbers)
    return lambda connection, _request: _status(connection, _request, 404)


def _named(pattern: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    def register(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        _BEHAVIOURS.append((re.compile(pattern), function))
        return function

    return register


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()


@_named(r"text(?:-r(\d+)-n(\d+))?")
async def _text(connection: _Connection, _request: Received, rate: int = 0, count: int = 5) -> None:
    connection.begin()
    await connection.tokens(count, rate)
    connection.finish()


@_named("echo")
async def _echo(connection: _Connection, request: Received) -> None:
    content = request.body["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    connection.begin()
    for word in re.findall(r"\S+\s*|\s+", text):
        connection.token(word)
    connection.finish()


@_named(r"reset-after-(\d+)")
async def _reset(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    await asyncio.sleep(0.02)  # an RST overtakes what the other side has not read yet
    connection.reset()


@_named(r"eof-after-(\d+)")
async def _eof(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.end(done=False)


@_named(r"short-after-(\d+)")
async def _short(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.hang_up()


@_named(r"error-frame-after-(\d+)")
async def _error_frame(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(b'data: {"error": {"message": "CUDA error: out of memory", "type": "server_error"}}\n\n')
    connection.end()


@_named(r"garbage-after-(\d+)")
async def _garbage(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(b"data: <html>502 Bad Gateway</html>\n\n")
    connection.end()


@_named(r"silent-after-(\d+)")
async def _silent_after(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    await _for_ever()


@_named("silent")
async def _silent(connection: _Connection, _request: Received) -> None:
    connection.write(_STREAM)
    await _for_ever()


@_named("no-headers")
async def _no_headers(_connection: _Connection, _request: Received) -> None:
    await _for_ever()


@_named("not-http")
async def _not_http(connection: _Connection, _request: Received) -> None:
    connection.write(b"SSH-2.0-OpenSSH_9.6\r\n")


@_named("redirect")
async def _redirect(connection: _Connection, _request: Received) -> None:
    connection.reply(302, {}, Location="http://127.0.0.1:1/v1/chat/completions")


@_named("gzip")
async def _gzip(connection: _Connection, _request: Received) -> None:
    connection.reply(200, {}, Content_Encoding="gzip")


@_named(r"status-(\d+)")
async def _status(connection: _Connection, _request: Received, status: int) -> None:
    connection.error(status)


@_named(r"loading-(\d+)")
async def _loading(connection: _Connection, request: Received, times: int) -> None:
    if len(connection.upstream.of(request.model)) > times:
        await _text(connection, request)
        return
    connection.reply(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}})


@_named("no-options")
async def _no_options(connection: _Connection, request: Received) -> None:
    if "stream_options" not in request.body:
        await _text(connection, request)
        return
    message = "Unrecognized request argument supplied: stream_options"
    connection.reply(400, {"error": {"message": message, "type": "invalid_request_error", "code": None}})


@_named("no-done")
async def _no_done(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.event({}, "length")
    connection.end(done=False)


@_named("lingering")
async def _lingering(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.event({}, "stop")
    connection.body_bytes(b"data: [DONE]\n\n")
    await _for_ever()


@_named("json")
async def _json(connection: _Connection, _request: Received) -> None:
    message = {"role": "assistant", "content": "a whole reply", "reasoning_content": "hm"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    connection.reply(200, {"object": "chat.completion", "choices": choices, "usage": _USAGE})


@_named("json-error")
async def _json_error(connection: _Connection, _request: Received) -> None:
    connection.reply(200, {"error": {"message": "Provider returned error", "code": 502}})


@_named("think")
async def _think(connection: _Connection, _request: Received) -> None:
    connection.begin()
    for piece in ("<th", "ink>let me ", "see</thi", "nk>\n\n", "the ", "answer"):
        connection.token(piece)
    connection.finish()


@_named("tool")
async def _tool(connection: _Connection, _request: Received) -> None:
    connection.begin()
    head = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    connection.event({"tool_calls": [head]})
    for piece in ('{"city"', ': "Bern"}'):
        connection.event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    connection.finish("tool_calls")


@_named("progress")
async def _progress(connection: _Connection, request: Received) -> None:
    connection.begin()
    if request.body.get("return_progress"):
        for processed in (0, 512, 1024):
            progress = {"total": 1024, "cache": 256, "processed": processed, "time_ms": processed // 10}
            connection.event({"role": "assistant", "content": None}, prompt_progress=progress)
    await connection.tokens(5)
    connection.event({}, "stop")
    timings = {"prompt_n": 768, "prompt_ms": 100.0, "prompt_per_second": 7680.0, "predicted_n": 5}
    connection.usage(timings=timings | {"predicted_ms": 50.0, "predicted_per_second": 100.0, "cache_n": 256})
    connection.end()


@_named("slow-byte")
async def _slow_byte(connection: _Connection, _request: Received) -> None:
    events = [{"content": f"{number} é\u2028"} for number in range(3)]
    body = b"".join(_event(delta) for delta in events) + _event({}, "stop") + b"data: [DONE]\n\n"
    for byte in _STREAM + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body):
        connection.write(bytes([byte]))
        await asyncio.sleep(0)


@_named("utf8-cut")
async def _utf8_cut(connection: _Connection, _request: Received) -> None:
    connection.write(_STREAM)
    body = _event({"content": "Zürich 🚆 日本\u2028語"}) + _event({}, "stop") + b"data: [DONE]\n\n"
    for start in range(0, len(body), 7):
        connection.body_bytes(body[start : start + 7])
        await asyncio.sleep(0)
    connection.end(done=False)


@_named("crlf")
async def _crlf(connection: _Connection, _request: Received) -> None:
    connection.write(_STREAM)
    for event in (_event({"content": "one "}), _event({"content": "two"}), _event({}, "stop"), b"data: [DONE]\n\n"):
        for piece in (event[:-2] + b"\r", b"\n\r", b"\n: ping\r\n\r\n"):
            connection.body_bytes(piece)
            await asyncio.sleep(0)
    connection.end(done=False)


async def _main(port: int) -> None:
    async with FakeUpstream(port=port) as upstream:
        print(upstream.base_url, flush=True)  # noqa: T201 - what starts this as a process reads it
        await _for_ever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
