"""This module keeps invitations: links that let somebody in, once."""

from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from headrace.core.principal import Role
from headrace.store.database import Database
from headrace.store.records import Invitation
from headrace.store.rows import INVITATION, record
from headrace.store.schema import invitations

__all__ = ["Invitations"]

_CREATE = insert(invitations).returning(*INVITATION)
_TAKE = (
    update(invitations)
    .where(
        invitations.c.digest == bindparam("taken"),
        invitations.c.used_at.is_(None),
        invitations.c.expires_at > bindparam("now"),
    )
    .values(used_at=bindparam("now"))
    .returning(*INVITATION)
)
_FIND = select(*INVITATION).where(
    invitations.c.digest == bindparam("found"),
    invitations.c.used_at.is_(None),
    invitations.c.expires_at > bindparam("now"),
)
_LIST = select(*INVITATION).order_by(invitations.c.id)


class Invitations:
    """Who is let in next. All calls are the server's own. Times are Unix milliseconds (UTC)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        digest: bytes,
        role: Role,
        name: str | None,
        user_id: int | None,
        created_by: int | None,
        expires_at: int,
        now_ms: int,
    ) -> Invitation:
        """Store an invitation and return it.

        `digest` is 32 bytes that no other invitation has. `user_id` and `created_by` are users who are there, or None.
        """
        values = {
            "digest": digest,
            "role": role,
            "name": name,
            "user_id": user_id,
            "created_by": created_by,
            "expires_at": expires_at,
            "created_at": now_ms,
        }
        return await self._database.write(partial(_create, values=values))

    async def take(self, digest: bytes, now_ms: int) -> Invitation | None:
        """Use up the invitation of this digest and return it; None where it is used, expired or not there.

        Of any number of callers, one gets it.
        """
        return await self._database.write(partial(_take, place={"taken": digest, "now": now_ms}))

    async def find(self, digest: bytes, now_ms: int) -> Invitation | None:
        """Return what `take` would, and leave it to be taken."""
        return await self._database.read(partial(_find, place={"found": digest, "now": now_ms}))

    async def list(self) -> tuple[Invitation, ...]:
        """Return all invitations, the oldest first; those that are used or expired are among them."""
        return await self._database.read(_list)


def _create(connection: Connection, values: dict[str, Any]) -> Invitation:
    return record(Invitation, connection.execute(_CREATE, values).one())


def _take(connection: Connection, place: dict[str, Any]) -> Invitation | None:
    row = connection.execute(_TAKE, place).first()
    return None if row is None else record(Invitation, row)


def _find(connection: Connection, place: dict[str, Any]) -> Invitation | None:
    row = connection.execute(_FIND, place).first()
    return None if row is None else record(Invitation, row)


def _list(connection: Connection) -> tuple[Invitation, ...]:
    return tuple(record(Invitation, row) for row in connection.execute(_LIST))
