"""This module reads what clients ask in the OpenAI chat completions format.

Source: OpenAI's API reference, "Create chat completion". What our own words (`core.messages`, portable parameters) do
not hold is kept as it came, for a provider of the same format to take; `special` names it, so that no other provider
drops it in silence. Nothing here leads anywhere: pictures come in the request, and fields that would tell a server
behind us whom to ask are refused.
"""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headrace.core.messages import ImagePart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.formats.asking import checked, data_url, object_in, refuse, wrong

__all__ = ["Question", "decode_completion", "decode_request"]

_MAX_MESSAGES = 10_000
_MAX_NAME = 200

_OURS = frozenset({"model", "messages", "stream", "stream_options", "n"})
"""What is not handed on among the parameters."""

_PROMPTED = frozenset({"best_of", "echo", "logprobs", "prompt", "suffix"})
"""Fields of a completion of the older kind that are not handed on."""

_PORTABLE = frozenset(
    {
        "frequency_penalty",
        "max_completion_tokens",
        "max_tokens",
        "min_p",
        "presence_penalty",
        "reasoning_effort",
        "repeat_penalty",
        "response_format",
        "seed",
        "stop",
        "temperature",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    }
)
"""Parameters that every kind of provider understands."""

_NOTES = frozenset({"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "store", "user"})
"""What asks nothing of the model: it is kept with the run."""

_USUAL: dict[str, tuple[Any, ...]] = {
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "parallel_tool_calls": (True,),
    "service_tier": ("auto", "default"),
    "tool_choice": ("auto", "none"),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
}
"""Values that ask for nothing that would not be so anyway; `tool_choice` is portable with these alone."""

_LEADING = frozenset(
    {
        "api_base",
        "api_key",
        "api_type",
        "api_version",
        "base_url",
        "custom_llm_provider",
        "deployment_id",
        "extra_body",
        "extra_headers",
        "extra_query",
        "organization",
    }
)
"""What would tell a router behind us where to go, or with whose key."""

_LEADS_OUT = re.compile(r"\s*(https?|file|ftps?|s3|gs)\s*:", re.IGNORECASE)
_VERBATIM = frozenset({"input_audio", "file"})  # parts that only a provider of this format can be sent

_Probability = Annotated[float, Meta(ge=0, le=1)]
_Penalty = Annotated[float, Meta(ge=-2, le=2)]
_Count = Annotated[int, Meta(ge=0, le=10_000_000)]
_Stop = Annotated[str, Meta(max_length=1000)] | Annotated[list[str], Meta(max_length=16)]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. `special` has the paths of all that only a provider of the same format can be asked for."""

    model: str
    messages: tuple[Message, ...]
    parameters: dict[str, Any]
    stream: bool = False
    include_usage: bool = False
    special: tuple[str, ...] = ()


class _Options(msgspec.Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class _Shared(msgspec.Struct, kw_only=True):
    """The fields whose types and bounds are ours to check; what is right is not made anew of them."""

    model: Annotated[str, Meta(min_length=1, max_length=_MAX_NAME)]
    stream: bool | None = None
    stream_options: _Options | None = None
    n: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=5)] | None = None
    top_p: _Probability | None = None
    min_p: _Probability | None = None
    top_k: Annotated[int, Meta(ge=-1, le=1_000_000)] | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: _Stop | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    repeat_penalty: Annotated[float, Meta(ge=0, le=10)] | None = None
    logit_bias: dict[str, float] | None = None


class _Known(_Shared, kw_only=True):
    messages: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=_MAX_MESSAGES)]
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=100)] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Annotated[str, Meta(max_length=20)] | None = None
    response_format: dict[str, Any] | None = None
    tools: Annotated[list[dict[str, Any]], Meta(max_length=1024)] | None = None
    tool_choice: str | dict[str, Any] | None = None


class _Prompted(_Shared, kw_only=True):
    prompt: str | list[Any]
    echo: bool = False
    suffix: str = ""
    best_of: int = 1
    logprobs: int = 0


class _Function(msgspec.Struct):
    name: str
    arguments: str = ""


class _Call(msgspec.Struct):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _Text(msgspec.Struct):
    text: str


class _Picture(msgspec.Struct):
    url: str
    detail: str | None = None


class _ImageUrl(msgspec.Struct):
    image_url: _Picture


def decode_request(body: bytes) -> Question:
    """Return what is asked for. Raises `BadRequest`, `BadField`, and `NotAvailable` for what is not to be had."""
    asked = {name: value for name, value in object_in(body).items() if value is not None}
    known = checked(asked, _Known)
    special: list[str] = []
    messages = tuple(_message(each, f"messages.{at}", special) for at, each in enumerate(known.messages))
    return _question(asked, known, messages, special)


def decode_completion(body: bytes) -> Question:
    """Return what a completion of the older kind asks for: its prompt is a user's message. Raises as `decode_request`.

    Source: OpenAI's API reference, "Create completion".
    """
    asked = {name: value for name, value in object_in(body).items() if value is not None}
    known = checked(asked, _Prompted)
    prompts = [known.prompt] if isinstance(known.prompt, str) else known.prompt
    if len(prompts) != 1 or not isinstance(prompts[0], str) or not prompts[0]:
        raise refuse("prompt", "A prompt is one text here, and not empty.")
    for name in ("echo", "suffix", "logprobs"):
        if getattr(known, name):
            raise refuse(name, f"Headrace asks models by messages, and has nothing for {name!r} here.")
    if known.best_of != 1:
        raise refuse("best_of", "This version makes one answer to a request.")
    asked = {name: value for name, value in asked.items() if name not in _PROMPTED}
    return _question(asked, known, (Message("user", (TextPart(prompts[0]),)),), [])


def _question(asked: dict[str, Any], known: _Shared, messages: tuple[Message, ...], special: list[str]) -> Question:
    if known.n is not None and known.n != 1:
        raise refuse("n", "This version makes one answer to a request: ask `n` times.")
    parameters = {name: value for name, value in asked.items() if name not in _OURS}
    for name in parameters.keys() - _PORTABLE:
        _check_leading(name, parameters[name])
    special = [*_specials(parameters), *special]
    options = known.stream_options or _Options()
    if options.include_obfuscation:
        special.append("stream_options.include_obfuscation")
        parameters["stream_options"] = {"include_obfuscation": True}
    return Question(
        model=known.model,
        messages=messages,
        parameters=parameters,
        stream=known.stream or False,
        include_usage=options.include_usage or False,
        special=tuple(special),
    )


def _specials(parameters: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the parameters that only a provider of this format understands."""
    for name, value in parameters.items():
        if name in _USUAL:
            if value not in _USUAL[name]:
                yield name
        elif name not in _PORTABLE and name not in _NOTES:
            yield name


def _check_leading(field: str, value: Any) -> None:
    """Raise `NotAvailable` where a field, or one within it, would lead a server behind us elsewhere."""
    for path, _ in _within(field, value):
        if path.rpartition(".")[2] in _LEADING:
            raise refuse(
                path, f"Headrace does not hand on {path!r}: its settings say whom it asks, and with which key."
            )


# Messages


def _message(said: dict[str, Any], field: str, special: list[str]) -> Message:
    said = {name: value for name, value in said.items() if value is not None}
    role = said.pop("role", None)
    read = _ROLES.get(role) if isinstance(role, str) else None
    if read is None:
        raise wrong(f"{field}.role", f"it is one of {', '.join(_ROLES)}")
    message = read(said, field, special)
    if said:
        special += [f"{field}.{name}" for name in said]
        message.extra.update(said)
    return message


def _system(said: dict[str, Any], field: str, special: list[str]) -> Message:
    parts, extra = _content(said, field, special)
    return Message("system", parts, extra)


def _developer(said: dict[str, Any], field: str, special: list[str]) -> Message:
    parts, extra = _content(said, field, special)
    return Message("system", parts, {**extra, "role": "developer"})


def _user(said: dict[str, Any], field: str, special: list[str]) -> Message:
    if "content" not in said:
        raise wrong(f"{field}.content", "it is missing")
    parts, extra = _content(said, field, special)
    return Message("user", parts, extra)


def _assistant(said: dict[str, Any], field: str, special: list[str]) -> Message:
    thoughts: tuple[Part, ...] = ()
    kept: dict[str, Any] = {}
    for name in ("reasoning_content", "reasoning"):
        thought = said.pop(name, None)
        if isinstance(thought, str):
            # never sent to a model of another format; one of this format may need its own thoughts back
            thoughts = (ReasoningPart(thought),)
            kept[name] = thought
    parts, extra = _content(said, field, special)
    calls = tuple(_calls(said, field, special, extra))
    return Message("assistant", (*thoughts, *parts, *calls), {**extra, **kept})


def _tool(said: dict[str, Any], field: str, special: list[str]) -> Message:
    call_id = said.pop("tool_call_id", None)
    if not isinstance(call_id, str):
        raise wrong(f"{field}.tool_call_id", "it is the id of the call that this is the result of")
    parts, extra = _content(said, field, special)
    if any(not isinstance(part, TextPart) for part in parts):
        raise refuse(f"{field}.content", "The result of a tool is text here.")
    text = "".join(part.text for part in parts if isinstance(part, TextPart))
    return Message("tool", (ToolResultPart(call_id, text),), extra)


_ROLES: dict[str, Callable[[dict[str, Any], str, list[str]], Message]] = {
    "system": _system,
    "developer": _developer,
    "user": _user,
    "assistant": _assistant,
    "tool": _tool,
}


def _content(said: dict[str, Any], field: str, special: list[str]) -> tuple[tuple[Part, ...], dict[str, Any]]:
    """Take the content and return its parts, and under `content` what they do not hold all of, as it came."""
    content, field = said.pop("content", ""), f"{field}.content"
    if isinstance(content, str):
        return ((TextPart(content),) if content else ()), {}
    if not isinstance(content, list):
        raise wrong(field, "it is a text, or a list of parts")
    before = len(special)
    parts = [_part(each, f"{field}.{at}", special) for at, each in enumerate(content)]
    extra = {"content": content} if len(special) > before else {}
    return tuple(part for part in parts if part is not None), extra


def _part(given: Any, field: str, special: list[str]) -> Part | None:
    kind = given.get("type") if isinstance(given, dict) else None
    part: Part | None = None
    match kind:
        case "text":
            part = TextPart(checked(given, _Text, field=field).text)
            unsaid = given.keys() - {"type", "text"}
        case "refusal":
            part = TextPart(checked({"text": given.get("refusal")}, _Text, field=field).text)
            unsaid = given.keys() - {"type"}
        case "image_url":
            picture = checked(given, _ImageUrl, field=field).image_url
            part = ImagePart(*data_url(picture.url, field=f"{field}.image_url.url"))
            unsaid = {name for name in given if name not in {"type", "image_url"}}
            if picture.detail not in {None, "auto"}:
                unsaid.add("image_url.detail")
        case str() if kind in _VERBATIM:
            unsaid = {kind}
        case str():
            raise refuse(f"{field}.type", f"Headrace does not hand on parts of the type {kind!r}.")
        case _:
            raise wrong(field, "a part is an object with a `type`")
    for name in unsaid:
        _check_stays(given.get(name), f"{field}.{name}")
    special += [f"{field}.{name}" for name in unsaid if given.get(name, ...) is not None]
    return part


def _check_stays(value: Any, field: str) -> None:
    """Raise `NotAvailable` where something in the value is an address that a server behind us might fetch."""
    for path, each in _within(field, value):
        if isinstance(each, str) and _LEADS_OUT.match(each):
            raise refuse(path, "Headrace lets nothing be fetched for a request: send the data itself.")


def _within(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield a field and all within it, with their paths; however deep, as JSON may be nested deeper than calls."""
    left = [(field, value)]
    while left:
        path, each = left.pop()
        yield path, each
        if isinstance(each, dict):
            left += [(f"{path}.{name}", inner) for name, inner in each.items()]
        elif isinstance(each, list):
            left += [(f"{path}.{at}", inner) for at, inner in enumerate(each)]


def _calls(said: dict[str, Any], field: str, special: list[str], extra: dict[str, Any]) -> Iterator[Part]:
    given, field = said.pop("tool_calls", []), f"{field}.tool_calls"
    if not isinstance(given, list):
        raise wrong(field, "it is a list of calls")
    for at, each in enumerate(given):
        if isinstance(each, dict) and each.get("type") == "custom":
            special.append(f"{field}.{at}.custom")
            extra["tool_calls"] = given
            continue
        call = checked(each, _Call, field=f"{field}.{at}")
        yield ToolCallPart(call.id, call.function.name, call.function.arguments)
