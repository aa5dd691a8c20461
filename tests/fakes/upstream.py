"""This module is a real OpenAI-compatible model server for tests.

    async with FakeUpstream() as upstream:
        ...  # call upstream.base_url with model "reset-after-3"
        await upstream.connected("reset-after-3")

    PYTHONPATH=tests python -m fakes.upstream PORT    # as a process of its own; GET /_requests tells what came

A model's name says how it behaves: `fakes.upstream_models` has them all.
"""

import asyncio
import re
import sys
from collections.abc import Callable
from typing import Any, Self

from fakes.upstream_connection import Connection, Received, for_ever
from fakes.upstream_models import behaviour

__all__ = ["FakeUpstream", "OpenAIConnection"]


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
        self.live: set[Connection] = set()
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self.live)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; after `stop` on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: OpenAIConnection(self), "127.0.0.1", self.port, backlog=1024, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and break all connections."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self.live):
            connection.reset()
        await self.until(lambda: not self.live)

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


class OpenAIConnection(Connection):
    """One connection, answered at the paths of OpenAI's API."""

    upstream: FakeUpstream

    async def answer(self, request: Received) -> None:
        key = self.upstream.key
        if key is not None and request.headers.get("authorization") != f"Bearer {key}":
            self.error(401)
        elif request.path.endswith("/models"):
            self.list_models()
        elif request.path.endswith("/chat/completions"):
            await behaviour(request.model)(self, request)
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
        """Answer with vectors of two numbers, the text's length and its place; never, or refused, as the name says."""
        if request.model == "silent":
            await for_ever()
        refusing = re.fullmatch(r"(status|tells|slow)-\d+", request.model)
        if refusing:
            await behaviour(request.model)(self, request)
            return
        texts = request.body["input"]
        # the order does not matter, the index does
        data = [{"object": "embedding", "index": at, "embedding": [len(each), at]} for at, each in enumerate(texts)]
        self.reply(200, {"object": "list", "data": data[::-1], "usage": {"prompt_tokens": 7, "total_tokens": 7}})


async def _main(port: int) -> None:
    async with FakeUpstream(port=port) as upstream:
        print(upstream.base_url, flush=True)  # noqa: T201 - what starts this as a process reads it
        await for_ever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
