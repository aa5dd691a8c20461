"""An Ollama behind the server: what its own API tells comes through to the reader and into the message."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from fakes.ollama import FakeOllama
from system.calls import Caller, asked, closed, marked, text_in
from system.leaving import CLOSED_S, TRIES
from system.running import Running, settings_file
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKENS = "0 1 2 3 4 "


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ollama() -> AsyncIterator[FakeOllama]:
    """A model server; its models are named in `fakes.ollama_models`."""
    async with FakeOllama() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def caller(tmp_path_factory: pytest.TempPathFactory, ollama: FakeOllama) -> AsyncIterator[Caller]:
    """A client of a server with that model server as its only provider."""
    settings = settings_file({"providers.box": {"kind": "ollama", "base_url": ollama.base_url}})
    async with Running(tmp_path_factory.mktemp("ollama"), settings) as server, Caller(server.url) as calling:
        yield calling


def parts(message: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [part for part in message["parts"] if part["type"] == kind]


@pytest.mark.parametrize(
    ("model", "text", "reason"),
    [
        ("no-newline", TOKENS, "length"),
        ("no-reason", TOKENS, "stop"),
        ("lingering", TOKENS, "stop"),
        ("json", "a whole reply", "stop"),
        ("slow-byte", "".join(f"{number} é\u2028" for number in range(3)), "stop"),
        ("utf8-cut", "Zürich \U0001f686 日本\u2028語", "stop"),
        ("crlf", "one two", "stop"),
    ],
)
async def test_an_answer_is_told_as_it_was_made(caller: Caller, model: str, text: str, reason: str) -> None:
    turn = await caller.answered(await caller.chat(), model=f"box/{model}")

    message = await caller.message(turn.answer)
    assert (text_in(message), message["status"], message["finish_reason"]) == (text, "complete", reason)


async def test_its_models_are_listed_with_what_they_can_read(caller: Caller) -> None:
    models = (await caller.get("/models"))["models"]

    listed = {model["id"]: model for model in models}
    assert listed["box/text:latest"]["context_length"] == 131_072
    assert listed["box/text:latest"]["can_continue"] is True


async def test_a_model_that_loads_is_seen_to_load(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="box/loading-1")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("model.loading")
        assert (await caller.get(f"/runs/{turn.run_id}"))["status"] in {"loading", "reading", "streaming", "complete"}
        frames = await reader.frames()

    assert [frame.event for frame in frames if frame.event.startswith("model.")] == ["model.loading", "model.ready"]
    assert text_of(frames) == TOKENS
    message = await caller.message(turn.answer)
    assert message["timings"]["loading_ms"] > 0


async def test_what_the_engine_counted_and_measured_is_kept(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="box/text")

    message = await caller.message(turn.answer)
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (7, 5)
    assert message["timings"]["prompt_tokens_per_second"] == 20.0
    assert message["timings"]["tokens_per_second"] == 100.0


async def test_thoughts_and_calls_are_parts_of_their_own(caller: Caller) -> None:
    thought = await caller.message((await caller.answered(await caller.chat(), model="box/thinking")).answer)
    called = await caller.message((await caller.answered(await caller.chat(), model="box/tool")).answer)

    assert ([part["text"] for part in parts(thought, "reasoning")], text_in(thought)) == (["let me see"], "the answer")
    [call] = parts(called, "tool_call")
    assert (call["name"], call["arguments"], called["finish_reason"]) == ("weather", '{"city":"Bern"}', "tool_calls")


async def test_an_answer_that_broke_off_is_continued_where_it_was(caller: Caller, ollama: FakeOllama) -> None:
    chat = await caller.chat()
    broken = await caller.answered(chat, "Hello", model="box/reset-after-3")

    await caller.frames((await caller.resume(broken.answer, model="box/text:latest")).run_id)

    request = ollama.of("text:latest")[-1]
    assert request.body["messages"][-1] == {"role": "assistant", "content": "0 1 2 "}
    message = await caller.message(broken.answer)
    assert (text_in(message), message["status"]) == ("0 1 2 " + TOKENS, "complete")


@pytest.mark.parametrize(
    ("model", "event"), [("no-headers", "run.started"), ("loading-1000", "model.loading"), ("silent-after-3", "text")]
)
async def test_stop_closes_the_connection_at_once(caller: Caller, ollama: FakeOllama, model: str, event: str) -> None:
    took = []
    for _ in range(TRIES):
        words = marked()
        turn = await caller.turn(await caller.chat(), words, model=f"box/{model}")
        async with await caller.follow(turn.run_id) as reader:
            await reader.until(event)
            request = await asked(ollama, words)
            begin = asyncio.get_running_loop().time()

            assert await caller.stop(turn.run_id) == "stopped"

            took.append(await closed(ollama, request) - begin)
    assert min(took) < CLOSED_S
