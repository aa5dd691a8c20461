"""This module opens many streams at once, checks every token of each, and measures what the server spent on them.

CPU is the server's own (user and system, of the processes named), so it means something on a busy machine too; delay
is from the model server's write of a token to its arrival here.
"""

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec

__all__ = ["Figures", "Job", "run"]

_TOKEN = re.compile(rb'[" ](\d{12,19})(?=["\\])')
_TAIL = 64  # bytes that may hold the beginning of a token
_SAMPLE = 4  # every fourth token's delay is kept
_LAST_CHUNK = b"\r\n0\r\n\r\n"
_QUIET_S = 1.5  # longer than the pause between two rounds of a server's upkeep
_QUIET_TRIES = 10
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """So many streams at once, each of so many tokens, started over `ramp_s` seconds."""

    streams: int
    tokens: int
    ramp_s: float
    timeout_s: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of a job took. Times in milliseconds; CPU in microseconds for each token that arrived."""

    streams: int
    complete: int
    tokens: int
    cpu_us_per_token: float
    delay_ms_p50: float
    delay_ms_p99: float
    first_ms_p50: float
    first_ms_p99: float
    memory_mb: float


class _Sums:
    def __init__(self) -> None:
        self.tokens = self.complete = 0
        self.delays: list[int] = []
        self.firsts: list[int] = []


class _Reader(asyncio.Protocol):
    def __init__(self, request: bytes, want: int, sums: _Sums, done: asyncio.Future[None]) -> None:
        self._request, self._want, self._sums, self._done = request, want, sums, done
        self._tokens = self._last = 0
        self._ordered = True
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._start = time.monotonic_ns()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now, end = time.monotonic_ns(), 0
        data = self._tail + data
        for match in _TOKEN.finditer(data):
            if self._tokens >= self._want:
                break
            self._take(int(match[1]), now)
            end = match.end()
        self._tail = data[max(end, len(data) - _TAIL) :]
        if data.endswith(_LAST_CHUNK):
            self._transport.close()

    def _take(self, stamp: int, now: int) -> None:
        self._ordered &= stamp > self._last
        self._last = stamp
        if not self._tokens:
            self._sums.firsts.append(now - self._start)
        if self._tokens % _SAMPLE == 0:
            self._sums.delays.append(now - stamp)
        self._tokens += 1

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._sums.tokens += self._tokens
        self._sums.complete += self._tokens == self._want and self._ordered
        if not self._done.done():
            self._done.set_result(None)


async def run(job: Job, port: int, request: Callable[[int], bytes], pids: Sequence[int]) -> Figures:
    """Run a job against a server on loopback; `request(number)` is the whole request of a stream.

    What the server does once the streams have ended (folding, checkpoints) counts: this returns when it is done.
    """
    loop, sums = asyncio.get_running_loop(), _Sums()
    spent, peak = _usage(pids)
    done = []
    for number in range(job.streams):
        future: asyncio.Future[None] = loop.create_future()
        done.append(future)
        reader = _Reader(request(number), job.tokens, sums, future)
        await loop.create_connection(lambda reader=reader: reader, "127.0.0.1", port)  # type: ignore[misc]
        await asyncio.sleep(job.ramp_s / job.streams)
    deadline = loop.time() + job.timeout_s
    while not all(future.done() for future in done) and loop.time() < deadline:
        peak = max(peak, _usage(pids)[1])
        await asyncio.wait(done, timeout=0.2)
    await _quiet(pids)
    return Figures(
        streams=job.streams,
        complete=sums.complete,
        tokens=sums.tokens,
        cpu_us_per_token=round((_usage(pids)[0] - spent) / max(1, sums.tokens) * 1e6, 2),
        delay_ms_p50=_quantile(sums.delays, 0.5),
        delay_ms_p99=_quantile(sums.delays, 0.99),
        first_ms_p50=_quantile(sums.firsts, 0.5),
        first_ms_p99=_quantile(sums.firsts, 0.99),
        memory_mb=round(peak / 1e6, 1),
    )


async def _quiet(pids: Sequence[int]) -> None:
    """Return once these processes do next to nothing, or after `_QUIET_TRIES` looks."""
    for _ in range(_QUIET_TRIES):
        spent = _usage(pids)[0]
        await asyncio.sleep(_QUIET_S)
        if _usage(pids)[0] - spent < 2 * _TICK_S:
            return


def _usage(pids: Sequence[int]) -> tuple[float, int]:
    """Return the CPU seconds that these processes have spent, and the memory that they hold."""
    ticks = memory = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
        memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return ticks / os.sysconf("SC_CLK_TCK"), memory


def _quantile(nanoseconds: list[int], at: float) -> float:
    if not nanoseconds:
        return 0.0
    return round(sorted(nanoseconds)[min(len(nanoseconds) - 1, int(len(nanoseconds) * at))] / 1e6, 2)
