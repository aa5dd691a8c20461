"""This module answers in the OpenAI chat completions format: journal entries to the chunks of a stream.

Source: OpenAI's API reference, "Chat streaming". `reasoning_content` and `images` are as DeepSeek and OpenRouter send
them. JSON is all ASCII, since there are clients that split lines at U+2028; frames have neither `id` nor `event`, and
keepalives no blank line, since OpenAI's own Python client stumbles over either.
"""

from collections.abc import Sequence
from typing import Any, assert_never

from headrace.core import events
from headrace.core.fold import Fold
from headrace.formats import jsontext, native, sse
from headrace.formats.native import raw_delta
from headrace.formats.openai_chat_extras import Gathered
from headrace.formats.openai_chat_reply import encode_completion, encode_text, end_error, usage_of

__all__ = ["Encoder", "TextEncoder", "completion_id"]

_DONE = b"data: [DONE]\n\n"
_CONTENT = b'{"content":'
_ROLE = b'{"role":"assistant","content":""'
_NOT_FINISHED = b'},"logprobs":null,"finish_reason":null'
_UNSHOWN = frozenset(
    str(kind.__struct_config__.tag)
    for kind in (
        events.RunQueued,
        events.ModelLoading,
        events.PromptProgress,
        events.Sources,
        events.ToolResult,
        events.Corrections,
    )
)
"""Events that the format has no place for: they need not even be decoded."""


class _Hot:
    """What a token touches, side by side in memory: a base class's slots come first, and by themselves they are sorted."""

    __slots__ = ("_after", "_before", "_plain")


class Encoder(_Hot):
    """One reader's stream of chunks.

    `completion_id`, `model` and `created` (seconds since 1970) stand in every chunk; the model's name follows the run's
    events once they tell it. With `include_usage` a chunk with the usage comes before `[DONE]`, where it is known.

    A run that fails, is interrupted or stopped ends with an error frame (the last with the code `stopped`) and
    `[DONE]`, never with a `finish_reason`. What the format has no place for (sources, corrections, tool results) is
    left out. For an answer in one piece `skip` all entries of the run, then `reply`.
    """

    __slots__ = (
        "_calls",
        "_created",
        "_extras",
        "_id",
        "_images",
        "_include_usage",
        "_made",
        "_model",
        "_usage",
    )

    content_type = "text/event-stream"
    kind = "chat.completion.chunk"

    def __init__(self, *, completion_id: str, model: str, created: int, include_usage: bool = False) -> None:
        self._id = completion_id
        self._model = model
        self._created = created
        self._include_usage = include_usage
        self._usage: events.Usage | None = None
        self._calls = 0
        self._images = 0
        self._made: Fold | None = None
        self._extras = Gathered()
        self._before = self._after = b""  # what stands around a token, once it is known
        self._plain = False  # it is known, and a token is all that its chunk says

    def start(self) -> bytes:
        """Return the chunk with the role; nothing for a reader that has it already (`skip`)."""
        return b"" if self._made is not None else self._opening()

    def skip(self, entries: Sequence[bytes]) -> None:
        """Learn from entries that the reader has already."""
        for entry in entries:
            self._made = self._made or Fold()
            event = native.decode(entry)
            self._made.feed(event)
            self._learn(event)

    def reply(self) -> bytes:
        """Return the whole completion; the error where the run did not finish. See `encode_completion`."""
        return encode_completion(
            self._made or Fold(), completion_id=self._id, model=self._model, created=self._created, extras=self._extras
        )

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the chunks of these entries; `seq` is not shown, for an `id` line would break clients."""
        del seq
        if len(entries) == 1 and self._plain:  # the path of a token: its JSON string goes into the chunk as it is
            delta = raw_delta(entries[0])
            if delta is not None and delta.isascii():
                return b"%b%b%b" % (self._before, delta, self._after)
        if merge:
            entries = [entry for _, entry in native.gather(entries)]
        return b"".join([self._entry(entry) for entry in entries])

    def keepalive(self) -> bytes:
        """Return a comment without a blank line."""
        return sse.comment("ping")

    def _entry(self, entry: bytes) -> bytes:
        delta = raw_delta(entry)
        if delta is not None:
            return self._token(delta)
        if native.type_of(entry) in _UNSHOWN:
            return b""
        event = native.decode(entry)
        # what came with nothing that is told goes out by itself, before there is more of it
        more = isinstance(event, events.Extra) and bool(event.choice or event.delta)
        before = self._chunk({}) if more and self._extras.waiting else b""
        self._learn(event)
        return before + self._event(event)

    def _token(self, delta: bytes) -> bytes:
        if self._extras.waiting:
            return self._chunk({"content": jsontext.decode(delta)})
        self._surround()
        self._plain = True
        if not delta.isascii():
            delta = jsontext.encode_ascii(jsontext.decode(delta))
        return b"%b%b%b" % (self._before, delta, self._after)

    def _learn(self, event: events.Event) -> None:
        match event:
            case events.RunStarted(model=str(model)) | events.ModelReady(model) | events.ModelSwitched(to=model):
                if model != self._model:
                    self._model = model
                    self._forget()
            case events.Usage():
                self._usage = event
            case events.ToolCall():
                self._calls += 1
            case events.Image():
                self._images += 1
            case events.Extra():
                self._extras.add(event)
                self._plain = False
                if event.chunk:
                    self._forget()
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
                | events.Extra()
                | events.Usage()
            ):
                return b""
            case _ as unreachable:
                assert_never(unreachable)

    def _end(self, terminal: events.Terminal) -> bytes:
        match terminal:
            case events.RunFinished(reason):
                return self._closing(reason) + self._usage_chunk() + _DONE
            case events.RunFailed() | events.RunStopped() | events.RunInterrupted():
                return sse.encode(end_error(terminal)) + _DONE
            case _ as unreachable:
                assert_never(unreachable)

    def _forget(self) -> None:
        """Take note that chunks have other fields from now on."""
        self._before = self._after = b""
        self._plain = False

    def _surround(self) -> None:
        """Make what stands around every token, once for each model, unless it is known."""
        if not self._before:
            begin, choices, end = self._frame([], None).partition(b'"choices":[')
            before, _, after = jsontext.encode_ascii(self._choice({"content": "\0"}, None)).partition(b'"\\u0000"')
            self._before, self._after = begin + choices + before, after + end

    def _opening(self) -> bytes:
        """Return the chunk with the role: as a token's chunk, since making one costs as much as ten tokens."""
        if self._extras.waiting:
            return self._chunk({"role": "assistant", "content": ""})
        self._surround()
        return b"%b%b%b" % (self._before.removesuffix(_CONTENT), _ROLE, self._after)

    def _closing(self, reason: str) -> bytes:
        """Return the chunk with the reason of the end, likewise."""
        if self._extras.waiting:
            return self._chunk({}, finish=reason)
        self._surround()
        after = self._after.removeprefix(_NOT_FINISHED)
        return b'%b{},"logprobs":null,"finish_reason":"%b"%b' % (
            self._before.removesuffix(_CONTENT),
            reason.encode(),
            after,
        )

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        choice, besides = self._extras.take()
        return self._frame([{**self._choice({**delta, **besides}, finish), **choice}], None)

    def _usage_chunk(self) -> bytes:
        usage = self._usage
        if usage is None or not self._include_usage:
            return b""
        return self._frame([], usage_of(usage, self._extras.usage))

    def _frame(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        chunk: dict[str, Any] = {
            "id": self._id,
            "object": self.kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
            **self._extras.chunk,
        }
        if self._include_usage:
            chunk["usage"] = usage
        return sse.encode(jsontext.encode_ascii(chunk))

    def _choice(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def completion_id(run_id: str, prefix: str = "chatcmpl") -> str:
    """Return the id of a run's completion."""
    return f"{prefix}-{run_id.removeprefix('run_')}"


class TextEncoder(Encoder):
    """One reader's stream of a completion of the older kind: text alone."""

    __slots__ = ()

    kind = "text_completion"

    def start(self) -> bytes:
        """Return nothing: there are no roles."""
        return b""

    def _closing(self, reason: str) -> bytes:
        return self._chunk({}, finish=reason)

    def reply(self) -> bytes:
        """Return the whole completion; the error where the run did not finish. See `encode_text`."""
        return encode_text(self._made or Fold(), completion_id=self._id, model=self._model, created=self._created)

    def _chunk(self, delta: dict[str, Any], *, finish: str | None = None) -> bytes:
        return super()._chunk(delta, finish=finish) if "content" in delta or finish is not None else b""

    def _choice(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, "text": delta.get("content", ""), "logprobs": None, "finish_reason": finish}
