"""This module reads single headers of a request, where a turn needs two or three of them.

Starlette's `Headers` costs 2 us for each that is asked for, and twice that for one that is not there.
"""

from starlette.requests import Request

__all__ = ["header_of"]


def header_of(request: Request, name: bytes) -> str | None:
    """Return the first header of this name, which is in small letters; None where there is none."""
    for known, value in request.scope["headers"]:
        if known == name:
            said: str = value.decode("latin-1")
            return said
    return None
