"""This module holds the one tree of errors, split by whose fault they are.

Each error has a stable `code`, a `message` for people that names the remedy, `retryable` (whether the same request
may succeed later), the HTTP `status` that says it best, and `details` for programs. Doors put them into their own
dialect; after the first byte a failure is an event instead (`events.RunFailed`).
"""

from typing import Any, ClassVar

from headrace.core.refusal import Refusal

__all__ = [
    "BadField",
    "BadRequest",
    "CallerError",
    "Conflict",
    "Forbidden",
    "Gone",
    "HeadraceError",
    "NotAvailable",
    "NotFound",
    "NotImplementedHere",
    "Overloaded",
    "ProviderError",
    "ServerError",
    "SettingsError",
    "TooLarge",
    "TooManyRequests",
    "Unauthorized",
    "UpstreamCode",
]


class HeadraceError(Exception):
    """Base of every error that Headrace raises on purpose."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "internal"
    retryable: bool = False

    def __init__(self, message: str, *, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.details = details


class CallerError(HeadraceError):
    """The request cannot be served as it is; sending it again unchanged will not help."""

    status = 400
    default_code = "bad_request"


class BadRequest(CallerError):
    """The request is malformed: not JSON, not UTF-8, not HTTP that we understand."""

    default_code = "malformed"


class BadField(CallerError):
    """One field has a value that cannot be; `field` is its path, as `parts.0.type`."""

    status = 422
    default_code = "invalid_field"

    def __init__(self, message: str, *, field: str, code: str | None = None, **details: Any) -> None:
        super().__init__(message, code=code, field=field, **details)
        self.field = field


class NotAvailable(BadField):
    """The field or value names something that this version does not have. Never pretended."""

    default_code = "not_available"


class NotImplementedHere(CallerError):
    """A request of another program's API that makes no sense here; the message says what to do instead."""

    status = 501
    default_code = "not_implemented"


class Unauthorized(CallerError):
    """Who calls is not known: no token, or one that is unknown, expired or revoked."""

    status = 401
    default_code = "unauthorized"


class Forbidden(CallerError):
    """Who calls is known, and may not do this."""

    status = 403
    default_code = "forbidden"


class NotFound(CallerError):
    """There is no such thing, or it is another's: the two are not told apart."""

    status = 404
    default_code = "not_found"


class Conflict(CallerError):
    """The request is fine, but not in the present state of what it names."""

    status = 409
    default_code = "conflict"


class Gone(CallerError):
    """It was here and has been removed for good."""

    status = 410
    default_code = "gone"


class TooLarge(CallerError):
    """The body, or a part of it, is larger than the settings allow."""

    status = 413
    default_code = "too_large"


class TooManyRequests(CallerError):
    """The caller, or all callers together, have had as much as the limits allow; `retry_after_s` says until when."""

    status = 429
    default_code = "rate_limited"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int = 1, code: str | None = None, **details: Any) -> None:
        super().__init__(message, code=code, **details)
        self.retry_after_s = retry_after_s


UpstreamCode = str
"""One of the codes of `run.failed`: see `ProviderError.CODES`."""


class ProviderError(HeadraceError):
    """The model's server failed. `code` is one of `CODES`; `refusal` what it answered, where callers may know."""

    status = 502
    default_code = "upstream_error"

    CODES: ClassVar[dict[str, tuple[int, bool]]] = {
        # code: (HTTP status where one can still be sent, may the same request succeed later)
        "upstream_refused": (502, True),
        "upstream_closed": (502, True),
        "upstream_error": (502, True),
        "upstream_silent": (504, True),
        "upstream_garbled": (502, True),
        "overloaded": (503, True),
        "bad_key": (502, False),
        "unknown_model": (404, False),
        "context_too_long": (422, False),
        "content_filtered": (422, False),
        "engine_died": (502, True),
        "worker_lost": (502, True),
        "internal": (500, True),
    }

    def __init__(self, message: str, *, code: UpstreamCode, refusal: Refusal | None = None, **details: Any) -> None:
        super().__init__(message, code=code, **details)
        self.refusal = refusal
        status, self.retryable = self.CODES[code]
        self.http_status = status


class ServerError(HeadraceError):
    """This server cannot do it now, through nobody's fault but its own."""

    status = 500


class Overloaded(ServerError):
    """There is no room now; `retry_after_s` says when to ask again."""

    status = 503
    default_code = "overloaded"
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int = 5, code: str | None = None, **details: Any) -> None:
        super().__init__(message, code=code, **details)
        self.retry_after_s = retry_after_s


class SettingsError(HeadraceError):
    """The settings do not make sense; the message names the key, where it stands and the remedy."""

    default_code = "bad_settings"
