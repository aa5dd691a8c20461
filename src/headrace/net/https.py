"""This module is the client for TLS and for proxies: aiohttp, behind the same port as the fast one."""

import asyncio
import io
import ssl
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp
import yarl

from headrace.core.errors import ProviderError
from headrace.net.body import gather
from headrace.net.origin import Origin, check_headers, check_reply, closed, garbled, parse, refused
from headrace.net.port import Exchange, Receive

__all__ = ["Client"]

_IDLE_S = 30.0
_LARGE = 512 * 1024  # bytes of a request from which on aiohttp is to write it piece by piece
_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
_FAILED = (aiohttp.ClientError, TimeoutError)


class Client:
    """Opens exchanges over TLS, and over a proxy when it is given one; fills `net.port.Transport`.

    Certificates are checked against the system's own (`SSL_CERT_FILE` names others). Nothing is read from `.netrc`.
    """

    def __init__(self, *, connect_timeout_s: float = 5.0, proxy: str | None = None) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._proxy = proxy
        self._tls: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None
        self._live: set[_Exchange] = set()

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Exchange:
        """Send a request and return when the head of the reply is here; see the port."""
        origin = parse(url).origin
        check_headers(headers or {})
        if origin.scheme == "https" and self._tls is None:
            # reading the system's certificates takes up to 100 ms
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        trace = SimpleNamespace(reused=False)
        try:
            try:
                response = await self._request(method, url, headers, body, trace)
            except _DROPPED:
                if not trace.reused:
                    raise
                # a kept connection died as it was used: once more, over a new one
                response = await self._request(method, url, headers, body, trace)
        except _FAILED as error:
            raise _translate(origin, error) from error
        exchange = _Exchange(response, origin, self._live)
        try:
            check_reply(origin, exchange.headers)
        except ProviderError:
            exchange.close()
            raise
        return exchange

    async def close(self) -> None:
        """Close all connections; exchanges in the making are cut."""
        for exchange in tuple(self._live):
            exchange.close()  # aiohttp leaves those who wait for a body waiting
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _new_session(self) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "headrace", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect_timeout_s),
            auto_decompress=False,
            trace_configs=[tracing],
        )

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: bytes, trace: SimpleNamespace
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._new_session()
        return await self._session.request(
            method,
            yarl.URL(url, encoded=True),  # as it is: a signed URL that is quoted anew is another URL
            headers=headers,
            data=body if len(body) < _LARGE else io.BytesIO(body),
            proxy=self._proxy,
            ssl=self._tls or True,
            allow_redirects=False,
            trace_request_ctx=trace,
        )


class _Exchange:
    """A reply that aiohttp reads; fills `net.port.Exchange`. The body comes while `finished` is awaited."""

    def __init__(self, response: aiohttp.ClientResponse, origin: Origin, live: "set[_Exchange]") -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = {
            name.lower(): ", ".join(response.headers.getall(name)) for name in response.headers
        }
        self._live = live
        self._live.add(self)
        self._response = response
        self._origin = origin
        self._deliver: Receive = _drop
        self._flowing = asyncio.Event()
        self._flowing.set()

    def receive(self, callback: Receive) -> None:
        self._deliver = callback

    async def finished(self) -> None:
        """Hand the body over and return at its end; see the port."""
        while piece := await self._next():
            await self._flowing.wait()
            try:
                self._deliver(piece)
            except Exception:
                self.close()
                raise

    async def read(self, limit: int) -> bytes:
        return await gather(self, self._origin, limit)

    def pause(self) -> None:
        self._flowing.clear()

    def resume(self) -> None:
        self._flowing.set()

    def close(self) -> None:
        """Close the connection at once unless the reply is complete."""
        self._live.discard(self)
        connection = self._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()  # without TLS's parting words, which may take seconds
        self._response.close()

    async def _next(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _FAILED as error:
            raise _translate(self._origin, error) from error


def _drop(_piece: bytes) -> None:
    """Take the body of an exchange that has no receiver."""


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _parameters: object) -> None:
    context.trace_request_ctx.reused = True


def _translate(origin: Origin, error: Exception) -> ProviderError:
    why = _refusal(error)
    if why is not None:
        return refused(origin, why)
    if isinstance(error, aiohttp.ClientResponseError):
        return garbled(origin, f"does not speak HTTP as it should ({_brief(error)})")
    if isinstance(error, aiohttp.ClientPayloadError):
        return closed(origin, "closed the connection in mid-answer")
    return closed(origin, f"closed the connection ({_brief(error)})")


def _refusal(error: Exception) -> BaseException | str | None:
    match error:
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return f"the proxy failed ({_brief(error)})"
        case aiohttp.ClientConnectorCertificateError():
            return f"its certificate is not valid ({error.certificate_error})"
        case aiohttp.ClientConnectorError():
            return error.os_error
        case TimeoutError():  # aiohttp's own, of connecting, among them
            return TimeoutError()
        case _:
            return None


def _brief(error: Exception) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())[:200]
