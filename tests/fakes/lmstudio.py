"""This module is an LM Studio for tests: a list of models that only it has, one of which makes vectors.

async with FakeLMStudio() as lmstudio:
    ...  # lmstudio.port
"""

import asyncio

from fakes.upstream import FakeUpstream, OpenAIConnection
from fakes.upstream_connection import Received

__all__ = ["FakeLMStudio"]

_EMBEDDING = "text-embedding-nomic-embed-text-v1.5"


class FakeLMStudio(FakeUpstream):
    """The server: an async context manager. Its answers are those of `fakes.upstream`. `old` is one before 0.3.6."""

    def __init__(self, *, models: tuple[str, ...] = ("text",), old: bool = False) -> None:
        super().__init__(owned_by="organization_owner", models=(_EMBEDDING, *models))
        self.old = old

    async def start(self) -> None:
        """Listen; after `stop` on the same port again."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Studio(self), "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]


class _Studio(OpenAIConnection):
    upstream: FakeLMStudio

    async def answer(self, request: Received) -> None:
        if request.path.startswith("/v1/"):
            await super().answer(request)
        elif request.path == "/api/v0/models" and not self.upstream.old:
            kinds = {_EMBEDDING: "embeddings"}
            data = [
                {"id": name, "object": "model", "type": kinds.get(name, "llm"), "state": "not-loaded"}
                for name in self.upstream.models
            ]
            self.reply(200, {"object": "list", "data": data})
        else:
            self.reply(200, {"error": f"Unexpected endpoint or method. ({request.method} {request.path})"})
