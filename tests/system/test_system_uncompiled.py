"""Where there is no C compiler the path of a token is Python: the same suites hold it, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = (
    "tests/contract",
    "tests/unit/doors",
    "tests/unit/formats/test_formats_native.py",
    "tests/unit/formats/test_formats_openai_chat_encoder.py",
    "tests/unit/formats/test_formats_openai_chat_repeat.py",
    "tests/unit/journal",
    "tests/unit/net/test_net_connection.py",
    "tests/unit/net/test_net_http.py",
    "tests/unit/providers/test_providers_openai.py",
    "tests/unit/providers/test_providers_openai_failures.py",
    "tests/unit/runs",
    "tests/system/test_system_streams.py",
)


@pytest.mark.timeout(300)
def test_the_path_of_a_token_runs_uncompiled() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *SUITES]
    done = subprocess.run(
        command, cwd=ROOT, env={**environ, "HEADRACE_COMPILED": "no"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:]
