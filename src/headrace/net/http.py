"""This module is the fast HTTP/1.1 client, for servers reached without TLS and without a proxy."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from typing import cast

from headrace.core.errors import ProviderError, SettingsError
from headrace.net.connection import Connection, Reply
from headrace.net.origin import Origin, Target, check_headers, check_reply, closed, parse, refused
from headrace.net.port import Exchange

__all__ = ["Client"]

_MAX_IDLE = 256
"""Connections to one origin that wait for the next request: a wave of streams ends, and the next one needs none anew."""

_HEADS = 256  # requests' heads that are kept: each run sends one of the few that the settings make
_METHODS = frozenset(
    {"DELETE", "GET", "PATCH", "POST", "PUT"}
)  # those whose replies have a body, as the parser expects


class Client:
    """Opens exchanges over plain TCP and keeps connections for the next ones; fills `net.port.Transport`.

    At most 256 connections to one server wait for the next request, `idle_s` each.

    A kept connection may die just as it is used: where it brought no byte of the reply, the request is sent once
    more over a new one.
    """

    def __init__(self, *, connect_timeout_s: float = 5.0, idle_s: float = 30.0) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._idle_s = idle_s
        self._open: set[Connection] = set()
        self._idle: dict[Origin, dict[Connection, asyncio.TimerHandle]] = {}

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Exchange:
        """Send a request and return when the head of the reply is here; see the port."""
        target = parse(url)
        if target.origin.scheme != "http":
            raise SettingsError(f"Only http URLs can be called here, not {url!r}.")
        request = _encode(method, target, headers or {}, body)
        kept = self._take(target.origin)
        if kept is not None:
            reply = kept.ask(request)
            try:
                return await _headed(reply, target.origin)
            except ProviderError:
                if not reply.silent:
                    raise
        connection = await self._connect(target.origin)
        return await _headed(connection.ask(request), target.origin)

    async def close(self) -> None:
        """Close all connections; exchanges in the making are cut."""
        for connection in tuple(self._open):
            connection.fail(closed(connection.origin, "was left: this client is closed"))

    async def _connect(self, origin: Origin) -> Connection:
        connection = Connection(origin, self._keep, self._forget)
        protocol = cast("asyncio.Protocol", connection)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await asyncio.get_running_loop().create_connection(lambda: protocol, origin.host, origin.port)
        except (OSError, UnicodeError) as error:
            raise refused(origin, error) from error
        self._open.add(connection)
        return connection

    def _take(self, origin: Origin) -> Connection | None:
        idle = self._idle.get(origin, {})
        while idle:
            connection, expiry = idle.popitem()  # the youngest: the least likely to be closed by the other side
            expiry.cancel()
            if connection.usable:
                return connection
        return None

    def _keep(self, connection: Connection) -> None:
        idle = self._idle.setdefault(connection.origin, {})
        if len(idle) >= _MAX_IDLE:
            connection.abort()
            return
        idle[connection] = asyncio.get_running_loop().call_later(self._idle_s, connection.abort)

    def _forget(self, connection: Connection) -> None:
        self._open.discard(connection)
        expiry = self._idle.get(connection.origin, {}).pop(connection, None)
        if expiry is not None:
            expiry.cancel()


async def _headed(reply: Reply, origin: Origin) -> Reply:
    try:
        await reply.head()
        check_reply(origin, reply.headers)
    except BaseException:
        reply.close()
        raise
    return reply


def _encode(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    return b"%bContent-Length: %d\r\n\r\n%b" % (_head(method, target, tuple(headers.items())), len(body), body)


@lru_cache(_HEADS)
def _head(method: str, target: Target, headers: tuple[tuple[str, str], ...]) -> bytes:
    """Return the head without its end and the body's length: the same for all turns that one provider answers."""
    if method not in _METHODS:
        raise SettingsError(f"Not a method that can be sent: {method!r}.")
    check_headers(dict(headers))
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.origin.authority}",
        "User-Agent: headrace",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("ascii")
