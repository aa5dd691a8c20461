"""This module asks for a chat completion: our request as the body that OpenAI-compatible servers take.

Source: OpenAI's API reference, "Create chat completion". The model's thoughts (`ReasoningPart`) are never sent back.
"""

from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from headrace.core.messages import (
    ImagePart,
    Message,
    Part,
    Request,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_of,
)
from headrace.formats import jsontext

__all__ = ["encode_request"]


def encode_request(request: Request, *, stream: bool = True, extra: Mapping[str, Any] | None = None) -> bytes:
    """Return the body of the request.

    `extra` is what this server wants besides (`return_progress`, ...); it beats the request's parameters. Neither can
    set `model`, `messages` or `stream`. A stream is always asked for its usage.
    """
    body = {**request.parameters, **(extra or {})}
    options = body.pop("stream_options", None)
    body |= {"model": request.model, "messages": _messages(request.messages), "stream": stream}
    if stream:
        body["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return jsontext.encode(body)


def _messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    encoded: list[dict[str, Any]] = []
    for message in messages:
        said: list[Part] = []
        for part in message.parts:
            if not isinstance(part, ToolResultPart):
                said.append(part)
                continue
            # a result is a message of its own, and what follows it in the same answer is said after it
            if said:
                encoded.append(_said(message.role, said))
                said = []
            encoded.append({"role": "tool", "tool_call_id": part.id, "content": part.text, **message.extra})
        if said or not message.parts:
            encoded.append({**_said(message.role, said), **message.extra})
    return encoded


def _said(role: Role, parts: list[Part]) -> dict[str, Any]:
    if role == "assistant":
        return _answer(parts)
    if any(isinstance(part, ImagePart) for part in parts):
        return {"role": role, "content": [_content(part) for part in parts if isinstance(part, TextPart | ImagePart)]}
    return {"role": role, "content": text_of(tuple(parts))}


def _answer(parts: list[Part]) -> dict[str, Any]:
    """Return an earlier answer. Its pictures go back the way they came, as OpenRouter's `images`."""
    calls = [_call(part) for part in parts if isinstance(part, ToolCallPart)]
    images = [_content(part) for part in parts if isinstance(part, ImagePart)]
    text = text_of(tuple(parts))
    message: dict[str, Any] = {"role": "assistant", "content": text or None if calls else text}
    if images:
        message["images"] = images
    if calls:
        message["tool_calls"] = calls
    return message


def _content(part: TextPart | ImagePart) -> dict[str, Any]:
    match part:
        case TextPart(text):
            return {"type": "text", "text": text}
        case ImagePart(media_type, data):
            return {"type": "image_url", "image_url": {"url": f"data:{media_type};base64,{data}"}}
        case _ as unreachable:
            assert_never(unreachable)


def _call(part: ToolCallPart) -> dict[str, Any]:
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}
