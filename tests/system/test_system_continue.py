"""Answers that were cut, and how they go on."""

import pytest

from system.calls import Caller, error_of, text_in
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_continue_grows_the_same_message_to_the_whole(caller: Caller) -> None:
    chat = await caller.chat(model="script/pause")
    turn = await caller.turn(chat)
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("text")
        await reader.until("text")
        assert await caller.stop(turn.run_id) == "stopped"

    more = await caller.resume(turn.answer)
    frames = await caller.frames(more.run_id)

    message = await caller.message(turn.answer)
    assert (more.question, more.answer) == (turn.question, turn.answer)
    assert frames[0].data["continues"] is True
    assert text_of(frames) == "three four"
    assert message["parts"] == [{"type": "text", "text": "one two three four"}]
    assert message["runs"] == [turn.run_id, more.run_id]
    assert message["status"] == "complete"


async def test_while_it_is_continued_a_message_carries_what_was_made_before(caller: Caller) -> None:
    chat = await caller.chat(model="script/steady")
    turn = await caller.turn(chat)
    async with await caller.follow(turn.run_id) as reader:
        for _ in range(5):
            await reader.until("text")
        await caller.stop(turn.run_id)
    before = text_in(await caller.message(turn.answer))

    more = await caller.resume(turn.answer)
    async with await caller.follow(more.run_id) as reader:
        await reader.until("text")
        message = await caller.message(turn.answer)
        whole = await reader.frames()

    rest = [frame for frame in whole if frame.id > message["seq"]]
    assert message["status"] == "streaming"
    assert text_in(message).startswith(before)
    assert text_in(message) + text_of(rest) == "".join(f"{number} " for number in range(60))


async def test_an_answer_that_goes_on_cannot_be_continued(caller: Caller) -> None:
    chat = await caller.chat()
    turn = await caller.turn(chat, model="script/hang")

    reply = await caller.http.post(f"/messages/{turn.answer}/continue")

    error = error_of(reply)
    assert (reply.status_code, error["code"], error["details"]["run_id"]) == (409, "chat_busy", turn.run_id)
    await caller.stop(turn.run_id)


async def test_continue_right_after_stop_goes_on_with_the_model_that_answered(caller: Caller) -> None:
    chat = await caller.chat()
    for _ in range(20):
        turn = await caller.turn(chat, model="script/pause")
        async with await caller.follow(turn.run_id) as reader:
            await reader.until("text")
        await caller.stop(turn.run_id)
        more = await caller.resume(turn.answer)
        await caller.frames(more.run_id)

        message = await caller.message(turn.answer)
        assert (text_in(message), message["model"]) == ("one two three four", "script/pause")


async def test_an_answer_that_is_whole_cannot_be_continued(caller: Caller) -> None:
    chat = await caller.chat(model="script/scenic")
    turn = await caller.answered(chat)

    reply = await caller.http.post(f"/messages/{turn.answer}/continue")

    assert (reply.status_code, error_of(reply)["code"]) == (409, "not_continuable")


async def test_a_provider_that_cannot_continue_says_so_and_names_the_remedy(caller: Caller) -> None:
    chat = await caller.chat(model="box/eof-after-3")
    turn = await caller.answered(chat)

    reply = await caller.http.post(f"/messages/{turn.answer}/continue")

    error = error_of(reply)
    assert (reply.status_code, error["code"]) == (409, "continue_unsupported")
    assert "Regenerate" in error["message"]
    assert (await caller.message(turn.answer))["runs"] == [turn.run_id]
