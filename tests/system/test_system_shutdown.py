"""Ends servers as an operator does, and starts them where they cannot start."""

import contextlib
import signal
import socket
import time
from pathlib import Path

import pytest

from fakes.upstream import FakeUpstream
from system.calls import Caller, asked, closed, error_of, marked, text_in
from system.running import Running, Unstarted, config
from system.wire import text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLACK_S = 5.0
"""What ending takes beside the time to drain and the 2 s that readers get, on a busy machine."""

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def draining(seconds: float, scripts: Path) -> str:
    return config(scripts=scripts, server={"drain_s": seconds})


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_run_that_ends_in_time_is_complete(tmp_path: Path, scripts: Path, number: signal.Signals) -> None:
    async with Running(tmp_path, draining(30, scripts)) as server, Caller(server.url) as caller:
        async with await caller.stream(1, model="script/steady") as wire:
            await wire.until("text")

            server.signal(number)
            frames = await wire.frames()

        assert frames[-1].event == "run.finished"
        assert text_of(frames) == "".join(f"{number} " for number in range(60))
        assert await server.ended() == 0


async def test_while_it_drains_nothing_new_begins_and_what_goes_on_can_be_read(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, draining(30, scripts)) as server, Caller(server.url) as caller:
        turn = await caller.turn(1, model="script/pause")
        async with await caller.follow(turn.run_id) as reader:
            await reader.until("text")
            assert (await caller.root("/ready")).status_code == 200

            server.signal(signal.SIGTERM)
            await server.logged("server.draining")

            ready = await caller.root("/ready")
            refused = await caller.http.post(f"/chats/{await caller.chat()}/turns", json={"content": "Hi"})
            again = await caller.http.post(f"/messages/{turn.answer}/regenerate")
            async with await caller.follow(turn.run_id) as late:
                assert (await late.until("text")).data["delta"] == "one "
            assert (await caller.root("/health")).status_code == 200
            assert await caller.stop(turn.run_id) == "stopped"
            assert (await reader.frames())[-1].event == "run.stopped"
        assert await server.ended() == 0

    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reason": "shutting down"})
    for reply in (refused, again):
        assert (reply.status_code, error_of(reply)["code"]) == (503, "shutting_down")
        assert int(reply.headers["retry-after"]) > 0


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_run_that_does_not_end_in_time_is_interrupted_and_can_be_continued(
    tmp_path: Path, scripts: Path, number: signal.Signals
) -> None:
    async with Running(tmp_path, draining(0.3, scripts)).doomed() as server:
        await server.start()
        async with Caller(server.url) as caller:
            turn = await caller.turn(1, model="script/pause")
            async with await caller.follow(turn.run_id) as reader:
                await reader.until("text")
                begin = time.monotonic()

                server.signal(number)
                frames = await reader.frames()

                assert await server.ended() == 0
                assert time.monotonic() - begin < 0.3 + 2 + SLACK_S
        assert (frames[-1].event, frames[-1].data["reason"]) == ("run.interrupted", "shutdown")

        async with server, Caller(server.url) as caller:
            message = await caller.message(turn.answer)
            assert (message["status"], text_in(message)) == ("interrupted", "one two ")
            assert await caller.frames(turn.run_id) == frames
            more = await caller.resume(turn.answer)
            assert text_of(await caller.frames(more.run_id)) == "three four"


async def test_an_interrupted_run_hangs_up_on_its_model(tmp_path: Path, upstream: FakeUpstream) -> None:
    settings = config(box=upstream.base_url, server={"drain_s": 0})
    words = marked()
    async with Running(tmp_path, settings) as server, Caller(server.url) as caller:
        await caller.turn(1, words, model="box/silent-after-2")
        request = await asked(upstream, words)

        server.signal(signal.SIGTERM)

        assert await server.ended() == 0
        await closed(upstream, request)


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_second_signal_does_not_wait(tmp_path: Path, scripts: Path, number: signal.Signals) -> None:
    async with Running(tmp_path, draining(600, scripts)) as server, Caller(server.url) as caller:
        async with await caller.stream(1, model="script/pause") as wire:
            await wire.until("text")
            server.signal(number)
            await server.logged("server.draining")

            server.signal(number)

            assert (await wire.frames())[-1].event == "run.interrupted"
        assert await server.ended(within_s=2 + SLACK_S) == 0


async def test_two_signals_at_once_do_not_wait_either(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, draining(600, scripts)) as server, Caller(server.url) as caller:
        async with await caller.stream(1, model="script/pause") as wire:
            await wire.until("text")

            for number in SIGNALS:
                server.signal(number)

            assert (await wire.frames())[-1].event == "run.interrupted"
        assert await server.ended(within_s=2 + SLACK_S) == 0


async def test_a_reader_that_never_reads_does_not_hold_up_the_end(tmp_path: Path, scripts: Path) -> None:
    async with Running(tmp_path, draining(0, scripts)) as server, Caller(server.url) as caller:
        turn = await caller.turn(1, model="script/tokens-r0-n20000")
        async with await caller.follow(turn.run_id, receive_buffer=4096) as stuck:
            await stuck.take(1)
            await caller.body(turn.run_id)

            server.signal(signal.SIGTERM)

            assert await server.ended(within_s=2 + SLACK_S) == 0
    assert "Traceback" not in server.text


async def test_connections_that_only_wait_do_not_hold_up_the_end(tmp_path: Path) -> None:
    async with Running(tmp_path, config()) as server, Caller(server.url) as caller:
        await caller.get("/chats/1")
        host, _, port = server.url.rpartition("/")[2].partition(":")
        with contextlib.closing(socket.create_connection((host, int(port)))) as silent:
            silent.sendall(b"GET /ready HT")

            server.signal(signal.SIGTERM)

            assert await server.ended(within_s=2 + SLACK_S) == 0


async def test_an_end_without_work_leaves_no_trace_of_trouble(tmp_path: Path) -> None:
    async with Running(tmp_path, config()) as server:
        server.signal(signal.SIGTERM)

        assert await server.ended() == 0

    assert {line["level"] for line in server.log} == {"info"}
    assert len(server.log) == len(server.lines)


# Where it cannot start


async def unstarted(server: Running) -> str:
    """Return what a server says that does not start: one sentence, not a traceback."""
    async with server.doomed():
        with pytest.raises(Unstarted) as failed:
            await server.start()
    assert failed.value.code == 2
    assert "Traceback" not in failed.value.text
    (line,) = failed.value.text.splitlines()
    assert line.startswith("headrace: ")
    return line


async def test_a_second_server_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with Running(tmp_path, config()) as first, Caller(first.url) as caller:
        said = await unstarted(Running(tmp_path, config()))

        assert str(first.data) in said
        assert "--data-dir" in said
        await caller.get("/chats/1")


async def test_the_data_is_free_again_when_the_first_was_killed(tmp_path: Path) -> None:
    async with Running(tmp_path, config()).doomed() as server:
        await server.start()
        await server.kill()

        async with server, Caller(server.url) as caller:
            await caller.get("/chats/1")


async def test_a_port_that_is_taken_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        said = await unstarted(Running(tmp_path, config(), flags=("--port", str(port))))

    assert str(port) in said
    assert "--port" in said


@pytest.mark.parametrize("name", ["journal.db", "headrace.db"])
@pytest.mark.parametrize("content", [b"this is no database, but it is long enough to be one " * 400, b"short"])
async def test_a_database_that_is_none_is_refused_and_left_as_it_is(tmp_path: Path, name: str, content: bytes) -> None:
    server = Running(tmp_path, config())
    server.data.mkdir()
    (server.data / name).write_bytes(content)

    said = await unstarted(server)

    assert str(server.data / name) in said
    assert (server.data / name).read_bytes() == content


@pytest.mark.parametrize("name", ["journal.db", "headrace.db"])
async def test_a_damaged_database_is_refused_or_serves_what_is_whole(tmp_path: Path, name: str) -> None:
    server = Running(tmp_path, config())
    async with server, Caller(server.url) as caller:
        await caller.answered(1, model="script/tokens-r0-n2000")
    path = server.data / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    said = await unstarted(server)

    assert str(path) in said


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    server = Running(tmp_path, config())
    server.data.write_text("a file is in the way")

    assert str(server.data) in await unstarted(server)


async def test_a_setting_that_cannot_be_is_named_with_its_place_and_the_nearest(tmp_path: Path) -> None:
    said = await unstarted(Running(tmp_path, "[server]\nprot = 1\n"))

    assert all(word in said for word in ("headrace.toml", "prot", "port")), said
