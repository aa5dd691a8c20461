"""This module is the port between the one loop that follows runs and the server that holds the connections."""

from collections.abc import Callable
from typing import Protocol

__all__ = ["SCOPE_KEY", "Sink"]

SCOPE_KEY = "headrace.sink"
"""Where the server puts the connection's sink in the ASGI scope's `extensions`."""


class Sink(Protocol):
    """A connection whose response head has been sent: what is written goes out at once, without copy or queue."""

    @property
    def paused(self) -> bool:
        """Whether the reader is behind: more was written than the transport's buffer likes to hold."""
        ...

    @property
    def closed(self) -> bool:
        """Whether the reader is gone. Writing then does nothing."""
        ...

    def attach(self, resumed: Callable[[], None], gone: Callable[[], None]) -> None:
        """Ask to be told when the reader has caught up after a pause, and when it is gone."""
        ...

    def detach(self) -> None:
        """Ask to be told nothing any more."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes of the response's body as one piece, at once. Never empty."""
        ...

    def abort(self) -> None:
        """Cut the connection without sending what waits in the buffer."""
        ...
