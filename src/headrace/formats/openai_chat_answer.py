"""This module adds up the chunks of a chat completion to the events of one answer.

A chunk and a whole reply have the same shape but for one name (`delta`, `message`), so both are read here. What is not
named in the structs below is skipped by the JSON decoder without being built: that is what makes a token cheap.
"""

from base64 import b64encode
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

import msgspec

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Image, PromptProgress, Reasoning, Text, Timings, ToolCall, Usage
from headrace.formats import jsontext
from headrace.formats.openai_chat_extras import Reader
from headrace.formats.openai_chat_repeat import Repeat
from headrace.formats.openai_errors import error_in, presentable
from headrace.formats.think import Splitter

__all__ = ["Answer"]

_FINISH: dict[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",  # Mistral: the context is full
    "content_filter": "content_filter",
    "safety": "content_filter",  # Gemini, passed on by routers
    "sensitive": "content_filter",  # Zhipu
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
"""The reasons that are not `stop`. One that nobody knows is `stop` too: the server did say that the answer is whole."""

_BROKEN = frozenset({"error", "abort", "network_error", "insufficient_system_resource"})
"""Reasons that say that the answer is not whole: of OpenRouter, vLLM, Zhipu and DeepSeek."""

_SHOWN_BYTES = 200
_MAX_TOKENS = 2**53  # what a JSON number holds everywhere; a count above it is none


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class _Fragment(msgspec.Struct, gc=False):
    function: _Function | None = None
    id: str | None = None
    index: int | None = None


class _Delta(msgspec.Struct, gc=False):
    content: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Fragment] | None = None
    function_call: _Function | None = None
    refusal: str | None = None
    images: list[Any] | None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None
    index: int | None = 0


_Tokens = Annotated[int, msgspec.Meta(ge=0, le=_MAX_TOKENS)]


class _Progress(msgspec.Struct, gc=False):
    processed: _Tokens
    total: _Tokens
    cache: _Tokens = 0


class _Chunk(msgspec.Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: Any = None
    timings: Any = None
    prompt_progress: _Progress | None = None
    error: Any = None
    object: str | None = None


_decode = msgspec.json.Decoder(_Chunk).decode


class Answer:
    """One answer as it grows. `finish_reason` is why the model ended it, None until it is known.

    `repeat` knows the chunks that say what the last one said but for its text; `read` need not be asked about those.
    """

    def __init__(self, *, think: bool, extras: bool = False) -> None:
        self.finish_reason: FinishReason | None = None
        self._splitter = Splitter() if think else None
        self._halves: dict[type[Text | Reasoning], jsontext.Halves] = {}
        self._plain = not think  # text passes as it is: no splitter, no halves
        self._calls = _Calls()
        self._usage: dict[str, Any] = {}
        self._timings: dict[str, Any] = {}
        self._extras = Reader() if extras else None
        self.repeat = Repeat(_text_alone)

    def read(self, data: bytes, events: list[Event]) -> None:
        """Add what one chunk or reply says to `events`. Raises `ProviderError` where it is an error, or none of both."""
        said = len(events)
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk = self._odd(data)
        if chunk.error or chunk.object == "error":
            raise error_in(data)
        if self._extras is not None:
            events += self._extras.read(data)
        if chunk.prompt_progress is not None:
            progress = chunk.prompt_progress
            events.append(PromptProgress(progress.processed, progress.total, progress.cache))
        if chunk.choices:
            for choice in chunk.choices:
                if not choice.index:
                    self._choice(choice, events)
        # merged, because some servers send it in every chunk and some in parts
        if chunk.usage is not None:
            self._usage.update(_known(chunk.usage))
        if chunk.timings is not None:
            self._timings.update(_known(chunk.timings))
        self._watch(data, events[said:])

    def _watch(self, data: bytes, said: list[Event]) -> None:
        if self._plain and len(said) == 1 and type(said[0]) is Text:
            self.repeat.learn(data, said[0].delta)
        else:
            self.repeat.forget()

    def flush(self, events: list[Event]) -> None:
        """Add what is held back. Nothing is held back any more from here on."""
        for kind, halves in self._halves.items():
            if left := halves.close():
                self._whole(kind, left, events)
        if self._splitter is not None:
            events += self._splitter.close()
            self._splitter = None
        self._plain = not self._halves

    def end(self, events: list[Event]) -> None:
        """Add what is left when nothing more will come. Half-made tool calls are none: only a reason completes them."""
        self.flush(events)
        if self.finish_reason is not None:
            events += self._calls.complete()
        usage = _usage(self._usage, self._timings)
        if usage is not None:
            events.append(usage)
        self._usage.clear()
        self._timings.clear()

    def _odd(self, data: bytes) -> _Chunk:
        """Read what msgspec refuses: halves of surrogate pairs, NaN. Raises where it is no chunk at all."""
        try:
            payload = jsontext.decode(data)
            chunk = msgspec.convert(payload, _Chunk)
        except (ValueError, msgspec.ValidationError) as error:
            shown = presentable(data[:_SHOWN_BYTES].decode(errors="replace"))
            raise ProviderError(
                f"The model's server sent what is no chat completion: {shown} ({presentable(str(error))}). "
                "Check the provider's kind and base_url.",
                code="upstream_garbled",
            ) from error
        self._halves = self._halves or {Text: jsontext.Halves(), Reasoning: jsontext.Halves()}
        self._plain = False
        return chunk

    def _choice(self, choice: _Choice, events: list[Event]) -> None:
        delta = choice.delta or choice.message
        if delta is not None:
            thought = delta.reasoning_content or delta.reasoning
            if thought:
                self._thought(thought, events)
            if delta.content:
                if self._plain and type(delta.content) is str:
                    events.append(Text(delta.content))
                else:
                    self._content(delta.content, events)
            if delta.refusal or delta.images or delta.tool_calls or delta.function_call:
                self._rest(delta, events)
        if choice.finish_reason:
            self._finish(choice.finish_reason.lower(), events)

    def _thought(self, thought: str, events: list[Event]) -> None:
        if self._splitter is not None:
            # this server tells thoughts apart by itself, so a tag in its text is text
            self.flush(events)
        self._piece(Reasoning, thought, events)

    def _content(self, content: Any, events: list[Event]) -> None:
        if isinstance(content, str):
            self._piece(Text, content, events)
        elif isinstance(content, list):
            self._parts(content, Text, events)
        else:
            raise _unknown("content", content)

    def _parts(self, parts: list[Any], kind: type[Text | Reasoning], events: list[Event]) -> None:
        """Read content in parts, as Mistral sends it; thoughts hold parts of text in their turn."""
        for part in parts:
            match part:
                case {"type": "text", "text": str(text)}:
                    self._piece(kind, text, events)
                case {"type": "thinking", "thinking": list(thoughts)} if kind is Text:
                    self.flush(events)
                    self._parts(thoughts, Reasoning, events)
                case _:
                    raise _unknown("content", part)

    def _piece(self, kind: type[Text | Reasoning], text: str, events: list[Event]) -> None:
        if self._halves:
            text = self._halves[kind].feed(text)
        self._whole(kind, text, events)

    def _whole(self, kind: type[Text | Reasoning], text: str, events: list[Event]) -> None:
        if kind is Text and self._splitter is not None:
            events += self._splitter.feed(text)
            if self._splitter.done:
                self._splitter = None
                self._plain = not self._halves
        elif text:
            events.append(kind(text))

    def _rest(self, delta: _Delta, events: list[Event]) -> None:
        if delta.refusal:
            self._piece(Text, delta.refusal, events)
        for image in delta.images or ():
            self.flush(events)
            events.append(_image(image))
        for fragment in delta.tool_calls or ():
            self._calls.add(fragment)
        if delta.function_call is not None:
            self._calls.add(_Fragment(delta.function_call))

    def _finish(self, reason: str, events: list[Event]) -> None:
        self.flush(events)
        if reason in _BROKEN:
            raise error_in({"code": reason, "message": f"it broke the answer off with the reason `{reason}`"})
        self.finish_reason = _FINISH.get(reason, "stop")
        events += self._calls.complete()


def _text_alone(data: bytes) -> str:
    """Return the text of a chunk that says nothing else; '' for any other, and for what is no chunk."""
    try:
        chunk = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    first = chunk.choices[0] if chunk.choices else None
    if first is None or first.index or first.delta is None or type(text := first.delta.content) is not str:
        return ""
    alone = _Chunk(choices=[_Choice(delta=_Delta(content=text), index=first.index)], object=chunk.object)
    return text if chunk == alone and chunk.object != "error" else ""


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class _Calls:
    """Tool calls, put together from fragments: by `index`, and a new `id` is a new call for those who leave it at 0."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._at: dict[int | None, _Call] = {}

    def add(self, fragment: _Fragment) -> None:
        call = self._at.get(fragment.index)
        if call is None or (fragment.id and call.id and fragment.id != call.id):
            call = self._at[fragment.index] = _Call()
            self._calls.append(call)
        call.id = call.id or fragment.id or ""
        function = fragment.function
        if function is None:
            return
        if function.name and function.name != call.name:  # some repeat the whole name, some send it in pieces
            call.name += function.name
        if isinstance(function.arguments, str):
            call.arguments.append(function.arguments)
        elif function.arguments is not None:
            call.arguments.append(jsontext.encode(function.arguments).decode())

    def complete(self) -> list[Event]:
        """Return the calls and forget them."""
        calls: list[Event] = [
            ToolCall(
                jsontext.mend(call.id) or f"call_{position}",
                jsontext.mend(call.name),
                jsontext.mend("".join(call.arguments)) or "{}",
            )
            for position, call in enumerate(self._calls)
        ]
        self._calls.clear()
        self._at.clear()
        return calls


def _image(item: Any) -> Event:
    match item:
        case {"image_url": {"url": str(url)}} if not url.startswith("data:"):
            return Text(jsontext.mend(url))  # nothing is fetched from here: the reader sees where it is
        case {"image_url": {"url": str(url)}} if url.startswith("data:image/"):
            head, _, data = url.removeprefix("data:").partition(",")
            media_type, *parameters = head.split(";")
            if "base64" not in parameters:
                data = b64encode(unquote_to_bytes(data)).decode()
            return Image(media_type, data)
        case _:
            raise _unknown("image", item)


def _usage(usage: dict[str, Any], timings: dict[str, Any]) -> Usage | None:
    """Return what was counted; llama.cpp's timings count too, and `prompt_n` is without what was in the cache."""
    cached, read = _count(timings, "cache_n"), _count(timings, "prompt_n")
    speeds = Timings(
        prompt_tokens_per_second=_speed(timings, "prompt_per_second"),
        tokens_per_second=_speed(timings, "predicted_per_second"),
    )
    counted = Usage(
        input_tokens=_first(_count(usage, "prompt_tokens"), None if read is None else read + (cached or 0)),
        output_tokens=_first(_count(usage, "completion_tokens"), _count(timings, "predicted_n")),
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
        cached_tokens=_first(
            _count(usage.get("prompt_tokens_details"), "cached_tokens"),
            _count(usage, "prompt_cache_hit_tokens"),  # DeepSeek
            cached,
        ),
        timings=None if speeds == Timings() else speeds,
    )
    return None if counted == Usage() else counted


def _known(value: Any) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None} if isinstance(value, dict) else {}


def _count(value: Any, key: str) -> int | None:
    number = value.get(key) if isinstance(value, dict) else None
    return number if isinstance(number, int) and 0 <= number <= _MAX_TOKENS else None


def _speed(value: dict[str, Any], key: str) -> float | None:
    number = value.get(key)
    return float(number) if isinstance(number, int | float) and 0 <= number <= _MAX_TOKENS else None


def _first(*counts: int | None) -> int | None:
    return next((count for count in counts if count is not None), None)


def _unknown(what: str, value: Any) -> ProviderError:
    shown = presentable(jsontext.encode(value)[:_SHOWN_BYTES].decode(errors="replace"))
    return ProviderError(f"The model's server sent {what} of an unknown shape: {shown}", code="upstream_garbled")
