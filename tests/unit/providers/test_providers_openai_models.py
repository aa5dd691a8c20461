"""The models that an OpenAI-compatible server lists."""

from typing import Any

import pytest

from fakes.raw import Peer, RawServer, reply_once
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Model


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
