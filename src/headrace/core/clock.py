"""This module is the only source of time, so that tests can move it."""

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Two clocks: one for dates, one for durations."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch (UTC); it may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds of a clock that never goes back; its zero means nothing."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        """Return milliseconds since the Unix epoch (UTC)."""
        return time.time_ns() // 1_000_000

    monotonic = staticmethod(time.monotonic)
    """Return seconds of the machine's monotonic clock. The function itself: it is called for every token."""
