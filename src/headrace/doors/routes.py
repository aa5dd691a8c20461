"""This module is the one table of all routes, and makes the application from it."""

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from headrace import __version__
from headrace.doors import docs, errors, health
from headrace.doors.direct import Direct, Route
from headrace.doors.house import House
from headrace.doors.native import chats, models, notices, runs, turns

__all__ = ["DIRECT", "ROUTES", "application", "entrance"]

ROUTES: tuple[tuple[str, APIRouter], ...] = (
    ("/api/v1", chats.router),
    ("/api/v1", turns.router),
    ("/api/v1", runs.router),
    ("/api/v1", models.router),
    ("/api/v1", notices.router),
    ("", health.router),
)
"""Where each door stands."""


DIRECT = (Route("/api/v1/chats/", "/turns", turns.direct_turn),)
"""Those of them that begin an answer; see `doors.direct`."""


def entrance(house: House) -> ASGIApp:
    """Return the application with the short way in."""
    return Direct(application(house), DIRECT)


def application(house: House) -> FastAPI:
    """Return the ASGI application of all doors."""
    app = FastAPI(
        title="Headrace",
        version=__version__,
        description="A streaming server for LLM chat in which no token is ever lost.",
        openapi_url=docs.OPENAPI_URL,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.house = house
    for prefix, router in ROUTES:
        app.include_router(router, prefix=prefix)
    errors.install(app)
    docs.install(app)
    return app
