"""What every provider promises (`providers.port.Provider`): one suite over all kinds."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from fakes.models import Answer, ask
from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.core.errors import ProviderError
from headrace.core.events import (
    FinishReason,
    ModelLoading,
    ModelReady,
    PromptProgress,
    Text,
    Usage,
    type_of,
)
from headrace.providers.builtin import model_file
from headrace.providers.embedded import Embedded, EmbeddedSettings
from headrace.providers.ollama import Ollama, OllamaSettings
from headrace.providers.openai import OpenAI, OpenAISettings
from headrace.providers.port import Provider
from headrace.providers.registry import KINDS
from headrace.providers.scripted import Scripted, ScriptedSettings


@dataclass
class Case:
    """A provider, and the names of models that behave as a test needs them."""

    provider: Provider
    quick: str
    """Answers at once, and not in one piece."""
    slow: str
    """Answers for seconds, or is silent after it began."""
    unknown: str = "no-such-model"


@asynccontextmanager
async def scripted() -> AsyncIterator[Case]:
    yield Case(Scripted("box", ScriptedSettings(rate=2000)), "demo", "tokens-r20-n1000")


@asynccontextmanager
async def openai() -> AsyncIterator[Case]:
    async with FakeUpstream(owned_by="llamacpp", models=("text-r500-n10",)) as upstream:
        yield Case(OpenAI("box", OpenAISettings(base_url=upstream.base_url)), "text-r500-n10", "silent-after-2")


@asynccontextmanager
async def ollama() -> AsyncIterator[Case]:
    quick = "text-r500-n10:latest"
    async with FakeOllama(models=("text-r500-n10",)) as server:
        yield Case(Ollama("box", OllamaSettings(base_url=server.base_url)), quick, "silent-after-2")


@asynccontextmanager
async def embedded() -> AsyncIterator[Case]:
    yield Case(Embedded("box", EmbeddedSettings(path=model_file(), threads=1)), "headrace-tiny", "headrace-tiny")


@pytest.fixture(params=[scripted, openai, ollama, pytest.param(embedded, marks=pytest.mark.engine)])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    make: Callable[[], AbstractAsyncContextManager[Case]] = request.param
    async with make() as case:
        yield case
        await case.provider.close()


async def test_its_name_and_kind_are_those_of_the_settings(case: Case) -> None:
    assert case.provider.name == "box"
    assert KINDS[case.provider.kind].make is type(case.provider)
    assert case.provider.slots is None or case.provider.slots > 0


async def test_it_lists_the_models_that_it_has(case: Case) -> None:
    models = await case.provider.models()
    assert case.quick in [model.name for model in models]
    assert all(model.can_continue for model in models)


async def test_an_answer_is_emitted_in_pieces_and_ends_with_a_reason(case: Case) -> None:
    answer = Answer()
    reason = await answer.of(case.provider, ask(case.quick, max_tokens=20))
    assert reason in {"stop", "length"}
    assert len([event for event in answer.events if isinstance(event, Text)]) >= 10
    assert all(call for call in answer.calls)


async def test_only_events_of_an_answer_are_emitted(case: Case) -> None:
    answer = Answer()
    await answer.of(case.provider, ask(case.quick, max_tokens=20))
    kinds = (Text, Usage, PromptProgress, ModelLoading, ModelReady)
    assert {type_of(event) for event in answer.events if not isinstance(event, kinds)} == set()


async def test_answers_made_at_once_do_not_mix(case: Case) -> None:
    answers = [Answer() for _ in range(8)]
    request = ask(case.quick, max_tokens=20, temperature=0)
    await asyncio.gather(*(answer.of(case.provider, request) for answer in answers))
    assert len({answer.text for answer in answers}) == 1


async def test_an_unknown_model_is_named_as_such(case: Case) -> None:
    with pytest.raises(ProviderError) as caught:
        await case.provider.generate(ask(case.unknown), lambda _events: None)
    assert caught.value.code == "unknown_model"


async def begun(case: Case) -> tuple[asyncio.Task[FinishReason], Answer]:
    """Return an answer that is being made, with its first text here."""
    answer = Answer()
    making = asyncio.create_task(answer.of(case.provider, ask(case.slow, max_tokens=500)))
    await answer.spoke.wait()
    return making, answer


async def test_nothing_is_emitted_after_a_cancelled_answer(case: Case) -> None:
    making, answer = await begun(case)
    making.cancel()
    async with asyncio.timeout(1):
        await asyncio.wait([making])
    assert making.cancelled()
    count = len(answer.calls)
    await Answer().of(case.provider, ask(case.quick, max_tokens=20))
    assert len(answer.calls) == count


async def test_closing_it_cuts_the_answers_in_the_making(case: Case) -> None:
    making, _ = await begun(case)
    await case.provider.close()
    with pytest.raises(ProviderError) as caught:
        await making
    assert caught.value.code in {"upstream_closed", "engine_died"}


async def test_closing_it_twice_is_harmless(case: Case) -> None:
    await case.provider.close()
    await case.provider.close()
