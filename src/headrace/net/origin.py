"""This module says where a request goes, and what is wrong with the server there."""

import re
import socket
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

import msgspec

from headrace.core.errors import ProviderError, SettingsError

__all__ = ["Origin", "Target", "check_headers", "check_reply", "closed", "garbled", "parse", "refused"]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_UNSENDABLE = re.compile(r"[\r\n\0]")
_URL = re.compile(r"[!-~]+")  # what urlsplit would strip in silence (tabs, line breaks) is refused
_OURS = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_PORTS = {"http": 80, "https": 443}
_KNOWN = 256  # URLs: each run calls one of the few that the settings name


class Origin(msgspec.Struct, frozen=True):
    """A server: connections to it may be used again for it, and for no other."""

    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """`host:port`, as people write it."""
        return f"{self._host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header: without the port where it is the scheme's own."""
        return self._host if self.port == _PORTS[self.scheme] else self.address

    @property
    def _host(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host


class Target(msgspec.Struct, frozen=True):
    """A URL taken apart: the server, and the path with its query as it goes over the wire."""

    origin: Origin
    path: str


@lru_cache(_KNOWN)
def parse(url: str) -> Target:
    """Take an http or https URL apart. Raises `SettingsError` where it cannot be sent as it is."""
    try:
        parts = urlsplit(url) if _URL.fullmatch(url) else None
        port = parts.port if parts else None
    except ValueError:
        parts = port = None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise SettingsError(f"Not a URL that can be called: {url!r}. It must look like http://127.0.0.1:8080/v1.")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"The URL for {parts.hostname} holds a user name or password: give it as api_key instead.")
    origin = Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])
    path = parts.path or "/"
    return Target(origin, f"{path}?{parts.query}" if parts.query else path)


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise `SettingsError` where a header could end the head early, or is one that only the transport may set."""
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise SettingsError(f"Not a header's name: {name!r}.")
        if name.lower() in _OURS:
            raise SettingsError(f"The header {name} cannot be set: it belongs to the connection.")
        if _UNSENDABLE.search(value) or not value.isascii():
            # the value may be a key: it is not shown
            raise SettingsError(f"The value of the header {name} has a line break or a character outside ASCII.")


def check_reply(origin: Origin, headers: Mapping[str, str]) -> None:
    """Raise `upstream_garbled` where the body is compressed: nobody asked for that, and nobody bounds it."""
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise garbled(origin, f"sent its reply as {encoding}, which was not asked for")


def refused(origin: Origin, error: BaseException | str) -> ProviderError:
    """Return the error for a server with which no connection can be made, and why."""
    match error:
        case ConnectionRefusedError():
            why = "nothing listens there"
        case socket.gaierror() | UnicodeError():
            why = f"the name {origin.host} is not known"
        case TimeoutError():
            why = "no answer in time"
        case _:
            why = str(error) or type(error).__name__
    return ProviderError(
        f"Cannot connect to the model server at {origin.address}: {why}. "
        "Check that it is running and that base_url is right.",
        code="upstream_refused",
        address=origin.address,
        reason=why,
    )


def closed(origin: Origin, what: str) -> ProviderError:
    """Return the error for a server that hung up; `what` follows its address, as `closed ...`."""
    return ProviderError(
        f"The model server at {origin.address} {what}. Its own log may say why.",
        code="upstream_closed",
        address=origin.address,
        reason=what,
    )


def garbled(origin: Origin, what: str) -> ProviderError:
    """Return the error for a server that does not speak HTTP as it should; `what` follows its address."""
    return ProviderError(
        f"The model server at {origin.address} {what}. Check that base_url names a model server.",
        code="upstream_garbled",
        address=origin.address,
        reason=what,
    )
