"""This module is `headrace import`."""

import asyncio
import re
import sys
import time
from pathlib import Path

import click

from headrace.app.imports import Summary, import_chats
from headrace.cli.options import FAILED, INTERRUPTED, REFUSED, data_folder, fail, load
from headrace.core.errors import CallerError, HeadraceError, SettingsError

__all__ = ["import_"]

_REDRAW_S = 0.1
_MOST_TOLD = 50
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--as-user", "user", default="local", show_default=True, help="Whose the chats are to be.")
@data_folder
def import_(file: Path, user: str, config: Path | None, data_dir: str | None) -> None:
    """Take the chats of FILE, an export of Open WebUI or ChatGPT, into the data folder.

    FILE is Open WebUI's JSON (Settings, Data Controls, Export Chats), or what ChatGPT sends: the zip file, or the
    conversations.json in it. Branches, titles, times, models and thoughts are kept. Pictures that lie outside the
    JSON are named in the text. A chat that was imported before is left alone, so FILE can be imported again; one
    that cannot be read is named, and the rest goes in.

    The server must not run meanwhile: it holds the data folder. End it, import, and start it again.

    The exit status is 0 when all chats are there, 1 when some could not be read or the disk fails, 2 when FILE is no
    such export, a server runs or the settings are wrong, 130 after Ctrl-C.
    """
    settings = load(config, data_dir)
    counter = _Counter()
    try:
        summary = asyncio.run(
            import_chats(file, settings.server.data_dir, user=user, sync=settings.journal.sync, watch=counter)
        )
    except KeyboardInterrupt:
        counter.end()
        fail("stopped. What was imported stays; the same command goes on with the rest.", status=INTERRUPTED)
    except HeadraceError as error:
        counter.end()
        fail(error.message, status=REFUSED if isinstance(error, SettingsError | CallerError) else FAILED)
    counter.end()
    _tell(summary)
    sys.exit(FAILED if summary.broken else 0)


class _Counter:
    """Counts on a terminal while it goes on."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._shown_at = 0.0

    def __call__(self, summary: Summary) -> None:
        now = time.monotonic()
        if self._terminal and now - self._shown_at >= _REDRAW_S:
            self._shown_at = now
            click.echo(f"\r{summary.imported} chats\x1b[K", err=True, nl=False)

    def end(self) -> None:
        """Remove the count."""
        if self._shown_at:
            click.echo("\r\x1b[K", err=True, nl=False)


def _tell(summary: Summary) -> None:
    click.echo(f"{summary.imported} chats with {summary.messages} messages were imported.")
    if summary.present:
        click.echo(f"{summary.present} were there already.")
    if summary.empty:
        click.echo(f"{summary.empty} have no messages and were left out.")
    for broken in summary.broken[:_MOST_TOLD]:
        click.echo(f"Left out: {_shown(broken.title)}: {_shown(broken.reason)}", err=True)
    if len(summary.broken) > _MOST_TOLD:
        click.echo(f"And {len(summary.broken) - _MOST_TOLD} more were left out.", err=True)


def _shown(text: str) -> str:
    # a title may hold what a terminal takes for a command
    return _UNPRINTABLE.sub("?", text)[:300]
