"""This module is `headrace pull`."""

import asyncio
import re
import sys
from pathlib import Path

import click

from headrace.app.pull import find, hub_of, models_of
from headrace.app.settings import Settings
from headrace.cli.options import FAILED, INTERRUPTED, REFUSED, data_folder, fail, load
from headrace.cli.progress import Progress, amount
from headrace.core.errors import BadField, HeadraceError, SettingsError
from headrace.models.pull import Pulled
from headrace.models.pull import pull as run
from headrace.net.client import Client

__all__ = ["pull"]

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")


@click.command()
@click.argument("model")
@click.option("--file", metavar="NAME.gguf", help="Which file of the repository.")
@click.option("--sha256", metavar="HEX", help="What the file's SHA-256 must be; the hub's own is always compared.")
@click.option("--as", "name", metavar="NAME.gguf", help="What to call the file here.")
@data_folder
def pull(
    model: str, file: str | None, sha256: str | None, name: str | None, config: Path | None, data_dir: str | None
) -> None:
    """Download a model, a GGUF file, into the folder `models` of the data folder.

    MODEL is a repository of the Hugging Face hub with the file that is meant: owner/repo:Q4_K_M,
    owner/repo/file.gguf, or owner/repo where that has one model. It may also be the URL of a file. A download that
    broke off goes on where it was. The path of the file goes to standard output, everything else to standard error.

    HF_ENDPOINT names another hub; HF_TOKEN holds the token for it, and is shown to no other server.

    The exit status is 0 when the file is there and right, 1 when it could not be had, 2 when it is not clear which
    file is meant (then the files are listed) or the settings are wrong, 130 after Ctrl-C.
    """
    if sha256 is not None and not _SHA256.fullmatch(sha256):
        raise click.UsageError("--sha256 takes 64 hexadecimal digits.")
    settings = load(config, data_dir)
    try:
        pulled = asyncio.run(_pull(settings, model, file=file, sha256=sha256, name=name))
    except KeyboardInterrupt:
        fail("stopped. What has come stays; the same command goes on from there.", status=INTERRUPTED)
    except (BadField, SettingsError) as error:
        _list(error)
        fail(error.message, status=REFUSED)
    except HeadraceError as error:
        fail(error.message, status=FAILED)
    if not pulled.fresh:
        click.echo("It is there already.", err=True)
    elif not pulled.verified:
        click.echo("Its SHA-256 is not known: the file could not be compared with it.", err=True)
    click.echo(pulled.path)


async def _pull(settings: Settings, model: str, *, file: str | None, sha256: str | None, name: str | None) -> Pulled:
    client = Client()
    try:
        found = await find(hub_of(settings, client), model, file=file, sha256=sha256)
        progress = Progress(sys.stderr, name or found.file)
        try:
            return await run(client, found, models_of(settings), progress=progress, name=name)
        finally:
            progress.end()
    finally:
        await client.close()


def _list(error: HeadraceError) -> None:
    for choice in error.details.get("choices", ()):
        size = "" if choice["size"] is None else f"{amount(choice['size']):>10}  "
        click.echo(f"{size}{choice['path']}", err=True)
