"""This module is the store as one thing: a database and what is kept in it."""

from pathlib import Path

from headrace.store.chats import Chats
from headrace.store.database import Database
from headrace.store.imports import Imports
from headrace.store.invitations import Invitations
from headrace.store.messages import Messages
from headrace.store.runs import Runs
from headrace.store.secrets import Secrets
from headrace.store.sessions import Sessions
from headrace.store.sqlite import Sync
from headrace.store.templates import Templates
from headrace.store.tokens import Tokens
from headrace.store.turns import Turns
from headrace.store.users import Users

__all__ = ["Store"]


class Store:
    """Everything but the journal.

    Every call for somebody takes a `Principal`, and the owner is in the query. Those without one are the server's own:
    who may make them is decided before.
    """

    def __init__(self, path: Path, *, sync: Sync = "normal") -> None:
        self._database = Database(path, sync=sync)
        self.users = Users(self._database)
        self.chats = Chats(self._database)
        self.messages = Messages(self._database)
        self.turns = Turns(self._database)
        self.runs = Runs(self._database)
        self.templates = Templates(self._database)
        self.imports = Imports(self._database)
        self.tokens = Tokens(self._database)
        self.sessions = Sessions(self._database)
        self.invitations = Invitations(self._database)
        self.secrets = Secrets(self._database)

    async def open(self) -> None:
        """Open the database, made or migrated where that is needed. Raises as `Database.open` does."""
        await self._database.open()

    async def close(self) -> None:
        """Finish what was asked for and let go of the database."""
        await self._database.close()
