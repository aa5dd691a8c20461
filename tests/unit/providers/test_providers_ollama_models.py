"""The list of an Ollama's models: what is told of each, what the settings leave of it, and what comes without one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.ollama import FakeOllama
from fakes.raw import Peer, RawServer
from headrace.core.errors import ProviderError
from headrace.providers.ollama import Ollama, OllamaSettings
from headrace.providers.port import Model


@pytest.fixture
async def provider(ollama: FakeOllama) -> AsyncIterator[Ollama]:
    provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
    yield provider
    await provider.close()


async def test_the_server_lists_its_models_with_what_they_can_read(provider: Ollama) -> None:
    assert await provider.models() == [Model(name="text:latest", context_length=131_072, can_continue=True)]


async def test_a_model_is_asked_for_once_and_again_when_it_changes(ollama: FakeOllama, provider: Ollama) -> None:
    ollama.models = ("a", "b")
    for _ in range(3):
        assert len(await provider.models()) == 2
    assert len(ollama.asked("/api/show")) == 2
    ollama.models = ("b", "c")
    await provider.models()
    assert [request.model for request in ollama.asked("/api/show")][2:] == ["c:latest"]


async def test_models_that_cannot_chat_are_not_listed() -> None:
    shows = {"embed": {"capabilities": ["embedding"], "model_info": {}}}
    async with FakeOllama(models=("embed", "text"), shows=shows) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        assert [model.name for model in await provider.models()] == ["text:latest"]
        await provider.close()


@pytest.mark.parametrize("how", ["silent", "missing"])
async def test_models_are_listed_also_when_nothing_more_is_told_of_them(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.providers.ollama._SHOWS_S", 0.05)
    kept: dict[str, Any] = {how: ("/api/show",)}
    async with FakeOllama(models=("a", "b"), **kept) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        models = [Model(name=f"{name}:latest", can_continue=True) for name in "ab"]
        async with asyncio.timeout(2):
            assert await provider.models() == models
        await provider.close()


async def test_the_models_of_the_settings_need_no_list() -> None:
    async with FakeOllama(missing=("/api/tags",)) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url, models=("a", "b")))
        assert await provider.models() == [Model(name=name, can_continue=True) for name in "ab"]
        await provider.close()


async def test_the_models_of_the_settings_are_all_that_is_shown_of_a_list() -> None:
    async with FakeOllama(models=("a", "c")) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url, models=("a", "b")))
        assert await provider.models() == [
            Model(name="a", context_length=131_072, can_continue=True),
            Model(name="b", can_continue=True),
        ]
        await provider.close()
        assert [request.model for request in ollama.asked("/api/show")] == ["a:latest"]


@pytest.mark.parametrize(("status", "code"), [(404, "unknown_model"), (200, "upstream_garbled")])
async def test_without_a_list_the_error_says_so(status: int, code: str) -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 %d X\r\nContent-Length: 6\r\n\r\n<html>" % status)

    async with RawServer(serve) as server:
        provider = Ollama("box", OllamaSettings(base_url=server.url.removesuffix("/v1")))
        with pytest.raises(ProviderError, match="base_url") as caught:
            await provider.models()
        await provider.close()
    assert caught.value.code == code


async def test_a_server_that_does_not_answer_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.providers.ollama._TAGS_TIMEOUT_S", 0.02)
    async with FakeOllama(silent=("/api/tags",)) as ollama:
        provider = Ollama("box", OllamaSettings(base_url=ollama.base_url))
        with pytest.raises(ProviderError, match="did not list") as caught:
            await provider.models()
        await ollama.until(lambda: ollama.open_connections == 0)
        await provider.close()
    assert caught.value.code == "upstream_silent"
