"""What every model server on HTTP does wrong, and what is said of it, whichever API it speaks."""

import socket
from collections.abc import AsyncIterator, Callable

import pytest

from fakes.models import failed
from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError
from headrace.core.events import Event, Text
from headrace.providers.ollama import Ollama, OllamaSettings
from headrace.providers.openai import OpenAI, OpenAISettings

Served = OpenAI | Ollama

TOKENS: list[Event] = [Text(f"{number} ") for number in range(5)]

KINDS: dict[str, tuple[type[FakeUpstream | FakeOllama], str, Callable[[str], Served]]] = {
    "openai": (FakeUpstream, "/v1", lambda url: OpenAI("box", OpenAISettings(base_url=url))),
    "ollama": (FakeOllama, "", lambda url: Ollama("box", OllamaSettings(base_url=url))),
}
"""The server, the path of its `base_url`, and what asks it."""


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def provider(kind: str) -> AsyncIterator[Served]:
    fake, _, made = KINDS[kind]
    async with fake() as server:
        provider = made(server.base_url)
        yield provider
        await provider.close()


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("status-400", "upstream_error", "Unknown parameter"),
        ("status-401", "bad_key", "api_key"),
        ("status-429", "overloaded", "7 s"),
        ("status-500", "upstream_error", "The server had an error"),
        ("status-503", "overloaded", "7 s"),
        ("json-error", "upstream_error", "Provider returned error"),
        ("not-http", "upstream_garbled", "base_url"),
        ("gzip", "upstream_garbled", "gzip"),
        ("redirect", "upstream_error", "base_url"),
    ],
)
async def test_a_refusal_has_its_code_and_the_remedy(provider: Served, model: str, code: str, words: str) -> None:
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
    provider: Served, model: str, code: str, words: str
) -> None:
    error, answer = await failed(provider, model)
    assert (error.code, answer.events) == (code, TOKENS[:3])
    assert words in error.message


@pytest.mark.parametrize("model", ["reset-after-0", "short-after-0", "eof-after-0", "error-frame-after-0"])
async def test_an_answer_without_a_word_fails_too(provider: Served, model: str) -> None:
    error, answer = await failed(provider, model)
    assert (error.code in {"upstream_closed", "upstream_error"}, answer.events) == (True, [])


async def test_a_server_that_is_not_there_is_refused_with_its_address(kind: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        _, path, made = KINDS[kind]
        provider = made(f"http://127.0.0.1:{port}{path}")
        error, answer = await failed(provider, "text")
        with pytest.raises(ProviderError) as caught:
            await provider.models()
        await provider.close()
    assert (error.code, caught.value.code, answer.events) == ("upstream_refused", "upstream_refused", [])
    assert f"127.0.0.1:{port}" in error.message
