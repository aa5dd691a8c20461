"""Kills a server that makes answers, again and again on the same data, and checks that nothing that was seen is lost."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, Turn, text_in
from system.readers import CutReader, Dice, parts_of
from system.running import Running, config
from system.wire import TERMINAL, Frame, frames_of, text_of

# each test starts a server many times, which takes a while on a busy machine
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.crash, pytest.mark.timeout(300)]

TESTS, KILLS = 3, 10
KEPT = 10
"""How many runs of earlier lives are read again after each restart."""

TEXTS = {
    "script/pause": "one two three four",
    "script/live-scenic": "".join(f"{number} Zürich \U0001f686 日本語 " for number in range(250)),
}
"""What the scripts say that are continued."""

MODELS = [
    "script/live-scenic",
    "script/live-scenic",
    "script/steady",
    "script/pause",
    "script/scenic",
    "script/tokens-r0-n3000",
    "box/text-r400-n200",
    "box/text-r0-n50",
    "box/silent",
    "narrow/silent-after-3",
    "narrow/text",
]
STATUS = {
    "run.finished": "complete",
    "run.stopped": "stopped",
    "run.failed": "failed",
    "run.interrupted": "interrupted",
}


class History:
    """What was seen of all runs, over all lives of one server."""

    def __init__(self) -> None:
        self.dice = Dice()
        self.kept: dict[str, bytes] = {}
        """The events of runs that have ended, as they were read after a restart."""
        self.cut = self.continued = 0
        self.turns: list[Turn] = []
        self.readers: list[CutReader] = []

    async def live(self, caller: Caller) -> None:
        """Start turns and read them, until the server is gone."""
        self.turns, self.readers = [], []
        with contextlib.suppress(httpx.TransportError):
            await asyncio.gather(*(self._turn(caller, model) for model in self.dice.sample(MODELS, 7)))

    async def _turn(self, caller: Caller, model: str) -> None:
        turn = await caller.turn(await caller.chat(), model=model)
        self.turns.append(turn)
        readers = [CutReader(caller, turn.run_id, self.dice.more()) for _ in range(3)]
        self.readers += readers
        await asyncio.gather(*(self._read(reader) for reader in readers))

    async def _read(self, reader: CutReader) -> None:
        with contextlib.suppress(OSError):
            await reader.read(self.dice.choice([0, 2, 50]), 5000)

    async def check(self, caller: Caller) -> None:
        """Check the promises, after a restart."""
        runs = {run["id"]: run for run in (await caller.get("/runs", params={"limit": 200}))["runs"]}
        assert all(run["ended_at"] for run in runs.values())
        for reader in self.readers:
            await self._check_reader(caller, reader)
        for turn in self.turns:
            await self._check_run(caller, turn, runs[turn.run_id])
        for run_id in self.dice.sample(sorted(self.kept), min(len(self.kept), KEPT)):
            assert await caller.body(run_id) == self.kept[run_id]

    async def _check_reader(self, caller: Caller, reader: CutReader) -> None:
        whole = await caller.body(reader.run_id)
        assert whole.startswith(reader.joined)
        reply = await caller.http.get(
            f"/runs/{reader.run_id}/events", headers={"Last-Event-ID": "" if reader.last is None else str(reader.last)}
        )
        assert reader.joined + reply.content == whole
        assert (reply.status_code == 204) == (reader.joined == whole)

    async def _check_run(self, caller: Caller, turn: Turn, run: dict[str, Any]) -> None:
        self.kept[turn.run_id] = whole = await caller.body(turn.run_id)
        frames = frames_of(whole)
        check_log(frames)
        message = await caller.message(turn.answer)
        status = STATUS[frames[-1].event]
        assert (run["status"], message["status"]) == (status, status)
        assert message["parts"] == parts_of(frames)
        assert message["seq"] is None
        if status == "interrupted":
            self.cut += 1
            assert frames[-1].data["reason"] == "crash"
            assert run["model"] == message["model"] == model_in(frames)

    async def go_on(self, caller: Caller, model: str) -> None:
        """Continue an answer of this model that was cut, if there is one."""
        for turn in self.turns:
            message = await caller.message(turn.answer)
            if (message["status"], message["model"]) == ("interrupted", model):
                more = await caller.resume(turn.answer)
                frames = await caller.frames(more.run_id)

                grown = await caller.message(turn.answer)
                assert text_in(grown) == TEXTS[model] == text_in(message) + text_of(frames)
                assert (grown["status"], grown["runs"]) == ("complete", [turn.run_id, more.run_id])
                self.kept[more.run_id] = await caller.body(more.run_id)
                self.continued += 1
                return


def check_log(frames: list[Frame]) -> None:
    assert [frame.id for frame in frames] == list(range(len(frames)))
    assert frames[0].event == "run.started"
    assert [frame.event in TERMINAL for frame in frames] == [False] * (len(frames) - 1) + [True]


def model_in(frames: list[Frame]) -> str | None:
    """Return who is known to have answered: a run that was cut before its provider was looked at says nothing of it."""
    told = [frame.data.get("model") for frame in frames if frame.event in ("run.started", "model.ready")]
    return next((model for model in reversed(told) if model), None)


async def kill_again_and_again(server: Running, history: History, count: int) -> None:
    for _ in range(count):
        await server.start()
        async with Caller(server.url) as caller:
            await history.check(caller)
            await history.go_on(caller, "script/pause")
            living = asyncio.create_task(history.live(caller))
            # a moment that nothing else decides
            await asyncio.sleep(history.dice.uniform(0.005, 0.4))
            await server.kill()
            await living
    async with server, Caller(server.url) as caller:
        await history.check(caller)
        await history.go_on(caller, "script/live-scenic")


@pytest.mark.parametrize("number", range(TESTS))
async def test_what_a_reader_has_seen_survives_the_death_of_the_server(
    tmp_path: Path, upstream: FakeUpstream, scripts: Path, number: int
) -> None:
    history = History()
    server = Running(tmp_path, config(box=upstream.base_url, scripts=scripts))
    try:
        async with server.doomed():
            await kill_again_and_again(server, history, KILLS)
    except BaseException as error:
        error.add_note(f"dice {history.dice.number}, test {number}\n{server.text}")
        raise
    assert history.cut
    assert history.continued


async def test_what_is_synced_to_the_disk_survives_as_well(
    tmp_path: Path, upstream: FakeUpstream, scripts: Path
) -> None:
    history = History()
    server = Running(tmp_path, config(box=upstream.base_url, scripts=scripts, journal={"sync": "full"}))
    try:
        async with server.doomed():
            await kill_again_and_again(server, history, 2)
    except BaseException as error:
        error.add_note(f"dice {history.dice.number}\n{server.text}")
        raise


async def test_a_long_run_is_read_whole_from_the_disk(tmp_path: Path) -> None:
    async with Running(tmp_path, config()).doomed() as server:
        await server.start()
        async with Caller(server.url) as caller:
            turn = await caller.turn(await caller.chat(), model="script/tokens-r0-n15000")
            whole = await caller.body(turn.run_id)
        await server.kill()

        async with server, Caller(server.url) as caller:
            assert await caller.body(turn.run_id) == whole
            for last in (4094, 4095, 4096, 12_287, 14_000):
                assert (await caller.frames(turn.run_id, last=last))[0].id == last + 1


async def test_a_repeated_request_after_a_crash_starts_no_second_run(tmp_path: Path, scripts: Path) -> None:
    client_id = str(uuid4())
    async with Running(tmp_path, config(scripts=scripts)).doomed() as server:
        await server.start()
        first = Caller(server.url)
        async with first, await first.stream(1, model="script/pause", client_id=client_id) as wire:
            await wire.until("text")
            await server.kill()

        async with server, Caller(server.url) as caller:
            async with await caller.stream(1, model="script/pause", client_id=client_id) as again:
                frames = await again.frames()
            assert again.headers["headrace-run"] == wire.headers["headrace-run"]
            assert frames[-1].event == "run.interrupted"
            assert len((await caller.get("/runs"))["runs"]) == 1
