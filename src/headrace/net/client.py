"""This module chooses how a URL is reached: the fast client, or the one for TLS and proxies."""

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

from headrace.core.errors import SettingsError
from headrace.net import http, https
from headrace.net.origin import Origin, parse
from headrace.net.port import Exchange, Transport

__all__ = ["Client", "proxy_for"]


class Client:
    """Opens exchanges with any http or https server; fills `net.port.Transport`.

    Proxies are those of the environment (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`), read once for each server.
    """

    def __init__(self, *, connect_timeout_s: float = 5.0) -> None:
        self._connect_timeout_s = connect_timeout_s
        self._fast = http.Client(connect_timeout_s=connect_timeout_s)
        self._others: dict[str | None, https.Client] = {}  # by proxy
        self._chosen: dict[Origin, Transport] = {}

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Exchange:
        """Send a request and return when the head of the reply is here; see the port."""
        origin = parse(url).origin
        transport = self._chosen.get(origin)
        if transport is None:
            transport = self._chosen[origin] = self._choose(origin)
        return await transport.open(method, url, headers=headers, body=body)

    async def close(self) -> None:
        """Close all connections; exchanges in the making are cut."""
        await self._fast.close()
        for other in self._others.values():
            await other.close()

    def _choose(self, origin: Origin) -> Transport:
        proxy = proxy_for(origin)
        if proxy is None and origin.scheme == "http":
            return self._fast
        if proxy not in self._others:
            self._others[proxy] = https.Client(connect_timeout_s=self._connect_timeout_s, proxy=proxy)
        return self._others[proxy]


def proxy_for(origin: Origin) -> str | None:
    """Return the proxy that the environment names for this server, as a URL, or None.

    A loopback address is never reached through a proxy: it would be the proxy's own. Raises `SettingsError` where
    the proxy is of a kind that cannot be used.
    """
    proxy = getproxies().get(origin.scheme)
    if not proxy or _is_loopback(origin.host) or proxy_bypass(origin.address):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise SettingsError(
            f"The proxy for {origin.address} in the environment is not an HTTP proxy: add the host to NO_PROXY, "
            f"or name an HTTP proxy in {origin.scheme.upper()}_PROXY."
        )
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
