"""The parts of an answer in the chat completions format: calls, images, figures, thoughts, halves of characters."""

import json
from typing import Any

import pytest
from chat_chunks import STOP, chunk, code_of, read, stream
from cutting import same_however_cut

from headrace.core.errors import ProviderError
from headrace.core.events import Event, Image, PromptProgress, Reasoning, Text, Timings, ToolCall, Usage
from headrace.formats.openai_chat import Decoder

# Tool calls


def call(
    index: int | None = None, id_: str | None = None, name: str | None = None, arguments: Any = None
) -> dict[str, Any]:
    function = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    fragment = {"index": index, "id": id_, "function": function or None}
    return {"tool_calls": [{key: value for key, value in fragment.items() if value is not None}]}


def calls(*deltas: dict[str, Any]) -> list[Event]:
    events, end = read([stream(*(chunk(delta) for delta in deltas), chunk(finish="tool_calls"))])
    assert end == {"finish_reason": "tool_calls"}
    return events


def test_fragments_of_several_calls_may_be_mixed() -> None:
    assert calls(call(0, "a", "f", ""), call(1, "b", "g", "{"), call(0, arguments="{}"), call(1, arguments="}")) == [
        ToolCall("a", "f", "{}"),
        ToolCall("b", "g", "{}"),
    ]


def test_a_new_id_is_a_new_call_also_under_the_same_index() -> None:
    assert calls(call(0, "a", "f", "{}"), call(0, "b", "f", "{}")) == [
        ToolCall("a", "f", "{}"),
        ToolCall("b", "f", "{}"),
    ]
    assert calls(call(None, "a", "f", "{}"), call(None, "b", "g", '{"x"'), call(None, arguments=":1}")) == [
        ToolCall("a", "f", "{}"),
        ToolCall("b", "g", '{"x":1}'),
    ]


def test_what_a_call_leaves_out_is_filled_in() -> None:
    assert calls(call(0, None, "f"), call(1, "b")) == [ToolCall("call_0", "f", "{}"), ToolCall("b", "", "{}")]


def test_a_name_may_be_repeated_or_come_in_pieces() -> None:
    assert calls(call(0, "a", "get", "{"), call(0, "a", "get", "}")) == [ToolCall("a", "get", "{}")]
    assert calls(call(0, "a", "get_"), call(0, None, "time", "{}")) == [ToolCall("a", "get_time", "{}")]


def test_arguments_may_be_an_object() -> None:
    assert calls(call(0, "a", "f", {"city": "Zürich"})) == [ToolCall("a", "f", '{"city":"Zürich"}')]


def test_the_old_form_of_calls_is_read_too() -> None:
    old = [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}]
    events, end = read([stream(*(chunk(delta) for delta in old), chunk(finish="function_call"))])
    assert events == [ToolCall("call_0", "f", "{}")]
    assert end == {"finish_reason": "tool_calls"}


def test_calls_that_come_after_the_reason_are_not_lost() -> None:
    events, _ = read([stream(chunk(finish="tool_calls"), chunk(call(0, "a", "f", "{}")))])
    assert events == [ToolCall("a", "f", "{}")]


@pytest.mark.parametrize("done", [True, False])
def test_half_a_call_is_none(done: bool) -> None:  # noqa: FBT001 - a column of the table
    events, end = read([stream(chunk(call(0, "a", "f", '{"x')), done=done)])
    assert events == []
    assert code_of(end) == "upstream_closed"


def test_nothing_waits_for_done_once_the_reason_is_known() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(chunk({"content": " <thi"} | call(0, "a", "f", "{}")), done=False)) == []
    assert decoder.feed(stream(chunk(finish="tool_calls"), done=False)) == [Text(" <thi"), ToolCall("a", "f", "{}")]
    assert decoder.finish_reason == "tool_calls"
    assert not decoder.done
    assert decoder.close() == []


# Images


@pytest.mark.parametrize(
    ("url", "event"),
    [
        ("data:image/png;base64,QUJD", Image("image/png", "QUJD")),
        ("data:image/svg+xml;charset=utf-8;base64,QUJD", Image("image/svg+xml", "QUJD")),
        ("data:image/svg+xml,A%42C", Image("image/svg+xml", "QUJD")),
        ("https://images.example/a.png", Text("https://images.example/a.png")),
    ],
)
def test_an_image_is_base64_and_one_elsewhere_is_its_address(url: str, event: Event) -> None:
    events, _ = read([stream(chunk({"content": " ", "images": [{"image_url": {"url": url}}]}), STOP)])
    assert events == [Text(" "), event]


# Usage


def usage_of(*chunks: dict[str, Any]) -> list[Event]:
    return [event for event in read([stream(*chunks)])[0] if isinstance(event, Usage)]


def test_usage_is_told_once_with_the_last_word_on_each_count() -> None:
    assert usage_of(
        chunk({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
        chunk(finish="stop", usage={"prompt_tokens": None, "completion_tokens": 2}),
        {"choices": [], "usage": {"completion_tokens_details": {"reasoning_tokens": 1}}},
        {"choices": [], "usage": {"prompt_tokens_details": None, "prompt_cache_hit_tokens": 4}},
    ) == [Usage(input_tokens=5, output_tokens=2, reasoning_tokens=1, cached_tokens=4)]


def test_usage_comes_with_a_failure_too() -> None:
    events, end = read([stream(chunk({"content": "a"}, usage={"prompt_tokens": 5}), {"error": "boom"})])
    assert events == [Text("a"), Usage(input_tokens=5)]
    assert code_of(end) == "upstream_error"
    events, end = read([stream(chunk({"content": "a"}, usage={"prompt_tokens": 5}))])
    assert events == [Text("a"), Usage(input_tokens=5)]
    assert code_of(end) == "upstream_closed"


def test_timings_count_what_usage_does_not() -> None:
    timings = {"prompt_n": 7, "cache_n": 3, "predicted_n": 2, "prompt_per_second": 100, "predicted_per_second": 9.5}
    speeds = Timings(prompt_tokens_per_second=100.0, tokens_per_second=9.5)
    assert usage_of(chunk(finish="stop", timings=timings)) == [
        Usage(input_tokens=10, output_tokens=2, cached_tokens=3, timings=speeds)
    ]
    assert usage_of(chunk(finish="stop", timings=timings, usage={"prompt_tokens": 11})) == [
        Usage(input_tokens=11, output_tokens=2, cached_tokens=3, timings=speeds)
    ]
    assert usage_of(chunk(finish="stop", timings={"prompt_n": 7})) == [Usage(input_tokens=7)]


@pytest.mark.parametrize(
    "odd",
    [
        {"usage": "none"},
        {"usage": []},
        {"usage": {"prompt_tokens": "5", "completion_tokens": -1, "completion_tokens_details": 3}},
        {"usage": {"prompt_tokens": 10**400}},
        {"timings": {"predicted_per_second": None, "prompt_per_second": "fast", "predicted_n": 1.5}},
        {"timings": {"predicted_per_second": float("nan"), "prompt_per_second": 10**400}},
        {"timings": {"predicted_per_second": float("inf"), "prompt_per_second": -1}},
    ],
)
def test_counts_that_are_none_do_not_break_an_answer(odd: dict[str, Any]) -> None:
    assert read([stream(chunk({"content": "a"}, "stop", **odd))]) == ([Text("a")], {"finish_reason": "stop"})


def test_progress_may_leave_out_the_cache() -> None:
    progress = [{"prompt_progress": {"processed": read, "total": 9}} for read in (0, 5)]
    events, _ = read([stream(*progress, STOP)])
    assert events == [PromptProgress(0, 9), PromptProgress(5, 9)]


# Thoughts


def test_a_tag_is_text_when_thoughts_come_by_themselves() -> None:
    events, _ = read([stream(chunk({"reasoning": "r"}), chunk({"content": "<think>a</think>"}), STOP)])
    assert events == [Reasoning("r"), Text("<think>a</think>")]
    events, _ = read(
        [stream(chunk({"content": " <thi"}), chunk({"reasoning_content": "r"}), chunk({"content": "nk>"}), STOP)]
    )
    assert events == [Text(" <thi"), Reasoning("r"), Text("nk>")]


def test_a_tag_is_text_when_the_caller_says_so() -> None:
    body = stream(chunk({"content": "<think>a</think>"}), STOP)
    assert read([body], think=False)[0] == [Text("<think>a</think>")]
    assert read([body])[0] == [Reasoning("a")]


def test_what_was_held_back_is_returned_at_a_broken_end() -> None:
    decoder = Decoder()
    assert decoder.feed(stream(chunk({"content": " <thi"}), done=False)) == []
    assert decoder.flush() == [Text(" <thi")]
    assert decoder.flush() == []
    with pytest.raises(ProviderError):
        decoder.close()


@pytest.mark.parametrize("end", [stream({"error": "boom"}), stream()])
def test_what_was_held_back_is_returned_before_an_error(end: bytes) -> None:
    decoder = Decoder()
    assert decoder.feed(stream(chunk({"content": "<think>a</thi"}), done=False) + end) == [
        Reasoning("a"),
        Reasoning("</thi"),
    ]
    assert decoder.done
    with pytest.raises(ProviderError):
        decoder.close()


# Halves of surrogate pairs


def escaped(*chunks: Any) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"


@pytest.mark.parametrize(("key", "kind"), [("content", Text), ("reasoning_content", Reasoning)])
def test_an_emoji_cut_in_two_is_made_whole(key: str, kind: type[Text | Reasoning]) -> None:
    body = escaped(chunk({key: "x"}), chunk({key: "a\ud83d"}), chunk({key: "\udc4b"}), chunk({key: "b"}), STOP)
    expected = ([kind("x"), kind("a"), kind("👋"), kind("b")], {"finish_reason": "stop"})
    assert same_however_cut(read, body) == expected
    assert read([body], think=False) == expected


def test_a_half_left_alone_is_replaced_and_nothing_else_is_lost() -> None:
    body = escaped(chunk({"content": "\ud83d"}), chunk({"content": "<b"}), chunk({"content": "\ud83d"}), STOP)
    assert read([body])[0] == [Text("\ufffd<b"), Text("\ufffd")]


def test_half_a_character_within_thoughts_in_the_text_is_made_whole() -> None:
    body = escaped(chunk({"content": "<think>\ud83d"}), chunk({"content": "\udc4b</think>b"}), STOP)
    assert read([body])[0] == [Reasoning("👋"), Text("b")]


def test_calls_and_addresses_are_made_whole_too() -> None:
    body = escaped(
        chunk(call(0, "a", "f", '"\ud83d')),
        chunk(call(0, arguments='\udc4b"')),
        chunk({"images": [{"image_url": {"url": "https://x.example/\ud83d"}}]}),
        chunk(finish="tool_calls"),
    )
    assert read([body])[0] == [Text("https://x.example/\ufffd"), ToolCall("a", "f", '"👋"')]
