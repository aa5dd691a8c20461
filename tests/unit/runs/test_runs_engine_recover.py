"""What a crash cut is put in order at the next start, wherever it cut."""

from collections.abc import Sequence
from typing import Any

import pytest

from fakes.engines import Works, terminals
from fakes.journals import FAR_FUTURE_MS
from headrace.core import events
from headrace.core.events import Event
from headrace.core.messages import TextPart
from headrace.formats import native
from headrace.journal.live import Batch, LogCursor
from headrace.journal.memory import MemoryJournal
from headrace.journal.port import Fenced
from headrace.journal.segments import Torn
from headrace.runs.port import Spec

SPEC = Spec(run_id="r", owner=1, model="m", chat_id=7, assistant_message_id=9)
STARTED = events.RunStarted(run_id="r", chat_id=7, assistant_message_id=9, model_requested="m", model="box/m")
CRASH = events.RunInterrupted("crash")


async def crashed(happened: Sequence[tuple[Event, int]] | None, *, seal: bool = False) -> Works:
    """An engine whose journal has this much of a run, with times; None: not even a claim."""
    works = Works()
    if happened is not None:
        epoch = await works.journal.claim("r")
        for event, t in happened:
            works.journal.append("r", epoch, [event], t)
        works.journal._commit()
        if seal:
            await works.journal.seal("r", epoch)
    return works


async def recovered(works: Works, spec: Spec = SPEC) -> list[Event]:
    """Recover the run; see that its log has one end and is sealed, and that its outcome fits; return its events."""
    assert await works.engine.recover([spec]) == 1
    happened = await works.events()
    assert terminals(happened) == [happened[-1]] == [works.settled["r"].terminal]
    assert works.settled["r"].seq == len(happened) - 1
    assert works.settled["r"].ended_at == works.clock.now_ms()
    assert await works.journal.unsealed() == []
    with pytest.raises(Fenced):
        await works.journal.claim("r")
    assert list(works.engine.active()) == []
    return happened


async def test_a_run_that_never_came_to_the_journal() -> None:
    works = await crashed(None)
    assert await recovered(works) == [
        events.RunStarted(run_id="r", chat_id=7, assistant_message_id=9, model_requested="m"),
        CRASH,
    ]
    assert (works.settled["r"].status, works.settled["r"].parts) == ("interrupted", ())


async def test_a_run_that_was_claimed_and_no_more() -> None:
    works = await crashed([])
    assert [events.type_of(event) for event in await recovered(works)] == ["run.started", "run.interrupted"]


async def test_a_run_that_had_started_and_no_more() -> None:
    works = await crashed([(STARTED, 0)])
    assert await recovered(works) == [STARTED, CRASH]
    assert works.settled["r"].model == "box/m"


async def test_a_run_that_was_cut_in_mid_answer_keeps_what_it_said() -> None:
    works = await crashed([(STARTED, 0), (events.Text("Hel"), 10), (events.Text("lo"), 25)])
    assert await recovered(works) == [STARTED, events.Text("Hel"), events.Text("lo"), CRASH]
    assert (works.settled["r"].status, works.settled["r"].parts) == ("interrupted", (TextPart("Hello"),))
    assert native.time_of((await works.journal.read("r"))[-1]) == 25  # time does not go on while nobody is there


@pytest.mark.parametrize("seal", [False, True])
@pytest.mark.parametrize(
    ("end", "status"),
    [
        (events.RunFinished("length"), "complete"),
        (events.RunStopped("user"), "stopped"),
        (events.RunFailed("internal", "no", retryable=True), "failed"),
        (events.RunInterrupted("shutdown"), "interrupted"),
    ],
)
async def test_a_run_that_had_ended_keeps_its_end(*, seal: bool, end: events.Terminal, status: str) -> None:
    usage = events.Usage(output_tokens=1)
    works = await crashed([(STARTED, 0), (events.Text("a"), 1), (usage, 2), (end, 2)], seal=seal)
    assert await recovered(works) == [STARTED, events.Text("a"), usage, end]
    assert (works.settled["r"].status, works.settled["r"].usage) == (status, usage)


async def test_recovering_again_changes_nothing() -> None:
    works = await crashed([(STARTED, 0), (events.Text("a"), 1)])
    happened = await recovered(works)
    assert await recovered(works) == happened


async def test_a_run_whose_events_were_pruned_is_interrupted() -> None:
    works = await crashed([(STARTED, 0), (events.RunFinished("stop"), 1)], seal=True)
    await works.journal.prune(FAR_FUTURE_MS)
    assert await works.engine.recover([SPEC]) == 1
    outcome = works.settled["r"]
    assert (outcome.status, outcome.parts, outcome.terminal) == ("interrupted", (), CRASH)


async def test_a_sealed_run_without_an_end_is_interrupted() -> None:
    works = await crashed([(STARTED, 0)], seal=True)
    assert await works.engine.recover([SPEC]) == 1
    assert works.settled["r"].terminal == CRASH


class Damaged(MemoryJournal):
    """A journal that cannot read one run."""

    async def follow(self, run_id: str, start: int, wake: Any = None) -> LogCursor:
        cursor = await super().follow(run_id, start, wake)
        if run_id == "damaged":
            log = cursor._log
            log.trim(log.committed)
            cursor._fetch = self._torn
        return cursor

    async def _torn(self, _position: int) -> Batch:
        raise Torn("A chunk of the journal is damaged.")


async def test_a_damaged_run_does_not_keep_the_others_from_being_recovered() -> None:
    journal = Damaged()
    works = Works(journal)
    for run_id in ("damaged", "r"):
        journal.append(run_id, await journal.claim(run_id), [STARTED], 0)
    journal._commit()
    specs = [Spec(run_id=run_id, owner=1, model=None) for run_id in ("damaged", "r")]
    assert await works.engine.recover(specs) == 2
    assert works.settled["damaged"].status == works.settled["r"].status == "interrupted"
    assert await works.events("r") == [STARTED, CRASH]


async def test_there_may_be_nothing_to_recover() -> None:
    assert await Works().engine.recover([]) == 0
