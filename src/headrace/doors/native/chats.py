"""This module is the door to chats and their messages."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from headrace.doors import views
from headrace.doors.bodies import ChatBody, ChatChanges
from headrace.doors.house import house_of, principal_of
from headrace.store import records

__all__ = ["router"]

router = APIRouter(tags=["chats"])

Id = Annotated[int, Path(ge=1)]


@router.post("/chats", status_code=201, responses=views.returns(views.ChatView, status=201, text="The new chat."))
async def create_chat(request: Request, body: ChatBody | None = None) -> Response:
    """Make a chat."""
    body = body or ChatBody()
    chat = await house_of(request).conversations.create_chat(
        principal_of(request),
        title=body.title,
        model=body.model,
        system_prompt=body.system_prompt,
        parameters=body.parameters.given(),
    )
    return views.answer(views.chat_view(chat), status=201)


@router.get("/chats", responses=views.returns(views.ChatPage))
async def list_chats(
    request: Request,
    query: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    before: str | None = None,
) -> Response:
    """List the caller's chats, the last used first; with `query` those that have it in their title or a message."""
    house = house_of(request)
    page = await house.store.chats.list(principal_of(request), query=query, limit=limit, before=before)
    return views.answer(views.ChatPage(tuple(map(views.chat_view, page.items)), page.next))


@router.get("/chats/{chat_id}", responses=views.returns(views.TreeView))
async def get_chat(request: Request, chat_id: Id) -> Response:
    """Show a chat with its messages as a tree; one that is being made has its parts so far."""
    chat, shown = await house_of(request).conversations.tree(principal_of(request), chat_id)
    messages = [views.message_view(one.message, seq=one.seq) for one in shown]
    return views.answer(views.tree_view(chat, messages))


@router.patch("/chats/{chat_id}", responses=views.returns(views.ChatView))
async def change_chat(request: Request, chat_id: Id, body: ChatChanges) -> Response:
    """Change what is given of a chat."""
    given = {name: getattr(body, name) for name in body.model_fields_set}
    if "parameters" in given:
        given["parameters"] = body.parameters.given()
    changes = records.ChatChanges(**given)
    chat = await house_of(request).conversations.change_chat(principal_of(request), chat_id, changes)
    return views.answer(views.chat_view(chat))


@router.delete("/chats/{chat_id}", status_code=204)
async def delete_chat(request: Request, chat_id: Id) -> Response:
    """Remove a chat: its runs are stopped, its messages and all their events are gone."""
    await house_of(request).conversations.delete_chat(principal_of(request), chat_id)
    return Response(status_code=204)


@router.get("/messages/{message_id}", responses=views.returns(views.MessageView))
async def get_message(request: Request, message_id: Id) -> Response:
    """Show a message; one that is being made has its parts so far and `seq`, the last event that they hold."""
    shown = await house_of(request).conversations.message(principal_of(request), message_id)
    return views.answer(views.message_view(shown.message, seq=shown.seq))


@router.delete("/messages/{message_id}", status_code=204)
async def delete_message(request: Request, message_id: Id) -> Response:
    """Remove a message and all that follows it; the chat goes on from the message before it."""
    await house_of(request).conversations.delete_message(principal_of(request), message_id)
    return Response(status_code=204)
