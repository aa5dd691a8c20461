"""The command line against a real server that is stopped, killed, and started again."""

import asyncio
import re
import signal
from pathlib import Path

import httpx
import pytest

from system.running import Running, command, environment

DEMO = {"HEADRACE_PROVIDERS_DEMO_KIND": "scripted"}
PIPE = asyncio.subprocess.PIPE


async def chatting(url: str, *arguments: str) -> asyncio.subprocess.Process:
    environ = environment(HEADRACE_URL=url)
    return await asyncio.create_subprocess_exec(*command("chat", *arguments), env=environ, stdout=PIPE, stderr=PIPE)


async def has_begun(process: asyncio.subprocess.Process) -> bytes:
    """Wait for the first words of the answer, and return them."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return await process.stdout.readexactly(5)


async def test_one_message_is_answered(tmp_path: Path) -> None:
    async with Running(tmp_path, env=DEMO) as server:
        process = await chatting(server.url, "hello there", "--model", "demo/echo", "--system", "Be brief.")
        answer, notes = await process.communicate()
        async with httpx.AsyncClient(base_url=server.url) as client:
            chat = (await client.get("/api/v1/chats/2")).json()
    assert (process.returncode, answer) == (0, b"hello there\n")
    assert re.fullmatch(
        r"chat 2\ndemo/echo, first token after [\d.]+ s, [\d.]+ tokens/s, about 2 tokens\n", notes.decode()
    )
    assert chat["system_prompt"] == "Be brief."


async def test_ctrl_c_stops_the_run(tmp_path: Path) -> None:
    async with Running(tmp_path, env=DEMO) as server:
        process = await chatting(server.url, "hello", "--chat", "1")
        begun = await has_begun(process)
        process.send_signal(signal.SIGINT)
        rest, notes = await process.communicate()
        async with httpx.AsyncClient(base_url=server.url) as client:
            (run,) = (await client.get("/api/v1/runs")).json()["runs"]
    assert process.returncode == 130
    assert notes.startswith(b"stopped by user\n")
    assert begun == b"This "
    assert len(rest) < 200
    assert run["status"] == "stopped"


@pytest.mark.crash
async def test_a_killed_server_is_asked_again_until_it_is_back(tmp_path: Path, unused_tcp_port: int) -> None:
    server = Running(tmp_path, flags=("--port", str(unused_tcp_port)), env=DEMO)
    async with server:
        process = await chatting(server.url, "hello", "--chat", "1")
        await has_begun(process)
        await server.kill()
        await server.start()
        _, notes = await process.communicate()
    assert process.returncode == 1
    assert b"the connection is lost; trying again in 0.25 s\n" in notes
    told, _, advice = notes.decode().splitlines()[-3:]
    assert told == "interrupted: crash"
    assert advice == "`headrace chat --chat 1` and then /continue goes on with it"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "headrace: Other machines can reach 0.0.0.0, and access control is off"),
        (["--port", "http"], "headrace: --port: expected a whole number from 0 to 65535, not 'http'\n"),
        (["--model", "none.gguf"], "headrace: --model: there is no file none.gguf\n"),
        (["--config", "none.toml"], "headrace: none.toml: cannot be read: No such file or directory\n"),
    ],
)
async def test_a_server_that_cannot_start_says_why(tmp_path: Path, arguments: list[str], message: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("serve", *arguments), cwd=tmp_path, env=environment(), stdout=PIPE, stderr=PIPE
    )
    out, notes = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert notes.decode().startswith(message)


async def test_the_file_may_be_named_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "headrace.toml").write_text("[runs]\nmaximum = 1\n", encoding="utf-8")
    environ = environment(HEADRACE_CONFIG="headrace.toml")
    process = await asyncio.create_subprocess_exec(*command("serve"), cwd=tmp_path, env=environ, stderr=PIPE)
    _, notes = await process.communicate()
    assert notes == b"headrace: headrace.toml, [runs] maximum: no such key; the nearest is max\n"
