"""This module is the one table of all routes, and makes the application from it."""

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from headrace import __version__
from headrace.core.principal import Scope
from headrace.doors import docs, errors, health, page
from headrace.doors.contracts import documents, multimodel, relay, studio, studio_templates, tutor
from headrace.doors.direct import Direct, Route
from headrace.doors.house import House, needs
from headrace.doors.native import chats, models, notices, pulls, runs, session, templates, tokens, turns, users
from headrace.doors.ollama import chat as ollama_chat
from headrace.doors.ollama import embeddings as ollama_embeddings
from headrace.doors.ollama import models as ollama_models
from headrace.doors.openai import chat as openai_chat
from headrace.doors.openai import embeddings as openai_embeddings
from headrace.doors.openai import models as openai_models

__all__ = ["DIRECT", "ROUTES", "application", "entrance"]

ROUTES: tuple[tuple[str, APIRouter, Scope | None], ...] = (
    ("/api/v1", chats.router, "chat"),
    ("/api/v1", turns.router, "chat"),
    ("/api/v1", runs.router, "chat"),
    ("/api/v1", templates.router, "chat"),
    ("/api/v1", pulls.router, "admin"),  # before the models: `/models/pull` is no act of theirs
    ("/api/v1", models.router, "models"),
    ("/api/v1", notices.router, "chat"),
    ("/api/v1", users.router, "admin"),
    ("/api/v1", tokens.router, None),
    ("/api/v1", session.router, None),
    ("/api", relay.router, "chat"),
    ("/api", multimodel.router, "chat"),
    ("", tutor.router, "chat"),
    ("/api", documents.router, "chat"),
    ("/api/chatbot", studio.router, "chat"),
    ("/api/chatbot", studio_templates.router, "chat"),
    ("/v1", openai_chat.router, "chat"),
    ("/v1", openai_embeddings.router, "chat"),
    ("/v1", openai_models.router, "models"),
    *(
        route
        for prefix in ("/ollama/api", "/api")
        for route in (
            (prefix, ollama_chat.router, "chat"),
            (prefix, ollama_embeddings.router, "chat"),
            (prefix, ollama_models.router, "models"),
            (prefix, ollama_models.refusals, "models"),
        )
    ),
    ("/ollama/api", ollama_chat.completions, "chat"),
    ("/ollama", ollama_models.root, None),
    ("", health.router, None),
    ("", health.figures, "admin"),
)
"""Where each door stands, and what its callers need; None: its routes decide."""


DIRECT = (
    Route("/api/v1/chats/", "/turns", turns.direct_turn),
    Route("/v1/chat/completions", "", openai_chat.direct_completion),
)
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
        responses={"4XX": {"description": "A refusal."}, "5XX": {"description": "A failure."}},
    )
    app.state.house = house
    for prefix, router, scope in ROUTES:
        app.include_router(router, prefix=prefix, dependencies=[Depends(needs(scope))] if scope is not None else None)
    errors.install(app)
    docs.install(app)
    page.install(app)
    return app
