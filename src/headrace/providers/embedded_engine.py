"""This module starts, watches and ends the child process in which llama.cpp runs."""

import asyncio
import contextlib
import re
import signal
import sys
from collections import deque

import msgspec
import structlog

from headrace.core.errors import ProviderError
from headrace.providers.embedded_pipe import Failed, Launch, decode_outcome, encode

__all__ = ["Engine"]

logger = structlog.get_logger("headrace.providers")

_KEPT_LINES = 50
_MAX_LINE = 300  # characters: an error message is made of one
_STEP_S = 2.0  # for each step of ending it
_ERROR = re.compile(r"\S+ E (.+)")  # a line of llama.cpp's log: time, level, text


class Engine:
    """A running child with its model loaded. `url` is the root of its server."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch) -> None:
        self.url = ""
        self._process = process
        self._launch = launch
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._log = asyncio.create_task(self._read_log(), name="engine log")
        self._exit = asyncio.create_task(process.wait(), name="engine exit")

    @classmethod
    async def start(cls, launch: Launch) -> "Engine":
        """Return an engine once its model is loaded, however long that takes. When cancelled, the child is ended.

        Raises `ProviderError` (`engine_died`) where the model cannot be loaded.
        """
        spawning = asyncio.create_task(_spawn(), name="engine start")
        try:
            # shielded: uvloop forgets a process when it is cancelled while it starts one
            process = await asyncio.shield(spawning)
        except asyncio.CancelledError:
            await asyncio.wait([spawning])
            if spawning.exception() is None:
                await asyncio.shield(cls(spawning.result(), launch).end())
            raise
        except OSError as error:
            raise ProviderError(f"The engine's process cannot be started: {error}.", code="engine_died") from error
        engine = cls(process, launch)
        try:
            await engine._load()
        except BaseException:
            await asyncio.shield(engine.end())
            raise
        return engine

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs, as far as is known."""
        return not self._exit.done()

    async def died(self, within_s: float) -> bool:
        """Return whether the child is dead, or dies within this time."""
        await asyncio.wait([self._exit], timeout=within_s)
        return not self.alive

    async def wait(self) -> None:
        """Return when the child is dead."""
        await asyncio.wait([self._exit])

    def why(self) -> str:
        """Return in a few words why the child died, or why it could not load the model."""
        last = self._lines[-1] if self._lines else "it said nothing"
        code = self._process.returncode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            return f"it was killed by {name}, {'perhaps for want of memory' if name == 'SIGKILL' else last}"
        complaints = (match[1] for line in self._lines if (match := _ERROR.match(line)))
        return next(complaints, last)  # the first one is the cause

    async def end(self) -> None:
        """End the child and wait for it: first by the end of its input, then by signals, 2 s for each."""
        stdin = self._process.stdin
        if stdin is not None:
            stdin.close()
        for step in (self._process.terminate, self._process.kill):
            if await self.died(_STEP_S):
                break
            with contextlib.suppress(ProcessLookupError):
                step()
        await self.died(_STEP_S)
        await asyncio.wait([self._log], timeout=_STEP_S)
        self._log.cancel()
        self._exit.cancel()

    async def _load(self) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None  # noqa: S101 - both are pipes
        assert stdout is not None  # noqa: S101
        with contextlib.suppress(OSError, RuntimeError):  # it has died already (RuntimeError: uvloop's): told below
            stdin.write(encode(self._launch))
        line = await stdout.readline()
        try:
            outcome = decode_outcome(line)
        except msgspec.MsgspecError:
            await self.died(_STEP_S)
            outcome = Failed(self.why())
        if isinstance(outcome, Failed):
            await asyncio.wait([self._log], timeout=_STEP_S)  # its last words say more
            raise ProviderError(
                f"The model file {self._launch.path} cannot be loaded: {self.why()}. "
                "Check that it is a whole GGUF file, of a kind that llama.cpp knows, and that it fits into memory.",
                code="engine_died",
            )
        self.url = outcome.url

    async def _read_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - it is a pipe
        while True:
            try:
                line = await stderr.readline()
            except ValueError:
                continue  # a line of over 64 KiB: the reader has dropped it
            if not line:
                return
            text = line.decode(errors="replace").rstrip()[:_MAX_LINE]
            self._lines.append(text)
            logger.debug("engine.log", line=text)


async def _spawn() -> asyncio.subprocess.Process:
    # -P: what lies in the working directory is not imported
    command = (sys.executable, "-P", "-m", "headrace.providers.embedded_child")
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
