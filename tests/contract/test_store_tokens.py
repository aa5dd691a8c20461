from collections.abc import AsyncIterator, Collection
from pathlib import Path

import pytest

from contract.store_world import HUGE, KINDS, MARY, NOW, digest, opened, statements
from headrace.core.errors import NotFound
from headrace.core.principal import LOCAL, Principal, Scope
from headrace.store.records import Known, Token
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def make(
    store: Store,
    of: int = 1,
    *,
    user_id: int = MARY.user_id,
    scopes: Collection[Scope] | None = None,
    expires_at: int | None = None,
) -> Token:
    return await store.tokens.create(user_id, "laptop", digest(of), "hr_abcde", scopes, expires_at, NOW)


async def found(store: Store, of: int = 1) -> Known:
    known = await store.tokens.find(digest(of))
    assert known is not None
    return known


async def test_a_token_is_stored_as_it_is_returned(store: Store) -> None:
    token = await make(store, scopes=["models", "chat"], expires_at=NOW + 1)
    assert token == Token(
        id=1,
        owner_id=MARY.user_id,
        name="laptop",
        hint="hr_abcde",
        scopes=("chat", "models"),
        created_at=NOW,
        expires_at=NOW + 1,
        last_used_at=None,
        revoked_at=None,
    )
    assert await store.tokens.list(MARY) == (token,)


async def test_no_scopes_are_not_all_scopes(store: Store) -> None:
    assert (await make(store, 1, scopes=frozenset())).scopes == ()
    assert (await make(store, 2, scopes=None)).scopes is None


@pytest.mark.parametrize("user_id", [0, 99, HUGE])
async def test_who_is_not_there_gets_no_token(store: Store, user_id: int) -> None:
    with pytest.raises(NotFound):
        await make(store, user_id=user_id)
    assert await store.tokens.find(digest()) is None


async def test_a_token_is_found_with_its_user_by_one_statement(store: Store) -> None:
    token = await make(store)
    await make(store, 2, user_id=1)
    with statements() as sent:
        known = await store.tokens.find(digest())
    assert known == Known(user=await store.users.get(MARY), token=token)
    assert len([statement for statement in sent if not statement.startswith("BEGIN")]) == 1


@pytest.mark.parametrize("unknown", [digest(2), digest()[:-1], b"", digest() + b"\0"])
async def test_a_digest_of_no_token_is_not_found(store: Store, unknown: bytes) -> None:
    await make(store)
    assert await store.tokens.find(unknown) is None


async def test_a_token_is_found_in_whatever_state(store: Store) -> None:
    token = await make(store, expires_at=NOW - 1)
    await store.tokens.revoke(MARY, token.id, NOW + 1)
    await store.users.change(MARY.user_id, now_ms=NOW + 2, disabled=True)
    known = await found(store)
    assert known.token is not None
    assert (known.token.expires_at, known.token.revoked_at, known.user.disabled_at) == (NOW - 1, NOW + 1, NOW + 2)


async def test_everybody_sees_their_own_tokens_and_an_admin_all(store: Store) -> None:
    first, second, third = await make(store, 1), await make(store, 2, user_id=1), await make(store, 3)
    assert await store.tokens.list(MARY) == (first, third)
    assert await store.tokens.list(LOCAL) == (first, second, third)


async def test_what_is_kept_to_a_scope_is_no_admin(store: Store) -> None:
    marys = await make(store)
    locals_own = await make(store, 2, user_id=1)
    kept = Principal(1, "local", role="admin", scopes=frozenset({"chat"}))
    assert await store.tokens.list(kept) == (locals_own,)
    with pytest.raises(NotFound):
        await store.tokens.revoke(kept, marys.id, NOW)
    assert (await found(store)).token == marys


async def test_an_admin_revokes_anybodys(store: Store) -> None:
    token = await make(store)
    await store.tokens.revoke(LOCAL, token.id, NOW + 1)
    assert [each.revoked_at for each in await store.tokens.list(MARY)] == [NOW + 1]


async def test_a_token_is_revoked_since_the_first_time(store: Store) -> None:
    token = await make(store)
    await store.tokens.revoke(MARY, token.id, NOW + 1)
    await store.tokens.revoke(MARY, token.id, NOW + 2)
    assert [each.revoked_at for each in await store.tokens.list(MARY)] == [NOW + 1]


async def test_an_admin_is_told_of_a_token_that_is_not_there(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.tokens.revoke(LOCAL, 99, NOW)


async def test_last_uses_are_written_and_do_not_go_back(store: Store) -> None:
    first, second, third = [await make(store, of) for of in (1, 2, 3)]
    await store.tokens.used({first.id: NOW + 5, second.id: NOW + 6, 99: NOW})
    await store.tokens.used({first.id: NOW + 4, second.id: NOW + 7})
    await store.tokens.used({})
    uses = {token.id: token.last_used_at for token in await store.tokens.list(MARY)}
    assert uses == {first.id: NOW + 5, second.id: NOW + 7, third.id: None}


async def test_the_states_of_many_tokens_are_one_statement(store: Store) -> None:
    tokens = [await make(store, of) for of in range(1, 6)]
    with statements() as sent:
        states = await store.tokens.states([*(token.id for token in tokens[1:]), 99, HUGE])
    mary = await store.users.get(MARY)
    assert states == {token.id: Known(user=mary, token=token) for token in tokens[1:]}
    assert len([statement for statement in sent if "FROM tokens" in statement]) == 1


async def test_the_states_of_no_tokens_are_none(store: Store) -> None:
    assert await store.tokens.states(()) == {}


async def test_at_first_there_is_no_credential(store: Store) -> None:
    await store.invitations.create(digest(), "admin", None, 1, None, NOW + 1, NOW)
    assert not await store.tokens.any_credential()


async def test_a_token_is_a_credential_also_when_it_is_revoked(store: Store) -> None:
    token = await make(store)
    assert await store.tokens.any_credential()
    await store.tokens.revoke(MARY, token.id, NOW)
    assert await store.tokens.any_credential()


async def test_a_session_is_a_credential(store: Store) -> None:
    await store.sessions.create(1, digest(), NOW + 1, NOW)
    assert await store.tokens.any_credential()


async def test_an_invitation_that_was_used_is_a_credential(store: Store) -> None:
    await store.invitations.create(digest(), "admin", None, 1, None, NOW + 1, NOW)
    await store.invitations.take(digest(), NOW)
    assert await store.tokens.any_credential()


async def test_a_passphrase_is_a_credential(store: Store) -> None:
    await store.users.set_passphrase(1, "$argon2id$...")
    assert await store.tokens.any_credential()
