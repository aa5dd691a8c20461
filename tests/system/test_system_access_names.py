"""From where a server with access control is called: its own names, its own page, the pages that are allowed."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from system.access_house import TOOLS, House, refusal_of
from system.people import COOKIE, client, office, shown
from system.raw_requests import raw, request
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")


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
