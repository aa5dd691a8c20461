"""The tests that OpenAI's Python package brings along, against this server; docs/sdks.md has what came of them.

HEADRACE_WRITE_DOCS=1 .venv/bin/python -m pytest tests/system/test_system_openai_own.py    # write that section anew
"""

import asyncio
import os
import re
import subprocess
import sys
import tarfile
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fakes.upstream import FakeUpstream
from system.inprocess import serving
from system.running import config
from system.sdk_page import check_section

pytestmark = pytest.mark.asyncio(loop_scope="session")

PINNED = Path(__file__).parents[1] / "sdks" / "openai-own.txt"
KEPT = Path(sys.prefix) / "sdks" / "openai-own"
FILE = "tests/api_resources/chat/test_completions.py"
MODEL = "gpt-6-astra"
"""The model that these tests name."""

CALLS = ("create", "retrieve", "update", "list", "delete")
STORED = CALLS[1:]

SECTION = """\
## The tests that `openai` for Python brings along

`{file}` of the source distribution of `openai` {version}, unchanged, in
`tests/system/test_system_openai_own.py`, which also writes this section: each call as a whole reply, raw and streamed, with
all parameters there are, checked loosely and strictly against the package's types, over each of its HTTP clients.

| call | cases | pass |
|---|---|---|
{rows}
What does not pass asks for completions that are stored. There are none here: an id is answered 404, their list 405. The
tests are made for a server that pretends: they ask for the id `completion_id`, which no server that stores them has either,
so of these cases only those of `list` could pass. What passes sends nothing, as the package refuses an empty id by itself.
"""


@pytest.fixture(scope="module")
def sources() -> Path:
    """The folder of the package's source distribution; it is fetched once."""
    pinned = PINNED.read_text().split()[0].removeprefix("openai==")
    assert pinned == version("openai"), f"{PINNED.name} is for another version: take that which is locked, and its hash"
    folder = KEPT / f"openai-{pinned}"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command = [*pip, "--no-binary", "openai", "--require-hashes", "--dest", str(KEPT), "-r", str(PINNED)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"the package's sources cannot be fetched: {done.stderr[-300:]}")
        with tarfile.open(KEPT / f"openai-{pinned}.tar.gz") as archive:
            archive.extractall(KEPT, filter="data")
    return folder


async def tried(folder: Path, url: str, report: Path) -> list[tuple[str, str]]:
    """Run the tests; return the name of each, and why it failed: nothing where it passed."""
    environ = {**os.environ, "PYTHONPATH": "", "TEST_API_BASE_URL": f"{url}/v1", "NO_PROXY": "*"}
    # theirs are their own settings, but for what runs them in parallel
    command = (sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", f"--junitxml={report}")
    process = await asyncio.create_subprocess_exec(
        *command, FILE, cwd=folder, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(300):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode in {0, 1}, out.decode()[-3000:]
    return [
        (case.get("name", ""), " ".join(each.get("message", "") for each in case if each.tag in {"error", "failure"}))
        for case in ET.parse(report).iter("testcase")  # noqa: S314  it is ours, of a moment ago
    ]


def call_of(name: str) -> str:
    """Return what a test calls: `test_raw_response_create_overload_1[loose]` is one of `create`."""
    found = re.search(f"_({'|'.join(CALLS)})(_|\\[|$)", name)
    assert found is not None, name
    return found[1]


@pytest.mark.timeout(600)  # it may have to fetch what it needs first
async def test_its_own_tests_of_chat_completions_come_out_as_the_page_says(tmp_path: Path, sources: Path) -> None:
    async with FakeUpstream() as upstream:
        settings = config(box=upstream.base_url)
        aliases = settings.replace("[models]\n", f'[models]\naliases = {{ "{MODEL}" = "box/text" }}\n')
        async with serving(tmp_path, aliases) as url:
            outcome = await tried(sources, url, tmp_path / "report.xml")

    wrong = {
        name: why
        for name, why in outcome
        if why and not (call_of(name) in STORED and re.search("Error code: 40[45]", why))
    }
    cases, passed = (
        Counter(call_of(name) for name, _ in outcome),
        Counter(call_of(name) for name, why in outcome if not why),
    )
    rows = "".join(f"| `{call}` | {cases[call]} | {passed[call]} |\n" for call in CALLS)
    assert wrong == {}
    check_section(SECTION.format(file=FILE, version=version("openai"), rows=rows))
