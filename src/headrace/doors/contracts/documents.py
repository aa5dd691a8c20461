"""This module is the door of the chat about documents.

Source: "The five systems that Headrace replaces", "4. Documents". There are no documents yet: an answer has no sources,
and a request that names a document is refused.
"""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.core.errors import Conflict, NotAvailable
from headrace.doors import views
from headrace.doors.contracts import serving, sessions
from headrace.doors.contracts.serving import ChatPath
from headrace.doors.house import house_of
from headrace.formats.documents import Encoder

__all__ = ["router"]

router = APIRouter(tags=["documents"])


class Question(serving.Asking):
    """A question."""

    message: serving.Text
    document_id: Any = None


class Message(sessions.Message, frozen=True, kw_only=True):
    """A message and the sources that its text cites."""

    sources: list[dict[str, Any]]


class Config(msgspec.Struct, frozen=True):
    """What a front end has to know: whether answers are streamed."""

    streaming: bool


@router.post("/chat/sessions/{session_id}/messages/stream", responses=serving.STREAM)
async def stream_answer(request: Request, session_id: ChatPath, body: Question) -> Response:
    """Answer a question as the answer is made."""
    if not house_of(request).streaming:
        raise Conflict(
            f"Streaming is switched off here. Use POST /api/chat/sessions/{session_id}/messages instead.",
            code="streaming_disabled",
        )
    return await serving.stream(request, await _begun(request, session_id, body), Encoder(), door="documents")


@router.post("/chat/sessions/{session_id}/messages", responses=serving.WHOLE)
async def answer(request: Request, session_id: ChatPath, body: Question) -> Response:
    """Answer a question in one piece."""
    return await serving.whole(request, await _begun(request, session_id, body), Encoder(), door="documents")


@router.get("/chat/sessions", responses=sessions.LISTED)
async def list_sessions(request: Request) -> Response:
    """List the caller's chats, the last used first."""
    return sessions.rows([sessions.Session(**sessions.fields_of(chat)) for chat in await sessions.listed(request)])


@router.post(
    "/chat/sessions",
    status_code=201,
    responses=views.returns(sessions.Session, status=201, text="The new chat."),
)
async def create_session(request: Request, body: sessions.NewSession | None = None) -> Response:
    """Make a chat."""
    chat = await sessions.create(request, body)
    return views.answer(sessions.Session(**sessions.fields_of(chat)), status=201)


@router.get("/chat/sessions/{session_id}/messages", responses=sessions.LISTED)
async def list_messages(request: Request, session_id: ChatPath) -> Response:
    """List the messages of a chat, the first first."""
    _, messages = await sessions.messages_of(request, session_id)
    return sessions.rows([Message(**msgspec.structs.asdict(message), sources=[]) for message in messages])


@router.get("/config", responses=views.returns(Config))
async def config(request: Request) -> Response:
    """Tell a front end whether answers are streamed."""
    return views.answer(Config(streaming=house_of(request).streaming))


async def _begun(request: Request, chat_id: int, body: Question) -> str:
    if body.document_id is not None:
        raise NotAvailable("This version has no documents yet: leave `document_id` out.", field="document_id")
    return (await serving.begin(request, chat_id, body.message, serving.asked_for(body))).run_id
