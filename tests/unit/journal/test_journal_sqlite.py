"""The journal in SQLite: what it keeps, commits together, and shows."""

import asyncio
import random
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from fakes.disks import Disk, count
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
from headrace.core.clock import SystemClock
from headrace.journal import sqlite
from headrace.journal.port import Fenced, Pruned, Stored, UnknownRun
from headrace.journal.segments import Torn
from headrace.journal.sqlite import SqliteJournal
from headrace.journal.upkeep import UpkeepSettings

EAGER = UpkeepSettings(every_s=0.001, fold_after_s=0.001, fold_entries=10, wal_bytes=50_000)
BIG = "x" * 5_000
"""A delta that does not fit into what is left of a page."""


# Opening again.


async def test_opening_again_keeps_everything(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "live", 3)
    await sealed_run_of(journal, "sealed", 4)
    await journal._upkeep.once()
    await sealed_run_of(journal, "not folded", 2)
    await journal.claim("empty")
    await journal.close()

    journal = await disk.open()
    assert await journal.read("live") == numbered(0, 3)
    assert await journal.read("sealed") == numbered(0, 4)
    assert await journal.read("not folded") == numbered(0, 2)
    assert await journal.unsealed() == [Stored("live", 3, sealed=False), Stored("empty", 0, sealed=False)]
    with pytest.raises(Fenced):
        await journal.claim("sealed")


async def test_pruned_runs_stay_pruned_and_removed_ones_unknown(disk: Disk) -> None:
    journal = await disk.open()
    for run in ("pruned", "removed"):
        await sealed_run_of(journal, run, 2)
    await journal.remove(["removed"])
    await journal.prune(FAR_FUTURE_MS)
    await journal.close()

    journal = await disk.open()
    with pytest.raises(Pruned):
        await journal.read("pruned")
    with pytest.raises(UnknownRun):
        await journal.read("removed")


async def test_a_run_that_was_cut_is_taken_over_with_a_newer_epoch(disk: Disk) -> None:
    journal = await disk.open()
    epoch = await run_of(journal, "a", 2)
    await journal.close()

    journal = await disk.open()
    with pytest.raises(Fenced):
        append(journal, "a", epoch, "not claimed")
    newer = await journal.claim("a")
    assert newer == epoch + 1
    append(journal, "a", newer, "2")
    await journal.seal("a", newer)
    assert await journal.read("a") == numbered(0, 3)


async def test_a_reader_of_a_run_that_was_cut_sees_what_follows_its_takeover(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "a", 2)
    await journal.close()

    journal = await disk.open()
    reader = await Reader.of(journal, "a")
    assert await reader.until(2) == numbered(0, 2)
    epoch = await journal.claim("a")
    append(journal, "a", epoch, "2")
    await journal.seal("a", epoch)
    assert await reader.to_the_end() == numbered(0, 3)


async def test_readers_of_a_run_that_was_cut_are_cut_when_it_is_removed(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "a", 2)
    await journal.close()

    journal = await disk.open()
    reader = await Reader.of(journal, "a", 2)
    await journal.remove(["a"])
    assert reader.cursor.ended()
    assert await journal.unsealed() == []


async def test_a_new_run_gets_nothing_of_one_that_was_removed(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "a", 3)
    await journal.remove(["a"])
    await journal.close()  # the segments of `a` are still there

    journal = await disk.open()
    await run_of(journal, "b", 1)
    copy = await disk.copied("copy").open()
    assert await copy.read("b") == numbered(0, 1)


async def test_the_time_of_sealing_is_the_clocks(tmp_path: Path) -> None:
    class Clock(SystemClock):
        def now_ms(self) -> int:
            return 5_000

    journal = SqliteJournal(tmp_path / "journal.db", clock=Clock())
    await journal.open()
    await sealed_run_of(journal, "a", 1)
    assert await journal.prune(5_000) == 0
    assert await journal.prune(5_001) == 1
    await journal.close()


async def test_a_damaged_journal_is_not_opened(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "a", 3)
    damaged = disk.copied("damaged")
    with closing(sqlite3.connect(damaged.path)) as db:
        db.execute("UPDATE segments SET data = zeroblob(length(data))")
        db.commit()
    with pytest.raises(Torn):
        await damaged.open()


async def test_a_damaged_chunk_is_never_shown(disk: Disk) -> None:
    journal = await disk.open()
    await sealed_run_of(journal, "a", 3)
    await sealed_run_of(journal, "b", 3)
    await journal.close()
    await (await disk.open()).close()  # folds
    with closing(sqlite3.connect(disk.path)) as db:
        db.execute("UPDATE chunks SET data = zeroblob(length(data)) WHERE key = 1")
        db.commit()

    journal = await disk.open()
    reader = await Reader.of(journal, "a")
    for _ in range(2):
        with pytest.raises(Torn):
            await reader.take()
    with pytest.raises(Torn):
        await journal.read("a")
    assert reader.seen == []
    assert await journal.read("b") == numbered(0, 3)


# Dying.


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_was_shown_survives_a_death_at_any_moment(disk: Disk, seed: int) -> None:
    """The files are copied inside `wake`, when a reader learns of entries: the copy must have them all."""
    choose = random.Random(seed)  # noqa: S311  a schedule that can be repeated
    journal = await disk.open(EAGER)
    runs = [f"run {number}" for number in range(8)]
    epochs = {run: await journal.claim(run) for run in runs}
    appended = dict.fromkeys(runs, 0)
    copies: list[tuple[Disk, dict[str, int]]] = []

    def look() -> None:
        if len(copies) < 6 and choose.random() < 0.03:
            shown = {run: journal.committed(run) for run in runs}
            copies.append((disk.copied(f"copy {len(copies)}"), shown))

    for run in runs:
        await journal.follow(run, 0, look)
    async with asyncio.timeout(PATIENCE_S):
        while len(copies) < 6:
            for run in choose.sample(runs, 3):
                append(journal, run, epochs[run], *(f"{run} {appended[run] + more}" for more in range(5)))
                appended[run] += 5
            await asyncio.sleep(choose.choice([0, 0, 0.001]))
    await journal.close()

    for copy, shown in copies:
        reopened = await copy.open()
        for run in runs:
            kept = list(await reopened.read(run))
            assert kept == [entry(f"{run} {number}") for number in range(len(kept))]
            assert len(kept) >= shown[run]
        await reopened.close()


async def test_a_half_written_end_of_the_write_ahead_log_is_ignored(disk: Disk) -> None:
    journal = await disk.open()
    await run_of(journal, "a", 3)
    whole = disk.path.with_name("journal.db-wal").stat().st_size
    epoch = await journal.claim("a")
    append(journal, "a", epoch, BIG)
    await journal.seal("a", epoch)
    copy = disk.copied("copy")
    wal = copy.path.with_name("journal.db-wal")
    wal.write_bytes(wal.read_bytes()[: whole + 3_000])
    assert await (await copy.open()).read("a") == numbered(0, 3)


# Committing together.


async def test_what_all_runs_append_in_one_turn_is_one_segment(disk: Disk, journal: SqliteJournal) -> None:
    epochs = {f"run {number}": await journal.claim(f"run {number}") for number in range(100)}
    for run, epoch in epochs.items():
        append(journal, run, epoch, "0", "1")
    await journal._flushed()
    assert count(disk, "segments") == 1
    assert {journal.committed(run) for run in epochs} == {2}


async def test_commits_that_are_held_gather(disk: Disk, journal: SqliteJournal) -> None:
    epoch = await journal.claim("a")
    reader = await Reader.of(journal, "a")
    await journal._flushed()
    journal.hold(held=True)
    for number in range(50):
        append(journal, "a", epoch, str(number))
        await asyncio.sleep(0)
    assert (journal.committed("a"), reader.wakes, count(disk, "segments")) == (0, 0, 0)
    journal.hold(held=False)
    assert await reader.until(50) == numbered(0, 50)
    assert count(disk, "segments") == 1


async def busy(journal: SqliteJournal, runs: int) -> int:
    """Let so many runs share a commit, and return the epoch of `run 0`."""
    epochs = [await run_of(journal, f"run {number}", 0) for number in range(runs)]
    for number, epoch in enumerate(epochs):
        append(journal, f"run {number}", epoch, "0")
    await until(lambda: all(journal.committed(f"run {number}") for number in range(runs)))
    return epochs[0]


async def turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy journal gather for longer than any test lasts."""
    monkeypatch.setattr(sqlite, "GATHER_S", 3600.0)


@pytest.mark.usefixtures("patient")
async def test_what_follows_a_commit_of_many_runs_gathers(journal: SqliteJournal) -> None:
    epoch = await busy(journal, sqlite.GATHER_RUNS)
    append(journal, "run 0", epoch, "1")
    await turns_of_the_loop()
    assert journal.committed("run 0") == 1


async def test_what_gathers_is_committed_in_time(journal: SqliteJournal) -> None:
    epoch = await busy(journal, sqlite.GATHER_RUNS)
    append(journal, "run 0", epoch, "1")
    await until_committed(journal, "run 0", 2)


@pytest.mark.usefixtures("patient")
async def test_what_follows_a_commit_of_few_runs_goes_at_once(journal: SqliteJournal) -> None:
    epoch = await busy(journal, sqlite.GATHER_RUNS - 1)
    for number in range(1, 4):
        append(journal, "run 0", epoch, str(number))
        await until_committed(journal, "run 0", number + 1)


@pytest.mark.usefixtures("patient")
async def test_nobody_waits_for_what_gathers(journal: SqliteJournal) -> None:
    epoch = await busy(journal, sqlite.GATHER_RUNS)
    append(journal, "run 0", epoch, "1")
    async with asyncio.timeout(PATIENCE_S):
        await journal.seal("run 1", 1)
    assert journal.committed("run 0") == 2


@pytest.mark.usefixtures("patient")
async def test_what_gathers_is_kept_when_the_journal_is_closed(disk: Disk, journal: SqliteJournal) -> None:
    epoch = await busy(journal, sqlite.GATHER_RUNS)
    append(journal, "run 0", epoch, "1")
    await journal.close()
    assert await (await disk.open()).read("run 0") == numbered(0, 2)


async def test_holding_waits_for_the_commit_under_way_and_for_no_other(journal: SqliteJournal) -> None:
    epoch = await journal.claim("a")
    await journal._flushed()
    append(journal, "a", epoch, "0")
    await asyncio.sleep(0)  # with a thread the commit is under way now, without one it is done
    journal.hold(held=True)
    append(journal, "a", epoch, "1")
    async with asyncio.timeout(PATIENCE_S):
        await journal.settled()
    assert journal.committed("a") == 1
    journal.hold(held=False)
    await journal.seal("a", epoch)
    assert await journal.read("a") == numbered(0, 2)


async def test_a_claim_made_while_a_commit_is_under_way_is_not_forgotten(journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 1)
    append(journal, "a", epoch, "1")
    await asyncio.sleep(0)
    await journal.claim("b")
    await until(lambda: journal._files.row("b") is not None)


async def test_readers_are_woken_on_the_loops_own_thread(journal: SqliteJournal) -> None:
    epoch = await journal.claim("a")
    threads: list[int] = []
    await journal.follow("a", 0, lambda: threads.append(threading.get_ident()))
    append(journal, "a", epoch, "0")
    await journal.seal("a", epoch)
    assert set(threads) == {threading.get_ident()}


async def test_reading_and_appending_go_on_while_a_commit_is_under_way(journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 3)
    reader = await Reader.of(journal, "a")
    for number in range(3, 60):
        append(journal, "a", epoch, str(number))
        await reader.take(1)
    await journal.seal("a", epoch)
    assert await reader.to_the_end() == numbered(0, 60)


async def test_a_closed_cursor_is_not_held(journal: SqliteJournal) -> None:
    await run_of(journal, "a", 1)
    for _ in range(10):
        (await Reader.of(journal, "a")).cursor.close()
        await journal.read("a")
    assert not journal.logs["a"].cursors


# Runs that have ended long ago.


async def test_a_run_that_was_folded_after_its_end_is_read_from_the_disk(journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 5)
    await journal.seal("a", epoch)
    await journal._upkeep.once()
    assert "a" not in journal.logs
    reader = await Reader.of(journal, "a", 2)
    assert await reader.to_the_end() == numbered(2, 5)
    assert reader.cursor.ended()
    await journal.seal("a", epoch)
    with pytest.raises(Fenced):
        await journal.seal("a", epoch + 1)
    with pytest.raises(Fenced):
        append(journal, "a", epoch, "5")
    with pytest.raises(UnknownRun):
        journal.committed("a")
