"""This module finds out where a turn takes place, what was said there before, and whether there is room.

An answer in the making says `queued` in its row until its run ends. Whoever would build on it is told so: a model
would otherwise be told half an answer.
"""

from sqlalchemy import Connection, and_, bindparam, select

from headrace.core.errors import BadField, Conflict
from headrace.store import walks
from headrace.store.chats import no_chat
from headrace.store.columns import Id
from headrace.store.messages import no_message
from headrace.store.prepared import Prepared
from headrace.store.records import UNFINISHED
from headrace.store.rows import AnyRow, first
from headrace.store.schema import chats, messages, runs

__all__ = ["at_message", "in_chat", "path_to", "refuse_beside_unfinished"]

_OWNER = bindparam("owner", type_=Id)
_SAME_RUN = and_(runs.c.owner_id == _OWNER, runs.c.client_id == bindparam("client_id"))
_PLACE = (
    chats.c.id.label("chat_id"),
    chats.c.model,
    chats.c.system_prompt,
    chats.c.parameters,
    chats.c.leaf_id,
    runs.c.id.label("run_id"),
    runs.c.chat_id.label("run_chat_id"),
    runs.c.message_id.label("run_message_id"),
    runs.c.user_message_id,
    runs.c.model_requested,
    runs.c.parameters.label("run_parameters"),
    runs.c.continues,
    runs.c.body_hash,
)
_IN_CHAT = Prepared(
    select(*_PLACE)
    .select_from(chats.outerjoin(runs, _SAME_RUN))
    .where(chats.c.id == bindparam("chat"), chats.c.owner_id == _OWNER)
)
_AT_MESSAGE = Prepared(
    select(
        *_PLACE,
        messages.c.parent_id,
        messages.c.role,
        messages.c.status,
        messages.c.finish_reason,
        messages.c.model.label("answered_by"),
    )
    .select_from(messages.join(chats, chats.c.id == messages.c.chat_id).outerjoin(runs, _SAME_RUN))
    .where(messages.c.id == bindparam("message"), messages.c.owner_id == _OWNER)
)
_UP = walks.ancestors(
    and_(
        messages.c.id == bindparam("message"),
        messages.c.chat_id == bindparam("chat"),
        messages.c.owner_id == _OWNER,
    )
)
_PATH = Prepared(
    select(messages.c.id, messages.c.role, messages.c.parts, messages.c.status)
    .join(_UP, _UP.c.id == messages.c.id)
    .order_by(messages.c.id)
)
# The owner stands with the message: with the run, SQLite would go through all runs of that owner.
_UNFINISHED = (
    select(runs.c.id)
    .join(messages, messages.c.id == runs.c.message_id)
    .where(messages.c.owner_id == _OWNER, runs.c.ended_at.is_(None))
)
_UNFINISHED_AT = Prepared(_UNFINISHED.where(messages.c.id == bindparam("message")))
_UNFINISHED_BELOW = Prepared(_UNFINISHED.where(messages.c.parent_id == bindparam("message")))


def in_chat(connection: Connection, owner: int, chat_id: int, client_id: str | None) -> AnyRow:
    """Return the chat, and the run of the same `client_id` where there is one. Raises `NotFound`."""
    key = {"chat": chat_id, "owner": owner, "client_id": client_id}
    return first(_IN_CHAT.first(connection, key), no_chat(chat_id))


def at_message(connection: Connection, owner: int, message_id: int, client_id: str | None) -> AnyRow:
    """Return the same as `in_chat` for the chat of a message, with what matters of that message. Raises `NotFound`."""
    key = {"message": message_id, "owner": owner, "client_id": client_id}
    return first(_AT_MESSAGE.first(connection, key), no_message(message_id))


def path_to(connection: Connection, owner: int, chat_id: int, message_id: int | None) -> tuple[AnyRow, ...]:
    """Return the messages from the root to this one, none for None.

    Raises `BadField` where it is not in this chat, `Conflict` where one of them is still being made.
    """
    if message_id is None:
        return ()
    key = {"message": message_id, "chat": chat_id, "owner": owner}
    path = _PATH.all(connection, key)
    if not path:
        raise BadField(f"Message {message_id} is not in this chat.", field="parent_id")
    for row in path:
        if row.status == UNFINISHED:
            _refuse_unfinished(connection, _UNFINISHED_AT, owner, row.id)
    return tuple(path)


def refuse_beside_unfinished(connection: Connection, owner: int, question: int) -> None:
    """Raise `Conflict` where an answer to this message is still being made."""
    _refuse_unfinished(connection, _UNFINISHED_BELOW, owner, question)


def _refuse_unfinished(connection: Connection, statement: Prepared, owner: int, message_id: int) -> None:
    run = statement.first(connection, {"message": message_id, "owner": owner})
    if run is not None:
        raise Conflict(
            "This answer is still being made: wait for its end, or stop it.", code="chat_busy", run_id=run.id
        )
