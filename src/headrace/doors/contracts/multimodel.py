"""This module is the door of the multi-model chat.

Source: "The five systems that Headrace replaces", "2. Multi-model".
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.doors import views
from headrace.doors.contracts import serving, sessions
from headrace.doors.contracts.serving import ChatPath
from headrace.formats.multimodel import Encoder

__all__ = ["router"]

router = APIRouter(tags=["multimodel"])


class Content(serving.Asking):
    """A message."""

    content: serving.Text


class Conversation(sessions.Session, frozen=True, kw_only=True):
    """A chat with its messages."""

    messages: list[sessions.Message]


@router.post("/chats/{chat_id}/generate-stream", responses=serving.STREAM)
async def stream_answer(request: Request, chat_id: ChatPath, body: Content) -> Response:
    """Answer a message as it is made, with events that tell which model does."""
    return await serving.stream(request, await _begun(request, chat_id, body), Encoder(), door="multimodel")


@router.post("/chats/{chat_id}/generate", responses=serving.WHOLE)
async def answer(request: Request, chat_id: ChatPath, body: Content) -> Response:
    """Answer a message in one piece."""
    return await serving.whole(request, await _begun(request, chat_id, body), Encoder(), door="multimodel")


@router.post("/chats", status_code=201, responses=views.returns(Conversation, status=201, text="The new chat."))
async def create_chat(request: Request, body: sessions.NewSession | None = None) -> Response:
    """Make a chat."""
    chat = await sessions.create(request, body)
    return views.answer(Conversation(**sessions.fields_of(chat), messages=[]), status=201)


@router.get("/chats", responses=sessions.LISTED)
async def list_chats(request: Request) -> Response:
    """List the caller's chats, the last used first."""
    return sessions.rows([sessions.Session(**sessions.fields_of(chat)) for chat in await sessions.listed(request)])


@router.get("/chats/{chat_id}", responses=views.returns(Conversation))
async def get_chat(request: Request, chat_id: ChatPath) -> Response:
    """Show a chat with its messages."""
    chat, messages = await sessions.messages_of(request, chat_id)
    return views.answer(Conversation(**sessions.fields_of(chat), messages=messages))


async def _begun(request: Request, chat_id: int, body: Content) -> str:
    return (await serving.begin(request, chat_id, body.content, serving.asked_for(body))).run_id
