"""This module takes the requests that start runs past the framework: 0.4 ms of CPU each, a tenth of a turn.

FastAPI's layers, its search for the route and its taking apart of the request cost as much as a hundred tokens. So the
few routes that every answer begins with are looked up here, in one dictionary. What is not as it should be in such a
request (a wrong type, a missing field, no JSON) takes the usual way, and is told so by the same words as everywhere.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.doors.errors import answer_to

__all__ = ["Direct", "Endpoint", "Route"]

Endpoint = Callable[[Request, str], Awaitable[Response | None]]
"""Takes the request and what stands in the path's place; None: let the framework answer."""


class Route(NamedTuple):
    """A POST to `before`, one segment, `after`; with `after` empty, to `before` itself."""

    before: str
    after: str
    endpoint: Endpoint


class Direct:
    """A pure ASGI wrapper: calls its own routes and hands everything else on, with `send` untouched."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route]) -> None:
        self._app = app
        self._endpoints = {(route.before, route.after): route.endpoint for route in routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["method"] == "POST":
            endpoint, place = self._find(scope["path"])
            if endpoint is not None:
                scope["app"] = self._app
                heard = _Heard(receive)
                response = await _answer(endpoint, _Request(scope, heard.receive), place)
                if response is not None:
                    await response(scope, receive, send)
                    return
                receive = heard.again
        await self._app(scope, receive, send)

    def _find(self, path: str) -> tuple[Endpoint | None, str]:
        found = _PLACE.fullmatch(path)
        if found is not None:
            before, place, after = found.groups()
            endpoint = self._endpoints.get((before, after))
            if endpoint is not None:
                return endpoint, place
        return self._endpoints.get((path, "")), ""


async def _answer(endpoint: Endpoint, request: Request, place: str) -> Response | None:
    try:
        return await endpoint(request, place)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    except Exception as error:  # noqa: BLE001  the last resort, as the framework's is
        return answer_to(error, request.scope["path"])


class _Request(Request):
    """Starlette's own, whose body is read in plain calls: a generator and its closing cost 25 us."""

    async def body(self) -> bytes:
        """Return the body. Raises `ClientDisconnect`."""
        if not hasattr(self, "_body"):
            pieces: list[bytes] = []
            more = True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                more = message.get("more_body", False)
            self._stream_consumed = True
            self._body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return self._body


class _Heard:
    """Keeps what came of the body, so that it can be heard again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def receive(self) -> Message:
        message = await self._receive()
        self._messages.append(message)
        return message

    async def again(self) -> Message:
        return self._messages.pop(0) if self._messages else await self._receive()


_PLACE = re.compile(r"(/.+?/)([0-9]{1,19})(/[a-z]+)")
