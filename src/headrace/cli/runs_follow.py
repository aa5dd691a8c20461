"""This module prints one run: its text as it is made, or as it was; or its events."""

import asyncio
from collections.abc import Sequence

from headrace.cli.api import Api, run_path
from headrace.cli.api_client import FAILED
from headrace.cli.api_replies import Run
from headrace.cli.screen import Screen
from headrace.cli.screen_run import RunView
from headrace.cli.screen_text import plain_json
from headrace.cli.turn import Heard, Turn
from headrace.core import events as happened
from headrace.core.events import Terminal

__all__ = ["follow", "replay"]


async def follow(api: Api, *, screen: Screen, run_id: str, after: int, events: bool) -> int:
    """Print a run to its end; return 0 where the model ended its answer, and 1 where it did not.

    Cancelling it, as Ctrl-C does, leaves the run as it is.
    """
    turn = Turn.join(api, run_id, after=after)
    try:
        terminal = await _print(turn, screen, events=events)
    except asyncio.CancelledError:
        screen.note(f"left; the run goes on, and `headrace runs stop {run_id}` stops it")
        raise
    complete = isinstance(terminal, happened.RunFinished)
    if terminal is None:
        complete = await _status(api, screen, run_id, after) == "complete"
    return 0 if complete else FAILED


async def replay(api: Api, *, screen: Screen, run_id: str, after: int, events: bool, speed: float) -> int:
    """Print a run with the timing that it had, `speed` times as fast, 0 at once; return 0, however it ended."""
    if await _print(Turn.join(api, run_id, after=after, speed=speed), screen, events=events) is None:
        await _status(api, screen, run_id, after)
    return 0


async def _print(turn: Turn, screen: Screen, *, events: bool) -> Terminal | None:
    view = _Lines(screen) if events else RunView(screen)
    terminal = await turn.follow(view)
    if terminal is not None:
        view.end(terminal)
    return terminal


async def _status(api: Api, screen: Screen, run_id: str, after: int) -> str:
    run = await api.ask("GET", run_path(run_id), Run)
    screen.note(f"there is nothing after event {after}: the run is {run.status}")
    return run.status


class _Lines(RunView):
    """Each event as a line: its JSON, with its number."""

    def show(self, heard: Sequence[Heard]) -> None:
        for each in heard:
            entry = plain_json(each.entry.decode(errors="replace"))
            self._screen.text(f'{{"seq":{each.seq},{entry[1:]}\n')
        self._screen.flush()

    def end(self, terminal: Terminal) -> None:
        """Say nothing: the last event has said it."""
        del terminal
