import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from fakes.upstream import FakeUpstream
from system.calls import STREAM, Caller, asked, asked_for, closed, error_of, marked
from system.contracts import DOORS, error_fields
from system.running import Running, config
from system.templates import STUDIO, make
from system.wire import Wire, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def try_out(caller: Caller, template: int, **body: Any) -> Wire:
    """Try a template; the reply is an event stream."""
    url = f"{caller.url}/api/v1/templates/{template}/try"
    return await Wire.open(url, method="POST", headers=STREAM, json_body={"model": "box/echo", **body})


async def tried(caller: Caller, template: int, **body: Any) -> str:
    """Try a template and return the run's id."""
    reply = await caller.http.post(f"/templates/{template}/try", json={"model": "box/echo", **body})
    assert reply.status_code == 202, reply.text
    assert reply.headers["headrace-run"] == reply.json()["run_id"]
    return str(reply.json()["run_id"])


async def test_trying_streams_an_answer_and_stores_no_message(caller: Caller, upstream: FakeUpstream) -> None:
    made, content = await make(caller), marked()
    chats = await caller.get("/chats")

    async with await try_out(
        caller, made["id"], content=content, variables={"language": "Dutch"}, system_prompt="Be brief."
    ) as wire:
        frames = await wire.frames()

    assert (wire.status, wire.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    assert wire.headers["cache-control"] == "no-cache, no-transform"
    run_id = wire.headers["headrace-run"]
    whole = f"Translate into Dutch:\n\n{content}"
    assert [frame.id for frame in frames] == list(range(len(frames)))
    assert (frames[0].event, frames[0].data["run_id"], frames[-1].event) == ("run.started", run_id, "run.finished")
    assert frames[0].data.keys().isdisjoint({"chat_id", "user_message_id", "assistant_message_id"})
    assert text_of(frames) == whole
    request = await asked(upstream, whole)
    assert request.body["messages"][0] == {"role": "system", "content": "Be brief."}
    run = await caller.get(f"/runs/{run_id}")
    assert (run["chat_id"], run["assistant_message_id"], run["status"]) == (None, None, "complete")
    assert await caller.get("/chats") == chats


async def test_a_try_can_be_read_again_resumed_and_replayed(caller: Caller) -> None:
    made = await make(caller, "a b c d {{e}}")
    run_id = await tried(caller, made["id"], variables={"e": "e"})
    whole = await caller.body(run_id)

    frames = await caller.frames(run_id)

    assert whole.endswith((await caller.body(run_id, last=2)).lstrip())
    assert await caller.frames(run_id, last=2) == frames[3:]
    assert await caller.frames(run_id, "?speed=100") == frames
    assert (await caller.http.get(f"/runs/{run_id}/events", params={"after": frames[-1].id})).status_code == 204
    assert run_id in [run["id"] for run in (await caller.get("/runs"))["runs"]]


async def test_a_try_goes_on_when_its_reader_leaves_and_stops_when_asked(
    caller: Caller, upstream: FakeUpstream
) -> None:
    made, content = await make(caller, "{{content}}"), marked()
    async with await try_out(caller, made["id"], content=content, model="box/text-r100-n5000") as wire:
        await wire.until("text")
        run_id = wire.headers["headrace-run"]
    request = await asked(upstream, content)
    assert (await caller.get(f"/runs/{run_id}"))["status"] == "streaming"
    assert request.closed_at is None

    assert await caller.stop(run_id) == "stopped"

    await closed(upstream, request)
    frames = await caller.frames(run_id)
    assert (frames[-1].event, frames[-1].data["by"]) == ("run.stopped", "user")
    assert (await caller.get(f"/runs/{run_id}"))["status"] == "stopped"
    assert await caller.stop(run_id) == "stopped"


async def test_a_try_that_fails_at_once_has_its_true_status(caller: Caller) -> None:
    made = await make(caller, "Hi")

    async with await try_out(caller, made["id"], model="box/status-500") as wire:
        await wire.rest()

    assert (wire.status, wire.json()["error"]["code"]) == (502, "upstream_error")


async def test_a_try_needs_no_body_where_the_template_needs_no_value(caller: Caller) -> None:
    made = await make(caller, "Hi")

    reply = await caller.http.post(f"/templates/{made['id']}/try")

    assert (reply.status_code, reply.json()["user_message_id"], reply.json()["assistant_message_id"]) == (
        202,
        None,
        None,
    )
    assert reply.json()["events"] == f"/api/v1/runs/{reply.json()['run_id']}/events"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x"}, "variables.language"),
        ({"content": "x", "variables": {"language": "Dutch", "more": "y"}}, "variables.more"),
        ({"content": "", "variables": {"language": "Dutch"}}, "content"),
        ({"content": "x", "variables": {"language": "Dutch"}, "chat_id": 1}, "chat_id"),
        (
            {"content": "x", "variables": {"language": "Dutch"}, "parameters": {"temperature": 9}},
            "parameters.temperature",
        ),
    ],
)
async def test_a_try_that_makes_no_sense_starts_no_run(caller: Caller, body: dict[str, Any], field: str) -> None:
    made = await make(caller)
    runs = [run["id"] for run in (await caller.get("/runs"))["runs"]]

    reply = await caller.http.post(f"/templates/{made['id']}/try", json=body)

    assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, field)
    assert [run["id"] for run in (await caller.get("/runs"))["runs"]] == runs


async def test_the_same_try_many_times_at_once_is_one_run(caller: Caller, upstream: FakeUpstream) -> None:
    made = await make(caller, "{{content}}")
    for _ in range(10):
        body = {"content": marked(), "client_id": str(uuid4())}

        async def read(body: dict[str, Any] = body) -> Wire:
            async with await try_out(caller, made["id"], **body) as wire:
                await wire.rest()
            return wire

        wires = await asyncio.gather(*(read() for _ in range(3)))

        assert {wire.status for wire in wires} == {200}
        assert len({(wire.headers["headrace-run"], wire.body) for wire in wires}) == 1
        assert len(asked_for(upstream, body["content"])) == 1
        other = await caller.http.post(f"/templates/{made['id']}/try", json={**body, "content": "y"})
        assert (other.status_code, error_of(other)["code"]) == (409, "client_id_reused")


async def test_the_same_try_again_is_the_same_run_when_the_template_is_gone(caller: Caller) -> None:
    made, body = await make(caller, "Hi {{a}}"), {"variables": {"a": "A"}, "client_id": str(uuid4())}
    run_id = await tried(caller, made["id"], **body)
    await caller.http.delete(f"/templates/{made['id']}")

    assert await tried(caller, made["id"], **body) == run_id


async def test_a_try_that_a_crash_cut_is_interrupted_and_readable(
    tmp_path: Path, upstream: FakeUpstream, scripts: Path
) -> None:
    server = Running(tmp_path, config(box=upstream.base_url, scripts=scripts))
    async with server.doomed():
        await server.start()
        async with Caller(server.url) as caller:
            made = await make(caller, "Hi")
            async with await try_out(caller, made["id"], model="script/pause") as wire:
                await wire.until("text")
                run_id = wire.headers["headrace-run"]
        await server.kill()
        await server.start()
        async with Caller(server.url) as caller:
            assert (await caller.get(f"/runs/{run_id}"))["status"] == "interrupted"
            frames = await caller.frames(run_id)
            assert (frames[-1].event, frames[-1].data["reason"]) == ("run.interrupted", "crash")
            assert text_of(frames).startswith("one ")
            assert await caller.get(f"/templates/{made['id']}") == made


async def test_anothers_template_and_its_tries_are_not_there(tmp_path: Path, upstream: FakeUpstream) -> None:
    settings = config(box=upstream.base_url, server={"access": True, "drain_s": 0})
    async with (
        Running(tmp_path, settings) as server,
        Caller(server.url) as caller,
        two_users(server) as (ours, theirs),
    ):
        made = (await ours.post("/templates", json={"name": "x", "content": "Hi"})).json()
        body = {"model": "box/silent-after-3"}
        run_id = (await ours.post(f"/templates/{made['id']}/try", json=body)).json()["run_id"]
        chat = (await theirs.post("/chats", json={})).json()["id"]

        for method, path, given in (
            ("GET", f"/templates/{made['id']}", None),
            ("PATCH", f"/templates/{made['id']}", {"name": "y"}),
            ("DELETE", f"/templates/{made['id']}", None),
            ("POST", f"/templates/{made['id']}/try", {}),
            ("GET", f"/runs/{run_id}", None),
            ("GET", f"/runs/{run_id}/events", None),
            ("POST", f"/runs/{run_id}/stop", None),
            ("GET", f"{caller.url}{STUDIO}/{made['id']}", None),
            ("PUT", f"{caller.url}{STUDIO}/{made['id']}", {"name": "y"}),
            ("DELETE", f"{caller.url}{STUDIO}/{made['id']}", None),
        ):
            reply = await theirs.request(method, path, json=given)
            code = error_fields(DOORS["studio"], reply.json())[0] if STUDIO in path else error_of(reply)["code"]
            assert (reply.status_code, code) == (404, "not_found"), path
        reply = await theirs.post(f"/chats/{chat}/turns", json={"template_id": made["id"]})
        assert (reply.status_code, error_of(reply)["details"]["field"]) == (422, "template_id")

        assert (await theirs.get("/templates")).json() == {"templates": [], "next": None}
        assert (await theirs.get(caller.url + STUDIO)).json() == []
        assert (await ours.get(f"/templates/{made['id']}")).json() == made
        assert (await ours.get(f"/runs/{run_id}")).json()["ended_at"] is None
        assert (await ours.post(f"/runs/{run_id}/stop")).json()["status"] == "stopped"
        for path in ("/templates", caller.url + STUDIO):
            assert (await caller.http.get(path)).status_code == 401


@contextlib.asynccontextmanager
async def two_users(server: Running) -> AsyncIterator[tuple[httpx.AsyncClient, httpx.AsyncClient]]:
    """Yield clients of the first user and of another, each signed in."""
    line = await server.until(lambda: next((line for line in server.lines if "#signin=" in line), None))
    secret = line.rpartition("#signin=")[2].split()[0]
    clients = [
        httpx.AsyncClient(
            base_url=f"{server.url}/api/v1", headers={"Origin": server.url}, timeout=20.0, trust_env=False
        )
        for _ in range(2)
    ]
    async with clients[0] as ours, clients[1] as theirs:
        assert (await ours.post("/session", json={"link": secret})).is_success
        invited = (await ours.post("/invitations", json={"name": "mary"})).json()
        assert (await theirs.post("/session", json={"link": invited["secret"]})).is_success
        yield ours, theirs
