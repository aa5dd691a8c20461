"""This module is the door of Relay: a completion, token by token, and a chat.

Source: "The five systems that Headrace replaces", "1. Relay". Its `/health` is the server's own.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.core.errors import HeadraceError
from headrace.core.messages import Message, TextPart
from headrace.doors.contracts import serving, sessions
from headrace.doors.house import house_of, principal_of
from headrace.formats.relay import ChatEncoder, GenerateEncoder
from headrace.store.records import Turn

__all__ = ["router"]

router = APIRouter(tags=["relay"])


class Prompt(serving.Asking):
    """What to complete; with `stream` token by token."""

    prompt: serving.Text
    stream: bool | None = None


class ChatMessage(serving.Asking):
    """A message; without `session_id` it begins a chat."""

    message: serving.Text
    session_id: serving.ChatId | None = None


@router.post("/generate/stream", responses=serving.STREAM)
async def stream_completion(request: Request, body: Prompt) -> Response:
    """Answer a prompt, outside every chat, token by token."""
    return await serving.stream(request, await _begun(request, body), GenerateEncoder(), door="relay")


@router.post("/generate", responses=serving.WHOLE)
async def complete(request: Request, body: Prompt) -> Response:
    """Answer a prompt, outside every chat, in one piece; with `stream` token by token."""
    serve = serving.stream if body.stream else serving.whole
    return await serve(request, await _begun(request, body), GenerateEncoder(), door="relay")


@router.post("/chat/stream", responses=serving.STREAM)
async def stream_chat(request: Request, body: ChatMessage) -> Response:
    """Answer a message of a chat, token by token."""
    turn = await (_first_turn(request, body) if body.session_id is None else _turn(request, body, body.session_id))
    return await serving.stream(request, turn.run_id, ChatEncoder(), door="relay")


async def _begun(request: Request, body: Prompt) -> str:
    messages = (Message("user", (TextPart(body.prompt),)),)
    run = await house_of(request).turns.alone(principal_of(request), messages, serving.asked_for(body))
    return run.id


async def _turn(request: Request, body: ChatMessage, chat_id: int) -> Turn:
    return await serving.begin(request, chat_id, body.message, serving.asked_for(body))


async def _first_turn(request: Request, body: ChatMessage) -> Turn:
    chat = await sessions.create(request)
    try:
        return await _turn(request, body, chat.id)
    except HeadraceError:
        # nobody is told the id of a chat in which nothing was said
        await house_of(request).store.chats.delete(principal_of(request), chat.id)
        raise
