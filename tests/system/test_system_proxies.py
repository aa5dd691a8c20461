"""Real proxies in front of a real server: tokens come as they are made, with the files of deploy/ and without."""

import asyncio
import base64
import configparser
import contextlib
import shutil
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from headrace.app.settings import Server
from system.calls import Caller
from system.proxies import (
    DEPLOY,
    PASSWORD,
    STOCK,
    USER,
    caddy,
    caddy_deployed,
    nginx,
    nginx_deployed,
    replaced,
)
from system.wire import Frame, Wire, whole_frames

SESSION = pytest.mark.asyncio(loop_scope="session")
MODEL, SPAN_S = "script/tokens-r20-n40", 2.0
PACKED = {"Accept-Encoding": "gzip"}
KEY = {"Authorization": "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}

# Caddy is too large to be installed for one test: it is tested where it is
DEPLOYED = ["nginx", *(["caddy"] if shutil.which("caddy") else [])]


@contextlib.asynccontextmanager
async def deployed(kind: str, folder: Path, port: int, server: str) -> AsyncIterator[str]:
    if kind == "nginx":
        async with nginx(folder, port, nginx_deployed(folder, port, server)) as url:
            yield url
    else:
        async with caddy(folder, port, caddy_deployed(port, server)) as url:
            yield url


async def lateness(wire: Wire) -> tuple[list[Frame], float]:
    """Read a run to its end; return its events, and by how much the latest was later than the quickest."""
    clock = asyncio.get_running_loop().time
    unpack = zlib.decompressobj(wbits=31).decompress if "content-encoding" in wire.headers else bytes
    frames: list[Frame] = []
    delays, rest = [], b""
    while not wire.ended:
        new, rest = whole_frames(rest + unpack(await wire.read()))
        frames += new
        delays += [clock() - frame.data["t"] / 1000 for frame in new]
    return frames, max(delays) - min(delays)


async def followed(
    proxy: str, run_id: str, headers: Mapping[str, str], *, packed: str | None = None
) -> tuple[list[Frame], float]:
    """Have a run played again through the proxy, asked for as browsers do, which take compressed replies."""
    url = f"{proxy}/api/v1/runs/{run_id}/events?speed=1"
    async with await Wire.open(url, headers={**PACKED, **headers}) as wire:
        assert wire.status == 200
        assert wire.headers.get("content-encoding") == packed
        assert "no-transform" in wire.headers["cache-control"]
        return await lateness(wire)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def run_id(caller: Caller) -> str:
    """A run of two seconds that has ended."""
    return (await caller.answered(await caller.chat(), model=MODEL)).run_id


@SESSION
@pytest.mark.parametrize("kind", DEPLOYED)
async def test_behind_the_proxies_of_deploy_every_token_comes_at_once(
    tmp_path: Path, caller: Caller, run_id: str, unused_tcp_port: int, kind: str
) -> None:
    async with deployed(kind, tmp_path, unused_tcp_port, caller.url) as url:
        frames, late_s = await followed(url, run_id, KEY)

    assert frames[-1].event == "run.finished"
    assert sum(frame.event == "text" for frame in frames) == 40
    assert late_s < SPAN_S / 2


@SESSION
@pytest.mark.parametrize("kind", DEPLOYED)
async def test_the_proxies_of_deploy_ask_for_the_password_and_keep_it(
    tmp_path: Path, caller: Caller, unused_tcp_port: int, kind: str
) -> None:
    async with (
        deployed(kind, tmp_path, unused_tcp_port, caller.url) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as client,
    ):
        assert (await client.get("/api/v1/chats")).status_code == 401
        page = await client.get("/openapi.json", headers=KEY)

    assert page.json()["info"]["title"] == "Headrace"


@SESSION
async def test_stock_nginx_buffers_no_stream_as_it_is_asked_not_to(
    tmp_path: Path, caller: Caller, run_id: str, unused_tcp_port: int
) -> None:
    text = STOCK.format(port=unused_tcp_port, server=caller.url)
    async with nginx(tmp_path, unused_tcp_port, text) as url:
        frames, late_s = await followed(url, run_id, {}, packed="gzip")

    assert frames[-1].event == "run.finished"
    assert late_s < SPAN_S / 2


@SESSION
async def test_this_measures_a_proxy_that_does_buffer(
    tmp_path: Path, caller: Caller, run_id: str, unused_tcp_port: int
) -> None:
    stubborn = "proxy_ignore_headers X-Accel-Buffering;\n" + STOCK.format(port=unused_tcp_port, server=caller.url)
    async with nginx(tmp_path, unused_tcp_port, stubborn) as url:
        _, late_s = await followed(url, run_id, {}, packed="gzip")

    assert late_s > SPAN_S / 2


def test_the_service_ends_the_server_as_it_wants_to_be_ended(tmp_path: Path) -> None:
    # systemd's files are such as configparser reads, as long as no key stands twice in a section
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # as its documentation says
    unit.read(DEPLOY / "headrace.service")
    service = unit["Service"]

    assert int(service["TimeoutStopSec"]) > Server().drain_s + 2
    assert service["KillMode"] == "mixed"
    assert service["Restart"] == "on-failure"
    assert int(service["LimitNOFILE"]) >= 65_536
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert f"HEADRACE_DATA_DIR=/var/lib/{service['StateDirectory']}" in service["Environment"].split()
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    if shutil.which("systemd-analyze"):
        program = service["ExecStart"].split()[0]
        text = (DEPLOY / "headrace.service").read_text()
        (tmp_path / "headrace.service").write_text(replaced(text, {program: sys.executable}))
        done = subprocess.run(
            ["systemd-analyze", "verify", str(tmp_path / "headrace.service")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
