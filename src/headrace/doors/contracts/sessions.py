"""This module shows chats and their messages as the contracts know them: lists without pages, times of ISO 8601."""

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import Request
from pydantic import StringConstraints
from starlette.responses import Response

from headrace.core.messages import text_of
from headrace.doors.contracts.serving import Asking
from headrace.doors.house import house_of, principal_of
from headrace.store import records
from headrace.store.rows import LIMIT_MAX

__all__ = ["LISTED", "Message", "NewSession", "Session", "create", "fields_of", "iso", "listed", "messages_of", "rows"]

LISTED: dict[int | str, dict[str, Any]] = {
    200: {"description": "All of the caller's, in one list.", "content": {"application/json": {}}}
}


class NewSession(Asking):
    """A new chat. `model` holds for its turns unless a turn says otherwise."""

    title: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A chat."""

    id: int
    title: str | None
    model: str | None
    created_at: str
    updated_at: str


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message. One that is being made has its text so far; `run_id` is the last run that made it."""

    id: int
    role: str
    content: str
    status: str
    model: str | None
    run_id: str | None
    created_at: str


async def create(request: Request, body: NewSession | None = None) -> records.Chat:
    """Make a chat."""
    body = body or NewSession()
    return await house_of(request).conversations.create_chat(principal_of(request), title=body.title, model=body.model)


async def listed(request: Request) -> list[records.Chat]:
    """Return all chats of the caller's, the last used first."""
    chats, principal = house_of(request).store.chats, principal_of(request)
    page = await chats.list(principal, limit=LIMIT_MAX)
    found = [*page.items]
    while page.next is not None:
        page = await chats.list(principal, limit=LIMIT_MAX, before=page.next)
        found += page.items
    return found


async def messages_of(request: Request, chat_id: int) -> tuple[records.Chat, list[Message]]:
    """Return a chat and the messages of the branch that is shown, from the first to the last. Raises `NotFound`."""
    chat, shown = await house_of(request).conversations.tree(principal_of(request), chat_id)
    all_messages = {each.message.id: each.message for each in shown}
    branch = []
    at = chat.leaf_id
    while at is not None:
        message = all_messages[at]
        branch.append(_message(message))
        at = message.parent_id
    return chat, branch[::-1]


def fields_of(chat: records.Chat) -> dict[str, Any]:
    """Return the fields of `Session`."""
    return {
        "id": chat.id,
        "title": chat.title,
        "model": chat.model,
        "created_at": iso(chat.created_at),
        "updated_at": iso(chat.updated_at),
    }


def rows(found: Sequence[msgspec.Struct]) -> Response:
    """Return a list as JSON."""
    return Response(msgspec.json.encode(found), media_type="application/json")


def iso(time_ms: int) -> str:
    """Return a time, in Unix milliseconds, in ISO 8601 with its zone."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")


def _message(message: records.Message) -> Message:
    return Message(
        id=message.id,
        role=message.role,
        content=text_of(message.parts),
        status=message.status,
        model=message.model,
        run_id=message.runs[-1] if message.runs else None,
        created_at=iso(message.created_at),
    )
