from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from contract.store_world import HUGE, KINDS, NOW, asked, end, exchange, opened, say, statements
from headrace.core.errors import NotFound
from headrace.core.events import Timings, Usage
from headrace.core.messages import (
    ImagePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_of,
)
from headrace.core.principal import LOCAL
from headrace.store import schema
from headrace.store.records import ChatChanges, Failure, Message, Outcome
from headrace.store.store import Store

EVERY_PART: tuple[Part, ...] = (
    ReasoningPart("hm"),
    TextPart('quotes " \\ \u2028 and \U0001f600'),
    ImagePart("image/png", "aGk="),
    ToolCallPart("c1", "look", '{"a": 1}'),
    ToolResultPart("c1", "seen"),
)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def leaf(store: Store) -> int | None:
    return (await store.chats.get(LOCAL, 1)).leaf_id


async def test_a_message_is_read_as_its_run_made_it(store: Store) -> None:
    turn = await say(store)
    outcome = Outcome(
        status="failed",
        parts=EVERY_PART,
        ended_at=NOW + 9,
        model="box/a",
        usage=Usage(input_tokens=3, output_tokens=4),
        timings=Timings(total_ms=8),
        error=Failure("upstream_closed", "It hung up.", retryable=True),
        finish_reason=None,
    )
    await store.runs.finish(turn.run_id, outcome)
    assert await store.messages.get(LOCAL, turn.assistant_message_id) == Message(
        id=turn.assistant_message_id,
        owner_id=1,
        chat_id=1,
        parent_id=turn.user_message_id,
        author_id=None,
        role="assistant",
        parts=EVERY_PART,
        status="failed",
        model="box/a",
        usage=Usage(input_tokens=3, output_tokens=4),
        timings=Timings(total_ms=8),
        error=Failure("upstream_closed", "It hung up.", retryable=True),
        finish_reason=None,
        created_at=NOW,
        updated_at=NOW + 9,
        runs=(turn.run_id,),
    )


async def test_a_users_message_is_complete_and_has_its_author(store: Store) -> None:
    turn = await say(store, "Hello")
    assert turn.user_message_id is not None
    message = await store.messages.get(LOCAL, turn.user_message_id)
    assert (message.role, message.status, message.author_id, message.runs) == ("user", "complete", 1, ())
    assert (message.parent_id, message.parts) == (None, (TextPart("Hello"),))


@pytest.mark.parametrize("message_id", [7, 0, -1, HUGE, 10**40])
async def test_a_message_that_is_not_there_is_not_found(store: Store, message_id: int) -> None:
    with pytest.raises(NotFound, match=f"There is no message {message_id}."):
        await store.messages.get(LOCAL, message_id)
    with pytest.raises(NotFound, match=f"There is no message {message_id}."):
        await store.messages.path(LOCAL, message_id)
    with pytest.raises(NotFound, match=f"There is no message {message_id}."):
        await store.messages.delete(LOCAL, message_id)


async def test_the_tree_has_every_branch_in_order_with_the_runs_of_each_message(store: Store) -> None:
    first = await end(store, await say(store, "one"), "cut", "stopped")
    again = await end(store, await store.turns.resume(LOCAL, first.assistant_message_id, **asked()))
    edited = await say(store, "one, edited", parent_id=None)
    tree = await store.messages.tree(LOCAL, 1)
    assert tree.chat.leaf_id == edited.assistant_message_id
    assert [(m.id, m.parent_id, m.runs) for m in tree.messages] == [
        (first.user_message_id, None, ()),
        (first.assistant_message_id, first.user_message_id, (first.run_id, again.run_id)),
        (edited.user_message_id, None, ()),
        (edited.assistant_message_id, edited.user_message_id, (edited.run_id,)),
    ]


async def test_the_path_goes_from_the_root_to_the_message_and_past_no_other_branch(store: Store) -> None:
    first = await exchange(store, "one")
    await exchange(store, "aside")
    second = await exchange(store, "two", parent_id=first.assistant_message_id)
    path = await store.messages.path(LOCAL, second.assistant_message_id)
    assert [text_of(message.parts) for message in path] == ["one", "Hi", "two", "Hi"]
    assert [message.runs for message in path] == [(), (first.run_id,), (), (second.run_id,)]


async def test_delete_removes_what_follows_and_nothing_else(store: Store) -> None:
    first = await exchange(store, "one")
    second = await exchange(store, "two")
    third = await say(store, "three")
    aside = await exchange(store, "aside", parent_id=first.assistant_message_id)
    assert second.user_message_id is not None

    assert await store.messages.delete(LOCAL, second.user_message_id) == (second.run_id, third.run_id)

    left = [message.id for message in (await store.messages.tree(LOCAL, 1)).messages]
    assert left == [
        first.user_message_id,
        first.assistant_message_id,
        aside.user_message_id,
        aside.assistant_message_id,
    ]
    assert {run.id for run in (await store.runs.list(LOCAL)).items} == {first.run_id, aside.run_id}


async def test_deleting_another_branch_leaves_the_leaf(store: Store) -> None:
    first = await exchange(store, "one")
    second = await exchange(store, "edited", parent_id=None)
    await exchange(store, "edited again", parent_id=None)
    await store.chats.update(LOCAL, 1, ChatChanges(leaf_id=first.assistant_message_id), now_ms=NOW)
    assert second.user_message_id is not None
    await store.messages.delete(LOCAL, second.user_message_id)
    assert await leaf(store) == first.assistant_message_id


async def test_deleting_the_leafs_branch_shows_the_newest_branch_of_its_parent(store: Store) -> None:
    first = await exchange(store, "one")
    await exchange(store, "older", parent_id=first.assistant_message_id)
    newer = await exchange(store, "newer", parent_id=first.assistant_message_id)
    newer_end = await exchange(store, "newer still")
    newest = await exchange(store, "newest", parent_id=first.assistant_message_id)
    assert newest.user_message_id is not None
    await store.messages.delete(LOCAL, newest.user_message_id)
    assert await leaf(store) == newer_end.assistant_message_id
    assert newer.user_message_id is not None
    await store.messages.delete(LOCAL, newer_end.assistant_message_id)
    assert await leaf(store) == newer_end.user_message_id


async def test_deleting_the_only_branch_shows_its_parent_and_the_root_leaves_an_empty_chat(store: Store) -> None:
    first = await exchange(store, "one")
    second = await exchange(store, "two")
    assert first.user_message_id is not None
    assert second.user_message_id is not None
    await store.messages.delete(LOCAL, second.user_message_id)
    assert await leaf(store) == first.assistant_message_id
    await store.messages.delete(LOCAL, first.user_message_id)
    assert await leaf(store) is None


async def test_deleting_a_root_shows_the_newest_other_conversation_of_the_chat(store: Store) -> None:
    first = await exchange(store, "one")
    second = await exchange(store, "another", parent_id=None)
    assert second.user_message_id is not None
    await store.messages.delete(LOCAL, second.user_message_id)
    assert await leaf(store) == first.assistant_message_id


async def test_an_answer_that_is_deleted_while_it_is_made_ends_in_nothing(store: Store) -> None:
    turn = await say(store)
    assert await store.messages.delete(LOCAL, turn.assistant_message_id) == (turn.run_id,)
    assert await leaf(store) == turn.user_message_id
    late = Outcome(status="stopped", parts=(TextPart("late"),), ended_at=NOW)
    assert await store.runs.finish(turn.run_id, late) is False


@pytest.fixture
async def long_chat(store: Store) -> list[int]:
    """Ten thousand messages in one line; returns their ids."""
    ids = list(range(1, 10_001))
    rows = [
        {
            "id": n,
            "owner_id": 1,
            "chat_id": 1,
            "parent_id": n - 1 or None,
            "role": "user" if n % 2 else "assistant",
            "parts": (TextPart(str(n)),),
            "status": "complete",
            "created_at": NOW,
            "updated_at": NOW,
            "text_folded": str(n),
        }
        for n in ids
    ]

    await store._database.write(lambda connection: connection.execute(insert(schema.messages), rows).close())
    await store.chats.update(LOCAL, 1, ChatChanges(leaf_id=10_000), now_ms=NOW)
    return ids


async def test_ten_thousand_messages_take_as_few_statements_as_two(store: Store, long_chat: list[int]) -> None:
    with statements() as sent:
        tree = await store.messages.tree(LOCAL, 1)
    assert [message.id for message in tree.messages] == long_chat
    assert len(sent) <= 4
    with statements() as sent:
        path = await store.messages.path(LOCAL, 10_000)
    assert [message.id for message in path] == long_chat
    assert len(sent) <= 3
    with statements() as sent:
        turn = await say(store, "the last")
    assert [text_of(message.parts) for message in turn.history] == [*map(str, long_chat), "the last"]
    assert len(sent) <= 7


async def test_ten_thousand_messages_are_deleted_in_a_few_statements(store: Store, long_chat: list[int]) -> None:
    with statements() as sent:
        await store.messages.delete(LOCAL, 2)
    assert len(sent) <= 6
    assert await leaf(store) == long_chat[0]


async def test_a_chat_of_ten_thousand_messages_is_deleted_in_a_few_statements(
    store: Store, long_chat: list[int]
) -> None:
    with statements() as sent:
        await store.chats.delete(LOCAL, 1)
    assert len(sent) <= 3
    with pytest.raises(NotFound):
        await store.messages.get(LOCAL, long_chat[-1])
