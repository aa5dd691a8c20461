"""This module keeps the runs: it starts them, stops them, watches over them and puts crashed ones in order."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Self

import msgspec
import structlog

from headrace.core import events
from headrace.core.errors import HeadraceError, NotFound, Overloaded
from headrace.core.fold import Fold
from headrace.journal.port import Fenced, UnknownRun
from headrace.runs.folding import Reading, fold
from headrace.runs.port import Outcome, Prepare, Quota, Settle, Spec, started
from headrace.runs.run import Run, World

__all__ = ["Engine", "Limits", "Room"]

logger = structlog.get_logger("headrace.runs")

WATCH_EVERY_S = 0.25
RETRY_AFTER_S = 5

SETTLE_S = 2.0
"""What interrupted runs get to write their end."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of `[runs]`. `max` counts all that go on, waiting ones included."""

    max: int = 2000
    first_token_timeout_s: float = 600.0
    idle_timeout_s: float = 120.0


class Room:
    """Room for one run, between its being asked for and its end.

    A context manager around the run's being stored and started: what was not `taken` by then is given back.
    """

    __slots__ = ("_left", "give_back", "taken")

    def __init__(self, give_back: Callable[[], None], left: Callable[[], None] | None = None) -> None:
        self.give_back = give_back
        self.taken = False
        self._left = left or _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._left()
        if not self.taken:
            self.give_back()


class Engine:
    """All runs that go on in this process. They live in a supervised set: one that fails takes no other with it."""

    def __init__(self, world: World, settle: Settle, limits: Limits, quota: Quota | None = None) -> None:
        self._world = world
        self._settle = settle
        self._limits = limits
        self._quota = quota or _unlimited
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting = 0
        self._watcher: asyncio.Task[None] | None = None
        self.draining = False

    def open(self) -> None:
        """Begin to watch over time limits, as a task of the running loop."""
        self._watcher = asyncio.get_running_loop().create_task(self._watch(), name="run watcher")

    def admit(self, owner: int) -> Room:
        """Keep room for one run while it is stored and started; a run that is started keeps it until its end.

        To be entered at once, as it is kept from the call on.

        Raises `Overloaded` where there is none, `TooManyRequests` where there is none for this owner.
        """
        if self.draining:
            raise Overloaded("The server is shutting down.", code="shutting_down", retry_after_s=RETRY_AFTER_S)
        most = self._limits.max
        if len(self._runs) + self._starting >= most and self._going() + self._starting >= most:
            raise Overloaded(f"{most} runs are going on, as many as runs.max allows.", retry_after_s=RETRY_AFTER_S)
        room = Room(self._quota(owner), self._started)
        self._starting += 1
        return room

    async def start(self, spec: Spec, prepare: Prepare, room: Room) -> Run:
        """Start a run. It goes on whoever leaves, until it ends by itself or is stopped.

        Raises `ServerError` where the journal cannot take its first event.
        """
        epoch = await self._world.journal.claim(spec.run_id)
        reading = Reading(await self._world.journal.follow(spec.run_id, 0))
        run = Run(self._world, spec, epoch, prepare, reading)
        self._runs[spec.run_id] = run
        task = asyncio.get_running_loop().create_task(self._live(run, room), name=f"run {spec.run_id}")
        room.taken = True
        self._tasks[spec.run_id] = task
        for observer in self._world.observers:
            observer.started(spec)
        return run

    def get(self, run_id: str) -> Run | None:
        """Return a run that goes on, or None."""
        return self._runs.get(run_id)

    def active(self) -> Iterable[Run]:
        """Return the runs that go on."""
        return tuple(self._runs.values())

    async def stop(self, run_id: str, *, by: str = "user") -> str | None:
        """Stop a run; return its status once the terminal event is durable, or None where it does not go on.

        The upstream's connection is closed at once. Stopping a run that is ending by itself changes nothing.
        """
        run = self._runs.get(run_id)
        if run is None:
            return None
        run.cancel(events.RunStopped(by))
        await asyncio.shield(run.durable)
        return run.status

    async def settled(self, run_id: str) -> None:
        """Return when a run that goes on has ended and its outcome is stored; at once for others."""
        task = self._tasks.get(run_id)
        if task is not None:
            await asyncio.wait([task])

    async def snapshot(self, run_id: str) -> tuple[str, str | None, Fold] | None:
        """Return status, model and message so far of a run that goes on, or None."""
        run = self._runs.get(run_id)
        if run is None:
            return None
        made = await run.snapshot()
        return made.status or run.status, run.model, made

    async def recover(self, unfinished: Iterable[Spec]) -> int:
        """Put in order what a crash cut: every such run becomes `interrupted`. Return how many there were.

        Call before anything is served, with all runs that the store believes to go on.
        """
        count = 0
        for spec in unfinished:
            await self._recover(spec)
            count += 1
        return count

    async def drain(self, seconds: float) -> None:
        """Start no more runs; give those that go on so long to end, then interrupt them; return when all have ended."""
        self.draining = True
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=seconds)
        for run in self._runs.values():
            run.cancel(events.RunInterrupted("shutdown"))
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=SETTLE_S)

    async def close(self) -> None:
        """End the watcher. Runs must have been drained."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])

    def _started(self) -> None:
        self._starting -= 1

    def _going(self) -> int:
        # whoever has seen a run's end may start the next, also while that end is being stored
        return sum(not run.ending for run in self._runs.values())

    async def _live(self, run: Run, room: Room) -> None:
        try:
            outcome = await run.main()
            room.give_back()  # whoever has seen the end may start the next, also while that end is being stored
            await self._settle(run.id, outcome)
        except Exception:
            logger.exception("run.unsettled", run_id=run.id)
        finally:
            room.give_back()
            run.release()
            run.close()
            del self._runs[run.id]
            del self._tasks[run.id]
        if run.outcome is not None:
            for observer in self._world.observers:
                observer.ended(run.spec, run.outcome, self._world.clock.monotonic() - run.began)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now = self._world.clock.monotonic()
            for run in self.active():
                silent = now - run.last_sign
                streaming = run.status == "streaming"
                limit = self._limits.idle_timeout_s if streaming else self._limits.first_token_timeout_s
                if silent > limit and not run.waiting:
                    run.cancel(_silence(limit, streaming=streaming))

    async def _recover(self, spec: Spec) -> None:
        now_ms = self._world.clock.now_ms()
        try:
            outcome = _outcome(await self._ended(spec), now_ms)
        except HeadraceError:  # pruned or damaged: that it ended is all that can be told of it
            logger.exception("run.unreadable", run_id=spec.run_id)
            made = Fold()
            made.feed(events.RunInterrupted("crash"))
            outcome = _outcome(made, now_ms)
        await self._settle(spec.run_id, outcome)

    async def _ended(self, spec: Spec) -> Fold:
        """Return what the run made; where its log has no end, or is not sealed, that is made up for."""
        journal = self._world.journal
        try:
            made, t = await fold(journal, spec.run_id)
        except UnknownRun:
            made, t = Fold(), 0
        try:
            epoch = await journal.claim(spec.run_id)
        except Fenced:
            return made
        if made.terminal is None:
            missing: list[events.Event] = [] if made.seq >= 0 else [started(spec, None)]
            journal.append(spec.run_id, epoch, [*missing, events.RunInterrupted("crash")], t)
        await journal.seal(spec.run_id, epoch)
        made, _ = await fold(journal, spec.run_id)
        return made


def _unlimited(_owner: int) -> Callable[[], None]:
    return _nothing


def _nothing() -> None:
    pass


def _silence(limit: float, *, streaming: bool) -> events.RunFailed:
    what = "The model fell silent" if streaming else "The model said nothing"
    setting = "runs.idle_timeout_s" if streaming else "runs.first_token_timeout_s"
    return events.RunFailed("upstream_silent", f"{what} for {limit:g} s ({setting}).", retryable=True)


def _outcome(made: Fold, ended_at: int) -> Outcome:
    if made.terminal is None or made.status is None:
        raise NotFound("This run has not ended.")
    return Outcome(
        status=made.status,
        parts=made.parts,
        seq=made.seq,
        model=made.model,
        usage=made.usage,
        terminal=made.terminal,
        ended_at=ended_at,
    )
