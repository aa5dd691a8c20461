"""This module is the door of OpenAI's list of models.

Source: OpenAI's API reference, "Models".
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace.core.errors import NotFound
from headrace.doors import views
from headrace.doors.house import house_of
from headrace.formats.openai_models import Model, ModelList, model_list

__all__ = ["listed", "router"]

router = APIRouter(tags=["openai"])


@router.get("/models", responses=views.returns(ModelList))
async def list_models(request: Request) -> Response:
    """List the models that can answer now."""
    return views.answer(listed(request))


@router.get("/models/{model_id:path}", responses=views.returns(Model))
async def get_model(request: Request, model_id: str) -> Response:
    """Show one of them, also by another of its names."""
    target = house_of(request).catalogue.known(model_id)
    wanted = model_id if target is None else target.id
    found = next((model for model in listed(request).data if model.id == wanted), None)
    if found is None:
        raise NotFound(
            f"There is no model {model_id!r}. GET /v1/models lists those that there are.", code="unknown_model"
        )
    return views.answer(found)


def listed(request: Request) -> ModelList:
    """Return the models of all providers that are up, or loading."""
    usable = [entry for entry in house_of(request).catalogue.entries() if entry.state in {"up", "loading"}]
    return model_list((entry.id, entry.provider, entry.context_length) for entry in usable)
