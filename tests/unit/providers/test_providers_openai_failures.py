"""What an OpenAI-compatible server does wrong, and what is said of it."""

import socket

import pytest

from fakes.models import Answer, ask
from fakes.raw import RawServer, reply_once
from headrace.core.errors import ProviderError
from headrace.core.events import (
    Event,
    Text,
)
from headrace.providers.openai import OpenAI, OpenAISettings

TOKENS: list[Event] = [Text(f"{number} ") for number in range(5)]


async def failed(provider: OpenAI, model: str) -> tuple[ProviderError, Answer]:
    answer = Answer()
    with pytest.raises(ProviderError) as caught:
        await answer.of(provider, ask(model))
    return caught.value, answer


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
