"""A server with an engine of its own: llama.cpp in a child process, with a real model."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fakes.models import END
from headrace.providers.builtin import model_file
from system.calls import Caller, Turn, text_in
from system.running import Running, command, config, environment
from system.wire import Frame, text_of

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.engine]

MODEL = "embedded/headrace-tiny"
ASKED = "Tell me a short story"
SHORT = {"max_tokens": 3}
LONG = {"max_tokens": 400, "temperature": 0.0, "logit_bias": {str(END): -100.0}}  # it may not end the story
TRIES = 3
"""A model of this size is quick: of so many tries to kill it in mid-answer one must succeed."""


def with_model(folder: Path) -> Running:
    path = str(model_file())
    # one thread: two that wait for each other on a busy machine make a quick model slow
    settings = config(providers__embedded={"kind": "embedded", "path": path, "threads": 1})
    return Running(folder, settings, flags=("--model", path))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A server for tests that kill nothing."""
    async with with_model(tmp_path_factory.mktemp("engine")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def engine(tmp_path: Path) -> AsyncIterator[Running]:
    async with with_model(tmp_path) as server:
        yield server


def child_of(server: Running) -> int:
    """Return the process in which llama.cpp runs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = re.findall(r"\) (\S) (\d+) ", path.read_text())[0]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(parent) == server.pid and state != "Z":
            found.append(int(path.parent.name))
    (pid,) = found
    return pid


async def gone(descriptor: int) -> None:
    """Wait until the process behind this descriptor has ended."""
    ended = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().add_reader(descriptor, ended.set_result, None)
    try:
        async with asyncio.timeout(10):
            await ended
    finally:
        asyncio.get_running_loop().remove_reader(descriptor)
        os.close(descriptor)


async def stopped(caller: Caller) -> Turn:
    """Stop an answer in the middle."""
    for _ in range(TRIES):
        turn = await caller.turn(await caller.chat(), ASKED, parameters=LONG)
        async with await caller.follow(turn.run_id) as reader:
            await reader.until("text")
            if await caller.stop(turn.run_id) == "stopped":
                return turn
    raise AssertionError("every answer was complete before it was stopped")


async def killed(server: Running, caller: Caller) -> list[Frame]:
    """Kill the engine in the middle of an answer; return the answer's events."""
    for _ in range(TRIES):
        await caller.answered(1, ASKED, parent_id=None, parameters=SHORT)
        child = child_of(server)
        async with await caller.stream(1, ASKED, parent_id=None, parameters=LONG) as wire:
            await wire.until("text")
            os.kill(child, signal.SIGKILL)
            frames = await wire.frames()
        if frames[-1].event != "run.finished":
            return frames
    raise AssertionError("every answer was complete before the engine was killed")


async def test_a_model_file_answers_through_turns(shared: Running) -> None:
    async with Caller(shared.url) as caller:
        async with await caller.stream(await caller.chat(), ASKED, parameters=LONG) as wire:
            frames = await wire.frames()
        message = await caller.message(frames[0].data["assistant_message_id"])

    assert frames[-1].event == "run.finished"
    assert frames[-2].data["output_tokens"] > 20
    assert len(text_of(frames).split()) > 20
    assert (message["model"], text_in(message)) == (MODEL, text_of(frames))


async def test_the_command_chat_prints_the_story(shared: Running) -> None:
    pipe = asyncio.subprocess.PIPE
    chat = await asyncio.create_subprocess_exec(
        *command("chat", ASKED), stdout=pipe, stderr=pipe, env=environment(HEADRACE_URL=shared.url)
    )
    answer, notes = await chat.communicate()

    assert chat.returncode == 0, notes.decode()
    (number,) = re.findall(r"^chat (\d+)$", notes.decode(), re.MULTILINE)
    async with Caller(shared.url) as caller:
        message = (await caller.get(f"/chats/{number}"))["messages"][-1]
    assert answer.decode().rstrip("\n") == text_in(message).rstrip("\n")
    assert MODEL in notes.decode()


async def test_an_answer_can_be_stopped_and_continued(shared: Running) -> None:
    async with Caller(shared.url) as caller:
        turn = await stopped(caller)
        before = text_in(await caller.message(turn.answer))
        more = await caller.resume(turn.answer, parameters=LONG)
        frames = await caller.frames(more.run_id)

        message = await caller.message(turn.answer)
    assert frames[0].data["continues"]
    assert message["status"] == "complete"
    assert text_in(message) == before + text_of(frames)
    assert before
    assert text_of(frames)


async def test_the_engine_ends_when_the_server_is_killed(engine: Running) -> None:
    async with Caller(engine.url) as caller:
        await caller.answered(1, ASKED, parameters=SHORT)
    child = os.pidfd_open(child_of(engine))

    await engine.kill()

    await gone(child)


async def test_the_engine_ends_with_the_server(engine: Running) -> None:
    async with Caller(engine.url) as caller:
        await caller.answered(1, ASKED, parameters=SHORT)
    child = os.pidfd_open(child_of(engine))

    engine.signal(signal.SIGTERM)

    await gone(child)
    assert await engine.ended() == 0


async def test_an_engine_that_is_killed_in_mid_answer_fails_the_run_and_the_next_turn_works(engine: Running) -> None:
    async with Caller(engine.url) as caller:
        frames = await killed(engine, caller)
        message = await caller.message(frames[0].data["assistant_message_id"])

        turn = await caller.answered(1, ASKED, parent_id=None, parameters=SHORT)
        after = await caller.message(turn.answer)

    assert (frames[-1].event, frames[-1].data["code"]) == ("run.failed", "engine_died")
    assert (message["status"], message["error"]["code"]) == ("failed", "engine_died")
    assert text_in(message) == text_of(frames) != ""
    assert after["status"] == "complete"
