"""This module is the port that the stream encoder of every format fills."""

from collections.abc import Sequence
from typing import Protocol

__all__ = ["ReplyEncoder", "StreamEncoder"]


class StreamEncoder(Protocol):
    """One reader's stream in one format: journal entries (`native.encode`) in, bytes for the wire out.

    What is returned is whole frames, to be written in one go. The order of calls: `skip` with the entries that the
    reader has already (if any), `start` once, then `encode` with all the rest in order and `keepalive` in between.
    """

    @property
    def content_type(self) -> str:
        """The value of the header `Content-Type`."""
        ...

    def start(self) -> bytes:
        """Return what goes out with the headers, before the first entry; often nothing."""
        ...

    def skip(self, entries: Sequence[bytes]) -> None:
        """Learn from entries that this reader has already, and write nothing."""
        ...

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the frames of these entries, numbered from `seq`; after a terminal entry also the format's end.

        With `merge` runs of adjacent `text` entries are one frame: for a reader that is behind.
        """
        ...

    def keepalive(self) -> bytes:
        """Return bytes that keep an idle connection open and that no client takes for an event; may be empty."""
        ...


class ReplyEncoder(StreamEncoder, Protocol):
    """A stream encoder whose format has answers in one piece, too."""

    def reply(self) -> bytes:
        """Return the whole answer as JSON, or the error where there is none, once `skip` had all entries of the run.

        Raises `ValueError` where the run goes on.
        """
        ...
