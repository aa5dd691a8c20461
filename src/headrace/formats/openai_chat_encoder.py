"""This module answers in the OpenAI chat completions format: journal entries to the chunks of a stream.

Source: OpenAI's API reference, "Chat streaming". `reasoning_content` and `images` are as DeepSeek and OpenRouter send
them. JSON is all ASCII, since there are clients that split lines at U+2028; frames have neither `id` nor `event`, and
keepalives no blank line, since OpenAI's own Python client stumbles over either.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from headrace.core import events
from headrace.core.errors import ProviderError
from headrace.formats import jsontext, native, sse

__all__ = ["Encoder"]

_DONE = b"data: [DONE]\n\n"
_CLIENT_FAULT = 500  # a status below it is the request's fault, from it on the server's


class Encoder:
    """One reader's stream of chunks.

    `completion_id`, `model` and `created` (seconds since 1970) stand in every chunk; the model's name follows the run's
    events once they tell it. With `include_usage` a chunk with the usage comes before `[DONE]`, where it is known.

    A run that fails, is interrupted or stopped ends with an error frame (the last with the code `stopped`) and
    `[DONE]`, never with a `finish_reason`. What the format has no place for (sources, corrections, tool results) is
    left out.
    """

    content_type = "text/event-stream"

    def __init__(self, *, completion_id: str, model: str, created: int, include_usage: bool = False) -> None:
        self._id = completion_id
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._usage: events.Usage | None = None
        self._calls = 0
        self._images = 0
        self._started = False
        self._name()

    def start(self) -> bytes:
        """Return the chunk with the role; nothing for a reader that has it already (`skip`)."""
        return b"" if self._started else self._chunk({"role": "assistant", "content": ""})

    def skip(self, entries: Sequence[bytes]) -> None:
        """Learn model, usage and counts from entries that the reader has already."""
        for entry in entries:
            self._started = True
            if native.raw_delta(entry) is None:
                self._learn(native.decode(entry))

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the chunks of these entries; `seq` is not shown, for an `id` line would break clients."""
        del seq
        if merge:
            entries = [entry for _, entry in native.gather(entries)]
        return b"".join([self._entry(entry) for entry in entries])

    def keepalive(self) -> bytes:
        """Return a comment without a blank line."""
        return sse.comment("ping")

    def _entry(self, entry: bytes) -> bytes:
        # a token: its JSON string goes from the journal into the chunk as it is
        delta = native.raw_delta(entry)
        if delta is None:
            event = native.decode(entry)
            self._learn(event)
            return self._event(event)
        if not delta.isascii():
            delta = jsontext.encode_ascii(jsontext.decode(delta))
        return b"%b%b%b" % (self._before, delta, self._after)

    def _learn(self, event: events.Event) -> None:
        match event:
            case events.RunStarted(model=str(model)) | events.ModelReady(model) | events.ModelSwitched(to=model):
                self._model = model
                self._name()
            case events.Usage():
                self._usage = event
            case events.ToolCall():
                self._calls += 1
            case events.Image():
                self._images += 1
            case _:
                pass

    def _event(self, event: events.Event) -> bytes:
        match event:
            case events.Reasoning(delta):
                return self._chunk({"reasoning_content": delta})
            case events.Image(media_type, data):
                url = {"url": f"data:{media_type};base64,{data}"}
                return self._chunk(
                    {"images": [{"type": "image_url", "image_url": url, "index": self._images - 1}]},
                )
            case events.ToolCall(call_id, name, arguments):
                call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
                return self._chunk({"tool_calls": [{"index": self._calls - 1, **call}]})
            case events.RunFinished() | events.RunStopped() | events.RunFailed() | events.RunInterrupted():
                return self._end(event)
            case (
                events.Text()  # has gone out already, see `_entry`
                | events.RunStarted()
                | events.RunQueued()
                | events.ModelLoading()
                | events.ModelReady()
                | events.ModelSwitched()
                | events.PromptProgress()
                | events.Sources()
                | events.ToolResult()
                | events.Corrections()
                | events.Usage()
            ):
                return b""
            case _ as unreachable:
                assert_never(unreachable)

    def _end(self, terminal: events.Terminal) -> bytes:
        match terminal:
            case events.RunFinished(reason):
                return self._chunk({}, finish=reason) + self._usage_chunk() + _DONE
            case events.RunFailed(code, message):
                status, _ = ProviderError.CODES.get(code, (_CLIENT_FAULT, False))
                kind = "invalid_request_error" if status < _CLIENT_FAULT else "server_error"
                return _error(message, kind, code) + _DONE
            case events.RunStopped():
                return _error("The answer was stopped.", "stopped", "stopped") + _DONE
            case events.RunInterrupted():
                return _error("The server went away in mid-answer.", "server_error", "interrupted") + _DONE
            case _ as unreachable:
                assert_never(unreachable)

    def _name(self) -> None:
        """Make what stands around every token, once for each model."""
        chunk = self._chunk({"content": "\0"})
        self._before, _, self._after = chunk.rpartition(b'"\\u0000"')

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._frame([choice], None)

    def _usage_chunk(self) -> bytes:
        usage = self._usage
        if usage is None or not self._include_usage:
            return b""
        read, made = usage.input_tokens or 0, usage.output_tokens or 0
        return self._frame(
            [],
            {
                "prompt_tokens": read,
                "completion_tokens": made,
                "total_tokens": read + made,
                "prompt_tokens_details": {"cached_tokens": usage.cached_tokens or 0},
                "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
            },
        )

    def _frame(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        chunk: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if self._include_usage:
            chunk["usage"] = usage
        return sse.encode(jsontext.encode_ascii(chunk))


def _error(message: str, kind: str, code: str) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return sse.encode(jsontext.encode_ascii({"error": error}))
