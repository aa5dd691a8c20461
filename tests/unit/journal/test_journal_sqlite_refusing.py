"""The journal on a disk that refuses, and while it is closed."""

import asyncio

import pytest

from fakes.disks import Disk, Fill
from fakes.journals import (
    PATIENCE_S,
    Reader,
    append,
    entry,
    numbered,
    run_of,
    text,
    until,
    until_committed,
)
from headrace.journal.port import Fenced
from headrace.journal.sqlite import SqliteJournal, Stuck

BIG = "x" * 5_000
"""A delta that does not fit into what is left of a page."""


# A disk that refuses.


async def test_a_full_disk_shows_nothing_and_loses_and_doubles_nothing(
    disk: Disk, journal: SqliteJournal, fill: Fill, free: Fill
) -> None:
    epoch, other = await run_of(journal, "a", 2), await run_of(journal, "b", 1)
    reader = await Reader.of(journal, "a", 2)
    fill(journal)
    append(journal, "a", epoch, BIG)
    await until(lambda: journal.trouble is not None)
    append(journal, "a", epoch, "after")
    append(journal, "b", other, "1")
    late = await journal.claim("c")
    append(journal, "c", late, "0")
    await asyncio.sleep(0.02)  # some more attempts
    assert "cannot be written" in (journal.trouble or "")
    assert (journal.committed("a"), journal.committed("b"), reader.wakes) == (2, 1, 0)
    assert await journal.read("a") == numbered(0, 2)

    free(journal)
    assert await reader.until(2) == [entry(BIG), entry("after")]
    await until(lambda: journal.trouble is None)
    for run, each, entries in (
        ("a", epoch, [*numbered(0, 2), entry(BIG), entry("after")]),
        ("b", other, [entry("0"), entry("1")]),
        ("c", late, [entry("0")]),
    ):
        await journal.seal(run, each)
        assert await journal.read(run) == entries
        assert await (await disk.copied(f"copy {run}").open()).read(run) == entries


async def test_seal_waits_until_the_disk_takes_everything(journal: SqliteJournal, fill: Fill, free: Fill) -> None:
    epoch = await run_of(journal, "a", 1)
    fill(journal)
    append(journal, "a", epoch, BIG)
    sealing = asyncio.ensure_future(journal.seal("a", epoch))
    await until(lambda: journal.trouble is not None)
    assert not sealing.done()
    free(journal)
    await asyncio.wait_for(sealing, PATIENCE_S)
    assert await journal.read("a") == [entry("0"), entry(BIG)]


async def test_what_may_wait_for_a_full_disk_is_bounded(
    journal: SqliteJournal, fill: Fill, free: Fill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.journal.sqlite.STUCK_ENTRIES", 10)
    epoch = await run_of(journal, "a", 0)
    fill(journal)
    append(journal, "a", epoch, BIG)
    await until(lambda: journal.trouble is not None)
    journal.append("a", epoch, text("x") * 10, 0)
    for _ in range(3):
        with pytest.raises(Stuck, match="cannot be written"):
            append(journal, "a", epoch, "refused")
    free(journal)
    await until(lambda: journal.trouble is None)
    append(journal, "a", epoch, "taken")
    await until_committed(journal, "a", 12)

    fill(journal)  # the next time as many may wait again
    append(journal, "a", epoch, BIG)
    await until(lambda: journal.trouble is not None)
    journal.append("a", epoch, text("y") * 10, 0)
    free(journal)
    await journal.seal("a", epoch)
    first = [entry(BIG), *[entry("x")] * 10, entry("taken")]
    assert await journal.read("a") == [*first, entry(BIG), *[entry("y")] * 10]


async def test_holding_does_not_wait_for_a_disk_that_refuses(journal: SqliteJournal, fill: Fill, free: Fill) -> None:
    epoch = await run_of(journal, "a", 0)
    fill(journal)
    append(journal, "a", epoch, BIG)
    await until(lambda: journal.trouble is not None)
    async with asyncio.timeout(PATIENCE_S):
        await journal.settled()
    free(journal)
    await until(lambda: journal.trouble is None)


# Closing.


async def test_closing_gives_up_on_a_disk_that_refuses_and_says_so_to_those_who_wait(
    disk: Disk, journal: SqliteJournal, fill: Fill
) -> None:
    epoch = await run_of(journal, "a", 2)
    fill(journal)
    append(journal, "a", epoch, BIG)
    sealing = asyncio.ensure_future(journal.seal("a", epoch))
    await until(lambda: journal.trouble is not None)
    async with asyncio.timeout(PATIENCE_S):
        await journal.close()
        with pytest.raises(Stuck):
            await sealing
    await asyncio.sleep(0.01)  # nothing is tried on closed files
    assert "closed" not in (journal.trouble or "")
    assert await (await disk.open()).read("a") == numbered(0, 2)


async def test_closing_is_not_kept_up_by_a_disk_that_refuses_only_then(
    disk: Disk, journal: SqliteJournal, fill: Fill
) -> None:
    epoch = await run_of(journal, "a", 2)
    fill(journal)
    append(journal, "a", epoch, BIG)
    async with asyncio.timeout(PATIENCE_S):
        await journal.close()
    assert await (await disk.open()).read("a") == numbered(0, 2)


async def test_nothing_is_taken_after_closing(journal: SqliteJournal) -> None:
    epoch = await run_of(journal, "a", 1)
    await journal.close()
    with pytest.raises(Fenced, match="closed"):
        append(journal, "a", epoch, "1")
    await asyncio.sleep(0.01)
    assert journal.trouble is None


async def test_what_is_appended_while_the_journal_closes_is_committed_or_never_shown(
    disk: Disk, journal: SqliteJournal
) -> None:
    epoch = await run_of(journal, "a", 1)
    reader = await Reader.of(journal, "a")
    stopped = asyncio.ensure_future(journal.close())
    for number in range(1, 40):
        try:
            append(journal, "a", epoch, str(number))
        except Fenced:
            break
        await asyncio.sleep(0)
    await stopped
    await reader.take()
    kept = await (await disk.open()).read("a")
    assert kept == numbered(0, len(kept))
    assert reader.seen == kept[: len(reader.seen)]
