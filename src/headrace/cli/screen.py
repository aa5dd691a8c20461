"""This module writes to a person: an answer to standard output, everything about it to standard error.

What can change is a line at the foot of the terminal, replaced in place; what was written of an answer is never
written again, so it scrolls, and a window of another size does it no harm.
"""

import io
import os
import sys
from collections.abc import Mapping
from typing import TextIO

import click

from headrace.cli.screen_text import Harmless, fit, one_line, plain

__all__ = ["Screen", "plain", "raw_option", "standard"]

raw_option = click.option(
    "--raw", is_flag=True, help="Write the text as it is, escaping nothing: for files and programs."
)
"""`standard` takes it."""

_DIM, _RESET = "\x1b[2m", "\x1b[0m"
_ERASE = "\x1b[J"
_COLUMNS = 80


class Screen:
    """Two streams, which may be one terminal.

    With `colour` thoughts and notes are dimmed where they go to a terminal, and a status can be shown; without it not
    one control character is written. With `raw` the answer is written as it is, for programs; otherwise what a
    terminal would take for a command is escaped.
    """

    def __init__(self, answer: TextIO, notes: TextIO, *, colour: bool = True, raw: bool = False) -> None:
        self.has_status = colour and notes.isatty()
        self._answer = answer
        self._notes = notes
        self._terminal = answer.isatty()
        self._colour = colour
        self._raw = raw
        self._harmless = Harmless()
        self._ends_line = True
        self._thinking = False
        self._status = False

    @property
    def columns(self) -> int | None:
        """How wide the terminal is that the answer goes to; None where it goes to none."""
        return _columns(self._answer) if self._terminal else None

    def text(self, piece: str) -> None:
        """Write a piece of the answer. It is seen with the next `flush`."""
        self._think(thinking=False)
        self._write(piece if self._raw else self._harmless.feed(piece))

    def thought(self, piece: str) -> None:
        """Write a piece of the model's thoughts, where the answer goes to a terminal."""
        if not self._terminal:
            return
        self._think(thinking=True)
        text = self._harmless.feed(piece)
        self._write(text, dim=True)

    def flush(self) -> None:
        """Have all that was written seen."""
        self._answer.flush()

    def note(self, text: str) -> None:
        """Write one line to standard error."""
        self.clear_status()
        if self._terminal:
            self.end_line()
        line = one_line(text)
        self._notes.write(f"{_DIM}{line}{_RESET}\n" if self.has_status else f"{line}\n")
        self._notes.flush()

    def status(self, text: str) -> None:
        """Show what goes on now, in place of what was shown before; nothing where `has_status` is false."""
        if not self.has_status:
            return
        if self._terminal:
            self.end_line()
        # The cursor goes back to the line's first cell: wherever a resize wraps the line, all of it comes after the
        # cursor, and is erased with what comes after the cursor.
        line = fit(one_line(text), _columns(self._notes) - 1)
        self._notes.write(f"{_ERASE}{_DIM}{line}{_RESET}\r")
        self._notes.flush()
        self._status = True

    def clear_status(self) -> None:
        """Erase what `status` shows."""
        if self._status:
            self._status = False
            self._notes.write(_ERASE)
            self._notes.flush()

    def end_line(self) -> None:
        """End the answer's line, if it has begun."""
        self._write(self._harmless.end())
        if not self._ends_line:
            self._write("\n")
        self.flush()

    def _think(self, *, thinking: bool) -> None:
        if thinking is self._thinking:
            return
        self.end_line()
        self._thinking = thinking
        if not self._colour:
            # what is not dimmed must be told apart by words
            self.note("(thoughts)" if thinking else "(answer)")

    def _write(self, text: str, *, dim: bool = False) -> None:
        if text:
            self.clear_status()
            self._ends_line = text.endswith("\n")
            self._answer.write(f"{_DIM}{text}{_RESET}" if dim and self._colour else text)


def standard(*, raw: bool = False, environ: Mapping[str, str] = os.environ) -> Screen:
    """Return the screen of this process; without colour where NO_COLOR is set or the terminal is a dumb one.

    Raises `click.UsageError` for `raw` on a terminal.
    """
    if raw and sys.stdout.isatty():
        raise click.UsageError("--raw is for files and programs: standard output is a terminal.")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # what the terminal's encoding lacks, and halves of a cut UTF-16 pair, become `?` and end nothing
            stream.reconfigure(errors="replace")
    colour = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Screen(sys.stdout, sys.stderr, colour=colour, raw=raw)


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except OSError:
        return _COLUMNS
