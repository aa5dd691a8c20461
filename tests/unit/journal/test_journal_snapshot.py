import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from fakes.journals import append, numbered, opened, run_of, sealed_run_of, until_committed
from headrace.journal.port import UnknownRun
from headrace.journal.snapshot import Snapshot, Tally, forget, none_removed
from headrace.journal.upkeep import UpkeepSettings


async def test_a_copy_is_the_journal_as_it_was_when_it_was_looked_at(tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    async with opened("sqlite", tmp_path) as journal:
        await sealed_run_of(journal, "sealed", 3)
        epoch = await run_of(journal, "live", 2)
        with Snapshot(tmp_path / "journal.db") as snapshot:
            append(journal, "live", epoch, "2", "3")
            await until_committed(journal, "live", 4)
            await run_of(journal, "later", 1)
            snapshot.copy_to(tmp_path / "copy" / "journal.db")
        assert await journal.read("live") == numbered(0, 4)
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["journal.db"]
    async with opened("sqlite", tmp_path / "copy") as copy:
        assert await copy.read("sealed") == numbered(0, 3)
        assert await copy.read("live") == numbered(0, 2)
        assert [one.run_id for one in await copy.unsealed()] == ["live"]
        with pytest.raises(UnknownRun):
            await copy.read("later")


async def test_what_is_written_while_it_is_copied_is_neither_in_the_way_nor_in_the_copy(tmp_path: Path) -> None:
    """With a write-ahead log that wants a checkpoint all the time, which the snapshot holds up and nobody waits for."""
    upkeep = UpkeepSettings(every_s=0.001, fold_after_s=0.0, wal_bytes=1)
    (tmp_path / "copy").mkdir()
    async with opened("sqlite", tmp_path, upkeep) as journal:
        epoch = await run_of(journal, "live", 100)
        with Snapshot(tmp_path / "journal.db") as snapshot:
            for number in range(100, 300):
                append(journal, "live", epoch, str(number))
                await until_committed(journal, "live", number + 1)
            snapshot.copy_to(tmp_path / "copy" / "journal.db")
        assert await journal.read("live") == numbered(0, 300)
    async with opened("sqlite", tmp_path / "copy") as copy:
        assert await copy.read("live") == numbered(0, 100)


def test_there_is_no_snapshot_of_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        Snapshot(tmp_path / "journal.db")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_database_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"#!/bin/sh\n" * 1000)
    with pytest.raises(sqlite3.DatabaseError):
        Snapshot(tmp_path / "journal.db")


async def test_two_looks_tell_whether_a_run_was_removed_in_between(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    async with opened("sqlite", tmp_path) as journal:
        with Snapshot(path) as snapshot:
            empty = snapshot.tally()
        await sealed_run_of(journal, "a", 1)
        await sealed_run_of(journal, "b", 1)
        with Snapshot(path) as snapshot:
            two = snapshot.tally()
            assert snapshot.runs_after(0) == ["a", "b"]
            assert snapshot.runs_after(two.last_key - 1) == ["b"]
        await journal.remove(["a"])
        await sealed_run_of(journal, "c", 1)
        with Snapshot(path) as snapshot:
            other_two = snapshot.tally()
    assert (empty, two, other_two) == (Tally(0, 0), Tally(2, 2), Tally(2, 3))
    assert none_removed(empty, two)
    assert none_removed(two, two)
    assert not none_removed(two, other_two)
    # one that began and was removed between the two looks counts too
    assert not none_removed(two, Tally(2, 3))


async def test_runs_are_forgotten_in_a_copy_wherever_their_entries_are(tmp_path: Path) -> None:
    copied = tmp_path / "copy" / "journal.db"
    copied.parent.mkdir()
    async with opened("sqlite", tmp_path, UpkeepSettings(every_s=0.001)) as journal:
        await sealed_run_of(journal, "in chunks", 3)
        await sealed_run_of(journal, "kept", 3)
        epoch = await run_of(journal, "in segments", 0)
        append(journal, "in segments", epoch, "x")
        await until_committed(journal, "in segments", 1)
        with Snapshot(tmp_path / "journal.db") as snapshot:
            snapshot.copy_to(copied)
    forget(copied, ["in chunks", "in segments", "unknown"])
    async with opened("sqlite", copied.parent) as copy:
        assert await copy.read("kept") == numbered(0, 3)
        assert await copy.unsealed() == []
        for run_id in ("in chunks", "in segments"):
            with pytest.raises(UnknownRun):
                await copy.read(run_id)
    with closing(sqlite3.connect(copied)) as db:
        assert db.execute("SELECT count(DISTINCT key) FROM chunks").fetchone() == (1,)
