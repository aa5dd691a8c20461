"""What the lines of an Ollama chat say."""

import json
from typing import Any

import pytest

from headrace.core.errors import ProviderError
from headrace.core.events import Event, FinishReason, Image, Reasoning, Text, Timings, ToolCall, Usage
from headrace.formats.ollama_answer import Answer


def read(*lines: Any, think: bool = True, ascii_only: bool = False) -> tuple[list[Event], FinishReason | None]:
    answer = Answer(think=think)
    events: list[Event] = []
    for line in lines:
        answer.read(line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=ascii_only).encode(), events)
    return events, answer.finish_reason


def message(**message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": "", **message}, "done": False}


def last(**figures: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", **figures}


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("load", "stop"),
        ("unload", "stop"),
        ("something new", "stop"),
        ("", "stop"),
        (None, "stop"),
    ],
)
def test_the_reason_is_told_in_our_words(reason: str | None, expected: FinishReason) -> None:
    assert read({"done": True, "done_reason": reason}) == ([], expected)


def test_done_alone_is_an_end_and_its_absence_is_none() -> None:
    assert read({"done": True})[1] == "stop"
    assert read({"done": False, "done_reason": "stop"})[1] is None
    assert read({"message": {"content": "a"}}) == ([Text("a")], None)


def test_nulls_are_nothing() -> None:
    nulls = {"content": None, "thinking": None, "tool_calls": None, "images": None}
    line = {"message": nulls, "done": None, "done_reason": None, "error": None, "eval_count": None}
    assert read(line, {"message": None, "done": False}) == ([], None)


@pytest.mark.parametrize("nothing", [None, "", {}])
def test_an_error_that_is_empty_is_none(nothing: Any) -> None:
    assert read(last(error=nothing)) == ([], "stop")


@pytest.mark.parametrize(
    "line",
    [
        b"no json",
        b"<html>",
        b"[]",
        b"1",
        b"null",
        b'"text"',
        b"{}",
        b'{"status":"pulling manifest"}',
        b'{"message":{"content":',
        b'{"message":"a"}',
        b'{"message":{"content":5}}',
        b'{"message":{"content":["a"]}}',
        b'{"message":{"content":"\xff"}}',
        b'{"message":{"thinking":{"a":1}}}',
        b'{"message":{"images":[5]}}',
        b'{"message":{"tool_calls":[{}]}}',
        b'{"message":{"tool_calls":[{"function":"f"}]}}',
        b'{"done":"yes"}',
        b'{"done":true,"done_reason":5}',
        b'{"message":' + b"[" * 100_000,
    ],
)
def test_what_is_no_line_of_a_chat_is_garbled(line: bytes) -> None:
    with pytest.raises(ProviderError, match="base_url") as raised:
        read(line)
    assert raised.value.code == "upstream_garbled"


def test_what_is_garbled_is_shown_without_keys() -> None:
    with pytest.raises(ProviderError, match=r"oops \[removed\]"):
        read(b"oops sk-abcdef0123456789")


# Tool calls


def call(name: str | None = "f", arguments: Any = None, id_: str | None = None) -> dict[str, Any]:
    return {"id": id_, "function": {"name": name, "arguments": arguments}}


def test_calls_are_whole_and_in_order() -> None:
    events, reason = read(
        message(tool_calls=[call("f", {"a": [1, 2.0, "é"]}, "call_x")]),
        message(tool_calls=[call("g", {}), call("h", {"b": None})]),
        last(),
    )
    assert events == [
        ToolCall("call_x", "f", '{"a":[1,2.0,"é"]}'),
        ToolCall("call_1", "g", "{}"),
        ToolCall("call_2", "h", '{"b":null}'),
    ]
    assert reason == "tool_calls"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(None, "{}"), ("", "{}"), ('{"a": 1}', '{"a": 1}'), ([1], "[1]"), ({"n": 10**20}, '{"n":100000000000000000000}')],
)
def test_arguments_are_json_text(arguments: Any, text: str) -> None:
    assert read(message(tool_calls=[call(arguments=arguments)]))[0] == [ToolCall("call_0", "f", text)]


def test_what_a_call_leaves_out_is_filled_in() -> None:
    assert read(message(tool_calls=[{"function": {}}]))[0] == [ToolCall("call_0", "", "{}")]


def test_text_before_a_call_stays_before_it() -> None:
    events, _ = read(message(content="<th"), message(content="e", tool_calls=[call()]))
    assert events == [Text("<the"), ToolCall("call_0", "f", "{}")]
    events, _ = read(message(content="<th"), message(tool_calls=[call()]), message(content="<think>"))
    assert events == [Text("<th"), ToolCall("call_0", "f", "{}"), Text("<think>")]


def test_calls_that_were_cut_by_a_limit_are_no_reason() -> None:
    assert read(message(tool_calls=[call()]), last(done_reason="length"))[1] == "length"


# Images


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        ("iVBORw0KGgoAAA==", "image/png"),
        ("/9j/4AAQSkZJRg==", "image/jpeg"),
        ("R0lGODlhAQABAA==", "image/gif"),
        ("UklGRiQAAABXRUJQ", "image/webp"),
        ("QUJD", "image/png"),
    ],
)
def test_the_kind_of_a_picture_shows_in_how_it_begins(data: str, media_type: str) -> None:
    assert read(message(images=[data], content="a"))[0] == [Text("a"), Image(media_type, data)]


# Usage


def usage_of(**figures: Any) -> list[Event]:
    return read(last(**figures))[0]


def test_counts_and_times_are_told_with_the_end() -> None:
    assert usage_of(
        total_duration=9_000_000_000,
        load_duration=1_500_000_000,
        prompt_eval_count=30,
        prompt_eval_duration=200_000_000,
        eval_count=7,
        eval_duration=3_000_000_000,
    ) == [
        Usage(
            input_tokens=30,
            output_tokens=7,
            timings=Timings(loading_ms=1500, prompt_tokens_per_second=150.0, tokens_per_second=2.33),
        )
    ]


def test_what_is_not_counted_is_left_out() -> None:
    assert usage_of() == []
    assert usage_of(eval_count=0) == [Usage(output_tokens=0)]
    assert usage_of(eval_count=5, eval_duration=0) == [Usage(output_tokens=5)]
    assert usage_of(eval_duration=5) == []
    assert usage_of(load_duration=400_000) == [Usage(timings=Timings(loading_ms=0))]


@pytest.mark.parametrize("odd", ["5", -1, 1.5, True, [], {}, 10**400, float("nan")])
def test_counts_that_are_none_do_not_break_an_answer(odd: Any) -> None:
    figures = dict.fromkeys(("load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_duration"), odd)
    assert read(last(eval_count=2, **figures)) == ([Usage(output_tokens=2)], "stop")


# Thoughts


def test_thoughts_come_before_the_text_of_their_line() -> None:
    assert read(message(thinking="hm", content="a"))[0] == [Reasoning("hm"), Text("a")]


def test_a_tag_is_text_when_thoughts_come_by_themselves() -> None:
    events, _ = read(message(thinking="r"), message(content="<think>a</think>"))
    assert events == [Reasoning("r"), Text("<think>a</think>")]
    events, _ = read(message(content=" <thi"), message(thinking="r"), message(content="nk>"))
    assert events == [Text(" <thi"), Reasoning("r"), Text("nk>")]


def test_a_block_that_begins_the_text_is_thoughts_unless_the_caller_says_otherwise() -> None:
    lines = [message(content=piece) for piece in ("<think>a</th", "ink>", "\nb")]
    assert read(*lines)[0] == [Reasoning("a"), Text("b")]
    assert read(*lines, think=False)[0] == [Text("<think>a</th"), Text("ink>"), Text("\nb")]


def test_a_block_that_is_never_closed_is_thoughts_to_the_end() -> None:
    events, reason = read(message(content="<think>a</th"), last())
    assert (events, reason) == ([Reasoning("a"), Reasoning("</th")], "stop")


# Halves of surrogate pairs


@pytest.mark.parametrize(("key", "kind"), [("content", Text), ("thinking", Reasoning)])
def test_an_emoji_cut_in_two_is_made_whole(key: str, kind: type[Text | Reasoning]) -> None:
    lines = [message(**{key: text}) for text in ("a\ud83d", "\udc4b", "b")]
    assert read(*lines, ascii_only=True)[0] == [kind("a"), kind("👋"), kind("b")]


@pytest.mark.parametrize("think", [True, False])
def test_a_half_left_alone_is_replaced_at_the_end(think: bool) -> None:  # noqa: FBT001 - a parameter of the test
    events, reason = read(message(content="a\ud83d"), last(), think=think, ascii_only=True)
    assert (events, reason) == ([Text("a"), Text("\ufffd")], "stop")


def test_halves_in_names_and_ids_are_replaced() -> None:
    events, _ = read(message(tool_calls=[call("f\ud83d", {"a": "\ud83d"}, "i\ud83d")]), ascii_only=True)
    assert events == [ToolCall("i\ufffd", "f\ufffd", '{"a":"\\ud83d"}')]
