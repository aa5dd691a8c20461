"""This module finds, makes and changes templates on behalf of a caller, for every door that shows them."""

from typing import Annotated

from fastapi import Path, Request

from headrace.chat.templates import Templates
from headrace.doors.bodies import TemplateBody, TemplateChanges
from headrace.doors.house import house_of, principal_of
from headrace.store.records import Template

__all__ = ["TemplateId", "changed", "found", "made", "remove"]

TemplateId = Annotated[int, Path(ge=1)]


async def found(request: Request, template_id: int) -> Template:
    """Return a template of the caller's. Raises `NotFound`."""
    return await house_of(request).store.templates.get(principal_of(request), template_id)


async def made(request: Request, body: TemplateBody) -> Template:
    """Store a new template of the caller's and return it. Raises `BadField` for a text or variables without sense."""
    return await _templates(request).create(
        principal_of(request),
        name=body.name,
        description=body.description,
        content=body.content,
        variables=[each.variable() for each in body.variables],
    )


async def changed(request: Request, template_id: int, body: TemplateChanges) -> Template:
    """Change what is given of a template of the caller's and return it. Raises `NotFound`, and `BadField` as `made`."""
    return await _templates(request).update(principal_of(request), template_id, body.changes())


async def remove(request: Request, template_id: int) -> None:
    """Remove a template of the caller's. Raises `NotFound`."""
    await house_of(request).store.templates.delete(principal_of(request), template_id)


def _templates(request: Request) -> Templates:
    house = house_of(request)
    return Templates(house.store, house.clock)
