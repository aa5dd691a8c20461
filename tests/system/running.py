"""This module runs a Headrace server as a process of its own, ends it, kills it, and reads its log.

async with Running(tmp_path, config(box=upstream.base_url)) as server:
    ...  # call server.url
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import headrace

__all__ = ["Running", "Unstarted", "command", "config", "environment", "settings_file"]

T = TypeVar("T")

START_S = 20.0
END_S = 15.0
LINE_BYTES = 1 << 20


class Unstarted(AssertionError):
    """The server ended before it was ready; `code` is its exit status, `text` what it wrote to standard error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the server ended with status {code}:\n{text}")
        self.code = code
        self.text = text


def settings_file(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """Return TOML: each section with its keys. JSON's values are TOML's too, as far as settings have them."""
    tables = [
        "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""])
        for name, table in sections.items()
    ]
    return "\n".join(tables)


def config(*, box: str | None = None, scripts: Path | None = None, **sections: Mapping[str, Any]) -> str:
    """Return settings with the provider `script`, and, where `box` is a base URL, `box` (any number of answers) and
    `narrow` (one at a time). More sections by name; `providers__x` is `[providers.x]`.
    """
    given: dict[str, Mapping[str, Any]] = {
        # what else runs on this machine is not the tests' business
        "models": {"discovery": False},
        "providers.script": {"kind": "scripted", **({"scripts": str(scripts)} if scripts is not None else {})},
    }
    if box is not None:
        given["providers.box"] = {"kind": "openai", "base_url": box}
        given["providers.narrow"] = {"kind": "openai", "base_url": box, "slots": 1}
    return settings_file({**given, **{name.replace("__", "."): table for name, table in sections.items()}})


def environment(**more: str) -> dict[str, str]:
    """Return an environment without settings of the developer's, in which the package under test is found.

    Model servers and keys of the developer's are not found unless the test wants it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("HEADRACE_") or name == "HEADRACE_COMPILED"  # which is no setting
    }
    ours = {
        "PYTHONPATH": str(Path(headrace.__file__).parents[1]),
        "HEADRACE_MODELS_DISCOVERY": "false",
        "HEADRACE_MODELS_DEMONSTRATION": "false",
    }
    return {**kept, **ours, **more}


def command(*arguments: str) -> list[str]:
    """Return the command line of `headrace`."""
    return [sys.executable, "-m", "headrace", *arguments]


class Running:
    """A server with the data folder `folder/data`, on a free port unless `flags` say otherwise.

    `log` has the lines of its log that are JSON, `lines` all that it wrote to standard error. `prefix` is put before
    the command, as a shell that sets limits.
    """

    def __init__(
        self,
        folder: Path,
        settings: str = "",
        *,
        flags: Sequence[str] = (),
        prefix: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.data = folder / "data"
        self.config = folder / "headrace.toml"
        self.config.write_text(settings)
        self.url = ""
        self.lines: list[str] = []
        self.log: list[dict[str, Any]] = []
        self._folder = folder
        self._flags = flags
        self._prefix = prefix
        self._env = env or {}
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    async def start(self) -> None:
        """Start, or start again on the same data, and return when requests are taken. Raises `Unstarted`."""
        flags = ("--config", str(self.config), "--data-dir", str(self.data), "--port", "0", *self._flags)
        self.lines, self.log = [], []
        self.process = await asyncio.create_subprocess_exec(
            *self._prefix,
            *command("serve", *flags),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._folder,
            env=environment(**self._env),
            start_new_session=True,
            limit=LINE_BYTES,
        )
        self._reading = asyncio.create_task(self._read(), name="log of a server")
        try:
            self.url = (await self.logged("server.ready", within_s=START_S))["url"]
        except BaseException:
            await self.kill()
            raise

    async def logged(self, event: str, *, within_s: float = 10.0, **fields: Any) -> dict[str, Any]:
        """Wait until there is a line with this event and these fields, and return it. Raises `Unstarted`."""

        def found() -> dict[str, Any] | None:
            wanted = {"event": event, **fields}
            return next((line for line in self.log if wanted.items() <= line.items()), None)

        return await self.until(found, within_s=within_s)

    async def until(self, condition: Callable[[], T | None], *, within_s: float = 10.0) -> T:
        """Wait until the log makes this true, and return it. Raises `Unstarted` where the process ends before."""
        async with asyncio.timeout(within_s):
            while not (found := condition()):
                if self._reading is None or self._reading.done():
                    raise Unstarted(await self.process.wait(), self.text)
                self._news.clear()
                await self._news.wait()
        return found

    @property
    def text(self) -> str:
        """All that it wrote to standard error."""
        return "".join(self.lines)

    @property
    def resident_bytes(self) -> int:
        """How much of its memory is in use."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) * 1024

    @property
    def open_files(self) -> tuple[int, int]:
        """How many files it may open, and how many it might allow itself."""
        found = re.search(r"Max open files +(\d+) +(\d+)", Path(f"/proc/{self.pid}/limits").read_text())
        assert found is not None
        return int(found[1]), int(found[2])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def ended(self, *, within_s: float = END_S) -> int:
        """Wait until it has ended by itself, and return its exit status."""
        async with asyncio.timeout(within_s):
            code = await self.process.wait()
            if self._reading is not None:
                await self._reading
        return code

    @contextlib.asynccontextmanager
    async def doomed(self) -> AsyncIterator[Self]:
        """For tests that start and kill it themselves: afterwards it is dead, whatever came in between."""
        try:
            yield self
        finally:
            await self.kill()

    async def kill(self) -> None:
        """End it without a chance to put anything in order. Harmless where it does not run."""
        if self._reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()

    async def end(self) -> None:
        """End it as an operator would, and with force where that does not help."""
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGTERM)
        try:
            await self.ended()
        except TimeoutError:
            await self.kill()
            raise

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.lines.append(line.decode(errors="replace"))
            with contextlib.suppress(json.JSONDecodeError):
                self.log.append(json.loads(line))
            self._news.set()
        self._news.set()
