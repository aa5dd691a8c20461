"""This module turns a server's refusals, and what befalls the way to it, into errors of the one tree."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from headrace.core.errors import (
    BadField,
    BadRequest,
    CallerError,
    Conflict,
    Forbidden,
    Gone,
    HeadraceError,
    NotAvailable,
    NotFound,
    Overloaded,
    ProviderError,
    ServerError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)

__all__ = ["CONNECTION_LOST", "NO_HEADRACE", "Unreachable", "failure", "garbled", "lost", "refusal"]

CONNECTION_LOST = "connection_lost"
"""The code of an `Unreachable` whose connection was there and broke: what was sent may have arrived."""

NO_HEADRACE = "no_headrace"
"""The code of a `ServerError` that says: what answers is no Headrace server, or one of another version."""

_BY_STATUS: dict[int, type[CallerError]] = {
    kind.status: kind for kind in (BadRequest, Unauthorized, Forbidden, NotFound, Conflict, Gone, TooLarge)
}
_AMBIGUOUS = {"internal", "overloaded"}  # the server says these of itself as well as of a model's server


class Unreachable(HeadraceError):
    """The server cannot be reached (`unreachable`), or the connection to it broke (`connection_lost`)."""

    status = 503
    default_code = "unreachable"
    retryable = True


class _Said(msgspec.Struct):
    code: str
    message: str
    details: dict[str, Any] | None = None


class _Envelope(msgspec.Struct):
    error: _Said


def refusal(status: int, headers: Mapping[str, str], content: bytes) -> HeadraceError:
    """Return the error of a reply of status 400 or above, with the server's code, message and details.

    Where the body is not the server's, as that of a proxy, the code is `http_error`.
    """
    try:
        said = msgspec.json.decode(content, type=_Envelope).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        said = _Said("http_error", f"The server answered {status}.")
    error = _error(status, said, headers.get("retry-after", ""))
    error.details = dict(said.details or {})
    return error


def lost(error: ProviderError, url: str) -> HeadraceError:
    """Return the error for a call that failed on its way: what `net` says of a model's server is here the server."""
    why = error.details.get("reason", error.message)
    if error.code == "upstream_refused":
        return Unreachable(
            f"There is no Headrace server at {url}: {why}. Start one with `headrace serve`, or name another."
        )
    if error.code == "upstream_closed":
        return Unreachable(f"The connection to {url} broke: the server {why}.", code=CONNECTION_LOST)
    return garbled(url, why)


def garbled(url: str, why: object) -> ServerError:
    """Return the error for an answer that no Headrace server of this version gives."""
    return ServerError(
        f"What answers at {url} is no Headrace server, or one of another version: {why}", code=NO_HEADRACE
    )


def failure(code: str, message: str, *, retryable: bool) -> HeadraceError:
    """Return the error that an event `run.failed` is."""
    if code in ProviderError.CODES:
        return ProviderError(message, code=code)
    error = ServerError(message, code=code)
    error.retryable = retryable
    return error


def _error(status: int, said: _Said, retry_after: str) -> HeadraceError:
    code, message, details = said.code, said.message, said.details or {}
    if code in ProviderError.CODES and (code not in _AMBIGUOUS or "run_id" in details):
        return ProviderError(message, code=code)
    match status:
        case HTTPStatus.UNPROCESSABLE_ENTITY:
            kind = NotAvailable if code == NotAvailable.default_code else BadField
            return kind(message, code=code, field=str(details.get("field", "body")))
        case HTTPStatus.TOO_MANY_REQUESTS:
            return TooManyRequests(message, code=code, retry_after_s=_seconds(retry_after, 1))
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return Overloaded(message, code=code, retry_after_s=_seconds(retry_after, 5))
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return ServerError(message, code=code)
        case _:
            return _BY_STATUS.get(status, CallerError)(message, code=code)


def _seconds(value: str, otherwise: int) -> int:
    # a date instead of seconds is HTTP too, but nothing that Headrace sends
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else otherwise  # noqa: PLR2004 - 30 years
