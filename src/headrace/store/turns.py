"""This module stores the beginning of a turn: the user's message, the answer to be made, its run.

Each call is one transaction that says no before it changes anything.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Required, TypedDict, Unpack

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection, bindparam, insert, update

from headrace.core.errors import Conflict
from headrace.core.messages import Message, Part, TextPart, text_of
from headrace.core.principal import Principal
from headrace.store import search
from headrace.store.columns import Id
from headrace.store.database import Database
from headrace.store.places import at_message, in_chat, path_to, refuse_beside_unfinished
from headrace.store.prepared import Prepared
from headrace.store.records import UNFINISHED, Turn
from headrace.store.rows import AnyRow
from headrace.store.runs import NO_MODEL, client_id_reused
from headrace.store.schema import chats, messages, runs

__all__ = ["Asked", "Turns"]

_OWNER = bindparam("owner", type_=Id)
_ADD_MESSAGE = Prepared(
    insert(messages).returning(messages.c.id),
    "owner_id",
    "chat_id",
    "parent_id",
    "author_id",
    "role",
    "parts",
    "status",
    "created_at",
    "updated_at",
    "text_folded",
)
_ADD_RUN = Prepared(
    insert(runs),
    "id",
    "owner_id",
    "chat_id",
    "message_id",
    "user_message_id",
    "status",
    "model_requested",
    "parameters",
    "continues",
    "created_at",
    "client_id",
    "body_hash",
)
_UPDATE_CHAT = Prepared(
    update(chats).where(chats.c.id == bindparam("chat"), chats.c.owner_id == _OWNER), "leaf_id", "updated_at"
)
_REOPEN_MESSAGE = Prepared(
    update(messages).where(messages.c.id == bindparam("message"), messages.c.owner_id == _OWNER),
    "status",
    "error",
    "finish_reason",
    "updated_at",
)

_CUT = ("stopped", "failed", "interrupted")


class Asked(TypedDict, total=False):
    """What is said of the run of a turn.

    `run_id` is a new id, `now_ms` the time; `parameters` go over the chat's. `client_id` is the caller's own name for
    the call: the same again, with the same `body_hash` and in the same chat, stores nothing and returns the turn of
    the first time; with anything else it is a `Conflict`, `client_id_reused`.
    """

    run_id: Required[str]
    now_ms: Required[int]
    model: str | None
    parameters: Mapping[str, Any] | None
    client_id: str | None
    body_hash: str | None


class Turns:
    """The turns of each user's chats."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        principal: Principal,
        chat_id: int,
        *,
        parts: Sequence[Part],
        parent_id: int | UnsetType | None = UNSET,
        **asked: Unpack[Asked],
    ) -> Turn:
        """Store the user's message below `parent_id`, below it an answer to be made, and its run.

        Left out, the parent is the chat's leaf; None begins a conversation anew. The answer becomes the leaf. Raises
        `NotFound`; `BadField` for a parent that is not in this chat; `Conflict`: `client_id_reused`, or `chat_busy`
        with the `run_id` where an answer above is still being made.
        """
        ask = _Ask(owner=principal.user_id, **asked)
        work = partial(_begin, ask=ask, chat_id=chat_id, parts=tuple(parts), parent_id=parent_id)
        return await self._database.write_short(work)

    async def regenerate(self, principal: Principal, message_id: int, **asked: Unpack[Asked]) -> Turn:
        """Store one more answer and its run: beside an answer, or below a user's message.

        It becomes the leaf. Raises `NotFound`; `Conflict`: `client_id_reused`, or `chat_busy` with the `run_id` where
        an answer above or beside it is still being made.
        """
        ask = _Ask(owner=principal.user_id, **asked)
        return await self._database.write_short(partial(_regenerate, ask=ask, message_id=message_id))

    async def resume(self, principal: Principal, message_id: int, **asked: Unpack[Asked]) -> Turn:
        """Store a run that goes on with an answer which was stopped, failed, interrupted or ended for its length.

        Where no model is named, it is the one that answered. The history ends with the text so far, or, where there
        is none, with what is to be answered. Raises `NotFound`; `Conflict`: `not_continuable` for any other message,
        `client_id_reused`, or `chat_busy` with the `run_id` where it or an answer above is still being made.
        """
        ask = _Ask(owner=principal.user_id, **asked)
        return await self._database.write_short(partial(_resume, ask=ask, message_id=message_id))


class _Ask(msgspec.Struct, frozen=True, kw_only=True):
    """See `Asked`."""

    owner: int
    run_id: str
    now_ms: int
    model: str | None = None
    parameters: Mapping[str, Any] | None = None
    client_id: str | None = None
    body_hash: str | None = None


def _begin(
    connection: Connection, ask: _Ask, chat_id: int, parts: tuple[Part, ...], parent_id: int | UnsetType | None
) -> Turn:
    place = in_chat(connection, ask.owner, chat_id, ask.client_id)
    if place.run_id is not None:
        return _begun_before(place, ask)
    parent = place.leaf_id if parent_id is UNSET else parent_id
    path = path_to(connection, ask.owner, chat_id, parent)
    question = _add_message(
        connection,
        ask,
        chat_id=chat_id,
        parent_id=parent,
        author_id=ask.owner,
        role="user",
        parts=parts,
        status="complete",
        text_folded=search.fold(text_of(parts)),
    )
    return _answer(connection, ask, place, question, (*_history(place, path), Message("user", parts)))


def _regenerate(connection: Connection, ask: _Ask, message_id: int) -> Turn:
    place = at_message(connection, ask.owner, message_id, ask.client_id)
    if place.run_id is not None:
        return _begun_before(place, ask)
    question = place.parent_id if place.role == "assistant" else message_id
    path = path_to(connection, ask.owner, place.chat_id, question)
    refuse_beside_unfinished(connection, ask.owner, question)
    return _answer(connection, ask, place, question, _history(place, path))


def _resume(connection: Connection, ask: _Ask, message_id: int) -> Turn:
    place = at_message(connection, ask.owner, message_id, ask.client_id)
    if place.run_id is not None:
        return _begun_before(place, ask)
    *above, answer = path_to(connection, ask.owner, place.chat_id, message_id)
    if place.role != "assistant" or not (place.status in _CUT or place.finish_reason == "length"):
        raise Conflict("There is nothing to continue: this message is complete.", code="not_continuable")
    reopened = {"status": UNFINISHED, "error": None, "finish_reason": None, "updated_at": ask.now_ms}
    _REOPEN_MESSAGE.run(connection, {"message": message_id, "owner": ask.owner, **reopened})
    so_far = Message("assistant", tuple(part for part in answer.parts if isinstance(part, TextPart) and part.text))
    turn = Turn(
        run_id=ask.run_id,
        chat_id=place.chat_id,
        user_message_id=place.parent_id,
        assistant_message_id=message_id,
        created=True,
        history=(*_history(place, above), *((so_far,) if so_far.parts else ())),
        model=ask.model or place.answered_by or place.model,
        parameters=_parameters(place, ask),
        continues=bool(so_far.parts),
    )
    return _started(connection, ask, turn, continues=True, leaf_id=place.leaf_id)


def _answer(connection: Connection, ask: _Ask, place: AnyRow, question: int, history: tuple[Message, ...]) -> Turn:
    answer = _add_message(
        connection,
        ask,
        chat_id=place.chat_id,
        parent_id=question,
        author_id=None,
        role="assistant",
        parts=(),
        status=UNFINISHED,
        text_folded="",
    )
    turn = Turn(
        run_id=ask.run_id,
        chat_id=place.chat_id,
        user_message_id=question,
        assistant_message_id=answer,
        created=True,
        history=history,
        model=ask.model or place.model,
        parameters=_parameters(place, ask),
    )
    return _started(connection, ask, turn, continues=False, leaf_id=answer)


def _begun_before(place: AnyRow, ask: _Ask) -> Turn:
    if place.body_hash != ask.body_hash or place.run_chat_id != place.chat_id:
        raise client_id_reused(ask.client_id)
    return Turn(
        run_id=place.run_id,
        chat_id=place.chat_id,
        user_message_id=place.user_message_id,
        assistant_message_id=place.run_message_id,
        created=False,
        history=(),
        model=None if place.model_requested == NO_MODEL else place.model_requested,
        parameters=place.run_parameters,
        continues=place.continues,
    )


def _history(place: AnyRow, path: Iterable[AnyRow]) -> tuple[Message, ...]:
    """Return what a model is told of the messages before: an answer of which nothing was made is left out."""
    system = (Message("system", (TextPart(place.system_prompt),)),) if place.system_prompt else ()
    return (*system, *(Message(row.role, row.parts) for row in path if row.parts or row.role != "assistant"))


def _parameters(place: AnyRow, ask: _Ask) -> dict[str, Any]:
    return {**place.parameters, **(ask.parameters or {})}


def _add_message(connection: Connection, ask: _Ask, **values: Any) -> int:
    times = {"created_at": ask.now_ms, "updated_at": ask.now_ms}
    message_id: int = _ADD_MESSAGE.first(connection, {"owner_id": ask.owner, **times, **values}).id
    return message_id


def _started(connection: Connection, ask: _Ask, turn: Turn, *, continues: bool, leaf_id: int) -> Turn:
    """Store the run, move the chat to the front of the list and return the turn."""
    run = {
        "id": turn.run_id,
        "owner_id": ask.owner,
        "chat_id": turn.chat_id,
        "message_id": turn.assistant_message_id,
        "user_message_id": turn.user_message_id,
        "status": UNFINISHED,
        "model_requested": turn.model or NO_MODEL,
        "parameters": turn.parameters,
        "continues": continues,
        "created_at": ask.now_ms,
        "client_id": ask.client_id,
        "body_hash": ask.body_hash,
    }
    _ADD_RUN.run(connection, run)
    chat = {"leaf_id": leaf_id, "updated_at": ask.now_ms}
    _UPDATE_CHAT.run(connection, {"chat": turn.chat_id, "owner": ask.owner, **chat})
    return turn
