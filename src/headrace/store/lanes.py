"""This module runs database work in threads: each has one connection and takes jobs from a queue, in order.

Where several writes wait they share one transaction, each inside a savepoint of its own: one commit instead of many,
and one wake-up of the event loop. Each caller still has either all of its write or none, is answered only after the
commit, and sees what the writes before it did.
"""

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from headrace.core.errors import Overloaded, ServerError

__all__ = ["Lane"]

T = TypeVar("T")

_WAITING_LIMIT = 10_000
"""Jobs that may wait: some seconds of writing. More than that is not patience but a disk that has stopped."""


class _Job(NamedTuple):
    work: Callable[[Connection], Any]
    answer: asyncio.Future[Any]


class _Outcome(NamedTuple):
    answer: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None


class Lane:
    """Some threads with one queue of jobs. `together` is how many of them may share a transaction."""

    def __init__(self, name: str, connect: Callable[[], Connection], *, threads: int, together: int) -> None:
        self._name = name
        self._connect = connect
        self._threads = threads
        self._together = together
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended: list[asyncio.Future[None]] = []
        self._open = False
        self._closing = False
        self._pending = 0

    @property
    def busy(self) -> bool:
        """Whether something that was asked for is not done, or its caller not told yet."""
        return self._pending > 0 or not self._open

    async def open(self) -> None:
        """Start the threads, one after the other; return when each is connected. Raises what `connect` raises."""
        self._loop = asyncio.get_running_loop()
        for number in range(self._threads):
            opened, ended = self._loop.create_future(), self._loop.create_future()
            self._ended.append(ended)
            # Daemons, so that a program that dies without `close` is not held up: what is not committed is undone.
            Thread(target=self._serve, args=(opened, ended), name=f"{self._name}-{number}", daemon=True).start()
            await opened
        self._open = True

    async def close(self) -> None:
        """Do what was asked for and end the threads. Harmless when repeated."""
        self._open = False
        if not self._closing:
            self._closing = True
            for _ in self._ended:
                self._queue.put(None)
        for ended in self._ended:
            await asyncio.shield(ended)

    async def call(self, work: Callable[[Connection], T]) -> T:
        """Run the work in a transaction of its own and return what it returns.

        Raises what it raises: then nothing of it is kept. Once called it is done to its end, even when the caller is
        cancelled meanwhile. Raises `Overloaded` where too much waits, `ServerError` where the lane is not open.
        """
        if not self._open:
            raise ServerError("The database is not open.", code="storage_closed")
        if self._queue.qsize() >= _WAITING_LIMIT:
            raise Overloaded("Too many requests wait for the database. Try again in some seconds.")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._pending += 1
        self._queue.put(_Job(work, answer))
        return await answer

    # From here on: in the threads.

    def _serve(self, opened: asyncio.Future[None], ended: asyncio.Future[None]) -> None:
        try:
            self._work(opened)
        finally:
            self._tell([_Outcome(ended)])

    def _work(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._connect()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever opens the lane is told
            self._tell([_Outcome(opened, error=error)])
            return
        with connection:
            self._tell([_Outcome(opened)])
            while jobs := self._take():
                self._tell(_run(connection, jobs), jobs=len(jobs))

    def _take(self) -> list[_Job]:
        """Wait for a job; return it with those that wait behind it. Nothing means: end."""
        jobs: list[_Job] = []
        try:
            job = self._queue.get()
            while job is not None:
                jobs.append(job)
                if len(jobs) == self._together:
                    return jobs
                job = self._queue.get_nowait()
        except Empty:
            return jobs
        if jobs:
            # The end comes after them.
            self._queue.put(None)
        return jobs

    def _tell(self, outcomes: list[_Outcome], *, jobs: int = 0) -> None:
        try:
            self._loop.call_soon_threadsafe(self._done, outcomes, jobs)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    # On the loop again.

    def _done(self, outcomes: list[_Outcome], jobs: int) -> None:
        self._pending -= jobs
        _answer(outcomes)


def _answer(outcomes: list[_Outcome]) -> None:
    for answer, value, error in outcomes:
        if answer.done():
            # The caller was cancelled.
            continue
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)


def _run(connection: Connection, jobs: list[_Job]) -> list[_Outcome]:
    """Run the jobs in one transaction. What raises outside a savepoint undoes all of them, and each caller is told."""
    run = _alone if len(jobs) == 1 else _beside_others
    outcomes: list[_Outcome] = []
    try:
        with connection.begin():
            for job in jobs:
                outcomes.append(run(connection, job))  # noqa: PERF401 - those before one that raises are needed
    except Exception as error:  # noqa: BLE001 - whatever it is, its callers are told
        _undo(connection)
        failed = {outcome.answer: outcome for outcome in outcomes if outcome.error is not None}
        return [failed.get(job.answer) or _Outcome(job.answer, error=error) for job in jobs]
    return outcomes


def _undo(connection: Connection) -> None:
    # Where the commit itself failed, SQLAlchemy takes the transaction for ended; the database does not.
    try:
        connection.connection.rollback()
    except Exception:  # noqa: BLE001 - this connection is of no use any more; the next transaction makes another
        connection.invalidate()


def _alone(connection: Connection, job: _Job) -> _Outcome:
    return _Outcome(job.answer, job.work(connection))


def _beside_others(connection: Connection, job: _Job) -> _Outcome:
    connection.exec_driver_sql("SAVEPOINT job")
    try:
        outcome = _Outcome(job.answer, job.work(connection))
    except Exception as error:  # noqa: BLE001 - whatever it is, its caller is told
        try:
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
        except DBAPIError:
            # SQLite has undone the whole transaction, as it does when the disk is full.
            raise error from None
        outcome = _Outcome(job.answer, error=error)
    connection.exec_driver_sql("RELEASE SAVEPOINT job")
    return outcome
