"""This module tells machines how the server is: alive, ready, and in figures."""

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from headrace import __version__
from headrace.doors import views
from headrace.doors.house import caller_of, house_of
from headrace.doors.metrics import CONTENT_TYPE
from headrace.providers.port import State

__all__ = ["figures", "router"]

router = APIRouter(tags=["server"])
figures = APIRouter(tags=["server"])


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """The server is alive. What it is and whom it asks is told to those who say who they are."""

    status: str
    version: str | None = None
    providers: dict[str, State] | None = None


class Ready(msgspec.Struct, frozen=True):
    """Whether the server takes new work, and why not."""

    ready: bool
    reason: str | None


@router.get("/health", responses=views.returns(Health))
async def health(request: Request) -> Response:
    """Say that the process is alive, and, to those who may know, how its providers are. Always 200."""
    if caller_of(request) is None:
        return views.answer(Health("ok"))
    states = {health.provider.name: health.state for health in house_of(request).catalogue.health()}
    return views.answer(Health("ok", __version__, states))


@router.get("/ready", responses={**views.returns(Ready), 503: {"description": "Not now; the reason says why."}})
async def ready(request: Request) -> Response:
    """Say whether new work is taken: 200, or 503 while the server shuts down or its disk refuses writes."""
    house = house_of(request)
    reason = "shutting down" if house.engine.draining else house.journal.trouble
    return views.answer(Ready(reason is None, reason), status=200 if reason is None else 503)


@figures.get("/metrics", responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text format."}})
async def metrics(request: Request) -> Response:
    """Show the figures."""
    return Response(house_of(request).meter.text(), headers={"content-type": CONTENT_TYPE})
