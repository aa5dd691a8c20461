"""This module frames NDJSON: one JSON text to a line (`application/x-ndjson`, github.com/ndjson/ndjson-spec).

Only LF ends a line, and a CR before it belongs to the end: U+0085, U+2028 and U+2029 may stand in a JSON string.
"""

from headrace.core.errors import ProviderError

__all__ = ["MAX_LINE_BYTES", "Decoder", "encode"]

MAX_LINE_BYTES = 16 * 1024 * 1024
"""As `sse.MAX_FRAME_BYTES`: enough for a picture in one line."""


class Decoder:
    """The lines of one stream, fed its bytes in pieces of any size; time is linear in the bytes."""

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max = max_line_bytes
        self._line = bytearray()
        self._failed = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that these bytes complete, without their ends; empty lines are skipped.

        Raises `ProviderError` (`upstream_garbled`) where a line is longer than the bound, once the lines before it
        have been returned: from the same call when there were none, otherwise from the next.
        """
        lines: list[bytes] = []
        if not self._failed:
            self._take(data, lines)
        if self._failed and not lines:
            raise self._too_long()
        return lines

    def close(self) -> bytes | None:
        """Return the line that the end of the stream left without its end, or None. Raises as `feed`."""
        if self._failed:
            raise self._too_long()
        line = bytes(self._line).removesuffix(b"\r")
        self._line.clear()
        return line or None

    def _take(self, data: bytes, lines: list[bytes]) -> None:
        whole = data.split(b"\n")
        if len(whole) > 1:
            whole[0] = bytes(self._line) + whole[0]
            self._line.clear()
        rest = whole.pop()
        for line in whole:
            if self._too_big(line):
                return
            if text := line.removesuffix(b"\r"):
                lines.append(text)
        self._line += rest
        self._too_big(self._line)

    def _too_big(self, line: bytes | bytearray) -> bool:
        self._failed = len(line) > self._max
        return self._failed

    def _too_long(self) -> ProviderError:
        return ProviderError(
            f"The model's server sent a line of more than {self._max} bytes. Check the provider's base_url.",
            code="upstream_garbled",
        )


def encode(obj: bytes) -> bytes:
    """Return the line of one JSON text. Raises `ValueError` where it holds a line end, which JSON never needs."""
    if b"\n" in obj or b"\r" in obj:
        raise ValueError("a JSON text of one line cannot hold CR or LF")
    return obj + b"\n"
