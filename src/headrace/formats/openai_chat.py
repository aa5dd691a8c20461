"""This module speaks the OpenAI chat completions format, as OpenAI and all who imitate it do.

Sources: OpenAI's API reference, "Chat" and "Chat streaming"; llama.cpp, `tools/server/README.md` (`timings`,
`prompt_progress`, `reasoning_content`); OpenRouter's documentation (`reasoning`, `images`, errors in mid-stream).

Here a model's answer becomes events. The other directions stand beside it and are to be had from here:
`encode_request` asks, `error_of` reads a refusal, `Encoder` answers those who ask us. Of an answer with several choices
only the first (`index` 0) is read: a run makes one answer.
"""

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Text
from headrace.formats import sse
from headrace.formats.openai_chat_answer import Answer
from headrace.formats.openai_chat_encoder import Encoder, TextEncoder, completion_id
from headrace.formats.openai_chat_request import encode_request
from headrace.formats.openai_errors import error_in, error_of

__all__ = ["Decoder", "Encoder", "TextEncoder", "completion_id", "decode_reply", "encode_request", "error_of"]


class Decoder:
    """One streamed answer: feed it the body as it arrives, `flush` and `close` it where the body ends.

    With `think` a `<think>` block at the very start of the text becomes `reasoning` (see `think.Splitter`), unless the
    server tells thoughts apart by itself; leave it off for an answer that goes on from an earlier one. With `extras`
    what is said besides is told, too (`events.Extra`). `done` says that nothing more will be read: `[DONE]` came, or
    the server failed. `finish_reason` is why the model ended its answer; None until it said so. `repeat` tells the text of
    bytes that are a chunk like the last: for those `feed` returns that text, and changes nothing.
    """

    __slots__ = ("_answer", "_failure", "_sse", "done", "finish_reason", "repeat")

    def __init__(self, *, think: bool = True, extras: bool = False) -> None:
        self.done = False
        self.finish_reason: FinishReason | None = None
        self._sse = sse.Decoder()
        self._answer = Answer(think=think, extras=extras)
        self.repeat = self._answer.repeat
        self._failure: ProviderError | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete, in order.

        Tool calls come when they are complete, `usage` once, at the end. Raises `ProviderError` where the server
        reports an error, sends what is no chunk (`upstream_garbled`), or `[DONE]` without a reason
        (`upstream_closed`), once the events before it have been returned: from the same call when there were none,
        otherwise from the next `feed` or `close`. `done` is true from then on.
        """
        text = self.repeat.text(data)
        if text:
            return [Text(text)]
        events: list[Event] = []
        if self._failure is None:
            try:
                for frame in self._sse.feed(data):
                    if self.done:
                        break
                    self._take(frame, events)
            except ProviderError as error:
                self._fail(error, events)
            self.finish_reason = self._answer.finish_reason
            self.repeat.open = self._sse.between and not self.done
        if self._failure is not None and not events:
            raise self._failure
        return events

    def flush(self) -> list[Event]:
        """Return what is held back in doubt, at most white space and a part of a tag; for the end of the bytes.

        Call it before `close`, which may raise, and where the connection broke or the run was stopped.
        """
        events: list[Event] = []
        self._answer.flush(events)
        return events

    def close(self) -> list[Event]:
        """Return the last events, at the end of the body.

        Raises `ProviderError`: `upstream_closed` where the server never said why the answer ended, or what `feed` has
        not raised yet.
        """
        events: list[Event] = []
        if not self.done:
            self.done = True
            self.repeat.open = False
            self._answer.end(events)
            if self.finish_reason is None:
                self._failure = _unexplained()
        if self._failure is not None:
            raise self._failure
        return events

    def _take(self, frame: sse.Frame, events: list[Event]) -> None:
        data = frame.data
        if data == b"[DONE]":
            self.done = True
            self._answer.end(events)
            if self._answer.finish_reason is None:
                raise _unexplained()
        elif frame.event == "error":
            raise error_in(data)
        elif data and not data.isspace():  # blank ones are some proxies' keepalives
            self._answer.read(data, events)

    def _fail(self, error: ProviderError, events: list[Event]) -> None:
        self.done = True
        self._failure = error
        self._answer.end(events)


def decode_reply(body: bytes, *, think: bool = True, extras: bool = False) -> tuple[list[Event], FinishReason]:
    """Return the events of a reply without streaming, and why the model ended it. Raises as `Decoder.feed`."""
    events: list[Event] = []
    answer = Answer(think=think, extras=extras)
    answer.read(body, events)
    answer.end(events)
    if answer.finish_reason is None:
        raise _unexplained()
    return events, answer.finish_reason


def _unexplained() -> ProviderError:
    return ProviderError(
        "The model's server closed the connection before the answer was complete. Try again or continue the answer.",
        code="upstream_closed",
    )
