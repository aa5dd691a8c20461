"""This module speaks Ollama's own format: NDJSON, a line for each piece and a last one with reason and figures.

Sources: Ollama, `docs/api.md`, `api/types.go` and `server/routes.go`.

Here a model's answer (`/api/chat`) becomes events. The rest stands beside it and is to be had from here:
`encode_request` asks, `error_of` reads a refusal, `ChatEncoder` and `GenerateEncoder` answer those who ask us.
`ollama_models` reads what a server says of its models.
"""

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason
from headrace.formats import jsontext, ndjson
from headrace.formats.ollama_answer import Answer
from headrace.formats.ollama_encoder import ChatEncoder, GenerateEncoder
from headrace.formats.ollama_errors import error_of
from headrace.formats.ollama_request import encode_request

__all__ = ["ChatEncoder", "Decoder", "GenerateEncoder", "encode_request", "error_of"]


class Decoder:
    """One answer: feed it the body as it arrives, `flush` and `close` it where the body ends.

    A whole reply (`"stream": false`) is a stream of one line, and read as such. With `think` a `<think>` block at the
    very start of the text becomes `reasoning` (see `think.Splitter`), unless the server tells thoughts apart by itself;
    leave it off for an answer that goes on from an earlier one. `done` says that nothing more will be read: the last
    line came, or the server failed.
    """

    def __init__(self, *, think: bool = True) -> None:
        self.done = False
        self._lines = ndjson.Decoder()
        self._answer = Answer(think=think)
        self._failure: ProviderError | None = None

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model ended its answer; None until it said so."""
        return self._answer.finish_reason

    def feed(self, data: bytes) -> list[Event]:
        """Return the events that these bytes complete, in order; `usage` comes with the reason of the end.

        Raises `ProviderError` where the server reports an error, or sends what is no line of a chat
        (`upstream_garbled`), once the events before it have been returned: from the same call when there were none,
        otherwise from the next `feed` or `close`. `done` is true from then on.
        """
        events: list[Event] = []
        if not self.done:
            try:
                self._take(self._lines.feed(data), events)
            except ProviderError as error:
                self._fail(error, events)
        if self._failure is not None and not events:
            raise self._failure
        return events

    def flush(self) -> list[Event]:
        """Return what is left: a last line without its end, and what was held back in doubt.

        Call it at the end of the bytes before `close`, which may raise, and where the connection broke or the run was
        stopped. A line that was cut off says nothing and is dropped: no answer is complete without its last line.
        """
        events: list[Event] = []
        if not self.done:
            try:
                rest = self._lines.close()
                if rest is not None and not _is_cut(rest):
                    self._take([rest], events)
            except ProviderError as error:
                self._fail(error, events)
        self._answer.flush(events)
        return events

    def close(self) -> list[Event]:
        """Return the last events, at the end of the body.

        Raises `ProviderError`: `upstream_closed` where the server never said why the answer ended, or what `feed` has
        not raised yet.
        """
        events = self.flush()
        self.done = True
        if self._failure is None and self.finish_reason is None:
            self._failure = ProviderError(
                "The model's server closed the connection before the answer was complete. "
                "Try again or continue the answer.",
                code="upstream_closed",
            )
        if self._failure is not None:
            raise self._failure
        return events

    def _take(self, lines: list[bytes], events: list[Event]) -> None:
        for line in lines:
            self._answer.read(line, events)
            if self.finish_reason is not None:
                self.done = True
                return

    def _fail(self, error: ProviderError, events: list[Event]) -> None:
        self.done = True
        self._failure = error
        self._answer.flush(events)


def _is_cut(line: bytes) -> bool:
    """Return whether a line at the end of the body may be the beginning of one, rather than something else."""
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        jsontext.decode(line)
    except ValueError:
        return True
    return False
