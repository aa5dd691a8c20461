"""This module words errors as OpenAI does: `{"error": {"message", "type", "param", "code"}}`.

Source: OpenAI's API reference, "Error codes"; the codes that its clients look for are theirs, all others ours.
"""

from typing import Any

from headrace.core.errors import ProviderError
from headrace.core.refusal import LIMITED, Refusal
from headrace.formats import jsontext

__all__ = ["STOPPED", "encode_error", "error_object", "may_retry", "status_of"]

STOPPED = 499
"""The status of an answer in one piece that was stopped: no client takes it for its own fault, or tries it again."""

_CLIENT_FAULT = 500  # a status below it is the request's fault, from it on the server's
_BAD_REQUEST, _UNPROCESSABLE, _BAD_GATEWAY = 400, 422, 502

_CODES = {
    "content_filtered": "content_filter",
    "context_too_long": "context_length_exceeded",
    "malformed": None,
    "not_available": "unsupported_value",
    "rate_limited": "rate_limit_exceeded",
    "unauthorized": "invalid_api_key",
    "unknown_model": "model_not_found",
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", STOPPED: "stopped"}


_OWN = frozenset({"overloaded", "upstream_error"})
"""Our codes that say less than the upstream's own."""


def status_of(status: int, refusal: Refusal | None = None) -> int:
    """Return the status that OpenAI has for what is answered with this one elsewhere.

    What the upstream refused (`refusal`) is the request's fault here too, and its limit is one.
    """
    if refusal is not None and refusal.status == LIMITED:
        return LIMITED
    refused = refusal is not None and refusal.of_request and status == _BAD_GATEWAY
    return _BAD_REQUEST if refused or status == _UNPROCESSABLE else status


def may_retry(refusal: Refusal | None, *, retryable: bool) -> bool:
    """Return whether a client of OpenAI's should send the same request again."""
    return retryable and not (refusal is not None and refusal.of_request)


def error_object(message: str, *, code: str, status: int, param: str | None = None) -> dict[str, Any]:
    """Return what an error frame, or the body of a refusal, holds. `code` is ours."""
    kind = _TYPES.get(status, "invalid_request_error" if status < _CLIENT_FAULT else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": _CODES.get(code, code)}}


def encode_error(
    message: str,
    *,
    code: str,
    status: int | None = None,
    param: str | None = None,
    refusal: Refusal | None = None,
) -> bytes:
    """Return the error as JSON in ASCII. Without a status it is a run's, and `code` one of `ProviderError.CODES`.

    Where the upstream refused the request, the field and the code that it named are told.
    """
    if status is None:
        status, _ = ProviderError.CODES.get(code, (_CLIENT_FAULT, False))
    status = status_of(status, refusal)
    if refusal is not None:
        param = refusal.param
        limited = "rate_limited" if status == LIMITED else code
        code = (code in _OWN and refusal.code) or limited
    return jsontext.encode_ascii(error_object(message, code=code, status=status, param=param))
