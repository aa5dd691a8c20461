"""This module is a real Ollama server for tests: the model's name says how it behaves.

    async with FakeOllama(loaded=("text",)) as ollama:
        ...  # call ollama.base_url with model "reset-after-3"
        await ollama.connected("reset-after-3")

    PYTHONPATH=tests python -m fakes.ollama PORT    # as a process of its own; GET /_requests tells what came

A model's name says how it behaves: `fakes.ollama_models` has them all. `/api/generate` behaves as `/api/chat`. `/api/tags`, `/api/show`,
`/api/ps`, `/api/embed`, `/api/pull` and `/api/version` answer as Ollama does.
"""

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fakes.ollama_connection import OllamaConnection
from fakes.ollama_models import behaviour, short
from fakes.upstream import FakeUpstream
from fakes.upstream_connection import Received, for_ever

__all__ = ["FakeOllama"]

_CONTEXT = 131_072


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


class _Connection(OllamaConnection):
    """One connection, and where a request on it goes."""

    upstream: FakeOllama

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


# Routes


async def _chat(connection: _Connection, request: Received) -> None:
    connection.generating = request.path == "/api/generate"
    if connection.generating:
        request.body.setdefault("messages", [{"role": "user", "content": request.body.get("prompt", "")}])
    await behaviour(request.model)(connection, request)


async def _tags(connection: _Connection, _request: Received) -> None:
    models = [_listed(name) | {"modified_at": "2026-05-10T08:06:48.6Z"} for name in connection.upstream.models]
    connection.reply(200, {"models": models})


async def _show(connection: _Connection, request: Received) -> None:
    name = short(request.model)
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
        asked_for = {short(request.model) for request in ollama.requests}
        loaded = tuple(name for name in {*ollama.models, *asked_for} if "load" not in name)
    more = {"expires_at": "2026-08-21T18:53:22.1Z", "size_vram": 5_137_025_024, "context_length": 4096}
    connection.reply(200, {"models": [_listed(name) | more for name in loaded]})


async def _embed(connection: _Connection, request: Received) -> None:
    if re.fullmatch(r"status-\d+", short(request.model)):
        await behaviour(request.model)(connection, request)
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
