"""This module stands before all doors: under which name the server is called, from whose page, and by whom.

It is a pure ASGI wrapper, and decides by the bytes of the request as they came: no URL is put together to be judged,
and nothing is looked up for a token of a stream. What is let in has its `Principal` in the scope.
"""

import ipaddress
import re
from http.cookies import CookieError, SimpleCookie

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.access.access import Access
from headrace.access.limits import Limits
from headrace.core.errors import BadRequest, Forbidden, HeadraceError, Unauthorized
from headrace.core.principal import LOCAL, Principal
from headrace.doors import page
from headrace.doors.errors import answer_to

__all__ = ["ANY_HOST", "COOKIE", "PRINCIPAL_KEY", "Gate", "Names"]

COOKIE = "headrace_session"
"""The cookie of a browser that is signed in."""

PRINCIPAL_KEY = "headrace.principal"
"""Where the scope has who calls; it is missing on an open path where nobody said so."""

ANY_HOST = "*"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_OPEN = frozenset({"/health", "/ready", "/api/v1/session"})
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_SECRET = 512  # bytes of a header: what is longer is no credential of ours
_REMEMBERED = 256


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Under which names the server is called. `hosts` are in small letters, without a port; `*` is any.

    With `any_address` every IP address will do: the server listens on all of them, and a page of somebody else's has a
    name. `origins` are pages of others, as browsers write them. `proxies` are believed about the scheme.
    """

    hosts: frozenset[str]
    any_address: bool = False
    origins: frozenset[str] = frozenset()
    proxies: tuple[Network, ...] = ()
    https: bool = False


class _Said(msgspec.Struct):
    """What a request's head says that matters here."""

    host: bytes | None = None
    hosts: int = 0
    origin: str | None = None
    bearer: str | None = None
    key: str | None = None
    cookie: str | None = None
    proto: str | None = None


class Gate:
    """Lets requests in, or answers them itself. Pieces of a stream go past it: `send` is handed on as it is."""

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, names: Names) -> None:
        self._app = app
        self._access = access
        self._limits = limits
        self._names = names
        self._judged: dict[bytes, bool] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = _heard(scope)
        try:
            self._check_host(said)
            foreign = self._check_origin(scope, said)
        except HeadraceError as error:
            await answer_to(error, scope["path"])(scope, receive, send)
            return
        if foreign:
            send = _readable_by(said.origin or "", send)
            if scope["method"] == "OPTIONS":
                await _PREFLIGHT(scope, receive, send)
                return
        try:
            principal = await self._principal(scope, said)
            if principal is not None:
                self._limits.request(principal.user_id)
                scope[PRINCIPAL_KEY] = principal
        except HeadraceError as error:
            await answer_to(error, scope["path"])(scope, receive, send)
            return
        scope["scheme"] = self._scheme(scope, said)
        await self._app(scope, receive, send)

    # Names

    def _check_host(self, said: _Said) -> None:
        host = said.host
        known = self._judged.get(host) if host is not None and said.hosts == 1 else None
        if known is None:
            found = _HOST.fullmatch(host) if host is not None and said.hosts == 1 else None
            if found is None or host is None:
                raise BadRequest("A request has one Host header, a name or an address, and a port if need be.")
            known = self._is_ours(found[1].decode("ascii").lower())
            if len(self._judged) < _REMEMBERED:
                self._judged[host] = known
        if not known:
            raise Forbidden(
                "This server is not called by this name. Use its own, or add the name to `allowed_hosts` in [server].",
                code="host_not_allowed",
            )

    def _is_ours(self, host: str) -> bool:
        names = self._names
        if ANY_HOST in names.hosts:
            return True
        bare = host.strip("[]").removesuffix(".")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return bare in names.hosts
        return names.any_address or str(address) in names.hosts

    def _check_origin(self, scope: Scope, said: _Said) -> bool:
        """Return whether a page of somebody else's calls that may. Raises `Forbidden` for one that may not."""
        origin = said.origin
        if origin is None or self._is_own(origin, scope, said):
            return False
        if origin in self._names.origins:
            return True
        raise Forbidden(
            "A page from elsewhere may not call this server. If it should, add its origin to `allowed_origins` in "
            "[server].",
            code="origin_not_allowed",
        )

    def _is_own(self, origin: str, scope: Scope, said: _Said) -> bool:
        scheme, _, rest = origin.partition("://")
        # where nobody says that we are called by https, a proxy that nobody named may still end TLS for us
        ours = ("https",) if self._scheme(scope, said) == "https" else ("http", "https")
        return scheme in ours and rest.encode("latin-1") == (said.host or b"").lower()

    def _scheme(self, scope: Scope, said: _Said) -> str:
        if self._names.https:
            return "https"
        client = scope.get("client")
        if said.proto == "https" and client is not None and self._names.proxies:
            try:
                address = ipaddress.ip_address(client[0])
            except ValueError:
                return "http"
            if any(address in network for network in self._names.proxies):
                return "https"
        return "http"

    # Who

    async def _principal(self, scope: Scope, said: _Said) -> Principal | None:
        """Return who calls; None on an open path where nobody says so. Raises `Unauthorized`, `Forbidden`."""
        access = self._access
        if not access.on:
            return LOCAL
        secret = said.bearer or said.key
        by_cookie = secret is None
        if by_cookie:
            secret = said.cookie
        is_open = scope["path"] in _OPEN or (scope["method"] in _SAFE and page.is_open(scope["path"]))
        if secret is None:
            if is_open:
                return None
            raise Unauthorized("Say who you are: with `Authorization: Bearer` and a token, or sign in.")
        try:
            principal = access.cached(secret) or await access.known(secret)
        except Unauthorized:
            if is_open:
                return None
            raise
        if by_cookie and scope["method"] not in _SAFE and said.origin is None:
            raise Forbidden(
                "A browser's request that changes something has to say which page it comes from.",
                code="origin_not_allowed",
            )
        return principal


def _heard(scope: Scope) -> _Said:
    said = _Said()
    for name, value in scope["headers"]:
        if name == b"host":
            said.host = value
            said.hosts += 1
        elif name == b"origin":
            said.origin = value.decode("latin-1")
        elif name == b"authorization":
            scheme, _, rest = value[:_MAX_SECRET].partition(b" ")
            # whoever tries another way to say so is not taken for somebody who says nothing
            said.bearer = rest.strip().decode("latin-1") if scheme.lower() == b"bearer" else "?"
        elif name == b"x-api-key":
            said.key = value[:_MAX_SECRET].strip().decode("latin-1")
        elif name == b"cookie":
            said.cookie = said.cookie or _session_in(value.decode("latin-1"))
        elif name == b"x-forwarded-proto":
            said.proto = value.decode("latin-1").rpartition(",")[2].strip().lower()
    return said


def _session_in(header: str) -> str | None:
    if COOKIE not in header:
        return None
    try:
        found = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return None
    return found.value if found is not None else None


def _readable_by(origin: str, send: Send) -> Send:
    """Return a `send` whose answers a page of this origin may read."""
    more = [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", b"*"),
        (b"vary", b"origin"),
    ]

    async def with_origin(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *more]
        await send(message)

    return with_origin


_PREFLIGHT = Response(
    status_code=204,
    headers={
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "*, authorization",
        "access-control-max-age": "600",
    },
)
