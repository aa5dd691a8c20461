import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from fakes.journals import numbered, opened, sealed_run_of
from headrace.app import archive
from headrace.app.backup import back_up
from headrace.app.restore import restore
from headrace.core.errors import Conflict, ServerError, SettingsError
from headrace.core.principal import LOCAL
from headrace.store import snapshot as stores
from headrace.store.revisions import HEAD
from headrace.store.store import Store


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with two runs whose events are in the journal."""
    folder = tmp_path / "data"
    folder.mkdir()
    store = Store(folder / "headrace.db")
    await store.open()
    for run_id in ("a", "b"):
        await store.runs.create(LOCAL, run_id=run_id, now_ms=1)
    await store.close()
    async with opened("sqlite", folder) as journal:
        for run_id in ("a", "b"):
            await sealed_run_of(journal, run_id, 3)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


def runs_in(path: Path) -> list[str]:
    """Return the ids of the runs of a database or a journal."""
    column = "id" if path.name == "headrace.db" else "run_id"
    with closing(sqlite3.connect(path)) as db:
        return [run_id for (run_id,) in db.execute(f"SELECT {column} FROM runs ORDER BY {column}")]  # noqa: S608


def unpacked(target: Path, into: Path) -> Path:
    into.mkdir()
    archive.extract(target, into)
    return into


def test_a_backup_has_both_databases_and_leaves_nothing_behind(data: Path, tmp_path: Path) -> None:
    before = names_in(data)
    manifest = back_up(data, tmp_path / "b.tar")
    assert manifest.revision == HEAD
    assert [one.name for one in manifest.files] == ["headrace.db", "journal.db"]
    assert names_in(data) == before
    assert names_in(tmp_path) == ["b.tar", "data"]
    folder = unpacked(tmp_path / "b.tar", tmp_path / "u")
    assert runs_in(folder / "headrace.db") == runs_in(folder / "journal.db") == ["a", "b"]


def test_models_are_in_it_when_they_are_asked_for(data: Path, tmp_path: Path) -> None:
    models = data / "models"
    models.mkdir()
    (models / "a.gguf").write_bytes(b"GGUF a")
    (models / "b.gguf.part").write_bytes(b"GGUF b")
    (models / "c.gguf").symlink_to("/etc/passwd")
    (models / "folder.gguf").mkdir()
    assert [one.name for one in back_up(data, tmp_path / "1.tar").files] == ["headrace.db", "journal.db"]
    with_models = back_up(data, tmp_path / "2.tar", models=True)
    assert [one.name for one in with_models.files] == ["headrace.db", "journal.db", "models/a.gguf"]


async def test_a_data_folder_without_a_journal_has_a_backup_too(tmp_path: Path) -> None:
    store = Store(tmp_path / "headrace.db")
    await store.open()
    await store.close()
    assert [one.name for one in back_up(tmp_path, tmp_path / "b.tar").files] == ["headrace.db"]
    restore(tmp_path / "b.tar", tmp_path / "there")
    assert names_in(tmp_path / "there") == ["headrace.db"]


def test_a_backup_is_written_over_only_with_force(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.tar"
    target.write_bytes(b"precious")
    with pytest.raises(SettingsError, match="--force"):
        back_up(data, target)
    assert target.read_bytes() == b"precious"
    back_up(data, target, force=True)
    assert target.stat().st_size > 10_000


def test_nothing_to_back_up_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nothing to back up"):
        back_up(tmp_path, tmp_path / "b.tar")
    assert names_in(tmp_path) == []


def test_a_damaged_database_makes_no_backup(data: Path, tmp_path: Path) -> None:
    (data / "journal.db").write_bytes(b"#!/bin/sh\n" * 1000)
    with pytest.raises(ServerError, match="not a database"):
        back_up(data, tmp_path / "b.tar")
    assert names_in(tmp_path) == ["data"]
    assert names_in(data) == ["headrace.db", "journal.db"]


def test_a_target_that_cannot_be_written_is_an_error(data: Path, tmp_path: Path) -> None:
    (tmp_path / ".b.tar.part").mkdir()
    with pytest.raises(ServerError, match="could not be made"):
        back_up(data, tmp_path / "b.tar")


def test_one_backup_is_made_at_a_time_and_what_a_killed_one_left_is_removed(data: Path, tmp_path: Path) -> None:
    left = data / ".backup-killed"
    left.mkdir()
    (left / "headrace.db").write_bytes(b"half")
    with FileLock(data / ".backup-lock"):
        with pytest.raises(Conflict, match="Another backup"):
            back_up(data, tmp_path / "b.tar")
        assert left.exists()
    back_up(data, tmp_path / "b.tar")
    assert names_in(data) == ["headrace.db", "journal.db"]


def between_the_looks(monkeypatch: pytest.MonkeyPatch, *acts: Callable[[], None]) -> None:
    """Have each of these happen right before the database is looked at, the first at the first look."""
    due = list(acts)

    class Late(stores.Snapshot):
        def __init__(self, path: Path) -> None:
            if due:
                due.pop(0)()
            super().__init__(path)

    monkeypatch.setattr(stores, "Snapshot", Late)


def changing(path: Path, *statements: str) -> Callable[[], None]:
    def change() -> None:
        with closing(sqlite3.connect(path)) as db, db:
            for statement in statements:
                db.execute(statement)

    return change


async def test_a_chat_that_is_deleted_meanwhile_leaves_no_answer_without_events(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First its events go, then it: here the first look at the database is in between."""
    between_the_looks(
        monkeypatch,
        changing(data / "journal.db", "DELETE FROM runs WHERE run_id = 'a'"),
        changing(data / "headrace.db", "DELETE FROM runs WHERE id = 'a'"),
    )
    back_up(data, tmp_path / "b.tar")
    folder = unpacked(tmp_path / "b.tar", tmp_path / "u")
    assert runs_in(folder / "headrace.db") == runs_in(folder / "journal.db") == ["b"]
    async with opened("sqlite", folder) as journal:
        assert await journal.read("b") == numbered(0, 3)


def test_an_answer_that_ends_meanwhile_is_finished_only_with_its_events(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First its last events are durable, then it is finished: here both happen right before the database is looked at."""
    changing(data / "journal.db", "INSERT INTO runs (run_id, epoch) VALUES ('c', 1)")()
    sealed = changing(data / "journal.db", "UPDATE runs SET sealed_at = 5, entries = 2 WHERE run_id = 'c'")
    insert = (
        "INSERT INTO runs (id, owner_id, status, model_requested, parameters, continues, created_at, ended_at) "
        "VALUES ('c', 1, 'complete', 'm', '{}', 0, 1, 5)"
    )
    finished = changing(data / "headrace.db", insert)

    def end() -> None:
        sealed()
        finished()

    between_the_looks(monkeypatch, end)
    back_up(data, tmp_path / "b.tar")
    folder = unpacked(tmp_path / "b.tar", tmp_path / "u")
    assert runs_in(folder / "headrace.db") == ["a", "b", "c"]
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        assert db.execute("SELECT sealed_at, entries FROM runs WHERE run_id = 'c'").fetchone() == (5, 2)


async def test_a_run_that_begins_meanwhile_is_in_both_or_in_neither(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database has its row before the journal has its log; the other way round stands for a second look."""
    begun = "INSERT INTO runs (key, run_id, epoch) VALUES (7, 'c', 1)"
    chunk = "INSERT INTO chunks (key, first, count, data) VALUES (7, 0, 1, x'00')"
    skip = "UPDATE sqlite_sequence SET seq = 6 WHERE name = 'runs'"
    changing(data / "journal.db", skip)()
    between_the_looks(monkeypatch, changing(data / "journal.db", begun, chunk))
    back_up(data, tmp_path / "b.tar")
    folder = unpacked(tmp_path / "b.tar", tmp_path / "u")
    assert runs_in(folder / "headrace.db") == runs_in(folder / "journal.db") == ["a", "b"]
    with closing(sqlite3.connect(folder / "journal.db")) as db:
        assert db.execute("SELECT count(*) FROM chunks WHERE key = 7").fetchone() == (0,)


def test_chats_that_are_deleted_all_the_time_make_it_give_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace.app.backup._PAUSE_S", 0)
    with closing(sqlite3.connect(data / "journal.db")) as db, db:
        db.executemany("INSERT INTO runs (run_id, epoch) VALUES (?, 1)", [(f"r{n}",) for n in range(100)])
    deletion = changing(data / "journal.db", "DELETE FROM runs WHERE key = (SELECT max(key) FROM runs)")
    between_the_looks(monkeypatch, *[deletion] * 60)
    with pytest.raises(ServerError, match="being deleted"):
        back_up(data, tmp_path / "b.tar")
    assert names_in(tmp_path) == ["data"]


def test_a_chat_in_the_middle_of_being_deleted_is_waited_for(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its events were gone before the first look at the journal, it itself goes after the looks."""
    monkeypatch.setattr("headrace.app.backup._PAUSE_S", 0)
    changing(data / "headrace.db", "UPDATE runs SET ended_at = 5")()
    changing(data / "journal.db", "DELETE FROM runs WHERE run_id = 'a'")()
    deleted = changing(data / "headrace.db", "DELETE FROM runs WHERE id = 'a'")
    between_the_looks(monkeypatch, lambda: None, deleted)
    back_up(data, tmp_path / "b.tar")
    folder = unpacked(tmp_path / "b.tar", tmp_path / "u")
    assert runs_in(folder / "headrace.db") == runs_in(folder / "journal.db") == ["b"]
