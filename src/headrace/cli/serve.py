"""This module is `headrace serve`."""

import sys
from pathlib import Path

import click

from headrace.app import settings
from headrace.app.serve import serve as run
from headrace.core.errors import SettingsError

__all__ = ["serve"]

_CANNOT_START = 2


@click.command()
@click.option("--config", type=click.Path(path_type=Path), envvar="HEADRACE_CONFIG", help="The settings, a TOML file.")
@click.option("--host", help="The address to listen on (127.0.0.1).")
@click.option("--port", help="The port to listen on (8000); 0 takes a free one.")
@click.option("--data-dir", help="The folder of the databases (~/.local/share/headrace).")
@click.option("--model", metavar="FILE", help="A GGUF file: it is served by an engine of its own, as the default.")
def serve(config: Path | None, host: str | None, port: str | None, data_dir: str | None, model: str | None) -> None:
    """Run the server until SIGTERM or Ctrl-C.

    Flags stand over the environment (HEADRACE_PORT, HEADRACE_RUNS_MAX, ...), which stands over the file. The exit
    status is 2 when the server cannot start as it is set up.
    """
    flags = {"host": host, "port": port, "data_dir": data_dir, "model": model}
    try:
        status = run(settings.load(config=config, flags=flags))
    except SettingsError as error:
        click.echo(f"headrace: {error.message}", err=True)
        status = _CANNOT_START
    sys.exit(status)
