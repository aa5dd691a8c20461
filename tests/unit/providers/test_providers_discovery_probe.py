import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from fakes.lmstudio import FakeLMStudio
from fakes.ollama import FakeOllama
from fakes.raw import Peer, RawServer, reply_once
from fakes.upstream import FakeUpstream
from headrace.net import http
from headrace.providers.builtin import model_file
from headrace.providers.discovery_probe import Met, probe
from headrace.providers.embedded_engine import Engine
from headrace.providers.embedded_pipe import Launch
from headrace.providers.presets import SERVERS


@pytest.fixture
async def client() -> AsyncIterator[http.Client]:
    client = http.Client()
    yield client
    await client.close()


def reply(status: int, body: object, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    lines = [f"HTTP/1.1 {status} Status", *headers, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


async def met(client: http.Client, server: str, status: int, body: object, *headers: str) -> Met:
    async with RawServer(reply_once(reply(status, body, *headers))) as raw:
        return await probe(server, raw.port, client)


# the servers themselves


async def test_ollama_is_found(client: http.Client) -> None:
    async with FakeOllama() as ollama:
        assert await probe("ollama", ollama.port, client) == "found"


async def test_llamacpp_is_found_by_the_owner_of_its_models(client: http.Client) -> None:
    async with FakeUpstream(owned_by="llamacpp") as upstream:
        assert await probe("llamacpp", upstream.port, client) == "found"


@pytest.mark.parametrize("old", [False, True])
async def test_lmstudio_is_found(client: http.Client, *, old: bool) -> None:
    async with FakeLMStudio(old=old) as lmstudio:
        assert await probe("lmstudio", lmstudio.port, client) == "found"


async def test_lmstudio_without_models_is_found(client: http.Client) -> None:
    assert await met(client, "lmstudio", 200, {"object": "list", "data": []}) == "found"


@pytest.mark.engine
@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_a_real_llamacpp_that_wants_a_key_is_locked(client: http.Client) -> None:
    launch = Launch(path=str(model_file()), alias="a", key="k", threads=1, context=256, parallel=1, memory_mib=0)
    engine = await Engine.start(launch)
    try:
        assert await probe("llamacpp", int(engine.url.rpartition(":")[2]), client) == "locked"
    finally:
        await engine.end()


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, {"data": []}, "found"),  # it was started without a model, and loads what it is asked for
        (503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "found"),
        (401, {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}}, "locked"),
        (404, {"error": {"code": 404, "message": "File Not Found"}}, "stranger"),
    ],
)
async def test_llamacpp_is_known_by_the_head_of_its_replies(
    client: http.Client, status: int, body: object, result: Met
) -> None:
    assert await met(client, "llamacpp", status, body, "Server: llama.cpp") == result


# others


@pytest.mark.parametrize("server", SERVERS)
async def test_where_nothing_listens_there_is_nobody(client: http.Client, server: str, unused_tcp_port: int) -> None:
    assert await probe(server, unused_tcp_port, client) == "nobody"


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>a page of somebody's</html>"),
        (200, b""),
        (200, [1, 2]),
        (200, {"status": "ok"}),
        (200, {"data": [1, None], "version": 3}),
        (200, {"data": {"id": "a"}, "error": None}),
        (200, {"object": "list", "data": [{"id": "a", "object": "model", "owned_by": "vllm"}]}),
        (401, {"error": "who are you"}),
        (404, {"detail": "Not Found", "version": "1"}),
        (503, {"error": {"message": "Loading model"}}),
    ],
)
async def test_what_listens_there_is_not_taken_for_another(
    client: http.Client, server: str, status: int, body: object
) -> None:
    assert await met(client, server, status, body) == "stranger"


async def test_the_servers_are_not_taken_for_each_other(client: http.Client) -> None:
    async with FakeOllama() as ollama, FakeLMStudio() as lmstudio, FakeUpstream(owned_by="llamacpp") as llamacpp:
        ports = {"ollama": ollama.port, "lmstudio": lmstudio.port, "llamacpp": llamacpp.port}
        for looked_for in ports:
            found = [name for name, port in ports.items() if await probe(looked_for, port, client) == "found"]
            assert found == [looked_for]


@pytest.mark.parametrize(
    "pieces",
    [(b"SSH-2.0-OpenSSH_9.6\r\n",), (), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",)],
    ids=["not HTTP", "nothing", "cut off"],
)
async def test_what_does_not_speak_as_it_should_is_a_stranger(client: http.Client, pieces: tuple[bytes, ...]) -> None:
    async with RawServer(reply_once(*pieces)) as raw:
        assert await probe("ollama", raw.port, client) == "stranger"


async def test_a_reply_without_end_is_not_read_to_its_end(client: http.Client) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        while True:
            await peer.send(b"x" * 65536)

    async with RawServer(serve) as raw:
        assert await probe("ollama", raw.port, client) == "stranger"
        await raw.until(lambda: raw.left == 1)


async def test_one_that_does_not_answer_is_left_in_time(client: http.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.providers.discovery_probe._TIMEOUT_S", 0.05)

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with RawServer(serve) as raw:
        async with asyncio.timeout(5):
            assert await probe("llamacpp", raw.port, client) == "stranger"
        await raw.until(lambda: raw.left == 1)
