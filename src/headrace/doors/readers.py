"""This module counts who reads a run, so that whoever leaves it last can be told."""

from collections import Counter
from collections.abc import Callable

__all__ = ["Readers"]


class Readers:
    """How many connections read each run now, through whichever door."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def arrive(self, run_id: str) -> Callable[[], bool]:
        """Count one more reader; return what to call once when it leaves, which says whether nobody is left."""
        self._count[run_id] += 1

        def leave() -> bool:
            self._count[run_id] -= 1
            if self._count[run_id] > 0:
                return False
            del self._count[run_id]
            return True

        return leave
