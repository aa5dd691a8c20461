"""This module is what the engine's child process and its parent say to each other: one line of JSON each way.

The parent writes `Launch` to the child's standard input and keeps it open: its end is the child's end. The child
writes `Listening` or `Failed` to its standard output once the model is loaded, or cannot be.
"""

import msgspec

__all__ = ["Failed", "Launch", "Listening", "decode_launch", "decode_outcome", "encode"]


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """What to load and how. `context` is in tokens for each of `parallel` answers; `key` is asked of every request."""

    path: str
    alias: str
    key: str
    threads: int
    context: int
    parallel: int
    memory_mib: int


class Listening(msgspec.Struct, frozen=True, tag=True):
    """The model is loaded; `url` is the root of the engine's server."""

    url: str


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The model cannot be loaded."""

    error: str


def encode(message: Launch | Listening | Failed) -> bytes:
    """Return the line for a message."""
    return msgspec.json.encode(message) + b"\n"


def decode_launch(line: bytes) -> Launch:
    """Return what the parent said. Raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(line, type=Launch)


def decode_outcome(line: bytes) -> Listening | Failed:
    """Return what the child said. Raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(line, type=Listening | Failed)
