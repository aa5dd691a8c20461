"""Messages: what a turn stores, and the tree that edits and further answers make."""

import json
from typing import Any

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, asked_for, closed, error_of, marked, text_in
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIVE = "0 1 2 3 4 "


def by_id(tree: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {message["id"]: message for message in tree["messages"]}


async def test_a_turn_stores_the_question_and_the_answer(caller: Caller) -> None:
    chat = await caller.chat()

    turn = await caller.answered(chat, "Count, please", model="box/text")

    tree = await caller.get(f"/chats/{chat}")
    question, answer = tree["messages"]
    assert (question["id"], answer["id"], tree["leaf_id"]) == (turn.question, turn.answer, turn.answer)
    assert (question["role"], question["author_id"], question["parent_id"]) == ("user", 1, None)
    assert question["parts"] == [{"type": "text", "text": "Count, please"}]
    assert (answer["role"], answer["author_id"], answer["parent_id"]) == ("assistant", None, turn.question)
    assert answer["parts"] == [{"type": "text", "text": FIVE}]
    assert (answer["status"], answer["seq"], answer["model"]) == ("complete", None, "box/text")
    assert (answer["runs"], answer["finish_reason"], answer["error"]) == ([turn.run_id], "stop", None)
    assert answer["usage"]["output_tokens"] == 5
    assert answer["timings"]["first_token_ms"] <= answer["timings"]["total_ms"]
    assert answer == await caller.message(turn.answer)


async def test_whoever_saw_the_end_finds_it_in_message_and_run(caller: Caller) -> None:
    chat = await caller.chat()
    for model, status in (("box/text", "complete"), ("box/status-500", "failed")):
        for _ in range(20):
            turn = await caller.answered(chat, model=model)
            message, run = await caller.message(turn.answer), await caller.get(f"/runs/{turn.run_id}")

            assert (message["status"], run["status"]) == (status, status)
            assert (message["seq"], run["ended_at"] is None) == (None, False)
            assert message["usage"] == run["usage"] is not None
            assert (message["error"] is not None) == (run["error"] is not None) == (status == "failed")


async def test_a_turn_goes_on_from_the_leaf_and_the_model_is_told_all_before(
    caller: Caller, upstream: FakeUpstream
) -> None:
    chat, words = await caller.chat(system_prompt="Be brief.", model="box/text"), marked()
    first = await caller.answered(chat, "One")

    second = await caller.answered(chat, words)

    tree = by_id(await caller.get(f"/chats/{chat}"))
    assert tree[second.question]["parent_id"] == first.answer
    (request,) = asked_for(upstream, words)
    assert [(each["role"], each["content"]) for each in request.body["messages"]] == [
        ("system", "Be brief."),
        ("user", "One"),
        ("assistant", FIVE),
        ("user", words),
    ]


async def test_parameters_of_the_chat_reach_the_model_under_those_of_the_turn(
    caller: Caller, upstream: FakeUpstream
) -> None:
    chat, words = await caller.chat(model="box/text", parameters={"temperature": 0.5, "top_p": 0.5}), marked()

    await caller.answered(chat, words, parameters={"temperature": 1.5, "stop": ["END"]})

    (request,) = asked_for(upstream, words)
    assert {"temperature": 1.5, "top_p": 0.5, "stop": ["END"]}.items() <= request.body.items()


async def test_pictures_reach_the_model(caller: Caller, upstream: FakeUpstream) -> None:
    chat, words = await caller.chat(), marked()
    parts = [{"type": "text", "text": words}, {"type": "image", "media_type": "image/png", "data": "iVBORw0KGgo="}]

    reply = await caller.http.post(f"/chats/{chat}/turns", json={"parts": parts, "model": "box/echo"})
    await caller.frames(reply.json()["run_id"])

    (request,) = [each for each in upstream.requests if words in json.dumps(each.body)]
    assert "data:image/png;base64,iVBORw0KGgo=" in json.dumps(request.body)
    assert (await caller.message(reply.json()["user_message_id"]))["parts"] == parts


@pytest.mark.parametrize("text", ["\x00 NUL", "\u2028 \u0085 lines", "\U0001f686 Zürich 日本語", "  spaces  \r\n"])
async def test_any_text_comes_back_as_it_was_sent(caller: Caller, text: str) -> None:
    chat = await caller.chat()

    turn = await caller.answered(chat, text, model="box/echo")

    assert text_in(await caller.message(turn.question)) == text
    assert text_in(await caller.message(turn.answer)) == text


async def test_a_message_in_the_making_and_the_events_after_its_seq_make_the_whole(caller: Caller) -> None:
    chat = await caller.chat()
    turn = await caller.turn(chat, model="script/live-scenic")
    seen: list[dict[str, Any]] = []
    async with await caller.follow(turn.run_id) as reader:
        for _ in range(12):
            for _ in range(15):
                await reader.frame()
            seen.append(await caller.message(turn.answer))
            (shown,) = [each for each in (await caller.get(f"/chats/{chat}"))["messages"] if each["id"] == turn.answer]
            seen.append(shown)
        whole = await reader.frames()

    made = [message for message in seen if message["status"] == "streaming"]
    assert len(made) > 10
    for message in made:
        rest = await caller.frames(turn.run_id, f"?after={message['seq']}")
        assert rest[0].id == message["seq"] + 1
        assert text_in(message) + text_of(rest) == text_of(whole)


async def test_a_message_has_its_run_and_its_phase_from_the_start(caller: Caller) -> None:
    chat = await caller.chat()
    turn = await caller.turn(chat, model="script/hang")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("run.started")

        message = await caller.message(turn.answer)

    assert (message["status"], message["parts"], message["seq"], message["runs"]) == ("reading", [], 0, [turn.run_id])
    await caller.stop(turn.run_id)


async def test_an_edited_question_is_a_sibling_with_its_own_answer(caller: Caller) -> None:
    chat = await caller.chat(model="box/echo")
    first = await caller.answered(chat, "One")
    old = await caller.answered(chat, "Two")

    new = await caller.answered(chat, "Two, edited", parent_id=first.answer)

    tree = await caller.get(f"/chats/{chat}")
    messages = by_id(tree)
    assert messages[old.question]["parent_id"] == messages[new.question]["parent_id"] == first.answer
    assert (text_in(messages[old.answer]), text_in(messages[new.answer])) == ("Two", "Two, edited")
    assert tree["leaf_id"] == new.answer


async def test_a_turn_with_no_parent_begins_anew(caller: Caller, upstream: FakeUpstream) -> None:
    chat, words = await caller.chat(model="box/text"), marked()
    await caller.answered(chat, "One")

    turn = await caller.answered(chat, words, parent_id=None)

    assert (await caller.message(turn.question))["parent_id"] is None
    (request,) = asked_for(upstream, words)
    assert len(request.body["messages"]) == 1


async def test_regenerating_an_answer_makes_a_sibling(caller: Caller) -> None:
    chat = await caller.chat(model="box/text")
    old = await caller.answered(chat)

    new = await caller.regenerate(old.answer, model="box/echo")
    await caller.frames(new.run_id)

    tree = await caller.get(f"/chats/{chat}")
    messages = by_id(tree)
    assert new.question == old.question
    assert messages[new.answer]["parent_id"] == messages[old.answer]["parent_id"] == old.question
    assert (text_in(messages[old.answer]), text_in(messages[new.answer])) == (FIVE, "Hello")
    assert tree["leaf_id"] == new.answer


async def test_a_question_can_be_answered_again(caller: Caller) -> None:
    chat = await caller.chat(model="box/text")
    old = await caller.answered(chat)

    new = await caller.regenerate(old.question)
    await caller.frames(new.run_id)

    assert (await caller.message(new.answer))["parent_id"] == old.question
    assert new.answer != old.answer


async def test_the_conversation_goes_on_where_the_leaf_is_put(caller: Caller) -> None:
    chat = await caller.chat(model="box/text")
    old = await caller.answered(chat, "Old")
    await caller.answered(chat, "New", parent_id=None)

    reply = await caller.http.patch(f"/chats/{chat}", json={"leaf_id": old.answer})
    turn = await caller.answered(chat, "More")

    assert reply.json()["leaf_id"] == old.answer
    assert (await caller.message(turn.question))["parent_id"] == old.answer


async def test_a_leaf_must_be_in_the_chat(caller: Caller) -> None:
    chat, other = await caller.chat(), await caller.chat(model="box/text")
    turn = await caller.answered(other)

    reply = await caller.http.patch(f"/chats/{chat}", json={"leaf_id": turn.answer})

    assert reply.status_code == 422
    assert error_of(reply)["details"]["field"] == "leaf_id"


async def test_a_parent_must_be_in_the_chat(caller: Caller) -> None:
    chat, other = await caller.chat(), await caller.chat(model="box/text")
    turn = await caller.answered(other)

    reply = await caller.http.post(f"/chats/{chat}/turns", json={"content": "Hi", "parent_id": turn.answer})

    assert reply.status_code == 422
    assert error_of(reply)["details"]["field"] == "parent_id"
    assert (await caller.get(f"/chats/{chat}"))["messages"] == []


async def test_a_deleted_message_takes_what_follows_it_and_the_leaf_moves_up(caller: Caller) -> None:
    chat = await caller.chat(model="box/text")
    first, second = await caller.answered(chat, "One"), await caller.answered(chat, "Two")

    reply = await caller.http.delete(f"/messages/{second.question}")

    tree = await caller.get(f"/chats/{chat}")
    assert reply.status_code == 204
    assert [message["id"] for message in tree["messages"]] == [first.question, first.answer]
    assert tree["leaf_id"] == first.answer
    assert (await caller.http.get(f"/messages/{second.answer}")).status_code == 404
    assert (await caller.http.get(f"/runs/{second.run_id}/events")).status_code == 404
    assert len(await caller.frames(first.run_id)) > 5


async def test_deleting_a_message_stops_the_run_that_makes_it(caller: Caller, upstream: FakeUpstream) -> None:
    chat, words = await caller.chat(), marked()
    turn = await caller.turn(chat, words, model="box/silent-after-2")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("text")

        assert (await caller.http.delete(f"/messages/{turn.answer}")).status_code == 204

        frames = await reader.frames()
    assert (frames[-1].event, frames[-1].data["by"]) == ("run.stopped", "deleted")
    await closed(upstream, await asked(upstream, words))
    assert [each["id"] for each in (await caller.get(f"/chats/{chat}"))["messages"]] == [turn.question]
