"""`headrace runs` against a real server."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from system.calls import Caller, Turn
from system.running import Running, command, environment
from system.terminal import Terminal
from system.wire import TERMINAL

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIPE = asyncio.subprocess.PIPE


async def started(server: Running, *arguments: str) -> asyncio.subprocess.Process:
    environ = environment(HEADRACE_URL=server.url)
    return await asyncio.create_subprocess_exec(*command("runs", *arguments), env=environ, stdout=PIPE, stderr=PIPE)


async def runs(server: Running, *arguments: str) -> tuple[int | None, str, str]:
    """Return the command's exit status, and what it wrote to standard output and to standard error."""
    process = await started(server, *arguments)
    out, notes = await process.communicate()
    return process.returncode, out.decode(), notes.decode()


async def answered(caller: Caller, model: str) -> Turn:
    return await caller.answered(await caller.chat(model=f"script/{model}"))


async def test_runs_are_listed_the_newest_first(server: Running, caller: Caller) -> None:
    first, second = await answered(caller, "tokens-r0-n5"), await answered(caller, "refuses")
    status, out, notes = await runs(server, "--limit", "2")
    assert (status, notes) == (0, "")
    head, newest, older = out.splitlines()
    assert head.split() == ["ID", "STATUS", "MODEL", "CHAT", "STARTED", "TOKENS", "TOKENS/S"]
    assert newest.split()[:3] == [second.run_id, "failed", "script/refuses"]
    assert older.split()[:3] == [first.run_id, "complete", "script/tokens-r0-n5"]
    assert re.search(r" \d+  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +~?5 +([\d.]+|-)$", older)


async def test_runs_of_a_status_are_listed_whole_for_programs(server: Running, caller: Caller) -> None:
    turn = await answered(caller, "refuses")
    status, out, _ = await runs(server, "--status", "failed,stopped", "--json", "--limit", "1")
    assert status == 0
    assert json.loads(out) == [await caller.get(f"/runs/{turn.run_id}")]


async def test_more_runs_than_a_page_has_are_listed(server: Running, caller: Caller) -> None:
    chat_id = await caller.chat(model="script/tokens-r0-n1")
    for _ in range(3):
        await caller.answered(chat_id)
    _, out, _ = await runs(server, "--json", "--limit", "500")
    assert len(json.loads(out)) == len((await caller.get("/runs?limit=200"))["runs"]) >= 3


async def test_no_runs_are_told(server: Running) -> None:
    assert await runs(server, "--status", "loading") == (0, "", "there are no runs that are loading\n")


async def test_the_table_fits_the_terminal(server: Running, caller: Caller, tmp_path: Path) -> None:
    await answered(caller, "tokens-r0-n5")
    async with Terminal("runs", url=server.url, folder=tmp_path, columns=100) as terminal:
        assert await terminal.ended() == 0
        await terminal.shows("…")
    assert all(re.match(r"ID|run_\S{22}  \w+ +\S", line) for line in terminal.display)


async def test_a_run_is_followed_to_its_end(server: Running, caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(model="script/steady"))
    status, out, notes = await runs(server, "follow", turn.run_id)
    assert (status, out) == (0, "".join(f"{number} " for number in range(60)) + "\n")
    assert notes.startswith("script/steady, first token after ")


async def test_following_begins_after_an_event(server: Running, caller: Caller) -> None:
    turn = await answered(caller, "tokens-r0-n5")
    assert (await runs(server, "follow", turn.run_id, "--after", "3"))[1] == "3 4 \n"
    assert await runs(server, "follow", turn.run_id, "--after", "99") == (
        0,
        "",
        "there is nothing after event 99: the run is complete\n",
    )


async def test_ctrl_c_leaves_a_run_alone(server: Running, caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(model="script/pause"))
    process = await started(server, "follow", turn.run_id)
    assert process.stdout is not None
    assert await process.stdout.readexactly(8) == b"one two "
    process.send_signal(signal.SIGINT)
    _, notes = await process.communicate()
    assert process.returncode == 130
    assert notes.decode() == f"left; the run goes on, and `headrace runs stop {turn.run_id}` stops it\n"
    assert (await caller.get(f"/runs/{turn.run_id}"))["status"] == "streaming"
    await caller.stop(turn.run_id)


async def test_a_run_is_stopped_and_stays_so(server: Running, caller: Caller) -> None:
    turn = await caller.turn(await caller.chat(model="script/hang"))
    for _ in range(2):
        assert await runs(server, "stop", turn.run_id) == (0, "stopped\n", "")
    assert (await runs(server, "follow", turn.run_id))[0] == 1
    assert (await runs(server, "follow", turn.run_id, "--after", "99"))[0] == 1
    assert (await runs(server, "replay", turn.run_id, "--after", "99"))[0] == 0


async def test_a_replay_has_the_timing_of_the_run(server: Running, caller: Caller) -> None:
    turn = await answered(caller, "rhythm")
    process = await started(server, "replay", turn.run_id, "--speed", "0.5")
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    came = []
    for piece in (b"a ", b"b ", b"c ", b"d "):
        assert await process.stdout.readexactly(2) == piece
        came.append(loop.time())
    out, _ = await process.communicate()
    assert (process.returncode, out) == (0, b"\n")
    # as slow as that at least; a busy machine may add to each
    assert came[-1] - came[0] > 0.7


async def test_a_replay_of_events_is_a_line_of_json_for_each(server: Running, caller: Caller) -> None:
    turn = await answered(caller, "scenic")
    status, out, notes = await runs(server, "replay", turn.run_id, "--events", "--speed", "0")
    assert (status, notes) == (0, "")
    frames = await caller.frames(turn.run_id)
    assert [json.loads(line) for line in out.split("\n")[:-1]] == [{"seq": each.id, **each.data} for each in frames]
    assert json.loads(out.split("\n")[-2])["type"] in TERMINAL


@pytest.mark.parametrize("act", [["follow"], ["replay"], ["stop"]])
async def test_a_run_that_is_not_there_is_told(server: Running, act: list[str]) -> None:
    assert await runs(server, *act, "run_x") == (1, "", "not_found: There is no run run_x.\n")


async def test_a_status_that_is_none_is_told(server: Running) -> None:
    assert await runs(server, "--status", "sung") == (1, "", "invalid_field: There is no status 'sung'.\n")


@pytest.mark.parametrize(
    "arguments", [["--url", "URL"], ["follow", "run_x", "--url", "URL"], ["--url", "URL", "stop", "run_x"]]
)
async def test_a_server_that_is_not_there_is_told(server: Running, unused_tcp_port: int, arguments: list[str]) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    status, out, notes = await runs(server, *(url if each == "URL" else each for each in arguments))
    assert (status, out) == (2, "")
    assert notes.startswith(f"There is no Headrace server at {url}.")
