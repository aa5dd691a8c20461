"""What every journal promises of a run's life in it: claimed, sealed, pruned, removed; and of its own end."""

import asyncio

import pytest

from fakes.journals import FAR_FUTURE_MS, PATIENCE_S, Reader, append, entry, numbered, run_of, sealed_run_of
from headrace.journal.port import Fenced, Journal, Pruned, Stored, UnknownRun

# Sealing.


async def test_seal_returns_when_all_that_was_appended_is_committed(journal: Journal) -> None:
    epoch = await journal.claim("a")
    append(journal, "a", epoch, "0", "1", "2")
    await journal.seal("a", epoch)
    assert await journal.read("a") == numbered(0, 3)
    assert journal.committed("a") == 3


async def test_nothing_is_appended_after_seal(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    sealing = asyncio.ensure_future(journal.seal("a", epoch))
    await asyncio.sleep(0)
    with pytest.raises(Fenced):
        append(journal, "a", epoch, "while it is sealed")
    await sealing
    with pytest.raises(Fenced):
        append(journal, "a", epoch, "after")
    assert await journal.read("a") == numbered(0, 1)


async def test_sealing_again_is_harmless(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    await asyncio.gather(journal.seal("a", epoch), journal.seal("a", epoch))
    await journal.seal("a", epoch)
    assert await journal.read("a") == numbered(0, 1)


async def test_a_run_may_be_sealed_without_entries(journal: Journal) -> None:
    await journal.seal("a", await journal.claim("a"))
    reader = await Reader.of(journal, "a")
    assert await reader.to_the_end() == []
    assert reader.cursor.ended()


async def test_a_reader_is_woken_by_seal_and_has_ended_when_it_has_taken_everything(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 3)
    quick, slow = await Reader.of(journal, "a"), await Reader.of(journal, "a")
    await quick.until(3)
    await slow.take(2)
    assert [reader.cursor.ended() for reader in (quick, slow)] == [False, False]
    await journal.seal("a", epoch)
    assert quick.wakes > 0
    assert [reader.cursor.ended() for reader in (quick, slow)] == [True, False]
    assert await slow.take(2) == numbered(2, 3)
    assert [reader.cursor.ended() for reader in (quick, slow)] == [True, True]


async def test_only_the_newest_epoch_seals(journal: Journal) -> None:
    old, new = await journal.claim("a"), await journal.claim("a")
    for epoch in (old, new + 1):
        with pytest.raises(Fenced):
            await journal.seal("a", epoch)
    await journal.seal("a", new)
    with pytest.raises(Fenced):
        await journal.seal("a", old)


async def test_a_seal_that_nobody_waits_for_any_more_still_seals(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    sealing = asyncio.ensure_future(journal.seal("a", epoch))
    await asyncio.sleep(0)
    sealing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sealing
    await journal.seal("a", epoch)
    with pytest.raises(Fenced):
        await journal.claim("a")


# Claiming.


async def test_epochs_count_from_one(journal: Journal) -> None:
    assert [await journal.claim("a") for _ in range(3)] == [1, 2, 3]
    assert await journal.claim("b") == 1


async def test_a_claim_fences_the_writers_before(journal: Journal) -> None:
    old = await run_of(journal, "a", 2)
    new = await journal.claim("a")
    with pytest.raises(Fenced):
        append(journal, "a", old, "late")
    append(journal, "a", new, "2")
    await journal.seal("a", new)
    assert await journal.read("a") == numbered(0, 3)


async def test_what_was_appended_before_a_takeover_is_kept(journal: Journal) -> None:
    old = await journal.claim("a")
    append(journal, "a", old, "0")
    new = await journal.claim("a")
    append(journal, "a", new, "1")
    await journal.seal("a", new)
    assert await journal.read("a") == numbered(0, 2)


async def test_an_epoch_that_was_never_given_cannot_write(journal: Journal) -> None:
    epoch = await journal.claim("a")
    with pytest.raises(Fenced):
        append(journal, "a", epoch + 1, "early")


async def test_a_sealed_run_cannot_be_claimed(journal: Journal) -> None:
    await sealed_run_of(journal, "a", 1)
    with pytest.raises(Fenced):
        await journal.claim("a")


# Unknown runs.


async def test_an_unknown_run_is_told_as_such(journal: Journal) -> None:
    await run_of(journal, "known", 1)
    with pytest.raises(UnknownRun):
        journal.committed("a")
    with pytest.raises(UnknownRun):
        await journal.read("a")
    with pytest.raises(UnknownRun):
        await Reader.of(journal, "a")
    with pytest.raises(UnknownRun):
        append(journal, "a", 1, "0")
    with pytest.raises(UnknownRun):
        await journal.seal("a", 1)


async def test_removing_an_unknown_run_is_ignored(journal: Journal) -> None:
    await run_of(journal, "a", 1)
    await journal.remove(["unknown", "a", "a"])
    await journal.remove([])
    assert await journal.unsealed() == []


async def test_unsealed_tells_the_runs_that_go_on_and_their_lengths(journal: Journal) -> None:
    await run_of(journal, "a", 2)
    await journal.claim("b")
    await sealed_run_of(journal, "c", 3)
    assert sorted(await journal.unsealed(), key=lambda run: run.run_id) == [
        Stored("a", 2, sealed=False),
        Stored("b", 0, sealed=False),
    ]


# Removing.


@pytest.mark.parametrize("sealed", [False, True])
async def test_a_removed_run_is_unknown(journal: Journal, *, sealed: bool) -> None:
    epoch = await run_of(journal, "a", 2)
    if sealed:
        await journal.seal("a", epoch)
    await run_of(journal, "b", 1)
    await journal.remove(["a"])
    with pytest.raises(UnknownRun):
        journal.committed("a")
    with pytest.raises(UnknownRun):
        await journal.read("a")
    with pytest.raises(UnknownRun):
        await Reader.of(journal, "a")
    with pytest.raises(UnknownRun):
        append(journal, "a", epoch, "2")
    with pytest.raises(UnknownRun):
        await journal.seal("a", epoch)
    assert [run.run_id for run in await journal.unsealed()] == ["b"]
    assert await journal.read("b") == numbered(0, 1)


async def test_readers_of_a_run_that_is_removed_are_cut(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 2)
    reader = await Reader.of(journal, "a")
    await reader.until(2)
    append(journal, "a", epoch, "never shown")
    await journal.remove(["a"])
    assert reader.wakes > 0
    assert reader.cursor.ended()
    assert reader.cursor.take(10) == ()


async def test_a_run_may_be_removed_while_it_is_sealed(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    sealing = asyncio.ensure_future(journal.seal("a", epoch))
    await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        await journal.remove(["a"])
        await sealing
    assert await journal.prune(FAR_FUTURE_MS) == 0
    with pytest.raises(UnknownRun):
        await journal.read("a")


async def test_many_are_removed_in_one_call(journal: Journal) -> None:
    runs = [f"run {number}" for number in range(50)]
    for run in runs:
        await run_of(journal, run, 1)
    await journal.remove(runs[1:])
    assert [run.run_id for run in await journal.unsealed()] == runs[:1]


# Pruning.


async def test_pruned_events_are_told_to_be_gone(journal: Journal) -> None:
    await sealed_run_of(journal, "a", 3)
    assert await journal.prune(FAR_FUTURE_MS) == 1
    with pytest.raises(Pruned):
        await journal.read("a")
    with pytest.raises(Pruned):
        await Reader.of(journal, "a")
    with pytest.raises(Pruned):
        await Reader.of(journal, "a", 3)


async def test_prune_spares_runs_that_go_on_and_those_that_ended_later(journal: Journal) -> None:
    await run_of(journal, "live", 1)
    await sealed_run_of(journal, "late", 1)
    assert await journal.prune(1_000_000) == 0
    assert await journal.read("late") == numbered(0, 1)
    await journal.prune(FAR_FUTURE_MS)
    assert await journal.read("live") == numbered(0, 1)


async def test_prune_counts_each_run_once(journal: Journal) -> None:
    for number in range(250):
        await journal.seal(f"run {number}", await journal.claim(f"run {number}"))
    assert await journal.prune(FAR_FUTURE_MS) == 250
    assert await journal.prune(FAR_FUTURE_MS) == 0


async def test_prune_does_not_count_what_was_removed(journal: Journal) -> None:
    await sealed_run_of(journal, "a", 1)
    await journal.remove(["a"])
    assert await journal.prune(FAR_FUTURE_MS) == 0


async def test_a_reader_is_told_when_what_comes_next_was_pruned(journal: Journal) -> None:
    await sealed_run_of(journal, "a", 3)
    reader = await Reader.of(journal, "a")
    await reader.take(1)
    await journal.prune(FAR_FUTURE_MS)
    with pytest.raises(Pruned):
        await reader.take()


async def test_a_pruned_run_stays_sealed(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    await journal.seal("a", epoch)
    await journal.prune(FAR_FUTURE_MS)
    await journal.seal("a", epoch)
    with pytest.raises(Fenced):
        await journal.claim("a")
    with pytest.raises(Fenced):
        append(journal, "a", epoch, "1")
    assert await journal.unsealed() == []


async def test_a_pruned_run_can_be_removed(journal: Journal) -> None:
    await sealed_run_of(journal, "a", 1)
    await journal.prune(FAR_FUTURE_MS)
    await journal.remove(["a"])
    with pytest.raises(UnknownRun):
        await journal.read("a")


# Cancelling and closing.


async def test_cancelled_calls_leave_nothing_behind_for_others(journal: Journal) -> None:
    runs = [f"run {number}" for number in range(10)]
    for run in runs:
        epoch = await journal.claim(run)
        append(journal, run, epoch, run)
        await journal.seal(run, epoch)
    for turns in range(20):
        calls = [asyncio.ensure_future(journal.read(run)) for run in runs]
        for _ in range(turns % 4):
            await asyncio.sleep(0)
        for call in calls[::2]:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for run, call in zip(runs[1::2], calls[1::2], strict=True):
            assert call.result() == [entry(run)]


async def test_close_commits_what_was_appended(journal: Journal) -> None:
    epoch = await journal.claim("a")
    reader = await Reader.of(journal, "a")
    append(journal, "a", epoch, "0", "1")
    await journal.close()
    assert await reader.until(2) == numbered(0, 2)


async def test_closing_again_is_harmless(journal: Journal) -> None:
    await journal.close()
    await journal.close()


async def test_all_is_well(journal: Journal) -> None:
    await run_of(journal, "a", 1)
    assert journal.trouble is None
