"""This module is what the contracts of the five replaced systems have in common.

Source: "The five systems that Headrace replaces", "Rules for all five". Their front ends split each read at newlines
and parse each part alone, so an event is one `data: ` line of ASCII and a blank line. The spaces in the JSON are those
of their write-ups, for whoever looks for `"done": true` in the bytes. Each contract's own module names its events as
structs, for the encoder and the decoder alike, and says what stands around a token.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, assert_never, get_args

import msgspec

from headrace.core import events
from headrace.core.errors import ProviderError
from headrace.formats import jsontext, native, sse

__all__ = [
    "CHUNK",
    "THOUGHT",
    "Chunk",
    "Closing",
    "Counts",
    "Decoder",
    "Encoder",
    "Error",
    "Failed",
    "Failure",
    "Textless",
    "Thought",
    "TokenDecoder",
]

Said = TypeVar("Said")

CHUNK = b'data: {"type": "chunk", "content": %b}\n\n'
THOUGHT = b'data: {"type": "thought", "content": %b}\n\n'
"""The frames of `Chunk` and `Thought`, with `%b` where the piece goes as a JSON string."""

_json = json.JSONEncoder().encode  # ASCII, with the spaces; of a text alone five times as fast as `jsontext`

_INTERRUPTED = events.RunFailed("interrupted", "The server went away in mid-answer. Try again.", retryable=True)
"""What an interrupted run is in contracts that know only failures."""


class Counts(msgspec.Struct, frozen=True):
    """What an answer took, in tokens; null is what nobody knows."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    estimated: bool = True


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What a closing event has beside what its contract lists.

    `finish_reason` is null where the model gave none: the run was stopped, and `stopped` is there and true.
    """

    run_id: str = ""
    usage: Counts | None = None
    tokens_per_second: float | None = None
    finish_reason: events.FinishReason | None = None
    stopped: bool | msgspec.UnsetType = msgspec.UNSET


class Textless(Closing, frozen=True, kw_only=True):
    """A closing event without the text, which the sibling without streaming adds as `content`."""

    content: str | msgspec.UnsetType = msgspec.UNSET


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """What an error event has beside its message.

    `code` is one of `run.failed`, or `interrupted`; where a request was refused it is that error's, and there is no run.
    """

    code: str = "upstream_error"
    retryable: bool = False
    run_id: str | msgspec.UnsetType = msgspec.UNSET


class Failure(Failed, frozen=True):
    """The run failed, in the contracts without `type`."""

    error: str
    done: bool = True


class Error(Failed, frozen=True, tag="error"):
    """The run failed, in the contracts with `type`."""

    message: str


class Chunk(msgspec.Struct, frozen=True, tag="chunk"):
    """The next piece of the answer."""

    content: str


class Thought(msgspec.Struct, frozen=True, tag="thought"):
    """The next piece of the model's thoughts."""

    content: str


class Encoder(ABC):
    """One reader's stream in one contract; fills `formats.port.StreamEncoder`.

    For the sibling without streaming `skip` all entries of the run, in as many calls as it takes, then `reply`.

    `token` and `thought` are the frames of a piece, with `%b` where its JSON string goes; without `thought` thoughts
    are left out. `failure` makes the error event of its message and the fields of `Failed`. What comes before the
    pieces (`_opening`) goes out with the first event that it can be made from (`_ready`), at the latest before the
    first thing said. What a contract has no place for is left out.
    """

    content_type = "text/event-stream"
    token: ClassVar[bytes]
    thought: ClassVar[bytes | None] = None
    failure: ClassVar[Callable[..., Failed]] = Error

    def __init__(self) -> None:
        self._run = events.RunStarted(run_id="")
        self._model: str | None = None
        self._sources: list[dict[str, Any]] | None = None
        self._corrections: list[dict[str, Any]] | None = None
        self._usage = events.Usage(estimated=True)
        self._terminal: events.Terminal | None = None
        self._escaped = bytearray()  # the text so far as JSON in ASCII: a token is not decoded
        self._opened = False

    def start(self) -> bytes:
        """Return nothing: the first event is the start."""
        return b""

    def skip(self, entries: Sequence[bytes]) -> None:
        """Learn from entries that the reader has already: all that its closing event is to tell."""
        for entry in entries:
            self._entry(entry)

    def encode(self, seq: int, entries: Sequence[bytes], *, merge: bool = False) -> bytes:
        """Return the frames of these entries; the contracts have no place for `seq`."""
        del seq
        if merge:
            entries = [entry for _, entry in native.gather(entries)]
        if len(entries) == 1:
            return self._entry(entries[0])
        return b"".join([self._entry(entry) for entry in entries])

    def keepalive(self) -> bytes:
        """Return a comment and a blank line, so that who splits at blank lines does not take the next event for it."""
        return b": ping\n\n"

    def reply(self) -> bytes:
        """Return the JSON that the sibling without streaming answers with: the closing event's, with the text.

        Of a run that failed or was interrupted it is the error event's. Raises `ValueError` where the run goes on.
        """
        if self._terminal is None:
            raise ValueError("only a run that has ended has a reply")
        end = self._end(self._terminal)
        return _dump(self._whole(end) if isinstance(end, Closing) else end)

    @classmethod
    def refusal(cls, message: str, *, code: str, retryable: bool = False) -> bytes:
        """Return the JSON of a request that was refused before there was a run: the error event's."""
        return _dump(cls.failure(message, code=code, retryable=retryable))

    def _ready(self) -> bool:
        """Return whether all that `_opening` tells is known."""
        return True

    def _opening(self) -> bytes:
        """Return the frame before the pieces."""
        return b""

    def _loading(self, event: events.ModelLoading | events.ModelReady | events.ModelSwitched) -> bytes:
        """Return the frame that tells what becomes of the model."""
        del event
        return b""

    @abstractmethod
    def _closing(self) -> Closing:
        """Return the closing event."""

    def _failure(self, message: str, failed: dict[str, Any]) -> Failed:
        """Return the error event; `failed` is the fields of `Failed`."""
        return type(self).failure(message, **failed)

    def _whole(self, closing: Closing) -> msgspec.Struct:
        """Return what the sibling without streaming answers with."""
        return msgspec.structs.replace(closing, content=self._text()) if isinstance(closing, Textless) else closing

    def _frame(self, said: msgspec.Struct) -> bytes:
        """Return the frame of an event."""
        return b"data: %b\n\n" % _dump(said)

    def _figures(self) -> dict[str, Any]:
        """Return the fields of `Closing`."""
        usage, end = self._usage, self._terminal
        return {
            "run_id": self._run.run_id,
            "usage": Counts(
                usage.input_tokens,
                usage.output_tokens,
                usage.reasoning_tokens,
                usage.cached_tokens,
                usage.estimated,
            ),
            "tokens_per_second": usage.timings.tokens_per_second if usage.timings is not None else None,
            "finish_reason": end.reason if isinstance(end, events.RunFinished) else None,
            "stopped": True if isinstance(end, events.RunStopped) else msgspec.UNSET,
        }

    def _text(self) -> str:
        """Return the answer so far."""
        return str(jsontext.decode(b'"%b"' % bytes(self._escaped)))

    def _entry(self, entry: bytes) -> bytes:
        # a token: its JSON string goes from the journal into the frame as it is
        delta = native.raw_delta(entry)
        if delta is None:
            return self._after_opening(self._event(native.decode(entry)))
        if not delta.isascii():
            delta = _json(jsontext.decode(delta)).encode()
        self._escaped += delta[1:-1]
        frame = self.token % delta
        return frame if self._opened else self._after_opening(frame)

    def _after_opening(self, said: bytes) -> bytes:
        if self._opened or not (said or self._ready()):
            return said
        self._opened = True
        return self._opening() + said

    def _event(self, event: events.Event) -> bytes:
        match event:
            case events.RunStarted(model=model):
                self._run, self._model = event, model
            case events.Sources(sources):
                self._sources = sources
            case events.Corrections(corrections):
                self._corrections = corrections
            case events.Usage():
                self._usage = event
            case events.Reasoning(delta):
                return b"" if self.thought is None else self.thought % _json(delta).encode()
            case events.ModelLoading() | events.ModelReady() | events.ModelSwitched():
                frame = self._loading(event)
                self._model = event.to if isinstance(event, events.ModelSwitched) else event.model
                return frame
            case events.RunFinished() | events.RunStopped() | events.RunFailed() | events.RunInterrupted():
                self._terminal = event
                return self._frame(self._end(event))
            case (
                events.Text()  # has gone out already, see `_entry`
                | events.RunQueued()
                | events.PromptProgress()
                | events.Image()
                | events.ToolCall()
                | events.ToolResult()
                | events.Extra()
            ):
                pass
            case _ as unreachable:
                assert_never(unreachable)
        return b""

    def _end(self, terminal: events.Terminal) -> Closing | Failed:
        match terminal:
            case events.RunFinished() | events.RunStopped():
                return self._closing()
            case events.RunFailed(code, message, retryable):
                return self._failure(message, {"code": code, "retryable": retryable, "run_id": self._run.run_id})
            case events.RunInterrupted():
                return self._end(_INTERRUPTED)
            case _ as unreachable:
                assert_never(unreachable)


class Decoder(Generic[Said]):
    """The events of one contract's stream: feed it the bytes as they arrive, `close` it where they end.

    `kinds` is the union of the contract's events, which `type` tells apart. Events and fields that it does not know are
    ignored, as the rules ask of clients. `done` says that the closing event or the error was read: nothing follows.
    """

    kinds: ClassVar[Any]

    def __init__(self) -> None:
        self.done = False
        self._sse = sse.Decoder()
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> list[Said]:
        """Return the events that these bytes complete, in order.

        Raises `ProviderError` (`upstream_garbled`) where one is none of this contract, once the events before it have
        been returned: from the same call when there were none, otherwise from the next `feed` or `close`.
        """
        read: list[Said] = []
        if self._failure is None:
            try:
                for frame in self._sse.feed(data):
                    if not self.done:
                        self._take(frame.data, read)
            except ProviderError as error:
                self._failure = error
        if self._failure is not None and not read:
            raise self._failure
        return read

    def close(self) -> None:
        """Raise `ProviderError` where the stream was cut (`upstream_closed`), or what `feed` has not raised yet."""
        if self._failure is not None:
            raise self._failure
        if not self.done:
            raise ProviderError("The server closed the connection in mid-answer. Try again.", code="upstream_closed")

    def _take(self, data: bytes, read: list[Said]) -> None:
        try:
            said = jsontext.decode(data)
            if not isinstance(said, dict):
                raise ValueError("it is no JSON object")  # noqa: TRY004, TRY301  what is wrong is the data
            kind = self._kind(said)
            if kind is None:
                return
            event: Said = msgspec.convert(said, kind)
        except (msgspec.ValidationError, ValueError) as error:
            message = f"The server sent no event of this contract: {data[:80]!r} ({error})"
            raise ProviderError(message, code="upstream_garbled") from error
        self.done = isinstance(event, Closing | Failed)
        read.append(event)

    def _kind(self, said: dict[str, Any]) -> Any:
        """Return what this is: a struct, a union of structs that `type` tells apart, or None for what is not known."""
        tags = [kind.__struct_config__.tag for kind in get_args(self.kinds)]
        name = said.get("type")
        return None if isinstance(name, str) and name not in tags else self.kinds


class TokenDecoder(Decoder[Said]):
    """The events of a contract without `type`, whose `kinds` are `piece`, `end` and `Failure`."""

    piece: ClassVar[type[msgspec.Struct]]
    end: ClassVar[type[Closing]]

    def _kind(self, said: dict[str, Any]) -> Any:
        if "error" in said:
            return Failure
        if said.get("done"):
            return self.end
        return self.piece if "token" in said else None


def _dump(said: msgspec.Struct) -> bytes:
    return _json(msgspec.to_builtins(said)).encode()
