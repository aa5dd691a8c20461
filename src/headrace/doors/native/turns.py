"""This module is the door to turns: each of its requests starts a run and answers with it, or with its events."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Path, Request
from pydantic import ValidationError
from starlette.responses import Response

from headrace.chat.turns import Asked
from headrace.core.events import RunFailed
from headrace.doors import views
from headrace.doors.bodies import Generation, TurnBody
from headrace.doors.errors import reply_to_failure
from headrace.doors.heads import header_of
from headrace.doors.house import House, house_of, principal_of
from headrace.doors.native.runs import event_stream, resume_at
from headrace.store.records import Turn

__all__ = ["RESPONSES", "LastEventId", "asked_for", "begun", "direct_turn", "router"]

FATE_S = 0.04
"""How long a door waits for a run's fate before it sends 200."""

router = APIRouter(tags=["turns"])

RESPONSES = views.returns(views.Turn, status=202, text="The run goes on. With `Accept: text/event-stream`, 200.")
RESPONSES[200] = {"description": "The run's events as they are made.", "content": {"text/event-stream": {}}}

Id = Annotated[int, Path(ge=1)]
LastEventId = Annotated[str | None, Header()]


@router.post("/chats/{chat_id}/turns", status_code=202, responses=RESPONSES)
async def post_turn(request: Request, chat_id: Id, body: TurnBody, last_event_id: LastEventId = None) -> Response:
    """Store the user's message and start its answer.

    With `Accept: text/event-stream` the reply is the run's events; the caller's leaving does not stop the run.
    """
    house = house_of(request)
    parent_id = body.parent_id if "parent_id" in body.model_fields_set else msgspec.UNSET
    turn = await house.turns.begin(
        principal_of(request), chat_id, body.message(), asked_for(body), parent_id=parent_id, template=body.template()
    )
    return await _reply(request, house, turn, last_event_id)


@router.post("/messages/{message_id}/regenerate", status_code=202, responses=RESPONSES)
async def regenerate(
    request: Request, message_id: Id, body: Generation | None = None, last_event_id: LastEventId = None
) -> Response:
    """Make another answer beside this one. The old one stays."""
    house = house_of(request)
    turn = await house.turns.regenerate(principal_of(request), message_id, asked_for(body))
    return await _reply(request, house, turn, last_event_id)


@router.post("/messages/{message_id}/continue", status_code=202, responses=RESPONSES)
async def continue_message(
    request: Request, message_id: Id, body: Generation | None = None, last_event_id: LastEventId = None
) -> Response:
    """Go on with an answer that was stopped, failed, interrupted or cut by its length: the same message grows."""
    house = house_of(request)
    turn = await house.turns.resume(principal_of(request), message_id, asked_for(body))
    return await _reply(request, house, turn, last_event_id)


async def direct_turn(request: Request, chat: str) -> Response | None:
    """Do the same as `post_turn` for a body that is right in every way. See `doors.direct`."""
    if not (header_of(request, b"content-type") or "").startswith("application/json"):
        return None
    try:
        body = TurnBody.model_validate_json(await request.body())
    except ValidationError:
        return None
    return await post_turn(request, int(chat), body, header_of(request, b"last-event-id"))


def asked_for(body: Generation | None) -> Asked:
    """Return how the caller wants the answer made."""
    if body is None:
        return Asked()
    client_id = str(body.client_id) if body.client_id is not None else None
    return Asked(model=body.model, parameters=body.parameters.given(), client_id=client_id)


async def _reply(request: Request, house: House, turn: Turn, last_event_id: str | None) -> Response:
    view = views.Turn(
        run_id=turn.run_id,
        user_message_id=turn.user_message_id,
        assistant_message_id=turn.assistant_message_id,
        events=views.events_path(turn.run_id),
    )
    return await begun(request, house, view, last_event_id)


async def begun(request: Request, house: House, turn: views.Turn, last_event_id: str | None) -> Response:
    """Answer a request that has started a run: with its events where they are accepted, else with where they are."""
    if "text/event-stream" not in (header_of(request, b"accept") or ""):
        return views.answer(turn, status=202, headers={"headrace-run": turn.run_id})
    run = house.engine.get(turn.run_id)
    if run is not None:
        await run.told(FATE_S)
        if run.outcome is not None and isinstance(run.outcome.terminal, RunFailed):
            return reply_to_failure(run.outcome.terminal, turn.run_id)
    return event_stream(house, principal_of(request), turn.run_id, resume_at(last_event_id, -1))
