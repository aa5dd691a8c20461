from typing import Any

import msgspec
import pytest

from headrace.client.errors import Unreachable, failure, lost, refusal
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

URL = "http://127.0.0.1:8000"


def refused(status: int, code: str, headers: dict[str, str] | None = None, **details: Any) -> HeadraceError:
    error = {"code": code, "message": "As it is.", **({"details": details} if details else {})}
    return refusal(status, headers or {}, msgspec.json.encode({"error": error}))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "malformed", BadRequest),
        (401, "unauthorized", Unauthorized),
        (403, "forbidden", Forbidden),
        (404, "not_found", NotFound),
        (405, "method_not_allowed", CallerError),
        (409, "chat_busy", Conflict),
        (410, "events_gone", Gone),
        (413, "too_large", TooLarge),
        (422, "invalid_field", BadField),
        (422, "not_available", NotAvailable),
        (429, "rate_limited", TooManyRequests),
        (500, "internal", ServerError),
        (503, "overloaded", Overloaded),
        (404, "unknown_model", ProviderError),
        (502, "upstream_refused", ProviderError),
    ],
)
def test_a_refusal_is_the_error_that_the_server_raised(status: int, code: str, kind: type[HeadraceError]) -> None:
    error = refused(status, code)
    assert (type(error), error.code, error.message) == (kind, code, "As it is.")


def test_a_refusal_keeps_what_the_server_says_for_programs() -> None:
    assert refused(409, "chat_busy", run_id="run_1").details == {"run_id": "run_1"}
    error = refused(422, "invalid_field", field="parameters.top_p")
    assert isinstance(error, BadField)
    assert error.field == "parameters.top_p"


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("Wed, 21 Oct 2026 07:28:00 GMT", 1), ("", 1)])
def test_too_many_requests_say_when_to_come_again(value: str, seconds: int) -> None:
    error = refused(429, "rate_limited", {"retry-after": value})
    assert isinstance(error, TooManyRequests)
    assert (error.retry_after_s, error.retryable) == (seconds, True)


def test_what_a_model_was_overloaded_with_is_told_from_the_server_itself() -> None:
    assert isinstance(refused(503, "overloaded", run_id="run_1", retryable=True), ProviderError)
    server = refused(503, "overloaded", {"retry-after": "9"})
    assert isinstance(server, Overloaded)
    assert server.retry_after_s == 9


@pytest.mark.parametrize("content", [b"<h1>Bad Gateway</h1>", b"\xff\xfe", b"", b'{"error": "of another kind"}'])
def test_what_a_proxy_says_is_an_error_by_its_status(content: bytes) -> None:
    error = refusal(502, {}, content)
    assert (type(error), error.code, error.message) == (ServerError, "http_error", "The server answered 502.")


def test_the_way_to_the_server_is_not_taken_for_the_model() -> None:
    refused = lost(ProviderError("Cannot connect to the model server", code="upstream_refused", reason="why"), URL)
    assert isinstance(refused, Unreachable)
    assert (refused.code, refused.message) == (
        "unreachable",
        f"There is no Headrace server at {URL}: why. Start one with `headrace serve`, or name another.",
    )
    assert lost(ProviderError("", code="upstream_closed"), URL).code == "connection_lost"
    garbled = lost(ProviderError("", code="upstream_garbled"), URL)
    assert (type(garbled), garbled.code) == (ServerError, "no_headrace")


def test_a_failed_run_is_an_error_also_with_a_code_of_a_later_version() -> None:
    known = failure("bad_key", "The key is wrong.", retryable=False)
    assert (type(known), known.code, known.retryable) == (ProviderError, "bad_key", False)
    later = failure("moon_phase", "Not now.", retryable=True)
    assert (type(later), later.code, later.message, later.retryable) == (ServerError, "moon_phase", "Not now.", True)
