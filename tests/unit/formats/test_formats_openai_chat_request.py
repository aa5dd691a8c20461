"""Requests in the chat completions format."""

import json
from typing import Any

from headrace.core.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Request,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from headrace.formats.openai_chat import encode_request

HI = Message("user", (TextPart("Hi"),))
URL = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}


def body(*messages: Message, parameters: dict[str, Any] | None = None, **options: Any) -> Any:
    request = Request(model="m", messages=messages or (HI,), parameters=parameters or {})
    return json.loads(encode_request(request, **options))


def encoded(role: Role, *parts: Part) -> Any:
    return body(Message(role, parts))["messages"]


def test_the_least_request_is_a_stream_with_usage() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_without_streaming_there_are_no_stream_options() -> None:
    sent = body(stream=False, parameters={"stream_options": {"include_obfuscation": False}})
    assert sent["stream"] is False
    assert "stream_options" not in sent


def test_parameters_and_extra_are_merged_at_the_top() -> None:
    sent = body(parameters={"temperature": 0.5, "top_k": 3}, extra={"top_k": 4, "return_progress": True})
    assert (sent["temperature"], sent["top_k"], sent["return_progress"]) == (0.5, 4, True)


def test_nothing_overrides_what_is_asked_for() -> None:
    bad = {"model": "x", "messages": [], "stream": False, "stream_options": {"include_usage": False, "a": 1}}
    for sent in (body(parameters=bad), body(extra=bad)):
        assert (sent["model"], sent["stream"]) == ("m", True)
        assert sent["messages"] == [{"role": "user", "content": "Hi"}]
        assert sent["stream_options"] == {"include_usage": True, "a": 1}
    assert body(parameters={"stream_options": None})["stream_options"] == {"include_usage": True}


def test_texts_are_joined_and_thoughts_are_left_out() -> None:
    assert encoded("system", TextPart("a"), TextPart("b")) == [{"role": "system", "content": "ab"}]
    assert encoded("assistant", ReasoningPart("hm"), TextPart("a")) == [{"role": "assistant", "content": "a"}]
    assert encoded("assistant", ReasoningPart("hm")) == [{"role": "assistant", "content": ""}]
    assert encoded("assistant") == [{"role": "assistant", "content": ""}]


def test_pictures_make_the_content_a_list_in_order() -> None:
    assert encoded("user", TextPart("a"), ImagePart("image/png", "QUJD"), TextPart("b")) == [
        {"role": "user", "content": [{"type": "text", "text": "a"}, URL, {"type": "text", "text": "b"}]}
    ]


def test_pictures_of_an_answer_go_back_as_they_came() -> None:
    assert encoded("assistant", TextPart("a"), ImagePart("image/png", "QUJD")) == [
        {"role": "assistant", "content": "a", "images": [URL]}
    ]


def test_calls_and_results_are_messages_in_their_order() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    other = {"id": "d", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    assert encoded(
        "assistant",
        TextPart("I look."),
        ToolCallPart("c", "f", "{}"),
        ToolResultPart("c", "1"),
        ToolCallPart("d", "g", "{}"),
        ToolResultPart("d", "2"),
        TextPart("Done."),
    ) == [
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
        {"role": "assistant", "content": None, "tool_calls": [other]},
        {"role": "tool", "tool_call_id": "d", "content": "2"},
        {"role": "assistant", "content": "Done."},
    ]
    assert encoded("tool", ToolResultPart("c", "1")) == [{"role": "tool", "tool_call_id": "c", "content": "1"}]


def test_any_text_can_be_sent() -> None:
    assert encoded("user", TextPart("é\u2028\0\ud83d")) == [{"role": "user", "content": "é\u2028\0\ud83d"}]
