import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from headrace.core.errors import ServerError
from headrace.store import migrations, schema
from headrace.store.migrate import main, migrate
from headrace.store.revisions import HEAD, prepare, revision_of

Next = Callable[..., str]
"""Adds a revision `next` with the statements it is given, and returns where the scripts are."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "headrace.db"
    prepare(made)
    return made


@pytest.fixture
def scripts(tmp_path: Path) -> Next:
    folder = tmp_path / "100% ours"
    shutil.copytree(Path(str(migrations.__file__)).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))

    def add(*statements: str) -> str:
        lines = "".join(f"    op.execute({statement!r})\n" for statement in statements)
        text = f"from alembic import op\nrevision = 'next'\ndown_revision = {HEAD!r}\n\ndef upgrade():\n{lines}"
        (folder / "versions" / "next.py").write_text(text)
        return str(folder)

    return add


def read(path: Path, statement: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.execute(statement))


def test_a_migration_changes_the_tables_and_keeps_a_copy_of_what_was(path: Path, scripts: Next) -> None:
    copied = migrate(path, revision="next", scripts=scripts("ALTER TABLE users ADD COLUMN email TEXT"))
    assert copied == path.with_name("headrace.db.before-next-1")
    assert read(path, "SELECT id, email FROM users") == [(1, None)]
    assert read(path, "SELECT version_num FROM alembic_version") == [("next",)]
    assert revision_of(copied) == HEAD
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        read(copied, "SELECT email FROM users")


def test_a_table_may_be_replaced_without_losing_what_refers_to_it(path: Path, scripts: Next) -> None:
    replaced = scripts(
        "CREATE TABLE renewed AS SELECT * FROM users",
        "DROP TABLE users",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, role TEXT, created_at BIGINT)",
        "INSERT INTO users SELECT id, name, role, created_at FROM renewed",
        "DROP TABLE renewed",
    )
    migrate(path, revision="next", scripts=replaced)
    assert read(path, "SELECT chats.id FROM chats JOIN users ON users.id = chats.owner_id") == [(1,)]


@pytest.mark.parametrize("breaking", ["DELETE FROM users", "SELECT * FROM nowhere"])
def test_a_migration_that_fails_leaves_the_database_as_it_was(path: Path, scripts: Next, breaking: str) -> None:
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"refer to what is not there|no such table"):
        migrate(path, revision="next", scripts=scripts("ALTER TABLE users ADD COLUMN email TEXT", breaking))
    assert path.read_bytes() == before
    assert revision_of(path) == HEAD


def test_a_migration_that_breaks_references_is_our_error(path: Path, scripts: Next) -> None:
    with pytest.raises(ServerError, match="the first in chats"):
        migrate(path, revision="next", scripts=scripts("DELETE FROM users"))


def test_the_program_migrates_and_says_where_the_copy_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("".join(f"DROP TABLE {table};" for table in schema.metadata.tables))
        connection.execute("DELETE FROM alembic_version")
    command = [sys.executable, "-m", "headrace.store.migrate", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(path.with_name(f"headrace.db.before-{HEAD}-1")) in done.stdout
    assert revision_of(path) == HEAD


def test_the_program_leaves_alone_what_needs_nothing(path: Path) -> None:
    assert "needs no migration" in main([str(path)])
    assert [found.name for found in path.parent.iterdir() if "before" in found.name] == []


def test_the_program_refuses_what_it_cannot_migrate(path: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments, message in (
        ([], "usage"),
        ([str(tmp_path / "nowhere")], "There is no database"),
        ([str(path)], "9999"),
    ):
        with pytest.raises(SystemExit, match=message):
            main(arguments)
