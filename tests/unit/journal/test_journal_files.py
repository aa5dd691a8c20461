import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.journals import entry, numbered
from headrace.journal import files
from headrace.journal.files import Commit, Files, Row
from headrace.journal.segments import Piece, Torn, encode_segment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Files]:
    with contextlib.closing(Files(path, "normal")) as store:
        yield store


def insert(key: int) -> files.Statement:
    return files.INSERT_RUN, (key, f"run {key}", 1)


def commit(store: Files, statements: list[files.Statement], *pieces: Piece) -> None:
    store.commit(Commit(statements, store.next_segment, encode_segment(pieces) if pieces else None))
    store.next_segment += bool(pieces)


def written(path: Path) -> None:
    """Leave a file with two segments of run 1, as a crash would: closing does not fold."""
    with opened(path) as store:
        commit(store, [insert(1)], (1, 0, numbered(0, 3)))
        commit(store, [], (1, 3, numbered(3, 5)))


def query(path: Path, sql: str, *arguments: object) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        return db.execute(sql, arguments).fetchall()


def everything(store: Files, key: int, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        chunk = store.chunk(key, len(found))
        assert chunk is not None
        found.extend(chunk[1][len(found) - chunk[0] :])
    return found


def test_segments_that_a_crash_left_become_chunks(path: Path) -> None:
    written(path)
    with opened(path) as store:
        assert store.row("run 1") == Row(1, 1, 5, None, pruned=False)
        assert store.chunk(1, 4) == (0, numbered(0, 5))
    assert query(path, "SELECT count(*) FROM segments") == [(0,)]


def test_opening_again_and_again_changes_nothing(path: Path) -> None:
    written(path)
    for _ in range(3):
        with opened(path) as store:
            assert store.row("run 1") == Row(1, 1, 5, None, pruned=False)
    assert query(path, "SELECT count(*) FROM chunks") == [(1,)]


def test_what_was_folded_already_is_not_doubled(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1)], (1, 0, numbered(0, 3)))
        commit(store, list(files.chunk_statements(1, 0, numbered(0, 3))))
        commit(store, [], (1, 3, numbered(3, 5)))
    with opened(path) as store:
        assert everything(store, 1, 5) == numbered(0, 5)
        assert store.chunk(1, 3) == (3, numbered(3, 5))


def test_what_was_folded_in_the_middle_of_a_segment_is_not_doubled(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1)], (1, 0, numbered(0, 4)))
        commit(store, list(files.chunk_statements(1, 0, numbered(0, 2))))
    with opened(path) as store:
        assert everything(store, 1, 4) == numbered(0, 4)


def test_long_runs_are_cut_into_chunks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_ENTRIES", 2)
    written(path)
    with opened(path) as store:
        assert [store.chunk(1, position) for position in range(6)] == [
            (0, numbered(0, 2)),
            (0, numbered(0, 2)),
            (2, numbered(2, 4)),
            (2, numbered(2, 4)),
            (4, numbered(4, 5)),
            None,
        ]


def test_segments_of_removed_runs_are_forgotten(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1), insert(2)], (1, 0, numbered(0, 2)), (2, 0, [entry("other")]))
        commit(store, [(files.DELETE_CHUNKS, ("run 1",)), (files.DELETE_RUN, ("run 1",))])
    with opened(path) as store:
        assert (store.row("run 1"), store.chunk(1, 0)) == (None, None)
        assert store.chunk(2, 0) == (0, [entry("other")])


def test_segments_of_pruned_runs_are_forgotten(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1)], (1, 0, numbered(0, 2)))
        commit(store, [(files.SEAL_RUN, (1, 1)), (files.PRUNE_CHUNKS, (1,)), (files.PRUNE_RUN, (1,))])
    with opened(path) as store:
        assert store.chunk(1, 0) is None
    assert query(path, "SELECT count(*) FROM chunks") == [(0,)]


def test_keys_of_removed_runs_are_never_used_again(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1), insert(2)])
        commit(store, [(files.DELETE_RUN, ("run 2",)), (files.DELETE_RUN, ("run 1",))])
    with opened(path) as store:
        assert store.next_key == 3


def flip_a_bit(path: Path, table: str) -> None:
    """Damage the newest blob of a table."""
    ((row, blob),) = query(path, f"SELECT rowid, data FROM {table} ORDER BY rowid DESC LIMIT 1")  # noqa: S608  a constant
    assert isinstance(blob, bytes)
    damaged = bytearray(blob)
    damaged[len(damaged) // 2] ^= 1
    query(path, f"UPDATE {table} SET data = ? WHERE rowid = ?", bytes(damaged), row)  # noqa: S608  a constant


def test_a_damaged_segment_is_not_opened(path: Path) -> None:
    written(path)
    flip_a_bit(path, "segments")
    with pytest.raises(Torn, match="checksum"):
        Files(path, "normal")


def test_a_lost_segment_is_noticed(path: Path) -> None:
    written(path)
    query(path, "DELETE FROM segments WHERE id = 1")
    with pytest.raises(Torn, match="entries 0 to 2 of run run 1 are missing"):
        Files(path, "normal")


def test_a_file_that_cannot_be_opened_is_let_go_of(path: Path) -> None:
    written(path)
    query(path, "DELETE FROM segments WHERE id = 1")
    with pytest.raises(Torn):
        Files(path, "normal")
    # the last connection to close takes the write-ahead log with it
    assert [each.name for each in path.parent.iterdir()] == ["journal.db"]


def test_a_file_of_something_else_is_refused(path: Path) -> None:
    path.write_bytes(b"This is no database, but it is long enough to be one. " * 100)
    with pytest.raises(sqlite3.DatabaseError):
        Files(path, "normal")


def test_a_damaged_chunk_is_not_read(path: Path) -> None:
    written(path)
    with opened(path):
        pass
    flip_a_bit(path, "chunks")
    with opened(path) as store, pytest.raises(Torn):
        store.chunk(1, 0)


def test_a_commit_is_all_or_nothing(path: Path) -> None:
    with opened(path) as store:
        commit(store, [insert(1)])
        with pytest.raises(sqlite3.IntegrityError):
            commit(store, [insert(2), insert(1)], (2, 0, numbered(0, 1)))
        assert store.row("run 2") is None
        commit(store, [insert(3)])
        assert store.row("run 3") is not None


def test_a_commit_that_fails_at_its_end_leaves_no_transaction_open(path: Path) -> None:
    with opened(path) as store:
        store._writer.execute("PRAGMA foreign_keys = ON")
        store._writer.execute("CREATE TABLE late (key INTEGER REFERENCES runs (key) DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(sqlite3.IntegrityError):
            commit(store, [insert(1), ("INSERT INTO late VALUES (7)", ())])
        commit(store, [insert(1)])
        assert store.row("run 1") is not None


@pytest.mark.parametrize("lock", ["_reader_lock", "_checkpoint_lock"])
def test_closing_waits_for_what_threads_are_doing(path: Path, lock: str) -> None:
    store = Files(path, "normal")
    closing = threading.Thread(target=store.close)
    with getattr(store, lock):
        closing.start()
        closing.join(0.05)
        assert closing.is_alive()
        assert store.row("run 1") is None
    closing.join()
    with pytest.raises(sqlite3.ProgrammingError):
        store.row("run 1")
