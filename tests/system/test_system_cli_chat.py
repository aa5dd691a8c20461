"""`headrace chat` in a real terminal, against a real server."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from system.calls import Caller
from system.running import Running, command, config, environment
from system.terminal import Terminal

pytestmark = pytest.mark.asyncio(loop_scope="session")

CTRL_C, CTRL_D = "\x03", "\x04"
CONTROLS = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]")
SEQUENCES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
HOSTILE = "a\x1b]52;c;ZXZpbA==\x07b\x1b[2J\x1b[31mc\u202ed\u2066e\x9b1Af\x08g\rh"
SHOWN = r"a\x1b]52;c;ZXZpbA==\x07b\x1b[2J\x1b[31mc\u202ed\u2066e\x9b1Af\x08g\x0dh"
END_AT_ONCE = {"drain_s": 0}
FINISH = {"finish": "stop"}
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "pause": [{"text": "one "}, {"text": "two "}, {"hang": True}, {"text": "three "}, {"text": "four"}, FINISH],
    "words": [{"text": "word{i} ", "repeat": 10_000}, FINISH],
    "hostile": [{"reasoning": HOSTILE}, {"text": HOSTILE}, FINISH],
    "thinks": [{"reasoning": "hm"}, {"text": "yes"}, FINISH],
    "loads": [{"loading": True}, {"loading": 0.4}, {"hang": True}],
    "reads": [{"progress": {"read": 25, "total": 1000}}, {"hang": True}],
    "columns": [{"text": "0123456789" * 5}, {"hang": True}],
}


def write_scripts(folder: Path) -> Path:
    folder.mkdir()
    for name, steps in SCRIPTS.items():
        (folder / f"{name}.json").write_text(json.dumps(steps))
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream) -> AsyncIterator[Running]:
    folder = tmp_path_factory.mktemp("cli")
    settings = config(box=upstream.base_url, scripts=write_scripts(folder / "scripts"), server=END_AT_ONCE)
    async with Running(folder / "server", settings) as server:
        yield server


def chatting(server: Running, folder: Path, *arguments: str, columns: int = 80, **env: str) -> Terminal:
    return Terminal("chat", *arguments, url=server.url, folder=folder, columns=columns, **env)


def text_of(raw: bytes) -> str:
    """Return what a terminal was sent without the commands for it; a status ends as a line does."""
    return SEQUENCES.sub(b"", raw).replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode()


async def latest_run(server: Running) -> dict[str, Any]:
    async with Caller(server.url) as caller:
        run: dict[str, Any] = (await caller.get("/runs?limit=1"))["runs"][0]
        return run


async def test_a_conversation(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/echo", "--system", "Be brief.") as terminal:
        await terminal.shows("/help lists the commands")
        await terminal.prompts()
        terminal.press("hello there\r")
        await terminal.shows("tokens/s")
        await terminal.prompts()
        terminal.press("and again\r")
        await terminal.shows("> and again\nand again\nscript/echo, first token after ")
        await terminal.prompts()
        terminal.press(CTRL_D)
        assert await terminal.ended() == 0
    run = await latest_run(server)
    async with Caller(server.url) as caller:
        chat = await caller.get(f"/chats/{run['chat_id']}")
    assert chat["system_prompt"] == "Be brief."
    assert [message["role"] for message in chat["messages"]] == ["user", "assistant"] * 2


async def test_commands(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/echo") as terminal:
        await terminal.prompts()
        terminal.press("/retry\r")
        await terminal.shows("there is no message yet")
        terminal.press("first\r")
        await terminal.shows("> first\nchat ")
        await terminal.shows("\nfirst\nscript/echo")
        await terminal.prompts()
        terminal.press("/retry\r")
        await terminal.shows("> /retry\nfirst\nscript/echo")
        await terminal.prompts()
        terminal.press("/continue\r")
        await terminal.shows("not_continuable: ")
        terminal.press("/model thinks\r")
        await terminal.shows("thinks answers from now on\n")
        terminal.press("/model\r")
        await terminal.shows("  script/pause\n")
        terminal.press("/system Be kind.\r")
        await terminal.shows("system prompt: Be kind.")
        terminal.press("/system -\r/system\r")
        await terminal.shows("> /system -\nno system prompt\n> /system\nno system prompt")
        await terminal.prompts()
        terminal.press("/sing\r")
        await terminal.shows("there is no command /sing")
        terminal.press("/model nobody\r")
        await terminal.shows("nobody answers from now on, if it can: no provider lists it")
        await terminal.prompts()
        terminal.press("/new\r")
        await terminal.shows("a new chat")
        terminal.press("hello\r")
        await terminal.shows("unknown_model: There is no model 'nobody'.")
        await terminal.prompts()
        terminal.press("/help\r")
        await terminal.shows("Alt-Enter")
        terminal.press("/quit\r")
        assert await terminal.ended() == 0


async def test_a_message_of_several_lines(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/echo") as terminal:
        await terminal.prompts()
        terminal.press("one\\\rtwo\x1b\rthree\r")
        await terminal.shows("> one\n  two\n  three\nchat ")
        await terminal.shows("\none\ntwo\nthree\nscript/echo")


async def test_ctrl_c_stops_the_answer_and_the_prompt_comes_back(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/pause") as terminal:
        await terminal.prompts()
        terminal.press("count\r")
        await terminal.shows("one two")
        terminal.press(CTRL_C)
        await terminal.shows("one two\nstopped by user\nscript/pause, ")
        await terminal.prompts()
        assert (await latest_run(server))["status"] == "stopped"
        terminal.press("/continue\r")
        await terminal.shows("> /continue\nthree four\nscript/pause, ")
        await terminal.prompts()
        terminal.press(f"nothing{CTRL_C}")
        await terminal.prompts()
        terminal.press(CTRL_C)
        await terminal.shows("Ctrl-D or /quit leaves")
        await terminal.prompts()
        terminal.press("/quit\r")
        assert await terminal.ended() == 0


async def test_what_is_typed_during_an_answer_is_kept_for_the_next_prompt(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/pause") as terminal:
        modes = terminal.modes()
        await terminal.prompts()
        terminal.press("count\r")
        await terminal.shows("one two")
        before = len(terminal.raw)
        terminal.press("next")
        os.kill(terminal.pid, signal.SIGINT)
        await terminal.shows("> next")
        assert text_of(terminal.raw[before:]).startswith("\nstopped by user\n")
        terminal.press(f"{CTRL_C}{CTRL_D}")
        assert await terminal.ended() == 0
        assert terminal.modes() == modes


async def test_a_chat_goes_on_with_its_last_messages(server: Running, tmp_path: Path) -> None:
    async with Caller(server.url) as caller:
        chat_id = await caller.chat(title="Counting", model="script/pause")
        turn = await caller.turn(chat_id, "count")
        async with chatting(server, tmp_path, "--chat", str(chat_id)) as terminal:
            await terminal.shows(f"chat {chat_id}: Counting\n> count\none two")
            await caller.stop(turn.run_id)
            await terminal.shows("> count\none two\nstopped by user\nscript/pause, ")
            await terminal.prompts()
            terminal.press(CTRL_D)
        async with chatting(server, tmp_path, "--chat", str(chat_id)) as terminal:
            await terminal.shows("> count\none two\n[stopped]\n>")
            await terminal.prompts()
            terminal.press("/continue\r")
            await terminal.shows("three four")


@pytest.mark.parametrize(
    ("model", "status"),
    [("loads", "loading script/loads, 40%"), ("reads", "reading the prompt, 1000 tokens, 2%")],
)
async def test_what_comes_before_the_answer_is_one_line_that_goes(
    server: Running, tmp_path: Path, model: str, status: str
) -> None:
    async with chatting(server, tmp_path, "Hi", "--model", f"script/{model}") as terminal:
        await terminal.shows(status)
        assert len(terminal.display) == 2
        terminal.press(CTRL_C)
        assert await terminal.ended() == 130
        await terminal.shows("stopped by user")
        assert status not in terminal.display


async def test_the_place_in_the_queue_is_shown(server: Running, tmp_path: Path) -> None:
    async with Caller(server.url) as caller:
        first = await caller.turn(await caller.chat(model="narrow/silent-after-1"))
        async with chatting(server, tmp_path, "Hi", "--model", "narrow/text") as terminal:
            await terminal.shows("waiting for room, place 1")
            await caller.stop(first.run_id)
            assert await terminal.ended() == 0
            assert terminal.display[1].startswith("0 1 2 3 4")


async def test_thoughts_are_dimmed(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "Hi", "--model", "script/thinks") as terminal:
        await terminal.shows("hm\nyes\nscript/thinks")
    assert b"\x1b[2mhm\x1b[0m\r\nyes\r\n" in terminal.raw


@pytest.mark.parametrize("columns", [10, 200])
async def test_an_answer_of_ten_thousand_words_scrolls_by_once(server: Running, tmp_path: Path, columns: int) -> None:
    answer = "".join(f"word{number} " for number in range(10_000))
    async with chatting(server, tmp_path, "Hi", "--model", "script/words", columns=columns) as terminal:
        assert await terminal.ended() == 0
        await terminal.until(lambda: b"10000 tokens" in terminal.raw)
    assert f"\n{answer}\nscript/words, " in text_of(terminal.raw)
    assert len(terminal.raw) < len(answer) + 500


async def test_a_narrower_window_in_mid_answer_garbles_nothing(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "--model", "script/columns", columns=40) as terminal:
        await terminal.prompts()
        terminal.press("go\r")
        await terminal.shows("0123456789" * 4 + "\n0123456789")
        terminal.resize(20)
        terminal.press(CTRL_C)
        await terminal.shows("stopped by user")
        await terminal.prompts()
        terminal.press("0123456789abcdefghijklmnopq\r")
        await terminal.shows("> 0123456789abcdefgh\n  ijklmnopq\n")
        await terminal.shows("01234567890123456789\n" * 2 + "0123456789")
        terminal.resize(60)
        terminal.press(CTRL_C)
        await terminal.prompts()


async def test_a_status_outlives_a_resize_without_a_trace(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "Hi", "--model", "script/reads", columns=60) as terminal:
        await terminal.shows("reading the prompt, 1000 tokens, 2%")
        terminal.resize(12)
        terminal.press(CTRL_C)
        assert await terminal.ended() == 130
        await terminal.until(lambda: "".join(terminal.display).endswith("0 tokens"))
    assert not any(line.startswith("reading") for line in terminal.display)


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
async def test_a_model_commands_no_terminal(server: Running, tmp_path: Path, env: dict[str, str]) -> None:
    async with chatting(server, tmp_path, "Hi", "--model", "script/hostile", columns=200, **env) as terminal:
        await terminal.until(lambda: "\n".join(terminal.display).count(SHOWN) == 2)
        assert await terminal.ended() == 0
    allowed = b"" if env else rb"\x1b\[2m|\x1b\[0m|\x1b\[J|"
    assert not CONTROLS.findall(re.sub(allowed + rb"\r\n|(?<=\x1b\[0m)\r", b"", terminal.raw))


async def test_no_colour_and_no_control_characters_where_no_terminal_is(server: Running) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("chat", "Hi", "--model", "script/hostile"),
        env=environment(HEADRACE_URL=server.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    answer, notes = await process.communicate()
    assert (process.returncode, answer.decode()) == (0, f"{SHOWN}\n")
    assert not CONTROLS.findall(notes)


async def test_no_colour_means_no_control_characters_on_a_terminal(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "Hi", "--model", "script/reads", NO_COLOR="1") as terminal:
        await terminal.shows("reading the prompt, 1000 tokens")
        assert not CONTROLS.findall(terminal.raw.replace(b"\r\n", b""))


async def test_a_server_that_is_not_there_is_told_before_the_prompt(tmp_path: Path, unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with Terminal("chat", url=url, folder=tmp_path) as terminal:
        assert await terminal.ended() == 2
        await terminal.shows(f"There is no Headrace server at {url}.")


async def test_raw_text_is_not_for_terminals(server: Running, tmp_path: Path) -> None:
    async with chatting(server, tmp_path, "Hi", "--raw") as terminal:
        assert await terminal.ended() == 2
        await terminal.shows("--raw is for files and programs")


@pytest.mark.crash
async def test_a_server_that_is_killed_in_mid_answer_and_comes_back(tmp_path: Path, unused_tcp_port: int) -> None:
    settings = config(scripts=write_scripts(tmp_path / "scripts"), server=END_AT_ONCE)
    running = Running(tmp_path / "server", settings, flags=("--port", str(unused_tcp_port)))
    async with running as server, chatting(server, tmp_path, "--model", "script/pause") as terminal:
        await terminal.prompts()
        terminal.press("count\r")
        await terminal.shows("one two")
        await server.kill()
        await terminal.shows("the connection is lost; trying again in ")
        await server.start()
        await terminal.shows("one two\ninterrupted: crash\n")
        await terminal.shows("/continue goes on with it, /retry makes another answer")
        await terminal.prompts()
        assert not any("trying again" in line for line in terminal.display)
        terminal.press("/continue\r")
        await terminal.shows("> /continue\nthree four\nscript/pause, ")
        await terminal.prompts()
        await server.kill()
        terminal.press("still there?\r")
        await terminal.shows(f"There is no Headrace server at {server.url}.")
        await terminal.shows("\n> still there?")
        await server.start()
        terminal.press("\r")
        await terminal.shows("> still there?\none two")
