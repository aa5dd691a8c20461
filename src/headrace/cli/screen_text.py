r"""This module makes text that others wrote harmless for a terminal.

A model, or whoever wrote what the model read, may write what a terminal takes for a command: escape sequences that
rewrite the screen, fill the clipboard (OSC 52) or answer in the user's name; and the controls of Unicode's
bidirectional algorithm, which show a text in another order than it has ("Trojan Source", CVE-2021-42574). All of them
are shown escaped instead, as `\x1b` or `\u202e`.
"""

import re

__all__ = ["Harmless", "fit", "one_line", "plain", "plain_json"]

# All control characters but the tab and the line feed; embeddings, overrides and isolates of writing direction. Marks
# of direction and joiners stay: Persian and Hebrew are not written without them, and they reorder nothing else.
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_BYTE = 0x100
_ELLIPSIS = "…"


class Harmless:
    """Makes a text harmless that comes in pieces. A line end of CR LF becomes LF, also where it is cut in two."""

    def __init__(self) -> None:
        self._cr = ""

    def feed(self, piece: str) -> str:
        """Return what is to be shown of the text now: all of it, but for a CR at its end."""
        text = self._cr + piece
        self._cr = "\r" if text.endswith("\r") else ""
        return plain(text.removesuffix("\r"))

    def end(self) -> str:
        """Return what is left at the end of the text."""
        left, self._cr = self._cr, ""
        return plain(left)


def plain(text: str) -> str:
    """Return the text with everything escaped that a terminal would take for a command."""
    return _COMMANDS.sub(_escape, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the text as `plain` does, on one line."""
    return plain(text).replace("\n", " ")


def plain_json(text: str) -> str:
    """Return a JSON document that says the same and has nothing in it that a terminal would take for a command."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def fit(text: str, columns: int) -> str:
    """Return the text, or as much of its beginning as surely fits into so many cells, and an ellipsis."""
    text = text[: columns + 1]
    if _cells(text) <= columns:
        return text
    while text and _cells(text) > columns - _cells(_ELLIPSIS):
        text = text[:-1]
    return text + _ELLIPSIS


def _cells(text: str) -> int:
    # what is not ASCII may be one cell wide or two, and that depends on the terminal: it is counted as the wider
    return sum(1 if character.isascii() else 2 for character in text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < _BYTE else f"\\u{number:04x}"
