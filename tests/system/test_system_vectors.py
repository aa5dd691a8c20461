"""Vectors have their place in the bounds: of a provider's slots, of all runs, of time, and of what a user may take."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from fakes.upstream_connection import Received
from system.calls import Caller, asked, closed, marked
from system.inprocess import serving
from system.running import config

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPENAI, OLLAMA = "/v1/embeddings", "/ollama/api/embed"
DOORS = pytest.mark.parametrize("path", [OPENAI, OLLAMA])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A model server for these tests alone: others look through all that theirs was asked."""
    async with FakeUpstream() as running:
        yield running


@contextlib.asynccontextmanager
async def house(folder: Path, upstream: FakeUpstream, **sections: Any) -> AsyncIterator[Caller]:
    async with serving(folder, config(box=upstream.base_url, **sections)) as url, Caller(url) as calling:
        yield calling


async def embed(caller: Caller, path: str, model: str, text: str = "Hello") -> httpx.Response:
    return await caller.http.post(f"{caller.url}{path}", json={"model": model, "input": [text]})


async def asked_to_embed(upstream: FakeUpstream, text: str) -> Received:
    def came() -> list[Received]:
        return [each for each in upstream.requests if each.body.get("input") == [text]]

    await upstream.until(lambda: bool(came()))
    return came()[-1]


async def left(task: "asyncio.Task[httpx.Response]") -> None:
    """Hang up."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def until_embedded(caller: Caller, path: str) -> None:
    """Return once there is room."""
    async with asyncio.timeout(10):
        while True:
            if (await embed(caller, path, "box/text")).status_code == httpx.codes.OK:
                return
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def held(caller: Caller, upstream: FakeUpstream, path: str, model: str) -> AsyncIterator[Received]:
    """Ask for vectors that never come, until the end of the block."""
    text = marked()
    asking = asyncio.create_task(embed(caller, path, model, text))
    request = await asked_to_embed(upstream, text)
    try:
        yield request
    finally:
        await left(asking)
        await closed(upstream, request)


@DOORS
async def test_more_than_allowed_are_refused_and_room_is_found_again(
    tmp_path: Path, upstream: FakeUpstream, path: str
) -> None:
    async with house(tmp_path, upstream, runs={"max": 2}) as caller:
        async with held(caller, upstream, path, "box/silent"), held(caller, upstream, path, "box/silent"):
            for other in (OPENAI, OLLAMA):
                refused = await embed(caller, other, "box/text")
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
                error = refused.json()["error"]
                assert "runs.max" in (error["message"] if other == OPENAI else error)
            assert (await caller.http.post("/chats/1/turns", json={"content": "Hi"})).status_code == 503
        await until_embedded(caller, path)


@DOORS
async def test_they_wait_for_a_slot_of_the_provider(tmp_path: Path, upstream: FakeUpstream, path: str) -> None:
    first, second = marked(), marked()
    async with house(tmp_path, upstream) as caller:
        async with held(caller, upstream, path, "narrow/silent"):
            leaving = asyncio.create_task(embed(caller, path, "narrow/text", first))
            waiting = asyncio.create_task(embed(caller, path, "narrow/text", second))
            run = await caller.turn(await caller.chat(), marked(), model="narrow/text")
            await waited(caller, 3)
            await left(leaving)
            await waited(caller, 2)
        assert (await waiting).status_code == httpx.codes.OK
        await caller.frames(run.run_id)
        assert (await caller.get(f"/runs/{run.run_id}"))["status"] == "complete"
        assert not [each for each in upstream.requests if each.body.get("input") == [first]]


async def waited(caller: Caller, count: int) -> None:
    """Return once so many wait in the queue."""
    async with asyncio.timeout(10):
        while True:
            if f"headrace_runs_waiting {float(count)}\n" in (await caller.http.get(f"{caller.url}/metrics")).text:
                return
            await asyncio.sleep(0.01)


async def test_an_answer_that_is_made_holds_the_slot(tmp_path: Path, upstream: FakeUpstream) -> None:
    text = marked()
    async with house(tmp_path, upstream) as caller:
        run = await caller.turn(await caller.chat(), text, model="narrow/silent-after-1")
        await asked(upstream, text)
        waiting = asyncio.create_task(embed(caller, OPENAI, "narrow/text"))
        await waited(caller, 1)
        await caller.stop(run.run_id)
        assert (await waiting).status_code == httpx.codes.OK


@DOORS
async def test_a_model_that_makes_none_is_given_up(tmp_path: Path, upstream: FakeUpstream, path: str) -> None:
    text = marked()
    async with house(tmp_path, upstream, runs={"first_token_timeout_s": 0.3}) as caller:
        reply = await embed(caller, path, "box/silent", text)
        request = await asked_to_embed(upstream, text)
        await closed(upstream, request)
    error = reply.json()["error"]
    assert reply.status_code == httpx.codes.GATEWAY_TIMEOUT
    assert "runs.first_token_timeout_s" in (error["message"] if path == OPENAI else error)


@DOORS
async def test_they_take_a_users_room(tmp_path: Path, upstream: FakeUpstream, path: str) -> None:
    async with house(tmp_path, upstream, limits={"streams": 1}) as caller:
        async with held(caller, upstream, path, "box/silent"):
            refused = await embed(caller, path, "box/text")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")


@DOORS
async def test_they_take_a_users_tokens(tmp_path: Path, upstream: FakeUpstream, path: str) -> None:
    async with house(tmp_path, upstream, limits={"tokens_per_day": 10}) as caller:
        replies = [await embed(caller, path, "box/text") for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]  # 7 tokens each
