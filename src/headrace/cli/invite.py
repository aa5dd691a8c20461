"""This module is `headrace invite`."""

from pathlib import Path

import click

from headrace.app.access import Office
from headrace.cli.office import in_office
from headrace.cli.options import data_folder
from headrace.cli.span import SPAN
from headrace.cli.user import ROLES
from headrace.core.principal import Role

__all__ = ["invite"]


@click.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="member", show_default=True, help="What the new user may.")
@click.option("--expires", "lives_ms", type=SPAN, default="7d", show_default=True, metavar="SPAN", help="Until when.")
@data_folder
def invite(name: str, *, role: Role, lives_ms: int, config: Path | None, data_dir: str | None) -> None:
    """Print a link with which somebody becomes the user NAME, once.

    Whoever opens it first is that user: send it where only the right person reads it. The link begins with
    `public_url` of [server]; where that is not set, with the address where the server listens.

    The exit status is 0 when it is done, 1 when the disk fails, 2 when it cannot be done as it was asked for or the
    settings are wrong.
    """

    async def make(office: Office) -> str:
        return await office.invite(name, role=role, lives_ms=lives_ms)

    click.echo(in_office(make, config, data_dir))
