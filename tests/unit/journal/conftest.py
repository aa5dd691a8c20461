"""A SQLite journal whose upkeep does only what a test asks for."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from headrace.journal.files import Sync
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

QUIET = UpkeepSettings(every_s=3600.0)


class Disk:
    """The folder of a journal, which may be opened again and copied."""

    def __init__(self, folder: Path, sync: Sync, closing: AsyncExitStack) -> None:
        self.path = folder / "journal.db"
        self.sync = sync
        self._closing = closing

    async def open(self, upkeep: UpkeepSettings = QUIET) -> SqliteJournal:
        journal = SqliteJournal(self.path, sync=self.sync, upkeep=upkeep)
        await journal.open()
        self._closing.push_async_callback(journal.close)
        return journal

    def copied(self, name: str) -> "Disk":
        """Copy the files as they are now: what a death of the process would leave."""
        folder = self.path.parent / name
        folder.mkdir()
        for each in (self.path, self.path.with_name("journal.db-wal")):  # what the first lacks is in the second
            (folder / each.name).write_bytes(each.read_bytes())
        return Disk(folder, self.sync, self._closing)


@pytest.fixture(params=["normal", "full"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Disk]:
    async with AsyncExitStack() as closing:
        yield Disk(tmp_path, request.param, closing)


@pytest.fixture
async def journal(disk: Disk) -> SqliteJournal:
    return await disk.open()


Fill = Callable[[SqliteJournal], None]


@pytest.fixture
def fill(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Make the disk full: the file may not grow. Commits are tried again soon."""
    monkeypatch.setattr("headrace.journal.sqlite.RETRY_S", 0.002)

    def full(journal: SqliteJournal) -> None:
        journal._files._writer.execute("PRAGMA max_page_count = 1").fetchall()

    return full


@pytest.fixture
def free() -> Fill:
    """Make room on the disk again."""

    def roomy(journal: SqliteJournal) -> None:
        journal._files._writer.execute("PRAGMA max_page_count = 1073741823").fetchall()

    return roomy
