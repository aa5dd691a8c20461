"""Access control from the first start on, by the command line against a real server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from system.running import Running, Unstarted, command, config, environment
from system.wire import Wire, frames_of

PIPE = asyncio.subprocess.PIPE
LINK = re.compile(r"^(http://[^/]+)/#signin=(hri_[A-Za-z0-9_-]{43})$", re.MULTILINE)
WORDS = "tokens-r20-n400"
"""A script that types for 20 s."""


def settings(scripts: Path, **server: Any) -> str:
    return config(scripts=scripts, server={"access": True, "drain_s": 0, **server})


@pytest.fixture
async def server(tmp_path: Path, scripts: Path) -> AsyncIterator[Running]:
    async with Running(tmp_path, settings(scripts)) as running:
        yield running


async def headrace(server: Running, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    """Run a command on the server's data folder."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments, "--config", str(server.config), "--data-dir", str(server.data)),
        env=environment(**environ),
        stdout=PIPE,
        stderr=PIPE,
    )
    out, notes = await process.communicate()
    return process.returncode, out.decode(), notes.decode()


async def done(server: Running, *arguments: str) -> str:
    """Return what a command that succeeds prints."""
    status, out, notes = await headrace(server, *arguments)
    assert status == 0, notes
    return out


async def chat(server: Running, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *command("chat", "--url", server.url, *arguments), env=environment(**environ), stdout=PIPE, stderr=PIPE
    )
    out, notes = await process.communicate()
    return process.returncode, out.decode(), notes.decode()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.strip()}"}


def client(server: Running, **more: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=20, **more)


async def link_of(server: Running) -> tuple[str, str]:
    """Return the address and the secret of the link that the server wrote."""
    found = await server.until(lambda: LINK.search(server.text))
    return found[1], found[2]


async def becomes(http: httpx.AsyncClient, path: str, status: int) -> None:
    """Ask until the status is this, for as long as the server may take to notice what a command changed."""
    async with asyncio.timeout(5):
        while (await http.get(path)).status_code != status:  # noqa: ASYNC110 - another process makes it true
            await asyncio.sleep(0.1)


async def started(server: Running, token: str) -> str:
    """Start a long answer and return its run's id."""
    async with client(server, headers=bearer(token)) as http:
        reply = await http.post("/api/v1/chats/1/turns", json={"content": "Hi", "model": f"script/{WORDS}"})
        assert reply.status_code == 202, reply.text
        return str(reply.json()["run_id"])


async def test_the_first_start_prints_a_link_once_and_it_signs_in_the_admin_once(server: Running) -> None:
    address, secret = await link_of(server)
    assert address == server.url
    assert not [line for line in server.log if "hri_" in json.dumps(line)]
    async with client(server, headers={"Origin": server.url}) as http:
        assert (await http.get("/api/v1/chats")).status_code == 401
        reply = await http.post("/api/v1/session", json={"link": secret})
        assert reply.is_success, reply.text
        cookie = reply.headers["set-cookie"]
        assert cookie.startswith("headrace_session=")
        assert {"HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert "samesite=lax" in cookie.lower()
        assert [each["id"] for each in (await http.get("/api/v1/chats")).json()["chats"]] == [1]
    async with client(server, headers={"Origin": server.url}) as http:
        assert (await http.post("/api/v1/session", json={"link": secret})).status_code == 401
    await server.end()
    await server.start()
    assert LINK.search(server.text) is None


async def test_who_has_a_token_before_the_first_start_gets_no_link(tmp_path: Path, scripts: Path) -> None:
    server = Running(tmp_path, settings(scripts))
    token = await done(server, "token", "create", "laptop")
    async with server:
        async with client(server, headers=bearer(token)) as http:
            assert (await http.get("/api/v1/chats/1")).status_code == 200
        assert LINK.search(server.text) is None


async def test_tokens_are_made_listed_and_revoked_while_the_server_runs(server: Running) -> None:
    token = await done(server, "token", "create", "laptop", "--expires", "1d", "--scope", "chat")
    assert re.fullmatch(r"hr_[A-Za-z0-9_-]{43}\n", token)
    async with client(server, headers=bearer(token)) as http:
        assert (await http.get("/api/v1/chats")).status_code == 200
    (listed,) = json.loads(await done(server, "token", "list", "--json"))
    assert (listed["name"], listed["user"], listed["scopes"]) == ("laptop", "local", ["chat"])
    table = await done(server, "token", "list")
    assert re.search(rf"^{listed['id']} +local +laptop +hr_.* +chat .* valid$", table, re.MULTILINE)
    assert token.strip() not in table
    await done(server, "token", "revoke", str(listed["id"]))
    async with client(server, headers=bearer(token)) as http:
        await becomes(http, "/api/v1/chats", 401)
    assert re.search(r" revoked$", await done(server, "token", "list"), re.MULTILINE)
    status, _, notes = await headrace(server, "token", "revoke", "99")
    assert status == 2
    assert notes.startswith("headrace: ")


async def test_a_revoked_token_s_open_stream_is_cut_within_5_seconds(server: Running) -> None:
    kept, lost = [await done(server, "token", "create", name) for name in ("kept", "lost")]
    run = await started(server, kept)
    url = f"{server.url}/api/v1/runs/{run}/events"
    async with (
        await Wire.open(url, headers=bearer(kept)) as other,
        await Wire.open(url, headers=bearer(lost)) as reader,
    ):
        await done(server, "token", "revoke", "2")
        async with asyncio.timeout(5):
            with pytest.raises(ConnectionError):
                await reader.rest()
        async with client(server, headers=bearer(kept)) as http:
            reply = await http.get(f"/api/v1/runs/{run}")
            assert reply.json()["status"] == "streaming"
            await http.post(f"/api/v1/runs/{run}/stop")
        assert frames_of(await other.rest())[-1].event == "run.stopped"


async def test_chat_takes_the_token_and_a_401_says_how_to_get_one(server: Running) -> None:
    token = await done(server, "token", "create", "laptop")
    status, out, _ = await chat(server, "hello there", "--model", "script/echo", HEADRACE_TOKEN=token)
    assert (status, out) == (0, "hello there\n")
    for environ in ({}, {"HEADRACE_TOKEN": "hr_" + "A" * 43}):
        status, out, notes = await chat(server, "hello", **environ)
        assert (status, out) == (1, "")
        assert "HEADRACE_TOKEN" in notes
        assert "`headrace token create NAME`" in notes
        assert "AAAA" not in notes
    assert token.strip() not in server.text


async def test_users_are_added_kept_apart_and_kept_out(server: Running) -> None:
    await done(server, "user", "add", "ada")
    token = await done(server, "token", "create", "hers", "--user", "ada")
    async with client(server, headers=bearer(token)) as http:
        assert (await http.get("/api/v1/chats/1")).status_code == 404
        assert (await http.get("/api/v1/users")).status_code == 403
        await done(server, "user", "change", "ada", "--role", "admin")
        await becomes(http, "/api/v1/users", 200)
        await done(server, "user", "change", "ada", "--disable")
        await becomes(http, "/api/v1/chats", 401)
    status, _, notes = await headrace(server, "user", "change", "local", "--role", "member")
    assert status == 2
    assert "admin" in notes
    assert (await headrace(server, "user", "add", "ada"))[0] == 2
    users = {each["name"]: each for each in json.loads(await done(server, "user", "list", "--json"))}
    assert users["ada"]["disabled_at"] is not None
    assert users["local"]["role"] == "admin"


async def test_an_invitation_makes_a_user_once(server: Running) -> None:
    link = (await done(server, "invite", "grace")).strip()
    address, _, secret = link.partition("/#signin=")
    assert (address, secret[:4]) == ("http://127.0.0.1:8000", "hri_")
    async with client(server, headers={"Origin": server.url}) as http:
        assert (await http.post("/api/v1/session", json={"link": secret})).is_success
        assert (await http.get("/api/v1/chats/1")).status_code == 404
        again = await http.post("/api/v1/session", json={"link": secret})
    assert again.status_code == 401
    assert "grace" in await done(server, "user", "list")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_a_host_that_others_reach_is_refused_without_access(tmp_path: Path, host: str) -> None:
    server = Running(tmp_path, flags=("--host", host))
    with pytest.raises(Unstarted) as caught:
        await server.start()
    assert caught.value.code == 2
    assert "`access = true` in [server]" in caught.value.text
    assert not server.data.exists()


async def test_with_access_others_reach_it_and_the_link_can_be_opened(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, settings(scripts), flags=("--host", "0.0.0.0")) as server:
        address, _ = await link_of(server)
        assert re.fullmatch(r"http://localhost:\d+", address)
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{address}/ready")).status_code == 200


@pytest.mark.parametrize("access", [True, False])
async def test_an_unknown_host_is_refused_also_on_loopback(tmp_path: Path, scripts: Path, *, access: bool) -> None:
    named = settings(scripts, access=access, allowed_hosts=["chat.lan"])
    async with Running(tmp_path, named) as server, client(server) as http:
        replies = {
            host: (await http.get("/ready", headers={"Host": host})).status_code
            for host in ("evil.example", "evil.example:8000", "chat.lan", "chat.lan:9", "localhost", "127.0.0.1:1")
        }
    assert replies == {
        "evil.example": 403,
        "evil.example:8000": 403,
        "chat.lan": 200,
        "chat.lan:9": 200,
        "localhost": 200,
        "127.0.0.1:1": 200,
    }


async def test_the_doctor_says_that_the_server_asks_who_comes(server: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("doctor", "--url", server.url, "--data-dir", str(server.data), "--json"),
        env=environment(),
        stdout=PIPE,
    )
    out, _ = await process.communicate()
    findings = {each["check"]: each["what"] for each in json.loads(out)["findings"] if each["status"] == "warning"}
    assert "asks who you are" in findings["access"]
