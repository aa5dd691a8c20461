"""Answers in the chat completions format, as recorded from many servers, become events."""

import json
from typing import Any

import msgspec
import pytest
from chat_chunks import STOP, End, chunk, code_of, read, stream
from cutting import GOLDEN, at_cuts, byte_by_byte, same_however_cut
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Image, Reasoning, Text, ToolCall, Usage
from headrace.formats.openai_chat import Decoder, decode_reply

CASES = sorted(path.stem for path in (GOLDEN / "openai_chat").glob("*.sse"))


def recorded(case: str) -> tuple[bytes, tuple[list[Event], End]]:
    *lines, end = (GOLDEN / "openai_chat" / f"{case}.jsonl").read_bytes().splitlines()
    events = [msgspec.json.decode(line, type=Event) for line in lines]
    return (GOLDEN / "openai_chat" / f"{case}.sse").read_bytes(), (events, json.loads(end))


@pytest.mark.parametrize("case", CASES)
def test_recorded_answers_give_the_events_expected_however_they_are_cut(case: str) -> None:
    body, expected = recorded(case)
    assert same_however_cut(read, body) == expected


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("end", [b"\r", b"\r\n"])
def test_recorded_answers_may_have_other_line_ends_and_a_bom(case: str, end: bytes) -> None:
    body, expected = recorded(case)
    body = b"\xef\xbb\xbf" + body.replace(b"\n", end)
    assert read([body]) == expected
    assert read(byte_by_byte(body)) == expected


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CASES), st.lists(st.integers(0, 4000), max_size=40))
def test_recorded_answers_are_the_same_in_many_pieces(case: str, cuts: list[int]) -> None:
    body, expected = recorded(case)
    assert read(at_cuts(body, [cut % (len(body) + 1) for cut in cuts])) == expected


def test_a_small_answer_is_the_same_with_every_two_cuts() -> None:
    body = 'data:{"choices":[{"delta":{"content":"é\u2028"},"finish_reason":"stop"}]}\r\n\r\n'.encode()
    assert len(body) <= 80
    assert same_however_cut(read, body) == ([Text("é\u2028")], {"finish_reason": "stop"})


def test_a_line_of_a_megabyte_is_one_event() -> None:
    text = "x👋" * 200_000
    body = stream(chunk({"content": text}), STOP)
    expected: tuple[list[Event], End] = ([Text(text)], {"finish_reason": "stop"})
    assert len(body) > 1_000_000
    assert read([body]) == expected
    assert read(at_cuts(body, list(range(0, len(body), 1021)))) == expected


def test_comments_unknown_fields_and_blank_data_are_no_events() -> None:
    body = b": ping\n\nretry: 3\n\ndata: \n\ndata\n\nx: y\nid: 7\ndata: {}\n\n" + stream(chunk({"content": "a"}), STOP)
    assert same_however_cut(read, body) == ([Text("a")], {"finish_reason": "stop"})


def test_a_chunk_may_come_on_several_data_lines() -> None:
    body = b'data: {"choices":\ndata: [{"delta":{"content":"a"},\ndata: "finish_reason":"stop"}]}\n\n'
    assert read([body]) == ([Text("a")], {"finish_reason": "stop"})


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("STOP", "stop"),
        ("eos", "stop"),
        ("something new", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("model_length", "length"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
    ],
)
def test_the_reason_is_told_in_our_words(reason: str, expected: FinishReason) -> None:
    assert read([stream(chunk({"content": "a"}, reason))]) == ([Text("a")], {"finish_reason": expected})


@pytest.mark.parametrize(
    ("reason", "code"),
    [("error", "upstream_error"), ("abort", "upstream_error"), ("insufficient_system_resource", "overloaded")],
)
def test_a_reason_that_says_broken_is_a_failure(reason: str, code: str) -> None:
    events, end = read([stream(chunk({"content": "a"}), chunk(finish=reason))])
    assert events == [Text("a")]
    assert code_of(end) == code
    assert reason in end["error"]["message"]


def test_an_empty_reason_is_none() -> None:
    events, end = read([stream(chunk({"content": "a"}, ""), done=False)])
    assert events == [Text("a")]
    assert code_of(end) == "upstream_closed"


def test_nothing_at_all_is_no_answer() -> None:
    assert code_of(read([])[1]) == "upstream_closed"
    assert code_of(read([b"data: [DONE]\n\n"])[1]) == "upstream_closed"


def test_what_comes_after_done_is_not_read() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(chunk({"content": "a"}, "stop")) + stream(chunk({"content": "b"}))) == [Text("a")]
    assert decoder.done
    assert decoder.feed(b"data: no json\n\n") == []
    assert decoder.close() == []
    assert decoder.finish_reason == "stop"


def test_a_failure_is_raised_once_the_events_before_it_were_returned() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(chunk({"content": "a"}), {"error": "boom"}, chunk({"content": "b"}))) == [Text("a")]
    assert decoder.done
    for data in (b"", stream(STOP)):
        with pytest.raises(ProviderError, match="boom"):
            decoder.feed(data)
    with pytest.raises(ProviderError, match="boom"):
        decoder.close()


def test_a_failure_with_nothing_before_it_is_raised_at_once() -> None:
    decoder = Decoder()
    with pytest.raises(ProviderError, match="boom"):
        decoder.feed(stream({"error": {"message": "boom"}}))
    assert decoder.done


def test_closing_again_says_the_same() -> None:
    decoder = Decoder()
    decoder.feed(stream(STOP, {"choices": [], "usage": {"prompt_tokens": 3}}, done=False))
    assert decoder.close() == [Usage(input_tokens=3)]
    assert decoder.done
    assert decoder.close() == []
    broken = Decoder()
    for _ in range(2):
        with pytest.raises(ProviderError) as raised:
            broken.close()
        assert raised.value.code == "upstream_closed"


@pytest.mark.parametrize(
    "data",
    [
        b"no json",
        b"<html>",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b'{"choices":[{"delta":',
        b'{"choices":1}',
        b'{"choices":[{"delta":{"content":"\xff"}}]}',
        b'{"choices":[{"delta":{"content":5}}]}',
        b'{"choices":[{"delta":{"content":[5]}}]}',
        b'{"choices":[{"delta":{"content":[{"type":"audio"}]}}]}',
        b'{"choices":[{"delta":{"refusal":{"a":1}}}]}',
        b'{"choices":[{"delta":{"images":[{"image_url":"x"}]}}]}',
        b'{"choices":[{"delta":{"images":[{"image_url":{"url":"data:text/html,x"}}]}}]}',
        b'{"prompt_progress":{"processed":-1,"total":3}}',
        b'{"choices":' + b"[" * 100_000,
    ],
)
def test_what_is_no_chunk_is_garbled(data: bytes) -> None:
    events, end = read([stream(chunk({"content": "a"}), done=False), b"data: %b\n\n" % data])
    assert events == [Text("a")]
    assert code_of(end) == "upstream_garbled"


def test_what_is_garbled_is_shown_without_keys() -> None:
    _, end = read([b"data: oops sk-abcdef0123456789\n\n"])
    assert "oops [removed]" in end["error"]["message"]


def test_an_event_above_the_bound_is_garbled() -> None:
    events, end = read([stream(chunk({"content": "a"}), done=False), b"data: " + b"x" * (16 * 1024 * 1024 + 1)])
    assert events == [Text("a")]
    assert code_of(end) == "upstream_garbled"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"error": {"message": "m", "code": "context_length_exceeded"}}, "context_too_long"),
        ({"error": {"message": "m", "type": "rate_limit_exceeded"}}, "overloaded"),
        ({"error": {"message": "m", "code": 503}}, "overloaded"),
        ({"error": {"message": "m", "code": "invalid_api_key"}}, "bad_key"),
        ({"error": {"message": "m", "code": 401}}, "bad_key"),
        ({"error": {"message": "The model `x` does not exist"}}, "unknown_model"),
        ({"error": {"message": "m"}}, "upstream_error"),
        ({"error": "m", "choices": []}, "upstream_error"),
        ({"object": "error", "message": "m", "code": 404}, "unknown_model"),
        (
            {"error": {"message": "m"}, "choices": [{"delta": {"content": ""}, "finish_reason": "error"}]},
            "upstream_error",
        ),
        ({"error": {"message": "half \ud83d"}}, "upstream_error"),
    ],
)
def test_an_error_in_mid_stream_has_the_code_that_fits(data: dict[str, Any], code: str) -> None:
    body = b"data: %b\n\n" % json.dumps(data).encode()
    events, end = read([stream(chunk({"content": "a"}), done=False) + body])
    assert events == [Text("a")]
    assert code_of(end) == code


@pytest.mark.parametrize("data", [b'{"message":"too many tokens"}', b"too many tokens"])
def test_an_event_that_is_named_error_is_one_whatever_it_holds(data: bytes) -> None:
    _, end = read([b"event: error\ndata: %b\n\n" % data])
    assert code_of(end) == "context_too_long"


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_error_that_is_empty_is_none(nothing: Any) -> None:
    assert read([stream(chunk({"content": "a"}, "stop", error=nothing))])[1] == {"finish_reason": "stop"}


def test_only_the_first_choice_is_read() -> None:
    two = {
        "choices": [
            {"index": 1, "delta": {"content": "other"}, "finish_reason": "length"},
            {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"},
        ]
    }
    assert read([stream(two)]) == ([Text("a")], {"finish_reason": "stop"})
    assert read([stream({"choices": [{"index": None, "delta": {"content": "a"}}]}, STOP)])[0] == [Text("a")]


def test_nulls_are_nothing() -> None:
    nulls = chunk({"content": None, "reasoning_content": None, "tool_calls": None, "images": None, "refusal": None})
    nothing = {"choices": None, "usage": None, "timings": None, "prompt_progress": None, "error": None}
    no_delta = {"choices": [{"index": 0, "delta": None, "finish_reason": None}]}
    assert read([stream(nulls, nothing, no_delta, STOP)]) == ([], {"finish_reason": "stop"})


# Replies without streaming


def test_a_whole_reply_is_read_as_a_stream_is() -> None:
    message = {
        "role": "assistant",
        "reasoning_content": "r",
        "content": "a",
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}],
    }
    body = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    assert decode_reply(json.dumps(body).encode()) == (
        [
            Reasoning("r"),
            Text("a"),
            Image("image/png", "QUJD"),
            ToolCall("c", "f", "{}"),
            Usage(input_tokens=1, output_tokens=2),
        ],
        "tool_calls",
    )


def test_thoughts_in_a_whole_reply_are_told_apart() -> None:
    reply = json.dumps(
        {"choices": [{"message": {"content": "<think>r</think>\n\na"}, "finish_reason": "stop"}]}
    ).encode()
    assert decode_reply(reply) == ([Reasoning("r"), Text("a")], "stop")
    assert decode_reply(reply, think=False) == ([Text("<think>r</think>\n\na")], "stop")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"message":"m","code":429}}', "overloaded"),
        (b'{"object":"error","message":"m"}', "upstream_error"),
        (b'{"choices":[{"message":{"content":"a"},"finish_reason":null}]}', "upstream_closed"),
        (b'{"choices":[]}', "upstream_closed"),
        (b"", "upstream_garbled"),
        (b"<html>", "upstream_garbled"),
    ],
)
def test_a_reply_that_is_no_answer_is_an_error(body: bytes, code: str) -> None:
    with pytest.raises(ProviderError) as raised:
        decode_reply(body)
    assert raised.value.code == code
