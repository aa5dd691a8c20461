"""A server where there is nothing but what comes with it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from system.calls import Caller, text_in
from system.running import Running, command, environment

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.engine]

TINY = "builtin/headrace-tiny"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def bare(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("bare")
    async with Running(folder, "", env={"HEADRACE_MODELS_DEMONSTRATION": "true"}) as server:
        yield server


async def answer(caller: Caller, text: str) -> dict[str, object]:
    turn = await caller.answered(await caller.chat(), text, parameters={"temperature": 0.0})
    return await caller.message(turn.answer)


async def test_without_any_provider_a_story_is_told(bare: Running) -> None:
    async with Caller(bare.url) as caller:
        told = await answer(caller, "Tell me a short story")
    assert (told["status"], told["model"], told["finish_reason"]) == ("complete", TINY, "stop")
    assert len(text_in(told).split()) >= 120


async def test_a_name_that_was_told_is_used_in_the_next_answer(bare: Running) -> None:
    async with Caller(bare.url) as caller:
        chat = await caller.chat()
        await caller.answered(chat, "My name is Ravi.", parameters={"temperature": 0.0})
        turn = await caller.answered(chat, "What is my name?", parameters={"temperature": 0.0})
        assert text_in(await caller.message(turn.answer)) == "Your name is Ravi."


async def test_it_is_shown_as_a_demonstration(bare: Running) -> None:
    async with Caller(bare.url) as caller:
        (model,) = (await caller.get("/models"))["models"]
        (provider,) = (await caller.get("/providers"))["providers"]
    assert (model["id"], model["demonstration"], provider["found_by"]) == (TINY, True, "package")

    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command("models"), env=environment(HEADRACE_URL=bare.url), stdout=pipe, stderr=pipe
    )
    out, _ = await process.communicate()
    assert out.decode().splitlines()[1].split() == [
        "builtin", "up", "embedded", "package", TINY, "1024", "demonstration"
    ]  # fmt: skip


async def test_an_answer_in_json_ends_where_a_schema_says(bare: Running) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    async with Caller(bare.url) as caller:
        turn = await caller.answered(
            await caller.chat(),
            "Answer in JSON with the key name. My name is Ravi.",
            parameters={"temperature": 0.0, "max_tokens": 200, "response_format": form},
        )
        told = await caller.message(turn.answer)
    assert told["finish_reason"] == "stop"
    assert json.loads(text_in(told)).keys() == {"name"}


async def test_another_model_is_chosen_before_it_and_it_answers_to_its_name(tmp_path: Path) -> None:
    async with FakeUpstream() as upstream:
        settings = f'[providers.box]\nkind = "openai"\nbase_url = "{upstream.base_url}"\n'
        env = {"HEADRACE_MODELS_DEMONSTRATION": "true"}
        async with Running(tmp_path, settings, env=env) as server, Caller(server.url) as caller:
            turn = await caller.answered(await caller.chat(), "Hello", model="auto")
            assert (await caller.message(turn.answer))["model"].startswith("box/")
            turn = await caller.answered(await caller.chat(), "Hola", model="headrace-tiny")
            assert (await caller.message(turn.answer))["model"] == TINY
