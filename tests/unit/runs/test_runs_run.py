"""One run: how it ends, what it asks and tells, who sees it, and a journal that does not take it."""

import asyncio
from collections.abc import Sequence

import pytest

from fakes.engines import HELLO, REQUEST, Works, made, ready, say_hello, turns, wait_for
from headrace.core import events
from headrace.core.errors import BadField, HeadraceError, Overloaded, ProviderError, ServerError
from headrace.core.events import Event, FinishReason
from headrace.core.messages import ReasoningPart, Request, TextPart
from headrace.journal.memory import MemoryJournal
from headrace.providers.port import Emit

# Ends.


async def test_an_answer_is_framed_by_its_start_its_usage_and_its_end(works: Works) -> None:
    happened = await works.answered(say_hello)
    assert happened[0] == events.RunStarted(run_id="r", model="box/m")
    assert made(happened) == HELLO
    assert happened[-1] == events.RunFinished("stop")
    outcome = works.settled["r"]
    assert (outcome.status, outcome.parts, outcome.seq) == ("complete", (TextPart("Hello you"),), 4)
    assert (outcome.model, outcome.terminal, outcome.ended_at) == ("box/m", happened[-1], works.clock.now_ms())


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
async def test_the_models_reason_is_told(works: Works, reason: FinishReason) -> None:
    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        return reason

    assert (await works.answered(answer))[-1] == events.RunFinished(reason)
    assert works.settled["r"].status == "complete"


@pytest.mark.parametrize("code", ProviderError.CODES)
async def test_a_provider_that_fails_fails_the_run_with_its_code(works: Works, code: str) -> None:
    async def answer(request: Request, emit: Emit) -> FinishReason:
        await say_hello(request, emit)
        raise ProviderError("the upstream's words", code=code)

    happened = await works.answered(answer)
    assert made(happened) == HELLO
    assert happened[-1] == events.RunFailed(code, "the upstream's words", ProviderError.CODES[code][1])
    assert (works.settled["r"].status, works.settled["r"].parts) == ("failed", (TextPart("Hello you"),))


async def test_a_bug_fails_one_run_and_harms_no_other(works: Works) -> None:
    gate = asyncio.Event()
    works.upstream.answer = wait_for(gate, events.Text("fine"))
    await works.start("other")
    await turns()

    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        raise KeyError("bug")

    happened = await works.answered(answer)
    assert happened[-1] == events.RunFailed("internal", "Headrace failed; its log says why.", retryable=True)
    gate.set()
    assert (await works.end("other"))[-1] == events.RunFinished("stop")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Overloaded("full"), "overloaded"),
        (BadField("no", field="x"), "internal"),
        (ServerError("no", code="other"), "internal"),
    ],
)
async def test_an_error_of_ours_keeps_its_message(works: Works, error: HeadraceError, code: str) -> None:
    async def prepare(_emit: Emit) -> Request:
        raise error

    await works.start(prepare=prepare)
    assert (await works.end())[-1] == events.RunFailed(code, error.message, retryable=True)


async def test_a_cancellation_that_nobody_asked_for_is_a_bug(works: Works) -> None:
    async def answer(_request: Request, _emit: Emit) -> FinishReason:
        raise asyncio.CancelledError

    happened = await works.answered(answer)
    assert isinstance(happened[-1], events.RunFailed)
    assert happened[-1].code == "internal"


async def test_a_run_whose_loop_ends_is_interrupted(works: Works) -> None:
    works.upstream.answer = wait_for(asyncio.Event(), events.Text("so far"))
    await works.start()
    await turns()
    (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "run r")
    task.cancel()
    happened = await works.end()
    assert made(happened) == [events.Text("so far")]
    assert happened[-1] == events.RunInterrupted("shutdown")


async def test_an_unknown_model_fails_the_run(works: Works) -> None:
    await works.start(model="nothing-like-it")
    happened = await works.end()
    assert isinstance(happened[-1], events.RunFailed)
    assert (happened[-1].code, happened[-1].retryable) == ("unknown_model", False)


# What the provider is asked, and what it emits.


async def test_the_provider_is_asked_for_its_own_name_of_the_model(works: Works) -> None:
    async def prepare(emit: Emit) -> Request:
        emit([events.Sources([{"n": 1}])])
        return REQUEST

    await works.start(prepare=prepare, model="box/other")
    happened = await works.end()
    assert works.upstream.asked[0].model == "other"
    assert works.upstream.asked[0].messages == REQUEST.messages
    assert made(happened) == [events.Sources([{"n": 1}]), *HELLO]


async def test_every_kind_of_event_is_kept_in_order(works: Works) -> None:
    several: list[list[Event]] = [
        [events.PromptProgress(1, 2), events.PromptProgress(2, 2)],
        [events.Reasoning("hm")],
        [events.Text("a"), events.ToolCall("1", "f", "{}")],
        [events.Image("image/png", "AA==")],
    ]

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for each in several:
            emit(each)
        return "tool_calls"

    assert made(await works.answered(answer)) == [event for each in several for event in each]


async def test_an_emit_of_nothing_is_nothing(works: Works) -> None:
    async def answer(request: Request, emit: Emit) -> FinishReason:
        emit([])
        await say_hello(request, emit)
        emit([])
        return "stop"

    assert made(await works.answered(answer)) == HELLO


async def test_what_is_emitted_after_the_end_is_dropped(works: Works) -> None:
    emits: list[Emit] = []

    async def answer(request: Request, emit: Emit) -> FinishReason:
        emits.append(emit)
        return await say_hello(request, emit)

    await works.answered(answer)
    emits[0]([events.Text("late")])
    await turns()
    assert made(await works.events()) == HELLO


async def test_models_are_told_by_their_id(works: Works) -> None:
    async def answer(_request: Request, emit: Emit) -> FinishReason:
        emit([events.ModelLoading("m", 0.5)])
        emit([events.ModelReady("m"), events.Text("a")])
        return "stop"

    assert made(await works.answered(answer)) == [
        events.ModelLoading("box/m", 0.5),
        events.ModelReady("box/m"),
        events.Text("a"),
    ]


async def test_a_model_that_was_not_known_at_the_start_is_told_when_it_is(works: Works) -> None:
    works.watched.found.clear()
    run = await works.start()
    await turns()
    assert (run.model, run.status) == (None, "queued")
    works.watched.found.set()
    happened = await works.end()
    assert happened[0] == events.RunStarted(run_id="r")
    assert made(happened) == [events.ModelReady("box/m"), *HELLO]
    assert works.settled["r"].model == "box/m"


async def test_a_run_goes_through_its_phases(works: Works) -> None:
    gates = [asyncio.Event() for _ in range(4)]
    phases: list[list[Event]] = [
        [events.ModelLoading("m")],
        [events.ModelReady("m")],
        [events.PromptProgress(1, 1)],
        [events.Reasoning("hm")],
    ]

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for gate, phase in zip(gates, phases, strict=True):
            await gate.wait()
            emit(phase)
        return "stop"

    works.upstream.answer = answer
    run = await works.start()
    statuses = [run.status]
    await turns()
    for gate in gates[:3]:
        statuses.append(run.status)
        gate.set()
        await turns()
    gates[3].set()
    await works.end()
    assert [*statuses, run.status] == ["queued", "reading", "loading", "reading", "complete"]


async def test_the_run_says_that_it_waits_for_a_slot() -> None:
    works, gate = Works(slots=1), asyncio.Event()
    works.upstream.answer = wait_for(gate)
    await works.start("first")
    waiting = await works.start("second")
    await turns()
    assert (waiting.status, waiting.waiting, works.upstream.open) == ("queued", True, 1)
    gate.set()
    assert made(await works.end("second")) == [events.RunQueued(1)]
    assert made(await works.end("first")) == []


async def test_a_slot_is_free_again_however_a_run_ends() -> None:
    works = Works(slots=1)

    async def fail(_request: Request, _emit: Emit) -> FinishReason:
        raise ProviderError("no", code="upstream_closed")

    for number in range(3):
        works.upstream.answer = fail
        await works.start(f"failed {number}")
        await works.end(f"failed {number}")
        works.upstream.answer = wait_for(asyncio.Event())
        await works.start(f"stopped {number}")
        await turns()
        assert await works.engine.stop(f"stopped {number}") == "stopped"
    assert works.admission.waiting() == 0
    works.upstream.answer = say_hello
    await works.start()
    assert made(await works.end()) == HELLO


async def test_fate_is_known_with_the_first_token_or_the_end(works: Works) -> None:
    gate = asyncio.Event()
    works.upstream.answer = wait_for(gate)
    silent = await works.start("silent")
    await turns()
    works.upstream.answer = wait_for(gate, events.Text("a"))
    speaking = await works.start("speaking")
    await turns()
    assert (silent.fate.done(), speaking.fate.done()) == (False, True)
    assert not speaking.durable.done()
    gate.set()
    await works.end("silent")
    assert (silent.fate.done(), silent.durable.done()) == (True, True)


# Snapshots.


async def test_a_snapshot_holds_exactly_the_events_up_to_its_seq(works: Works) -> None:
    deltas: list[Event] = [
        events.Reasoning(f"{number} ") if number % 5 < 2 else events.Text(f"{number} ") for number in range(200)
    ]

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        for number, delta in enumerate(deltas):
            emit([delta])
            if number % 3 == 0:
                await asyncio.sleep(0)
        return "stop"

    def check(parts: Sequence[object], seq: int) -> None:
        said = "".join(part.text for part in parts if isinstance(part, TextPart | ReasoningPart))
        assert said == "".join(f"{number} " for number in range(min(max(seq, 0), len(deltas))))

    works.upstream.answer = answer
    await works.start()
    seen = set()
    while (shot := await works.engine.snapshot("r")) is not None:
        status, model, fold = shot
        parts, seq = fold.parts, fold.seq
        assert seq == works.journal.committed("r") - 1
        check(parts, seq)
        seen.add((status, seq))
        assert model == "box/m"
        await asyncio.gather(*(works.engine.snapshot("r") for _ in range(3)), asyncio.sleep(0))
    assert len(seen) > 10
    assert {status for status, _ in seen} <= {"queued", "reading", "streaming", "complete"}
    outcome = works.settled["r"]
    check(outcome.parts, outcome.seq)
    assert outcome.seq == 202


# Who watches.


async def test_observers_are_told_of_the_start_the_first_token_and_the_end(works: Works) -> None:
    async def answer(_request: Request, emit: Emit) -> FinishReason:
        works.clock.move(0.5)
        emit([events.ModelReady("m")])
        works.clock.move(0.5)
        emit([events.Text("a")])
        works.clock.move(1.0)
        emit([events.Text("b")])
        return "stop"

    await works.answered(answer)
    assert works.notes.notes == [
        ("started", "r"),
        ("first token", "r", "box/m", 1.0),
        ("ended", "r", "complete", 2.0),
    ]


# A journal that does not take it.


class Refusing(MemoryJournal):
    """A journal that can be told to take no more, as one whose disk has been full for long."""

    refuses = False

    def append(self, run_id: str, epoch: int, happened: Sequence[Event], t: int) -> None:
        if self.refuses:
            raise ServerError("The journal cannot be written: disk full", code="journal_stuck")
        super().append(run_id, epoch, happened, t)


async def test_a_run_that_the_journal_cannot_take_does_not_start() -> None:
    journal = Refusing()
    works = Works(journal)
    journal.refuses = True
    with pytest.raises(ServerError):
        await works.start()
    assert list(works.engine.active()) == []
    assert works.upstream.asked == []


async def test_events_that_the_journal_refuses_end_the_run_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.runs.run.RETRY_S", 0.001)
    journal = Refusing()
    works, more = Works(journal), asyncio.Event()

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        emit([events.Text("kept")])
        await more.wait()
        emit([events.Text("refused")])  # does not raise
        journal.refuses = False
        emit([events.Text("after the gap")])
        journal.refuses = True
        await asyncio.Event().wait()
        return "stop"

    works.upstream.answer = answer
    run = await works.start()
    await turns()
    journal.refuses = True
    more.set()
    await turns()
    assert (run.ending, works.upstream.open) == (True, 0)
    stopping = asyncio.ensure_future(works.engine.stop("r"))
    await turns()
    assert not stopping.done()  # there is no end before it is durable
    journal.refuses = False
    happened = await works.end()
    assert made(happened) == [events.Text("kept")]
    assert happened[-1] == events.RunFailed("internal", "The journal cannot be written: disk full", retryable=True)
    assert await stopping == "failed"


async def test_a_refusal_in_the_answers_last_moment_still_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.runs.run.RETRY_S", 0.001)
    journal = Refusing()
    works = Works(journal)

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        emit([events.Text("kept")])
        journal.refuses = True
        emit([events.Text("refused")])
        journal.refuses = False
        return "stop"

    happened = await works.answered(answer)
    assert made(happened) == [events.Text("kept")]
    assert isinstance(happened[-1], events.RunFailed)
    assert works.settled["r"].status == "failed"


@pytest.mark.parametrize("lost", ["taken over", "removed"])
async def test_a_run_that_has_lost_its_log_ends_without_a_word(works: Works, lost: str) -> None:
    """Whoever took it over writes its end and stores its outcome; of what was removed there is none."""
    more = asyncio.Event()

    async def answer(_request: Request, emit: Emit) -> FinishReason:
        emit([events.Text("mine")])
        await more.wait()
        emit([events.Text("not mine any more")])
        await asyncio.Event().wait()
        return "stop"

    works.upstream.answer = answer
    await works.start()
    await turns()
    if lost == "removed":
        await works.journal.remove(["r"])
    else:
        await works.journal.claim("r")
    stopping = asyncio.ensure_future(works.engine.stop("r"))
    more.set()
    async with asyncio.timeout(10):
        await works.engine.settled("r")
        await stopping
    assert works.engine.get("r") is None
    assert works.settled == {}
    assert works.upstream.open == 0
    if lost == "taken over":
        assert await works.events() == [events.RunStarted(run_id="r", model="box/m"), events.Text("mine")]


async def test_preparing_may_take_its_time(works: Works) -> None:
    gate = asyncio.Event()

    async def prepare(emit: Emit) -> Request:
        await gate.wait()
        return await ready(emit)

    run = await works.start(prepare=prepare)
    await turns()
    assert (run.status, works.upstream.asked) == ("queued", [])
    gate.set()
    assert made(await works.end()) == HELLO
