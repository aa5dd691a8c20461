"""This module is `headrace user`: who there is."""

from pathlib import Path
from typing import get_args

import click

from headrace.app.access import Office
from headrace.cli.office import in_office
from headrace.cli.options import data_folder
from headrace.cli.span import moment
from headrace.cli.table import print_json, print_table
from headrace.core.principal import Role
from headrace.store.records import User

__all__ = ["ROLES", "user"]

ROLES = click.Choice(get_args(Role))

_HEAD = ("NAME", "ROLE", "STATE", "PASSPHRASE", "ADDED")


@click.group()
def user() -> None:
    """List, add and change users.

    An admin may also pull models, see figures, and decide who else may. These commands work on the data folder, while
    the server runs or not.

    The exit status is 0 when it is done, 1 when the disk fails, 2 when it cannot be done as it was asked for or the
    settings are wrong.
    """


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that is known of each.")
@data_folder
def _list(*, as_json: bool, config: Path | None, data_dir: str | None) -> None:
    """List all users."""
    found = in_office(Office.users, config, data_dir)
    if as_json:
        print_json(found)
    else:
        print_table(_HEAD, [_row(one) for one in found])


@user.command("add")
@click.argument("name")
@click.option("--role", type=ROLES, default="member", show_default=True, help="What the user may.")
@data_folder
def _add(name: str, *, role: Role, config: Path | None, data_dir: str | None) -> None:
    """Add a user, who gets in with a token: `headrace token create NAME --user ...`.

    `headrace invite` makes a link instead, with which a user adds himself.
    """

    async def add(office: Office) -> User:
        return await office.add_user(name, role)

    _tell(in_office(add, config, data_dir))


@user.command("change")
@click.argument("name")
@click.option("--role", type=ROLES, help="What the user may from now on.")
@click.option("--disable/--enable", "disabled", default=None, help="Whether the user is kept out.")
@data_folder
def _change(name: str, *, role: Role | None, disabled: bool | None, config: Path | None, data_dir: str | None) -> None:
    """Change what a user may; what the user may no longer see ends within 5 s. Nothing of the user's is removed."""
    if role is None and disabled is None:
        raise click.UsageError("Say what to change: --role, --disable or --enable.")

    async def change(office: Office) -> User:
        return await office.change_user(name, role=role, disabled=disabled)

    _tell(in_office(change, config, data_dir))


def _row(one: User) -> tuple[str, ...]:
    return (one.name, one.role, _state(one), "set" if one.has_passphrase else "-", moment(one.created_at, none="-"))


def _state(one: User) -> str:
    return "enabled" if one.disabled_at is None else "disabled"


def _tell(one: User) -> None:
    click.echo(f"{one.name}: {one.role}, {_state(one)}.", err=True)
