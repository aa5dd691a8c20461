"""This module reads users."""

from functools import partial

from sqlalchemy import Connection, bindparam, select

from headrace.core.errors import NotFound
from headrace.core.principal import Principal
from headrace.store.database import Database
from headrace.store.records import User
from headrace.store.rows import first, record
from headrace.store.schema import users

__all__ = ["Users"]

_USER = select(users).where(users.c.id == bindparam("user"))
_NAMED = select(users).where(users.c.name == bindparam("name"))


class Users:
    """Those to whom everything belongs. The first, `local`, is there from the start."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal) -> User:
        """Return the caller as a user. Raises `NotFound`."""
        return await self._database.read(partial(_get, user_id=principal.user_id))

    async def named(self, name: str) -> User:
        """Return the user of this name: the server's own call. Raises `NotFound`."""
        return await self._database.read(partial(_named, name=name))


def _get(connection: Connection, user_id: int) -> User:
    row = connection.execute(_USER, {"user": user_id}).first()
    return record(User, first(row, NotFound(f"There is no user {user_id}.")))


def _named(connection: Connection, name: str) -> User:
    row = connection.execute(_NAMED, {"name": name}).first()
    return record(User, first(row, NotFound(f"There is no user {name!r}.")))
