import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contract.store_world import HUGE, KINDS, MARY, NOW, opened
from headrace.core.errors import Conflict, NotFound
from headrace.core.principal import LOCAL, Principal
from headrace.store.records import User
from headrace.store.store import Store

DAY = 20_000


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(request.param, tmp_path) as opened_store:
        yield opened_store


async def test_the_first_user_is_an_admin(store: Store) -> None:
    local = await store.users.get(LOCAL)
    assert (local.id, local.name, local.role, local.disabled_at) == (1, "local", "admin", None)


async def test_a_user_is_added(store: Store) -> None:
    ann = await store.users.add("ann", "member", NOW)
    assert ann == User(id=3, name="ann", role="member", created_at=NOW, disabled_at=None, has_passphrase=False)
    assert await store.users.named("ann") == ann


async def test_a_name_is_given_once(store: Store) -> None:
    with pytest.raises(Conflict) as caught:
        await store.users.add("mary", "admin", NOW)
    assert caught.value.code == "name_taken"
    assert (await store.users.get(MARY)).role == "member"


async def test_of_many_who_take_a_name_one_gets_it(store: Store) -> None:
    found = await asyncio.gather(*(store.users.add("ann", "member", NOW) for _ in range(20)), return_exceptions=True)
    assert [user.id for user in found if isinstance(user, User)] == [3]
    assert sum(isinstance(error, Conflict) for error in found) == 19


async def test_an_admin_sees_all_users_the_oldest_first(store: Store) -> None:
    assert [user.name for user in await store.users.list(LOCAL)] == ["local", "mary"]


@pytest.mark.parametrize("who", [MARY, Principal(2, "mary", role="admin", scopes=frozenset({"chat"}))])
async def test_others_see_themselves(store: Store, who: Principal) -> None:
    assert [user.name for user in await store.users.list(who)] == ["mary"]


async def test_a_role_is_changed(store: Store) -> None:
    changed = await store.users.change(MARY.user_id, now_ms=NOW, role="admin")
    assert changed.role == "admin"
    assert await store.users.get(MARY) == changed


async def test_a_change_of_nothing_returns_the_user(store: Store) -> None:
    assert await store.users.change(MARY.user_id, now_ms=NOW) == await store.users.get(MARY)


async def test_a_user_is_disabled_since_the_first_time(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, disabled=True)
    again = await store.users.change(MARY.user_id, now_ms=NOW + 1, disabled=True)
    assert again.disabled_at == NOW


async def test_a_user_is_enabled_again(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, disabled=True)
    enabled = await store.users.change(MARY.user_id, now_ms=NOW + 1, disabled=False)
    assert enabled.disabled_at is None


@pytest.mark.parametrize("user_id", [0, 99, HUGE])
async def test_who_is_not_there_is_not_changed(store: Store, user_id: int) -> None:
    with pytest.raises(NotFound):
        await store.users.change(user_id, now_ms=NOW, role="member")
    with pytest.raises(NotFound):
        await store.users.change(user_id, now_ms=NOW)


async def test_the_last_admin_stays_an_admin(store: Store) -> None:
    with pytest.raises(Conflict) as caught:
        await store.users.change(1, now_ms=NOW, role="member")
    assert caught.value.code == "last_admin"
    assert (await store.users.get(LOCAL)).role == "admin"


async def test_the_last_admin_is_not_disabled(store: Store) -> None:
    with pytest.raises(Conflict) as caught:
        await store.users.change(1, now_ms=NOW, role="admin", disabled=True)
    assert caught.value.code == "last_admin"
    assert (await store.users.get(LOCAL)).disabled_at is None


async def test_a_disabled_admin_does_not_count(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, role="admin", disabled=True)
    with pytest.raises(Conflict):
        await store.users.change(1, now_ms=NOW, role="member")


async def test_a_disabled_admin_may_be_demoted(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, role="admin", disabled=True)
    demoted = await store.users.change(MARY.user_id, now_ms=NOW, role="member")
    assert demoted.role == "member"


async def test_the_first_user_may_be_demoted_beside_another_admin(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, role="admin")
    assert (await store.users.change(1, now_ms=NOW, role="member")).role == "member"


async def test_of_two_admins_who_leave_at_once_one_stays(store: Store) -> None:
    await store.users.change(MARY.user_id, now_ms=NOW, role="admin")
    left = await asyncio.gather(
        store.users.change(1, now_ms=NOW, role="member"),
        store.users.change(2, now_ms=NOW, disabled=True),
        return_exceptions=True,
    )
    assert [type(each) for each in left] == [User, Conflict]


async def test_a_passphrase_is_kept_as_its_hash(store: Store) -> None:
    await store.users.set_passphrase(MARY.user_id, "$argon2id$...")
    mary = await store.users.get(MARY)
    assert mary.has_passphrase
    assert await store.users.passphrase("mary") == (mary, "$argon2id$...")


async def test_a_passphrase_is_taken_away(store: Store) -> None:
    await store.users.set_passphrase(MARY.user_id, "$argon2id$...")
    await store.users.set_passphrase(MARY.user_id, None)
    assert not (await store.users.get(MARY)).has_passphrase
    assert await store.users.passphrase("mary") is None


@pytest.mark.parametrize("name", ["mary", "nobody", ""])
async def test_who_has_no_passphrase_is_like_who_is_not_there(store: Store, name: str) -> None:
    assert await store.users.passphrase(name) is None


async def test_a_disabled_users_passphrase_says_so(store: Store) -> None:
    await store.users.set_passphrase(MARY.user_id, "$argon2id$...")
    await store.users.change(MARY.user_id, now_ms=NOW, disabled=True)
    found = await store.users.passphrase("mary")
    assert found is not None
    assert found[0].disabled_at == NOW


async def test_who_is_not_there_gets_no_passphrase(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.users.set_passphrase(99, "$argon2id$...")


async def test_what_is_spent_adds_up_by_user_and_day(store: Store) -> None:
    for user_id, day, tokens in ((1, DAY, 10), (1, DAY, 5), (2, DAY, 7), (1, DAY + 1, 3)):
        await store.users.spent(user_id, day, tokens)
    assert await store.users.spendings(DAY) == {1: 15, 2: 7}
    assert await store.users.spendings(DAY + 1) == {1: 3}
    assert await store.users.spendings(DAY + 2) == {}


async def test_what_is_spent_at_once_is_all_counted(store: Store) -> None:
    await asyncio.gather(*(store.users.spent(1, DAY, 1) for _ in range(50)))
    assert await store.users.spendings(DAY) == {1: 50}


@pytest.mark.parametrize("user_id", [0, 99, HUGE])
async def test_who_is_not_there_spends_nothing(store: Store, user_id: int) -> None:
    await store.users.spent(user_id, DAY, 1)
    assert await store.users.spendings(DAY) == {}


async def test_what_is_spent_survives_the_server(store: Store, tmp_path: Path) -> None:
    await store.users.spent(1, DAY, 10)
    await store.close()
    again = Store(tmp_path / "headrace.db")
    await again.open()
    assert await again.users.spendings(DAY) == {1: 10}
    await again.close()
