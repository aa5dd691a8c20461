"""This module adds up the lines of an Ollama chat to the events of one answer.

What is not named in the structs below is skipped by the JSON decoder without being built: that is what makes a token
cheap.
"""

from typing import Any

import msgspec

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Image, Reasoning, Text, Timings, ToolCall, Usage
from headrace.formats import jsontext
from headrace.formats.ollama_errors import error_in
from headrace.formats.openai_errors import presentable
from headrace.formats.think import Splitter

__all__ = ["Answer"]

_FINISH: dict[str | None, FinishReason] = {"length": "length", "content_filter": "content_filter"}
"""The reasons that are not `stop`. An unknown one is `stop` too, and so is none at all, which is what servers of before
2024 send: `done` itself says that the answer is whole."""

_MEDIA_TYPES = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""Ollama does not tell what kind of picture it sends: this is how each begins, in base64."""

_SHOWN_BYTES = 200
_MAX_NUMBER = 2**53  # what a JSON number holds everywhere; a count above it is none
_NS_IN_MS = 1_000_000
_NS_IN_S = 1_000_000_000


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct, gc=False):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[_Call] | None = None
    images: list[str] | None = None


class _Line(msgspec.Struct, gc=False):
    message: _Message | None = None
    done: bool | None = None
    done_reason: str | None = None
    error: Any = None
    load_duration: Any = None
    prompt_eval_count: Any = None
    prompt_eval_duration: Any = None
    eval_count: Any = None
    eval_duration: Any = None


_decode = msgspec.json.Decoder(_Line).decode


class Answer:
    """One answer as it grows. `finish_reason` is why the model ended it, None until it is known."""

    def __init__(self, *, think: bool) -> None:
        self.finish_reason: FinishReason | None = None
        self._splitter = Splitter() if think else None
        self._halves: dict[type[Text | Reasoning], jsontext.Halves] = {}
        self._plain = not think  # text passes as it is: no splitter, no halves
        self._calls = 0

    def read(self, data: bytes, events: list[Event]) -> None:
        """Add what one line says to `events`. Raises `ProviderError` where it is an error, or no line of a chat."""
        try:
            line = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if data.isspace():
                return  # some proxies' keepalive
            line = self._odd(data)
        if line.error:
            raise error_in(data)
        if line.message is not None:
            self._message(line.message, events)
        elif line.done is None:
            raise _garbled(data, "neither `message` nor `done`")
        if line.done:
            self._finish(line, events)

    def flush(self, events: list[Event]) -> None:
        """Add what is held back. Nothing is held back any more from here on."""
        for kind, halves in self._halves.items():
            if left := halves.close():
                self._whole(kind, left, events)
        if self._splitter is not None:
            events += self._splitter.close()
            self._splitter = None
        self._plain = not self._halves

    def _odd(self, data: bytes) -> _Line:
        """Read what msgspec refuses: halves of surrogate pairs, NaN. Raises where it is no line of a chat at all."""
        try:
            line = msgspec.convert(jsontext.decode(data), _Line)
        except (ValueError, msgspec.ValidationError) as error:
            raise _garbled(data, str(error)) from error
        self._halves = self._halves or {Text: jsontext.Halves(), Reasoning: jsontext.Halves()}
        self._plain = False
        return line

    def _message(self, message: _Message, events: list[Event]) -> None:
        if message.thinking:
            if self._splitter is not None:
                # this server tells thoughts apart by itself, so a tag in its text is text
                self.flush(events)
            self._piece(Reasoning, message.thinking, events)
        if message.content:
            if self._plain:
                events.append(Text(message.content))
            else:
                self._piece(Text, message.content, events)
        if message.images or message.tool_calls:
            self.flush(events)
            events += [_image(data) for data in message.images or ()]
            events += [self._call(call) for call in message.tool_calls or ()]

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

    def _call(self, call: _Call) -> Event:
        number, self._calls = self._calls, self._calls + 1
        arguments = call.function.arguments
        if not isinstance(arguments, str):
            arguments = jsontext.encode({} if arguments is None else arguments).decode()
        return ToolCall(
            jsontext.mend(call.id or "") or f"call_{number}", jsontext.mend(call.function.name or ""), arguments or "{}"
        )

    def _finish(self, line: _Line, events: list[Event]) -> None:
        self.flush(events)
        reason = _FINISH.get(line.done_reason, "stop")
        self.finish_reason = "tool_calls" if reason == "stop" and self._calls else reason  # Ollama itself says `stop`
        usage = _usage(line)
        if usage is not None:
            events.append(usage)


def _image(data: str) -> Event:
    return Image(next((kind for start, kind in _MEDIA_TYPES.items() if data.startswith(start)), "image/png"), data)


def _usage(line: _Line) -> Usage | None:
    read, made = _count(line.prompt_eval_count), _count(line.eval_count)
    loading = _count(line.load_duration)
    timings = Timings(
        loading_ms=None if loading is None else round(loading / _NS_IN_MS),
        prompt_tokens_per_second=_speed(read, line.prompt_eval_duration),
        tokens_per_second=_speed(made, line.eval_duration),
    )
    counted = Usage(input_tokens=read, output_tokens=made, timings=None if timings == Timings() else timings)
    return None if counted == Usage() else counted


def _count(number: Any) -> int | None:
    return number if type(number) is int and 0 <= number <= _MAX_NUMBER else None


def _speed(tokens: int | None, duration: Any) -> float | None:
    ns = _count(duration)
    return round(tokens * _NS_IN_S / ns, 2) if tokens is not None and ns else None


def _garbled(data: bytes, why: str) -> ProviderError:
    shown = presentable(data[:_SHOWN_BYTES].decode(errors="replace"))
    return ProviderError(
        f"The model's server sent what is no line of an Ollama chat: {shown} ({presentable(why)}). "
        "Check the provider's kind and base_url.",
        code="upstream_garbled",
    )
