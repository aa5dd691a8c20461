import asyncio
import contextlib
from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller
from system.running import Running, config
from system.wire import Wire, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKENS = 20_000
MODEL = f"box/text-r0-n{TOKENS}"
TEXT = "".join(f"{number} " for number in range(TOKENS))
TRICKLERS = 50
GROWTH_BYTES = 30_000_000
SMALL = 4096
"""What the kernel takes in for a reader that does not read: without a bound it would be megabytes."""


async def trickle(wire: Wire) -> None:
    """Read one byte a second."""
    with contextlib.suppress(ConnectionError):
        while not wire.ended:
            await wire.read(1)
            await asyncio.sleep(1)


async def test_slow_readers_change_nothing_for_another_and_take_little_memory(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    async with Running(tmp_path, config(box=upstream.base_url)) as server, Caller(server.url) as caller:
        # once without slow readers, so that what such a run takes by itself is there already
        await caller.answered(await caller.chat(), model=MODEL)
        before = server.resident_bytes
        turn = await caller.turn(await caller.chat(), model=MODEL)
        slow = [await caller.follow(turn.run_id, receive_buffer=SMALL) for _ in range(TRICKLERS + 1)]
        tricklers = [asyncio.create_task(trickle(wire)) for wire in slow[1:]]

        async with await caller.follow(turn.run_id) as quick:
            frames = await quick.frames()
        again = await caller.frames(turn.run_id)
        growth = server.resident_bytes - before

        assert text_of(frames) == text_of(again) == TEXT
        assert [frame.id for frame in again] == list(range(TOKENS + 3))
        assert all(len(wire.body) < len(TEXT) for wire in slow), "the slow readers were not slow"
        assert growth < GROWTH_BYTES
        assert len(frames) <= len(again)
        for task in tricklers:
            task.cancel()
        await asyncio.gather(*tricklers, return_exceptions=True)
        for wire in slow:
            wire.close()


async def test_a_reader_that_never_reads_does_not_hold_up_the_end_of_the_run(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/tokens-r0-n20000")
    async with await caller.follow(turn.run_id, receive_buffer=SMALL):
        frames = await caller.frames(turn.run_id)

        assert frames[-1].event == "run.finished"
        assert (await caller.message(turn.answer))["status"] == "complete"


async def test_readers_that_vanish_are_let_go(caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(), model="script/hang")
    readers = [await caller.follow(turn.run_id) for _ in range(100)]
    for reader in readers:
        await reader.until("run.started")
    assert await followed(caller) >= 100

    for number, reader in enumerate(readers):
        if number % 2:
            reader.reset()
        else:
            reader.close()

    async with asyncio.timeout(10):
        while await followed(caller):
            pass
    await caller.stop(turn.run_id)


async def followed(caller: Caller) -> float:
    """Return how many readers the server has."""
    lines = (await caller.root("/metrics")).text.splitlines()
    return float(next(line for line in lines if line.startswith("headrace_readers ")).split(" ")[1])
