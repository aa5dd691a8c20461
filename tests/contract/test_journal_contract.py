"""What every journal promises of its log: durable before visible, whole and in order, read from any number."""

import asyncio
import itertools

import pytest

from fakes.journals import PATIENCE_S, Reader, append, entry, numbered, run_of, text, until_committed
from headrace.core import events
from headrace.formats import native
from headrace.journal.port import Cursor, Journal

# Durable before visible.


async def test_nothing_is_visible_between_append_and_commit(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 2)
    reader = await Reader.of(journal, "a", 2)
    append(journal, "a", epoch, "2", "3")
    assert journal.committed("a") == 2
    assert reader.cursor.take(10) == ()
    assert reader.wakes == 0
    await until_committed(journal, "a", 4)
    assert reader.cursor.take(10) == numbered(2, 4)


async def test_what_is_visible_to_one_reader_is_visible_to_all(journal: Journal) -> None:
    epoch = await journal.claim("a")
    first, second = await Reader.of(journal, "a"), await Reader.of(journal, "a")
    append(journal, "a", epoch, "0")
    await first.until(1)
    assert second.cursor.take(10) == first.seen == await journal.read("a")
    assert journal.committed("a") == 1


async def test_readers_are_woken_once_the_entries_can_be_taken(journal: Journal) -> None:
    epoch = await journal.claim("a")
    taken: list[bytes] = []
    woken = asyncio.Event()

    def wake() -> None:
        taken.extend(cursor.take(10) or ())
        woken.set()

    cursor = await journal.follow("a", 0, wake)
    append(journal, "a", epoch, "0", "1")
    async with asyncio.timeout(PATIENCE_S):
        await woken.wait()
    assert taken == numbered(0, 2)


# The log: order, bytes, positions.


async def test_an_entry_is_the_event_as_the_native_format_writes_it(journal: Journal) -> None:
    epoch = await journal.claim("a")
    happened: list[events.Event] = [
        events.RunStarted(run_id="a", parameters={"stop": ["\n"]}),
        events.Text("Zeile\n\u2028\x85 ☃ \ud83d"),
        events.Usage(output_tokens=1),
        events.RunFinished("stop"),
    ]
    journal.append("a", epoch, happened, 17)
    await journal.seal("a", epoch)
    assert list(await journal.read("a")) == [native.encode(event, 17) for event in happened]


async def test_appends_keep_their_order_over_many_commits(journal: Journal) -> None:
    epoch = await journal.claim("a")
    reader = await Reader.of(journal, "a")
    for number in range(0, 300, 3):
        append(journal, "a", epoch, str(number), str(number + 1))
        journal.append("a", epoch, text(str(number + 2)), 0)
        if number % 7 == 0:
            await asyncio.sleep(0)
    assert await reader.until(300) == numbered(0, 300)
    assert await journal.read("a") == numbered(0, 300)


async def test_an_append_is_all_or_nothing(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    with pytest.raises(TypeError):
        journal.append("a", epoch, [events.Text("lost"), events.RunStarted(run_id="a", parameters={"x": object()})], 0)
    append(journal, "a", epoch, "1")
    await journal.seal("a", epoch)
    assert await journal.read("a") == numbered(0, 2)


async def test_an_append_of_nothing_changes_nothing(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    journal.append("a", epoch, [], 0)
    append(journal, "a", epoch, "1")
    await journal.seal("a", epoch)
    assert await journal.read("a") == numbered(0, 2)


async def test_runs_do_not_mix(journal: Journal) -> None:
    runs = [f"run {number}" for number in range(20)]
    epochs = {run: await journal.claim(run) for run in runs}
    for number in range(10):
        for run in runs:
            append(journal, run, epochs[run], f"{run}: {number}")
        await asyncio.sleep(0)
    for run in runs:
        await journal.seal(run, epochs[run])
        assert await journal.read(run) == [entry(f"{run}: {number}") for number in range(10)]


async def test_read_returns_any_stretch(journal: Journal) -> None:
    await run_of(journal, "a", 10)
    for start, limit in itertools.product([0, 1, 5, 9, 10, 11, 1000], [None, 0, 1, 4, 1000]):
        end = 10 if limit is None else min(start + limit, 10)
        assert list(await journal.read("a", start, limit)) == numbered(start, end)


@pytest.mark.parametrize("start", [0, 1, 5, 9, 10, 12])
async def test_a_reader_gets_exactly_the_rest_from_any_start(journal: Journal, start: int) -> None:
    epoch = await run_of(journal, "a", 10)
    reader = await Reader.of(journal, "a", start)
    append(journal, "a", epoch, *map(str, range(10, 15)))
    await journal.seal("a", epoch)
    assert await reader.to_the_end() == numbered(start, 15)


async def test_a_reader_past_the_end_is_shown_nothing_before_its_start(journal: Journal) -> None:
    epoch = await run_of(journal, "a", 1)
    reader = await Reader.of(journal, "a", 5)
    for number in range(1, 5):
        append(journal, "a", epoch, str(number))
        await until_committed(journal, "a", number + 1)
        assert reader.cursor.take(10) == ()
        assert reader.cursor.position == 5
    append(journal, "a", epoch, "5")
    assert await reader.until(1) == numbered(5, 6)


async def test_take_returns_no_more_than_it_was_asked_for(journal: Journal) -> None:
    await run_of(journal, "a", 5)
    reader = await Reader.of(journal, "a")
    assert await reader.take(2) == numbered(0, 2)
    assert reader.cursor.position == 2
    assert await reader.take(2) == numbered(2, 4)
    assert await reader.take(2) == numbered(4, 5)
    assert await reader.take(2) == ()
    assert reader.cursor.position == 5


# Readers.


async def test_readers_of_other_runs_sleep_on(journal: Journal) -> None:
    await run_of(journal, "quiet", 1)
    quiet = await Reader.of(journal, "quiet", 1)
    await run_of(journal, "busy", 5)
    assert quiet.wakes == 0


async def test_a_reader_may_append_when_it_is_woken(journal: Journal) -> None:
    epoch = await journal.claim("a")
    numbers = iter(range(1, 50))

    def echo() -> None:
        if (number := next(numbers, None)) is not None:
            append(journal, "a", epoch, str(number))

    await journal.follow("a", 0, echo)
    reader = await Reader.of(journal, "a")
    append(journal, "a", epoch, "0")
    assert await reader.until(50) == numbered(0, 50)


async def test_a_reader_may_leave_when_it_is_woken(journal: Journal) -> None:
    epoch = await journal.claim("a")
    wakes: list[int] = []

    def leave() -> None:
        wakes.append(cursor.position)
        cursor.close()

    cursor = await journal.follow("a", 0, leave)
    stays = await Reader.of(journal, "a")
    append(journal, "a", epoch, "0")
    await stays.until(1)
    append(journal, "a", epoch, "1")
    assert await stays.until(2) == numbered(0, 2)
    assert wakes == [0]


async def test_a_reader_that_another_closes_in_the_same_commit_is_not_woken(journal: Journal) -> None:
    epoch = await journal.claim("a")
    wakes: list[str] = []
    cursors: dict[str, Cursor] = {}

    def closing(mine: str, other: str) -> None:
        wakes.append(mine)
        cursors[other].close()

    cursors["x"] = await journal.follow("a", 0, lambda: closing("x", "y"))
    cursors["y"] = await journal.follow("a", 0, lambda: closing("y", "x"))
    append(journal, "a", epoch, "0")
    await until_committed(journal, "a", 1)
    assert len(wakes) == 1


async def test_a_reader_that_fails_harms_no_other(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    epoch, other = await journal.claim("a"), await journal.claim("b")

    def fail() -> None:
        raise RuntimeError("a reader's bug")

    await journal.follow("a", 0, fail)
    readers = [await Reader.of(journal, run) for run in ("a", "b")]
    append(journal, "a", epoch, "0")
    append(journal, "b", other, "0")
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(journal.seal("a", epoch), journal.seal("b", other))
    assert [await reader.to_the_end() for reader in readers] == [numbered(0, 1)] * 2
    assert "a reader's bug" in caplog.text


async def test_a_closed_reader_is_not_woken_and_may_be_closed_again(journal: Journal) -> None:
    epoch = await journal.claim("a")
    reader = await Reader.of(journal, "a")
    reader.cursor.close()
    reader.cursor.close()
    append(journal, "a", epoch, "0")
    await journal.seal("a", epoch)
    assert reader.wakes == 0


async def test_readers_that_join_at_any_moment_see_everything_once(journal: Journal) -> None:
    epoch = await journal.claim("a")
    readers = []
    for number in range(100):
        append(journal, "a", epoch, str(number))
        readers.append((number, await Reader.of(journal, "a", number // 2)))
        if number % 3 == 0:
            await asyncio.sleep(0)
    await journal.seal("a", epoch)
    for number, reader in readers:
        assert await reader.to_the_end() == numbered(number // 2, 100)


async def test_a_run_that_nobody_reads_keeps_everything_for_those_who_come_back(journal: Journal) -> None:
    epoch = await journal.claim("a")
    seen: list[bytes] = []
    for number in range(0, 40, 4):
        reader = await Reader.of(journal, "a", len(seen))
        append(journal, "a", epoch, str(number), str(number + 1))
        seen.extend(await reader.until(2))
        reader.cursor.close()  # now nobody reads
        append(journal, "a", epoch, str(number + 2), str(number + 3))
        await until_committed(journal, "a", number + 4)
    await journal.seal("a", epoch)
    seen.extend(await (await Reader.of(journal, "a", len(seen))).to_the_end())
    assert seen == numbered(0, 40)
