"""This module defines the two forms in which entries lie on the disk.

A *segment* is what all runs appended between two commits: a CRC-32 of the rest (4 bytes, big-endian), then MessagePack
of `[[key, first, [entry, ...]], ...]`. Segments are written on the hot path and live for about a minute. A *chunk* is
consecutive entries of one run: zlib of the entries joined by LF (an entry is JSON, so it holds no LF); zlib's own
checksum guards it.
"""

import zlib
from collections.abc import Sequence

import msgspec

from headrace.core.errors import ServerError

__all__ = ["Piece", "Torn", "decode_chunk", "decode_segment", "encode_chunk", "encode_segment"]

Piece = tuple[int, int, list[bytes]]
"""A run's key, the sequence number of the first entry, and the entries."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Piece]).decode


class Torn(ServerError):
    """What lies on the disk is not what was written; it is never shown."""

    default_code = "journal_damaged"


def encode_segment(pieces: Sequence[Piece]) -> bytes:
    """Return the stored form of what several runs appended."""
    data = _encode(pieces)
    return zlib.crc32(data).to_bytes(4, "big") + data


def decode_segment(data: bytes) -> list[Piece]:
    """Return what `encode_segment` was given. Raises `Torn`."""
    if int.from_bytes(data[:4], "big") != zlib.crc32(data[4:]):
        raise Torn("A segment of the journal is damaged: its checksum does not fit.")
    try:
        return _decode(data[4:])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Torn("A segment of the journal is damaged: it cannot be read.") from error


def encode_chunk(entries: Sequence[bytes]) -> bytes:
    """Return the stored form of consecutive entries of one run. Level 1: a tenth of the time for most of the gain."""
    return zlib.compress(b"\n".join(entries), 1)


def decode_chunk(data: bytes, count: int) -> list[bytes]:
    """Return what `encode_chunk` was given. Raises `Torn`."""
    try:
        entries = zlib.decompress(data).split(b"\n")
    except zlib.error as error:
        raise Torn("A chunk of the journal is damaged: its checksum does not fit.") from error
    if len(entries) != count:
        raise Torn("A chunk of the journal is damaged: it has another number of entries than was written.")
    return entries
