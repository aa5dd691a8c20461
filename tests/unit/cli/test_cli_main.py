import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from headrace import __version__
from headrace.cli.main import main


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"headrace, version {__version__}\n"


def test_the_commands_are_listed_with_what_they_do() -> None:
    output = CliRunner().invoke(main, ["--help"]).output
    assert re.search(r"^  chat +Send MESSAGE and print the answer", output, re.MULTILINE)
    assert re.search(r"^  serve +Run the server", output, re.MULTILINE)


def test_an_unknown_command_is_refused() -> None:
    result = CliRunner().invoke(main, ["sing"])
    assert result.exit_code == 2
    assert "No such command 'sing'" in result.output


def test_the_package_is_the_command_too() -> None:
    result = subprocess.run([sys.executable, "-m", "headrace", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout == f"headrace, version {__version__}\n"


@pytest.mark.parametrize("command", ["chat", "runs"])
def test_a_client_loads_nothing_of_the_server(command: str) -> None:
    script = f"import sys; from headrace.cli.main import main; main.get_command(None, {command!r}); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = result.stdout.split()
    assert f"headrace.cli.{command}" in loaded
    assert not {"headrace.app.serve", "fastapi", "sqlalchemy", "uvicorn"} & set(loaded)
