r"""This module reads and writes JSON that holds any text, also halves of surrogate pairs.

A model's server may cut an emoji in two and send each half as an escape (`\ud83d`): that is JSON (RFC 8259, 8.2),
but no UTF-8, and msgspec refuses it. So the fast way is tried first, and the standard library takes what it refuses.
"""

import json
from typing import Any

import msgspec

__all__ = ["Halves", "decode", "encode", "encode_ascii", "mend"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: Any) -> bytes:
    """Return the value as compact JSON in UTF-8, or in ASCII escapes where a text in it has halves left alone."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        return _escaped(msgspec.to_builtins(value))


def encode_ascii(value: Any) -> bytes:
    """Return the value as compact JSON in ASCII: nothing in it can be taken for a line end or be cut in two."""
    data = encode(value)
    return data if data.isascii() else _escaped(json.loads(data))


def decode(data: bytes) -> Any:
    """Return what the JSON says. Raises `ValueError` where it is none, is not UTF-8 or is nested too deeply."""
    try:
        return _decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data.decode())
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def mend(text: str) -> str:
    """Return the text with halves that meet made one character, and U+FFFD for those left alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


class Halves:
    """A text that comes in pieces, where a surrogate pair may be cut between two of them."""

    def __init__(self) -> None:
        self._high = ""

    def feed(self, text: str) -> str:
        """Return the next piece with whole characters only; a first half at its end waits for the second."""
        text = self._high + text
        self._high = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return mend(text.removesuffix(self._high))

    def close(self) -> str:
        """Return U+FFFD where a half is left alone, otherwise nothing."""
        left, self._high = mend(self._high), ""
        return left


def _escaped(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
