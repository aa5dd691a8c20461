"""Chats, and the runs in them."""

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, closed, marked

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
