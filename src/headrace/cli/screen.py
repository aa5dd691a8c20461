"""This module shows a run to a person: the answer on standard output, everything about it on standard error."""

import re
from typing import TextIO

import click

from headrace.core import events

__all__ = ["Screen"]

# A model may write what a terminal takes for a command: all control characters but the tab and the line end.
_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Screen:
    """The two streams of one command. Thoughts are shown on a terminal only, dimmed."""

    def __init__(self, answer: TextIO, notes: TextIO) -> None:
        self._answer = answer
        self._notes = notes
        self._terminal = answer.isatty()
        self._ends_line = True
        self._dim = False
        self._phase = ""
        self._model: str | None = None
        self._usage: events.Usage | None = None

    def show(self, event: events.Event) -> None:
        """Show the next event of the run."""
        match event:
            case events.Text(delta):
                self._write(delta, dim=False)
            case events.Reasoning(delta) if self._terminal:
                self._write(delta, dim=True)
            case events.RunStarted(model=model) | events.ModelReady(model) | events.ModelSwitched(to=model):
                self._model = model or self._model
            case events.RunQueued(place):
                self._enter("queued", f"waiting for room, place {place}")
            case events.ModelLoading(model):
                self._enter("loading", f"loading {model}")
            case events.PromptProgress(total=total):
                self._enter("reading", f"reading {total} tokens")
            case events.Usage():
                self._usage = event
            case _:
                pass

    def lost(self, delay_s: float) -> None:
        """Say that the connection broke, and when it will be made again."""
        self.note(f"the connection is lost; trying again in {delay_s:g} s")

    def end(self, terminal: events.Terminal) -> None:
        """Say how the run ended, and its numbers."""
        self._end_line()
        match terminal:
            case events.RunFinished(reason="stop"):
                pass
            case events.RunFinished(reason):
                self.note(f"ended: {reason}")
            case events.RunStopped(by):
                self.note(f"stopped by {by}")
            case events.RunFailed(code, message):
                self.note(f"{code}: {message}")
            case events.RunInterrupted(reason):
                self.note(f"interrupted: {reason}")
        numbers = self._numbers()
        if numbers:
            self.note(", ".join(numbers))

    def note(self, text: str) -> None:
        """Write one line to standard error."""
        if self._terminal:
            self._end_line()
        click.echo(click.style(_plain(text), dim=True), file=self._notes)

    def _write(self, delta: str, *, dim: bool) -> None:
        if dim is not self._dim:
            self._end_line()
            self._dim = dim
        text = _plain(delta) if self._terminal else delta
        self._ends_line = text.endswith("\n") if text else self._ends_line
        # written as it is: click.echo would take what looks like a colour out of a piped answer
        self._answer.write(click.style(text, dim=True) if dim else text)
        self._answer.flush()

    def _end_line(self) -> None:
        if not self._ends_line:
            self._answer.write("\n")
            self._answer.flush()
            self._ends_line = True

    def _enter(self, phase: str, text: str) -> None:
        if phase != self._phase:
            self._phase = phase
            self.note(text)

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


def _plain(text: str) -> str:
    return _COMMANDS.sub("", text)
