import pytest

from headrace.access.recognition import STALE_S
from headrace.core.errors import Unauthorized
from headrace.core.principal import LOCAL
from unit.access.conftest import House


async def test_a_token_is_known_and_afterwards_without_asking_the_store(house: House) -> None:
    secret = await house.token()
    assert house.access.cached(secret) is None
    principal = await house.access.known(secret)
    assert (principal.user_id, principal.role, principal.scopes, principal.credential) == (1, "admin", None, "token:1")
    assert house.access.cached(secret) == principal


@pytest.mark.parametrize(
    "secret", ["", "hr_", "x" * 46, "hr_" + "A" * 43, "hri_" + "A" * 43, "hr_' OR 1=1 --", "\ud800"]
)
async def test_what_is_no_credential_of_ours_is_nobody(house: House, secret: str) -> None:
    assert house.access.cached(secret) is None
    with pytest.raises(Unauthorized):
        await house.access.known(secret)


async def test_a_token_ends_when_it_should_also_where_it_was_known(house: House) -> None:
    secret = await house.token(expires_at=house.clock.now_ms() + 1000)
    await house.access.known(secret)
    house.clock.move(1.0)
    assert house.access.cached(secret) is None
    with pytest.raises(Unauthorized):
        await house.access.known(secret)


async def test_what_is_known_goes_stale_while_the_store_is_not_asked(house: House) -> None:
    secret = await house.token()
    await house.access.known(secret)
    house.clock.move(STALE_S + 1)
    assert house.access.cached(secret) is None


async def test_revoking_ends_what_is_watched_once(house: House) -> None:
    principal = await house.access.known(await house.token())
    ended: list[str] = []
    house.access.watch(principal, lambda: ended.append("a"))
    house.access.watch(principal, lambda: ended.append("b"))()
    await house.access.revoke_token(LOCAL, 1)
    await house.access._recognition.look()
    assert ended == ["a"]


async def test_a_change_by_another_process_is_noticed_by_looking(house: House) -> None:
    secret = await house.token()
    principal = await house.access.known(secret)
    ended: list[str] = []
    house.access.watch(principal, lambda: ended.append("a"))
    await house.store.tokens.revoke(LOCAL, 1, house.clock.now_ms())  # as the command does
    await house.access._recognition.look()
    assert (ended, house.access.cached(secret)) == (["a"], None)


async def test_a_disabled_user_is_nobody_and_what_it_reads_ends(house: House) -> None:
    ann = await house.access.add_user(LOCAL, "ann", "member")
    _, secret = await house.access.make_token(LOCAL, "hers", None, None, for_user=ann.id)
    principal = await house.access.known(secret)
    ended: list[str] = []
    house.access.watch(principal, lambda: ended.append("a"))
    await house.access.change_user(LOCAL, ann.id, role=None, disabled=True)
    assert ended == ["a"]
    with pytest.raises(Unauthorized):
        await house.access.known(secret)


async def test_a_lost_role_ends_what_needs_it_and_nothing_else(house: House) -> None:
    ann = await house.access.add_user(LOCAL, "ann", "admin")
    _, secret = await house.access.make_token(LOCAL, "hers", None, None, for_user=ann.id)
    principal = await house.access.known(secret)
    ended: list[str] = []
    house.access.watch(principal, lambda: ended.append("chat"))
    house.access.watch(principal, lambda: ended.append("admin"), scope="admin")
    await house.access.change_user(LOCAL, ann.id, role="member", disabled=None)
    assert ended == ["admin"]
    again = house.access.cached(secret)
    assert again is not None
    assert again.role == "member"


async def test_when_a_token_was_used_last_is_written_down_at_the_end(house: House) -> None:
    secret = await house.token()
    await house.access.open()
    await house.access.known(secret)
    await house.access.close()
    (token,) = await house.access.tokens(LOCAL)
    assert token.last_used_at == house.clock.now_ms()
