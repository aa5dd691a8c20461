"""This module is a terminal: a real pseudo-terminal with the command in it, and a screen that shows what it draws.

async with Terminal("chat", url=server.url, folder=tmp_path) as terminal:
    await terminal.shows("> ")
    terminal.press("hello\\r")
    terminal.resize(40)
"""

import asyncio
import contextlib
import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Self

import pyte

from system.running import command, environment

__all__ = ["Terminal"]

_PATIENCE_S = 20.0
_LINES = 24
_SCROLLED = 20_000

# The pseudo-terminal becomes the controlling one of the command's session: then Ctrl-C and resizes reach it.
_ATTACH = "import fcntl, os, sys, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\nos.execv(sys.argv[1], sys.argv[1:])\n"


class _Screen(pyte.HistoryScreen):
    """Answers what the command asks of the terminal, as where the cursor is."""

    def __init__(self, columns: int, answer: Callable[[bytes], object]) -> None:
        self._answer = answer
        super().__init__(columns, _LINES, history=_SCROLLED, ratio=1 / _LINES)

    def write_process_input(self, data: str) -> None:
        self._answer(data.encode())


class Terminal:
    """The command with these arguments, and `env` over its environment. `raw` is every byte that it wrote."""

    def __init__(self, *arguments: str, url: str, folder: Path, columns: int = 80, **env: str) -> None:
        self.raw = b""
        self._arguments = arguments
        kept = {"HEADRACE_URL": url, "XDG_STATE_HOME": str(folder / "state"), "TERM": "xterm-256color", "NO_COLOR": ""}
        self._env = environment(**kept | env)
        self._master, self._slave = pty.openpty()
        self._screen = _Screen(columns, self._write)
        self._stream = pyte.ByteStream(self._screen)
        self._news = asyncio.Event()
        self._ended = False
        self._process: asyncio.subprocess.Process | None = None
        self._set_size()

    async def __aenter__(self) -> Self:
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-S", "-E", "-c", _ATTACH, *command(*self._arguments)),
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env=self._env,
            start_new_session=True,
        )
        os.close(self._slave)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    @property
    def display(self) -> list[str]:
        """The lines that are on the screen now, without the empty ones at its foot."""
        lines = [line.rstrip() for line in self._screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def scrolled(self) -> list[str]:
        """The lines that went out at the top."""
        columns = range(self._screen.columns)
        return ["".join(line[at].data for at in columns).rstrip() for line in self._screen.history.top]

    @property
    def pid(self) -> int:
        """The command's process."""
        assert self._process is not None
        return self._process.pid

    async def shows(self, text: str, *, within_s: float = _PATIENCE_S) -> None:
        """Wait until this is on the screen, as `line\\nline` over several of its lines."""
        await self.until(lambda: text in "\n".join(self.display), within_s=within_s, what=text)

    async def prompts(self, *, within_s: float = _PATIENCE_S) -> None:
        """Wait for an empty prompt."""

        def waits() -> bool:
            cursor = self._screen.cursor
            return self._screen.display[cursor.y].rstrip() == ">" and cursor.x == len("> ")

        await self.until(waits, within_s=within_s, what="an empty prompt")

    async def until(self, condition: Callable[[], bool], *, within_s: float = _PATIENCE_S, what: str = "") -> None:
        """Wait until the screen makes this true."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    assert not self._ended, "the command has ended"
                    self._news.clear()
                    await self._news.wait()
        except (TimeoutError, AssertionError) as error:
            raise AssertionError(f"{what!r} is not shown ({error}):\n" + "\n".join(self.display)) from None

    def press(self, keys: str) -> None:
        """Press these keys: Enter is `\\r`, Ctrl-C `\\x03`."""
        self._write(keys.encode())

    def resize(self, columns: int) -> None:
        """Make the window this wide. Lines do not wrap anew: what is too long is cut, as xterm does it."""
        self._screen.resize(_LINES, columns)
        self._set_size()

    async def ended(self) -> int:
        """Wait for the command's end and return its exit status."""
        assert self._process is not None
        async with asyncio.timeout(_PATIENCE_S):
            return await self._process.wait()

    def modes(self) -> list[object]:
        """Return the terminal's modes: what the command found it must leave."""
        return list(termios.tcgetattr(self._master))

    def _set_size(self) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", _LINES, self._screen.columns, 0, 0))

    def _write(self, data: bytes) -> None:
        os.write(self._master, data)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # nobody has it open any more
            data = b""
        if data:
            self.raw += data
            self._stream.feed(data)
        else:
            self._ended = True
            asyncio.get_running_loop().remove_reader(self._master)
        self._news.set()
