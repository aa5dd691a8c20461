"""This module is the door to the LAM studio's templates.

Source: "The five systems that Headrace replaces", "5. LAM studio". Templates are those of our own API; times are of ISO
8601, and a list is whole, the newest first. Fields that are not known are ignored.
"""

import datetime as dt

import msgspec
from fastapi import APIRouter, Request
from pydantic import ConfigDict
from starlette.responses import Response

from headrace.chat.templates import described
from headrace.doors import templates, views
from headrace.doors.bodies import TemplateBody, TemplateChanges
from headrace.doors.house import house_of, principal_of
from headrace.doors.templates import TemplateId
from headrace.store import records
from headrace.store.rows import LIMIT_MAX

__all__ = ["router"]

router = APIRouter(tags=["studio"])


class NewTemplate(TemplateBody):
    """A new template."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Changes(TemplateChanges):
    """What to change of a template."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """A template. `variables` are all that its text has, in their order; one without `default` needs a value."""

    id: int
    name: str
    description: str | None
    content: str
    variables: tuple[records.Variable, ...]
    created_at: str
    updated_at: str


@router.get(
    "/templates",
    responses={200: {"description": "All templates of the caller's.", "content": {"application/json": {}}}},
)
async def list_templates(request: Request) -> Response:
    """List all templates of the caller's, the newest first."""
    store, principal = house_of(request).store, principal_of(request)
    page = await store.templates.list(principal, limit=LIMIT_MAX)
    found = [*page.items]
    while page.next is not None:
        page = await store.templates.list(principal, limit=LIMIT_MAX, before=page.next)
        found += page.items
    return Response(msgspec.json.encode([_view(each) for each in found]), media_type="application/json")


@router.post("/templates", status_code=201, responses=views.returns(Template, status=201, text="The new template."))
async def create_template(request: Request, body: NewTemplate) -> Response:
    """Make a template."""
    return views.answer(_view(await templates.made(request, body)), status=201)


@router.get("/templates/{template_id}", responses=views.returns(Template))
async def get_template(request: Request, template_id: TemplateId) -> Response:
    """Show a template."""
    return views.answer(_view(await templates.found(request, template_id)))


@router.put("/templates/{template_id}", responses=views.returns(Template))
@router.patch("/templates/{template_id}", responses=views.returns(Template))
async def change_template(request: Request, template_id: TemplateId, body: Changes) -> Response:
    """Change what is given of a template."""
    return views.answer(_view(await templates.changed(request, template_id, body)))


@router.delete("/templates/{template_id}", status_code=204)
async def delete_template(request: Request, template_id: TemplateId) -> Response:
    """Remove a template."""
    await templates.remove(request, template_id)
    return Response(status_code=204)


def _view(template: records.Template) -> Template:
    return Template(
        id=template.id,
        name=template.name,
        description=template.description,
        content=template.content,
        variables=described(template),
        created_at=_iso(template.created_at),
        updated_at=_iso(template.updated_at),
    )


def _iso(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).isoformat(timespec="milliseconds")
