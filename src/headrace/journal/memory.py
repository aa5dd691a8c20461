"""This module keeps the journal in memory: for tests, and where nothing is to outlive the process."""

import asyncio
import time
from collections.abc import Callable, Sequence

from headrace.core.events import Event
from headrace.formats import native
from headrace.journal.live import Batch, Log, LogCursor
from headrace.journal.port import Fenced, Pruned, Stored, UnknownRun

__all__ = ["MemoryJournal"]


class MemoryJournal:
    """A journal without a disk. It keeps every promise of the port but the one that needs a disk."""

    trouble: str | None = None

    def __init__(self) -> None:
        self._logs: dict[str, Log] = {}
        self._pruned: set[str] = set()
        self._sealed_ms: dict[str, int] = {}
        self._dirty: list[Log] = []
        self._scheduled = False
        self._waiters: list[asyncio.Future[None]] = []

    async def claim(self, run_id: str) -> int:
        """See `port.Journal.claim`."""
        log = self._logs.setdefault(run_id, Log(run_id, 0, 0))
        if log.sealing:
            raise Fenced(f"Run {run_id} has ended.")
        log.epoch += 1
        return log.epoch

    def append(self, run_id: str, epoch: int, happened: Sequence[Event], t: int) -> None:
        """See `port.Journal.append`."""
        log = self._writable(run_id, epoch)
        if not log.dirty:
            log.dirty = True
            self._dirty.append(log)
        log.entries.extend([native.encode(event, t) for event in happened])
        self._schedule()

    def committed(self, run_id: str) -> int:
        """See `port.Journal.committed`."""
        return self._log(run_id).committed

    async def read(self, run_id: str, start: int = 0, limit: int | None = None) -> Sequence[bytes]:
        """See `port.Journal.read`."""
        log = self._readable(run_id)
        end = log.committed if limit is None else min(start + limit, log.committed)
        return log.entries[start:end]

    async def follow(self, run_id: str, start: int, wake: Callable[[], None] | None = None) -> LogCursor:
        """See `port.Journal.follow`."""
        return LogCursor(self._readable(run_id), start, wake, _fetch)

    async def seal(self, run_id: str, epoch: int) -> None:
        """See `port.Journal.seal`."""
        log = self._log(run_id)
        if log.epoch != epoch:
            raise Fenced(f"Run {run_id} has a newer writer.")
        if log.sealed:
            return
        log.sealing = True
        self._dirty.append(log)
        done = asyncio.get_running_loop().create_future()
        self._waiters.append(done)
        self._schedule()
        await done

    async def unsealed(self) -> list[Stored]:
        """See `port.Journal.unsealed`."""
        return [Stored(log.run_id, log.committed, sealed=False) for log in self._logs.values() if not log.sealed]

    async def remove(self, run_ids: Sequence[str]) -> None:
        """See `port.Journal.remove`."""
        for run_id in run_ids:
            self._pruned.discard(run_id)
            self._sealed_ms.pop(run_id, None)
            log = self._logs.pop(run_id, None)
            if log is not None:
                log.removed = log.sealing = True
                log.show()

    async def prune(self, sealed_before_ms: int) -> int:
        """See `port.Journal.prune`."""
        old = [run_id for run_id, sealed in self._sealed_ms.items() if sealed < sealed_before_ms]
        for run_id in old:
            del self._sealed_ms[run_id]
            self._pruned.add(run_id)
            log = self._logs[run_id]
            log.trim(log.committed)
        return len(old)

    async def close(self) -> None:
        """See `port.Journal.close`."""
        self._commit()

    def _log(self, run_id: str) -> Log:
        log = self._logs.get(run_id)
        if log is None:
            raise UnknownRun(f"The journal has no run {run_id}.")
        return log

    def _readable(self, run_id: str) -> Log:
        if run_id in self._pruned:
            raise Pruned(f"The events of run {run_id} are no longer kept.")
        return self._log(run_id)

    def _writable(self, run_id: str, epoch: int) -> Log:
        log = self._log(run_id)
        if log.epoch != epoch or log.sealing:
            raise Fenced(f"Run {run_id} has ended or has a newer writer.")
        return log

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._commit)

    def _commit(self) -> None:
        dirty = [log for log in self._dirty if not log.removed]
        self._dirty = []
        waiters, self._waiters = self._waiters, []
        self._scheduled = False
        for log in dirty:
            log.stage()
            log.committed = log.staged
            if log.sealing and not log.sealed:
                log.sealed = True
                self._sealed_ms[log.run_id] = time.time_ns() // 1_000_000
        for log in dirty:
            log.show()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


async def _fetch(_position: int) -> Batch:
    raise Pruned("These events are no longer kept.")  # everything else is in memory
