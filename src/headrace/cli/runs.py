"""This module is `headrace runs`: what goes on and what came of it, and each run again."""

import sys
from functools import partial

import click

from headrace.cli.api import Api, run_path
from headrace.cli.api_client import call, url_option
from headrace.cli.api_replies import Stopped
from headrace.cli.runs_follow import follow, replay
from headrace.cli.runs_list import show
from headrace.cli.screen import raw_option, standard

__all__ = ["runs"]

_MAX_SPEED = 1000.0

_events = click.option("--events", is_flag=True, help="Print the events, each a line of JSON.")
_after = click.option("--after", type=click.IntRange(min=-1), default=-1, help="Begin after the event of this number.")
_url = click.option("--url", callback=lambda ctx, _option, given: given or ctx.obj, help="The server.")


@click.group(invoke_without_command=True)
@click.option("--status", metavar="STATUS[,...]", help="Only those that are queued, streaming, complete, failed, ...")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: all that the server says of each.")
@url_option
@click.pass_context
def runs(ctx: click.Context, *, status: str | None, limit: int, as_json: bool, url: str) -> None:
    """List the runs, the newest first; or follow, stop or replay one.

    A run is one answer, in the making or made. It belongs to the server: whoever follows it may leave.

    The exit status is 0 when all is well, 1 when the server refuses, as where there is no such run, 2 when there is no
    server, 130 after Ctrl-C. HEADRACE_TOKEN holds the access token, if the server wants one.
    """
    ctx.obj = url
    if ctx.invoked_subcommand is None:
        screen = standard()
        sys.exit(call(url, screen, partial(show, screen=screen, status=status, limit=limit, as_json=as_json)))


@runs.command("follow")
@click.argument("run_id", metavar="ID")
@_after
@_events
@raw_option
@_url
def _follow(*, run_id: str, after: int, events: bool, raw: bool, url: str) -> None:
    """Print the text of a run: what there is, then the rest as it is made.

    Ctrl-C leaves, and the run goes on. The exit status is 0 when the model ended its answer, and 1 when it did not.
    """
    screen = standard(raw=raw)
    sys.exit(call(url, screen, partial(follow, screen=screen, run_id=run_id, after=after, events=events)))


@runs.command("replay")
@click.argument("run_id", metavar="ID")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, max=_MAX_SPEED),
    default=1.0,
    show_default=True,
    help="How many times as fast; 0 is at once.",
)
@_after
@_events
@raw_option
@_url
def _replay(*, run_id: str, speed: float, after: int, events: bool, raw: bool, url: str) -> None:
    """Print the text of a run with the timing that it had.

    The exit status is 0 when all of it was shown, however the run ended, and 1 when its events are no longer kept.
    """
    screen = standard(raw=raw)
    work = partial(replay, screen=screen, run_id=run_id, after=after, events=events, speed=speed)
    sys.exit(call(url, screen, work))


@runs.command("stop")
@click.argument("run_id", metavar="ID")
@_url
def _stop(*, run_id: str, url: str) -> None:
    """Stop a run and print how it ended; what was made is kept. One that has ended stays as it is."""
    screen = standard()

    async def stop(api: Api) -> int:
        stopped = await api.ask("POST", f"{run_path(run_id)}/stop", Stopped)
        screen.text(f"{stopped.status}\n")
        screen.flush()
        return 0

    sys.exit(call(url, screen, stop))
