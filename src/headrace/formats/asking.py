"""This module reads the bodies of requests in the formats of others, and names the field that is wrong.

JSON is read strictly: what is no UTF-8, has half an emoji, or is nested too deeply is refused before anything is made
of it.
"""

import re
from typing import Any, TypeVar

import msgspec

from headrace.core.errors import BadField, BadRequest, NotAvailable

__all__ = ["checked", "data_url", "object_in", "refuse", "wrong"]

T = TypeVar("T")

_MAX_DEPTH = 200
"""How deep JSON may be nested: what is kept of it is written and read again by functions that call themselves."""

_decode = msgspec.json.Decoder().decode
_WHERE = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key in )?\$?(?P<path>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\[(\d+|\.\.\.)\]")
_DATA_URL = re.compile(r"data:(image/(?:png|jpeg|webp|gif));base64,([A-Za-z0-9+/]+={0,2})")


def object_in(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body. Raises `BadRequest`."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object.")
    if body.count(b"[") + body.count(b"{") > _MAX_DEPTH and _is_deep(value):
        raise BadRequest(f"The body is nested deeper than {_MAX_DEPTH} levels.")
    return value


def checked(value: Any, kind: type[T], *, field: str = "") -> T:
    """Return the value as a struct of this kind. Raises `BadField`; `field` is the value's own path."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = _WHERE.fullmatch(str(error))
        assert found is not None  # noqa: S101  it matches anything
        path = _STEP.sub(r".\1", found["path"] or "").strip(".")
        raise wrong(".".join(filter(None, (field, path))) or "body", found["what"]) from error


def wrong(field: str, what: str) -> BadField:
    """Return the error of a field that cannot be this."""
    return BadField(f"The field {field!r} cannot be this: {what[:1].lower()}{what[1:].rstrip('.')}.", field=field)


def refuse(field: str, why: str) -> NotAvailable:
    """Return the error of a field that is right, but not to be had here."""
    return NotAvailable(why, field=field)


def data_url(url: str, *, field: str) -> tuple[str, str]:
    """Return media type and base64 of a picture in a `data:` URL.

    Raises `NotAvailable` for a URL that leads elsewhere, as nothing that a client sends is fetched, and `BadField`.
    """
    found = _DATA_URL.fullmatch(url)
    if found is not None:
        return found[1], found[2]
    if not url.startswith("data:"):
        raise refuse(field, "Headrace fetches no pictures: send them in the request, as `data:image/png;base64,...`.")
    raise wrong(field, "a picture is `data:image/png;base64,...`, or jpeg, webp or gif")


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
