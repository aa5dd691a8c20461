"""What Ollama's clients ask."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.errors import BadField, BadRequest, NotAvailable
from headrace.core.messages import ImagePart, Message, ReasoningPart, Request, TextPart, ToolCallPart, ToolResultPart
from headrace.formats.ollama_asked import Question, decode_chat, decode_generate
from headrace.formats.ollama_request import encode_request

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"


def chat(*messages: dict[str, Any], **fields: Any) -> Question:
    return decode_chat(json.dumps({"model": "m", "messages": messages, **fields}).encode())


def generate(**fields: Any) -> Question:
    return decode_generate(json.dumps({"model": "m", **fields}).encode())


def test_a_conversation_is_read() -> None:
    question = chat(
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is this?", "images": [PNG]},
        {"role": "assistant", "thinking": "hm", "content": "A dot."},
    )

    assert question.messages == (
        Message("system", (TextPart("Be brief."),)),
        Message("user", (TextPart("What is this?"), ImagePart("image/png", PNG))),
        Message("assistant", (ReasoningPart("hm"), TextPart("A dot."))),
    )
    assert (question.stream, question.parameters, question.own) == (True, {}, {})


def test_results_of_tools_find_their_calls() -> None:
    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"function": {"name": name, "arguments": {"x": 1}}, **more}

    question = chat(
        {"role": "assistant", "tool_calls": [call("a"), call("b"), call("c", id="mine")]},
        {"role": "tool", "content": "of b", "tool_name": "b"},
        {"role": "tool", "content": "of c", "tool_call_id": "mine"},
        {"role": "tool", "content": "of a"},
        {"role": "tool", "content": "of none", "tool_name": "z"},
    )

    assert question.messages[0].parts == (
        ToolCallPart("call_0", "a", '{"x":1}'),
        ToolCallPart("call_1", "b", '{"x":1}'),
        ToolCallPart("mine", "c", '{"x":1}'),
    )
    results = [message.parts for message in question.messages[1:]]
    assert results == [
        (ToolResultPart("call_1", "of b"),),
        (ToolResultPart("mine", "of c"),),
        (ToolResultPart("call_0", "of a"),),
        (ToolResultPart("z", "of none"),),
    ]


def test_options_get_the_names_that_all_have_and_the_rest_is_ollamas_own() -> None:
    question = chat(
        {"role": "user", "content": "x"},
        options={"temperature": 0.5, "num_predict": 7, "stop": "END", "num_ctx": 512, "num_gpu": None},
        keep_alive="5m",
        think="low",
        format={"type": "object"},
    )

    assert question.parameters == {
        "temperature": 0.5,
        "max_tokens": 7,
        "stop": "END",
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}},
    }
    assert question.own == {"options": {"num_ctx": 512}, "think": "low", "keep_alive": "5m"}


def test_an_ollama_is_asked_what_was_asked_here() -> None:
    question = chat(
        {"role": "user", "content": "x"},
        options={"temperature": 0.5, "num_predict": 7, "num_ctx": 512},
        format="json",
        think=False,
        keep_alive=0,
    )
    request = Request(model="m", messages=question.messages, parameters={**question.parameters, **question.own})

    assert json.loads(encode_request(request)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
        "stream": True,
        "options": {"temperature": 0.5, "num_predict": 7, "num_ctx": 512},
        "format": "json",
        "think": False,
        "keep_alive": 0,
    }


@pytest.mark.parametrize("count", [-1, -2])
def test_as_long_as_it_likes_is_no_bound(count: int) -> None:
    assert generate(prompt="x", options={"num_predict": count}).parameters == {}


def test_a_prompt_is_a_users_message() -> None:
    question = generate(prompt="x", system="y", images=[PNG], stream=False, raw=False, context=[], suffix="")

    assert question.messages == (
        Message("system", (TextPart("y"),)),
        Message("user", (TextPart("x"), ImagePart("image/png", PNG))),
    )
    assert question.stream is False


def test_without_a_question_there_are_no_messages() -> None:
    assert chat().messages == ()
    assert generate(system="y").messages == ()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        ("/9j/4AAQSkZJRgABAQ==", "image/jpeg"),
        ("R0lGODlhAQABAAAAACw=", "image/gif"),
        ("UklGRiQAAABXRUJQ", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(data: str, media_type: str) -> None:
    assert generate(images=[data]).messages[0].parts == (ImagePart(media_type, data),)


@pytest.mark.parametrize("data", ["", "http://127.0.0.1/x.png", "file:///etc/passwd", "QUJD", "A", "=", "iVBOR w0KG"])
def test_what_is_no_picture_is_refused(data: str) -> None:
    with pytest.raises(BadField) as raised:
        generate(images=[data])
    assert raised.value.field == "images.0"


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": [{"role": "user", "content": "x", "name": "ada"}]}, "messages.0"),
        ({"messages": [{"role": "owner"}]}, "messages.0.role"),
        ({"options": []}, "options"),
        ({"options": {"top_p": 2}}, "options.top_p"),
        ({"format": "xml"}, "format"),
        ({"tools": [1]}, "tools.0"),
        ({"think": 7}, "think"),
        ({"stream": "no"}, "stream"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(BadField) as raised:
        chat(**{"messages": [], **fields})
    assert raised.value.field == path


@pytest.mark.parametrize("field", ["context", "raw", "suffix", "template", "logprobs", "temperature", "api_base"])
def test_what_is_not_to_be_had_is_refused_by_name(field: str) -> None:
    with pytest.raises(NotAvailable) as raised:
        generate(**{"prompt": "x", field: [1]})
    assert raised.value.field == field


@given(
    st.dictionaries(
        st.sampled_from(["messages", "tools", "options", "format", "think", "images", "prompt", "keep_alive"]),
        st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.text(max_size=9) | st.integers()),
    )
)
def test_anything_is_read_or_refused(fields: dict[str, Any]) -> None:
    for decode in (decode_chat, decode_generate):
        try:
            question = decode(json.dumps({"model": "m", **fields}).encode())
        except (BadField, BadRequest):
            continue
        assert question.model == "m"
