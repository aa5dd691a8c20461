"""This module is the door to templates: named prompts with variables, and their trying out."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from headrace.chat.templates import Use, described
from headrace.doors import templates, views
from headrace.doors.bodies import TemplateBody, TemplateChanges, TryBody
from headrace.doors.house import house_of, principal_of
from headrace.doors.native.turns import RESPONSES, LastEventId, asked_for, begun
from headrace.doors.templates import TemplateId
from headrace.store import records

__all__ = ["router"]

router = APIRouter(tags=["templates"])


class TemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A template. `variables` are all that its text has, in their order; one without `default` needs a value.

    Times are Unix milliseconds.
    """

    id: int
    owner_id: int
    name: str
    description: str | None
    content: str
    variables: tuple[records.Variable, ...]
    created_at: int
    updated_at: int


class TemplatePage(msgspec.Struct, frozen=True):
    """Templates, the newest first. `next` is the value of `before` for the next page."""

    templates: tuple[TemplateView, ...]
    next: str | None


@router.post("/templates", status_code=201, responses=views.returns(TemplateView, status=201, text="The new template."))
async def create_template(request: Request, body: TemplateBody) -> Response:
    """Make a template. A variable in its text is `{{name}}`; `{{content}}` is the text of the message."""
    return views.answer(_view(await templates.made(request, body)), status=201)


@router.get("/templates", responses=views.returns(TemplatePage))
async def list_templates(
    request: Request, limit: Annotated[int, Query(ge=1, le=200)] = 50, before: str | None = None
) -> Response:
    """List the caller's templates, the newest first."""
    page = await house_of(request).store.templates.list(principal_of(request), limit=limit, before=before)
    return views.answer(TemplatePage(tuple(map(_view, page.items)), page.next))


@router.get("/templates/{template_id}", responses=views.returns(TemplateView))
async def get_template(request: Request, template_id: TemplateId) -> Response:
    """Show a template."""
    return views.answer(_view(await templates.found(request, template_id)))


@router.patch("/templates/{template_id}", responses=views.returns(TemplateView))
async def change_template(request: Request, template_id: TemplateId, body: TemplateChanges) -> Response:
    """Change what is given of a template. Messages that were made from it stay as they are."""
    return views.answer(_view(await templates.changed(request, template_id, body)))


@router.delete("/templates/{template_id}", status_code=204)
async def delete_template(request: Request, template_id: TemplateId) -> Response:
    """Remove a template. Messages that were made from it stay as they are."""
    await templates.remove(request, template_id)
    return Response(status_code=204)


@router.post("/templates/{template_id}/try", status_code=202, responses=RESPONSES)
async def try_template(
    request: Request, template_id: TemplateId, body: TryBody | None = None, last_event_id: LastEventId = None
) -> Response:
    """Answer what a template makes of these values, in no chat.

    With `Accept: text/event-stream` the reply is the run's events; the caller's leaving does not stop the run.
    """
    house, body = house_of(request), body or TryBody()
    run = await house.turns.try_template(
        principal_of(request),
        Use(template_id, body.variables or {}),
        body.message(),
        asked_for(body),
        system_prompt=body.system_prompt,
    )
    turn = views.Turn(run_id=run.id, user_message_id=None, assistant_message_id=None, events=views.events_path(run.id))
    return await begun(request, house, turn, last_event_id)


def _view(template: records.Template) -> TemplateView:
    fields = msgspec.structs.asdict(template)
    return TemplateView(**{**fields, "variables": described(template)})
