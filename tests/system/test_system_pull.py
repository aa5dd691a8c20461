"""`headrace pull` as people call it, and downloads by way of a server."""

import asyncio
import hashlib
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from fakes.hub import FakeHub
from system.calls import Caller, error_of
from system.running import Running, command, environment, settings_file

DATA = b"GGUF" + hashlib.shake_128(b"a model").digest(2_000_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = 1_000_000


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with FakeHub() as hub:
        hub.add("owner/repo", "model-Q4_K_M.gguf", DATA)
        hub.add("owner/repo", "model-Q8_0.gguf", DATA[:1000])
        yield hub


async def pulling(hub: FakeHub, data: Path, *arguments: str, **env: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *command("pull", *arguments, "--data-dir", str(data)),
        env=environment(HF_ENDPOINT=hub.url, **env),
        stdout=pipe,
        stderr=pipe,
    )


async def pulled(hub: FakeHub, data: Path, *arguments: str, **env: str) -> tuple[int, str, str]:
    """Run the command and return its exit status, its output and its complaints."""
    process = await pulling(hub, data, *arguments, **env)
    async with asyncio.timeout(60):
        output, problems = await process.communicate()
    return process.returncode or 0, output.decode(), problems.decode()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  another process does it
            await asyncio.sleep(0.01)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1


def content(path: Path) -> bytes:
    return path.read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_model_comes_with_its_path_on_standard_output(hub: FakeHub, tmp_path: Path) -> None:
    status, output, problems = await pulled(hub, tmp_path, "owner/repo:Q4_K_M", HF_TOKEN="hf_s3cret")
    model = tmp_path / "models" / "model-Q4_K_M.gguf"
    assert (status, output) == (0, f"{model}\n")
    assert problems.splitlines()[-1].startswith("model-Q4_K_M.gguf: 2.0 MB of 2.0 MB")
    assert "\r" not in problems
    assert hashlib.sha256(content(model)).hexdigest() == SHA256
    assert names_in(model.parent) == [model.name]
    # the token went to the hub, and not along to where it redirects
    assert {one.headers.get("authorization") for one in hub.requests if one.server == "hub"} == {"Bearer hf_s3cret"}
    assert {one.headers.get("authorization") for one in hub.requests if one.server == "store"} == {None}

    status, output, problems = await pulled(hub, tmp_path, "owner/repo", "--file", model.name)
    assert (status, output, problems) == (0, f"{model}\n", "It is there already.\n")


@pytest.mark.crash
async def test_a_killed_download_goes_on_where_it_was_and_is_checked(hub: FakeHub, tmp_path: Path) -> None:
    hub.hold_after = HALF
    process = await pulling(hub, tmp_path, "owner/repo:Q4_K_M")
    part = tmp_path / "models" / "model-Q4_K_M.gguf.part"
    await until(lambda: size_of(part) == HALF)
    process.kill()
    await process.communicate()
    hub.hold_after, hub.requests = None, []
    status, output, _ = await pulled(hub, tmp_path, "owner/repo:Q4_K_M")
    assert status == 0
    assert [one.headers.get("range") for one in hub.asked("store")] == [f"bytes={HALF}-"]
    assert content(Path(output.strip())) == DATA
    assert "model-Q4_K_M.gguf" in names_in(part.parent)
    assert part.name not in names_in(part.parent)


async def test_ctrl_c_keeps_what_has_come(hub: FakeHub, tmp_path: Path) -> None:
    hub.hold_after = HALF
    process = await pulling(hub, tmp_path, "owner/repo:Q4_K_M")
    part = tmp_path / "models" / "model-Q4_K_M.gguf.part"
    await until(lambda: size_of(part) == HALF)
    process.send_signal(signal.SIGINT)
    _, problems = await process.communicate()
    assert process.returncode == 130
    assert b"goes on from there" in problems
    assert size_of(part) == HALF


async def test_it_says_what_is_wrong(hub: FakeHub, tmp_path: Path) -> None:
    status, output, problems = await pulled(hub, tmp_path, "owner/repo")
    assert (status, output) == (2, "")
    assert problems.splitlines()[:2] == ["    2.0 MB  model-Q4_K_M.gguf", "    1.0 kB  model-Q8_0.gguf"]

    hub.spoil = True
    status, output, problems = await pulled(hub, tmp_path, "owner/repo:Q8_0")
    assert (status, output) == (1, "")
    assert "What came was removed." in problems
    assert names_in(tmp_path / "models") == []

    status, _, problems = await pulled(hub, tmp_path, f"{hub.url}/owner/repo/x/evil.sh")
    assert status == 2
    assert "cannot be the name of a model" in problems


async def test_a_file_at_any_url_is_taken_under_the_name_that_it_is_to_have(hub: FakeHub, tmp_path: Path) -> None:
    url = f"{hub.store_url}/blobs/{SHA256}"
    status, output, problems = await pulled(hub, tmp_path, url, "--as", "mine.gguf", "--sha256", SHA256.upper())
    assert (status, output) == (0, f"{tmp_path / 'models' / 'mine.gguf'}\n")
    status, _, problems = await pulled(hub, tmp_path, url, "--as", "../mine.gguf")
    assert status == 2
    status, _, problems = await pulled(hub, tmp_path, url, "--as", "other.gguf", "--sha256", "0" * 64)
    assert status == 1
    assert "was expected" in problems
    status, _, problems = await pulled(hub, tmp_path, url, "--as", "third.gguf")
    assert status == 0
    assert "could not be compared" in problems


async def test_the_command_explains_itself(hub: FakeHub, tmp_path: Path) -> None:
    status, output, _ = await pulled(hub, tmp_path, "--help")
    assert status == 0
    assert {"HF_ENDPOINT", "HF_TOKEN", "--sha256"} <= set(output.replace(";", "").replace(",", "").split())
    assert "exit status" in output
    status, _, problems = await pulled(hub, tmp_path, "owner/repo", "--sha256", "abc")
    assert status == 2
    assert "64 hexadecimal digits" in problems


async def shown_when(caller: Caller, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the first download as soon as it is so."""
    async with asyncio.timeout(20):
        while not condition(pull := await caller.get("/models/pulls/1")):  # noqa: ASYNC110  it is made to be watched so
            await asyncio.sleep(0.01)
    shown: dict[str, Any] = pull
    return shown


async def completed(caller: Caller) -> None:
    pull = await shown_when(caller, lambda pull: pull["state"] != "running")
    assert (pull["state"], pull["error"]) == ("complete", None)


def server_with(hub: FakeHub, folder: Path) -> Running:
    return Running(folder, settings_file({"models": {"discovery": False, "hub": hub.url}}))


async def test_a_server_downloads_a_model_by_itself_and_shows_how_far_it_is(hub: FakeHub, tmp_path: Path) -> None:
    hub.hold_after = HALF
    async with server_with(hub, tmp_path) as server, Caller(server.url) as caller:
        reply = await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
        assert (reply.status_code, reply.json()["state"]) == (202, "running")
        shown = await shown_when(caller, lambda pull: pull["bytes"] == HALF)
        assert (shown["state"], shown["total"], shown["error"]) == ("running", len(DATA), None)
        assert (await caller.get("/models/pulls"))["pulls"] == [shown]
        again = await caller.http.post("/models/pull", json={"model": "owner/repo/model-Q4_K_M.gguf"})
        assert again.json()["id"] == 1
        hub.go_on.set()
        await completed(caller)
        assert content(server.data / "models" / "model-Q4_K_M.gguf") == DATA


@pytest.mark.crash
async def test_a_download_is_gone_on_with_after_a_restart_when_it_is_asked_for_again(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.hold_after = HALF
    async with server_with(hub, tmp_path) as server:
        part = server.data / "models" / "model-Q4_K_M.gguf.part"
        async with Caller(server.url) as caller:
            await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
            await until(lambda: size_of(part) == HALF)
            await server.kill()
        hub.hold_after = None
        await server.start()
        async with Caller(server.url) as caller:
            assert (await caller.get("/models/pulls"))["pulls"] == []
            await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
            await completed(caller)
    assert hub.asked("store")[-1].headers["range"] == f"bytes={HALF}-"


async def test_a_download_can_be_cancelled_and_ends_with_the_server(hub: FakeHub, tmp_path: Path) -> None:
    hub.hold_after = HALF
    async with server_with(hub, tmp_path) as server, Caller(server.url) as caller:
        part = server.data / "models" / "model-Q4_K_M.gguf.part"
        await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
        await until(lambda: size_of(part) == HALF)
        assert (await caller.http.delete("/models/pulls/1")).json()["state"] == "cancelled"
        assert (await caller.http.delete("/models/pulls/2")).status_code == 404
        await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
        server.signal(signal.SIGTERM)
        assert await server.ended() == 0


async def test_what_a_client_sends_reaches_no_other_server(hub: FakeHub, tmp_path: Path) -> None:
    async with server_with(hub, tmp_path) as server, Caller(server.url) as caller:
        for model in (
            f"{hub.store_url}/a.gguf",
            "file:///etc/passwd",
            "../../etc/passwd.gguf",
            "owner/repo/../../x.gguf",
            "owner/repo/x.gguf?a=b.gguf",
            "owner/repo/x\n.gguf",
            "//evil.example/x.gguf",
            "owner@evil.example/x/a.gguf",
            "",
        ):
            reply = await caller.http.post("/models/pull", json={"model": model})
            assert reply.status_code == 422, model
            assert error_of(reply)["details"]["field"] == "model"
        assert hub.requests == []
        ambiguous = error_of(await caller.http.post("/models/pull", json={"model": "owner/repo"}))
        assert ambiguous["code"] == "ambiguous"
        assert [choice["path"] for choice in ambiguous["details"]["choices"]] == [
            "model-Q4_K_M.gguf",
            "model-Q8_0.gguf",
        ]
        missing = await caller.http.post("/models/pull", json={"model": "owner/nothing"})
        assert missing.status_code == 404
        surplus = await caller.http.post("/models/pull", json={"model": "owner/repo", "url": hub.url})
        assert surplus.status_code == 422
        for act in ("warm", "load", "unload"):
            refused = await caller.http.post(f"/models/{act}", json={"model": "x"})
            assert error_of(refused)["code"] == "not_available"


async def test_a_hub_that_is_not_there_is_told(hub: FakeHub, tmp_path: Path) -> None:
    async with server_with(hub, tmp_path) as server, Caller(server.url) as caller:
        hub._hub.close()
        reply = await caller.http.post("/models/pull", json={"model": "owner/repo:Q4_K_M"})
        assert reply.status_code == 502
        assert error_of(reply)["code"] == "unreachable"
