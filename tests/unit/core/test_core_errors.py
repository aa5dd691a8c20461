"""The tree of errors: codes, statuses and what may be tried again."""

import pytest

from headrace.core import errors


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable", "details"),
    [
        (errors.HeadraceError("m"), 500, "internal", False, {}),
        (errors.CallerError("m"), 400, "bad_request", False, {}),
        (errors.BadRequest("m"), 400, "malformed", False, {}),
        (errors.BadField("m", field="parts.0.type"), 422, "invalid_field", False, {"field": "parts.0.type"}),
        (errors.NotAvailable("m", field="n", near="a"), 422, "not_available", False, {"field": "n", "near": "a"}),
        (errors.NotFound("m"), 404, "not_found", False, {}),
        (errors.Conflict("m", code="chat_busy", run_id="r"), 409, "chat_busy", False, {"run_id": "r"}),
        (errors.Gone("m"), 410, "gone", False, {}),
        (errors.TooLarge("m"), 413, "too_large", False, {}),
        (errors.ServerError("m"), 500, "internal", False, {}),
        (errors.Overloaded("m"), 503, "overloaded", True, {}),
        (errors.SettingsError("m"), 500, "bad_settings", False, {}),
    ],
)
def test_each_error_says_what_it_is(
    error: errors.HeadraceError,
    status: int,
    code: str,
    retryable: bool,  # noqa: FBT001 - a column of the table
    details: dict[str, object],
) -> None:
    assert str(error) == error.message == "m"
    assert (error.status, error.code, error.retryable, error.details) == (status, code, retryable, details)


def test_a_bad_field_names_its_path() -> None:
    assert errors.BadField("m", field="parts.0.type").field == "parts.0.type"


def test_overload_says_when_to_ask_again() -> None:
    assert errors.Overloaded("m").retry_after_s == 5
    assert errors.Overloaded("m", retry_after_s=30).retry_after_s == 30


SPECIFIED = [
    "upstream_refused",
    "upstream_closed",
    "upstream_error",
    "upstream_silent",
    "upstream_garbled",
    "overloaded",
    "bad_key",
    "unknown_model",
    "context_too_long",
    "content_filtered",
    "engine_died",
    "worker_lost",
    "internal",
]


def test_the_codes_of_a_failed_run_are_those_of_the_api() -> None:
    assert list(errors.ProviderError.CODES) == SPECIFIED


@pytest.mark.parametrize("code", SPECIFIED)
def test_a_provider_error_takes_status_and_retry_from_its_code(code: str) -> None:
    error = errors.ProviderError("m", code=code, retry_after_s=3)
    assert error.code == code
    assert (error.http_status, error.retryable) == errors.ProviderError.CODES[code]
    assert 400 <= error.http_status < 600
    assert error.details == {"retry_after_s": 3}


def test_only_what_cannot_get_better_by_itself_is_not_to_be_tried_again() -> None:
    final = {code for code, (_, retryable) in errors.ProviderError.CODES.items() if not retryable}
    assert final == {"bad_key", "unknown_model", "context_too_long", "content_filtered"}


def test_a_code_that_is_none_is_a_bug() -> None:
    with pytest.raises(KeyError):
        errors.ProviderError("m", code="made_up")
