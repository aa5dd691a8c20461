"""Every call of the store, made by a user on what is another's."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from contract.store_world import HUGE, KINDS, MARY, NOW, asked, digest, end, exchange, opened, say
from headrace.core.errors import BadField, NotFound
from headrace.core.messages import TextPart
from headrace.core.principal import LOCAL, Principal
from headrace.store import schema
from headrace.store.records import Chat, ChatChanges, TemplateChanges, Turn
from headrace.store.store import Store


class Its(NamedTuple):
    """What somebody has: the ids of a chat with a message that a run made, of a token, of a session, of a template."""

    chat: int
    message: int
    run: str
    token: int
    session: int
    template: int


Call = Callable[[Store, Principal, Its], Awaitable[Any]]
"""Takes a store, who calls, and what is named."""

NAMING: dict[str, Call] = {
    "chats.get": lambda s, who, its: s.chats.get(who, its.chat),
    "chats.update": lambda s, who, its: s.chats.update(who, its.chat, ChatChanges(title="x"), now_ms=NOW),
    "chats.delete": lambda s, who, its: s.chats.delete(who, its.chat),
    "messages.get": lambda s, who, its: s.messages.get(who, its.message),
    "messages.tree": lambda s, who, its: s.messages.tree(who, its.chat),
    "messages.path": lambda s, who, its: s.messages.path(who, its.message),
    "messages.delete": lambda s, who, its: s.messages.delete(who, its.message),
    "turns.begin": lambda s, who, its: s.turns.begin(who, its.chat, parts=(TextPart("x"),), **asked()),
    "turns.regenerate": lambda s, who, its: s.turns.regenerate(who, its.message, **asked()),
    "turns.resume": lambda s, who, its: s.turns.resume(who, its.message, **asked()),
    "runs.get": lambda s, who, its: s.runs.get(who, its.run),
    "templates.get": lambda s, who, its: s.templates.get(who, its.template),
    "templates.update": lambda s, who, its: s.templates.update(
        who, its.template, TemplateChanges(name="x"), now_ms=NOW
    ),
    "templates.delete": lambda s, who, its: s.templates.delete(who, its.template),
    "tokens.revoke": lambda s, who, its: s.tokens.revoke(who, its.token, NOW),
    "sessions.end": lambda s, who, its: s.sessions.end(who, its.session, NOW),
}
"""Every call that names what it is about."""

OWN = {
    "users.get",
    "users.list",
    "tokens.list",
    "chats.create",
    "chats.list",
    "runs.create",
    "runs.list",
    "runs.find_by_client_id",
    "templates.create",
    "templates.list",
    "imports.add",
}
"""Every call that is about the caller's own by itself."""

SERVERS = {
    "runs.finish",
    "runs.unfinished",
    "users.named",
    "users.add",
    "users.change",
    "users.set_passphrase",
    "users.passphrase",
    "users.spent",
    "users.spendings",
    "tokens.create",
    "tokens.find",
    "tokens.states",
    "tokens.used",
    "tokens.any_credential",
    "sessions.create",
    "sessions.find",
    "sessions.states",
    "sessions.end_all",
    "sessions.prune",
    "invitations.create",
    "invitations.find",
    "invitations.take",
    "invitations.list",
    "secrets.master",
}
"""The server's own calls: they take no principal."""


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


@pytest.fixture
async def turn(store: Store) -> Turn:
    """What belongs to the local user: a chat with an answer that could be continued."""
    await store.chats.update(LOCAL, 1, ChatChanges(title="Private mill"), now_ms=NOW)
    return await end(store, await say(store, "a mill", client_id="c", body_hash="h"), "a wheel", "stopped")


@pytest.fixture
async def its(store: Store, turn: Turn) -> Its:
    """All that belongs to the local user."""
    token = await store.tokens.create(LOCAL.user_id, "laptop", digest(), "hr_abcde", None, None, NOW)
    session = await store.sessions.create(LOCAL.user_id, digest(), NOW + 1, NOW)
    template = await store.templates.create(LOCAL, name="Mill", content="A mill of {{what}}", now_ms=NOW)
    return Its(turn.chat_id, turn.assistant_message_id, turn.run_id, token.id, session.id, template.id)


@pytest.fixture
async def marys(store: Store) -> Chat:
    return await store.chats.create(MARY, title="Mary's", now_ms=NOW)


async def everything(store: Store) -> list[Any]:
    """Return every row of every table."""
    tables = schema.metadata.sorted_tables
    return await store._database.read(lambda c: [tuple(row) for table in tables for row in c.execute(select(table))])


def test_the_matrix_has_every_call_of_the_store() -> None:
    calls = {
        f"{name}.{call}"
        for name, kind in vars(Store(Path("unused"))).items()
        if not name.startswith("_")
        for call, _ in inspect.getmembers(type(kind), inspect.iscoroutinefunction)
    }
    assert calls == {*NAMING, *OWN, *SERVERS}


@pytest.mark.parametrize("call", NAMING)
async def test_anothers_is_not_found_and_not_touched(store: Store, its: Its, call: str) -> None:
    before = await everything(store)
    with pytest.raises(NotFound) as caught:
        await NAMING[call](store, MARY, its)
    with pytest.raises(NotFound) as missing:
        await NAMING[call](store, MARY, Its(99, 99, "nowhere", 99, 99, 99))
    assert await everything(store) == before
    told, other = caught.value.message.split()[:-1], missing.value.message.split()[:-1]
    assert (told, caught.value.code, caught.value.details) == (other, missing.value.code, missing.value.details)


@pytest.mark.parametrize("call", NAMING)
async def test_the_owner_is_served(store: Store, its: Its, call: str) -> None:
    await NAMING[call](store, LOCAL, its)


@pytest.mark.parametrize("call", NAMING)
@pytest.mark.parametrize("number", [HUGE, -HUGE - 1, 10**30, 0, -1])
async def test_ids_that_no_row_can_have_are_not_found(store: Store, call: str, number: int) -> None:
    with pytest.raises(NotFound):
        await NAMING[call](store, LOCAL, Its(number, number, str(number), number, number, number))


@pytest.mark.parametrize("call", NAMING)
async def test_a_principal_that_no_row_can_have_finds_nothing(store: Store, its: Its, call: str) -> None:
    nobody = Principal(HUGE, "nobody", role="member")
    with pytest.raises(NotFound):
        await NAMING[call](store, nobody, its)


async def test_lists_and_queries_show_the_callers_own(store: Store, turn: Turn, marys: Chat) -> None:
    run = await store.runs.create(MARY, run_id="marys", now_ms=NOW)
    assert [chat.id for chat in (await store.chats.list(MARY)).items] == [marys.id]
    assert [chat.id for chat in (await store.chats.list(LOCAL)).items] == [turn.chat_id]
    for query in ("mill", "wheel", "Private", "%"):
        assert (await store.chats.list(MARY, query=query)).items == ()
    assert (await store.runs.list(MARY)).items == (run,)
    assert (await store.runs.list(MARY, statuses=["stopped"])).items == ()
    assert [each.id for each in (await store.runs.list(LOCAL)).items] == [turn.run_id]
    assert await store.runs.find_by_client_id(MARY, "c") is None


@pytest.mark.usefixtures("turn")
async def test_an_empty_change_of_anothers_template_shows_nothing(store: Store, its: Its) -> None:
    with pytest.raises(NotFound):
        await store.templates.update(MARY, its.template, TemplateChanges(), now_ms=NOW)


async def test_templates_are_listed_to_their_owner_alone(store: Store, its: Its) -> None:
    other = await store.templates.create(MARY, name="Mary's", content="x", now_ms=NOW)
    assert (await store.templates.list(MARY)).items == (other,)
    assert [each.id for each in (await store.templates.list(LOCAL)).items] == [its.template]


async def test_a_place_in_anothers_list_opens_nothing(store: Store, marys: Chat) -> None:
    await store.chats.create(LOCAL, now_ms=NOW * 2)
    first = await store.chats.list(LOCAL, limit=1)
    assert [chat.id for chat in (await store.chats.list(MARY, before=first.next)).items] == [marys.id]


async def test_a_turn_cannot_begin_below_anothers_message(store: Store, turn: Turn, marys: Chat) -> None:
    with pytest.raises(BadField) as caught:
        await say(store, chat_id=marys.id, parent_id=turn.assistant_message_id, principal=MARY)
    assert caught.value.field == "parent_id"


async def test_anothers_message_cannot_be_the_leaf(store: Store, turn: Turn, marys: Chat) -> None:
    with pytest.raises(BadField) as caught:
        await store.chats.update(MARY, marys.id, ChatChanges(leaf_id=turn.assistant_message_id), now_ms=NOW)
    assert caught.value.field == "leaf_id"


@pytest.mark.usefixtures("turn")
async def test_anothers_client_id_is_free(store: Store, marys: Chat) -> None:
    begun = await say(store, chat_id=marys.id, principal=MARY, client_id="c", body_hash="h")
    assert begun.created


async def test_all_that_a_user_makes_is_the_users(store: Store, marys: Chat) -> None:
    turn = await exchange(store, chat_id=marys.id, principal=MARY)
    tree = await store.messages.tree(MARY, marys.id)
    run = await store.runs.get(MARY, turn.run_id)
    assert {tree.chat.owner_id, run.owner_id, *(message.owner_id for message in tree.messages)} == {MARY.user_id}
    assert [message.author_id for message in tree.messages] == [MARY.user_id, None]
    assert (await store.users.get(MARY)).name == "mary"
    with pytest.raises(NotFound):
        await store.users.get(Principal(3, "nobody"))
