import asyncio
from uuid import uuid4

import httpx
import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, asked_for, error_of, marked, text_in
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIMES = 20


async def post(caller: Caller, path: str, **body: object) -> httpx.Response:
    return await caller.http.post(path, json=body)


async def test_the_same_request_three_times_at_once_is_one_run(caller: Caller, upstream: FakeUpstream) -> None:
    for _ in range(TIMES):
        chat, content, client_id = await caller.chat(), marked(), str(uuid4())
        body = {"content": content, "model": "box/text", "client_id": client_id}

        replies = await asyncio.gather(*(post(caller, f"/chats/{chat}/turns", **body) for _ in range(3)))

        assert {reply.status_code for reply in replies} == {202}
        assert len({reply.text for reply in replies}) == 1
        run_id = replies[0].json()["run_id"]
        await caller.frames(run_id)
        assert len(asked_for(upstream, content)) == 1
        assert len((await caller.get(f"/chats/{chat}"))["messages"]) == 2


async def test_the_same_stream_three_times_at_once_is_one_run_with_three_readers(
    caller: Caller, upstream: FakeUpstream
) -> None:
    for _ in range(TIMES):
        chat, content, client_id = await caller.chat(), marked(), str(uuid4())

        async def read(chat: int = chat, content: str = content, client_id: str = client_id) -> Wire:
            async with await caller.stream(chat, content, model="box/text", client_id=client_id) as wire:
                await wire.rest()
            return wire

        wires = await asyncio.gather(*(read() for _ in range(3)))

        assert {wire.status for wire in wires} == {200}
        assert len({wire.headers["headrace-run"] for wire in wires}) == 1
        assert len({wire.body for wire in wires}) == 1
        assert len(asked_for(upstream, content)) == 1


async def test_a_stream_that_broke_is_asked_for_again_and_goes_on_after_its_last_event(caller: Caller) -> None:
    chat, client_id = await caller.chat(), str(uuid4())
    async with await caller.stream(chat, model="script/steady", client_id=client_id) as broken:
        last = (await broken.until("text")).id

    headers = {"Last-Event-ID": str(last)}
    async with await caller.stream(chat, headers=headers, model="script/steady", client_id=client_id) as again:
        frames = await again.frames()

    assert again.headers["headrace-run"] == broken.headers["headrace-run"]
    assert frames == (await caller.frames(broken.headers["headrace-run"]))[last + 1 :]


async def test_the_same_request_long_after_gives_the_run_that_ended(caller: Caller) -> None:
    chat, client_id = await caller.chat(), str(uuid4())
    turn = await caller.answered(chat, model="box/text", client_id=client_id)

    again = await caller.turn(chat, model="box/text", client_id=client_id)

    assert again == turn


@pytest.mark.parametrize(
    "other",
    [
        {"content": "Something else"},
        {"model": "box/echo"},
        {"parameters": {"temperature": 1.0}},
        {"parent_id": None},
    ],
)
async def test_the_same_client_id_with_another_body_is_refused(caller: Caller, other: dict[str, object]) -> None:
    chat = await caller.chat()
    body = {"content": "Hello", "model": "box/text", "client_id": str(uuid4())}
    first = await post(caller, f"/chats/{chat}/turns", **body)
    await caller.frames(first.json()["run_id"])

    reply = await post(caller, f"/chats/{chat}/turns", **{**body, **other})

    assert (reply.status_code, error_of(reply)["code"]) == (409, "client_id_reused")
    assert len((await caller.get(f"/chats/{chat}"))["messages"]) == 2


async def test_the_same_client_id_in_another_chat_or_for_another_act_is_refused(caller: Caller) -> None:
    chat, other, client_id = await caller.chat(), await caller.chat(), str(uuid4())
    turn = await caller.answered(chat, model="box/text", client_id=client_id)

    elsewhere = await post(caller, f"/chats/{other}/turns", content="Hello", model="box/text", client_id=client_id)
    regenerated = await post(caller, f"/messages/{turn.answer}/regenerate", model="box/text", client_id=client_id)

    for reply in (elsewhere, regenerated):
        assert (reply.status_code, error_of(reply)["code"]) == (409, "client_id_reused")


@pytest.mark.parametrize("act", ["regenerate", "continue"])
async def test_other_ways_to_start_a_run_can_be_repeated_as_well(caller: Caller, act: str) -> None:
    turn = await caller.turn(await caller.chat(), model="script/pause")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("text")
        await caller.stop(turn.run_id)
    body = {"model": "script/scenic", "client_id": str(uuid4())}

    replies = await asyncio.gather(*(post(caller, f"/messages/{turn.answer}/{act}", **body) for _ in range(3)))

    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.text for reply in replies}) == 1


async def test_a_turn_on_an_answer_in_the_making_is_refused_with_its_run(caller: Caller) -> None:
    chat = await caller.chat()
    busy = await caller.turn(chat, model="script/hang")

    below = await post(caller, f"/chats/{chat}/turns", content="More", model="box/text")
    beside = await post(caller, f"/messages/{busy.answer}/regenerate", model="box/text")

    for reply in (below, beside):
        error = error_of(reply)
        assert (reply.status_code, error["code"]) == (409, "chat_busy")
        assert error["details"]["run_id"] == busy.run_id
    assert len((await caller.get(f"/chats/{chat}"))["messages"]) == 2
    await caller.stop(busy.run_id)


async def test_another_branch_of_a_busy_chat_is_free(caller: Caller) -> None:
    chat = await caller.chat()
    busy = await caller.turn(chat, model="script/hang")

    turn = await caller.answered(chat, parent_id=None, model="box/text")

    assert (await caller.message(turn.answer))["status"] == "complete"
    await caller.stop(busy.run_id)


async def test_whoever_saw_the_end_may_go_on_at_once(caller: Caller) -> None:
    chat = await caller.chat(model="box/text-r0-n2")
    for _ in range(50):
        async with await caller.stream(chat) as wire:
            assert wire.status == 200, wire.status
            await wire.until("run.finished")


async def test_whoever_saw_the_end_of_a_long_answer_may_go_on_at_once(caller: Caller) -> None:
    chat = await caller.chat(model="script/tokens-r0-n20000")
    for _ in range(5):
        turn = await caller.turn(chat)
        async with await caller.follow(turn.run_id, "?after=20000") as reader:
            await reader.until("run.finished")
            # its message is still being put together
            await caller.stop((await caller.turn(chat, model="script/hang")).run_id)


async def test_whoever_stopped_a_run_may_go_on_at_once(caller: Caller) -> None:
    chat = await caller.chat(model="box/silent-after-1")
    for _ in range(20):
        turn = await caller.turn(chat)
        assert await caller.stop(turn.run_id) == "stopped"


async def test_a_caller_that_hangs_up_before_the_reply_has_started_a_whole_run(
    caller: Caller, upstream: FakeUpstream
) -> None:
    chat, content, client_id = await caller.chat(), marked(), str(uuid4())
    wire = await caller.stream(chat, content, model="box/text", client_id=client_id)
    wire.reset()
    await asked(upstream, content)

    turn = await caller.turn(chat, content, model="box/text", client_id=client_id)
    await caller.frames(turn.run_id)

    assert text_in(await caller.message(turn.answer)) == "0 1 2 3 4 "
    assert len(asked_for(upstream, content)) == 1
