"""This module shows an answer as it is made, and stops it at Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType

import msgspec

from headrace.cli.screen_run import RunView
from headrace.cli.turn import Turn
from headrace.core.events import Terminal

__all__ = ["Answered", "answer", "interrupts"]

_END_S = 2.0


class Answered(msgspec.Struct, frozen=True):
    """How following an answer ended: with this event of the run, or None where it was left before it.

    `interrupted` is whether Ctrl-C was pressed.
    """

    terminal: Terminal | None
    interrupted: bool = False


async def answer(turn: Turn, view: RunView, *, end_s: float = _END_S) -> Answered:
    """Show a run to its end.

    Ctrl-C stops the run. What was made until then is shown, and the end, for which it is waited `end_s` seconds once
    the server has confirmed the stop. A second Ctrl-C leaves at once. Raises as `Turn.follow` does; where the answer
    can be written no more, the run is stopped first.
    """
    following = asyncio.create_task(turn.follow(view), name="answer")
    stopping: asyncio.Task[bool] | None = None

    def interrupt() -> None:
        nonlocal stopping
        if stopping is None:
            stopping = asyncio.create_task(_stop(turn, following, end_s), name="stop of the answer")
        else:
            following.cancel()

    with interrupts(interrupt):
        try:
            await asyncio.wait([following])
            if _broke(following):
                # nobody reads the answer any more; a run is the server's, and would go on without us
                await turn.stop()
        finally:
            confirmed = await _ended(following, stopping)
    if following.cancelled():
        view.left(stopped=confirmed)
        return Answered(None, interrupted=True)
    terminal = following.result()
    if terminal is not None:
        view.end(terminal)
    return Answered(terminal, interrupted=stopping is not None)


@contextlib.contextmanager
def interrupts(callback: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C call `callback` in the running loop, instead of what it does otherwise."""
    loop = asyncio.get_running_loop()

    def handle(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


async def _stop(turn: Turn, following: asyncio.Task[Terminal | None], end_s: float) -> bool:
    confirmed = await turn.stop()
    if confirmed:
        await asyncio.wait([following], timeout=end_s)
    following.cancel()
    return confirmed


async def _ended(following: asyncio.Task[Terminal | None], stopping: asyncio.Task[bool] | None) -> bool:
    """End both tasks; return whether the run is known to be stopped."""
    following.cancel()
    if stopping is None:
        await asyncio.wait([following])
        return False
    stopping.cancel()
    await asyncio.wait([following, stopping])
    return not stopping.cancelled() and stopping.result()


def _broke(following: asyncio.Task[Terminal | None]) -> bool:
    return not following.cancelled() and isinstance(following.exception(), BrokenPipeError)
