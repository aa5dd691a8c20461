import json

import pytest

from headrace.core.errors import ProviderError
from headrace.core.refusal import Refusal
from headrace.formats.openai_refusal import STOPPED, encode_error, may_retry, status_of


@pytest.mark.parametrize(
    ("code", "status", "theirs", "kind"),
    [
        ("unauthorized", 401, "invalid_api_key", "authentication_error"),
        ("forbidden", 403, "forbidden", "permission_error"),
        ("rate_limited", 429, "rate_limit_exceeded", "rate_limit_error"),
        ("malformed", 400, None, "invalid_request_error"),
        ("unknown_model", 404, "model_not_found", "invalid_request_error"),
        ("overloaded", 503, "overloaded", "server_error"),
        ("stopped", STOPPED, "stopped", "stopped"),
    ],
)
def test_errors_have_openais_words_where_it_has_some(code: str, status: int, theirs: str | None, kind: str) -> None:
    error = {"message": "Why.", "type": kind, "param": "x", "code": theirs}
    assert json.loads(encode_error("Why.", code=code, status=status, param="x")) == {"error": error}


@pytest.mark.parametrize("code", ProviderError.CODES)
def test_the_end_of_a_run_tells_whose_fault_it_was(code: str) -> None:
    kind = json.loads(encode_error("Why.", code=code))["error"]["type"]
    assert kind == ("invalid_request_error" if ProviderError.CODES[code][0] < 500 else "server_error")


def test_a_wrong_field_is_a_bad_request_there() -> None:
    assert [status_of(status) for status in (422, 400, 404, 503)] == [400, 400, 404, 503]


@pytest.mark.parametrize(
    ("status", "refused", "seen"),
    [(502, 400, 400), (502, 413, 400), (502, 422, 400), (503, 429, 429), (503, 503, 503), (422, 400, 400)],
)
def test_what_the_upstream_refused_has_the_status_of_the_request(status: int, refused: int, seen: int) -> None:
    assert status_of(status, Refusal(status=refused)) == seen


@pytest.mark.parametrize(
    ("code", "refusal", "expected"),
    [
        (
            "upstream_error",
            Refusal(status=400, param="n", code="bad_n"),
            {"type": "invalid_request_error", "param": "n", "code": "bad_n"},
        ),
        (
            "upstream_error",
            Refusal(status=413),
            {"type": "invalid_request_error", "param": None, "code": "upstream_error"},
        ),
        (
            "context_too_long",
            Refusal(status=400, param="messages", code="exceed_context_size"),
            {"type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"},
        ),
        (
            "overloaded",
            Refusal(status=429),
            {"type": "rate_limit_error", "param": None, "code": "rate_limit_exceeded"},
        ),
        (
            "overloaded",
            Refusal(status=429, code="insufficient_quota"),
            {"type": "rate_limit_error", "param": None, "code": "insufficient_quota"},
        ),
        ("overloaded", Refusal(status=503), {"type": "server_error", "param": None, "code": "overloaded"}),
    ],
)
def test_the_field_and_the_code_that_the_upstream_named_are_told(
    code: str, refusal: Refusal, expected: dict[str, str | None]
) -> None:
    error = json.loads(encode_error("Why.", code=code, refusal=refusal))["error"]
    assert error == {"message": "Why.", **expected}


def test_only_what_was_refused_for_itself_is_not_sent_again() -> None:
    retry = [may_retry(refusal, retryable=True) for refusal in (None, Refusal(status=429), Refusal(status=400))]
    assert retry == [True, True, False]
    assert not may_retry(None, retryable=False)
