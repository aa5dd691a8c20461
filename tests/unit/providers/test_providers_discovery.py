import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from fakes.gguf import gguf
from fakes.held import Held
from fakes.lmstudio import FakeLMStudio
from fakes.models import Answer, ask
from fakes.ollama import FakeOllama
from fakes.raw import Peer, RawServer, reply_once
from fakes.upstream import FakeUpstream
from headrace.core.clock import SystemClock
from headrace.core.errors import ProviderError
from headrace.providers.builtin import model_file
from headrace.providers.discovery import Discovery, Wanted
from headrace.providers.discovery_probe import Met
from headrace.providers.health import Health, Watch
from headrace.providers.local import Local
from headrace.providers.port import FoundBy, Provider, State
from headrace.providers.presets import SERVERS, SERVICES

FAST: Mapping[Met, float] = {"nobody": 0.01, "stranger": 0.01, "locked": 0.01}
OFTEN: dict[State, float] = {"up": 0.01, "loading": 0.01, "down": 0.01}
LOCKED = b"HTTP/1.1 401 Unauthorized\r\nServer: llama.cpp\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

Begin = Callable[..., Any]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headrace.providers.health._GAP_S", 0.0)
    monkeypatch.setattr("headrace.providers.discovery._SCAN_S", 0.01)


class Seen(Watch):
    """A watch that tells when anything about its providers changes."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        super().__init__([], changed=lambda _health: self._news.set(), intervals_s=OFTEN)

    def add(self, provider: Provider, *, found_by: FoundBy = "settings") -> None:
        self._news.set()
        super().add(provider, found_by=found_by)

    async def remove(self, name: str) -> None:
        await super().remove(name)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not holds():
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def watch() -> AsyncIterator[Seen]:
    watch = Seen()
    await watch.start()
    yield watch
    await watch.close()


@pytest.fixture
async def begin(watch: Seen) -> AsyncIterator[Begin]:
    begun: list[Discovery] = []

    async def start(**wanted: Any) -> Discovery:
        discovery = Discovery(watch, Wanted(**wanted), clock=SystemClock(), again_s=FAST)
        begun.append(discovery)
        await discovery.start()
        return discovery

    yield start
    for discovery in begun:
        await discovery.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "models"


def put(folder: Path, name: str, data: bytes = gguf()) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (0, 0))
    return path


def of(watch: Watch, name: str) -> Health | None:
    return next((health for health in watch.health() if health.provider.name == name), None)


def state(watch: Watch, name: str) -> State | None:
    health = of(watch, name)
    return health.state if health is not None else None


def models(watch: Watch, name: str) -> list[str]:
    health = of(watch, name)
    return [model.name for model in health.models] if health is not None else []


# servers


async def test_what_runs_already_is_there_at_once(watch: Seen, begin: Begin) -> None:
    async with FakeOllama() as ollama, FakeUpstream(owned_by="llamacpp") as llamacpp, FakeLMStudio() as lmstudio:
        await begin(ports={"ollama": ollama.port, "lmstudio": lmstudio.port, "llamacpp": llamacpp.port})
        assert [(each.provider.name, each.provider.kind, each.found_by) for each in watch.health()] == [
            ("llamacpp", "openai", "discovery"),
            ("lmstudio", "openai", "discovery"),
            ("ollama", "ollama", "discovery"),
        ]
        await watch.looked()
        assert {each.state for each in watch.health()} == {"up"}


@pytest.mark.parametrize("name", SERVERS)
async def test_a_server_that_was_found_answers(watch: Seen, begin: Begin, name: str) -> None:
    fakes: dict[str, FakeUpstream] = {
        "llamacpp": FakeUpstream(owned_by="llamacpp"),
        "lmstudio": FakeLMStudio(),
        "ollama": FakeOllama(),
    }
    async with fakes[name] as upstream:
        await begin(ports={name: upstream.port})
        await watch.looked()
        health = of(watch, name)
        assert health is not None
        (model,) = health.models
        answer = Answer()
        assert await answer.of(health.provider, ask(model.name)) == "stop"
        assert answer.text == "0 1 2 3 4 "


async def test_a_server_that_comes_later_is_found_and_watched_from_then_on(watch: Seen, begin: Begin) -> None:
    upstream = FakeUpstream(owned_by="llamacpp")
    async with upstream:
        port = upstream.port
    await begin(ports={"llamacpp": port})
    assert watch.health() == ()
    await upstream.start()
    await watch.until(lambda: state(watch, "llamacpp") == "up")
    await upstream.stop()
    await watch.until(lambda: state(watch, "llamacpp") == "down")
    assert models(watch, "llamacpp") == ["text"]
    await upstream.start()
    await watch.until(lambda: state(watch, "llamacpp") == "up")
    await upstream.stop()


async def test_something_else_there_is_no_provider(watch: Seen, begin: Begin) -> None:
    async with RawServer(reply_once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as stranger:
        await begin(ports={"llamacpp": stranger.port})
        await stranger.until(lambda: stranger.connections >= 3)
        assert watch.health() == ()


async def test_a_server_that_wants_a_key_is_shown_with_what_to_do(watch: Seen, begin: Begin) -> None:
    async with RawServer(reply_once(LOCKED)) as locked:
        await begin(ports={"llamacpp": locked.port})
        await locked.until(lambda: locked.connections >= 3)
        health = of(watch, "llamacpp")
        assert health is not None
        assert (health.state, health.found_by, health.provider.kind) == ("off", "discovery", "openai")
        assert str(health.reason).startswith(f"found, off: llama.cpp's server on port {locked.port} wants a key.")
        assert f'base_url = "http://127.0.0.1:{locked.port}/v1" and api_key_env = ' in str(health.reason)
        with pytest.raises(ProviderError, match="The provider llamacpp is off"):
            await Answer().of(health.provider, ask("text"))
    await watch.until(lambda: of(watch, "llamacpp") is None)


async def test_a_server_that_wants_its_key_no_more_is_used(watch: Seen, begin: Begin) -> None:
    upstream = FakeUpstream(owned_by="llamacpp")
    async with RawServer(reply_once(LOCKED)) as locked:
        upstream.port = locked.port
        await begin(ports={"llamacpp": locked.port})
        assert state(watch, "llamacpp") == "off"
    async with upstream:
        await watch.until(lambda: state(watch, "llamacpp") == "up")


async def test_a_bug_is_logged_and_ends_nothing(watch: Seen, begin: Begin, folder: Path) -> None:
    put(folder, "a.gguf")
    discovery = await begin(folder=folder)
    taken = discovery._local
    with capture_logs() as logs:
        discovery._local = None  # as if the provider were not there yet: adding it again is refused
        await watch.until(lambda: bool(logs))
        discovery._local = taken
        (folder / "a.gguf").unlink()
        await watch.until(lambda: of(watch, "local") is None)
    assert {log["event"] for log in logs} == {"discovery.bug"}


async def test_closing_it_ends_the_looking_and_keeps_the_providers(watch: Seen, begin: Begin, folder: Path) -> None:
    asked = 0

    async def serve(peer: Peer) -> None:
        nonlocal asked
        await peer.request()
        asked += 1
        await peer.send(LOCKED)

    async with RawServer(serve) as locked:
        discovery = await begin(ports={"llamacpp": locked.port}, folder=folder)
        await discovery.close()
        await discovery.close()
        assert (asked, state(watch, "llamacpp")) == (1, "off")
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("discovery")]


# files


async def test_models_of_the_folder_are_one_provider(watch: Seen, begin: Begin, folder: Path) -> None:
    put(folder, "b.gguf")
    put(folder, "a.gguf")
    await begin(folder=folder, max_loaded=3)
    await watch.looked()
    health = of(watch, "local")
    assert health is not None
    assert (health.state, health.found_by, health.provider.slots) == ("up", "discovery", 3)
    assert [(model.name, model.context_length) for model in health.models] == [("a", 2048), ("b", 2048)]


async def test_files_come_and_go(watch: Seen, begin: Begin, folder: Path) -> None:
    await begin(folder=folder)
    assert watch.health() == ()
    first = put(folder, "a.gguf")
    await watch.until(lambda: models(watch, "local") == ["a"])
    put(folder, "b.gguf")
    await watch.until(lambda: models(watch, "local") == ["a", "b"])
    first.unlink()
    await watch.until(lambda: models(watch, "local") == ["b"])
    (folder / "b.gguf").unlink()
    await watch.until(lambda: watch.health() == ())
    put(folder, "c.gguf")
    await watch.until(lambda: models(watch, "local") == ["c"])


async def test_files_of_other_providers_are_left_to_them(watch: Seen, begin: Begin, folder: Path) -> None:
    put(folder, "a.gguf")
    await begin(folder=folder, elsewhere=(put(folder, "b.gguf"),))
    await watch.looked()
    assert models(watch, "local") == ["a"]


@pytest.mark.engine
@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_the_last_model_stays_until_its_answer_is_made(watch: Seen, begin: Begin, folder: Path) -> None:
    path = put(folder, "a.gguf", model_file().read_bytes())
    await begin(folder=folder)
    health = of(watch, "local")
    assert health is not None
    assert isinstance(health.provider, Local)
    await Answer().of(health.provider, ask("a", max_tokens=1))
    async with Held(health.provider, "a") as held:
        path.unlink()
        await watch.until(lambda: models(watch, "local") == [])
        assert state(watch, "local") == "up"
        held.go_on()
        assert await held.making == "length"
        await watch.until(lambda: of(watch, "local") is None)


# keys


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in SERVICES.values():
        monkeypatch.setenv(service.variable, "sk-very-secret")


@pytest.mark.usefixtures("keys")
async def test_a_key_is_shown_and_not_used(watch: Seen, begin: Begin) -> None:
    await begin(services=tuple(SERVICES))
    await watch.looked()
    assert [(each.provider.name, each.state, each.found_by, each.models) for each in watch.health()] == [
        (name, "off", "environment", ()) for name in SERVICES
    ]
    told = {each.provider.name: str(each.reason) for each in watch.health()}
    assert told["openai"] == (
        "found, off: there is a key in OPENAI_API_KEY, which is not used until the settings say so. Add "
        "[providers.openai] with enabled = true to the settings, or set HEADRACE_PROVIDERS_OPENAI_ENABLED=true, and "
        "start again."
    )
    assert all(reason.startswith("found, off: ") and "sk-very-secret" not in reason for reason in told.values())
