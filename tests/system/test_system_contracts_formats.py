"""An answer is one run, whichever door began it: it can be followed in every format, from any event on."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from system.calls import Caller, error_of
from system.contracts import DOORS, said_in
from system.wire import Frame, frames_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FORMATS = {
    "native": "text/event-stream",
    "relay": "text/event-stream",
    "multimodel": "text/event-stream",
    "tutor": "text/event-stream",
    "documents": "text/event-stream",
    "studio": "text/event-stream",
    "openai_chat": "text/event-stream",
    "ollama": "application/x-ndjson",
}
STARTS = ["native", *DOORS]

DOOR = pytest.mark.parametrize("door", STARTS)
FORMAT = pytest.mark.parametrize("name", FORMATS)


async def begun(caller: Caller, door: str, model: str) -> str:
    """Start a run at a door, which its caller leaves at once, and return its id."""
    chat, detached = await caller.chat(), {"Headrace-Detach": "true"}
    if door == "native":
        wire = await caller.stream(chat, model=model)
    else:
        wire = await DOORS[door].open(caller, chat, "Hello", detached, model=model)
    async with wire:
        assert wire.status == 200
        return wire.headers["headrace-run"]


def piece(name: str, said: Mapping[str, Any]) -> str:
    """Return the piece of the answer in an object of a stream in this format."""
    match name:
        case "openai_chat":
            return "".join(str(choice["delta"].get("content", "")) for choice in said["choices"])
        case "ollama":
            return str(said["message"]["content"])
        case _:
            return DOORS["multimodel"].piece(said)  # finds it in the objects of all five


def text_in(name: str, body: bytes) -> str:
    """Return the text in a stream, or in what is left of one."""
    if name == "native":
        return text_of(frames_of(body))
    lines = body.decode().split("\n")
    if name != "ollama":
        lines = [line[6:] for line in lines if line.startswith("data: ")]
    return "".join(piece(name, json.loads(line)) for line in lines if line and line != "[DONE]")


def text_after(frames: list[Frame], seq: int) -> str:
    """Return the text of the events after this one."""
    return text_of([frame for frame in frames if frame.id > seq])


async def check_rest(caller: Caller, run_id: str, name: str, seq: int, frames: list[Frame], whole: bytes) -> None:
    """Check that who goes on after an event gets exactly what is left of the whole stream."""
    query = f"?format={name}"
    rest = await caller.body(run_id, f"{query}&after={seq}")
    assert whole.endswith(rest)
    assert text_in(name, rest) == text_after(frames, seq), f"{name} after {seq}"
    assert await caller.body(run_id, f"{query}&after=0", last=seq) == rest, "the header beats the query"


@DOOR
async def test_a_run_of_every_door_is_followed_in_every_format_from_any_event(caller: Caller, door: str) -> None:
    run_id = await begun(caller, door, "script/scenic")
    frames = await caller.frames(run_id)
    assert text_of(frames).count("日本語") == 120
    for name in FORMATS:
        whole = await caller.body(run_id, f"?format={name}")

        assert text_in(name, whole) == text_of(frames), name
        for seq in (0, 1, 2, 3, 57, frames[-1].id - 1):
            await check_rest(caller, run_id, name, seq, frames, whole)
        async with await caller.follow(run_id, f"?format={name}&after={frames[-1].id}") as wire:
            assert (wire.status, await wire.rest()) == (204, b"")


@DOOR
async def test_a_run_that_goes_on_is_followed_in_every_format_from_any_event(caller: Caller, door: str) -> None:
    run_id = await begun(caller, door, "script/steady")
    queries = [(name, seq) for name in FORMATS for seq in (-1, 3, 30)]
    bodies = await asyncio.gather(*(caller.body(run_id, f"?format={name}&after={seq}") for name, seq in queries))
    frames = await caller.frames(run_id)

    assert (await caller.get(f"/runs/{run_id}"))["status"] == "complete"
    for (name, seq), body in zip(queries, bodies, strict=True):
        assert body == await caller.body(run_id, f"?format={name}&after={seq}"), "a late reader reads the same"
        assert text_in(name, body) == text_after(frames, seq), f"{name} after {seq}"


@FORMAT
async def test_a_format_has_the_headers_of_a_stream(caller: Caller, name: str) -> None:
    run_id = await begun(caller, "native", "script/steady")
    async with await caller.follow(run_id, f"?format={name}") as wire:
        assert wire.headers["content-type"].partition(";")[0] == FORMATS[name]
        assert (wire.headers["cache-control"], wire.headers["x-accel-buffering"]) == ("no-cache, no-transform", "no")
        assert wire.headers["headrace-run"] == run_id
        assert (await caller.get(f"/runs/{run_id}"))["status"] != "complete", "the head does not wait for the end"


@FORMAT
async def test_an_end_that_is_none_of_the_models_is_shown_in_every_format(caller: Caller, name: str) -> None:
    ends = {}
    for model in ("script/breaks", "script/pause"):
        run_id = await begun(caller, "native", model)
        if model == "script/pause":
            await caller.stop(run_id)
        ends[model] = (await caller.body(run_id, f"?format={name}")).decode()

    assert "The model went away." in ends["script/breaks"]
    assert '"finish_reason": "stop"' not in "".join(ends.values())
    if name in DOORS:
        for body in ends.values():
            said_in(body.encode())
    if name in {"openai_chat", "ollama"}:
        last = [line for line in ends["script/pause"].splitlines() if "{" in line][-1]
        assert "error" in json.loads(last.removeprefix("data: "))


async def test_a_format_that_there_is_not_is_refused_with_those_there_are(caller: Caller) -> None:
    run_id = (await caller.answered(await caller.chat(), model="box/text")).run_id
    for name, code in (("nothing", "invalid_field"), ("Relay", "invalid_field"), ("anthropic", "not_available")):
        reply = await caller.http.get(f"/runs/{run_id}/events?format={name}")

        error = error_of(reply)
        assert (reply.status_code, error["code"], error["details"]["field"]) == (422, code, "format")
        assert all(repr(there) in error["message"] for there in FORMATS)


async def test_a_format_is_played_again_with_the_timing_it_had(caller: Caller) -> None:
    run_id = (await caller.answered(await caller.chat(), model="script/rhythm")).run_id
    clock = asyncio.get_running_loop().time
    begin = clock()

    body = await caller.body(run_id, "?format=tutor&speed=1")

    assert clock() - begin > 0.3
    assert body == await caller.body(run_id, "?format=tutor")


async def test_the_studio_and_relay_know_what_kind_of_run_it_was(caller: Caller) -> None:
    chat = await caller.chat()
    async with await DOORS["studio"].open(caller, chat, "Hello", model="box/text") as wire:
        first = await wire.rest()
    again = await caller.body(wire.headers["headrace-run"], "?format=studio")
    assert again == first, "with the session's own handle"

    alone = await begun(caller, "relay.generate", "box/text")
    assert b'{"token": "0 ", "done": false}' in await caller.body(alone, "?format=relay")
    assert b'{"type": "token", "content": "0 "}' in await caller.body(wire.headers["headrace-run"], "?format=relay")


async def test_another_door_shows_what_the_first_one_does_byte_for_byte(caller: Caller) -> None:
    for door in DOORS.values():
        async with await door.open(caller, await caller.chat(), "Hello", model="script/scenic") as wire:
            first = await wire.rest()

        assert await caller.body(wire.headers["headrace-run"], f"?format={door.format}") == first
