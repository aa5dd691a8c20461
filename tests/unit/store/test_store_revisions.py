import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from headrace.core.errors import ServerError, SettingsError
from headrace.store import migrate, revisions, sqlite
from headrace.store.revisions import BASE, HEAD, REVISIONS, prepare, revision_of


def run(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        return [row for statement in statements for row in connection.execute(statement)]


def make(path: Path, revision: str) -> None:
    """Make the database as the version of Headrace with this revision did."""
    if revision == BASE:
        run(path, "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        return
    with sqlite.migrator(path).begin() as connection:
        migrate.upgrade(connection, revision)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "headrace.db"


def test_the_revisions_are_those_of_the_migrations() -> None:
    config = Config()
    config.set_main_option("script_location", migrate.SCRIPTS)
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()] == list(reversed(REVISIONS))
    assert scripts.get_current_head() == HEAD


def test_a_new_database_is_at_the_newest_revision_and_only_its_owner_reads_it(path: Path) -> None:
    prepare(path)
    assert revision_of(path) == HEAD
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_an_empty_file_is_a_new_database(path: Path) -> None:
    path.touch()
    prepare(path)
    assert revision_of(path) == HEAD


@pytest.mark.parametrize("revision", [BASE, *REVISIONS])
def test_every_revision_comes_to_the_newest(path: Path, revision: str) -> None:
    make(path, revision)
    prepare(path)
    assert revision_of(path) == HEAD
    assert run(path, "SELECT id, name FROM users", "SELECT id, owner_id FROM chats") == [(1, "local"), (1, 1)]
    assert run(path, "PRAGMA foreign_key_check", "PRAGMA integrity_check") == [("ok",)]


def test_a_migration_makes_a_copy_first(path: Path) -> None:
    make(path, BASE)
    run(path, "CREATE TABLE keepsake (n)", "INSERT INTO keepsake VALUES (7)")
    prepare(path)
    copied = path.with_name(f"headrace.db.before-{HEAD}-1")
    assert run(copied, "SELECT n FROM keepsake") == [(7,)]
    assert revision_of(copied) == BASE


def test_what_is_at_the_newest_revision_is_left_alone(path: Path) -> None:
    prepare(path)
    before = path.read_bytes()
    prepare(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_migration_that_fails_says_why_and_changes_nothing(path: Path) -> None:
    make(path, BASE)
    run(path, "CREATE TABLE runs (n)")
    with pytest.raises(ServerError, match="table runs already exists") as caught:
        prepare(path)
    assert caught.value.code == "migration_failed"
    assert revision_of(path) == BASE
    assert run(path, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") == [
        ("alembic_version",),
        ("runs",),
    ]


def _of_a_newer_version(path: Path) -> None:
    prepare(path)
    run(path, "UPDATE alembic_version SET version_num = '9999'")


def _of_another_program(path: Path) -> None:
    run(path, "CREATE TABLE songs (n)")


def _no_database(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" * 1000)


@pytest.mark.parametrize(
    ("make_it", "message"),
    [
        (_of_a_newer_version, "9999, which this version of Headrace does not know"),
        (_of_another_program, "is not Headrace's"),
        (_no_database, "file is not a database"),
    ],
)
def test_what_is_not_ours_is_refused_and_not_touched(path: Path, make_it: Callable[[Path], None], message: str) -> None:
    make_it(path)
    before = path.read_bytes()
    with pytest.raises(SettingsError, match=message):
        prepare(path)
    assert path.read_bytes() == before
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_place_where_no_file_can_be_is_a_mistake_in_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        prepare(tmp_path / "missing" / "headrace.db")
    with pytest.raises(SettingsError, match="unable to open database file"):
        prepare(tmp_path)


def test_a_crash_while_a_new_database_is_made_leaves_an_empty_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_connection: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(revisions, "_stamp", crash)
        with pytest.raises(KeyboardInterrupt):
            prepare(path)
    assert revision_of(path) is None
    prepare(path)
    assert revision_of(path) == HEAD


def test_what_0002_kept_comes_through(path: Path) -> None:
    make(path, "0002")
    run(
        path,
        "INSERT INTO users (name, role, created_at) VALUES ('mary', 'user', 5), ('ann', 'admin', 6)",
        "INSERT INTO chats (owner_id, title, parameters, created_at, updated_at, title_folded, source_id)"
        " VALUES (2, 'A mill', '{}', 7, 8, 'a mill', 'x1')",
        "INSERT INTO messages (owner_id, chat_id, role, parts, status, created_at, updated_at, text_folded)"
        " VALUES (2, 2, 'user', '[]', 'complete', 7, 7, '')",
        "INSERT INTO runs (id, owner_id, chat_id, message_id, status, model_requested, parameters, continues, created_at)"
        " VALUES ('r1', 2, 2, 1, 'complete', 'auto', '{}', 0, 7)",
    )
    tables = ("chats", "messages", "runs")
    kept = [run(path, f"SELECT * FROM {table} ORDER BY 1") for table in tables]  # noqa: S608 - names of ours
    prepare(path)
    assert [run(path, f"SELECT * FROM {table} ORDER BY 1") for table in tables] == kept  # noqa: S608 - the same
    assert run(path, "SELECT id, name, role, disabled_at, passphrase FROM users") == [
        (1, "local", "admin", None, None),
        (2, "mary", "member", None, None),
        (3, "ann", "admin", None, None),
    ]
    assert run(path, "PRAGMA foreign_key_check", "PRAGMA integrity_check") == [("ok",)]


def test_what_0003_kept_comes_through(path: Path) -> None:
    make(path, "0003")
    run(
        path,
        "INSERT INTO users (name, role, created_at) VALUES ('mary', 'member', 5)",
        "INSERT INTO chats (owner_id, title, parameters, created_at, updated_at, title_folded)"
        " VALUES (2, 'A mill', '{}', 7, 8, 'a mill')",
        "INSERT INTO tokens (owner_id, digest, name, hint, created_at) VALUES (2, x'00', 'laptop', 'hr_abcde', 7)",
    )
    tables = ("users", "chats", "tokens")
    kept = [run(path, f"SELECT * FROM {table} ORDER BY 1") for table in tables]  # noqa: S608 - names of ours
    prepare(path)
    assert [run(path, f"SELECT * FROM {table} ORDER BY 1") for table in tables] == kept  # noqa: S608 - the same
    assert run(path, "SELECT * FROM templates", "PRAGMA foreign_key_check", "PRAGMA integrity_check") == [("ok",)]


def test_from_0003_on_the_first_user_is_an_admin(path: Path) -> None:
    make(path, "0002")
    run(path, "UPDATE users SET role = 'user'")
    prepare(path)
    assert run(path, "SELECT id, role FROM users") == [(1, "admin")]
