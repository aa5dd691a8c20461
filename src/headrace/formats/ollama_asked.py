"""This module reads what Ollama's clients ask: the bodies of `POST /api/chat` and `POST /api/generate`.

Source: Ollama, `docs/api.md` and `api/types.go`. What has a name in OpenAI's chat API gets it, as all parameters here
have; the rest (`own`) is for an Ollama alone. A field that nobody knows is refused by name.
"""

import base64
import binascii
import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from headrace.core.messages import ImagePart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats import jsontext
from headrace.formats.asking import checked, object_in, refuse, wrong

__all__ = ["Question", "decode_chat", "decode_generate"]

_MAX_NAME = 200
_MAX_MESSAGES = 10_000

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_MAGIC = ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"), (b"RIFF", "image/webp"))
_HEAD = 16  # characters of base64 that hold the first bytes

_UNSAID = {
    "context": "Headrace keeps no tokens of conversations: send the messages to /api/chat.",
    "raw": "Headrace asks models by messages, through their template.",
    "suffix": "Headrace asks models by messages: it has nothing to fill a gap with.",
    "template": "Headrace leaves a model its own template.",
    "logprobs": "This version tells no probabilities here: /v1/chat/completions does.",
    "top_logprobs": "This version tells no probabilities here: /v1/chat/completions does.",
}
"""Fields of Ollama's that are not to be had, and why. False and empty ask for nothing."""

Kind = TypeVar("Kind", bound="_Asked")

_NAME_OF = {"num_predict": "max_tokens"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for.

    `own` is what only an Ollama can be asked for, as it would be sent to one. Without `messages` nothing is: Ollama
    would load the model.
    """

    model: str
    messages: tuple[Message, ...]
    parameters: dict[str, Any]
    own: dict[str, Any]
    stream: bool = True


class _Options(msgspec.Struct):
    """The options whose types are ours to check: they are everybody's."""

    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Annotated[str, Meta(max_length=1000)] | Annotated[list[str], Meta(max_length=16)] | None = None
    num_predict: Annotated[int, Meta(ge=-2, le=10_000_000)] | None = None
    repeat_penalty: Annotated[float, Meta(ge=0, le=10)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None


class _Asked(msgspec.Struct, kw_only=True):
    """What both requests have."""

    model: Annotated[str, Meta(min_length=1, max_length=_MAX_NAME)]
    stream: bool = True
    format: str | dict[str, Any] = ""
    options: dict[str, Any] = {}
    keep_alive: str | float | None = None
    think: bool | Annotated[str, Meta(max_length=20)] | None = None


class _Chat(_Asked, kw_only=True):
    messages: Annotated[list[dict[str, Any]], Meta(max_length=_MAX_MESSAGES)] = []
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1024)] = []


class _Generate(_Asked, kw_only=True):
    prompt: str = ""
    system: str = ""
    images: list[str] = []


class _Function(msgspec.Struct):
    name: str
    arguments: dict[str, Any] = {}
    index: int | None = None


class _Call(msgspec.Struct):
    function: _Function
    id: str | None = None
    type: str | None = None


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    thinking: str = ""
    images: list[str] = []
    tool_calls: list[_Call] = []
    tool_name: str | None = None
    tool_call_id: str | None = None


def decode_chat(body: bytes) -> Question:
    """Return what `POST /api/chat` asks. Raises `BadRequest`, `BadField`, `NotAvailable`."""
    asked = _read(body, _Chat)
    reading = _Reading()
    messages = tuple(reading.message(each, f"messages.{at}") for at, each in enumerate(asked.messages))
    return _question(asked, messages, {"tools": asked.tools} if asked.tools else {})


def decode_generate(body: bytes) -> Question:
    """Return what `POST /api/generate` asks. Raises as `decode_chat` does."""
    asked = _read(body, _Generate)
    parts = (*((TextPart(asked.prompt),) if asked.prompt else ()), *_pictures(asked.images, "images"))
    system = (Message("system", (TextPart(asked.system),)),) if asked.system else ()
    return _question(asked, (*system, Message("user", parts)) if parts else (), {})


def _read(body: bytes, kind: type[Kind]) -> Kind:
    given = {name: value for name, value in object_in(body).items() if value is not None}
    known = {field.name for field in msgspec.structs.fields(kind)}
    for name in given.keys() - known:
        if name not in _UNSAID:
            raise refuse(name, f"There is no field {name!r} here.")
        if given[name]:
            raise refuse(name, _UNSAID[name])
    return checked(given, kind)


def _question(asked: _Asked, messages: tuple[Message, ...], parameters: dict[str, Any]) -> Question:
    options = {name: value for name, value in asked.options.items() if value is not None}
    known = checked(options, _Options, field="options")
    for name in known.__struct_fields__:
        value = getattr(known, name)
        options.pop(name, None)
        if value is not None and not (name == "num_predict" and value < 0):  # below 0: as long as it likes
            parameters[_NAME_OF.get(name, name)] = value
    form = _format(asked.format)
    if form is not None:
        parameters["response_format"] = form
    own = {"options": options or None, "think": asked.think, "keep_alive": asked.keep_alive}
    return Question(
        model=asked.model,
        messages=messages,
        parameters=parameters,
        own={name: value for name, value in own.items() if value is not None},
        stream=asked.stream,
    )


def _format(given: str | dict[str, Any]) -> dict[str, Any] | None:
    if isinstance(given, dict):
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": given}}
    if given not in {"", "json"}:
        raise wrong("format", "it is `json`, or a JSON schema")
    return {"type": "json_object"} if given else None


class _Reading:
    """Reads the messages of a conversation in order: calls of tools and their results belong together."""

    def __init__(self) -> None:
        self._count = 0
        self._open: list[tuple[str, str]] = []  # id and name of the calls that have no result yet

    def message(self, given: dict[str, Any], field: str) -> Message:
        """Return the next message."""
        said = checked({name: value for name, value in given.items() if value is not None}, _Message, field=field)
        if said.role == "tool":
            return Message("tool", (ToolResultPart(self._answered(said), said.content),))
        parts: list[Part] = [ReasoningPart(said.thinking)] if said.thinking else []
        if said.content:
            parts.append(TextPart(said.content))
        parts += _pictures(said.images, f"{field}.images")
        parts += map(self._call, said.tool_calls)
        return Message(said.role, tuple(parts))

    def _call(self, call: _Call) -> Part:
        call_id = call.id or f"call_{self._count}"
        self._count += 1
        self._open.append((call_id, call.function.name))
        return ToolCallPart(call_id, call.function.name, jsontext.encode(call.function.arguments).decode())

    def _answered(self, said: _Message) -> str:
        """Return the id of the call that this is the result of: Ollama's clients name the tool, or nothing at all."""
        if said.tool_call_id:
            self._open = [each for each in self._open if each[0] != said.tool_call_id]
            return said.tool_call_id
        named = [each for each in self._open if said.tool_name in {each[1], None}] or self._open
        if not named:
            return said.tool_name or "call"
        self._open.remove(named[0])
        return named[0][0]


def _pictures(images: list[str], field: str) -> list[Part]:
    return [ImagePart(_media_type(data, f"{field}.{at}"), data) for at, data in enumerate(images)]


def _media_type(data: str, field: str) -> str:
    try:
        head = base64.b64decode(data[:_HEAD]) if _BASE64.fullmatch(data) else b""
    except binascii.Error:
        head = b""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    raise wrong(field, "a picture is base64 of a PNG, JPEG, GIF or WebP file")
