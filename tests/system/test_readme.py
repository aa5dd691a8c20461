"""The README's examples, run as they stand against a real server."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from system.running import Running

README = Path(__file__).resolve().parent.parent.parent / "README.md"
EXAMPLES = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
WRITTEN_URL = "http://127.0.0.1:8000"

# slow enough that a run can be stopped while it goes on, fast enough for a test
DEMO = {"HEADRACE_PROVIDERS_DEMO_KIND": "scripted", "HEADRACE_PROVIDERS_DEMO_RATE": "80"}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Running]:
    async with Running(tmp_path, env=DEMO) as server:
        yield server


async def printed(url: str, examples: list[str]) -> list[str]:
    """Return what each of the examples prints, run one after the other in one shell."""
    script = "".join(f"{example.replace(WRITTEN_URL, url)}\nprintf '\\f'\n" for example in examples)
    pipe = asyncio.subprocess.PIPE
    shell = await asyncio.create_subprocess_exec("bash", "-euo", "pipefail", "-c", script, stdout=pipe, stderr=pipe)
    output, problems = await shell.communicate()
    assert shell.returncode == 0, problems.decode()
    return output.decode().split("\f")[:-1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_the_first_five_minutes_go_as_written(server: Running) -> None:
    asked, started, followed, stopped, looked, elsewhere = await printed(server.url, EXAMPLES)

    assert asked.startswith("id: 0\nevent: run.started\n")
    assert asked.count("event: run.finished") == 1

    assert started == ""
    numbers = [int(number) for number in re.findall(r"^id: (\d+)$", followed, flags=re.MULTILINE)]
    last = max(numbers)
    assert numbers == [*range(last + 1), *range(11, last + 1)]

    assert json.loads(stopped)["status"] == "stopped"

    chat, end = json.JSONDecoder().raw_decode(looked)
    assert len(chat["messages"]) == 6
    runs, end = json.JSONDecoder().raw_decode(looked, end)
    assert [run["status"] for run in runs["runs"]] == ["stopped", "complete", "complete"]
    replay = looked[end:]
    assert replay.startswith("id: 0\n")
    assert replay.rstrip().rpartition("\n\n")[2].splitlines()[1] == "event: run.stopped"

    openai, _, ollama = elsewhere.partition("data: [DONE]\n\n")
    assert openai.startswith("data: {")
    assert json.loads(ollama.splitlines()[-1])["done_reason"] == "stop"
