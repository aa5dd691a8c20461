"""This module is the table of all routes: what each needs, what it answers to whom, and how to call it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, product
from typing import Any, NamedTuple, cast

from starlette.routing import Route

from headrace.core.principal import Scope
from headrace.doors.house import House
from headrace.doors.routes import ROUTES, application

__all__ = ["OTHER_PLACES", "OWNED", "TABLE", "Call", "Ids", "Row", "calls", "filled", "is_owned", "places", "routes"]


@dataclass(frozen=True)
class Row:
    """What is expected of a route: which scope its callers need, None where all who are signed in may call it; what
    answers those who may; what to send. `open` needs nobody. With `anybodys` an admin may do it to others' things too.
    """

    scope: Scope | None
    status: int = 200
    body: Any = None
    open: bool = False
    anybodys: bool = False
    query: str = ""


ECHO = "script/echo"
TUTOR = {"user_message": "x", "language": "spanish", "difficulty_level": "A1", "model": ECHO}

_ASKING = {"model": ECHO, "messages": [{"role": "user", "content": "x"}]}

# `$name` is a new name, `$token` the caller's token, `$chat_id` a chat of the owner's: each of them in turn
TABLE: Mapping[str, Row] = {
    "GET /": Row(None, open=True),
    "GET /chat": Row(None, open=True),
    "GET /chat/{number:int}": Row(None, open=True),
    "GET /page/{name:path}": Row(None, 404, open=True),
    "GET /welcome": Row(None, open=True),
    "GET /welcome.css": Row(None, open=True),
    "GET /welcome.js": Row(None, open=True),
    "GET /health": Row(None, open=True),
    "GET /ready": Row(None, open=True),
    "GET /metrics": Row("admin"),
    "GET /docs": Row(None),
    "GET /docs/assets/{name}": Row(None),
    "GET /openapi.json": Row(None),
    "POST /api/v1/chats": Row("chat", 201, {"title": "x"}),
    "GET /api/v1/chats": Row("chat"),
    "GET /api/v1/chats/{chat_id}": Row("chat"),
    "PATCH /api/v1/chats/{chat_id}": Row("chat", body={"title": "x"}),
    "DELETE /api/v1/chats/{chat_id}": Row("chat", 204),
    "POST /api/v1/chats/{chat_id}/turns": Row("chat", 202, {"content": "x", "model": ECHO}),
    "GET /api/v1/messages/{message_id}": Row("chat"),
    "DELETE /api/v1/messages/{message_id}": Row("chat", 204),
    "POST /api/v1/messages/{message_id}/regenerate": Row("chat", 202, {"model": ECHO}),
    "POST /api/v1/messages/{message_id}/continue": Row("chat", 202, {"model": ECHO}),
    "GET /api/v1/runs": Row("chat"),
    "GET /api/v1/runs/{run_id}": Row("chat"),
    "POST /api/v1/runs/{run_id}/stop": Row("chat"),
    "GET /api/v1/runs/{run_id}/events": Row("chat"),
    "GET /api/v1/events": Row("chat", 422, query="?follow=!"),
    "POST /api/v1/templates": Row("chat", 201, {"name": "x", "content": "x"}),
    "GET /api/v1/templates": Row("chat"),
    "GET /api/v1/templates/{template_id}": Row("chat"),
    "PATCH /api/v1/templates/{template_id}": Row("chat", body={"name": "x"}),
    "DELETE /api/v1/templates/{template_id}": Row("chat", 204),
    "POST /api/v1/templates/{template_id}/try": Row("chat", 202, {"content": "x", "model": ECHO}),
    "GET /api/chatbot/templates": Row("chat"),
    "POST /api/chatbot/templates": Row("chat", 201, {"name": "x", "content": "x"}),
    "GET /api/chatbot/templates/{template_id}": Row("chat"),
    "PATCH /api/chatbot/templates/{template_id}": Row("chat", body={"name": "x"}),
    "PUT /api/chatbot/templates/{template_id}": Row("chat", body={"name": "x"}),
    "DELETE /api/chatbot/templates/{template_id}": Row("chat", 204),
    "POST /api/generate": Row("chat", body={"prompt": "x", "model": ECHO}),
    "POST /api/generate/stream": Row("chat", body={"prompt": "x", "model": ECHO}),
    "POST /api/chat/stream": Row("chat", body={"message": "x", "session_id": "$chat_id", "model": ECHO}),
    "POST /api/chats": Row("chat", 201, {"title": "x"}),
    "GET /api/chats": Row("chat"),
    "GET /api/chats/{chat_id}": Row("chat"),
    "POST /api/chats/{chat_id}/generate": Row("chat", body={"content": "x", "model": ECHO}),
    "POST /api/chats/{chat_id}/generate-stream": Row("chat", body={"content": "x", "model": ECHO}),
    "POST /chat": Row("chat", body={"conversation_id": "$chat_id", **TUTOR}),
    "POST /chat/stream": Row("chat", body={"conversation_id": "$chat_id", **TUTOR}),
    "GET /api/config": Row("chat"),
    "POST /api/chat/sessions": Row("chat", 201, {"title": "x"}),
    "GET /api/chat/sessions": Row("chat"),
    "GET /api/chat/sessions/{session_id}/messages": Row("chat"),
    "POST /api/chat/sessions/{session_id}/messages": Row("chat", body={"message": "x", "model": ECHO}),
    "POST /api/chat/sessions/{session_id}/messages/stream": Row("chat", body={"message": "x", "model": ECHO}),
    "POST /api/chatbot/sessions": Row("chat", 201, {"title": "x"}),
    "GET /api/chatbot/sessions": Row("chat"),
    "GET /api/chatbot/sessions/{session_id}/messages": Row("chat"),
    "POST /api/chatbot/messages": Row("chat", body={"session_id": "$chat_id", "content": "x", "model": ECHO}),
    "POST /api/chatbot/messages/stream": Row("chat", body={"session_id": "$chat_id", "content": "x", "model": ECHO}),
    "GET /api/v1/models": Row("models"),
    "GET /api/v1/providers": Row("models"),
    "POST /api/v1/models/{act}": Row("models", 422, {"model": ECHO}),
    "POST /api/v1/models/pull": Row("admin", 422, {"model": "../x"}),
    "GET /api/v1/models/pulls": Row("admin"),
    "GET /api/v1/models/pulls/{pull_id}": Row("admin", 404),
    "DELETE /api/v1/models/pulls/{pull_id}": Row("admin", 404),
    "POST /v1/chat/completions": Row("chat", body=_ASKING),
    "POST /v1/completions": Row("chat", body={"model": "script/echo", "prompt": "x"}),
    "POST /v1/embeddings": Row("chat", 400, {"model": "script/echo", "input": "x"}),
    "GET /v1/models": Row("models"),
    "GET /v1/models/{model_id:path}": Row("models"),
    **{
        f"{method} {prefix}/{act}": row
        for prefix in ("/ollama/api", "/api")
        for method, act, row in (
            ("POST", "chat", Row("chat", body=_ASKING)),
            ("POST", "embed", Row("chat", 400, {"model": "script/echo", "input": "x"})),
            ("GET", "tags", Row("models")),
            ("POST", "show", Row("models", body={"model": "script/echo"})),
            ("GET", "ps", Row("models")),
            ("GET", "version", Row("models")),
            *(("POST", each, Row("models", 501)) for each in ("copy", "create", "embeddings", "pull", "push")),
            ("DELETE", "delete", Row("models", 501)),
        )
    },
    "POST /ollama/api/generate": Row("chat", body={"model": "script/echo", "prompt": "x"}),
    "GET /ollama": Row(None),
    "GET /api/v1/users": Row("admin"),
    "POST /api/v1/users": Row("admin", 201, {"name": "$name"}),
    "PATCH /api/v1/users/{user_id}": Row("admin", body={}),
    "GET /api/v1/invitations": Row("admin"),
    "POST /api/v1/invitations": Row("admin", 201, {"name": "$name"}),
    "GET /api/v1/tokens": Row(None),
    "POST /api/v1/tokens": Row(None, 201, {"name": "x", "scopes": ["chat"]}),
    "DELETE /api/v1/tokens/{token_id}": Row(None, 204, anybodys=True),
    "GET /api/v1/session": Row(None),
    "POST /api/v1/session": Row(None, body={"token": "$token"}, open=True),
    "DELETE /api/v1/session": Row(None, 204),
    "PUT /api/v1/session/passphrase": Row(None, 204, {"passphrase": None}),
}

OWNED = {"chat_id", "session_id", "message_id", "run_id", "template_id", "token_id"}
OTHER_PLACES: Mapping[str, tuple[Any, ...]] = {
    "pull_id": (1,),
    "act": ("warm",),
    "name": ("swagger-ui.css",),
    "number": (1,),
    "model_id": ("script/echo",),
}

Ids = Mapping[str, tuple[Any, ...]]


def routes() -> Iterator[str]:
    """Yield all that the application answers, as `GET /path`."""
    for prefix, router, _ in ROUTES:
        for route in router.routes:
            assert isinstance(route, Route), route
            yield from (f"{method} {prefix}{route.path}" for method in set(route.methods or ()) - {"HEAD"})
    for route in application(cast("House", None)).routes:
        if isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in set(route.methods or ()) - {"HEAD"})
        else:
            assert type(route).__name__ == "_IncludedRouter", f"nothing here knows what {route} answers"


def places(path: str) -> list[str]:
    return re.findall(r"\{(\w+)(?::\w+)?\}", path)


def is_owned(route: str) -> bool:
    return bool(OWNED & {*places(route)}) or "$chat_id" in (TABLE[route].body or {}).values()


class Call(NamedTuple):
    """A route at one address, with one body."""

    method: str
    address: str
    body: Any


def calls(route: str, ids: Ids) -> list[Call]:
    """Return the calls of a route, one for each of these ids."""
    method, path = route.split(" ")
    names, body, path = places(path), TABLE[route].body, re.sub(r":\w+\}", "}", path)
    ways = [path.format(**dict(zip(names, each, strict=True))) for each in product(*(ids[name] for name in names))]
    ways = [way + TABLE[route].query for way in ways]
    if body is None or "$chat_id" not in body.values():
        return [Call(method, address, body) for address in ways]
    bodies = [{name: one if value == "$chat_id" else value for name, value in body.items()} for one in ids["chat_id"]]
    return [Call(method, address, each) for address, each in product(ways, bodies)]


NAMES = count()


def filled(body: Any, token: str) -> Any:
    if body is None:
        return None
    return {
        name: {"$name": f"user{next(NAMES)}", "$token": token}.get(value, value) if isinstance(value, str) else value
        for name, value in body.items()
    }
