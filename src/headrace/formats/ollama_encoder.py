"""This module answers as Ollama does: journal entries to the lines of a chat, or of a completion (`/api/generate`).

Source: Ollama, `docs/api.md` and `api/types.go`. JSON is all ASCII, since there are clients that split lines at U+2028;
there is no blank line anywhere, since Ollama's own Python client stumbles over one.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, assert_never

from headrace.core import events
from headrace.core.fold import Fold
from headrace.formats import jsontext, native, ndjson
from headrace.formats.ollama_reply import call_of, end_error, said_of

__all__ = ["ChatEncoder", "GenerateEncoder"]

_DONE = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_calls": "stop"}
"""Ollama has no reason for calls of tools; that for filters is ours, as nothing of its own would be true."""

_NS_IN_MS = 1_000_000
_NS_IN_S = 1_000_000_000


class _Encoder(ABC):
    """One reader's stream of lines; fills `formats.port.StreamEncoder`.

    `model` stands in every line and follows the run's events once they tell it. `created_ms`, when the run began, is
    in milliseconds since the Unix epoch: a line's `created_at` is when its event happened, so that it is the same for
    every reader.

    A run that fails, is interrupted or stopped ends with a line `{"error": ...}`, never with `done`. What the format
    has no place for (sources, corrections, tool results, progress) is left out, and so are pictures: in an answer
    Ollama's own Python client refuses them. For an answer in one piece `skip` all entries of the run, then `reply`.
    """

    content_type = "application/x-ndjson"

    def __init__(self, *, model: str, created_ms: int) -> None:
        self._model = model
        self._created_ms = created_ms
        self._t = 0
        self._calls = 0
        self._usage = events.Usage()
        self._made = Fold()
        before, _, after = jsontext.encode_ascii({**self._said("\0"), "done": False}).rpartition(b'"\\u0000"')
        self._before, self._after = b'",' + before[1:], after + b"\n"
        self._name(model)

    def start(self) -> bytes:
        """Return nothing: the first event is the start."""
        return b""

    def skip(self, entries: Sequence[bytes]) -> None:
        """Learn model, usage, time and counts from entries that the reader has already."""
        for entry in entries:
            event = native.decode(entry)
            self._made.feed(event)
            self._learn(event)
        self._t = native.time_of(entries[-1]) if entries else self._t

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the lines of these entries; the format has no place for `seq`."""
        del seq
        if merge:
            entries = [entry for _, entry in native.gather(entries)]
        return b"".join([self._entry(entry) for entry in entries])

    def keepalive(self) -> bytes:
        """Return a line with no text in it: no client takes it for an event, and a blank line would break some."""
        return self._line(self._said(""))

    def reply(self) -> bytes:
        """Return the whole answer as one object, or the error where it is not whole.

        Raises `ValueError` where the run goes on.
        """
        end = self._made.terminal
        if end is None:
            raise ValueError("only a run that has ended has a reply")
        if not isinstance(end, events.RunFinished):
            return end_error(end)
        text, thoughts, calls = said_of(self._made)
        more = {"tool_calls": calls} if calls else {}
        return self._finished(self._said(text, thoughts=thoughts, **more), end.reason)

    @abstractmethod
    def _said(self, text: str, *, thoughts: str = "", **more: Any) -> dict[str, Any]:
        """Return what a line says; `more` is `tool_calls`."""

    def _entry(self, entry: bytes) -> bytes:
        # a token: its JSON string goes from the journal into the line as it is
        self._t = native.time_of(entry)
        delta = native.raw_delta(entry)
        if delta is None:
            event = native.decode(entry)
            self._learn(event)
            return self._event(event)
        if not delta.isascii():
            delta = jsontext.encode_ascii(jsontext.decode(delta))
        return b"%b%b%b%b%b" % (self._head, self._stamp(), self._before, delta, self._after)

    def _learn(self, event: events.Event) -> None:
        match event:
            case events.RunStarted(model=str(model)) | events.ModelReady(model) | events.ModelSwitched(to=model):
                self._name(model)
            case events.Usage():
                self._usage = event
            case events.ToolCall():
                self._calls += 1
            case _:
                pass

    def _event(self, event: events.Event) -> bytes:
        match event:
            case events.Reasoning(delta):
                return self._line(self._said("", thoughts=delta))
            case events.ToolCall():
                return self._line(self._said("", tool_calls=[call_of(event, self._calls - 1)]))
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
                | events.Image()
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
                return self._finished(self._said(""), reason)
            case events.RunFailed() | events.RunStopped() | events.RunInterrupted():
                return ndjson.encode(end_error(terminal))
            case _ as unreachable:
                assert_never(unreachable)

    def _finished(self, said: dict[str, Any], reason: events.FinishReason) -> bytes:
        return self._line(said, done=True, done_reason=_DONE[reason], **_figures(self._usage, self._t))

    def _name(self, model: str) -> None:
        """Make what stands before every time, once for each model."""
        self._head = b'{"model":%b,"created_at":"' % jsontext.encode_ascii(model)

    def _stamp(self) -> bytes:
        moment = datetime.fromtimestamp((self._created_ms + self._t) / 1000, UTC)
        return b"%bZ" % moment.isoformat(timespec="milliseconds").encode()[:-6]  # Z for +00:00, as Ollama writes it

    def _line(self, said: dict[str, Any], *, done: bool = False, **more: Any) -> bytes:
        body = jsontext.encode_ascii({**said, "done": done, **more})
        return ndjson.encode(b'%b%b",%b' % (self._head, self._stamp(), body[1:]))


class ChatEncoder(_Encoder):
    """A reader's stream as of `POST /api/chat`."""

    def _said(self, text: str, *, thoughts: str = "", **more: Any) -> dict[str, Any]:
        thinking = {"thinking": thoughts} if thoughts else {}
        return {"message": {"role": "assistant", "content": text, **thinking, **more}}


class GenerateEncoder(_Encoder):
    """A reader's stream as of `POST /api/generate`. Of `context`, its tokens of the conversation, there is none."""

    def _said(self, text: str, *, thoughts: str = "", **more: Any) -> dict[str, Any]:
        thinking = {"thinking": thoughts} if thoughts else {}
        return {"response": text, **thinking, **more}


def _figures(usage: events.Usage, t: int) -> dict[str, int]:
    """Return what the last line counts, durations in nanoseconds; what nobody knows is left out.

    A duration follows from its tokens and their speed where the engine told it, otherwise it is what was measured here.
    """
    timings = usage.timings or events.Timings()
    waited = (timings.queued_ms or 0) + (timings.loading_ms or 0)
    total = (t if timings.total_ms is None else timings.total_ms) * _NS_IN_MS
    reading_ms = None if timings.first_token_ms is None else max(0, timings.first_token_ms - waited)
    figures = {
        "total_duration": total,
        "load_duration": _ns(timings.loading_ms),
        "prompt_eval_count": usage.input_tokens,
        "prompt_eval_duration": _duration(usage.input_tokens, timings.prompt_tokens_per_second, reading_ms, total),
        "eval_count": usage.output_tokens,
        "eval_duration": _duration(usage.output_tokens, timings.tokens_per_second, timings.generation_ms, total),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _duration(tokens: int | None, speed: float | None, measured_ms: int | None, total: int) -> int | None:
    # a speed that was measured here is that of the tokens after the first: no part may be longer than the whole
    return min(total, round(tokens / speed * _NS_IN_S)) if tokens is not None and speed else _ns(measured_ms)


def _ns(ms: int | None) -> int | None:
    return None if ms is None else ms * _NS_IN_MS
