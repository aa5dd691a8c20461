"""One server, one model server and one client for all tests that do not kill them, in the session's event loop."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fakes.upstream import FakeUpstream
from headrace.doors import follow
from system.access_house import TOOLS, House
from system.calls import Caller
from system.people import first_admin
from system.running import Running, config
from system.scripts import write_scripts


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def upstream() -> AsyncIterator[FakeUpstream]:
    """A model server; its models are named in `fakes.upstream_models`."""
    async with FakeUpstream() as running:
        yield running


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of scripts of `system.scripts`."""
    return write_scripts(tmp_path_factory.mktemp("scripts"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def server(
    tmp_path_factory: pytest.TempPathFactory, upstream: FakeUpstream, scripts: Path
) -> AsyncIterator[Running]:
    """A server with the providers `box` and `narrow` (see `upstream`) and `script` (see `scripts`).

    It may be called by an address that is not loopback by its name, and leads there.
    """
    settings = config(box=upstream.base_url, scripts=scripts, server={"allowed_hosts": ["0.0.0.0"]})
    async with Running(tmp_path_factory.mktemp("server"), settings) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def caller(server: Running) -> AsyncIterator[Caller]:
    """A client of `server`."""
    async with Caller(server.url) as calling:
        yield calling


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[House]:
    """It believes a proxy on this machine, and writes down all that it ever writes down."""
    server = {"access": True, "drain_s": 0, "allowed_origins": [TOOLS], "trusted_proxies": ["127.0.0.1"]}
    settings = config(scripts=scripts, server=server, log={"level": "debug"})
    async with Running(tmp_path_factory.mktemp("access"), settings) as running:
        yield House(running, await first_admin(running))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def open_house(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> AsyncIterator[Running]:
    """A server on loopback with access off."""
    async with Running(tmp_path_factory.mktemp("open"), config(scripts=scripts, server={"drain_s": 0})) as running:
        yield running


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server in the test's own process keeps a quiet stream alive many times in a second."""
    monkeypatch.setattr(follow, "KEEPALIVE_S", 0.05)
    monkeypatch.setattr(follow, "PULSE_S", 0.02)
