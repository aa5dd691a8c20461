"""This module keeps chats."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Connection, bindparam, delete, insert, or_, select, tuple_, update

from headrace.core.errors import BadField, NotFound
from headrace.core.principal import Principal
from headrace.store import search
from headrace.store.database import Database
from headrace.store.records import Chat, ChatChanges, Page
from headrace.store.rows import CHAT, checked_limit, first, record
from headrace.store.schema import chats, messages, runs

__all__ = ["QUERY_MAX", "Chats", "no_chat"]

QUERY_MAX = 1000
"""Characters that a query may have; SQLite refuses patterns of more than 50,000 bytes."""

_OWN = chats.c.owner_id == bindparam("owner")
_OWN_CHAT = (chats.c.id == bindparam("chat"), _OWN)
_LAST = 2**63 - 1
# Time and id of the last chat that was shown; 18 digits fit into 64 bits.
_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")

_GET = select(*CHAT).where(*_OWN_CHAT)
_CREATE = insert(chats).returning(*CHAT)
_DELETE = delete(chats).where(*_OWN_CHAT)
_RUNS = (
    select(runs.c.id)
    .join(messages, runs.c.message_id == messages.c.id)
    .where(messages.c.chat_id == bindparam("chat"), messages.c.owner_id == bindparam("owner"))
    .order_by(runs.c.number)
)
_MESSAGE = select(messages.c.id).where(
    messages.c.id == bindparam("message"),
    messages.c.chat_id == bindparam("chat"),
    messages.c.owner_id == bindparam("owner"),
)
# A chat that changes between two pages moves to the front of the list; nothing is shown twice.
_LIST = (
    select(*CHAT)
    .where(
        _OWN,
        tuple_(chats.c.updated_at, chats.c.id)
        < tuple_(bindparam("updated_at", type_=BigInteger), bindparam("id", type_=BigInteger)),
    )
    .order_by(chats.c.updated_at.desc(), chats.c.id.desc())
    .limit(bindparam("limit"))
)
_FIND = _LIST.where(
    or_(
        chats.c.title_folded.like(bindparam("pattern"), escape=search.ESCAPE),
        select(messages.c.id)
        .where(
            messages.c.chat_id == chats.c.id,
            messages.c.text_folded.like(bindparam("pattern"), escape=search.ESCAPE),
        )
        .exists(),
    )
)


def no_chat(chat_id: int) -> NotFound:
    """Return the error for a chat that is not there, or not the caller's."""
    return NotFound(f"There is no chat {chat_id}.")


class Chats:
    """The chats of each user. Another's chat is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        principal: Principal,
        *,
        now_ms: int,
        title: str | None = None,
        model: str | None = None,
        system_prompt: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Chat:
        """Make an empty chat and return it."""
        values = {
            "owner_id": principal.user_id,
            "title": title,
            "title_folded": search.fold(title or ""),
            "model": model,
            "system_prompt": system_prompt,
            "parameters": parameters or {},
            "leaf_id": None,
            "created_at": now_ms,
            "updated_at": now_ms,
        }
        return await self._database.write(partial(_create, values=values))

    async def get(self, principal: Principal, chat_id: int) -> Chat:
        """Return a chat. Raises `NotFound`."""
        return await self._database.read(partial(_get, owner=principal.user_id, chat_id=chat_id))

    async def list(
        self, principal: Principal, *, query: str | None = None, limit: int = 50, before: str | None = None
    ) -> Page[Chat]:
        """Return up to `limit` (1 to 200) chats, the last changed first.

        With a query (up to `QUERY_MAX` characters), those that have it in their title or in the text of a message, in
        whatever case. `before` is the `next` of the page before this one. Raises `BadField`.
        """
        place = {"owner": principal.user_id, "limit": checked_limit(limit) + 1, **_place(before)}
        if query is not None and len(query) > QUERY_MAX:
            raise BadField(f"The query has more than {QUERY_MAX} characters.", field="query")
        return await self._database.read(partial(_list, query=query, limit=limit, place=place))

    async def update(self, principal: Principal, chat_id: int, changes: ChatChanges, *, now_ms: int) -> Chat:
        """Change what is given and return the chat.

        Its place in the list moves to the front, except where only another branch is looked at. Raises `NotFound`,
        and `BadField` for a leaf that is no message of this chat.
        """
        values = {name: value for name, value in msgspec.structs.asdict(changes).items() if value is not msgspec.UNSET}
        if set(values) - {"leaf_id"}:
            values["updated_at"] = now_ms
        if "title" in values:
            values["title_folded"] = search.fold(values["title"] or "")
        work = partial(_update, owner=principal.user_id, chat_id=chat_id, values=values)
        return await self._database.write(work)

    async def delete(self, principal: Principal, chat_id: int) -> tuple[str, ...]:
        """Remove a chat with all its messages and runs; return the ids of the runs, the oldest first.

        Those that still go on are the caller's to stop, and the events of all to remove. Raises `NotFound`.
        """
        return await self._database.write(partial(_delete, owner=principal.user_id, chat_id=chat_id))


def _create(connection: Connection, values: dict[str, Any]) -> Chat:
    return record(Chat, connection.execute(_CREATE, values).one())


def _get(connection: Connection, owner: int, chat_id: int) -> Chat:
    row = connection.execute(_GET, {"chat": chat_id, "owner": owner}).first()
    return record(Chat, first(row, no_chat(chat_id)))


def _list(connection: Connection, query: str | None, limit: int, place: dict[str, Any]) -> Page[Chat]:
    if query:
        rows = connection.execute(_FIND, {**place, "pattern": search.pattern(query)}).all()
    else:
        rows = connection.execute(_LIST, place).all()
    found = tuple(record(Chat, row) for row in rows[:limit])
    return Page(found, f"{found[-1].updated_at}.{found[-1].id}" if len(rows) > limit else None)


def _place(before: str | None) -> dict[str, int]:
    if before is None:
        return {"updated_at": _LAST, "id": _LAST}
    place = _CURSOR.fullmatch(before)
    if place is None:
        raise BadField("This is not the `next` of a page of chats.", field="before")
    return {"updated_at": int(place[1]), "id": int(place[2])}


def _update(connection: Connection, owner: int, chat_id: int, values: dict[str, Any]) -> Chat:
    chat = _get(connection, owner, chat_id)
    leaf_id = values.get("leaf_id")
    if leaf_id is not None:
        place = {"message": leaf_id, "chat": chat_id, "owner": owner}
        if connection.execute(_MESSAGE, place).first() is None:
            raise BadField(f"Message {leaf_id} is not in this chat.", field="leaf_id")
    if not values:
        return chat
    changed = update(chats).where(*_OWN_CHAT).values(values).returning(*CHAT)
    return record(Chat, connection.execute(changed, {"chat": chat_id, "owner": owner}).one())


def _delete(connection: Connection, owner: int, chat_id: int) -> tuple[str, ...]:
    place = {"chat": chat_id, "owner": owner}
    run_ids = tuple(connection.execute(_RUNS, place).scalars())
    if connection.execute(_DELETE, place).rowcount == 0:
        raise no_chat(chat_id)
    return run_ids
