import json

import pytest

from headrace.core.errors import ProviderError
from headrace.formats.openai_refusal import STOPPED, encode_error, status_of


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
