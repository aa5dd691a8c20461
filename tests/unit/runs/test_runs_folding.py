import asyncio

import pytest

from fakes.journals import Reader, append, run_of, text
from headrace.core import events
from headrace.core.messages import TextPart
from headrace.journal.memory import MemoryJournal
from headrace.journal.port import UnknownRun
from headrace.journal.sqlite import SqliteJournal
from headrace.runs import folding
from headrace.runs.folding import Reading, fold


async def reading_of(journal: MemoryJournal | SqliteJournal, run_id: str) -> Reading:
    return Reading(await journal.follow(run_id, 0, lambda: None))


async def test_a_reading_folds_what_is_committed_and_goes_on_from_there() -> None:
    journal = MemoryJournal()
    epoch = await run_of(journal, "a", 3)
    reading = await reading_of(journal, "a")
    assert (reading.fold.seq, (await reading.catch_up()).parts) == (-1, (TextPart("012"),))
    journal.append("a", epoch, text("3"), 40)
    assert (await reading.catch_up()).seq == 2
    await journal.seal("a", epoch)
    made = await reading.catch_up()
    assert (made.seq, made.parts, reading.last_t) == (3, (TextPart("0123"),), 40)
    assert (await reading.catch_up()) is made


async def test_a_long_log_is_folded_in_slices_between_which_others_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "SLICE", 10)
    journal = MemoryJournal()
    await run_of(journal, "a", 95)
    reading = await reading_of(journal, "a")
    seen: list[int] = []

    async def look() -> None:
        while reading.fold.seq < 94:
            seen.append(reading.fold.seq)
            await asyncio.sleep(0)

    looking = asyncio.ensure_future(look())
    made = await reading.catch_up()
    await looking
    assert made.parts == (TextPart("".join(map(str, range(95)))),)
    assert len(set(seen)) > 5


async def test_several_who_catch_up_at_once_fold_each_entry_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "SLICE", 10)
    journal = MemoryJournal()
    await run_of(journal, "a", 50)
    reading = await reading_of(journal, "a")
    folds = await asyncio.gather(*(reading.catch_up() for _ in range(5)))
    assert {made.seq for made in folds} == {49}
    assert reading.fold.parts == (TextPart("".join(map(str, range(50)))),)


async def test_what_memory_has_let_go_of_is_read_from_the_disk(disk_journal: SqliteJournal) -> None:
    journal = disk_journal
    epoch = await run_of(journal, "a", 5)
    reading = await reading_of(journal, "a")
    await journal._upkeep.once()
    assert journal.logs["a"].first == 5
    append(journal, "a", epoch, "5")
    await (await Reader.of(journal, "a", 5)).until(1)
    assert (await reading.catch_up()).parts == (TextPart("012345"),)
    reading.close()


async def test_folding_a_run_lets_go_of_it() -> None:
    journal = MemoryJournal()
    epoch = await journal.claim("a")
    journal.append("a", epoch, [events.Text("a"), events.RunFinished("stop")], 12)
    await journal.seal("a", epoch)
    made, t = await fold(journal, "a")
    assert (made.parts, made.status, t) == ((TextPart("a"),), "complete", 12)
    assert not journal._logs["a"].cursors


async def test_an_unknown_run_cannot_be_folded() -> None:
    with pytest.raises(UnknownRun):
        await fold(MemoryJournal(), "a")
