"""This module keeps the sessions in which users are signed in."""

from collections.abc import Collection
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, or_, select, update

from headrace.core.errors import NotFound
from headrace.core.principal import Principal
from headrace.store.database import Database
from headrace.store.records import Known, Session, User
from headrace.store.rows import SESSION, USER, AnyRow, first, record
from headrace.store.schema import invitations, sessions, users
from headrace.store.users import no_user

__all__ = ["Sessions"]

_NEW = {
    column: bindparam(f"new_{column}", type_=sessions.c[column].type)
    for column in ("digest", "expires_at", "created_at")
}
_CREATE = (
    insert(sessions)
    .from_select(
        ["user_id", *_NEW],
        select(users.c.id, *_NEW.values()).where(users.c.id == bindparam("user")),
    )
    .returning(*SESSION)
)
_END = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"), or_(sessions.c.user_id == bindparam("owner"), bindparam("anybodys")))
    .values(ended_at=func.coalesce(sessions.c.ended_at, bindparam("now")))
    .returning(sessions.c.id)
)
_END_ALL = (
    update(sessions)
    .where(sessions.c.user_id == bindparam("user"), sessions.c.ended_at.is_(None), sessions.c.id != bindparam("keep"))
    .values(ended_at=bindparam("now"))
)
_KNOWN = select(*USER, *SESSION).join_from(sessions, users, sessions.c.user_id == users.c.id)
_FIND = _KNOWN.where(sessions.c.digest == bindparam("digest"))
_STATES = _KNOWN.where(sessions.c.id.in_(bindparam("ids", expanding=True)))
_PRUNE = (
    delete(sessions).where(or_(sessions.c.expires_at < bindparam("before"), sessions.c.ended_at < bindparam("before"))),
    delete(invitations).where(
        or_(invitations.c.expires_at < bindparam("before"), invitations.c.used_at < bindparam("before"))
    ),
)

_NONE = 0
"""An id that no row has."""


class Sessions:
    """The sessions of each user. Another's session is not there, but for one who may do what an admin may.

    Times are Unix milliseconds (UTC).
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, user_id: int, digest: bytes, expires_at: int, now_ms: int) -> Session:
        """Store a session of a user and return it: the server's own call.

        `digest` is 32 bytes that no other session has. Raises `NotFound` where there is no such user.
        """
        values = {"user": user_id, "new_digest": digest, "new_expires_at": expires_at, "new_created_at": now_ms}
        return await self._database.write(partial(_create, values=values))

    async def find(self, digest: bytes) -> Known | None:
        """Return the session of this digest with its user, whatever the state of both: the server's own call."""
        return await self._database.read(partial(_find, digest=digest))

    async def states(self, ids: Collection[int]) -> dict[int, Known]:
        """Return those of the sessions that are there, by id, each with its user: the server's own call."""
        if not ids:
            return {}
        return await self._database.read(partial(_states, ids=[*ids]))

    async def end(self, principal: Principal, session_id: int, now_ms: int) -> None:
        """End a session, of any user where the caller may do what an admin may. Harmless when repeated.

        Raises `NotFound`, also for another's.
        """
        who = {"owner": principal.user_id, "anybodys": principal.allows("admin")}
        await self._database.write(partial(_end, place={"session": session_id, "now": now_ms, **who}))

    async def end_all(self, user_id: int, now_ms: int, *, keep: int | None = None) -> None:
        """End all sessions of a user but the one with the id `keep`: the server's own call."""
        place = {"user": user_id, "now": now_ms, "keep": _NONE if keep is None else keep}
        await self._database.write(partial(_end_all, place=place))

    async def prune(self, before_ms: int) -> None:
        """Remove the sessions and invitations that were over before this time: the server's own call.

        Over is a session that ended or expired, an invitation that was used or expired.
        """
        await self._database.write(partial(_prune, before_ms=before_ms))


def _create(connection: Connection, values: dict[str, Any]) -> Session:
    return record(Session, first(connection.execute(_CREATE, values).first(), no_user(values["user"])))


def _find(connection: Connection, digest: bytes) -> Known | None:
    row = connection.execute(_FIND, {"digest": digest}).first()
    return None if row is None else _known(row)


def _states(connection: Connection, ids: list[int]) -> dict[int, Known]:
    found = (_known(row) for row in connection.execute(_STATES, {"ids": ids}))
    return {known.session.id: known for known in found if known.session is not None}


def _end(connection: Connection, place: dict[str, Any]) -> None:
    first(connection.execute(_END, place).first(), NotFound(f"There is no session {place['session']}."))


def _end_all(connection: Connection, place: dict[str, Any]) -> None:
    connection.execute(_END_ALL, place)


def _prune(connection: Connection, before_ms: int) -> None:
    for statement in _PRUNE:
        connection.execute(statement, {"before": before_ms})


def _known(row: AnyRow) -> Known:
    return Known(user=record(User, row[: len(USER)]), session=record(Session, row[len(USER) :]))
