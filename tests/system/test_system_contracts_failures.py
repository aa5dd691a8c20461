"""What each of the five contracts' doors says where the model's server fails, and when the caller goes away."""

import asyncio
import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, closed, marked, streaming, text_in
from system.contracts import DOORS, Contract, error_fields, said_in, until_said
from system.leaving import CLOSED_S, TRIES
from system.patience import Waiting, waiting
from system.running import config

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The model of the fake upstream, the code of the failure, and what was made before it
FAULTS = [
    ("reset-after-0", "upstream_closed", ""),
    ("reset-after-2", "upstream_closed", "0 1 "),
    ("short-after-2", "upstream_closed", "0 1 "),
    ("eof-after-2", "upstream_closed", "0 1 "),
    ("error-frame-after-2", "upstream_error", "0 1 "),
    ("garbage-after-2", "upstream_garbled", "0 1 "),
    ("silent", "upstream_silent", ""),
    ("no-headers", "upstream_silent", ""),
    ("silent-after-2", "upstream_silent", "0 1 "),
]
STATUS = {"upstream_silent": 504}

ALL = pytest.mark.parametrize("name", DOORS)
WITH_SIBLING = pytest.mark.parametrize("name", [name for name, door in DOORS.items() if door.whole is not None])
FAULT = pytest.mark.parametrize(("model", "code", "kept"), FAULTS, ids=[fault[0] for fault in FAULTS])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hasty(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> AsyncIterator[Waiting]:
    """Clients of servers that give a silent model up soon."""
    async with waiting(tmp_path_factory.mktemp("hasty"), config(box=upstream.base_url)) as callers:
        yield callers


async def check_failed(caller: Caller, run_id: str, code: str, kept: str) -> None:
    """Check what is left of a run that failed: its end, and what it had made."""
    run = await caller.get(f"/runs/{run_id}")
    assert (run["status"], run["error"]["code"]) == ("failed", code)
    if run["assistant_message_id"] is not None:
        assert text_in(await caller.message(run["assistant_message_id"])) == kept


@ALL
@FAULT
async def test_a_fault_of_the_model_is_the_doors_own_error(
    hasty: Waiting, upstream: FakeUpstream, name: str, model: str, code: str, kept: str
) -> None:
    door, caller, content = DOORS[name], hasty.for_model(model), marked()
    async with await door.open(caller, await caller.chat(), content, model=f"box/{model}") as wire:
        body = await wire.rest()

    run_id = wire.headers["headrace-run"]
    if wire.status == 200:
        events = said_in(body)
        assert kept.startswith(door.pieces(events))
        last = events[-1]
    else:  # it was known before anything was sent
        assert (wire.status, wire.headers["content-type"]) == (STATUS.get(code, 502), "application/json")
        last = json.loads(body)
    assert error_fields(door, last)[0] == code
    assert (last["retryable"], last["run_id"]) == (True, run_id)
    assert "stop" not in json.dumps(last.get("finish_reason", ""))
    await check_failed(caller, run_id, code, kept)
    request = await asked(upstream, content)
    if "silent" in code:
        await closed(upstream, request)


@WITH_SIBLING
@FAULT
async def test_a_fault_of_the_model_is_the_siblings_status_and_error(
    hasty: Waiting, name: str, model: str, code: str, kept: str
) -> None:
    door, caller = DOORS[name], hasty.for_model(model)

    reply = await door.ask(caller, await caller.chat(), "Hello", model=f"box/{model}")

    assert (reply.status_code, error_fields(door, reply.json())[0]) == (STATUS.get(code, 502), code)
    assert reply.json()["run_id"] == reply.headers["headrace-run"]
    await check_failed(caller, reply.headers["headrace-run"], code, kept)


# Stop and leaving


@ALL
@pytest.mark.parametrize("model", ["box/silent", "box/silent-after-2"])
async def test_stop_from_elsewhere_closes_the_upstream_and_the_stream(
    caller: Caller, upstream: FakeUpstream, name: str, model: str
) -> None:
    door, took = DOORS[name], []
    for _ in range(TRIES):
        content = marked()
        async with await door.open(caller, await caller.chat(), content, model=model) as wire:
            request = await asked(upstream, content)
            if model != "box/silent":
                await until_said(wire, "1 ", door)
            begin = asyncio.get_running_loop().time()

            assert await caller.stop(wire.headers["headrace-run"]) == "stopped"

            took.append(await closed(upstream, request) - begin)
            last = said_in(await wire.rest())[-1]
        assert (door.closing(last)["stopped"], last["finish_reason"]) == (True, None)
    assert min(took) < CLOSED_S


async def left_at_once(caller: Caller, door: Contract, chat: int, content: str, *, whole: bool, detach: bool) -> None:
    """Send a request and hang up without waiting for a byte of the answer."""
    parts = urlsplit(caller.url)
    body = json.dumps(door.body(chat, content, model="box/silent-after-2")).encode()
    lines = [
        f"POST {door.path(chat, whole=whole)} HTTP/1.1",
        f"Host: {parts.netloc}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(["Headrace-Detach: true"] if detach else []),
    ]
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await writer.drain()
    writer.close()


async def ended_besides(caller: Caller, known: set[str]) -> list[str]:
    """Return the runs that have ended and are none of these."""
    runs = (await caller.get("/runs"))["runs"]
    return [run["id"] for run in runs if run["id"] not in known and run["ended_at"]]


async def run_of(caller: Caller, upstream: FakeUpstream, content: str) -> str:
    """Return the run that asks the model this, once its two tokens are there."""
    request = await asked(upstream, content)
    await upstream.until(lambda: request.sent == 2)
    return await streaming(caller, request.model)


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in DOORS for kind in ("stream", "sibling") if kind == "stream" or DOORS[name].whole],
)
async def test_a_caller_who_does_not_wait_for_the_answers_head_stops_it_too(
    caller: Caller, name: str, kind: str
) -> None:
    door, chat = DOORS[name], await caller.chat()
    known = {run["id"] for run in (await caller.get("/runs?limit=200"))["runs"]}

    await left_at_once(caller, door, chat, marked(), whole=kind == "sibling", detach=False)

    # its events are not followed before it has ended: a run goes on while anybody reads it
    async with asyncio.timeout(10):
        while not (left := await ended_besides(caller, known)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await caller.frames(left[0]))[-1].data["by"] == "disconnect"


@WITH_SIBLING
async def test_a_caller_may_leave_a_detached_sibling(caller: Caller, upstream: FakeUpstream, name: str) -> None:
    door, content = DOORS[name], marked()

    await left_at_once(caller, door, await caller.chat(), content, whole=True, detach=True)

    run_id = await run_of(caller, upstream, content)
    assert (await caller.get(f"/runs/{run_id}"))["status"] == "streaming"
    assert await caller.stop(run_id) == "stopped"


async def test_our_own_door_leaves_the_answer_going(caller: Caller, upstream: FakeUpstream) -> None:
    content = marked()
    wire = await caller.stream(await caller.chat(), content, model="box/silent-after-2")
    run_id = wire.headers["headrace-run"]
    await wire.until("text")

    wire.close()

    request = await asked(upstream, content)
    assert await run_of(caller, upstream, content) == run_id
    assert request.closed_at is None
    await caller.stop(run_id)


@ALL
async def test_a_reader_in_any_format_keeps_the_answer_going_without_its_caller(caller: Caller, name: str) -> None:
    door = DOORS[name]
    wire = await door.open(caller, await caller.chat(), "Hello", model="box/text-r100-n40")
    async with await caller.follow(wire.headers["headrace-run"], f"?format={door.format}") as reader:
        await until_said(reader, "1 ", door)

        wire.close()

        events = said_in(await reader.rest())
    assert door.closing(events[-1])["finish_reason"] == "stop"
    assert len(door.pieces(events).split()) == 40
