"""This module shows how far a download is: a bar on a terminal, now and then a line elsewhere."""

import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

__all__ = ["Progress", "amount"]

_WIDTH = 24
_REDRAW_S = 0.1
_WINDOW_S = 5.0  # over which the rate is taken
_LINE_PERCENT = 10
_LINE_BYTES = 256 * 1024 * 1024  # where the size is not known
_MINUTE = 60
_HOUR = 3600
_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


class Progress:
    """One download's, written to `stream`. Call it with the bytes that are here, and those there will be if known."""

    def __init__(self, stream: TextIO, name: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._name = name
        self._clock = clock
        self._terminal = stream.isatty()
        self._drawn_at: float | None = None
        self._next_line: int | None = None
        self._seen: deque[tuple[float, int]] = deque()

    def __call__(self, here: int, total: int | None) -> None:
        """Show it, where it is time to."""
        now = self._clock()
        if self._seen and here < self._seen[-1][1]:
            self._seen.clear()  # it began again
            self._next_line = None
        self._seen.append((now, here))
        while now - self._seen[0][0] > _WINDOW_S:
            self._seen.popleft()
        if self._terminal:
            self._draw(now, here, total)
        else:
            self._tell(here, total)

    def end(self) -> None:
        """Leave the line of the bar."""
        if self._drawn_at is not None:
            self._write("\n")

    def _draw(self, now: float, here: int, total: int | None) -> None:
        if self._drawn_at is not None and now - self._drawn_at < _REDRAW_S and here != total:
            return
        self._drawn_at = now
        bar = ""
        if total:
            full = _WIDTH * here // total
            bar = f"[{'#' * full}{'.' * (_WIDTH - full)}] {100 * here // total:3d} % "
        # to the beginning of the line, and what is left of it erased
        self._write(f"\r{self._name} {bar} {self._numbers(here, total)}\x1b[K")

    def _tell(self, here: int, total: int | None) -> None:
        step = total * _LINE_PERCENT // 100 if total else _LINE_BYTES
        if self._next_line is not None and here < self._next_line and here != total:
            return
        first = self._next_line is None
        self._next_line = here - here % max(step, 1) + max(step, 1)
        if not first or here:
            self._write(f"{self._name}: {self._numbers(here, total)}\n")

    def _numbers(self, here: int, total: int | None) -> str:
        numbers = f"{amount(here)} of {amount(total)}" if total else amount(here)
        rate = self._rate()
        if rate:
            numbers += f", {amount(rate)}/s"
            if total and here < total:
                numbers += f", {_duration((total - here) / rate)} left"
        return numbers

    def _rate(self) -> float:
        (then, before), (now, here) = self._seen[0], self._seen[-1]
        return (here - before) / (now - then) if now > then else 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def amount(count: float) -> str:
    """Return a number of bytes as people say it: `1.5 GB`."""
    for size, unit in _UNITS:
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole >= _HOUR:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _MINUTE}:{whole % _MINUTE:02d}"
