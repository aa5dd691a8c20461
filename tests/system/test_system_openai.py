"""OpenAI's own Python client at the door of its API."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio
from openai.types.chat import ChatCompletionMessageParam

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, asked_for, closed, marked, text_in
from system.inprocess import serving
from system.leaving import check_leaving
from system.running import Running, config
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = f"data:image/png;base64,{PIXEL}"

TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"place": {"type": "string"}}}},
    }
]
SCHEMA: Any = {
    "type": "json_schema",
    "json_schema": {"name": "answer", "schema": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def client(server: Running) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as calling:
        yield calling


def said(content: str = "Hello") -> list[ChatCompletionMessageParam]:
    return [{"role": "user", "content": content}]


async def post(caller: Caller, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
    return await caller.http.post(f"{caller.url}/v1/chat/completions", json=body, headers=headers)


def body_of(content: Any = "Hello", model: str = "box/text", **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}], **fields}


def error_in(reply: httpx.Response) -> dict[str, Any]:
    """Return the error; anything but OpenAI's error object is an error here."""
    body = reply.json()
    assert body.keys() == {"error"}, body
    assert body["error"].keys() == {"message", "type", "param", "code"}, body
    error: dict[str, Any] = body["error"]
    return error


# What the client sees


async def test_an_answer_in_one_piece(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="box/text", messages=said())

    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "0 1 2 3 4 ", "stop")
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", "box/text")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)


async def test_an_answer_is_streamed_token_by_token(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="box/text", messages=said(), stream=True)
    chunks = [chunk async for chunk in stream]

    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "0 ", "1 ", "2 ", "3 ", "4 ", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 6 + ["stop"]
    assert len({chunk.id for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


async def test_usage_comes_last_where_it_is_asked_for(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="box/text", messages=said(), stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 12


async def test_thoughts_are_kept_apart(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="box/think", messages=said())

    message = answer.choices[0].message
    assert (message.content, message.model_dump()["reasoning_content"]) == ("the answer", "let me see")


async def test_a_call_of_a_tool_and_its_result(client: openai.AsyncOpenAI, upstream: FakeUpstream) -> None:
    answer = await client.chat.completions.create(model="box/tool", messages=said(), tools=TOOLS, tool_choice="auto")
    message = answer.choices[0].message
    assert answer.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    json.loads(call.function.arguments)

    result = marked("sunny")
    back: Any = [
        *said(),
        message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": result},
    ]
    await client.chat.completions.create(model="box/text", messages=back)

    sent = (await asked(upstream, result)).body["messages"]
    assert sent[2] == {"role": "tool", "tool_call_id": call.id, "content": result}
    assert sent[1]["tool_calls"][0]["function"]["name"] == call.function.name


async def test_a_picture_goes_to_the_model(client: openai.AsyncOpenAI, upstream: FakeUpstream) -> None:
    text = marked()
    content: Any = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": PICTURE}}]

    answer = await client.chat.completions.create(model="box/echo", messages=[{"role": "user", "content": content}])

    assert answer.choices[0].message.content == text
    assert asked_for(upstream, content)


async def test_a_schema_goes_to_the_model(client: openai.AsyncOpenAI, upstream: FakeUpstream) -> None:
    text = marked()

    await client.chat.completions.create(model="box/text", messages=said(text), response_format=SCHEMA)

    assert (await asked(upstream, text)).body["response_format"] == SCHEMA


async def test_the_models_are_listed(client: openai.AsyncOpenAI) -> None:
    models = [model async for model in client.models.list()]

    assert {"box/text", "script/echo"} <= {model.id for model in models}
    assert (await client.models.retrieve("box/text")).owned_by == "box"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("box/nothing")


async def test_a_prompt_is_completed_as_the_older_api_does(client: openai.AsyncOpenAI) -> None:
    answer = await client.completions.create(model="box/think", prompt="Hello")
    stream = await client.completions.create(
        model="box/text", prompt="Hello", stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]

    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "the answer",
        "stop",
    )
    assert [choice.text for chunk in chunks for choice in chunk.choices] == ["0 ", "1 ", "2 ", "3 ", "4 ", ""]
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("fields", [{"suffix": "x"}, {"echo": True}, {"best_of": 2}, {"logprobs": 1}])
async def test_what_the_older_api_had_besides_is_refused_by_name(caller: Caller, fields: dict[str, Any]) -> None:
    body = {"model": "box/text", "prompt": "Hello", **fields}
    reply = await caller.http.post(f"{caller.url}/v1/completions", json=body)
    assert (reply.status_code, error_in(reply)["param"]) == (400, next(iter(fields)))


async def test_vectors_come_in_the_order_of_the_texts(client: openai.AsyncOpenAI) -> None:
    texts = ["a", "bb"]
    packed = await client.embeddings.create(model="box/text", input=texts)  # it asks for base64 by itself
    numbers = await client.embeddings.create(model="box/text", input=texts, encoding_format="float")
    for made in (packed, numbers):
        assert [(each.index, each.embedding) for each in made.data] == [(0, [1.0, 0.0]), (1, [2.0, 1.0])]
        assert (made.model, made.usage.prompt_tokens) == ("box/text", 7)


async def test_who_makes_no_vectors_says_so(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        await client.embeddings.create(model="script/echo", input="a")
    assert raised.value.param == "model"


async def test_leaving_before_the_vectors_are_there_closes_the_connection(
    client: openai.AsyncOpenAI, upstream: FakeUpstream
) -> None:
    text = marked()
    making = asyncio.create_task(client.embeddings.create(model="box/silent", input=[text]))
    await upstream.until(lambda: any(each.body.get("input") == [text] for each in upstream.requests))
    request = next(each for each in upstream.requests if each.body.get("input") == [text])
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    await closed(upstream, request)


# Errors


async def test_an_unknown_model_is_not_found(client: openai.AsyncOpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as raised:
            await client.chat.completions.create(model="nobody", messages=said(), stream=stream)
        assert raised.value.code == "model_not_found"


@pytest.mark.parametrize(("status", "seen"), [(429, 429), (500, 502), (401, 502), (400, 400)])
async def test_what_the_model_server_refuses_has_its_true_status(
    client: openai.AsyncOpenAI, status: int, seen: int
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        await client.chat.completions.create(model=f"box/status-{status}", messages=said())
    assert raised.value.status_code == seen
    assert raised.value.response.headers["x-should-retry"] == ("false" if status in {400, 401} else "true")


async def test_an_answer_that_breaks_off_is_an_error(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="box/eof-after-3", messages=said(), stream=True)
    got: list[str] = []

    async def read() -> None:
        async for chunk in stream:
            piece = chunk.choices[0].delta.content
            assert piece is not None
            got.append(piece)

    with pytest.raises(openai.APIError) as raised:
        await read()
    assert ("".join(got), raised.value.code) == ("0 1 2 ", "upstream_closed")
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="box/eof-after-3", messages=said())


async def test_a_stopped_answer_ends_with_an_error_and_done(caller: Caller) -> None:
    url = f"{caller.url}/v1/chat/completions"
    async with await Wire.open(url, method="POST", json_body=body_of(model="box/text-r50-n1000", stream=True)) as wire:
        while b'"2 "' not in wire.body:
            await wire.read()
        await caller.stop(wire.headers["headrace-run"])
        frames = (await wire.rest()).split(b"\n\n")

    assert frames[-2:] == [b"data: [DONE]", b""]
    assert json.loads(frames[-3].removeprefix(b"data: "))["error"]["code"] == "stopped"
    assert b'"finish_reason":"' not in wire.body


async def test_one_that_is_stopped_in_one_piece_is_no_answer(caller: Caller, upstream: FakeUpstream) -> None:
    text = marked()
    asking = asyncio.create_task(post(caller, body_of(text, "box/silent-after-2")))
    await asked(upstream, text)
    run = next(run for run in (await caller.get("/runs"))["runs"] if run["status"] in {"streaming", "reading"})

    await caller.stop(run["id"])
    reply = await asking

    assert (reply.status_code, reply.headers["x-should-retry"]) == (499, "false")
    assert error_in(reply)["code"] == "stopped"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"n": 2}, "n"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"api_base": "http://127.0.0.1:1"}, "api_base"),
        ({"fallbacks": [{"model": "x", "api_key": "y"}]}, "fallbacks.0.api_key"),
        ({"stream": "yes"}, "stream"),
    ],
)
async def test_a_field_that_cannot_be_is_named(caller: Caller, fields: dict[str, Any], param: str) -> None:
    reply = await post(caller, body_of(**fields))

    assert reply.status_code == httpx.codes.BAD_REQUEST
    assert (error_in(reply)["param"], error_in(reply)["type"]) == (param, "invalid_request_error")


async def test_a_picture_elsewhere_is_not_fetched_by_anybody(caller: Caller, upstream: FakeUpstream) -> None:
    before = len(upstream.requests)
    for url in (f"{upstream.base_url}/x.png", "file:///etc/passwd"):
        reply = await post(caller, body_of([{"type": "image_url", "image_url": {"url": url}}]))
        assert reply.status_code == httpx.codes.BAD_REQUEST
        assert error_in(reply)["param"] == "messages.0.content.0.image_url.url"
    assert len(upstream.requests) == before


async def test_what_is_no_json_is_refused(caller: Caller) -> None:
    url = f"{caller.url}/v1/chat/completions"
    for content, kind in ((b"{", "application/json"), (b"[]", "application/json"), (b"{}", "text/plain")):
        reply = await caller.http.post(url, content=content, headers={"content-type": kind})
        assert reply.status_code == httpx.codes.BAD_REQUEST
        assert error_in(reply)["type"] == "invalid_request_error"


async def test_an_address_without_anything_says_so_in_their_words(caller: Caller) -> None:
    assert error_in(await caller.root("/v1/fine_tuning/jobs"))["code"] == "not_found"


# Fields that we do not know


async def test_unknown_fields_go_to_a_server_of_the_same_format(caller: Caller, upstream: FakeUpstream) -> None:
    text = marked()
    body = body_of(text, cache_prompt=False, logit_bias={"7": -1.0}, grammar="root ::= 'a'")
    body["messages"][0] |= {"name": "ada"}

    assert (await post(caller, body)).status_code == httpx.codes.OK

    sent = (await asked(upstream, text)).body
    assert (sent["cache_prompt"], sent["logit_bias"], sent["grammar"]) == (False, {"7": -1.0}, "root ::= 'a'")
    assert sent["messages"][0] == {"role": "user", "content": text, "name": "ada"}


@pytest.mark.parametrize(
    "fields", [{"grammar": "x"}, {"logprobs": True}, {"tool_choice": "required"}, {"parallel_tool_calls": False}]
)
async def test_others_refuse_them_by_name(caller: Caller, fields: dict[str, Any]) -> None:
    reply = await post(caller, body_of(model="script/echo", **fields))

    assert reply.status_code == httpx.codes.BAD_REQUEST
    assert error_in(reply)["param"] == next(iter(fields))


async def test_values_that_ask_for_nothing_are_no_reason_to_refuse(caller: Caller) -> None:
    fields = {"logprobs": False, "parallel_tool_calls": True, "user": "ada", "metadata": {"a": "b"}, "n": 1}

    assert (await post(caller, body_of(model="script/echo", **fields, stop=None))).status_code == httpx.codes.OK


# Chats


async def test_an_exchange_is_kept_in_the_chat_that_is_named(caller: Caller, upstream: FakeUpstream) -> None:
    chat, text = await caller.chat(), marked()
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]

    reply = await post(caller, {"model": "box/echo", "messages": messages}, {"Headrace-Chat": str(chat)})

    assert reply.json()["choices"][0]["message"]["content"] == text
    assert (await asked(upstream, text)).body["messages"] == messages
    kept = (await caller.get(f"/chats/{chat}"))["messages"]
    assert [(each["role"], text_in(each)) for each in kept] == [("user", text), ("assistant", text)]


async def test_a_chat_that_is_not_there_is_not_found(caller: Caller) -> None:
    assert (await post(caller, body_of(), {"Headrace-Chat": "999999"})).status_code == httpx.codes.NOT_FOUND
    assert (await post(caller, body_of(), {"Headrace-Chat": "x"})).status_code == httpx.codes.BAD_REQUEST


async def test_without_one_nothing_is_kept_but_the_run(caller: Caller) -> None:
    before = await caller.get("/chats")

    reply = await post(caller, body_of())

    assert (await caller.get(f"/runs/{reply.headers['headrace-run']}"))["chat_id"] is None
    assert await caller.get("/chats") == before


# The same run elsewhere


async def test_a_run_can_be_followed_in_their_words(caller: Caller) -> None:
    url = f"{caller.url}/v1/chat/completions"
    fields = {"stream": True, "stream_options": {"include_usage": True}}
    async with await Wire.open(url, method="POST", json_body=body_of(model="box/tool", **fields)) as wire:
        said_here = await wire.rest()
    run_id = wire.headers["headrace-run"]

    assert await caller.body(run_id, "?format=openai_chat") == said_here.replace(b'"auto"', b'"box/tool"')
    lines = [json.loads(line) for line in (await caller.body(run_id, "?format=ollama")).splitlines()]
    assert lines[0]["message"]["tool_calls"][0]["function"]["name"] == "weather"
    assert lines[-1]["done_reason"] == "stop"
    assert b'"finish_reason":"tool_calls"' in await caller.body(run_id, "?format=openai_chat&after=1")


# Leaving


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["box/silent-after-2", "box/silent", "box/no-headers"])
async def test_leaving_stops_the_run(
    client: openai.AsyncOpenAI, upstream: FakeUpstream, model: str, *, stream: bool
) -> None:
    await check_leaving(upstream, lambda text: _all_of(client, model, text, stream=stream))


async def _all_of(client: openai.AsyncOpenAI, model: str, text: str, *, stream: bool) -> None:
    if not stream:
        await client.chat.completions.create(model=model, messages=said(text))
        return
    async for _ in await client.chat.completions.create(model=model, messages=said(text), stream=True):
        pass


@pytest.mark.usefixtures("pings")
async def test_minutes_of_silence_do_not_choke_the_client(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with (
        serving(tmp_path, config(box=upstream.base_url)) as url,
        openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as calling,
    ):
        stream = await calling.chat.completions.create(model="box/text-r3-n4", messages=said(), stream=True)
        got = [chunk.choices[0].delta.content async for chunk in stream]
    assert got == ["", "0 ", "1 ", "2 ", "3 ", None]


@pytest.mark.usefixtures("pings")
async def test_the_keepalive_is_a_comment_alone(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with serving(tmp_path, config(box=upstream.base_url)) as url:
        body = body_of(model="box/text-r3-n3", stream=True)
        async with await Wire.open(f"{url}/v1/chat/completions", method="POST", json_body=body) as wire:
            data = await wire.rest()
    lines = data.split(b"\n")
    assert b": ping" in lines
    assert {line[:6] for line in lines} == {b"data: ", b": ping", b""}
    assert b"\n\n\n" not in data
