"""Backups of a real server that is busy, restored elsewhere and served from there."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from headrace.app.archive import extract
from headrace.app.backup import back_up
from headrace.app.restore import restore
from system.calls import Caller, Turn, text_in
from system.running import Running, command, config, environment
from system.wire import TERMINAL, text_of

TERMINAL_STATUS = {"run.finished": "complete", "run.interrupted": "interrupted"}
LENGTHS = range(10, 260, 10)
"""How many tokens each answer has that ends by itself, at 100 a second; as many others wait for ever."""


def write_scripts(folder: Path) -> Path:
    folder.mkdir()
    for length in LENGTHS:
        steps = [{"text": "{i} ", "repeat": length, "wait_ms": 10}, {"finish": "stop"}]
        (folder / f"say-{length}.json").write_text(json.dumps(steps))
    steps = [{"text": "0 "}, {"text": "1 "}, {"hang": True}, {"text": "2 "}, {"finish": "stop"}]
    (folder / "pause.json").write_text(json.dumps(steps))
    return folder


async def headrace(*arguments: str) -> tuple[int, str]:
    """Run a command and return its exit status and all that it wrote."""
    out = asyncio.subprocess
    process = await asyncio.create_subprocess_exec(
        *command(*arguments), env=environment(), stdout=out.PIPE, stderr=out.STDOUT
    )
    async with asyncio.timeout(60):
        written, _ = await process.communicate()
    return process.returncode or 0, written.decode()


async def streaming(caller: Caller, models: Sequence[str]) -> Sequence[Turn]:
    """Start an answer of each of these models, in a chat of its own, and return once tokens of all can be read."""
    chats = [await caller.chat() for _ in models]
    turns = await asyncio.gather(
        *(caller.turn(chat, model=f"script/{model}") for chat, model in zip(chats, models, strict=True))
    )
    for turn in turns:
        async with await caller.follow(turn.run_id) as wire:
            await wire.until("text")
    return turns


async def check_whole(caller: Caller, turn: Turn) -> str:
    """Check that a message is exactly what its events make, that they end, and return its status."""
    frames = await caller.frames(turn.run_id)
    message = await caller.message(turn.answer)
    assert [frame.id for frame in frames] == list(range(len(frames)))
    assert [frame.event in TERMINAL for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert message["status"] == TERMINAL_STATUS[frames[-1].event]
    assert text_in(message) == text_of(frames)
    return str(message["status"])


async def restored(archive: Path, folder: Path, settings: str) -> Running:
    """Return a server on what the backup holds, not started yet."""
    await asyncio.to_thread(restore, archive, folder / "data")
    return Running(folder, settings)


async def test_a_backup_of_a_busy_server_has_every_finished_answer_with_its_events(tmp_path: Path) -> None:
    settings = config(scripts=write_scripts(tmp_path / "scripts"), server={"drain_s": 0})
    archives = [tmp_path / f"{number}.tar" for number in range(2)]
    async with Running(tmp_path / "old", settings) as server, Caller(server.url) as caller:
        ending = await streaming(caller, [f"say-{length}" for length in LENGTHS])
        waiting = await streaming(caller, ["pause"] * len(LENGTHS))
        for archive, turn in zip(archives, ending[8::16], strict=True):
            await asyncio.to_thread(back_up, server.data, archive)
            await caller.frames(turn.run_id)
        # the server went on as if nothing were
        assert {await check_whole(caller, turn) for turn in ending} == {"complete"}

    for archive in archives:
        async with await restored(archive, tmp_path / archive.stem, settings) as server, Caller(server.url) as caller:
            assert {await check_whole(caller, turn) for turn in ending} <= {"complete", "interrupted"}
            assert {await check_whole(caller, turn) for turn in waiting} == {"interrupted"}
            for turn in waiting[:3]:
                again = await caller.resume(turn.answer)
                await caller.frames(again.run_id)
                assert text_in(await caller.message(turn.answer)) == "0 1 2 "


def finished_and_kept(archive: Path, into: Path) -> tuple[set[str], set[str]]:
    """Return the runs that have ended as the database has it, and those that the journal has, sealed."""
    into.mkdir()
    extract(archive, into)
    ids = []
    for name, statement in (
        ("headrace.db", "SELECT id FROM runs WHERE ended_at IS NOT NULL"),
        ("journal.db", "SELECT run_id FROM runs WHERE sealed_at IS NOT NULL"),
    ):
        with closing(sqlite3.connect(into / name)) as db:
            ids.append({run_id for (run_id,) in db.execute(statement)})
    return ids[0], ids[1]


async def test_deleting_chats_while_backups_are_made_leaves_no_answer_without_events(tmp_path: Path) -> None:
    archives = [tmp_path / f"{number}.tar" for number in range(4)]
    async with Running(tmp_path / "old", config()) as server, Caller(server.url) as caller:
        chats = [await caller.chat() for _ in range(30)]
        kept = [await caller.answered(chat, model="script/tokens-r0-n3") for chat in chats][-1]

        async def delete() -> None:
            for chat in chats[:-1]:
                await caller.http.delete(f"/chats/{chat}")

        deleting = asyncio.create_task(delete())
        for archive in archives:
            await asyncio.to_thread(back_up, server.data, archive)
        await deleting
    for archive in archives:
        finished, with_events = finished_and_kept(archive, tmp_path / archive.stem)
        assert kept.run_id in finished
        assert finished <= with_events


async def test_a_backup_of_a_server_that_was_killed_is_what_it_would_have_started_with(tmp_path: Path) -> None:
    settings = config(scripts=write_scripts(tmp_path / "scripts"), server={"drain_s": 0})
    async with Running(tmp_path / "old", settings) as server, Caller(server.url) as caller:
        turns = await streaming(caller, [f"say-{length}" for length in LENGTHS[:10]])
        await server.kill()
        await asyncio.to_thread(back_up, server.data, tmp_path / "b.tar")
    async with await restored(tmp_path / "b.tar", tmp_path / "new", settings) as server, Caller(server.url) as caller:
        assert {await check_whole(caller, turn) for turn in turns} <= {"complete", "interrupted"}


async def test_the_commands_say_what_they_did(tmp_path: Path) -> None:
    async with Running(tmp_path / "old", config()) as server, Caller(server.url) as caller:
        await caller.answered(1, model="script/tokens-r0-n3")
        archive = str(tmp_path / "b.tar")
        status, written = await headrace("backup", archive, "--data-dir", str(server.data))
        assert status == 0
        assert written.endswith(f"{archive}\n")
        assert "headrace.db" in written
        assert await headrace("backup", archive, "--data-dir", str(server.data)) == (
            2,
            f"headrace: There is {archive} already. Name another file, or write over it with --force.\n",
        )
        status, written = await headrace("restore", archive, "--force", "--data-dir", str(server.data))
        assert status == 2
        assert "Another Headrace uses the data folder" in written
    status, written = await headrace("restore", archive, "--force", "--data-dir", str(server.data))
    assert status == 0
    assert f"What was there before: {server.data / 'headrace.db.before-restore-1'}\n" in written
    (tmp_path / "bad.tar").write_bytes(os.urandom(5000))
    status, written = await headrace("restore", str(tmp_path / "bad.tar"), "--data-dir", str(tmp_path / "other"))
    assert status == 1
    assert "is no backup of Headrace" in written


@pytest.mark.parametrize("name", ["backup", "restore"])
async def test_each_command_explains_itself(name: str) -> None:
    status, written = await headrace(name, "--help")
    assert status == 0
    assert "exit status" in written
    assert "--data-dir" in written
