"""This module is the only queue in the program: it admits a run to a provider when there is room."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from headrace.models.schedule import FairQueue

__all__ = ["Admission", "Lease"]

PLACES_EVERY_S = 1.0
"""How often those who wait are told their place. With 2,000 waiting, each change moves them all."""


class Lease:
    """The right to use one slot of a provider, until it is released. A context manager."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release: Callable[[], None] | None = release

    def release(self) -> None:
        """Give the slot back. Harmless when repeated."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class _Waiter:
    def __init__(self, on_place: Callable[[int], None], admitted: asyncio.Future[None]) -> None:
        self.on_place = on_place
        self.admitted = admitted
        self.place = 0

    def tell(self, place: int) -> None:
        if place != self.place:
            self.place = place
            self.on_place(place)


class _Gate:
    """The slots of one provider."""

    def __init__(self) -> None:
        self.used = 0
        self.queue: FairQueue[_Waiter] = FairQueue()
        self.telling = False


class Admission:
    """Hands out leases: as many at once as a provider has slots, fairly by owner."""

    def __init__(self) -> None:
        self._gates: dict[str, _Gate] = {}

    async def admit(self, provider: str, *, slots: int | None, owner: int, on_place: Callable[[int], None]) -> Lease:
        """Return a lease as soon as the provider has a free slot.

        Where it has none, `on_place` is called at once with the caller's place in the queue (from 1), and again
        when the place has changed, at most once a second. `slots` None means no bound. Cancelling leaves the queue.
        """
        if slots is None:
            return Lease(_nothing)
        gate = self._gates.setdefault(provider, _Gate())
        if gate.used >= slots or len(gate.queue):
            await self._wait(gate, owner, on_place)
        else:
            gate.used += 1
        return Lease(lambda: self._free(gate))

    def waiting(self) -> int:
        """Return how many wait, in all."""
        return sum(len(gate.queue) for gate in self._gates.values())

    async def _wait(self, gate: _Gate, owner: int, on_place: Callable[[int], None]) -> None:
        waiter = _Waiter(on_place, asyncio.get_running_loop().create_future())
        gate.queue.put(owner, waiter)
        try:
            waiter.tell(1 + list(gate.queue).index(waiter))
            await waiter.admitted
        except BaseException:
            if waiter.admitted.done() and not waiter.admitted.cancelled():
                self._free(gate)  # admitted and cancelled in one turn of the loop
            else:
                with contextlib.suppress(ValueError):  # a slot came by after the cancellation and passed over it
                    gate.queue.remove(owner, waiter)
                self._tell_soon(gate)
            raise

    def _free(self, gate: _Gate) -> None:
        """Hand the slot to the next in the queue, or count it as free."""
        while len(gate.queue):
            admitted = gate.queue.pop().admitted
            if not admitted.done():  # otherwise cancelled, and its task has not noticed yet
                admitted.set_result(None)
                self._tell_soon(gate)
                return
        gate.used -= 1

    def _tell_soon(self, gate: _Gate) -> None:
        if not gate.telling and len(gate.queue):
            gate.telling = True
            asyncio.get_running_loop().call_later(PLACES_EVERY_S, self._tell, gate)

    @staticmethod
    def _tell(gate: _Gate) -> None:
        gate.telling = False
        for place, waiter in enumerate(gate.queue, 1):
            waiter.tell(place)


def _nothing() -> None:
    pass
