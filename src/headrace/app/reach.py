"""This module judges how a server can be reached: where it listens, under which names, from whose pages."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

from headrace.app.sections import Server
from headrace.core.errors import SettingsError
from headrace.doors.gate import Names
from headrace.net.origin import Origin, parse

__all__ = ["check", "check_listening", "names_of", "url_of"]

_ANY = "*"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# a name or an IPv4 address; an IPv6 address is told by its colons
_HOST = re.compile(r"(?!-)[A-Za-z0-9._-]{1,253}")


def check(key: str, value: Any, where: str) -> None:
    """Raise `SettingsError` where a key of `[server]` has a value of the right type that means nothing there."""
    judge = _JUDGES.get(key)
    for one in value if isinstance(value, tuple) else (value,):
        if judge is not None and one is not None:
            judge(one, where)


def check_listening(server: Server) -> None:
    """Raise `SettingsError` where other machines can reach the server, and nobody has to say who they are."""
    if not server.access and not _is_loopback(server.host):
        raise SettingsError(
            f"Other machines can reach {server.host or 'every address of this one'}, and access control is off: whoever "
            "comes may read and write everything. Set `access = true` in [server] (HEADRACE_SERVER_ACCESS=true), or "
            "listen on 127.0.0.1, ::1 or localhost."
        )


def url_of(server: Server, *, host: str | None = None, port: int | None = None) -> str:
    """Return where people find the server, without a slash at its end.

    `host` and `port` are where it listens, unless that is as the settings say.
    """
    if server.public_url is not None:
        return server.public_url.rstrip("/")
    host = server.host if host is None else host
    if _is_everywhere(host):
        host = "localhost"  # that no address is one to call
    port = server.port if port is None else port
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names_of(server: Server) -> Names:
    """Return under which names the server is called, and from where."""
    hosts = {*_LOOPBACK, server.host, *server.allowed_hosts}
    if server.public_url is not None:
        hosts.add(parse(server.public_url).origin.host)
    return Names(
        hosts=frozenset(host.lower().removesuffix(".") for host in hosts),
        any_address=_is_everywhere(server.host),
        origins=frozenset(server.allowed_origins),
        proxies=tuple(map(ipaddress.ip_network, server.trusted_proxies)),
        https=server.public_url is not None and server.public_url.startswith("https:"),
    )


def _check_public_url(url: str, where: str) -> None:
    origin = _origin_of(url, where)
    if url.removesuffix("/").lower() not in {
        f"{origin.scheme}://{origin.authority}",
        f"{origin.scheme}://{origin.address}",
    }:
        raise SettingsError(f"{where}: expected a server without a path, as https://chat.example, not {url!r}")


def _check_host(host: str, where: str) -> None:
    if host == _ANY:
        return
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if not _HOST.fullmatch(host):
            raise SettingsError(
                f"{where}: expected names or addresses, as `chat.example`, without a port, or `*`, not {host!r}"
            ) from None


def _check_origin(text: str, where: str) -> None:
    origin = _origin_of(text, where)
    if text != f"{origin.scheme}://{origin.authority}":  # compared letter by letter with what browsers send
        raise SettingsError(
            f"{where}: expected origins as browsers write them, as `https://tools.example`: in small letters, without a "
            f"path, a slash at the end or the scheme's own port, not {text!r}"
        )


def _check_network(network: str, where: str) -> None:
    try:
        ipaddress.ip_network(network)
    except ValueError:
        raise SettingsError(
            f"{where}: expected addresses or networks, as `127.0.0.1` or `10.0.0.0/8`, not {network!r}"
        ) from None


def _origin_of(url: str, where: str) -> Origin:
    try:
        return parse(url).origin
    except SettingsError as error:
        raise SettingsError(f"{where}: {error.message}") from error


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_everywhere(host: str) -> bool:
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


_JUDGES: Mapping[str, Callable[[str, str], None]] = {
    "public_url": _check_public_url,
    "allowed_hosts": _check_host,
    "allowed_origins": _check_origin,
    "trusted_proxies": _check_network,
}
