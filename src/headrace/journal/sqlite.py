"""This module keeps the journal in SQLite, by group commit of segments.

All events that all runs append in one turn of the event loop go down as one row in one transaction; then, and only
then, the readers of those runs are woken. While a commit is under way the next one gathers, so the busier the server,
the more events share a commit. `normal`: committed on the loop's own thread, which costs tens of microseconds and
survives the death of the process. `full`: committed in a thread and synced to the disk, which survives a power cut.
Where many runs share each commit, the next one waits `GATHER_S` for more of them, as PostgreSQL's `commit_delay` does.

A commit that fails (a full disk) shows nothing: it is tried again, the same bytes, until it succeeds; appending is
refused once `STUCK_ENTRIES` wait.
"""

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from headrace.core.clock import Clock, SystemClock
from headrace.core.errors import ServerError
from headrace.core.events import Event
from headrace.formats import native
from headrace.journal import files
from headrace.journal.files import Commit, Files, Statement, Sync
from headrace.journal.live import Batch, Log, LogCursor, show
from headrace.journal.port import Fenced, Pruned, Stored, UnknownRun
from headrace.journal.segments import encode_segment
from headrace.journal.upkeep import Chore, Upkeep, UpkeepSettings

__all__ = ["SqliteJournal", "Stuck"]

STUCK_ENTRIES = 200_000
"""Entries that may wait for a disk that refuses them: some tens of megabytes."""

GATHER_S = 0.003
GATHER_RUNS = 4
"""A commit of so many runs or more is followed by one that gathers for `GATHER_S`; of fewer, by one that goes at once."""

RETRY_S = 0.5
CHORE_PAUSE_S = 0.002
PRUNE_RUNS = 100


class Stuck(ServerError):
    """The disk has refused commits for so long that no more can wait."""

    default_code = "journal_stuck"


class _Round(msgspec.Struct):
    """One commit and what it makes visible."""

    commit: Commit
    shown: list[tuple[Log, int]]
    sealed: list[Log]
    done: list[asyncio.Future[None]]
    chore: Chore | None


class SqliteJournal:
    """The journal in a file of its own. See `port.Journal` for what its calls promise."""

    def __init__(
        self,
        path: Path,
        *,
        sync: Sync = "normal",
        clock: Clock | None = None,
        upkeep: UpkeepSettings | None = None,
    ) -> None:
        self.trouble: str | None = None
        self._path = path
        self._sync: Sync = sync
        self._clock = clock or SystemClock()
        self._upkeep_settings = upkeep or UpkeepSettings()
        self._logs: dict[str, Log] = {}
        self._cut: dict[str, Log] = {}
        self._dirty: list[Log] = []
        self._statements: list[Statement] = []
        self._sealing: list[Log] = []
        self._done: list[asyncio.Future[None]] = []
        self._chores: deque[Chore] = deque()
        self._scheduled = False
        self._gathering: asyncio.TimerHandle | None = None
        self._busy = False
        self._held = False
        self._under_way: _Round | None = None
        self._waiting = 0
        self._retry: asyncio.TimerHandle | None = None
        self._closing = False

    async def open(self) -> None:
        """Open or create the file and put what a crash left in order. Raises `segments.Torn`, `sqlite3.Error`."""
        self._loop = asyncio.get_running_loop()
        self._files = await asyncio.to_thread(Files, self._path, self._sync)
        self._cut = {run_id: Log(run_id, key, epoch, size) for run_id, key, epoch, size in self._files.unsealed()}
        self._writer = ThreadPoolExecutor(1, "journal") if self._sync == "full" else None
        self._upkeep = Upkeep(self, self._files, self._upkeep_settings)
        self._upkeep.start()

    async def close(self) -> None:
        """See `port.Journal.close`. What the disk refuses to the end is lost, as it would be with the process."""
        if self._closing:
            return
        self._closing = True
        await self._upkeep.close()
        self._chores.clear()
        if self.trouble is None:
            with contextlib.suppress(Stuck):
                await self._flushed()
        self._held = True  # for good
        self._logs.clear()
        if self._retry is not None:
            self._retry.cancel()
        if self._writer is not None:
            self._writer.shutdown()
        self._give_up()
        await asyncio.to_thread(self._files.close)

    async def claim(self, run_id: str) -> int:
        """See `port.Journal.claim`."""
        log = self._logs.get(run_id) or self._cut.pop(run_id, None)
        if log is None:
            if self._files.row(run_id) is not None:
                raise Fenced(f"Run {run_id} has ended.")
            key, self._files.next_key = self._files.next_key, self._files.next_key + 1
            log = Log(run_id, key, 1)
            self._statements.append((files.INSERT_RUN, (key, run_id, 1)))
        else:
            if log.sealing:
                raise Fenced(f"Run {run_id} has ended.")
            log.epoch += 1
            self._statements.append((files.UPDATE_EPOCH, (log.epoch, log.key)))
        log.folded_at = self._loop.time()
        self._logs[run_id] = log
        self._schedule()
        return log.epoch

    def append(self, run_id: str, epoch: int, happened: Sequence[Event], t: int) -> None:
        """See `port.Journal.append`. Raises `Stuck` too."""
        log = self._logs.get(run_id)
        if log is None or log.epoch != epoch or log.sealing:
            raise self._unwritable(run_id)
        if self.trouble is not None:
            self._wait_in_line(len(happened))
        if len(happened) == 1:
            log.entries.append(native.encode(happened[0], t))
        else:
            log.entries.extend([native.encode(event, t) for event in happened])
        if not log.dirty:
            log.dirty = True
            self._dirty.append(log)
            if not self._scheduled:
                if self._busy:
                    self._scheduled = True
                    self._gathering = self._loop.call_later(GATHER_S, self._commit)
                else:
                    self._schedule()

    def committed(self, run_id: str) -> int:
        """See `port.Journal.committed`."""
        log = self._logs.get(run_id)
        if log is None:
            raise UnknownRun(f"Run {run_id} is not live.")
        return log.committed

    async def read(self, run_id: str, start: int = 0, limit: int | None = None) -> Sequence[bytes]:
        """See `port.Journal.read`."""
        cursor = await self.follow(run_id, start)
        entries: list[bytes] = []
        try:
            while limit is None or len(entries) < limit:
                taken = cursor.take(files.CHUNK_ENTRIES if limit is None else limit - len(entries))
                if taken is None:
                    await cursor.load()
                elif taken:
                    entries.extend(taken)
                else:
                    break
        finally:
            cursor.close()
        return entries

    async def follow(self, run_id: str, start: int, wake: Callable[[], None] | None = None) -> LogCursor:
        """See `port.Journal.follow`."""
        log = self._logs.get(run_id) or self._cut.get(run_id)
        if log is None:
            row = self._files.row(run_id)
            if row is None:
                raise UnknownRun(f"The journal has no run {run_id}.")
            if row.pruned:
                raise Pruned(f"The events of run {run_id} are no longer kept.")
            log = Log(run_id, row.key, row.epoch, row.entries)
            log.sealed = log.sealing = True
        return LogCursor(log, start, wake, partial(self._fetch, log.key))

    async def seal(self, run_id: str, epoch: int) -> None:
        """See `port.Journal.seal`."""
        log = self._logs.get(run_id)
        if log is None:
            row = self._files.row(run_id)
            if row is None or row.epoch != epoch or row.sealed_at is None:
                raise self._unwritable(run_id)
            return
        if log.epoch != epoch:
            raise self._unwritable(run_id)
        if not log.sealing:
            log.sealing = True
            self._sealing.append(log)
            self._statements.append((files.SEAL_RUN, (self._clock.now_ms(), log.key)))
        await self._flushed()

    async def unsealed(self) -> list[Stored]:
        """See `port.Journal.unsealed`."""
        logs = [*self._cut.values(), *self._logs.values()]
        return [Stored(log.run_id, log.committed, sealed=False) for log in logs if not log.sealed]

    async def remove(self, run_ids: Sequence[str]) -> None:
        """See `port.Journal.remove`."""
        for run_id in run_ids:
            log = self._cut.pop(run_id, None) or self._logs.pop(run_id, None)
            self._statements.append((files.DELETE_CHUNKS, (run_id,)))
            self._statements.append((files.DELETE_RUN, (run_id,)))
            if log is not None:
                log.removed = log.sealing = True
                log.show()
        await self._flushed()

    async def prune(self, sealed_before_ms: int) -> int:
        """See `port.Journal.prune`."""
        total = 0
        while old := self._files.old(sealed_before_ms, PRUNE_RUNS):
            for key, _ in old:
                self._statements.append((files.PRUNE_CHUNKS, (key,)))
                self._statements.append((files.PRUNE_RUN, (key,)))
            await self._flushed()
            for _, run_id in old:
                log = self._logs.pop(run_id, None)
                if log is not None:  # sealed a moment ago, and not folded yet
                    log.trim(log.committed)
            total += len(old)
        return total

    # What the upkeep asks for.

    @property
    def logs(self) -> dict[str, Log]:
        """The runs that have entries outside chunks, or are not sealed."""
        return self._logs

    def do(self, chore: Chore) -> None:
        """Take a chore into one of the next commits."""
        self._chores.append(chore)
        self._schedule()

    def hold(self, *, held: bool) -> None:
        """Stop committing for a moment, and go on: what is appended meanwhile gathers."""
        self._held = held
        if not held:
            self._schedule()

    async def settled(self) -> None:
        """Return when no commit is under way; one that the disk refuses is not waited for."""
        if self._under_way is not None and self.trouble is None:
            landed = self._loop.create_future()
            self._under_way.done.append(landed)
            await landed

    # The commit.

    def _schedule(self) -> None:
        """Commit at the end of this turn of the loop: somebody waits, or nothing else is there to be gathered."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
            self._scheduled = False
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._commit)

    async def _flushed(self) -> None:
        done = self._loop.create_future()
        self._done.append(done)
        self._schedule()
        await done

    def _commit(self) -> None:
        self._scheduled = False
        self._gathering = None
        if self._held or self._under_way is not None:
            return  # `hold` and `_landed` schedule the next one
        stage = self._stage()
        self._under_way = stage
        self._try(stage)

    def _stage(self) -> _Round:
        dirty, self._dirty = self._dirty, []
        pieces, shown = [], []
        segment_id = self._files.next_segment
        for log in dirty:
            if log.removed:
                continue
            # `Log.stage` in line: the path of a token
            first = log.staged
            fresh = log.entries[first - log.first :]
            log.staged = staged = first + len(fresh)
            log.dirty = False
            pieces.append((log.key, first, fresh))
            shown.append((log, staged))
            if log.segment is None:
                log.segment = segment_id
        chore = self._chores.popleft() if self._chores else None
        statements, self._statements = self._statements, []
        if chore is not None:
            statements.extend(chore.statements)
        self._busy = len(pieces) >= GATHER_RUNS
        sealed, self._sealing = self._sealing, []
        done, self._done = self._done, []
        segment = encode_segment(pieces) if pieces else None
        return _Round(Commit(statements, segment_id, segment), shown, sealed, done, chore)

    def _try(self, stage: _Round) -> None:
        if self._writer is not None:
            future = self._loop.run_in_executor(self._writer, self._files.commit, stage.commit)
            future.add_done_callback(lambda done: self._landed(stage, done.exception()))
            return
        try:
            if stage.commit.segment is not None or stage.commit.statements:
                self._files.commit(stage.commit)
        except sqlite3.Error as error:
            self._landed(stage, error)
        else:
            self._landed(stage, None)

    def _landed(self, stage: _Round, error: BaseException | None) -> None:
        if error is not None:
            self.trouble = f"The journal cannot be written: {error}"
            if self._closing:
                self._give_up()
            else:
                self._retry = self._loop.call_later(RETRY_S, self._try, stage)
            return
        self.trouble = None
        self._waiting = 0
        self._under_way = None
        if stage.commit.segment is not None:
            self._files.next_segment += 1
        if stage.chore is not None:
            stage.chore.done()
        if self._dirty or self._statements or self._done:
            self._schedule()
        elif self._chores:
            self._loop.call_later(CHORE_PAUSE_S, self._schedule)
        _show(stage)

    def _give_up(self) -> None:
        """Tell those who wait for a commit that there will be none."""
        waiting = [*self._done, *(self._under_way.done if self._under_way is not None else ())]
        for done in waiting:
            if not done.done():
                done.set_exception(Stuck(self.trouble or "The journal is closed."))

    def _unwritable(self, run_id: str) -> Fenced | UnknownRun:
        if self._closing:
            return Fenced("The journal is closed.")
        if run_id in self._logs or self._files.row(run_id) is not None:
            return Fenced(f"Run {run_id} has ended or has a newer writer.")
        return UnknownRun(f"The journal has no run {run_id}.")

    def _wait_in_line(self, count: int) -> None:
        self._waiting += count
        if self._waiting > STUCK_ENTRIES:
            raise Stuck(self.trouble or "The journal cannot be written.")

    async def _fetch(self, key: int, position: int) -> Batch:
        found = await asyncio.to_thread(self._files.chunk, key, position)
        if found is None:
            raise Pruned("These events are no longer kept.")
        return found


def _show(stage: _Round) -> None:
    for log, upto in stage.shown:
        log.committed = upto
    for log in stage.sealed:
        log.sealed = True
    show([log for log, _ in stage.shown])
    show(stage.sealed)
    for done in stage.done:
        if not done.done():
            done.set_result(None)
