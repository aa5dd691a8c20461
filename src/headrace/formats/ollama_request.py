"""This module asks Ollama for an answer: our request as the body of `POST /api/chat`.

Source: Ollama, `docs/api.md` and `api/types.go`. The model's thoughts (`ReasoningPart`) are never sent back.
"""

from collections.abc import Iterable
from typing import Any

from headrace.core.messages import (
    ImagePart,
    Message,
    Part,
    Request,
    Role,
    ToolCallPart,
    ToolResultPart,
    text_of,
)
from headrace.formats import jsontext

__all__ = ["arguments_of", "encode_request"]

_OPTIONS = frozenset(
    {
        "draft_num_predict",
        "frequency_penalty",
        "main_gpu",
        "min_p",
        "num_batch",
        "num_ctx",
        "num_gpu",
        "num_keep",
        "num_predict",
        "num_thread",
        "presence_penalty",
        "repeat_last_n",
        "repeat_penalty",
        "seed",
        "stop",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
        "use_mmap",
    }
)
"""What goes into `options` by itself; whatever else a version of Ollama takes there can be given in `options`."""

_OPTION_OF = {
    "max_tokens": "num_predict",
    "max_completion_tokens": "num_predict",
    "repetition_penalty": "repeat_penalty",
}

_THINK: dict[str, Any] = {"none": False, "minimal": "low", "xhigh": "max"}
"""The efforts that Ollama names otherwise."""


def encode_request(request: Request) -> bytes:
    """Return the body of the request, for a streamed answer.

    Parameters of the OpenAI chat API become Ollama's: those of sampling `options`, `response_format` `format`,
    `reasoning_effort` `think`. What is given under Ollama's own name comes first, and everything else goes as it is
    (`keep_alive`, `tools`, ...). None of them can set `model`, `messages` or `stream`. An answer that goes on is asked
    for without thinking: models whose templates may still think refuse to go on with a text.
    """
    body = {name: value for name, value in request.parameters.items() if value is not None}
    options = _options(body)
    if options:
        body["options"] = options
    form = _format(body.pop("response_format", None))
    if form is not None:
        body.setdefault("format", form)
    effort = body.pop("reasoning_effort", None)
    if effort is not None:
        body.setdefault("think", _THINK.get(effort, effort) if isinstance(effort, str) else effort)
    if request.continues:
        body["think"] = False
    if body.get("tool_choice") == "none":
        body.pop("tools", None)  # Ollama has no such choice: what a model is not told of it does not call
    return jsontext.encode(body | {"model": request.model, "messages": _messages(request.messages), "stream": True})


def arguments_of(text: str) -> dict[str, Any]:
    """Return the arguments of a call as the object that Ollama wants; what is none goes under the key `arguments`."""
    try:
        arguments = jsontext.decode(text.strip().encode() or b"{}")
    except ValueError:
        arguments = text
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


def _options(body: dict[str, Any]) -> dict[str, Any]:
    """Take the options out of the parameters and return them."""
    options = {option: body.pop(name) for name, option in _OPTION_OF.items() if name in body}
    options |= {name: body.pop(name) for name in _OPTIONS & body.keys()}
    given = body.pop("options", None)
    options |= given if isinstance(given, dict) else {}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    return options


def _format(response_format: Any) -> Any:
    match response_format:
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return schema
        case _:
            return None


def _messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    encoded: list[dict[str, Any]] = []
    called: dict[str, str] = {}  # the tool's name by the call's id: Ollama's templates know results by name
    for message in messages:
        said: list[Part] = []
        for part in message.parts:
            if not isinstance(part, ToolResultPart):
                said.append(part)
                continue
            # a result is a message of its own, and what follows it in the same answer is said after it
            if said:
                encoded.append(_said(message.role, said, called))
                said = []
            encoded.append(_result(part, called))
        if said or not message.parts:
            encoded.append(_said(message.role, said, called))
    return encoded


def _said(role: Role, parts: list[Part], called: dict[str, str]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": role, "content": text_of(tuple(parts))}
    images = [part.data for part in parts if isinstance(part, ImagePart)]
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    if images:
        message["images"] = images
    if calls:
        called |= {call.id: call.name for call in calls}
        message["tool_calls"] = [_call(call, number) for number, call in enumerate(calls)]
    return message


def _call(call: ToolCallPart, number: int) -> dict[str, Any]:
    function = {"index": number, "name": call.name, "arguments": arguments_of(call.arguments)}
    return {"id": call.id, "function": function}


def _result(part: ToolResultPart, called: dict[str, str]) -> dict[str, Any]:
    result = {"role": "tool", "content": part.text, "tool_call_id": part.id}
    return result | ({"tool_name": called[part.id]} if part.id in called else {})
