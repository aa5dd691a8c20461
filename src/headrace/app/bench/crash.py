"""This module kills a server at random moments, again and again, and checks that nothing is lost that anyone saw."""

import asyncio
import random
from pathlib import Path

import msgspec

from headrace.app.bench import processes
from headrace.app.bench.calls import Caller, Seen
from headrace.formats import native

__all__ = ["Crashes", "crash"]

RUNS = 8
READERS = 2
TOKENS = 400
LONGEST_S = 1.2


class Crashes(msgspec.Struct, frozen=True, kw_only=True):
    """What so many kills did: events that readers saw, and what was found to be wrong (nothing, one hopes)."""

    kills: int
    runs: int
    events_seen: int
    interrupted: int
    wrong: tuple[str, ...]


async def crash(kills: int, folder: Path, *, seed: int) -> Crashes:
    """Kill a server with SIGKILL `kills` times while runs are read; after each start check what readers saw.

    Every event must be there again, byte for byte under its number; every cut run must be `interrupted`; a reader that
    comes back must get exactly the rest. Prints nothing; the same seed gives the same moments.
    """
    dice = random.Random(seed)  # noqa: S311  no secret
    saw: list[Seen] = []
    runs = events = interrupted = 0
    wrong: list[str] = []
    with processes.model_server(folder) as model:
        for _ in range(kills):
            with processes.headrace(folder, model.port, kill=True) as server:
                found = await _check(server.port, saw)
                interrupted += found.interrupted
                wrong += found.wrong
                saw = await _read_until(server.port, dice.uniform(0.02, LONGEST_S))
            runs += RUNS
            events += sum(len(seen.events) for seen in saw)
        with processes.headrace(folder, model.port) as server:
            found = await _check(server.port, saw)
            interrupted += found.interrupted
            wrong += found.wrong
    return Crashes(kills=kills, runs=runs, events_seen=events, interrupted=interrupted, wrong=tuple(wrong))


class _Found(msgspec.Struct):
    interrupted: int = 0
    wrong: list[str] = []


async def _read_until(port: int, seconds: float) -> list[Seen]:
    """Start runs with readers; return what they saw so far, at the moment before the kill."""
    caller = Caller(port)
    saw: list[Seen] = []
    tasks: list[asyncio.Task[int]] = []
    for _ in range(RUNS):
        _, chat = await caller.call("POST", "/chats", {})
        body = {"content": "hi", "model": f"bench/load-r200-n{TOKENS}"}
        _, turn = await caller.call("POST", f"/chats/{chat['id']}/turns", body)
        for _ in range(READERS):
            seen = Seen(turn["run_id"])
            saw.append(seen)
            tasks.append(asyncio.create_task(caller.follow(seen)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await caller.close()
    return saw


async def _check(port: int, saw: list[Seen]) -> _Found:
    found = _Found(wrong=[])
    caller = Caller(port)
    for seen in saw:
        whole = Seen(seen.run_id)
        await caller.follow(whole)
        for number, data in seen.events.items():
            if whole.events.get(number) != data:
                found.wrong.append(f"{seen.run_id}: event {number} was seen and is not there")
        if sorted(whole.events) != list(range(len(whole.events))):
            found.wrong.append(f"{seen.run_id}: the events have a gap")
        if not whole.events or not native.is_terminal(whole.events[whole.last]):
            found.wrong.append(f"{seen.run_id}: it has no end")
            continue
        found.interrupted += native.type_of(whole.events[whole.last]) == "run.interrupted"
        await _check_rest(caller, seen, whole, found)
    await caller.close()
    return found


async def _check_rest(caller: Caller, seen: Seen, whole: Seen, found: _Found) -> None:
    """Check that a reader that comes back gets exactly what it has not seen."""
    rest = Seen(seen.run_id)
    rest.events = dict(seen.events)
    await caller.follow(rest)
    if rest.events != whole.events:
        found.wrong.append(f"{seen.run_id}: who came back did not get exactly the rest")
