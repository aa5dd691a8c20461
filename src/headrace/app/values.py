"""This module turns what a source of settings says into the type of its key, or says what is wrong and where."""

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import msgspec

from headrace.core.errors import SettingsError

__all__ = ["Given", "convert", "expected", "nearest"]

_SECRET = re.compile("key|header|token|secret|password")


class Given(msgspec.Struct, frozen=True):
    """One setting as a source gives it.

    `path` names the key, as `("runs", "max")` or `("providers", "box", "kind")`; `where` says where it stands, for
    people. With `is_text` the value is text whatever its key's type is, as in the environment.
    """

    path: tuple[str, ...]
    value: Any
    where: str
    is_text: bool = False


def convert(given: Given, target: Any) -> Any:
    """Return the value as `target`, a type that msgspec knows, `Path`, or a class made from a string.

    Text becomes numbers and booleans as JSON writes them, a list at its commas, a table from JSON. Raises
    `SettingsError` that names the place and what is expected there.
    """
    try:
        value = _from_text(given.value, target) if given.is_text else given.value
        return msgspec.convert(value, target, strict=not given.is_text, dec_hook=_from_string)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise SettingsError(f"{given.where}: expected {expected(target)}, not {_shown(given)}") from error


def expected(target: Any) -> str:
    """Return in words what a value of this type is, as `a whole number from 0 to 65535`."""
    return _words(msgspec.inspect.type_info(target))


def nearest(key: str, known: Collection[str]) -> str:
    """Return the known word that is most like this one. `known` must not be empty."""
    return difflib.get_close_matches(key, sorted(known), n=1, cutoff=0.0)[0]


def _from_text(text: str, target: Any) -> Any:
    match _bare(msgspec.inspect.type_info(target)):
        case msgspec.inspect.ListType() | msgspec.inspect.VarTupleType():
            return [item.strip() for item in text.split(",") if item.strip()]
        case msgspec.inspect.DictType():
            return msgspec.json.decode(text)
        case _:
            return text


def _from_string(target: type, value: Any) -> Any:
    if not isinstance(value, str):
        raise msgspec.ValidationError("Expected `str`")
    try:
        return Path(value).expanduser() if target is Path else target(value)
    except RuntimeError as error:
        # `~somebody` for whom the system has no home
        raise msgspec.ValidationError(str(error)) from error


def _bare(info: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Return the type without its description, and without None beside it."""
    match info:
        case msgspec.inspect.Metadata(type=inner):
            return _bare(inner)
        case msgspec.inspect.UnionType(types=types):
            others = [one for one in types if not isinstance(one, msgspec.inspect.NoneType)]
            return _bare(others[0]) if len(others) == 1 else info
        case _:
            return info


def _words(info: msgspec.inspect.Type) -> str:
    match _bare(info):
        case msgspec.inspect.IntType() as number:
            words = "a whole number" + _bounds(number)
        case msgspec.inspect.FloatType() as number:
            words = "a number" + _bounds(number)
        case msgspec.inspect.BoolType():
            words = "true or false"
        case msgspec.inspect.LiteralType(values=values):
            words = " or ".join(f"`{value}`" for value in sorted(values, key=str))
        case msgspec.inspect.ListType(item_type=item) | msgspec.inspect.VarTupleType(item_type=item):
            words = f"a list, each {_words(item)}"
        case msgspec.inspect.DictType(key_type=msgspec.inspect.LiteralType() as keys, value_type=value):
            words = f"a table with {_words(keys)}, each value {_words(value)}"
        case msgspec.inspect.DictType(value_type=value):
            words = f"a table, each value {_words(value)}"
        case msgspec.inspect.CustomType(cls=kind) if kind is Path:
            words = "a path"
        case _:
            words = "text"
    return words


def _bounds(number: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    if number.ge is not None and number.le is not None:
        return f" from {number.ge} to {number.le}"
    limits = {"above": number.gt, "of at least": number.ge, "of at most": number.le}
    words = " and ".join(f"{word} {limit}" for word, limit in limits.items() if limit is not None)
    return f" {words}" if words else ""


def _shown(given: Given) -> str:
    """Return the value for a message, unless it may be a key: messages go to logs."""
    return f"a value of type {type(given.value).__name__}" if _SECRET.search(given.path[-1]) else repr(given.value)
