"""Chats from elsewhere: stored whole, once, and like any other from then on."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from contract.store_world import KINDS, MARY, NOW, opened, say, told
from headrace.core.errors import BadRequest, Conflict
from headrace.core.messages import ReasoningPart, TextPart
from headrace.core.principal import LOCAL
from headrace.formats.exported import Chat, Message
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


def message(parent: int | None, role: Any, text: str, **more: Any) -> Message:
    return Message(parent=parent, role=role, parts=(TextPart(text),), **more)


BRANCHED = Chat(
    source_id="elsewhere:1",
    title="A  Mill",
    messages=(
        message(None, "user", "What is a mill?", created_at=100),
        message(0, "assistant", "A building.", model="m1", created_at=110),
        Message(parent=0, role="assistant", parts=(ReasoningPart("hm"), TextPart("A house.")), model="m2"),
        message(1, "user", "And a race?", created_at=130),
    ),
    leaf=3,
    system_prompt="Be brief.",
    created_at=90,
    updated_at=140,
)


async def test_a_chat_is_stored_with_its_branches_times_and_models(store: Store) -> None:
    chat_id = await store.imports.add(LOCAL, BRANCHED, now_ms=NOW)
    assert chat_id is not None
    tree = await store.messages.tree(LOCAL, chat_id)
    chat, messages = tree.chat, tree.messages
    assert (chat.title, chat.system_prompt, chat.created_at, chat.updated_at) == ("A  Mill", "Be brief.", 90, 140)
    first = messages[0].id
    assert [one.parent_id for one in messages] == [None, first, first, first + 1]
    assert chat.leaf_id == messages[3].id
    assert [one.model for one in messages] == [None, "m1", "m2", None]
    assert [one.created_at for one in messages] == [100, 110, 90, 130]
    assert messages[2].parts == (ReasoningPart("hm"), TextPart("A house."))
    assert {one.status for one in messages} == {"complete"}
    assert [one.author_id for one in messages] == [1, None, None, 1]
    assert [one.runs for one in messages] == [()] * 4


async def test_a_chat_is_stored_once_for_each_user(store: Store) -> None:
    first = await store.imports.add(LOCAL, BRANCHED, now_ms=NOW)
    assert await store.imports.add(LOCAL, BRANCHED, now_ms=NOW) is None
    marys = await store.imports.add(MARY, BRANCHED, now_ms=NOW)
    assert marys not in {first, None}
    assert [chat.id for chat in (await store.chats.list(MARY)).items] == [marys]
    assert first is not None
    await store.chats.delete(LOCAL, first)
    assert await store.imports.add(LOCAL, BRANCHED, now_ms=NOW) is not None


async def test_a_chat_is_found_and_listed_by_when_it_was(store: Store) -> None:
    older = Chat(source_id="elsewhere:2", title="Older", messages=(), leaf=None, created_at=5)
    await store.imports.add(LOCAL, BRANCHED, now_ms=NOW)
    await store.imports.add(LOCAL, older, now_ms=NOW)
    assert [chat.title for chat in (await store.chats.list(LOCAL)).items][-2:] == ["A  Mill", "Older"]
    for query in ("mILL", "and a RACE", "building"):
        assert len((await store.chats.list(LOCAL, query=query)).items) == 1


async def test_what_has_no_time_has_its_chats_and_that_is_otherwise_now(store: Store) -> None:
    timeless = Chat(source_id="elsewhere:3", title=None, messages=(message(None, "user", "x"),), leaf=0)
    chat_id = await store.imports.add(LOCAL, timeless, now_ms=NOW)
    tree = await store.messages.tree(LOCAL, chat_id or 0)
    assert (tree.chat.created_at, tree.chat.updated_at, tree.messages[0].created_at) == (NOW, NOW, NOW)
    dated = Chat(source_id="elsewhere:4", title=None, messages=BRANCHED.messages, leaf=0)
    chat_id = await store.imports.add(LOCAL, dated, now_ms=NOW)
    chat = await store.chats.get(LOCAL, chat_id or 0)
    assert (chat.created_at, chat.updated_at) == (100, 130)


async def test_a_chat_goes_on_like_any_other(store: Store) -> None:
    chat_id = await store.imports.add(LOCAL, BRANCHED, now_ms=NOW)
    assert chat_id is not None
    turn = await say(store, "Go on.", chat_id=chat_id)
    assert told(turn.history) == [
        ("system", "Be brief."),
        ("user", "What is a mill?"),
        ("assistant", "A building."),
        ("user", "And a race?"),
        ("user", "Go on."),
    ]
    tree = await store.messages.tree(LOCAL, chat_id)
    again = await store.turns.regenerate(LOCAL, tree.messages[2].id, run_id="other", now_ms=NOW)
    assert again.user_message_id == tree.messages[0].id
    with pytest.raises(Conflict) as caught:
        await store.turns.resume(LOCAL, tree.messages[1].id, run_id="third", now_ms=NOW)
    assert caught.value.code == "not_continuable"


async def test_a_chat_that_cannot_be_stored_leaves_nothing(store: Store) -> None:
    broken = Chat(
        source_id="elsewhere:5",
        title=None,
        messages=(message(None, "user", "x"), message(0, "assistant", "\ud83d")),
        leaf=1,
    )
    with pytest.raises(BadRequest):
        await store.imports.add(LOCAL, broken, now_ms=NOW)
    assert len((await store.chats.list(LOCAL)).items) == 1


async def test_a_long_chat_is_stored(store: Store) -> None:
    many = tuple(message(number - 1 if number else None, "user", str(number)) for number in range(3000))
    chat_id = await store.imports.add(LOCAL, Chat(source_id="e:6", title=None, messages=many, leaf=2999), now_ms=NOW)
    assert len((await store.messages.tree(LOCAL, chat_id or 0)).messages) == 3000


async def test_a_user_is_found_by_name(store: Store) -> None:
    assert (await store.users.named("mary")).id == MARY.user_id
