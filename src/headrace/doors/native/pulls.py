"""This module is the door to downloads of models."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, StringConstraints
from starlette.responses import Response

from headrace.doors import views
from headrace.doors.house import house_of
from headrace.models.pulls import Pull

__all__ = ["router"]

router = APIRouter(tags=["models"])

PullId = Annotated[int, Path(ge=1)]


class PullBody(BaseModel):
    """Which model of the hub: `owner/repo/file.gguf`, `owner/repo:QUANT`, or `owner/repo` where that has one file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: Annotated[str, StringConstraints(min_length=1, max_length=400)]


@router.post(
    "/models/pull", status_code=202, responses=views.returns(Pull, status=202, text="The download goes on by itself.")
)
async def pull_model(request: Request, body: PullBody) -> Response:
    """Download a model from the hub of the settings; one that broke off goes on where it was."""
    return views.answer(await house_of(request).pulls.begin(body.model), status=202)


@router.get("/models/pulls", responses=views.returns(views.PullList))
async def list_pulls(request: Request) -> Response:
    """List the downloads of models since the server started, the newest first."""
    return views.answer(views.PullList(house_of(request).pulls.list()))


@router.get("/models/pulls/{pull_id}", responses=views.returns(Pull))
async def get_pull(request: Request, pull_id: PullId) -> Response:
    """Show one download."""
    return views.answer(house_of(request).pulls.get(pull_id))


@router.delete("/models/pulls/{pull_id}", responses=views.returns(Pull))
async def cancel_pull(request: Request, pull_id: PullId) -> Response:
    """Cancel a download. What has come stays, and pulling the model again goes on from there."""
    return views.answer(await house_of(request).pulls.cancel(pull_id))
