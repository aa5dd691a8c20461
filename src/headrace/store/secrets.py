"""This module keeps the server's own secret, in the database so that a backup has it."""

import secrets as chance

from sqlalchemy import Connection, bindparam, insert, select

from headrace.store.database import Database
from headrace.store.schema import secrets

__all__ = ["Secrets"]

_SIZE = 32
_MASTER = "master"

_NEW = {column: bindparam(f"new_{column}", type_=secrets.c[column].type) for column in ("name", "value")}
_GET = select(secrets.c.value).where(secrets.c.name == bindparam("secret"))
_ADD = insert(secrets).from_select(
    list(_NEW),
    select(*_NEW.values()).where(~select(secrets.c.name).where(secrets.c.name == bindparam("new_name")).exists()),
)


class Secrets:
    """What only the server knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def master(self) -> bytes:
        """Return the 32 random bytes from which all keys are made: the same ones for as long as the database lives.

        The first call makes them; where several processes make it at once, all get those of one.
        """
        kept = await self._database.read(_get)
        return await self._database.write(_made) if kept is None else kept


def _get(connection: Connection) -> bytes | None:
    value: bytes | None = connection.execute(_GET, {"secret": _MASTER}).scalar_one_or_none()
    return value


def _made(connection: Connection) -> bytes:
    connection.execute(_ADD, {"new_name": _MASTER, "new_value": chance.token_bytes(_SIZE)})
    return bytes(connection.execute(_GET, {"secret": _MASTER}).scalar_one())
