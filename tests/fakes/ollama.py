"""This module is a real Ollama server for tests: the model's name says how it behaves.

    async with FakeOllama(loaded=("text",)) as ollama:
        ...  # call ollama.base_url with model "reset-after-3"
        await ollama.connected("reset-after-3")

    PYTHONPATH=tests python -m fakes.ollama PORT    # as a process of its own; GET /_requests tells what came

Models are those of `fakes.upstream_models`, in Ollama's words: `text`, `text-rR-nN`, `echo`, `reset-after-K`,
`eof-after-K`, `short-after-K`, `error-frame-after-K`, `garbage-after-K`, `silent-after-K`, `status-S`, `silent`,
`no-headers`, `not-http`, `redirect`, `gzip`, `lingering`, `json`, `json-error`, `think`, `tool`, `slow-byte`,
`utf8-cut`, `crlf`; and

| model | what it does |
|---|---|
| `thinking` | thoughts apart from the text |
| `loading-N` | is not loaded; answers as `text` a moment after it was asked N times which models are |
| `fails-to-load-N` | likewise, but then HTTP 500 |
| `refuses-to-load-N` | likewise, but at once, with HTTP 400 |
| `no-reason`, `no-newline` | the last line without `done_reason`, as old versions have it; without its end, and `length` |
| `no-tools`, `signed-out` | HTTP 400, as the model has no tools; 401, as the cloud wants an account |

Any other name is 404 `model not found`. `/api/generate` behaves likewise. `/api/tags`, `/api/show`, `/api/ps`,
`/api/embed`, `/api/pull` and `/api/version` answer as Ollama does.
"""

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fakes import upstream_models
from fakes.upstream import FakeUpstream
from fakes.upstream_connection import Connection, Received, for_ever

__all__ = ["FakeOllama"]

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
_SHARED = re.compile(
    r"text(-r\d+-n\d+)?|echo|think|no-headers|not-http|redirect|gzip"
    r"|(reset|eof|short|silent)-after-\d+|status-\d+"
)
"""What these do in `fakes.upstream_models` they do here too: only the words differ."""

_ERRORS = {
    400: "Unknown parameter: 'foo'.",
    401: "unauthorized: Incorrect API key provided: sk-abcdefghijklmnop.",
    429: "Rate limit reached.",
    500: "The server had an error.",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
_FIGURES: dict[str, Any] = {
    "total_duration": 4_883_583_458,
    "load_duration": 1_334_875,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 350_000_000,
    "eval_count": 5,
    "eval_duration": 50_000_000,
}
_CONTEXT = 131_072
_LOADING_S = 0.25  # well above the time below which a wait is none


class FakeOllama(FakeUpstream):
    """The server: an async context manager. `requests` are those for answers, `lookups` all others.

    `models` are listed; `loaded` are in memory, None means all but those that load. `shows` are the bodies of
    `/api/show` by model, where they are not as usual. A route in `missing` is 404, one in `silent` never answers.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        key: str | None = None,
        models: tuple[str, ...] = ("text",),
        loaded: tuple[str, ...] | None = None,
        shows: dict[str, dict[str, Any]] | None = None,
        missing: tuple[str, ...] = (),
        silent: tuple[str, ...] = (),
    ) -> None:
        super().__init__(port=port, key=key, models=models)
        self.loaded = loaded
        self.shows = shows or {}
        self.missing = missing
        self.silent = silent
        self.lookups: list[Received] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Listen; after `stop` on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def asked(self, path: str) -> list[Received]:
        """Return the look-ups on this path, in order."""
        return [request for request in self.lookups if request.path == path]


class _Connection(Connection):
    """One connection, in Ollama's words."""

    upstream: FakeOllama

    def __init__(self, ollama: FakeOllama) -> None:
        super().__init__(ollama)
        self.reason = "stop"
        self.generating = False  # whether this answers /api/generate

    def on_message_complete(self) -> None:
        loop = asyncio.get_running_loop()
        method, path = self.parser.get_method().decode(), self.url.decode()
        if path == "/_requests":
            self.reply(200, [vars(request) for request in self.upstream.requests])
            return
        body = json.loads(self.body) if self.body else {}
        self.request = Received(method, path, self.headers, body, loop.time(), self.number)
        answers = path in {"/api/chat", "/api/generate"}
        (self.upstream.requests if answers else self.upstream.lookups).append(self.request)
        self.task = loop.create_task(self.answer(self.request))
        self.upstream.happened()

    async def answer(self, request: Received) -> None:
        route = _ROUTES.get((request.method, request.path))
        if self.upstream.key is not None and request.headers.get("authorization") != f"Bearer {self.upstream.key}":
            self.error(401)
        elif request.path in self.upstream.silent:
            await for_ever()
        elif route is None or request.path in self.upstream.missing:
            self.text(404, "404 page not found")
        else:
            await route(self, request)
        if not self.transport.is_closing():
            self.request = None
        self.upstream.happened()

    # what behaviours are made of

    def text(self, status: int, body: str) -> None:
        head = f"HTTP/1.1 {status} Status\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        self.write(head.encode() + body.encode())

    def error(self, status: int, more: str = "") -> None:
        if status == 404:
            self.reply(404, {"error": f"model '{self.request.model if self.request else ''}' not found"})
            return
        headers = {"Retry_After": "7"} if status in {429, 503} else {}
        self.reply(status, {"error": _ERRORS.get(status, "It failed.") + more}, **headers)

    def begin(self) -> None:
        self.write(_HEAD)

    def line(self, content: str = "", **more: Any) -> None:
        self.body_bytes(self.encoded(content, **more))

    def encoded(self, content: str = "", *, message: dict[str, Any] | None = None, **more: Any) -> bytes:
        model = self.request.model if self.request is not None else ""
        said: dict[str, Any] = {"message": {"role": "assistant", "content": content, **(message or {})}}
        if self.generating:
            said = {"response": content, **(message or {})}
        payload = {"model": model, "created_at": "2026-08-21T18:48:22.123456789Z", **said, "done": False, **more}
        return json.dumps(payload, ensure_ascii=False).encode() + b"\n"

    def last(self, reason: str = "stop") -> bytes:
        return self.encoded(done=True, done_reason=reason, **_FIGURES)

    def token(self, text: str) -> None:
        self.line(text)
        if self.request is not None:
            self.request.sent += 1
        self.upstream.happened()

    def end(self, *, done: bool = False) -> None:
        super().end(done=done)

    def finish(self, reason: str = "stop") -> None:
        self.body_bytes(self.last(reason))
        self.end()


_Behaviour = Callable[..., Awaitable[None]]
_BEHAVIOURS: list[tuple[re.Pattern[str], _Behaviour]] = []


def _behaviour(model: str) -> Callable[[_Connection, Received], Awaitable[None]]:
    model = _short(model)
    for pattern, function in _BEHAVIOURS:
        match = pattern.fullmatch(model)
        if match:
            numbers = [int(group) for group in match.groups() if group is not None]
            return lambda connection, request: function(connection, request, *numbers)
    return upstream_models.behaviour(model if _SHARED.fullmatch(model) else "status-404")


def _named(pattern: str) -> Callable[[_Behaviour], _Behaviour]:
    def register(function: _Behaviour) -> _Behaviour:
        _BEHAVIOURS.append((re.compile(pattern), function))
        return function

    return register


@_named(r"error-frame-after-(\d+)")
async def _error_line(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(b'{"error":"an error was encountered while running the model: CUDA error: out of memory"}\n')
    connection.end()


@_named(r"garbage-after-(\d+)")
async def _garbage(connection: _Connection, _request: Received, count: int) -> None:
    connection.begin()
    await connection.tokens(count)
    connection.body_bytes(b"<html>502 Bad Gateway</html>\n")
    connection.end()


@_named("silent")
async def _silent(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await for_ever()


@_named(r"loading-(\d+)")
async def _loading(connection: _Connection, request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(_LOADING_S)
    await _behaviour("text")(connection, request)


@_named(r"fails-to-load-(\d+)")
async def _fails_to_load(connection: _Connection, _request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(_LOADING_S)
    message = "model requires more system memory (9.1 GiB) than is available (3.2 GiB)"
    connection.reply(500, {"error": message})


@_named(r"refuses-to-load-(\d+)")
async def _refuses_to_load(connection: _Connection, _request: Received, times: int) -> None:
    await _asked(connection, times)
    await asyncio.sleep(0.02)  # that the model is not loaded is known by then
    connection.error(400)


async def _asked(connection: _Connection, times: int) -> None:
    ollama = connection.upstream
    await ollama.until(lambda: len(ollama.asked("/api/ps")) >= times)


@_named("no-reason")
async def _no_reason(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.line(done=True)
    connection.end()


@_named("no-newline")
async def _no_newline(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.body_bytes(connection.last("length").removesuffix(b"\n"))
    connection.end()


@_named("no-tools")
async def _no_tools(connection: _Connection, _request: Received) -> None:
    connection.reply(400, {"error": '"no-tools" does not support tools'})


@_named("signed-out")
async def _signed_out(connection: _Connection, _request: Received) -> None:
    connection.reply(401, {"error": "unauthorized", "signin_url": "https://ollama.com/connect?name=a&key=b"})


@_named("lingering")
async def _lingering(connection: _Connection, _request: Received) -> None:
    connection.begin()
    await connection.tokens(5)
    connection.body_bytes(connection.last())
    await for_ever()


@_named("json")
async def _json(connection: _Connection, _request: Received) -> None:
    message = {"role": "assistant", "content": "a whole reply", "thinking": "hm"}
    payload = {"model": "json", "created_at": "2026-08-21T18:48:22Z", "message": message, "done": True}
    connection.reply(200, payload | {"done_reason": "stop"} | _FIGURES)


@_named("json-error")
async def _json_error(connection: _Connection, _request: Received) -> None:
    connection.reply(200, {"error": "Provider returned error"})


@_named("thinking")
async def _thinking(connection: _Connection, _request: Received) -> None:
    connection.begin()
    for piece in ("let me ", "see"):
        connection.line(message={"thinking": piece})
    for piece in ("the ", "answer"):
        connection.token(piece)
    connection.finish()


@_named("tool")
async def _tool(connection: _Connection, _request: Received) -> None:
    connection.begin()
    call = {"id": "call_1", "function": {"index": 0, "name": "weather", "arguments": {"city": "Bern"}}}
    connection.line(message={"tool_calls": [call]})
    connection.finish()


@_named("slow-byte")
async def _slow_byte(connection: _Connection, _request: Received) -> None:
    body = b"".join(connection.encoded(f"{number} é\u2028") for number in range(3)) + connection.last()
    for byte in _HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body):
        connection.write(bytes([byte]))
        await asyncio.sleep(0)


@_named("utf8-cut")
async def _utf8_cut(connection: _Connection, _request: Received) -> None:
    connection.begin()
    body = connection.encoded("Zürich 🚆 日本\u2028語") + connection.last()
    for start in range(0, len(body), 7):
        connection.body_bytes(body[start : start + 7])
        await asyncio.sleep(0)
    connection.end()


@_named("crlf")
async def _crlf(connection: _Connection, _request: Received) -> None:
    connection.begin()
    for line in (connection.encoded("one "), connection.encoded("two"), connection.last()):
        for piece in (line[:-1] + b"\r", b"\n\r", b"\n"):
            connection.body_bytes(piece)
            await asyncio.sleep(0)
    connection.end()


# Routes


async def _chat(connection: _Connection, request: Received) -> None:
    connection.generating = request.path == "/api/generate"
    if connection.generating:
        request.body.setdefault("messages", [{"role": "user", "content": request.body.get("prompt", "")}])
    await _behaviour(request.model)(connection, request)


async def _tags(connection: _Connection, _request: Received) -> None:
    models = [_listed(name) | {"modified_at": "2026-05-10T08:06:48.6Z"} for name in connection.upstream.models]
    connection.reply(200, {"models": models})


async def _show(connection: _Connection, request: Received) -> None:
    name = _short(request.model)
    if name not in connection.upstream.models:
        connection.error(404)
        return
    info = {
        "general.architecture": "llama",
        "general.parameter_count": 8_030_261_248,
        "llama.context_length": _CONTEXT,
        "llama.embedding_length": 4096,
        "tokenizer.ggml.tokens": [],
    }
    usual = {"details": _listed(name)["details"], "model_info": info, "capabilities": ["completion", "tools"]}
    connection.reply(200, connection.upstream.shows.get(name, usual))


async def _ps(connection: _Connection, _request: Received) -> None:
    ollama = connection.upstream
    loaded = ollama.loaded
    if loaded is None:
        asked_for = {_short(request.model) for request in ollama.requests}
        loaded = tuple(name for name in {*ollama.models, *asked_for} if "load" not in name)
    more = {"expires_at": "2026-08-21T18:53:22.1Z", "size_vram": 5_137_025_024, "context_length": 4096}
    connection.reply(200, {"models": [_listed(name) | more for name in loaded]})


async def _embed(connection: _Connection, request: Received) -> None:
    if re.fullmatch(r"status-\d+", _short(request.model)):
        await _behaviour(request.model)(connection, request)
        return
    texts = request.body.get("input", [])
    texts = [texts] if isinstance(texts, str) else texts
    vectors = [[byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]] for text in texts]
    figures = {"total_duration": 14_143_917, "load_duration": 1_019_500, "prompt_eval_count": 8}
    connection.reply(200, {"model": request.model, "embeddings": vectors, **figures})


async def _pull(connection: _Connection, request: Received) -> None:
    if request.model == "no-such-model":
        connection.begin()
        connection.body_bytes(b'{"status":"pulling manifest"}\n')
        connection.body_bytes(b'{"error":"pull model manifest: file does not exist"}\n')
        connection.end()
        return
    layer: dict[str, Any] = {"status": "pulling dde5aa3fc5ff", "digest": "sha256:dde5aa3fc5ff", "total": 2_019_377_376}
    steps: list[dict[str, Any]] = [{"status": "pulling manifest"}, layer]
    steps += [layer | {"completed": layer["total"] // 4 * part} for part in (1, 2, 3, 4)]
    steps += [{"status": status} for status in ("verifying sha256 digest", "writing manifest", "success")]
    connection.begin()
    for step in steps:
        connection.body_bytes(json.dumps(step).encode() + b"\n")
        await asyncio.sleep(0)
    connection.end()


async def _version(connection: _Connection, _request: Received) -> None:
    connection.reply(200, {"version": "0.24.1"})


_ROUTES: dict[tuple[str, str], Callable[[_Connection, Received], Awaitable[None]]] = {
    ("POST", "/api/chat"): _chat,
    ("POST", "/api/generate"): _chat,
    ("GET", "/api/tags"): _tags,
    ("POST", "/api/show"): _show,
    ("GET", "/api/ps"): _ps,
    ("POST", "/api/embed"): _embed,
    ("POST", "/api/pull"): _pull,
    ("GET", "/api/version"): _version,
}


def _short(name: str) -> str:
    return name.removesuffix(":latest")


def _listed(name: str) -> dict[str, Any]:
    """Return what is told of a model in every list. It is known by its full name, as in Ollama."""
    full = name if ":" in name else f"{name}:latest"
    details = {"parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"]}
    return {
        "name": full,
        "model": full,
        "size": 5_137_025_024,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": details | {"parameter_size": "8.0B", "quantization_level": "Q4_0"},
    }


async def _main(port: int) -> None:
    async with FakeOllama(port=port) as ollama:
        print(ollama.base_url, flush=True)  # noqa: T201 - what starts this as a process reads it
        await for_ever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
