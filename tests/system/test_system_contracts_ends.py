"""What the five contracts' doors say where the server itself ends, or is killed, in mid-answer."""

import asyncio
import contextlib
import json
import signal
from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, marked
from system.contracts import DOORS, error_fields, said_in, until_said
from system.running import Running, config
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_an_answer_that_the_servers_end_cuts_is_interrupted_at_every_door(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    settings = config(box=upstream.base_url, server={"drain_s": 0.5})
    async with Running(tmp_path, settings).doomed() as server:
        await server.start()
        async with Caller(server.url) as caller, contextlib.AsyncExitStack() as stack:
            model, wires = "box/silent-after-2", {}
            for name, door in DOORS.items():
                wires[name] = await stack.enter_async_context(
                    await door.open(caller, await caller.chat(), "Hi", model=model)
                )
            for name, wire in wires.items():
                await until_said(wire, "1 ", DOORS[name])
            content = marked()
            siblings = {
                name: asyncio.ensure_future(door.ask(caller, await caller.chat(), content, model=model))
                for name, door in DOORS.items()
                if door.whole is not None
            }
            await asked(upstream, content, len(siblings))

            server.signal(signal.SIGTERM)

            for name, wire in wires.items():
                events = said_in(await wire.rest())
                assert DOORS[name].pieces(events) == "0 1 "
                assert error_fields(DOORS[name], events[-1])[0] == "interrupted"
                assert (events[-1]["retryable"], events[-1]["run_id"]) == (True, wire.headers["headrace-run"])
            for name, asking in siblings.items():
                reply = await asking
                assert (reply.status_code, error_fields(DOORS[name], reply.json())[0]) == (503, "interrupted")
                assert int(reply.headers["retry-after"]) > 0
            assert await server.ended() == 0


async def test_while_the_server_drains_every_door_refuses_in_its_own_words(
    tmp_path: Path, upstream: FakeUpstream
) -> None:
    settings = config(box=upstream.base_url, server={"drain_s": 30})
    async with Running(tmp_path, settings).doomed() as server:
        await server.start()
        async with (
            Caller(server.url) as caller,
            await DOORS["relay.generate"].open(caller, 1, "Hi", model="box/silent") as wire,
        ):
            chats = (await caller.get("/chats"))["chats"]
            server.signal(signal.SIGTERM)
            await server.logged("server.draining")
            for door in DOORS.values():
                body = door.body(1, "Hi")
                if door.name == "relay.chat":
                    del body["session_id"]

                reply = await caller.http.post(server.url + door.path(1), json=body)

                assert (reply.status_code, error_fields(door, reply.json())[0]) == (503, "shutting_down")
                assert reply.json()["retryable"] is True
                assert int(reply.headers["retry-after"]) > 0
            assert (await caller.get("/chats"))["chats"] == chats
            await caller.stop(wire.headers["headrace-run"])


@pytest.mark.crash
async def test_after_a_crash_every_doors_words_tell_of_it(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with Running(tmp_path, config(box=upstream.base_url)).doomed() as server:
        await server.start()
        seen = {}
        async with Caller(server.url) as caller:
            for name, door in DOORS.items():
                wire = await door.open(caller, await caller.chat(), "Hi", model="box/silent-after-2")
                await until_said(wire, "1 ", door)
                seen[name] = wire
            await server.kill()
        for wire in seen.values():
            wire.close()

        await server.start()
        async with Caller(server.url) as caller:
            for name, door in DOORS.items():
                run_id, before = seen[name].headers["headrace-run"], seen[name].body
                again = await caller.body(run_id, f"?format={door.format}")
                events = said_in(again)

                assert again.startswith(before), "what was shown is there, byte for byte"
                assert door.pieces(events) == text_of(await caller.frames(run_id)) == "0 1 "
                assert error_fields(door, events[-1])[0] == "interrupted"
                assert json.loads(again.rpartition(b"data: ")[2])["run_id"] == run_id
