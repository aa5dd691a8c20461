"""This module keeps what a chat completion says beyond our own events, for clients that speak the same format.

Fields of the upstream's that we have no word for (`logprobs`, `system_fingerprint`, `citations`, `reasoning_details`,
...) become an `extra` event, and that becomes the same fields of our own chunks again.
"""

from collections.abc import Mapping
from types import GenericAlias
from typing import Any

import msgspec

from headrace.core.events import Extra
from headrace.formats import jsontext

__all__ = ["Gathered", "Reader", "joined"]

_CHUNK = frozenset(
    # `obfuscation` only pads the frames of the connection that it came over
    {"choices", "created", "error", "id", "model", "obfuscation", "object", "prompt_progress", "usage"}
)
_CHOICE = frozenset({"delta", "finish_reason", "index", "message", "text"})
_DELTA = frozenset(
    {"content", "function_call", "images", "reasoning", "reasoning_content", "refusal", "role", "tool_calls"}
)
_USAGE = frozenset({"completion_tokens", "prompt_tokens", "total_tokens"})
"""What is known, and comes from the events again."""


def _strict(names: frozenset[str], **types: Any) -> type[msgspec.Struct]:
    """Return a type of these names, of which those in `types` have another type than anything; any more are refused."""
    fields = [(name, types.get(name, msgspec.Raw), None) for name in sorted(names | types.keys())]
    return msgspec.defstruct("Strict", fields, forbid_unknown_fields=True)


_delta = _strict(_DELTA) | None
_choices = GenericAlias(list, (_strict(_CHOICE, delta=_delta, message=_delta, logprobs=None),))
_check = msgspec.json.Decoder(_strict(_CHUNK, choices=_choices | None, usage=None)).decode
"""Takes a chunk that says nothing besides, and builds next to nothing of it; raises for every other."""


class Reader:
    """The upstream's side of one answer: chunks in, `extra` out."""

    def __init__(self) -> None:
        self._chunk: dict[str, Any] = {}

    def read(self, data: bytes) -> tuple[Extra, ...]:
        """Return what this chunk (or whole reply) says besides: one event, or none. `data` is JSON."""
        try:
            _check(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return ()
        try:
            said = jsontext.decode(data)
        except ValueError:
            return ()  # whoever reads the text says so
        return self._besides(said) if isinstance(said, dict) else ()

    def _besides(self, said: dict[str, Any]) -> tuple[Extra, ...]:
        whole = _unknown(said, _CHUNK)
        new = {name: value for name, value in whole.items() if self._chunk.get(name, ...) != value}
        self._chunk.update(new)
        choices = said.get("choices")
        first = next((each for each in choices or () if isinstance(each, dict) and not each.get("index")), {})
        choice = _unknown(first, _CHOICE)
        delta = _unknown(first.get("delta") or first.get("message"), _DELTA)
        usage = _unknown(said.get("usage"), _USAGE)
        if not (new or choice or delta or usage):
            return ()
        return (Extra(chunk=new, choice=choice, delta=delta, usage=usage),)


class Gathered:
    """The client's side of one answer: `extra` in, the fields of our own chunks, or of a whole completion, out."""

    def __init__(self) -> None:
        self.chunk: dict[str, Any] = {}
        self.choice: dict[str, Any] = {}
        self.delta: dict[str, Any] = {}
        self.usage: dict[str, Any] = {}

    def add(self, extra: Extra) -> None:
        """Take what was said next: lists go on, objects are joined, all else is as it was said last."""
        self.chunk.update(extra.chunk)
        self.choice = joined(self.choice, extra.choice)
        self.delta = joined(self.delta, extra.delta)
        self.usage = joined(self.usage, extra.usage)

    @property
    def waiting(self) -> bool:
        """Whether there is something for the next chunk."""
        return bool(self.choice or self.delta)

    def take(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what stands in the next chunk's choice and delta, and forget it."""
        taken = self.choice, self.delta
        self.choice, self.delta = {}, {}
        return taken


def joined(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, where lists go on and objects are joined; of all else the last."""
    both = dict(before)
    for name, value in after.items():
        known = both.get(name)
        if isinstance(known, list) and isinstance(value, list):
            both[name] = known + value
        elif isinstance(known, dict) and isinstance(value, dict):
            both[name] = joined(known, value)
        else:
            both[name] = value
    return both


def _unknown(said: Any, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(said, dict):
        return {}
    return {name: value for name, value in said.items() if value is not None and name not in known}
