"""This module frames server-sent events: bytes to frames, frames to bytes.

Decoding follows the WHATWG HTML standard (9.2.6, "Interpreting an event stream") for every way of cutting the bytes:
LF, CR and CRLF end a line and nothing else does, one leading BOM is dropped, comments and unknown fields are ignored,
the last id stays until the next one, and what the end of the stream leaves unfinished is discarded. The one
difference: `data` stays bytes, so that whoever decodes it decides what bad UTF-8 means. `retry` is not used here.

Encoding uses LF only, one `data: ` line for each line of the data: there are clients that split at LF LF alone.
"""

import msgspec

from headrace.core.errors import ProviderError

__all__ = ["MAX_FRAME_BYTES", "Decoder", "Frame", "comment", "encode"]

MAX_FRAME_BYTES = 16 * 1024 * 1024
"""Enough for a picture as base64 in one event, and little enough that a mad upstream cannot fill the memory."""

_BOM = b"\xef\xbb\xbf"
_USUAL = b"data: "


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One dispatched event. `id` is the last one seen on the stream, empty while there was none."""

    data: bytes
    event: str = "message"
    id: bytes = b""


class Decoder:
    """The frames of one stream, fed its bytes in pieces of any size; time is linear in the bytes.

    `max_frame_bytes` bounds what one frame may hold: its data so far and the line at hand. `between` says that nothing
    is pending: the next byte starts a frame.
    """

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max = max_frame_bytes
        self.between = False
        self._head: bytes | None = b""  # what may become a BOM; None once that is settled
        self._after_cr = False  # an LF now belongs to the line end before it
        self._line = bytearray()
        self._data: list[bytes] = []
        self._size = 0
        self._event = ""
        self._id = b""
        self._failed = False

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that these bytes complete, in order.

        Raises `ProviderError` (`upstream_garbled`) where a frame is larger than the bound, once the frames before it
        have been returned: from the same call when there were none, otherwise from the next.
        """
        if self.between and len(data) <= self._max:
            whole = data.replace(b"\r\n", b"\n") if data.endswith(b"\r\n") else data
            if whole.endswith(b"\n\n") and b"\r" not in whole:
                return self._whole_blocks(whole)
        return self._any_bytes(data)

    def _whole_blocks(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        for block in data[:-2].split(b"\n\n"):
            if block.startswith(_USUAL) and b"\n" not in block:
                frames.append(Frame(block[6:], "message", self._id))
                continue
            for line in block.split(b"\n"):
                self._take(line, frames)
            self._take(b"", frames)
        return frames

    def _any_bytes(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        if not self._failed:
            data = self._without_bom(data)
            if data:
                self._lines(data, frames)
        if self._failed and not frames:
            raise ProviderError(
                f"The model's server sent an event of more than {self._max} bytes. Check the provider's base_url.",
                code="upstream_garbled",
            )
        return frames

    def _without_bom(self, data: bytes) -> bytes:
        if self._head is None:
            return data
        data = self._head + data
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._head = data
            return b""
        self._head = None
        return data.removeprefix(_BOM)

    def _lines(self, data: bytes, frames: list[Frame]) -> None:
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        if len(lines) > 1:
            lines[0] = bytes(self._line) + lines[0]
            self._line.clear()
        rest = lines.pop()
        for line in lines:
            if not self._fits(line):
                return
            self._take(line, frames)
        self._line += rest
        if self._fits(self._line):
            self.between = not (self._line or self._data or self._event or self._after_cr)

    def _fits(self, line: bytes | bytearray) -> bool:
        if self._size + len(line) > self._max:
            self._failed = True
            self.between = False
        return not self._failed

    def _take(self, line: bytes, frames: list[Frame]) -> None:
        if not line:
            self._dispatch(frames)
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif name == b"event":
            self._event = value.decode(errors="replace")
        elif name == b"id" and b"\0" not in value:
            self._id = value

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            frames.append(Frame(b"\n".join(self._data), self._event or "message", self._id))
            self._data.clear()
            self._size = 0
        self._event = ""


def encode(data: bytes, event: str | None = None, id: str | None = None) -> bytes:  # noqa: A002 - the field's own name
    """Return one frame. LF, CR and CRLF in `data` each become a new `data` line, so the reader sees LF for all three.

    Raises `ValueError` where `event` or `id` holds CR, LF or NUL: nothing in them can forge another field.
    """
    head = b""
    if id is not None:
        head += b"id: %b\n" % _one_line(id)
    if event is not None:
        head += b"event: %b\n" % _one_line(event)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return b"%bdata: %b\n\n" % (head, data.replace(b"\n", b"\ndata: "))


def comment(text: str) -> bytes:
    """Return a comment line, which every conforming client ignores.

    No blank line follows: some clients take one for an empty event. Raises `ValueError` where `text` holds CR, LF or
    NUL.
    """
    return b": %b\n" % _one_line(text)


def _one_line(text: str) -> bytes:
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError("CR, LF and NUL cannot stand in one line of an event stream")
    return text.encode()
