"""This module is `headrace doctor`: what is wrong with a set-up, and what to do about it."""

import asyncio
import base64
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from headrace.app import logs
from headrace.app.doctor import examine
from headrace.app.doctor_findings import Finding, Status

__all__ = ["doctor"]

_COLOURS: dict[Status, str] = {"ok": "green", "warning": "yellow", "problem": "red"}
_INDENT = " " * 10


class _Report(msgspec.Struct, frozen=True):
    ok: bool
    findings: Sequence[Finding]


@click.command()
@click.option("--config", type=click.Path(path_type=Path), envvar="HEADRACE_CONFIG", help="The settings, a TOML file.")
@click.option("--host", help="The address that the server listens on.")
@click.option("--port", help="The port that the server listens on.")
@click.option("--data-dir", help="The folder of the databases.")
@click.option("--model", metavar="FILE", help="A GGUF file, as `headrace serve` takes it.")
@click.option("--url", help="Also examine the way to the server: the address that browsers use.")
@click.option("--user", help="The user name for --url, where a proxy asks for one; the password is asked for.")
@click.option("--ask", is_flag=True, help="Let the model that would answer say a few words.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(
    config: Path | None,
    host: str | None,
    port: str | None,
    data_dir: str | None,
    model: str | None,
    url: str | None,
    user: str | None,
    ask: bool,  # noqa: FBT001 - click calls it by names
    as_json: bool,  # noqa: FBT001 - click calls it by names
) -> None:
    """Examine a set-up: settings, port, data, databases, models, and with --url the proxy in front.

    Give it what `headrace serve` is given, as the user who runs that; a running server is not disturbed. The exit
    status is 1 when there is a problem. The variable HEADRACE_TOKEN holds the access token for --url.
    """
    if user is not None and url is None:
        raise click.UsageError("--user goes with --url.")
    logs.configure(level="error")
    flags = {"host": host, "port": port, "data_dir": data_dir, "model": model}
    findings = asyncio.run(examine(config=config, flags=flags, url=url, authorization=_authorization(user), ask=ask))
    good = all(finding.status != "problem" for finding in findings)
    if as_json:
        click.echo(msgspec.json.encode(_Report(good, findings)))
    else:
        _show(findings)
    sys.exit(0 if good else 1)


def _authorization(user: str | None) -> str | None:
    if user is not None:
        password = click.prompt("Password", hide_input=True, err=True)
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    # no flag for it: other users of the machine see a command's flags
    token = os.environ.get("HEADRACE_TOKEN", "").strip()
    return f"Bearer {token}" if token else None


def _show(findings: Sequence[Finding]) -> None:
    for finding in findings:
        mark = click.style(f"{finding.status:<{len(_INDENT)}}", fg=_COLOURS[finding.status])
        click.echo(f"{mark}{finding.check}: {finding.what}")
        if finding.remedy is not None:
            click.echo(f"{_INDENT}-> {finding.remedy}")
    bad = sum(finding.status == "problem" for finding in findings)
    doubtful = sum(finding.status == "warning" for finding in findings)
    click.echo(f"\n{bad} problems, {doubtful} warnings")
