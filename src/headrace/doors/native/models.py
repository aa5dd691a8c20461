"""This module is the door to models and providers: what there is."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from headrace.core.errors import NotAvailable
from headrace.doors import views
from headrace.doors.house import house_of

__all__ = ["router"]

router = APIRouter(tags=["models"])


class ModelBody(BaseModel):
    """Which model."""

    model: str


@router.get("/models", responses=views.returns(views.ModelList))
async def list_models(request: Request) -> Response:
    """List the models of all providers. A model's id is `provider/model`."""
    return views.answer(views.ModelList(tuple(house_of(request).catalogue.entries())))


@router.get("/providers", responses=views.returns(views.ProviderList))
async def list_providers(request: Request) -> Response:
    """List the providers, who found them, and what is down or off and why."""
    health = house_of(request).catalogue.health()
    return views.answer(views.ProviderList(tuple(map(views.provider_view, health))))


@router.post("/models/{act}", include_in_schema=False)
async def manage_model(act: Literal["warm", "load", "unload"], body: ModelBody) -> Response:
    """Refuse by name what a later version is to do: warm, load, unload."""
    del body
    raise NotAvailable(f"This version cannot {act} models over the API yet.", field="act")
