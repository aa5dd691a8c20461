"""What an OpenAI-compatible server alone does wrong, and what is said of it."""

import pytest

from fakes.models import Answer, ask, failed
from fakes.raw import RawServer, reply_once
from headrace.providers.openai import OpenAI, OpenAISettings


@pytest.mark.parametrize("model", ["status-404", "no-such-model"])
async def test_a_model_that_it_does_not_have_is_told(provider: OpenAI, model: str) -> None:
    error, answer = await failed(provider, model)
    assert (error.code, answer.events) == ("unknown_model", [])
    assert "no such model" in error.message


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
