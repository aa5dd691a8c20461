"""This module follows one turn of a chat to its end, over as many connections as that takes."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NoReturn
from uuid import uuid4

from headrace.cli.api import Api, Refused, Unreachable
from headrace.core.errors import ProviderError
from headrace.core.events import TERMINAL, Event, Terminal
from headrace.formats import native
from headrace.net.port import Exchange

__all__ = ["Turn"]

_FIRST_DELAY_S = 0.25
_LONGEST_DELAY_S = 30.0
_GIVE_UP_S = 300.0
_STOP_S = 5.0
# what a proxy says while the server behind it starts again, and what the server says then
_PASSING = {502, 503, 504}


class Turn:
    """A message of the user and the run that answers it.

    `body` is that of `POST /chats/{id}/turns`. A connection that breaks is made again, and the run goes on after the
    last event that was shown: nothing is shown twice, nothing is left out. One that is silent for `silence_s` counts
    as broken; the default has room for two of the server's keepalives, which come every 15 s.
    """

    def __init__(self, api: Api, chat_id: int, body: Mapping[str, Any], *, silence_s: float = 40.0) -> None:
        self.run_id: str | None = None
        self._api = api
        self._chat_id = chat_id
        # with it, sending the message again cannot start a second run
        self._body = {"client_id": str(uuid4()), **body}
        self._silence_s = silence_s
        self._seq = -1
        self._heard = 0.0
        self._end: Terminal | None = None

    async def follow(self, show: Callable[[Event], None], lost: Callable[[float], None]) -> Terminal:
        """Start the run, call `show` with each event as it comes, and return the one that ended it.

        `lost` is called with the seconds until the next attempt when the connection broke. Raises `Refused` and
        `Unreachable` where the run cannot be started, or is gone; `Unreachable` also after five minutes without
        the server; and whatever `show` raises.
        """
        self._heard = asyncio.get_running_loop().time()
        delay = _FIRST_DELAY_S
        while self._end is None:
            heard = self._heard
            try:
                await self._one_connection(show)
            except (ProviderError, Refused, Unreachable) as error:
                if self._end is None:
                    delay = _FIRST_DELAY_S if self._heard > heard else delay
                    self._check_passing(error)
                    lost(delay)
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, _LONGEST_DELAY_S)
        return self._end

    async def stop(self) -> bool:
        """Stop the run; return whether it is known to have ended. Takes 5 s at most."""
        if self._end is not None:
            return True
        if self.run_id is None:
            return False
        try:
            async with asyncio.timeout(_STOP_S):
                await self._api.call("POST", f"/runs/{self.run_id}/stop")
        except (TimeoutError, ProviderError, Refused, Unreachable):
            return False
        return True

    async def _one_connection(self, show: Callable[[Event], None]) -> None:
        exchange = await self._open()
        try:
            self.run_id = exchange.headers.get("headrace-run", self.run_id)
            await self._receive(exchange, show)
        finally:
            exchange.close()

    async def _open(self) -> Exchange:
        headers = {"Accept": "text/event-stream"}
        if self.run_id is None:
            return await self._api.open("POST", f"/chats/{self._chat_id}/turns", self._body, headers)
        if self._seq >= 0:
            headers["Last-Event-ID"] = str(self._seq)
        return await self._api.open("GET", f"/runs/{self.run_id}/events", headers=headers)

    async def _receive(self, exchange: Exchange, show: Callable[[Event], None]) -> None:
        loop = asyncio.get_running_loop()
        decoder = native.Decoder()
        try:
            async with asyncio.timeout(self._silence_s) as patience:

                def take(data: bytes) -> None:
                    self._heard = loop.time()
                    patience.reschedule(self._heard + self._silence_s)
                    for seq, event in decoder.feed(data):
                        self._take(seq, event, show)

                exchange.receive(take)
                await exchange.finished()
        except TimeoutError:
            _cut(f"The server was silent for {self._silence_s:g} s.")
        if self._end is None:
            _cut("The server ended the stream before the run's end.")

    def _take(self, seq: int, event: Event, show: Callable[[Event], None]) -> None:
        self._seq = seq
        if isinstance(event, TERMINAL):
            self._end = event
        show(event)

    def _check_passing(self, error: ProviderError | Refused | Unreachable) -> None:
        """Raise the error again unless trying again can help."""
        if isinstance(error, ProviderError):
            passing = error.code == "upstream_closed"
        else:
            passing = self.run_id is not None and (isinstance(error, Unreachable) or error.answered in _PASSING)
        if not passing or asyncio.get_running_loop().time() - self._heard > _GIVE_UP_S:
            raise error


def _cut(message: str) -> NoReturn:
    raise ProviderError(message, code="upstream_closed")
