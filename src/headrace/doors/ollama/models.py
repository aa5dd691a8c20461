"""This module is the door of Ollama's lists: which models there are, which answer now, and what is not done here.

Source: Ollama, `docs/api.md`.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from headrace import __version__
from headrace.core.errors import NotFound, NotImplementedHere, ProviderError
from headrace.doors.house import house_of, principal_of
from headrace.doors.ollama.chat import BODY
from headrace.formats import ollama_listing
from headrace.formats.asking import checked, object_in

__all__ = ["refusals", "root", "router"]

router = APIRouter(tags=["ollama"])

root = APIRouter(tags=["ollama"])
"""What clients ask to see whether anybody is there."""

refusals = APIRouter(tags=["ollama"])

_INSTEAD = {
    "copy": "Give a model another name in the settings: `aliases` in [models].",
    "create": "Headrace makes no models: put a GGUF file into the folder `models` of the data folder.",
    "delete": "Remove the model's file from the folder `models` of the data folder.",
    "embeddings": "Ask for vectors at /api/embed.",
    "pull": "Pull models with `headrace pull`, or POST /api/v1/models/pull.",
    "push": "Headrace publishes no models.",
}


class _Named(msgspec.Struct):
    model: str = ""
    name: str = ""  # as older clients say it


@router.get("/tags")
async def list_tags(request: Request) -> Response:
    """List the models that can answer now."""
    entries = house_of(request).catalogue.entries()
    return _json(ollama_listing.tags(entry.id for entry in entries if entry.state in {"up", "loading"}))


@router.post("/show", openapi_extra=BODY)
async def show(request: Request) -> Response:
    """Show what is known of a model."""
    named = checked(object_in(await request.body()), _Named)
    house = house_of(request)
    try:
        target = await house.catalogue.resolve(named.model or named.name)
    except ProviderError as error:
        raise NotFound(error.message) from error
    entry = next((entry for entry in house.catalogue.entries() if entry.id == target.id), None)
    return _json(ollama_listing.show(entry.context_length if entry is not None else None))


@router.get("/ps")
async def list_processes(request: Request) -> Response:
    """List the models that make answers of the caller's now."""
    owner = principal_of(request, "models").user_id
    going = {run.model for run in house_of(request).engine.active() if run.spec.owner == owner and run.model}
    return _json({"models": [ollama_listing.process(name) for name in sorted(going)]})


@router.get("/version")
async def version() -> Response:
    """Tell which version of Ollama's API is spoken here, and after the plus whose it is."""
    return _json({"version": f"{ollama_listing.VERSION}+headrace.{__version__}"})


@root.api_route("", methods=["GET", "HEAD"], include_in_schema=False)
async def alive() -> Response:
    """Say that somebody is there."""
    return PlainTextResponse("Headrace is running")


def _refusing(act: str, instead: str) -> Callable[[], Awaitable[Response]]:
    async def refuse() -> Response:
        raise NotImplementedHere(f"Headrace has no /api/{act}. {instead}")

    refuse.__doc__ = f"Refuse by name. {instead}"
    return refuse


for _act, _instead in _INSTEAD.items():
    _methods = ["DELETE" if _act == "delete" else "POST"]
    refusals.add_api_route(f"/{_act}", _refusing(_act, _instead), methods=_methods, include_in_schema=False)


def _json(said: Any) -> Response:
    return Response(msgspec.json.encode(said), media_type="application/json")
