"""One stream for all that a browser looks at."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, error_of
from system.people import first_admin, invited
from system.running import Running, config
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

END_S = 15
_FRAME = re.compile(rb":[^\n]*\n|event: ([a-z.]+)\ndata: (\{[^\n]*\})\n\n")


@dataclass(frozen=True)
class Page:
    """An open stream, read from its start."""

    wire: Wire

    def told(self) -> list[dict[str, Any]]:
        """Return what has come so far."""
        whole = self.wire.body[: end + 2] if (end := self.wire.body.rfind(b"\n\n")) >= 0 else b""
        found, at = [], 0
        while at < len(whole):
            frame = _FRAME.match(whole, at)
            assert frame is not None, whole[at : at + 200]
            if frame[2] is not None:
                found.append(json.loads(frame[2]))
                assert found[-1]["type"] == frame[1].decode()
            at = frame.end()
        return found

    def of(self, run_id: str) -> list[dict[str, Any]]:
        """Return what has come of a run."""
        return [each for each in self.told() if each.get("run") == run_id]

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Read until there is one of this type with these fields, and return it."""
        async with asyncio.timeout(END_S):
            while True:
                for each in self.told():
                    if each["type"] == kind and each | fields == each:
                        return each
                assert not self.wire.ended, self.wire.body
                await self.wire.read()


@asynccontextmanager
async def page(caller: Caller, follow: str = "", headers: dict[str, str] | None = None) -> AsyncIterator[Page]:
    async with await Wire.open(f"{caller.url}/api/v1/events?follow={follow}", headers=headers) as wire:
        assert wire.status == 200, await wire.rest()
        yield Page(wire)


def native(each: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in each.items() if name not in {"run", "seq"}}


async def test_several_runs_come_through_one_stream_each_whole(caller: Caller) -> None:
    ended = await caller.answered(await caller.chat(), model="box/text")
    going = await caller.turn(await caller.chat(), model="box/text-r100-n20")
    async with page(caller, f"{ended.run_id},{going.run_id}:-1") as one:
        await one.until("run.finished", run=going.run_id)
        await one.until("run.finished", run=ended.run_id)

    for run_id in (ended.run_id, going.run_id):
        frames = await caller.frames(run_id)
        assert [native(each) for each in one.of(run_id)] == [frame.data for frame in frames]
        assert [each["seq"] for each in one.of(run_id)] == [frame.id for frame in frames]


async def test_a_run_goes_on_after_the_number_that_was_read(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="box/text")
    frames = await caller.frames(turn.run_id)
    for seq in range(len(frames)):
        async with page(caller, f"{turn.run_id}:{seq}") as one:
            await caller.chat()
            await one.until("chat.created")
            assert [each["seq"] for each in one.of(turn.run_id)] == list(range(seq + 1, len(frames)))


async def test_a_reader_who_is_behind_gets_all_text_in_fewer_pieces(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="script/tokens-r0-n20000")
    url = f"{caller.url}/api/v1/events?follow={turn.run_id}"
    async with await Wire.open(url, receive_buffer=4096) as wire:
        one = Page(wire)
        await one.until("run.finished", run=turn.run_id)

    text = "".join(each["delta"] for each in one.of(turn.run_id) if each["type"] == "text")
    whole = "".join(frame.data["delta"] for frame in await caller.frames(turn.run_id) if frame.event == "text")
    assert text == whole
    expected = 0
    for each in one.of(turn.run_id):
        assert each.get("from", each["seq"]) == expected
        expected = each["seq"] + 1


async def test_what_changes_is_told(caller: Caller) -> None:
    async with page(caller) as one:
        chat = await caller.chat()
        await one.until("chat.created", chat_id=chat)
        await caller.http.patch(f"/chats/{chat}", json={"title": "x"})
        await one.until("chat.changed", chat_id=chat)
        turn = await caller.answered(chat, model="box/text")
        about = {"run_id": turn.run_id, "chat_id": chat, "message_id": turn.answer}
        await one.until("run.created", **about)
        await one.until("run.ended", **about, status="complete")
        await caller.http.delete(f"/messages/{turn.answer}")
        await one.until("message.deleted", chat_id=chat, message_id=turn.answer)
        await caller.http.delete(f"/chats/{chat}")
        await one.until("chat.deleted", chat_id=chat)

        assert one.of(turn.run_id) == []


async def test_a_run_that_is_not_there_is_told_of_and_the_others_come(caller: Caller) -> None:
    turn = await caller.answered(await caller.chat(), model="box/text")
    async with page(caller, f"run_nothing,{turn.run_id}") as one:
        await one.until("run.gone", run_id="run_nothing")
        await one.until("run.finished", run=turn.run_id)


@pytest.mark.parametrize("follow", ["run:x", "a:1:2", "run:-2", "../x", ":1", "a b", ",".join(map(str, range(101)))])
async def test_what_is_no_list_of_runs_is_refused(caller: Caller, follow: str) -> None:
    reply = await caller.http.get("/events", params={"follow": follow})

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, "follow")


async def test_the_stream_ends_when_the_server_does(tmp_path: Path, upstream: FakeUpstream) -> None:
    async with Running(tmp_path, config(box=upstream.base_url)) as server, Caller(server.url) as caller:
        turn = await caller.turn(await caller.chat(), model="box/silent-after-2")
        async with page(caller, turn.run_id) as one:
            await one.until("text", run=turn.run_id)
            async with asyncio.timeout(END_S):
                await asyncio.gather(server.end(), one.wire.rest())
        assert one.of(turn.run_id)[-1]["type"] == "run.interrupted"


async def test_nobody_is_told_of_what_is_another_s(tmp_path: Path, scripts: Path) -> None:
    settings = config(scripts=scripts, server={"access": True, "drain_s": 0})
    async with Running(tmp_path, settings) as server, Caller(server.url) as caller:
        admin = await first_admin(server)
        ada = await invited(admin, "ada")
        caller.http.headers.update(ada.bearer)
        turn = await caller.turn(await caller.chat(), model="script/hang")
        async with page(caller, turn.run_id, headers=admin.bearer) as theirs:
            await theirs.until("run.gone", run_id=turn.run_id)
            await caller.chat()
            caller.http.headers.update(admin.bearer)
            await caller.chat(title="own")
            await theirs.until("chat.created")
            assert [each["type"] for each in theirs.told()] == ["run.gone", "chat.created"]


async def test_the_stream_is_cut_off_when_access_ends(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, config(scripts=scripts, server={"access": True, "drain_s": 0})) as server:
        admin = await first_admin(server)
        ada = await invited(admin, "ada")
        async with Caller(server.url) as caller, page(caller, headers=ada.bearer) as one:
            caller.http.headers.update(admin.bearer)
            reply = await caller.http.patch(f"/users/{ada.id}", json={"disabled": True})
            assert reply.status_code == 200, reply.text
            async with asyncio.timeout(END_S):
                await one.wire.cut_off()
