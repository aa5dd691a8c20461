"""This module says how long to wait before a lost connection is tried again."""

import random
from collections.abc import Callable

__all__ = ["Backoff"]

_FIRST_S = 0.25
_LONGEST_S = 5.0  # a server that came back is found so late at most


class Backoff:
    """Waits that double from 0.25 s to 5 s. Each is shortened by chance, to half at most.

    A server that starts again is found by all its clients: chance keeps them from coming at one moment.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._next_s = _FIRST_S

    def wait_s(self) -> float:
        """Return the next wait, in seconds; the one after it is longer."""
        wait = self._next_s * (0.5 + self._chance() / 2)
        self._next_s = min(2 * self._next_s, _LONGEST_S)
        return wait

    def reset(self) -> None:
        """Start from the first again: the connection was there."""
        self._next_s = _FIRST_S
