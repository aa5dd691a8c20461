import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import HUGE, KINDS, MARY, NOW, digest, opened, statements
from headrace.core.errors import NotFound
from headrace.core.principal import LOCAL, Principal
from headrace.store.records import Known, Session
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def make(store: Store, of: int = 1, *, user_id: int = MARY.user_id, expires_at: int = NOW + 100) -> Session:
    return await store.sessions.create(user_id, digest(of), expires_at, NOW)


async def ended(store: Store, *sessions: Session) -> list[int | None]:
    """Return when each ended."""
    states = await store.sessions.states([session.id for session in sessions])
    found = [states[session.id].session for session in sessions]
    return [session.ended_at for session in found if session is not None]


async def test_a_session_is_found_with_its_user_by_one_statement(store: Store) -> None:
    session = await make(store)
    await make(store, 2, user_id=1)
    with statements() as sent:
        known = await store.sessions.find(digest())
    assert session == Session(id=1, user_id=MARY.user_id, created_at=NOW, expires_at=NOW + 100, ended_at=None)
    assert known == Known(user=await store.users.get(MARY), session=session)
    assert len([statement for statement in sent if not statement.startswith("BEGIN")]) == 1


async def test_a_digest_of_no_session_is_not_found(store: Store) -> None:
    await store.tokens.create(1, "laptop", digest(), "hr_abcde", None, None, NOW)
    assert await store.sessions.find(digest()) is None


@pytest.mark.parametrize("user_id", [0, 99, HUGE])
async def test_who_is_not_there_gets_no_session(store: Store, user_id: int) -> None:
    with pytest.raises(NotFound):
        await make(store, user_id=user_id)


async def test_a_session_ended_is_found_as_ended_since_the_first_time(store: Store) -> None:
    session = await make(store)
    await store.sessions.end(MARY, session.id, NOW + 1)
    await store.sessions.end(MARY, session.id, NOW + 2)
    known = await store.sessions.find(digest())
    assert known is not None
    assert known.session is not None
    assert known.session.ended_at == NOW + 1


async def test_an_admin_ends_anybodys(store: Store) -> None:
    session = await make(store)
    await store.sessions.end(LOCAL, session.id, NOW + 1)
    assert await ended(store, session) == [NOW + 1]


async def test_what_is_kept_to_a_scope_ends_its_own_only(store: Store) -> None:
    marys, own = await make(store), await make(store, 2, user_id=1)
    kept = Principal(1, "local", role="admin", scopes=frozenset({"chat"}))
    await store.sessions.end(kept, own.id, NOW + 1)
    with pytest.raises(NotFound):
        await store.sessions.end(kept, marys.id, NOW + 1)
    assert await ended(store, marys, own) == [None, NOW + 1]


async def test_all_sessions_of_a_user_end(store: Store) -> None:
    first, second, other = await make(store, 1), await make(store, 2), await make(store, 3, user_id=1)
    await store.sessions.end(MARY, first.id, NOW + 1)
    await store.sessions.end_all(MARY.user_id, NOW + 2)
    assert await ended(store, first, second, other) == [NOW + 1, NOW + 2, None]


async def test_all_sessions_of_a_user_end_but_one(store: Store) -> None:
    first, second = await make(store, 1), await make(store, 2)
    await store.sessions.end_all(MARY.user_id, NOW + 1, keep=second.id)
    assert await ended(store, first, second) == [NOW + 1, None]


async def test_the_states_of_many_sessions_are_one_statement(store: Store) -> None:
    sessions = [await make(store, of) for of in range(1, 6)]
    with statements() as sent:
        states = await store.sessions.states([*(session.id for session in sessions[1:]), 99, HUGE])
    mary = await store.users.get(MARY)
    assert states == {session.id: Known(user=mary, session=session) for session in sessions[1:]}
    assert len([statement for statement in sent if "FROM sessions" in statement]) == 1


async def test_the_states_of_no_sessions_are_none(store: Store) -> None:
    assert await store.sessions.states(set()) == {}


async def test_sessions_that_were_over_before_are_removed(store: Store) -> None:
    expired, left, open_yet = await make(store, 1, expires_at=NOW + 1), await make(store, 2), await make(store, 3)
    on_time = await make(store, 4, expires_at=NOW + 2)
    await store.sessions.end(MARY, left.id, NOW + 1)
    await store.sessions.prune(NOW + 2)
    states = await store.sessions.states([expired.id, left.id, open_yet.id, on_time.id])
    assert set(states) == {open_yet.id, on_time.id}


async def test_invitations_that_were_over_before_are_removed(store: Store) -> None:
    for of, expires_at in ((1, NOW + 1), (2, NOW + 100), (3, NOW + 100)):
        await store.invitations.create(digest(of), "member", None, None, None, expires_at, NOW)
    await store.invitations.take(digest(2), NOW + 1)
    await store.sessions.prune(NOW + 2)
    assert [invitation.id for invitation in await store.invitations.list()] == [3]


async def test_the_id_of_a_removed_session_is_not_given_again(store: Store) -> None:
    removed = await make(store, expires_at=NOW + 1)
    await store.sessions.prune(NOW + 2)
    assert (await make(store, 2)).id > removed.id


async def test_the_master_secret_is_made_once(store: Store, tmp_path: Path) -> None:
    secrets = set(await asyncio.gather(*(store.secrets.master() for _ in range(10))))
    await store.close()
    again = Store(tmp_path / "headrace.db")
    await again.open()
    secrets.add(await again.secrets.master())
    await again.close()
    assert [len(secret) for secret in secrets] == [32]


async def test_every_database_has_a_master_secret_of_its_own(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other.db")
    await other.open()
    assert await other.secrets.master() != await store.secrets.master()
    await other.close()
