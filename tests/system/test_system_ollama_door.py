"""Ollama's own Python client at the door of its API."""

import base64
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
import pytest_asyncio

from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, asked_for, marked
from system.inprocess import serving
from system.leaving import check_leaving
from system.running import Running, config, settings_file
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}


def weather(place: str) -> str:
    """Tell the weather."""
    return place


@contextlib.asynccontextmanager
async def client_of(host: str) -> AsyncIterator[ollama.AsyncClient]:
    calling = ollama.AsyncClient(host=host, trust_env=False)
    try:
        yield calling
    finally:
        await calling._client.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: Running) -> AsyncIterator[ollama.AsyncClient]:
    async with client_of(f"{server.url}/ollama") as calling:
        yield calling


def said(content: str = "Hello", **more: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": content, **more}]


async def post(caller: Caller, path: str, body: Any) -> httpx.Response:
    return await caller.http.post(f"{caller.url}{path}", json=body)


# Answers


async def test_an_answer_in_one_piece(client: ollama.AsyncClient) -> None:
    answer = await client.chat("box/text", said())

    assert (answer.message.role, answer.message.content) == ("assistant", "0 1 2 3 4 ")
    assert (answer.done, answer.done_reason, answer.model) == (True, "stop", "box/text")
    assert (answer.prompt_eval_count, answer.eval_count) == (7, 5)
    assert answer.total_duration is not None


async def test_an_answer_is_streamed_token_by_token(client: ollama.AsyncClient) -> None:
    lines = [line async for line in await client.chat("box/text-r50-n5", said(), stream=True)]

    assert [line.message.content for line in lines] == ["0 ", "1 ", "2 ", "3 ", "4 ", ""]
    assert [line.done for line in lines] == [False] * 5 + [True]
    assert lines[-1].total_duration is not None
    assert lines[-1].eval_duration is not None
    assert 80e6 / 2 < lines[-1].eval_duration <= lines[-1].total_duration  # 4 tokens after the first, at 50 a second


async def test_a_prompt_is_completed(client: ollama.AsyncClient, upstream: FakeUpstream) -> None:
    text = marked()
    answer = await client.generate("box/echo", text, system="Be brief.", options={"temperature": 0.5, "num_predict": 9})
    lines = [line async for line in await client.generate("box/text", text, stream=True)]

    assert (answer.response, answer.done) == (text, True)
    assert "".join(line.response or "" for line in lines) == "0 1 2 3 4 "
    sent = next(each.body for each in upstream.of("echo") if each.body["messages"][-1]["content"] == text)
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (sent["temperature"], sent["max_tokens"]) == (0.5, 9)


async def test_thoughts_are_kept_apart(client: ollama.AsyncClient) -> None:
    answer = await client.chat("box/think", said(), think=True)

    assert (answer.message.thinking, answer.message.content) == ("let me see", "the answer")


async def test_a_call_of_a_tool_and_its_result(client: ollama.AsyncClient, upstream: FakeUpstream) -> None:
    answer = await client.chat("box/tool", said(), tools=[weather])
    assert answer.message.tool_calls
    call = answer.message.tool_calls[0]

    result = marked("sunny")
    messages: list[Any] = [
        *said(),
        answer.message,
        {"role": "tool", "content": result, "tool_name": call.function.name},
    ]
    await client.chat("box/text", messages)

    sent = (await asked(upstream, result)).body["messages"]
    assert sent[1]["tool_calls"][0]["function"]["name"] == call.function.name
    assert sent[2] == {"role": "tool", "tool_call_id": sent[1]["tool_calls"][0]["id"], "content": result}


async def test_a_picture_goes_to_the_model(client: ollama.AsyncClient, upstream: FakeUpstream) -> None:
    text = marked()
    await client.chat("box/echo", said(text, images=[base64.b64decode(PIXEL)]))

    url = {"url": f"data:image/png;base64,{PIXEL}"}
    content: list[dict[str, Any]] = [{"type": "text", "text": text}, {"type": "image_url", "image_url": url}]
    assert asked_for(upstream, content)


async def test_a_schema_goes_to_the_model(client: ollama.AsyncClient, upstream: FakeUpstream) -> None:
    text = marked()
    await client.chat("box/text", said(text), format=SCHEMA)

    assert (await asked(upstream, text)).body["response_format"]["json_schema"]["schema"] == SCHEMA


async def test_vectors_come_from_either_kind_of_server(client: ollama.AsyncClient, tmp_path: Path) -> None:
    made = await client.embed("box/text", ["a", "bb"])
    async with FakeOllama() as behind:
        settings = settings_file({"providers.box": {"kind": "ollama", "base_url": behind.base_url}})
        async with Running(tmp_path, settings) as server, client_of(f"{server.url}/ollama") as calling:
            theirs = await calling.embed("box/text", ["a", "bb"], truncate=True)

    assert made.embeddings == [[1.0, 0.0], [2.0, 1.0]]
    assert made.total_duration is not None
    assert (len(theirs.embeddings), theirs.model) == (2, "box/text:latest")
    with pytest.raises(ollama.ResponseError):
        await client.embed("box/text", "a", truncate=True)


# Lists


async def test_the_models_are_listed(client: ollama.AsyncClient) -> None:
    names = {model.model for model in (await client.list()).models}

    assert {"box/text", "script/echo"} <= names
    assert (await client.show("box/text")).capabilities == ["completion"]
    with pytest.raises(ollama.ResponseError) as raised:
        await client.show("nobody")
    assert raised.value.status_code == httpx.codes.NOT_FOUND


async def test_the_models_that_answer_now_are_processes(client: ollama.AsyncClient) -> None:
    lines = await client.chat("box/silent-after-1", said(), stream=True)
    await anext(aiter(lines))

    assert "box/silent-after-1" in {model.model for model in (await client.ps()).models}


async def test_the_version_says_whose_it_is(caller: Caller) -> None:
    version = (await caller.root("/ollama/api/version")).json()["version"]
    assert version.partition("+")[2].startswith("headrace.")


# Errors


async def test_an_unknown_model_is_not_found(client: ollama.AsyncClient) -> None:
    with pytest.raises(ollama.ResponseError) as raised:
        await client.chat("nobody", said())
    assert (raised.value.status_code, "nobody" in raised.value.error) == (404, True)


async def test_an_answer_that_breaks_off_is_an_error(client: ollama.AsyncClient) -> None:
    lines = await client.chat("box/eof-after-3", said(), stream=True)
    got: list[str] = []

    async def read() -> None:
        async for line in lines:
            assert not line.done
            got.append(line.message.content or "")

    with pytest.raises(ollama.ResponseError):
        await read()
    assert got == ["0 ", "1 ", "2 "]
    with pytest.raises(ollama.ResponseError) as raised:
        await client.chat("box/eof-after-3", said())
    assert raised.value.status_code == httpx.codes.BAD_GATEWAY


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/api/chat", {"messages": said(), "temperature": 1}, "temperature"),
        ("/api/chat", {"messages": said(), "options": {"temperature": "hot"}}, "options.temperature"),
        ("/api/chat", {"messages": said(), "options": {"num_gpu": 1}}, "num_gpu"),
        ("/api/chat", {"messages": said(), "options": {"num_ctx": 4096}}, "num_ctx"),
        ("/api/chat", {"messages": said(), "format": "xml"}, "format"),
        ("/api/chat", {"messages": [{"role": "nobody"}]}, "messages.0.role"),
        ("/api/chat", {"messages": said(images=["http://127.0.0.1/x.png"])}, "messages.0.images.0"),
        ("/ollama/api/generate", {"prompt": "x", "raw": True}, "template"),
        ("/ollama/api/generate", {"prompt": "x", "context": [1]}, "/api/chat"),
    ],
)
async def test_a_field_that_cannot_be_is_named(caller: Caller, path: str, fields: dict[str, Any], named: str) -> None:
    reply = await post(caller, path, {"model": "box/text", **fields})

    assert reply.status_code == httpx.codes.BAD_REQUEST
    assert reply.json().keys() == {"error"}
    assert named in reply.json()["error"]


@pytest.mark.parametrize("prefix", ["/ollama/api", "/api"])
@pytest.mark.parametrize("act", ["pull", "push", "create", "copy", "delete", "embeddings"])
async def test_what_makes_no_sense_here_is_refused_with_a_sentence(caller: Caller, prefix: str, act: str) -> None:
    method = "DELETE" if act == "delete" else "POST"
    reply = await caller.http.request(method, f"{caller.url}{prefix}/{act}", json={"model": "x"})

    assert reply.status_code == httpx.codes.NOT_IMPLEMENTED
    assert reply.json()["error"].startswith(f"Headrace has no /api/{act}. ")


async def test_a_model_is_not_loaded_by_asking_for_nothing(caller: Caller) -> None:
    for path in ("/api/chat", "/ollama/api/generate"):
        assert (await post(caller, path, {"model": "box/text"})).status_code == httpx.codes.NOT_IMPLEMENTED


# Where it stands


async def test_the_root_has_it_too_but_generate_is_relays(caller: Caller) -> None:
    body = {"model": "box/text", "messages": said(), "stream": False}
    assert (await post(caller, "/api/chat", body)).json()["message"]["content"] == "0 1 2 3 4 "
    assert "models" in (await caller.root("/api/tags")).json()
    relay = (await post(caller, "/api/generate", {"model": "box/text", "prompt": "x"})).json()
    assert (relay["response"], "run_id" in relay) == ("0 1 2 3 4 ", True)


async def test_curl_as_written_needs_no_content_type(caller: Caller) -> None:
    body = json.dumps({"model": "box/text", "messages": said(), "stream": False}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    reply = await caller.http.post(f"{caller.url}/api/chat", content=body, headers=headers)
    assert reply.json()["done"] is True


async def test_on_a_port_of_its_own_it_stands_alone(tmp_path: Path, upstream: FakeUpstream) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = config(box=upstream.base_url, server={"ollama_port": port})
    async with Running(tmp_path, settings) as server, httpx.AsyncClient(trust_env=False) as http:
        async with client_of(f"http://127.0.0.1:{port}") as calling:
            answer = await calling.generate("box/text", "Hello")
        alone = f"http://127.0.0.1:{port}"
        found = [
            (await http.get(f"{alone}{path}")).status_code for path in ("/", "/v1/models", "/api/v1/chats", "/health")
        ]
        relay = await http.post(f"{server.url}/api/generate", json={"prompt": "x", "model": "box/text"})
    assert answer.response == "0 1 2 3 4 "
    assert found == [200, 200, 404, 404]
    assert "run_id" in relay.json()


async def test_what_is_ollamas_own_goes_to_an_ollama(tmp_path: Path) -> None:
    async with FakeOllama() as behind:
        settings = settings_file({"providers.box": {"kind": "ollama", "base_url": behind.base_url}})
        async with Running(tmp_path, settings) as server, client_of(f"{server.url}/ollama") as calling:
            options = {"num_ctx": 512, "temperature": 0.5}
            await calling.chat("box/text", said(), options=options, keep_alive="5m", think=False)
        sent = behind.requests[-1].body
    assert (sent["options"], sent["keep_alive"], sent["think"]) == (options, "5m", False)


# Leaving


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["box/silent-after-2", "box/silent", "box/no-headers"])
async def test_leaving_stops_the_run(
    client: ollama.AsyncClient, upstream: FakeUpstream, model: str, *, stream: bool
) -> None:
    await check_leaving(upstream, lambda text: _all_of(client, model, text, stream=stream))


async def _all_of(client: ollama.AsyncClient, model: str, text: str, *, stream: bool) -> None:
    if not stream:
        await client.chat(model, said(text))
        return
    async for _ in await client.chat(model, said(text), stream=True):
        pass


@pytest.mark.usefixtures("pings")
async def test_minutes_of_silence_do_not_choke_the_client(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with serving(tmp_path, config(box=upstream.base_url)) as url:
        async with client_of(f"{url}/ollama") as calling:
            lines = [line async for line in await calling.chat("box/text-r3-n4", said(), stream=True)]
        body = {"model": "box/text-r3-n3", "messages": said()}
        async with await Wire.open(f"{url}/api/chat", method="POST", json_body=body) as wire:
            data = await wire.rest()
    assert "".join(line.message.content or "" for line in lines) == "0 1 2 3 "
    assert len(lines) > 5
    assert b"\n\n" not in data
