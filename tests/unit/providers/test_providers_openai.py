import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.models import Answer, ask
from fakes.raw import Peer, RawServer, reply_once
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError, SettingsError
from headrace.core.events import (
    Event,
    ModelLoading,
    ModelReady,
    PromptProgress,
    Reasoning,
    Text,
    ToolCall,
    Usage,
)
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Model

TOKENS: list[Event] = [Text(f"{number} ") for number in range(5)]
USAGE = Usage(input_tokens=7, output_tokens=5)


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def provider(upstream: FakeUpstream) -> AsyncIterator[OpenAI]:
    provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
    yield provider
    await provider.close()


async def failed(provider: OpenAI, model: str) -> tuple[ProviderError, Answer]:
    answer = Answer()
    with pytest.raises(ProviderError) as caught:
        await answer.of(provider, ask(model))
    return caught.value, answer


# answers


async def test_an_answer_is_emitted_as_it_was_sent(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("text")) == "stop"
    assert answer.events == [*TOKENS, USAGE]


async def test_what_comes_in_one_read_is_emitted_in_one_call() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await peer.send(
            b'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"choices":[{"delta":{"content":"b"}}]}\n\n'
            b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
        )

    async with RawServer(serve) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        answer = Answer()
        assert await answer.of(provider, ask("any")) == "stop"
        await provider.close()
    assert answer.calls == [[Text("a"), Text("b")]]


async def test_the_request_is_that_of_the_chat_api(provider: OpenAI, upstream: FakeUpstream) -> None:
    await Answer().of(provider, ask("text", "Hello", temperature=0.5))
    request = upstream.of("text")[0]
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.body == {
        "model": "text",
        "messages": [{"role": "user", "content": "Hello"}],
        "temperature": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


async def test_the_key_and_the_headers_of_the_settings_are_sent() -> None:
    async with FakeUpstream(key="sk-1") as upstream:
        settings = OpenAISettings(base_url=upstream.base_url + "/", api_key="sk-1", headers={"X-Title": "Headrace"})
        provider = OpenAI("box", settings)
        assert [model.name for model in await provider.models()] == ["text"]
        assert await Answer().of(provider, ask("text")) == "stop"
        await provider.close()
        assert all(request.headers["x-title"] == "Headrace" for request in upstream.requests)


async def test_every_byte_by_itself_gives_the_same_answer(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("slow-byte")) == "stop"
    assert answer.text == "0 é\u20281 é\u20282 é\u2028"


async def test_cuts_within_characters_do_no_harm(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("utf8-cut")) == "stop"
    assert answer.text == "Zürich 🚆 日本\u2028語"


async def test_crlf_line_ends_and_comments_do_no_harm(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("crlf")) == "stop"
    assert answer.text == "one two"


async def test_a_whole_reply_in_place_of_a_stream_is_an_answer(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("json")) == "stop"
    assert answer.events == [Reasoning("hm"), Text("a whole reply"), USAGE]


async def test_thoughts_are_told_from_text(provider: OpenAI) -> None:
    answer = Answer()
    await answer.of(provider, ask("think"))
    assert "".join(event.delta for event in answer.events if isinstance(event, Reasoning)) == "let me see"
    assert answer.text == "the answer"


async def test_tool_calls_come_whole(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("tool")) == "tool_calls"
    assert answer.events[0] == ToolCall("call_1", "weather", '{"city": "Bern"}')


async def test_a_reason_without_done_is_an_end(provider: OpenAI) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("no-done")) == "length"
    assert answer.events == TOKENS


async def test_a_server_that_keeps_the_body_open_after_done_holds_nothing_up(
    provider: OpenAI, upstream: FakeUpstream
) -> None:
    answer = Answer()
    async with asyncio.timeout(1):
        assert await answer.of(provider, ask("lingering")) == "stop"
    assert answer.events == TOKENS
    await upstream.closed("lingering")


async def test_a_server_that_refuses_stream_options_is_asked_without(provider: OpenAI, upstream: FakeUpstream) -> None:
    for _ in range(2):
        answer = Answer()
        assert await answer.of(provider, ask("no-options")) == "stop"
        assert answer.events == [*TOKENS, USAGE]
    # and is not asked in vain again
    assert ["stream_options" in request.body for request in upstream.of("no-options")] == [True, False, False]


async def test_a_connection_serves_one_answer_after_the_other(provider: OpenAI, upstream: FakeUpstream) -> None:
    for _ in range(3):
        await Answer().of(provider, ask("text"))
    assert upstream.connections == 1


async def test_three_hundred_answers_are_made_at_once(provider: OpenAI, upstream: FakeUpstream) -> None:
    answers = [Answer() for _ in range(300)]
    reasons = await asyncio.gather(*(answer.of(provider, ask("text-r100-n20")) for answer in answers))
    assert set(reasons) == {"stop"}
    assert {answer.text for answer in answers} == {"".join(f"{number} " for number in range(20))}
    assert upstream.connections == 300


# loading


async def test_a_model_that_is_being_loaded_is_waited_for(provider: OpenAI, upstream: FakeUpstream) -> None:
    answer = Answer()
    assert await answer.of(provider, ask("loading-2")) == "stop"
    assert answer.events == [ModelLoading("loading-2"), ModelReady("loading-2"), *TOKENS, USAGE]
    assert len(upstream.of("loading-2")) == 3


async def test_waiting_for_a_model_can_be_cancelled(provider: OpenAI, upstream: FakeUpstream) -> None:
    answer = Answer()
    waiting = asyncio.create_task(answer.of(provider, ask("loading-1000")))
    await upstream.connected("loading-1000", 2)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (waiting.cancelled(), answer.events) == (True, [ModelLoading("loading-1000")])


# stopping


@pytest.mark.parametrize("model", ["no-headers", "silent", "silent-after-3", "text-r20-n1000"])
async def test_a_cancelled_answer_closes_its_connection_at_once(
    provider: OpenAI, upstream: FakeUpstream, model: str
) -> None:
    answer = Answer()
    making = asyncio.create_task(answer.of(provider, ask(model)))
    await upstream.connected(model)
    if model[-1].isdigit():
        await answer.spoke.wait()
    before = asyncio.get_running_loop().time()
    making.cancel()
    await asyncio.wait([making])
    assert making.cancelled()
    assert await upstream.closed(model) - before < 0.1


# failures


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("status-400", "upstream_error", "Unknown parameter"),
        ("status-401", "bad_key", "api_key"),
        ("status-404", "unknown_model", "no such model"),
        ("status-429", "overloaded", "7 s"),
        ("status-500", "upstream_error", "The server had an error"),
        ("status-503", "overloaded", "7 s"),
        ("no-such-model", "unknown_model", "no such model"),
        ("json-error", "upstream_error", "Provider returned error"),
        ("not-http", "upstream_garbled", "base_url"),
        ("gzip", "upstream_garbled", "gzip"),
        ("redirect", "upstream_error", "base_url"),
    ],
)
async def test_a_refusal_has_its_code_and_the_remedy(provider: OpenAI, model: str, code: str, words: str) -> None:
    error, answer = await failed(provider, model)
    assert (error.code, answer.events) == (code, [])
    assert words in error.message


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("reset-after-3", "upstream_closed", "broke the connection"),
        ("short-after-3", "upstream_closed", "closed the connection"),
        ("eof-after-3", "upstream_closed", "before the answer was complete"),
        ("error-frame-after-3", "upstream_error", "CUDA error: out of memory"),
        ("garbage-after-3", "upstream_garbled", "502 Bad Gateway"),
    ],
)
async def test_a_failure_in_mid_answer_comes_after_what_was_said(
    provider: OpenAI, model: str, code: str, words: str
) -> None:
    error, answer = await failed(provider, model)
    assert (error.code, answer.events) == (code, TOKENS[:3])
    assert words in error.message


@pytest.mark.parametrize("model", ["reset-after-0", "short-after-0", "eof-after-0", "error-frame-after-0"])
async def test_an_answer_without_a_word_fails_too(provider: OpenAI, model: str) -> None:
    error, answer = await failed(provider, model)
    assert (error.code in {"upstream_closed", "upstream_error"}, answer.events) == (True, [])


async def test_a_server_that_is_not_there_is_refused_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        provider = OpenAI("box", OpenAISettings(base_url=f"http://127.0.0.1:{port}/v1"))
        error, _ = await failed(provider, "text")
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        await provider.close()
    assert (error.code, caught.value.code) == ("upstream_refused", "upstream_refused")
    assert f"127.0.0.1:{port}" in error.message


async def test_a_web_page_is_no_answer() -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"
    async with RawServer(reply_once(page)) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        error, _ = await failed(provider, "text")
        await provider.close()
    assert (error.code, "/v1" in error.message) == ("upstream_garbled", True)


async def test_an_error_whose_body_breaks_off_is_told_by_its_status() -> None:
    async with RawServer(reply_once(b"HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{")) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        error, _ = await failed(provider, "text")
        await provider.close()
    assert error.code == "bad_key"


async def test_a_break_after_the_reason_is_an_end() -> None:
    body = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
    async with RawServer(reply_once(head + body)) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        answer = Answer()
        assert await answer.of(provider, ask("any")) == "stop"
        await provider.close()
    assert answer.text == "a"


async def test_what_was_held_back_in_doubt_is_emitted_when_the_connection_breaks() -> None:
    body = b'data: {"choices":[{"delta":{"content":"<th"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
    async with RawServer(reply_once(head + body)) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        _, answer = await failed(provider, "any")
        await provider.close()
    assert answer.text == "<th"


# models


@pytest.mark.parametrize(
    ("owned_by", "context_length", "can_continue"),
    [("fake", None, False), ("llamacpp", 4096, True), ("vllm", 8192, True)],
)
async def test_the_server_lists_its_models(owned_by: str, context_length: int | None, can_continue: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with FakeUpstream(owned_by=owned_by, models=("a", "b")) as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        models = await provider.models()
        await provider.close()
    assert models == [Model(name=name, context_length=context_length, can_continue=can_continue) for name in "ab"]


async def listed(body: bytes, **settings: Any) -> list[Model]:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with RawServer(reply_once(head + body)) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url, **settings))
        try:
            return await provider.models()
        finally:
            await provider.close()


@pytest.mark.parametrize(
    "body",
    [
        b'[{"id": "a", "context_length": 4096}]',
        b'{"data": [{"id": "a", "context_length": 4096, "owned_by": null, "more": {}}]}',
        b'{"data": [{"id": "a", "max_context_length": 4096, "meta": "odd"}]}',
        b'{"data": [{"id": "a", "meta": {"n_ctx_train": 4096}}]}',
    ],
)
async def test_lists_of_other_shapes_are_read(body: bytes) -> None:
    assert await listed(body) == [Model(name="a", context_length=4096)]


@pytest.mark.parametrize("body", [b"<html>", b'{"data": 1}', b'{"data": [{"name": "a"}]}', b'"a"'])
async def test_what_is_no_list_is_garbled_with_the_remedy(body: bytes) -> None:
    with pytest.raises(ProviderError, match="usually ends in /v1") as caught:
        await listed(body)
    assert caught.value.code == "upstream_garbled"


async def test_the_models_of_the_settings_need_no_list() -> None:
    async with FakeUpstream(no_models=True) as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url, models=("a", "b")))
        assert await provider.models() == [Model(name="a"), Model(name="b")]
        await provider.close()


async def test_the_models_of_the_settings_are_all_that_is_shown_of_a_list() -> None:
    body = b'{"data": [{"id": "a", "context_length": 4096}, {"id": "c"}]}'
    assert await listed(body, models=("a", "b")) == [Model(name="a", context_length=4096), Model(name="b")]


async def test_without_a_list_the_error_says_so() -> None:
    async with FakeUpstream(no_models=True) as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        with pytest.raises(ProviderError):
            await provider.models()
        await provider.close()


async def test_a_server_that_is_loading_says_so() -> None:
    loading = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    head = b"HTTP/1.1 503 Unavailable\r\nContent-Length: %d\r\n\r\n" % len(loading)
    async with RawServer(reply_once(head + loading)) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url, models=("a",)))
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        await provider.close()
    assert caught.value.details["loading"] is True


async def test_a_server_that_does_not_answer_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    monkeypatch.setattr("headrace.providers.openai._MODELS_TIMEOUT_S", 0.02)
    async with RawServer(serve) as server:
        provider = OpenAI("box", OpenAISettings(base_url=server.url))
        with pytest.raises(ProviderError, match="did not answer") as caught:
            await provider.models()
        await server.until(lambda: server.left == 1)
        await provider.close()
    assert caught.value.code == "upstream_silent"


# continuing


@pytest.mark.parametrize(
    ("owned_by", "continues", "extra"),
    [
        ("llamacpp", "auto", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("llamacpp", "prefill", {"chat_template_kwargs": {"enable_thinking": False}}),
        ("vllm", "auto", {"add_generation_prompt": False, "continue_final_message": True}),
        ("fake", "vllm", {"add_generation_prompt": False, "continue_final_message": True}),
        ("fake", "prefill", {}),
    ],
)
async def test_an_answer_is_continued_as_the_server_can(owned_by: str, continues: Any, extra: dict[str, Any]) -> None:
    async with FakeUpstream(owned_by=owned_by) as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url, continues=continues))
        models = await provider.models()
        await Answer().of(provider, ask("text", after="Once"))
        await provider.close()
        body = upstream.of("text")[0].body
    assert models[0].can_continue
    assert body["messages"][-1] == {"role": "assistant", "content": "Once"}
    keys = ("chat_template_kwargs", "add_generation_prompt", "continue_final_message")
    assert {key: body[key] for key in keys if key in body} == extra


async def test_what_the_server_is_is_asked_for_when_it_is_not_known_yet() -> None:
    async with FakeUpstream(owned_by="vllm") as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        await Answer().of(provider, ask("text", after="Once"))
        await provider.close()
        assert [request.path for request in upstream.requests] == ["/v1/models", "/v1/chat/completions"]


@pytest.mark.parametrize(("owned_by", "continues"), [("fake", "auto"), ("llamacpp", "none")])
async def test_a_server_that_cannot_continue_is_not_asked_to(owned_by: str, continues: Any) -> None:
    async with FakeUpstream(owned_by=owned_by) as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url, continues=continues))
        assert not (await provider.models())[0].can_continue
        with pytest.raises(ProviderError, match="Regenerate"):
            await Answer().of(provider, ask("text", after="Once"))
        await provider.close()
        assert not upstream.of("text")


async def test_a_tag_within_a_continued_answer_is_text() -> None:
    async with FakeUpstream(owned_by="llamacpp") as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        answer = Answer()
        await answer.of(provider, ask("think", after="The tag "))
        await provider.close()
    assert answer.text.startswith("<think>let me see")


async def test_llama_cpp_tells_how_far_it_has_read() -> None:
    async with FakeUpstream(owned_by="llamacpp") as upstream:
        provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
        await provider.models()
        answer = Answer()
        await answer.of(provider, ask("progress"))
        await provider.close()
    assert answer.events[:3] == [PromptProgress(read, 1024, 256) for read in (0, 512, 1024)]
    usage = answer.events[-1]
    assert isinstance(usage, Usage)
    assert usage.timings is not None
    assert (usage.cached_tokens, usage.timings.tokens_per_second) == (256, 100.0)


async def test_other_servers_are_not_asked_for_it(provider: OpenAI, upstream: FakeUpstream) -> None:
    await provider.models()
    await Answer().of(provider, ask("progress"))
    assert "return_progress" not in upstream.of("progress")[0].body


# settings


def test_settings_that_cannot_be_sent_are_refused_at_once() -> None:
    with pytest.raises(SettingsError, match="Not a URL"):
        OpenAI("box", OpenAISettings(base_url="127.0.0.1:8080"))
    with pytest.raises(SettingsError, match="Authorization"):
        OpenAI("box", OpenAISettings(base_url="http://box/v1", api_key="sk-1\n"))


def test_settings_do_not_show_keys() -> None:
    settings = OpenAISettings(base_url="http://box/v1", api_key="sk-1", headers={"X-Key": "sk-2"})
    assert "sk-" not in repr(settings)
