"""This module keeps the tokens with which programs say whose they are."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, or_, select, update

from headrace.core.errors import NotFound
from headrace.core.principal import SCOPES, Principal, Scope
from headrace.store.database import Database
from headrace.store.records import Known, Token, User
from headrace.store.rows import TOKEN, USER, AnyRow, first, record
from headrace.store.schema import invitations, sessions, tokens, users
from headrace.store.users import no_user

__all__ = ["Tokens"]

_NEW = {
    column: bindparam(f"new_{column}", type_=tokens.c[column].type)
    for column in ("digest", "name", "hint", "scopes", "expires_at", "created_at")
}
_CREATE = (
    insert(tokens)
    .from_select(
        ["owner_id", *_NEW],
        select(users.c.id, *_NEW.values()).where(users.c.id == bindparam("owner")),
    )
    .returning(*TOKEN)
)
_ALL = select(*TOKEN).order_by(tokens.c.id)
_OWN = _ALL.where(tokens.c.owner_id == bindparam("owner"))
_REVOKE = (
    update(tokens)
    .where(tokens.c.id == bindparam("token"), or_(tokens.c.owner_id == bindparam("owner"), bindparam("anybodys")))
    .values(revoked_at=func.coalesce(tokens.c.revoked_at, bindparam("now")))
    .returning(tokens.c.id)
)
_USED = (
    update(tokens)
    .where(
        tokens.c.id == bindparam("token"),
        or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)
_KNOWN = select(*USER, *TOKEN).join_from(tokens, users, tokens.c.owner_id == users.c.id)
_FIND = _KNOWN.where(tokens.c.digest == bindparam("digest"))
_STATES = _KNOWN.where(tokens.c.id.in_(bindparam("ids", expanding=True)))
_ANY_CREDENTIAL = select(
    or_(
        exists(select(tokens.c.id)),
        exists(select(sessions.c.id)),
        exists(select(invitations.c.id).where(invitations.c.used_at.is_not(None))),
        exists(select(users.c.id).where(users.c.passphrase.is_not(None))),
    )
)


class Tokens:
    """The tokens of each user. Another's token is not there, but for one who may do what an admin may.

    None is ever removed. Times are Unix milliseconds (UTC).
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        user_id: int,
        name: str,
        digest: bytes,
        hint: str,
        scopes: Collection[Scope] | None,
        expires_at: int | None,
        now_ms: int,
    ) -> Token:
        """Store a token of a user and return it: the server's own call.

        `digest` is 32 bytes that no other token has. `scopes` are kept in the order of `SCOPES`; None leaves nothing
        out, where no scopes at all are a token that is of no use. Raises `NotFound` where there is no such user.
        """
        values = {
            "owner": user_id,
            "new_name": name,
            "new_digest": digest,
            "new_hint": hint,
            "new_scopes": None if scopes is None else tuple(sorted(set(scopes), key=SCOPES.index)),
            "new_expires_at": expires_at,
            "new_created_at": now_ms,
        }
        return await self._database.write(partial(_create, values=values))

    async def list(self, principal: Principal) -> tuple[Token, ...]:
        """Return the caller's tokens, all users' to one who may do what an admin may; the oldest first.

        Those that are expired or revoked are among them.
        """
        return await self._database.read(partial(_list, principal=principal))

    async def revoke(self, principal: Principal, token_id: int, now_ms: int) -> None:
        """End a token, of any user where the caller may do what an admin may. Harmless when repeated.

        Raises `NotFound`, also for another's.
        """
        place = {"token": token_id, "owner": principal.user_id, "anybodys": principal.allows("admin"), "now": now_ms}
        await self._database.write(partial(_revoke, place=place))

    async def find(self, digest: bytes) -> Known | None:
        """Return the token of this digest with its user, whatever the state of both: the server's own call."""
        return await self._database.read(partial(_find, digest=digest))

    async def states(self, ids: Collection[int]) -> dict[int, Known]:
        """Return those of the tokens that are there, by id, each with its user: the server's own call."""
        if not ids:
            return {}
        return await self._database.read(partial(_states, ids=[*ids]))

    async def used(self, times: Mapping[int, int]) -> None:
        """Write down when each token was used last, by id: the server's own call. No time goes back."""
        if times:
            await self._database.write(partial(_used, times=dict(times)))

    async def any_credential(self) -> bool:
        """Return whether anybody was ever let in: the server's own call.

        That is so where there is a token, a session, an invitation that was used, in whatever state, or a passphrase.
        """
        return await self._database.read(_any_credential)


def _create(connection: Connection, values: dict[str, Any]) -> Token:
    return record(Token, first(connection.execute(_CREATE, values).first(), no_user(values["owner"])))


def _list(connection: Connection, principal: Principal) -> tuple[Token, ...]:
    if principal.allows("admin"):
        rows = connection.execute(_ALL)
    else:
        rows = connection.execute(_OWN, {"owner": principal.user_id})
    return tuple(record(Token, row) for row in rows)


def _revoke(connection: Connection, place: dict[str, Any]) -> None:
    first(connection.execute(_REVOKE, place).first(), NotFound(f"There is no token {place['token']}."))


def _find(connection: Connection, digest: bytes) -> Known | None:
    row = connection.execute(_FIND, {"digest": digest}).first()
    return None if row is None else _known(row)


def _states(connection: Connection, ids: list[int]) -> dict[int, Known]:
    found = (_known(row) for row in connection.execute(_STATES, {"ids": ids}))
    return {known.token.id: known for known in found if known.token is not None}


def _used(connection: Connection, times: dict[int, int]) -> None:
    connection.execute(_USED, [{"token": token_id, "at": at} for token_id, at in times.items()])


def _any_credential(connection: Connection) -> bool:
    return bool(connection.execute(_ANY_CREDENTIAL).scalar_one())


def _known(row: AnyRow) -> Known:
    return Known(user=record(User, row[: len(USER)]), token=record(Token, row[len(USER) :]))
