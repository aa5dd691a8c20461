"""This module reads messages from a person at a terminal: lines with a history, over several lines if need be."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.shortcuts import CompleteStyle

if sys.platform != "win32":
    import termios

__all__ = ["Prompt", "history_file", "keys_held"]

_MAX_HISTORY = 1024 * 1024  # bytes; it is read whole at each start
_MARK = b"\n# "  # before each entry of the file

Words = Callable[[str], Sequence[str]]
"""Returns the words that may complete a line which begins so."""


class Prompt:
    """The line that a person types at. The history is kept in `history`, if that can be written."""

    def __init__(self, history: Path, words: Words) -> None:
        self._session: PromptSession[str] = PromptSession(
            "> ",
            multiline=True,
            prompt_continuation="  ",
            history=_History(history),
            key_bindings=_keys(),
            completer=_Completer(words),
            complete_while_typing=False,
            # the other styles keep lines free below the prompt
            complete_style=CompleteStyle.READLINE_LIKE,
            # the answers may go to a file
            output=create_output(always_prefer_tty=True),
        )

    async def ask(self, text: str = "") -> str:
        """Return what was typed; it begins with `text`.

        Raises `EOFError` at Ctrl-D and `KeyboardInterrupt` at Ctrl-C, both on an empty line.
        """
        typed = await self._session.prompt_async(default=text)
        # bytes that are not UTF-8 come as halves of pairs, which no JSON takes
        return typed.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def history_file(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where this user's history is kept."""
    return Path(environ.get("XDG_STATE_HOME") or "~/.local/state").expanduser() / "headrace" / "chat_history"


@contextlib.contextmanager
def keys_held() -> Iterator[None]:
    """Keep what is typed meanwhile for the next prompt, unseen: it would be mixed into the answer. Ctrl-C works on."""
    if sys.platform == "win32":
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    held = termios.tcgetattr(keyboard)
    held[0] &= ~termios.ICRNL  # as the prompt reads keys: Enter is CR
    held[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(keyboard, termios.TCSANOW, held)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter")
    def _enter(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if buffer.document.text_before_cursor.endswith("\\"):
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _alt_enter(event: KeyPressEvent) -> None:
        event.current_buffer.newline(copy_margin=False)

    @keys.add("c-c")
    @keys.add("<sigint>")
    def _interrupt(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt)

    return keys


class _Completer(Completer):
    def __init__(self, words: Words) -> None:
        self._words = words

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """See `Completer`."""
        del complete_event
        line = document.text_before_cursor
        for word in self._words(line):
            if word.startswith(line):
                yield Completion(word, start_position=-len(line))


class _History(FileHistory):
    """A file that only its user can read, and of bounded size. What goes wrong with it ends no chat."""

    def __init__(self, path: Path) -> None:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            _bound(path)
        super().__init__(path)

    def load_history_strings(self) -> Iterable[str]:
        """See `FileHistory`."""
        try:
            return list(super().load_history_strings())
        except OSError:
            return []

    def store_string(self, string: str) -> None:
        """See `FileHistory`."""
        with contextlib.suppress(OSError):
            super().store_string(string)


def _bound(path: Path) -> None:
    """Drop the older half of what is too much."""
    if path.stat().st_size > _MAX_HISTORY:
        kept = path.read_bytes()[-_MAX_HISTORY // 2 :]
        path.write_bytes(kept[max(kept.find(_MARK), 0) :])
