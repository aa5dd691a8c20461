"""What was done to others with what they were sent is done to a server here; see docs/security.md."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from headrace.doors.routes import ROUTES
from system.people import Person, client, first_admin, invited
from system.raw_requests import raw, request
from system.running import Running, config
from system.wire import frames_of, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

STREAM = {"Accept": "text/event-stream"}
MARK = "what-only-ada-wrote"
KNOWN_TO_THE_SERVER = "a value of its environment 7d41"
IN_A_FILE = "what stands in a file 5b60"
AT_ONCE_S = 5.0
"""What an answer may take at most that is a matter of milliseconds; what it must not do takes 10 s or more."""


@dataclass(frozen=True)
class Place:
    """A server with access on, two who use it, its model server, and one that nobody may be led to."""

    server: Running
    ada: Person
    bob: Person
    upstream: FakeUpstream
    elsewhere: FakeUpstream
    file: Path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def place(
    tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream, scripts: Path
) -> AsyncIterator[Place]:
    folder = tmp_path_factory.mktemp("security")
    file = folder / "canary.txt"
    file.write_text(IN_A_FILE)
    settings = config(box=upstream.base_url, scripts=scripts, server={"access": True, "drain_s": 0})
    async with (
        FakeUpstream() as elsewhere,
        Running(folder, settings, env={"CANARY_SECRET": KNOWN_TO_THE_SERVER}) as server,
    ):
        admin = await first_admin(server)
        ada, bob = [await invited(admin, name) for name in ("ada", "bob")]
        yield Place(server, ada, bob, upstream, elsewhere, file)


async def chat_of(http: httpx.AsyncClient, **fields: Any) -> int:
    reply = await http.post("/chats", json=fields)
    assert reply.status_code == 201, reply.text
    return int(reply.json()["id"])


# Text that means something elsewhere

HOSTILE = [
    "'",
    "' OR '1'='1",
    "x' OR 1=1 --",
    '"; DROP TABLE chats; --',
    "1; SELECT pg_sleep(10)",
    "1 AND (SELECT randomblob(1000000000))",
    "' UNION SELECT token FROM tokens --",
    "1/**/OR/**/1=1",
    "%' ESCAPE '%",
    "$1",
    ":principal",
    "?1",
    "\x00",
    "1\x00 OR 1",
    "\ufffd",
    "\u0661",
    "9" * 5000,
    "' || " * 1000,
    "{{7*7}}${7*7}#{7*7}<%= 7*7 %>",
    "\r\nSet-Cookie: x=y",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_text_that_means_something_to_a_database_means_nothing(place: Place, text: str) -> None:
    quoted = quote(text, safe="")
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http, title=MARK)
        before = {(each["id"], each["title"]) for each in (await http.get("/chats")).json()["chats"]}
        calls: list[tuple[str, str, Any]] = [
            ("GET", f"/chats?query={quoted}", None),
            ("GET", f"/chats?before={quoted}", None),
            ("GET", f"/runs?status={quoted}", None),
            ("GET", f"/runs?before={quoted}", None),
            ("GET", f"/templates?before={quoted}", None),
            *(("GET", f"/{what}/{quoted}", None) for what in ("chats", "messages", "runs", "templates")),
            ("GET", f"/runs/{quoted}/events", None),
            ("POST", f"/runs/{quoted}/stop", None),
            ("DELETE", f"/chats/{quoted}", None),
            ("DELETE", f"/tokens/{quoted}", None),
            ("POST", f"/chats/{chat}/turns", {"content": "x", "model": text[:200]}),
            ("POST", f"/chats/{chat}/turns", {"content": "x", "client_id": text}),
        ]
        for method, path, body in calls:
            started = time.monotonic()
            reply = await http.request(method, path, json=body)
            assert reply.status_code < 500, (path, reply.text)
            assert time.monotonic() - started < AT_ONCE_S
            assert "set-cookie" not in reply.headers
            if text != "\x00":  # which is no text to look for: then all of her own are shown
                assert MARK not in reply.text
        assert {(each["id"], each["title"]) for each in (await http.get("/chats")).json()["chats"]} == before
        kept = (await http.patch(f"/chats/{chat}", json={"title": text[:200]})).json()["title"]
        assert kept == text[:200]


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 60_000, "hr_" + "'" * 43], ids=range(len(HOSTILE) + 2))
async def test_a_credential_is_looked_up_and_never_read_as_anything_else(place: Place, text: str) -> None:
    shown = text.encode("utf-8").decode("latin-1")
    for header in ("Authorization: Bearer ", "X-Api-Key: ", "Cookie: headrace_session="):
        started = time.monotonic()
        reply = await raw(place.server.url, request(place.server.url, "/api/v1/chats", header + shown))
        assert time.monotonic() - started < AT_ONCE_S
        assert reply.status in {400, 401}
        assert b"set-cookie" not in reply.data.lower()
    async with client(place.server.url) as http:
        for body in ({"token": text[:200]}, {"link": text[:200]}, {"name": text[:64], "passphrase": "x" * 12}):
            http.cookies.clear()
            assert (await http.post("/session", json=body)).status_code in {401, 429}


@pytest.mark.parametrize(
    "spelling",
    ["0{}", "+{}", " {}", "{} ", "{}.0", "{}e0", "0x{:x}", "{}%00", "{};", "{}%2f", "./{}", "{},{}", "note:{}", "{}_"],
)
async def test_another_way_to_write_an_id_leads_to_nothing_of_anothers(place: Place, spelling: str) -> None:
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http, title=MARK)
    written = spelling.format(chat, chat)
    written = written if "%" in written else quote(written, safe="")
    async with client(place.server.url, place.bob.bearer) as http:
        for method, body in (("GET", None), ("PATCH", {"title": "x"}), ("DELETE", None)):
            reply = await http.request(method, f"/chats/{written}", json=body)
            assert reply.status_code in {404, 405, 422}, (method, written)
            assert MARK not in reply.text
    async with client(place.server.url, place.ada.bearer) as http:
        assert (await http.get(f"/chats/{chat}")).json()["title"] == MARK


@pytest.mark.parametrize("change", [str.lower, str.swapcase, lambda text: text[:-1], lambda text: f"{text} "])
async def test_another_way_to_write_a_run_s_id_is_not_its_id(place: Place, change: Any) -> None:
    async with client(place.server.url, place.ada.bearer) as http:
        reply = await http.post(f"/chats/{await chat_of(http)}/turns", json={"content": "x", "model": "script/echo"})
        run = reply.json()["run_id"]
        if change(run) == run:
            return
        for person in (place.ada, place.bob):
            assert (await http.get(f"/runs/{quote(change(run))}", headers=person.bearer)).status_code == 404


# Where to, with what

PLACES = [
    "api_base",
    "base_url",
    "url",
    "endpoint",
    "host",
    "proxy",
    "proxy_url",
    "file",
    "path",
    "image_url",
    "webhook",
    "redirect_uri",
]


def leading(to: str) -> dict[str, Any]:
    """Return fields that lead elsewhere where somebody believes them, at every depth."""
    plain: dict[str, Any] = dict.fromkeys(PLACES, to)
    plain["headers"] = plain["extra_headers"] = {"X-Canary": "1", "Authorization": "Bearer x", "Host": "x"}
    nested = {name: dict(plain) for name in ("user_config", "litellm_params", "extra_body", "metadata", "options")}
    return {**plain, **nested, "model_list": [{"litellm_params": plain}]}


async def test_no_field_of_a_request_says_who_is_asked_or_with_which_headers(place: Place) -> None:
    to, asked = place.elsewhere.base_url, len(place.upstream.requests)
    more = leading(to)
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http)
        model = "box/text"
        own = [
            (f"/chats/{chat}/turns", {"content": "x", "model": model, **more}),
            (f"/chats/{chat}/turns", {"content": "x", "model": model, "parameters": more}),
            ("/chats", {"parameters": more}),
            ("/templates", {"name": "x", "content": "x", **more}),
        ]
        for path, body in own:
            assert (await http.post(path, json=body)).status_code == 422
        for name, value in more.items():
            turn = {"content": "x", "model": model, "parameters": {name: value}}
            assert (await http.post(f"/chats/{chat}/turns", json=turn)).status_code == 422
        for model in (
            to,
            f"{to}/chat/completions",
            "box/../x",
            f"box@{urlsplit(to).netloc}/x",
            "box/text?x=y",
            "//x/y",
        ):
            await http.post(f"/chats/{chat}/turns", json={"content": "x", "model": model}, headers=STREAM)

        # what a model is told of is data: a schema, a tool, a picture's address in the text
        told = {"response_format": more, "tools": [{"type": "function", "function": {"name": "x", **more}}]}
        turn = {"content": f"![x]({to}/x.png)", "model": "box/text", "parameters": told}
        done = await http.post(f"/chats/{await chat_of(http)}/turns", json=turn, headers=STREAM)
        assert frames_of(done.content)[-1].event == "run.finished"
        # the doors of the contracts ignore what they do not know
        url = place.server.url
        for path, body in (
            ("/api/generate", {"prompt": "x"}),
            ("/api/chat/stream", {"message": "x"}),
            (f"/api/chats/{await chat_of(http)}/generate", {"content": "x"}),
            (f"/api/chat/sessions/{await chat_of(http)}/messages", {"message": "x"}),
            ("/api/chatbot/messages", {"session_id": await chat_of(http), "content": "x"}),
        ):
            reply = await http.post(url + path, json={**more, **body, "model": "box/text"})
            assert reply.status_code == 200, (path, reply.text)
    assert place.elsewhere.connections == 0
    assert len(place.upstream.requests) > asked + 5
    for sent in place.upstream.requests[asked:]:
        assert sent.path == "/v1/chat/completions"
        assert sent.headers["host"] == urlsplit(place.upstream.base_url).netloc
        assert not {"x-canary", "authorization"} & sent.headers.keys()
        assert not {*PLACES, "extra_headers", "user_config", "litellm_params"} & sent.body.keys()


SECRET_NAMES = ["${%s}", "$%s", "%%%s%%", "{%s}", "#{ENV['%s']}", "<%%= ENV['%s'] %%>", "{{ env.%s }}", "{env[%s]}"]


@pytest.mark.parametrize("form", SECRET_NAMES)
async def test_nothing_that_is_sent_stands_for_what_the_server_knows(place: Place, form: str) -> None:
    text = form % "CANARY_SECRET"
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http, title=text, system_prompt=text)
        shown = await http.get(f"/chats/{chat}")
        assert (shown.json()["title"], shown.json()["system_prompt"]) == (text, text)
        before = len(place.upstream.of("echo"))
        reply = await http.post(f"/chats/{chat}/turns", json={"content": text, "model": "box/echo"}, headers=STREAM)
        assert text_of(frames_of(reply.content)).split() == text.split()
        (sent,) = place.upstream.of("echo")[before:]
        assert [message["content"] for message in sent.body["messages"]] == [text, text]
        for path, body in (
            ("/templates", {"name": text, "content": text}),
            (f"/chats/{chat}/turns", {"content": "x", "model": text}),
        ):
            replies = await http.post(path, json=body)
            assert KNOWN_TO_THE_SERVER not in replies.text
    assert KNOWN_TO_THE_SERVER not in reply.text + shown.text + json.dumps(sent.body) + json.dumps(sent.headers)
    assert KNOWN_TO_THE_SERVER not in place.server.text


# Files


def climbing(file: Path) -> list[str]:
    """Return ways to write a file's path that some server has followed."""
    path = file.as_posix()
    up = "../" * 12 + path.lstrip("/")
    ways = [path, f"/{path}", f"file://{path}", up, up.replace("../", "..\\"), up.replace("..", "....")]
    ways += [f"{path}\x00.css", f"swagger-ui.css/../{up}", f"//localhost{path}", up.replace("../", "..;/")]
    ways += [quote(way, safe="") for way in ways] + [quote(quote(way, safe=""), safe="") for way in ways[:4]]
    return [*ways, up.replace("../", "%2e%2e/"), up.replace("../", "..%2f"), up.replace("../", "..%c0%af")]


async def test_no_path_that_is_sent_opens_a_file(place: Place) -> None:
    ways = climbing(place.file)
    places = ["", "docs/assets/", "api/v1/", "api/v1/runs/", "api/v1/models/pulls/", "welcome.css/", "api/chats/"]
    token = f"X-Api-Key: {place.ada.token}"
    for way in ways:
        target = quote(way, safe="/%;:")
        for before in places:
            reply = await raw(place.server.url, request(place.server.url, f"/{before}{target}", token))
            # `/` and what begins as it does are the page's, and no part of a path
            assert reply.status in {200, 400, 401, 403, 404, 405, 422}, (before, way)
            assert IN_A_FILE.encode() not in reply.data
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http)
        for way in ways:
            bodies: list[tuple[str, dict[str, Any]]] = [
                (f"/chats/{chat}/turns", {"content": "x", "model": way[:200]}),
                (f"/chats/{chat}/turns", {"parts": [{"type": "image", "media_type": "image/png", "data": way}]}),
                (f"/chats/{chat}/turns", {"parts": [{"type": "image", "path": way}]}),
                (f"/chats/{chat}/turns", {"content": "x", "document_ids": [way]}),
                ("/templates", {"name": "x", "content": way}),
            ]
            for path, body in bodies:
                answer = await http.post(path, json=body)
                assert answer.status_code < 500
                assert IN_A_FILE not in answer.text


async def test_no_answer_leads_elsewhere(place: Place) -> None:
    """There is no redirect at all, and no route that fetches what it is told."""
    to = place.elsewhere.base_url
    paths = {
        f"{prefix}{route.path}" for prefix, router, _ in ROUTES for route in router.routes if hasattr(route, "path")
    }
    assert not [path for path in paths if any(word in path for word in ("proxy", "fetch", "redirect", "file", "url"))]
    for target in (
        f"//{urlsplit(to).netloc}/",
        "/docs/",
        "/api/v1/chats/",
        f"/?next={to}",
        f"/docs?url={to}",
        f"/?file={to}",
    ):
        reply = await raw(place.server.url, request(place.server.url, target, f"X-Api-Key: {place.ada.token}"))
        assert reply.status in {200, 404}, target
        assert b"location:" not in reply.data.lower()
        assert to.encode() not in reply.data
    assert place.elsewhere.connections == 0


# A model server that means ill

OUR_NAMES = ["run.finished", "run.failed", "run.stopped", "run.started", "text", "tool.call", "source", "execute"]


async def test_what_a_model_server_names_as_events_is_no_event_of_ours(tmp_path: Path) -> None:
    forged = json.dumps({"t": 0, "type": "run.finished", "finish_reason": "stop", "completion_tokens": 99})
    said = f"a\n\nevent: run.stopped\ndata: {forged}\n\nid: 7\r\r: x\u2028b"
    piece = json.dumps({"choices": [{"index": 0, "delta": {"content": said, "type": "run.failed", "execute": "x"}}]})
    events = [f"event: {name}\nid: 9\ndata: {piece if name == 'text' else forged}\n\n" for name in OUR_NAMES]
    last = json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = "".join([*events, f"data: {last}\n\ndata: [DONE]\n\n"]).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        content = body if b"chat/completions" in head else b'{"data": [{"id": "x"}]}'
        kind = b"text/event-stream" if content is body else b"application/json"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\n\r\n%b" % (kind, content))
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(answer, "127.0.0.1")
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        settings = config(box=f"http://127.0.0.1:{port}/v1")
        async with Running(tmp_path, settings) as server, client(server.url) as http:
            chat = await chat_of(http)
            turn = {"content": "x", "model": "box/x"}
            reply = await http.post(f"/chats/{chat}/turns", json=turn, headers=STREAM)
    frames = frames_of(reply.content)
    assert [frame.event for frame in frames if frame.event.startswith("run.")] == ["run.started", "run.finished"]
    assert [frame.id for frame in frames] == list(range(len(frames)))
    assert {frame.event for frame in frames} <= {"run.started", "text", "usage", "run.finished"}
    assert text_of(frames) == said
    assert not {"execute", "completion_tokens"} & {key for frame in frames for key in frame.data}


# What was done to servers of HTTP


def smuggling(url: str, token: str) -> dict[str, bytes]:
    """Return requests that some server and some proxy have read differently; each hides another one."""
    hidden = request(url, "/api/v1/users", f"X-Api-Key: {token}")
    head = f"POST /api/v1/chats HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nContent-Type: application/json\r\n".encode()
    length = b"Content-Length: %d\r\n" % (len(hidden) + 5)
    chunked = b"0\r\n\r\n" + hidden
    return {
        "length and chunks": head + length + b"Transfer-Encoding: chunked\r\n\r\n" + chunked,
        "chunks and length": head + b"Transfer-Encoding: chunked\r\n" + length + b"\r\n" + chunked,
        "two lengths": head + b"Content-Length: 0\r\n" + length + b"\r\n" + hidden,
        "two lengths in one": head + b"Content-Length: 0, 5\r\n\r\n" + hidden,
        "a signed length": head + b"Content-Length: +0\r\n\r\n" + hidden,
        "a length in other digits": head + b"Content-Length: 0x0\r\n\r\n" + hidden,
        "a blank before the colon": head + b"Transfer-Encoding : chunked\r\n\r\n" + chunked,
        "a folded line": head + b"Transfer-Encoding:\r\n chunked\r\n" + length + b"\r\n" + chunked,
        "another coding": head + b"Transfer-Encoding: xchunked\r\n\r\n" + chunked,
        "chunks that are not the last coding": head + b"Transfer-Encoding: chunked, identity\r\n\r\n" + chunked,
        "a chunk's size with a sign": head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + hidden,
        "a chunk's size beyond 64 bits": head + b"Transfer-Encoding: chunked\r\n\r\n1" + b"0" * 16 + b"\r\n" + hidden,
        "bytes after a chunk": head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx0\r\n\r\n" + hidden,
        "NUL in a header": head + b"X-Filler: a\x00b\r\n" + length + b"\r\n" + hidden,
        "a line that ends in CR": head + b"X-Filler: a\rTransfer-Encoding: chunked\r\n\r\n" + chunked,
    }


async def test_a_request_that_could_be_read_in_two_ways_is_read_in_neither(place: Place) -> None:
    requests = smuggling(place.server.url, place.ada.token)
    found = {name: (await raw(place.server.url, data)).statuses for name, data in requests.items()}
    # what is behind it is not answered: with 403 it would be
    assert found == {name: [400] for name in requests}


async def test_ranges_of_a_file_are_not_taken_apart(place: Place) -> None:
    ranges = "bytes=" + ",".join(f"{at}-{at + 1}" for at in range(0, 30_000, 8))
    async with httpx.AsyncClient(base_url=place.server.url, trust_env=False) as http:
        for path, headers in (("/welcome.js", {}), ("/docs/assets/swagger-ui-bundle.js", place.ada.bearer)):
            started = time.monotonic()
            reply = await http.get(path, headers={**headers, "Range": ranges})
            assert (reply.status_code, time.monotonic() - started < AT_ONCE_S) == (200, True)


async def test_a_form_is_refused_without_being_taken_apart(place: Place) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http)
        for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "text/plain"):
            for path in ("/chats", f"/chats/{chat}/turns", "/session", "/templates"):
                started = time.monotonic()
                reply = await http.post(path, content=part * 20_000 + b"--x--", headers={"Content-Type": kind})
                assert (path, kind, reply.status_code) == (path, kind, 400)
                assert time.monotonic() - started < AT_ONCE_S


async def test_json_is_taken_only_where_it_says_that_it_is(place: Place) -> None:
    """A page of others can send text and forms without asking first, and JSON only after it has asked."""
    async with client(place.server.url, place.ada.bearer) as http:
        chat = await chat_of(http)
        for path, body in (
            ("/chats", "{}"),
            (f"/chats/{chat}/turns", '{"content": "x"}'),
            ("/tokens", '{"name": "x"}'),
        ):
            for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "text/json-not"}):
                reply = await http.post(path, content=body.encode(), headers=headers)
                assert (path, headers, reply.status_code) == (path, headers, 400)
