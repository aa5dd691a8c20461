import asyncio
from collections.abc import Iterable

import pytest

from fakes.engines import Works, say_hello, turns, wait_for
from headrace.core import events
from headrace.core.errors import Overloaded, ServerError
from headrace.core.events import Event, FinishReason
from headrace.core.messages import Request
from headrace.providers.port import Emit
from headrace.runs.port import Spec


def kinds(happened: Iterable[Event]) -> list[str]:
    return [events.type_of(event) for event in happened]


async def test_a_run_goes_on_though_whoever_started_it_has_left(works: Works) -> None:
    gate = asyncio.Event()
    works.upstream.answer = wait_for(gate, events.Text("a"))
    starting = asyncio.ensure_future(works.start())
    await starting
    assert [run.id for run in works.engine.active()] == ["r"]
    gate.set()
    assert kinds(await works.end()) == ["run.started", "text", "usage", "run.finished"]


async def test_what_a_run_is_started_with_is_told_in_its_first_event(works: Works) -> None:
    await works.start(
        model="m",
        parameters={"temperature": 0.5},
        chat_id=1,
        user_message_id=2,
        assistant_message_id=3,
        continues=True,
    )
    happened = await works.end()
    assert happened[0] == events.RunStarted(
        run_id="r",
        chat_id=1,
        user_message_id=2,
        assistant_message_id=3,
        model_requested="m",
        model="box/m",
        parameters={"temperature": 0.5},
        continues=True,
    )


async def test_nothing_is_known_of_runs_that_do_not_go_on(works: Works) -> None:
    async with asyncio.timeout(10):
        assert works.engine.get("r") is None
        assert await works.engine.stop("r") is None
        assert await works.engine.snapshot("r") is None
        await works.engine.settled("r")


# Room.


async def test_no_more_runs_start_than_the_settings_allow() -> None:
    works, gate = Works(max=2), asyncio.Event()
    works.upstream.answer = wait_for(gate)
    for run_id in ("a", "b"):
        with works.engine.admit(1):
            await works.start(run_id)
    with (
        pytest.raises(Overloaded, match=r"2 runs are going on, as many as runs.max allows.") as caught,
        works.engine.admit(1),
    ):
        pass
    assert (caught.value.code, caught.value.status, caught.value.retry_after_s) == ("overloaded", 503, 5)
    gate.set()
    await works.end("a")
    with works.engine.admit(1):
        pass
    await works.end("b")


async def test_those_that_are_being_stored_count() -> None:
    works = Works(max=2)
    with works.engine.admit(1), works.engine.admit(1), pytest.raises(Overloaded), works.engine.admit(1):
        pass
    with works.engine.admit(1):
        pass


async def test_a_run_that_could_not_be_stored_gives_its_room_back() -> None:
    works = Works(max=1)
    for _ in range(3):
        with pytest.raises(ServerError), works.engine.admit(1):
            raise ServerError("the store failed")
    with works.engine.admit(1):
        pass


async def test_a_run_whose_end_was_seen_makes_room_while_it_is_being_stored() -> None:
    works, stored = Works(max=1), asyncio.Event()

    async def settling(_run_id: str) -> None:
        await stored.wait()

    works.settling = settling
    run = await works.start()
    await asyncio.wait_for(run.durable, 10)
    with works.engine.admit(1):
        pass
    stored.set()
    await works.end()


# The end of each run.


async def test_settled_returns_once_the_outcome_is_stored(works: Works) -> None:
    stored = asyncio.Event()

    async def settling(_run_id: str) -> None:
        await stored.wait()

    works.settling = settling
    await works.start()
    waiting = asyncio.ensure_future(works.engine.settled("r"))
    await turns(30)
    assert (waiting.done(), works.settled) == (False, {})
    stored.set()
    await asyncio.wait_for(waiting, 10)
    assert works.settled["r"].status == "complete"


async def test_an_outcome_that_cannot_be_stored_leaves_no_run_behind(works: Works) -> None:
    async def settling(_run_id: str) -> None:
        raise OSError("the database is gone")

    works.settling = settling
    run = await works.start()
    happened = await works.end()
    assert kinds(happened)[-1] == "run.finished"
    assert works.engine.get("r") is None
    assert run.status == "complete"
    assert works.notes.notes[-1][:3] == ("ended", "r", "complete")
    works.settling = None
    await works.start("next")
    await works.end("next")
    assert works.settled["next"].status == "complete"


async def test_a_run_leaves_no_reader_behind(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), events.Text("a"))
    await works.start()
    await turns()
    await works.engine.snapshot("r")
    await works.engine.stop("r")
    await works.end()
    assert not works.journal._logs["r"].cursors


# Draining.


async def test_draining_lets_runs_end_and_starts_no_more(works: Works) -> None:
    gate = asyncio.Event()
    works.upstream.answer = wait_for(gate)
    await works.start()
    await turns()
    draining = asyncio.ensure_future(works.engine.drain(10))
    await turns()
    with pytest.raises(Overloaded) as caught, works.engine.admit(1):
        pass
    assert caught.value.code == "shutting_down"
    gate.set()
    await draining
    assert (await works.events())[-1] == events.RunFinished("stop")


async def test_what_is_left_after_draining_is_interrupted(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), events.Text("so far"))
    for run_id in ("a", "b", "c"):
        await works.start(run_id)
    await turns()
    await works.engine.drain(0.01)
    for run_id in ("a", "b", "c"):
        happened = await works.events(run_id)
        assert kinds(happened) == ["run.started", "text", "usage", "run.interrupted"]
        assert happened[-1] == events.RunInterrupted("shutdown")
        assert works.settled[run_id].status == "interrupted"


async def test_draining_nothing_is_done_at_once() -> None:
    works = Works()
    await asyncio.wait_for(works.engine.drain(60), 10)
    await works.engine.close()


async def test_draining_does_not_wait_for_ever_for_a_provider_that_does_not_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("headrace.runs.engine.SETTLE_S", 0.01)
    works, closed = Works(), asyncio.Event()

    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        try:
            await asyncio.Event().wait()
        finally:
            await closed.wait()
        return "stop"

    works.upstream.answer = answer
    await works.start()
    await turns()
    await asyncio.wait_for(works.engine.drain(0), 10)
    closed.set()
    assert (await works.end())[-1] == events.RunInterrupted("shutdown")


# Many.


async def test_two_thousand_runs_at_once_all_end(works: Works) -> None:
    works.upstream.slots = 50
    count = 2_000
    for number in range(count):
        with works.engine.admit(1):
            await works.start(f"run {number}", owner=number % 7)
    with pytest.raises(Overloaded), works.engine.admit(1):
        pass
    async with asyncio.timeout(60):
        for number in range(count):
            await works.engine.settled(f"run {number}")
    assert len(works.settled) == count
    assert {outcome.status for outcome in works.settled.values()} == {"complete"}
    assert works.admission.waiting() == 0
    for number in (0, 51, count - 1):
        happened = await works.events(f"run {number}")
        said = [kind for kind in kinds(happened) if kind != "run.queued"]
        assert said == ["run.started", "text", "text", "usage", "run.finished"]


async def test_any_number_of_runs_end_in_any_way_and_none_is_left(works: Works) -> None:
    async def fail(request: Request, emit: Emit) -> FinishReason:
        await say_hello(request, emit)
        raise ValueError("bug")

    answers = [say_hello, fail, wait_for(asyncio.Event(), events.Text("a"))]
    for number in range(15):
        works.upstream.answer = answers[number % 3]
        await works.start(f"run {number}")
        await turns(6)
    stops = [works.engine.stop(f"run {number}") for number in range(2, 15, 3)]
    assert await asyncio.gather(*stops) == ["stopped"] * 5
    for number in range(15):
        await works.end(f"run {number}")
    statuses = [works.settled[f"run {number}"].status for number in range(15)]
    assert statuses == ["complete", "failed", "stopped"] * 5


def test_a_spec_is_only_what_it_says() -> None:
    assert Spec(run_id="r", owner=1, model=None) == Spec(run_id="r", owner=1, model=None, parameters={})
