"""Who is let in, for how long, from where, and how much each may take, at a server with access control."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from system.people import COOKIE, Person, client, cookie_in, first_admin, invitation, invited, now_ms, office, shown
from system.raw_requests import abandoned, raw, request
from system.running import Running, config
from system.wire import Wire, frames_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOLS = "https://tools.example"
TYPING = "script/tokens-r20-n400"
"""A model that types for 20 s."""
SECRET = re.compile(r"hr[si]?_[A-Za-z0-9_-]{43}")
STREAM = {"Accept": "text/event-stream"}
END_S = 5.0
"""How long a stream may go on that its reader may not see any more."""
FREE_S = 1.0
"""How long a slot may stay taken after a disconnect; it takes milliseconds, and the machine may have other work."""

NUMBERS = count()


@dataclass(frozen=True)
class House:
    """A server with access on, and its first admin."""

    server: Running
    admin: Person

    @property
    def url(self) -> str:
        return self.server.url

    async def guest(self, role: str = "member") -> Person:
        """Return somebody new."""
        return await invited(self.admin, f"guest{next(NUMBERS)}", role)

    async def change(self, person: Person, **fields: Any) -> None:
        async with client(self.url, self.admin.bearer) as http:
            reply = await http.patch(f"/users/{person.id}", json=fields)
        assert reply.status_code == 200, reply.text


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[House]:
    """It believes a proxy on this machine, and writes down all that it ever writes down."""
    server = {"access": True, "drain_s": 0, "allowed_origins": [TOOLS], "trusted_proxies": ["127.0.0.1"]}
    settings = config(scripts=scripts, server=server, log={"level": "debug"})
    async with Running(tmp_path_factory.mktemp("access"), settings) as running:
        yield House(running, await first_admin(running))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_house(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[Running]:
    """A server on loopback with access off."""
    async with Running(tmp_path_factory.mktemp("open"), config(scripts=scripts, server={"drain_s": 0})) as running:
        yield running


def limited(folder: Path, scripts: Path, **limits: int) -> Running:
    return Running(folder, config(scripts=scripts, server={"access": True, "drain_s": 0}, limits=limits))


async def chat_of(http: httpx.AsyncClient) -> int:
    reply = await http.post("/chats", json={})
    assert reply.status_code == 201, reply.text
    return int(reply.json()["id"])


async def turn(http: httpx.AsyncClient, model: str = "script/hang", **headers: str) -> httpx.Response:
    """Start an answer in a chat of its own."""
    chat = await chat_of(http)
    return await http.post(f"/chats/{chat}/turns", json={"content": "x", "model": model}, headers=headers)


async def run_of(http: httpx.AsyncClient, model: str = "script/hang") -> str:
    reply = await turn(http, model)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["run_id"])


def refusal_of(reply: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    return error


# Streams that are open


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


# Signing in


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


# From where


def foreign(url: str) -> list[str]:
    """Return origins that are not the server's, although they look like it."""
    host, port = urlsplit(url).hostname, urlsplit(url).port or 0
    return [
        "null",
        "",
        "http://evil.example",
        f"{url}.evil.example",
        f"{url}0",
        f"{url}/",
        f"{url}@evil.example",
        f"http://evil.example/{url}",
        f"http://{host}",
        f"http://{host}:{port + 1}",
        f"http://localhost:{port}",
        f"http://x{host}:{port}",
        f"ws://{host}:{port}",
        f"HTTP://{host}:{port}",
        f"{TOOLS}.evil.example",
        f"{TOOLS}:444",
        "http://tools.example",
        "file://",
    ]


async def test_what_a_browser_changes_must_come_from_the_servers_own_page(house: House) -> None:
    person = await house.guest()
    cookie = {"Cookie": f"{COOKIE}={person.cookie}"}
    async with client(house.url, cookie) as http:
        chat = (await http.post("/chats", json={}, headers={"Origin": house.url})).json()["id"]
        tries = [
            ("POST", "/chats", {}),
            ("PATCH", f"/chats/{chat}", {"title": "x"}),
            ("DELETE", f"/chats/{chat}", None),
            ("PUT", "/session/passphrase", {"passphrase": None}),
            ("POST", f"/chats/{chat}/turns", {"content": "x"}),
        ]
        for origin in (None, *foreign(house.url)):
            headers = {} if origin is None else {"Origin": origin}
            for method, path, body in tries:
                reply = await http.request(method, path, json=body, headers=headers)
                assert (origin, path, reply.status_code) == (origin, path, 403)
                assert refusal_of(reply)["code"] == "origin_not_allowed"
                assert "access-control-allow-origin" not in reply.headers
        assert (await http.get("/chats")).status_code == 200
        assert (await http.get(f"/chats/{chat}")).json()["messages"] == []
        for method, path, body in tries[:2]:
            reply = await http.request(method, path, json=body, headers={"Origin": house.url})
            assert reply.is_success


async def test_a_page_of_others_is_refused_whatever_it_shows(house: House, open_house: Running) -> None:
    for url, headers in ((house.url, house.admin.bearer), (house.url, {}), (open_house.url, {})):
        async with client(url, headers) as http:
            for origin in foreign(url):
                for method in ("GET", "POST"):
                    reply = await http.request(method, "/chats", json={}, headers={"Origin": origin})
                    assert (url, origin, method, reply.status_code) == (url, origin, method, 403)


async def test_behind_a_proxy_with_https_the_page_is_one_of_https(tmp_path: Path) -> None:
    settings = config(server={"access": True, "public_url": "https://chat.example"})
    async with Running(tmp_path, settings) as server:
        token = (await office(server, "token", "create", "x")).strip()
        async with client(server.url, {"Host": "chat.example", **shown(token)}) as http:
            statuses = {
                origin: (await http.post("/chats", json={}, headers={"Origin": origin})).status_code
                for origin in ("https://chat.example", "http://chat.example", "https://chat.example:444")
            }
    assert statuses == {"https://chat.example": 201, "http://chat.example": 403, "https://chat.example:444": 403}


async def test_what_a_trusted_proxy_says_of_the_scheme_decides_which_page_is_our_own(house: House) -> None:
    own = urlsplit(house.url).netloc
    async with client(house.url, {"X-Forwarded-Proto": "https", **house.admin.bearer}) as http:
        found = {
            scheme: (await http.post("/chats", json={}, headers={"Origin": f"{scheme}://{own}"})).status_code
            for scheme in ("https", "http", "ws")
        }
    assert found == {"https": 201, "http": 403, "ws": 403}


async def test_behind_a_proxy_that_nobody_named_either_scheme_will_do(house: House) -> None:
    own = urlsplit(house.url).netloc
    async with client(house.url, house.admin.bearer) as http:
        for scheme in ("https", "http"):
            assert (await http.post("/chats", json={}, headers={"Origin": f"{scheme}://{own}"})).status_code == 201


async def test_another_site_cannot_sign_a_browser_in(house: House) -> None:
    async with client(house.url) as http:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
            reply = await http.post("/session", json={"token": house.admin.token}, headers=headers)
            assert reply.status_code == 403
            assert "set-cookie" not in reply.headers


async def test_a_page_that_is_allowed_may_call_with_a_token(house: House) -> None:
    person = await house.guest()
    asks = {"Origin": TOOLS, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": "x-api-key"}
    async with client(house.url) as http:
        preflight = await http.options("/chats/1", headers=asks)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == TOOLS
        assert "DELETE" in preflight.headers["access-control-allow-methods"]
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        assert "origin" in preflight.headers["vary"]
        for headers, status in ((person.bearer, 200), ({}, 401)):
            reply = await http.get("/chats", headers={"Origin": TOOLS, **headers})
            assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (status, TOOLS)
            # so no browser sends the cookie with it, or shows a reply to one that did
            assert "access-control-allow-credentials" not in reply.headers
        other = await http.options("/chats/1", headers={**asks, "Origin": "https://other.example"})
        assert other.status_code == 403
        assert "access-control-allow-origin" not in other.headers


NO_NAMES = ["x/?", "x/#", "x\\@y", "127.0.0.1@evil.example", "127.0.0.1 evil.example", "127.0.0.1,evil.example", ""]
NO_NAMES += ["[::1", "::1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:8000:8000", "\x80", "http://127.0.0.1"]
FOREIGN_NAMES = ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example", "xlocalhost"]
FOREIGN_NAMES += ["2130706433", "0x7f000001", "127.1", "10.0.0.1", "[::ffff:127.0.0.1]", "[::2]", "0.0.0.0"]
OWN_NAMES = [
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost",
    "LOCALHOST:65535",
    "localhost.",
    "[::1]",
    "[0:0:0:0:0:0:0:1]:8000",
]


async def test_the_host_is_one_name_and_one_of_ours(house: House, open_house: Running) -> None:
    for url in (house.url, open_house.url):
        for target in ("/ready", "/api/v1/chats", "/docs"):
            served = 401 if url == house.url and target != "/ready" else 200
            expected = {
                **dict.fromkeys(NO_NAMES, 400),
                **dict.fromkeys(FOREIGN_NAMES, 403),
                **dict.fromkeys(OWN_NAMES, served),
            }
            found = {
                name: (await raw(url, request(url, target, f"Host: {name}", host=False))).status for name in expected
            }
            assert found == expected, (url, target)


async def test_a_request_has_one_host(house: House, open_house: Running) -> None:
    for url in (house.url, open_house.url):
        own = urlsplit(url).netloc
        wrong = {
            "none": request(url, "/ready", host=False),
            "none, of old": b"GET /ready HTTP/1.0\r\n\r\n",
            "twice": request(url, "/ready", f"Host: {own}"),
            "two": request(url, "/ready", "Host: evil.example"),
            "folded": request(url, "/ready", f"Host: {own}\r\n evil.example", host=False),
        }
        found = {name: (await raw(url, data)).status for name, data in wrong.items()}
        assert found == dict.fromkeys(wrong, 400)


async def test_what_stands_after_a_body_says_nothing_of_who_calls_or_from_where(house: House) -> None:
    headers = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    head = request(house.url, "/api/v1/chats", *headers, method="POST")
    for trailer in (f"X-Api-Key: {house.admin.token}", f"Authorization: Bearer {house.admin.token}"):
        # in one piece, so that nothing is judged before the trailer is here
        reply = await raw(house.url, head + f"2\r\n{{}}\r\n0\r\n{trailer}\r\n\r\n".encode())
        assert reply.status == 401


async def test_a_target_that_names_a_host_is_judged_by_its_path_and_the_host_header(house: House) -> None:
    own = urlsplit(house.url).netloc
    expected = {
        request(house.url, f"http://{own}/api/v1/chats"): 401,
        request(house.url, "http://evil.example/api/v1/chats"): 401,
        request(house.url, "http://x/?/health/api/v1/chats"): 200,  # the page
        request(house.url, "http://x/health?/api/v1/chats"): 200,
        request(house.url, "http://127.0.0.1/ready", "Host: evil.example", host=False): 403,
        request(house.url, "*", method="OPTIONS"): 401,
        request(house.url, "127.0.0.1:80", method="CONNECT"): 400,
    }
    found = {data: (await raw(house.url, data)).status for data in expected}
    assert found == expected


# How much


async def test_50_callers_at_once_make_as_many_requests_as_are_allowed(tmp_path: Path, scripts: Path) -> None:
    async with limited(tmp_path, scripts, requests_per_minute=20) as server:
        admin = await first_admin(server)
        ada, bob = [await invited(admin, name) for name in ("ada", "bob")]
        async with client(server.url, ada.bearer) as http:
            replies = await asyncio.gather(*(http.get("/chats") for _ in range(50)))
        # the making of her token was the first of her requests
        assert Counter(reply.status_code for reply in replies) == {200: 19, 429: 31}
        for reply in replies:
            if reply.status_code == 429:
                assert 1 <= int(reply.headers["retry-after"]) <= 60
                assert refusal_of(reply)["code"] == "rate_limited"
        async with client(server.url, bob.page) as http:
            assert (await http.get("/chats")).status_code == 200


async def test_50_callers_at_once_get_as_many_streams_as_are_allowed(tmp_path: Path, scripts: Path) -> None:
    async with limited(tmp_path, scripts, streams=10) as server:
        admin = await first_admin(server)
        ada, bob = [await invited(admin, name) for name in ("ada", "bob")]
        async with client(server.url, ada.bearer) as http, client(server.url, bob.bearer) as others:
            replies = await asyncio.gather(*(turn(http) for _ in range(50)))
            assert Counter(reply.status_code for reply in replies) == {202: 10, 429: 40}
            assert {reply.headers["retry-after"] for reply in replies if reply.status_code == 429} == {"1"}
            assert (await turn(others)).status_code == 202
            runs = [reply.json()["run_id"] for reply in replies if reply.status_code == 202]

            # room is there at once: after a stop,
            await http.post(f"/runs/{runs.pop()}/stop")
            short = await turn(http, "script/tokens-r0-n5", **STREAM)
            # after an end,
            assert frames_of(short.content)[-1].event == "run.finished"
            runs.append(await run_of(http))
            # after what fails before it begins,
            await http.post(f"/runs/{runs.pop()}/stop")
            assert (await http.post("/chats/999999/turns", json={"content": "x"})).status_code == 404
            assert (await turn(http, "script/nothing", **STREAM)).status_code == 404
            # and, as soon as the server notices, after a disconnect
            events = request(server.url, f"/api/v1/runs/{runs[0]}/events", f"x-api-key: {ada.token}")
            assert await abandoned(server.url, events) == 200
            async with asyncio.timeout(FREE_S):
                while await abandoned(server.url, events) != 200:
                    pass
            assert (await http.post(f"/runs/{runs[0]}/stop")).status_code == 200


async def test_1_000_abandoned_streams_leave_no_slot_in_use(tmp_path: Path, scripts: Path) -> None:
    most = 40
    async with limited(tmp_path, scripts, streams=most, streams_all=most) as server:
        admin = await first_admin(server)
        async with client(server.url, admin.bearer) as http:
            run = await run_of(http)
            events = request(server.url, f"/api/v1/runs/{run}/events", f"x-api-key: {admin.token}")

            async def let_in_and_gone() -> None:
                while await abandoned(server.url, events) != 200:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)

            async with asyncio.timeout(100):
                for _ in range(25):
                    # who leaves before the answer, beside those who leave after it
                    early = [abandoned(server.url, events, answered=False) for _ in range(10)]
                    await asyncio.gather(*(let_in_and_gone() for _ in range(30)), *early)

            async with asyncio.timeout(20):
                while await readers(server, admin):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            wires = [await opened(server, run, admin) for _ in range(most - 1)]
            try:
                assert [wire.status for wire in wires] == [200] * (most - 1)
                last = await opened(server, run, admin)
                assert (last.status, last.headers["retry-after"]) == (429, "1")
                last.close()
            finally:
                for wire in wires:
                    wire.close()


async def opened(server: Running, run: str, person: Person) -> Wire:
    return await Wire.open(f"{server.url}/api/v1/runs/{run}/events", headers=person.bearer)


async def readers(server: Running, admin: Person) -> int:
    async with httpx.AsyncClient(trust_env=False) as http:
        figures = (await http.get(f"{server.url}/metrics", headers=admin.bearer)).text
    found = re.search(r"^headrace_readers (\d+)", figures, re.MULTILINE)
    assert found is not None
    return int(found[1])


async def test_a_day_s_tokens_are_counted_and_remembered(tmp_path: Path, scripts: Path) -> None:
    server = limited(tmp_path, scripts, tokens_per_day=30)
    async with server:
        admin = await first_admin(server)
        ada = await invited(admin, "ada")
        async with client(server.url, ada.bearer) as http:
            for _ in range(2):
                assert (await turn(http, "script/tokens-r0-n20", **STREAM)).status_code == 200
            async with asyncio.timeout(END_S):
                while (refused := await turn(http, "script/tokens-r0-n20")).status_code == 202:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert refused.status_code == 429
            assert 1 <= int(refused.headers["retry-after"]) <= 86_400
            assert refusal_of(refused)["details"]["limit"] == "tokens_per_day"
        async with client(server.url, admin.bearer) as http:
            assert (await turn(http, "script/tokens-r0-n20")).status_code == 202
        await server.end()
        await server.start()
        async with client(server.url, ada.bearer) as http:
            assert (await turn(http, "script/tokens-r0-n20")).status_code == 429
            assert (await http.get("/chats")).status_code == 200
