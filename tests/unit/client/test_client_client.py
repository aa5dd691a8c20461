from collections.abc import AsyncIterator

import pytest

from fakes.server import FakeServer, Reply, error_reply, json_reply, stream
from headrace.client import Client, Unreachable
from headrace.client.replies import Failure, Usage
from headrace.core.errors import BadRequest, ServerError, TooManyRequests, Unauthorized
from headrace.core.events import RunFinished, RunStarted, Timings
from headrace.core.messages import ImagePart, TextPart
from headrace.formats import native

CHAT = {"id": 7, "owner_id": 1, "created_at": 1, "updated_at": 2, "title": "T", "parameters": {"top_p": 0.5}}
RUN = {
    "id": "run_1",
    "status": "failed",
    "model_requested": "auto",
    "created_at": 1,
    "usage": {"input_tokens": 3, "output_tokens": None, "estimated": True},
    "timings": {"total_ms": 9},
    "error": {"code": "bad_key", "message": "The key is wrong.", "retryable": False},
    "a_field_of_a_later_version": 1,
}
MESSAGE = {
    "id": 3,
    "chat_id": 7,
    "role": "assistant",
    "parts": [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Hi"}],
    "status": "streaming",
    "seq": 4,
    "runs": ["run_1"],
    "created_at": 1,
    "updated_at": 2,
}
DONE = native.frames(0, [native.encode(event, 0) for event in (RunStarted(run_id="run_1"), RunFinished("stop"))])


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def client(server: FakeServer) -> AsyncIterator[Client]:
    async with Client(server.url + "/", "secret") as client:
        yield client


async def test_chats_are_made_changed_and_removed(server: FakeServer, client: Client) -> None:
    server.answer(json_reply(CHAT, 201), json_reply(CHAT), Reply(204, b""))
    chat = await client.chats.create(system_prompt="Be brief.")
    assert (chat.id, chat.title, chat.parameters) == (7, "T", {"top_p": 0.5})
    await client.chats.change(7, title=None, leaf_id=3)
    await client.chats.delete(7)
    assert [(request.method, request.path) for request in server.requests] == [
        ("POST", "/api/v1/chats"),
        ("PATCH", "/api/v1/chats/7"),
        ("DELETE", "/api/v1/chats/7"),
    ]
    assert server.requests[0].body == {"title": None, "model": None, "system_prompt": "Be brief."}
    assert server.requests[1].body == {"title": None, "leaf_id": 3}
    assert server.requests[0].headers["authorization"] == "Bearer secret"


async def test_chats_are_listed_by_pages_and_read_with_their_messages(server: FakeServer, client: Client) -> None:
    server.answer(json_reply({"chats": [CHAT], "next": "n1"}), json_reply({**CHAT, "messages": [MESSAGE]}))
    page = await client.chats.list(matching="Zürich & more", limit=1)
    assert ([chat.id for chat in page.chats], page.next) == ([7], "n1")
    assert server.requests[0].path == "/api/v1/chats?query=Z%C3%BCrich+%26+more&limit=1"
    (message,) = (await client.chats.get(7)).messages
    assert (message.seq, message.runs, message.parts[1]) == (4, ("run_1",), TextPart("Hi"))


async def test_messages_are_read_and_removed(server: FakeServer, client: Client) -> None:
    server.answer(json_reply(MESSAGE), Reply(204, b""))
    assert (await client.messages.get(3)).status == "streaming"
    await client.messages.delete(3)
    assert server.requests[1].path == "/api/v1/messages/3"


async def test_runs_are_listed_read_and_stopped(server: FakeServer, client: Client) -> None:
    server.answer(json_reply({"runs": [RUN], "next": None}), json_reply(RUN))
    server.answer(json_reply({"run_id": "run_1", "status": "failed"}))
    (run,) = (await client.runs.list(statuses=("queued", "failed"))).runs
    assert run == await client.runs.get("run/1")
    assert run.usage == Usage(input_tokens=3, estimated=True)
    assert run.timings == Timings(total_ms=9)
    assert run.error == Failure("bad_key", "The key is wrong.", retryable=False)
    assert await client.runs.stop("run_1") == "failed"
    assert [request.path for request in server.requests] == [
        "/api/v1/runs?status=queued%2Cfailed",
        "/api/v1/runs/run%2F1",
        "/api/v1/runs/run_1/stop",
    ]


async def test_models_are_listed_and_found(server: FakeServer, client: Client) -> None:
    model = {"id": "box/a", "name": "a", "provider": "box", "state": "up"}
    server.answer(json_reply({"models": [model]}), json_reply({"models": [model]}))
    found = await client.models.get("box/a")
    assert found is not None
    assert found.state == "up"
    assert await client.models.get("box/b") is None


async def test_every_way_of_starting_a_run_has_its_address(server: FakeServer, client: Client) -> None:
    server.answer(stream(DONE), stream(DONE), stream(DONE))
    await client.turn(7, [TextPart("What is this?"), ImagePart("image/png", "aGk=")]).text()
    await client.regenerate(3, model="box/a").text()
    await client.resume(3).text()
    assert [request.path for request in server.requests] == [
        "/api/v1/chats/7/turns",
        "/api/v1/messages/3/regenerate",
        "/api/v1/messages/3/continue",
    ]
    assert server.requests[0].body["parts"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "media_type": "image/png", "data": "aGk="},
    ]
    assert len({request.body["client_id"] for request in server.requests}) == 3


async def test_refusals_are_errors_of_the_one_tree(server: FakeServer, client: Client) -> None:
    slowly = error_reply(429, "rate_limited", "Slowly.")
    slowly.headers["retry-after"] = "12"
    server.answer(error_reply(401, "unauthorized", "Who is it?"), slowly)
    with pytest.raises(Unauthorized, match="Who is it"):
        await client.chats.list()
    with pytest.raises(TooManyRequests) as raised:
        await client.chats.list()
    assert raised.value.retry_after_s == 12


@pytest.mark.parametrize(
    "reply", [json_reply({"chats": "none"}), Reply(200, b"<html>"), Reply(200, b"\xff"), Reply(302, b"")]
)
async def test_what_is_no_headrace_is_said_so(server: FakeServer, client: Client, reply: Reply) -> None:
    server.answer(reply)
    with pytest.raises(ServerError) as raised:
        await client.chats.list()
    assert raised.value.code == "no_headrace"


async def test_a_reply_that_breaks_is_a_lost_connection(server: FakeServer, client: Client) -> None:
    server.answer(Reply(200, b"{", {}, "drop"), Reply(404, b"{", {}, "drop"))
    for _ in range(2):
        with pytest.raises(Unreachable) as raised:
            await client.chats.list()
        assert raised.value.code == "connection_lost"


def test_a_text_that_cannot_be_sent_is_refused_here() -> None:
    with pytest.raises(BadRequest, match="half of a surrogate pair"):
        Client().turn(7, "\ud83d")


async def test_the_token_of_the_environment_goes_to_the_server_of_the_environment_only(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADRACE_URL", server.url)
    monkeypatch.setenv("HEADRACE_TOKEN", "of the environment")
    server.answer(json_reply({"models": []}), json_reply({"models": []}))
    for made in (Client(), Client(server.url)):
        async with made as client:
            assert await client.models.list() == ()
    assert [request.headers.get("authorization") for request in server.requests] == ["Bearer of the environment", None]
