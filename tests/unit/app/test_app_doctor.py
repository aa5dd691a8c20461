"""Set-ups that are broken, each in one way: the doctor names what is wrong, and the remedy."""

import asyncio
import os
import shutil
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from fakes.journals import opened, run_of
from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.app.doctor import examine
from headrace.app.doctor_findings import Finding
from headrace.store.store import Store

ALONE = "[models]\ndiscovery = false\ndemonstration = false\n"
"""Nothing is looked for on the machine that runs the test."""

SCRIPTED = '[providers.demo]\nkind = "scripted"\n'


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


class SetUp:
    """A folder with settings and data."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "headrace.toml"
        self.data = folder / "data"

    async def examined(self, text: str = ALONE, *, ask: bool = False, **flags: str) -> Sequence[Finding]:
        self.config.write_text(text)
        return await examine(config=self.config, flags={"port": "0", "data_dir": str(self.data), **flags}, ask=ask)

    async def filled(self) -> None:
        """Make both databases, as a server leaves them."""
        self.data.mkdir(mode=0o700)
        store = Store(self.data / "headrace.db")
        await store.open()
        await store.close()
        async with opened("sqlite", self.data) as journal:
            for number in range(20):
                await journal.seal(f"run_{number}", await run_of(journal, f"run_{number}", 500))

    def damage(self, name: str) -> None:
        """Overwrite the middle of a file."""
        path = self.data / name
        data = bytearray(path.read_bytes())
        start = len(data) // 4096 // 2 * 4096
        data[start : start + 8192] = b"\xa5" * 8192
        path.write_bytes(data)


@pytest.fixture
def setup(tmp_path: Path) -> SetUp:
    return SetUp(tmp_path)


def check(findings: Sequence[Finding], name: str, status: str, *words: str) -> None:
    """Assert that this check found this, and that it says these words."""
    found = [finding for finding in findings if finding.check == name]
    assert [finding.status for finding in found] == [status], findings
    said = f"{found[0].what} {found[0].remedy}"
    assert all(word in said for word in words), said
    assert (found[0].remedy is None) == (status == "ok")


async def test_what_is_in_order_is_said_to_be(setup: SetUp) -> None:
    await setup.filled()
    before = {path.name: path.read_bytes() for path in setup.data.iterdir()}

    findings = await setup.examined(ALONE + SCRIPTED, ask=True)

    assert {finding.status for finding in findings} == {"ok"}, findings
    assert {finding.check for finding in findings} >= {"settings", "port 0", "headrace.db", "journal.db", "clock"}
    assert {path.name: path.read_bytes() for path in setup.data.iterdir()} == before, "it changed the data"


async def test_where_nothing_is_yet_nothing_is_made(setup: SetUp) -> None:
    check(await setup.examined(), "data folder", "ok", "is made when the server first starts")
    assert not setup.data.exists()


async def test_an_unknown_key(setup: SetUp) -> None:
    findings = await setup.examined("[server]\nprot = 1\n")
    check(findings, "settings", "problem", "prot", "port", "headrace.toml")
    assert {finding.check for finding in findings} == {"settings", "clock"}


async def test_an_unknown_variable(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PROT", "1")
    check(await setup.examined(), "settings", "problem", "HEADRACE_PROT", "HEADRACE_PORT")


async def test_a_port_that_another_program_has(setup: SetUp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        findings = await setup.examined(port=port)
    check(findings, f"port {port}", "problem", "another program", f"process {os.getpid()}", "--port")


async def test_a_file_in_the_place_of_the_data_folder(setup: SetUp) -> None:
    setup.data.write_text("")
    check(await setup.examined(), "data folder", "problem", str(setup.data), "is a file", "--data-dir")


async def test_a_data_folder_that_cannot_be_made(setup: SetUp) -> None:
    # nobody can make anything there, not even root
    check(await setup.examined(data_dir="/proc/headrace"), "data folder", "problem", "cannot be made", "data_dir")


async def test_a_data_folder_that_others_can_read(setup: SetUp) -> None:
    await setup.filled()
    setup.data.chmod(0o755)
    check(await setup.examined(), "data folder", "warning", "755", "chmod 700")


@pytest.mark.parametrize("name", ["headrace.db", "journal.db"])
async def test_a_damaged_database(setup: SetUp, name: str) -> None:
    await setup.filled()
    setup.damage(name)
    check(await setup.examined(), name, "problem", "damaged", "backup", ".recover")


@pytest.mark.parametrize("name", ["headrace.db", "journal.db"])
async def test_a_database_that_is_none(setup: SetUp, name: str) -> None:
    await setup.filled()
    (setup.data / name).write_bytes(b"no database, but long enough to be one " * 400)
    check(await setup.examined(), name, "problem", "damaged", str(setup.data / name))


async def test_a_database_of_a_newer_version(setup: SetUp) -> None:
    await setup.filled()
    with closing(sqlite3.connect(setup.data / "headrace.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    check(await setup.examined(), "headrace.db", "problem", "9999", "newer", "before-")


async def test_ollama_that_is_set_up_and_does_not_run(setup: SetUp, unused_tcp_port: int) -> None:
    text = f'{ALONE}[providers.ollama]\nkind = "ollama"\nbase_url = "http://127.0.0.1:{unused_tcp_port}"\n'
    findings = await setup.examined(text)
    check(findings, "provider ollama", "problem", "nothing listens there", "base_url in [providers.ollama]")
    check(findings, "models", "problem", "No model answers")


async def test_ollama_that_is_installed_and_does_not_run(
    setup: SetUp, tmp_path: Path, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    shutil.copy("/bin/true", program)
    monkeypatch.setenv("PATH", str(program.parent))
    text = f"[models]\ndiscovery_ports = {{ ollama = {unused_tcp_port} }}\n"
    check(await setup.examined(text), "ollama", "warning", str(unused_tcp_port), "ollama serve")


async def test_an_ollama_that_runs_is_found(setup: SetUp) -> None:
    async with FakeOllama() as ollama:
        findings = await setup.examined(f"[models]\ndiscovery_ports = {{ ollama = {ollama.port} }}\n", ask=True)
    check(findings, "provider ollama", "ok", "found on this machine")
    check(findings, "models", "ok", "ollama/text", "first word")


async def test_a_provider_that_is_down(setup: SetUp, unused_tcp_port: int) -> None:
    text = f'{ALONE}[providers.box]\nkind = "openai"\nbase_url = "http://127.0.0.1:{unused_tcp_port}/v1"\n'
    check(await setup.examined(text), "provider box", "problem", str(unused_tcp_port), "Start the model server")


async def test_an_address_that_lacks_its_path(setup: SetUp) -> None:
    async with FakeUpstream(no_models=True) as upstream:
        findings = await setup.examined(f'{ALONE}[providers.box]\nkind = "openai"\nbase_url = "{upstream.base_url}"\n')
    check(findings, "provider box", "problem", "/v1")


async def test_a_key_that_is_refused(setup: SetUp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOX_KEY", "sk-wrong")
    async with FakeUpstream(key="sk-right") as upstream:
        text = f'[providers.box]\nkind = "openai"\nbase_url = "{upstream.base_url}"\napi_key_env = "BOX_KEY"\n'
        findings = await setup.examined(ALONE + text)
    check(findings, "provider box", "problem", "key", "api_key_env in [providers.box]")
    assert "sk-" not in str(findings)


async def test_a_key_whose_variable_is_missing(setup: SetUp) -> None:
    text = '[providers.box]\nkind = "openai"\nbase_url = "http://127.0.0.1:1/v1"\napi_key_env = "BOX_KEY"\n'
    check(await setup.examined(ALONE + text), "provider box", "problem", "BOX_KEY", "not set", "[providers.box]")


async def test_an_address_that_is_none(setup: SetUp) -> None:
    text = f'{ALONE}[providers.box]\nkind = "openai"\nbase_url = "box:8080"\n'
    check(await setup.examined(text), "provider box", "problem", "box:8080", "[providers.box]")


@pytest.mark.engine
async def test_the_model_that_comes_with_it_is_only_a_demonstration(setup: SetUp) -> None:
    findings = await setup.examined("[models]\ndiscovery = false\n")
    check(findings, "provider builtin", "ok", "builtin (comes with Headrace) answers", "1 model.")
    check(findings, "models", "warning", "Only a demonstration would answer: builtin/headrace-tiny.", "headrace pull")


async def test_no_model_at_all(setup: SetUp) -> None:
    check(await setup.examined(), "models", "problem", "No model", "GGUF")


async def test_nothing_but_a_demonstration(setup: SetUp) -> None:
    check(await setup.examined(ALONE + SCRIPTED), "models", "warning", "demo/demo", "--model")


async def test_a_model_that_fails_when_it_is_asked(setup: SetUp) -> None:
    async with FakeUpstream(models=("status-500",)) as upstream:
        text = f'[providers.box]\nkind = "openai"\nbase_url = "{upstream.base_url}"\n'
        findings = await setup.examined(ALONE + text, ask=True)
    check(findings, "models", "problem", "box/status-500 did not answer")


async def test_a_model_file_that_is_missing(setup: SetUp, tmp_path: Path) -> None:
    path = tmp_path / "gone.gguf"
    text = f'{ALONE}[providers.own]\nkind = "embedded"\npath = "{path}"\n'
    findings = await setup.examined(text)
    check(findings, "model file of own", "problem", str(path), "path in [providers.own]")
    check(findings, "provider own", "problem", str(path))


async def test_a_model_file_that_is_none(setup: SetUp, tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>Not found</html>")
    findings = await setup.examined(f'{ALONE}[providers.own]\nkind = "embedded"\npath = "{path}"\n')
    check(findings, "model file of own", "problem", "no GGUF file", "Download it again")


async def test_a_server_that_cannot_be_reached(setup: SetUp, unused_tcp_port: int) -> None:
    setup.config.write_text(ALONE + SCRIPTED)
    findings = await examine(config=setup.config, flags={"port": "0"}, url=f"http://127.0.0.1:{unused_tcp_port}")
    check(findings, "url", "problem", "cannot be reached", "proxy")


async def test_an_address_that_is_not_headrace(setup: SetUp) -> None:
    setup.config.write_text(ALONE + SCRIPTED)
    async with FakeUpstream() as stranger:
        url = f"http://127.0.0.1:{stranger.port}"
        findings = await asyncio.wait_for(examine(config=setup.config, flags={"port": "0"}, url=url), 30)
    check(findings, "url", "problem", "404", "deploy/")
