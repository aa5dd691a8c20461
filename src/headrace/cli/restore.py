"""This module is `headrace restore`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from headrace.app.restore import restore as run
from headrace.cli.options import FAILED, REFUSED, data_folder, fail, load
from headrace.core.errors import HeadraceError, SettingsError

__all__ = ["restore"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.tar")
@click.option("--force", is_flag=True, help="Also where there is data: that is kept as NAME.before-restore-N.")
@data_folder
def restore(file: Path, *, force: bool, config: Path | None, data_dir: str | None) -> None:
    """Put a backup into the data folder.

    Everything in FILE.tar is checked before anything is changed. The server must not run. After the next start every
    finished answer is there with its events, and those that were being made when the backup was can be continued.

    The exit status is 0 when all is in place, 1 when FILE.tar is damaged or the disk fails, 2 when a server uses the
    data folder, there is data in it (without --force), the disk has no room, or a newer Headrace made the backup.
    """
    settings = load(config, data_dir)
    try:
        restored = run(file, settings.server.data_dir, force=force)
    except SettingsError as error:
        fail(error.message, status=REFUSED)
    except HeadraceError as error:
        fail(error.message, status=FAILED)
    made = datetime.fromtimestamp(restored.manifest.created_at / 1000, tz=UTC)
    click.echo(f"The backup of {made:%Y-%m-%d %H:%M} UTC is in {settings.server.data_dir}.")
    for path in restored.kept:
        click.echo(f"What was there before: {path}")
