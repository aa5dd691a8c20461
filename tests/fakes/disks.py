"""This module is the disk under a SQLite journal: opened again, copied as a death would leave it, full."""

import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

from headrace.journal.files import Sync
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

__all__ = ["Disk", "Fill", "count"]

Fill = Callable[[SqliteJournal], None]
"""Makes the disk under a journal full, or free again."""

_QUIET = UpkeepSettings(every_s=3600.0)


class Disk:
    """The folder of a journal, which may be opened again and copied."""

    def __init__(self, folder: Path, sync: Sync, stack: AsyncExitStack) -> None:
        self.path = folder / "journal.db"
        self.sync = sync
        self._stack = stack

    async def open(self, upkeep: UpkeepSettings = _QUIET) -> SqliteJournal:
        journal = SqliteJournal(self.path, sync=self.sync, upkeep=upkeep)
        await journal.open()
        self._stack.push_async_callback(journal.close)
        return journal

    def copied(self, name: str) -> "Disk":
        """Copy the files as they are now: what a death of the process would leave."""
        folder = self.path.parent / name
        folder.mkdir()
        for each in (self.path, self.path.with_name("journal.db-wal")):  # what the first lacks is in the second
            (folder / each.name).write_bytes(each.read_bytes())
        return Disk(folder, self.sync, self._stack)


def count(disk: Disk, table: str) -> int:
    """Return how many rows are in a table of the journal's file."""
    with closing(sqlite3.connect(disk.path)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  a constant
