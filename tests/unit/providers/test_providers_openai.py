"""Answers of OpenAI-compatible servers."""

import asyncio
from typing import Any

import pytest

from fakes.models import Answer, ask
from fakes.raw import Peer, RawServer
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

TOKENS: list[Event] = [Text(f"{number} ") for number in range(5)]
USAGE = Usage(input_tokens=7, output_tokens=5)


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
    making.cancel()
    await asyncio.wait([making])
    assert making.cancelled()
    await upstream.closed(model)


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
