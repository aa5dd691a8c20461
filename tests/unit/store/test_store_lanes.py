import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool

from headrace.core.errors import Overloaded
from headrace.store import lanes
from headrace.store.lanes import Lane

TOGETHER = 8


class Numbers:
    """A lane onto a table of numbers, and how often it committed."""

    def __init__(self) -> None:
        self.engine = create_engine(
            "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "isolation_level": None}
        )
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        with self.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        self.commits = 0
        event.listen(self.engine, "commit", self._committed)
        self.lane = Lane("numbers", self.engine.connect, threads=1, together=TOGETHER)

    async def at_once(self, *works: Callable[[Connection], Any]) -> list[Any]:
        """Call all of them while the lane is busy, so that they wait together; return results and errors."""
        running, goes_on = threading.Event(), threading.Event()

        def wait(_connection: Connection) -> bool:
            running.set()
            return goes_on.wait(30)

        first = asyncio.create_task(self.lane.call(wait))
        await asyncio.to_thread(running.wait, 30)
        calls = [asyncio.create_task(self.lane.call(work)) for work in works]
        await asyncio.sleep(0)
        self.commits = -1
        goes_on.set()
        assert await first
        return await asyncio.gather(*calls, return_exceptions=True)

    async def stored(self) -> list[int]:
        return await self.lane.call(numbers)

    def _committed(self, _connection: Connection) -> None:
        self.commits += 1


@pytest.fixture
async def table() -> AsyncIterator[Numbers]:
    opened = Numbers()
    await opened.lane.open()
    yield opened
    await opened.lane.close()
    opened.engine.dispose()


def numbers(connection: Connection) -> list[int]:
    return list(connection.exec_driver_sql("SELECT n FROM numbers ORDER BY n").scalars())


def put(connection: Connection, n: int) -> int:
    connection.exec_driver_sql("INSERT INTO numbers VALUES (?)", (n,))
    return n


def put_and_fail(connection: Connection, n: int) -> None:
    put(connection, n)
    raise RuntimeError(n)


def undo_all(connection: Connection) -> None:
    connection.exec_driver_sql("INSERT OR ROLLBACK INTO numbers VALUES (1)")


async def test_works_that_wait_share_a_commit(table: Numbers) -> None:
    assert await table.at_once(*(partial(put, n=n) for n in range(TOGETHER))) == list(range(TOGETHER))
    assert table.commits == 1
    assert await table.stored() == list(range(TOGETHER))


async def test_no_more_share_a_commit_than_may(table: Numbers) -> None:
    await table.at_once(*(partial(put, n=n) for n in range(TOGETHER * 2 + 1)))
    assert table.commits == 3


async def test_one_that_fails_beside_others_is_undone_alone(table: Numbers) -> None:
    first, failed, last = await table.at_once(partial(put, n=1), partial(put_and_fail, n=2), partial(put, n=3))
    assert (first, last) == (1, 3)
    assert isinstance(failed, RuntimeError)
    assert await table.stored() == [1, 3]


async def test_one_sees_what_those_before_it_did(table: Numbers) -> None:
    assert (await table.at_once(partial(put, n=1), numbers, partial(put, n=2), numbers))[1::2] == [[1], [1, 2]]


async def test_where_the_database_undoes_the_transaction_everyone_in_it_is_told(table: Numbers) -> None:
    done = await table.at_once(partial(put, n=1), partial(put_and_fail, n=2), undo_all, partial(put, n=3))
    assert [type(each) for each in done] == [IntegrityError, RuntimeError, IntegrityError, IntegrityError]
    assert await table.stored() == []
    assert await table.lane.call(partial(put, n=4)) == 4


async def test_where_the_commit_fails_everyone_in_it_is_told(table: Numbers) -> None:
    with _failing_commits(table):
        done = await table.at_once(partial(put, n=1), partial(put_and_fail, n=2), partial(put, n=3))
    assert [str(each) for each in done] == ["no room", "2", "no room"]
    assert await table.stored() == []


@contextmanager
def _failing_commits(table: Numbers) -> Iterator[None]:
    def fail(connection: Connection) -> None:
        if numbers(connection):
            raise OSError("no room")

    event.listen(table.engine, "commit", fail)
    yield
    event.remove(table.engine, "commit", fail)


async def test_more_than_may_wait_is_refused(table: Numbers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_WAITING_LIMIT", 3)
    done = await table.at_once(*(partial(put, n=n) for n in range(5)))
    assert sum(isinstance(each, Overloaded) for each in done) >= 1
    assert await table.stored() == [n for n in done if isinstance(n, int)]


async def test_what_connecting_raises_is_told_to_whoever_opens() -> None:
    def connect() -> Connection:
        raise OSError("no such place")

    lane = Lane("broken", connect, threads=1, together=1)
    with pytest.raises(OSError, match="no such place"):
        await lane.open()
    await lane.close()


async def test_a_close_that_is_cancelled_can_be_repeated(table: Numbers) -> None:
    goes_on = threading.Event()
    working = asyncio.create_task(table.lane.call(lambda _: goes_on.wait(30)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(table.lane.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    again = asyncio.create_task(table.lane.close())
    await asyncio.sleep(0)
    assert not again.done()
    goes_on.set()
    await again
    assert working.done()


def test_a_loop_that_is_gone_keeps_no_thread() -> None:
    table = Numbers()
    asyncio.run(table.lane.open())
    (thread,) = [each for each in threading.enumerate() if each.name == "numbers-0"]
    table.lane._queue.put(None)
    thread.join(30)
    assert not thread.is_alive()
    table.engine.dispose()
