"""This module is the command `headrace`."""

import importlib
import keyword
from typing import cast

import click

from headrace import __version__

__all__ = ["main"]

_COMMANDS = (
    "backup",
    "bench",
    "chat",
    "doctor",
    "import",
    "invite",
    "models",
    "pull",
    "restore",
    "runs",
    "serve",
    "token",
    "user",
)


class _Commands(click.Group):
    """Loads a command when it is called: `chat` need not wait a second for all that `serve` imports."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"headrace.cli.{name}")
        return cast("click.Command", getattr(module, name))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="headrace")
def main() -> None:
    """Headrace: a streaming server for LLM chat in which no token is ever lost."""
