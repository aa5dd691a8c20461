import asyncio
from collections.abc import AsyncIterator

import pytest

from fakes.raw import Peer, RawServer
from fakes.server import FakeServer, Reply, error_reply, json_reply, stream
from headrace.client import Answer, Client, Unreachable
from headrace.core.errors import Conflict, Gone, NotFound, Overloaded, ProviderError, ServerError, TooManyRequests
from headrace.core.events import Event, Reasoning, RunFailed, RunFinished, RunInterrupted, RunStarted, RunStopped, Text
from headrace.core.messages import ReasoningPart, TextPart
from headrace.formats import native

EVENTS: list[Event] = [
    RunStarted(run_id="run_1", model="box/a"),
    Reasoning("Hm."),
    Text("Grüße "),
    Text("日本 🚆"),
    RunFinished("stop"),
]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nHeadrace-Run: run_1\r\nConnection: close\r\n\r\n"


def frames(events: list[Event], start: int = 0) -> bytes:
    return native.frames(start, [native.encode(event, 0) for event in events])


def rest(start: int) -> bytes:
    return frames(EVENTS[start:], start)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    async with Client(server.url, silence_s=10.0) as client:
        yield client


async def all_of(answer: Answer) -> list[Event]:
    return [event async for event in answer]


# A run from start to end


async def test_a_turn_gives_every_event_once_and_in_order(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS)))
    answer = client.turn(7, "Hi", model="box/a", parameters={"temperature": 0.5}, parent_id=None)
    assert await all_of(answer) == EVENTS
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/api/v1/chats/7/turns")
    assert request.headers["accept"] == "text/event-stream"
    assert request.body.pop("client_id")
    assert request.body == {
        "content": "Hi",
        "model": "box/a",
        "parameters": {"temperature": 0.5},
        "parent_id": None,
    }
    assert (answer.run_id, answer.seq, answer.status, answer.model) == ("run_1", 4, "complete", "box/a")
    assert answer.parts == (ReasoningPart("Hm."), TextPart("Grüße 日本 🚆"))


async def test_nothing_is_sent_before_it_is_asked_for(server: FakeServer, client: Client) -> None:
    client.turn(7, "Hi")
    server.answer(stream(frames(EVENTS)))
    assert await client.turn(7, "Ho").text() == "Grüße 日本 🚆"
    assert [request.body["content"] for request in server.requests] == ["Ho"]


async def test_text_is_whole_also_where_some_was_iterated(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS)))
    answer = client.turn(7, "Hi")
    async for event in answer:
        if isinstance(event, Text):
            break
    assert await answer.text() == "Grüße 日本 🚆"
    assert await all_of(answer) == []


async def test_merged_events_count_as_all_that_they_stand_for(server: FakeServer, client: Client) -> None:
    server.answer(stream(native.merge(0, [native.encode(event, 0) for event in EVENTS])))
    answer = client.turn(7, "Hi")
    assert await answer.text() == "Grüße 日本 🚆"
    assert answer.seq == 4


async def test_a_run_is_followed_from_any_event(server: FakeServer, client: Client) -> None:
    server.answer(stream(rest(3)))
    assert await all_of(client.follow("run_1", after=2, speed=2.5)) == EVENTS[3:]
    assert server.requests[0].path == "/api/v1/runs/run_1/events?speed=2.5"
    assert server.requests[0].headers["last-event-id"] == "2"


async def test_a_run_that_has_nothing_more_ends_at_once(server: FakeServer, client: Client) -> None:
    server.answer(Reply(204, b""))
    answer = client.follow("run_1", after=4)
    assert await all_of(answer) == []
    assert answer.end is None


# Lost connections


@pytest.mark.parametrize("then", ["drop", "end"])
@pytest.mark.parametrize("cut", [0, 1, 60, -20, -1])
async def test_a_lost_connection_goes_on_after_the_last_event(
    server: FakeServer, client: Client, then: str, cut: int
) -> None:
    first = stream(frames(EVENTS[:3])[:cut])
    whole = frames(EVENTS[:3])[:cut].count(b"\n\n")
    server.answer(Reply(200, first.body, first.headers, "drop" if then == "drop" else "end"), stream(rest(whole)))
    assert await all_of(client.turn(7, "Hi")) == EVENTS
    again = server.requests[1]
    assert (again.method, again.path) == ("GET", "/api/v1/runs/run_1/events")
    assert again.headers.get("last-event-id") == (str(whole - 1) if whole else None)


async def test_events_that_come_again_are_passed_over(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS[:3]), then="drop"), stream(frames(EVENTS)))
    assert await all_of(client.turn(7, "Hi")) == EVENTS


async def test_events_that_are_missing_are_an_error(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS[:1]), then="drop"), stream(frames(EVENTS[1:2], start=2)))
    with pytest.raises(ServerError, match="the events 1 to 1 are missing"):
        await client.turn(7, "Hi").text()


async def test_a_message_whose_reply_never_came_is_sent_again_as_the_same(server: FakeServer, client: Client) -> None:
    lost = Reply(200, b"", {"content-type": "text/event-stream"}, "drop")
    server.answer(lost, stream(frames(EVENTS)))
    assert await all_of(client.turn(7, "Hi")) == EVENTS
    assert [request.method for request in server.requests] == ["POST", "POST"]
    assert server.requests[0].body == server.requests[1].body


async def test_a_stream_that_falls_silent_counts_as_lost(server: FakeServer) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), stream(rest(2)))
    async with Client(server.url, silence_s=0.2) as client:
        assert await all_of(client.turn(7, "Hi")) == EVENTS
    await server.left()


async def test_a_reply_that_does_not_begin_counts_as_lost() -> None:
    bodies: list[bytes] = []

    async def serve(peer: Peer) -> None:
        _, body = await peer.request()
        bodies.append(body)
        await (peer.gone() if len(bodies) == 1 else peer.send(HEAD, frames(EVENTS)))

    async with RawServer(serve) as server, Client(f"http://127.0.0.1:{server.port}", silence_s=0.2) as client:
        assert await client.turn(7, "Hi").text() == "Grüße 日本 🚆"
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]


async def test_a_connection_that_breaks_while_nobody_reads_is_made_again_when_somebody_does() -> None:
    many: list[Event] = [EVENTS[0], *(Text(f"{i} ") for i in range(5000)), RunFinished("stop")]
    body = frames(many)
    lasts: list[bytes] = []

    async def serve(peer: Peer) -> None:
        head, _ = await peer.request()
        last = int(head.lower().partition(b"last-event-id: ")[2].partition(b"\r")[0] or -1)
        lasts.append(head)
        rest = frames(many[last + 1 :], last + 1)
        await peer.send(HEAD, rest[: len(body) // 2])

    async with RawServer(serve) as server, Client(f"http://127.0.0.1:{server.port}") as client:
        answer = client.turn(7, "Hi")
        first = await anext(answer)
        await server.until(lambda: server.left == 1)
        await asyncio.sleep(0.6)  # more than the first wait
        assert server.connections == 1
        assert [first, *await all_of(answer)] == many
    assert 2 <= len(lasts) <= 4


@pytest.mark.parametrize(
    "passing",
    [Reply(502, b"<h1>Bad Gateway</h1>"), error_reply(503, "draining", "Later."), error_reply(429, "rate_limited", "")],
)
async def test_what_passes_is_waited_for(server: FakeServer, client: Client, passing: Reply) -> None:
    passing.headers["retry-after"] = "0"
    server.answer(stream(frames(EVENTS[:2]), then="drop"), passing, stream(rest(2)))
    assert await all_of(client.turn(7, "Hi")) == EVENTS


async def test_a_run_that_is_gone_meanwhile_is_an_error_after_its_events(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS[:3]), then="drop"), error_reply(410, "events_gone", "No longer kept."))
    answer = client.turn(7, "Hi")
    assert [await anext(answer) for _ in range(3)] == EVENTS[:3]
    with pytest.raises(Gone, match="No longer kept"):
        await anext(answer)


async def test_a_server_that_stays_away_is_given_up(server: FakeServer) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="drop"), *(Reply(502, b"") for _ in range(9)))
    async with Client(server.url, away_s=0.2) as client:
        with pytest.raises(ServerError, match="answered 502"):
            await client.turn(7, "Hi").text()


# Refusals


async def test_a_server_that_is_not_there_is_said_at_once() -> None:
    async with FakeServer() as server:
        url = server.url
    async with Client(url) as client:
        for answer in (client.turn(7, "Hi"), client.follow("run_1")):
            with pytest.raises(Unreachable, match="There is no Headrace server at"):
                await answer.text()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error_reply(404, "not_found", "No such chat."), NotFound),
        (error_reply(409, "chat_busy", "Still being made."), Conflict),
        (error_reply(429, "rate_limited", "Slowly."), TooManyRequests),
        (error_reply(502, "upstream_refused", "The run failed."), ProviderError),
        (error_reply(503, "overloaded", "Full."), Overloaded),
    ],
)
async def test_what_refuses_a_turn_is_raised_by_every_way_of_reading(
    server: FakeServer, client: Client, reply: Reply, kind: type[Exception]
) -> None:
    server.answer(reply)
    answer = client.turn(7, "Hi")
    for read in (answer.started, answer.text, answer.stop, answer.__aenter__, answer.__anext__):
        with pytest.raises(kind):
            await read()
    assert len(server.requests) == 1


async def test_a_server_that_does_not_name_the_run_is_none(server: FakeServer, client: Client) -> None:
    nameless = {"content-type": "text/event-stream"}
    server.answer(Reply(204, b"", nameless))
    with pytest.raises(ServerError, match="does not name the run"):
        await client.turn(7, "Hi").started()


async def test_a_run_is_known_by_its_first_event_where_a_proxy_strips_the_header(
    server: FakeServer, client: Client
) -> None:
    server.answer(Reply(200, frames(EVENTS[:2]), {"content-type": "text/event-stream"}), stream(rest(2)))
    answer = client.turn(7, "Hi")
    assert await answer.started() == "run_1"
    assert await all_of(answer) == EVENTS


async def test_a_stop_that_is_refused_says_why(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS[:2]), then="hold"), error_reply(404, "not_found", "No such run."))
    async with client.follow("run_1") as answer:
        with pytest.raises(NotFound, match="No such run"):
            await answer.stop()


@pytest.mark.parametrize("body", [b"data: {}\n\n", b"id: 0\ndata: <html>\n\n", b"id: 0\ndata: \xff\n\n"])
async def test_what_is_no_event_is_an_error(server: FakeServer, client: Client, body: bytes) -> None:
    server.answer(stream(body))
    with pytest.raises(ServerError) as raised:
        await client.turn(7, "Hi").text()
    assert raised.value.code == "no_headrace"


# Ends


async def test_text_raises_what_the_run_failed_with(server: FakeServer, client: Client) -> None:
    failed = RunFailed("context_too_long", "Too long by half.", retryable=False)
    server.answer(stream(frames([*EVENTS[:3], failed])))
    answer = client.turn(7, "Hi")
    with pytest.raises(ProviderError) as raised:
        await answer.text()
    assert (raised.value.code, raised.value.message) == ("context_too_long", "Too long by half.")
    assert answer.parts[-1] == TextPart("Grüße ")


async def test_text_raises_that_the_server_went_away(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames([*EVENTS[:3], RunInterrupted("crash")])))
    with pytest.raises(ServerError, match="cut off by a crash"):
        await client.turn(7, "Hi").text()


async def test_stopping_asks_the_server_and_the_rest_can_still_be_read(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames([*EVENTS[:3], RunStopped("user")])))
    server.answer(Reply(200, b"", {}, "drop"), json_reply({"run_id": "run_1", "status": "stopped"}))
    async with client.turn(7, "Hi") as answer:
        assert await answer.stop() == "stopped"
        assert await answer.text() == "Grüße "
    assert [request.path for request in server.requests[1:]] == ["/api/v1/runs/run_1/stop"] * 2


async def test_an_answer_that_is_closed_does_not_pretend_to_be_whole(server: FakeServer, client: Client) -> None:
    server.answer(stream(frames(EVENTS[:3]), then="hold"))
    answer = client.turn(7, "Hi")
    assert await anext(answer) == EVENTS[0]
    answer.close()
    answer.close()
    with pytest.raises(Unreachable, match="closed before its end"):
        await answer.text()
    assert len(server.requests) == 1
    await server.left()


async def test_closing_the_client_ends_who_waits(server: FakeServer) -> None:
    server.answer(stream(frames(EVENTS[:1]), then="hold"))
    client = Client(server.url)
    answer = client.turn(7, "Hi")
    await answer.started()
    waiting = asyncio.ensure_future(answer.text())
    await asyncio.sleep(0)
    await client.close()
    with pytest.raises(Unreachable, match="closed before its end"):
        await waiting


async def test_an_answer_that_was_never_read_can_be_closed(client: Client) -> None:
    answer = client.turn(7, "Hi")
    answer.close()
    with pytest.raises(Unreachable):
        await answer.started()


# Slow readers


async def test_a_reader_that_is_slow_holds_the_server_up_and_gets_every_event() -> None:
    many: list[Event] = [EVENTS[0], *(Text(f"{i} " + "x" * 1000) for i in range(12_000)), RunFinished("stop")]
    body = frames(many)
    sent = 0

    async def serve(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(HEAD)
        for at in range(0, len(body), 65536):
            await peer.send(body[at : at + 65536])
            sent = at

    async with RawServer(serve) as server, Client(f"http://127.0.0.1:{server.port}", silence_s=0.3) as client:
        answer = client.turn(7, "Hi")
        first = await anext(answer)
        before = -1
        while sent != before:  # until the server writes no more
            before = sent
            await asyncio.sleep(0.4)
        assert sent < len(body) * 0.9
        assert [first, *await all_of(answer)] == many
    assert server.connections == 1
