"""This module reads what a GGUF file says of itself, without loading it.

Source: ggml's `docs/gguf.md`, versions 2 and 3, little-endian. Only the beginning is read: the writers put what is
asked for here before the vocabulary, whose 100,000 words would take longer than all the rest.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["Gguf", "read"]

_MAX_BYTES = 1024 * 1024  # before the vocabulary there are some 2 kB, and no more than a licence's text
_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MAX_KEYS = 10_000
_STRING, _ARRAY = 8, 9
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_VOCABULARY = "tokenizer."


class Gguf(msgspec.Struct, frozen=True, kw_only=True):
    """A GGUF file. `context_length` is what the model was made for, in tokens; None where it is not told.

    `unfit` says why it cannot answer in a chat; None where it may.
    """

    context_length: int | None = None
    unfit: str | None = None


class _Short(Exception):
    """What was read ends here."""


def read(path: Path) -> Gguf:
    """Return what the file says of itself. Blocks; reads 1 MiB at most. Raises `OSError`."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    if data[:4] != _MAGIC:
        return Gguf(unfit="it is no GGUF file")
    try:
        version, _, keys = struct.unpack_from("<IQQ", data, len(_MAGIC))
    except struct.error:
        return Gguf(unfit="it is cut off")
    if version not in _VERSIONS:
        return Gguf(unfit="it is a GGUF file of a version that llama.cpp does not read")
    return _judge(dict(_metadata(data, min(keys, _MAX_KEYS))))


def _judge(said: dict[str, Any]) -> Gguf:
    architecture = said.get("general.architecture")
    if not isinstance(architecture, str):
        return Gguf(unfit="it does not name its architecture")
    if said.get("general.type", "model") != "model" or architecture == "clip":
        return Gguf(unfit="it is a part for other models, and no model itself")
    if said.get(f"{architecture}.pooling_type"):
        return Gguf(unfit="it makes vectors of texts, and no answers")
    length = said.get(f"{architecture}.context_length")
    return Gguf(context_length=length if isinstance(length, int) and length > 0 else None)


def _metadata(data: bytes, count: int) -> Iterator[tuple[str, Any]]:
    """Yield keys with their values up to the vocabulary, or as far as the data go."""
    cursor = _Cursor(data, struct.calcsize("<4sIQQ"))
    try:
        for _ in range(count):
            key = cursor.string()
            if key.startswith(_VOCABULARY):
                return
            yield key, cursor.value(cursor.number("I"))
    except (_Short, UnicodeDecodeError):
        return


class _Cursor:
    """A place in the data. What is beyond their end, or makes no sense, raises `_Short`."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    def number(self, code: str) -> Any:
        """Return the number of this type, in the letters of `struct`."""
        (value,) = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))
        return value

    def string(self) -> str:
        """Return the text."""
        return self._take(self.number("Q")).decode()

    def value(self, kind: int) -> Any:
        """Return a value of this type; an array is passed over."""
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self._pass_array()
        if kind not in _NUMBERS:
            raise _Short
        return self.number(_NUMBERS[kind])

    def _pass_array(self) -> None:
        kind, count = self.number("I"), self.number("Q")
        if kind in _NUMBERS:
            self._take(count * struct.calcsize(f"<{_NUMBERS[kind]}"))
        elif kind == _STRING:
            for _ in range(min(count, len(self._data))):
                self.string()
        else:
            raise _Short  # arrays of arrays are not in use

    def _take(self, size: int) -> bytes:
        start, end = self._at, self._at + size
        if end > len(self._data):
            raise _Short
        self._at = end
        return self._data[start:end]
