"""Errors of Ollama become ours, with the remedy."""

import json
from typing import Any

import pytest

from headrace.formats.ollama_errors import error_in, error_of


def body(error: Any, **more: Any) -> bytes:
    return json.dumps({"error": error, **more}).encode()


@pytest.mark.parametrize(
    ("status", "message", "code", "words"),
    [
        (400, "model is required", "upstream_error", "model is required"),
        (400, '"gemma3:1b" does not support tools', "upstream_error", "Check its parameters"),
        (400, '"gemma3:1b" does not support thinking', "upstream_error", "does not support thinking"),
        (400, "the prompt is longer than the context length currently available", "context_too_long", "Shorten it"),
        (403, "remote inference is unavailable", "bad_key", "api_key"),
        (404, "model 'llama3.2' not found", "unknown_model", "`ollama pull llama3.2`"),
        (
            404,
            'model "hf.co/u/M-GGUF:Q4_K_M" not found, try pulling it first',
            "unknown_model",
            "hf.co/u/M-GGUF:Q4_K_M",
        ),
        (429, "you have reached your hourly usage limit", "overloaded", "in 9 s"),
        (500, "model runner has unexpectedly stopped", "upstream_error", "look at that server's own log"),
        (500, "model requires more system memory (9 GiB) than is available (3 GiB)", "upstream_error", "9 GiB"),
        (503, "server busy, please try again.  maximum pending requests exceeded", "overloaded", "server busy"),
    ],
)
def test_a_refusal_has_its_code_and_the_remedy(status: int, message: str, code: str, words: str) -> None:
    error = error_of(status, body(message), "9")
    assert (error.code, words in error.message) == (code, True)


def test_how_long_to_wait_is_in_the_details() -> None:
    assert error_of(503, body("server busy"), "9").details == {"retry_after_s": 9}


@pytest.mark.parametrize("page", [b"404 page not found", b"<html>", b""])
def test_a_route_that_is_not_there_names_both_things_to_check(page: bytes) -> None:
    error = error_of(404, page)
    assert (error.code, "base_url" in error.message, "pull" in error.message) == ("unknown_model", True, False)


@pytest.mark.parametrize("name", ["$(reboot)", "a b", "`id`", "x" * 201, ""])
def test_only_what_may_be_a_name_is_put_into_a_command(name: str) -> None:
    error = error_of(404, body(f"model '{name}' not found"))
    assert (error.code, "ollama pull" in error.message) == ("unknown_model", False)


def test_a_cloud_that_wants_an_account_is_told_from_a_wrong_key() -> None:
    error = error_of(401, body("unauthorized", signin_url="https://ollama.com/connect?name=a&key=secret"))
    assert (error.code, "`ollama signin`" in error.message, "secret" in error.message) == ("bad_key", True, False)
    assert "api_key" in error_of(401, body("unauthorized")).message


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("an error was encountered while running the model: CUDA error", "upstream_error"),
        ("llama-server chat error: map[code:400 type:exceed_context_size_error]", "context_too_long"),
        ("model 'a' not found", "unknown_model"),
        ({"message": "boom"}, "upstream_error"),
    ],
)
def test_an_error_in_mid_stream_has_the_code_that_fits(message: Any, code: str) -> None:
    assert error_in(body(message)).code == code


def test_the_servers_words_are_shown_without_keys() -> None:
    assert "sk-abcdef0123456789" not in error_in(body("bad token sk-abcdef0123456789")).message
