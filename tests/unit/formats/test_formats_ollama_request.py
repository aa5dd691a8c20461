"""Requests in Ollama's format."""

import json
from typing import Any

import pytest

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
from headrace.formats.ollama_request import arguments_of, encode_request

HI = Message("user", (TextPart("Hi"),))
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}


def body(*messages: Message, continues: bool = False, **parameters: Any) -> Any:
    request = Request(model="m", messages=messages or (HI,), parameters=parameters, continues=continues)
    return json.loads(encode_request(request))


def encoded(role: Role, *parts: Part) -> Any:
    return body(Message(role, parts))["messages"]


def test_the_least_request_is_a_stream() -> None:
    assert body() == {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stream": True}


def test_parameters_of_sampling_become_options() -> None:
    sampling: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "min_p": 0.05,
        "seed": 7,
        "repeat_penalty": 1.1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "num_ctx": 8192,
    }
    sent = body(**sampling)
    assert sent.pop("options") == sampling
    assert sent == body()


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({"max_tokens": 5}, {"num_predict": 5}),
        ({"max_completion_tokens": 5}, {"num_predict": 5}),
        ({"repetition_penalty": 1.2}, {"repeat_penalty": 1.2}),
        ({"num_predict": 6, "max_tokens": 5}, {"num_predict": 6}),
        ({"max_tokens": 5, "num_predict": 6}, {"num_predict": 6}),
        ({"stop": "a"}, {"stop": ["a"]}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"temperature": 1, "options": {"temperature": 0, "mirostat": 2}}, {"temperature": 0, "mirostat": 2}),
        ({"options": {"stop": "a"}}, {"stop": ["a"]}),
    ],
)
def test_options_have_ollamas_names_and_shapes(given: dict[str, Any], options: dict[str, Any]) -> None:
    assert body(**given) == body() | {"options": options}


def test_what_is_not_given_is_not_sent() -> None:
    nothing: dict[str, Any] = {
        "temperature": None,
        "stop": None,
        "format": None,
        "response_format": None,
        "reasoning_effort": None,
    }
    assert body(**nothing, options=None, tools=None, keep_alive=None) == body()
    assert body(options="odd", response_format="odd") == body()


def test_what_ollama_may_know_goes_as_it_is() -> None:
    rest: dict[str, Any] = {
        "keep_alive": "10m",
        "tools": [TOOL],
        "logprobs": True,
        "top_logprobs": 2,
        "truncate": False,
        "new": {"a": 1},
    }
    assert body(**rest) == body() | rest


def test_nothing_overrides_what_is_asked_for() -> None:
    assert body(model="x", messages=[], stream=False) == body()


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({"response_format": {"type": "json_object"}}, "json"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}, SCHEMA),
        ({"response_format": {"type": "json_object"}, "format": SCHEMA}, SCHEMA),
        ({"response_format": {"type": "text"}}, None),
    ],
)
def test_a_format_is_json_or_a_schema(given: dict[str, Any], form: Any) -> None:
    assert body(**given) == body() | ({"format": form} if form else {})


@pytest.mark.parametrize(
    ("given", "think"),
    [
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "low"}, "low"),
        ({"reasoning_effort": "medium"}, "medium"),
        ({"reasoning_effort": "high"}, "high"),
        ({"reasoning_effort": "xhigh"}, "max"),
        ({"reasoning_effort": "new"}, "new"),
        ({"reasoning_effort": 5}, 5),
        ({"reasoning_effort": "high", "think": False}, False),
        ({"think": True}, True),
    ],
)
def test_effort_is_how_the_model_thinks(given: dict[str, Any], think: Any) -> None:
    assert body(**given) == body() | {"think": think}


def test_an_answer_that_goes_on_is_asked_for_without_thinking() -> None:
    said = Message("assistant", (ReasoningPart("hm"), TextPart("Once")))
    sent = body(HI, said, continues=True, reasoning_effort="high", think=True)
    assert sent["think"] is False
    assert sent["messages"][-1] == {"role": "assistant", "content": "Once"}


@pytest.mark.parametrize(("choice", "told"), [("none", False), ("auto", True), ("required", True)])
def test_a_model_that_may_call_nothing_is_told_of_no_tools(choice: str, told: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert ("tools" in body(tools=[TOOL], tool_choice=choice)) is told


def test_texts_are_joined_and_thoughts_are_left_out() -> None:
    assert encoded("system", TextPart("a"), TextPart("b")) == [{"role": "system", "content": "ab"}]
    assert encoded("assistant", ReasoningPart("hm"), TextPart("a")) == [{"role": "assistant", "content": "a"}]
    assert encoded("assistant", ReasoningPart("hm")) == [{"role": "assistant", "content": ""}]
    assert encoded("assistant") == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_pictures_stand_beside_the_text(role: Role) -> None:
    parts = (TextPart("a"), ImagePart("image/png", "QUJD"), TextPart("b"), ImagePart("image/jpeg", "REVG"))
    assert encoded(role, *parts) == [{"role": role, "content": "ab", "images": ["QUJD", "REVG"]}]


def test_calls_and_results_are_messages_in_their_order() -> None:
    def call(id_: str, index: int, name: str, **arguments: Any) -> dict[str, Any]:
        return {"id": id_, "function": {"index": index, "name": name, "arguments": arguments}}

    def result(id_: str, name: str, text: str) -> dict[str, Any]:
        return {"role": "tool", "content": text, "tool_call_id": id_, "tool_name": name}

    assert encoded(
        "assistant",
        TextPart("I look."),
        ToolCallPart("c", "f", '{"city": "Zürich"}'),
        ToolCallPart("d", "g", ""),
        ToolResultPart("c", "1"),
        ToolResultPart("d", "2"),
        ToolCallPart("e", "h", "{}"),
        ToolResultPart("e", "3"),
        TextPart("Done."),
    ) == [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [call("c", 0, "f", city="Zürich"), call("d", 1, "g")],
        },
        result("c", "f", "1"),
        result("d", "g", "2"),
        {"role": "assistant", "content": "", "tool_calls": [call("e", 0, "h")]},
        result("e", "h", "3"),
        {"role": "assistant", "content": "Done."},
    ]


def test_a_result_of_a_later_message_has_its_tools_name_too() -> None:
    messages = body(
        Message("assistant", (ToolCallPart("c", "f", "{}"),)),
        Message("tool", (ToolResultPart("c", "1"), ToolResultPart("x", "2"))),
    )["messages"]
    assert messages[1:] == [
        {"role": "tool", "content": "1", "tool_call_id": "c", "tool_name": "f"},
        {"role": "tool", "content": "2", "tool_call_id": "x"},
    ]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (" \n", {}),
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", {"arguments": [1]}),
        ("null", {"arguments": None}),
        ('{"a": ', {"arguments": '{"a": '}),
        ("\ud83d", {"arguments": "\ud83d"}),
    ],
)
def test_arguments_are_an_object_and_nothing_of_them_is_lost(text: str, arguments: dict[str, Any]) -> None:
    assert arguments_of(text) == arguments


def test_any_text_can_be_sent() -> None:
    assert encoded("user", TextPart("é\u2028\0\ud83d")) == [{"role": "user", "content": "é\u2028\0\ud83d"}]
