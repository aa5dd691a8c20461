"""This module keeps users: who there is, what each may, and what each has spent."""

from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, bindparam, func, insert, or_, select, text, update

from headrace.core.errors import Conflict, NotFound
from headrace.core.principal import Principal, Role
from headrace.store.columns import Id
from headrace.store.database import Database
from headrace.store.prepared import Prepared
from headrace.store.records import User
from headrace.store.rows import USER, first, record
from headrace.store.schema import spending, users

__all__ = ["Users", "no_user"]

_ALL = select(*USER).order_by(users.c.id)
_USER = select(*USER).where(users.c.id == bindparam("user"))
_NAMED = select(*USER).where(users.c.name == bindparam("name"))
_PASSPHRASE = select(*USER, users.c.passphrase).where(
    users.c.name == bindparam("name"), users.c.passphrase.is_not(None)
)
_SET_PASSPHRASE = (
    update(users)
    .where(users.c.id == bindparam("user"))
    .values(passphrase=bindparam("hash", type_=users.c.passphrase.type))
    .returning(users.c.id)
)

_NEW = {column: bindparam(f"new_{column}", type_=users.c[column].type) for column in ("name", "role", "created_at")}
_ADD = (
    insert(users)
    .from_select(
        list(_NEW),
        select(*_NEW.values()).where(~select(users.c.id).where(users.c.name == bindparam("new_name")).exists()),
    )
    .returning(users.c.id)
)

_other = users.alias("other")
_AN_ADMIN_STAYS = or_(
    users.c.role != "admin",
    users.c.disabled_at.is_not(None),
    select(_other.c.id)
    .where(_other.c.id != bindparam("user"), _other.c.role == "admin", _other.c.disabled_at.is_(None))
    .exists(),
)

# The same words on SQLite and PostgreSQL. A user who is not there spends nothing.
_SPENT = Prepared(
    text(
        "INSERT INTO spending (day, user_id, tokens) SELECT :day, users.id, :tokens FROM users WHERE users.id = :user "
        "ON CONFLICT (day, user_id) DO UPDATE SET tokens = spending.tokens + excluded.tokens"
    ).bindparams(bindparam("user", type_=Id))
)
_SPENDINGS = select(spending.c.user_id, spending.c.tokens).where(spending.c.day == bindparam("day"))


def no_user(user_id: int) -> NotFound:
    """Return the error for a user who is not there."""
    return NotFound(f"There is no user {user_id}.")


class Users:
    """Those to whom everything belongs. The first, `local`, is there from the start; none is ever removed.

    Times are Unix milliseconds (UTC).
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal) -> User:
        """Return the caller as a user. Raises `NotFound`."""
        return await self._database.read(partial(_get, user_id=principal.user_id))

    async def list(self, principal: Principal) -> tuple[User, ...]:
        """Return all users, the oldest first, to one who may do what an admin may; to others themselves alone."""
        return await self._database.read(partial(_list, principal=principal))

    async def named(self, name: str) -> User:
        """Return the user of this name: the server's own call. Raises `NotFound`."""
        return await self._database.read(partial(_named, name=name))

    async def add(self, name: str, role: Role, now_ms: int) -> User:
        """Add a user, who has no way in yet, and return it: the server's own call.

        Names are compared letter for letter. Raises `Conflict`, `name_taken`.
        """
        values = {"new_name": name, "new_role": role, "new_created_at": now_ms}
        return await self._database.write(partial(_add, values=values))

    async def change(
        self, user_id: int, *, now_ms: int, role: Role | UnsetType = UNSET, disabled: bool | UnsetType = UNSET
    ) -> User:
        """Change what is given and return the user: the server's own call.

        One who is disabled again stays so since the first time. Raises `NotFound`, and `Conflict`, `last_admin`, where
        no admin would be left who is not disabled.
        """
        work = partial(_change, user_id=user_id, role=role, disabled=disabled, now_ms=now_ms)
        return await self._database.write(work)

    async def set_passphrase(self, user_id: int, hashed: str | None) -> None:
        """Store the hash of a user's passphrase, None for none: the server's own call. Raises `NotFound`."""
        await self._database.write(partial(_set_passphrase, user_id=user_id, hashed=hashed))

    async def passphrase(self, name: str) -> tuple[User, str] | None:
        """Return the user of this name, disabled or not, with the hash of the passphrase: the server's own call.

        None where there is no such user, or the user has no passphrase.
        """
        return await self._database.read(partial(_passphrase, name=name))

    async def spent(self, user_id: int, day: int, tokens: int) -> None:
        """Add to what a user has spent on a day, in days since the epoch (UTC): the server's own call.

        Nothing happens where there is no such user.
        """
        values = {"user": user_id, "day": day, "tokens": tokens}
        await self._database.write_short(partial(_SPENT.run, values=values))

    async def spendings(self, day: int) -> dict[int, int]:
        """Return the tokens that each user has spent on a day, in days since the epoch (UTC): the server's own call.

        Who has spent none may be left out.
        """
        return await self._database.read(partial(_spendings, day=day))


def _get(connection: Connection, user_id: int) -> User:
    row = connection.execute(_USER, {"user": user_id}).first()
    return record(User, first(row, no_user(user_id)))


def _list(connection: Connection, principal: Principal) -> tuple[User, ...]:
    if principal.allows("admin"):
        rows = connection.execute(_ALL)
    else:
        rows = connection.execute(_USER, {"user": principal.user_id})
    return tuple(record(User, row) for row in rows)


def _named(connection: Connection, name: str) -> User:
    row = connection.execute(_NAMED, {"name": name}).first()
    return record(User, first(row, NotFound(f"There is no user {name!r}.")))


def _add(connection: Connection, values: dict[str, Any]) -> User:
    row = connection.execute(_ADD, values).first()
    taken = Conflict(f"There is a user {values['new_name']!r} already.", code="name_taken")
    return _get(connection, first(row, taken).id)


def _change(
    connection: Connection, user_id: int, *, now_ms: int, role: Role | UnsetType, disabled: bool | UnsetType
) -> User:
    values: dict[str, Any] = {}
    if role is not UNSET:
        values["role"] = role
    if disabled is not UNSET:
        values["disabled_at"] = func.coalesce(users.c.disabled_at, now_ms) if disabled else None
    if not values:
        return _get(connection, user_id)
    changed = update(users).where(users.c.id == bindparam("user")).values(values).returning(users.c.id)
    if role == "member" or disabled is True:
        changed = changed.where(_AN_ADMIN_STAYS)
    done = connection.execute(changed, {"user": user_id}).first() is not None
    user = _get(connection, user_id)
    if not done:
        raise Conflict("Nobody else is an admin who is not disabled.", code="last_admin")
    return user


def _set_passphrase(connection: Connection, user_id: int, hashed: str | None) -> None:
    first(connection.execute(_SET_PASSPHRASE, {"user": user_id, "hash": hashed}).first(), no_user(user_id))


def _passphrase(connection: Connection, name: str) -> tuple[User, str] | None:
    row = connection.execute(_PASSPHRASE, {"name": name}).first()
    return None if row is None else (record(User, row[:-1]), row[-1])


def _spendings(connection: Connection, day: int) -> dict[int, int]:
    return {row.user_id: row.tokens for row in connection.execute(_SPENDINGS, {"day": day})}
