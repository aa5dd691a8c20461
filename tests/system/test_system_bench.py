import json
import shutil
import subprocess
import sys
from typing import Any

import pytest


def bench(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "headrace", "bench", "--json", *arguments],
        capture_output=True,
        check=False,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_token_of_every_stream_arrives_in_a_small_measurement() -> None:
    rows = bench("-c", "10", "-r", "100", "-n", "20", "--rounds", "1", "--ramp", "0.1")
    mine = [row["figures"] for row in rows if row["server"] in {"headrace", "headrace as openai"}]
    assert [(one["streams"], one["complete"], one["tokens"]) for one in mine] == [(10, 10, 200)] * 2


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx on the PATH")
def test_every_door_is_measured_through_a_stock_nginx() -> None:
    rows = bench("--proxy", "--rounds", "1")
    assert [row["door"] for row in rows] == ["native", "relay", "multimodel", "tutor", "documents", "studio"]
    for row in rows:
        assert row["tokens"] == 2 * 99, "gaps between a hundred tokens, directly and through nginx"
        assert min(row["gap_ms_p95"], row["proxied_gap_ms_p95"], row["head_ms_max"], row["proxied_head_ms_max"]) > 0


@pytest.mark.crash
def test_kills_lose_nothing_that_a_reader_saw() -> None:
    result = bench("--crash", "--kills", "3", "--seed", "7")
    assert result["wrong"] == []
    assert result["kills"] == 3
    assert result["events_seen"] > 0


def test_each_fault_of_the_model_server_has_its_code_and_keeps_what_was_made() -> None:
    rows = {row["fault"]: row for row in bench("--faults")}
    codes = {fault: row["code"] for fault, row in rows.items()}
    assert codes == {
        "reset": "upstream_closed",
        "eof": "upstream_closed",
        "error": "upstream_error",
        "garbage": "upstream_garbled",
        "silence": "upstream_silent",
        "status401": "bad_key",
        "status404": "unknown_model",
        "status429": "overloaded",
        "status500": "upstream_error",
    }
    assert {row["status"] for row in rows.values()} == {"failed"}
    assert all((row["kept"] > 0) != fault.startswith("status") for fault, row in rows.items())
