"""This module holds what the commands that work on the data folder share: two options, and how they fail."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from headrace.app import settings
from headrace.core.errors import SettingsError

__all__ = ["FAILED", "INTERRUPTED", "REFUSED", "data_folder", "fail", "load"]

F = TypeVar("F", bound=Callable[..., Any])

FAILED = 1
REFUSED = 2
"""It cannot be done as it was asked for, or as things are set up: nothing was changed."""

INTERRUPTED = 130
"""What a shell calls a command that Ctrl-C ended: 128 and the number of SIGINT."""


def data_folder(command: F) -> F:
    """Give a command the options `--config` and `--data-dir`, which mean what they mean to `headrace serve`."""
    config = click.option(
        "--config", type=click.Path(path_type=Path), envvar="HEADRACE_CONFIG", help="The settings, a TOML file."
    )
    data_dir = click.option("--data-dir", help="The folder of the databases (~/.local/share/headrace).")
    return config(data_dir(command))


def load(config: Path | None, data_dir: str | None) -> settings.Settings:
    """Return the settings, or end the command where they make no sense."""
    try:
        return settings.load(config=config, flags={"data_dir": data_dir})
    except SettingsError as error:
        fail(error.message, status=REFUSED)


def fail(message: str, *, status: int = FAILED) -> NoReturn:
    """End the command with a message on standard error."""
    click.echo(f"headrace: {message}", err=True)
    sys.exit(status)
