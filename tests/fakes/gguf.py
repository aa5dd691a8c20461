"""This module writes the beginning of GGUF files: enough to be told apart, and nothing that an engine could load."""

import struct
from collections.abc import Mapping
from typing import Any

__all__ = ["MODEL", "gguf"]

MODEL = {"general.architecture": "llama", "llama.context_length": 2048}
"""What a model for chats says of itself, at least."""


def gguf(said: Mapping[str, Any] = MODEL, *, version: int = 3) -> bytes:
    """Return a GGUF file without tensors. Values are strings, integers, floats, booleans, lists of one of these."""
    head = b"GGUF" + struct.pack("<IQQ", version, 0, len(said))
    return head + b"".join(_string(key) + _typed(value) for key, value in said.items())


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _typed(value: Any) -> bytes:
    kind, data = _value(value)
    return struct.pack("<I", kind) + data


def _value(value: Any) -> tuple[int, bytes]:
    match value:
        case bool():
            return 7, struct.pack("<?", value)
        case int():
            return 4, struct.pack("<I", value)
        case float():
            return 6, struct.pack("<f", value)
        case str():
            return 8, _string(value)
        case list():
            kinds, items = zip(*map(_value, value), strict=True)
            return 9, struct.pack("<IQ", kinds[0], len(items)) + b"".join(items)
        case _:
            raise TypeError(value)
