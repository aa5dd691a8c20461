"""Who is let in, and by what, at a server with access control."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from system.access_house import NUMBERS, House
from system.people import COOKIE, client, cookie_in, invitation, now_ms, office, shown
from system.raw_requests import raw, request
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET = re.compile(r"hr[si]?_[A-Za-z0-9_-]{43}")


async def test_a_link_signs_in_once(house: House) -> None:
    secret = await invitation(house.admin, name=f"guest{next(NUMBERS)}")
    async with client(house.url) as http:
        statuses = []
        for _ in range(3):
            statuses.append((await http.post("/session", json={"link": secret})).status_code)
            http.cookies.clear()
    assert statuses == [200, 401, 401]


async def test_a_link_that_ten_browsers_open_at_once_lets_one_in(house: House) -> None:
    secret = await invitation(house.admin, name=f"guest{next(NUMBERS)}")
    async with client(house.url) as http:
        replies = await asyncio.gather(*(http.post("/session", json={"link": secret}) for _ in range(10)))
    statuses = Counter(reply.status_code for reply in replies)
    assert statuses[200] == 1
    assert statuses.keys() <= {200, 401, 409}


async def test_an_invitation_lets_in_until_its_time_is_over(house: House) -> None:
    ends = now_ms() + 300
    secret = await invitation(house.admin, name=f"guest{next(NUMBERS)}", expires_at=ends)
    await asyncio.sleep((ends + 50 - now_ms()) / 1000)
    async with client(house.url) as http:
        assert (await http.post("/session", json={"link": secret})).status_code == 401


@pytest.mark.parametrize("change", [{"role": "member"}, {"disabled": True}])
async def test_an_invitation_is_worth_no_more_than_who_made_it(house: House, change: dict[str, Any]) -> None:
    maker = await house.guest("admin")
    secret = await invitation(maker, name=f"guest{next(NUMBERS)}", role="admin")
    await house.change(maker, **change)
    async with client(house.url) as http:
        assert (await http.post("/session", json={"link": secret})).status_code == 401


async def test_a_token_signs_in_as_often_as_it_is_shown(house: House) -> None:
    person = await house.guest()
    async with client(house.url) as http:
        for _ in range(2):
            reply = await http.post("/session", json={"token": person.token})
            assert (reply.status_code, reply.json()["user_id"]) == (200, person.id)
            http.cookies.clear()
            page = {"Cookie": f"{COOKIE}={cookie_in(reply)}"}
            assert (await http.get("/session", headers=page)).json()["name"] == person.name


async def test_a_session_is_no_token_and_a_token_no_session(house: House) -> None:
    person = await house.guest()
    secret = await invitation(house.admin, name=f"guest{next(NUMBERS)}")
    wrong: list[dict[str, str]] = [
        {"Cookie": f"{COOKIE}={person.cookie.replace('hrs_', 'hr_')}"},
        shown(person.cookie.replace("hrs_", "hr_")),
        {"Cookie": f"{COOKIE}={person.token.replace('hr_', 'hrs_')}"},
        shown(secret),
        shown(secret.replace("hri_", "hr_")),
        {"Cookie": f"{COOKIE}={secret}"},
    ]
    for headers in wrong:
        async with client(house.url, headers) as http:
            assert (await http.get("/session")).status_code == 401
    async with client(house.url) as http:
        assert (await http.post("/session", json={"link": person.token.replace("hr_", "hri_")})).status_code == 401
        assert (await http.post("/session", json={"token": person.cookie})).status_code == 401


async def test_a_passphrase_signs_in_and_ends_what_was_open_elsewhere(house: House) -> None:
    person = await house.guest()
    async with client(house.url) as http:
        wrong = await http.post("/session", json={"name": person.name, "passphrase": "a quiet afternoon"})
        assert wrong.status_code == 401
        other = cookie_in(await http.post("/session", json={"token": person.token}))
        http.cookies.clear()
        put = await http.put("/session/passphrase", json={"passphrase": "a quiet afternoon"}, headers=person.page)
        assert put.status_code == 204, put.text
        assert (await http.get("/session", headers=person.page)).status_code == 200
        assert (await http.get("/session", headers={"Cookie": f"{COOKIE}={other}"})).status_code == 401
        reply = await http.post("/session", json={"name": person.name, "passphrase": "a quiet afternoon"})
        assert (reply.status_code, reply.json()["user_id"]) == (200, person.id)
        http.cookies.clear()
        for passphrase in ("a quiet afternoo", "A quiet afternoon", "a quiet afternoon "):
            wrong = await http.post("/session", json={"name": person.name, "passphrase": passphrase})
            assert wrong.status_code == 401
        short = await http.put("/session/passphrase", json={"passphrase": "short"}, headers=person.page)
        assert short.status_code == 422


async def test_who_guesses_a_passphrase_has_ten_tries_a_minute(house: House) -> None:
    guess = {"name": f"guest{next(NUMBERS)}", "passphrase": "one two three four"}
    async with client(house.url) as http:
        replies = [await http.post("/session", json=guess) for _ in range(11)]
    assert [reply.status_code for reply in replies] == [401] * 10 + [429]
    assert int(replies[-1].headers["retry-after"]) > 0


async def test_who_is_disabled_cannot_sign_in(house: House) -> None:
    person = await house.guest()
    async with client(house.url, person.bearer) as http:
        await http.put("/session/passphrase", json={"passphrase": "a quiet afternoon"})
    await house.change(person, disabled=True)
    async with client(house.url) as http:
        for shows in ({"token": person.token}, {"name": person.name, "passphrase": "a quiet afternoon"}):
            assert (await http.post("/session", json=shows)).status_code == 401


def attributes(reply: httpx.Response) -> dict[str, str]:
    parts = [part.strip() for part in reply.headers["set-cookie"].split(";")]
    return {name.lower(): value for name, _, value in (part.partition("=") for part in parts[1:])}


async def test_no_script_reads_the_cookie_and_no_other_site_sends_it(house: House) -> None:
    async with client(house.url) as http:
        reply = await http.post("/session", json={"token": house.admin.token})
        assert attributes(reply) == {"httponly": "", "samesite": "lax", "path": "/", "max-age": str(30 * 86_400)}
        assert reply.headers["cache-control"] == "no-store"
        http.cookies.clear()
        by_tls = await http.post("/session", json={"token": house.admin.token}, headers={"X-Forwarded-Proto": "https"})
        assert "secure" in attributes(by_tls)
        http.cookies.clear()
        page = {"Cookie": f"{COOKIE}={cookie_in(reply)}", "Origin": house.url}
        gone = await http.delete("/session", headers=page)
        assert attributes(gone)["max-age"] == "0"
        assert (await http.get("/session", headers=page)).status_code == 401


async def test_only_a_proxy_that_is_trusted_says_that_it_is_https(open_house: Running, tmp_path: Path) -> None:
    settings = config(server={"access": True, "public_url": "https://chat.example"})
    async with Running(tmp_path, settings) as server, client(server.url) as http:
        # no proxy is named: the settings decide
        token = await office(server, "token", "create", "x")
        reply = await http.post("/session", json={"token": token.strip()})
        assert "secure" in attributes(reply)
    async with Running(tmp_path, config(server={"access": True})) as server, client(server.url) as http:
        reply = await http.post("/session", json={"token": token.strip()}, headers={"X-Forwarded-Proto": "https"})
        assert "secure" not in attributes(reply)
    async with client(open_house.url) as http:
        assert (await http.post("/session", json={"token": token.strip()})).status_code == 409


async def test_a_token_is_shown_as_bearer_or_as_key(house: House) -> None:
    person, unknown = await house.guest(), "hr_" + "A" * 43
    expected: list[tuple[dict[str, str], int]] = [
        ({"Authorization": f"Bearer {person.token}"}, 200),
        ({"Authorization": f"bearer  {person.token}"}, 200),
        ({"X-Api-Key": person.token}, 200),
        ({"X-Api-Key": unknown}, 401),
        ({"Authorization": f"Bearer {unknown}", "X-Api-Key": person.token}, 401),
        ({"Authorization": f"Basic {person.token}", "X-Api-Key": person.token}, 401),
        ({"Authorization": person.token}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"X-Api-Key": ""}, 401),
        ({"Cookie": f"{COOKIE}={person.token}x"}, 401),
    ]
    for headers, status in expected:
        async with client(house.url, headers) as http:
            assert (headers, (await http.get("/chats")).status_code) == (headers, status)


async def test_strangers_are_told_that_the_server_lives_and_nothing_else(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.url, trust_env=False) as http:
        for headers in ({}, shown("hr_" + "A" * 43)):
            assert (await http.get("/health", headers=headers)).json() == {"status": "ok"}
        assert (await http.get("/health", headers=house.admin.bearer)).json().keys() == {
            "status",
            "version",
            "providers",
        }
        assert (await http.get("/ready")).json() == {"ready": True, "reason": None}
        for path in ("/metrics", "/docs", "/openapi.json", "/nothing", "/welcome.html", "/index.html"):
            assert (path, (await http.get(path)).status_code) == (path, 401)


@pytest.mark.parametrize(
    "path",
    [
        "/health/../api/v1/chats",
        "/health/%2e%2e/api/v1/chats",
        "/health%2f..%2fapi/v1/chats",
        "/api/v1/session/../chats",
        "/api/v1/chats/../session",
        "//health",
        "//api/v1/chats",
        "/health/",
        "/health;/api/v1/chats",
        "/HEALTH",
        "/api/v1/chats?/health",
        "/api/v1/chats%3f/health",
        "/api/v1/%63hats",
        "/api/v1/chats%00/health",
    ],
)
async def test_no_way_of_writing_a_path_gets_round_the_gate(house: House, path: str) -> None:
    reply = await raw(house.url, request(house.url, path))
    assert (reply.status, b"chats" in reply.data) == (401, False)


async def test_secrets_are_never_in_the_log(house: House) -> None:
    person = await house.guest()
    passphrase = "seven green bottles"
    async with client(house.url, person.page) as http:
        await http.put("/session/passphrase", json={"passphrase": passphrase})
    async with client(house.url) as http:
        for shows in (
            {"token": person.token},
            {"token": "hr_" + "A" * 43},
            {"link": "hri_" + "A" * 43},
            {"name": person.name, "passphrase": passphrase},
            {"name": person.name, "passphrase": passphrase + "!"},
            {"token": person.token, "link": person.token},
        ):
            await http.post("/session", json=shows)
            http.cookies.clear()
        await http.get(f"/chats?before={person.token}", headers=person.bearer)
        await http.get(f"/runs/{person.token}", headers=person.bearer)
    lines = [line for line in house.server.lines if "/#signin=" not in line]
    assert lines
    assert not [line for line in lines if SECRET.search(line) or passphrase in line]
    assert len([line for line in house.server.lines if "/#signin=" in line]) == 1


async def test_the_data_folder_holds_no_secret_that_could_be_shown(house: House) -> None:
    person = await house.guest()
    files = [path for path in house.server.data.iterdir() if path.is_file()]
    assert {"headrace.db"} <= {path.name for path in files}
    for path in files:
        data = path.read_bytes()
        for secret in (person.token, person.cookie):
            assert secret.encode() not in data
            assert secret.partition("_")[2].encode() not in data
