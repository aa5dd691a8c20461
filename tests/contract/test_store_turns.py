import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import HUGE, KINDS, NOW, asked, end, exchange, opened, say, statements, told
from headrace.core.errors import BadField, BadRequest, Conflict, NotFound
from headrace.core.messages import Message, ReasoningPart, TextPart, text_of
from headrace.core.principal import LOCAL
from headrace.core.status import EndStatus
from headrace.store.records import ChatChanges, Outcome
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def text(store: Store, message_id: int) -> str:
    return text_of((await store.messages.get(LOCAL, message_id)).parts)


async def count(store: Store) -> tuple[int, int]:
    """Return how many messages and runs there are."""
    messages = (await store.messages.tree(LOCAL, 1)).messages
    return len(messages), len((await store.runs.list(LOCAL)).items)


async def test_begin_stores_question_answer_and_run_and_moves_the_leaf(store: Store) -> None:
    turn = await say(store, "Hello", run_id="r1", model="box/a", parameters={"seed": 1}, now_ms=NOW + 7)
    assert turn.user_message_id is not None
    question = await store.messages.get(LOCAL, turn.user_message_id)
    answer = await store.messages.get(LOCAL, turn.assistant_message_id)
    run = await store.runs.get(LOCAL, "r1")
    chat = await store.chats.get(LOCAL, 1)
    assert (turn.run_id, turn.chat_id, turn.created, turn.continues) == ("r1", 1, True, False)
    assert (question.parent_id, text_of(question.parts)) == (None, "Hello")
    assert (answer.parent_id, answer.role, answer.parts, answer.status) == (question.id, "assistant", (), "queued")
    assert (answer.author_id, answer.runs, answer.created_at) == (None, ("r1",), NOW + 7)
    assert (run.chat_id, run.user_message_id, run.message_id) == (1, question.id, answer.id)
    assert (run.status, run.model_requested, run.model) == ("queued", "box/a", None)
    assert (run.parameters, run.continues, run.created_at, run.ended_at) == ({"seed": 1}, False, NOW + 7, None)
    assert (chat.leaf_id, chat.updated_at) == (answer.id, NOW + 7)


async def test_the_history_has_the_system_prompt_the_branch_and_the_question(store: Store) -> None:
    await store.chats.update(LOCAL, 1, ChatChanges(system_prompt="Be brief."), now_ms=NOW)
    first = await exchange(store, "one", "first")
    await exchange(store, "aside", "unseen")
    turn = await say(store, "two", parent_id=first.assistant_message_id)
    assert told(turn.history) == [("system", "Be brief."), ("user", "one"), ("assistant", "first"), ("user", "two")]


async def test_the_history_leaves_out_answers_of_which_nothing_was_made(store: Store) -> None:
    await end(store, await say(store, "one"), "", "failed")
    turn = await say(store, "two")
    assert told(turn.history) == [("user", "one"), ("user", "two")]


async def test_without_a_parent_the_turn_goes_on_at_the_leaf_and_none_begins_anew(store: Store) -> None:
    first = await exchange(store, "one")
    follows = await exchange(store, "two")
    anew = await say(store, "three", parent_id=None)
    assert follows.user_message_id is not None
    assert anew.user_message_id is not None
    assert (await store.messages.get(LOCAL, follows.user_message_id)).parent_id == first.assistant_message_id
    assert (await store.messages.get(LOCAL, anew.user_message_id)).parent_id is None
    assert told(anew.history) == [("user", "three")]


async def test_model_and_parameters_are_the_turns_over_the_chats(store: Store) -> None:
    chat = await store.chats.create(LOCAL, model="box/a", parameters={"seed": 1, "top_p": 0.5}, now_ms=NOW)
    plain = await exchange(store, chat_id=chat.id)
    named = await exchange(store, chat_id=chat.id, model="box/b", parameters={"seed": 2})
    nowhere = await exchange(store, chat_id=1)
    assert (plain.model, plain.parameters) == ("box/a", {"seed": 1, "top_p": 0.5})
    assert (named.model, named.parameters) == ("box/b", {"seed": 2, "top_p": 0.5})
    assert (nowhere.model, nowhere.parameters) == (None, {})
    assert (await store.runs.get(LOCAL, nowhere.run_id)).model_requested == "auto"


@pytest.mark.parametrize("chat_id", [7, HUGE])
async def test_a_turn_in_no_chat_is_not_found(store: Store, chat_id: int) -> None:
    with pytest.raises(NotFound, match=f"There is no chat {chat_id}."):
        await say(store, chat_id=chat_id)


async def test_a_parent_outside_the_chat_is_refused(store: Store) -> None:
    other = await store.chats.create(LOCAL, now_ms=NOW)
    elsewhere = await exchange(store, chat_id=other.id)
    for parent_id in (elsewhere.assistant_message_id, 99, HUGE):
        with pytest.raises(BadField) as caught:
            await say(store, parent_id=parent_id)
        assert caught.value.field == "parent_id"
    assert await count(store) == (0, 1)


async def test_an_answer_in_the_making_cannot_be_answered(store: Store) -> None:
    turn = await say(store)
    with pytest.raises(Conflict) as caught:
        await say(store)
    assert (caught.value.code, caught.value.details) == ("chat_busy", {"run_id": turn.run_id})
    assert await count(store) == (2, 1)
    await end(store, turn)
    await say(store)


async def test_an_answer_in_the_making_higher_up_is_not_told_to_a_model_either(store: Store) -> None:
    first = await end(store, await say(store), "cut", "stopped")
    await exchange(store)
    resumed = await store.turns.resume(LOCAL, first.assistant_message_id, **asked())
    with pytest.raises(Conflict) as caught:
        await say(store)
    assert (caught.value.code, caught.value.details) == ("chat_busy", {"run_id": resumed.run_id})


async def test_another_branch_may_be_taken_while_an_answer_is_made(store: Store) -> None:
    first = await exchange(store)
    await say(store, "two")
    edited = await say(store, "two, edited", parent_id=first.assistant_message_id)
    assert told(edited.history)[-1] == ("user", "two, edited")


async def test_the_same_client_id_and_body_is_the_same_turn(store: Store) -> None:
    first = await say(store, client_id="c", body_hash="h", model="m", parameters={"a": 1}, run_id="r1")
    again = await say(store, client_id="c", body_hash="h", run_id="r2")
    assert (again.created, again.history) == (False, ())
    assert (again.run_id, again.chat_id) == ("r1", 1)
    assert (again.user_message_id, again.assistant_message_id) == (first.user_message_id, first.assistant_message_id)
    assert (again.model, again.parameters) == ("m", {"a": 1})
    assert await count(store) == (2, 1)


async def test_the_same_client_id_with_another_body_or_chat_is_a_conflict(store: Store) -> None:
    other = await store.chats.create(LOCAL, now_ms=NOW)
    await exchange(store, client_id="c", body_hash="h")
    for chat_id, body_hash in ((1, "other"), (1, None), (other.id, "h")):
        with pytest.raises(Conflict) as caught:
            await say(store, chat_id=chat_id, client_id="c", body_hash=body_hash)
        assert caught.value.code == "client_id_reused"
    with pytest.raises(Conflict, match="client_id c"):
        await store.runs.create(LOCAL, run_id="r2", now_ms=NOW, client_id="c", body_hash="h")
    assert await count(store) == (2, 1)


async def test_turns_begun_at_once_under_one_client_id_are_one_run(store: Store) -> None:
    turns = await asyncio.gather(*(say(store, client_id="c", body_hash="h") for _ in range(3)))
    assert sorted(turn.created for turn in turns) == [False, False, True]
    assert len({turn.run_id for turn in turns}) == 1
    assert await count(store) == (2, 1)


async def test_turns_begun_at_once_at_one_leaf_follow_one_another_or_are_busy(store: Store) -> None:
    done = await asyncio.gather(*(say(store) for _ in range(5)), return_exceptions=True)
    refused = [each for each in done if isinstance(each, Conflict)]
    assert len(refused) == 4
    assert await count(store) == (2, 1)


async def test_regenerating_an_answer_makes_a_sibling_that_is_told_the_same(store: Store) -> None:
    await exchange(store, "one", "first")
    second = await exchange(store, "two", "second")
    again = await store.turns.regenerate(LOCAL, second.assistant_message_id, **asked(model="box/b"))
    sibling = await store.messages.get(LOCAL, again.assistant_message_id)
    assert told(again.history) == [("user", "one"), ("assistant", "first"), ("user", "two")]
    assert (sibling.parent_id, sibling.status) == (second.user_message_id, "queued")
    assert (again.user_message_id, again.model, again.created) == (second.user_message_id, "box/b", True)
    assert (await store.chats.get(LOCAL, 1)).leaf_id == sibling.id
    assert await text(store, second.assistant_message_id) == "second"


async def test_regenerating_at_a_users_message_answers_it(store: Store) -> None:
    first = await exchange(store, "one")
    assert first.user_message_id is not None
    await store.messages.delete(LOCAL, first.assistant_message_id)
    again = await store.turns.regenerate(LOCAL, first.user_message_id, **asked())
    assert told(again.history) == [("user", "one")]
    assert (await store.messages.get(LOCAL, again.assistant_message_id)).parent_id == first.user_message_id


async def test_regenerating_waits_for_the_answer_and_for_its_siblings(store: Store) -> None:
    first = await exchange(store)
    second = await store.turns.regenerate(LOCAL, first.assistant_message_id, **asked())
    assert first.user_message_id is not None
    for message_id in (first.assistant_message_id, second.assistant_message_id, first.user_message_id):
        with pytest.raises(Conflict) as caught:
            await store.turns.regenerate(LOCAL, message_id, **asked())
        assert (caught.value.code, caught.value.details) == ("chat_busy", {"run_id": second.run_id})
    await end(store, second)
    await store.turns.regenerate(LOCAL, second.assistant_message_id, **asked())


async def test_regenerating_and_resuming_know_their_client_ids(store: Store) -> None:
    first = await end(store, await say(store), "cut", "stopped")
    for call in (store.turns.regenerate, store.turns.resume):
        name = call.__name__
        begun = await end(store, await call(LOCAL, first.assistant_message_id, **asked(client_id=name, body_hash="h")))
        again = await call(LOCAL, first.assistant_message_id, **asked(client_id=name, body_hash="h"))
        assert (again.run_id, again.created, again.history) == (begun.run_id, False, ())
        assert again.assistant_message_id == begun.assistant_message_id
        with pytest.raises(Conflict) as caught:
            await call(LOCAL, first.assistant_message_id, **asked(client_id=name, body_hash="other"))
        assert caught.value.code == "client_id_reused"


@pytest.mark.parametrize(
    ("status", "reason"),
    [("stopped", None), ("failed", None), ("interrupted", None), ("complete", "length")],
)
async def test_resuming_grows_the_same_message(store: Store, status: EndStatus, reason: str | None) -> None:
    first = await end(store, await say(store, "Count"), "one, ", status, finish_reason=reason, model="box/a")
    turn = await store.turns.resume(LOCAL, first.assistant_message_id, **asked(now_ms=NOW + 5))
    growing = await store.messages.get(LOCAL, first.assistant_message_id)
    assert (turn.assistant_message_id, turn.user_message_id) == (first.assistant_message_id, first.user_message_id)
    assert (turn.created, turn.continues, turn.model) == (True, True, "box/a")
    assert told(turn.history) == [("user", "Count"), ("assistant", "one, ")]
    assert (growing.status, growing.error, growing.finish_reason) == ("queued", None, None)
    assert (growing.parts, growing.runs) == ((TextPart("one, "),), (first.run_id, turn.run_id))
    assert (await store.runs.get(LOCAL, turn.run_id)).continues is True

    await end(store, turn, "two", finish_reason="stop")
    grown = await store.messages.get(LOCAL, first.assistant_message_id)
    assert (grown.parts, grown.status, grown.finish_reason) == ((TextPart("one, two"),), "complete", "stop")


async def test_resuming_tells_the_text_so_far_and_no_thoughts(store: Store) -> None:
    first = await say(store, "Why?")
    parts = (ReasoningPart("hm"), TextPart("Because "))
    await store.runs.finish(first.run_id, Outcome(status="stopped", parts=parts, ended_at=NOW))
    turn = await store.turns.resume(LOCAL, first.assistant_message_id, **asked())
    assert turn.history[-1] == Message("assistant", (TextPart("Because "),))
    await end(store, turn, "so.")
    grown = await store.messages.get(LOCAL, first.assistant_message_id)
    assert grown.parts == (ReasoningPart("hm"), TextPart("Because so."))


async def test_resuming_an_answer_without_text_begins_it(store: Store) -> None:
    first = await end(store, await say(store, "Why?"), "", "interrupted")
    turn = await store.turns.resume(LOCAL, first.assistant_message_id, **asked(model="box/b"))
    assert (turn.continues, turn.model) == (False, "box/b")
    assert told(turn.history) == [("user", "Why?")]
    await end(store, turn, "So.")
    assert await text(store, first.assistant_message_id) == "So."


async def test_resuming_leaves_the_leaf_where_it_is(store: Store) -> None:
    first = await end(store, await say(store), "cut", "stopped")
    second = await exchange(store)
    await store.turns.resume(LOCAL, first.assistant_message_id, **asked())
    assert (await store.chats.get(LOCAL, 1)).leaf_id == second.assistant_message_id


@pytest.mark.parametrize("reason", ["stop", "content_filter", "tool_calls", None])
async def test_what_is_complete_cannot_be_resumed(store: Store, reason: str | None) -> None:
    turn = await end(store, await say(store), finish_reason=reason)
    assert turn.user_message_id is not None
    for message_id in (turn.assistant_message_id, turn.user_message_id):
        with pytest.raises(Conflict) as caught:
            await store.turns.resume(LOCAL, message_id, **asked())
        assert caught.value.code == "not_continuable"


async def test_what_is_being_made_cannot_be_resumed(store: Store) -> None:
    turn = await say(store)
    with pytest.raises(Conflict) as caught:
        await store.turns.resume(LOCAL, turn.assistant_message_id, **asked())
    assert (caught.value.code, caught.value.details) == ("chat_busy", {"run_id": turn.run_id})


@pytest.mark.parametrize("message_id", [7, HUGE])
async def test_regenerating_and_resuming_nothing_is_not_found(store: Store, message_id: int) -> None:
    for call in (store.turns.regenerate, store.turns.resume):
        with pytest.raises(NotFound, match=f"There is no message {message_id}."):
            await call(LOCAL, message_id, **asked())


async def test_a_turn_that_cannot_be_stored_leaves_nothing(store: Store) -> None:
    with pytest.raises(BadRequest):
        await say(store, parameters={"stop": "\ud800"})
    assert await count(store) == (0, 0)
    assert (await store.chats.get(LOCAL, 1)).leaf_id is None


async def test_a_turn_takes_few_statements(store: Store) -> None:
    await exchange(store)
    with statements() as sent:
        await say(store, client_id="c", body_hash="h")
    assert len(sent) <= 7
