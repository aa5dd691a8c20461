"""This module follows one run to its end, over as many connections as that takes."""

import asyncio
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NoReturn, Protocol, Self
from uuid import uuid4

import msgspec

from headrace.cli.api import Api, Refused, Unreachable, run_path
from headrace.core.errors import ProviderError, ServerError
from headrace.core.events import TERMINAL, Event, Terminal
from headrace.formats import native, sse
from headrace.net.port import Exchange

__all__ = ["Heard", "Turn", "Watcher"]

_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 5.0
_GIVE_UP_S = 300.0
_SILENCE_S = 40.0
_STOP_S = 5.0
# what a proxy says while the server behind it starts again, and what the server says then
_PASSING = {502, 503, 504}


class Heard(msgspec.Struct, frozen=True):
    """An event of the run with its number; `entry` is the JSON that it came as."""

    seq: int
    event: Event
    entry: bytes


class Watcher(Protocol):
    """Who follows a run. What it raises ends the following, and is raised there."""

    def show(self, heard: Sequence[Heard]) -> None:
        """Take the next events: those that came in one read, at once."""
        ...

    def lost(self, delay_s: float) -> None:
        """Take that the connection broke, and the seconds until it is tried again."""
        ...

    def found(self) -> None:
        """Take that there is a connection again."""
        ...


class Turn:
    """A run and the way to its events.

    A connection that breaks is made again, and the run goes on after the last event that was shown: nothing is shown
    twice, nothing is left out. One that is silent for `silence_s` counts as broken; the default has room for two of
    the server's keepalives, which come every 15 s.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        run_id: str | None = None,
        after: int = -1,
        silence_s: float = _SILENCE_S,
    ) -> None:
        self._api = api
        self._path = path
        self._body = body
        self._run_id = run_id
        self._named = asyncio.Event()
        self._seq = after
        self._silence_s = silence_s
        self._sent = False
        self._heard = 0.0
        self._end: Terminal | None = None
        self._nothing = False

    @classmethod
    def start(cls, api: Api, path: str, body: Mapping[str, Any], *, silence_s: float = _SILENCE_S) -> Self:
        """Return a turn that a POST to `path` with this body starts."""
        # with a client_id, sending it again cannot start a second run
        return cls(api, path, {"client_id": str(uuid4()), **body}, silence_s=silence_s)

    @classmethod
    def join(cls, api: Api, run_id: str, *, after: int = -1, speed: float = 0.0, silence_s: float = _SILENCE_S) -> Self:
        """Return a run that there is, from the event after `after` on; `speed` as in the API: 0 is at once."""
        path = f"{run_path(run_id)}/events"
        if speed:
            path += f"?speed={speed:g}"
        return cls(api, path, run_id=run_id, after=after, silence_s=silence_s)

    @property
    def run_id(self) -> str | None:
        """The run's id; None until the server has said it."""
        return self._run_id

    async def follow(self, watcher: Watcher) -> Terminal | None:
        """Tell the watcher of each event as it comes, and return the one that ended the run.

        None where a run that was joined has no events after that number. Raises `Refused` and `Unreachable` where
        the run cannot be started, or is gone; `Unreachable` also after five minutes without the server; and whatever
        the watcher raises.
        """
        self._heard = asyncio.get_running_loop().time()
        delay = _FIRST_DELAY_S
        while self._end is None and not self._nothing:
            heard = self._heard
            try:
                await self._one_connection(watcher)
            except (ProviderError, Refused, Unreachable) as error:
                if self._end is None:
                    delay = _FIRST_DELAY_S if self._heard > heard else delay
                    self._check_passing(error)
                    watcher.lost(delay)
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, _LONGEST_DELAY_S)
        return self._end

    async def stop(self) -> bool:
        """Stop the run; return whether it is known to have ended. Takes 5 s at most.

        A run that is just being started is stopped when its id is known, so `follow` must go on meanwhile.
        """
        if self._end is not None:
            return True
        try:
            async with asyncio.timeout(_STOP_S):
                if self._run_id is None:
                    await self._named.wait()
                await self._api.call("POST", f"{run_path(self._run_id or '')}/stop")
        except (TimeoutError, ProviderError, Refused, Unreachable):
            return False
        return True

    async def _one_connection(self, watcher: Watcher) -> None:
        exchange = await self._open()
        try:
            self._run_id = exchange.headers.get("headrace-run", self._run_id)
            self._named.set()
            if exchange.status == HTTPStatus.NO_CONTENT:
                self._nothing = True
                return
            watcher.found()
            await self._receive(exchange, watcher)
        finally:
            exchange.close()

    async def _open(self) -> Exchange:
        headers = {"Accept": "text/event-stream"}
        if self._run_id is None:
            try:
                return await self._api.open("POST", self._path, self._body, headers)
            except ProviderError:
                # it was sent, and may be known there
                self._sent = True
                raise
        if self._seq >= 0:
            headers["Last-Event-ID"] = str(self._seq)
        path = self._path if self._body is None else f"{run_path(self._run_id)}/events"
        return await self._api.open("GET", path, headers=headers)

    async def _receive(self, exchange: Exchange, watcher: Watcher) -> None:
        loop = asyncio.get_running_loop()
        decoder = sse.Decoder()
        try:
            async with asyncio.timeout(self._silence_s) as patience:

                def take(data: bytes) -> None:
                    self._heard = loop.time()
                    patience.reschedule(self._heard + self._silence_s)
                    frames = decoder.feed(data)
                    if frames:
                        self._take(frames, watcher)

                exchange.receive(take)
                await exchange.finished()
        except TimeoutError:
            _cut(f"The server was silent for {self._silence_s:g} s.")
        if self._end is None:
            _cut("The server ended the stream before the run's end.")

    def _take(self, frames: Sequence[sse.Frame], watcher: Watcher) -> None:
        heard = [_heard(frame) for frame in frames]
        self._seq = heard[-1].seq
        last = heard[-1].event
        if isinstance(last, TERMINAL):
            self._end = last
        watcher.show(heard)

    def _check_passing(self, error: ProviderError | Refused | Unreachable) -> None:
        """Raise the error again unless trying again can help."""
        if isinstance(error, ProviderError):
            passing = error.code == "upstream_closed"
        else:
            was_there = self._named.is_set() or self._sent
            passing = was_there and (isinstance(error, Unreachable) or error.answered in _PASSING)
        if not passing or asyncio.get_running_loop().time() - self._heard > _GIVE_UP_S:
            raise error


def _heard(frame: sse.Frame) -> Heard:
    try:
        return Heard(int(frame.id), native.decode(frame.data), frame.data)
    except (ValueError, ServerError) as error:
        raise ProviderError(f"The server sent no event of a run: {error}", code="upstream_garbled") from error


def _cut(message: str) -> NoReturn:
    raise ProviderError(message, code="upstream_closed")
