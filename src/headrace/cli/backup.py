"""This module is `headrace backup`."""

from pathlib import Path

import click

from headrace.app.backup import back_up
from headrace.cli.options import FAILED, REFUSED, data_folder, fail, load
from headrace.cli.progress import amount
from headrace.core.errors import HeadraceError, SettingsError

__all__ = ["backup"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.tar")
@click.option("--models", is_flag=True, help="With the models in the data folder, which can be large.")
@click.option("--force", is_flag=True, help="Write over FILE.tar where it is there.")
@data_folder
def backup(file: Path, *, models: bool, force: bool, config: Path | None, data_dir: str | None) -> None:
    """Write all chats and their events to FILE.tar, while the server runs or not.

    The backup is of one moment, and the server never waits for it. Answers that are being made at that moment are in
    it as far as they are; where it is restored they are interrupted, and can be continued. It holds all that people
    wrote: only the user who makes it can read the file.

    The exit status is 0 when the backup is whole, 1 when it could not be made, 2 when there is nothing to back up,
    FILE.tar is there already, the disk has no room or the settings are wrong.
    """
    settings = load(config, data_dir)
    try:
        manifest = back_up(settings.server.data_dir, file, models=models, force=force)
    except SettingsError as error:
        fail(error.message, status=REFUSED)
    except HeadraceError as error:
        fail(error.message, status=FAILED)
    for one in manifest.files:
        click.echo(f"{amount(one.size):>10}  {one.name}", err=True)
    click.echo(file)
