import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import KINDS, NOW, digest, opened
from headrace.store.records import Invitation
from headrace.store.store import Store


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def invite(store: Store, of: int = 1) -> Invitation:
    return await store.invitations.create(digest(of), "member", "ann", None, 1, NOW + 100, NOW)


async def test_an_invitation_is_stored_as_it_is_returned(store: Store) -> None:
    invitation = await invite(store)
    assert invitation == Invitation(
        id=1,
        user_id=None,
        name="ann",
        role="member",
        created_by=1,
        created_at=NOW,
        expires_at=NOW + 100,
        used_at=None,
    )
    assert await store.invitations.list() == (invitation,)


async def test_an_invitation_may_be_for_a_user_who_is_there(store: Store) -> None:
    invitation = await store.invitations.create(digest(), "admin", None, 1, None, NOW + 1, NOW)
    assert (invitation.user_id, invitation.name, invitation.created_by) == (1, None, None)


async def test_an_invitation_is_taken_once(store: Store) -> None:
    invitation = await invite(store)
    taken = await store.invitations.take(digest(), NOW + 1)
    assert taken is not None
    assert (taken.id, taken.used_at) == (invitation.id, NOW + 1)
    assert await store.invitations.take(digest(), NOW + 2) is None
    assert await store.invitations.list() == (taken,)


async def test_of_twenty_who_take_it_one_gets_it(store: Store) -> None:
    await invite(store)
    taken = await asyncio.gather(*(store.invitations.take(digest(), NOW + at) for at in range(20)))
    assert sum(each is not None for each in taken) == 1


async def test_of_two_processes_that_take_it_one_gets_it(store: Store, tmp_path: Path) -> None:
    await invite(store)
    other = Store(tmp_path / "headrace.db")
    await other.open()
    taken = await asyncio.gather(*(each.invitations.take(digest(), NOW) for each in (store, other) * 10))
    await other.close()
    assert sum(each is not None for each in taken) == 1


async def test_an_invitation_ends_at_its_time(store: Store) -> None:
    await invite(store)
    assert await store.invitations.take(digest(), NOW + 100) is None
    assert await store.invitations.take(digest(), NOW + 99) is not None


async def test_what_was_never_sent_is_not_taken(store: Store) -> None:
    invitation = await invite(store)
    assert await store.invitations.take(digest(2), NOW) is None
    assert await store.invitations.list() == (invitation,)
