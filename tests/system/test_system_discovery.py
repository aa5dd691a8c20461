"""What a server finds by itself: model servers that come and go, model files, keys."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fakes.lmstudio import FakeLMStudio
from fakes.ollama import FakeOllama
from fakes.upstream import FakeUpstream
from headrace.providers.builtin import model_file
from system.calls import Caller, text_in
from system.running import Running, command, environment

COMES_S = 5.0  # what is new is there by then, and what comes back


@asynccontextmanager
async def found_by(tmp_path: Path, ports: dict[str, int], **environ: str) -> AsyncIterator[tuple[Running, Caller]]:
    """Run a server that looks for model servers at these ports only."""
    env = {"HEADRACE_MODELS_DISCOVERY": "true", "HEADRACE_MODELS_DISCOVERY_PORTS": json.dumps(ports), **environ}
    async with Running(tmp_path, env=env) as server, Caller(server.url) as caller:
        yield server, caller


async def until(holds: Callable[[], Awaitable[Any]], *, within_s: float) -> Any:
    """Ask the server again and again until it says so, and return what it says."""
    async with asyncio.timeout(within_s):
        while not (result := await holds()):  # noqa: ASYNC110 - the API has nothing to wait with
            await asyncio.sleep(0.05)
    return result


async def providers(caller: Caller) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in (await caller.get("/providers"))["providers"]}


async def state(caller: Caller, name: str) -> str | None:
    return (await providers(caller)).get(name, {}).get("state")


async def ids(caller: Caller) -> list[str]:
    return [model["id"] for model in (await caller.get("/models"))["models"]]


async def answer(caller: Caller, model: str | None = None, **fields: Any) -> dict[str, Any]:
    turn = await caller.answered(
        await caller.chat(), "Once upon a time", **({"model": model} if model else {}), **fields
    )
    return await caller.message(turn.answer)


async def printed(server: Running, *arguments: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command("models", *arguments), env=environment(HEADRACE_URL=server.url), stdout=pipe, stderr=pipe
    )
    out, notes = await process.communicate()
    assert (process.returncode, notes) == (0, b"")
    return out.decode()


async def test_model_servers_are_found_go_and_come_back(tmp_path: Path) -> None:
    llamacpp = FakeUpstream(owned_by="llamacpp")
    async with llamacpp, FakeOllama() as ollama, FakeLMStudio() as lmstudio:
        ports = {"llamacpp": llamacpp.port, "ollama": ollama.port, "lmstudio": lmstudio.port}
        await llamacpp.stop()
        async with found_by(tmp_path, ports) as (server, caller):
            assert set(await providers(caller)) == {"lmstudio", "ollama"}

            await llamacpp.start()
            assert await until(lambda: state(caller, "llamacpp"), within_s=2 * COMES_S)
            told = await until(lambda: _all_up(caller), within_s=COMES_S)
            assert {each["found_by"] for each in told.values()} == {"discovery"}
            assert await ids(caller) == ["llamacpp/text", "lmstudio/text", "ollama/text:latest"]
            assert text_in(await answer(caller)) == "0 1 2 3 4 "
            assert text_in(await answer(caller, "ollama/text:latest")) == "0 1 2 3 4 "

            await llamacpp.stop()
            failed = await answer(caller, "llamacpp/text")
            assert (failed["status"], failed["error"]["code"]) == ("failed", "upstream_refused")
            await until(lambda: _is(caller, "llamacpp", "down"), within_s=1)
            down = (await providers(caller))["llamacpp"]
            assert "nothing listens there" in down["reason"]
            assert down["since"] > told["llamacpp"]["since"]
            assert "llamacpp  down" in await printed(server)
            assert (await answer(caller))["model"] == "lmstudio/text"

            await llamacpp.start()
            await until(lambda: _is(caller, "llamacpp", "up"), within_s=COMES_S)
            assert (await answer(caller))["model"] == "llamacpp/text"


async def _is(caller: Caller, name: str, wanted: str) -> bool:
    return await state(caller, name) == wanted


async def _all_up(caller: Caller) -> dict[str, dict[str, Any]] | None:
    told = await providers(caller)
    return told if len(told) == 3 and {each["state"] for each in told.values()} == {"up"} else None


async def test_providers_of_the_settings_come_first_and_keep_their_names_and_addresses(tmp_path: Path) -> None:
    async with FakeUpstream(owned_by="llamacpp") as mine, FakeOllama() as ollama, FakeLMStudio() as lmstudio:
        ports = {"llamacpp": mine.port, "ollama": ollama.port, "lmstudio": lmstudio.port}
        settings = {
            "HEADRACE_PROVIDERS_MINE_KIND": "openai",
            "HEADRACE_PROVIDERS_MINE_BASE_URL": f"http://localhost:{mine.port}/v1",
            "HEADRACE_PROVIDERS_OLLAMA_ENABLED": "false",
        }
        async with found_by(tmp_path, ports, **settings) as (_, caller):
            told = await providers(caller)
            assert list(told) == ["mine", "ollama", "lmstudio"]
            assert [each["found_by"] for each in told.values()] == ["settings", "settings", "discovery"]
            assert (told["ollama"]["state"], told["ollama"]["reason"]) == ("off", "The settings say `enabled = false`.")
            assert (await answer(caller))["model"] == "mine/text"
            assert not ollama.lookups


async def test_a_key_in_the_environment_is_shown_and_neither_used_nor_told(tmp_path: Path) -> None:
    secret = "sk-very-secret"
    async with found_by(tmp_path, {}, OPENAI_API_KEY=secret, ANTHROPIC_API_KEY=secret) as (server, caller):
        told = await providers(caller)
        assert {name: (each["state"], each["found_by"]) for name, each in told.items()} == {
            "anthropic": ("off", "environment"),
            "openai": ("off", "environment"),
        }
        assert told["openai"]["reason"].startswith("found, off: there is a key in OPENAI_API_KEY, which is not used")
        assert "enabled = true" in told["openai"]["reason"]
        assert (await caller.root("/health")).json()["providers"] == {"anthropic": "off", "openai": "off"}
        failed = await answer(caller, "openai/gpt-5")
        assert (failed["error"]["code"], "found, off: " in failed["error"]["message"]) == ("unknown_model", True)
        table = await printed(server)
        assert "openai     off    openai     environment  -" in table
        told_all = table + json.dumps(told) + json.dumps(failed)
    assert secret not in told_all + server.text


async def test_without_discovery_nothing_is_looked_for(tmp_path: Path) -> None:
    async with FakeOllama() as ollama:
        settings = {"HEADRACE_MODELS_DISCOVERY": "false", "OPENAI_API_KEY": "k"}
        async with found_by(tmp_path, {"ollama": ollama.port}, **settings) as (_, caller):
            assert await providers(caller) == {}
        assert ollama.connections == 0


async def test_the_command_says_that_there_is_no_server(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    process = await asyncio.create_subprocess_exec(
        *command("models"), env=environment(HEADRACE_URL=url), stderr=asyncio.subprocess.PIPE
    )
    _, notes = await process.communicate()
    assert (process.returncode, notes.decode().startswith(f"There is no Headrace server at {url}.")) == (2, True)


@pytest.mark.engine
async def test_a_model_file_that_is_copied_into_the_folder_answers(tmp_path: Path) -> None:
    async with found_by(tmp_path, {}) as (server, caller):
        folder = server.data / "models"
        assert (await ids(caller), folder.is_dir()) == ([], True)
        owners = folder / "owner" / "repo"
        owners.mkdir(parents=True)
        shutil.copyfile(model_file(), owners / "tiny.gguf")
        await until(lambda: ids(caller), within_s=COMES_S)
        (model,) = (await caller.get("/models"))["models"]
        assert (model["id"], model["context_length"], model["state"]) == ("local/tiny", 1024, "up")
        assert "local     up     embedded  discovery  local/tiny     1024" in await printed(server)

        told = await answer(caller, parameters={"max_tokens": 5})
        assert (told["status"], told["model"], bool(text_in(told))) == ("complete", "local/tiny", True)

        (owners / "tiny.gguf").unlink()
        await until(lambda: _none(caller), within_s=COMES_S)
        gone = await answer(caller, "local/tiny")
        assert (gone["status"], gone["error"]["code"]) == ("failed", "unknown_model")


async def _none(caller: Caller) -> bool:
    return not await ids(caller)


@pytest.mark.engine
async def test_more_models_than_may_be_loaded_answer_one_after_the_other(tmp_path: Path) -> None:
    async with found_by(tmp_path, {}, HEADRACE_MODELS_MAX_LOADED="1") as (server, caller):
        for name in ("a", "b", "c"):
            shutil.copyfile(model_file(), server.data / "models" / f"{name}.gguf")
        await until(lambda: _has_three(caller), within_s=COMES_S)
        asked = [answer(caller, f"local/{name}", parameters={"max_tokens": 20}) for name in ("a", "b", "c", "a")]
        told = await asyncio.gather(*asked)
        assert [(each["status"], each["model"]) for each in told] == [
            ("complete", f"local/{name}") for name in ("a", "b", "c", "a")
        ]
        reply = await caller.http.get(f"{server.url}/metrics")
        assert reply.status_code == httpx.codes.OK


async def _has_three(caller: Caller) -> bool:
    return len(await ids(caller)) == 3
