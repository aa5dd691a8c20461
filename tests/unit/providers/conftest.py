import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.providers.openai import OpenAI, OpenAISettings


@pytest.hookimpl
def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def ollama() -> AsyncIterator[FakeOllama]:
    async with FakeOllama() as ollama:
        yield ollama


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def provider(upstream: FakeUpstream) -> AsyncIterator[OpenAI]:
    provider = OpenAI("box", OpenAISettings(base_url=upstream.base_url))
    yield provider
    await provider.close()
