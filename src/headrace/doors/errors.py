"""This module puts every error into the one envelope of our own API, or into the words of the door it meets."""

from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from headrace.core.errors import BadRequest, HeadraceError, Overloaded, ProviderError, TooManyRequests, Unauthorized
from headrace.core.events import RunFailed, RunInterrupted, RunStopped, Terminal
from headrace.core.refusal import LIMITED, Refusal
from headrace.formats import contract, documents, multimodel, relay, studio, tutor
from headrace.formats.ollama_reply import encode_error as encode_ollama_error
from headrace.formats.openai_refusal import STOPPED, encode_error, may_retry, status_of
from headrace.journal.port import Pruned, UnknownRun

__all__ = ["CONTRACTS", "OLLAMA", "answer_to", "head_of", "install", "reply_to", "reply_to_failure"]

logger = structlog.get_logger("headrace.doors")

STATUS: dict[type[HeadraceError], tuple[int, str]] = {Pruned: (410, "events_gone"), UnknownRun: (404, "not_found")}
"""Errors of lower layers that have no status of their own, because they know nothing of HTTP."""

CONTRACTS: tuple[tuple[str, type[contract.Encoder]], ...] = (
    ("/api/generate", relay.GenerateEncoder),
    ("/api/chat/stream", relay.ChatEncoder),
    ("/api/chats", multimodel.Encoder),
    ("/chat", tutor.Encoder),
    ("/api/chat/sessions", documents.Encoder),
    ("/api/config", documents.Encoder),
    ("/api/chatbot", studio.Encoder),
)
"""Whose error object a refusal at a path, or below it, has; at every other path it is our own envelope."""

OPENAI = "/v1"
OLLAMA = "/ollama"
"""Below which paths OpenAI's and Ollama's clients call; Ollama's that are free at the root are there too."""

OLLAMA_AT_ROOT = frozenset(
    {
        f"/api/{name}"
        for name in (
            "chat",
            "copy",
            "create",
            "delete",
            "embed",
            "embeddings",
            "ps",
            "pull",
            "push",
            "show",
            "tags",
            "version",
        )
    }
)

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")

_CODES = {400: "malformed", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def reply(
    status: int,
    code: str,
    message: str,
    *,
    path: str = "",
    retryable: bool = False,
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    refusal: Refusal | None = None,
) -> Response:
    """Return `{"error": {"code", "message", "details"?}}`, or the error object of those whose path it is.

    What the upstream refused (`refusal`) is known to OpenAI's and Ollama's clients alone.
    """
    if is_openai(path):
        field = (details or {}).get("field")
        content = encode_error(message, code=code, status=status, param=field, refusal=refusal)
        retry = may_retry(refusal, retryable=retryable)
        headers = {**(headers or {}), "x-should-retry": "true" if retry else "false"}
        status = status_of(status, refusal)
        return Response(content, status_code=status, headers=headers, media_type="application/json")
    if is_ollama(path):
        content, status = encode_ollama_error(message), status_of(status, refusal)
        return Response(content, status_code=status, headers=headers, media_type="application/json")
    spoken = next((encoder for below, encoder in CONTRACTS if path == below or path.startswith(f"{below}/")), None)
    if spoken is not None:
        content = spoken.refusal(message, code=code, retryable=retryable)
    else:
        error: dict[str, Any] = {"code": code, "message": message}
        if details:
            error["details"] = details
        content = msgspec.json.encode({"error": error})
    return Response(content, status_code=status, headers=headers, media_type="application/json")


def reply_to(error: HeadraceError, path: str = "") -> Response:
    """Return the answer to a request at this path that failed with this error."""
    status, code = STATUS.get(type(error), (error.status, error.code))
    headers: dict[str, str] | None = None
    refusal: Refusal | None = None
    if isinstance(error, ProviderError):
        refusal = error.refusal
        status = error.http_status
        headers = _wait(status_of(status, refusal), refusal)
    elif isinstance(error, Overloaded | TooManyRequests):
        headers = {"retry-after": str(error.retry_after_s)}
    elif isinstance(error, Unauthorized):
        headers = {"www-authenticate": "Bearer"}
    return reply(
        status,
        code,
        error.message,
        path=path,
        retryable=error.retryable,
        details=error.details,
        headers=headers,
        refusal=refusal,
    )


def is_openai(path: str) -> bool:
    """Return whether OpenAI's clients call this path."""
    return path.startswith(f"{OPENAI}/")


def is_ollama(path: str) -> bool:
    """Return whether Ollama's clients call this path."""
    return path in OLLAMA_AT_ROOT or path == OLLAMA or path.startswith(f"{OLLAMA}/")


def head_of(end: Terminal, run_id: str, path: str = "") -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer that tells how a run ended, where nothing was sent before."""
    status, refusal = 200, None
    if isinstance(end, RunFailed):
        status, _ = ProviderError.CODES.get(end.code, (500, True))
        refusal = end.refusal
    elif isinstance(end, RunInterrupted):
        status = Overloaded.status
    headers = {"headrace-run": run_id}
    if is_openai(path) or is_ollama(path):
        # a contract says in its closing event that the run was stopped; these have an error for it
        status = STOPPED if isinstance(end, RunStopped) else status_of(status, refusal)
    if is_openai(path):
        retryable = isinstance(end, RunInterrupted) or (isinstance(end, RunFailed) and end.retryable)
        retry = may_retry(refusal, retryable=retryable)
        headers["x-should-retry"] = "true" if retry else "false"
    return status, headers | _wait(status, refusal)


def reply_to_failure(failed: RunFailed, run_id: str) -> Response:
    """Return the answer to a request whose run had failed before anything was sent."""
    status, headers = head_of(failed, run_id)
    details = {"run_id": run_id, "retryable": failed.retryable}
    return reply(status, failed.code, failed.message, details=details, headers=headers)


def answer_to(error: Exception, path: str = "") -> Response:
    """Return the answer to a request that failed with any error but one of validation; a bug is logged.

    At the path of a contract it has that contract's error object.
    """
    if isinstance(error, HeadraceError):
        return reply_to(error, path)
    if isinstance(error, HTTPException):
        status = error.status_code
        message = {404: "There is nothing at this address.", 405: "This address does not take that method."}
        headers = dict(error.headers) if error.headers else None
        code = _CODES.get(status, "bad_request")
        return reply(status, code, message.get(status, str(error.detail)), path=path, headers=headers)
    logger.error("request.bug", exc_info=error)
    return reply(500, "internal", "Headrace failed; its log says why.", path=path)


def install(app: FastAPI) -> None:
    """Make the application answer every error in the words of its path."""
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in (HeadraceError, HTTPException, Exception):
        app.add_exception_handler(kind, _other)


def _wait(status: int, refusal: Refusal | None) -> dict[str, str]:
    """Return the header that says when to ask again: as the upstream said, and where it did not, soon if it is busy."""
    told = None if refusal is None else refusal.retry_after_s
    if told is not None and status in {LIMITED, Overloaded.status}:
        return {"retry-after": str(told)}
    return {"retry-after": "5"} if status == Overloaded.status else {}


async def _other(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # the framework names those of the first route that it found at this address
        error.headers = {"allow": ", ".join(filter(partial(_takes, request), _METHODS))}
    return answer_to(error, request.scope["path"])


def _takes(request: Request, method: str) -> bool:
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  Starlette's table promises it
    first, path = error.errors()[0], request.scope["path"]
    if first["type"] == "json_invalid":
        return reply_to(BadRequest(f"The body is not JSON: {first['ctx']['error']}."), path)
    if isinstance(error.body, bytes):
        message = "The body is not said to be JSON. Send it with Content-Type: application/json."
        return reply_to(BadRequest(message), path)
    field = _field(first, error.body)
    code = "not_available" if first["type"] == "not_available" else "invalid_field"
    return reply(422, code, _sentence(field, first), path=path, details={"field": field})


def _field(error: dict[str, Any], body: Any) -> str:
    """Return the path of the field, as `parts.0.text`. Pydantic also names which branch of a union it tried."""
    where, *steps = error["loc"]
    if where != "body":
        return ".".join(map(str, steps))
    path: list[str] = []
    value = body
    for at, step in enumerate(steps, 1):
        if isinstance(value, dict) and (step != value.get("type") or at == len(steps)):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step]
        else:
            continue
        path.append(str(step))
    if error["type"].startswith("union_tag_"):
        path.append(error["ctx"]["discriminator"].strip("'"))
    return ".".join(path) or "body"


def _sentence(field: str, error: dict[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return f"There is no field {field!r} here."
    if error["type"] == "missing":
        return f"The field {field!r} is missing."
    if error["type"] == "not_available":
        return str(error["msg"])
    return f"The field {field!r} cannot be this: {error['msg'][:1].lower()}{error['msg'][1:]}."
