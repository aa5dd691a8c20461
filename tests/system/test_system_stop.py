import asyncio
from dataclasses import dataclass

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, Turn, asked, asked_for, closed, error_of, marked, text_in
from system.leaving import CLOSED_S, TRIES
from system.readers import Dice
from system.wire import TERMINAL, Wire, frames_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Going:
    """A run that goes on, and its reader."""

    turn: Turn
    content: str
    reader: Wire


async def going(caller: Caller, model: str, event: str, count: int = 1) -> Going:
    """Start a turn and read up to the event of this type that is the `count`th."""
    content = marked()
    turn = await caller.turn(await caller.chat(), content, model=model)
    reader = await caller.follow(turn.run_id)
    for _ in range(count):
        await reader.until(event)
    return Going(turn, content, reader)


async def check_stopped(caller: Caller, run: Going, text: str) -> None:
    """Check that a run which was stopped has its end in log, message and run, and what was made is kept."""
    frames = frames_of((await caller.http.get(f"/runs/{run.turn.run_id}/events")).content)
    message = await caller.message(run.turn.answer)
    assert [frame.event for frame in frames if frame.event in TERMINAL] == ["run.stopped"]
    assert (frames[-1].event, frames[-1].data["by"]) == ("run.stopped", "user")
    assert await run.reader.frames() == frames
    assert text_of(frames) == text_in(message) == text
    assert message["status"] == (await caller.get(f"/runs/{run.turn.run_id}"))["status"] == "stopped"
    run.reader.close()


@pytest.mark.parametrize(
    ("model", "event", "count"),
    [
        ("box/silent", "run.started", 1),
        ("box/no-headers", "run.started", 1),
        ("box/silent-after-3", "text", 3),
        ("box/text-r100-n5000", "text", 5),
    ],
)
async def test_stop_closes_the_upstream_at_once(
    caller: Caller, upstream: FakeUpstream, model: str, event: str, count: int
) -> None:
    took = []
    for _ in range(TRIES):
        run = await going(caller, model, event, count)
        request = await asked(upstream, run.content)
        begin = asyncio.get_running_loop().time()

        assert await caller.stop(run.turn.run_id) == "stopped"

        took.append(await closed(upstream, request) - begin)
        made = text_in(await caller.message(run.turn.answer)).split()
        assert made == [str(number) for number in range(len(made))]
        assert len(made) == (0 if event == "run.started" else max(count, len(made)))
        await check_stopped(caller, run, "".join(f"{number} " for number in made))
    assert min(took) < CLOSED_S


async def test_stop_of_a_run_in_the_queue_never_asks_the_model(caller: Caller, upstream: FakeUpstream) -> None:
    busy = await going(caller, "narrow/silent-after-1", "text")
    queued = await going(caller, "narrow/text", "run.queued")
    last = await going(caller, "narrow/echo", "run.queued")
    assert (await caller.message(queued.turn.answer))["status"] == "queued"

    assert await caller.stop(queued.turn.run_id) == "stopped"

    await check_stopped(caller, queued, "")
    assert await caller.stop(busy.turn.run_id) == "stopped"
    await check_stopped(caller, busy, "0 ")
    assert text_of(await last.reader.frames()) == last.content
    assert asked_for(upstream, queued.content) == []
    last.reader.close()


async def test_stop_while_the_model_loads_ends_the_asking(caller: Caller, upstream: FakeUpstream) -> None:
    run = await going(caller, "box/loading-9999", "model.loading")
    await asked(upstream, run.content, 2)
    assert (await caller.message(run.turn.answer))["status"] == "loading"

    assert await caller.stop(run.turn.run_id) == "stopped"

    times = len(asked_for(upstream, run.content))
    await check_stopped(caller, run, "")
    # an answer that takes longer than it is between two looks at a model that loads
    await caller.answered(await caller.chat(), model="box/text-r4-n6")
    assert len(asked_for(upstream, run.content)) == times


async def test_the_answer_to_stop_comes_when_the_end_can_be_read(caller: Caller) -> None:
    for _ in range(20):
        run = await going(caller, "box/text-r1000-n5000", "text")

        await caller.stop(run.turn.run_id)

        url = f"{caller.url}/api/v1/runs/{run.turn.run_id}/events"
        async with await Wire.open(url) as reader:
            assert (await reader.frames())[-1].event == "run.stopped"
        assert (await caller.message(run.turn.answer))["status"] == "stopped"
        run.reader.close()


async def test_what_was_shown_is_kept_and_nothing_more_is_made(caller: Caller) -> None:
    run = await going(caller, "script/tokens-r500-n5000", "text")
    for _ in range(20):
        await run.reader.until("text")

    await caller.stop(run.turn.run_id)

    frames = await run.reader.frames()
    made = text_of(frames)
    assert text_in(await caller.message(run.turn.answer)) == made
    assert 20 <= len(made.split()) < 5000
    run.reader.close()


async def test_stop_many_times_at_once_is_one_stop(caller: Caller) -> None:
    run = await going(caller, "box/silent-after-3", "text")

    statuses = await asyncio.gather(*(caller.stop(run.turn.run_id) for _ in range(10)))

    assert set(statuses) == {"stopped"}
    assert await caller.stop(run.turn.run_id) == "stopped"
    assert [frame.event for frame in await run.reader.frames()].count("run.stopped") == 1
    run.reader.close()


@pytest.mark.parametrize(("model", "status"), [("box/text", "complete"), ("box/eof-after-2", "failed")])
async def test_stop_after_the_end_changes_nothing(caller: Caller, model: str, status: str) -> None:
    turn = await caller.answered(await caller.chat(), model=model)
    before = await caller.body(turn.run_id)

    reply = await caller.http.post(f"/runs/{turn.run_id}/stop")

    assert (reply.status_code, reply.json()) == (200, {"run_id": turn.run_id, "status": status})
    assert reply.headers["headrace-run"] == turn.run_id
    assert await caller.body(turn.run_id) == before


async def test_stop_that_races_with_the_end_leaves_one_end(caller: Caller) -> None:
    chat = await caller.chat()
    for _ in range(30):
        turn = await caller.turn(chat, model="box/text")

        status = await caller.stop(turn.run_id)

        frames = await caller.frames(turn.run_id)
        ends = [frame.event for frame in frames if frame.event in TERMINAL]
        assert ends == [frames[-1].event] == [{"stopped": "run.stopped", "complete": "run.finished"}[status]]
        assert (await caller.message(turn.answer))["status"] == status


async def test_what_was_left_unread_of_a_stopped_answer_is_in_no_other(caller: Caller) -> None:
    dice = Dice()
    for _ in range(30):
        turn = await caller.turn(await caller.chat(), model="box/text-r2000-n500")
        async with await caller.follow(turn.run_id) as reader:
            await reader.take(dice.randint(1, 20_000))
        await caller.stop(turn.run_id)
        words = marked()

        other = await caller.answered(await caller.chat(), words, model="box/echo")

        assert text_in(await caller.message(other.answer)) == words, f"dice {dice.number}"


async def test_a_run_that_is_unknown_cannot_be_stopped(caller: Caller) -> None:
    reply = await caller.http.post("/runs/run_unknown/stop")

    assert (reply.status_code, error_of(reply)["code"]) == (404, "not_found")


async def test_stop_by_another_client_reaches_the_reader(caller: Caller) -> None:
    chat = await caller.chat()
    async with await caller.stream(chat, model="box/silent-after-2") as wire, Caller(caller.url) as other:
        await wire.until("text")

        assert await other.stop(wire.headers["headrace-run"]) == "stopped"

        assert (await wire.frames())[-1].event == "run.stopped"
