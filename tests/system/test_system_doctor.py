"""The doctor at a server that runs, and at the proxies in front of it."""

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from headrace.app.doctor_findings import Finding
from headrace.app.doctor_url import check_url
from system.calls import Caller
from system.proxies import PASSWORD, STOCK, USER, holding, nginx, nginx_deployed
from system.running import Running, command, config, environment

pytestmark = pytest.mark.asyncio(loop_scope="session")

PIPE = asyncio.subprocess.PIPE


async def consulted(
    server: Running, *arguments: str, prefix: Sequence[str] = (), typed: bytes = b""
) -> tuple[int | None, dict[str, Any]]:
    """Run `headrace doctor --json` on the settings and the data of a server; return its status and what it says."""
    flags = ("--config", str(server.config), "--data-dir", str(server.data), "--json", *arguments)
    process = await asyncio.create_subprocess_exec(
        *prefix, *command("doctor", *flags), stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment()
    )
    output, errors = await process.communicate(typed)
    assert b"Traceback" not in errors, errors.decode()
    return process.returncode, json.loads(output)


def told(findings: Sequence[Finding], check: str) -> list[tuple[str, str]]:
    return [(finding.status, f"{finding.what} {finding.remedy}") for finding in findings if finding.check == check]


async def test_a_server_that_runs_is_in_order_and_stays_so(tmp_path: Path, scripts: Path) -> None:
    async with (
        Running(tmp_path, config(scripts=scripts, models={"discovery": False})) as server,
        Caller(server.url) as caller,
    ):
        turn = await caller.turn(1, model="script/pause")
        before = await caller.get("/chats")

        status, said = await consulted(server, "--port", server.url.rpartition(":")[2], "--url", server.url)

        assert await caller.get("/chats") == before
        assert await caller.stop(turn.run_id) == "stopped"
    found = {finding["check"]: finding["what"] for finding in said["findings"]}
    assert (status, said["ok"]) == (0, True), said
    assert f"process {server.pid}" in found[f"port {server.url.rpartition(':')[2]}"]
    assert "1 of them go on" in found["journal.db"]
    assert "Events come as they happen" in found["stream"]


async def test_a_low_limit_of_open_files_is_told(tmp_path: Path) -> None:
    server = Running(tmp_path, config(models={"discovery": False}))
    low = ("sh", "-c", 'ulimit -n 256 && exec "$@"', "sh")

    _, said = await consulted(server, "--port", "0", prefix=low)

    (files,) = [finding for finding in said["findings"] if finding["check"] == "open files"]
    assert files["status"] == "warning"
    assert "256" in files["what"]
    assert "LimitNOFILE" in files["remedy"]


async def test_a_problem_is_told_in_words_and_by_the_exit_status(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("doctor", "--data-dir", str(tmp_path / "data"), "--port", "0"),
        stdout=PIPE,
        env=environment(HEADRACE_MODELS_DISCOVERY="false"),
        cwd=tmp_path,
    )
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert "problem   models: No model answers" in output.decode()
    assert "\n          -> No model is set up." in output.decode()
    assert output.decode().endswith("1 problems, 0 warnings\n")


async def test_a_proxy_that_buffers_is_found_out(caller: Caller) -> None:
    async with holding(caller.url) as url:
        findings = await check_url(url)

    assert "problem" in {status for status, _ in told(findings, "stream")}
    said = str(told(findings, "stream"))
    assert "held back" in said
    assert "proxy_buffering off" in said


async def test_a_proxy_that_compresses_is_found_out(tmp_path: Path, caller: Caller, unused_tcp_port: int) -> None:
    async with nginx(tmp_path, unused_tcp_port, STOCK.format(port=unused_tcp_port, server=caller.url)) as url:
        findings = await check_url(url)

    compressed, timely = told(findings, "stream")
    assert compressed[0] == "warning"
    assert "gzip" in compressed[1]
    assert timely[0] == "ok"


async def test_a_proxy_that_wants_a_password_gets_it(tmp_path: Path, caller: Caller, unused_tcp_port: int) -> None:
    key = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    # an address that is not loopback by its name, and leads there
    async with nginx(tmp_path, unused_tcp_port, nginx_deployed(tmp_path, unused_tcp_port, caller.url)):
        url = f"http://0.0.0.0:{unused_tcp_port}"
        without = await check_url(url)
        findings = await check_url(url, f"Basic {key}")

    assert [(finding.check, finding.status) for finding in without] == [("access", "warning")]
    assert "--user" in str(without[0].remedy)
    assert {finding.status for finding in findings} == {"ok"}, findings
    assert "401" in told(findings, "access")[0][1]


async def test_a_name_that_the_server_does_not_know_is_a_problem(tmp_path: Path) -> None:
    async with Running(tmp_path) as server:
        (finding,) = await check_url(server.url.replace("127.0.0.1", "0.0.0.0"))

    assert (finding.check, finding.status) == ("url", "problem")
    assert "public_url" in str(finding.remedy)


async def test_a_server_that_everybody_can_read_is_a_problem(caller: Caller) -> None:
    findings = await check_url(caller.url.replace("127.0.0.1", "0.0.0.0"))

    ((status, said),) = told(findings, "access")
    assert status == "problem"
    assert "password" in said
