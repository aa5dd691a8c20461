import asyncio
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from fakes.journals import (
    FAR_FUTURE_MS,
    PATIENCE_S,
    Reader,
    append,
    entry,
    numbered,
    run_of,
    sealed_run_of,
    until,
    until_committed,
)
from headrace.journal import files
from headrace.journal.port import Pruned, UnknownRun
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import Upkeep, UpkeepSettings

ASKED = UpkeepSettings(every_s=3600.0, fold_after_s=3600.0, fold_entries=8, wal_bytes=1 << 30)
"""Folds what has ended and what has eight entries, when a test asks for it."""


class Disk(Protocol):
    path: Path

    async def open(self, upkeep: UpkeepSettings = ...) -> SqliteJournal: ...

    def copied(self, name: str) -> "Disk": ...


@pytest.fixture
async def journal(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> SqliteJournal:
    monkeypatch.setattr(files, "CHUNK_ENTRIES", 3)
    return await disk.open(ASKED)


def query(disk: Disk, sql: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(disk.path)) as db:
        return db.execute(sql).fetchall()


def segments(disk: Disk) -> int:
    return query(disk, "SELECT count(*) FROM segments")[0][0]


def chunks(disk: Disk) -> list[tuple[int, ...]]:
    return query(disk, "SELECT key, first, count FROM chunks ORDER BY key, first")


# Folding.


async def test_a_run_that_has_ended_is_folded_and_leaves_memory(disk: Disk, journal: SqliteJournal) -> None:
    await sealed_run_of(journal, "a", 7)
    await journal._upkeep.once()
    assert list(journal.logs) == []
    assert chunks(disk) == [(1, 0, 3), (1, 3, 3), (1, 6, 1)]
    for start in range(9):
        assert await journal.read("a", start) == numbered(start, 7)
        assert await journal.read("a", start, 2) == numbered(start, min(start + 2, 7))


async def test_a_run_without_entries_leaves_memory_when_it_has_ended(disk: Disk, journal: SqliteJournal) -> None:
    await journal.seal("a", await journal.claim("a"))
    await journal._upkeep.once()
    assert (list(journal.logs), chunks(disk)) == ([], [])
    assert await journal.read("a") == []


async def test_a_long_run_is_folded_as_it_goes_and_memory_lets_go(journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 10)
    reader, behind = await Reader.of(journal, "a"), await Reader.of(journal, "a")
    await reader.until(4)
    await behind.take(1)
    await journal._upkeep.once()
    log = journal.logs["a"]
    assert (log.first, log.folded, log.entries) == (10, 10, [])
    append(journal, "a", epoch, "10", "11")
    await until_committed(journal, "a", 12)
    assert behind.cursor.take(5) is None  # not in memory
    assert await behind.until(12) == numbered(0, 12)
    assert await reader.until(12) == numbered(0, 12)
    assert await journal.read("a") == numbered(0, 12)


async def test_a_run_that_goes_on_is_folded_in_time_however_short(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=3600.0, fold_after_s=0.005))
    epoch = await run_of(journal, "a", 2)
    await journal._upkeep.once()
    await asyncio.sleep(0.006)
    await journal._upkeep.once()
    assert chunks(disk) == [(1, 0, 2)]
    await asyncio.sleep(0.006)
    await journal._upkeep.once()  # nothing new: nothing to fold
    append(journal, "a", epoch, "2")
    await journal.seal("a", epoch)
    await journal._upkeep.once()
    assert chunks(disk) == [(1, 0, 2), (1, 2, 1)]
    assert await journal.read("a") == numbered(0, 3)


async def test_what_is_appended_while_it_is_folded_is_kept(disk: Disk, journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 10)
    folding = asyncio.ensure_future(journal._upkeep.once())
    for number in range(10, 30):
        append(journal, "a", epoch, str(number))
        await asyncio.sleep(0)
    await folding
    await until_committed(journal, "a", 30)
    assert await journal.read("a") == numbered(0, 30)
    assert await (await disk.copied("copy").open()).read("a") == numbered(0, 30)


async def test_more_runs_than_one_chore_takes_are_folded(journal: SqliteJournal) -> None:
    for number in range(70):
        await sealed_run_of(journal, f"run {number}", 2)
    await journal._upkeep.once()
    assert list(journal.logs) == []
    assert await journal.read("run 69") == numbered(0, 2)


async def test_a_run_that_is_removed_while_it_is_folded_leaves_nothing(disk: Disk, journal: SqliteJournal) -> None:
    await run_of(journal, "live", 10)
    await sealed_run_of(journal, "sealed", 2)
    await asyncio.gather(journal._upkeep.once(), journal.remove(["live", "sealed"]))
    assert chunks(disk) == []
    for run in ("live", "sealed"):
        with pytest.raises(UnknownRun):
            await journal.read(run)


async def test_a_run_that_is_pruned_before_it_was_folded_leaves_nothing(disk: Disk, journal: SqliteJournal) -> None:
    await sealed_run_of(journal, "a", 2)
    await asyncio.gather(journal._upkeep.once(), journal.prune(FAR_FUTURE_MS))
    await journal._upkeep.once()
    await journal._flushed()
    assert (chunks(disk), segments(disk)) == ([], 0)
    with pytest.raises(Pruned):
        await journal.read("a")


async def test_closing_in_the_middle_of_folding_keeps_everything(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=0.0, fold_after_s=0.0))
    for number in range(20):
        await sealed_run_of(journal, f"run {number}", 3)
    await journal.close()
    journal = await disk.open()
    for number in range(20):
        assert await journal.read(f"run {number}") == numbered(0, 3)


# Clearing.


async def test_segments_are_cleared_once_everything_in_them_is_folded(disk: Disk, journal: SqliteJournal) -> None:
    await sealed_run_of(journal, "a", 3)
    short = await run_of(journal, "short", 1)
    for number in range(100):
        await sealed_run_of(journal, f"run {number}", 1)
    before = segments(disk)
    await journal._upkeep.once()
    await until(lambda: not journal._chores)
    await journal._flushed()
    held = segments(disk)
    assert 100 <= held < before  # those since the short run's, which goes on
    await journal.seal("short", short)
    await journal._upkeep.once()
    await until(lambda: not journal._chores)
    await journal._flushed()
    assert segments(disk) == 0
    assert await journal.read("short") == numbered(0, 1)


async def test_what_is_not_folded_survives_the_clearing_of_the_rest(disk: Disk, journal: SqliteJournal) -> None:
    live = {run: await journal.claim(run) for run in ("a", "b", "c")}
    lengths = dict.fromkeys(live, 0)
    for round_ in range(30):
        for run in list(live)[: 1 + round_ % 3]:
            append(journal, run, live[run], str(lengths[run]))
            lengths[run] += 1
        await journal._flushed()
        if round_ % 4 == 0:
            await journal._upkeep.once()
            copy = await disk.copied(f"copy {round_}").open()
            for run, length in lengths.items():
                assert await copy.read(run) == numbered(0, length)
            await copy.close()


# Checkpoints.


async def test_the_write_ahead_log_begins_again_and_again_while_appends_go_on(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=0.001, fold_after_s=0.01, wal_bytes=100_000))
    epoch, wal = await journal.claim("a"), disk.path.with_name("journal.db-wal")
    length = 0

    def beginnings() -> int:
        return int.from_bytes(wal.read_bytes()[12:16], "big")  # the header's checkpoint sequence number

    async with asyncio.timeout(60):
        while beginnings() < 5:
            append(journal, "a", epoch, f"{length} " + "x" * 1_000)
            length += 1
            await until_committed(journal, "a", length)
    await journal.seal("a", epoch)
    assert await journal.read("a") == [entry(f"{number} " + "x" * 1_000) for number in range(length)]


async def test_a_small_write_ahead_log_is_left_alone(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=3600.0, wal_bytes=1 << 30))
    await run_of(journal, "a", 3)
    size = disk.path.stat().st_size
    await journal._upkeep.once()
    assert disk.path.stat().st_size == size


async def test_a_checkpoint_brings_what_is_committed_into_the_file(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=3600.0, wal_bytes=0))
    await run_of(journal, "a", 3)
    await journal._upkeep.once()
    copy = disk.copied("copy")
    copy.path.with_name("journal.db-wal").unlink()
    assert await (await copy.open()).read("a") == numbered(0, 3)


async def test_commits_go_on_after_a_checkpoint_that_was_cut(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=3600.0, wal_bytes=0))
    epoch = await run_of(journal, "a", 1)
    for turns in range(6):
        looking = asyncio.ensure_future(journal._upkeep.once())
        for _ in range(turns):
            await asyncio.sleep(0)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        append(journal, "a", epoch, str(turns + 1))
        await until_committed(journal, "a", turns + 2)


async def test_a_write_ahead_log_that_is_not_there_needs_no_checkpoint(disk: Disk) -> None:
    journal = await disk.open(UpkeepSettings(every_s=3600.0, wal_bytes=0))
    journal._files.wal = disk.path.with_name("nothing")
    await journal._upkeep.once()


# The task.


async def test_the_upkeep_goes_on_after_it_failed(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    journal = await disk.open(UpkeepSettings(every_s=0.001, wal_bytes=0))
    journal._files._checkpoints.close()
    await until(lambda: caplog.text.count("upkeep failed") > 1)
    assert {record.levelno for record in caplog.records} == {logging.ERROR}
    await sealed_run_of(journal, "a", 2)
    await until(lambda: not journal.logs)
    assert await journal.read("a") == numbered(0, 2)


async def test_an_upkeep_that_never_began_can_be_closed(journal: SqliteJournal) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await Upkeep(journal, journal._files, ASKED).close()
