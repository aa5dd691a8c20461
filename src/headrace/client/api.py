"""This module sends requests to a server's own API and reads its replies."""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from headrace.client.errors import CONNECTION_LOST, Unreachable, garbled, lost, refusal
from headrace.core.errors import BadRequest, ProviderError
from headrace.net.port import Exchange, Transport

__all__ = ["Api", "encode", "query", "run_path"]

T = TypeVar("T")

_REPLY_BYTES = 64 * 1024 * 1024  # a long chat with pictures as base64
_TIMEOUT_S = 60.0  # a stop waits for the run's end, which work beside the run may hold for 5 s


class Api:
    """One server: `url` is its root, as `http://127.0.0.1:8000`; `token` goes along as Bearer."""

    def __init__(self, transport: Transport, url: str, token: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._transport = transport
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def ask(self, method: str, path: str, reply: type[T], body: bytes | None = None) -> T:
        """Return what the server answers to a request under `/api/v1`; an empty body as what JSON's null is.

        Raises the server's error, `Unreachable`, and `ServerError` (`no_headrace`). Takes 60 s at most.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                content = await self._read(await self.open(method, path, body=body))
        except TimeoutError as error:
            raise Unreachable(f"{self.url} did not answer within {_TIMEOUT_S:g} s.", code=CONNECTION_LOST) from error
        try:
            return msgspec.json.decode(content or b"null", type=reply)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise garbled(self.url, error) from error

    async def open(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Exchange:
        """Send a request under `/api/v1` and return when the head of a good reply is here; the caller closes it.

        Raises the server's error and `Unreachable`. Has no time limit.
        """
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {**self._headers, **kind, **(headers or {})}
        try:
            exchange = await self._transport.open(method, f"{self.url}/api/v1{path}", headers=sent, body=body or b"")
        except ProviderError as error:
            raise lost(error, self.url) from error
        if exchange.status < HTTPStatus.MULTIPLE_CHOICES:
            return exchange
        content = await self._read(exchange)
        if exchange.status < HTTPStatus.BAD_REQUEST:
            raise garbled(self.url, f"it answers {exchange.status}, which leads elsewhere")
        raise refusal(exchange.status, exchange.headers, content)

    async def _read(self, exchange: Exchange) -> bytes:
        try:
            return await exchange.read(_REPLY_BYTES)
        except ProviderError as error:
            raise lost(error, self.url) from error
        finally:
            exchange.close()


def encode(fields: Mapping[str, Any]) -> bytes:
    """Return the fields as the JSON of a request; those that are UNSET are left out. Raises `BadRequest`."""
    try:
        return msgspec.json.encode({name: value for name, value in fields.items() if value is not msgspec.UNSET})
    except UnicodeEncodeError as error:
        raise BadRequest("A text holds half of a surrogate pair, which cannot be sent.") from error


def query(**fields: str | float | None) -> str:
    """Return the fields as the query of a URL, with its question mark; those that are None are left out."""
    given = {name: value for name, value in fields.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def run_path(run_id: str) -> str:
    """Return where the run of this id is, below `/api/v1`."""
    return f"/runs/{quote(run_id, safe='')}"
