"""This module stores chats that come from another program, each whole or not at all, and never twice."""

from functools import partial
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from headrace.core.messages import text_of
from headrace.core.principal import Principal
from headrace.formats.exported import Chat
from headrace.store import search
from headrace.store.database import Database
from headrace.store.schema import chats, messages

__all__ = ["Imports"]

_FIND = select(chats.c.id).where(chats.c.owner_id == bindparam("owner"), chats.c.source_id == bindparam("source_id"))
_ADD_CHAT = insert(chats).returning(chats.c.id)
_ADD_MESSAGE = insert(messages).returning(messages.c.id)
_SET_LEAF = update(chats).where(chats.c.id == bindparam("chat"), chats.c.owner_id == bindparam("owner"))


class Imports:
    """The imported chats of each user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, principal: Principal, chat: Chat, *, now_ms: int) -> int | None:
        """Store a chat with all its messages and return its id; None where the user has it already.

        It has the times that it had; what has none is of its chat's time, and that is otherwise now. All answers count
        as complete.
        """
        return await self._database.write(partial(_add, owner=principal.user_id, chat=chat, now_ms=now_ms))


def _add(connection: Connection, owner: int, chat: Chat, now_ms: int) -> int | None:
    if connection.execute(_FIND, {"owner": owner, "source_id": chat.source_id}).first() is not None:
        return None
    times = [message.created_at for message in chat.messages if message.created_at is not None]
    created_at = chat.created_at or min(times, default=now_ms)
    values: dict[str, Any] = {
        "owner_id": owner,
        "title": chat.title,
        "title_folded": search.fold(chat.title or ""),
        "system_prompt": chat.system_prompt,
        "parameters": {},
        "source_id": chat.source_id,
        "created_at": created_at,
        "updated_at": max(created_at, chat.updated_at or max(times, default=created_at)),
    }
    chat_id = connection.execute(_ADD_CHAT, values).scalar_one()
    ids = _add_messages(connection, owner, chat_id, chat, created_at)
    if chat.leaf is not None:
        connection.execute(_SET_LEAF, {"chat": chat_id, "owner": owner, "leaf_id": ids[chat.leaf]})
    return int(chat_id)


def _add_messages(connection: Connection, owner: int, chat_id: int, chat: Chat, created_at: int) -> list[int]:
    """Store the messages and return their ids, which count up as the schema wants it: parents come first."""
    ids: list[int] = []
    for message in chat.messages:
        at = message.created_at or created_at
        values = {
            "owner_id": owner,
            "chat_id": chat_id,
            "parent_id": ids[message.parent] if message.parent is not None else None,
            "author_id": owner if message.role == "user" else None,
            "role": message.role,
            "parts": message.parts,
            "status": "complete",
            "model": message.model,
            "finish_reason": "stop" if message.role == "assistant" else None,
            "text_folded": search.fold(text_of(message.parts)),
            "created_at": at,
            "updated_at": at,
        }
        ids.append(connection.execute(_ADD_MESSAGE, values).scalar_one())
    return ids
