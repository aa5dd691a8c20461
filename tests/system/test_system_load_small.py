import asyncio
from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, error_of
from system.running import Running, config
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAMS = 300


@pytest.mark.parametrize("model", ["script/tokens-r40-n40", "box/text-r40-n40"])
async def test_three_hundred_streams_at_once_are_all_complete(
    tmp_path: Path, upstream: FakeUpstream, model: str
) -> None:
    async with Running(tmp_path, config(box=upstream.base_url)) as server, Caller(server.url) as caller:

        async def one() -> Wire:
            async with await caller.stream(1, parent_id=None, model=model) as wire:
                await wire.rest()
            return wire

        wires = await asyncio.gather(*(one() for _ in range(STREAMS)))

        assert {wire.status for wire in wires} == {200}
        assert len({wire.headers["headrace-run"] for wire in wires}) == STREAMS
        assert {wire.body.count(b"\nevent: text\n") for wire in wires} == {40}
        assert {wire.body.count(b"\nevent: run.finished\n") for wire in wires} == {1}
        runs = (await caller.get("/runs", params={"status": "complete", "limit": 200}))["runs"]
        assert len(runs) == 200


async def test_more_runs_than_allowed_are_refused_and_room_is_found_again(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, config(scripts=scripts, runs={"max": 3})) as server, Caller(server.url) as caller:
        going = [await caller.turn(await caller.chat(), model="script/hang") for _ in range(3)]
        chat = await caller.chat()

        reply = await caller.http.post(f"/chats/{chat}/turns", json={"content": "Hi", "model": "script/hang"})

        assert (reply.status_code, error_of(reply)["code"]) == (503, "overloaded")
        assert int(reply.headers["retry-after"]) > 0
        assert "runs.max" in error_of(reply)["message"]
        assert (await caller.get(f"/chats/{chat}"))["messages"] == []

        await caller.stop(going[0].run_id)
        await caller.answered(chat, model="script/scenic")


async def test_no_more_runs_than_allowed_start_at_the_same_moment(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, config(scripts=scripts, runs={"max": 3})) as server, Caller(server.url) as caller:
        chats = [await caller.chat(model="script/hang") for _ in range(20)]

        replies = await asyncio.gather(
            *(caller.http.post(f"/chats/{chat}/turns", json={"content": "Hi"}) for chat in chats)
        )

        assert sorted(reply.status_code for reply in replies) == [202] * 3 + [503] * 17
        assert len((await caller.get("/runs"))["runs"]) == 3


async def test_the_soft_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    low = ("sh", "-c", 'ulimit -S -n 128 && exec "$@"', "sh")

    async with Running(tmp_path, config(), prefix=low) as server:
        soft, hard = server.open_files

    assert soft == min(65_536, hard) > 128
