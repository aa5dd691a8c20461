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


# Chats


async def test_a_fresh_database_has_one_empty_chat(caller: Caller) -> None:
    chat = await caller.get("/chats/1")

    assert (chat["id"], chat["owner_id"], chat["messages"], chat["leaf_id"]) == (1, 1, [], None)


async def test_a_new_chat_is_shown_as_it_was_made(caller: Caller) -> None:
    fields = {"title": "Trains", "model": "box/text", "system_prompt": "Be brief.", "parameters": {"temperature": 0.5}}

    reply = await caller.http.post("/chats", json=fields)

    assert reply.status_code == 201
    made = reply.json()
    assert fields.items() <= made.items()
    assert made["owner_id"] == 1
    assert await caller.get(f"/chats/{made['id']}") == {**made, "messages": []}


async def test_a_chat_needs_no_body(caller: Caller) -> None:
    reply = await caller.http.post("/chats")

    assert reply.status_code == 201
    assert reply.json()["title"] is None


async def test_chats_are_listed_in_pages_the_last_used_first(caller: Caller) -> None:
    word = marked("paging")
    ids = [await caller.chat(title=f"{word} {number}") for number in range(5)]
    await caller.http.patch(f"/chats/{ids[1]}", json={"title": f"{word} changed"})

    pages: list[list[int]] = []
    before: dict[str, str] = {}
    while True:
        page = await caller.get("/chats", params={"query": word, "limit": 2, **before})
        pages.append([chat["id"] for chat in page["chats"]])
        if page["next"] is None:
            break
        before = {"before": page["next"]}

    assert pages == [[ids[1], ids[4]], [ids[3], ids[2]], [ids[0]]]


async def test_chats_are_found_by_what_was_said_and_answered(caller: Caller) -> None:
    said, answered = marked("Ärger"), marked("reply")
    chat = await caller.chat()
    await caller.answered(chat, said, model="box/text")
    await caller.answered(chat, answered, model="box/echo")

    for words in (said.lower(), answered.upper()):
        found = await caller.get("/chats", params={"query": words})
        assert [each["id"] for each in found["chats"]] == [chat]


async def test_wildcards_in_a_query_mean_themselves(caller: Caller) -> None:
    word = marked("wild")
    await caller.chat(title=f"{word} 100x")
    percent = await caller.chat(title=f"{word} 100%")

    found = await caller.get("/chats", params={"query": f"{word} 100%"})

    assert [each["id"] for each in found["chats"]] == [percent]


async def test_a_patch_changes_what_is_given_and_null_clears(caller: Caller) -> None:
    chat = await caller.chat(title="Old", model="box/text", parameters={"top_p": 0.5})

    reply = await caller.http.patch(f"/chats/{chat}", json={"title": "New", "model": None})

    changed = await caller.get(f"/chats/{chat}")
    assert (changed["title"], changed["model"], changed["parameters"]) == ("New", None, {"top_p": 0.5})
    assert reply.json() == {key: value for key, value in changed.items() if key != "messages"}


async def test_a_deleted_chat_is_gone_with_its_messages_and_events(caller: Caller) -> None:
    chat = await caller.chat()
    turn = await caller.answered(chat, model="box/text")

    reply = await caller.http.delete(f"/chats/{chat}")

    assert (reply.status_code, reply.content) == (204, b"")
    for path in (f"/chats/{chat}", f"/messages/{turn.answer}", f"/runs/{turn.run_id}", f"/runs/{turn.run_id}/events"):
        assert (await caller.http.get(path)).status_code == 404, path


async def test_deleting_a_chat_stops_its_runs(caller: Caller, upstream: FakeUpstream) -> None:
    chat, words = await caller.chat(), marked()
    turn = await caller.turn(chat, words, model="box/silent-after-2")
    async with await caller.follow(turn.run_id) as reader:
        await reader.until("text")

        assert (await caller.http.delete(f"/chats/{chat}")).status_code == 204

        frames = await reader.frames()
    assert (frames[-1].event, frames[-1].data["by"]) == ("run.stopped", "deleted")
    await closed(upstream, await asked(upstream, words))


async def test_ids_of_deleted_chats_are_not_used_again(caller: Caller) -> None:
    chat = await caller.chat()
    await caller.http.delete(f"/chats/{chat}")

    assert await caller.chat() > chat


# Messages


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


# Continue


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


# Runs


async def test_runs_are_listed_newest_first_by_status_and_in_pages(caller: Caller) -> None:
    chat = await caller.chat()
    done = await caller.answered(chat, model="box/text")
    failed = await caller.answered(chat, model="box/status-500")
    live = await caller.turn(chat, model="script/hang")

    newest = await caller.get("/runs", params={"limit": 2})
    more = await caller.get("/runs", params={"limit": 1, "before": newest["next"]})
    going = await caller.get("/runs", params={"status": "queued,loading,reading,streaming"})
    ended = await caller.get("/runs", params={"status": "failed", "limit": 1})

    assert [run["id"] for run in newest["runs"]] == [live.run_id, failed.run_id]
    assert [run["id"] for run in more["runs"]] == [done.run_id]
    assert live.run_id in {run["id"] for run in going["runs"]}
    assert [run["id"] for run in ended["runs"]] == [failed.run_id]
    await caller.stop(live.run_id)
