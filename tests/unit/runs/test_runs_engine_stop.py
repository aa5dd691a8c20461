"""Stop stops: in every phase, from anywhere, once."""

import asyncio

import pytest

from fakes.engines import HELLO, REQUEST, Works, say_hello, terminals, turns, wait_for
from headrace.core import events
from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason
from headrace.core.messages import Request, TextPart
from headrace.providers.port import Emit


async def hang(_emit: Emit) -> Request:
    await asyncio.Event().wait()
    return REQUEST


async def stopped(works: Works) -> list[Event]:
    """Stop the run; see that this closes the upstream and that there is one end; return what was before it."""
    async with asyncio.timeout(10):
        assert await works.engine.stop("r") == "stopped"
    assert works.upstream.open == 0
    happened = await works.end()
    assert terminals(happened) == [events.RunStopped("user")] == happened[-1:]
    assert works.settled["r"].status == "stopped"
    assert works.engine.get("r") is None
    return happened[1:-2]


async def test_before_the_runs_task_first_ran(works: Works) -> None:
    await works.start()
    assert await stopped(works) == []
    assert works.upstream.asked == []


async def test_while_the_model_is_looked_for(works: Works) -> None:
    works.watched.found.clear()
    await works.start()
    await turns()
    assert await stopped(works) == []


async def test_while_it_is_prepared(works: Works) -> None:
    await works.start(prepare=hang)
    await turns()
    assert await stopped(works) == []
    assert works.upstream.asked == []


async def test_while_it_waits_for_a_slot() -> None:
    works, gate = Works(slots=1), asyncio.Event()
    works.upstream.answer = wait_for(gate)
    await works.start("other")
    await turns()
    await works.start()
    await turns()
    assert works.admission.waiting() == 1
    assert await works.engine.stop("r") == "stopped"
    assert (await works.end())[1:-2] == [events.RunQueued(1)]
    assert works.admission.waiting() == 0
    gate.set()
    assert (await works.end("other"))[-1] == events.RunFinished("stop")


@pytest.mark.parametrize(
    "so_far",
    [[], [events.ModelLoading("box/m")], [events.PromptProgress(1, 2)], [events.Text("Hel"), events.Text("lo")]],
)
async def test_while_the_provider_loads_reads_or_streams(works: Works, so_far: list[Event]) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), *so_far)
    await works.start()
    await turns()
    assert works.upstream.open == 1
    assert await stopped(works) == so_far
    text = "".join(event.delta for event in so_far if isinstance(event, events.Text))
    assert works.settled["r"].parts == ((TextPart(text),) if text else ())


@pytest.mark.parametrize("by", ["user", "disconnect", "deleted"])
async def test_the_end_says_by_whom(works: Works, by: str) -> None:
    works.upstream.answer = wait_for(asyncio.Event())
    await works.start()
    await turns()
    await works.engine.stop("r", by=by)
    assert (await works.end())[-1] == events.RunStopped(by)


async def test_stopping_from_several_devices_at_once_is_one_stop(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event())
    await works.start()
    await turns()
    stops = [works.engine.stop("r", by=by) for by in ("user", "disconnect", "user")]
    assert await asyncio.gather(*stops) == ["stopped"] * 3
    assert terminals(await works.end()) == [events.RunStopped("user")]


async def test_stopping_after_the_end_changes_nothing(works: Works) -> None:
    await works.start()
    happened = await works.end()
    assert await works.engine.stop("r") is None
    assert await works.events() == happened


async def test_stopping_while_the_end_is_being_written_changes_nothing(works: Works) -> None:
    await works.start()
    while (run := works.engine.get("r")) is not None and not run.ending:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0)
    assert await works.engine.stop("r") in {"complete", None}
    assert terminals(await works.end()) == [events.RunFinished("stop")]


async def test_stopping_is_answered_once_the_end_is_durable_though_storing_it_takes_long(works: Works) -> None:
    stored = asyncio.Event()

    async def settling(_run_id: str) -> None:
        await stored.wait()

    works.settling = settling
    works.upstream.answer = wait_for(asyncio.Event())
    await works.start()
    await turns()
    async with asyncio.timeout(10):
        assert await works.engine.stop("r") == "stopped"
        assert await works.engine.stop("r") == "stopped"
    assert terminals(await works.events()) == [events.RunStopped("user")]
    assert works.settled == {}
    stored.set()
    await works.end()


async def test_who_gives_up_waiting_for_a_stop_does_not_undo_it(works: Works) -> None:
    closing = asyncio.Event()

    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        try:
            await asyncio.Event().wait()
        finally:
            await closing.wait()
        return "stop"

    works.upstream.answer = answer
    await works.start()
    await turns()
    stopping = asyncio.ensure_future(works.engine.stop("r"))
    await turns()
    stopping.cancel()
    await turns()
    closing.set()
    assert terminals(await works.end()) == [events.RunStopped("user")]


@pytest.mark.parametrize("turn", range(12))
async def test_whoever_is_first_decides_when_the_answer_ends_in_that_moment(works: Works, turn: int) -> None:
    async def answer(request: Request, emit: Emit) -> FinishReason:
        for _ in range(4):
            await asyncio.sleep(0)
        return await say_hello(request, emit)

    works.upstream.answer = answer
    await works.start()
    await turns(turn)
    status = await works.engine.stop("r")
    happened = await works.end()
    (end,) = terminals(happened)
    assert happened[-1] == end
    assert works.settled["r"].terminal == end
    assert works.settled["r"].status == {"stopped": "stopped", "complete": "complete", None: "complete"}[status]


async def test_a_provider_that_swallows_the_cancellation_is_stopped_all_the_same(works: Works) -> None:
    async def answer(request: Request, emit: Emit) -> FinishReason:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await say_hello(request, emit)
        return "stop"

    works.upstream.answer = answer
    await works.start()
    await turns()
    assert await stopped(works) == HELLO


async def test_a_provider_that_fails_while_it_is_stopped_is_stopped(works: Works) -> None:
    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        try:
            await asyncio.Event().wait()
        finally:
            raise ProviderError("closed under my hands", code="upstream_closed")

    works.upstream.answer = answer
    await works.start()
    await turns()
    assert await stopped(works) == []


async def test_a_run_may_be_stopped_from_within(works: Works) -> None:
    asked: list[asyncio.Task[str | None]] = []

    async def answer(request: Request, emit: Emit) -> FinishReason:
        asked.append(asyncio.ensure_future(works.engine.stop("r")))
        run = works.engine.get("r")
        assert run is not None
        run.cancel(events.RunStopped("user"))
        return await say_hello(request, emit)

    happened = await works.answered(answer)
    assert await asked[0] in {"stopped", None}
    assert terminals(happened) == [events.RunStopped("user")] == happened[-1:]


# Time limits.


async def test_a_provider_that_says_nothing_is_given_up(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), events.ModelLoading("m"))
    await works.start()
    await turns()
    works.clock.move(600.5)
    happened = await works.end()
    assert happened[-1] == events.RunFailed(
        "upstream_silent", "The model said nothing for 600 s (runs.first_token_timeout_s).", retryable=True
    )
    assert works.upstream.open == 0


async def test_a_model_that_falls_silent_is_given_up_sooner(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), events.Text("so"))
    await works.start()
    await turns()
    works.clock.move(120.5)
    happened = await works.end()
    assert happened[-1] == events.RunFailed(
        "upstream_silent", "The model fell silent for 120 s (runs.idle_timeout_s).", retryable=True
    )
    assert works.settled["r"].parts == (TextPart("so"),)


async def looks(works: Works) -> None:
    """Let the watcher look several times, and the runs hear of it."""
    await asyncio.sleep(0.01)
    await turns()
    assert works.engine.get("r") is not None


async def test_any_sign_of_life_begins_the_time_anew(works: Works) -> None:
    signs: asyncio.Queue[Event] = asyncio.Queue()

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for _ in range(3):
            emit([await signs.get()])
        return "stop"

    works.upstream.answer = answer
    run = await works.start()
    for sign in (events.PromptProgress(1, 2), events.Text("a")):
        await turns()
        works.clock.move(599.0 if run.status != "streaming" else 119.0)
        await looks(works)
        signs.put_nowait(sign)
    await turns()
    works.clock.move(119.0)
    await looks(works)
    signs.put_nowait(events.Text("b"))
    assert (await works.end())[-1] == events.RunFinished("stop")


async def test_no_time_limit_holds_while_it_is_prepared_or_waits_for_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.runs.engine.WATCH_EVERY_S", 0.001)
    works, gate = Works(slots=1, first_token_timeout_s=1e9, idle_timeout_s=10.0), asyncio.Event()
    works.engine.open()
    works.upstream.answer = wait_for(gate)
    await works.start("other")
    await works.start("preparing", prepare=hang)
    await turns()
    await works.start()
    await turns()
    works.clock.move(100_000.0)
    await looks(works)
    assert [run.ending for run in works.engine.active()] == [False] * 3
    gate.set()
    assert (await works.end())[-1] == events.RunFinished("stop")
    await works.engine.drain(0)
    await works.engine.close()
