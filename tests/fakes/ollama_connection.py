"""This module writes what Ollama says, for `fakes.ollama`."""

import json
from collections.abc import Callable
from typing import Any, Protocol

from fakes.upstream_connection import Connection, Received, Server

__all__ = ["FIGURES", "HEAD", "OllamaConnection", "OllamaServer"]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
_ERRORS = {
    400: "Unknown parameter: 'foo'.",
    401: "unauthorized: Incorrect API key provided: sk-abcdefghijklmnop.",
    429: "Rate limit reached.",
    500: "The server had an error.",
    503: "server busy, please try again.  maximum pending requests exceeded",
}
FIGURES: dict[str, Any] = {
    "total_duration": 4_883_583_458,
    "load_duration": 1_334_875,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 350_000_000,
    "eval_count": 5,
    "eval_duration": 50_000_000,
}


class OllamaServer(Server, Protocol):
    """What behaviours may ask their server besides."""

    def asked(self, path: str) -> list[Received]:
        """Return the look-ups on this path, in order."""

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until this holds."""


class OllamaConnection(Connection):
    """One connection, in Ollama's words: what behaviours are made of."""

    upstream: OllamaServer
    ERROR = b'{"error":"an error was encountered while running the model: CUDA error: out of memory"}\n'
    GARBAGE = b"<html>502 Bad Gateway</html>\n"
    generating = False
    """Whether this answers `/api/generate`."""

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
        self.write(HEAD)

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
        return self.encoded(done=True, done_reason=reason, **FIGURES)

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
