import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError, ProgrammingError

from headrace.core.errors import BadRequest, Overloaded, ServerError, SettingsError
from headrace.store.database import Database
from headrace.store.prepared import Prepared
from headrace.store.revisions import prepare
from headrace.store.schema import users
from headrace.store.sqlite import Sync


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "headrace.db")
    await opened.open()
    yield opened
    await opened.close()


def add(connection: Connection, name: str) -> str:
    connection.exec_driver_sql("INSERT INTO users (name, role, created_at) VALUES (?, 'user', 1)", (name,))
    return name


def names(connection: Connection) -> list[str]:
    return list(connection.exec_driver_sql("SELECT name FROM users WHERE id > 1 ORDER BY id").scalars())


def pragma(connection: Connection, name: str) -> object:
    return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def ours() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("store-")]


async def ended(threads: list[threading.Thread]) -> None:
    for thread in threads:
        await asyncio.to_thread(thread.join, 30)
        assert not thread.is_alive()


class Halfway:
    """A write of two rows that stops between them until it is told to go on."""

    def __init__(self, *, fails: bool = False) -> None:
        self.reached = threading.Event()
        self.goes_on = threading.Event()
        self.fails = fails

    def __call__(self, connection: Connection) -> None:
        add(connection, "first half")
        self.reached.set()
        assert self.goes_on.wait(30)
        if self.fails:
            raise RuntimeError("half is not enough")
        add(connection, "second half")

    async def until_reached(self) -> None:
        await asyncio.to_thread(self.reached.wait, 30)


async def test_a_write_is_seen_by_reads_once_it_returns(database: Database) -> None:
    assert await database.write(partial(add, name="a")) == "a"
    assert await database.read(names) == ["a"]


async def test_writes_happen_in_the_order_of_their_calls(database: Database) -> None:
    wanted = [str(n) for n in range(100)]
    await asyncio.gather(*(database.write(partial(add, name=name)) for name in wanted))
    assert await database.read(names) == wanted


async def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    work = Halfway(fails=True)
    work.goes_on.set()
    with pytest.raises(RuntimeError, match="half is not enough"):
        await database.write(work)
    assert await database.read(names) == []


async def test_a_write_whose_caller_is_cancelled_runs_to_its_end(database: Database) -> None:
    work = Halfway()
    caller = asyncio.create_task(database.write(work))
    await work.until_reached()
    caller.cancel()
    with suppress(asyncio.CancelledError):
        await caller
    assert caller.cancelled()
    work.goes_on.set()
    await database.write(lambda _: None)
    assert await database.read(names) == ["first half", "second half"]


async def test_a_write_whose_caller_is_cancelled_while_it_waits_is_done_too(database: Database) -> None:
    work = Halfway()
    running = asyncio.create_task(database.write(work))
    await work.until_reached()
    waiting = asyncio.create_task(database.write(partial(add, name="waiting")))
    await asyncio.sleep(0)
    waiting.cancel()
    work.goes_on.set()
    await running
    await database.write(lambda _: None)
    assert waiting.cancelled()
    assert await database.read(names) == ["first half", "second half", "waiting"]


async def test_reads_do_not_wait_for_a_write_and_do_not_see_half_of_it(database: Database) -> None:
    work = Halfway()
    running = asyncio.create_task(database.write(work))
    await work.until_reached()
    assert await database.read(names) == []
    work.goes_on.set()
    await running


async def test_a_read_sees_one_state_from_its_first_statement_to_its_last(database: Database) -> None:
    looked, goes_on = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[list[str], list[str]]:
        before = names(connection)
        looked.set()
        assert goes_on.wait(30)
        return before, names(connection)

    reading = asyncio.create_task(database.read(twice))
    await asyncio.to_thread(looked.wait, 30)
    await database.write(partial(add, name="meanwhile"))
    goes_on.set()
    assert await reading == ([], [])


async def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(ServerError, match="readonly"):
        await database.read(partial(add, name="a"))
    assert await database.read(names) == []


async def test_close_does_what_was_asked_for_and_leaves_one_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "headrace.db")
    await database.open()
    writes = [asyncio.create_task(database.write(partial(add, name=str(n)))) for n in range(20)]
    await asyncio.sleep(0)
    await database.close()
    assert [write.result() for write in writes] == [str(n) for n in range(20)]
    assert left_in(tmp_path) == ["headrace.db"]


async def test_what_is_closed_says_so_and_can_be_closed_again(database: Database) -> None:
    await database.close()
    await database.close()
    for call in (database.read, database.write):
        with pytest.raises(ServerError) as caught:
            await call(names)
        assert caught.value.code == "storage_closed"


async def test_close_ends_every_thread(database: Database) -> None:
    running = ours()
    await database.close()
    assert running
    await ended(running)


async def test_an_open_that_fails_half_way_leaves_no_thread(tmp_path: Path) -> None:
    running: list[threading.Thread] = []

    class Unreadable(Database):
        def _connect_reader(self) -> Connection:
            running.extend(ours())
            raise OSError("too many open files")

    with pytest.raises(OSError, match="too many"):
        await Unreadable(tmp_path / "headrace.db").open()
    assert running
    await ended(running)


async def test_a_database_that_cannot_be_opened_can_be_closed(tmp_path: Path) -> None:
    database = Database(tmp_path / "missing" / "headrace.db")
    with pytest.raises(SettingsError, match=r"missing/headrace\.db"):
        await database.open()
    await database.close()


async def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    for expected in ([], ["0"], ["0", "1"]):
        database = Database(tmp_path / "headrace.db")
        await database.open()
        assert await database.read(names) == expected
        await database.write(partial(add, name=str(len(expected))))
        await database.close()


@pytest.mark.parametrize(("sync", "level"), [("normal", 1), ("full", 2)])
async def test_the_connections_hold_what_they_promise(tmp_path: Path, sync: Sync, level: int) -> None:
    database = Database(tmp_path / "headrace.db", sync=sync)
    await database.open()
    assert await database.write(partial(pragma, name="synchronous")) == level
    assert await database.write(partial(pragma, name="journal_mode")) == "wal"
    assert await database.write(partial(pragma, name="foreign_keys")) == 1
    assert await database.read(partial(pragma, name="query_only")) == 1
    await database.close()


async def test_a_full_disk_is_told_as_such_and_passes(database: Database) -> None:
    pages = await database.write(partial(pragma, name="page_count"))
    await database.write(partial(pragma, name=f"max_page_count = {pages}"))
    with pytest.raises(ServerError, match="disk is full") as caught:
        await database.write(partial(add, name="x" * 100_000))
    assert caught.value.code == "storage_full"
    assert "xxx" not in str(caught.value.__cause__)
    await database.write(partial(pragma, name="max_page_count = 1000000"))
    await database.write(partial(add, name="a"))
    assert await database.read(names) == ["a"]


async def test_a_lock_of_another_program_is_told_as_such_and_passes(database: Database, tmp_path: Path) -> None:
    await database.write(partial(pragma, name="busy_timeout = 0"))
    other = sqlite3.connect(tmp_path / "headrace.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Overloaded, match="locked"):
        await database.write(partial(add, name="a"))
    other.rollback()
    other.close()
    await database.write(partial(add, name="b"))
    assert await database.read(names) == ["b"]


async def test_a_connection_that_is_lost_is_made_again(database: Database) -> None:
    def lose(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.close()
        add(connection, "lost")

    with pytest.raises(ProgrammingError, match="closed"):
        await database.write(lose)
    await database.write(partial(add, name="a"))
    assert await database.read(names) == ["a"]


async def test_a_place_that_is_gone_for_a_while_is_told_as_such_and_passes(database: Database, tmp_path: Path) -> None:
    elsewhere = tmp_path.with_name("elsewhere")

    def unplug(connection: Connection) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.close()
        tmp_path.rename(elsewhere)

    with pytest.raises(ProgrammingError, match="closed"):
        await database.write(unplug)
    with pytest.raises(ServerError, match="unable to open") as caught:
        await database.write(partial(add, name="a"))
    assert caught.value.code == "storage_failed"
    elsewhere.rename(tmp_path)
    await database.write(partial(add, name="b"))
    assert await database.read(names) == ["b"]


async def test_damage_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "headrace.db"
    prepare(path)
    with closing(sqlite3.connect(path)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'users'")
    damage(path, page)
    database = Database(path)
    await database.open()
    with pytest.raises(ServerError, match="damaged") as caught:
        await database.read(names)
    assert caught.value.code == "storage_damaged"
    await database.close()


def damage(path: Path, page: int) -> None:
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"x" * 4096
    path.write_bytes(content)


async def test_half_a_character_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(BadRequest):
        await database.write(partial(add, name="\udc80"))


async def test_a_bug_of_ours_is_not_dressed_up(database: Database) -> None:
    await database.write(partial(add, name="a"))
    with pytest.raises(IntegrityError):
        await database.write(partial(add, name="a"))


def test_the_server_does_not_load_alembic() -> None:
    program = "import sys, headrace.store.store; sys.exit('alembic' in sys.modules or 'sqlalchemy.orm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


ADD = Prepared(insert(users), "name", "role", "created_at")


def put(connection: Connection, name: str) -> str:
    ADD.run(connection, {"name": name, "role": "user", "created_at": 1})
    return name


def thread_of(connection: Connection) -> str:
    put(connection, threading.current_thread().name)
    return threading.current_thread().name


async def test_a_short_write_is_done_on_the_loop_while_the_thread_has_nothing_to_do(database: Database) -> None:
    assert await database.write_short(thread_of) == threading.current_thread().name
    assert await database.read(names) == [threading.current_thread().name]


async def test_a_short_write_waits_behind_a_long_one(database: Database) -> None:
    halfway = Halfway()
    long = asyncio.ensure_future(database.write(halfway))
    await halfway.until_reached()
    short = asyncio.ensure_future(database.write_short(thread_of))
    await asyncio.sleep(0)
    assert not short.done()
    halfway.goes_on.set()
    await long
    assert (await short).startswith("store-writer")


async def test_of_a_short_write_that_raises_nothing_is_kept(database: Database) -> None:
    def fails(connection: Connection) -> None:
        put(connection, "ann")
        raise LookupError

    with pytest.raises(LookupError):
        await database.write_short(fails)
    assert await database.write_short(partial(put, name="bo")) == "bo"
    assert await database.read(names) == ["bo"]


async def test_a_short_write_waits_in_the_thread_for_another_programs_lock(database: Database, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "headrace.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        short = asyncio.ensure_future(database.write_short(thread_of))
        await asyncio.sleep(0)  # the loop goes on
        assert not short.done()
        other.execute("COMMIT")
        assert (await short).startswith("store-writer")


async def test_with_full_sync_the_loop_waits_for_no_disk(tmp_path: Path) -> None:
    database = Database(tmp_path / "headrace.db", sync="full")
    await database.open()
    assert (await database.write_short(thread_of)).startswith("store-writer")
    await database.close()


async def test_short_writes_do_not_let_the_log_grow_without_bound(database: Database, tmp_path: Path) -> None:
    log = tmp_path / "headrace.db-wal"
    sizes = []
    for number in range(3000):
        await database.write_short(partial(put, name=str(number)))
        if number % 500 == 0:
            sizes.append(log.stat().st_size)
        if database._checkpoint is not None:  # on a busy machine its thread may have to wait for its turn
            await asyncio.wait([database._checkpoint])
    assert max(sizes) < 8 << 20


async def test_a_bad_character_in_a_short_write_is_the_callers_fault(database: Database) -> None:
    with pytest.raises(BadRequest, match="surrogate"):
        await database.write_short(partial(put, name="\ud800"))
