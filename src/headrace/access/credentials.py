"""This module makes the secrets that prove who calls, and knows their kinds by their looks."""

import re
import secrets
from collections.abc import Mapping
from typing import Literal

__all__ = ["Kind", "hint", "kind_of", "mint"]

Kind = Literal["token", "session", "invitation"]
"""What a secret is for: a program's calls, a browser that is signed in, a link that signs in once."""

_PREFIXES: Mapping[Kind, str] = {"token": "hr_", "session": "hrs_", "invitation": "hri_"}
_KINDS: Mapping[str, Kind] = {prefix: kind for kind, prefix in _PREFIXES.items()}

_RANDOM_BYTES = 32
# 32 bytes are 42 characters of base64url and 4 bits more, so the last character is one of sixteen.
_SHAPE = re.compile(r"(hr[si]?_)[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")
_LENGTHS = frozenset(len(prefix) + 43 for prefix in _KINDS)
_HINT_CHARACTERS = 8


def mint(kind: Kind) -> str:
    """Return a new secret of a kind: its prefix, `hr_`, `hrs_` or `hri_`, and 256 random bits as 43 characters."""
    return _PREFIXES[kind] + secrets.token_urlsafe(_RANDOM_BYTES)


def kind_of(text: str) -> Kind | None:
    """Return the kind of secret that a text has the shape of, None for every text that `mint` cannot have made.

    It never raises, and costs the same however long the text is.
    """
    if len(text) not in _LENGTHS:  # a caller may send megabytes
        return None
    shape = _SHAPE.fullmatch(text)
    return _KINDS[shape[1]] if shape else None


def hint(secret: str) -> str:
    """Return what of a secret may be shown later: its first 8 characters, at most 30 of its 256 bits."""
    return secret[:_HINT_CHARACTERS]
