"""This module knows a chunk by its bytes where it differs from those before in nothing but its text.

Almost every token of an answer comes like that: one frame, and in it the same JSON around another text. A text without
escapes stands there as it is, so nothing has to be decoded. What differs in any other way is nobody's but the decoder's.
"""

from collections.abc import Callable

from headrace.formats.sse import MAX_FRAME_BYTES

__all__ = ["Repeat"]

_CONTENT = (b'"content":"', b'"content": "')
_PROBE = "headrace"
_TRIES = 8
"""Patterns that are tried one after the other without one frame that fits: this server's chunks never repeat."""


class Repeat:
    """What the chunks of one answer share. `text_alone` returns the text of a chunk that says nothing else, or ''.

    `open` is for whoever reads the frames to set: whether the last byte before ended a frame, and another may follow.
    """

    __slots__ = ("_after", "_before", "_text_alone", "_tries", "open")

    def __init__(self, text_alone: Callable[[bytes], str]) -> None:
        self._text_alone = text_alone
        self._before = b""
        self._after = b""
        self._tries = 0
        self.open = True

    def text(self, frame: bytes) -> str:
        """Return the text of a frame that is the learned one but for its text; '' for any other, or while not `open`."""
        before, after = self._before, self._after
        if (
            before
            and self.open
            and frame.startswith(before)
            and frame.endswith(after)
            and len(frame) <= MAX_FRAME_BYTES
        ):
            try:
                text = frame[len(before) : -len(after)].decode()
            except UnicodeDecodeError:
                return ""
            # what JSON must escape is either one of these two or not printable
            if text.isprintable() and '"' not in text and "\\" not in text:
                self._tries = 0
                return text
        return ""

    def learn(self, chunk: bytes, text: str) -> None:
        """Take a chunk that said `text` and had nothing else to be told."""
        if self._before:
            if chunk.startswith(self._before[6:]) and chunk.endswith(self._after[:-2]):
                return  # the learned one, with a text that has escapes
            self._before = b""
        if self._tries == _TRIES or not text.isprintable() or b"\n" in chunk or b"\r" in chunk:
            return
        for content in _CONTENT:
            before, found, after = chunk.partition(b'%b%b"' % (content, text.encode()))
            # another string may look the same: whether this one is the text is seen by putting another there
            if found and self._text_alone(b'%b%b%b"%b' % (before, content, _PROBE.encode(), after)) == _PROBE:
                self._tries += 1
                self._before = b"data: %b%b" % (before, content)
                self._after = b'"%b\n\n' % after
                return

    def forget(self) -> None:
        """Know no chunk any more: the last one said something else."""
        self._before = b""
