"""A SQLite journal whose upkeep does only what a test asks for."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from fakes.disks import Disk, Fill
from headrace.journal.sqlite import SqliteJournal


@pytest.fixture(params=["normal", "full"])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Disk]:
    async with AsyncExitStack() as closing:
        yield Disk(tmp_path, request.param, closing)


@pytest.fixture
async def journal(disk: Disk) -> SqliteJournal:
    return await disk.open()


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
