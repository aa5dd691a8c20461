"""This module is `headrace token`: the tokens with which programs say who they are."""

from pathlib import Path
from typing import Any

import click
import msgspec

from headrace.app.access import Made, Office
from headrace.cli.office import in_office
from headrace.cli.options import data_folder
from headrace.cli.span import SPAN, moment
from headrace.cli.table import print_json, print_table
from headrace.core.clock import SystemClock
from headrace.core.principal import SCOPES, Scope
from headrace.store.records import Token, User

__all__ = ["token"]

_HEAD = ("ID", "USER", "NAME", "BEGINS WITH", "FOR", "MADE", "LAST USED", "EXPIRES", "STATE")


@click.group()
def token() -> None:
    """Make, list and revoke access tokens.

    A program shows a token as `Authorization: Bearer ...`; the commands chat, runs and models take it from
    HEADRACE_TOKEN. These commands work on the data folder, while the server runs or not.

    The exit status is 0 when it is done, 1 when the disk fails, 2 when it cannot be done as it was asked for or the
    settings are wrong.
    """


@token.command("create")
@click.argument("name")
@click.option("--user", default="local", show_default=True, help="Whose it is to be.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it is for; more than one may be given. Without it: all that the user may.",
)
@click.option("--expires", "lives_ms", type=SPAN, metavar="SPAN", help="When it ends, as 12h, 30d, 4w or 1y from now.")
@data_folder
def _create(
    name: str,
    *,
    user: str,
    scopes: tuple[Scope, ...],
    lives_ms: int | None,
    config: Path | None,
    data_dir: str | None,
) -> None:
    """Make a token and print it.

    NAME says what it is for, as `laptop`. It is shown this once, alone on standard output, and stored only so that it
    can be recognised.
    """

    async def make(office: Office) -> Made:
        return await office.make_token(name, user=user, scopes=frozenset(scopes) or None, lives_ms=lives_ms)

    made = in_office(make, config, data_dir)
    click.echo(made.secret)
    click.echo(
        f"Token {made.token.id} of {made.user.name}. It is not shown again: keep it where only you can read it. "
        f"`headrace token revoke {made.token.id}` ends it.",
        err=True,
    )


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that is known of each.")
@data_folder
def _list(*, as_json: bool, config: Path | None, data_dir: str | None) -> None:
    """List all tokens, those included that have ended."""
    found = in_office(Office.tokens, config, data_dir)
    if as_json:
        print_json([{**_fields(one), "user": user.name} for one, user in found])
    elif found:
        now_ms = SystemClock().now_ms()
        print_table(_HEAD, [_row(one, user, now_ms) for one, user in found])
    else:
        click.echo("There are no tokens. `headrace token create NAME` makes one.", err=True)


@token.command("revoke")
@click.argument("token_id", metavar="ID", type=click.IntRange(min=1))
@data_folder
def _revoke(*, token_id: int, config: Path | None, data_dir: str | None) -> None:
    """End a token, and within 5 s whatever is read with it."""

    async def revoke(office: Office) -> None:
        await office.revoke_token(token_id)

    in_office(revoke, config, data_dir)
    click.echo(f"Token {token_id} is revoked.", err=True)


def _fields(one: Token) -> dict[str, Any]:
    return msgspec.structs.asdict(one)


def _row(one: Token, user: User, now_ms: int) -> tuple[str, ...]:
    return (
        str(one.id),
        user.name,
        one.name,
        f"{one.hint}...",
        "all" if one.scopes is None else ",".join(one.scopes),
        moment(one.created_at, none="-"),
        moment(one.last_used_at, none="never"),
        moment(one.expires_at, none="never"),
        _state(one, user, now_ms),
    )


def _state(one: Token, user: User, now_ms: int) -> str:
    if one.revoked_at is not None:
        return "revoked"
    if one.expires_at is not None and one.expires_at <= now_ms:
        return "expired"
    return "valid" if user.disabled_at is None else "user disabled"
