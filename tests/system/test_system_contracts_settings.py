"""What the replaced systems were set up by, their environment and `.env`, and pages of other origins, works here."""

from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, marked
from system.contracts import DOORS, error_fields, said_in, until_said
from system.running import Running, config
from system.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "https://studio.example"
ALL = pytest.mark.parametrize("name", DOORS)


async def test_documents_answer_in_one_piece_where_streaming_is_off(tmp_path: Path, upstream: FakeUpstream) -> None:
    door, settings = DOORS["documents"], config(box=upstream.base_url)
    env = {"ENABLE_STREAMING": "false"}
    async with Running(tmp_path, settings, env=env) as server, Caller(server.url) as caller:
        before = await caller.get("/chats/1")
        refused = await caller.http.post(server.url + door.path(1), json=door.body(1, "Hello", model="box/text"))
        code, message = error_fields(door, refused.json())
        assert (refused.status_code, code) == (409, "streaming_disabled")
        assert "POST /api/chat/sessions/1/messages" in message
        assert await caller.get("/chats/1") == before, "a refusal leaves nothing behind"

        assert door.whole_of(await door.ask(caller, 1, "Hello", model="box/text"))[1] == "0 1 2 3 4 "
        assert (await caller.root("/api/config")).json() == {"streaming": False}
        for name in DOORS.keys() - {"documents"}:
            assert DOORS[name].pieces(await DOORS[name].said(caller, 1, "Hello", model="box/text")) == "0 1 2 3 4 "


async def test_streaming_is_on_unless_it_is_said_otherwise(caller: Caller) -> None:
    assert (await caller.root("/api/config")).json() == {"streaming": True}


async def test_the_servers_env_file_counts_and_the_environment_beats_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# the documents' own\nENABLE_STREAMING=false\n")
    for env, streaming in (({}, False), ({"ENABLE_STREAMING": "True"}, True)):
        async with Running(tmp_path, config(), env=env) as server, Caller(server.url) as caller:
            assert (await caller.root("/api/config")).json() == {"streaming": streaming}


@pytest.mark.parametrize("where", ["environment", ".env"])
async def test_the_studios_server_is_the_default_of_its_door_alone(
    tmp_path: Path, upstream: FakeUpstream, where: str
) -> None:
    variables = {"LLM_COMM_MODE": "SSE", "LLM_SERVER_URL": upstream.base_url.removesuffix("/v1") + "/"}
    if where == ".env":
        (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        variables = {}
    # the fake's list is what llama.cpp's server has: one model; the name that is asked for is told by the request
    settings = config(box=upstream.base_url, models={"discovery": False, "default": "box/text"})
    async with Running(tmp_path, settings, env=variables) as server, Caller(server.url) as caller:
        providers = {each["name"]: each["kind"] for each in (await caller.get("/providers"))["providers"]}
        assert providers["lam"] == "openai"
        answered_by = {}
        for name, door in DOORS.items():
            events = await door.said(caller, 1, marked(), **({"model": "box/echo"} if name == "relay.chat" else {}))
            run = await caller.get(f"/runs/{events[-1]['run_id']}")
            answered_by[name] = run["model"]
        lam = answered_by.pop("studio")
        assert lam.startswith("lam/")
        assert answered_by.pop("relay.chat") == "box/echo"
        assert set(answered_by.values()) == {"box/text"}

        events = await DOORS["studio"].said(caller, 1, "Hello", model="box/text")
        assert (await caller.get(f"/runs/{events[-1]['run_id']}"))["model"] == "box/text", "a request may name another"
        chat = await caller.chat(model="box/text")
        events = await DOORS["studio"].said(caller, chat, "Hello")
        assert (await caller.get(f"/runs/{events[-1]['run_id']}"))["model"] == "box/text", "and so may the chat"


async def test_the_settings_may_let_a_doors_callers_leave(tmp_path: Path, upstream: FakeUpstream) -> None:
    leave = {"on_disconnect": "detach"}
    settings = config(box=upstream.base_url, doors__tutor=leave, doors__relay=leave)
    async with Running(tmp_path, settings) as server, Caller(server.url) as caller:
        ends = {}
        for name, door in DOORS.items():
            async with await door.open(caller, await caller.chat(), "Hello", model="box/text-r100-n40") as wire:
                await until_said(wire, "1 ", door)
            ends[name] = (await caller.frames(wire.headers["headrace-run"]))[-1].event
        assert {name for name, end in ends.items() if end == "run.finished"} == {
            "tutor",
            "relay.generate",
            "relay.chat",
        }
        assert {end for name, end in ends.items() if name in {"multimodel", "documents", "studio"}} == {"run.stopped"}


@ALL
async def test_the_log_shows_start_first_token_and_end_of_each_stream(
    caller: Caller, server: Running, name: str
) -> None:
    content = marked()
    events = await DOORS[name].said(caller, await caller.chat(), content, model="box/text")
    for event in ("run.started", "run.first_token", "run.ended"):
        await server.logged(event, run=events[-1]["run_id"])
    assert content not in server.text


# Pages of other origins


async def test_a_page_that_is_allowed_may_call_every_door(tmp_path: Path, upstream: FakeUpstream) -> None:
    settings = config(
        box=upstream.base_url,
        server={"allowed_origins": [PAGE]},
        models={"discovery": False, "default": "box/text"},
    )
    async with Running(tmp_path, settings) as server, Caller(server.url) as caller:
        for door in DOORS.values():
            url, body = server.url + door.path(1), door.body(1, "Hello")
            asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
            reply = await caller.http.options(url, headers={"Origin": PAGE, **asks})
            allowed = reply.headers["access-control-allow-headers"].split(", ")
            assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (204, PAGE)
            assert "POST" in reply.headers["access-control-allow-methods"]
            assert {"*", "authorization"} <= set(allowed), "`*` does not stand for Authorization"

            async with await Wire.open(url, method="POST", headers={"Origin": PAGE}, json_body=body) as wire:
                assert door.pieces(said_in(await wire.rest())) == "0 1 2 3 4 "
            assert wire.headers["access-control-allow-origin"] == PAGE
            assert wire.headers["access-control-expose-headers"] == "*"
            assert wire.headers["content-type"].startswith("text/event-stream")

            refused = await caller.http.post(url, json={}, headers={"Origin": PAGE})
            assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (422, PAGE)


@ALL
async def test_a_page_from_elsewhere_may_call_no_door(caller: Caller, name: str) -> None:
    door, chat = DOORS[name], await caller.chat()
    url, headers = caller.url + door.path(chat), {"Origin": PAGE}

    for reply in (
        await caller.http.post(url, json=door.body(chat, "Hello", model="box/text"), headers=headers),
        await caller.http.options(url, headers={**headers, "Access-Control-Request-Method": "POST"}),
    ):
        assert (reply.status_code, error_fields(door, reply.json())[0]) == (403, "origin_not_allowed")
        assert "access-control-allow-origin" not in reply.headers
    assert (await caller.get(f"/chats/{chat}"))["messages"] == []
