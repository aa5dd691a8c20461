"""The journals that the contract suites run over, and short words for what the suites do with them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

from headrace.core import events
from headrace.formats import native
from headrace.journal.memory import MemoryJournal
from headrace.journal.port import Cursor, Journal
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

KINDS = ["memory", "sqlite", "sqlite-full"]
"""Every store, in every mode that differs in what it promises."""

PATIENCE_S = 10.0
"""What a test waits for something that must happen."""

FAR_FUTURE_MS = 1 << 52


@asynccontextmanager
async def opened(kind: str, folder: Path, upkeep: UpkeepSettings | None = None) -> AsyncIterator[Journal]:
    """Open a journal of this kind in this folder. Without settings its upkeep is only what a test asks for."""
    if kind == "memory":
        yield MemoryJournal()
        return
    quiet = upkeep or UpkeepSettings(every_s=3600.0)
    journal = SqliteJournal(folder / "journal.db", sync="full" if kind == "sqlite-full" else "normal", upkeep=quiet)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


def text(delta: str) -> list[events.Event]:
    return [events.Text(delta)]


def entry(delta: str, t: int = 0) -> bytes:
    return native.encode(events.Text(delta), t)


def numbered(start: int, end: int) -> list[bytes]:
    return [entry(str(number)) for number in range(start, end)]


def append(journal: Journal, run_id: str, epoch: int, *deltas: str) -> None:
    """Append each delta by itself."""
    for delta in deltas:
        journal.append(run_id, epoch, text(delta), 0)


async def run_of(journal: Journal, run_id: str, count: int) -> int:
    """Make a run with so many numbered entries, wait until they are committed, and return its epoch."""
    epoch = await journal.claim(run_id)
    append(journal, run_id, epoch, *map(str, range(count)))
    await until_committed(journal, run_id, count)
    return epoch


async def sealed_run_of(journal: Journal, run_id: str, count: int) -> None:
    await journal.seal(run_id, await run_of(journal, run_id, count))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110  for what nothing else tells
            await asyncio.sleep(0.001)


async def until_committed(journal: Journal, run_id: str, count: int) -> None:
    moved = asyncio.Event()
    cursor = await journal.follow(run_id, 0, moved.set)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while journal.committed(run_id) < count:
                moved.clear()
                await moved.wait()
    finally:
        cursor.close()


class Reader:
    """A reader of one run: notes what it was shown and how often it was woken."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.wakes = 0
        self.cursor: Cursor
        self._woken = asyncio.Event()

    @classmethod
    async def of(cls, journal: Journal, run_id: str, start: int = 0) -> Self:
        reader = cls()
        reader.cursor = await journal.follow(run_id, start, reader.wake)
        return reader

    def wake(self) -> None:
        self.wakes += 1
        self._woken.set()

    async def take(self, limit: int = 1000) -> Sequence[bytes]:
        """Return what can be taken at once, loaded where it must be."""
        while (taken := self.cursor.take(limit)) is None:
            await self.cursor.load()
        self.seen.extend(taken)
        return taken

    async def until(self, count: int) -> list[bytes]:
        """Take until so many entries were shown or the run has ended; return all that were."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.seen) < count and not self.cursor.ended():
                self._woken.clear()
                if not await self.take():
                    await self._woken.wait()
        return self.seen

    async def to_the_end(self) -> list[bytes]:
        return await self.until(1 << 62)
