"""This module folds a run's events into the message that they make."""

from collections.abc import Iterable
from itertools import groupby
from typing import assert_never, cast

from headrace.core import events
from headrace.core.messages import ImagePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from headrace.core.status import EndStatus

__all__ = ["Fold", "join", "status_of"]


def status_of(terminal: events.Terminal) -> EndStatus:
    """Return the status of a run that ended with this event."""
    match terminal:
        case events.RunFinished():
            return "complete"
        case events.RunStopped():
            return "stopped"
        case events.RunFailed():
            return "failed"
        case events.RunInterrupted():
            return "interrupted"
        case _ as unreachable:
            assert_never(unreachable)


class Fold:
    """The message so far: feed events in order, read the attributes at any time.

    Feeding costs O(1) for each event. `seq` is the number of events fed minus one, that is the last event's
    sequence number when all of a run's events are fed.
    """

    def __init__(self) -> None:
        self.seq = -1
        self.model: str | None = None
        self.usage: events.Usage | None = None
        self.terminal: events.Terminal | None = None
        self._parts: list[Part] = []
        self._open: type[TextPart | ReasoningPart] = TextPart
        self._pieces: list[str] = []

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts so far; adjacent pieces of one kind are one part."""
        self._close()
        return tuple(self._parts)

    @property
    def status(self) -> EndStatus | None:
        """The terminal status, or None while the run goes on."""
        return status_of(self.terminal) if self.terminal is not None else None

    def feed(self, event: events.Event, count: int = 1) -> None:
        """Take the next event of the run, or `count` of them of which this one has the deltas."""
        self.seq += count
        match event:
            case events.Text(delta):
                self._piece(TextPart, delta)
            case events.Reasoning(delta):
                self._piece(ReasoningPart, delta)
            case events.Image(media_type, data):
                self._part(ImagePart(media_type, data))
            case events.ToolCall(call_id, name, arguments):
                self._part(ToolCallPart(call_id, name, arguments))
            case events.ToolResult(call_id, text):
                self._part(ToolResultPart(call_id, text))
            case events.Usage():
                self.usage = event
            case events.RunStarted(model=model) | events.ModelReady(model) | events.ModelSwitched(to=model):
                self.model = model or self.model
            case events.RunFinished() | events.RunStopped() | events.RunFailed() | events.RunInterrupted():
                self.terminal = event
            case (
                events.RunQueued()
                | events.ModelLoading()
                | events.PromptProgress()
                | events.Sources()
                | events.Corrections()
                | events.Extra()
            ):
                pass
            case _ as unreachable:
                assert_never(unreachable)

    def feed_all(self, happened: Iterable[events.Event]) -> None:
        """Take the next events of the run, in order. For text, which most of them are, this is the short way."""
        for kind, alike in groupby(happened, type):
            if kind is events.Text:
                deltas = [event.delta for event in cast("Iterable[events.Text]", alike)]
                self.seq += len(deltas)
                self._piece(TextPart, "".join(deltas))
            else:
                for event in alike:
                    self.feed(event)

    def _piece(self, kind: type[TextPart | ReasoningPart], delta: str) -> None:
        if not delta:
            return
        if self._open is not kind:
            self._close()
            self._open = kind
        self._pieces.append(delta)

    def _part(self, part: Part) -> None:
        self._close()
        self._parts.append(part)

    def _close(self) -> None:
        if not self._pieces:
            return
        text = "".join(self._pieces)
        self._pieces.clear()
        last = self._parts[-1] if self._parts else None
        if isinstance(last, self._open):
            # reading `parts` in mid-answer closed this part: it goes on
            self._parts[-1] = self._open(last.text + text)
        else:
            self._parts.append(self._open(text))


def join(before: tuple[Part, ...], after: tuple[Part, ...]) -> tuple[Part, ...]:
    """Return the parts of a message that was continued: text goes on in the part where it broke off."""
    if before and after:
        last, first = before[-1], after[0]
        if isinstance(last, TextPart) and isinstance(first, TextPart):
            return (*before[:-1], TextPart(last.text + first.text), *after[1:])
    return (*before, *after)
