import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping

import pytest

from fakes.server import FakeServer, error_reply, json_reply, stream
from headrace.core.events import Event, RunFailed, RunFinished, RunInterrupted, RunStarted, Text
from headrace.formats import native

EVENTS: list[Event] = [RunStarted(run_id="run_1", model="box/a"), Text("Hel"), Text("lo"), RunFinished("stop")]
CHAT = json_reply({"id": 7}, 201)


def frames(events: list[Event], start: int = 0) -> bytes:
    return native.frames(start, [native.encode(event, 0) for event in events])


async def started(
    server: FakeServer,
    *arguments: str,
    stdin: int = asyncio.subprocess.DEVNULL,
    stdout: int = asyncio.subprocess.PIPE,
    environ: Mapping[str, str] | None = None,
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from headrace.cli.chat import chat; chat()", *arguments),
        env={**os.environ, "HEADRACE_URL": server.url, **(environ or {})},
        stdin=stdin,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


async def finished(server: FakeServer, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    process = await started(server, *arguments, environ=environ)
    out, notes = await process.communicate()
    return process.returncode, out.decode(), notes.decode()


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with FakeServer() as server:
        yield server


async def test_the_answer_is_printed_and_nothing_else(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames(EVENTS)))
    assert await finished(server, "Hi") == (0, "Hello\n", "chat 7\nbox/a\n")
    assert [request.path for request in server.requests] == ["/api/v1/chats", "/api/v1/chats/7/turns"]
    assert server.requests[1].body["content"] == "Hi"


async def test_options_go_to_the_server(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames(EVENTS)))
    await finished(server, "Hi", "--model", "box/a", "--system", "Be brief.", HEADRACE_TOKEN="t0k3n")
    new_chat, turn = server.requests
    assert new_chat.body == {"system_prompt": "Be brief."}
    assert turn.body["model"] == "box/a"
    assert turn.headers["authorization"] == "Bearer t0k3n"


async def test_the_message_may_come_from_standard_input(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames(EVENTS)))
    process = await started(server, stdin=asyncio.subprocess.PIPE)
    out, _ = await process.communicate(b"Hi \xff\nthere\n")
    assert (process.returncode, out) == (0, b"Hello\n")
    assert server.requests[1].body["content"] == "Hi \ufffd\nthere\n"


async def test_nothing_on_standard_input_is_no_message(server: FakeServer) -> None:
    process = await started(server, stdin=asyncio.subprocess.DEVNULL)
    _, notes = await process.communicate()
    assert process.returncode == 2
    assert b"There is no message" in notes
    assert server.requests == []


async def test_a_given_chat_goes_on(server: FakeServer) -> None:
    server.answer(stream(frames(EVENTS)))
    assert await finished(server, "Hi", "--chat", "3") == (0, "Hello\n", "box/a\n")
    assert server.requests[0].path == "/api/v1/chats/3/turns"


async def test_a_system_prompt_for_a_given_chat_is_refused(server: FakeServer) -> None:
    status, out, notes = await finished(server, "Hi", "--chat", "3", "--system", "Be brief.")
    assert (status, out) == (2, "")
    assert "--system is for a new chat" in notes
    assert server.requests == []


async def test_a_failed_run_is_told_by_code_and_message(server: FakeServer) -> None:
    failed = RunFailed("upstream_refused", "Nothing listens there.", retryable=True)
    server.answer(CHAT, stream(frames([EVENTS[0], failed])))
    status, out, notes = await finished(server, "Hi")
    assert (status, out) == (1, "")
    assert "upstream_refused: Nothing listens there.\n" in notes


async def test_a_refused_message_is_told_by_code_and_message(server: FakeServer) -> None:
    server.answer(CHAT, error_reply(422, "invalid_field", "model: no such model."))
    assert await finished(server, "Hi") == (1, "", "chat 7\ninvalid_field: model: no such model.\n")


async def test_a_server_that_is_not_there_is_told_in_one_sentence(server: FakeServer) -> None:
    async with FakeServer() as gone:
        url = gone.url
    status, out, notes = await finished(server, "Hi", HEADRACE_URL=url)
    assert (status, out) == (2, "")
    assert notes.startswith(f"There is no Headrace server at {url}.")


async def test_a_url_that_is_none_is_told(server: FakeServer) -> None:
    status, _, notes = await finished(server, "Hi", HEADRACE_URL="localhost:8000")
    assert status == 1
    assert notes.startswith("bad_settings: Not a URL that can be called")


async def test_an_interrupted_answer_says_how_to_go_on(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames([*EVENTS[:2], RunInterrupted("crash")])))
    assert await finished(server, "Hi") == (
        1,
        "Hel\n",
        "chat 7\ninterrupted: crash\nbox/a\n`headrace chat --chat 7` and then /continue goes on with it\n",
    )


async def test_what_a_terminal_would_take_for_a_command_is_piped_raw_only_where_asked(server: FakeServer) -> None:
    hostile: list[Event] = [EVENTS[0], Text("\x1b[2J\r\n"), RunFinished("stop")]
    server.answer(CHAT, stream(frames(hostile)), CHAT, stream(frames(hostile)))
    assert (await finished(server, "Hi"))[1] == "\\x1b[2J\n"
    process = await started(server, "Hi", "--raw")
    assert (await process.communicate())[0] == b"\x1b[2J\r\n"


async def test_text_that_the_encoding_lacks_ends_nothing(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames([EVENTS[0], Text("h\u00e9 \ud83d!"), RunFinished("stop")])))
    status, out, _ = await finished(server, "Hi", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (status, out) == (0, "h? ?!\n")


async def test_a_stop_that_is_not_confirmed_is_told(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames(EVENTS[:2]), then="hold"), error_reply(503, "draining", "Going down."))
    process = await started(server, "Hi")
    assert process.stdout is not None
    await process.stdout.readexactly(3)
    process.send_signal(signal.SIGINT)
    _, notes = await process.communicate()
    assert process.returncode == 130
    assert b"did not confirm the stop" in notes


async def test_the_run_is_stopped_when_nobody_reads_the_answer_any_more(server: FakeServer) -> None:
    server.answer(CHAT, stream(frames(EVENTS[:2]), then="drop"))
    reading, writing = os.pipe()
    process = await started(server, "Hi", stdout=writing)
    os.close(writing)
    assert await asyncio.to_thread(os.read, reading, 3) == b"Hel"
    os.close(reading)
    # the command asks for the rest, and has nobody to give it to
    server.answer(stream(frames(EVENTS[2:3], start=2), then="hold"), json_reply({"status": "stopped"}))
    assert await process.wait() == 1
    assert server.requests[3].path == "/api/v1/runs/run_1/stop"
