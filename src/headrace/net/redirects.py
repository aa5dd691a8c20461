"""This module follows redirects by rules: few of them, never from https to http, a secret only where it belongs."""

from collections.abc import Callable, Mapping
from urllib.parse import urljoin

import msgspec

from headrace.core.errors import SettingsError
from headrace.net.origin import Origin, garbled, parse
from headrace.net.port import Exchange, Transport

__all__ = ["MAX_REDIRECTS", "Secret", "follow"]

MAX_REDIRECTS = 8
"""A hub needs two or three; more is a circle."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})

Passed = Callable[[Origin, Mapping[str, str]], None]
"""Told of each redirect: who sent it, and its headers."""


class Secret(msgspec.Struct, frozen=True):
    """A bearer token, and the one server (scheme, host and port) that may see it."""

    origin: Origin
    token: str


async def follow(
    transport: Transport,
    url: str,
    *,
    headers: Callable[[], Mapping[str, str]],
    secret: Secret | None = None,
    passed: Passed | None = None,
) -> tuple[Origin, Exchange]:
    """Ask for a URL with GET, follow redirects, and return the first reply that is none, and who sent it.

    `headers` is called for each request, after `passed` was told of the redirect before it: what a redirect says may
    change what is asked next. The caller closes the exchange. Raises as `Transport.open` does, and `ProviderError`
    `upstream_garbled` where a redirect leads nowhere, from https to http, or on and on.
    """
    origin = parse(url).origin
    for _ in range(1 + MAX_REDIRECTS):
        exchange = await transport.open("GET", url, headers={**headers(), **_authorization(origin, secret)})
        if exchange.status not in _REDIRECTS:
            return origin, exchange
        exchange.close()
        if passed is not None:
            passed(origin, exchange.headers)
        url = _next(origin, url, exchange.headers.get("location"))
        origin = parse(url).origin
    raise garbled(origin, f"redirects more than {MAX_REDIRECTS} times")


def _authorization(origin: Origin, secret: Secret | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {secret.token}"} if secret is not None and secret.origin == origin else {}


def _next(origin: Origin, url: str, location: str | None) -> str:
    if not location:
        raise garbled(origin, "redirects without saying where")
    try:
        target = urljoin(url, location)
        scheme = parse(target).origin.scheme
    except (SettingsError, ValueError) as error:
        # the address itself is not shown: a redirect may carry a signature
        raise garbled(origin, "redirects to what is not a URL") from error
    if origin.scheme == "https" and scheme != "https":
        raise garbled(origin, "redirects from https to http, which is not followed")
    return target
