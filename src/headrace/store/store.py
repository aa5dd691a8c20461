"""This module is the store as one thing: a database and what is kept in it."""

from pathlib import Path

from headrace.store.chats import Chats
from headrace.store.database import Database
from headrace.store.imports import Imports
from headrace.store.messages import Messages
from headrace.store.runs import Runs
from headrace.store.sqlite import Sync
from headrace.store.turns import Turns
from headrace.store.users import Users

__all__ = ["Store"]


class Store:
    """Everything but the journal. Every call takes a `Principal`, and the owner is in the query."""

    def __init__(self, path: Path, *, sync: Sync = "normal") -> None:
        self._database = Database(path, sync=sync)
        self.users = Users(self._database)
        self.chats = Chats(self._database)
        self.messages = Messages(self._database)
        self.turns = Turns(self._database)
        self.runs = Runs(self._database)
        self.imports = Imports(self._database)

    async def open(self) -> None:
        """Open the database, made or migrated where that is needed. Raises as `Database.open` does."""
        await self._database.open()

    async def close(self) -> None:
        """Finish what was asked for and let go of the database."""
        await self._database.close()
