"""What a run says of itself at its end: the tokens that were counted or estimated, and where the time went."""

import asyncio
from collections.abc import Sequence

import pytest

from fakes.engines import HELLO, REQUEST, Works, made, say_hello, turns, wait_for
from headrace.core import events
from headrace.core.events import Event, FinishReason, Timings
from headrace.core.messages import Request
from headrace.providers.port import Emit


async def test_usage_is_estimated_where_the_provider_does_not_count(works: Works) -> None:
    await works.answered(say_hello)
    usage = works.settled["r"].usage
    assert usage is not None
    assert (usage.output_tokens, usage.input_tokens, usage.estimated) == (2, None, True)


@pytest.mark.parametrize("before", [[], [events.Extra(chunk={"citations": [1]})]])
async def test_what_comes_beside_the_tokens_is_not_counted_as_one(works: Works, before: list[Event]) -> None:
    async def generate(_request: Request, emit: Emit) -> FinishReason:
        for happened in (before, HELLO, [events.Extra(chunk={"system_fingerprint": "f"})]):
            emit([*happened])
        return "stop"

    await works.answered(generate)
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.output_tokens == len(HELLO)


COUNTED = events.Usage(input_tokens=7, output_tokens=40, cached_tokens=3)


@pytest.mark.parametrize(
    "batches",
    [
        [[*HELLO], [COUNTED]],
        [[*HELLO, COUNTED]],
        [[COUNTED, *HELLO]],
        [[COUNTED], [*HELLO]],
        [[HELLO[0], COUNTED, HELLO[1]]],
        [[events.Usage(output_tokens=1)], [*HELLO], [COUNTED]],
        [[events.Usage(output_tokens=1), *HELLO, COUNTED]],
    ],
)
async def test_what_the_provider_counts_is_told_once_at_the_end(works: Works, batches: Sequence[list[Event]]) -> None:
    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for batch in batches:
            emit(batch)
        return "stop"

    happened = await works.answered(answer)
    assert made(happened) == HELLO
    usage = happened[-2]
    assert isinstance(usage, events.Usage)
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (7, 40, 3)
    assert not usage.estimated


async def test_times_are_measured_from_the_start(works: Works) -> None:
    async def prepare(_emit: Emit) -> Request:
        works.clock.move(0.1)
        return REQUEST

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        works.clock.move(0.2)
        emit([events.ModelLoading("m")])
        works.clock.move(1.0)
        emit([events.ModelReady("m")])
        works.clock.move(0.3)
        emit([events.PromptProgress(5, 9)])
        works.clock.move(0.4)
        for _ in range(5):
            emit([events.Text("a")])
            works.clock.move(0.5)
        return "stop"

    works.upstream.answer = answer
    await works.start(prepare=prepare)
    await works.end()
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.timings == Timings(
        queued_ms=0, loading_ms=1000, first_token_ms=2000, generation_ms=2000, total_ms=4500, tokens_per_second=2.0
    )
    assert await works.times() == [0, 300, 1300, 1600, 2000, 2500, 3000, 3500, 4000, 4500, 4500]


async def test_no_part_of_the_time_is_longer_than_the_whole(works: Works) -> None:
    async def answer(_request: Request, emit: Emit) -> FinishReason:
        works.clock.move(0.0017)
        emit([events.Text("a")])
        return "stop"

    await works.answered(answer)
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.timings is not None
    assert (usage.timings.first_token_ms, usage.timings.total_ms) == (1, 1)


async def test_a_model_that_speaks_as_soon_as_it_is_loaded_was_loading_until_then(works: Works) -> None:
    async def answer(_request: Request, emit: Emit) -> FinishReason:
        emit([events.ModelLoading("m")])
        emit([events.ModelLoading("m", 0.5)])
        works.clock.move(2.0)
        emit([events.Text("a")])
        return "stop"

    await works.answered(answer)
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.timings is not None
    assert usage.timings.loading_ms == 2000


async def test_waiting_for_a_slot_is_measured_and_preparing_is_not_waiting() -> None:
    works, gate = Works(slots=1), asyncio.Event()
    works.upstream.answer = wait_for(gate)
    await works.start("first")
    await turns()

    async def prepare(_emit: Emit) -> Request:
        works.clock.move(5.0)
        return REQUEST

    await works.start(prepare=prepare)
    await turns()
    works.clock.move(3.0)
    gate.set()
    await works.end()
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.timings is not None
    assert usage.timings.queued_ms == 3000


async def test_the_engines_own_speeds_are_kept(works: Works) -> None:
    async def answer(request: Request, emit: Emit) -> FinishReason:
        await say_hello(request, emit)
        works.clock.move(1.0)
        emit([events.Usage(output_tokens=2, timings=Timings(prompt_tokens_per_second=9.5, tokens_per_second=77.0))])
        return "stop"

    await works.answered(answer)
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage.timings is not None
    assert (usage.timings.prompt_tokens_per_second, usage.timings.tokens_per_second) == (9.5, 77.0)


async def test_a_run_without_a_token_has_no_speed(works: Works) -> None:
    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        works.clock.move(1.0)
        return "stop"

    await works.answered(answer)
    usage = works.settled["r"].usage
    assert usage is not None
    assert usage == events.Usage(output_tokens=0, estimated=True, timings=Timings(queued_ms=0, total_ms=1000))
