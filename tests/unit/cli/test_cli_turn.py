import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from fakes.server import FakeServer, Reply, error_reply, json_reply, stream
from headrace.cli.api import Api, Refused, Unreachable
from headrace.cli.turn import Heard, Turn
from headrace.core.errors import ProviderError
from headrace.core.events import Event, RunFinished, RunInterrupted, RunStarted, Text
from headrace.formats import native
from headrace.net.client import Client

EVENTS: list[Event] = [RunStarted(run_id="run_1"), Text("Hel"), Text("lo"), RunFinished("stop")]


def frames(events: list[Event], start: int = 0) -> bytes:
    return native.frames(start, [native.encode(event, 0) for event in events])


class Shown:
    """What a turn showed, read by read, and how often it lost and found its connection."""

    def __init__(self) -> None:
        self.reads: list[list[Heard]] = []
        self.delays: list[float] = []
        self.founds = 0
        self.has_text = asyncio.Event()
        self.is_lost = asyncio.Event()

    @property
    def events(self) -> list[Event]:
        return [heard.event for read in self.reads for heard in read]

    def show(self, heard: Sequence[Heard]) -> None:
        self.reads.append(list(heard))
        if any(isinstance(each.event, Text) for each in heard):
            self.has_text.set()

    def lost(self, delay_s: float) -> None:
        self.delays.append(delay_s)
        self.is_lost.set()

    def found(self) -> None:
        self.founds += 1


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture
def turn(server: FakeServer, client: Client) -> Turn:
    return Turn.start(Api(client, server.url), "/chats/7/turns", {"content": "Hi"})


async def test_a_turn_shows_every_event_and_returns_the_last(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS)))
    assert await turn.follow(shown) == RunFinished("stop")
    assert shown.events == EVENTS
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/chats/7/turns")
    assert request.headers["accept"] == "text/event-stream"
    assert request.body["content"] == "Hi"
    assert turn.run_id == "run_1"


@pytest.mark.parametrize("then", ["drop", "end"])
async def test_a_broken_stream_goes_on_after_the_last_event(
    server: FakeServer, turn: Turn, shown: Shown, then: str
) -> None:
    first = stream(frames(EVENTS[:2]))
    server.answer(Reply(first.status, first.body, first.headers, "drop" if then == "drop" else "end"))
    server.answer(stream(frames(EVENTS[2:], start=2)))
    assert await turn.follow(shown) == RunFinished("stop")
    assert shown.events == EVENTS
    assert (server.requests[1].method, server.requests[1].path) == ("GET", "/api/v1/runs/run_1/events")
    assert server.requests[1].headers["last-event-id"] == "1"
    assert shown.delays == [0.25]


async def test_a_frame_that_was_cut_is_read_again_whole(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:3])[:-20], then="drop"), stream(frames(EVENTS[2:], start=2)))
    await turn.follow(shown)
    assert shown.events == EVENTS


async def test_a_stream_that_broke_before_its_first_event_is_read_from_the_start(
    server: FakeServer, turn: Turn, shown: Shown
) -> None:
    server.answer(stream(b": ping\n\n", then="drop"), stream(frames(EVENTS)))
    await turn.follow(shown)
    assert shown.events == EVENTS
    assert "last-event-id" not in server.requests[1].headers


async def test_a_stream_that_falls_silent_counts_as_broken(server: FakeServer, client: Client, shown: Shown) -> None:
    turn = Turn.start(Api(client, server.url), "/chats/7/turns", {"content": "Hi"}, silence_s=0.2)
    server.answer(stream(frames(EVENTS[:2]), then="hold"), stream(frames(EVENTS[2:], start=2)))
    await turn.follow(shown)
    assert shown.events == EVENTS
    await server.left()


async def test_a_message_whose_reply_never_came_is_sent_again_as_the_same(
    server: FakeServer, turn: Turn, shown: Shown
) -> None:
    server.answer(Reply(200, b"", {"content-type": "text/event-stream"}, "drop"), stream(frames(EVENTS)))
    await turn.follow(shown)
    assert shown.events == EVENTS
    assert server.requests[1].method == "POST"
    assert server.requests[0].body["client_id"] == server.requests[1].body["client_id"]


async def test_delays_grow_while_nothing_comes(server: FakeServer, turn: Turn, shown: Shown) -> None:
    busy = error_reply(503, "draining", "Going down.")
    server.answer(stream(frames(EVENTS[:1]), then="drop"), busy, stream(frames(EVENTS[1:], start=1)))
    await turn.follow(shown)
    assert shown.events == EVENTS
    assert shown.delays == [0.25, 0.5]


async def test_a_run_that_was_interrupted_meanwhile_ends_so(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="drop"), stream(frames([RunInterrupted("crash")], start=2)))
    assert await turn.follow(shown) == RunInterrupted("crash")


async def test_a_refusal_of_the_message_is_final(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(error_reply(503, "overloaded", "No room."))
    with pytest.raises(Refused, match="No room"):
        await turn.follow(shown)
    assert shown.delays == []


async def test_a_run_that_is_gone_is_not_asked_for_again(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="drop"), error_reply(404, "not_found", "There is no such run."))
    with pytest.raises(Refused) as caught:
        await turn.follow(shown)
    assert caught.value.answered == 404
    assert len(server.requests) == 2


async def test_a_server_that_was_never_there_is_final(client: Client, shown: Shown) -> None:
    async with FakeServer() as gone:
        turn = Turn.start(Api(client, gone.url), "/chats/7/turns", {"content": "Hi"})
    with pytest.raises(Unreachable):
        await turn.follow(shown)


async def test_what_is_no_stream_of_events_is_an_error(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(b"data: <html>\n\n"))
    with pytest.raises(ProviderError) as caught:
        await turn.follow(shown)
    assert caught.value.code == "upstream_garbled"


async def test_what_showing_raises_ends_the_turn(server: FakeServer, turn: Turn) -> None:
    class Broken(Shown):
        def show(self, heard: Sequence[Heard]) -> None:
            raise BrokenPipeError(heard)

    server.answer(stream(frames(EVENTS[:2]), then="hold"))
    with pytest.raises(BrokenPipeError):
        await turn.follow(Broken())
    await server.left()


async def test_what_comes_together_is_shown_together_as_it_came(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS)))
    await turn.follow(shown)
    (read,) = shown.reads
    assert [heard.seq for heard in read] == [0, 1, 2, 3]
    assert read[1].entry == b'{"t":0,"type":"text","delta":"Hel"}'


async def test_a_connection_that_is_made_again_is_told(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="drop"), stream(frames(EVENTS[2:], start=2)))
    await turn.follow(shown)
    assert (len(shown.delays), shown.founds) == (1, 2)


async def test_a_message_that_was_sent_is_sent_again_when_the_server_is_back(client: Client, shown: Shown) -> None:
    async with FakeServer() as first:
        turn = Turn.start(Api(client, first.url), "/chats/7/turns", {"content": "Hi"})
        first.answer(Reply(200, b"", {"content-type": "text/event-stream"}, "drop"))
        following = asyncio.create_task(turn.follow(shown))
        await shown.is_lost.wait()
    # gone now; on the same port again
    async with FakeServer(port=first.port) as again:
        again.answer(stream(frames(EVENTS)))
        assert await following == RunFinished("stop")
    assert again.requests[0].body["client_id"] == first.requests[0].body["client_id"]


async def test_a_run_is_joined_after_an_event(server: FakeServer, client: Client, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[2:], start=2)))
    turn = Turn.join(Api(client, server.url), "run_1", after=1)
    assert await turn.follow(shown) == RunFinished("stop")
    (request,) = server.requests
    assert (request.method, request.path) == ("GET", "/api/v1/runs/run_1/events")
    assert request.headers["last-event-id"] == "1"


async def test_a_replay_keeps_its_speed_over_connections(server: FakeServer, client: Client, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="drop"), stream(frames(EVENTS[2:], start=2)))
    await Turn.join(Api(client, server.url), "run_1", speed=2.5).follow(shown)
    assert [request.path for request in server.requests] == ["/api/v1/runs/run_1/events?speed=2.5"] * 2
    assert server.requests[1].headers["last-event-id"] == "1"


async def test_nothing_after_the_last_event_is_no_end(server: FakeServer, client: Client, shown: Shown) -> None:
    server.answer(Reply(204, b""))
    assert await Turn.join(Api(client, server.url), "run_1", after=9).follow(shown) is None
    assert shown.events == []


async def test_a_turn_that_goes_on_is_stopped_by_its_run(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), json_reply({"run_id": "run_1", "status": "stopped"}))
    following = asyncio.create_task(turn.follow(shown))
    await shown.has_text.wait()
    following.cancel()
    await asyncio.wait([following])
    assert await turn.stop()
    assert (server.requests[1].method, server.requests[1].path) == ("POST", "/api/v1/runs/run_1/stop")


async def test_a_stop_that_the_server_does_not_confirm_is_told(server: FakeServer, turn: Turn, shown: Shown) -> None:
    gone = error_reply(404, "not_found", "There is no such run.")
    server.answer(stream(frames(EVENTS[:1]), then="drop"), gone, gone)
    with pytest.raises(Refused):
        await turn.follow(shown)
    assert not await turn.stop()


async def test_a_run_that_ended_is_not_stopped_again(server: FakeServer, turn: Turn, shown: Shown) -> None:
    server.answer(stream(frames(EVENTS)))
    await turn.follow(shown)
    assert await turn.stop()
    assert len(server.requests) == 1


async def test_a_run_is_stopped_once_its_id_is_known(server: FakeServer, turn: Turn, shown: Shown) -> None:
    following = asyncio.create_task(turn.follow(shown))
    stopping = asyncio.create_task(turn.stop())
    server.answer(stream(frames(EVENTS[:2]), then="hold"), json_reply({"run_id": "run_1", "status": "stopped"}))
    assert await stopping
    assert server.requests[1].path == "/api/v1/runs/run_1/stop"
    following.cancel()
    await asyncio.wait([following])
