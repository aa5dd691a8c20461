"""This module shows one run as it goes on: what happens before the answer, the answer, and its numbers."""

from collections.abc import Sequence
from typing import assert_never

from headrace.cli.screen import Screen
from headrace.cli.turn import Heard
from headrace.core import events

__all__ = ["RunView"]


class RunView:
    """What a person sees of one run, of which `model` is known to answer. Fills `turn.Watcher`."""

    def __init__(self, screen: Screen, *, model: str | None = None) -> None:
        self._screen = screen
        self._phase = ""
        self._model = model
        self._usage: events.Usage | None = None

    def show(self, heard: Sequence[Heard]) -> None:
        """Show the next events of the run; what came together is seen together."""
        for each in heard:
            self._show(each.event)
        self._screen.flush()

    def lost(self, delay_s: float) -> None:
        """Say that the connection broke, and when it will be made again."""
        self._tell("", f"the connection is lost; trying again in {delay_s:g} s")

    def found(self) -> None:
        """Take back that it is broken."""
        self._screen.clear_status()

    def end(self, terminal: events.Terminal) -> None:
        """Say how the run ended, unless it is as it should, and its numbers."""
        self._screen.clear_status()
        self._screen.end_line()
        match terminal:
            case events.RunFinished(reason="stop"):
                pass
            case events.RunFinished(reason):
                self._screen.note(f"ended: {reason}")
            case events.RunStopped(by):
                self._screen.note(f"stopped by {by}")
            case events.RunFailed(code, message):
                self._screen.note(f"{code}: {message}")
            case events.RunInterrupted(reason):
                self._screen.note(f"interrupted: {reason}")
            case _ as unreachable:
                assert_never(unreachable)
        numbers = self._numbers()
        if numbers:
            self._screen.note(", ".join(numbers))

    def left(self, *, stopped: bool) -> None:
        """Say that the run's end was not seen, and whether the server has confirmed that it is stopped."""
        self._screen.clear_status()
        self._screen.end_line()
        self._screen.note("stopped" if stopped else "the server did not confirm the stop: the run may go on")

    def _show(self, event: events.Event) -> None:
        match event:
            case events.Text(delta):
                self._screen.text(delta)
            case events.Reasoning(delta):
                self._screen.thought(delta)
            case events.Usage():
                self._usage = event
            case events.RunFinished() | events.RunStopped() | events.RunFailed() | events.RunInterrupted():
                pass  # `end` tells it
            case events.Extra():
                pass  # there are no words for it
            case events.Image() | events.ToolCall() | events.ToolResult() | events.Sources() | events.Corrections():
                self._show_part(event)
            case _:
                self._show_phase(event)

    def _show_phase(
        self,
        event: events.RunStarted
        | events.RunQueued
        | events.ModelLoading
        | events.ModelReady
        | events.ModelSwitched
        | events.PromptProgress,
    ) -> None:
        """Tell what goes on before the answer."""
        match event:
            case events.RunStarted(model=model, model_requested=requested):
                self._model = model
                self._screen.status(f"waiting for {model or requested}")
            case events.RunQueued(place):
                self._tell("queued", "waiting for room", f", place {place}")
            case events.ModelLoading(model, progress):
                self._tell("loading", f"loading {model}", "" if progress is None else f", {progress:.0%}")
            case events.ModelReady(model):
                self._model = model
                self._screen.status(f"waiting for {model}")
            case events.ModelSwitched(origin, to, why):
                self._model = to
                self._screen.note(f"{to} answers in place of {origin}: {why}")
            case events.PromptProgress(read, total):
                self._tell("reading", f"reading the prompt, {total} tokens", f", {read / (total or 1):.0%}")
            case _ as unreachable:
                assert_never(unreachable)

    def _show_part(
        self, event: events.Image | events.ToolCall | events.ToolResult | events.Sources | events.Corrections
    ) -> None:
        """Name what has no words to show, so that it is not taken for missing."""
        match event:
            case events.Image(media_type):
                self._screen.note(f"[a picture, {media_type}]")
            case events.ToolCall(name=name, arguments=arguments):
                self._screen.note(f"[calls {name} with {arguments}]")
            case events.ToolResult(text=text):
                self._screen.note(f"[the call gave: {text}]")
            case events.Sources(sources):
                self._screen.note(f"[{len(sources)} sources]")
            case events.Corrections(corrections):
                self._screen.note(f"[{len(corrections or ())} corrections of the message]")
            case _ as unreachable:
                assert_never(unreachable)

    def _tell(self, phase: str, text: str, more: str = "") -> None:
        """Show it with all that changes as the status; where there is none, write it once for each phase."""
        if self._screen.has_status:
            self._screen.status(text + more)
        elif phase != self._phase or not phase:
            self._phase = phase
            self._screen.note(text)

    def _numbers(self) -> list[str]:
        numbers = [self._model] if self._model else []
        timings = self._usage.timings if self._usage else None
        if timings and timings.first_token_ms is not None:
            numbers.append(f"first token after {timings.first_token_ms / 1000:.2f} s")
        if timings and timings.tokens_per_second is not None:
            numbers.append(f"{timings.tokens_per_second:.1f} tokens/s")
        if self._usage and self._usage.output_tokens is not None:
            about = "about " if self._usage.estimated else ""
            numbers.append(f"{about}{self._usage.output_tokens} tokens")
        return numbers
