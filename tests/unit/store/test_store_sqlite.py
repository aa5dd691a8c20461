import sqlite3
from contextlib import closing
from pathlib import Path

from headrace.store import sqlite


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM numbers ORDER BY n")]


def test_a_copy_is_consistent_while_the_database_is_written(tmp_path: Path) -> None:
    path = tmp_path / "headrace.db"
    with sqlite.writer(path, "normal").connect() as connection:
        with connection.begin():
            connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
            connection.exec_driver_sql("INSERT INTO numbers VALUES (1)")
        with connection.begin():
            connection.exec_driver_sql("INSERT INTO numbers VALUES (2)")
            copied = sqlite.copy(path, "0002")
    assert rows(copied) == [1]
    assert rows(path) == [1, 2]


def test_copies_are_numbered_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "headrace.db"
    with sqlite.writer(path, "normal").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
    (tmp_path / "headrace.db.before-0002-1").write_bytes(b"precious")
    assert [sqlite.copy(path, "0002").name for _ in range(2)] == [
        "headrace.db.before-0002-2",
        "headrace.db.before-0002-3",
    ]
    assert (tmp_path / "headrace.db.before-0002-1").read_bytes() == b"precious"


def test_a_copy_can_be_read_by_whoever_can_read_the_original(tmp_path: Path) -> None:
    path = tmp_path / "headrace.db"
    with sqlite.writer(path, "normal").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE numbers (n INTEGER)")
    for mode in (0o600, 0o640):
        path.chmod(mode)
        assert sqlite.copy(path, "0002").stat().st_mode & 0o777 == mode
