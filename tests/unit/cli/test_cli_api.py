from collections.abc import AsyncIterator

import msgspec
import pytest

from fakes.server import FakeServer, Reply, error_reply, json_reply
from headrace.cli.api import Api, Refused, Unreachable, run_path
from headrace.core.errors import ProviderError
from headrace.net.client import Client


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    client = Client()
    yield client
    await client.close()


async def test_a_call_sends_json_and_returns_what_is_answered(server: FakeServer, client: Client) -> None:
    server.answer(json_reply({"id": 7}, 201))
    assert await Api(client, server.url).call("POST", "/chats", {"title": "é"}) == {"id": 7}
    (request,) = server.requests
    assert (request.method, request.path, request.body) == ("POST", "/api/v1/chats", {"title": "é"})
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers


async def test_the_token_goes_along_as_bearer(server: FakeServer, client: Client) -> None:
    server.answer(json_reply({}))
    await Api(client, server.url + "/", "t0k3n").call("GET", "/config")
    assert server.requests[0].headers["authorization"] == "Bearer t0k3n"
    assert server.requests[0].path == "/api/v1/config"


async def test_an_empty_reply_is_none(server: FakeServer, client: Client) -> None:
    server.answer(Reply(200, b""))
    assert await Api(client, server.url).call("DELETE", "/chats/1") is None


async def test_an_error_of_the_server_keeps_its_code_and_message(server: FakeServer, client: Client) -> None:
    server.answer(error_reply(409, "chat_busy", "An answer is being made."))
    with pytest.raises(Refused, match="An answer is being made") as caught:
        await Api(client, server.url).call("POST", "/chats/1/turns", {})
    assert (caught.value.code, caught.value.answered) == ("chat_busy", 409)


async def test_who_is_not_known_is_told_how_to_say_so(server: FakeServer, client: Client) -> None:
    server.answer(error_reply(401, "unauthorized", "Who are you?"))
    with pytest.raises(Refused) as caught:
        await Api(client, server.url, "t0k3n").call("GET", "/chats")
    assert caught.value.message.startswith("Who are you? Set HEADRACE_TOKEN to a token of this server; ")
    assert "`headrace token create NAME`" in caught.value.message
    assert "t0k3n" not in caught.value.message


async def test_the_details_of_an_error_are_kept(server: FakeServer, client: Client) -> None:
    error = {"code": "chat_busy", "message": "An answer is being made.", "details": {"run_id": "run_1"}}
    server.answer(json_reply({"error": error}, 409))
    with pytest.raises(Refused) as caught:
        await Api(client, server.url).call("POST", "/chats/1/turns", {})
    assert caught.value.details == {"run_id": "run_1"}


async def test_an_error_page_of_something_between_is_told_by_its_status(server: FakeServer, client: Client) -> None:
    server.answer(Reply(502, b"<html>Bad Gateway</html>"))
    with pytest.raises(Refused, match="The server answered 502") as caught:
        await Api(client, server.url).call("GET", "/config")
    assert (caught.value.code, caught.value.answered) == ("http_error", 502)


async def test_a_server_that_is_not_there_is_unreachable_and_named(client: Client) -> None:
    async with FakeServer() as gone:
        url = gone.url
    with pytest.raises(Unreachable, match=f"no Headrace server at {url}.*HEADRACE_URL"):
        await Api(client, url).call("GET", "/config")


async def test_a_reply_that_breaks_is_an_error(server: FakeServer, client: Client) -> None:
    server.answer(Reply(200, b"{", then="drop"))
    with pytest.raises(ProviderError) as caught:
        await Api(client, server.url).call("GET", "/config")
    assert caught.value.code == "upstream_closed"


class Chat(msgspec.Struct):
    id: int


async def test_a_reply_is_read_as_what_it_should_be(server: FakeServer, client: Client) -> None:
    server.answer(json_reply({"id": 7, "title": None}, 201))
    assert await Api(client, server.url).ask("POST", "/chats", Chat, {}) == Chat(7)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"id": "x"}', b"", b"\xff"])
async def test_what_is_no_headrace_server_is_told(server: FakeServer, client: Client, body: bytes) -> None:
    server.answer(Reply(200, body))
    with pytest.raises(Refused, match=f"What answers at {server.url} is no Headrace server") as caught:
        await Api(client, server.url).ask("GET", "/chats/1", Chat)
    assert (caught.value.code, caught.value.answered) == ("no_headrace", 200)


@pytest.mark.parametrize("run_id", ["run_1", "../chats", "a b", "a?b#c", "%2e"])
def test_a_run_is_below_runs_whatever_its_id(run_id: str) -> None:
    head, _, tail = run_path(run_id).rpartition("/")
    assert head == "/runs"
    assert not set("?# ") & set(tail)
