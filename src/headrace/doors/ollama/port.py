"""This module lets Ollama's API stand alone on a port of its own, where its clients look for it."""

from starlette.types import ASGIApp, Receive, Scope, Send

from headrace.doors.errors import OLLAMA, OPENAI

__all__ = ["OllamaPort"]


class OllamaPort:
    """A pure ASGI wrapper: what comes in by this port is below `/ollama`, but for OpenAI's API, which Ollama has too."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        server = scope.get("server")
        if scope["type"] == "http" and server is not None and server[1] == self._port:
            path = scope["path"]
            if not path.startswith(f"{OPENAI}/"):
                path = OLLAMA + path.rstrip("/")
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)
