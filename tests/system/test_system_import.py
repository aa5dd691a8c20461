"""`headrace import` as people call it, and what a server makes of the chats."""

import asyncio
import shutil
import zipfile
from pathlib import Path

from system.calls import Caller, text_in
from system.running import Running, command, config, environment

EXPORTS = Path(__file__).parents[1] / "unit" / "formats" / "exports"


async def imported(*arguments: str) -> tuple[int, str, str]:
    """Run the command and return its exit status, its output and its complaints."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command("import", *arguments), env=environment(), stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        output, problems = await process.communicate()
    return process.returncode or 0, output.decode(), problems.decode()


async def test_chats_are_imported_once_and_go_on_in_a_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    export = str(EXPORTS / "open_webui.json")
    assert await imported(export, "--data-dir", str(data)) == (
        1,
        "3 chats with 10 messages were imported.\n1 have no messages and were left out.\n",
        "Left out: In a circle: its messages go in a circle\n",
    )
    status, output, _ = await imported(export, "--data-dir", str(data))
    assert status == 1
    assert output.startswith("0 chats with 0 messages were imported.\n3 were there already.\n")

    async with Running(tmp_path, config()) as server, Caller(server.url) as caller:
        (found,) = (await caller.get("/chats?query=mill+wheel"))["chats"]
        chat = await caller.get(f"/chats/{found['id']}")
        assert (chat["title"], chat["system_prompt"]) == ("Mill races", "Answer as a miller.")
        assert [message["role"] for message in chat["messages"]] == [
            "user",
            "assistant",
            "assistant",
            "user",
            "assistant",
        ]
        assert chat["leaf_id"] == chat["messages"][-1]["id"]
        turn = await caller.answered(found["id"], "And a tail race?", model="script/echo")
        assert text_in(await caller.message(turn.answer)) == "And a tail race?"
        again = await caller.regenerate(chat["messages"][1]["id"], model="script/echo")
        await caller.frames(again.run_id)
        assert (await caller.message(again.answer))["parent_id"] == chat["messages"][0]["id"]

        status, _, problems = await imported(export, "--data-dir", str(data))
        assert status == 2
        assert "Another Headrace uses the data folder" in problems


async def test_the_zip_file_that_chatgpt_sends_is_taken_as_it_is(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "chatgpt.zip", "w") as archive:
        archive.write(EXPORTS / "chatgpt.json", "conversations.json")
    status, output, problems = await imported(str(tmp_path / "chatgpt.zip"), "--data-dir", str(tmp_path / "data"))
    assert status == 1
    assert output == "3 chats with 8 messages were imported.\n"
    assert problems.startswith("Left out: No tree: ")


async def test_what_cannot_be_imported_says_why(tmp_path: Path) -> None:
    shutil.copy(__file__, tmp_path / "file.json")
    status, _, problems = await imported(str(tmp_path / "file.json"), "--data-dir", str(tmp_path / "data"))
    assert (status, problems) == (2, "headrace: This file is no export of chats: it is no list in JSON.\n")
    status, _, problems = await imported(
        str(EXPORTS / "chatgpt.json"), "--as-user", "mary", "--data-dir", str(tmp_path / "data")
    )
    assert (status, problems) == (2, "headrace: There is no user 'mary'.\n")


async def test_the_command_explains_itself() -> None:
    status, output, _ = await imported("--help")
    assert status == 0
    for what in ("--as-user", "exit status", "The server must not run"):
        assert what in " ".join(output.split())
