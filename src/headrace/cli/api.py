"""This module calls a Headrace server's own API, for commands that are its clients."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from headrace.core.errors import HeadraceError, ProviderError
from headrace.net.port import Exchange, Transport

__all__ = ["Api", "Refused", "Unreachable", "run_path"]

T = TypeVar("T")

_REPLY_LIMIT = 16 * 1024 * 1024
_WHO = "Set HEADRACE_TOKEN to a token of this server; `headrace token create NAME` makes one, where the server's data folder is."


class Refused(HeadraceError):
    """The server answered with an error; `code`, `message` and `details` are its own, `answered` the HTTP status."""

    def __init__(self, message: str, *, code: str, answered: int, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, code=code)
        self.details = dict(details or {})
        self.answered = answered


class Unreachable(HeadraceError):
    """No connection to the server can be made."""

    default_code = "unreachable"


class _Error(msgspec.Struct):
    code: str
    message: str
    details: dict[str, Any] = {}


class _ErrorBody(msgspec.Struct):
    error: _Error


class Api:
    """One server: `url` is its root, as `http://127.0.0.1:8000`; `token` goes along as Bearer, and is never shown."""

    def __init__(self, transport: Transport, url: str, token: str | None = None) -> None:
        self._transport = transport
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that the server answers to a request under `/api/v1`; None where it answers nothing.

        Raises as `ask` does.
        """
        return await self.ask(method, path, Any, body)

    async def ask(self, method: str, path: str, reply: type[T], body: Mapping[str, Any] | None = None) -> T:
        """Return what the server answers to a request under `/api/v1`, as a `reply`; nothing as what JSON's null is.

        Raises `Refused`, also with code `no_headrace` where the answer is none of a Headrace server; `Unreachable`;
        and `ProviderError` where the connection breaks.
        """
        exchange = await self.open(method, path, body)
        try:
            content = await exchange.read(_REPLY_LIMIT)
        finally:
            exchange.close()
        try:
            return msgspec.json.decode(content or b"null", type=reply)
        except msgspec.DecodeError as error:
            raise Refused(
                f"What answers at {self._url} is no Headrace server, or one of another version: {error}",
                code="no_headrace",
                answered=exchange.status,
            ) from error

    async def open(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Exchange:
        """Send a request under `/api/v1` and return when the head of a good reply is here; the caller closes it.

        Raises `Refused` where the status is 400 or above, `Unreachable`, and `ProviderError` where the connection breaks.
        """
        content = b"" if body is None else msgspec.json.encode(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        try:
            exchange = await self._transport.open(
                method, f"{self._url}/api/v1{path}", headers={**self._headers, **kind, **(headers or {})}, body=content
            )
        except ProviderError as error:
            if error.code == "upstream_refused":
                raise Unreachable(
                    f"There is no Headrace server at {self._url}. Start one with `headrace serve`, "
                    "or name another in HEADRACE_URL."
                ) from error
            raise
        if exchange.status < HTTPStatus.BAD_REQUEST:
            return exchange
        try:
            raise _refusal(exchange.status, await exchange.read(_REPLY_LIMIT))
        finally:
            exchange.close()


def run_path(run_id: str) -> str:
    """Return where the run of this id is, below `/api/v1`."""
    return f"/runs/{quote(run_id, safe='')}"


def _refusal(status: int, content: bytes) -> Refused:
    try:
        error = msgspec.json.decode(content, type=_ErrorBody).error
    except msgspec.DecodeError:
        # something between us and the server, as a proxy, has a page of its own
        return Refused(f"The server answered {status}.", code="http_error", answered=status)
    message = f"{error.message} {_WHO}" if status == HTTPStatus.UNAUTHORIZED else error.message
    return Refused(message, code=error.code, answered=status, details=error.details)
