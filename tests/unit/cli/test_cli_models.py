import asyncio
import json
import os
import pty
import sys
import termios
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakes.server import FakeServer, Reply, error_reply, json_reply

REASON = "Cannot connect to the model server at 127.0.0.1:11434: nothing listens there."
COMMAND = (sys.executable, "-c", "from headrace.cli.models import models; models()")


def provider(name: str, state: str, found_by: str = "settings", *, reason: str | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "kind": "openai",
        "found_by": found_by,
        "state": state,
        "reason": reason,
        "since": 1,
        "models": 0,
    }


def model(provider: str, name: str, length: int | None = None, *, demonstration: bool = False) -> dict[str, Any]:
    return {
        "id": f"{provider}/{name}",
        "name": name,
        "provider": provider,
        "state": "up",
        "reason": None,
        "context_length": length,
        "can_continue": True,
        "demonstration": demonstration,
    }


PROVIDERS = [
    provider("box", "up"),
    provider("demo", "up"),
    provider("ollama", "down", "discovery", reason=REASON),
    provider("openai", "off", "environment", reason="found, off: why."),
]
MODELS = [
    model("box", "gemma3:12b", 131_072),
    model("box", "b"),
    model("demo", "echo", demonstration=True),
    model("ollama", "c", 8192),
]
TABLE = f"""\
PROVIDER  STATE  KIND    FOUND BY     MODEL           CONTEXT
box       up     openai  settings     box/gemma3:12b   131072
                                      box/b
demo      up     openai  settings     demo/echo                demonstration
ollama    down   openai  discovery    ollama/c           8192
  {REASON}
openai    off    openai  environment  -
  found, off: why.
"""


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


async def finished(server: FakeServer, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *arguments),
        env={**os.environ, "HEADRACE_URL": server.url, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, notes = await process.communicate()
    return process.returncode, out.decode(), notes.decode()


def answer(server: FakeServer, providers: Any, models: Any) -> None:
    """Answer both requests, in whichever order they come."""
    server.answer(json_reply({"providers": providers, "models": models}))
    server.answer(json_reply({"providers": providers, "models": models}))


async def test_every_provider_is_shown_with_its_models_and_why_it_does_not_answer(server: FakeServer) -> None:
    answer(server, PROVIDERS, MODELS)
    assert await finished(server) == (0, TABLE, "")
    assert {request.path for request in server.requests} == {"/api/v1/providers", "/api/v1/models"}


async def test_a_reason_is_wrapped_for_a_terminal_and_nothing_in_it_is_cut(server: FakeServer) -> None:
    answer(server, PROVIDERS[2:3], MODELS)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 40))
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env={**os.environ, "HEADRACE_URL": server.url}, stdout=theirs
    )
    os.close(theirs)
    assert await process.wait() == 0
    shown = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    assert shown.endswith("  Cannot connect to the model server at\n  127.0.0.1:11434: nothing listens\n  there.\n")


async def test_json_has_all_that_the_server_told(server: FakeServer) -> None:
    newer = {**PROVIDERS[0], "of_a_later_version": 7}
    answer(server, [newer], MODELS)
    status, out, notes = await finished(server, "--json")
    assert (status, notes) == (0, "")
    assert json.loads(out) == {"providers": [{**newer, "models": MODELS[:2]}]}


async def test_a_server_without_providers_is_told_what_to_do(server: FakeServer) -> None:
    answer(server, [], [])
    status, out, notes = await finished(server)
    assert (status, out, notes.startswith("there are no providers yet: put a GGUF file into ")) == (0, "", True)


async def test_what_a_server_says_does_not_command_the_terminal(server: FakeServer) -> None:
    answer(server, [provider("box", "up", reason="\x1b]0;title\x07")], [model("box", "a\x1b[2J")])
    _, out, _ = await finished(server)
    assert "\x1b" not in out
    assert r"box/a\x1b[2J" in out
    assert r"  \x1b]0;title\x07" in out


async def test_the_token_goes_along(server: FakeServer) -> None:
    answer(server, [], [])
    await finished(server, HEADRACE_TOKEN="t0k3n")
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer t0k3n"}


async def test_a_server_that_is_not_there_is_told_in_one_sentence(server: FakeServer) -> None:
    async with FakeServer() as gone:
        url = gone.url
    status, out, notes = await finished(server, "--url", url)
    assert (status, out) == (2, "")
    assert notes == (
        f"There is no Headrace server at {url}. Start one with `headrace serve`, or name another in HEADRACE_URL.\n"
    )


async def test_a_refusal_is_told_by_code_and_message(server: FakeServer) -> None:
    server.answer(error_reply(403, "forbidden", "Not for you."), error_reply(403, "forbidden", "Not for you."))
    assert await finished(server) == (1, "", "forbidden: Not for you.\n")


async def test_who_is_not_known_is_told_how_to_say_so_and_the_token_is_not_shown(server: FakeServer) -> None:
    server.answer(error_reply(401, "unauthorized", "Who are you?"))
    status, out, notes = await finished(server, HEADRACE_TOKEN="t0k3n")
    assert (status, out) == (1, "")
    assert notes.startswith("unauthorized: Who are you? Set HEADRACE_TOKEN")
    assert "`headrace token create NAME`" in notes
    assert "t0k3n" not in notes


async def test_the_line_end_of_a_file_is_no_part_of_the_token(server: FakeServer) -> None:
    server.answer(error_reply(401, "unauthorized", "Who are you?"))
    await finished(server, HEADRACE_TOKEN="t0k3n\n")
    assert server.requests[0].headers["authorization"] == "Bearer t0k3n"


async def test_a_token_that_no_header_can_hold_is_refused_and_not_shown(server: FakeServer) -> None:
    status, out, notes = await finished(server, HEADRACE_TOKEN="t0k3n\r\nHost: evil")
    assert (status, out) == (1, "")
    assert "The value of the header Authorization has a line break" in notes
    assert "t0k3n" not in notes
    assert server.requests == []


@pytest.mark.parametrize(
    "reply",
    [json_reply(["what"]), json_reply({"providers": [{}]}), Reply(200, b"<html>", {"content-type": "text/html"})],
)
async def test_what_is_no_headrace_server_is_told(server: FakeServer, reply: Reply) -> None:
    server.answer(reply, reply)
    status, out, notes = await finished(server)
    assert (status, out) == (1, "")
    assert notes.startswith(f"no_headrace: What answers at {server.url} is no Headrace server")


async def test_a_connection_that_breaks_is_told(server: FakeServer) -> None:
    reply = json_reply({})
    broken = Reply(200, reply.body[:1], {**reply.headers, "content-length": "9"}, "drop")
    server.answer(broken, broken)
    status, out, notes = await finished(server)
    assert (status, out) == (1, "")
    assert notes == f"the connection to {server.url} failed: upstream_closed\n"


async def test_a_url_that_is_none_is_told(server: FakeServer) -> None:
    status, _, notes = await finished(server, "--url", "localhost:8000")
    assert (status, notes.startswith("bad_settings: Not a URL that can be called")) == (1, True)
