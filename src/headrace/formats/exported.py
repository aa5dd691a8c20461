"""This module describes a chat that comes out of another program, and what the formats of such exports share."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from headrace.core.errors import CallerError
from headrace.core.messages import Part
from headrace.formats import jsontext

__all__ = ["TITLE_MAX", "BrokenChat", "Chat", "Message", "arrange", "decode_as", "source_id", "to_ms", "to_title"]

T = TypeVar("T")

TITLE_MAX = 200
MESSAGES_MAX = 100_000

_ID_MAX = 200
_YEAR_2100_MS = 4_102_444_800_000


class BrokenChat(CallerError):
    """A chat of an export cannot be read; the message says why."""

    default_code = "broken_chat"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. `parent` is the place of its parent among the chat's messages, before its own; None for a first one."""

    parent: int | None
    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]
    model: str | None = None
    created_at: int | None = None


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """A chat with all its branches. `leaf` is the place of the last message of the branch that was shown.

    `source_id` is the same whenever the same chat is exported. Times are Unix milliseconds, None where not known.
    """

    source_id: str
    title: str | None
    messages: tuple[Message, ...]
    leaf: int | None
    system_prompt: str | None = None
    created_at: int | None = None
    updated_at: int | None = None


def decode_as(kind: type[T], data: msgspec.Raw) -> T:
    """Return the JSON as this type. Raises `BrokenChat`."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BrokenChat(str(error)) from error


def arrange(parents: Mapping[str, str | None], times: Mapping[str, int | None]) -> list[str]:
    """Return the ids so that parents come before their children, and otherwise the older before the newer.

    A parent that is not among the ids is none. Raises `BrokenChat` where messages are their own ancestors, or too many.
    """
    if len(parents) > MESSAGES_MAX:
        raise BrokenChat(f"it has more than {MESSAGES_MAX} messages")
    children: dict[str | None, list[str]] = {}
    for one, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(one)
    order: list[tuple[int, int, str]] = []
    waiting = [(one, 0) for one in reversed(children.get(None, []))]
    while waiting:
        one, earliest = waiting.pop()
        at = max(times.get(one) or 0, earliest)
        order.append((at, len(order), one))
        waiting.extend((child, at) for child in reversed(children.get(one, [])))
    if len(order) != len(parents):
        raise BrokenChat("its messages go in a circle")
    return [one for _, _, one in sorted(order)]


def to_ms(value: Any) -> int | None:
    """Return a time as Unix milliseconds, whichever unit it has; None for what is no time."""
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    # seconds, milli-, micro- or nanoseconds: the largest unit that is no nonsense
    candidates = (number * 1000, number, number / 1000, number / 1_000_000)
    return next((int(each) for each in candidates if each < _YEAR_2100_MS), None)


def to_title(value: Any) -> str | None:
    """Return a title that can be kept; None for what is none."""
    title = " ".join(jsontext.mend(value).split()) if isinstance(value, str) else ""
    return title[:TITLE_MAX] or None


def source_id(program: str, ids: Sequence[Any], digest: str) -> str:
    """Return the first of the ids that is one, with the program's name; without any, what stands for the content."""
    own = next((one for one in ids if isinstance(one, str) and 0 < len(one) <= _ID_MAX and one.isprintable()), None)
    return f"{program}:{own if own is not None else digest}"
