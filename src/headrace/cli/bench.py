"""This module is `headrace bench`."""

import asyncio
import random
import sys
import tempfile
from pathlib import Path

import click
import msgspec
import uvloop

from headrace.app.bench.crash import Crashes, crash
from headrace.app.bench.faults import Fault, faults
from headrace.app.bench.proxy import summary as summary_of_proxy
from headrace.app.bench.proxy import through_proxy
from headrace.app.bench.speed import Speed, measure, summary
from headrace.core.errors import HeadraceError

__all__ = ["bench"]


@click.command()
@click.option("-c", "--streams", default=300, show_default=True, help="Streams at once.")
@click.option("-r", "--rate", default=50, show_default=True, help="Tokens a second and stream.")
@click.option("-n", "--tokens", default=500, show_default=True, help="Tokens a stream.")
@click.option("--rounds", default=3, show_default=True, help="Runs of each server.")
@click.option("--ramp", "ramp_s", default=1.0, show_default=True, help="Seconds over which the streams start.")
@click.option("--sync", type=click.Choice(["normal", "full"]), default="normal", help="The journal's sync.")
@click.option("--crash", "crashing", is_flag=True, help="Kill the server at random moments instead, and check.")
@click.option("--kills", default=300, show_default=True, help="How often, with --crash.")
@click.option("--seed", type=int, help="The moments, with --crash; the seed of a run is printed.")
@click.option("--faults", "failing", is_flag=True, help="Let the model server fail in every way instead.")
@click.option("--proxy", "proxied", is_flag=True, help="Read every door's stream through a stock nginx instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def bench(
    streams: int,
    rate: int,
    tokens: int,
    rounds: int,
    ramp_s: float,
    sync: str,
    crashing: bool,  # noqa: FBT001  click hands flags over by name
    kills: int,
    seed: int | None,
    failing: bool,  # noqa: FBT001  click hands flags over by name
    proxied: bool,  # noqa: FBT001  click hands flags over by name
    as_json: bool,  # noqa: FBT001  click hands flags over by name
) -> None:
    """Measure this machine: what a token costs, against nginx in the same run; what a crash costs, or a proxy.

    Starts its own model server and its own Headrace on loopback, with data in a temporary folder, and ends both. The
    exit status is 1 where something was lost.
    """
    speed = Speed(streams=streams, rate=rate, tokens=tokens, rounds=rounds, ramp_s=ramp_s, sync=sync)
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as scratch:
        folder = Path(scratch)
        try:
            if crashing:
                moments = random.SystemRandom().getrandbits(32) if seed is None else seed
                click.echo(f"seed {moments}", err=True)
                sys.exit(_crashed(asyncio.run(crash(kills, folder, seed=moments)), as_json=as_json))
            if failing:
                _print_faults(asyncio.run(faults(folder)), as_json=as_json)
                return
            if proxied:
                passed = uvloop.run(through_proxy(folder, rounds=rounds))
                click.echo(_json(passed) if as_json else summary_of_proxy(passed))
                return
            rows = uvloop.run(measure(speed, folder))
        except HeadraceError as error:
            click.echo(f"headrace: {error.message}", err=True)
            sys.exit(2)
    click.echo(_json(rows) if as_json else summary(rows))


def _crashed(result: Crashes, *, as_json: bool) -> int:
    if as_json:
        click.echo(_json(result))
    else:
        click.echo(
            f"{result.kills} kills, {result.runs} runs, {result.events_seen} events seen by readers, "
            f"{result.interrupted} readers of interrupted runs, {len(result.wrong)} wrong"
        )
        for line in result.wrong[:20]:
            click.echo(f"  {line}")
    return 1 if result.wrong else 0


def _json(result: object) -> str:
    return msgspec.json.format(msgspec.json.encode(result)).decode()


def _print_faults(rows: list[Fault], *, as_json: bool) -> None:
    if as_json:
        click.echo(_json(rows))
        return
    click.echo(f"{'the model server':18}{'the run':12}{'code':20}{'kept':>6}  message")
    for row in rows:
        click.echo(f"{row.fault:18}{row.status:12}{row.code or '-':20}{row.kept:>6}  {row.message or ''}")
