"""This module is one run: from the request to the terminal event, whatever happens in between.

A run belongs to the server. Its own task writes its log and nobody else does: events that the provider emits in a read
callback go straight to the journal, without a task switch, and the last thing the task does is to write the one
terminal event. Others may only ask it to end (`cancel`), with the event that it should end with.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
import structlog

from headrace.core import events
from headrace.core.clock import Clock
from headrace.core.errors import HeadraceError, ProviderError, ServerError
from headrace.core.fold import Fold, status_of
from headrace.core.status import Status
from headrace.journal.port import Journal
from headrace.models.admission import Admission
from headrace.models.catalogue import Catalogue, Target
from headrace.runs.folding import Reading
from headrace.runs.port import Observer, Outcome, Prepare, Spec, started
from headrace.runs.state import Signal, advance

__all__ = ["Run", "World"]

logger = structlog.get_logger("headrace.runs")

RETRY_S = 0.5


class World(msgspec.Struct, frozen=True):
    """What all runs share."""

    journal: Journal
    catalogue: Catalogue
    admission: Admission
    clock: Clock
    observers: tuple[Observer, ...]


class _Hot:
    """What a token touches, side by side in memory: a base class's slots come first, and by themselves they are sorted."""

    __slots__ = ("_began", "_deltas", "_ending", "_epoch", "_journal", "_monotonic", "id", "last_sign", "status")


class Run(_Hot):
    """A run that goes on. Made by the engine.

    `fate` is resolved with the first token or the end, whichever comes first; `durable` once the terminal event can be
    read. `last_sign` is when the provider was last heard of, on the monotonic clock.
    """

    __slots__ = (
        "_cause",
        "_first_s",
        "_loading_s",
        "_loading_since",
        "_prepare",
        "_queued_s",
        "_reading",
        "_task",
        "_told",
        "_usage",
        "_world",
        "durable",
        "fate",
        "model",
        "outcome",
        "spec",
    )

    def __init__(self, world: World, spec: Spec, epoch: int, prepare: Prepare, reading: Reading) -> None:
        self.spec = spec
        self.id = spec.run_id
        self.status: Status = "queued"
        self.model: str | None = None
        self.last_sign = world.clock.monotonic()
        self.durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.fate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._told: list[asyncio.Future[None]] = []
        self._world = world
        self._epoch = epoch
        self._prepare = prepare
        self._reading = reading
        self._journal = world.journal
        self._monotonic: Callable[[], float] = world.clock.monotonic
        self._began = self.last_sign
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self._cause: events.Terminal | None = None
        self._usage: events.Usage | None = None
        self._deltas = 0
        self._queued_s: float | None = None
        self._loading_since: float | None = None
        self._loading_s: float | None = None
        self._first_s: float | None = None
        self.outcome: Outcome | None = None
        known = world.catalogue.known(spec.model)
        self.model = known.id if known is not None else None
        self._journal.append(spec.run_id, epoch, [started(spec, self.model)], 0)

    @property
    def began(self) -> float:
        """When it was started, on the monotonic clock."""
        return self._began

    @property
    def waiting(self) -> bool:
        """Whether it waits in the queue, where no time limit holds."""
        return self._queued_s is None

    @property
    def ending(self) -> bool:
        """Whether its end is decided."""
        return self._ending or self._cause is not None

    async def main(self) -> Outcome:
        """Live; return once the terminal event is durable. Raises only where the journal takes no such event."""
        self._task = asyncio.current_task()
        terminal: events.Terminal
        try:
            terminal = self._cause or events.RunFinished(await self._answer())
        except asyncio.CancelledError as error:
            cut = self._task is not None and self._task.cancelling()
            terminal = events.RunInterrupted("shutdown") if cut else self._bug(error)
        except ProviderError as error:
            terminal = events.RunFailed(error.code, error.message, error.retryable, error.refusal)
        except Exception as error:  # noqa: BLE001  a failing run never takes others with it
            terminal = self._bug(error)
        if self._cause is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # the cancellation may have come in the answer's last moment
        return await self._end(self._cause or terminal)

    def cancel(self, terminal: events.Terminal) -> None:
        """Ask the run to end with this event. The first to ask decides; too late is harmless."""
        if self.ending:
            return
        self._cause = terminal
        if self._task is not None:
            self._task.cancel()

    def emit(self, happened: list[events.Event]) -> None:
        """Take the next events from the provider, at once. The path of a token: keep it short."""
        if self._ending or not happened:
            return
        monotonic = self._monotonic
        now = self.last_sign = monotonic()
        if self.status == "streaming" and len(happened) == 1 and type(happened[0]) is events.Text:
            self._deltas += 1
        else:
            happened = self._looked_at(happened, now)
            if not happened:
                return
        try:
            self._journal.append(self.id, self._epoch, happened, int((now - self._began) * 1000))
        except HeadraceError as error:
            self._lost(error)

    def _looked_at(self, happened: list[events.Event], now: float) -> list[events.Event]:
        """Return what of these events goes into the log."""
        if self.status != "streaming":
            happened = [self._named(event) for event in happened]
            self._watch_phase(happened, now)
        kept = []
        for event in happened:
            if type(event) is events.Usage:
                self._usage = event  # kept back: it is told once, at the end
                continue
            kept.append(event)
            if self.status == "streaming" and type(event) is not events.Extra:  # that comes with a token and is none
                self._deltas += 1
        return kept

    async def told(self, seconds: float) -> None:
        """Return once `fate` is resolved, or after so many seconds."""
        if self.fate.done():
            return
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _resolve, told)
        self._told.append(told)
        try:
            await told
        finally:
            timer.cancel()

    async def snapshot(self) -> Fold:
        """Return what is committed of the message so far."""
        return await self._reading.catch_up()

    def close(self) -> None:
        """Let go of the log."""
        self._reading.close()

    async def _answer(self) -> events.FinishReason:
        target = await self._world.catalogue.resolve(self.spec.model)
        request = await self._prepare(self.emit)
        asked = self._monotonic()
        lease = await self._world.admission.admit(
            target.provider.name,
            slots=target.provider.slots,
            owner=self.spec.owner,
            on_place=lambda place: self.emit([events.RunQueued(place)]),
        )
        with lease:
            self._admitted(target, asked)
            request = msgspec.structs.replace(request, model=target.model)
            return await target.provider.generate(request, self.emit)

    def _admitted(self, target: Target, asked: float) -> None:
        self.last_sign = self._monotonic()
        self._queued_s = self.last_sign - asked
        if self.model != target.id:
            self.model = target.id
            self.emit([events.ModelReady(target.id)])
        self.status = advance(self.status, "read")

    def _watch_phase(self, happened: list[events.Event], now: float) -> None:
        for event in happened:
            signal = _SIGNALS.get(type(event))
            if signal is None:
                continue
            self.status = advance(self.status, signal)
            if signal == "load" and self._loading_since is None:
                self._loading_since = now
            elif signal != "load" and self._loading_since is not None and self._loading_s is None:
                self._loading_s = now - self._loading_since
            if signal == "token":
                self._first_s = now - self._began
                self._decide()
                for observer in self._world.observers:
                    observer.first_token(self.spec, self.model or "", self._first_s)
                return

    def _lost(self, error: HeadraceError) -> None:
        """End the run where the journal takes no more of it: what would follow a gap is not to be read."""
        self.cancel(events.RunFailed("internal", error.message, retryable=True))
        self._ending = True

    def _named(self, event: events.Event) -> events.Event:
        """Give a model its id: a provider knows only its own name for it."""
        if self.model is not None and isinstance(event, events.ModelLoading | events.ModelReady):
            return msgspec.structs.replace(event, model=self.model)
        return event

    async def _end(self, terminal: events.Terminal) -> Outcome:
        last = self.last_sign
        self._ending = True
        t = int((self._monotonic() - self._began) * 1000)
        await self._append_end([self._final_usage(last, t), terminal], t)
        await self._journal.seal(self.id, self._epoch)
        self.status = ended = status_of(terminal)
        made = await self.snapshot()
        self.outcome = outcome = Outcome(
            status=ended,
            parts=made.parts,
            seq=made.seq,
            model=self.model,
            usage=made.usage,
            terminal=terminal,
            ended_at=self._world.clock.now_ms(),
        )
        self.release()
        return outcome

    async def _append_end(self, happened: list[events.Event], t: int) -> None:
        while True:
            try:
                return self._journal.append(self.id, self._epoch, happened, t)
            except ServerError:  # the disk refuses; a run does not go without its end
                await asyncio.sleep(RETRY_S)

    def release(self) -> None:
        """Let go all who wait for the run's fate or end: there is nothing more to wait for."""
        self._decide()
        _resolve(self.durable)

    def _decide(self) -> None:
        _resolve(self.fate)
        for told in self._told:
            # one turn of the loop later: by then what decided it is committed, and goes out with the answer's head
            asyncio.get_running_loop().call_soon(_resolve, told)
        self._told.clear()

    def _final_usage(self, last: float, t: int) -> events.Usage:
        counted = self._usage or events.Usage(output_tokens=self._deltas, estimated=True)
        timings = counted.timings or events.Timings()
        generated = last - self._began - self._first_s if self._first_s is not None else None
        speed = timings.tokens_per_second
        if speed is None and generated and (counted.output_tokens or 0) > 1:
            # the first token was there when the clock of the others started
            speed = round(((counted.output_tokens or 0) - 1) / generated, 2)
        return msgspec.structs.replace(
            counted,
            timings=events.Timings(
                queued_ms=_ms(self._queued_s),
                loading_ms=_ms(self._loading_s),
                first_token_ms=_ms(self._first_s),
                generation_ms=_ms(generated),
                total_ms=t,
                prompt_tokens_per_second=timings.prompt_tokens_per_second,
                tokens_per_second=speed,
            ),
        )

    def _bug(self, error: BaseException) -> events.RunFailed:
        logger.error("run.bug", run_id=self.id, exc_info=error)
        code = error.code if isinstance(error, HeadraceError) else "internal"
        message = error.message if isinstance(error, HeadraceError) else "Headrace failed; its log says why."
        known = code if code in ProviderError.CODES else "internal"
        return events.RunFailed(known, message, retryable=True)


_SIGNALS: dict[type, Signal] = {
    events.ModelLoading: "load",
    events.ModelReady: "read",
    events.PromptProgress: "read",
    events.Text: "token",
    events.Reasoning: "token",
    events.ToolCall: "token",
    events.Image: "token",
}


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _ms(seconds: float | None) -> int | None:
    # cut, not rounded, as the journal's times are: no part may be longer than the whole
    return None if seconds is None else int(seconds * 1000)
