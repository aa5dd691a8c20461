import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from headrace.app import archive, folder
from headrace.app.archive import BadArchive
from headrace.app.backup import back_up
from headrace.app.folder import held
from headrace.app.restore import restore
from headrace.core.errors import SettingsError
from headrace.store.revisions import prepare


def make_data(data: Path, mark: str, *, models: dict[str, bytes] | None = None) -> Path:
    """Make a data folder in which a chat has this title, and the journal a run with this id."""
    data.mkdir()
    prepare(data / "headrace.db")
    with closing(sqlite3.connect(data / "headrace.db")) as db, db:
        db.execute("UPDATE chats SET title = ?", (mark,))
    with closing(sqlite3.connect(data / "journal.db")) as db, db:
        schema = Path(archive.__file__).parents[1] / "journal" / "sql" / "schema.sql"
        db.executescript(schema.read_text())
        db.execute("INSERT INTO runs (run_id, epoch) VALUES (?, 1)", (mark,))
    for name, content in (models or {}).items():
        (data / "models").mkdir(exist_ok=True)
        (data / "models" / name).write_bytes(content)
    return data


def marks(data: Path, suffix: str = "") -> list[str]:
    """Return what marks the databases of a data folder, or those of them that were kept."""
    with closing(sqlite3.connect(data / f"headrace.db{suffix}")) as db:
        (title,) = db.execute("SELECT title FROM chats").fetchone()
    with closing(sqlite3.connect(data / f"journal.db{suffix}")) as db:
        (run_id,) = db.execute("SELECT run_id FROM runs").fetchone()
    return [title, run_id]


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name != "lock")


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    data = make_data(tmp_path / "old", "old", models={"a.gguf": b"GGUF a"})
    back_up(data, tmp_path / "b.tar", models=True)
    return tmp_path / "b.tar"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_a_backup_comes_back_in_a_folder_of_its_own(backup: Path, data: Path) -> None:
    restored = restore(backup, data)
    assert restored.kept == ()
    assert names_in(data) == ["headrace.db", "journal.db", "models", "models/a.gguf"]
    assert marks(data) == ["old", "old"]
    assert (data / "headrace.db").stat().st_mode & 0o777 == 0o600


def test_data_is_not_written_over(backup: Path, data: Path) -> None:
    make_data(data, "new")
    with pytest.raises(SettingsError, match=r"headrace\.db, journal\.db"):
        restore(backup, data)
    assert marks(data) == ["new", "new"]
    assert names_in(data) == ["headrace.db", "journal.db"]


def test_by_force_what_was_there_is_kept_beside_it_as_often_as_it_takes(backup: Path, data: Path) -> None:
    make_data(data, "new", models={"a.gguf": b"GGUF another", "b.gguf": b"GGUF b"})
    kept = restore(backup, data, force=True).kept
    assert sorted(path.name for path in kept) == (
        ["a.gguf.before-restore-1", "headrace.db.before-restore-1", "journal.db.before-restore-1"]
    )
    assert marks(data) == ["old", "old"]
    assert marks(data, ".before-restore-1") == ["new", "new"]
    assert (data / "models" / "a.gguf").read_bytes() == b"GGUF a"
    assert (data / "models" / "b.gguf").exists()
    with closing(sqlite3.connect(data / "headrace.db")) as db, db:
        db.execute("UPDATE chats SET title = 'newer'")
    again = restore(backup, data, force=True).kept
    assert sorted(path.name for path in again) == ["headrace.db.before-restore-2", "journal.db.before-restore-2"]
    assert marks(data, ".before-restore-2") == ["newer", "old"]


def test_what_a_crash_left_in_the_log_of_a_database_is_kept_with_it(backup: Path, data: Path) -> None:
    make_data(data, "new")
    with closing(sqlite3.connect(data / "headrace.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE chats SET title = 'only in the log'")
        db.commit()
        left = {name: (data / name).read_bytes() for name in ("headrace.db", "headrace.db-wal")}
    for name, content in left.items():
        (data / name).write_bytes(content)
    restore(backup, data, force=True)
    assert marks(data) == ["old", "old"]
    assert marks(data, ".before-restore-1") == ["only in the log", "new"]


def test_a_journal_does_not_stay_beside_a_database_that_it_does_not_fit(tmp_path: Path, data: Path) -> None:
    old = make_data(tmp_path / "old", "old")
    (old / "journal.db").unlink()
    back_up(old, tmp_path / "b.tar")
    make_data(data, "new")
    restore(tmp_path / "b.tar", data, force=True)
    assert names_in(data) == ["headrace.db", "headrace.db.before-restore-1", "journal.db.before-restore-1"]


def test_a_folder_in_use_is_refused_whatever_the_force(backup: Path, data: Path) -> None:
    make_data(data, "new")
    with held(data), pytest.raises(SettingsError, match="Another Headrace uses"):
        restore(backup, data, force=True)
    assert marks(data) == ["new", "new"]


def test_a_damaged_backup_changes_nothing(backup: Path, data: Path) -> None:
    make_data(data, "new")
    backup.write_bytes(backup.read_bytes()[: backup.stat().st_size // 2])
    with pytest.raises(BadArchive):
        restore(backup, data, force=True)
    assert marks(data) == ["new", "new"]
    assert names_in(data) == ["headrace.db", "journal.db"]


def test_a_backup_of_a_newer_version_changes_nothing(tmp_path: Path, data: Path) -> None:
    newer = make_data(tmp_path / "newer", "newer")
    back_up(newer, tmp_path / "b.tar")
    with closing(sqlite3.connect(newer / "headrace.db")) as db, db:
        db.execute("UPDATE alembic_version SET version_num = '9999'")
    archive.write(
        tmp_path / "n.tar", {"headrace.db": newer / "headrace.db"}, version="9", revision="9999", created_at=1
    )
    make_data(data, "new")
    with pytest.raises(SettingsError, match="9999"):
        restore(tmp_path / "n.tar", data, force=True)
    assert names_in(data) == ["headrace.db", "journal.db"]


def test_an_archive_without_a_database_is_no_backup(tmp_path: Path, data: Path) -> None:
    (tmp_path / "j").write_bytes(b"x")
    archive.write(tmp_path / "b.tar", {"journal.db": tmp_path / "j"}, version="1", revision="1", created_at=1)
    with pytest.raises(BadArchive, match=r"has no headrace\.db"):
        restore(tmp_path / "b.tar", data)


def test_an_archive_whose_database_is_none_is_no_backup(tmp_path: Path, data: Path) -> None:
    (tmp_path / "d").write_bytes(b"#!/bin/sh\n" * 1000)
    archive.write(tmp_path / "b.tar", {"headrace.db": tmp_path / "d"}, version="1", revision="1", created_at=1)
    with pytest.raises(BadArchive, match="is no database"):
        restore(tmp_path / "b.tar", data)
    assert names_in(data) == []


def test_a_backup_that_is_not_there_makes_no_folder(tmp_path: Path, data: Path) -> None:
    with pytest.raises(SettingsError, match="There is no backup"):
        restore(tmp_path / "none.tar", data)
    assert not data.exists()


def test_a_disk_without_room_is_told_before_anything_is_written(
    backup: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "SPARE_BYTES", 2**62)
    with pytest.raises(SettingsError, match="no room"):
        restore(backup, data)
    assert names_in(data) == []


def test_what_a_killed_restore_left_is_removed(backup: Path, data: Path) -> None:
    (data / ".restoring-killed").mkdir(parents=True)
    (data / ".restoring-killed" / "headrace.db").write_bytes(b"half")
    restore(backup, data)
    assert names_in(data) == ["headrace.db", "journal.db", "models", "models/a.gguf"]


def test_a_model_that_is_there_already_stays(backup: Path, data: Path) -> None:
    (data / "models").mkdir(parents=True)
    (data / "models" / "a.gguf").write_bytes(b"GGUF a")
    restore(backup, data)
    assert marks(data) == ["old", "old"]


def test_another_model_of_the_same_name_is_not_written_over(backup: Path, data: Path) -> None:
    (data / "models").mkdir(parents=True)
    (data / "models" / "a.gguf").write_bytes(b"GGUF b")
    with pytest.raises(SettingsError, match=r"models/a\.gguf"):
        restore(backup, data)
    assert names_in(data) == ["models", "models/a.gguf"]
