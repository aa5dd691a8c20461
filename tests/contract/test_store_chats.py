from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import HUGE, KINDS, NOW, end, exchange, opened, say
from headrace.core.errors import BadField, BadRequest, NotFound
from headrace.core.principal import LOCAL
from headrace.store.records import Chat, ChatChanges
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def titled(store: Store, *titles: str, now_ms: int = NOW * 2) -> list[Chat]:
    return [await store.chats.create(LOCAL, title=title, now_ms=now_ms) for title in titles]


async def found(store: Store, query: str) -> list[str | None]:
    return [chat.title for chat in (await store.chats.list(LOCAL, query=query)).items]


async def test_a_fresh_store_has_one_user_and_one_empty_chat_of_id_1(store: Store) -> None:
    user = await store.users.get(LOCAL)
    tree = await store.messages.tree(LOCAL, 1)
    assert (user.id, user.name, user.role) == (1, "local", "admin")
    assert (tree.chat.id, tree.chat.owner_id, tree.chat.title, tree.chat.parameters) == (1, 1, None, {})
    assert (tree.chat.leaf_id, tree.messages) == (None, ())
    assert [chat.id for chat in (await store.chats.list(LOCAL)).items] == [1]


async def test_a_chat_is_read_as_it_was_made(store: Store) -> None:
    made = await store.chats.create(
        LOCAL,
        title="Grüße ☃",
        model="box/a",
        system_prompt="Be brief.",
        parameters={"temperature": 0.5, "stop": ["\n", '"']},
        now_ms=NOW,
    )
    assert made == await store.chats.get(LOCAL, made.id)
    assert made == Chat(
        id=made.id,
        owner_id=1,
        title="Grüße ☃",
        model="box/a",
        system_prompt="Be brief.",
        parameters={"temperature": 0.5, "stop": ["\n", '"']},
        leaf_id=None,
        created_at=NOW,
        updated_at=NOW,
    )


async def test_ids_are_never_used_again(store: Store) -> None:
    (first,) = await titled(store, "first")
    await store.chats.delete(LOCAL, first.id)
    (second,) = await titled(store, "second")
    assert second.id > first.id


@pytest.mark.parametrize("chat_id", [7, 0, -1, HUGE, -HUGE - 1, 10**40])
async def test_a_chat_that_is_not_there_is_not_found(store: Store, chat_id: int) -> None:
    with pytest.raises(NotFound, match=f"There is no chat {chat_id}."):
        await store.chats.get(LOCAL, chat_id)


async def test_update_changes_what_is_given_and_nothing_else(store: Store) -> None:
    made = await store.chats.create(LOCAL, title="t", model="m", system_prompt="s", parameters={"a": 1}, now_ms=NOW)
    changed = await store.chats.update(LOCAL, made.id, ChatChanges(title=None, parameters={"b": 2}), now_ms=NOW + 5)
    assert (changed.title, changed.model, changed.system_prompt) == (None, "m", "s")
    assert (changed.parameters, changed.updated_at, changed.created_at) == ({"b": 2}, NOW + 5, NOW)
    assert changed == await store.chats.get(LOCAL, made.id)


async def test_an_update_of_nothing_changes_nothing(store: Store) -> None:
    before = await store.chats.get(LOCAL, 1)
    assert await store.chats.update(LOCAL, 1, ChatChanges(), now_ms=NOW * 2) == before


async def test_looking_at_another_branch_moves_the_leaf_but_not_the_chats_place(store: Store) -> None:
    turn = await exchange(store)
    changed = await store.chats.update(LOCAL, 1, ChatChanges(leaf_id=turn.user_message_id), now_ms=NOW * 2)
    assert (changed.leaf_id, changed.updated_at) == (turn.user_message_id, NOW)
    assert (await store.chats.update(LOCAL, 1, ChatChanges(leaf_id=None), now_ms=NOW * 2)).leaf_id is None


@pytest.mark.parametrize("leaf_id", [99, HUGE])
async def test_a_leaf_must_be_a_message_of_the_chat(store: Store, leaf_id: int) -> None:
    (other,) = await titled(store, "other")
    turn = await say(store, chat_id=other.id)
    for wrong in (leaf_id, turn.assistant_message_id):
        with pytest.raises(BadField) as caught:
            await store.chats.update(LOCAL, 1, ChatChanges(title="new", leaf_id=wrong), now_ms=NOW)
        assert caught.value.field == "leaf_id"
    assert (await store.chats.get(LOCAL, 1)).title is None


async def test_delete_removes_messages_and_runs_and_returns_the_runs(store: Store) -> None:
    first = await exchange(store)
    second = await end(store, await store.turns.regenerate(LOCAL, first.assistant_message_id, run_id="r2", now_ms=NOW))
    third = await say(store)
    (other,) = await titled(store, "other")
    kept = await say(store, chat_id=other.id)

    assert await store.chats.delete(LOCAL, 1) == (first.run_id, second.run_id, third.run_id)

    with pytest.raises(NotFound):
        await store.chats.get(LOCAL, 1)
    with pytest.raises(NotFound):
        await store.messages.get(LOCAL, first.assistant_message_id)
    assert [run.id for run in (await store.runs.list(LOCAL)).items] == [kept.run_id]
    assert len((await store.messages.tree(LOCAL, other.id)).messages) == 2


async def test_chats_are_listed_by_their_last_change(store: Store) -> None:
    one, two, three = [await store.chats.create(LOCAL, title=str(n), now_ms=NOW * 2 + n) for n in range(3)]
    await say(store, chat_id=one.id, now_ms=NOW * 2 + 10)
    await store.chats.update(LOCAL, two.id, ChatChanges(model="m"), now_ms=NOW * 2 + 20)
    listed = [chat.id for chat in (await store.chats.list(LOCAL)).items]
    assert listed[:3] == [two.id, one.id, three.id]


async def test_pages_show_every_chat_once_even_where_times_are_equal(store: Store) -> None:
    made = await titled(store, *"abcdefg")
    seen: list[int] = []
    before = None
    for _ in range(4):
        page = await store.chats.list(LOCAL, limit=2, before=before)
        seen += [chat.id for chat in page.items]
        before = page.next
    assert before is None
    assert seen == [*(chat.id for chat in reversed(made)), 1]


async def test_a_chat_that_changes_between_two_pages_is_not_shown_twice(store: Store) -> None:
    made = await titled(store, *"abcd")
    first = await store.chats.list(LOCAL, limit=2)
    await store.chats.update(LOCAL, first.items[-1].id, ChatChanges(title="changed"), now_ms=NOW * 3)
    second = await store.chats.list(LOCAL, limit=2, before=first.next)
    assert [chat.id for chat in second.items] == [made[1].id, made[0].id]


@pytest.mark.parametrize("before", ["", "7", "a.b", "1.2.3", "1.-2", f"1.{10**18}", "1.٢", "' OR 1=1 --"])
async def test_a_place_that_no_page_gave_is_refused(store: Store, before: str) -> None:
    with pytest.raises(BadField) as caught:
        await store.chats.list(LOCAL, before=before)
    assert caught.value.field == "before"


@pytest.mark.parametrize("limit", [0, -1, 201, HUGE])
async def test_a_limit_out_of_bounds_is_refused(store: Store, limit: int) -> None:
    with pytest.raises(BadField) as caught:
        await store.chats.list(LOCAL, limit=limit)
    assert caught.value.field == "limit"


async def test_a_query_finds_titles_questions_and_answers(store: Store) -> None:
    (titled_chat,) = await titled(store, "The mill")
    asked, answered = await titled(store, "asked", "answered")
    await say(store, "How does a mill work?", chat_id=asked.id)
    await exchange(store, "And water?", "It drives the mill.", chat_id=answered.id)
    assert sorted(map(str, await found(store, "mill"))) == ["The mill", "answered", "asked"]
    await store.chats.update(LOCAL, titled_chat.id, ChatChanges(title="The weir"), now_ms=NOW)
    assert "The weir" not in await found(store, "mill")
    assert await found(store, "weir") == ["The weir"]


@pytest.mark.parametrize("query", ["ÄRGER", "ärger", "A\u0308rger", "Straße", "STRASSE", "привет", "ΣΊΣΥΦΟΣ"])
async def test_a_query_finds_whatever_the_case_and_composition(store: Store, query: str) -> None:
    await titled(store, "Ärger in der Straße, Привет Σίσυφος")
    assert len(await found(store, query)) == 1


@pytest.mark.parametrize("query", ["%", "_", "\\", "50%", "a_b", "a\\b", "%' OR '1'='1", '"', "\n"])
async def test_a_query_means_its_own_characters(store: Store, query: str) -> None:
    await titled(store, "plain", f"has {query} in it")
    assert await found(store, query) == [f"has {query} in it"]


@pytest.mark.parametrize("query", ["text", "type", "reasoning", "{", "null"])
async def test_a_query_does_not_find_how_messages_are_stored(store: Store, query: str) -> None:
    await exchange(store)
    assert await found(store, query) == []


async def test_an_empty_query_lists_all_and_a_huge_one_is_refused(store: Store) -> None:
    await titled(store, "one")
    assert len(await found(store, "")) == 2
    assert await found(store, "x" * 1000) == []
    with pytest.raises(BadField) as caught:
        await found(store, "x" * 1001)
    assert caught.value.field == "query"


async def test_sql_in_a_title_is_only_text(store: Store) -> None:
    hostile = "'); DROP TABLE chats; --"
    (made,) = await titled(store, hostile)
    await store.chats.update(LOCAL, made.id, ChatChanges(model=hostile), now_ms=NOW)
    assert await found(store, hostile) == [hostile]
    assert (await store.chats.get(LOCAL, made.id)).model == hostile


async def test_nul_is_kept_and_half_a_character_is_refused(store: Store) -> None:
    (made,) = await titled(store, "a\0b")
    assert (await store.chats.get(LOCAL, made.id)).title == "a\0b"
    assert await found(store, "ab") == ["a\0b"]
    for parameters in ({}, {"stop": "\ud800"}):
        with pytest.raises(BadRequest):
            await store.chats.create(LOCAL, title="x" if parameters else "\ud800", parameters=parameters, now_ms=NOW)
