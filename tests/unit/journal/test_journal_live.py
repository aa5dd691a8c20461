import pytest

from headrace.journal.live import Batch, Log, LogCursor

ALL = [b"%d" % number for number in range(10)]


def log_of(committed: int, *, first: int = 0, waiting: int = 0) -> Log:
    """A log in which so many entries are committed, of which those before `first` are on the disk only."""
    log = Log("a", 1, 1)
    log.entries = ALL[: committed + waiting]
    log.staged = log.committed = committed
    log.trim(first)
    return log


class Disk:
    """Chunks of three entries."""

    def __init__(self) -> None:
        self.fetched: list[int] = []

    async def fetch(self, position: int) -> Batch:
        self.fetched.append(position)
        first = position - position % 3
        return first, ALL[first : first + 3]


def cursor_of(log: Log, start: int = 0, disk: Disk | None = None) -> LogCursor:
    return LogCursor(log, start, lambda: None, (disk or Disk()).fetch)


def test_staging_takes_each_entry_once() -> None:
    log = Log("a", 1, 1, first=5)
    log.entries.extend([b"5", b"6"])
    log.dirty = True
    assert log.stage() == [b"5", b"6"]
    assert (log.staged, log.dirty, log.committed, log.size) == (7, False, 5, 7)
    log.entries.append(b"7")
    assert log.stage() == [b"7"]
    assert log.stage() == []


def test_trimming_keeps_the_numbers_of_what_is_left() -> None:
    log = log_of(10)
    log.trim(4)
    assert (log.first, log.size, log.entries) == (4, 10, ALL[4:])
    log.trim(2)
    log.trim(4)
    assert (log.first, log.entries) == (4, ALL[4:])
    log.trim(10)
    assert (log.first, log.size, log.entries) == (10, 10, [])


def test_a_cursor_shows_what_is_committed_and_no_more() -> None:
    cursor = cursor_of(log_of(2, waiting=3))
    assert cursor.take(10) == ALL[:2]
    assert cursor.take(10) == ()


async def test_a_cursor_goes_from_the_disk_into_memory() -> None:
    disk = Disk()
    cursor = cursor_of(log_of(10, first=7), disk=disk)
    seen: list[bytes] = []
    while (taken := cursor.take(2)) is None or taken:
        if taken is None:
            await cursor.load()
        else:
            seen.extend(taken)
    assert seen == ALL
    assert disk.fetched == [0, 3, 6]


async def test_a_batch_that_begins_before_the_cursor_is_not_shown_from_its_start() -> None:
    cursor = cursor_of(log_of(10, first=9), start=4)
    await cursor.load()
    assert cursor.take(10) == ALL[4:6]


async def test_loading_what_is_in_memory_costs_nothing() -> None:
    disk = Disk()
    cursor = cursor_of(log_of(10), disk=disk)
    await cursor.load()
    assert disk.fetched == []


async def test_a_cursor_that_memory_lets_go_of_loads() -> None:
    log = log_of(10)
    cursor = cursor_of(log)
    assert cursor.take(2) == ALL[:2]
    log.trim(9)
    assert cursor.take(2) is None
    await cursor.load()
    assert cursor.take(2) == ALL[2:3]


def test_a_cursor_has_ended_when_it_has_taken_all_of_a_sealed_log() -> None:
    log = log_of(2)
    cursor = cursor_of(log)
    log.sealed = True
    assert [cursor.ended(), cursor.take(5), cursor.ended()] == [False, ALL[:2], True]


def test_a_cursor_of_a_removed_log_has_ended_wherever_it_is() -> None:
    log = log_of(2)
    log.removed = True
    assert cursor_of(log).ended()


def test_a_closed_cursor_holds_nothing() -> None:
    log = log_of(1)
    first, second = cursor_of(log), cursor_of(log)
    first.close()
    first.close()
    assert log.cursors == (second,)


def test_every_reader_is_woken_though_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    log, woken = log_of(1), []

    def fail() -> None:
        raise RuntimeError("no")

    LogCursor(log, 0, fail, Disk().fetch)
    LogCursor(log, 0, lambda: woken.append(1), Disk().fetch)
    log.show()
    assert woken == [1]
    assert "a reader of run a failed" in caplog.text
