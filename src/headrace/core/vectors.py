"""This module describes vectors that stand for texts."""

import msgspec

__all__ = ["Vectors"]


class Vectors(msgspec.Struct, frozen=True, kw_only=True):
    """One vector for each text, in order; `input_tokens` is what was read, None where nobody counted."""

    values: tuple[list[float], ...]
    input_tokens: int | None = None
