"""This module answers in the OpenAI chat completions format in one piece: a run that has ended as a completion.

Source: OpenAI's API reference, "The chat completion object". `reasoning_content` and `images` are as DeepSeek and
OpenRouter send them.
"""

from typing import Any, assert_never

from headrace.core import events
from headrace.core.fold import Fold
from headrace.core.messages import ImagePart, ReasoningPart, ToolCallPart, text_of
from headrace.formats import jsontext
from headrace.formats.openai_chat_extras import Gathered, joined
from headrace.formats.openai_refusal import STOPPED, encode_error

__all__ = ["encode_completion", "encode_text", "end_error", "usage_of"]


def encode_completion(
    made: Fold, *, completion_id: str, model: str, created: int, extras: Gathered | None = None
) -> bytes:
    """Return the completion, or the error where the run failed, was stopped or interrupted.

    `extras` is what the upstream said besides.

    Raises `ValueError` where the run goes on.
    """
    if made.terminal is None:
        raise ValueError("only a run that has ended has a reply")
    if not isinstance(made.terminal, events.RunFinished):
        return end_error(made.terminal)
    extras = extras or Gathered()
    message = {**_message(made), **extras.delta}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": made.terminal.reason, **extras.choice}
    completion = {
        "id": completion_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": usage_of(made.usage or events.Usage(), extras.usage),
        **extras.chunk,
    }
    return jsontext.encode_ascii(completion)


def encode_text(made: Fold, *, completion_id: str, model: str, created: int) -> bytes:
    """Return the completion of the older kind, which is text alone, or the error. Raises as `encode_completion`."""
    if made.terminal is None:
        raise ValueError("only a run that has ended has a reply")
    if not isinstance(made.terminal, events.RunFinished):
        return end_error(made.terminal)
    choice = {"index": 0, "text": text_of(made.parts), "logprobs": None, "finish_reason": made.terminal.reason}
    completion = {
        "id": completion_id,
        "object": "text_completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": usage_of(made.usage or events.Usage(), {}),
    }
    return jsontext.encode_ascii(completion)


def end_error(terminal: events.RunFailed | events.RunStopped | events.RunInterrupted) -> bytes:
    """Return the error of an answer that is not whole, as JSON."""
    match terminal:
        case events.RunFailed(code, message, refusal=refusal):
            return encode_error(message, code=code, refusal=refusal)
        case events.RunStopped():
            return encode_error("The answer was stopped.", code="stopped", status=STOPPED)
        case events.RunInterrupted():
            return encode_error("The server went away in mid-answer.", code="interrupted")
        case _ as unreachable:
            assert_never(unreachable)


def usage_of(usage: events.Usage, extra: dict[str, Any]) -> dict[str, Any]:
    """Return the usage as a completion has it, where what nobody counted is 0; `extra` is what is said besides."""
    read, made = usage.input_tokens or 0, usage.output_tokens or 0
    counted = {
        "prompt_tokens": read,
        "completion_tokens": made,
        "total_tokens": read + made,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }
    return joined(extra, counted)


def _message(made: Fold) -> dict[str, Any]:
    parts = made.parts
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    images = [part for part in parts if isinstance(part, ImagePart)]
    thoughts = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    text = text_of(parts)
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if calls else ""), "refusal": None}
    if thoughts:
        message["reasoning_content"] = thoughts
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    if images:
        message["images"] = [
            {"type": "image_url", "image_url": {"url": f"data:{image.media_type};base64,{image.data}"}, "index": at}
            for at, image in enumerate(images)
        ]
    return message
