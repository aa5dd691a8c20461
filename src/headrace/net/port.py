"""This module is the port that every HTTP transport fills: one request out, one reply in."""

from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Exchange", "Receive", "Transport"]

Receive = Callable[[bytes], None]
"""Takes the body bytes of one read, at once. What it raises ends the exchange."""


class Exchange(Protocol):
    """One request whose reply has begun: its head is here, its body arrives.

    Whoever opened it closes it, in a `finally`.
    """

    @property
    def status(self) -> int:
        """The reply's status, 200 to 599; redirects are not followed."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The reply's headers by lower-case name; repeated ones are joined by a comma."""
        ...

    def receive(self, callback: Receive) -> None:
        """Hand the body to `callback`, one call for each read; what has arrived by now goes to it at once."""
        ...

    async def finished(self) -> None:
        """Return when the whole body has been handed over.

        Raises `ProviderError`: `upstream_closed` where the connection broke or the body is short, `upstream_garbled`
        where it is not HTTP. Raises whatever the callback raised. Has no time limit. Cancelling it closes nothing.
        """
        ...

    async def read(self, limit: int) -> bytes:
        """Return the whole body. Raises as `finished` does, and `upstream_garbled` over `limit` bytes."""
        ...

    def pause(self) -> None:
        """Read no more until `resume`: the upstream feels it. Harmless when repeated."""
        ...

    def resume(self) -> None:
        """Read on. Harmless when repeated."""
        ...

    def close(self) -> None:
        """Close the connection at once unless the reply is complete. Harmless when repeated."""
        ...


class Transport(Protocol):
    """Opens exchanges. Belongs to one event loop. Sends no cookies, follows no redirects, asks for no compression."""

    async def open(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Exchange:
        """Send a request and return when the head of the reply is here.

        Only connecting is bounded in time; the caller bounds the rest. When cancelled, the connection is closed.
        Raises `ProviderError`: `upstream_refused` where no connection can be made, `upstream_closed`,
        `upstream_garbled`; `SettingsError` where the URL or a header cannot be sent.
        """
        ...

    async def close(self) -> None:
        """Close all connections; exchanges in the making are cut."""
        ...
