"""This module bounds request bodies before they are read."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.core.errors import TooLarge
from headrace.doors.errors import reply_to

__all__ = ["BodyLimit"]


class BodyLimit:
    """A pure ASGI wrapper: a body over `max_bytes` is answered 413, whether its length was announced or not.

    It hands `send` through untouched, so streams do not notice it.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        for name, announced in scope["headers"]:
            if name == b"content-length":
                if announced.isdigit() and int(announced) > self._max_bytes:
                    await reply_to(TooLarge(self._sentence()), scope["path"])(scope, receive, send)
                    return
                break
        await self._app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        total = 0

        async def counted() -> Message:
            nonlocal total
            message = await receive()
            body = message.get("body")
            if body:
                total += len(body)
            if total > self._max_bytes:
                raise HTTPException(413, self._sentence())
            return message

        return counted

    def _sentence(self) -> str:
        return f"The body is larger than {self._max_bytes} bytes (server.max_body_bytes)."
