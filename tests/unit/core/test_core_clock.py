"""The machine's clocks."""

import time

from headrace.core.clock import Clock, SystemClock


def test_dates_are_milliseconds_since_1970() -> None:
    clock: Clock = SystemClock()
    before = time.time()
    assert before * 1000 - 1 <= clock.now_ms() <= time.time() * 1000


def test_durations_never_go_back() -> None:
    clock: Clock = SystemClock()
    times = [clock.monotonic() for _ in range(1000)]
    assert times == sorted(times)
