"""This module reads and deletes messages; `store.turns` makes them."""

from functools import partial
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, select, update

from headrace.core.errors import NotFound
from headrace.core.principal import Principal
from headrace.store import walks
from headrace.store.chats import no_chat
from headrace.store.database import Database
from headrace.store.records import Chat, Message, Tree
from headrace.store.rows import CHAT, MESSAGE, by_message, first, record
from headrace.store.schema import chats, messages, runs

__all__ = ["Messages", "no_message"]

_OWN = messages.c.owner_id == bindparam("owner")
_OWN_CHAT = (chats.c.id == bindparam("chat"), chats.c.owner_id == bindparam("owner"))
_OWN_MESSAGE = (messages.c.id == bindparam("message")) & _OWN
_OF_CHAT = (messages.c.chat_id == bindparam("chat")) & _OWN


def _runs() -> Select[int, str]:
    """Return the ids of messages and of their runs, as `rows.by_message` takes them."""
    return select(messages.c.id, runs.c.id).join(runs, runs.c.message_id == messages.c.id).order_by(runs.c.number)


_UP = walks.ancestors(_OWN_MESSAGE)
_DOWN = walks.descendants(_OWN_MESSAGE)

_GET = select(*MESSAGE).where(_OWN_MESSAGE)
_GET_RUNS = _runs().where(_OWN_MESSAGE)
_CHAT = select(*CHAT).where(*_OWN_CHAT)
_TREE = select(*MESSAGE).where(_OF_CHAT).order_by(messages.c.id)
_TREE_RUNS = _runs().where(_OF_CHAT)
_PATH = select(*MESSAGE).join(_UP, _UP.c.id == messages.c.id).order_by(messages.c.id)
_PATH_RUNS = _runs().join(_UP, _UP.c.id == messages.c.id)

_PLACE = (
    select(messages.c.chat_id, messages.c.parent_id, chats.c.leaf_id)
    .join(chats, chats.c.id == messages.c.chat_id)
    .where(_OWN_MESSAGE)
)
_BRANCH = (
    select(_DOWN.c.id, runs.c.id.label("run_id"))
    .outerjoin(runs, runs.c.message_id == _DOWN.c.id)
    .order_by(runs.c.number)
)
_DELETE = delete(messages).where(messages.c.id.in_(select(_DOWN.c.id)))
_NEWEST = select(func.max(messages.c.id)).where(_OF_CHAT)
_NEWEST_BELOW = select(func.max(_DOWN.c.id))
_MOVE_LEAF = update(chats).where(*_OWN_CHAT)


def no_message(message_id: int) -> NotFound:
    """Return the error for a message that is not there, or not the caller's."""
    return NotFound(f"There is no message {message_id}.")


class Messages:
    """The messages of each user's chats. Another's message is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal, message_id: int) -> Message:
        """Return a message. Raises `NotFound`."""
        return await self._database.read(partial(_get, owner=principal.user_id, message_id=message_id))

    async def tree(self, principal: Principal, chat_id: int) -> Tree:
        """Return a chat and all its messages. Raises `NotFound`."""
        return await self._database.read(partial(_tree, owner=principal.user_id, chat_id=chat_id))

    async def path(self, principal: Principal, message_id: int) -> tuple[Message, ...]:
        """Return the messages from the root of the conversation to this one. Raises `NotFound`."""
        return await self._database.read(partial(_path, owner=principal.user_id, message_id=message_id))

    async def delete(self, principal: Principal, message_id: int) -> tuple[str, ...]:
        """Remove a message and all that follow it; return the ids of their runs, the oldest first.

        Where the chat's leaf was among them, it becomes the end of the newest branch that is left of its parent. The
        runs that still go on are the caller's to stop, and the events of all to remove. Raises `NotFound`.
        """
        return await self._database.write(partial(_delete, owner=principal.user_id, message_id=message_id))


def _get(connection: Connection, owner: int, message_id: int) -> Message:
    key = {"message": message_id, "owner": owner}
    row = first(connection.execute(_GET, key).first(), no_message(message_id))
    made_by = by_message(connection.execute(_GET_RUNS, key))
    return record(Message, row, runs=made_by.get(message_id, ()))


def _tree(connection: Connection, owner: int, chat_id: int) -> Tree:
    key = {"chat": chat_id, "owner": owner}
    chat = record(Chat, first(connection.execute(_CHAT, key).first(), no_chat(chat_id)))
    return Tree(chat, _all(connection, _TREE, _TREE_RUNS, key))


def _path(connection: Connection, owner: int, message_id: int) -> tuple[Message, ...]:
    found = _all(connection, _PATH, _PATH_RUNS, {"message": message_id, "owner": owner})
    if not found:
        raise no_message(message_id)
    return found


def _all(
    connection: Connection, what: Select[*tuple[Any, ...]], made_by: Select[int, str], key: dict[str, int]
) -> tuple[Message, ...]:
    rows = connection.execute(what, key).all()
    run_ids = by_message(connection.execute(made_by, key))
    return tuple(record(Message, row, runs=run_ids.get(row.id, ())) for row in rows)


def _delete(connection: Connection, owner: int, message_id: int) -> tuple[str, ...]:
    key = {"message": message_id, "owner": owner}
    place = first(connection.execute(_PLACE, key).first(), no_message(message_id))
    branch = connection.execute(_BRANCH, key).all()
    connection.execute(_DELETE, key)
    if any(row.id == place.leaf_id for row in branch):
        _move_leaf(connection, owner, place.chat_id, place.parent_id)
    return tuple(row.run_id for row in branch if row.run_id is not None)


def _move_leaf(connection: Connection, owner: int, chat_id: int, parent_id: int | None) -> None:
    # Ids count up, so the newest of all that is left below the parent is the end of a branch.
    if parent_id is None:
        newest = connection.scalar(_NEWEST, {"chat": chat_id, "owner": owner})
    else:
        newest = connection.scalar(_NEWEST_BELOW, {"message": parent_id, "owner": owner})
    connection.execute(_MOVE_LEAF, {"chat": chat_id, "owner": owner, "leaf_id": newest})
