"""This module answers as Ollama does in one piece: a run that has ended, or an error.

Source: Ollama, `docs/api.md` and `api/types.go`.
"""

from typing import Any, assert_never

from headrace.core import events
from headrace.core.fold import Fold
from headrace.core.messages import ReasoningPart, ToolCallPart, text_of
from headrace.formats import jsontext
from headrace.formats.ollama_request import arguments_of

__all__ = ["encode_error", "end_error", "said_of"]


def encode_error(message: str) -> bytes:
    """Return the error as JSON in ASCII."""
    return jsontext.encode_ascii({"error": message})


def end_error(terminal: events.RunFailed | events.RunStopped | events.RunInterrupted) -> bytes:
    """Return the error of an answer that is not whole, as JSON."""
    match terminal:
        case events.RunFailed(message=message):
            return encode_error(message)
        case events.RunStopped():
            return encode_error("The answer was stopped.")
        case events.RunInterrupted():
            return encode_error("The server went away in mid-answer.")
        case _ as unreachable:
            assert_never(unreachable)


def said_of(made: Fold) -> tuple[str, str, list[dict[str, Any]]]:
    """Return text, thoughts and calls of tools of an answer."""
    calls = [part for part in made.parts if isinstance(part, ToolCallPart)]
    thoughts = "".join(part.text for part in made.parts if isinstance(part, ReasoningPart))
    return text_of(made.parts), thoughts, [call_of(call, at) for at, call in enumerate(calls)]


def call_of(call: ToolCallPart | events.ToolCall, index: int) -> dict[str, Any]:
    """Return a call of a tool, as the answers have it."""
    function = {"index": index, "name": call.name, "arguments": arguments_of(call.arguments)}
    return {"id": call.id, "function": function}
