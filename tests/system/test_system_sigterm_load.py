"""Ends a server that makes a hundred answers: nothing that anybody saw is lost, and every answer has its end."""

import asyncio
import signal
from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, marked
from system.readers import parts_of
from system.running import Running, config
from system.wire import TERMINAL, Wire, frames_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

MODELS = [
    *["script/steady"] * 30,  # 1.2 s: ends while the server drains
    *["script/pause"] * 35,  # never ends by itself
    *["box/text-r20-n100000"] * 35,
]
STATUS = {"run.finished": "complete", "run.interrupted": "interrupted"}


async def test_nothing_is_lost_when_a_busy_server_is_ended(
    tmp_path: Path, upstream: FakeUpstream, scripts: Path
) -> None:
    secret = marked("a secret")
    server = Running(tmp_path, config(box=upstream.base_url, scripts=scripts, server={"drain_s": 3}))
    await server.start()
    async with Caller(server.url) as caller:
        chats = [await caller.chat() for _ in MODELS]
        asked = zip(chats, MODELS, strict=True)
        turns = await asyncio.gather(*(caller.turn(chat, secret, model=model) for chat, model in asked))
        readers = [await caller.follow(turn.run_id) for turn in turns]
        await asyncio.gather(*(reader.until("text") for reader in readers))

        server.signal(signal.SIGTERM)
        seen = await asyncio.gather(*(rest_of(reader) for reader in readers))
        assert await server.ended() == 0

    last = [frames_of(body)[-1] for body in seen]
    assert {frame.event for frame in last} <= TERMINAL
    assert [frame.event for frame in last[:30]] == ["run.finished"] * 30
    assert [(frame.event, frame.data["reason"]) for frame in last[30:]] == [("run.interrupted", "shutdown")] * 70
    assert secret not in server.text
    assert {line["level"] for line in server.log} == {"info"}

    async with server, Caller(server.url) as caller:
        kept = await asyncio.gather(*(caller.body(turn.run_id) for turn in turns))
        messages = await asyncio.gather(*(caller.message(turn.answer) for turn in turns))
        runs = (await caller.get("/runs", params={"limit": 200}))["runs"]

    assert kept == seen
    assert [message["status"] for message in messages] == [STATUS[frame.event] for frame in last]
    assert [message["parts"] for message in messages] == [parts_of(frames_of(body)) for body in seen]
    assert sorted(run["status"] for run in runs) == ["complete"] * 30 + ["interrupted"] * 70


async def rest_of(reader: Wire) -> bytes:
    """Return all that the reader got, to the end of its stream."""
    try:
        return await reader.rest()
    finally:
        reader.close()
