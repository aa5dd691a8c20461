"""This module is the door of the LAM studio's chatbot; `studio_templates` has its templates.

Source: "The five systems that Headrace replaces", "5. LAM studio". Where there is a provider `lam`, it answers unless
the request or the chat names a model.
"""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field, StringConstraints
from starlette.responses import Response

from headrace.chat.templates import Use
from headrace.chat.turns import Asked
from headrace.core.messages import text_of
from headrace.doors import views
from headrace.doors.contracts import serving, sessions
from headrace.doors.contracts.encoders import session_keys
from headrace.doors.contracts.serving import ChatPath
from headrace.doors.house import house_of, principal_of
from headrace.formats import studio
from headrace.store import records

__all__ = ["PROVIDER", "router"]

PROVIDER = "lam"
"""The provider that is asked first, by whatever model it lists."""

_UNLISTED = f"{PROVIDER}/default"  # llama.cpp's server has one model and answers to every name

router = APIRouter(tags=["studio"])


class Content(serving.Asking):
    """A message; with a template it is what that makes of it. `system_prompt` stands in for the chat's."""

    session_id: serving.ChatId
    content: serving.Text
    temperature: Annotated[float, Field(ge=0, le=5)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    system_prompt: Annotated[str, StringConstraints(max_length=100_000)] | None = None
    template_id: Annotated[int, Field(ge=1, strict=False)] | None = None
    variables: dict[str, str] = Field(default_factory=dict)


class Session(sessions.Session, frozen=True, kw_only=True):
    """A chat; `session_key` is its handle."""

    session_key: str


@router.post("/messages/stream", responses=serving.STREAM)
async def stream_answer(request: Request, body: Content) -> Response:
    """Answer a message as it is made."""
    key = (await session_keys(house_of(request)))(body.session_id)
    turn = await _begun(request, body)
    return await serving.stream(request, turn.run_id, studio.Encoder(session_key=key), door="studio")


@router.post("/messages", responses=serving.WHOLE)
async def answer(request: Request, body: Content) -> Response:
    """Answer a message in one piece."""
    turn = await _begun(request, body)
    messages, principal = house_of(request).store.messages, principal_of(request)
    said, made = (await messages.path(principal, turn.assistant_message_id))[-2:]
    question = studio.Message(said.id, "user", text_of(said.parts), sessions.iso(said.created_at))
    encoder = studio.ReplyEncoder(user_message=question, created_at=sessions.iso(made.created_at))
    return await serving.whole(request, turn.run_id, encoder, door="studio")


@router.get("/sessions", responses=sessions.LISTED)
async def list_sessions(request: Request) -> Response:
    """List the caller's chats, the last used first."""
    key = await session_keys(house_of(request))
    chats = await sessions.listed(request)
    return sessions.rows([Session(**sessions.fields_of(chat), session_key=key(chat.id)) for chat in chats])


@router.post("/sessions", status_code=201, responses=views.returns(Session, status=201, text="The new chat."))
async def create_session(request: Request, body: sessions.NewSession | None = None) -> Response:
    """Make a chat."""
    key = await session_keys(house_of(request))
    chat = await sessions.create(request, body)
    return views.answer(Session(**sessions.fields_of(chat), session_key=key(chat.id)), status=201)


@router.get("/sessions/{session_id}/messages", responses=sessions.LISTED)
async def list_messages(request: Request, session_id: ChatPath) -> Response:
    """List the messages of a chat, the first first."""
    _, messages = await sessions.messages_of(request, session_id)
    return sessions.rows(messages)


async def _begun(request: Request, body: Content) -> records.Turn:
    given = body.model_dump(include={"temperature", "top_p", "max_tokens"}, exclude_none=True)
    return await serving.begin(
        request,
        body.session_id,
        body.content,
        Asked(model=body.model or await _own_model(request, body.session_id), parameters=given),
        template=Use(body.template_id, body.variables) if body.template_id is not None else None,
        system_prompt=body.system_prompt,
    )


async def _own_model(request: Request, chat_id: int) -> str | None:
    """Return the model of the provider `lam`; None where there is no such provider, or the chat names a model."""
    house = house_of(request)
    if all(health.provider.name != PROVIDER for health in house.catalogue.health()):
        return None
    if (await house.store.chats.get(principal_of(request), chat_id)).model is not None:
        return None
    return next((entry.id for entry in house.catalogue.entries() if entry.provider == PROVIDER), _UNLISTED)
