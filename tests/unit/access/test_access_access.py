import asyncio

import pytest

from headrace.core.errors import BadField, Conflict, Forbidden, TooManyRequests, Unauthorized
from headrace.core.principal import LOCAL, Principal
from unit.access.conftest import House

MEMBER = Principal(2, "ann", role="member")
KEPT = Principal(1, "local", scopes=frozenset({"chat"}))
PASSPHRASE = "correct horse battery"


async def link(house: House) -> str:
    secret = await house.access.first_link()
    assert secret is not None
    return secret


async def test_the_first_link_signs_in_the_first_user_once(house: House) -> None:
    secret = await link(house)
    session, principal = await house.access.sign_in(secret)
    assert (principal.user_id, principal.role) == (1, "admin")
    assert (await house.access.known(session)).user_id == 1
    with pytest.raises(Unauthorized):
        await house.access.sign_in(secret)


async def test_one_of_twenty_who_open_a_link_at_once_gets_in(house: House) -> None:
    secret = await link(house)
    done = await asyncio.gather(*(house.access.sign_in(secret) for _ in range(20)), return_exceptions=True)
    assert sum(not isinstance(one, BaseException) for one in done) == 1


async def test_a_link_ends_after_an_hour(house: House) -> None:
    secret = await link(house)
    house.clock.move(3600)
    with pytest.raises(Unauthorized):
        await house.access.sign_in(secret)


async def test_there_is_no_first_link_once_somebody_was_let_in(house: House) -> None:
    await house.token()
    assert await house.access.first_link() is None


async def test_an_invitation_without_a_name_waits_for_one(house: House) -> None:
    _, secret = await house.access.invite(LOCAL, "member", None, house.clock.now_ms() + 1000)
    with pytest.raises(BadField) as refusal:
        await house.access.sign_in(secret)
    assert refusal.value.details["field"] == "name"
    with pytest.raises(Conflict) as taken:
        await house.access.sign_in(secret, name="local")
    assert taken.value.code == "name_taken"
    _, principal = await house.access.sign_in(secret, name="Ann")
    assert (principal.name, principal.role) == ("Ann", "member")


async def test_an_invitation_is_worth_nothing_once_its_maker_could_not_make_it(house: House) -> None:
    ann = await house.access.add_user(LOCAL, "ann", "admin")
    maker = Principal(ann.id, "ann", role="admin")
    _, secret = await house.access.invite(maker, "admin", "bob", house.clock.now_ms() + 1000)
    await house.access.change_user(LOCAL, ann.id, role="member", disabled=None)
    with pytest.raises(Unauthorized):
        await house.access.sign_in(secret)


async def test_a_token_signs_in_unless_it_is_kept_to_less(house: House) -> None:
    _, principal = await house.access.sign_in(await house.token())
    assert principal.credential == "session:1"
    with pytest.raises(Forbidden):
        await house.access.sign_in(await house.token(scopes=frozenset({"chat"})))


async def test_a_passphrase_signs_in_and_ends_the_other_sessions(house: House) -> None:
    first, principal = await house.access.sign_in(await link(house))
    second, _ = await house.access.sign_in(await house.token())
    await house.access.set_passphrase(principal, PASSPHRASE)
    assert (await house.access.known(first)).user_id == 1
    with pytest.raises(Unauthorized):
        await house.access.known(second)
    _, again = await house.access.sign_in_passphrase("local", PASSPHRASE)
    assert again.user_id == 1


@pytest.mark.parametrize(("name", "passphrase"), [("local", "wrong"), ("nobody", PASSPHRASE), ("", ""), ("\x00", "x")])
async def test_a_wrong_name_and_a_wrong_passphrase_are_told_alike(house: House, name: str, passphrase: str) -> None:
    await house.access.set_passphrase(LOCAL, PASSPHRASE)
    with pytest.raises(Unauthorized, match=r"The name or the passphrase is wrong\."):
        await house.access.sign_in_passphrase(name, passphrase)


async def test_passphrases_are_not_tried_without_end(house: House) -> None:
    for _ in range(10):
        with pytest.raises(Unauthorized):
            await house.access.sign_in_passphrase("local", "wrong")
    with pytest.raises(TooManyRequests):
        await house.access.sign_in_passphrase("local", "wrong")
    house.clock.move(61)
    with pytest.raises(Unauthorized):
        await house.access.sign_in_passphrase("local", "wrong")


@pytest.mark.parametrize("passphrase", ["short", "x" * 1025])
async def test_a_passphrase_has_bounds(house: House, passphrase: str) -> None:
    with pytest.raises(BadField):
        await house.access.set_passphrase(LOCAL, passphrase)


async def test_signing_out_ends_the_session(house: House) -> None:
    secret, principal = await house.access.sign_in(await link(house))
    await house.access.sign_out(principal)
    with pytest.raises(Unauthorized):
        await house.access.known(secret)


async def test_a_token_makes_none_that_is_good_for_more(house: House) -> None:
    for scopes in (None, frozenset({"chat", "models"})):
        with pytest.raises(Forbidden):
            await house.access.make_token(KEPT, "more", scopes, None)  # type: ignore[arg-type]
    token, _ = await house.access.make_token(KEPT, "same", frozenset({"chat"}), None)
    assert token.scopes == ("chat",)


async def test_a_token_is_stored_as_a_digest_and_a_hint(house: House) -> None:
    secret = await house.token()
    (token,) = await house.access.tokens(LOCAL)
    assert (token.hint, len(token.hint)) == (secret[:8], 8)
    database = b"".join(path.read_bytes() for path in house.store._database._path.parent.iterdir())
    assert secret.encode() not in database


async def test_only_admins_decide_who_else_may(house: House) -> None:
    for call in (
        house.access.users(MEMBER),
        house.access.add_user(MEMBER, "bob", "admin"),
        house.access.change_user(MEMBER, 1, role="member", disabled=None),
        house.access.invite(MEMBER, "admin", None, house.clock.now_ms() + 1),
        house.access.invitations(MEMBER),
        house.access.make_token(MEMBER, "his", None, None, for_user=1),
        house.access.users(KEPT),
    ):
        with pytest.raises(Forbidden):
            await call


@pytest.mark.parametrize("name", ["", " ", "a ", "-", "a\nb", "x" * 65, "<b>", "a/b"])
async def test_a_name_is_one(house: House, name: str) -> None:
    with pytest.raises(BadField):
        await house.access.add_user(LOCAL, name, "member")
