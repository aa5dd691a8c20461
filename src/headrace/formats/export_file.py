"""This module reads a file of chats that another program exported: which program, it tells from what is in it.

A file is a JSON list of chats, or one chat. Each is taken by itself, so that one that is broken spoils no other.
"""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import msgspec

from headrace.core.errors import CallerError
from headrace.formats import export_chatgpt, export_open_webui, jsontext
from headrace.formats.exported import BrokenChat, Chat, to_title

__all__ = ["Broken", "NoExport", "read"]

_CHAT_BYTES = 256 * 1024 * 1024
_MENDABLE_BYTES = 512 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"


class NoExport(CallerError):
    """The file is no export of a program that is known."""

    default_code = "no_export"


class Broken(msgspec.Struct, frozen=True):
    """A chat that cannot be read: its title, or its number in the file, and why."""

    title: str
    reason: str


class _Clues(msgspec.Struct):
    """What tells the programs apart, and what a broken chat is called."""

    mapping: msgspec.Raw = msgspec.Raw()
    chat: msgspec.Raw = msgspec.Raw()
    history: msgspec.Raw = msgspec.Raw()
    messages: msgspec.Raw = msgspec.Raw()
    title: msgspec.Raw = msgspec.Raw()


def read(data: memoryview) -> Iterator[Chat | Broken]:
    """Yield the chats of a file in order. Raises `NoExport`, also where not one of them is of a known program."""
    seen = known = 0
    for item in _items(data):
        seen += 1
        clues = _clues(item)
        decode = _decoder(clues)
        known += decode is not _unknown
        try:
            if len(memoryview(item)) > _CHAT_BYTES:
                decode = _too_large
            yield decode(item)
        except BrokenChat as error:
            yield Broken(_title(clues) or f"chat {seen} of the file", error.message)
    if seen and not known:
        raise NoExport("No chat in this file is of a program that is known: Open WebUI or ChatGPT.")


def _items(data: memoryview) -> Iterator[msgspec.Raw]:
    if bytes(data[:3]) == _BOM:
        data = data[3:]
    begin = bytes(data[:4096]).lstrip(_SPACE)[:1]
    try:
        if begin == b"[":
            yield from msgspec.json.decode(data, type=list[msgspec.Raw])
        elif begin == b"{":
            yield msgspec.json.decode(data, type=msgspec.Raw)
        else:
            raise NoExport("This file is no export of chats: it is no list in JSON.")
    except (msgspec.DecodeError, RecursionError) as error:
        yield from _mended_items(data, error)


def _mended_items(data: memoryview, problem: Exception) -> Iterator[msgspec.Raw]:
    """Yield the items of JSON with halves of surrogate pairs, as JavaScript's strings may have them."""
    if len(data) > _MENDABLE_BYTES:
        raise NoExport(f"This file is not JSON: {problem}.") from problem
    try:
        found = jsontext.decode(bytes(data))
        for item in found if isinstance(found, list) else [found]:
            yield msgspec.Raw(msgspec.json.encode(_mended(item)))
    except (ValueError, RecursionError) as error:
        raise NoExport(f"This file is not JSON that can be read: {error}.") from error


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return jsontext.mend(value)
    if isinstance(value, list):
        return [_mended(one) for one in value]
    if isinstance(value, dict):
        return {jsontext.mend(key): _mended(one) for key, one in value.items()}
    return value


def _clues(item: msgspec.Raw) -> _Clues:
    try:
        return msgspec.json.decode(item, type=_Clues)
    except (msgspec.DecodeError, RecursionError):
        return _Clues()


def _decoder(clues: _Clues) -> Callable[[msgspec.Raw], Chat]:
    if _is_there(clues.mapping):
        return export_chatgpt.decode
    if any(map(_is_there, (clues.chat, clues.history, clues.messages))):
        return export_open_webui.decode
    return _unknown


def _unknown(_item: msgspec.Raw) -> NoReturn:
    raise BrokenChat("it is of no program that is known")


def _too_large(_item: msgspec.Raw) -> NoReturn:
    raise BrokenChat(f"it has more than {_CHAT_BYTES // 2**20} MiB")


def _title(clues: _Clues) -> str | None:
    try:
        title: Any = msgspec.json.decode(clues.title)
    except (msgspec.DecodeError, RecursionError):
        return None
    return to_title(title)


def _is_there(raw: msgspec.Raw) -> bool:
    return len(memoryview(raw)) > 0
