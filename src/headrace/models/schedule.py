"""This module decides whose turn it is, in turn by owner. Pure."""

from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """A queue of queues: owners take turns, and each owner's own things come in the order they were put.

    An owner with a thousand things waiting delays another owner's first by one thing, not by a thousand.
    """

    def __init__(self) -> None:
        self._owners: dict[int, deque[T]] = {}
        self._turns: deque[int] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def put(self, owner: int, thing: T) -> None:
        """Add a thing behind the owner's others."""
        if owner not in self._owners:
            self._owners[owner] = deque()
            self._turns.append(owner)
        self._owners[owner].append(thing)

    def pop(self) -> T:
        """Take the next thing; its owner goes to the end of the turns. Raises `IndexError` where there is none."""
        owner = self._turns.popleft()
        waiting = self._owners[owner]
        thing = waiting.popleft()
        if waiting:
            self._turns.append(owner)
        else:
            del self._owners[owner]
        return thing

    def remove(self, owner: int, thing: T) -> None:
        """Take a thing out, wherever it stands. Raises `ValueError` where it is not."""
        waiting = self._owners.get(owner, deque())
        waiting.remove(thing)
        if not waiting:
            del self._owners[owner]
            self._turns.remove(owner)

    def __iter__(self) -> Iterator[T]:
        """Yield everything in the order in which `pop` would, if nothing more were put."""
        queues = [iter(self._owners[owner]) for owner in self._turns]
        while queues:
            still = []
            for queue in queues:
                for thing in queue:
                    yield thing
                    still.append(queue)
                    break
            queues = still
