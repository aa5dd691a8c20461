"""Who loses access is cut off, from streams that are open too; at a server with access control."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from system.access_house import TYPING, House, chat_of, run_of
from system.calls import STREAM
from system.people import Person, client, now_ms, office, shown
from system.wire import Wire, frames_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

END_S = 5.0
"""How long a stream may go on that its reader may not see any more."""


@dataclass(frozen=True)
class Reader:
    """Who reads, and with what: a credential that is to be lost, beside one that stays."""

    house: House
    person: Person
    token_id: int
    headers: Mapping[str, str]


async def by_the_api(reader: Reader) -> None:
    async with client(reader.house.url, reader.person.bearer) as http:
        assert (await http.delete(f"/tokens/{reader.token_id}")).status_code == 204


async def by_the_command(reader: Reader) -> None:
    await office(reader.house.server, "token", "revoke", str(reader.token_id))


async def by_disabling(reader: Reader) -> None:
    await reader.house.change(reader.person, disabled=True)


async def by_the_disabling_command(reader: Reader) -> None:
    await office(reader.house.server, "user", "change", reader.person.name, "--disable")


async def by_signing_out(reader: Reader) -> None:
    async with client(reader.house.url, reader.headers) as http:
        assert (await http.delete("/session")).status_code == 204


async def by_a_new_passphrase(reader: Reader) -> None:
    async with client(reader.house.url, reader.person.bearer) as http:
        reply = await http.put("/session/passphrase", json={"passphrase": "a quiet afternoon"})
        assert reply.status_code == 204, reply.text


async def by_time(_reader: Reader) -> None:
    """It expires by itself, 3 s after it was made."""


LOSSES: list[tuple[Callable[[Reader], Awaitable[None]], str]] = [
    (by_the_api, "token"),
    (by_the_command, "token"),
    (by_disabling, "token"),
    (by_disabling, "cookie"),
    (by_the_disabling_command, "token"),
    (by_signing_out, "cookie"),
    (by_a_new_passphrase, "cookie"),
    (by_time, "expiring"),
]


@pytest.mark.parametrize(("lose", "kind"), LOSSES)
async def test_what_may_not_be_seen_any_more_is_cut_off_and_its_run_goes_on(
    house: House, lose: Callable[[Reader], Awaitable[None]], kind: str
) -> None:
    person = await house.guest()
    expires: dict[str, Any] = {"expires_at": now_ms() + 3000} if kind == "expiring" else {}
    token_id, token = await person.make_token(**expires)
    headers = person.page if kind == "cookie" else shown(token)
    async with client(house.url, headers) as http:
        silent, chat = await run_of(http), await chat_of(http)
    body = {"content": "x", "model": TYPING}
    async with (
        await Wire.open(f"{house.url}/api/v1/runs/{silent}/events", headers=headers) as follower,
        await Wire.open(
            f"{house.url}/api/v1/chats/{chat}/turns", method="POST", headers={**headers, **STREAM}, json_body=body
        ) as asker,
    ):
        assert (follower.status, asker.status) == (200, 200)
        typing = asker.headers["headrace-run"]

        await lose(Reader(house, person, token_id, headers))

        async with asyncio.timeout(END_S + (3 if kind == "expiring" else 0)):
            await asyncio.gather(follower.cut_off(), asker.cut_off())
    async with client(house.url, headers) as http:
        assert (await http.get("/runs")).status_code == 401
    ended = {line["run"] for line in house.server.log if line["event"] == "run.ended"}
    assert not ended & {silent, typing}


async def test_others_streams_go_on_when_one_is_cut_off(house: House) -> None:
    person = await house.guest()
    token_id, token = await person.make_token()
    async with client(house.url, person.bearer) as http:
        run = await run_of(http, TYPING)
        url = f"{house.url}/api/v1/runs/{run}/events"
        async with (
            await Wire.open(url, headers=person.bearer) as kept,
            await Wire.open(url, headers=shown(token)) as lost,
        ):
            assert (await http.delete(f"/tokens/{token_id}")).status_code == 204
            async with asyncio.timeout(END_S):
                await lost.cut_off()
            await kept.until("text")
            assert (await http.get(f"/runs/{run}")).json()["status"] == "streaming"
            assert (await http.post(f"/runs/{run}/stop")).json()["status"] == "stopped"
            assert frames_of(await kept.rest())[-1].event == "run.stopped"


async def test_an_admin_who_is_one_no_more_is_refused_at_once_and_keeps_what_is_theirs(house: House) -> None:
    person = await house.guest("admin")
    for headers in (person.bearer, person.page):
        async with client(house.url, headers) as http:
            assert (await http.get("/users")).status_code == 200
    async with client(house.url, person.bearer) as http:
        run = await run_of(http, TYPING)
        async with await Wire.open(f"{house.url}/api/v1/runs/{run}/events", headers=person.bearer) as wire:
            await house.change(person, role="member")
            for headers in (person.bearer, person.page):
                async with client(house.url, headers) as again:
                    assert (await again.get("/users")).status_code == 403
                    assert (await again.post("/users", json={"name": "mallory"})).status_code == 403
                    assert (await again.patch(f"/users/{person.id}", json={"role": "admin"})).status_code == 403
            assert (await http.post(f"/runs/{run}/stop")).status_code == 200
            assert frames_of(await wire.rest())[-1].event == "run.stopped"
