"""This module makes text findable in whatever case it is written, on every database alike.

SQLite's own LIKE knows only the letters of ASCII, so what is searched is kept once more, folded.
"""

import unicodedata

__all__ = ["ESCAPE", "fold", "pattern"]

ESCAPE = "\\"
"""The character that takes the meaning from `%` and `_` in a pattern."""

_WILD = str.maketrans({wild: ESCAPE + wild for wild in (ESCAPE, "%", "_")})


def fold(text: str) -> str:
    """Return the text without its case, composed, and without NUL, which ends a text in C."""
    return unicodedata.normalize("NFC", text).casefold().replace("\0", "")


def pattern(query: str) -> str:
    """Return the LIKE pattern that finds the query, letter for letter, anywhere in folded text."""
    return f"%{fold(query).translate(_WILD)}%"
