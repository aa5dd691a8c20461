import asyncio
import io
import signal
from collections.abc import AsyncIterator

import pytest

from fakes.server import FakeServer, error_reply, json_reply, stream
from headrace.cli.api import Api, Refused
from headrace.cli.chat_answer import Answered, answer, interrupts
from headrace.cli.screen import Screen
from headrace.cli.screen_run import RunView
from headrace.cli.turn import Turn
from headrace.core.events import Event, RunFinished, RunStarted, Text
from headrace.formats import native
from headrace.net.client import Client

EVENTS: list[Event] = [RunStarted(run_id="run_1"), Text("Hel"), Text("lo"), RunFinished("stop")]
STOPPED = json_reply({"run_id": "run_1", "status": "stopped"})


def frames(events: list[Event], start: int = 0) -> bytes:
    return native.frames(start, [native.encode(event, 0) for event in events])


class Paper(io.StringIO):
    """Standard output, that tells when something is on it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


class Closed(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def turn(server: FakeServer) -> AsyncIterator[Turn]:
    client = Client()
    yield Turn.start(Api(client, server.url), "/chats/7/turns", {"content": "Hi"})
    await client.close()


async def interrupted(turn: Turn, times: int = 1) -> tuple[Answered, str, str]:
    """Return what comes of an answer that Ctrl-C is pressed at, as often, once it has text."""
    paper, notes = Paper(), io.StringIO()
    answering = asyncio.create_task(answer(turn, RunView(Screen(paper, notes)), end_s=0.01))
    await paper.written.wait()
    for _ in range(times):
        signal.raise_signal(signal.SIGINT)
    return await answering, paper.getvalue(), notes.getvalue()


async def test_an_answer_is_shown_to_its_end(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS)))
    paper = io.StringIO()
    assert await answer(turn, RunView(Screen(paper, io.StringIO()))) == Answered(RunFinished("stop"))
    assert paper.getvalue() == "Hello\n"


async def test_ctrl_c_stops_the_run(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), STOPPED)
    assert await interrupted(turn) == (Answered(None, interrupted=True), "Hel\n", "stopped\n")
    assert (server.requests[1].method, server.requests[1].path) == ("POST", "/api/v1/runs/run_1/stop")


async def test_a_stop_that_is_not_confirmed_is_told(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), error_reply(503, "draining", "Going down."))
    answered, _, notes = await interrupted(turn)
    assert answered == Answered(None, interrupted=True)
    assert notes == "the server did not confirm the stop: the run may go on\n"


async def test_a_second_ctrl_c_waits_for_nothing(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"))
    answered, _, notes = await interrupted(turn, times=2)
    assert answered == Answered(None, interrupted=True)
    assert "may go on" in notes
    await server.left()


async def test_a_run_is_stopped_when_its_answer_can_be_written_no_more(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), STOPPED)
    with pytest.raises(BrokenPipeError):
        await answer(turn, RunView(Screen(Closed(), io.StringIO())))
    assert server.requests[1].path == "/api/v1/runs/run_1/stop"


async def test_a_refusal_is_raised_and_ctrl_c_means_again_what_it_did(server: FakeServer, turn: Turn) -> None:
    server.answer(error_reply(409, "chat_busy", "An answer is being made."))
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Refused):
        await answer(turn, RunView(Screen(io.StringIO(), io.StringIO())))
    assert signal.getsignal(signal.SIGINT) is before


async def test_cancelling_leaves_the_run_alone(server: FakeServer, turn: Turn) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"))
    paper = Paper()
    answering = asyncio.create_task(answer(turn, RunView(Screen(paper, io.StringIO()))))
    await paper.written.wait()
    answering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answering
    await server.left()
    assert len(server.requests) == 1


async def test_interrupts_may_be_nested() -> None:
    pressed: asyncio.Queue[str] = asyncio.Queue()
    with interrupts(lambda: pressed.put_nowait("outer")):
        with interrupts(lambda: pressed.put_nowait("inner")):
            signal.raise_signal(signal.SIGINT)
        assert await pressed.get() == "inner"
        signal.raise_signal(signal.SIGINT)
        assert await pressed.get() == "outer"
