"""This module migrates a database, with a copy of it made first: `python -m headrace.store.migrate PATH`.

It is a program of its own so that the server never imports Alembic. Nothing else may have the database open.
"""

import sys
import traceback
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from headrace.core.errors import HeadraceError, ServerError
from headrace.store import sqlite
from headrace.store.revisions import HEAD, revision_of

__all__ = ["SCRIPTS", "main", "migrate", "upgrade"]

SCRIPTS = "headrace.store:migrations"
"""Where the revisions are: a folder inside a package, as Alembic writes it, or a path."""


def migrate(path: Path, *, revision: str = HEAD, scripts: str = SCRIPTS) -> Path:
    """Bring the database to `revision` and return where the copy of what it was before lies.

    It happens in one transaction: where this raises, the database is as it was. Raises `ServerError` where foreign
    keys would be broken, and what SQLAlchemy and the revisions raise.
    """
    copied = sqlite.copy(path, revision)
    with sqlite.migrator(path).begin() as connection:
        upgrade(connection, revision, scripts)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise ServerError(f"{len(broken)} rows would refer to what is not there, the first in {broken[0][0]}.")
    return copied


def upgrade(connection: Connection, revision: str, scripts: str = SCRIPTS) -> None:
    """Run the revisions up to `revision` in the transaction of the connection."""
    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def main(arguments: list[str]) -> str:
    """Migrate the database whose path is the only argument; return what to tell. Raises `SystemExit`."""
    if len(arguments) != 1:
        sys.exit("usage: python -m headrace.store.migrate PATH")
    path = Path(arguments[0])
    if not path.is_file():
        sys.exit(f"There is no database {path}.")
    try:
        if revision_of(path) in {HEAD, None}:
            return f"{path} needs no migration."
        return f"{path} is at revision {HEAD}. What it was before: {migrate(path)}"
    except HeadraceError as error:
        sys.exit(error.message)
    except DBAPIError as error:
        traceback.print_exc()
        sys.exit(str(error.orig))


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]) + "\n")
