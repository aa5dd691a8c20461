"""This module describes what goes to a model: messages made of parts, and a request."""

from typing import Any, Literal

import msgspec

__all__ = [
    "ImagePart",
    "Message",
    "Part",
    "ReasoningPart",
    "Request",
    "Role",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "text_of",
]

Role = Literal["system", "user", "assistant", "tool"]


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Words."""

    text: str


class ReasoningPart(msgspec.Struct, frozen=True, tag="reasoning"):
    """The model's thoughts; never mixed into text, never sent back to a model as text."""

    text: str


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """A picture, as base64 without a prefix."""

    media_type: str
    data: str


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call"):
    """A call that the model asks for; `arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result"):
    """What the call with this id gave."""

    id: str
    text: str


Part = TextPart | ReasoningPart | ImagePart | ToolCallPart | ToolResultPart


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a conversation, as a model is told it.

    `extra` is what the client said besides, or in other words, in the OpenAI chat format: a provider that speaks it
    passes it on as it is, over what it makes of the parts.
    """

    role: Role
    parts: tuple[Part, ...]
    extra: dict[str, Any] = {}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is asked to answer.

    `model` is the provider's own name of the model. `parameters` are those of the OpenAI chat API (`temperature`,
    `max_tokens`, ...); a provider passes on what it knows and what it is given. With `continues` the last message
    is the assistant's, unfinished, and the answer goes on from its last character. With `extras` the client
    speaks OpenAI's chat format, and so is told what an upstream says in it that is no event of ours (`events.Extra`).
    """

    model: str
    messages: tuple[Message, ...]
    parameters: dict[str, Any] = {}
    continues: bool = False
    extras: bool = False


def text_of(parts: tuple[Part, ...]) -> str:
    """Return the text of the parts in order, without thoughts, images and tools."""
    return "".join(part.text for part in parts if isinstance(part, TextPart))
