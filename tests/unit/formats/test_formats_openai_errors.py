"""Refusals of OpenAI-compatible servers, as recorded, and what may be shown of them."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.refusal import Refusal
from headrace.formats.openai_chat import error_of
from headrace.formats.openai_errors import error_in, presentable

PARAMETERS = "Check its parameters: that server may not know one of them."
KEY = "Check the provider's api_key or api_key_env in the settings."

REPLIES = [
    # OpenAI
    (
        401,
        '{"error":{"message":"Incorrect API key provided: sk-abcde***xyz.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}',
        "bad_key",
    ),
    (
        404,
        '{"error":{"message":"The model `gpt-9` does not exist or you do not have access to it.","type":"invalid_request_error","param":null,"code":"model_not_found"}}',
        "unknown_model",
    ),
    (
        400,
        '{"error":{"message":"This model\'s maximum context length is 128000 tokens. However, your messages resulted in 130012 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}',
        "context_too_long",
    ),
    (
        429,
        '{"error":{"message":"Rate limit reached for gpt-4o","type":"tokens","param":null,"code":"rate_limit_exceeded"}}',
        "overloaded",
    ),
    (
        400,
        '{"error":{"message":"Unsupported parameter: \'max_tokens\'","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}',
        "upstream_error",
    ),
    (
        400,
        '{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI\'s content management policy.","type":null,"param":"prompt","code":"content_filter","status":400}}',
        "content_filtered",
    ),
    (
        500,
        '{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}',
        "upstream_error",
    ),
    # llama.cpp
    (503, '{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}', "overloaded"),
    (
        400,
        '{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9000,"n_ctx":4096}}',
        "context_too_long",
    ),
    (401, '{"error":{"code":401,"message":"Invalid API Key","type":"authentication_error"}}', "bad_key"),
    (
        500,
        '{"error":{"code":500,"message":"Context size has been exceeded.","type":"server_error"}}',
        "context_too_long",
    ),
    # vLLM, old and new
    (
        404,
        '{"object":"error","message":"The model `x` does not exist.","type":"NotFoundError","param":null,"code":404}',
        "unknown_model",
    ),
    (
        400,
        '{"error":{"message":"The decoder prompt (length 5000) is longer than the maximum model length of 4096.","type":"BadRequestError","param":null,"code":400}}',
        "context_too_long",
    ),
    (401, '{"error":"Unauthorized"}', "bad_key"),
    # LM Studio, Ollama, OpenRouter, FastAPI, proxies
    (400, '{"error":"Trying to keep the first 5000 tokens when context the overflows."}', "context_too_long"),
    (400, '{"error":{"message":"m/x is not a valid model ID","code":400},"user_id":"u"}', "unknown_model"),
    (404, "404 page not found", "unknown_model"),
    (422, '{"detail":[{"loc":["body","n"],"msg":"field required"}]}', "upstream_error"),
    (529, '{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', "overloaded"),
    (529, "", "overloaded"),
    (403, "", "bad_key"),
    (502, "<html><h1>Bad Gateway</h1></html>", "upstream_error"),
    (504, "", "upstream_error"),
    (500, "null", "upstream_error"),
    (500, '{"error":{"message":null}}', "upstream_error"),
]


@pytest.mark.parametrize(("status", "body", "code"), REPLIES)
def test_a_refusal_has_its_code_and_says_what_to_do(status: int, body: str, code: str) -> None:
    error = error_of(status, body.encode(), None)
    assert error.code == code
    assert f"(HTTP {status})" in error.message
    assert error.message.startswith(("The model's server", "The conversation"))
    assert error.message.endswith(".")
    assert error.details == {}


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            429,
            b'{"error":{"message":"Slow down."}}',
            "The model's server is overloaded or limits requests (HTTP 429): Slow down. Try again in 3 s.",
        ),
        (
            400,
            b'{"error":{"message":"no such parameter: n"}}',
            "The model's server refused the request (HTTP 400): no such parameter: n. " + PARAMETERS,
        ),
        (
            502,
            b"<html>",
            "The model's server failed (HTTP 502). Try again; if it stays, look at that server's own log.",
        ),
        (
            422,
            b'{"detail":[{"msg":"field required"}]}',
            'The model\'s server refused the request (HTTP 422): [{"msg":"field required"}]. ' + PARAMETERS,
        ),
        (
            401,
            b"no\nkey \xff",
            "The model's server refused the API key (HTTP 401): no key \ufffd. " + KEY,
        ),
    ],
)
def test_the_message_is_for_people(status: int, body: bytes, message: str) -> None:
    assert error_of(status, body, "3").message == message


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12),
        ("0.2", 1),
        (" 7 ", 7),
        ("0", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("1e9", None),
        ("٣", None),
        ("", None),
        (None, None),
    ],
)
def test_the_time_to_wait_is_whole_seconds(header: str | None, seconds: int | None) -> None:
    error = error_of(429, b"", header)
    assert error.details.get("retry_after_s") == seconds
    assert (f"Try again in {seconds} s." in error.message) == (seconds is not None)


def test_an_error_within_a_stream_names_no_status() -> None:
    error = error_in(b'{"error":{"message":"boom","code":500}}')
    assert error.message == ("The model's server failed: boom. Try again; if it stays, look at that server's own log.")


SECRETS = [
    "sk-abcdef0123456789",
    "sk-proj-AbC_dEf-0123456789abcdefghijklmnop",
    "sk-or-v1-0123456789abcdef",
    "sk-ant-api03-abcdefghijkl",
    "Bearer abc.def-123",
    "bearer   xyz",
    "Authorization: Bearer abcdef",
    "authorization=Basic dXNlcjpwYXNz",
    "api_key=hunter22",
    '"api-key": "hunter22"',
    "token: hunter22",
    "password=hunter22",
    "AIzaSyA1234567890abcdefg",
    "gsk_abcdefghij0123456789",
    "hf_abcdefghijKLMNOP",
    "xai-abcdefghij0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
    "0123456789abcdef0123456789abcdef01234567",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["refused {}", "({})", "a {}, b", "x\n{}\ny", "{}"])
def test_what_looks_like_a_key_is_never_shown(secret: str, around: str) -> None:
    shown = presentable(around.format(secret))
    assert "[removed]" in shown
    for part in ("abcdef", "hunter22", "xyz", "abc.def", "dXNlcj", "AIza", "eyJ", "01234"):
        assert part not in shown
    assert presentable(shown) == shown


def test_a_password_in_an_address_is_never_shown() -> None:
    assert presentable("see https://me:hunter22@host/x") == "see https://[removed]host/x"


def test_a_message_is_cut_at_500_characters() -> None:
    assert presentable("x " * 249 + "xy") == "x " * 249 + "xy"
    assert presentable("x " * 249 + "xyz") == "x " * 249 + "x…"


def test_a_key_that_the_cut_would_hide_is_not_shown_either() -> None:
    for length in range(470, 500):
        assert "sk-" not in presentable("x " * (length // 2) + "sk-" + "abcdef0123" * 10)


@pytest.mark.parametrize(
    "words",
    [
        "max_tokens: 4096 is too much",
        "the task-specific model is not here",
        "request 0f8fad5b-d9cb-469f-a165-70867728950e failed",
        "Incorrect API key provided",
        "see https://host.example/docs/errors",
    ],
)
def test_what_is_no_key_stays(words: str) -> None:
    assert presentable(words) == words


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=1200))
def test_what_is_shown_is_one_short_printable_line(message: str) -> None:
    shown = presentable(message)
    assert len(shown) <= 500
    assert shown.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    "evil", ["a-" * 5000, "sk-" * 4000, "bearer " * 2000, "context" * 2000, "model " * 2000, "://" * 4000]
)
def test_no_message_takes_long_to_read(evil: str) -> None:
    started = time.thread_time()  # what else the machine does is not counted
    error_of(400, json.dumps({"error": {"message": evil}}).encode(), None)
    assert time.thread_time() - started < 0.5


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (400, '{"error":{"message":"m","param":"n","code":"bad"}}', Refusal(status=400, param="n", code="bad")),
        (413, "<html>", Refusal(status=413)),
        (422, '{"detail":[{"msg":"m"}]}', Refusal(status=422)),
        (400, '{"error":{"message":"m","param":["n"],"code":400}}', Refusal(status=400)),
        (400, '{"error":{"message":"m","param":"' + "n" * 101 + '","code":" "}}', Refusal(status=400)),
        (400, '{"error":{"message":"m","code":"sk-abcdefgh"}}', Refusal(status=400, code="[removed]")),
        (429, "", Refusal(status=429, retry_after_s=7)),
        (503, "", Refusal(status=503, retry_after_s=7)),
        (400, '{"error":{"message":"Incorrect API key provided"}}', None),
        (404, "", None),
        (401, "", None),
        (500, "", None),
    ],
)
def test_what_callers_may_know_of_a_refusal(status: int, body: str, refusal: Refusal | None) -> None:
    retry_after = "7" if status in {429, 503} else None
    assert error_of(status, body.encode(), retry_after).refusal == refusal


def test_an_error_within_a_stream_is_a_refusal_where_it_says_so() -> None:
    assert error_in(b'{"error":{"message":"m","code":400}}').refusal == Refusal(status=400)
    assert error_in(b'{"error":{"message":"m","code":500}}').refusal is None


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:8000/v1/chat/completions",
        "https://10.0.0.5/x?y=z",
        "http://[::1]:8000/v1",
        "http://vllm:8000/v1",
        "http://vllm/v1",
        "http://gpu.example:8000/v1",
        "ws://localhost/x",
        "10.1.2.3:8000",
        "10.1.2.3",
        "localhost:8000",
    ],
)
@pytest.mark.parametrize("around", ["asked {} in vain", "({})", "'{}'", "{}"])
def test_an_address_of_the_servers_own_network_is_never_shown(address: str, around: str) -> None:
    assert presentable(around.format(address)) == around.format("[removed]")


@pytest.mark.parametrize(
    "words",
    [
        "see https://host.example/docs",
        "llama.cpp 1.2.3",
        "at most 4096.0 of 1.5",
        "localhost is down",
        "my.llm.example.org",
    ],
)
def test_what_is_no_such_address_stays(words: str) -> None:
    assert presentable(words, host="llm.example.org") == words


@pytest.mark.parametrize("address", ["https://llm.example.org/v1/x", "LLM.example.org", "llm.example.org:443/v1"])
def test_the_address_of_the_server_itself_is_never_shown(address: str) -> None:
    body = json.dumps({"error": {"message": f"Asked {address} in vain"}}).encode()
    assert "Asked [removed] in vain" in error_of(400, body, host="llm.example.org").message
