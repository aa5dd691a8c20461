"""This module reads one run to its end, over as many connections as that takes.

A task reads ahead of whoever iterates: it opens a connection, holds the events that come, and opens the next one after
the last event when that breaks. When a thousand events are held it reads no more, which the server feels.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Self

import msgspec

from headrace.client.api import Api, run_path
from headrace.client.backoff import Backoff
from headrace.client.errors import CONNECTION_LOST, NO_HEADRACE, Unreachable, failure, garbled, lost
from headrace.client.replies import Stopped
from headrace.core.errors import HeadraceError, ProviderError, ServerError, TooManyRequests
from headrace.core.events import TERMINAL, Event, RunFailed, RunInterrupted, RunStarted, Terminal, Text
from headrace.core.events import Usage as UsageEvent
from headrace.core.fold import Fold
from headrace.core.messages import Part, text_of
from headrace.core.status import EndStatus
from headrace.formats import native
from headrace.net.port import Exchange

__all__ = ["Answer", "Patience", "Spawn", "Start"]

_HELD = 1000  # events, and what one read brings above them
_STREAM = {"Accept": "text/event-stream"}
_STOP_S = 10.0

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
"""Runs a task and ends it with its owner, the client."""


class Start(msgspec.Struct, frozen=True):
    """The request that starts a run. Sending it again starts no second one: the body has a `client_id`."""

    path: str
    body: bytes


class Patience(msgspec.Struct, frozen=True):
    """How long a connection may be silent until it counts as broken, and the server be away until it is given up."""

    silence_s: float
    away_s: float


class Answer:
    """A run's events in order, each once: an async iterator, and a context manager that leaves the run to itself.

    Nothing is sent before the first is asked for, or `started` is awaited. A connection that breaks is made again, and
    the run goes on after its last event. Leaving an iteration ends nothing: the next one goes on where it stopped.

    `seq` is the number of the last event that was returned. Iterating raises what the server refuses the run with, and
    `Unreachable` where the server is not there, or is away for too long. That a run fails is an event.
    """

    def __init__(
        self, api: Api, spawn: Spawn, *, of: Start | str, patience: Patience, after: int = -1, speed: float = 0.0
    ) -> None:
        self.seq = after
        self._api = api
        self._spawn = spawn
        self._start = of if isinstance(of, Start) else None
        self._run_id = None if isinstance(of, Start) else of
        self._speed = speed
        self._patience = patience
        self._task: asyncio.Task[None] | None = None
        self._done = self._ended = False
        self._error: BaseException | None = None
        self._fold = Fold()
        self._backoff = Backoff()
        # what the reading task knows
        self._last = after
        self._heard = self._there = 0.0
        self._reached = False
        self._held: deque[tuple[int, Event]] = deque()
        self._news = asyncio.Event()
        self._named = asyncio.Event()
        self._exchange: Exchange | None = None
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def run_id(self) -> str | None:
        """The run's id; None until the server has said it."""
        return self._run_id

    @property
    def parts(self) -> tuple[Part, ...]:
        """The message so far, as the events that were returned make it."""
        return self._fold.parts

    @property
    def model(self) -> str | None:
        """The model that answers, as far as the events that were returned say it."""
        return self._fold.model

    @property
    def usage(self) -> UsageEvent | None:
        """What the answer took, as far as it is known."""
        return self._fold.usage

    @property
    def end(self) -> Terminal | None:
        """The event that ended the run, once it was returned."""
        return self._fold.terminal

    @property
    def status(self) -> EndStatus | None:
        """How the run ended, once that event was returned."""
        return self._fold.status

    async def __aenter__(self) -> Self:
        await self.started()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        """Return the next event. Raises as the class says."""
        self._begin()
        while not self._held:
            if self._fold.terminal is not None:
                raise StopAsyncIteration
            if self._done:
                raise self._error or StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        seq, event = self._held.popleft()
        if not self._has_room.is_set() and len(self._held) <= _HELD // 2:
            self._go_on()
        self._fold.feed(event, seq - self.seq)
        self.seq = seq
        return event

    async def started(self) -> str:
        """Return the run's id, once the server has taken the request. Raises as iterating does."""
        self._begin()
        await self._named.wait()
        if self._error is not None and not self._reached:
            raise self._error
        if self._run_id is None:
            raise self._error or garbled(self._api.url, "it does not name the run")
        return self._run_id

    async def text(self) -> str:
        """Read to the end and return the whole text, without thoughts; of a run that was stopped, what there is.

        Raises as iterating does; where the run failed its error with the run's code and message; and `ServerError`
        (`interrupted`) where the server went away in mid-answer. `parts` has what came before.
        """
        async for _ in self:
            pass
        match self.end:
            case RunFailed(code, message, retryable):
                raise failure(code, message, retryable=retryable)
            case RunInterrupted(reason):
                raise ServerError(f"The answer was cut off by a {reason} of the server.", code="interrupted")
            case _:
                return text_of(self.parts)

    async def stop(self) -> EndStatus:
        """Stop the run and return how it ended, which is durable then. Its last events can still be read.

        Harmless when repeated, and when the run has ended: then that is returned. Raises as `started` does, and
        `Unreachable` where the connection breaks for more than 10 s.
        """
        path = f"{run_path(await self.started())}/stop"
        backoff = Backoff()
        give_up_at = _now() + _STOP_S
        while True:
            try:
                return (await self._api.ask("POST", path, Stopped)).status
            except HeadraceError as error:
                wait_s = backoff.wait_s()
                if not _is_passing(error) or _now() + wait_s > give_up_at:
                    raise
                await asyncio.sleep(wait_s)

    def close(self) -> None:
        """Read no more. The run goes on; what was read can still be iterated. Harmless when repeated."""
        self._begin()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        if self._task is None:
            self._task = self._spawn(self._follow())
            self._task.add_done_callback(self._finish)

    def _finish(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            self._error = Unreachable("The answer was closed before its end.", code="closed")
        else:
            self._error = task.exception()
        self._done = True
        self._news.set()
        self._named.set()

    async def _follow(self) -> None:
        """Hold the run's events as they come. The one task of an answer."""
        self._hear()
        while not self._ended:
            await self._has_room.wait()
            try:
                await self._one_connection()
            except HeadraceError as error:
                if not self._ended:
                    await asyncio.sleep(self._wait_s(error))

    def _wait_s(self, error: HeadraceError) -> float:
        """Return when to try again, in seconds. Raises the error where that cannot help."""
        if error.code == CONNECTION_LOST:
            self._reached = True  # the request may have arrived
        if not self._reached or not _is_passing(error) or _now() - self._there > self._patience.away_s:
            raise error
        return max(self._backoff.wait_s(), float(getattr(error, "retry_after_s", 0)))

    async def _one_connection(self) -> None:
        exchange = await self._open()
        try:
            self._reached = True
            self._name(exchange.headers.get("headrace-run"))
            if exchange.status == HTTPStatus.NO_CONTENT:
                self._ended = True
                return
            await self._receive(exchange)
        finally:
            self._exchange = None
            exchange.close()

    async def _open(self) -> Exchange:
        headers = {**_STREAM, "Last-Event-ID": str(self._last)} if self._last >= 0 else _STREAM
        try:
            async with asyncio.timeout(self._patience.silence_s):
                if self._run_id is not None:
                    speed = f"?speed={self._speed:g}" if self._speed else ""
                    return await self._api.open("GET", f"{run_path(self._run_id)}/events{speed}", headers=headers)
                assert self._start is not None  # noqa: S101 - an answer is of a run or starts one
                return await self._api.open("POST", self._start.path, body=self._start.body, headers=headers)
        except TimeoutError as error:
            raise self._silent() from error

    async def _receive(self, exchange: Exchange) -> None:
        decoder = native.Decoder()

        def take(data: bytes) -> None:
            self._take(decoder.feed(data))

        self._exchange = exchange
        self._heard = _now()
        exchange.receive(take)
        finished = asyncio.ensure_future(exchange.finished())
        try:
            while not finished.done():
                await asyncio.wait([finished], timeout=self._heard + self._patience.silence_s - _now())
                if not self._has_room.is_set():
                    self._hear()
                elif not finished.done() and _now() - self._heard >= self._patience.silence_s:
                    raise self._silent()
            finished.result()
        except ProviderError as error:
            raise lost(error, self._api.url) from error
        finally:
            finished.cancel()
        if not self._ended:
            raise Unreachable("The server ended the stream before the run's end.", code=CONNECTION_LOST)

    def _take(self, pairs: list[tuple[int, Event]]) -> None:
        self._hear()
        for seq, event in pairs:
            if seq <= self._last or self._ended:
                continue
            # only texts are merged, and then the number is the last one's
            if seq > self._last + 1 and not isinstance(event, Text):
                raise garbled(self._api.url, f"the events {self._last + 1} to {seq - 1} are missing")
            self._last = seq
            self._held.append((seq, event))
            if isinstance(event, RunStarted):
                self._name(event.run_id)
            self._ended = isinstance(event, TERMINAL)
        self._news.set()
        if pairs:
            self._backoff.reset()
        if len(self._held) >= _HELD and self._exchange is not None:
            self._has_room.clear()
            self._exchange.pause()

    def _go_on(self) -> None:
        self._has_room.set()
        self._hear()
        if self._exchange is not None:
            self._exchange.resume()

    def _hear(self) -> None:
        """Note that the server is there, or that nobody listens just now."""
        self._heard = self._there = _now()

    def _name(self, run_id: str | None) -> None:
        self._run_id = self._run_id or run_id
        if self._run_id is not None and self._reached:
            self._named.set()

    def _silent(self) -> Unreachable:
        return Unreachable(f"{self._api.url} was silent for {self._patience.silence_s:g} s.", code=CONNECTION_LOST)


def _is_passing(error: HeadraceError) -> bool:
    """Return whether the same request may go through soon."""
    return isinstance(error, Unreachable | ServerError | TooManyRequests) and error.code != NO_HEADRACE


def _now() -> float:
    return asyncio.get_running_loop().time()
